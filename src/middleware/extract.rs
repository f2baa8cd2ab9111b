//! The principal as an axum extractor, and a denial as an axum answer.

use std::convert::Infallible;

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE, request::Parts};

use super::Denial;
use crate::principal::AgentPrincipal;

/// There is no principal, because no [`EntraAuthLayer`](crate::EntraAuthLayer) is around the
/// handler, or one in optional mode let the request through without a token.
///
/// This is a mistake of the server and is answered with 500. Handlers behind an optional layer
/// extract `Option<AgentPrincipal>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no AgentPrincipal: put the route behind EntraAuthLayer, or extract Option<AgentPrincipal>"
)]
#[non_exhaustive]
pub struct MissingPrincipal;

impl IntoResponse for MissingPrincipal {
    fn into_response(self) -> Response {
        tracing::error!(target: "tower_entra", "{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for AgentPrincipal {
    type Rejection = MissingPrincipal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingPrincipal> {
        parts.extensions.get().cloned().ok_or(MissingPrincipal)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for AgentPrincipal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        let mut response = StatusCode::FORBIDDEN.into_response();
        // The layer outside completes this with its realm and the scopes.
        let challenge = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        response.extensions_mut().insert(self);
        response
    }
}
