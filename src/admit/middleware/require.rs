//! A requirement around a route.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{
    caller::caller,
    deny::deny,
    refusal_body::{EmptyBody, RefusalBody},
};
use crate::admit::requirement::{Demand, Denial, Requirement};

/// A [`Layer`] that lets requests through to the service inside only if their caller satisfies a
/// [`Requirement`].
///
/// Put it inside of an [`EntraAuthLayer`](crate::EntraAuthLayer), which determines the caller; in
/// axum a layer that is added later is further out:
///
/// ```
/// use axum::{Router, routing::{get, post}};
/// use tower_entra::{EntraAuthLayer, RequireLayer, Requirement, Validator};
///
/// # fn app(validator: Validator) -> Result<Router, tower_entra::ConfigError> {
/// let may_read = Requirement::scope_or_role("Orders.Read", "Orders.Read.All")?;
/// let may_approve = Requirement::people().and(Requirement::scope("Orders.Approve")?)?;
///
/// let app = Router::new()
///     .route("/orders", get(|| async { "orders" }))
///     .route(
///         "/orders/{id}/approval",
///         // For one route ...
///         post(|| async { "approved" }).layer(RequireLayer::new(may_approve)),
///     )
///     // ... and for all of them. Unlike `layer`, this leaves unknown paths 404.
///     .route_layer(RequireLayer::new(may_read))
///     .route_layer(EntraAuthLayer::new(validator));
/// # Ok(app)
/// # }
/// ```
///
/// To put both around one route, add them as a pair, the outer one first:
/// `get(handler).layer((EntraAuthLayer::new(validator), RequireLayer::new(requirement)))`.
///
/// Every other request is answered here; the service inside is not called. A refusal is a response,
/// never an error of the service. It has the status and the challenge of a [`Denial`], the denial in
/// its extensions, `Cache-Control: no-store` and an empty body.
///
/// | situation | status |
/// |---|---|
/// | the caller satisfies the requirement | that of the service inside |
/// | it does not | that of the denial: 403, or 401 with a challenge to step up |
/// | there was no token, and the layer outside is [optional](crate::EntraAuthLayer::optional) | 401, as if it were not optional |
/// | no `EntraAuthLayer` is outside | 500, and an error in the log: a mistake in the server's set-up |
///
/// Within a handler [`AgentPrincipal::require`](crate::AgentPrincipal::require) does the same. A
/// [`RequireRoutesLayer`](crate::RequireRoutesLayer) has the requirements of all routes, and refuses a
/// route without one.
#[derive(Clone)]
pub struct RequireLayer<B = EmptyBody> {
    requirement: Requirement,
    body: B,
}

impl RequireLayer {
    /// Refuses callers that do not satisfy `requirement`.
    #[must_use]
    pub fn new(requirement: Requirement) -> Self {
        Self {
            requirement,
            body: EmptyBody,
        }
    }
}

impl<B> RequireLayer<B> {
    /// Builds the bodies of refusals with `body`, as
    /// [`EntraAuthLayer::refusal_body`](crate::EntraAuthLayer::refusal_body) does: with
    /// [`ProblemJson`](crate::ProblemJson), say. Default: an empty body, which the `refusal_body` of the
    /// layer outside replaces. Status and challenge stay as they are, and there is no `Retry-After`.
    #[must_use]
    pub fn refusal_body<F>(self, body: F) -> RequireLayer<F> {
        RequireLayer {
            requirement: self.requirement,
            body,
        }
    }
}

impl<S, B: Clone> Layer<S> for RequireLayer<B> {
    type Service = Require<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        Require {
            inner,
            requirement: self.requirement.clone(),
            body: self.body.clone(),
        }
    }
}

/// The [`Service`] of a [`RequireLayer`].
///
/// Every request is decided within `call`.
#[derive(Clone)]
pub struct Require<S, B = EmptyBody> {
    inner: S,
    requirement: Requirement,
    body: B,
}

impl<S, B> Require<S, B> {
    fn judge(&self, extensions: &Extensions) -> Result<(), Denial> {
        self.requirement.check(caller(extensions)?)
    }
}

impl<S, B, ReqBody, ResBody> Service<Request<ReqBody>> for Require<S, B>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    B: RefusalBody<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequireFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.judge(request.extensions()) {
            Ok(()) => RequireFuture::calling(self.inner.call(request)),
            Err(denial) => {
                if *denial.demand() == Demand::Layer {
                    let requirement = self.requirement.to_string();
                    tracing::error!(target: "tower_entra", requirement, "{denial}");
                }
                RequireFuture::refused(deny(denial, &self.body))
            }
        }
    }
}

pin_project! {
    /// The response future of [`Require`] and of [`RequireRoutes`](crate::RequireRoutes).
    pub struct RequireFuture<F, ResBody> {
        #[pin]
        state: State<F, ResBody>,
    }
}

impl<F, ResBody> RequireFuture<F, ResBody> {
    pub(super) fn calling(future: F) -> Self {
        Self {
            state: State::Calling { future },
        }
    }

    pub(super) fn refused(response: Response<ResBody>) -> Self {
        Self {
            state: State::Refused {
                response: Some(response),
            },
        }
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, ResBody> {
        /// The service inside has the request.
        Calling { #[pin] future: F },
        /// The answer is known.
        Refused { response: Option<Response<ResBody>> },
    }
}

impl<F, ResBody, E> Future for RequireFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Calling { future } => future.poll(cx),
            StateProjection::Refused { response } => {
                let response = response.take().expect("polled after it was ready");
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<B> fmt::Debug for RequireLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireLayer")
            .field("requirement", &self.requirement)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, B> fmt::Debug for Require<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Require")
            .field("inner", &self.inner)
            .field("requirement", &self.requirement)
            .finish_non_exhaustive()
    }
}

impl<F, ResBody> fmt::Debug for RequireFuture<F, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireFuture").finish_non_exhaustive()
    }
}
