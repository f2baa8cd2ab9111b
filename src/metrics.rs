//! What is counted and measured (feature `metrics`), for the recorder of the
//! [`metrics`](https://docs.rs/metrics) facade that the program has installed.
//!
//! | name | type | unit | labels |
//! |---|---|---|---|
//! | [`tower_entra.verdicts`](VERDICTS) | counter | tokens, and requests without one | `outcome`, `error.type`, `kind`, `agent_status`, `denial` |
//! | [`tower_entra.token_cache.lookups`](TOKEN_CACHE_LOOKUPS) | counter | look-ups | `result` |
//! | [`tower_entra.keys.refreshes`](KEY_REFRESHES) | counter | refreshes | `cause`, `outcome`, `error.type`, `key_source` |
//! | [`tower_entra.keys.suppressed_refreshes`](KEY_REFRESHES_SUPPRESSED) | counter | refreshes | `cause`, `key_source` |
//! | [`tower_entra.keys.refresh.duration`](KEY_REFRESH_DURATION) | histogram | seconds | `outcome`, `key_source` |
//! | [`tower_entra.keys.wait.duration`](KEY_WAIT_DURATION) | histogram | seconds | `outcome`, `key_source` |
//! | [`tower_entra.keys.age`](KEY_SET_AGE) | gauge | seconds | `key_source` |
//! | [`tower_entra.keys.time_left`](KEY_SET_TIME_LEFT) | gauge | seconds | `key_source` |
//!
//! With the feature `acquire` also:
//!
//! | name | type | unit | labels |
//! |---|---|---|---|
//! | [`tower_entra.acquire.tokens`](ACQUIRED_TOKENS) | counter | tokens asked for | `flow`, `outcome`, `source`, `error.type` |
//! | [`tower_entra.acquire.requests`](TOKEN_REQUESTS) | counter | requests | `leg`, `outcome`, `error.type` |
//! | [`tower_entra.acquire.request.duration`](TOKEN_REQUEST_DURATION) | histogram | seconds | `leg`, `outcome` |
//!
//! The guide [observability](crate::guide::observability) has the alert rules and panels for them, their
//! names in Prometheus, and the promise that they stay as they are.
//!
//! Every value of a label is a constant of this crate, except that of `key_source`: that is the constant
//! given to [`KeySettings::with_name`](crate::KeySettings::with_name), and absent without one.
//! Nothing that came with a request or from an authority becomes a label. A label is absent where it
//! does not apply.
//!
//! Every counter has all its series, with 0, from [`build`](crate::ValidatorBuilder::build) on, if the
//! recorder is installed by then, and otherwise when the key task starts: about 310, and 73 more for each
//! further `key_source`. So do the histograms, without a sample, and
//! [`tower_entra.keys.time_left`](KEY_SET_TIME_LEFT).

use std::time::Duration;
#[cfg(feature = "metrics")]
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

#[cfg(feature = "metrics")]
use metrics::{Key, Level, Metadata};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        #[cfg(feature = "metrics")]
        pub const $name: &str = $text;
    )*};
}

names! {
    /// Counts each token once, and each request that a layer decided without one.
    ///
    /// | `outcome` | meaning | `error.type` | other labels |
    /// |---|---|---|---|
    /// | `admitted` | the token passed every check | | `kind`, `agent_status` |
    /// | `anonymous` | a layer in optional mode let a request without a token through, whatever the application then answered | | |
    /// | `refused` | a check failed | the check: [`ErrorKind::as_str`](crate::ErrorKind::as_str) | |
    /// | `denied` | the application refused by a [`Denial`](crate::Denial); the token was admitted, and counted as that, before | `denied` | `denial`; `kind` and `agent_status`, unless there was no token |
    ///
    /// `kind` is [`PrincipalKind::as_str`](crate::PrincipalKind::as_str), `agent_status`
    /// [`AgentStatus::as_str`](crate::AgentStatus::as_str), and `denial`
    /// [`DenialReason::as_str`](crate::DenialReason::as_str). The guide lists
    /// [all values](crate::guide::observability#metrics). A denied request counts twice, so requests are the
    /// sum of all outcomes but `denied`, and callers that the application has served are `admitted` minus
    /// `denied`: see [what to add up](crate::guide::observability#what-to-add-up).
    ///
    /// A request that goes away while it waits for a key counts as refused, with
    /// `keys_unavailable`. A token that was admitted after such a wait, and then expired before the
    /// service inside was ready, counts twice: as admitted, then as refused.
    VERDICTS = "tower_entra.verdicts";

    /// Counts look-ups in the cache of verified tokens, if there is
    /// [one](crate::ValidatorBuilder::token_cache). `result` is `hit` or `miss`; an expired token
    /// that was found is a hit.
    TOKEN_CACHE_LOOKUPS = "tower_entra.token_cache.lookups";

    /// Counts fetches of the key set, when they end.
    ///
    /// | `cause` | meaning |
    /// |---|---|
    /// | `start` | there have never been keys |
    /// | `scheduled` | it was time |
    /// | `retry` | the fetch before had failed |
    /// | `unknown_key` | a token named a key that is not known |
    /// | `bad_signature` | a signature was bad under a known key |
    ///
    /// `outcome` is `success` or `failure`. `error.type` says why: `unreachable`, `timed_out`,
    /// `bad_status`, `too_big`, `encoded`, `not_a_discovery_document`, `foreign_issuer`,
    /// `foreign_keys_url`, `not_a_key_set`, `too_many_keys`, `no_usable_key` or `panicked`.
    KEY_REFRESHES = "tower_entra.keys.refreshes";

    /// Counts the tokens that would have had keys fetched but for the cool-down, the back-off or a
    /// `Retry-After`, all that name an unknown key in the cool-down, and all that have a bad signature
    /// while none may cause a fetch. `cause` is `unknown_key` or `bad_signature`.
    KEY_REFRESHES_SUPPRESSED = "tower_entra.keys.suppressed_refreshes";

    /// How long a fetch of the key set took, discovery document included. `outcome` is `success` or
    /// `failure`.
    KEY_REFRESH_DURATION = "tower_entra.keys.refresh.duration";

    /// How long a token waited for its key. Most tokens do not wait and are not in here.
    ///
    /// | `outcome` | meaning |
    /// |---|---|
    /// | `success` | the key came |
    /// | `failure` | it did not: 401 if it was looked up, and otherwise 503 |
    /// | `abandoned` | the request went away |
    KEY_WAIT_DURATION = "tower_entra.keys.wait.duration";

    /// How long ago the key set in force was fetched. Absent until there is one. Renewed every 15 s.
    KEY_SET_AGE = "tower_entra.keys.age";

    /// How long the key set in force would still serve if no fetch were good any more; 0 without
    /// one, and before the task has started. Renewed every 15 s, and without one with each fetch.
    KEY_SET_TIME_LEFT = "tower_entra.keys.time_left";

    /// Counts each time that a token source was asked for a token.
    ///
    /// | `flow` | who acts |
    /// |---|---|
    /// | `app` | an app as itself |
    /// | `app_on_behalf_of` | an app on behalf of a user |
    /// | `agent` | an agent as itself |
    /// | `agent_on_behalf_of` | an agent on behalf of a user |
    /// | `agent_user` | an agent by its user account |
    ///
    /// `outcome` is `success` or `failure`. With `success`, `source` is `cache` for a token that was
    /// remembered, and `entra` for one that the caller waited for. With `failure`, `error.type` is
    /// `AcquireErrorKind::as_str`. Feature `acquire`.
    ACQUIRED_TOKENS = "tower_entra.acquire.tokens";

    /// Counts the requests to the token endpoint, a retry as one more.
    ///
    /// | `leg` | what is asked for |
    /// |---|---|
    /// | `app` | an app's own token, as itself or on behalf of a user |
    /// | `agent_assertion` | T1: the blueprint's assertion of an agent |
    /// | `agent_exchange` | T2: the agent's own token for the exchange |
    /// | `agent` | the agent's token that was asked for |
    ///
    /// `outcome` is `success` or `failure`, and `error.type` `AcquireErrorKind::as_str`. Feature `acquire`.
    TOKEN_REQUESTS = "tower_entra.acquire.requests";

    /// How long a request to the token endpoint took. `outcome` is `success` or `failure`. Feature `acquire`.
    TOKEN_REQUEST_DURATION = "tower_entra.acquire.request.duration";
}

/// How often gauges are renewed while nothing happens. Never without the feature, so that no timer
/// wakes the task for it.
pub(crate) const CADENCE: Option<Duration> = if cfg!(feature = "metrics") {
    Some(Duration::from_secs(15))
} else {
    None
};

/// Functions that compile to nothing without the feature.
///
/// A panic in the program's recorder must end neither a request nor the key task.
macro_rules! recorded {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $body:block)*) => {$(
        $(#[$doc])*
        #[cfg(feature = "metrics")]
        pub(crate) fn $name($($argument: $type),*) {
            let _ = catch_unwind(AssertUnwindSafe(|| $body));
        }

        $(#[$doc])*
        #[cfg(not(feature = "metrics"))]
        #[inline(always)]
        pub(crate) fn $name($(_: $type),*) {}
    )*};
}

recorded! {
    /// Registers every series, counters with 0, and describes the metrics. Idempotent. `causes` are
    /// those of refreshes, `suppressible` those of them that can be suppressed, and `codes` those of
    /// refreshes that fail.
    fn start(
        source: Option<&'static str>,
        causes: &[&'static str],
        suppressible: &[&'static str],
        codes: &[&'static str]
    ) {
        describe();
        for key in VERDICT_SERIES.get().into_iter().flatten() {
            add(key, 0);
        }
        for result in ["hit", "miss"] {
            metrics::counter!(TOKEN_CACHE_LOOKUPS, "result" => result).increment(0);
        }
        for cause in causes.iter().copied() {
            let success = labels_of(source, &[("cause", cause), ("outcome", "success")]);
            metrics::counter!(KEY_REFRESHES, success).increment(0);
            for code in codes.iter().copied() {
                metrics::counter!(KEY_REFRESHES, failure_labels(source, cause, code)).increment(0);
            }
        }
        for cause in suppressible.iter().copied() {
            add(&suppressed_key(source, cause), 0);
        }
        for outcome in ["success", "failure"] {
            let _ = metrics::histogram!(KEY_REFRESH_DURATION, labels_of(source, &[("outcome", outcome)]));
        }
        for outcome in ["success", "failure", "abandoned"] {
            let _ = metrics::histogram!(KEY_WAIT_DURATION, labels_of(source, &[("outcome", outcome)]));
        }
        // Not set: another source without a name may have keys.
        metrics::gauge!(KEY_SET_TIME_LEFT, labels_of(source, &[])).increment(0.0);
    }

    /// A token has passed every check.
    fn admitted(caller: Caller) {
        static KEYS: Keys<Caller> = Keys::new();
        KEYS.count(caller, || admitted_key(caller));
    }

    /// A request without a token was let through.
    fn anonymous() {
        metrics::counter!(VERDICTS, "outcome" => "anonymous").increment(1);
    }

    /// A check has failed.
    fn refused(code: &'static str) {
        static KEYS: Keys<&str> = Keys::new();
        KEYS.count(code, || refused_key(code));
    }

    /// The application has refused a caller, or a request without a token, for this reason.
    fn denied(denial: &'static str, caller: Option<Caller>) {
        add(&denied_key(denial, caller), 1);
    }

    fn cache_hit() {
        metrics::counter!(TOKEN_CACHE_LOOKUPS, "result" => "hit").increment(1);
    }

    fn cache_missed() {
        metrics::counter!(TOKEN_CACHE_LOOKUPS, "result" => "miss").increment(1);
    }

    fn refreshed(source: Option<&'static str>, cause: &'static str, took: Duration) {
        let labels = labels_of(source, &[("cause", cause), ("outcome", "success")]);
        metrics::counter!(KEY_REFRESHES, labels).increment(1);
        let labels = labels_of(source, &[("outcome", "success")]);
        metrics::histogram!(KEY_REFRESH_DURATION, labels).record(took);
    }

    fn refresh_failed(
        source: Option<&'static str>,
        cause: &'static str,
        code: &'static str,
        took: Duration
    ) {
        metrics::counter!(KEY_REFRESHES, failure_labels(source, cause, code)).increment(1);
        let labels = labels_of(source, &[("outcome", "failure")]);
        metrics::histogram!(KEY_REFRESH_DURATION, labels).record(took);
    }

    /// A token has waited for its key.
    fn waited(source: Option<&'static str>, outcome: &'static str, time: Duration) {
        let labels = labels_of(source, &[("outcome", outcome)]);
        metrics::histogram!(KEY_WAIT_DURATION, labels).record(time);
    }

    fn refresh_suppressed(source: Option<&'static str>, cause: &'static str) {
        static KEYS: Keys<(Option<&str>, &str)> = Keys::new();
        KEYS.count((source, cause), || suppressed_key(source, cause));
    }

    fn key_set_aged(source: Option<&'static str>, age: Duration, left: Duration) {
        metrics::gauge!(KEY_SET_AGE, labels_of(source, &[])).set(age);
        metrics::gauge!(KEY_SET_TIME_LEFT, labels_of(source, &[])).set(left);
    }

    fn no_key_set(source: Option<&'static str>) {
        metrics::gauge!(KEY_SET_TIME_LEFT, labels_of(source, &[])).set(0.0);
    }

    /// Registers every series of acquisitions, counters with 0. Idempotent.
    #[cfg(feature = "acquire")]
    fn start_acquiring(
        flows: &[&'static str],
        legs: &[&'static str],
        kinds: &[&'static str]
    ) {
        describe_acquiring();
        for flow in flows.iter().copied() {
            for source in ["cache", "entra"] {
                add(&acquired_key((flow, Ok(source))), 0);
            }
            for kind in kinds.iter().copied() {
                add(&acquired_key((flow, Err(kind))), 0);
            }
        }
        for leg in legs.iter().copied() {
            metrics::counter!(TOKEN_REQUESTS, request_labels(leg, None)).increment(0);
            for kind in kinds.iter().copied() {
                metrics::counter!(TOKEN_REQUESTS, request_labels(leg, Some(kind))).increment(0);
            }
            for outcome in ["success", "failure"] {
                let labels = labels_of(None, &[("leg", leg), ("outcome", outcome)]);
                let _ = metrics::histogram!(TOKEN_REQUEST_DURATION, labels);
            }
        }
    }

    /// A token source was asked: the token's source, or the kind of the error.
    #[cfg(feature = "acquire")]
    fn acquired(flow: &'static str, got: Result<&'static str, &'static str>) {
        static KEYS: Keys<(&str, Result<&str, &str>)> = Keys::new();
        KEYS.count((flow, got), || acquired_key((flow, got)));
    }

    /// A request to the token endpoint has ended, with this kind of error if it failed.
    #[cfg(feature = "acquire")]
    fn token_requested(leg: &'static str, failed: Option<&'static str>, took: Duration) {
        metrics::counter!(TOKEN_REQUESTS, request_labels(leg, failed)).increment(1);
        let outcome = if failed.is_some() { "failure" } else { "success" };
        let labels = labels_of(None, &[("leg", leg), ("outcome", outcome)]);
        metrics::histogram!(TOKEN_REQUEST_DURATION, labels).record(took);
    }
}

/// The codes of a caller's kind and agent status.
pub(crate) type Caller = (&'static str, &'static str);

/// Lists the series of verdicts, by codes, callers and reasons of denials, for `start`.
#[cfg(feature = "metrics")]
pub(crate) fn list_verdicts(codes: &[&'static str], callers: &[Caller], denials: &[&'static str]) {
    VERDICT_SERIES.get_or_init(|| {
        let anonymous = [("outcome", "anonymous")];
        let anonymous = Key::from_parts(VERDICTS, labels_of(None, &anonymous));
        let callers = || callers.iter().copied();
        let some_or_none = || callers().map(Some).chain([None]);
        let denied = denials
            .iter()
            .flat_map(|denial| some_or_none().map(|caller| denied_key(denial, caller)));
        let refused = codes.iter().map(|code| refused_key(code));
        let admitted = callers().map(admitted_key);
        [anonymous]
            .into_iter()
            .chain(admitted)
            .chain(refused)
            .chain(denied)
            .collect()
    });
}

/// Every series of [`VERDICTS`], once a validator has been built.
#[cfg(feature = "metrics")]
static VERDICT_SERIES: OnceLock<Vec<Key>> = OnceLock::new();

/// Describes the metrics to the recorder.
#[cfg(feature = "metrics")]
fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

    describe_counter!(
        VERDICTS,
        Unit::Count,
        "Tokens judged, and requests without one."
    );
    describe_counter!(
        TOKEN_CACHE_LOOKUPS,
        Unit::Count,
        "Look-ups in the cache of verified tokens."
    );
    describe_counter!(KEY_REFRESHES, Unit::Count, "Fetches of the key set.");
    describe_counter!(
        KEY_REFRESHES_SUPPRESSED,
        Unit::Count,
        "Fetches of the key set that a limit has kept back."
    );
    describe_histogram!(
        KEY_REFRESH_DURATION,
        Unit::Seconds,
        "Duration of a fetch of the key set."
    );
    describe_histogram!(
        KEY_WAIT_DURATION,
        Unit::Seconds,
        "Time for which a token waited for its key."
    );
    describe_gauge!(
        KEY_SET_AGE,
        Unit::Seconds,
        "Time since the key set was fetched."
    );
    describe_gauge!(
        KEY_SET_TIME_LEFT,
        Unit::Seconds,
        "Time that the key set would still serve without another good fetch."
    );
}

#[cfg(all(feature = "metrics", feature = "acquire"))]
fn describe_acquiring() {
    use metrics::{Unit, describe_counter, describe_histogram};

    describe_counter!(
        ACQUIRED_TOKENS,
        Unit::Count,
        "Tokens that were asked for, remembered ones included."
    );
    describe_counter!(
        TOKEN_REQUESTS,
        Unit::Count,
        "Requests to the token endpoint."
    );
    describe_histogram!(
        TOKEN_REQUEST_DURATION,
        Unit::Seconds,
        "Duration of a request to the token endpoint."
    );
}

#[cfg(all(feature = "metrics", feature = "acquire"))]
fn acquired_key((flow, got): (&'static str, Result<&'static str, &'static str>)) -> Key {
    let (outcome, last) = match got {
        Ok(source) => ("success", ("source", source)),
        Err(kind) => ("failure", ("error.type", kind)),
    };
    let labels = [("flow", flow), ("outcome", outcome), last];
    Key::from_parts(ACQUIRED_TOKENS, labels_of(None, &labels))
}

#[cfg(all(feature = "metrics", feature = "acquire"))]
fn request_labels(leg: &'static str, failed: Option<&'static str>) -> Vec<metrics::Label> {
    let mut labels = vec![("leg", leg)];
    match failed {
        None => labels.push(("outcome", "success")),
        Some(kind) => labels.extend([("outcome", "failure"), ("error.type", kind)]),
    }
    labels_of(None, &labels)
}

#[cfg(feature = "metrics")]
fn admitted_key((kind, agent_status): Caller) -> Key {
    let labels = [
        ("outcome", "admitted"),
        ("kind", kind),
        ("agent_status", agent_status),
    ];
    Key::from_parts(VERDICTS, labels_of(None, &labels))
}

#[cfg(feature = "metrics")]
fn refused_key(code: &'static str) -> Key {
    let labels = [("outcome", "refused"), ("error.type", code)];
    Key::from_parts(VERDICTS, labels_of(None, &labels))
}

#[cfg(feature = "metrics")]
fn denied_key(denial: &'static str, caller: Option<Caller>) -> Key {
    let mut labels = vec![
        ("outcome", "denied"),
        ("error.type", "denied"),
        ("denial", denial),
    ];
    if let Some((kind, agent_status)) = caller {
        labels.extend([("kind", kind), ("agent_status", agent_status)]);
    }
    Key::from_parts(VERDICTS, labels_of(None, &labels))
}

#[cfg(feature = "metrics")]
fn suppressed_key(source: Option<&'static str>, cause: &'static str) -> Key {
    Key::from_parts(
        KEY_REFRESHES_SUPPRESSED,
        labels_of(source, &[("cause", cause)]),
    )
}

#[cfg(feature = "metrics")]
fn failure_labels(
    source: Option<&'static str>,
    cause: &'static str,
    code: &'static str,
) -> Vec<metrics::Label> {
    let labels = [
        ("cause", cause),
        ("outcome", "failure"),
        ("error.type", code),
    ];
    labels_of(source, &labels)
}

/// Only constants, which keeps the number of time series small.
#[cfg(feature = "metrics")]
fn labels_of(
    source: Option<&'static str>,
    more: &[(&'static str, &'static str)],
) -> Vec<metrics::Label> {
    let source = source.map(|name| ("key_source", name));
    let all = more.iter().copied().chain(source);
    all.map(|(name, value)| metrics::Label::from_static_parts(name, value))
        .collect()
}

/// The keys of a counter with many labels, each made when it is first needed, so that a count that an
/// unauthenticated client causes allocates nothing.
#[cfg(feature = "metrics")]
struct Keys<K>([OnceLock<(K, Key)>; 64]);

#[cfg(feature = "metrics")]
impl<K: Copy + PartialEq> Keys<K> {
    const fn new() -> Self {
        Self([const { OnceLock::new() }; 64])
    }

    /// Adds one to the counter of `key`. Each key takes the first free place; a key without a place is
    /// made anew each time.
    fn count(&self, of: K, key: impl Fn() -> Key) {
        let places = self.0.iter();
        let mut keys = places.map(|place| place.get_or_init(|| (of, key())));
        match keys.find(|(other, _)| *other == of) {
            Some((_, key)) => add(key, 1),
            None => add(&key(), 1),
        }
    }
}

#[cfg(feature = "metrics")]
fn add(key: &Key, count: u64) {
    const METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    metrics::with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(count));
}
