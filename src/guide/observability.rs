//! Observability: a request id in every line, targets and fields, metrics, alert rules, panels, spans.
//!
//! # Method, path and request id
//!
//! An event of the audit log says who called, and not for what. The layer adds no such fields: a span
//! around it does, and then every event of the layer and of the handlers has them, and so has the line of
//! the access log. The default span of tower-http's `TraceLayer` is at the level `debug`, which a filter
//! at `info` removes, so make one at `info`:
//!
//! ```sh
//! cargo add tower-http@0.6 --features trace
//! cargo add tracing@0.1
//! cargo add tracing-subscriber@0.3 --features json
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::{Router, body::Body, http::Request, response::Response, routing::get};
//! use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, Error, Validator};
//! use tower_http::trace::TraceLayer;
//! use tracing::{Span, info, info_span};
//!
//! fn span(request: &Request<Body>) -> Span {
//!     let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
//!     info_span!(
//!         "http",
//!         http.request.method = %request.method(),
//!         url.path = request.uri().path(),
//!         request_id = id.filter(|id| id.len() <= 64),
//!     )
//! }
//!
//! fn access_log(response: &Response, took: Duration, _: &Span) {
//!     let extensions = response.extensions();
//!     let caller = extensions.get::<AgentPrincipal>();
//!     info!(
//!         target: "access",
//!         seconds = took.as_secs_f64(),
//!         http.response.status_code = response.status().as_u16(),
//!         kind = caller.map(|caller| caller.kind().as_str()),
//!         agent_status = caller.map(|caller| caller.agent_status().as_str()),
//!         error.type = extensions.get::<Error>().map(|error| error.kind().as_str()),
//!         denial = extensions.get::<Denial>().map(|denial| denial.reason().as_str()),
//!     );
//! }
//!
//! fn app(validator: Validator) -> Router {
//!     let trace = TraceLayer::new_for_http()
//!         .make_span_with(span)
//!         .on_request(())
//!         .on_response(access_log)
//!         // Otherwise each 503 is an `ERROR`; the outage has one already.
//!         .on_failure(());
//!     Router::new()
//!         .route("/orders/{id}", get(|| async { "an order" }))
//!         .layer(EntraAuthLayer::new(validator).with_principal_in_response())
//!         .layer(trace)
//! }
//!
//! fn subscribe() {
//!     // From `info` on, which is the default. Each line is one JSON object with its span in it.
//!     tracing_subscriber::fmt().json().flatten_event(true).init();
//! }
//! # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
//! # app(Validator::builder(tenant, ["api"]).build().unwrap());
//! ```
//!
//! A refused request is then these two lines, shortened:
//!
//! ```text
//! {"level":"INFO","target":"tower_entra::audit::refused","message":"request refused","code":"expired","reason":"...",
//!  "span":{"name":"http","http.request.method":"GET","url.path":"/orders/7","request_id":"9f2c"}}
//! {"level":"INFO","target":"access","seconds":0.0002,"http.response.status_code":401,"error.type":"expired",
//!  "span":{"name":"http","http.request.method":"GET","url.path":"/orders/7","request_id":"9f2c"}}
//! ```
//!
//! Let the ingress set `x-request-id` and replace that of a client, or tower-http's `SetRequestIdLayer`
//! where there is no ingress: an id that a client has chosen proves nothing. A path can name people; the
//! [pattern of the route](super::in_front_of_routes#who-called-in-the-access-log) does not. The query is
//! left out, because it can hold a token.
//!
//! # Targets
//!
//! | target | level | events |
//! |---|---|---|
//! | `tower_entra::audit::admitted` | `info` | a request was admitted; at `debug` one without a token was let through |
//! | `tower_entra::audit::refused` | `info` | a request was refused, or denied after it was admitted |
//! | `tower_entra::keys` | `info` | keys were loaded or changed; an outage ended. Also the spans |
//! | | `warn` | an outage began, once for each reason; keys of the set are broken |
//! | | `error` | the last good keys are too old |
//! | | `debug` | each fetch |
//! | `tower_entra::acquire` | `info` | a token was acquired from Entra (feature `acquire`) |
//! | | `warn` | no token was acquired, with `code`, `aadsts`, `reason`, `hint`; a certificate file cannot be used |
//! | `tower_entra` | `error`, `warn` | a mistake in the program's set-up |
//! | | `debug` | refused requests of a layer [without an audit log](EntraAuthLayer::without_audit_log); claims that are not in their form |
//!
//! In JSON a refused request is about 560 bytes and an admitted one about 470. A stranger decides how many
//! refused ones there are: limit requests before the layer, or that target in the subscriber. With
//! `info,tower_entra::audit::admitted=warn` only requests that are not served make a line.
//!
//! | field | in events of | value |
//! |---|---|---|
//! | `code` | `audit::refused` | [`ErrorKind::as_str`](crate::ErrorKind::as_str): a closed list |
//! | | `keys` | [`KeyError::as_str`](crate::KeyError::as_str): a closed list |
//! | `denial` | `audit::refused` | [`DenialReason::as_str`](crate::DenialReason::as_str), if the application refused: a closed list |
//! | `kind`, `agent_status` | `audit` | [`PrincipalKind::as_str`](crate::PrincipalKind::as_str), [`AgentStatus::as_str`](crate::AgentStatus::as_str): closed lists |
//! | `tid`, `oid`, `client_id`, `actor_facets`, `subject_facets`, `tenant_facets`, `parent_agent_blueprint`, `uti`, `token_version` | `audit` | those of [`AuditRecord`](crate::AuditRecord) |
//! | `no_client_id`, `groups_overage`, `malformed_claims` | `audit` | what the token lacks: see [`EntraAuthLayer`](EntraAuthLayer#the-audit-log) |
//! | `reason` | `audit::refused`, `keys` | words, with values from outside in them |
//! | `hint` | all | what to change: a closed list |
//! | `cause` | `keys` | why keys were fetched: that of [`metrics`](#metrics) |
//! | `url`, `failures`, `seconds`, `seconds_left`, `kids`, `added`, `gone`, `replaced`, `skipped` | `keys` | of the outage, or of the key set |
//!
//! # Spans
//!
//! There are spans only where something waits or is fetched, so that most requests have none of this
//! crate. Both are at `info` with the target `tower_entra::keys`.
//!
//! | span | around | parent | fields |
//! |---|---|---|---|
//! | `tower_entra.keys.refresh` | a fetch of the key set | none: many requests can wait for one fetch | `cause`, `outcome`, `error.type`, `key_source` |
//! | `tower_entra.keys.wait` | the wait of a token for its key | the request's | `outcome`, `error.type`, `key_source` |
//!
//! # Metrics
//!
//! With the feature `metrics` the crate reports to the recorder of the [`metrics`](https://docs.rs/metrics)
//! facade, which the program installs. Its module `metrics` says what each name counts. For Prometheus the
//! recorder is an exporter:
//!
//! ```sh
//! cargo add tower-entra --features metrics   # the features that it has already stay
//! cargo add metrics-exporter-prometheus@0.18 --no-default-features --features http-listener
//! ```
//!
//! Install it at the beginning of `main`, before the validator is built, by `serve_metrics()?;`. It has the
//! names that Prometheus recommends, and buckets, without which a histogram becomes a summary:
//!
//! ```text
//! use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
//!
//! fn serve_metrics() -> Result<(), BuildError> {
//!     PrometheusBuilder::new()
//!         .with_http_listener(([127, 0, 0, 1], 9000))
//!         .with_recommended_naming(true)
//!         .set_buckets_for_metric(
//!             Matcher::Suffix(".duration".to_owned()),
//!             &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0],
//!         )?
//!         .install()
//! }
//! ```
//!
//! `install` serves the metrics over HTTP, from a task of the runtime that calls it or else from a thread of
//! its own. There is no authentication: every client that reaches the port reads them. Without
//! `with_http_listener` that is port 9000 of **all** addresses; in a container name `[0, 0, 0, 0]`, and let
//! only Prometheus reach the port. `curl http://127.0.0.1:9000/metrics` then shows lines such as
//!
//! ```text
//! # HELP tower_entra_verdicts_total Tokens judged, and requests without one.
//! # TYPE tower_entra_verdicts_total counter
//! tower_entra_verdicts_total{outcome="admitted",kind="user",agent_status="not_agent"} 1
//! tower_entra_verdicts_total{outcome="refused",error_type="expired"} 0
//! ```
//!
//! and this, in `prometheus.yml`, has Prometheus fetch them:
//!
//! ```text
//! scrape_configs:
//!   - job_name: my-api
//!     static_configs:
//!       - targets: ["127.0.0.1:9000"]
//! ```
//!
//! The exporter writes a dot as `_`, in names as in the label `error.type`, and adds the unit.
//!
//! | name | in Prometheus | labels |
//! |---|---|---|
//! | `tower_entra.verdicts` | `tower_entra_verdicts_total` | `outcome`, `error_type`, `kind`, `agent_status`, `denial` |
//! | `tower_entra.token_cache.lookups` | `tower_entra_token_cache_lookups_total` | `result` |
//! | `tower_entra.keys.refreshes` | `tower_entra_keys_refreshes_total` | `cause`, `outcome`, `error_type`, `key_source` |
//! | `tower_entra.keys.suppressed_refreshes` | `tower_entra_keys_suppressed_refreshes_total` | `cause`, `key_source` |
//! | `tower_entra.keys.refresh.duration` | `tower_entra_keys_refresh_duration_seconds` | `outcome`, `key_source` |
//! | `tower_entra.keys.wait.duration` | `tower_entra_keys_wait_duration_seconds` | `outcome`, `key_source` |
//! | `tower_entra.keys.age` | `tower_entra_keys_age_seconds` | `key_source` |
//! | `tower_entra.keys.time_left` | `tower_entra_keys_time_left_seconds` | `key_source` |
//!
//! The last two are renewed every 15 s. With the feature `acquire` there are also:
//!
//! | name | in Prometheus | labels |
//! |---|---|---|
//! | `tower_entra.acquire.tokens` | `tower_entra_acquire_tokens_total` | `flow`, `outcome`, `source`, `error_type` |
//! | `tower_entra.acquire.requests` | `tower_entra_acquire_requests_total` | `leg`, `outcome`, `error_type` |
//! | `tower_entra.acquire.request.duration` | `tower_entra_acquire_request_duration_seconds` | `leg`, `outcome` |
//!
//! A label is absent where it does not apply. All its values are constants:
//!
//! | label | of | values |
//! |---|---|---|
//! | `outcome` | verdicts | `admitted`, `anonymous`, `refused`, `denied`: [below](#what-to-add-up) |
//! | | keys | `success`, `failure`; of waits `abandoned` too, if the request went away |
//! | `error_type` | verdicts | of denied requests `denied`; of refused ones the check, [`ErrorKind::as_str`](crate::ErrorKind::as_str): `missing_token`, `multiple_credentials`, `malformed_authorization`, `token_too_large`, `malformed_token`, `encrypted_token`, `malformed_header`, `algorithm_not_allowed`, `invalid_key_id`, `unsupported_token_type`, `unsupported_header`, `keys_unavailable`, `unknown_key`, `invalid_signature`, `graph_token`, `malformed_claims`, `unsupported_version`, `invalid_tenant`, `issuer_mismatch`, `tenant_not_allowed`, `key_not_for_issuer`, `audience_mismatch`, `invalid_dates`, `expired`, `not_yet_valid`, `id_token`, `contradictory_claims`, `sender_constrained`, `nothing_granted` |
//! | | refreshes | why one failed, [`KeyError::as_str`](crate::KeyError::as_str): `unreachable`, `timed_out`, `bad_status`, `too_big`, `encoded`, `not_a_discovery_document`, `foreign_issuer`, `foreign_keys_url`, `not_a_key_set`, `too_many_keys`, `no_usable_key`, `panicked` |
//! | | acquisitions | why there is no token, `AcquireErrorKind::as_str`: `consent_required`, `interaction_required`, `assertion_refused`, `not_allowed`, `credential_refused`, `misconfigured`, `throttled`, `busy`, `unavailable`, `identity_mismatch` |
//! | `kind` | admitted, denied | [`PrincipalKind::as_str`](crate::PrincipalKind::as_str): `autonomous_agent`, `agent_on_behalf_of_user`, `agent_user`, `user`, `application`, `unknown` |
//! | `agent_status` | admitted, denied | [`AgentStatus::as_str`](crate::AgentStatus::as_str): `attested`, `declared`, `not_agent`, `unattested` |
//! | `denial` | denied | [`DenialReason::as_str`](crate::DenialReason::as_str): `policy`, `missing_scope`, `not_delegated`, `missing_role`, `wrong_kind`, `not_agent`, `agent`, `unattested`, `unlisted_client`, `unlisted_principal`, `missing_authentication_context`, `claims_challenge`, `token_acquisition`, `unstated_route` |
//! | `flow` | acquisitions | `app`, `app_on_behalf_of`, `agent`, `agent_on_behalf_of`, `agent_user` |
//! | `source` | acquisitions | `cache`, `entra`; only with `success` |
//! | `leg` | token requests | `app`, `agent_assertion`, `agent_exchange`, `agent` |
//! | `result` | look-ups | `hit`, `miss` |
//! | `cause` | refreshes | `start`, `scheduled`, `retry`, `unknown_key`, `bad_signature`; the last two of suppressed ones |
//! | `key_source` | keys | the name given by [`KeySettings::with_name`](crate::KeySettings::with_name). Without one there is **no such label** |
//!
//! All series are there from the start, so no rule needs `absent()`, but for `tower_entra.keys.age`: that one
//! is absent until keys were fetched. `tower_entra.keys.time_left` is 0 from the start until then.
//!
//! What the values of `denial` mean:
//!
//! | `denial` | the caller is refused because |
//! |---|---|
//! | `policy` | the application has a reason of its own |
//! | `missing_scope`, `missing_role` | its token lacks the scope, or the app role |
//! | `not_delegated` | a scope is needed, and its token is not delegated |
//! | `wrong_kind` | callers of its kind may not do this |
//! | `agent`, `not_agent` | it is an agent where none may do this; it is none where only agents may |
//! | `unattested` | nothing in its token says whether it is an agent |
//! | `unlisted_client`, `unlisted_principal` | it is not on the list |
//! | `missing_authentication_context`, `claims_challenge` | the user must sign in again |
//! | `token_acquisition` | the API got no token for a call of its own |
//! | `unstated_route` | no requirement is stated for the route |
//!
//! # What to add up
//!
//! A denied request is counted twice: as `admitted` when its token has passed every check, and as `denied`
//! when the application, or a [`RequireLayer`](crate::RequireLayer), has then refused it. So a sum over all
//! of `outcome` is not the number of requests:
//!
//! | number | sum |
//! |---|---|
//! | requests | all but `denied`: `outcome!="denied"` |
//! | callers that were served | `admitted` minus `denied` |
//! | callers that were not | `refused` plus `denied`: `outcome!="admitted", outcome!="anonymous"` |
//!
//! In [optional](EntraAuthLayer::optional) mode a request without a token counts as `anonymous`. If the
//! application then refuses it because it has no token, that is not counted again; if it refuses it for
//! another reason, that is a `denied` without a `kind`.
//!
//! # Alert rules
//!
//! They are a file that `rule_files` of `prometheus.yml` names.
//!
//! ```yaml
//! groups:
//!   - name: tower_entra
//!     rules:
//!       - alert: EntraNoKeys
//!         expr: tower_entra_keys_time_left_seconds == 0
//!         for: 2m
//!         labels: {severity: page}
//!         annotations:
//!           summary: There are no signing keys. Requests are answered with 503.
//!       - alert: EntraKeysRunOut
//!         expr: tower_entra_keys_time_left_seconds < 6 * 3600
//!         for: 5m
//!         labels: {severity: page}
//!         annotations:
//!           summary: Fetches of the signing keys have failed for 18 h. In 6 h requests are answered with 503.
//!       - alert: EntraKeyRefreshesFail
//!         expr: sum by (job, error_type) (increase(tower_entra_keys_refreshes_total{outcome="failure"}[30m])) > 3
//!         labels: {severity: ticket}
//!         annotations:
//!           summary: Signing keys cannot be fetched ({{ $labels.error_type }}). The log of tower_entra::keys has a hint.
//!       - alert: EntraKeysUnavailable
//!         expr: sum by (job) (rate(tower_entra_verdicts_total{error_type="keys_unavailable"}[5m])) > 1
//!         for: 5m
//!         labels: {severity: ticket}
//!         annotations:
//!           summary: Tokens cannot be checked. With keys there, their key ids are unknown and not looked up yet.
//!       - alert: EntraForgedTokens
//!         expr: sum by (job) (rate(tower_entra_verdicts_total{error_type=~"invalid_signature|unknown_key"}[10m])) > 1
//!         for: 10m
//!         labels: {severity: security}
//!         annotations:
//!           summary: Tokens with a bad signature or an unknown key arrive.
//!       - alert: EntraInventedKeyIds
//!         expr: sum by (job) (increase(tower_entra_keys_suppressed_refreshes_total{cause="unknown_key"}[10m])) > 100
//!         labels: {severity: security}
//!         annotations:
//!           summary: A client invents key ids, or Entra rotates its keys faster than it says.
//!       - alert: EntraMostAreRefused
//!         expr: |
//!           sum by (job) (rate(tower_entra_verdicts_total{outcome=~"refused|denied", error_type!="missing_token"}[10m]))
//!             > 0.5 * sum by (job) (rate(tower_entra_verdicts_total{outcome!="denied"}[10m]))
//!         for: 10m
//!         labels: {severity: ticket}
//!         annotations:
//!           summary: More than half of all requests have a token and are refused or denied. The panel has the reasons.
//!       - alert: EntraTokensForAnotherApi
//!         expr: |
//!           sum by (job) (rate(tower_entra_verdicts_total{error_type=~"audience_mismatch|nothing_granted"}[10m]))
//!             > 0.05 * sum by (job) (rate(tower_entra_verdicts_total{outcome!="denied"}[10m]))
//!         for: 10m
//!         labels: {severity: ticket}
//!         annotations:
//!           summary: A client asks for tokens of another API, or for none of this one's permissions.
//!       - alert: EntraSlowKeyFetches
//!         expr: |
//!           histogram_quantile(0.9, sum by (job, le) (rate(tower_entra_keys_refresh_duration_seconds_bucket[6h]))) > 2
//!         labels: {severity: ticket}
//!         annotations:
//!           summary: Fetches of the signing keys are so slow that requests which wait for one are answered with 503.
//! ```
//!
//! A stranger can raise `EntraKeysUnavailable` by invented key ids, which are answered with 503 while they
//! are not looked up, and `EntraMostAreRefused` by any bad token; so they page no one, and `EntraNoKeys`
//! does. `EntraMostAreRefused` is not about requests without a token, which clients send to find out where
//! to get one.
//!
//! The 18 h and 6 h are for the default [stale limit](crate::KeySettings::with_stale_limit) of 24 h. A
//! validator that gets neither a request nor a [probe](super::deployment#probes) fetches no keys, and
//! `EntraNoKeys` is true of it.
//!
//! After an outage longer than the stale limit, fetches are up to a minute apart: requests can be answered
//! with 503 for a minute after the authority is back.
//!
//! # Panels
//!
//! Each is a query for a panel of Grafana, or for the page *Graph* of Prometheus itself.
//!
//! ```promql
//! # Requests that the application has served, per second, by kind of caller: admitted minus denied
//! sum by (kind) (rate(tower_entra_verdicts_total{outcome="admitted"}[5m]))
//!   - sum by (kind) (rate(tower_entra_verdicts_total{outcome="denied"}[5m]))
//!
//! # Share of callers of whom nothing says whether they are agents: 0 once Entra sends the claims
//! sum(rate(tower_entra_verdicts_total{outcome="admitted", agent_status="unattested"}[1h]))
//!   / sum(rate(tower_entra_verdicts_total{outcome="admitted"}[1h]))
//!
//! # What agents are denied, and why
//! sum by (kind, denial) (increase(tower_entra_verdicts_total{outcome="denied", agent_status=~"attested|declared"}[1h]))
//!
//! # Requests that are not served, per second, by reason: the check, or what the application demands
//! sum by (error_type, denial) (rate(tower_entra_verdicts_total{outcome=~"refused|denied"}[5m])) > 0
//!
//! # Share of tokens that were verified before: only with `ValidatorBuilder::token_cache`
//! sum(rate(tower_entra_token_cache_lookups_total{result="hit"}[5m]))
//!   / sum(rate(tower_entra_token_cache_lookups_total[5m]))
//!
//! # Age of the keys
//! max by (instance) (tower_entra_keys_age_seconds)
//!
//! # Time for which the keys still serve
//! min by (instance) (tower_entra_keys_time_left_seconds)
//!
//! # Refreshes by cause and outcome
//! sum by (cause, outcome, error_type) (increase(tower_entra_keys_refreshes_total[1h]))
//!
//! # Time for which the slowest of a hundred waiting tokens waited
//! histogram_quantile(0.99, sum by (le) (rate(tower_entra_keys_wait_duration_seconds_bucket{outcome="success"}[1h])))
//! ```
//!
//! # What stays as it is
//!
//! These change only with a major version of this crate (before 1.0: with a minor one), and the changelog
//! says so:
//!
//! - the targets and levels of events and spans, the names of spans, and the names and types of the fields
//!   in the tables above
//! - the names, types and units of metrics, the names of their labels, and what each counts
//! - every code: the values of labels and of the fields that are closed lists
//!
//! New metrics, labels, fields, codes and events may come with any version. So write rules that
//! name what they look for, and aggregate with `sum by`. The words of messages, of `reason` and of
//! `hint` may change at any time: match codes. `debug` events may change at any time, too.
//!
//! Where the [conventions of OpenTelemetry](https://opentelemetry.io/docs/specs/semconv/) have a name, it
//! is theirs: `error.type` of metrics and spans (`code` in events), durations in seconds that end with
//! `.duration`, and the fields of the span above. Names of this crate's own begin with `tower_entra.`, and of
//! fields are those of Entra's claims where there is one.

#[allow(unused_imports, reason = "for the links above")]
use crate::EntraAuthLayer;
