//! An Entra ID look-alike on loopback, for the tests of an API that admits Entra tokens.
//!
//! To the API under test, an [`Issuer`] is Entra: it serves a discovery document and a key set over
//! HTTP on `127.0.0.1`, and mints the tokens of every kind of caller, each in one line. No part of
//! the validator is stubbed: keys are fetched, signatures are made and checked, keys rotate. It needs
//! neither network nor account.
//!
//! **It is not an identity provider and never for production.** Every caller of its methods can mint
//! any token. Enable the feature `testing` only in `[dev-dependencies]`.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_entra::Error> {
//! use tower_entra::{PrincipalKind, testing::Issuer};
//!
//! let issuer = Issuer::start().await;
//! let validator = issuer.validator();
//! validator.ready().await;
//!
//! // Every kind of caller is one line ...
//! let token = issuer.agent_on_behalf_of("alice").scope("Orders.Read").mint();
//! let caller = validator.validate(&token).await?;
//! assert_eq!(caller.kind(), PrincipalKind::AgentOnBehalfOfUser);
//!
//! // ... and so is every fault of a token.
//! let expired = issuer.user().expired().mint();
//! assert!(validator.validate(&expired).await.is_err());
//!
//! let forged = issuer.user().signed_by_stranger().mint();
//! assert!(validator.validate(&forged).await.is_err());
//!
//! // The validator fetches a new key within the request.
//! issuer.rotate();
//! validator.validate(&issuer.user().mint()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The test of a router
//!
//! The application under test takes a validator, and the test gives it that of the issuer. No port and no
//! server: a router of axum is a [`tower::Service`](https://docs.rs/tower/latest/tower/trait.Service.html).
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, header::AUTHORIZATION};
//! use tower::ServiceExt;
//! use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, Requirement, Validator, testing::Issuer};
//!
//! const PEOPLE: Requirement = Requirement::people();
//!
//! async fn approve(caller: AgentPrincipal) -> Result<&'static str, Denial> {
//!     caller.require(&PEOPLE)?;
//!     caller.require_scope("Orders.Approve")?;
//!     Ok("approved")
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     Router::new()
//!         .route("/orders/{id}/approval", post(approve))
//!         .route_layer(EntraAuthLayer::new(validator))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! // #[tokio::test]
//! async fn main() {
//!     let issuer = Issuer::start().await;
//!     let app = app(issuer.validator());
//!     for (caller, status) in [
//!         (issuer.user(), 403),
//!         (issuer.user().scope("Orders.Approve"), 200),
//!         (issuer.agent_on_behalf_of("alice").scope("Orders.Approve"), 403),
//!         (issuer.user().scope("Orders.Approve").expired(), 401),
//!     ] {
//!         let request = Request::post("/orders/7/approval")
//!             .header(AUTHORIZATION, format!("Bearer {}", caller.mint()))
//!             .body(Body::empty())
//!             .unwrap();
//!         let response = app.clone().oneshot(request).await.unwrap();
//!         assert_eq!(response.status(), status);
//!     }
//! }
//! ```
//!
//! A function that takes a caller needs no request at all:
//! [`TokenBuilder::principal`] is the caller of a token.
//!
//! ```
//! # use tower_entra::{AgentPrincipal, Denial, testing::Issuer};
//! fn may_approve(caller: &AgentPrincipal) -> Result<(), Denial> {
//!     caller.require_scope("Orders.Approve")
//! }
//!
//! let issuer = Issuer::start_blocking();
//! assert!(may_approve(&issuer.user().principal()).is_err());
//! assert!(may_approve(&issuer.user().scope("Orders.Approve").principal()).is_ok());
//! ```
//!
//! Starting an issuer makes an RSA key, which takes a tenth of a second in a debug build. It is faster
//! with this in the `Cargo.toml` of the workspace:
//!
//! ```toml
//! [profile.dev.package.aws-lc-sys]
//! opt-level = 3
//! ```
//!
//! For a service that runs on its own, the example `issuer` of this crate serves keys and mints tokens.
//!
//! # What it does as Entra does
//!
//! - The discovery document is at `/{tenant}/v2.0/.well-known/openid-configuration`, where
//!   `{tenant}` is any GUID, `organizations`, `common` or `consumers`. With `?appid=` in the request,
//!   its `jwks_uri` has the same query.
//! - Keys have no `alg`. They have an `issuer` with `{tenantid}` in the place of the tenant, and a
//!   `cloud_instance_name`.
//! - Version 2.0 tokens are issued by `{url}/{tid}/v2.0`, version 1.0 tokens by `{url}/{tid}/`.
//! - The facet claims have the values of real tokens. An API gets them only if its registration
//!   requests them, so test [`without_facets`](TokenBuilder::without_facets) as well.
//!
//! Keys have no certificate (`x5c`). There is no version 1.0 discovery document and no token
//! endpoint: the test mints its tokens.
//!
//! # Time
//!
//! The server has its own thread and uses the real clock. With tokio's clock paused, the time limits
//! of a fetch in the test's runtime expire as soon as that runtime is idle: resume the clock around a
//! fetch that has to succeed.

mod issuer;

mod settings;

mod scenario;

mod token;

mod mint;

mod principal;

mod rotation;

mod names;

mod keys;

mod algorithm;

mod documents;

mod edits;

mod fault;

mod faults;

mod response;

mod server;

mod state;

mod sts;

#[cfg(test)]
mod tests;

pub use self::{
    fault::{Fault, Target},
    issuer::{Issuer, IssuerBuilder},
    keys::KeyKind,
    sts::{
        Agent, AgentAccount, Api, Blueprint, Client, FederatedCredential, Leg, Policy, TokenRequest,
    },
    token::TokenBuilder,
};
