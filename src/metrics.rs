//! What is counted and measured (feature `metrics`), for the recorder of the
//! [`metrics`](https://docs.rs/metrics) facade that the program has installed.
//!
//! | name | type | unit | labels |
//! |---|---|---|---|
//! | [`tower_entra.verdicts`](VERDICTS) | counter | tokens, and requests without one | `outcome`, `error.type` |
//! | [`tower_entra.token_cache.lookups`](TOKEN_CACHE_LOOKUPS) | counter | look-ups | `result` |
//! | [`tower_entra.keys.refreshes`](KEY_REFRESHES) | counter | refreshes | `cause`, `outcome`, `error.type`, `key_source` |
//! | [`tower_entra.keys.suppressed_refreshes`](KEY_REFRESHES_SUPPRESSED) | counter | refreshes | `cause`, `key_source` |
//! | [`tower_entra.keys.age`](KEY_SET_AGE) | gauge | seconds | `key_source` |
//! | [`tower_entra.keys.time_left`](KEY_SET_TIME_LEFT) | gauge | seconds | `key_source` |
//!
//! Names and the label `error.type`, which is absent where there was no error, follow the
//! [conventions of OpenTelemetry](https://opentelemetry.io/docs/specs/semconv/general/naming/). A
//! Prometheus exporter writes underscores for the dots.
//!
//! Every value of a label is a constant of this crate, but for `key_source`: that is the constant
//! given to [`KeySettings::with_name`](crate::KeySettings::with_name), and absent without one.
//! Nothing that came with a request or from an authority becomes a label.
//!
//! What to watch: [`KEY_SET_TIME_LEFT`] says how long an outage of the authority may still last.
//! Verdicts under `error.type` `keys_unavailable` are 503s of the API's own. Rising suppressed refreshes
//! mean that a client invents key ids, or that the authority rotates faster than it says.

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
    /// | `outcome` | meaning | `error.type` |
    /// |---|---|---|
    /// | `admitted` | the token passed every check | |
    /// | `anonymous` | a layer in optional mode let a request without a token through, whatever the application then answered | |
    /// | `refused` | a check failed | the check: [`ErrorKind::as_str`](crate::ErrorKind::as_str) |
    /// | `denied` | the application refused by a [`Denial`](crate::Denial); the token was admitted, and counted as that, before | `denied` |
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

    /// How long ago the key set in force was fetched. Absent until there is one. Renewed every 15 s.
    KEY_SET_AGE = "tower_entra.keys.age";

    /// How long the key set in force would still serve if no fetch were good any more; 0 without
    /// one. Renewed every 15 s, and without one with each fetch.
    KEY_SET_TIME_LEFT = "tower_entra.keys.time_left";
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

        #[cfg(not(feature = "metrics"))]
        #[inline(always)]
        pub(crate) fn $name($(_: $type),*) {}
    )*};
}

recorded! {
    /// Describes the metrics to the recorder. Idempotent.
    fn describe() {
        use metrics::{Unit, describe_counter, describe_gauge};

        describe_counter!(VERDICTS, Unit::Count, "Tokens judged, and requests without one.");
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
        describe_gauge!(KEY_SET_AGE, Unit::Seconds, "Time since the key set was fetched.");
        describe_gauge!(
            KEY_SET_TIME_LEFT,
            Unit::Seconds,
            "Time that the key set would still serve without another good fetch."
        );
    }

    /// A token has passed every check.
    fn admitted() {
        metrics::counter!(VERDICTS, "outcome" => "admitted").increment(1);
    }

    /// A request without a token was let through.
    fn anonymous() {
        metrics::counter!(VERDICTS, "outcome" => "anonymous").increment(1);
    }

    /// A check has failed.
    fn refused(code: &'static str) {
        static KEYS: Keys<&str> = Keys::new();
        KEYS.count(code, || {
            let labels = [("outcome", "refused"), ("error.type", code)];
            Key::from_parts(VERDICTS, labels_of(None, &labels))
        });
    }

    /// The application has refused an admitted caller.
    fn denied() {
        metrics::counter!(VERDICTS, "outcome" => "denied", "error.type" => "denied").increment(1);
    }

    fn cache_hit() {
        metrics::counter!(TOKEN_CACHE_LOOKUPS, "result" => "hit").increment(1);
    }

    fn cache_missed() {
        metrics::counter!(TOKEN_CACHE_LOOKUPS, "result" => "miss").increment(1);
    }

    fn refreshed(source: Option<&'static str>, cause: &'static str) {
        let labels = labels_of(source, &[("cause", cause), ("outcome", "success")]);
        metrics::counter!(KEY_REFRESHES, labels).increment(1);
    }

    fn refresh_failed(source: Option<&'static str>, cause: &'static str, reason: &'static str) {
        let labels = labels_of(
            source,
            &[("cause", cause), ("outcome", "failure"), ("error.type", reason)],
        );
        metrics::counter!(KEY_REFRESHES, labels).increment(1);
    }

    fn refresh_suppressed(source: Option<&'static str>, cause: &'static str) {
        static KEYS: Keys<(Option<&str>, &str)> = Keys::new();
        KEYS.count((source, cause), || {
            Key::from_parts(KEY_REFRESHES_SUPPRESSED, labels_of(source, &[("cause", cause)]))
        });
    }

    fn key_set_aged(source: Option<&'static str>, age: Duration, left: Duration) {
        metrics::gauge!(KEY_SET_AGE, labels_of(source, &[])).set(age);
        metrics::gauge!(KEY_SET_TIME_LEFT, labels_of(source, &[])).set(left);
    }

    fn no_key_set(source: Option<&'static str>) {
        metrics::gauge!(KEY_SET_TIME_LEFT, labels_of(source, &[])).set(0.0);
    }
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
            Some((_, key)) => increment(key),
            None => increment(&key()),
        }
    }
}

#[cfg(feature = "metrics")]
fn increment(key: &Key) {
    const METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    metrics::with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(1));
}
