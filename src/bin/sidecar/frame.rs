//! What comes before and after the routes: the rules for callers, paths and verbs, the limit for a body, and
//! headers that keep answers out of caches.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tower::Service as _;

use crate::{
    app::App,
    gate::Gate,
    health,
    paths::{Endpoint, Target},
    serve::{Answer, MAX_BODY_BYTES, Peer},
};

/// The program as the server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    app: App,
    gate: Arc<Gate>,
    router: Router,
}

impl Frame {
    /// `router` has the routes that need the app, with their literal paths.
    pub(crate) fn new(app: App, router: Router) -> Self {
        let gate = Arc::new(Gate::new(app.settings.is_development));
        Self { app, gate, router }
    }

    async fn route(&self, endpoint: Endpoint, request: Request<Body>) -> Response {
        let methods = endpoint.methods();
        match endpoint {
            _ if !methods.is_empty() && !methods.contains(request.method()) => not_allowed(methods),
            Endpoint::Health => health::health(),
            Endpoint::Readiness => health::readiness(&self.app),
            _ => match self.router.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        }
    }
}

impl Answer for Frame {
    async fn answer(&self, peer: Peer, mut request: Request<Body>) -> Response {
        let uri = request.uri().clone();
        let target = Target::of(uri.path());
        if let Err(refusal) = self.gate.check(peer, target.as_ref(), &request) {
            return refusal.into_response();
        }
        if declared_length(request.headers()).is_some_and(|length| length > MAX_BODY_BYTES) {
            return too_large();
        }
        let Some(target) = target else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let Some(uri) = target.uri(&uri) else {
            return StatusCode::URI_TOO_LONG.into_response();
        };
        *request.uri_mut() = uri;
        let mut response = self.route(target.endpoint, request).await;
        if response.status().is_success() {
            forbid_caching(response.headers_mut());
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
