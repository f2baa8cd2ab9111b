//! How often a token is asked for because an API has refused one with claims. A pure state machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The claims for which tokens were asked for in the last 5 s.
///
/// The times are those of the monotonic clock: a budget is not spent twice by a clock that is set ahead.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Challenges(Vec<Challenge>);

#[derive(Clone, Debug)]
struct Challenge {
    claims: Arc<str>,
    started: Instant,
    /// The start of the last flight that was made because the token for these claims was refused too.
    again: Option<Instant>,
}

impl Challenges {
    /// The time until a flight for these claims may start: zero if it may now.
    ///
    /// The first one may if there was none with these claims in the last 5 s. If the token that it got is
    /// refused with the same claims, one more may, and then one in 5 s.
    pub(super) fn wait(&self, now: Instant, claims: &str, is_refused_again: bool) -> Duration {
        let found = self.0.iter().find(|made| *made.claims == *claims);
        let wait = match found {
            Some(made) if is_refused_again => made.again.map(|again| left_of(again, now)),
            Some(made) => Some(left_of(made.started, now)),
            None => self.wait_for_a_place(now),
        };
        wait.unwrap_or_default()
    }

    /// A flight for these claims starts.
    pub(super) fn note(&mut self, now: Instant, claims: &Arc<str>, is_refused_again: bool) {
        self.0.retain(|made| {
            let is_over = left_of(made.started, now).is_zero();
            !is_over && made.claims != *claims
        });
        self.0.push(Challenge {
            claims: Arc::clone(claims),
            started: now,
            again: is_refused_again.then_some(now),
        });
    }

    /// The flights for these claims count no longer: the last one was given up.
    pub(super) fn forget(&mut self, claims: &str) {
        self.0.retain(|made| *made.claims != *claims);
    }

    /// Whether all of them are over.
    pub(super) fn are_over(&self, now: Instant) -> bool {
        self.0
            .iter()
            .all(|made| left_of(made.started, now).is_zero())
    }

    /// How long claims that were not asked for lately wait because too many others were.
    fn wait_for_a_place(&self, now: Instant) -> Option<Duration> {
        let left = self.0.iter().map(|made| left_of(made.started, now));
        let running = left.filter(|left| !left.is_zero());
        (running.clone().count() >= MOST).then(|| running.min())?
    }
}

fn left_of(began: Instant, now: Instant) -> Duration {
    (began + INTERVAL).saturating_duration_since(now)
}

/// Once a token was got for claims, at most one more is asked for with the same claims in this time.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// Each challenge costs a request, and its claims can come from a caller: with this many different ones in
/// 5 s, further ones wait.
pub(super) const MOST: usize = 16;
