//! `/DownstreamApi` and `/DownstreamApiUnauthenticated`, with a small API on loopback that records what it gets.

mod answers;

mod api;

mod bodies;

mod challenges;

mod identities;

mod log;

mod origins;

mod refusals;

mod requests;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, Request, StatusCode};
use reqwest::Client;
use serde_json::Value;
use tower_entra::testing::Issuer;

use self::api::{Api, Seen};
use crate::world::Sidecar;

/// A sidecar with the API `orders`, whose `BaseUrl` ends with `/v1`. Callers of the anonymous route may name
/// agents.
struct World {
    issuer: Issuer,
    api: Api,
    sidecar: Sidecar,
}

/// What the sidecar answered.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl World {
    /// One whose API answers every request with 200 and `{}`.
    async fn new() -> Self {
        Self::answering(|_| json("{}")).await
    }

    async fn answering(
        answer: impl Fn(&Seen) -> http::Response<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::with(&[], answer).await
    }

    /// One with these variables in addition.
    async fn with(
        more: &[(&str, &str)],
        answer: impl Fn(&Seen) -> http::Response<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let issuer = Issuer::start().await;
        let api = Api::start(answer).await;
        let base_url = format!("{}/v1", api.url);
        let variables = [
            ("DownstreamApis__orders__BaseUrl", &*base_url),
            (ANONYMOUS_OVERRIDES, "true"),
        ];
        let sidecar = Sidecar::start(&issuer, &[&variables[..], more].concat());
        Self {
            issuer,
            api,
            sidecar,
        }
    }

    /// A POST on the anonymous route, with this query behind that of an agent that acts as itself.
    async fn call(&self, query: &str) -> Reply {
        self.post(query, None).await
    }

    /// The same with a body: its `Content-Type` and bytes.
    async fn post(&self, query: &str, body: Option<(&str, &[u8])>) -> Reply {
        let path = format!(
            "/DownstreamApiUnauthenticated/orders?AgentIdentity={}&{APP_TOKEN}&{query}",
            self.issuer.agent_id()
        );
        let mut request = Request::builder().method(Method::POST).uri(path);
        if let Some((media_type, _)) = body {
            request = request.header("content-type", media_type);
        }
        let body = body.map(|(_, bytes)| bytes.to_owned()).unwrap_or_default();
        self.send(request.body(body).expect("a request")).await
    }

    /// A request to a path of the sidecar.
    async fn send(&self, request: Request<Vec<u8>>) -> Reply {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.sidecar.url, parts.uri);
        let client = Client::builder().no_proxy().build().expect("a client");
        let request = client.request(parts.method, url).headers(parts.headers);
        let answer = request.body(body).send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.expect("a body");
        Reply {
            status,
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    /// The only request that the API has got since this was last asked.
    #[track_caller]
    fn seen(&self) -> Seen {
        let mut seen = self.api.take();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

impl Reply {
    /// The status, headers and content of the API's own answer.
    #[track_caller]
    fn of_api(&self) -> (u64, &Value, &Value) {
        assert_eq!(self.status, 200, "{self:?}");
        let status = self.body["statusCode"].as_u64();
        (
            status.unwrap_or_else(|| panic!("{self:?}")),
            &self.body["headers"],
            self.body.get("content").expect("content is always there"),
        )
    }

    /// A problem with this status; the value is its `detail`.
    #[track_caller]
    fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body["detail"].as_str().expect("a detail")
    }
}

/// 200 with this text.
fn json(text: &str) -> http::Response<Vec<u8>> {
    let response = http::Response::builder().header("content-type", "application/json");
    response.body(text.into()).expect("a response")
}

/// The claims of the token that a request has, which is its only one.
#[track_caller]
fn claims(seen: &Seen) -> Value {
    let values: Vec<_> = seen.headers.get_all("authorization").iter().collect();
    let [value] = &values[..] else {
        panic!("{} tokens", values.len());
    };
    let token = value.to_str().expect("text").strip_prefix("Bearer ");
    let payload = token.expect("a bearer token").split('.').nth(1);
    let payload = URL_SAFE_NO_PAD.decode(payload.expect("a payload"));
    serde_json::from_slice(&payload.expect("base64url")).expect("JSON")
}

/// The value of a query parameter.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

const APP_TOKEN: &str = "optionsOverride.RequestAppToken=true";
const ANONYMOUS_OVERRIDES: &str = "Sidecar__AllowOverrides__CallDownstreamApiUnauthenticated";
const REDIRECTS: (&str, &str) = ("Sidecar__AllowOutboundRedirects", "true");
