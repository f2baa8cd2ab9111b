//! Who is calling: what a principal says of a token, and whom a requirement lets in.

pub(crate) mod agent_claims;

mod audit;
mod principal;
mod requirement;
pub(crate) mod requirement_table;
mod roles;
mod shapes;
