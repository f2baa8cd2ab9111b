//! What goes over HTTP: answers, challenges and what is logged of requests.

pub(crate) mod answers;
pub(crate) mod logs;

mod authorities;
mod bodies;
mod cors;
mod grpc;
mod matrix;
#[cfg(feature = "metrics")]
mod metrics;
mod opt_in;
mod plain_lines;
mod readiness;
mod require_layer;
mod require_routes;
mod resource_metadata;
mod routed_metadata;
mod servers;
mod streams;
mod token_header;
#[cfg(feature = "acquire")]
mod user_assertion;
