//! The state that the task and the requests share, and the snapshot of the keys in it.

#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
// The model checker's, for `tests/interleavings`.
#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicBool};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time,
};

use super::{
    chores::Chores,
    fetch::Fetcher,
    journal::{Journal, Refresh},
    schedule::{Lookup, Schedule},
    set::KeySet,
    settings::KeySettings,
};
use crate::metrics;

/// The key set of the last good fetch. Immutable: a request loads one snapshot and keeps to it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) keys: Arc<KeySet>,
    /// Increases by one with each key set that differs from the one before.
    pub(crate) generation: u64,
    pub(super) fetched: Instant,
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

/// The state of the keys of a [`Validator`](crate::Validator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The last fetch was good, and the next one is not overdue.
    Fresh,
    /// Fetches fail, or the task no longer runs: see [`Validator`](crate::Validator). The last good
    /// key set remains in use for this time.
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
    /// Wakes the task.
    pub(super) wake: Notify,
    /// Notifies waiting requests that a fetch, or the task, has ended.
    pub(super) progress: watch::Sender<()>,
    pub(super) waiters: Arc<Semaphore>,
    /// The error of the last fetch, if it failed, in words. Made once for each fetch, because every
    /// request that lacks a key repeats them.
    pub(super) problem: Mutex<Option<Arc<str>>>,
    pub(super) is_running: AtomicBool,
    journal: Mutex<Journal>,
    pub(super) task: Mutex<Option<AbortHandle>>,
    pub(super) chores: Chores,
    pub(super) fetcher: Fetcher,
    pub(super) settings: KeySettings,
}

impl SourceState {
    pub(super) fn new(fetcher: Fetcher, settings: KeySettings) -> Self {
        Self {
            snapshot: ArcSwapOption::empty(),
            schedule: Mutex::new(Schedule::new(settings.clone(), now())),
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
        self.snapshot
            .load_full()
            .filter(|snapshot| self.is_usable(snapshot))
    }

    pub(super) fn is_usable(&self, snapshot: &Snapshot) -> bool {
        !self.remaining(snapshot).is_zero()
    }

    pub(super) fn snapshot_with(&self, kid: &str) -> Option<Arc<Snapshot>> {
        self.snapshot()
            .filter(|snapshot| snapshot.keys.get(kid).is_some())
    }

    pub(super) fn remaining(&self, snapshot: &Snapshot) -> Duration {
        self.settings
            .stale_limit
            .saturating_sub(now().saturating_duration_since(snapshot.fetched))
    }

    pub(super) fn status(&self) -> KeyStatus {
        let Some(snapshot) = self.snapshot() else {
            return KeyStatus::Unavailable;
        };
        if self.schedule().is_failing(now()) {
            KeyStatus::Stale {
                remaining: self.remaining(&snapshot),
            }
        } else {
            KeyStatus::Fresh
        }
    }

    /// Whether a request waits for the `kid`. `came` is the number of fetches that had been started
    /// when the request arrived.
    pub(super) fn look_up(
        &self,
        kid: &str,
        worth_a_fetch: bool,
        came: u64,
        deadline: Instant,
    ) -> Lookup {
        // A fetch ends under this lock too. Without it, a key that arrived since the caller's
        // look-up would be fetched again.
        let mut schedule = self.schedule();
        match self.snapshot() {
            None => schedule.want_any(now(), deadline),
            // The caller looks up the snapshot again before it waits.
            Some(snapshot) if snapshot.keys.get(kid).is_some() => Lookup::Wait,
            Some(snapshot) if worth_a_fetch => {
                schedule.want_key(now(), kid, came, snapshot.has_withdrawn(kid))
            }
            Some(_) => Lookup::Absent,
        }
    }

    /// The answer to a request for this `kid` that needs nothing else of the token.
    pub(super) fn answer_at_once(&self, kid: &str) -> Option<Lookup> {
        let schedule = self.schedule();
        // Under the lock, as in `look_up`. No reference is taken, for which threads would contend.
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_deref();
        let snapshot = snapshot.filter(|snapshot| self.is_usable(snapshot))?;
        match snapshot.keys.get(kid) {
            Some(_) => None,
            None => schedule.answer_at_once(now(), kid, snapshot.has_withdrawn(kid)),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time by tokio's clock, which tests can pause.
pub(super) fn now() -> Instant {
    time::Instant::now().into_std()
}
