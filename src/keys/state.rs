//! What the task and the requests have in common, and the snapshot of the keys in it.

#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
// A model checker's, for `tests/interleavings`.
#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicBool};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time,
};

use super::{
    chores::Chores,
    error::FetchError,
    fetch::Fetcher,
    journal::{Journal, Refresh},
    schedule::{Schedule, Verdict},
    set::KeySet,
    settings::KeySettings,
};
use crate::metrics;

/// The key set of one good fetch, as requests see it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) keys: Arc<KeySet>,
    /// Counts the key sets that differed from the one before.
    pub(crate) generation: u64,
    pub(super) fetched: Instant,
}

/// What is known about the keys of a [`Validator`](crate::Validator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The last fetch was good, and the next one is not overdue.
    Fresh,
    /// Fetches fail, or nobody makes them any more: see [`Validator`](crate::Validator). The last good
    /// key set serves for this much longer.
    Stale {
        /// The time left.
        remaining: Duration,
    },
    /// There are no usable keys: none were fetched yet, or fetches have failed for too long.
    /// Requests are answered with 503.
    Unavailable,
}

/// What the task and the requests have in common.
pub(super) struct Shared {
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    schedule: Mutex<Schedule>,
    /// Wakes the task when something is wanted.
    pub(super) wake: Notify,
    /// Tells the waiting that a fetch has ended.
    pub(super) progress: watch::Sender<()>,
    pub(super) waiters: Arc<Semaphore>,
    /// Why the last fetch was not good, if it was not.
    pub(super) problem: Mutex<Option<FetchError>>,
    pub(super) is_running: AtomicBool,
    journal: Mutex<Journal>,
    pub(super) task: Mutex<Option<AbortHandle>>,
    pub(super) chores: Chores,
    pub(super) fetcher: Fetcher,
    pub(super) settings: KeySettings,
}

impl Shared {
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

    /// Has something told. It is the program's subscriber that is told, and a panic of it must not be
    /// the end of the task.
    pub(super) fn tell(&self, news: impl FnOnce(&mut Journal)) {
        let _ = catch_unwind(AssertUnwindSafe(|| news(&mut self.journal())));
    }

    /// Counts a request that would have had keys fetched, and was not let.
    pub(super) fn suppress(&self, refresh: Refresh) {
        metrics::refresh_suppressed(self.settings.name, refresh.as_str());
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot
            .load_full()
            .filter(|snapshot| self.is_fit(snapshot))
    }

    pub(super) fn is_fit(&self, snapshot: &Snapshot) -> bool {
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

    pub(super) fn verdict(
        &self,
        kid: &str,
        worth_a_fetch: bool,
        came: u64,
        deadline: Instant,
    ) -> Verdict {
        // Within the lock, in which a fetch ends too: the key may have come since the caller looked
        // for it, and must not be wanted then.
        let mut schedule = self.schedule();
        match self.snapshot() {
            None => schedule.want_any(now(), deadline),
            // Whoever waits looks again first.
            Some(snapshot) if snapshot.keys.get(kid).is_some() => Verdict::Wait,
            Some(_) if worth_a_fetch => schedule.want_key(now(), kid, came),
            Some(_) => Verdict::Absent,
        }
    }

    pub(super) fn is_known_absent(&self, kid: &str) -> bool {
        let schedule = self.schedule();
        // Within the lock, like every verdict.
        let is_absent = self
            .snapshot()
            .is_some_and(|snapshot| snapshot.keys.get(kid).is_none());
        is_absent && schedule.is_known_absent(now(), kid)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime's clock, which tests can pause.
pub(super) fn now() -> Instant {
    time::Instant::now().into_std()
}
