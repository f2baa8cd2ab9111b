//! The handle of one authority's keys.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    chores::Chore,
    error::{KeyError, NotReady},
    fetch::{FetchRules, Fetcher},
    journal::Refresh,
    set::KeySet,
    settings::KeySettings,
    state::{KeyStatus, Snapshot, SourceState, lock},
    task::Start,
    ticket::{Ticket, completes_before, missing},
};
use crate::admit::error::{KeyReport, MissingKey};
use crate::moment::{Moment, now};
use crate::runtime::runtime_with_a_timer;

/// One authority's keys. Dropping the source ends its task.
pub(crate) struct KeySource {
    state: Arc<SourceState>,
}

impl KeySource {
    /// The initial keys are in use until the first good fetch.
    pub(crate) fn new(fetcher: Fetcher, settings: KeySettings, initial: Option<KeySet>) -> Self {
        let state = Arc::new(SourceState::new(fetcher, settings, initial));
        state.log(|journal| journal.start_metrics());
        if state.snapshot.load().is_some() {
            state.report_age();
        }
        Self { state }
    }

    /// Whether this source fetches the keys that `rules` describe.
    pub(crate) fn satisfies(&self, rules: &FetchRules) -> bool {
        let own = self.state.fetcher.rules();
        own.discovery_url == rules.discovery_url
            && own.algorithms.len() == rules.algorithms.len()
            && own
                .algorithms
                .iter()
                .all(|algorithm| rules.algorithms.contains(algorithm))
    }

    /// Starts the task unless it runs. Does nothing without a runtime.
    pub(crate) fn ensure_running(&self) {
        let _ = self.state.ensure_running();
    }

    /// Reads the last good key set, unless it is too old. Does not touch its reference count, on
    /// which threads would contend.
    pub(crate) fn with_snapshot<T>(&self, read: impl FnOnce(Option<&Snapshot>) -> T) -> T {
        let now = Moment::now();
        self.state.wake_if_overdue(now);
        let snapshot = self.state.snapshot.load();
        read(
            snapshot
                .as_deref()
                .filter(|snapshot| self.state.is_usable(snapshot, now)),
        )
    }

    pub(crate) fn status(&self) -> KeyStatus {
        self.state.status()
    }

    /// The facts for a request that lacks a key.
    pub(crate) fn report(&self) -> KeyReport {
        let (state, now) = (&self.state, Moment::now());
        let snapshot = state.snapshot.load();
        KeyReport {
            url: Arc::clone(&state.fetcher.rules().discovery_url),
            keys: snapshot
                .as_ref()
                .map(|snapshot| (snapshot.keys.len(), now.since(snapshot.fetched))),
            is_usable: snapshot
                .as_ref()
                .is_some_and(|snapshot| state.is_usable(snapshot, now)),
            problem: lock(&state.problem).as_ref().map(KeyError::text),
        }
    }

    /// The error of the last fetch, if it failed.
    pub(crate) fn last_error(&self) -> Option<KeyError> {
        lock(&self.state.problem).clone()
    }

    /// Takes a place among the requests that wait for this `kid`, unless the answer is already
    /// known or all places are taken.
    ///
    /// A token that is not worth a fetch waits for the first key set only.
    pub(crate) fn want(
        &self,
        kid: &str,
        worth_a_fetch: impl FnOnce() -> bool,
    ) -> Result<Ticket, MissingKey> {
        // The path of a flood of invented `kid`s: it takes no place, and reads no claims of a token
        // whose key is known to be absent.
        if let Some(missing) = self.state.answer_at_once(kid).and_then(missing) {
            // A retry would change nothing for such a token.
            if matches!(missing, MissingKey::NotLookedUp { .. }) && !worth_a_fetch() {
                return Err(MissingKey::Unknown);
            }
            self.state.count_suppressed(Refresh::UnknownKey);
            return Err(missing);
        }
        Ticket::new(&self.state, kid, worth_a_fetch())
    }

    /// Makes the task run this chore once a minute, while both exist.
    pub(crate) fn each_minute(&self, chore: Weak<dyn Chore>) {
        self.state.chores.add(chore);
        // The task may be asleep until the next refresh.
        self.state.wake.notify_one();
    }

    /// Whether a bad signature could have the keys fetched. If not, its token need not be read.
    pub(crate) fn may_want_replacement(&self) -> bool {
        let may_want = self.state.schedule().may_want_replacement(Moment::now());
        if !may_want {
            self.state.count_suppressed(Refresh::BadSignature);
        }
        may_want
    }

    /// Requests a fetch after a bad signature under a known `kid`: the key may have been replaced.
    pub(crate) fn want_replacement(&self) {
        if self.state.schedule().want_replacement(Moment::now()) {
            self.state.wake.notify_one();
        }
    }

    /// Waits for a usable key set, for at most this long.
    pub(crate) async fn ready_within(&self, limit: Duration) -> Result<(), NotReady> {
        self.ensure_running();
        let waited = if self.state.snapshot().is_some() {
            return Ok(());
        } else if runtime_with_a_timer().is_none() {
            // Without a timer the wait would not end.
            None
        } else if let Some(deadline) = now().checked_add(limit) {
            if completes_before(self.ready(), deadline.into()).await {
                return Ok(());
            }
            Some(limit)
        } else {
            self.ready().await;
            return Ok(());
        };
        Err(NotReady {
            url: Arc::clone(&self.state.fetcher.rules().discovery_url),
            waited,
            last_error: self.last_error(),
        })
    }

    /// Waits for a usable key set, however long that takes.
    pub(crate) async fn ready(&self) {
        let mut progress = self.state.progress.subscribe();
        loop {
            if self.state.ensure_running() == Start::Refused {
                // The task's end also signals `progress`. Mark it as seen, or this loop would spin.
                let _ = progress.borrow_and_update();
            }
            self.state.wake_if_overdue(Moment::now());
            if self.state.snapshot().is_some() {
                return;
            }
            // The sender lives as long as `self`, so this cannot fail.
            let _ = progress.changed().await;
        }
    }
}

impl Drop for KeySource {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.state.task).take() {
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
