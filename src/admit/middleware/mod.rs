//! The tower layers, between HTTP and the validator. No cryptography, no policy.

mod layer;

mod service;

mod future;

mod expiring_streams;

mod expiring_body;

mod validators;

mod caller;

mod credentials;

mod responder;

mod challenge;

mod refusal_body;

mod deny;

mod problem;

mod grpc;

mod require;

mod require_routes;

mod audit_log;

mod resource_metadata;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

#[cfg(feature = "axum")]
mod extract;

#[cfg(all(feature = "acquire", feature = "axum"))]
mod extract_assertion;

#[cfg(feature = "axum")]
pub use self::extract::{MissingPrincipal, Problem};
#[cfg(all(feature = "acquire", feature = "axum"))]
pub use self::extract_assertion::MissingUserAssertion;
pub use self::{
    expiring_body::{ExpiringBody, StreamExpired},
    expiring_streams::{ExpiringStreams, ExpiringStreamsFuture, ExpiringStreamsLayer},
    future::ResponseFuture,
    layer::EntraAuthLayer,
    problem::ProblemJson,
    refusal_body::{EmptyBody, RefusalBody},
    require::{Require, RequireFuture, RequireLayer},
    require_routes::{RequireRoutes, RequireRoutesLayer},
    resource_metadata::{ProtectedResourceMetadata, ResourceMetadataService},
    service::EntraAuth,
};
