//! What is known under one key, and what a caller of it is answered.
//!
//! A pure state machine: state and time in, verdict out. The cache drives it.
//!
//! The life of a token and the time for which a failure is remembered end by the clock that comes to
//! the end first: the monotonic one stands still while the machine sleeps. Budgets (attempts, answers
//! to a challenge) count by the monotonic clock alone, so that no clock that is set ahead spends them
//! twice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    acquire::{
        challenges::{self, Challenges},
        error::AcquireError,
        flight_error::asked_for_these_claims,
        lifetime::{Lifetime, Phase},
        token::AccessToken,
        wanted::Wanted,
    },
    moment::Moment,
};

/// The number of a flight. Numbers ascend in the order of the starts, across all keys of a cache.
pub(super) type Number = u64;

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Entry {
    held: Option<Held>,
    under_way: Option<Flight>,
    /// The last failure since the last token. It is the answer to whatever is asked.
    failure: Option<Failed>,
    /// The last failure of a flight for claims that does not pass by itself. It is the answer to
    /// those who ask for the same claims.
    claims_failure: Option<(Arc<str>, Failed)>,
    /// The start of the last renewal, or of the last flight that failed.
    tried: Option<Instant>,
    challenges: Challenges,
}

/// The token of the last good flight.
#[derive(Clone, Debug)]
struct Held {
    token: AccessToken,
    lifetime: Lifetime,
    claims: Option<Arc<str>>,
    number: Number,
    /// When its flight ended.
    got: Instant,
}

#[derive(Clone, Debug)]
struct Flight {
    number: Number,
    started: Instant,
    /// When it counts as lost: a runtime that is no longer driven never ends it.
    lost: Instant,
    has_begun: bool,
    start: Start,
}

#[derive(Clone, Debug)]
struct Failed {
    error: AcquireError,
    until: Moment,
}

/// What a caller is answered.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    HandOut(AccessToken),
    /// Hand this token out, and start a flight in the background.
    Renew(AccessToken, Start),
    Start(Start),
    /// The result of the flight under way is the answer.
    Join,
    /// Ask again when the flight under way, which has this number, has ended.
    WaitOut(Number),
    Refuse(AcquireError),
}

/// How a flight starts.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The claims to ask for.
    pub(super) claims: Option<Arc<str>>,
    cause: Cause,
}

/// Why a flight starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A caller waits for the token.
    Needed,
    /// The token in hand comes near its end.
    Renewal,
    /// An API has refused a token with claims.
    Challenge,
    /// It has refused the token that was got for its claims.
    ChallengeAgain,
}

impl Entry {
    /// The answer to a caller who has waited for the end of the flight `since`, if there was one.
    pub(super) fn ask(&self, now: Moment, wanted: &Wanted, since: Option<Number>) -> Verdict {
        let is_newer = |number: Number| since.is_some_and(|since| number > since);
        match wanted {
            Wanted::Any => {
                if let Some(held) = &self.held
                    && let Some(verdict) = self.hand_out(held, now)
                {
                    return verdict;
                }
                match self.under_way(now) {
                    Some(_) => Verdict::Join,
                    None => self.start_or_refuse(now, self.claims_to_repeat(now)),
                }
            }
            Wanted::Fresh => {
                if let Some(held) = &self.held
                    && is_newer(held.number)
                    && held.phase(now) < Phase::Expired
                {
                    return Verdict::HandOut(held.token.clone());
                }
                match self.under_way(now) {
                    Some(flight) if !flight.has_begun || is_newer(flight.number) => Verdict::Join,
                    Some(flight) => Verdict::WaitOut(flight.number),
                    None => self.start_or_refuse(now, self.claims_to_repeat(now)),
                }
            }
            Wanted::For { claims, refused } => {
                let got = self.held.as_ref().filter(|held| held.is_for(claims));
                let is_refused = got.is_some_and(|held| {
                    refused.as_ref().is_some_and(|token| token.is(&held.token))
                });
                if let Some(held) = got
                    && !is_refused
                    && (refused.is_some() || is_newer(held.number) || held.is_recent(now))
                    && let Some(verdict) = self.hand_out(held, now)
                {
                    return verdict;
                }
                match self.under_way(now) {
                    Some(flight) if flight.is_for(claims) => Verdict::Join,
                    Some(flight) => Verdict::WaitOut(flight.number),
                    None => self.answer_challenge(now, claims, is_refused),
                }
            }
        }
    }

    /// The token in hand for a caller for whom no flight can start. That is a reason that passes.
    pub(super) fn spare(&self, now: Moment, wanted: &Wanted) -> Option<AccessToken> {
        let held = self.held.as_ref()?;
        let serves = matches!(wanted, Wanted::Any) && held.phase(now) <= Phase::Spare;
        serves.then(|| held.token.clone())
    }

    /// A flight starts. It counts as lost if it has not ended after `limit`.
    pub(super) fn start(&mut self, now: Moment, number: Number, limit: Duration, start: Start) {
        let started = now.monotonic;
        if let Some(claims) = &start.claims
            && start.is_challenge()
        {
            let again = start.cause == Cause::ChallengeAgain;
            self.challenges.note(started, claims, again);
        }
        if start.cause == Cause::Renewal {
            self.tried = Some(started);
        }
        self.under_way = Some(Flight {
            number,
            started,
            lost: started + limit,
            has_begun: false,
            start,
        });
    }

    /// The task of the flight runs: from now on its request can have been sent.
    pub(super) fn begun(&mut self, number: Number) {
        if let Some(flight) = &mut self.under_way
            && flight.number == number
        {
            flight.has_begun = true;
        }
    }

    /// A flight has ended. The result of one that was lost before is not kept; then false.
    pub(super) fn ended(
        &mut self,
        now: Moment,
        number: Number,
        result: &Result<AccessToken, AcquireError>,
        chance: f64,
    ) -> bool {
        let Some(flight) = self.under_way.take_if(|flight| flight.number == number) else {
            return false;
        };
        match result {
            Ok(token) => self.keep(now, flight, token, chance),
            Err(error) => self.remember(now, flight, error),
        }
        true
    }

    /// A flight was given up without a result, for no reason of the token endpoint: nothing is
    /// remembered.
    pub(super) fn abandoned(&mut self, number: Number) -> bool {
        let Some(flight) = self.under_way.take_if(|flight| flight.number == number) else {
            return false;
        };
        if let Some(claims) = &flight.start.claims
            && flight.start.is_challenge()
        {
            self.challenges.forget(claims);
        }
        true
    }

    /// Forgets this token, unless another has taken its place.
    pub(super) fn forget(&mut self, token: &AccessToken) {
        self.held.take_if(|held| held.token.is(token));
    }

    /// The claims of the flight under way.
    pub(super) fn claims_under_way(&self) -> Option<&Arc<str>> {
        self.under_way.as_ref()?.start.claims.as_ref()
    }

    /// Whether the entry can be dropped, because a flight under way is not in it.
    pub(super) fn is_evictable(&self, now: Moment) -> bool {
        self.under_way(now).is_none()
    }

    /// Whether the entry is of no use any more.
    pub(super) fn is_spent(&self, now: Moment) -> bool {
        let is_over = |failed: &Failed| now.has_reached(failed.until);
        self.is_evictable(now)
            && (self.held.as_ref()).is_none_or(|held| held.phase(now) == Phase::Expired)
            && self.failure.as_ref().is_none_or(is_over)
            && (self.claims_failure.as_ref()).is_none_or(|(_, failed)| is_over(failed))
            && self.challenges.are_over(now.monotonic)
    }

    fn keep(&mut self, now: Moment, flight: Flight, token: &AccessToken, chance: f64) {
        self.failure = None;
        let claims = flight.start.claims;
        self.claims_failure
            .take_if(|(failed, _)| claims.as_ref() == Some(failed));
        self.held = Some(Held {
            lifetime: Lifetime::new(token.lives(), token.refresh_in(), chance),
            token: token.clone(),
            claims,
            number: flight.number,
            got: now.monotonic,
        });
    }

    fn remember(&mut self, now: Moment, flight: Flight, error: &AcquireError) {
        let failed = Failed {
            error: error.clone(),
            until: now + error.remembered_for(),
        };
        match flight.start.claims {
            // Claims come from outside: those that Entra refuses end nothing but requests for them.
            Some(claims) if !error.is_transient() => self.claims_failure = Some((claims, failed)),
            _ => {
                self.failure = Some(failed);
                self.tried = Some(flight.started);
            }
        }
    }

    /// This token, if it serves, and with a renewal if one is due.
    fn hand_out(&self, held: &Held, now: Moment) -> Option<Verdict> {
        let token = || held.token.clone();
        match held.phase(now) {
            Phase::Young => return Some(Verdict::HandOut(token())),
            Phase::Ageing => {}
            Phase::Spare if self.is_failing() => {}
            Phase::Spare | Phase::Ending | Phase::Expired => return None,
        }
        if !self.may_renew(now, held.claims.as_deref()) {
            return Some(Verdict::HandOut(token()));
        }
        let start = Start {
            claims: held.claims.clone(),
            cause: Cause::Renewal,
        };
        Some(Verdict::Renew(token(), start))
    }

    fn may_renew(&self, now: Moment, claims: Option<&str>) -> bool {
        let was_tried = self
            .tried
            .is_some_and(|tried| is_running(tried, RENEWAL_INTERVAL, now));
        !was_tried && self.under_way(now).is_none() && self.remembered(now, claims).is_none()
    }

    /// Whether the last flight failed for a reason that passes.
    fn is_failing(&self) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failed| failed.error.is_transient())
    }

    /// The flight under way, unless it is lost.
    fn under_way(&self, now: Moment) -> Option<&Flight> {
        self.under_way
            .as_ref()
            .filter(|flight| now.monotonic < flight.lost)
    }

    /// The failure that is the answer to those who ask for these claims.
    fn remembered(&self, now: Moment, claims: Option<&str>) -> Option<AcquireError> {
        let of_claims = self
            .claims_failure
            .as_ref()
            .filter(|(failed, _)| Some(&**failed) == claims)
            .map(|(_, failed)| failed);
        let failed = [self.failure.as_ref(), of_claims]
            .into_iter()
            .flatten()
            .find(|failed| !now.has_reached(failed.until))?;
        Some(failed.error.with_time_left(now.until(failed.until)))
    }

    /// The claims that the next token is asked for with: those of the one in hand, which takes the
    /// place of the plain one while it lives, unless Entra has refused them since.
    fn claims_to_repeat(&self, now: Moment) -> Option<Arc<str>> {
        let held = self.held.as_ref()?;
        let claims = held.claims.as_ref()?;
        let are_refused = self
            .claims_failure
            .as_ref()
            .is_some_and(|(failed, _)| failed == claims);
        (!are_refused && held.phase(now) < Phase::Expired).then(|| Arc::clone(claims))
    }

    fn start_or_refuse(&self, now: Moment, claims: Option<Arc<str>>) -> Verdict {
        match self.remembered(now, claims.as_deref()) {
            Some(error) => Verdict::Refuse(error),
            None => Verdict::Start(Start {
                claims,
                cause: Cause::Needed,
            }),
        }
    }

    /// A flight for these claims, unless it would be one too many.
    fn answer_challenge(&self, now: Moment, claims: &Arc<str>, is_refused: bool) -> Verdict {
        if let Some(error) = self.remembered(now, Some(claims)) {
            return Verdict::Refuse(error);
        }
        let wait = self.challenges.wait(now.monotonic, claims, is_refused);
        if !wait.is_zero() {
            return Verdict::Refuse(asked_for_these_claims(wait));
        }
        let cause = if is_refused {
            Cause::ChallengeAgain
        } else {
            Cause::Challenge
        };
        Verdict::Start(Start {
            claims: Some(Arc::clone(claims)),
            cause,
        })
    }
}

impl Held {
    fn phase(&self, now: Moment) -> Phase {
        self.lifetime.phase(now.since(self.token.asked()))
    }

    fn is_for(&self, claims: &str) -> bool {
        self.claims.as_deref() == Some(claims)
    }

    /// Whether it was got so short a time ago that it answers a challenge which does not say which
    /// token was refused.
    fn is_recent(&self, now: Moment) -> bool {
        is_running(self.got, challenges::INTERVAL, now)
    }
}

impl Flight {
    fn is_for(&self, claims: &str) -> bool {
        self.start.claims.as_deref() == Some(claims)
    }
}

impl Start {
    fn is_challenge(&self) -> bool {
        matches!(self.cause, Cause::Challenge | Cause::ChallengeAgain)
    }
}

/// Whether an interval that began then has not ended.
fn is_running(began: Instant, interval: Duration, now: Moment) -> bool {
    now.monotonic < began + interval
}

/// A token is renewed, or is tried to, at most once in this time.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "entry_model.rs"]
mod model;
