//! The task that fetches, and the snapshot it publishes.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    panic::catch_unwind,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
    task::{AbortHandle, JoinSet},
    time,
};

use super::{
    KeySettings,
    chores::{Chore, Chores},
    fetch::{FetchError, FetchRules, Fetcher},
    schedule::{Action, Schedule, Verdict},
    set::KeySet,
    ticket::Ticket,
};

/// One authority's keys. Dropping it ends its task.
pub(crate) struct KeySource {
    shared: Arc<Shared>,
}

/// The key set of one good fetch, as requests see it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) keys: Arc<KeySet>,
    /// Counts the key sets that differed from the one before.
    pub(crate) generation: u64,
    fetched: Instant,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingKey {
    Unknown,
    Unavailable { retry_after: Duration },
}

/// What is known about the keys of a [`Validator`](crate::Validator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The last fetch was good.
    Fresh,
    /// Fetches fail. The last good key set serves for this much longer.
    Stale {
        /// The time left.
        remaining: Duration,
    },
    /// There are no usable keys: none were fetched yet, or fetches have failed for too long.
    /// Requests are answered with 503.
    Unavailable,
}

impl KeySource {
    pub(crate) fn new(fetcher: Fetcher, settings: KeySettings) -> Self {
        let shared = Shared {
            snapshot: ArcSwapOption::empty(),
            schedule: Mutex::new(Schedule::new(settings.clone(), now())),
            wake: Notify::new(),
            progress: watch::Sender::new(()),
            waiters: Arc::new(Semaphore::new(settings.max_waiters)),
            is_running: AtomicBool::new(false),
            has_served: AtomicBool::new(false),
            task: Mutex::new(None),
            chores: Chores::default(),
            fetcher,
            settings,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Whether the keys that `rules` ask for are the ones in here.
    pub(crate) fn follows(&self, rules: &FetchRules) -> bool {
        let own = self.shared.fetcher.rules();
        own.discovery_url == rules.discovery_url
            && own.algorithms.len() == rules.algorithms.len()
            && own
                .algorithms
                .iter()
                .all(|algorithm| rules.algorithms.contains(algorithm))
    }

    /// Starts the task unless it runs. Without a runtime nothing happens.
    pub(crate) fn ensure_running(&self) {
        self.shared.ensure_running();
    }

    /// Looks at the last good key set, unless it is too old. Counts no reference to it, which
    /// threads would fight over.
    pub(crate) fn with_snapshot<T>(&self, look: impl FnOnce(Option<&Snapshot>) -> T) -> T {
        let snapshot = self.shared.snapshot.load();
        look(
            snapshot
                .as_deref()
                .filter(|snapshot| self.shared.is_fit(snapshot)),
        )
    }

    pub(crate) fn status(&self) -> KeyStatus {
        self.shared.status()
    }

    /// Takes a place among the waiting for a key set that has this `kid`, unless the answer is
    /// known already or all places are taken.
    ///
    /// A token that is not worth a fetch waits for the first key set like any other, and for no
    /// second one.
    pub(crate) fn want(
        &self,
        kid: &str,
        worth_a_fetch: impl FnOnce() -> bool,
    ) -> Result<Ticket, MissingKey> {
        // What a flood of invented keys comes to, and so the least that can be done for it.
        if self.shared.is_known_absent(kid) {
            return Err(MissingKey::Unknown);
        }
        Ticket::new(&self.shared, kid, worth_a_fetch())
    }

    /// Has the task attend to this once a minute, for as long as both are there.
    pub(crate) fn each_minute(&self, chore: Weak<dyn Chore>) {
        self.shared.chores.add(chore);
        // It may have lain down for an hour.
        self.shared.wake.notify_one();
    }

    /// A signature was bad although its key is known: it may have been replaced.
    pub(crate) fn want_replacement(&self) {
        if self.shared.schedule().want_replacement(now()) {
            self.shared.wake.notify_one();
        }
    }

    /// Waits for a usable key set, however long that takes.
    pub(crate) async fn ready(&self) {
        let mut progress = self.shared.progress.subscribe();
        loop {
            self.shared.ensure_running();
            if self.shared.snapshot().is_some() {
                return;
            }
            // The sender lives as long as `self`, so this cannot fail.
            let _ = progress.changed().await;
        }
    }
}

impl Drop for KeySource {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.shared.task).take() {
            task.abort();
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// What the task and the requests have in common.
pub(super) struct Shared {
    snapshot: ArcSwapOption<Snapshot>,
    schedule: Mutex<Schedule>,
    /// Wakes the task when something is wanted.
    pub(super) wake: Notify,
    /// Whether there was a usable key set that nobody has yet said to be too old.
    has_served: AtomicBool,
    /// Tells the waiting that a fetch has ended.
    pub(super) progress: watch::Sender<()>,
    pub(super) waiters: Arc<Semaphore>,
    is_running: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
    chores: Chores,
    fetcher: Fetcher,
    pub(super) settings: KeySettings,
}

impl Shared {
    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot
            .load_full()
            .filter(|snapshot| self.is_fit(snapshot))
    }

    fn is_fit(&self, snapshot: &Snapshot) -> bool {
        !self.remaining(snapshot).is_zero()
    }

    pub(super) fn snapshot_with(&self, kid: &str) -> Option<Arc<Snapshot>> {
        self.snapshot()
            .filter(|snapshot| snapshot.keys.get(kid).is_some())
    }

    fn remaining(&self, snapshot: &Snapshot) -> Duration {
        self.settings
            .stale_limit
            .saturating_sub(now().saturating_duration_since(snapshot.fetched))
    }

    fn status(&self) -> KeyStatus {
        let Some(snapshot) = self.snapshot() else {
            return KeyStatus::Unavailable;
        };
        if self.schedule().is_failing() {
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

    fn is_known_absent(&self, kid: &str) -> bool {
        let schedule = self.schedule();
        // Within the lock, like every verdict.
        let is_absent = self
            .snapshot()
            .is_some_and(|snapshot| snapshot.keys.get(kid).is_none());
        is_absent && schedule.is_known_absent(now(), kid)
    }

    pub(super) fn ensure_running(self: &Arc<Self>) {
        if self.is_running.load(Ordering::Acquire) {
            return;
        }
        let Some(runtime) = runtime_with_a_timer() else {
            return;
        };
        // Held until the handle is in its place, so that the handle is the running task's.
        let mut task = lock(&self.task);
        if self.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        let running = Running(Arc::clone(self));
        let handle = runtime.spawn(async move { running.0.run().await });
        *task = Some(handle.abort_handle());
    }

    /// The one task of a key source.
    async fn run(&self) {
        let mut chores_due = now() + MINUTE;
        loop {
            if now() >= chores_due {
                self.chores.attend();
                chores_due = now() + MINUTE;
            }
            let action = self.schedule().next(now());
            match action {
                Action::Sleep(mut until) => {
                    if !self.chores.is_empty() {
                        until = until.min(chores_due);
                    }
                    // The early wake-up is a wish that `next` knows about.
                    let _ = time::timeout_at(until.into(), self.wake.notified()).await;
                }
                Action::Fetch(cause) => {
                    tracing::debug!(target: TARGET, cause = cause.as_str(), "fetching keys");
                    let result = self.fetch().await;
                    self.end_fetch(result);
                }
            }
        }
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

    fn end_fetch(&self, result: Result<KeySet, FetchError>) {
        let was_failing = self.schedule().is_failing();
        match result {
            Ok(keys) => {
                let (keys, generation) = self.settled(keys);
                let fetched = now();
                self.has_served.store(true, Ordering::Release);
                {
                    // At once: whoever sees that a good fetch has ended sees what it brought.
                    let mut schedule = self.schedule();
                    self.snapshot.store(Some(Arc::new(Snapshot {
                        keys,
                        generation,
                        fetched,
                    })));
                    schedule.succeeded(fetched, chance());
                }
                if was_failing {
                    tracing::info!(target: TARGET, "keys can be fetched again");
                }
            }
            Err(error) => {
                self.schedule().failed(now(), error.retry_after(), chance());
                self.log_failure(error, was_failing);
            }
        }
        self.progress.send_replace(());
    }

    /// The set in force if this one has the same keys; otherwise this one, with a line in the log.
    fn settled(&self, keys: KeySet) -> (Arc<KeySet>, u64) {
        let Some(old) = self.snapshot.load_full() else {
            tracing::info!(target: TARGET, kids = ?keys.kids(), "the signing keys are loaded");
            return (Arc::new(keys), 1);
        };
        if old.keys.is_same_as(&keys) {
            return (Arc::clone(&old.keys), old.generation);
        }
        tracing::info!(
            target: TARGET,
            added = ?keys.kids_not_in(&old.keys),
            gone = ?old.keys.kids_not_in(&keys),
            "the signing keys have changed",
        );
        (Arc::new(keys), old.generation + 1)
    }

    fn log_failure(&self, error: FetchError, was_failing: bool) {
        let url = &self.fetcher.rules().discovery_url;
        match self.snapshot() {
            None if self.has_served.swap(false, Ordering::AcqRel) => tracing::error!(
                target: TARGET,
                %error,
                url,
                "the last good keys are too old; requests are answered with 503",
            ),
            _ if was_failing => {
                tracing::debug!(target: TARGET, %error, "keys still cannot be fetched");
            }
            Some(snapshot) => tracing::warn!(
                target: TARGET,
                %error,
                url,
                seconds_left = self.remaining(&snapshot).as_secs(),
                "keys cannot be fetched; the last good ones serve on",
            ),
            None => tracing::warn!(
                target: TARGET,
                %error,
                url,
                "keys cannot be fetched, and there are none; requests are answered with 503",
            ),
        }
    }
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime of the caller, if it has one whose timer is enabled. To make a timer without is a
/// panic, which must not happen to a request.
pub(super) fn runtime_with_a_timer() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    let make_a_timer = || drop(Box::pin(time::sleep(Duration::ZERO)));
    catch_unwind(make_a_timer).is_ok().then_some(runtime)
}

/// The runtime's clock, which tests can pause.
pub(super) fn now() -> Instant {
    time::Instant::now().into_std()
}

/// A number from 0 to 1 for spreading things out; nothing secret hangs on it.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let half = u32::try_from(random >> 32).unwrap_or_default();
    f64::from(half) / f64::from(u32::MAX)
}

const MINUTE: Duration = Duration::from_secs(60);
const TARGET: &str = "tower_entra::keys";
