//! A [tower](https://docs.rs/tower) [`Layer`](tower::Layer) that authenticates HTTP requests with
//! Microsoft Entra ID access tokens, and gives handlers the caller: an AI agent acting as
//! itself, an agent acting for a person, an agent's own user account, a person, or an application.
//!
//! # Quick start
//!
//! ```sh
//! cargo add tower-entra --path ../tower-entra --features axum   # from a checkout: it is not on crates.io yet
//! cargo add axum@0.8 tracing-subscriber@0.3
//! cargo add tokio@1 --features full
//! ```
//!
//! It builds with Rust 1.88 or later and a C compiler.
//!
#![cfg_attr(any(not(doctest), feature = "axum"), doc = "```no_run")]
#![cfg_attr(all(doctest, not(feature = "axum")), doc = "```ignore")]
//! use std::time::Duration;
//!
//! use axum::{Router, routing::get};
//! use tower_entra::{AgentPrincipal, EntraAuthLayer, EntraConfig};
//!
//! async fn hello(caller: AgentPrincipal) -> String {
//!     format!("hello, {} of tenant {}\n", caller.kind(), caller.tenant_id())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Without a subscriber no reason for a refusal is shown anywhere.
//!     tracing_subscriber::fmt().init();
//!
//!     // AZURE_TENANT_ID and AZURE_CLIENT_ID, or AzureAd__TenantId and AzureAd__ClientId.
//!     let validator = EntraConfig::from_env()?.validator()?;
//!     // Fetches the keys before the program listens, which takes at most 5 s. If Entra is out of reach by
//!     // then, the API starts nevertheless.
//!     if let Err(not_ready) = validator.ready_within(Duration::from_secs(5)).await {
//!         eprintln!("{not_ready}");
//!     }
//!
//!     let app = Router::new()
//!         .route("/", get(hello))
//!         .route_layer(EntraAuthLayer::new(validator));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! In a checkout, `cargo run --example quickstart` shows every kind of request and its answer, without an
//! account.
//!
//! # Axum, hyper, tonic
//!
//! - **axum**: the feature `axum` makes [`AgentPrincipal`] an extractor; without it, the compiler says only
//!   that `Handler` is not implemented. `route_layer` leaves unknown paths at 404, where `layer` answers them
//!   with 401.
//! - **hyper**, and every tower service over `http` types: the principal is in the request's extensions,
//!   `request.extensions().get::<AgentPrincipal>()`. The example `hyper` is a whole server.
//! - **tonic**: [`guide::streams_and_grpc`] puts the layer around one service and leaves the health service
//!   open.
//!
//! # Configuration
//!
//! [`EntraConfig`] reads the settings of Microsoft.Identity.Web from the environment or a document, and
//! reports all problems at once. In code, [`Validator::builder`] takes [`Tenants`] and [`Audiences`], and
//! has everything else: [`Authority`], known agents, a cache of verified tokens, [`KeySettings`].
//!
//! # Entra set-up
//!
//! [`guide::entra_setup`] has the `az` commands from nothing to the first 200. One of them matters to every
//! API: Entra sends the claims that show agents only to an API whose registration requests them
//! (`optionalClaims`). Until then [`Requirement::people`] refuses every caller.
//!
//! # Testing
//!
//! With the feature `testing`, `testing::Issuer` is an Entra look-alike inside a test: every kind of caller
//! and every fault is one line. [`guide::cookbook`] has
//! [a test of routes](guide::cookbook#a-test-of-routes).
//!
//! # Observability
//!
//! The [audit log](EntraAuthLayer#the-audit-log) has one `tracing` event for each verdict, and the target
//! `tower_entra::keys` the state of the keys. The feature `metrics` counts both. An access log that names the
//! caller is in [`guide::in_front_of_routes`]; the span with the request's id, alert rules and panels for
//! Prometheus are in [`guide::observability`].
//!
//! # Deployment
//!
//! [`guide::deployment`] has certificates, proxies, platforms that take `Authorization` and machines that
//! sleep; [`guide::cookbook`] has [probes](guide::cookbook#probes).
//!
//! # Guides
//!
//! | | |
//! |---|---|
//! | [Entra set-up](guide::entra_setup) | `az` commands from nothing to the first 200 |
//! | [Cookbook](guide::cookbook) | a recipe for each task, here or in another guide |
//! | [Who may do what](guide::who_may_do_what) | agents, people, scopes, roles; mistakes |
//! | [In front of routes](guide::in_front_of_routes) | nested routers, CORS, the access log, tenants that come and go, uploads |
//! | [Streams and gRPC](guide::streams_and_grpc) | server-sent events, WebSocket, gRPC |
//! | [Deployment](guide::deployment) | containers, proxies, platforms, machines that sleep |
//! | [Observability](guide::observability) | log lines with a request id, metrics, alerts, panels |
//! | `guide::calling_as_an_agent` (feature `acquire`) | tokens for calls of your own: which of three ways, set-up, what not to do |
//! | [Coming from Microsoft.Identity.Web](guide::from_microsoft_identity_web) | its names, and those of this crate |
//! | [Beside Microsoft's sidecar](guide::beside_the_sidecar) | who does what when both are there |
//! | [Moving from Microsoft's sidecar](guide::from_microsofts_sidecar) | what is the same, every difference, and how to switch it back |
//!
//! # Examples
//!
//! In a checkout, or in the unpacked package with `--features acquire,axum,testing`:
//!
//! | `cargo run --example …` | shows |
//! |---|---|
//! | `quickstart` | every kind of caller, admitted and refused; no account |
//! | `agent` | an agent that calls a second API in three ways, and what can go wrong; no account |
//! | `issuer` | tokens for a service of yours that runs; no account |
//! | `entra` | a token service in the place of Entra, for clients in any language; no account |
//! | `policy` | who may do what; no account |
//! | `hyper` | the layer without axum; no account |
//! | `whoami` | a complete API for a real tenant |
//! | `explain` | what is in a token, and what refuses it |
//!
//! # The parts
//!
//! | to | use |
//! |---|---|
//! | say whose tokens are accepted, and for which API | [`Validator::builder`], [`Tenants`], [`Audiences`], [`Authority`] |
//! | read both from a document or the environment | [`EntraConfig`] |
//! | put that in front of a service | [`EntraAuthLayer`] |
//! | end streams when their token expires | [`EntraAuthLayer::ends_streams_at_expiry`] |
//! | trust several authorities | [`EntraAuthLayer::or`] |
//! | learn who is calling | [`AgentPrincipal`]: from the request's extensions, or as an axum extractor (feature `axum`) |
//! | say who may do what | [`Requirement`], on a route [`RequireLayer`]; the guide [who may do what](guide::who_may_do_what) |
//! | stand in front of nested routers, a page, uploads; log who called; serve tenants that come and go | the guide [in front of routes](guide::in_front_of_routes) |
//! | serve event streams, WebSockets and gRPC | the guide [streams and gRPC](guide::streams_and_grpc) |
//! | run in a container, behind a proxy, on a platform that takes `Authorization`, on a machine that sleeps | the guide [deployment](guide::deployment) |
//! | give log lines a request id, and have metrics, alerts and panels | the guide [observability](guide::observability) |
//! | refuse a caller that was admitted | [`Denial`] |
//! | show clients where to get a token | [`ProtectedResourceMetadata`] |
//! | check a token without HTTP | [`Validator::validate`] |
//! | know whether keys are loaded, and why not | [`Validator::ready_within`], [`Validator::status`], [`Validator::last_key_error`] |
//! | test your own API | `testing::Issuer` (feature `testing`) |
//! | call another API as an app or as an agent | the module `acquire` (feature `acquire`) |
//!
//! # What is checked
//!
//! Thirteen checks in a fixed order, which [`Validator`] lists, with the two exceptions that a
//! configuration can make to them. [`EntraAuthLayer`] answers a refused request with 400, 401 or 403 and
//! the challenge of [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3), and with 503 when keys
//! are missing: an outage of the API's own is never a 401.
//!
//! # Who is calling
//!
//! [`AgentPrincipal::kind`] says who acts, and for whom; [`AgentPrincipal::agent_status`] says how
//! sure that is. Entra puts the claims that identify agents into an API's tokens only if the API's
//! registration requests them, so a token without them proves nothing:
//!
//! | status | meaning | evidence |
//! |---|---|---|
//! | [`Attested`](AgentStatus::Attested) | an agent is involved | `xms_act_fct` or `xms_sub_fct` says so |
//! | [`Declared`](AgentStatus::Declared) | an agent is involved | the configuration lists it: [`ValidatorBuilder::known_agents`] |
//! | [`NotAgent`](AgentStatus::NotAgent) | no agent is involved | both claims are there, and neither says so |
//! | [`Unattested`](AgentStatus::Unattested) | unknown | a claim is missing or malformed |
//!
//! To keep agents out, ask for `NotAgent`; [`AgentPrincipal::is_agent`] being `false` is not enough.
//!
//! # Keys
//!
//! One background task for each validator and its clones fetches the authority's keys every hour, and
//! at once when a token names an unknown key: that same request waits, at most two seconds, and is
//! admitted if the fetch has found the key. Invented key ids cause at most one fetch in 10 seconds. In
//! this cool-down another unknown key is answered with 503 and the time left, since it has not been
//! looked up: an invented key id makes no honest client throw away the token of a new key. While the
//! authority is out of reach the last good keys serve for 24 hours. Every number is a setting of
//! [`KeySettings`].
//!
//! The age of the keys is what the monotonic clock or the wall clock says, whichever is more. After a
//! machine has slept, or a snapshot of it was restored, the first request or look at
//! [`Validator::status`] has overdue keys refreshed.
//!
//! The task logs with the target `tower_entra::keys`, each event once and nothing per request: `info`
//! when keys are added or withdrawn and when an outage ends, `warn` when one begins, once for each
//! reason, or when keys of the set are broken, `error` when fetches fail and the last good ones have
//! become too old, and `debug` for every fetch.
//!
//! # When a token is refused
//!
//! The client gets a status and a challenge with a fixed text. What an operator needs is in the
//! [`Error`], which an outer layer finds in the response's extensions, and in the log:
//!
//! | | |
//! |---|---|
//! | [`Error::kind`] | which check refused; a stable code for metrics and alerts |
//! | its [`Display`](std::fmt::Display) | one line: what was found, and what would be accepted |
//! | [`Error::hint`] | one sentence: what to change, in the client, in the API's registration, or here |
//!
//! [`EntraAuthLayer`] writes all three into its [audit log](EntraAuthLayer#the-audit-log), one event
//! for each verdict, and for an admitted request the caller: see [`AgentPrincipal::audit`]. The filter
//! `tower_entra=info` shows why a caller is refused.
//!
//! Never send the line to the client: it shows what the token claims, escaped and cut, and how the API
//! is configured. The example `explain` shows what is in one token.
//!
//! # What this is not
//!
//! - It signs no one in. With the feature `acquire` it gets tokens for calls of the process itself.
//! - It decides what a caller may do only by the [`Requirement`]s of the API; without any, it demands
//!   only that a token grants something. It keeps no lists, looks up no groups, and asks no other
//!   service.
//! - It does not open encrypted tokens, check proofs of possession, or serve Azure AD B2C, whose
//!   tokens name no tenant.
//! - It revokes nothing: a token is good until it expires or its key is withdrawn.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `http-client` (default) | fetches keys with reqwest and rustls; without it, bring an [`HttpClient`] |
//! | `acquire` | the module `acquire`: tokens for calls of your own, as an app, as an agent, on behalf of a caller, or by an agent's user account |
//! | `azure` | an `acquire::TokenSource` for clients of the Azure SDK, and the SDK's credentials, such as a managed identity, as a client's own |
//! | `axum` | [`AgentPrincipal`] and `Option<AgentPrincipal>` as extractors, [`Denial`] and `Problem` as answers |
//! | `metrics` | what is counted and measured, through the `metrics` facade: the module `metrics` lists it |
//! | `sidecar` | the program `tower-entra-sidecar`: tokens and checks over HTTP, for agents in other languages |
//! | `testing` | `testing::Issuer`, an Entra look-alike on loopback for tests |
//!
//! Features add API. None of them changes what is admitted.
#![cfg_attr(docsrs, feature(doc_cfg))]

// The ground: plain values and the outside world, without a rule of Entra's tokens.

mod authority;

mod chance;

mod characters;

mod clock;

mod config_error;

mod http_client;

mod ids;

#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
mod metrics;

mod moment;

mod origin;

mod runtime;

#[cfg(feature = "acquire")]
mod secret;

mod shown;

#[cfg(feature = "acquire")]
mod user_assertion;

// The door.

mod admit;

// The way out.

#[cfg(feature = "acquire")]
pub mod acquire;

// Where both meet.

#[cfg(feature = "acquire")]
mod handover;

// Users of the public names only.

#[cfg(feature = "testing")]
pub mod testing;

// Its samples use features that a package turns on only if told to.
#[cfg(any(not(doctest), all(feature = "axum", feature = "testing")))]
pub mod guide;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(all(feature = "acquire", feature = "axum"))]
pub use self::admit::MissingUserAssertion;
#[cfg(feature = "axum")]
pub use self::admit::{MissingPrincipal, Problem};
pub use self::{
    admit::{
        AgentPrincipal, AgentStatus, Audiences, AuditRecord, ClaimsError, ClientAuthentication,
        Denial, DenialReason, EmptyBody, EntraAuth, EntraAuthLayer, EntraConfig, Error, ErrorKind,
        ExpiringBody, ExpiringStreams, ExpiringStreamsFuture, ExpiringStreamsLayer, Facet, Facets,
        Groups, IdentityRelationship, IdentityRelationships, IdentityType, IntoAudiences, KeyError,
        KeySettings, KeyStatus, NotReady, PrincipalKind, ProblemJson, ProtectedResourceMetadata,
        RefusalBody, Require, RequireFuture, RequireLayer, RequireRoutes, RequireRoutesLayer,
        Requirement, ResourceMetadataService, ResponseFuture, SignatureAlgorithm, StreamExpired,
        Tenants, TokenVersion, Validator, ValidatorBuilder,
    },
    authority::Authority,
    config_error::{ConfigError, ConfigErrors},
    http_client::HttpClient,
    ids::{AppId, InvalidGuid, ObjectId, TenantId},
};

/// The README's examples, compiled.
#[cfg(all(doctest, feature = "acquire", feature = "axum", feature = "testing"))]
#[doc = include_str!("../README.md")]
mod readme {}
