//! The handle of one authority's keys and their task.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    chores::Chore,
    error::{FetchError, MissingKey},
    fetch::{FetchRules, Fetcher},
    journal::Refresh,
    settings::KeySettings,
    state::{KeyStatus, Shared, Snapshot, lock, now},
    task::Start,
    ticket::Ticket,
};

/// One authority's keys. Dropping it ends its task.
pub(crate) struct KeySource {
    shared: Arc<Shared>,
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

impl KeySource {
    pub(crate) fn new(fetcher: Fetcher, settings: KeySettings) -> Self {
        Self {
            shared: Arc::new(Shared::new(fetcher, settings)),
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
