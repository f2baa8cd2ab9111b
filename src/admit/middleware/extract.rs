//! The principal as an axum extractor, and a denial as an axum answer.

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::{caller::caller, deny::deny, problem::ProblemJson, refusal_body::EmptyBody};
use crate::admit::{
    principal::AgentPrincipal,
    requirement::{Demand, Denial},
};

/// There is no principal in the request.
///
/// Either no [`EntraAuthLayer`](crate::EntraAuthLayer) is around the handler: a mistake in the
/// server's set-up, which is logged and answered with 500. Or one in
/// [optional](crate::EntraAuthLayer::optional) mode let the request through without a token, and the
/// handler needs one: that is answered with 401, as if the layer were not optional. A handler that
/// also serves requests without a token extracts `Option<AgentPrincipal>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no AgentPrincipal: put the route behind EntraAuthLayer, or extract Option<AgentPrincipal>"
)]
#[non_exhaustive]
pub struct MissingPrincipal {
    is_anonymous: bool,
}

impl IntoResponse for MissingPrincipal {
    fn into_response(self) -> Response {
        if self.is_anonymous {
            return Denial::anonymous().into_response();
        }
        tracing::error!(target: "tower_entra", "{self}");
        Denial::missing_layer().into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for AgentPrincipal {
    type Rejection = MissingPrincipal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingPrincipal> {
        match caller(&parts.extensions) {
            Ok(principal) => Ok(principal.clone()),
            Err(denial) => Err(MissingPrincipal {
                is_anonymous: *denial.demand() == Demand::Token,
            }),
        }
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for AgentPrincipal {
    type Rejection = MissingPrincipal;

    /// `None` for a request that an optional layer let through. Without any layer it fails here too:
    /// no layer has looked for a token.
    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, MissingPrincipal> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(principal) => Ok(Some(principal)),
            Err(missing) if missing.is_anonymous => Ok(None),
            Err(missing) => Err(missing),
        }
    }
}

/// With an empty body. The layer outside completes the challenge, and builds the body if it has a
/// [`refusal_body`](crate::EntraAuthLayer::refusal_body).
impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        deny(self, &EmptyBody)
    }
}

/// A [`Denial`] that an axum handler answers with a body of `application/problem+json`, as
/// [`ProblemJson`] builds it. `?` makes one of a denial. Where the layer outside has
/// `refusal_body(ProblemJson)`, a [`Denial`] is enough.
///
/// ```
/// use axum::extract::State;
/// use tower_entra::{AgentPrincipal, Problem, Requirement};
///
/// async fn approve(
///     State(may_approve): State<Requirement>,
///     caller: AgentPrincipal,
/// ) -> Result<&'static str, Problem> {
///     may_approve.check(&caller)?;
///     Ok("approved")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Denial);

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        Self(denial)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        deny(self.0, &ProblemJson)
    }
}
