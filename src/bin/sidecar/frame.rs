//! What comes before and after the routes: the rules for callers, paths and verbs, the limit for a body, and
//! headers that keep answers out of caches.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use tower::Service as _;

use crate::{
    app::App,
    gate::Gate,
    health, metrics, openapi,
    paths::{Endpoint, Target},
    serve::{Answer, MAX_BODY_BYTES, Peer},
};

/// The program as the server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    app: App,
    gate: Arc<Gate>,
    router: Router,
    /// Whether there is a recorder.
    is_counted: bool,
}

impl Frame {
    /// `router` has the routes that need the app, with their literal paths.
    pub(crate) fn new(app: App, router: Router) -> Self {
        let gate = Arc::new(Gate::new(app.settings.is_development));
        let is_counted = app.settings.metrics.is_some();
        Self {
            app,
            gate,
            router,
            is_counted,
        }
    }

    async fn route(
        &self,
        target: Option<Target<'_>>,
        uri: &Uri,
        mut request: Request<Body>,
    ) -> Response {
        if declared_length(request.headers()).is_some_and(|length| length > MAX_BODY_BYTES) {
            return too_large();
        }
        let Some(target) = target.filter(|target| self.is_served(target.endpoint)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let methods = target.endpoint.methods();
        if !methods.is_empty() && !methods.contains(request.method()) {
            return not_allowed(methods);
        }
        match target.endpoint {
            Endpoint::Health => health::health(),
            Endpoint::Readiness => health::readiness(&self.app),
            Endpoint::OpenApi => openapi::document(),
            Endpoint::Validate | Endpoint::Token(_) => {
                let Some(uri) = target.uri(uri) else {
                    return StatusCode::URI_TOO_LONG.into_response();
                };
                *request.uri_mut() = uri;
                match self.router.clone().call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        }
    }

    /// The description is there in development alone.
    fn is_served(&self, endpoint: Endpoint) -> bool {
        !matches!(endpoint, Endpoint::OpenApi) || self.app.settings.is_development
    }
}

impl Answer for Frame {
    async fn answer(&self, peer: Peer, request: Request<Body>) -> Response {
        let start = Instant::now();
        let uri = request.uri().clone();
        let target = Target::of(uri.path());
        let endpoint = target.as_ref().map(|target| target.endpoint);
        let mut response = match self.gate.check(peer, target.as_ref(), &request) {
            Ok(()) => self.route(target, &uri, request).await,
            Err(refusal) => refusal.into_response(),
        };
        if response.status().is_success() {
            forbid_caching(response.headers_mut());
        }
        if self.is_counted {
            metrics::answered(endpoint, response.status(), start);
        }
        response
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // hyper has checked that it is a number. One that does not fit is larger than the limit.
    Some(length.parse().unwrap_or(usize::MAX))
}

/// The connection ends, so that the rest of the body need not be read.
fn too_large() -> Response {
    let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
    (StatusCode::PAYLOAD_TOO_LARGE, close).into_response()
}

fn not_allowed(methods: &[Method]) -> Response {
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, names);
    }
    response
}

fn forbid_caching(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (header::EXPIRES, "0"),
        (header::PRAGMA, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
