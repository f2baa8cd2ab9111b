//! A request that waits for a key.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time,
};

use super::{
    MissingKey, Snapshot,
    schedule::Verdict,
    source::{Shared, now, runtime_with_a_timer},
};

/// A place among the requests that wait for a key. Dropping it gives the place up and leaves the
/// fetch alone.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    kid: Box<str>,
    worth_a_fetch: bool,
    /// How many fetches had been started when the request came.
    came: u64,
    deadline: time::Instant,
    progress: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
}

impl Ticket {
    pub(super) fn new(
        shared: &Arc<Shared>,
        kid: &str,
        worth_a_fetch: bool,
    ) -> Result<Self, MissingKey> {
        let full = MissingKey::Unavailable {
            retry_after: Duration::from_secs(1),
        };
        let came = shared.schedule().started();
        let deadline = now() + shared.settings.wait;
        // Before the verdict: whatever ends after it is noticed.
        let progress = shared.progress.subscribe();
        match shared.verdict(kid, worth_a_fetch, came, deadline) {
            Verdict::Wait => {}
            Verdict::Absent => return Err(MissingKey::Unknown),
            Verdict::Unavailable(retry_after) => {
                return Err(MissingKey::Unavailable { retry_after });
            }
        }
        // Whether or not there is a place left: the fetch is wanted.
        shared.wake.notify_one();
        // Without a timer nothing would end the waiting.
        if runtime_with_a_timer().is_none() {
            return Err(full);
        }
        let place = Arc::clone(&shared.waiters)
            .try_acquire_owned()
            .map_err(|_| full)?;
        Ok(Self {
            shared: Arc::clone(shared),
            kid: kid.into(),
            worth_a_fetch,
            came,
            deadline: deadline.into(),
            progress,
            _place: place,
        })
    }

    /// Waits until a key set has the `kid`, or until it is known that none does, or until time is
    /// up.
    pub(crate) async fn key_set(mut self) -> Result<Arc<Snapshot>, MissingKey> {
        loop {
            self.shared.ensure_running();
            if let Some(snapshot) = self.shared.snapshot_with(&self.kid) {
                return Ok(snapshot);
            }
            let deadline = self.deadline.into_std();
            match self
                .shared
                .verdict(&self.kid, self.worth_a_fetch, self.came, deadline)
            {
                Verdict::Wait => self.shared.wake.notify_one(),
                Verdict::Absent => return Err(MissingKey::Unknown),
                Verdict::Unavailable(retry_after) => {
                    return Err(MissingKey::Unavailable { retry_after });
                }
            }
            if time::timeout_at(self.deadline, self.progress.changed())
                .await
                .is_err()
            {
                let retry_after = Duration::from_secs(1);
                return Err(MissingKey::Unavailable { retry_after });
            }
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("came", &self.came)
            .finish_non_exhaustive()
    }
}
