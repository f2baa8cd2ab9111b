//! The routes with `testing::Issuer` as Entra: whose token comes back.

mod answers;

mod identities;

mod isolation;

mod scopes_and_options;

mod validate;

use axum::body::to_bytes;
use base64::Engine as _;
use serde_json::Value;
use tower::ServiceExt as _;
use tower_entra::testing::Issuer;

use super::*;
use crate::settings::{
    Settings,
    tests::{api, settings},
};

/// A sidecar of one test.
struct World {
    issuer: Issuer,
    router: Router,
}

/// An answer, read.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl World {
    /// One with the settings of the tests, changed. Every route allows overrides.
    async fn new(change: impl FnOnce(&mut Settings, &Issuer)) -> Self {
        Self::of(Issuer::start().await, change).await
    }

    async fn of(issuer: Issuer, change: impl FnOnce(&mut Settings, &Issuer)) -> Self {
        let router = router_of(&issuer, change).await;
        Self { issuer, router }
    }

    /// GET, with this token.
    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        send(&self.router, "GET", path, token).await
    }
}

async fn router_of(issuer: &Issuer, change: impl FnOnce(&mut Settings, &Issuer)) -> Router {
    let mut settings = settings(issuer);
    settings
        .allow_overrides
        .authorization_header_unauthenticated = true;
    settings.allow_overrides.downstream_api_unauthenticated = true;
    settings.apis.insert(
        "app".to_owned(),
        crate::settings::Api {
            request_app_token: true,
            ..api(issuer.api().resource())
        },
    );
    change(&mut settings, issuer);
    let app = App::new(settings).expect("an app");
    app.validator.ready().await;
    router(&app)
}

async fn send(router: &Router, method: &str, path: &str, token: Option<&str>) -> Answer {
    let mut request = http::Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().expect("ASCII")
    }

    /// The token of an authorization header.
    #[track_caller]
    fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        let json = self.json();
        let header = json["authorizationHeader"].as_str().expect("a header");
        header.strip_prefix("Bearer ").expect("Bearer").to_owned()
    }

    /// The claims of that token.
    #[track_caller]
    fn claims(&self) -> Value {
        claims(&self.token())
    }

    /// Checks a problem, and gives its members.
    #[track_caller]
    fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(json[member].is_string(), "{member}: {self:?}");
        }
        json
    }
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a payload");
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = engine.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}
