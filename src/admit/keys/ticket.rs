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
    journal::Refresh,
    schedule::Lookup,
    spans::Wait,
    state::{Snapshot, SourceState},
    task::Start,
};
use crate::admit::error::{ErrorKind, MissingKey};
use crate::moment::now;
use crate::runtime::runtime_with_a_timer;

/// A place among the requests that wait for a key. Dropping it frees the place and does not affect
/// the fetch.
pub(crate) struct Ticket {
    state: Arc<SourceState>,
    kid: Box<str>,
    worth_a_fetch: bool,
    /// The number of fetches that had been started when the request arrived.
    came: u64,
    deadline: time::Instant,
    progress: watch::Receiver<()>,
    /// `None` if the key has arrived meanwhile: such a request does not wait.
    place: Option<OwnedSemaphorePermit>,
    /// Boxed, because a ticket is returned by value.
    wait: Box<Wait>,
}

impl Ticket {
    pub(super) fn new(
        state: &Arc<SourceState>,
        kid: &str,
        worth_a_fetch: bool,
    ) -> Result<Self, MissingKey> {
        let came = state.schedule().started();
        let deadline = now() + state.settings.wait;
        // Before the look-up: a fetch that ends after it is then noticed.
        let progress = state.progress.subscribe();
        let lookup = state.look_up(kid, worth_a_fetch, came, state.settings.wait);
        if worth_a_fetch && lookup != Lookup::Wait {
            state.count_suppressed(Refresh::UnknownKey);
        }
        if let Some(missing) = missing(lookup) {
            return Err(missing);
        }
        // Also if no place is left: the fetch is requested all the same.
        state.wake.notify_one();
        let place = if state.snapshot_with(kid).is_some() {
            None
        } else if runtime_with_a_timer().is_none() {
            // Without a timer the wait would not end.
            return Err(TRY_AGAIN);
        } else {
            let waiters = Arc::clone(&state.waiters);
            Some(waiters.try_acquire_owned().map_err(|_| TRY_AGAIN)?)
        };
        Ok(Self {
            state: Arc::clone(state),
            kid: kid.into(),
            worth_a_fetch,
            came,
            deadline: deadline.into(),
            progress,
            place,
            wait: Box::new(Wait::begin(state.settings.name)),
        })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Waits until a key set has the `kid`, a fetch shows that none has, or the deadline passes.
    pub(crate) async fn key_set(mut self) -> Result<Arc<Snapshot>, MissingKey> {
        let found = self.wait_for_key_set().await;
        self.wait.end(found.as_ref().err().map(code));
        found
    }

    async fn wait_for_key_set(&mut self) -> Result<Arc<Snapshot>, MissingKey> {
        loop {
            let start = self.state.ensure_running();
            if let Some(snapshot) = self.state.snapshot_with(&self.kid) {
                return Ok(snapshot);
            }
            let wait = self.deadline.into_std().saturating_duration_since(now());
            let lookup = self
                .state
                .look_up(&self.kid, self.worth_a_fetch, self.came, wait);
            if let Some(missing) = missing(lookup) {
                return Err(missing);
            }
            if self.place.is_none() {
                // The key that had arrived has been withdrawn, and this ticket has no place.
                return Err(TRY_AGAIN);
            }
            self.state.wake.notify_one();
            // Without a task or a timer the wait would not end.
            if start == Start::Refused || runtime_with_a_timer().is_none() {
                return Err(TRY_AGAIN);
            }
            if !completes_before(self.progress.changed(), self.deadline).await {
                return Err(TRY_AGAIN);
            }
        }
    }
}

/// Why there is no key, unless a request waits for it.
pub(super) fn missing(lookup: Lookup) -> Option<MissingKey> {
    match lookup {
        Lookup::Wait => None,
        Lookup::Absent => Some(MissingKey::Unknown),
        Lookup::NotLookedUp(retry_after) => Some(MissingKey::NotLookedUp { retry_after }),
        Lookup::Unavailable(retry_after) => Some(MissingKey::Unavailable { retry_after }),
    }
}

/// The code of the refusal for want of a key.
fn code(missing: &MissingKey) -> &'static str {
    let kind = match missing {
        MissingKey::Unknown => ErrorKind::UnknownKey,
        MissingKey::NotLookedUp { .. } | MissingKey::Unavailable { .. } | MissingKey::GoneAway => {
            ErrorKind::KeysUnavailable
        }
    };
    kind.as_str()
}

/// Whether the future completes before the deadline.
///
/// A timer belongs to the runtime in which it was made and panics once that has shut down, even if
/// it is awaited on another runtime. Treated as a timeout.
pub(super) async fn completes_before(future: impl Future, deadline: time::Instant) -> bool {
    let mut future = pin!(future);
    let mut timer = pin!(time::timeout_at(deadline, pending::<()>()));
    poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
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

/// The answer to a request that cannot wait, or whose wait has ended.
const TRY_AGAIN: MissingKey = MissingKey::Unavailable {
    retry_after: Duration::from_secs(1),
};
