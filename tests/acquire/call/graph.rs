//! Microsoft Graph as an API: its scope, its claims challenge, and 429 with `Retry-After`.
//!
//! The recipe of the guide, against a server that answers as Graph does.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response as Answer},
    routing::get,
};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tower_entra::acquire::{ClientCredential, ConfidentialClient, Scopes};

use super::*;

const GRAPH: &str = "https://graph.microsoft.com";

/// A server that answers as Graph does.
#[derive(Clone, Default)]
struct Graph {
    accepted: Arc<Mutex<Vec<String>>>,
    revoked: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<u32>>,
    throttles: bool,
}

impl Graph {
    /// Revokes every token that was accepted.
    fn revoke(&self) {
        let mut accepted = self.accepted.lock().unwrap();
        self.revoked.lock().unwrap().append(&mut accepted);
    }

    async fn users(State(graph): State<Self>, headers: HeaderMap) -> Answer {
        *graph.requests.lock().unwrap() += 1;
        if graph.throttles {
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "17")]).into_response();
        }
        let token = headers[AUTHORIZATION].to_str().unwrap();
        let token = token.strip_prefix("Bearer ").unwrap().to_owned();
        if graph.revoked.lock().unwrap().contains(&token) {
            let challenge = format!(
                "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                 client_id=\"00000003-0000-0000-c000-000000000000\", error=\"insufficient_claims\", \
                 claims=\"{}\"",
                STANDARD.encode(CLAIMS)
            );
            return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
        }
        graph.accepted.lock().unwrap().push(token.clone());
        let claims = token.split('.').nth(1).unwrap();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        format!("{} by {}", claims["aud"], claims["appid"]).into_response()
    }

    async fn serve(&self) -> SocketAddr {
        let app = Router::new().route("/v1.0/users", get(Self::users));
        serve(app.with_state(self.clone())).await
    }
}

/// An agent whose blueprint answers claims challenges.
fn service(
    issuer: &Issuer,
    graph: SocketAddr,
) -> EntraCall<
    impl Service<
        Request<Body>,
        Response = Response<hyper::body::Incoming>,
        Error = hyper_util::client::legacy::Error,
        Future: Send,
    > + Clone,
    WithoutBody,
> {
    let blueprint = issuer.blueprint();
    let credential = ClientCredential::secret(blueprint.secret());
    let agent = ConfidentialClient::builder(issuer.tenant_id(), blueprint.client_id(), credential)
        .authority(issuer.authority())
        .claims_challenges(true)
        .build()
        .unwrap()
        .agent(issuer.agent_id());
    let scopes = Scopes::default_of(GRAPH).unwrap();
    EntraCallLayer::new(format!("http://{graph}"), scopes)
        .unwrap()
        .acting_as(agent.itself())
        .replay(WithoutBody)
        .layer(Client::builder(TokioExecutor::new()).build_http::<Body>())
}

/// Copies requests whose body is empty.
#[derive(Clone)]
struct WithoutBody;

impl tower_entra::acquire::Replay<Request<Body>> for WithoutBody {
    fn copy(&self, request: &Request<Body>) -> Option<Request<Body>> {
        if !http_body::Body::is_end_stream(request.body()) {
            return None;
        }
        let mut copy = Request::new(Body::empty());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(copy)
    }
}

fn users(graph: SocketAddr) -> Request<Body> {
    let request = Request::get(format!("http://{graph}/v1.0/users"));
    request.body(Body::empty()).unwrap()
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    let body = axum::body::to_bytes(Body::new(response.into_body()), 10_000).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_agent_calls_graph_with_a_token_for_it() {
    let issuer = Issuer::start().await;
    let graph = Graph::default();
    let address = graph.serve().await;
    let service = service(&issuer, address);
    let response = within(service.oneshot(users(address))).await.unwrap();
    let expected = format!("\"{GRAPH}\" by \"{}\"", issuer.agent_id());
    assert_eq!(text(response).await, expected);
    let asked = issuer.token_requests_seen().pop().unwrap();
    assert_eq!(
        asked.parameter("scope"),
        Some("https://graph.microsoft.com/.default")
    );
}

#[tokio::test]
async fn a_token_that_graph_revokes_is_replaced_in_the_same_call() {
    let issuer = Issuer::start().await;
    let graph = Graph::default();
    let address = graph.serve().await;
    let service = service(&issuer, address);
    within(service.clone().oneshot(users(address)))
        .await
        .unwrap();
    graph.revoke();
    for _ in 0..2 {
        let response = within(service.clone().oneshot(users(address))).await;
        assert_eq!(response.unwrap().status(), 200);
    }
    // The first, the refused one and its copy, and one more; T1, a token, and another for the claims.
    assert_eq!(*graph.requests.lock().unwrap(), 4);
    assert_eq!(issuer.token_requests(), 3);
    let asked = issuer.token_requests_seen().pop().unwrap();
    let claims: Value = serde_json::from_str(asked.parameter("claims").unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"]["value"], "1702682181");
    assert_eq!(claims["access_token"]["xms_cc"]["values"][0], "cp1");
}

#[tokio::test]
async fn throttling_by_graph_itself_is_left_to_the_caller() {
    let issuer = Issuer::start().await;
    let graph = Graph {
        throttles: true,
        ..Graph::default()
    };
    let address = graph.serve().await;
    let service = service(&issuer, address);
    let response = within(service.oneshot(users(address))).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "17");
    assert_eq!(*graph.requests.lock().unwrap(), 1);
    assert_eq!(issuer.token_requests(), 2);
}
