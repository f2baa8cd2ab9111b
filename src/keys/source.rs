//! The task that fetches, and the snapshot it publishes.

#[cfg(not(shuttle))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, Weak},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
// A model checker's, for `tests/interleavings`.
#[cfg(shuttle)]
use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
    task::{AbortHandle, JoinSet},
    time,
};

use super::{
    chores::{Chore, Chores},
    error::{FetchError, MissingKey},
    fetch::{FetchRules, Fetcher},
    journal::{Journal, Refresh},
    schedule::{Action, Schedule, Verdict},
    set::KeySet,
    settings::KeySettings,
    ticket::Ticket,
};
use crate::metrics;

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

/// What an operator needs to know when a key was missing.
#[derive(Debug)]
pub(crate) struct KeyReport {
    /// Where keys come from: the discovery document.
    pub(crate) url: Arc<str>,
    /// How many keys the last good fetch brought, and how long ago it was.
    pub(crate) keys: Option<(usize, Duration)>,
    /// Whether they may still be used.
    pub(crate) is_usable: bool,
    /// Why the last fetch was not good, if it was not.
    pub(crate) problem: Option<FetchError>,
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

impl KeySource {
    pub(crate) fn new(fetcher: Fetcher, settings: KeySettings) -> Self {
        let shared = Shared {
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
        let _ = self.shared.ensure_running();
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

    /// What there is to say about the keys to a request that lacks one.
    pub(crate) fn report(&self) -> KeyReport {
        let shared = &self.shared;
        let snapshot = shared.snapshot.load();
        KeyReport {
            url: Arc::clone(&shared.fetcher.rules().discovery_url),
            keys: snapshot.as_ref().map(|snapshot| {
                let age = now().saturating_duration_since(snapshot.fetched);
                (snapshot.keys.len(), age)
            }),
            is_usable: snapshot
                .as_ref()
                .is_some_and(|snapshot| !shared.remaining(snapshot).is_zero()),
            problem: *lock(&shared.problem),
        }
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
            self.shared.suppress(Refresh::UnknownKey);
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
        } else {
            self.shared.suppress(Refresh::BadSignature);
        }
    }

    /// Waits for a usable key set, however long that takes.
    pub(crate) async fn ready(&self) {
        let mut progress = self.shared.progress.subscribe();
        loop {
            if self.shared.ensure_running() == Start::Refused {
                // Its end was told too, and to go on at that would be to try again without end.
                let _ = progress.borrow_and_update();
            }
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
    /// Tells the waiting that a fetch has ended.
    pub(super) progress: watch::Sender<()>,
    pub(super) waiters: Arc<Semaphore>,
    /// Why the last fetch was not good, if it was not.
    problem: Mutex<Option<FetchError>>,
    is_running: AtomicBool,
    journal: Mutex<Journal>,
    task: Mutex<Option<AbortHandle>>,
    chores: Chores,
    fetcher: Fetcher,
    pub(super) settings: KeySettings,
}

impl Shared {
    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    /// Has something told. It is the program's subscriber that is told, and a panic of it must not be
    /// the end of the task.
    fn tell(&self, news: impl FnOnce(&mut Journal)) {
        let _ = catch_unwind(AssertUnwindSafe(|| news(&mut self.journal())));
    }

    /// Counts a request that would have had keys fetched, and was not let.
    pub(super) fn suppress(&self, refresh: Refresh) {
        metrics::refresh_suppressed(self.settings.name, refresh.as_str());
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

    fn is_known_absent(&self, kid: &str) -> bool {
        let schedule = self.schedule();
        // Within the lock, like every verdict.
        let is_absent = self
            .snapshot()
            .is_some_and(|snapshot| snapshot.keys.get(kid).is_none());
        is_absent && schedule.is_known_absent(now(), kid)
    }

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
