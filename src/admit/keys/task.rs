//! The background task that fetches keys.

#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicBool, Ordering};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

// The model checker's, for `tests/interleavings`.
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, Ordering};
use tokio::{task::JoinSet, time};

use super::{
    error::{FetchError, KeyError},
    journal::{Journal, Refresh, Time},
    schedule::Action,
    set::KeySet,
    spans::RefreshSpan,
    state::{Snapshot, SourceState, lock},
};
use crate::chance::random_fraction;
use crate::metrics;
use crate::moment::{Moment, now};
use crate::runtime::runtime_with_a_timer;

impl SourceState {
    /// Starts the task on the caller's runtime unless it runs.
    pub(super) fn ensure_running(self: &Arc<Self>) -> Start {
        if self.is_running.load(Ordering::Acquire) {
            return Start::Possible;
        }
        let Some(runtime) = runtime_with_a_timer() else {
            return Start::Possible;
        };
        // Held until the handle is stored, so that the stored handle is always the running task's.
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
        // Once more: the recorder may have been installed after the validator was built.
        self.log(|journal| journal.start_metrics());
        let mut chores_due = now() + MINUTE;
        loop {
            self.report_age();
            if now() >= chores_due {
                self.chores.attend();
                chores_due = now() + MINUTE;
            }
            let action = self.schedule().next(Moment::now());
            match action {
                Action::Sleep(until) => {
                    self.sleeps();
                    // Not before a fetch that is due: that may be good.
                    self.report_end();
                    let report = self.next_report();
                    let chores = (!self.chores.is_empty()).then_some(chores_due);
                    let until = [report, chores]
                        .into_iter()
                        .flatten()
                        .fold(until, Instant::min);
                    // After an early wake-up, `next` finds what was requested.
                    let _ = time::timeout_at(until.into(), self.wake.notified()).await;
                }
                Action::Fetch(cause) => {
                    let has_fetched = self.schedule().has_succeeded();
                    let refresh = self.journal().refresh(cause, has_fetched);
                    self.log(|journal| journal.fetching(refresh));
                    let span = RefreshSpan::begin(refresh.as_str(), self.settings.name);
                    let began = now();
                    let result = self.fetch(&span).await;
                    let time = Time {
                        began,
                        ended: now(),
                    };
                    span.end(result.as_ref().err().map(FetchError::as_str));
                    self.end_fetch(refresh, time, result);
                }
            }
        }
    }

    /// Reports the age of the keys to the metrics.
    pub(super) fn report_age(&self) {
        match self.snapshot.load_full() {
            Some(snapshot) => {
                let now = Moment::now();
                let age = now.since(snapshot.fetched);
                let left = self.remaining(&snapshot, now);
                self.log(|journal| journal.aged(age, left));
            }
            None => self.log(|journal| journal.without_keys()),
        }
    }

    /// Reports to the log that the last good keys are too old, if they are.
    fn report_end(&self) {
        if self.left() == Some(Duration::ZERO) {
            self.log(Journal::ended);
        }
    }

    /// How long the last good keys remain in use.
    fn left(&self) -> Option<Duration> {
        let snapshot = self.snapshot.load_full()?;
        Some(self.remaining(&snapshot, Moment::now()))
    }

    /// When something is reported next, though no fetch is due: when the last good keys become too
    /// old, so that the log has the event on time, and at the cadence of the gauges, which would
    /// otherwise keep their last value.
    fn next_report(&self) -> Option<Instant> {
        let left = self.left()?;
        let end = (!left.is_zero()).then(|| now() + left);
        let tick = metrics::CADENCE.map(|cadence| now() + cadence);
        [end, tick].into_iter().flatten().min()
    }

    /// Fetches within the time limit. A panic counts as a failed fetch, and so does one during which
    /// the machine slept: its keys can be as old as the sleep was long.
    async fn fetch(&self, span: &RefreshSpan) -> Result<KeySet, FetchError> {
        let fetcher = self.fetcher.clone();
        let limit = self.settings.total_timeout;
        let began = Moment::now();
        // A `JoinSet` aborts the fetch when it is dropped, as when the task is aborted.
        let mut fetch = JoinSet::new();
        fetch.spawn(span.around(async move { time::timeout(limit, fetcher.fetch()).await }));
        let ended = fetch.join_next().await;
        if Moment::now().has_slept_since(began, limit) {
            return Err(FetchError::TimedOut);
        }
        match ended {
            Some(Ok(Ok(result))) => result,
            Some(Ok(Err(_))) => Err(FetchError::TimedOut),
            Some(Err(_)) | None => Err(FetchError::Panicked),
        }
    }

    fn end_fetch(&self, refresh: Refresh, time: Time, result: Result<KeySet, FetchError>) {
        // Before `progress` is signalled: a request that wakes reports this error.
        *lock(&self.problem) = result.as_ref().err().map(KeyError::from);
        match result {
            Ok(keys) => {
                let keys = Arc::new(keys);
                let old = self.snapshot.load_full();
                self.publish(&keys, old.as_deref());
                self.progress.send_replace(());
                let old_keys = old.as_ref().map(|old| old.keys.as_ref());
                self.log(|journal| journal.fetched(refresh, time, &keys, old_keys));
            }
            Err(error) => {
                self.schedule()
                    .failed(Moment::now(), error.retry_after(), random_fraction());
                self.progress.send_replace(());
                let left = self.left().filter(|left| !left.is_zero());
                self.log(|journal| journal.failed(refresh, time, error, left));
            }
        }
    }

    /// Publishes the key set of a good fetch.
    fn publish(&self, keys: &Arc<KeySet>, old: Option<&Snapshot>) {
        let generation = match old {
            None => 1,
            Some(old) if old.keys.is_same_as(keys) => old.generation,
            Some(old) => old.generation + 1,
        };
        let fetched = Moment::now();
        let most = self.settings.max_keys;
        let withdrawn = old.map(|old| old.withdrawn_by(keys, most));
        // Snapshot and schedule change under one lock: a request that finds the fetch ended also
        // finds its keys.
        let mut schedule = self.schedule();
        self.snapshot.store(Some(Arc::new(Snapshot {
            keys: Arc::clone(keys),
            generation,
            fetched,
            withdrawn: withdrawn.unwrap_or_default(),
        })));
        schedule.succeeded(fetched, random_fraction());
    }
}

/// The result of [`SourceState::ensure_running`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The task runs, or a later call may start it.
    Possible,
    /// The caller's runtime has shut down and runs no tasks.
    Refused,
}

/// Held by the task. When the task ends, for whatever reason, the next request can start another.
struct Running(Arc<SourceState>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0
            .schedule()
            .abandoned(Moment::now(), random_fraction());
        self.0.is_running.store(false, Ordering::Release);
        self.0.progress.send_replace(());
    }
}

const MINUTE: Duration = Duration::from_secs(60);
