//! The token of the caller as an axum extractor.

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::caller::caller;
use crate::{
    admit::{
        principal::AgentPrincipal,
        requirement::{Demand, Denial, Requirement},
    },
    user_assertion::UserAssertion,
};

/// There is no [`UserAssertion`](crate::acquire::UserAssertion) in the request.
///
/// | why | answer |
/// |---|---|
/// | the caller acts as itself, so that there is no user to act for | 403, as by [`Requirement::delegated`](crate::Requirement::delegated) |
/// | an [optional](crate::EntraAuthLayer::optional) layer let the request through without a token | 401, as if the layer were not optional |
/// | no [`EntraAuthLayer`](crate::EntraAuthLayer) is around the handler, or one without [`with_user_assertion`](crate::EntraAuthLayer::with_user_assertion) | 500, and an error in the log: a mistake in the server's set-up |
///
/// A handler that serves callers without a user, too, extracts `Option<UserAssertion>`. That is `None` in
/// the first two cases, and the third fails all the same.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_entra::{AgentPrincipal, EntraAuthLayer, Validator, acquire::UserAssertion};
///
/// async fn orders(caller: AgentPrincipal, user: UserAssertion) -> String {
///     // Another API is asked for its orders with a token on behalf of `user`.
///     format!("the orders of {:?}, for {}", user.object_id(), caller.kind())
/// }
///
/// # fn app(validator: Validator) -> Router {
/// Router::new()
///     .route("/orders", get(orders))
///     .route_layer(EntraAuthLayer::new(validator).with_user_assertion())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MissingUserAssertion(Why);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Why {
    /// The caller has no token, or one that is not delegated.
    #[error("{0}")]
    Denied(Denial),
    #[error(
        "no UserAssertion: put the route behind EntraAuthLayer, and call with_user_assertion() on it"
    )]
    NotGiven,
}

impl MissingUserAssertion {
    fn of(parts: &Parts) -> Self {
        let why = match caller(&parts.extensions) {
            Ok(caller) => Why::of(caller),
            Err(denial) if *denial.demand() == Demand::Token => Why::Denied(denial),
            Err(_) => Why::NotGiven,
        };
        Self(why)
    }
}

impl Why {
    fn of(caller: &AgentPrincipal) -> Self {
        match Requirement::delegated().check(caller) {
            Err(denial) => Self::Denied(denial),
            Ok(()) => Self::NotGiven,
        }
    }
}

impl IntoResponse for MissingUserAssertion {
    fn into_response(self) -> Response {
        match self.0 {
            Why::Denied(denial) => denial.into_response(),
            Why::NotGiven => {
                tracing::error!(target: "tower_entra", "{}", Why::NotGiven);
                Denial::missing_layer().into_response()
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for UserAssertion {
    type Rejection = MissingUserAssertion;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingUserAssertion> {
        let given = parts.extensions.get::<Self>().cloned();
        given.ok_or_else(|| MissingUserAssertion::of(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for UserAssertion {
    type Rejection = MissingUserAssertion;

    /// `None` for a caller who acts as itself, and for a request that an optional layer let through.
    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, MissingUserAssertion> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(assertion) => Ok(Some(assertion)),
            Err(MissingUserAssertion(Why::Denied(_))) => Ok(None),
            Err(missing) => Err(missing),
        }
    }
}
