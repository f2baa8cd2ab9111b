//! What the crate promises, seen from outside.
#![allow(clippy::unwrap_used)]

mod support;

mod checks;

mod order;

mod principal;

mod shapes;

mod wire;

mod tower_contract;

mod servers;

mod cache;

mod configuration;

mod auto_traits;

mod edits;

mod properties;
