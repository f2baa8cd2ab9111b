//! The sidecar as its users see it: the program itself, real requests, and `testing::Issuer` as Entra.

mod world;

mod callers;
mod configuration;
mod downstream;
mod limits;
mod operations;
mod paths;
mod rows;
mod tokens;
mod validate;
