//! An Entra ID look-alike on loopback, for the tests of an API that admits Entra tokens and of an agent that
//! gets them.
//!
//! To the API under test, an [`Issuer`] is Entra: it serves a discovery document and a key set over
//! HTTP on `127.0.0.1`, and mints the tokens of every kind of caller, each in one line. To a client, it is
//! Entra's [token endpoint](#tokens-for-a-client). No part of the validator is stubbed: keys are fetched,
//! signatures are made and checked, keys rotate. It needs neither network nor account.
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
//! Keys have no certificate (`x5c`). There is no version 1.0 discovery document, and no sign-in page: the
//! test mints the tokens of people.
//!
//! # Tokens for a client
//!
//! `POST /{tenant}/oauth2/v2.0/token` issues the tokens of the flows below and refuses what Entra refuses,
//! with Entra's status, `error`, `suberror`, `error_codes` and `claims`. The text after the number is its own.
//!
//! | [`Leg`] | grant | by |
//! |---|---|---|
//! | `T1` | `client_credentials` for `api://AzureADTokenExchange/.default`, with `fmi_path` | the blueprint, for one of its agents |
//! | `T2` | the same without `fmi_path` | an agent, with a T1 |
//! | `Agent` | `client_credentials` for `{resource}/.default` | an agent, with a T1 |
//! | `OnBehalfOf` | `urn:ietf:params:oauth:grant-type:jwt-bearer` | an agent with a T1 for a person's token for the blueprint; an ordinary client for one for itself |
//! | `AgentUser` | `user_fic`, with `user_id` or `username` | an agent, with a T1 and a T2 |
//! | `Refresh` | `refresh_token` | the client that has the token, after a scope `offline_access` |
//! | `App` | `client_credentials` | an ordinary client |
//!
//! From the start these are registered, and each can be changed while the issuer runs:
//!
//! | handle | what it has |
//! |---|---|
//! | [`Issuer::blueprint`] | a [secret](Blueprint::secret); [certificates](Blueprint::new_certificate_pem) and [federated credentials](Blueprint::trust) can be added |
//! | [`Blueprint::agent`] | the role `Orders.Read.All`, and everyone's consent to the scope `Orders.Read` |
//! | [`Agent::user`] | the user account of that agent, to which the agent's consents apply |
//! | [`Issuer::client`] | a secret, and the same role and scope |
//! | [`Issuer::api`] | the API of [`Issuer::audience`], with these and one more of each |
//!
//! Every person exists. [`Blueprint::user_token`] is a person's token for the blueprint, with which an agent
//! acts on that person's behalf.
//!
//! What a test of an agent sends, an HTTP client sends here by hand:
//!
//! ```
//! # use std::io::{Read, Write};
//! use tower_entra::testing::{Issuer, Leg};
//!
//! # fn post(url: &str, form: &[(&str, &str)]) -> serde_json::Value {
//! #     let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
//! #     let form: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
//! #     let (form, kind) = (form.join("&"), "application/x-www-form-urlencoded");
//! #     let mut stream = std::net::TcpStream::connect(host).unwrap();
//! #     write!(stream, "POST /{path} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{form}", form.len()).unwrap();
//! #     let mut answer = String::new();
//! #     stream.read_to_string(&mut answer).unwrap();
//! #     serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
//! # }
//! const JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
//!
//! let issuer = Issuer::start_blocking();
//! let (blueprint, api) = (issuer.blueprint(), issuer.api());
//! let agent = blueprint.agent();
//!
//! let t1 = post(&issuer.token_endpoint(), &[
//!     ("client_id", blueprint.client_id()),
//!     ("client_secret", &blueprint.secret()),
//!     ("grant_type", "client_credentials"),
//!     ("scope", "api://AzureADTokenExchange/.default"),
//!     ("fmi_path", agent.client_id()),
//! ]);
//! let on_behalf_of = || post(&issuer.token_endpoint(), &[
//!     ("client_id", agent.client_id()),
//!     ("client_assertion_type", JWT),
//!     ("client_assertion", t1["access_token"].as_str().unwrap()),
//!     ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
//!     ("requested_token_use", "on_behalf_of"),
//!     ("assertion", &blueprint.user_token("alice").mint()),
//!     ("scope", &format!("{}/Orders.Read", api.resource())),
//! ]);
//! assert_eq!(on_behalf_of()["token_type"], "Bearer");
//!
//! // Everything that can go wrong is one line.
//! agent.withdraw_consent(&api);
//! assert_eq!(on_behalf_of()["suberror"], "consent_required");
//!
//! issuer.expire_tokens(Leg::T1);
//! assert_eq!(on_behalf_of()["error_codes"][0], 700024);
//!
//! assert_eq!(issuer.token_requests_of(Leg::T1), 1);
//! assert_eq!(issuer.token_requests_of(Leg::OnBehalfOf), 3);
//! ```
//!
//! | to have | call |
//! |---|---|
//! | consent missing, a role missing | [`Agent::withdraw_consent`], [`Agent::withdraw_roles`] |
//! | a policy that blocks, or a step-up with `claims` | [`Agent::set_policy`], [`Api::set_policy`] |
//! | a secret revoked, expired or rotated | [`Blueprint::remove_secret`], [`Blueprint::expire_secret`], [`Blueprint::add_secret`] |
//! | a certificate rotated | [`Blueprint::new_certificate_pem`], [`Blueprint::remove_certificate_pem`] |
//! | an exchange token refused | [`Issuer::expire_tokens`], [`Blueprint::disable`] |
//! | an account gone or disabled | [`AgentAccount::remove`], [`AgentAccount::disable`], [`Issuer::disable_user`] |
//! | Entra throttling, slow, out of order | [`Issuer::fail_at`] with [`Target::Token`] or [`Target::Leg`] |
//! | another answer | [`Issuer::set_token_member`], [`Fault::Answer`] |
//! | short or long lives, `refresh_in`, time that passes | [`Issuer::set_token_lifetime`], [`Issuer::set_refresh_in`], [`Issuer::advance_clock`] |
//! | the requests that were sent | [`Issuer::token_requests_of`], [`Issuer::token_requests_seen`] |
//! | more agents, blueprints, APIs, tenants | [`Blueprint::add_agent`], [`Agent::add_user`], [`Issuer::add_blueprint`], [`Issuer::add_api`], [`Issuer::add_tenant`] |
//!
//! Its rules differ from Entra's in this: the replay of an assertion is not noticed, a certificate needs no
//! chain, the exchange resource is that of the public cloud, and of Microsoft Graph there is only the name.
//! The example `entra` serves it by itself, for clients in other languages. Each request is a `tracing`
//! event at the level `debug` with the target `tower_entra::testing`.
//!
//! With [`IssuerBuilder::serves_page`], as in that example, `/` is a page for a browser on this machine: who is
//! registered and what each may do, a token of any caller with its claims and the caller that an API would see,
//! the token requests leg by leg with their outcomes, and switches for faults.
//!
//! # Time
//!
//! The server has its own thread and uses the real clock. With tokio's clock paused, the time limits
//! of a fetch in the test's runtime expire as soon as that runtime is idle: resume the clock around a
//! fetch that has to succeed.

mod issuer;

mod settings;

mod people;

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

mod page;

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
