//! The log and the metrics of the keys: each event once.
//!
//! Only the task writes here, so a request cannot cause a line.

use std::time::{Duration, Instant};

use super::{
    error::{FetchError, TARGET},
    schedule::Cause,
    set::KeySet,
    skipped::Skipped,
};
use crate::metrics;

/// What has been logged, so that it is not logged again.
#[derive(Debug)]
pub(super) struct Journal {
    /// The URL of the discovery document.
    url: String,
    /// The label of this key source in the metrics.
    name: Option<&'static str>,
    outage: Option<Outage>,
    /// The keys that the last good key set left out.
    skipped: Skipped,
}

/// A series of failed fetches.
#[derive(Debug)]
struct Outage {
    began: Instant,
    failures: u32,
    last: Option<FetchError>,
    /// The reasons that have been logged as warnings, each with its hint.
    reasons: Vec<(&'static str, &'static str)>,
    /// Whether the last good keys have been logged as too old.
    is_past_the_limit: bool,
}

/// Why a fetch is made, for the log and the metrics. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// No keys have been fetched yet.
    Start,
    /// The refresh interval has passed.
    Scheduled,
    /// The previous fetch failed.
    Retry,
    /// A request named a `kid` that no key has.
    UnknownKey,
    /// A signature was bad although its `kid` has a key.
    BadSignature,
}

impl Refresh {
    const ALL: [Self; 5] = [
        Self::Start,
        Self::Scheduled,
        Self::Retry,
        Self::UnknownKey,
        Self::BadSignature,
    ];

    /// The causes that come with a token. A limit can suppress such a fetch.
    const BY_A_TOKEN: [Self; 2] = [Self::UnknownKey, Self::BadSignature];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Scheduled => "scheduled",
            Self::Retry => "retry",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
        }
    }
}

/// When a fetch began and ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

impl Time {
    fn took(self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }
}

impl Journal {
    pub(super) fn new(url: &str, name: Option<&'static str>) -> Self {
        Self {
            url: url.to_owned(),
            name,
            outage: None,
            skipped: Skipped::default(),
        }
    }

    /// Has every series of the metrics begin.
    pub(super) fn start_metrics(&self) {
        metrics::start(
            self.name,
            &Refresh::ALL.map(Refresh::as_str),
            &Refresh::BY_A_TOKEN.map(Refresh::as_str),
            &FetchError::CODES,
        );
    }

    /// Names a fetch that begins now.
    pub(super) fn refresh(&self, cause: Cause, has_fetched: bool) -> Refresh {
        match cause {
            Cause::UnknownKey => Refresh::UnknownKey,
            Cause::BadSignature => Refresh::BadSignature,
            Cause::Scheduled if self.outage.is_some() => Refresh::Retry,
            Cause::Scheduled if has_fetched => Refresh::Scheduled,
            Cause::Scheduled => Refresh::Start,
        }
    }

    /// A fetch begins.
    pub(super) fn fetching(&self, refresh: Refresh) {
        tracing::debug!(target: TARGET, cause = refresh.as_str(), "fetching keys");
    }

    /// A fetch succeeded with `new`, which replaces `old`.
    pub(super) fn fetched(
        &mut self,
        refresh: Refresh,
        time: Time,
        new: &KeySet,
        old: Option<&KeySet>,
    ) {
        // Update the state before logging: a subscriber may panic.
        let outage = self.outage.take();
        metrics::refreshed(self.name, refresh.as_str(), time.took());
        let cause = refresh.as_str();
        match old {
            None => tracing::info!(
                target: TARGET,
                cause,
                kids = ?new.kids(),
                "the signing keys are loaded",
            ),
            Some(old) if old.is_same_as(new) => {
                tracing::debug!(target: TARGET, cause, "the signing keys are the same as before");
            }
            Some(old) => tracing::info!(
                target: TARGET,
                cause,
                added = ?new.kids_not_in(old),
                gone = ?old.kids_not_in(new),
                replaced = ?new.kids_of_other_keys_in(old),
                "the signing keys have changed",
            ),
        }
        self.log_skipped(new.skipped());
        if let Some(outage) = outage {
            tracing::info!(
                target: TARGET,
                cause,
                url = self.url,
                failures = outage.failures,
                seconds = time.ended.saturating_duration_since(outage.began).as_secs(),
                "keys can be fetched again",
            );
        }
    }

    /// A fetch failed. The last good keys, if there are any, remain in use for `left`.
    pub(super) fn failed(
        &mut self,
        refresh: Refresh,
        time: Time,
        error: FetchError,
        left: Option<Duration>,
    ) {
        metrics::refresh_failed(self.name, refresh.as_str(), error.as_str(), time.took());
        let outage = self.outage.get_or_insert_with(|| Outage {
            began: time.ended,
            failures: 0,
            last: None,
            reasons: Vec::new(),
            is_past_the_limit: false,
        });
        outage.failures = outage.failures.saturating_add(1);
        let (cause, code, hint) = (refresh.as_str(), error.as_str(), error.hint());
        let reason = error.to_string();
        outage.last = Some(error);
        // One warning for each reason: an outage whose reason changes would otherwise hide the new
        // one. Both parts are of closed lists, so their number has a limit.
        if outage.reasons.contains(&(code, hint)) {
            tracing::debug!(target: TARGET, cause, code, reason, "keys still cannot be fetched");
            return;
        }
        outage.reasons.push((code, hint));
        match left {
            Some(left) => tracing::warn!(
                target: TARGET,
                cause,
                code,
                reason,
                hint,
                url = self.url,
                seconds_left = left.as_secs(),
                "keys cannot be fetched; the last good ones serve on",
            ),
            None => tracing::warn!(
                target: TARGET,
                cause,
                code,
                reason,
                hint,
                url = self.url,
                "keys cannot be fetched, and there are none; requests are answered with 503",
            ),
        }
    }

    /// Reports the age of the last good key set, and the time for which it remains in use.
    pub(super) fn aged(&self, age: Duration, left: Duration) {
        metrics::key_set_aged(self.name, age, left);
    }

    /// The last good keys are too old. Logged once in an outage, which has a line for its end; while
    /// no fetch has failed, a good one may be about to come.
    pub(super) fn ended(&mut self) {
        let Some(outage) = &mut self.outage else {
            return;
        };
        if std::mem::replace(&mut outage.is_past_the_limit, true) {
            return;
        }
        tracing::error!(
            target: TARGET,
            url = self.url,
            code = outage.last.as_ref().map(FetchError::as_str),
            "the last good keys are too old; requests are answered with 503",
        );
    }

    /// Reports that no key set has been fetched yet.
    pub(super) fn without_keys(&self) {
        metrics::no_key_set(self.name);
    }

    /// Logs the keys that are left out, if they differ from the previous fetch.
    fn log_skipped(&mut self, skipped: Skipped) {
        if skipped == std::mem::replace(&mut self.skipped, skipped) || skipped.is_empty() {
            return;
        }
        let text = "keys of the key set are left out";
        if skipped.has_faults() {
            tracing::warn!(target: TARGET, %skipped, url = self.url, "{text}");
        } else {
            tracing::info!(target: TARGET, %skipped, url = self.url, "{text}");
        }
    }
}
