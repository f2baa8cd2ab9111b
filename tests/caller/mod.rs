//! The caller: what a principal says of a token, and which callers a requirement admits.

pub(crate) mod agent_claims;

mod audit;
mod in_handlers;
mod principal;
mod requirement;
pub(crate) mod requirement_table;
mod roles;
mod shapes;
