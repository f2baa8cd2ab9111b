//! When keys are fetched, and whether a request waits for them.
//!
//! A pure state machine: state and time in, action and state out. The task drives it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::settings::KeySettings;

/// Why a fetch is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The refresh interval has passed, or a failed fetch is retried.
    Scheduled,
    /// A request named a `kid` that no key has.
    UnknownKey,
    /// A signature was bad although its `kid` has a key: the key may have been replaced.
    BadSignature,
}

/// The next step of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Fetch(Cause),
    /// Sleep until then, or until a fetch is requested.
    Sleep(Instant),
}

/// The result of looking up a key that the key set lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Wait: a fetch that may bring the key is under way or about to start.
    Wait,
    /// The authority has no such key.
    Absent,
    /// Unknown, because the last fetch failed or none may be made yet. Retry after this time.
    Unavailable(Duration),
}

/// The number of a fetch, counted from one in the order of the starts. At most one fetch is under
/// way.
type Number = u64;

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Schedule {
    settings: KeySettings,
    /// The number of fetches started so far.
    started: Number,
    under_way: Option<(Number, Instant)>,
    /// The last fetch that ended, and whether it succeeded.
    ended: Option<(Number, bool)>,
    /// The last good fetch, and its start.
    good: Option<(Number, Instant)>,
    /// The number of failed fetches since the last good one.
    failures: u32,
    /// When the next scheduled fetch is due.
    due: Instant,
    /// The end of the pause that a `Retry-After` asked for.
    not_before: Option<Instant>,
    /// Whether a request has asked for an unknown key since the last start.
    key_wanted: bool,
    /// The last fetch for an unknown key, and its start, from which the cool-down counts.
    for_unknown_key: Option<(Number, Instant)>,
    /// Whether a bad signature has asked for a fetch since the last start.
    signature_wanted: bool,
    /// The start of the last fetch for a bad signature.
    for_bad_signature: Option<Instant>,
    /// The `kid`s that a good fetch lacked, and until when they count as absent.
    absent: VecDeque<(Box<str>, Instant)>,
}

impl Schedule {
    /// The first fetch is due at once.
    pub(super) fn new(settings: KeySettings, now: Instant) -> Self {
        Self {
            settings,
            started: 0,
            under_way: None,
            ended: None,
            good: None,
            failures: 0,
            due: now,
            not_before: None,
            key_wanted: false,
            for_unknown_key: None,
            signature_wanted: false,
            for_bad_signature: None,
            absent: VecDeque::new(),
        }
    }

    /// The next step. A returned fetch counts as started, and its cool-down begins.
    pub(super) fn next(&mut self, now: Instant) -> Action {
        let is_barred = self.is_barred(now);
        let cause = if self.key_wanted && !is_barred {
            Cause::UnknownKey
        } else if self.signature_wanted && !is_barred {
            Cause::BadSignature
        } else if now >= self.due {
            Cause::Scheduled
        } else {
            return Action::Sleep(self.due);
        };
        self.started += 1;
        self.under_way = Some((self.started, now));
        match cause {
            Cause::UnknownKey => self.for_unknown_key = Some((self.started, now)),
            Cause::BadSignature => self.for_bad_signature = Some(now),
            Cause::Scheduled => {}
        }
        // Whatever its cause, the fetch serves every earlier request for one.
        self.key_wanted = false;
        self.signature_wanted = false;
        Action::Fetch(cause)
    }

    /// The fetch under way succeeded. `chance` is a random number from 0 to 1: the jitter keeps
    /// replicas from fetching at the same time.
    pub(super) fn succeeded(&mut self, now: Instant, chance: f64) {
        let Some((number, start)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, true));
        self.good = Some((number, start));
        self.failures = 0;
        self.not_before = None;
        let interval = self.settings.refresh_interval.mul_f64(0.9 + 0.2 * chance);
        // The next fetch is due before the stale limit, even if that is shorter than the interval.
        self.due = now + interval.min(self.settings.stale_limit.mul_f64(0.8 + 0.1 * chance));
    }

    /// The fetch under way failed. `chance` is a random number from 0 to 1: full jitter.
    pub(super) fn failed(&mut self, now: Instant, retry_after: Option<Duration>, chance: f64) {
        let Some((number, _)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, false));
        let doublings = self.failures.min(MAX_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        let longest = self
            .settings
            .first_retry
            .saturating_mul(1 << doublings)
            .min(self.settings.last_retry);
        let asked = retry_after
            .unwrap_or_default()
            .min(self.settings.max_retry_after);
        self.not_before = retry_after.map(|_| now + asked);
        self.due = now + longest.mul_f64(chance).max(asked);
    }

    /// The driver ended. A fetch that was under way is retried soon and does not count as a failure
    /// of the endpoint.
    pub(super) fn abandoned(&mut self, now: Instant, chance: f64) {
        let Some((number, _)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, false));
        self.due = now + self.settings.first_retry.mul_f64(chance);
    }

    /// The number of fetches started so far. A request notes it on arrival.
    pub(super) fn started(&self) -> Number {
        self.started
    }

    /// Whether the last fetch failed, or the next one should have ended by now: then the driver no
    /// longer runs.
    pub(super) fn is_failing(&self, now: Instant) -> bool {
        self.ended.is_some_and(|(_, good)| !good) || now > self.due + self.settings.total_timeout
    }

    /// A request names a `kid` that the key set lacks. `came` fetches had been started when it
    /// arrived.
    pub(super) fn want_key(&mut self, now: Instant, kid: &str, came: Number) -> Lookup {
        // A good fetch that began after the request arrived decides.
        if let Some((_, start)) = self.good.filter(|(number, _)| *number > came) {
            self.remember_absent(kid, start, now);
            return Lookup::Absent;
        }
        if self
            .ended
            .is_some_and(|(number, good)| number > came && !good)
        {
            return Lookup::Unavailable(self.until_next_try(now));
        }
        if self.is_known_absent(now, kid) {
            return Lookup::Absent;
        }
        if self.under_way.is_some() || self.key_wanted {
            return Lookup::Wait;
        }
        if self.cooling_down(now).is_some() || self.is_barred(now) {
            return Lookup::Unavailable(self.until_next_try(now));
        }
        self.key_wanted = true;
        Lookup::Wait
    }

    /// Whether a good fetch lacked this `kid`, either within the running cool-down or as
    /// remembered. Every good fetch with a later number began within that cool-down too.
    pub(super) fn is_known_absent(&self, now: Instant, kid: &str) -> bool {
        let was_looked_for = self
            .cooling_down(now)
            .is_some_and(|number| self.good.is_some_and(|(good, _)| good >= number));
        was_looked_for || self.is_remembered_absent(kid, now)
    }

    /// A request needs any key set and can wait until `deadline`.
    pub(super) fn want_any(&self, now: Instant, deadline: Instant) -> Lookup {
        if self.under_way.is_some() || self.key_wanted || self.due <= deadline {
            Lookup::Wait
        } else {
            Lookup::Unavailable(self.until_next_try(now))
        }
    }

    /// A signature was bad under a known `kid`. Returns whether the driver must be woken.
    pub(super) fn want_replacement(&mut self, now: Instant) -> bool {
        let spent = self
            .for_bad_signature
            .is_some_and(|start| now < start + self.settings.signature_interval);
        if spent || self.is_barred(now) || self.signature_wanted {
            return false;
        }
        self.signature_wanted = true;
        true
    }

    /// The time until a fetch can bring new keys.
    pub(super) fn until_next_try(&self, now: Instant) -> Duration {
        if self.under_way.is_some() {
            return SHORTEST_RETRY;
        }
        self.due.saturating_duration_since(now).max(SHORTEST_RETRY)
    }

    /// Whether a `Retry-After` forbids a fetch.
    fn is_barred(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|not_before| now < not_before)
    }

    /// The fetch whose cool-down is still running.
    fn cooling_down(&self, now: Instant) -> Option<Number> {
        self.for_unknown_key
            .filter(|(_, start)| now < *start + self.settings.cool_down)
            .map(|(number, _)| number)
    }

    /// Remembers a `kid` for one cool-down from the start of the fetch that lacked it.
    fn remember_absent(&mut self, kid: &str, start: Instant, now: Instant) {
        self.absent
            .retain(|(absent, until)| now < *until && absent.as_ref() != kid);
        if self.absent.len() >= self.settings.max_absent {
            self.absent.pop_front();
        }
        if self.absent.len() < self.settings.max_absent {
            self.absent
                .push_back((kid.into(), start + self.settings.cool_down));
        }
    }

    fn is_remembered_absent(&self, kid: &str, now: Instant) -> bool {
        self.absent
            .iter()
            .any(|(absent, until)| absent.as_ref() == kid && now < *until)
    }
}

/// 20 doublings of 10 ms, the shortest first pause, exceed 1 h, the longest last pause.
const MAX_DOUBLINGS: u32 = 20;

/// The shortest `Retry-After`; the header counts whole seconds.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "schedule_model.rs"]
mod model;
