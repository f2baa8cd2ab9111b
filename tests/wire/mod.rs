//! What goes over HTTP: answers, challenges and what is noted of requests.

pub(crate) mod responses;

mod answers;
mod cors;
mod grpc;
pub(crate) mod logs;
mod matrix;
#[cfg(feature = "metrics")]
mod metrics;
mod opt_in;
mod plain_lines;
mod require_layer;
mod resource_metadata;
mod routed_metadata;
mod servers;
mod tower_contract;
