//! The server as MCP clients see it: rmcp's own client, and bare HTTP for what no client would do.

use std::{error::Error, net::Ipv4Addr, time::Duration};

use axum::{Router, http::request::Parts};
use mcp::{DeliveriesApi, Site, app};
use reqwest::{RequestBuilder, Response};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError,
    handler::server::tool::Extension,
    model::{CallToolRequestParams, ProtocolVersion},
    service::{ClientInitializeError, RunningService},
    tool, tool_router,
    transport::{
        AuthorizationManager, StreamableHttpClientTransport,
        auth::AuthorizationMetadataSource,
        streamable_http_client::{InsufficientScopeError, StreamableHttpClientTransportConfig},
        streamable_http_server::{
            StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
        },
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_entra::{
    AgentPrincipal, EntraAuthLayer, Validator,
    testing::{Issuer, TokenBuilder},
};

#[path = "mcp/deliveries.rs"]
mod deliveries;

#[tokio::test]
async fn a_client_without_a_token_learns_what_to_ask_entra_for() {
    let server = Server::start().await;
    let refused = server.connect(None, initialize()).await.unwrap_err();
    let challenge = refused.auth_challenge().unwrap();
    assert!(!challenge.contains("error="), "{challenge}");

    // What a client does next, up to the point where a person signs in.
    let mut client = AuthorizationManager::new(server.url()).await.unwrap();
    client.with_client(http()).unwrap();
    let found = client
        .resolve_metadata_from_challenge(Some(challenge))
        .await;
    let found = found.unwrap();
    assert_eq!(
        found.source,
        AuthorizationMetadataSource::ProtectedResourceMetadata
    );
    assert_eq!(found.metadata.issuer, Some(server.issuer.v2_issuer()));
    client.set_metadata(found.metadata);
    client.configure_client_id("known-to-entra").unwrap();
    let scopes = client.select_initial_scopes(&[]).await;
    assert_eq!(scopes[0], format!("{}/Orders.Read", server.url()));
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let sign_in = client.get_authorization_url(&scopes).await.unwrap();
    let sign_in = reqwest::Url::parse(&sign_in).unwrap();
    let parameter = |name| {
        sign_in
            .query_pairs()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
    };
    assert_eq!(parameter("resource"), server.url());
    assert_eq!(parameter("scope"), scopes.join(" "));
}

#[tokio::test]
async fn the_metadata_is_where_the_challenge_says_and_describes_the_server() {
    let server = Server::start().await;
    let refused = server.post("whoami", json!({})).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = challenge(&refused);
    let url = format!("{}/.well-known/oauth-protected-resource/mcp", server.origin);
    assert!(
        challenge.contains(&format!("resource_metadata=\"{url}\"")),
        "{challenge}"
    );

    let document: Value = http().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["resource"], server.url());
    assert_eq!(
        document["authorization_servers"],
        json!([server.issuer.v2_issuer()])
    );
    let scopes = ["Read", "Write"].map(|scope| format!("{}/Orders.{scope}", server.url()));
    assert_eq!(document["scopes_supported"], json!(scopes));
}

#[tokio::test]
async fn each_kind_of_caller_is_told_apart_and_answered_accordingly() {
    let server = Server::start().await;
    let issuer = &server.issuer;
    let alice = &*issuer.object_id_of("alice");
    let account = &*issuer.agent_user_id();
    #[rustfmt::skip] // A table.
    let callers = [
        (issuer.autonomous_agent(), "autonomous_agent", "attested", "everybody"),
        (issuer.agent_on_behalf_of("alice"), "agent_on_behalf_of_user", "attested", alice),
        (issuer.agent_user(), "agent_user", "attested", account),
        (issuer.user(), "user", "not_agent", alice),
        (issuer.user().without_facets(), "user", "unattested", alice),
        (issuer.application(), "application", "not_agent", "everybody"),
    ];
    for (token, kind, status, whose) in callers {
        let token = token.mint();
        // The handshake of today's clients, and that of MCP 2026-07-28.
        for lifecycle in [initialize(), discover()] {
            let client = server.connect(Some(&token), lifecycle).await.unwrap();
            let who = call(&client, "whoami", json!({})).await.unwrap();
            assert_eq!(who["kind"], kind);
            assert_eq!(who["agent_status"], status, "{kind}");
            let listing = call(&client, "list_orders", json!({})).await.unwrap();
            assert_eq!(listing["whose"], whose, "{kind}");
            client.cancel().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_agent_for_a_person_sees_that_persons_orders_and_one_on_its_own_sees_all() {
    let server = Server::start().await;
    let issuer = &server.issuer;
    let tea = json!({"item": "tea"});
    let writer = issuer.agent_on_behalf_of("alice").scope("Orders.Write");
    let order = server.answer(writer, "place_order", tea).await;
    assert_eq!(order["placed_by"]["kind"], "agent_on_behalf_of_user");
    assert_eq!(
        order["placed_by"]["object_id"],
        issuer.object_id_of("alice")
    );
    assert_eq!(order["placed_by"]["client_id"], issuer.agent_id());

    let elsewhere = issuer.autonomous_agent().tenant(OTHER_TENANT);
    for (caller, orders) in [
        (issuer.user(), 1),
        (issuer.agent_on_behalf_of("alice"), 1),
        (issuer.agent_on_behalf_of("bob"), 0),
        (issuer.agent_user(), 0),
        (issuer.autonomous_agent(), 1),
        (elsewhere, 0),
    ] {
        let listing = server
            .answer(caller.clone(), "list_orders", json!({}))
            .await;
        let listed = listing["orders"].as_array().unwrap().len();
        assert_eq!(
            listed, orders,
            "{caller:?} saw those of {}",
            listing["whose"]
        );
    }
}

#[tokio::test]
async fn a_denial_by_a_tool_is_403_and_names_the_scope_to_ask_for() {
    let server = Server::start().await;
    let reader = server.issuer.agent_on_behalf_of("alice").mint();
    for lifecycle in [initialize(), discover()] {
        let client = server.connect(Some(&reader), lifecycle).await.unwrap();
        let denied = call(&client, "place_order", json!({"item": "tea"})).await;
        let denied = denied.unwrap_err();
        let source = cause::<InsufficientScopeError>(&denied).unwrap();
        let scope = format!("{}/Orders.Write", server.url());
        assert_eq!(source.get_required_scope(), Some(&*scope));
        let challenge = denied.auth_challenge().unwrap();
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{challenge}"
        );
        assert!(challenge.contains("resource_metadata="), "{challenge}");
        // The client still works.
        let listing = call(&client, "list_orders", json!({})).await.unwrap();
        assert_eq!(listing["orders"], json!([]));
        client.cancel().await.unwrap();
    }

    // Where no scope would help, the challenge names none: an agent on its own, and one without the role.
    let issuer = &server.issuer;
    for (caller, tool) in [
        (issuer.autonomous_agent(), "place_order"),
        (
            issuer.autonomous_agent().scope("").roles(["Other"]),
            "list_orders",
        ),
    ] {
        let call = server.post(tool, json!({"item": "tea"}));
        let denied = call.bearer_auth(caller.mint()).send().await.unwrap();
        assert_eq!(denied.status(), 403);
        assert!(challenge(&denied).ends_with("error=\"insufficient_scope\""));
        let body: Value = denied.json().await.unwrap();
        assert_eq!(
            body["error"]["message"],
            "the caller is not allowed to do this"
        );
    }
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let server = Server::start().await;
    let expired = server.issuer.user().expired().mint();
    let refused = server.connect(Some(&expired), initialize()).await;
    let refused = refused.unwrap_err();
    let challenge = refused.auth_challenge().unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(challenge.contains("resource_metadata="), "{challenge}");
}

#[tokio::test]
async fn there_is_no_session_to_take_over() {
    let server = Server::start().await;
    let alice = server.issuer.user().mint();
    let hello = server.send(INITIALIZE.parse().unwrap()).bearer_auth(&alice);
    let hello = hello.send().await.unwrap();
    assert_eq!(hello.status(), 200);
    assert_eq!(hello.headers().get(SESSION), None);

    // A session id that a client invents makes no difference either.
    let bob = server.issuer.agent_on_behalf_of("bob").mint();
    let call = server.post("whoami", json!({})).header(SESSION, "alices");
    let answer = answer(call.bearer_auth(bob).send().await.unwrap()).await;
    assert_eq!(answer["object_id"], server.issuer.object_id_of("bob"));
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let other = http().request(method, server.url());
        let other = other.header(SESSION, "alices").header("last-event-id", "0");
        let other = other.header("accept", "text/event-stream");
        assert_eq!(
            other.bearer_auth(&alice).send().await.unwrap().status(),
            405
        );
    }
}

/// Not this server's setting, but rmcp's default. Tools still get the caller of each request;
/// `configuration` says what a session leaks.
#[tokio::test]
async fn within_a_session_each_request_is_judged_by_its_own_token() {
    struct Whoami;

    #[tool_router(server_handler)]
    impl Whoami {
        #[tool]
        fn whoami(&self, Extension(parts): Extension<Parts>) -> String {
            let caller: &AgentPrincipal = parts.extensions.get().unwrap();
            caller.object_id().unwrap().to_string()
        }
    }

    let issuer = Issuer::start().await;
    let service = StreamableHttpService::new(
        || Ok(Whoami),
        LocalSessionManager::default().into(),
        StreamableHttpServerConfig::default(),
    );
    let layer = EntraAuthLayer::new(issuer.validator());
    let (listener, origin) = listen().await;
    let app = Router::new().route_service("/mcp", service).layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let server = Server { issuer, origin };

    let issuer = &server.issuer;
    let alice = issuer.user().mint();
    let hello = server.send(INITIALIZE.parse().unwrap()).bearer_auth(&alice);
    let hello = hello.send().await.unwrap();
    let session = hello.headers().get(SESSION).unwrap().clone();
    let in_session = |body| server.send(body).header(SESSION, &session);
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let ready = in_session(ready).bearer_auth(&alice).send().await.unwrap();
    assert_eq!(ready.status(), 202);

    let whoami = || in_session(tool_call("whoami", json!({})));
    for person in ["alice", "bob", "alice"] {
        let token = issuer.agent_on_behalf_of(person).mint();
        let told = whoami().bearer_auth(token).send().await.unwrap();
        let told = told.text().await.unwrap();
        assert!(
            told.contains(&issuer.object_id_of(person)),
            "{person}: {told}"
        );
    }
    let expired = issuer.user().expired().mint();
    let refused = whoami().bearer_auth(expired).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(whoami().send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn the_server_answers_to_its_own_names_alone_and_to_no_web_page() {
    let server = Server::start_at("https://orders.example.com").await;
    for (name, value, status) in [
        ("host", "orders.example.com", 200),
        ("host", "localhost:8080", 200),
        ("host", "evil.example.com", 403),
        ("origin", "https://evil.example.com", 403),
    ] {
        let call = || server.post("whoami", json!({})).header(name, value);
        let refused = call().send().await.unwrap();
        assert_eq!(refused.status(), 401, "{name}: {value}, without a token");
        let call = call().bearer_auth(server.issuer.user().mint());
        assert_eq!(
            call.send().await.unwrap().status(),
            status,
            "{name}: {value}"
        );
    }
}

struct Server {
    issuer: Issuer,
    /// Where it listens.
    origin: String,
}

impl Server {
    async fn start() -> Self {
        let (listener, origin) = listen().await;
        Self::serve_tenants(listener, origin.clone(), origin).await
    }

    /// A server that clients know by another origin than the one where it listens.
    async fn start_at(public_origin: &str) -> Self {
        let (listener, origin) = listen().await;
        Self::serve_tenants(listener, origin, public_origin.to_owned()).await
    }

    /// A server that asks a deliveries API.
    async fn start_before(deliveries: DeliveriesApi, issuer: Issuer, validator: Validator) -> Self {
        let (listener, origin) = listen().await;
        let site = Site {
            origin: origin.clone(),
            authorization_server: issuer.v2_issuer(),
        };
        let app = app(validator, site, Some(deliveries)).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, origin }
    }

    async fn serve_tenants(listener: TcpListener, origin: String, public_origin: String) -> Self {
        // Several tenants, to see that they are kept apart.
        let issuer = Issuer::builder().multi_tenant().start().await;
        let site = Site {
            origin: public_origin,
            authorization_server: issuer.v2_issuer(),
        };
        let app = app(issuer.validator(), site, None).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, origin }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    async fn connect(
        &self,
        token: Option<&str>,
        lifecycle: ClientLifecycleMode,
    ) -> Result<RunningService<RoleClient, ()>, ClientInitializeError> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.url());
        config.auth_header = token.map(str::to_owned);
        let transport = StreamableHttpClientTransport::with_client(http(), config);
        ().serve_with_lifecycle(transport, lifecycle).await
    }

    /// What a tool answers, without a client in between.
    async fn answer(&self, caller: TokenBuilder, tool: &str, arguments: Value) -> Value {
        let call = self.post(tool, arguments).bearer_auth(caller.mint());
        answer(call.send().await.unwrap()).await
    }

    fn post(&self, tool: &str, arguments: Value) -> RequestBuilder {
        self.send(tool_call(tool, arguments))
    }

    fn send(&self, body: Value) -> RequestBuilder {
        let post = http().post(self.url()).json(&body);
        post.header("accept", "application/json, text/event-stream")
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

/// Straight to this machine, whatever proxy the environment names.
fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.timeout(Duration::from_secs(30)).build().unwrap()
}

fn initialize() -> ClientLifecycleMode {
    ClientLifecycleMode::Initialize
}

fn discover() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

async fn call(
    client: &RunningService<RoleClient, ()>,
    tool: &'static str,
    arguments: Value,
) -> Result<Value, ServiceError> {
    let arguments = arguments.as_object().unwrap().clone();
    let request = CallToolRequestParams::new(tool).with_arguments(arguments);
    let answer = client.call_tool(request).await?;
    Ok(answer.structured_content.unwrap())
}

fn tool_call(tool: &str, arguments: Value) -> Value {
    let parameters = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters})
}

async fn answer(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    let mut message: Value = response.json().await.unwrap();
    message["result"]["structuredContent"].take()
}

fn challenge(response: &Response) -> &str {
    response.headers()["www-authenticate"].to_str().unwrap()
}

/// The error of this type in the chain of causes.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    error.downcast_ref().or_else(|| cause(error.source()?))
}

const SESSION: &str = "mcp-session-id";
const INITIALIZE: &str = r#"{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"}
}}"#;
const OTHER_TENANT: &str = "c0ffee00-5a1d-4b2e-9f37-6d1e8a94b7c3";
