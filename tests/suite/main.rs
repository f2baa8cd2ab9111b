//! What the crate promises, seen from outside.
#![allow(clippy::unwrap_used)]

mod support;

mod checks;

mod order;

mod principal;

mod shapes;

mod wire;

mod explanations;

mod audit;

mod logs;

mod tower_contract;

mod servers;

mod requirement;

mod requirement_table;

mod require_layer;

mod cache;

mod configuration;

mod auto_traits;
