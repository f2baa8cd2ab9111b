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

mod challenge;

mod matrix;

mod resource_metadata;

mod cors;

mod grpc;

mod tower_contract;

mod servers;

mod requirement;

mod requirement_table;

mod require_layer;

mod cache;

mod configuration;

#[cfg(feature = "metrics")]
#[path = "../keys/recorder.rs"]
#[expect(dead_code, reason = "the tests of the keys read the gauges")]
mod recorder;

#[cfg(feature = "metrics")]
mod metrics;

mod auto_traits;

mod edits;

mod properties;
