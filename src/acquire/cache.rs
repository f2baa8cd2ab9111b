//! Tokens by identity and scope, and one flight for each.
//!
//! Locks are taken in this order: sweep, map, slot. None is held across an await, while a task is
//! spawned, or while `fetch` is called.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

pub(super) use crate::acquire::wanted::{Place, Source, Wanted};
use crate::{
    acquire::{
        entry::{Number, Start, Verdict},
        error::AcquireError,
        flight::{Launch, Occupant, Slot, Waiter},
        flight_error::{no_place, no_runtime, stopped, timed_out},
        key::Key,
        locks::{AtomicU64, Mutex, Ordering, RwLock, lock, read, write},
        settings::AcquireSettings,
        token::AccessToken,
    },
    moment::{Moment, now},
    runtime::runtime_with_a_timer,
};

/// The tokens of one client. Cheap to clone.
#[derive(Clone)]
pub(super) struct TokenCache(Arc<Inner>);

struct Inner {
    settings: AcquireSettings,
    slots: RwLock<HashMap<Key, Arc<Slot>>>,
    /// For flights of their own.
    places: Arc<Semaphore>,
    /// The number of flights that have started.
    flights: AtomicU64,
    /// When spent entries were last removed.
    swept: Mutex<Instant>,
    /// When the places of lost flights were last given back.
    freed: Mutex<Instant>,
}

/// The next step of a caller.
enum Step {
    Done(AccessToken),
    Refused(AcquireError),
    Renew(AccessToken, Launch),
    Start(Launch, Waiter),
    Join(Waiter),
    WaitOut(Waiter, Number),
}

impl TokenCache {
    pub(super) fn new(settings: AcquireSettings) -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(settings.max_flights)),
            slots: RwLock::default(),
            flights: AtomicU64::new(0),
            swept: Mutex::new(now()),
            freed: Mutex::new(now()),
            settings,
        }))
    }

    /// The token of this key: the remembered one, or that of the flight under way, or of one that starts
    /// now and runs `fetch` on a task of its own. `fetch` is given the claims to ask for: those of
    /// `wanted`, or those that the token in hand was got for.
    ///
    /// A failed flight is the answer to all who wait for it, except that a token which still serves is
    /// handed out instead, and that a failure which concerns the claims of another caller alone has
    /// this one ask again.
    ///
    /// # Errors
    ///
    /// That of the flight, or of one before that is remembered. [`Busy`] without a place, or if too many
    /// tokens were asked for with these claims. [`Unavailable`] if the flight takes too long, panics or
    /// ends with its runtime, [`Misconfigured`] if it needs a runtime with a timer and there is none.
    ///
    /// [`Busy`]: super::AcquireErrorKind::Busy
    /// [`Unavailable`]: super::AcquireErrorKind::Unavailable
    /// [`Misconfigured`]: super::AcquireErrorKind::Misconfigured
    pub(super) async fn get<F>(
        &self,
        key: &Key,
        wanted: Wanted,
        place: Place,
        fetch: impl FnOnce(Option<Arc<str>>) -> F,
    ) -> Result<(AccessToken, Source), AcquireError>
    where
        F: Future<Output = Result<AccessToken, AcquireError>> + Send + 'static,
    {
        let asked = Moment::now();
        let limit = self.0.settings.total_timeout;
        if let Some(answer) = self.0.at_hand(key, asked, &wanted) {
            return answer.map(|token| (token, Source::Cache));
        }
        let runtime = runtime_with_a_timer();
        // The flight under way, and one that began after this was asked for.
        let deadline = asked.monotonic + 2 * (limit + Duration::from_secs(1));
        let mut now = asked;
        let mut since = None;
        while now.monotonic < deadline {
            let Some(runtime) = &runtime else {
                return self.0.without_a_flight(key, &wanted, no_runtime());
            };
            match self.0.step(key, now, &wanted, since, place) {
                Step::Done(token) => {
                    let has_waited = since.is_some();
                    let source = if has_waited {
                        Source::Joined
                    } else {
                        Source::Cache
                    };
                    return Ok((token, source));
                }
                Step::Refused(error) => return Err(error),
                Step::Renew(token, launch) => {
                    launch.on(runtime, limit, fetch);
                    return Ok((token, Source::Cache));
                }
                Step::Start(launch, mut waiter) => {
                    launch.on(runtime, limit, fetch);
                    return match waiter.outcome(limit, deadline).await {
                        Ok(token) => Ok((token, Source::Started)),
                        Err(error) => self.0.instead_of(error, key, &wanted, since),
                    };
                }
                Step::Join(mut waiter) => {
                    let error = match waiter.outcome(limit, deadline).await {
                        Ok(token) => return Ok((token, Source::Joined)),
                        Err(error) => error,
                    };
                    let concerns_others = waiter.claims().is_some_and(|claims| {
                        !error.is_transient() && wanted.claims() != Some(claims)
                    });
                    if !concerns_others {
                        return self.0.instead_of(error, key, &wanted, since);
                    }
                }
                Step::WaitOut(mut waiter, number) => {
                    let _ = waiter.outcome(limit, deadline).await;
                    since.get_or_insert(number);
                }
            }
            now = Moment::now();
        }
        Err(timed_out(2 * limit))
    }

    /// The answer to a caller who takes any token, if it is known without a flight: the remembered token,
    /// unless its renewal is due, or a remembered failure.
    pub(super) fn at_hand(&self, key: &Key) -> Option<Result<AccessToken, AcquireError>> {
        self.0.at_hand(key, Moment::now(), &Wanted::Any)
    }

    /// Forgets this token of this key, unless another has taken its place.
    pub(super) fn forget(&self, key: &Key, token: &AccessToken) {
        if let Some(slot) = read(&self.0.slots).get(key) {
            slot.lock().entry.forget(token);
        }
    }
}

impl Inner {
    /// The answer to a caller, if something is known under this key.
    fn look(
        &self,
        key: &Key,
        now: Moment,
        wanted: &Wanted,
        since: Option<Number>,
    ) -> Option<Verdict> {
        let slots = read(&self.slots);
        let mut slot = slots.get(key)?.lock();
        slot.used = Some(now.monotonic);
        Some(slot.entry.ask(now, wanted, since))
    }

    /// The answer to a caller, if it starts no flight and waits for none.
    fn at_hand(
        &self,
        key: &Key,
        now: Moment,
        wanted: &Wanted,
    ) -> Option<Result<AccessToken, AcquireError>> {
        match self.look(key, now, wanted, None)? {
            Verdict::HandOut(token) => Some(Ok(token)),
            Verdict::Refuse(error) => Some(Err(error)),
            _ => None,
        }
    }

    /// The token that still serves although a flight failed, or that error.
    fn instead_of(
        &self,
        error: AcquireError,
        key: &Key,
        wanted: &Wanted,
        since: Option<Number>,
    ) -> Result<(AccessToken, Source), AcquireError> {
        match self.look(key, Moment::now(), wanted, since) {
            Some(Verdict::HandOut(token) | Verdict::Renew(token, _)) => Ok((token, Source::Cache)),
            _ => Err(error),
        }
    }

    /// The answer to a caller for whom no flight can start.
    fn without_a_flight(
        &self,
        key: &Key,
        wanted: &Wanted,
        error: AcquireError,
    ) -> Result<(AccessToken, Source), AcquireError> {
        let slots = read(&self.slots);
        let spare = slots
            .get(key)
            .and_then(|slot| slot.lock().entry.spare(Moment::now(), wanted));
        spare.map(|token| (token, Source::Cache)).ok_or(error)
    }

    /// The next step of a caller. A flight that it starts is registered.
    fn step(
        &self,
        key: &Key,
        now: Moment,
        wanted: &Wanted,
        since: Option<Number>,
        place: Place,
    ) -> Step {
        if self.places.available_permits() == 0 {
            self.free_lost_places(now);
        }
        if let Some(slot) = read(&self.slots).get(key) {
            // The map stays locked: an entry that a flight starts in is not evicted meanwhile.
            return self.step_in(slot, &mut slot.lock(), now, wanted, since, place);
        }
        self.make_room(now);
        let mut slots = write(&self.slots);
        let slot = Arc::clone(slots.entry(key.clone()).or_default());
        let mut occupant = slot.lock();
        let step = self.step_in(&slot, &mut occupant, now, wanted, since, place);
        if occupant.entry.is_spent(now) {
            slots.remove(key);
        }
        step
    }

    fn step_in(
        &self,
        slot: &Arc<Slot>,
        occupant: &mut Occupant,
        now: Moment,
        wanted: &Wanted,
        since: Option<Number>,
        place: Place,
    ) -> Step {
        occupant.used = Some(now.monotonic);
        match occupant.entry.ask(now, wanted, since) {
            Verdict::HandOut(token) => Step::Done(token),
            Verdict::Refuse(error) => Step::Refused(error),
            Verdict::Renew(token, start) => match self.start(slot, occupant, now, start, place) {
                Ok((launch, _)) => Step::Renew(token, launch),
                // The next caller tries again.
                Err(_) => Step::Done(token),
            },
            Verdict::Start(start) => match self.start(slot, occupant, now, start, place) {
                Ok((launch, waiter)) => Step::Start(launch, waiter),
                Err(error) => match occupant.entry.spare(now, wanted) {
                    Some(token) => Step::Done(token),
                    None => Step::Refused(error),
                },
            },
            Verdict::Join => match occupant.waiter() {
                Some(waiter) => Step::Join(waiter),
                None => Step::Refused(stopped()),
            },
            Verdict::WaitOut(number) => match occupant.waiter() {
                Some(waiter) => Step::WaitOut(waiter, number),
                None => Step::Refused(stopped()),
            },
        }
    }

    /// Registers a flight, if there is a place for it.
    fn start(
        &self,
        slot: &Arc<Slot>,
        occupant: &mut Occupant,
        now: Moment,
        start: Start,
        place: Place,
    ) -> Result<(Launch, Waiter), AcquireError> {
        let place = match place {
            Place::OfItsFlight => None,
            Place::Own => Some(
                Arc::clone(&self.places)
                    .try_acquire_owned()
                    .map_err(|_| no_place(self.settings.max_flights))?,
            ),
        };
        let number = self.flights.fetch_add(1, Ordering::Relaxed) + 1;
        let limit = self.settings.total_timeout;
        Ok(occupant.start(slot, now, number, limit, start, place))
    }

    /// Gives back the places of flights that are lost, at most once a second.
    fn free_lost_places(&self, now: Moment) {
        {
            let mut freed = lock(&self.freed);
            if now.monotonic.saturating_duration_since(*freed) < Duration::from_secs(1) {
                return;
            }
            *freed = now.monotonic;
        }
        for slot in read(&self.slots).values() {
            slot.lock().free_a_lost_place(now);
        }
    }

    /// Makes room for one more entry, once a minute or if there is none. Entries that are of no use
    /// leave first, then those that were not asked for the longest. An entry with a flight under way
    /// stays, so while there are many flights the entries can be more than the settings say.
    ///
    /// A sweep that has to remove useful entries removes a sixteenth of all, so it looks at 16 entries
    /// for each one that comes, and each one costs a request.
    fn make_room(&self, now: Moment) {
        let most = self.settings.max_entries;
        let mut swept = lock(&self.swept);
        let len = read(&self.slots).len();
        let is_due = now.monotonic.saturating_duration_since(*swept) >= SWEEP_INTERVAL;
        if len < most && !is_due {
            return;
        }
        *swept = now.monotonic;
        let mut leaving = Vec::new();
        let mut useful = Vec::new();
        for (key, slot) in read(&self.slots).iter() {
            let occupant = slot.lock();
            if occupant.entry.is_spent(now) {
                leaving.push((key.clone(), true));
            } else if len >= most && occupant.entry.is_evictable(now) {
                useful.push((occupant.used, key.clone()));
            }
        }
        let rest = (len - leaving.len()).saturating_sub(most - 1);
        if rest > 0 {
            let count = rest.max(most / 16).min(useful.len());
            if count < useful.len() {
                useful.select_nth_unstable_by_key(count, |(used, _)| *used);
            }
            leaving.extend(useful.drain(..count).map(|(_, key)| (key, false)));
        }
        // In parts, so that no caller waits for the lock while thousands leave.
        for part in leaving.chunks(REMOVED_AT_ONCE) {
            let mut removed = Vec::with_capacity(part.len());
            let mut slots = write(&self.slots);
            for (key, was_spent) in part {
                // A flight may have started in it meanwhile, and may have brought a token.
                let leaves = |slot: &Arc<Slot>| {
                    let occupant = slot.lock();
                    match was_spent {
                        true => occupant.entry.is_spent(now),
                        false => occupant.entry.is_evictable(now),
                    }
                };
                if slots.get(key).is_some_and(leaves) {
                    removed.extend(slots.remove(key));
                }
            }
            drop(slots);
            // Without the lock, because the tokens are zeroed.
            drop(removed);
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("TokenCache")
            .field("entries", &read(&self.0.slots).len())
            .field("max_entries", &settings.max_entries)
            .finish_non_exhaustive()
    }
}

/// How often entries that are of no use are removed, if new ones come.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

const REMOVED_AT_ONCE: usize = 256;

#[cfg(test)]
#[path = "cache_tests/mod.rs"]
mod tests;
