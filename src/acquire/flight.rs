//! A flight: the task that fetches a token, and those who wait for it.
//!
//! The flight runs on a task of its own, so a caller who goes away does not end it. However the task
//! ends, its guard ends the flight: with the result, or without one if the task panics or is dropped
//! with its runtime.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, watch},
    time,
};

#[cfg(shuttle)]
use crate::acquire::locks::contain_panics;
use crate::{
    acquire::{
        entry::{Entry, Number, Start},
        error::AcquireError,
        flight_error::{stopped, timed_out},
        locks::{Mutex, MutexGuard, lock},
        token::AccessToken,
    },
    chance::random_fraction,
    moment::{Moment, now},
};

pub(super) type Outcome = Result<AccessToken, AcquireError>;

/// One key: its entry, and the flight under way.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Occupant>);

#[derive(Debug, Default)]
pub(super) struct Occupant {
    pub(super) entry: Entry,
    /// The last time that it was asked for.
    pub(super) used: Option<Instant>,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    outcome: watch::Receiver<Option<Outcome>>,
    /// Held here and not by the task: a lost flight gives its place back.
    _place: Option<OwnedSemaphorePermit>,
}

/// A flight that is registered and whose task does not run yet.
#[derive(Debug)]
#[must_use]
pub(super) struct Launch {
    flight: Flight,
    claims: Option<Arc<str>>,
}

/// Ends the flight when it is dropped.
#[derive(Debug)]
struct Flight {
    slot: Arc<Slot>,
    number: Number,
    outcome: watch::Sender<Option<Outcome>>,
}

/// A caller's view of the flight under way.
#[derive(Debug)]
pub(super) struct Waiter {
    outcome: watch::Receiver<Option<Outcome>>,
    claims: Option<Arc<str>>,
}

impl Slot {
    pub(super) fn lock(&self) -> MutexGuard<'_, Occupant> {
        lock(&self.0)
    }
}

impl Occupant {
    /// Registers a flight. What is returned must be launched when no lock is held: a runtime that is
    /// shut down drops the task at once, and that takes the lock of the slot.
    pub(super) fn start(
        &mut self,
        slot: &Arc<Slot>,
        now: Moment,
        number: Number,
        limit: Duration,
        start: Start,
        place: Option<OwnedSemaphorePermit>,
    ) -> (Launch, Waiter) {
        let claims = start.claims.clone();
        self.entry.start(now, number, limit + SLACK, start);
        let (sender, outcome) = watch::channel(None);
        let waiter = Waiter {
            outcome: outcome.clone(),
            claims: claims.clone(),
        };
        self.under_way = Some(UnderWay {
            outcome,
            _place: place,
        });
        let flight = Flight {
            slot: Arc::clone(slot),
            number,
            outcome: sender,
        };
        (Launch { flight, claims }, waiter)
    }

    /// Gives back the place of a flight that is lost.
    pub(super) fn free_a_lost_place(&mut self, now: Moment) {
        if self.entry.is_evictable(now) {
            self.under_way = None;
        }
    }

    /// A view of the flight under way. None if there is none.
    pub(super) fn waiter(&self) -> Option<Waiter> {
        let under_way = self.under_way.as_ref()?;
        Some(Waiter {
            outcome: under_way.outcome.clone(),
            claims: self.entry.claims_under_way().cloned(),
        })
    }
}

impl Launch {
    /// Runs `fetch` on a task of this runtime, for at most this time.
    pub(super) fn on<F>(
        self,
        runtime: &Handle,
        limit: Duration,
        fetch: impl FnOnce(Option<Arc<str>>) -> F,
    ) where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let Self { flight, claims } = self;
        let fetch = fetch(claims);
        let task = async move {
            flight.slot.lock().entry.begun(flight.number);
            let outcome = match time::timeout(limit, fetch).await {
                Ok(outcome) => outcome,
                Err(_) => Err(timed_out(limit)),
            };
            flight.end(Some(outcome));
        };
        #[cfg(shuttle)]
        let task = contain_panics(task);
        runtime.spawn(task);
    }
}

impl Flight {
    fn end(&self, outcome: Option<Outcome>) {
        let now = Moment::now();
        {
            let mut slot = self.slot.lock();
            let was_under_way = match &outcome {
                Some(outcome) => slot
                    .entry
                    .ended(now, self.number, outcome, random_fraction()),
                None => slot.entry.abandoned(self.number),
            };
            if was_under_way {
                slot.under_way = None;
            }
        }
        // After the entry has changed: a caller who wakes and asks again finds the flight ended.
        self.outcome
            .send_replace(Some(outcome.unwrap_or_else(|| Err(stopped()))));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.outcome.borrow().is_some() {
            return;
        }
        // A panic is a failure like any other. A runtime that shuts down says nothing about the next
        // one.
        self.end(thread::panicking().then(|| Err(stopped())));
    }
}

impl Waiter {
    /// The outcome of the flight, whose limit this is. The wait has a limit of its own, because nothing
    /// drives the task of a runtime that is kept and not run, and it ends at the `deadline` of the caller.
    pub(super) async fn outcome(&mut self, limit: Duration, deadline: Instant) -> Outcome {
        let left = deadline.saturating_duration_since(now());
        let longest = left.min(limit + SLACK);
        match time::timeout(longest, self.outcome.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or_else(|| Err(stopped())),
            Ok(Err(_)) => Err(stopped()),
            Err(_) => Err(timed_out(limit)),
        }
    }

    /// The claims that the flight asks for.
    pub(super) fn claims(&self) -> Option<&Arc<str>> {
        self.claims.as_ref()
    }
}

/// How much longer than its limit a flight may take before it counts as lost: the task that ends it
/// has to be scheduled.
const SLACK: Duration = Duration::from_secs(1);
