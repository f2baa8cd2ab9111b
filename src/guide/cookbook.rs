//! Cookbook: a recipe for each task, here or in another guide.
//!
//! | task | recipe |
//! |---|---|
//! | a first program | [quick start](crate#quick-start), in the README under "Use it" |
//! | configuration from the environment, a document, mounted secrets | [`EntraConfig`](crate::EntraConfig) |
//! | the registration in Entra, a first token | [Entra set-up](super::entra_setup) |
//! | readiness and liveness probes | [below](#probes) |
//! | a test of routes | [below](#a-test-of-routes) |
//! | a check in a handler | [below](#a-check-in-a-handler) |
//! | an error page or JSON in refusals | [below](#json-in-refusals) |
//! | agents, people, scopes, roles | [who may do what](super::who_may_do_what) |
//! | routes without a token beside others | [in front of routes](super::in_front_of_routes#nested-routers-a-preflight-and-a-page) |
//! | request ids in every line, metrics, alerts, panels | [observability](super::observability) |
//! | an access log that names the caller | [in front of routes](super::in_front_of_routes#who-called-in-the-access-log) |
//! | tenants that come and go | [in front of routes](super::in_front_of_routes#tenants-that-come-and-go) |
//! | a workforce tenant and Entra External ID, several clouds | [below](#several-authorities) |
//! | server-sent events, WebSocket, gRPC | [streams and gRPC](super::streams_and_grpc) |
//! | proxies, private CAs, containers, Azure Static Web Apps, machines that sleep | [deployment](super::deployment) |
//! | MCP clients that find the authority by themselves | [`ProtectedResourceMetadata`](crate::ProtectedResourceMetadata) |
//! | a token of another API on behalf of the caller | the guide `calling_as_an_agent`, with the feature `acquire`; else [beside Microsoft's sidecar](super::beside_the_sidecar#both) |
//!
//! # Probes
//!
//! Readiness asks whether there are keys, liveness does not: a restart brings no keys.
//! [`Validator::status`](crate::Validator::status) has the first keys fetched although no request has come,
//! so that a pod that gets requests only when it is ready becomes ready.
//!
//! ```
//! use axum::{Router, extract::State, http::StatusCode, routing::get};
//! use tower_entra::{EntraAuthLayer, KeyStatus, Validator};
//!
//! async fn readiness(State(validator): State<Validator>) -> StatusCode {
//!     match validator.status() {
//!         KeyStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
//!         _ => StatusCode::OK,
//!     }
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     Router::new()
//!         .route("/orders", get(|| async { "orders" }))
//!         .route_layer(EntraAuthLayer::new(validator.clone()))
//!         // Routes that are added after `route_layer` are outside of it.
//!         .route("/healthz", get(|| async { "alive" }))
//!         .route("/readyz", get(readiness).with_state(validator))
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let issuer = tower_entra::testing::Issuer::start().await;
//! # let validator = issuer.validator();
//! # let app = app(validator.clone());
//! # use tower::ServiceExt;
//! # let request = |path| http::Request::get(path).body(axum::body::Body::empty()).unwrap();
//! # assert_eq!(app.clone().oneshot(request("/healthz")).await.unwrap().status(), 200);
//! # assert_eq!(app.clone().oneshot(request("/orders")).await.unwrap().status(), 401);
//! # validator.ready().await;
//! # assert_eq!(app.oneshot(request("/readyz")).await.unwrap().status(), 200);
//! # }
//! ```
//!
//! Stale keys count as ready: they serve for 24 h. If Entra is out of reach when all pods start, none is
//! ready until it is back; where that is worse than 503 for single requests, let readiness be always 200.
//!
//! # A test of routes
//!
//! Each caller is one line, and the requests go through the router as in production. In the directory of the
//! [first program](crate#quick-start) ("Use it" in the README), which has axum and tokio already:
//!
//! ```sh
//! cargo add --dev tower-entra --path ../tower-entra --features testing
//! cargo add --dev tower@0.5 --features util
//! ```
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use axum::http::{Request, StatusCode, header::AUTHORIZATION};
//! use tower::ServiceExt;
//! use tower_entra::{ConfigError, EntraAuthLayer, RequireLayer, Requirement, Validator};
//! use tower_entra::testing::Issuer;
//!
//! /// The router under test. It takes the validator, so that a test can pass another.
//! fn app(validator: Validator) -> Result<Router, ConfigError> {
//!     let may_read = Requirement::scope_or_role("Orders.Read", "Orders.Read.All")?;
//!     Ok(Router::new()
//!         .route("/orders", get(|| async { "orders" }).layer(RequireLayer::new(may_read)))
//!         .route_layer(EntraAuthLayer::new(validator)))
//! }
//!
//! async fn status(app: &Router, token: &str) -> StatusCode {
//!     let request = Request::get("/orders").header(AUTHORIZATION, format!("Bearer {token}"));
//!     let request = request.body(Body::empty()).unwrap();
//!     app.clone().oneshot(request).await.unwrap().status()
//! }
//!
//! #[tokio::test]
//! # async fn nothing() {}
//! # #[tokio::main(flavor = "current_thread")]
//! async fn only_readers_read_orders() {
//!     let issuer = Issuer::start().await;
//!     let app = app(issuer.validator()).unwrap();
//!
//!     let reader = issuer.agent_on_behalf_of("alice").scope("Orders.Read").mint();
//!     assert_eq!(status(&app, &reader).await, StatusCode::OK);
//!
//!     let job = issuer.autonomous_agent().roles(["Orders.Read.All"]).mint();
//!     assert_eq!(status(&app, &job).await, StatusCode::OK);
//!
//!     let writer = issuer.user().scope("Orders.Write").mint();
//!     assert_eq!(status(&app, &writer).await, StatusCode::FORBIDDEN);
//!
//!     let expired = issuer.user().scope("Orders.Read").expired().mint();
//!     assert_eq!(status(&app, &expired).await, StatusCode::UNAUTHORIZED);
//! }
//! # fn main() { only_readers_read_orders() }
//! ```
//!
//! The issuer's callers have the claims that say whether they are agents, so `people()` admits `user()`;
//! `without_facets()` takes them out of a token. `cargo test` runs it, as `tests/routes.rs` for example. A
//! file of `tests/` sees only a library: for the router of your program, have its `app` in `src/lib.rs`, or
//! put the test into the file that has `app`.
//!
//! # A check in a handler
//!
//! Where the answer depends on the data, the handler decides. A requirement that is a constant cannot be
//! wrong when the program runs.
//!
//! ```
//! use tower_entra::{AgentPrincipal, Denial, Requirement};
//!
//! const PEOPLE: Requirement = Requirement::people();
//!
//! async fn approve(caller: AgentPrincipal) -> Result<&'static str, Denial> {
//!     caller.require(&PEOPLE)?;
//!     // 403, and the challenge names the scope.
//!     caller.require_scope("Orders.Approve")?;
//!     Ok("approved")
//! }
//! ```
//!
//! The text of a denial is for the operator. Return the `Denial` itself, not its text: the layer makes the
//! answer of it and the audit log gets the reason.
//!
//! # JSON in refusals
//!
//! Refusals have no body. [`ProblemJson`](crate::ProblemJson) on the outer layer fills in
//! `application/problem+json`, for the denials of a [`RequireLayer`](crate::RequireLayer) and of handlers
//! too. A handler that puts a body of its own into the response to a denial sets its `Content-Type` as well:
//! without one the layer takes the body for empty and replaces it.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, ProblemJson};
//! use tower_entra::{RequireLayer, Requirement, Validator};
//!
//! async fn hello(caller: AgentPrincipal) -> Result<&'static str, Denial> {
//!     caller.require_role("Orders.Read.All")?;
//!     Ok("hello, agent")
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     let people_only = RequireLayer::new(Requirement::people());
//!     Router::new()
//!         .route("/approval", get(|| async { "approved" }).layer(people_only))
//!         .route("/hello", get(hello))
//!         .route_layer(EntraAuthLayer::new(validator).refusal_body(ProblemJson))
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! # Several authorities
//!
//! One validator for each, and one layer for all. The issuer in the token picks the validator, which makes
//! every check; what it refuses no other is asked about.
//!
//! ```
//! use tower_entra::{Audiences, Authority, ConfigError, EntraAuthLayer, KeySettings, Tenants, Validator};
//!
//! fn layer() -> Result<EntraAuthLayer, ConfigError> {
//!     let workforce = Validator::builder(
//!         Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"),
//!         Audiences::client_id("3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"),
//!     );
//!     let external_id = Validator::builder(
//!         Tenants::single("1ba4ccb1-4ed5-4c2e-a2a5-5c2a1b0c8a54"),
//!         Audiences::client_id("5d1f6a86-5a9a-4c9c-8c5f-9f6ad3e1b7c2"),
//!     )
//!     // `{tid}` is replaced by the tenant's GUID.
//!     .authority(Authority::custom("https://{tid}.ciamlogin.com"))
//!     // The label of its metrics.
//!     .key_settings(KeySettings::default().with_name("external"));
//!     Ok(EntraAuthLayer::new(workforce.build()?).or(external_id.build()?))
//! }
//! # layer().unwrap();
//! ```
