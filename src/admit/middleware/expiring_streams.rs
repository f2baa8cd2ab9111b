//! The layer whose responses end when the token of their request expires.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{
    expiring_body::ExpiringBody,
    future::{Answer, ResponseFuture},
    layer::EntraAuthLayer,
    refusal_body::{EmptyBody, RefusalBody},
    service::EntraAuth,
};

/// An [`EntraAuthLayer`] whose streams end at expiry: made by
/// [`ends_streams_at_expiry`](EntraAuthLayer::ends_streams_at_expiry).
#[derive(Clone)]
pub struct ExpiringStreamsLayer<B = EmptyBody> {
    layer: EntraAuthLayer<B>,
}

impl<B> EntraAuthLayer<B> {
    /// Ends the response body of an admitted request when its token expires: at `exp` plus the clock skew,
    /// when the same token would no longer be admitted. Default: a response goes on for as long as the
    /// service inside sends, however long ago the token has expired.
    ///
    /// For event streams, long polls and large downloads. It is the last setting to call, because it
    /// returns another layer, whose responses have an [`ExpiringBody`]. That is a body of
    /// [http-body](https://docs.rs/http-body) and fits wherever the one inside does, axum's router included:
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use tower_entra::{EntraAuthLayer, Validator};
    /// # fn app(validator: Validator) -> Router {
    /// # async fn events() {}
    /// Router::new()
    ///     .route("/events", get(events))
    ///     .layer(EntraAuthLayer::new(validator).ends_streams_at_expiry())
    /// # }
    /// ```
    ///
    /// The body ends with the error [`StreamExpired`](crate::StreamExpired), never as if it were complete: a
    /// download that was cut short must not look whole. The server then closes an HTTP/1 connection
    /// and resets an HTTP/2 stream. Clients of event streams connect again after either, and get the 401
    /// that tells them to fetch a token. The body inside is dropped. The bodies of refusals, and of
    /// requests that an [`optional`](Self::optional) layer lets through without a token, do not end.
    ///
    /// The end is by the wall clock, as `exp` is judged, or by the monotonic clock from the admission on,
    /// whichever is first. A timer ends a body that is idle. After a machine has slept that timer is
    /// late, but the wall clock is looked at before each frame: none passes after the end. A body that has
    /// to wait needs the timer of a tokio runtime; without one it ends at once, but under
    /// `panic = "abort"`, where tokio's panic ends the process.
    ///
    /// What it does not protect from:
    ///
    /// - A connection that was upgraded, to a WebSocket say, has no body any more. Close it in the handler,
    ///   at [`expires_at`](crate::AgentPrincipal::expires_at).
    /// - Frames that have passed are in the buffers of the server, of proxies and of the network, and
    ///   reach a slow client after the end.
    /// - The body of the request, and the handler itself: an upload goes on, and work that was begun is
    ///   finished. If the handler answers only after the end, its body fails before the first frame.
    /// - A token or a session that was revoked before its `exp`: see `SECURITY.md`.
    #[must_use]
    pub fn ends_streams_at_expiry(self) -> ExpiringStreamsLayer<B> {
        let layer = self.telling_ends();
        ExpiringStreamsLayer { layer }
    }
}

impl<S, B: Clone> Layer<S> for ExpiringStreamsLayer<B> {
    type Service = ExpiringStreams<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        ExpiringStreams {
            service: self.layer.layer(inner),
        }
    }
}

/// The [`Service`] of an [`ExpiringStreamsLayer`].
#[derive(Clone)]
pub struct ExpiringStreams<S, B = EmptyBody> {
    service: EntraAuth<S, B>,
}

impl<S, B, ReqBody, ResBody> Service<Request<ReqBody>> for ExpiringStreams<S, B>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    B: RefusalBody<ResBody> + Clone,
{
    type Response = Response<ExpiringBody<ResBody>>;
    type Error = S::Error;
    type Future = ExpiringStreamsFuture<S, B, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ExpiringStreamsFuture {
            future: self.service.call(request),
        }
    }
}

pin_project! {
    /// The response future of [`ExpiringStreams`].
    pub struct ExpiringStreamsFuture<S, B, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        future: ResponseFuture<S, B, ReqBody, ResBody>,
    }
}

impl<S, B, ReqBody, ResBody> Future for ExpiringStreamsFuture<S, B, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    B: RefusalBody<ResBody> + Clone,
{
    type Output = Result<Response<ExpiringBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Answer { response, end } = ready!(self.project().future.poll_with_end(cx))?;
        Poll::Ready(Ok(response.map(|body| ExpiringBody::new(body, end))))
    }
}

impl<B> fmt::Debug for ExpiringStreamsLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringStreamsLayer")
            .field("layer", &self.layer)
            .finish()
    }
}

impl<S: fmt::Debug, B> fmt::Debug for ExpiringStreams<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringStreams")
            .field("service", &self.service)
            .finish()
    }
}

impl<S, B, ReqBody, ResBody> fmt::Debug for ExpiringStreamsFuture<S, B, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringStreamsFuture")
            .finish_non_exhaustive()
    }
}
