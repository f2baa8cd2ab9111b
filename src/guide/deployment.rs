//! Deployment: certificates and proxies, probes, workload identity, platforms that take `Authorization`,
//! machines that sleep.
//!
//! # Containers without CA certificates, and proxies
//!
//! The API runs in a container that was built `FROM scratch`, or behind a proxy. The default HTTP client
//! (feature `http-client`) fetches keys over HTTPS and trusts what the system trusts: on Linux the
//! certificate files that OpenSSL would find, read once when the validator is built.
//!
//! | variable | effect |
//! |---|---|
//! | `SSL_CERT_FILE` | this PEM file **replaces** the certificates of the system |
//! | `SSL_CERT_DIR` | the same, for the PEM files of a directory; with both set, both are read |
//! | `HTTPS_PROXY`, else `ALL_PROXY` | the proxy that opens a tunnel to the authority; lower case works too |
//! | `NO_PROXY` | hosts that are reached without the proxy: `login.microsoftonline.com` or `.microsoftonline.com` |
//!
//! `HTTP_PROXY` has no effect, since the authority is never asked over plain HTTP. On macOS and Windows
//! the system judges certificates, and the first two variables have no effect.
//!
//! An image `FROM scratch` needs the certificates of the one that built it:
//!
//! ```text
//! FROM scratch
//! COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
//! COPY --from=build /app/api /api
//! ENTRYPOINT ["/api"]
//! ```
//!
//! Without them, [`build`](crate::ValidatorBuilder::build) fails with a [`ConfigError`]. So it does if
//! `SSL_CERT_FILE` names a file that is not there, and then the log has one line more, of the target
//! `rustls_platform_verifier`, with the path:
//!
//! ```text
//! http_client: cannot be built: builder error: unexpected error: No CA certificates were loaded from the system
//! ```
//!
//! Behind a proxy that inspects TLS, add its CA to a copy of the system's file, and name that in
//! `SSL_CERT_FILE`. With only the CA in it, the API trusts nothing else. In code,
//! [`root_certificates_pem`](crate::ValidatorBuilder::root_certificates_pem) adds the CA to what the system
//! trusts, on macOS and Windows too.
//!
//! Everything else shows at run time. The validator is built, requests are answered with 503, and the log
//! has one `WARN` of the target `tower_entra::keys` for each cause, with what to change as `hint`. Its
//! `reason` begins with `the authority could not be reached: error sending request: client error
//! (Connect):` and ends with
//!
//! | `reason` ends with | cause |
//! |---|---|
//! | `dns error: error resolving DNS: failed to lookup address information: Name or service not known` | no DNS for the authority; after `tunnel error: failed to create underlying connection:` none for the proxy |
//! | `invalid peer certificate: UnknownIssuer` | a proxy inspects TLS, and its CA is not trusted |
//! | `tunnel error: proxy authorization required` | the proxy wants user and password: `HTTPS_PROXY=http://user:password@proxy:3128` |
//! | `tunnel error: unsuccessful` | the proxy does not let this host through |
//! | `tcp connect error: Connection refused (os error 111)` | nothing listens there; after `tunnel error:` that is the proxy |
//!
//! Nothing has to be restarted after the cause is gone: the next attempt is at most a minute away. A
//! change of these variables or of a certificate file needs a restart.
//!
//! The password of the proxy is in the environment, where all code of the process can read it. The
//! holder of a trusted CA's key can serve keys of its own, and so have any token admitted.
//!
//! # Probes
//!
//! Kubernetes sends no request to a pod whose readiness probe fails, so the probe itself has to get the
//! keys fetched. [`Validator::status`] does: it starts the task that fetches them, and never waits.
//!
//! ```
//! use axum::{Router, extract::State, http::StatusCode, routing::get};
//! use tower_entra::{EntraAuthLayer, KeyStatus, Validator};
//!
//! async fn readyz(State(validator): State<Validator>) -> (StatusCode, String) {
//!     match validator.status() {
//!         KeyStatus::Unavailable => {
//!             let code = validator.last_key_error().map_or("starting", |error| error.as_str());
//!             (StatusCode::SERVICE_UNAVAILABLE, code.to_owned())
//!         }
//!         _ => (StatusCode::OK, "ready".to_owned()),
//!     }
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     Router::new()
//!         .route("/orders", get(|| async { "orders" }))
//!         .route_layer(EntraAuthLayer::new(validator.clone()))
//!         .route("/healthz", get(|| async { "alive" }))
//!         .route("/readyz", get(readyz).with_state(validator))
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! | probe | asks for | because |
//! |---|---|---|
//! | liveness | nothing of the validator | a restart cures no outage of Entra, and loses the keys that still serve |
//! | readiness | any status but [`Unavailable`](crate::KeyStatus::Unavailable) | without keys every request is answered with 503 |
//! | startup | the same as readiness | the first fetch takes as long as Entra and the network take: about 0.3 s, at most 5 s |
//!
//! Stale keys are ready: they serve for up to 24 h, and the log and the
//! [metrics](super::observability) warn meanwhile. If the authority is down when all pods of a deployment
//! start, none gets ready before it is back; after an outage longer than the stale limit a fetch is tried
//! at least once a minute, so that recovery is at most a minute late. The code in the body is one of a
//! closed list. The words of [`last_key_error`](Validator::last_key_error) name hosts, and belong in the
//! log.
//!
//! # Workload identity on AKS, and `AZURE_CLIENT_ID`
//!
//! The webhook of workload identity puts
//! [four variables](https://azure.github.io/azure-workload-identity/docs/installation/mutating-admission-webhook.html)
//! into the pods that use it: `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_AUTHORITY_HOST` and
//! `AZURE_FEDERATED_TOKEN_FILE`. Its `AZURE_CLIENT_ID` is the identity *by which the pod gets tokens*: a
//! managed identity, or the blueprint of an agent. The audience of the tokens that the API *accepts* is the
//! client id of the API's own registration. The two are the same only if the pod's identity is that
//! registration.
//!
//! [`EntraConfig::from_env`](crate::EntraConfig::from_env) reads both names, and neither wins:
//!
//! | set | effect |
//! |---|---|
//! | only `AZURE_CLIENT_ID` of the webhook | the API accepts tokens for the pod's identity, and refuses those for the API with `audience_mismatch` |
//! | that, and `AzureAd__ClientId` with another value | an error at start-up, which names both |
//! | that, and `AzureAd__Audience` or `AzureAd__Audiences` | these are accepted **instead of** those of the client id |
//!
//! So leave the variables of the Azure SDKs out, and set the API's own, `AzureAd__TenantId` and
//! `AzureAd__ClientId`:
//!
//! ```no_run
//! use std::{env, ffi::OsString};
//!
//! use tower_entra::{EntraConfig, Validator};
//!
//! fn validator() -> Result<Validator, Box<dyn std::error::Error>> {
//!     let is_own = |(name, _): &(OsString, OsString)| !name.to_string_lossy().starts_with("AZURE_");
//!     Ok(EntraConfig::from_vars(env::vars_os().filter(is_own))?.validator()?)
//! }
//! # validator().unwrap();
//! ```
//!
//! Where the code is not to change, name the audiences: `AzureAd__Audiences="CLIENT_ID,api://CLIENT_ID"`,
//! with the client id of the API. The tenant and the authority of the webhook then hold for the API as well.
//!
//! # A platform that takes `Authorization` for itself
//!
//! Azure Static Web Apps puts a token of its own into `Authorization` before the API gets the request.
//! Clients send Entra's token in another header, and the layer reads that one and no other.
//!
//! ```
//! use axum::{Router, http::HeaderName, routing::get};
//! use tower_entra::{ConfigError, EntraAuthLayer, Validator};
//!
//! fn app(validator: Validator) -> Result<Router, ConfigError> {
//!     // `X-Authorization: Bearer eyJ...`
//!     let header = HeaderName::from_static("x-authorization");
//!     let layer = EntraAuthLayer::new(validator).token_from_header(header)?;
//!     Ok(Router::new().route("/orders", get(|| async { "orders" })).layer(layer))
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap()).unwrap();
//! ```
//!
//! The authentication of App Service puts the token of a signed-in person into
//! `X-MS-TOKEN-AAD-ACCESS-TOKEN`, without the word `Bearer`. A middleware outside of the layer can move it
//! into `Authorization` behind that word, as [for a WebSocket](super::streams_and_grpc#websocket). It is a
//! token for this API only if the sign-in asks for a scope of this API.
//!
//! The layer does not check what the platform writes into `Authorization`. If it is the platform or a
//! proxy that adds the header, it has to remove it from requests from outside: see
//! [`token_from_header`](EntraAuthLayer::token_from_header).
//!
//! # Serverless functions and laptops
//!
//! The machine is frozen after a request, or its lid is closed, and it wakes hours later with old keys.
//!
//! | on waking, keys fetched | the first request |
//! |---|---|
//! | less than 1 h ago | is served by them |
//! | 1 h to 24 h ago | is served by them, and has them refreshed behind it |
//! | more than 24 h ago | waits for the refresh, at most 2 s, and is served by it or gets 503 |
//!
//! The age of the keys is what the monotonic clock or the wall clock says, whichever is more, because the
//! monotonic clock stands still while a machine sleeps. [`Validator::status`] has overdue keys refreshed
//! just as a request does. A fetch that the machine slept through is made again. The numbers are
//! [`with_refresh_interval`], [`with_stale_limit`] and [`with_wait`].
//!
//! A new process has no keys, and its first request would wait for them. Load them at start-up, with a
//! limit: an API that does not start because of Entra's outage cannot recover with it either.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use tower_entra::{KeySettings, Tenants, Validator};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), tower_entra::ConfigError> {
//! # let (tenants, audiences) = (Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"), ["api"]);
//! let hour = Duration::from_secs(60 * 60);
//! let validator = Validator::builder(tenants, audiences)
//!     // Default 24 h. After waking a withdrawn key admits requests until it is refreshed, and only
//!     // if it was fetched no longer ago than this.
//!     .key_settings(KeySettings::default().with_stale_limit(4 * hour))
//!     .build()?;
//! if let Err(error) = validator.ready_within(Duration::from_secs(5)).await {
//!     tracing::warn!("requests are answered with 503 until there are keys: {error}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An API that has to serve even if it starts during such an outage begins with the keys of an earlier
//! fetch: [`initial_keys`](crate::ValidatorBuilder::initial_keys).
//!
//! A platform that freezes the process as soon as it has answered leaves no time for a refresh behind a
//! request: that is then made while the next one is served. With a stale limit near the refresh interval
//! each request after a long sleep waits for a fetch instead.
//!
//! This does not protect from a wall clock that is set back while the machine sleeps. Then neither clock
//! shows the sleep, and old keys count as younger than they are, as expired tokens count as valid.
//!
//! [`with_refresh_interval`]: crate::KeySettings::with_refresh_interval
//! [`with_stale_limit`]: crate::KeySettings::with_stale_limit
//! [`with_wait`]: crate::KeySettings::with_wait

#[allow(unused_imports, reason = "for the links above")]
use crate::{ConfigError, EntraAuthLayer, Validator};
