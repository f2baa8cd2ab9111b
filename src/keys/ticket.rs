//! A request that waits for a key.

use std::{
    fmt,
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time,
};

use super::{
    error::MissingKey,
    journal::Refresh,
    schedule::Verdict,
    state::{Shared, Snapshot, now},
    task::{Start, runtime_with_a_timer},
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
    /// None for a request whose key has come meanwhile, which does not wait.
    place: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    pub(super) fn new(
        shared: &Arc<Shared>,
        kid: &str,
        worth_a_fetch: bool,
    ) -> Result<Self, MissingKey> {
        let came = shared.schedule().started();
        let deadline = now() + shared.settings.wait;
        // Before the verdict: whatever ends after it is noticed.
        let progress = shared.progress.subscribe();
        let verdict = shared.verdict(kid, worth_a_fetch, came, deadline);
        if worth_a_fetch && verdict != Verdict::Wait {
            shared.suppress(Refresh::UnknownKey);
        }
        match verdict {
            Verdict::Wait => {}
            Verdict::Absent => return Err(MissingKey::Unknown),
            Verdict::Unavailable(retry_after) => {
                return Err(MissingKey::Unavailable { retry_after });
            }
        }
        // Whether or not there is a place left: the fetch is wanted.
        shared.wake.notify_one();
        let place = if shared.snapshot_with(kid).is_some() {
            None
        } else if runtime_with_a_timer().is_none() {
            // Nothing would end the waiting.
            return Err(TRY_AGAIN);
        } else {
            let waiters = Arc::clone(&shared.waiters);
            Some(waiters.try_acquire_owned().map_err(|_| TRY_AGAIN)?)
        };
        Ok(Self {
            shared: Arc::clone(shared),
            kid: kid.into(),
            worth_a_fetch,
            came,
            deadline: deadline.into(),
            progress,
            place,
        })
    }

    /// Waits until a key set has the `kid`, or until it is known that none does, or until time is
    /// up.
    pub(crate) async fn key_set(mut self) -> Result<Arc<Snapshot>, MissingKey> {
        loop {
            let start = self.shared.ensure_running();
            if let Some(snapshot) = self.shared.snapshot_with(&self.kid) {
                return Ok(snapshot);
            }
            let deadline = self.deadline.into_std();
            match self
                .shared
                .verdict(&self.kid, self.worth_a_fetch, self.came, deadline)
            {
                // The key that had come is gone again, and there is no place to wait in.
                Verdict::Wait if self.place.is_none() => return Err(TRY_AGAIN),
                Verdict::Wait => self.shared.wake.notify_one(),
                Verdict::Absent => return Err(MissingKey::Unknown),
                Verdict::Unavailable(retry_after) => {
                    return Err(MissingKey::Unavailable { retry_after });
                }
            }
            // Nothing here would end the waiting.
            if start == Start::Refused || runtime_with_a_timer().is_none() {
                return Err(TRY_AGAIN);
            }
            if !comes_in_time(self.progress.changed(), self.deadline).await {
                return Err(TRY_AGAIN);
            }
        }
    }
}

/// Whether something comes before the deadline.
///
/// A timer belongs to the runtime in which it was made, and panics once that has ended, even where it is
/// awaited on another that has not. To a request that is no more than the end of its wait.
async fn comes_in_time(coming: impl Future, deadline: time::Instant) -> bool {
    let mut coming = pin!(coming);
    let mut timer = pin!(time::timeout_at(deadline, pending::<()>()));
    poll_fn(|cx| {
        if coming.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        match catch_unwind(AssertUnwindSafe(|| timer.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) | Err(_) => Poll::Ready(false),
        }
    })
    .await
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("came", &self.came)
            .finish_non_exhaustive()
    }
}

/// What a request is told that cannot wait, or has waited for long enough.
const TRY_AGAIN: MissingKey = MissingKey::Unavailable {
    retry_after: Duration::from_secs(1),
};
