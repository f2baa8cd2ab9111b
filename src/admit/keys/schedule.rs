//! When keys are fetched, and whether a request waits for them.
//!
//! A pure state machine: state and time in, action and state out. The task drives it.
//!
//! What falls due does so by the clock that comes to it first: the monotonic one stands still while
//! the machine sleeps. Budgets (cool-downs, intervals) count by the monotonic clock alone, so that no
//! clock that is set ahead spends them twice.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::settings::KeySettings;
use crate::moment::{Moment, SLACK};

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
    /// Not known: in the cool-down no fetch is made for this key. Retry after this time.
    NotLookedUp(Duration),
    /// Not known: the last fetch failed, or the endpoint has asked for a pause. Retry after this
    /// time.
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
    due: Moment,
    /// The end of the pause that a `Retry-After` asked for.
    not_before: Option<Moment>,
    /// Whether a request has asked for an unknown key since the last start.
    key_wanted: bool,
    /// The last fetch for an unknown key, and its start, from which the cool-down counts.
    for_unknown_key: Option<(Number, Instant)>,
    /// Whether a bad signature has asked for a fetch since the last start.
    signature_wanted: bool,
    /// The start of the last fetch for a bad signature.
    for_bad_signature: Option<Instant>,
    /// The `kid`s for which requests have waited, the oldest first.
    asked: VecDeque<Asked>,
}

/// A `kid` for which a request has waited.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Asked {
    kid: Box<str>,
    /// The number of fetches that had been started when it was first asked for.
    came: Number,
    /// Until when it counts as absent, once a good fetch that began later has ended.
    absent_until: Option<Instant>,
}

impl Schedule {
    /// The first fetch is due at once.
    pub(super) fn new(settings: KeySettings, now: Moment) -> Self {
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
            asked: VecDeque::new(),
        }
    }

    /// The next step. A returned fetch counts as started, and its cool-down begins.
    pub(super) fn next(&mut self, now: Moment) -> Action {
        let is_barred = self.is_barred(now);
        let cause = if self.key_wanted && !is_barred {
            Cause::UnknownKey
        } else if self.signature_wanted && !is_barred {
            Cause::BadSignature
        } else if now.has_reached(self.due) {
            Cause::Scheduled
        } else {
            return Action::Sleep(self.due.monotonic);
        };
        let start = now.monotonic;
        self.started += 1;
        self.under_way = Some((self.started, start));
        match cause {
            Cause::UnknownKey => self.for_unknown_key = Some((self.started, start)),
            Cause::BadSignature => self.for_bad_signature = Some(start),
            Cause::Scheduled => {}
        }
        // Whatever its cause, the fetch serves every earlier request for one.
        self.key_wanted = false;
        self.signature_wanted = false;
        self.end_the_pause();
        Action::Fetch(cause)
    }

    /// The fetch under way succeeded. `chance` is a random number from 0 to 1: the jitter keeps
    /// replicas from fetching at the same time.
    pub(super) fn succeeded(&mut self, now: Moment, chance: f64) {
        let Some((number, start)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, true));
        self.good = Some((number, start));
        self.failures = 0;
        self.not_before = None;
        // Keys that the fetch has brought are among them; no request looks these up.
        let until = start + self.settings.cool_down;
        for asked in &mut self.asked {
            if asked.came < number {
                asked.absent_until.get_or_insert(until);
            }
        }
        let interval = self.settings.refresh_interval.mul_f64(0.9 + 0.2 * chance);
        // The next fetch is due before the stale limit, even if that is shorter than the interval.
        self.due = now + interval.min(self.settings.stale_limit.mul_f64(0.8 + 0.1 * chance));
    }

    /// The fetch under way failed. `chance` is a random number from 0 to 1: full jitter.
    pub(super) fn failed(&mut self, now: Moment, retry_after: Option<Duration>, chance: f64) {
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
    pub(super) fn abandoned(&mut self, now: Moment, chance: f64) {
        let Some((number, _)) = self.under_way.take() else {
            return;
        };
        self.ended = Some((number, false));
        self.due = now + self.settings.first_retry.mul_f64(chance);
    }

    /// When the wall clock comes to the next scheduled fetch, unless one is under way.
    pub(super) fn due_by_the_wall_clock(&self) -> Option<Duration> {
        self.under_way.is_none().then_some(self.due.wall + SLACK)
    }

    /// The number of fetches started so far. A request notes it on arrival.
    pub(super) fn started(&self) -> Number {
        self.started
    }

    /// Whether there has been a good fetch.
    pub(super) fn has_succeeded(&self) -> bool {
        self.good.is_some()
    }

    /// Whether the last fetch failed, or the next one should have ended by now: then the driver no
    /// longer runs.
    pub(super) fn is_failing(&self, now: Moment) -> bool {
        let is_late = || {
            let late = now.since(self.due);
            late > self.settings.total_timeout
        };
        self.ended.is_some_and(|(_, good)| !good) || is_late()
    }

    /// A request names a `kid` that the key set lacks. `came` fetches had been started when it
    /// arrived. `is_withdrawn` says that an earlier key set had the `kid`.
    pub(super) fn want_key(
        &mut self,
        now: Moment,
        kid: &str,
        came: Number,
        is_withdrawn: bool,
    ) -> Lookup {
        // A good fetch that began after the request arrived decides.
        if self.good.is_some_and(|(number, _)| number > came) {
            return Lookup::Absent;
        }
        if self
            .ended
            .is_some_and(|(number, good)| number > came && !good)
        {
            return Lookup::Unavailable(self.until_next_try(now));
        }
        if let Some(lookup) = self.answer_at_once(now, kid, is_withdrawn) {
            return lookup;
        }
        if self.under_way.is_none() && !self.key_wanted {
            if self.is_barred(now) {
                return Lookup::Unavailable(self.until_next_try(now));
            }
            self.key_wanted = true;
            self.end_the_pause();
        }
        self.remember(kid, came, now);
        Lookup::Wait
    }

    /// The answer to a request for a `kid` that the key set lacks, if it depends on nothing but the
    /// `kid`: the key is known to be absent, or no fetch is made for it in the cool-down.
    ///
    /// A key that no fetch has looked for is not absent: an invented `kid`, which costs its sender
    /// nothing, would otherwise have the tokens of a new key refused for one cool-down.
    pub(super) fn answer_at_once(
        &self,
        now: Moment,
        kid: &str,
        is_withdrawn: bool,
    ) -> Option<Lookup> {
        if self.is_remembered_absent(kid, now) {
            return Some(Lookup::Absent);
        }
        let (number, end) = self.cooling_down(now)?;
        let left = end.saturating_duration_since(now.monotonic);
        let has_succeeded = self.good.is_some_and(|(good, _)| good >= number);
        if self.under_way.is_some() && !has_succeeded {
            return None;
        }
        if is_withdrawn {
            return Some(Lookup::Absent);
        }
        let barred = self.not_before.map(|not_before| now.until(not_before));
        let left = left.max(barred.unwrap_or_default());
        Some(Lookup::NotLookedUp(left.max(SHORTEST_RETRY)))
    }

    /// A request needs any key set and can wait for this long.
    pub(super) fn want_any(&self, now: Moment, wait: Duration) -> Lookup {
        if self.under_way.is_some() || self.key_wanted || now.until(self.due) <= wait {
            Lookup::Wait
        } else {
            Lookup::Unavailable(self.until_next_try(now))
        }
    }

    /// A signature was bad under a known `kid`. Returns whether the driver must be woken.
    pub(super) fn want_replacement(&mut self, now: Moment) -> bool {
        let may_want = self.may_want_replacement(now);
        if may_want {
            self.signature_wanted = true;
            self.end_the_pause();
        }
        may_want
    }

    /// Whether a bad signature could have keys fetched.
    pub(super) fn may_want_replacement(&self, now: Moment) -> bool {
        let spent = self
            .for_bad_signature
            .is_some_and(|start| now.monotonic < start + self.settings.signature_interval);
        !spent && !self.is_barred(now) && !self.signature_wanted
    }

    /// The time until a fetch can bring new keys.
    pub(super) fn until_next_try(&self, now: Moment) -> Duration {
        if self.under_way.is_some() {
            return SHORTEST_RETRY;
        }
        now.until(self.due).max(SHORTEST_RETRY)
    }

    /// Whether a `Retry-After` forbids a fetch.
    fn is_barred(&self, now: Moment) -> bool {
        self.not_before
            .is_some_and(|not_before| !now.has_reached(not_before))
    }

    /// A request has asked for a fetch, or one has begun. The pause does not begin again if the wall
    /// clock, by which it may have ended, is then set back.
    fn end_the_pause(&mut self) {
        self.not_before = None;
    }

    /// The fetch whose cool-down is still running, and its end.
    fn cooling_down(&self, now: Moment) -> Option<(Number, Instant)> {
        self.for_unknown_key
            .map(|(number, start)| (number, start + self.settings.cool_down))
            .filter(|(_, end)| now.monotonic < *end)
    }

    /// Remembers that a request waits for this `kid`.
    fn remember(&mut self, kid: &str, came: Number, now: Moment) {
        self.asked
            .retain(|asked| asked.absent_until.is_none_or(|until| now.monotonic < until));
        if self.asked.iter().any(|asked| asked.kid.as_ref() == kid) {
            return;
        }
        if self.asked.len() >= self.settings.max_absent {
            self.asked.pop_front();
        }
        if self.asked.len() < self.settings.max_absent {
            self.asked.push_back(Asked {
                kid: kid.into(),
                came,
                absent_until: None,
            });
        }
    }

    /// Whether a good fetch that began after this `kid` was first asked for lacked it, at most one
    /// cool-down ago.
    fn is_remembered_absent(&self, kid: &str, now: Moment) -> bool {
        self.asked.iter().any(|asked| {
            let is_absent = asked
                .absent_until
                .is_some_and(|until| now.monotonic < until);
            is_absent && asked.kid.as_ref() == kid
        })
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
