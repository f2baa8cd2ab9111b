//! The state that the task and the requests share, and the snapshot of the keys in it.

#[cfg(not(shuttle))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
// The model checker's, for `tests/interleavings`.
#[cfg(shuttle)]
use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
};

use super::{
    chores::Chores,
    error::KeyError,
    fetch::Fetcher,
    journal::{Journal, Refresh},
    schedule::{Lookup, Schedule},
    set::KeySet,
    settings::KeySettings,
};
use crate::metrics;
use crate::moment::Moment;

/// The key set of the last good fetch, or before any the initial one. Immutable: a request loads one
/// snapshot and keeps to it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) keys: Arc<KeySet>,
    /// Increases by one with each key set that differs from the one before.
    pub(crate) generation: u64,
    pub(super) fetched: Moment,
    /// The `kid`s of earlier key sets that this one lacks, the newest first.
    pub(super) withdrawn: Vec<Box<str>>,
}

impl Snapshot {
    /// The `kid`s that are withdrawn once `new` replaces this key set: at most `most` of them.
    pub(super) fn withdrawn_by(&self, new: &KeySet, most: usize) -> Vec<Box<str>> {
        let earlier = self.withdrawn.iter().map(AsRef::as_ref);
        let earlier = earlier.filter(|kid| new.get(kid).is_none());
        let gone = self.keys.kids_not_in(new).into_iter();
        gone.chain(earlier).take(most).map(Box::from).collect()
    }

    fn has_withdrawn(&self, kid: &str) -> bool {
        self.withdrawn.iter().any(|withdrawn| **withdrawn == *kid)
    }
}

/// The state of the keys of a [`Validator`](crate::Validator). Why the last fetch failed, if it did, is
/// in [`Validator::last_key_error`](crate::Validator::last_key_error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The last fetch was good, and the next one is not overdue by either clock.
    Fresh,
    /// Fetches fail, or the task no longer runs: see [`Validator`](crate::Validator). The last good
    /// key set remains in use for this time. So do
    /// [initial keys](crate::ValidatorBuilder::initial_keys) until the first good fetch.
    Stale {
        /// The time left.
        remaining: Duration,
    },
    /// There are no usable keys: none have been fetched yet, or fetches have failed for too long.
    /// Requests are answered with 503.
    Unavailable,
}

/// The state of one key source.
pub(super) struct SourceState {
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    schedule: Mutex<Schedule>,
    /// When the next scheduled fetch is due by the wall clock, in milliseconds since 1970. Greater
    /// than any time once a request has woken the task.
    due: AtomicU64,
    /// Wakes the task.
    pub(super) wake: Notify,
    /// Notifies waiting requests that a fetch, or the task, has ended.
    pub(super) progress: watch::Sender<()>,
    pub(super) waiters: Arc<Semaphore>,
    /// The error of the last fetch, if it failed. Its words are made once for each fetch, because
    /// every request that lacks a key repeats them.
    pub(super) problem: Mutex<Option<KeyError>>,
    pub(super) is_running: AtomicBool,
    journal: Mutex<Journal>,
    pub(super) task: Mutex<Option<AbortHandle>>,
    pub(super) chores: Chores,
    pub(super) fetcher: Fetcher,
    pub(super) settings: KeySettings,
}

impl SourceState {
    /// The age of the initial keys counts from now.
    pub(super) fn new(fetcher: Fetcher, settings: KeySettings, initial: Option<KeySet>) -> Self {
        let initial = initial.map(|keys| Snapshot {
            keys: Arc::new(keys),
            generation: 1,
            fetched: Moment::now(),
            withdrawn: Vec::new(),
        });
        Self {
            snapshot: ArcSwapOption::from_pointee(initial),
            schedule: Mutex::new(Schedule::new(settings.clone(), Moment::now())),
            due: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
            progress: watch::channel(()).0,
            waiters: Arc::new(Semaphore::new(settings.max_waiters)),
            problem: Mutex::new(None),
            is_running: AtomicBool::new(false),
            journal: Mutex::new(Journal::new(&fetcher.rules().discovery_url, settings.name)),
            task: Mutex::new(None),
            chores: Chores::default(),
            fetcher,
            settings,
        }
    }

    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    /// Writes to the journal. The subscriber belongs to the program: if it panics, the task must
    /// survive.
    pub(super) fn log(&self, write: impl FnOnce(&mut Journal)) {
        let _ = catch_unwind(AssertUnwindSafe(|| write(&mut self.journal())));
    }

    /// Counts a request that asked for a fetch and got none.
    pub(super) fn count_suppressed(&self, refresh: Refresh) {
        metrics::refresh_suppressed(self.settings.name, refresh.as_str());
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let now = Moment::now();
        self.snapshot
            .load_full()
            .filter(|snapshot| self.is_usable(snapshot, now))
    }

    pub(super) fn is_usable(&self, snapshot: &Snapshot, now: Moment) -> bool {
        !self.remaining(snapshot, now).is_zero()
    }

    pub(super) fn snapshot_with(&self, kid: &str) -> Option<Arc<Snapshot>> {
        self.snapshot()
            .filter(|snapshot| snapshot.keys.get(kid).is_some())
    }

    pub(super) fn remaining(&self, snapshot: &Snapshot, now: Moment) -> Duration {
        let age = now.since(snapshot.fetched);
        self.settings.stale_limit.saturating_sub(age)
    }

    pub(super) fn status(&self) -> KeyStatus {
        let now = Moment::now();
        self.wake_if_overdue(now);
        let snapshot = self.snapshot.load_full();
        let remaining = snapshot.map_or(Duration::ZERO, |snapshot| self.remaining(&snapshot, now));
        if remaining.is_zero() {
            return KeyStatus::Unavailable;
        }
        let schedule = self.schedule();
        if schedule.has_succeeded() && !schedule.is_failing(now) {
            KeyStatus::Fresh
        } else {
            KeyStatus::Stale { remaining }
        }
    }

    /// Wakes the task if it has overslept: its timer stands still while the machine sleeps. Once for
    /// each of its sleeps, however many ask.
    pub(super) fn wake_if_overdue(&self, now: Moment) {
        let now = milliseconds(now.wall);
        if now >= self.due.load(Ordering::Relaxed)
            && now >= self.due.swap(u64::MAX, Ordering::Relaxed)
        {
            self.wake.notify_one();
        }
    }

    /// The task sleeps.
    pub(super) fn sleeps(&self) {
        let due = self.schedule().due_by_the_wall_clock();
        self.due
            .store(due.map_or(u64::MAX, milliseconds), Ordering::Relaxed);
    }

    /// Whether a request waits for the `kid`. `came` is the number of fetches that had been started
    /// when the request arrived.
    pub(super) fn look_up(
        &self,
        kid: &str,
        worth_a_fetch: bool,
        came: u64,
        wait: Duration,
    ) -> Lookup {
        let now = Moment::now();
        // A fetch ends under this lock too. Without it, a key that arrived since the caller's
        // look-up would be fetched again.
        let mut schedule = self.schedule();
        match self.snapshot() {
            None => schedule.want_any(now, wait),
            // The caller looks up the snapshot again before it waits.
            Some(snapshot) if snapshot.keys.get(kid).is_some() => Lookup::Wait,
            Some(snapshot) if worth_a_fetch => {
                schedule.want_key(now, kid, came, snapshot.has_withdrawn(kid))
            }
            Some(_) => Lookup::Absent,
        }
    }

    /// The answer to a request for this `kid` that needs nothing else of the token.
    pub(super) fn answer_at_once(&self, kid: &str) -> Option<Lookup> {
        let now = Moment::now();
        let schedule = self.schedule();
        // Under the lock, as in `look_up`. No reference is taken, for which threads would contend.
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_deref();
        let snapshot = snapshot.filter(|snapshot| self.is_usable(snapshot, now))?;
        match snapshot.keys.get(kid) {
            Some(_) => None,
            None => schedule.answer_at_once(now, kid, snapshot.has_withdrawn(kid)),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(all(test, feature = "testing"))]
#[path = "sleep_tests.rs"]
mod tests;
