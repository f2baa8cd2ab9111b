//! In front of routes: nested routers, CORS and pages, the access log, tenants that come and go, uploads.
//!
//! # Nested routers, a preflight and a page
//!
//! An axum application has an API for a page of another origin, and a page of its own for all other
//! paths. It needs `cargo add tower-http@0.6 --features cors`.
//!
//! ```
//! use axum::{Router, response::Html, routing::get};
//! use axum::http::{HeaderValue, Method, StatusCode, header::{AUTHORIZATION, WWW_AUTHENTICATE}};
//! use tower_entra::{EntraAuthLayer, RequireLayer, Requirement, Validator};
//! use tower_http::cors::CorsLayer;
//!
//! # async fn list() -> &'static str { "orders" }
//! # async fn sales() -> &'static str { "sales" }
//! fn app(validator: Validator) -> Router {
//!     let reports = Router::new()
//!         .route("/sales", get(sales))
//!         .route_layer(RequireLayer::new(Requirement::people()));
//!     let api = Router::new()
//!         .route("/orders", get(list))
//!         .nest("/reports", reports)
//!         // Without it an unknown path of the API gets the page, and without a token.
//!         .fallback(|| async { StatusCode::NOT_FOUND })
//!         .layer(EntraAuthLayer::new(validator));
//!     let cors = CorsLayer::new()
//!         .allow_origin(HeaderValue::from_static("https://app.example"))
//!         .allow_methods([Method::GET])
//!         .allow_headers([AUTHORIZATION])
//!         .expose_headers([WWW_AUTHENTICATE]);
//!     Router::new()
//!         .nest("/api", api)
//!         .fallback(|| async { Html("the page") })
//!         .layer(cors)
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! | request | answer |
//! |---|---|
//! | a preflight of any path | that of the CORS layer, without a token |
//! | `/`, `/anything`, and `/api/`, which `nest` does not match | the page, without a token |
//! | `/api/orders`, `/api/reports/sales`, `/api/anything`, without a token | 401, with CORS headers |
//! | `/api/reports/sales` with an app's token | 403 |
//! | `/api/anything` with a token | 404 |
//!
//! In axum a layer covers what the router holds when the layer is added. To put the page behind the
//! layer too, move `.layer(EntraAuthLayer::new(validator))` from `api` to the last router, between
//! `.fallback` and `.layer(cors)`. `route_layer` covers routes and no fallback: with it an unknown path
//! is 404 without a token.
//!
//! It does not protect a route that is added to the last router, or to `api` after the layer.
//!
//! # A route without a requirement is closed
//!
//! A route that is added and forgotten is open to every caller with a token. A
//! [`RequireRoutesLayer`](crate::RequireRoutesLayer) has the requirements of all routes of a router in
//! one list, and refuses a request of any other, before its handler runs: the example is there.
//! ASP.NET Core calls such a rule a fallback policy.
//!
//! # Who called, in the access log
//!
//! An access log outside of the layer has to name the caller, and no person.
//! [`with_principal_in_response`](EntraAuthLayer::with_principal_in_response) hands the caller outwards.
//! The events need `cargo add tracing@0.1`.
//!
//! ```
//! use std::time::Instant;
//!
//! use axum::{Router, extract::{MatchedPath, Request}, middleware::{Next, from_fn}};
//! use axum::{response::Response, routing::get};
//! use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, Error, Validator};
//! use tracing::{Instrument, field, info, info_span};
//!
//! async fn access_log(request: Request, next: Next) -> Response {
//!     let start = Instant::now();
//!     // The pattern of the route: a path can hold names.
//!     let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
//!     // Events of the layer and of the handler are in this span, and so have its fields.
//!     let span = info_span!("http", method = %request.method(), route);
//!     let response = next.run(request).instrument(span.clone()).await;
//!     let caller = response.extensions().get::<AgentPrincipal>();
//!     let error = response.extensions().get::<Error>();
//!     let denial = response.extensions().get::<Denial>();
//!     span.in_scope(|| {
//!         info!(
//!             target: "access",
//!             status = response.status().as_u16(),
//!             milliseconds = start.elapsed().as_secs_f64() * 1e3,
//!             kind = caller.map(|caller| caller.kind().as_str()),
//!             tenant_id = caller.map(|caller| field::display(caller.tenant_id())),
//!             client_id = caller.and_then(AgentPrincipal::client_id).map(field::display),
//!             token_id = caller.and_then(AgentPrincipal::token_id),
//!             code = error.map(|error| error.kind().as_str()),
//!             denial = denial.map(|denial| denial.reason().as_str()),
//!         );
//!     });
//!     response
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     Router::new()
//!         .route("/orders/{id}", get(|| async { "an order" }))
//!         .layer(EntraAuthLayer::new(validator).with_principal_in_response())
//!         .layer(from_fn(access_log))
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! A refused request has a `code` and no caller; one that a handler or a [`RequireLayer`] denied has
//! both, and `denial` says why. `token_id` (`uti`) joins the line to the
//! [audit log](EntraAuthLayer#the-audit-log), which has the object id.
//!
//! The object id of a person is personal data under many laws; it is not in this line. The line proves
//! nothing about who read the response: a token that was stolen appears as that of its owner.
//!
//! # Tenants that come and go
//!
//! Customers sign up and leave while the API runs, so their tenants cannot be a setting of the
//! validator. [`Tenants::any_organization`] admits them all, and a middleware inside of the layer looks
//! the tenant up.
//!
//! ```
//! use std::{collections::HashSet, sync::{Arc, RwLock}};
//!
//! use axum::{Router, extract::{Request, State}, middleware::{Next, from_fn_with_state}};
//! use axum::{response::Response, routing::get};
//! use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, TenantId, Validator};
//!
//! /// Changes while requests are served.
//! #[derive(Clone, Default)]
//! struct Customers(Arc<RwLock<HashSet<TenantId>>>);
//!
//! async fn customers_only(
//!     State(customers): State<Customers>,
//!     caller: AgentPrincipal,
//!     request: Request,
//!     next: Next,
//! ) -> Result<Response, Denial> {
//!     let is_customer = customers.0.read().unwrap().contains(&caller.tenant_id());
//!     match is_customer {
//!         true => Ok(next.run(request).await),
//!         false => Err(Denial::new()),
//!     }
//! }
//!
//! fn app(validator: Validator, customers: Customers) -> Router {
//!     Router::new()
//!         .route("/orders", get(|| async { "orders" }))
//!         .layer(from_fn_with_state(customers, customers_only))
//!         .layer(EntraAuthLayer::new(validator))
//! }
//! # let tenants = tower_entra::Tenants::any_organization();
//! # app(Validator::builder(tenants, ["api"]).build().unwrap(), Customers::default());
//! ```
//!
//! A tenant that is not on the list gets 403. A change counts from the next request; a response that has
//! begun goes on.
//!
//! Put both layers around the whole router: any organization in the world can get a token that the
//! validator admits, and a route outside of `customers_only` is open to all of them. The list decides on
//! tenants only. Which caller of a tenant may do what is for a [`RequireLayer`] further inside.
//!
//! # Uploads
//!
//! A client sends 100 MB with a token that has expired, and sometimes reports a broken pipe instead of
//! the 401.
//!
//! The layer answers when it has the head of the request, and reads nothing of the body. Over HTTP/1.1
//! the server then closes the connection, because the rest of the body would come first. A client that
//! is still writing can lose the answer with the connection.
//!
//! `Expect: 100-continue` cures this. The client sends the head, waits, and sends the body only after
//! `100 Continue`; hyper, and with it axum, sends that when the handler begins to read. A refusal comes
//! in its place:
//!
//! ```text
//! > PUT /upload HTTP/1.1
//! > Authorization: Bearer eyJ...
//! > Content-Length: 100000000
//! > Expect: 100-continue
//! >
//! < HTTP/1.1 401 Unauthorized
//! < WWW-Authenticate: Bearer realm="...", error="invalid_token", error_description="the token has expired"
//! ```
//!
//! curl does so by itself for bodies of more than 1 MB, .NET with `ExpectContinue`, Go if the request
//! has the header. With a client that cannot, send a small request to the same API first.
//!
//! It is a promise of the client only: a stranger can send any body at once. What an admitted caller
//! sends has no limit but the handler's, such as axum's `DefaultBodyLimit`.

#[allow(unused_imports, reason = "for the links above")]
use crate::{EntraAuthLayer, RequireLayer, Tenants};
