//! The task that fetches.

#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicBool, Ordering};
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    panic::catch_unwind,
    sync::Arc,
    time::{Duration, Instant},
};

// A model checker's, for `tests/interleavings`.
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, Ordering};
use tokio::{runtime::Handle, task::JoinSet, time};

use super::{
    error::FetchError,
    journal::Refresh,
    schedule::Action,
    set::KeySet,
    state::{Shared, Snapshot, lock, now},
};
use crate::metrics;

impl Shared {
    pub(super) fn ensure_running(self: &Arc<Self>) -> Start {
        if self.is_running.load(Ordering::Acquire) {
            return Start::Possible;
        }
        let Some(runtime) = runtime_with_a_timer() else {
            return Start::Possible;
        };
        // Held until the handle is in its place, so that the handle is the running task's.
        let mut task = lock(&self.task);
        if self.is_running.swap(true, Ordering::AcqRel) {
            return Start::Possible;
        }
        let running = Running(Arc::clone(self));
        let has_begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&has_begun);
        let handle = runtime.spawn(async move {
            begins.store(true, Ordering::Release);
            running.0.run().await;
        });
        *task = Some(handle.abort_handle());
        if handle.is_finished() && !has_begun.load(Ordering::Acquire) {
            return Start::Refused;
        }
        Start::Possible
    }

    /// The one task of a key source.
    async fn run(&self) {
        metrics::describe();
        let mut chores_due = now() + MINUTE;
        loop {
            self.look();
            if now() >= chores_due {
                self.chores.attend();
                chores_due = now() + MINUTE;
            }
            let action = self.schedule().next(now());
            match action {
                Action::Sleep(until) => {
                    let look = self.next_look();
                    let chores = (!self.chores.is_empty()).then_some(chores_due);
                    let until = [look, chores]
                        .into_iter()
                        .flatten()
                        .fold(until, Instant::min);
                    // The early wake-up is a wish that `next` knows about, or time to look.
                    let _ = time::timeout_at(until.into(), self.wake.notified()).await;
                }
                Action::Fetch(cause) => {
                    let has_keys = self.snapshot.load().is_some();
                    let refresh = self.journal().refresh(cause, has_keys);
                    self.tell(|journal| journal.fetching(refresh));
                    let result = self.fetch().await;
                    self.end_fetch(refresh, result);
                }
            }
        }
    }

    /// Tells how old the keys are.
    fn look(&self) {
        match self.snapshot.load_full() {
            Some(snapshot) => {
                let age = now().saturating_duration_since(snapshot.fetched);
                let left = self.remaining(&snapshot);
                self.tell(|journal| journal.aged(age, left));
            }
            None => self.tell(|journal| journal.none_yet()),
        }
    }

    /// When to look again, though there is nothing to fetch: at the end of the last good keys, so
    /// that it is told in time; and for the metrics, whose gauges would stand still otherwise.
    fn next_look(&self) -> Option<Instant> {
        let snapshot = self.snapshot.load_full()?;
        let end = snapshot.fetched + self.settings.stale_limit;
        let end = self.journal().awaits_the_end().then_some(end);
        let tick = metrics::CADENCE.map(|cadence| now() + cadence);
        [end, tick].into_iter().flatten().min()
    }

    /// Fetches within the time limit. A panic is a failure like any other.
    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let fetcher = self.fetcher.clone();
        let limit = self.settings.total_timeout;
        // Dropping the set, as when the task is aborted, aborts what is in it.
        let mut fetch = JoinSet::new();
        fetch.spawn(async move { time::timeout(limit, fetcher.fetch()).await });
        match fetch.join_next().await {
            Some(Ok(Ok(result))) => result,
            Some(Ok(Err(_))) => Err(FetchError::TimedOut),
            Some(Err(_)) | None => Err(FetchError::Panicked),
        }
    }

    fn end_fetch(&self, refresh: Refresh, result: Result<KeySet, FetchError>) {
        // Before anybody who waits is told that the fetch has ended.
        *lock(&self.problem) = result.as_ref().err().copied();
        match result {
            Ok(keys) => {
                let keys = Arc::new(keys);
                let old = self.snapshot.load_full();
                self.publish(&keys, old.as_deref());
                self.progress.send_replace(());
                let old_keys = old.as_ref().map(|old| old.keys.as_ref());
                self.tell(|journal| journal.fetched(refresh, now(), &keys, old_keys));
            }
            Err(error) => {
                self.schedule().failed(now(), error.retry_after(), chance());
                self.progress.send_replace(());
                let left = self.snapshot().map(|snapshot| self.remaining(&snapshot));
                self.tell(|journal| journal.failed(refresh, now(), error, left));
            }
        }
    }

    fn publish(&self, keys: &Arc<KeySet>, old: Option<&Snapshot>) {
        let generation = match old {
            None => 1,
            Some(old) if old.keys.is_same_as(keys) => old.generation,
            Some(old) => old.generation + 1,
        };
        let fetched = now();
        // At once: whoever sees that a good fetch has ended sees what it brought.
        let mut schedule = self.schedule();
        self.snapshot.store(Some(Arc::new(Snapshot {
            keys: Arc::clone(keys),
            generation,
            fetched,
        })));
        schedule.succeeded(fetched, chance());
    }
}

/// What became of the wish that the task run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It runs, or may on another call.
    Possible,
    /// The runtime of the caller has ended, and runs nothing any more.
    Refused,
}

/// Held by the task. When the task ends, whatever ended it, the next request can start another.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.schedule().abandoned(now(), chance());
        self.0.is_running.store(false, Ordering::Release);
        self.0.progress.send_replace(());
    }
}

/// The runtime of the caller, if it has one whose timer is enabled. To make a timer without is a
/// panic, which must not happen to a request.
pub(super) fn runtime_with_a_timer() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    let make_a_timer = || drop(Box::pin(time::sleep(Duration::ZERO)));
    catch_unwind(make_a_timer).is_ok().then_some(runtime)
}

/// A number from 0 to 1 for spreading things out; nothing secret hangs on it.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let half = u32::try_from(random >> 32).unwrap_or_default();
    f64::from(half) / f64::from(u32::MAX)
}

const MINUTE: Duration = Duration::from_secs(60);
