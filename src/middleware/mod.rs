//! The edge: HTTP and tower on one side, the validator on the other. No cryptography, no policy.

mod layer;

mod service;

mod future;

mod bearer;

mod rejection;

mod denial;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

#[cfg(feature = "axum")]
mod extract;

#[cfg(feature = "axum")]
pub use self::extract::MissingPrincipal;
pub use self::{
    denial::Denial,
    future::ResponseFuture,
    layer::EntraAuthLayer,
    rejection::{EmptyBody, RefusalBody},
    service::EntraAuth,
};
