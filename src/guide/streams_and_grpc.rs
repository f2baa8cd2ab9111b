//! Streams and gRPC: server-sent events, expiry, WebSocket, and a gRPC service beside an open one.
//!
//! # Server-sent events
//!
//! A browser's `EventSource` cannot send `Authorization`. A client on `fetch` can, and needs nothing of
//! the server:
//!
//! ```js
//! const response = await fetch("/events", { headers: { Authorization: `Bearer ${token}` } });
//! const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
//! for (let part; !(part = await reader.read()).done; ) { /* part.value */ }
//! ```
//!
//! Where it must be `EventSource`, the page first gets a ticket with its token, and opens
//! `/events?ticket=...` with that. A middleware outside of the layer changes the ticket back into the
//! token, so that the layer checks it like any other. It needs `cargo add base64@0.22 aws-lc-rs@1`.
//!
//! ```
//! use std::{collections::HashMap, sync::{Arc, Mutex}, time::{Duration, Instant}};
//!
//! use axum::{Router, extract::{Request, State}, routing::{get, post}};
//! use axum::{http::{HeaderMap, HeaderValue, header::AUTHORIZATION}, middleware::map_request_with_state};
//! use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
//! use tower_entra::{EntraAuthLayer, Validator};
//!
//! /// Each is good for one request within half a minute.
//! #[derive(Clone, Default)]
//! struct Tickets(Arc<Mutex<HashMap<String, (HeaderValue, Instant)>>>);
//!
//! async fn issue(State(tickets): State<Tickets>, headers: HeaderMap) -> String {
//!     let mut random = [0; 16];
//!     aws_lc_rs::rand::fill(&mut random).unwrap();
//!     let ticket = URL_SAFE_NO_PAD.encode(random);
//!     let now = Instant::now();
//!     let entry = (headers[AUTHORIZATION].clone(), now + Duration::from_secs(30));
//!     let mut tickets = tickets.0.lock().unwrap();
//!     tickets.retain(|_, (_, end)| *end > now);
//!     tickets.insert(ticket.clone(), entry);
//!     ticket
//! }
//!
//! async fn redeem(State(tickets): State<Tickets>, mut request: Request) -> Request {
//!     let ticket = request.uri().query().and_then(|query| query.strip_prefix("ticket="));
//!     let entry = ticket.and_then(|ticket| tickets.0.lock().unwrap().remove(ticket));
//!     if let Some((authorization, end)) = entry && end > Instant::now() {
//!         // Not `insert`: a request with both has two credentials, and gets 400.
//!         request.headers_mut().append(AUTHORIZATION, authorization);
//!     }
//!     request
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     let (door, tickets) = (EntraAuthLayer::new(validator), Tickets::default());
//!     let events = get(|| async { "data: hello\n\n" })
//!         .layer(door.clone())
//!         .layer(map_request_with_state(tickets.clone(), redeem));
//!     Router::new()
//!         .route("/events", events)
//!         .route("/events/ticket", post(issue).layer(door))
//!         .with_state(tickets)
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! A ticket appears in access logs, like every URL, and is worth nothing there: it has been used. The
//! process holds the tokens of open tickets in memory, as many as callers ask for in half a minute.
//! `EventSource` connects again by itself, with a ticket that is used up: on its `error` event close it,
//! and open another with a new ticket. Several replicas need a shared store, or a client whose requests
//! all reach the same replica.
//!
//! # Streams outlive tokens
//!
//! The layer checks a request when it comes, and an event stream goes on for as long as the handler
//! sends: past the end of its token. [`ends_streams_at_expiry`](EntraAuthLayer::ends_streams_at_expiry),
//! the last setting of the layer, ends the body then.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_entra::{EntraAuthLayer, Validator};
//!
//! # async fn events() {}
//! fn app(validator: Validator) -> Router {
//!     Router::new()
//!         .route("/events", get(events))
//!         .layer(EntraAuthLayer::new(validator).ends_streams_at_expiry())
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! The body ends with an error at `exp` plus the clock skew, when the token is no longer admitted, and
//! the connection with it. A client that connects again with the same token gets 401, and fetches a new
//! one.
//!
//! It does not end the work of the handler, nor a connection that was upgraded, such as a WebSocket.
//!
//! # WebSocket
//!
//! A browser's `WebSocket` cannot send `Authorization` either. The ticket works for it as it is. Without
//! one, the token can be a subprotocol, which is the only header that a page can set:
//!
//! ```js
//! new WebSocket("wss://api.example/live", ["orders.v1", `bearer.${token}`]);
//! ```
//!
//! A middleware outside of the layer moves it into `Authorization`. The upgrade itself needs
//! `cargo add axum@0.8 --features ws`.
//!
//! ```
//! use axum::{Router, extract::Request, middleware::map_request, routing::any};
//! use axum::http::{HeaderValue, StatusCode, header::{AUTHORIZATION, ORIGIN, SEC_WEBSOCKET_PROTOCOL}};
//! use tower_entra::{EntraAuthLayer, Validator};
//!
//! async fn token_of_subprotocol(mut request: Request) -> Result<Request, StatusCode> {
//!     let headers = request.headers_mut();
//!     if headers.get(ORIGIN).is_none_or(|origin| origin != "https://app.example") {
//!         return Err(StatusCode::FORBIDDEN);
//!     }
//!     let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
//!     let text = values.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
//!     headers.remove(SEC_WEBSOCKET_PROTOCOL);
//!     for protocol in text.split(',').map(str::trim).filter(|protocol| !protocol.is_empty()) {
//!         let (name, value) = match protocol.strip_prefix("bearer.") {
//!             Some(token) => (AUTHORIZATION, format!("Bearer {token}")),
//!             None => (SEC_WEBSOCKET_PROTOCOL, protocol.to_owned()),
//!         };
//!         let value = HeaderValue::try_from(value).map_err(|_| StatusCode::BAD_REQUEST)?;
//!         headers.append(name, value);
//!     }
//!     Ok(request)
//! }
//!
//! # async fn live() {}
//! fn app(validator: Validator) -> Router {
//!     // `live` upgrades with `WebSocketUpgrade::protocols(["orders.v1"])`.
//!     let live = any(live)
//!         .layer(EntraAuthLayer::new(validator))
//!         .layer(map_request(token_of_subprotocol));
//!     Router::new().route("/live", live)
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! The answer has to name a subprotocol that the page has offered, or the browser closes the connection.
//! It must be the other one: the answer goes through logs as well.
//!
//! **The token reaches logs.** Proxies and tracing layers that hide `Authorization` write
//! `Sec-WebSocket-Protocol` as it is, and a copied token works until it expires. Prefer the ticket where
//! the way to the server is not the API's own.
//!
//! The layer checks the token when the connection begins. A handler that is to end with the token waits
//! no longer than until [`AgentPrincipal::expires_at`].
//!
//! Check `Origin`, as above: CORS does not apply to a WebSocket. The check keeps out pages in a browser
//! and nothing else, since other clients can send any `Origin`.
//!
//! # gRPC beside an open health service
//!
//! A gRPC server has a service for callers with a token, a health service for probes without one, and
//! perhaps reflection for tools. A layer of the whole server would cover them all; tonic's `named_layer`
//! covers one service. It needs `cargo add tonic@0.14 tonic-health@0.14`.
//!
//! ```
//! use tonic::service::{LayerExt, Routes};
//! use tower_entra::{EntraAuthLayer, Validator};
//! # mod stand_ins {
//! #     use std::{convert::Infallible, task::{Context, Poll}};
//! #     #[derive(Clone)]
//! #     pub struct OrdersServer;
//! #     #[derive(Clone)]
//! #     pub struct HealthServer;
//! #     impl tonic::server::NamedService for OrdersServer { const NAME: &'static str = "orders.Orders"; }
//! #     impl tonic::server::NamedService for HealthServer { const NAME: &'static str = "grpc.health.v1.Health"; }
//! #     macro_rules! service { ($name:ty) => {
//! #         impl tower::Service<http::Request<tonic::body::Body>> for $name {
//! #             type Response = http::Response<tonic::body::Body>;
//! #             type Error = Infallible;
//! #             type Future = std::future::Ready<Result<Self::Response, Infallible>>;
//! #             fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> { Poll::Ready(Ok(())) }
//! #             fn call(&mut self, _: http::Request<tonic::body::Body>) -> Self::Future { std::future::ready(Ok(Default::default())) }
//! #         }
//! #     } }
//! #     service!(OrdersServer);
//! #     service!(HealthServer);
//! # }
//! # use stand_ins::{HealthServer, OrdersServer};
//!
//! /// The health service is that of tonic-health.
//! fn routes(validator: Validator, health: HealthServer, orders: OrdersServer) -> Routes {
//!     let door = EntraAuthLayer::new(validator).answers_grpc();
//!     Routes::new(health).add_service(door.named_layer(orders))
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # routes(Validator::builder(tenant, ["api"]).build().unwrap(), HealthServer, OrdersServer);
//! ```
//!
//! `tonic::transport::Server::builder().add_routes(routes)` serves it. A handler gets the caller by
//! `request.extensions().get::<AgentPrincipal>()`. With [`answers_grpc`](EntraAuthLayer::answers_grpc)
//! a client gets the status and the message of gRPC, with the challenge in the metadata. Leave it out
//! where something outside of the server takes the HTTP status for the verdict: it is 200 then.
//!
//! To refuse within a method, answer with the code and the message of [`Denial::grpc_status`], which
//! notes the denial for the audit log: a `Status` carries none. Do not send the denial's `Display`, which
//! names what is configured. Where a whole service needs the same, put a [`RequireLayer`] inside of the
//! layer. Where each method needs its own, a
//! [`RequireRoutesLayer::by_path`](crate::RequireRoutesLayer::by_path) has them in one list, and a method
//! that is not on it is closed.
//!
//! A service that is added without `named_layer` is open, reflection too, which shows the API to
//! every caller.

#[allow(unused_imports, reason = "for the links above")]
use crate::{AgentPrincipal, Denial, EntraAuthLayer, RequireLayer};
