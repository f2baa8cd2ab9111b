//! When are keys fetched, and what is a request told meanwhile?
//!
//! A pure state machine: state and time in, action and state out. [`source`](super::source)
//! drives it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::settings::KeySettings;

/// Why a fetch is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is time, or a failed fetch is tried again.
    Scheduled,
    /// A request named a `kid` that no key has.
    UnknownKey,
    /// A signature was bad although its `kid` has a key: the key may have been replaced.
    BadSignature,
}

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Fetch(Cause),
    /// Nothing until then, or until something is wanted.
    Sleep(Instant),
}

/// What a request that lacks a key is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A fetch that may bring the key is under way or about to start.
    Wait,
    /// The authority has no such key.
    Absent,
    /// Nobody knows whether it has. Worth another try after this time.
    Unavailable(Duration),
}

/// The fetch of a number, counted from one. Numbers are in the order of their starts, and there
/// is never more than one under way.
type Number = u64;

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Schedule {
    settings: KeySettings,
    /// How many fetches were started.
    started: Number,
    under_way: Option<(Number, Instant)>,
    /// The last fetch that ended, and whether it was good.
    ended: Option<(Number, bool)>,
    /// The last good one, and when it started.
    good: Option<(Number, Instant)>,
    /// How many fetches have failed since the last good one.
    failures: u32,
    /// When the next scheduled fetch is due.
    due: Instant,
    /// What a `Retry-After` asked for.
    not_before: Option<Instant>,
    /// Whether a request waits for a fetch that has not started.
    key_wanted: bool,
    /// The last fetch for an unknown key: its number and its start, from which the cool-down counts.
    for_unknown_key: Option<(Number, Instant)>,
    signature_wanted: bool,
    for_bad_signature: Option<Instant>,
    /// `kid`s that a good fetch did not bring, and until when they are not asked for again.
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

    /// What to do now. A fetch counts as started when this says so, and its cool-down with it.
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
        // Whichever caused it, the fetch answers every wish that came before it.
        self.key_wanted = false;
        self.signature_wanted = false;
        Action::Fetch(cause)
    }

    /// The fetch under way was good. `chance` is drawn from 0 to 1 and spreads replicas out.
    pub(super) fn succeeded(&mut self, now: Instant, chance: f64) {
        let Some((number, start)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, true));
        self.good = Some((number, start));
        self.failures = 0;
        self.not_before = None;
        let interval = self.settings.refresh_interval.mul_f64(0.9 + 0.2 * chance);
        // However close the stale limit lies, the next fetch comes before it.
        self.due = now + interval.min(self.settings.stale_limit.mul_f64(0.8 + 0.1 * chance));
    }

    /// The fetch under way was bad. `chance` is drawn from 0 to 1: full jitter.
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

    /// The driver died. A fetch that was under way is tried again soon, and does not count as a
    /// failure of the endpoint.
    pub(super) fn abandoned(&mut self, now: Instant, chance: f64) {
        let Some((number, _)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, false));
        self.due = now + self.settings.first_retry.mul_f64(chance);
    }

    /// How many fetches were started so far: what a request remembers when it arrives.
    pub(super) fn started(&self) -> Number {
        self.started
    }

    /// Whether the last fetch that ended was bad, or the next one should have ended by now: then
    /// nothing drives this any more.
    pub(super) fn is_failing(&self, now: Instant) -> bool {
        self.ended.is_some_and(|(_, good)| !good) || now > self.due + self.settings.total_timeout
    }

    /// A request that came after the start of fetch `came` names a `kid` that is in no key.
    pub(super) fn want_key(&mut self, now: Instant, kid: &str, came: Number) -> Verdict {
        // A fetch that began after the request came has the last word.
        if let Some((_, start)) = self.good.filter(|(number, _)| *number > came) {
            self.remember_absent(kid, start, now);
            return Verdict::Absent;
        }
        if self
            .ended
            .is_some_and(|(number, good)| number > came && !good)
        {
            return Verdict::Unavailable(self.until_next_try(now));
        }
        if self.is_known_absent(now, kid) {
            return Verdict::Absent;
        }
        if self.under_way.is_some() || self.key_wanted {
            return Verdict::Wait;
        }
        if self.cooling_down(now).is_some() || self.is_barred(now) {
            return Verdict::Unavailable(self.until_next_try(now));
        }
        self.key_wanted = true;
        Verdict::Wait
    }

    /// Whether a good fetch within the cool-down, or one that is remembered, did not bring this
    /// `kid`. Every good fetch after the one whose cool-down is running began within it too.
    pub(super) fn is_known_absent(&self, now: Instant, kid: &str) -> bool {
        let was_looked_for = self
            .cooling_down(now)
            .is_some_and(|number| self.good.is_some_and(|(good, _)| good >= number));
        was_looked_for || self.is_remembered_absent(kid, now)
    }

    /// A request needs any key set at all and can wait until `deadline`.
    pub(super) fn want_any(&self, now: Instant, deadline: Instant) -> Verdict {
        if self.under_way.is_some() || self.key_wanted || self.due <= deadline {
            Verdict::Wait
        } else {
            Verdict::Unavailable(self.until_next_try(now))
        }
    }

    /// A signature was bad under a known `kid`. Returns whether that is worth waking the driver.
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

    /// How long until a fetch can bring something new.
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

    /// The fetch whose cool-down is running.
    fn cooling_down(&self, now: Instant) -> Option<Number> {
        self.for_unknown_key
            .filter(|(_, start)| now < *start + self.settings.cool_down)
            .map(|(number, _)| number)
    }

    /// Remembers a `kid` for one cool-down from the start of the fetch that did not bring it.
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

/// Doubling a pause of 10 ms so often exceeds every limit a pause may have.
const MAX_DOUBLINGS: u32 = 20;

/// What a client is told to wait at the least; the header counts whole seconds.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "schedule_model.rs"]
mod model;
