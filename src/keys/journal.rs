//! What an operator is told of the keys: each event once, in the log and in the metrics.
//!
//! Only the task writes here, and so nothing a request does makes a line.

use std::time::{Duration, Instant};

use super::{
    error::{FetchError, TARGET},
    schedule::Cause,
    set::KeySet,
    skipped::Skipped,
};
use crate::metrics;

/// What has been told, so that it is not told again.
#[derive(Debug)]
pub(super) struct Journal {
    /// The discovery document's.
    url: String,
    /// Tells key sources apart in the metrics.
    name: Option<&'static str>,
    /// Whether there was a usable key set that nobody has yet said to be too old.
    has_served: bool,
    outage: Option<Outage>,
    /// What the last good key set left out.
    skipped: Skipped,
}

/// Fetches have failed since then.
#[derive(Debug)]
struct Outage {
    began: Instant,
    failures: u32,
    last: FetchError,
    /// The reasons that were warned of.
    reasons: Vec<&'static str>,
}

/// Why a fetch is made, as an operator sees it. A closed list, for the log and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// There have never been keys.
    Start,
    /// It is time.
    Scheduled,
    /// The one before has failed.
    Retry,
    /// A request named a `kid` that no key has.
    UnknownKey,
    /// A signature was bad although its `kid` has a key.
    BadSignature,
}

impl Refresh {
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

impl Journal {
    pub(super) fn new(url: &str, name: Option<&'static str>) -> Self {
        Self {
            url: url.to_owned(),
            name,
            has_served: false,
            outage: None,
            skipped: Skipped::default(),
        }
    }

    /// What a fetch is to be called that begins now.
    pub(super) fn refresh(&self, cause: Cause, has_keys: bool) -> Refresh {
        match cause {
            Cause::UnknownKey => Refresh::UnknownKey,
            Cause::BadSignature => Refresh::BadSignature,
            Cause::Scheduled if self.outage.is_some() => Refresh::Retry,
            Cause::Scheduled if has_keys => Refresh::Scheduled,
            Cause::Scheduled => Refresh::Start,
        }
    }

    /// A fetch begins.
    pub(super) fn fetching(&self, refresh: Refresh) {
        tracing::debug!(target: TARGET, cause = refresh.as_str(), "fetching keys");
    }

    /// A fetch has brought `new`. The set before it is `old`, unless there was none.
    pub(super) fn fetched(
        &mut self,
        refresh: Refresh,
        now: Instant,
        new: &KeySet,
        old: Option<&KeySet>,
    ) {
        // What is to be known is known before anything is told: a subscriber may panic at that.
        self.has_served = true;
        let outage = self.outage.take();
        metrics::refreshed(self.name, refresh.as_str());
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
        self.tell_skipped(new.skipped());
        if let Some(outage) = outage {
            tracing::info!(
                target: TARGET,
                cause,
                url = self.url,
                failures = outage.failures,
                seconds = now.saturating_duration_since(outage.began).as_secs(),
                "keys can be fetched again",
            );
        }
    }

    /// A fetch was not good. The last good keys serve for so much longer, if there are any.
    pub(super) fn failed(
        &mut self,
        refresh: Refresh,
        now: Instant,
        error: FetchError,
        left: Option<Duration>,
    ) {
        metrics::refresh_failed(self.name, refresh.as_str(), error.as_str());
        let outage = self.outage.get_or_insert_with(|| Outage {
            began: now,
            failures: 0,
            last: error,
            reasons: Vec::new(),
        });
        outage.failures = outage.failures.saturating_add(1);
        outage.last = error;
        let (cause, reason) = (refresh.as_str(), error.as_str());
        // Once for each reason of an outage: the first one may hide another.
        if outage.reasons.contains(&reason) {
            tracing::debug!(target: TARGET, cause, reason, %error, "keys still cannot be fetched");
            return;
        }
        outage.reasons.push(reason);
        match left {
            Some(left) => tracing::warn!(
                target: TARGET,
                cause,
                reason,
                %error,
                url = self.url,
                seconds_left = left.as_secs(),
                "keys cannot be fetched; the last good ones serve on",
            ),
            None => tracing::warn!(
                target: TARGET,
                cause,
                reason,
                %error,
                url = self.url,
                "keys cannot be fetched, and there are none; requests are answered with 503",
            ),
        }
    }

    /// The last good key set is so old, and serves for so much longer.
    pub(super) fn aged(&mut self, age: Duration, left: Duration) {
        metrics::key_set_aged(self.name, age, left);
        if !left.is_zero() || !std::mem::take(&mut self.has_served) {
            return;
        }
        let last = self.outage.as_ref().map(|outage| outage.last);
        tracing::error!(
            target: TARGET,
            reason = last.map(FetchError::as_str),
            url = self.url,
            "the last good keys are too old; requests are answered with 503",
        );
    }

    /// Whether the end of the last good key set has yet to be told.
    pub(super) fn awaits_the_end(&self) -> bool {
        self.has_served
    }

    /// There has never been a key set.
    pub(super) fn none_yet(&self) {
        metrics::no_key_set(self.name);
    }

    /// Keys that are left out, whenever they are not those of the last time.
    fn tell_skipped(&mut self, skipped: Skipped) {
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
