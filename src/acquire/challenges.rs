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
        (self.0.len() >= MOST).then(|| left.min())?
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::now;

    fn claims(number: u32) -> Arc<str> {
        number.to_string().into()
    }

    #[test]
    fn claims_of_five_seconds_ago_are_over_and_leave_when_others_come() {
        let mut challenges = Challenges::default();
        let mut time = now();
        for number in 0..1_000 {
            challenges.note(time, &claims(number), false);
            assert_eq!(challenges.0.len(), 1);
            assert!(!challenges.are_over(time + Duration::from_millis(4_999)));
            time += Duration::from_secs(5);
            assert!(challenges.are_over(time));
        }
    }

    #[test]
    fn claims_that_are_forgotten_may_be_asked_for_at_once_and_others_may_not() {
        let mut challenges = Challenges::default();
        let time = now();
        let wait = |challenges: &Challenges, number| challenges.wait(time, &claims(number), false);
        challenges.note(time, &claims(1), false);
        challenges.note(time, &claims(2), false);
        challenges.forget("1");
        assert_eq!(wait(&challenges, 1), Duration::ZERO);
        assert_eq!(wait(&challenges, 2), INTERVAL);
    }

    #[test]
    fn the_seventeenth_claims_wait_for_the_end_of_the_first() {
        let mut challenges = Challenges::default();
        let began = now();
        let seconds = Duration::from_secs;
        let waits =
            |challenges: &Challenges, after| challenges.wait(began + seconds(after), "more", false);
        challenges.note(began, &claims(0), false);
        for number in 1..16 {
            assert_eq!(waits(&challenges, 1), Duration::ZERO);
            challenges.note(began + seconds(1), &claims(number), false);
        }
        assert_eq!(waits(&challenges, 1), seconds(4));
        assert_eq!(waits(&challenges, 5), Duration::ZERO);
        challenges.note(began + seconds(5), &claims(16), false);
        assert_eq!(waits(&challenges, 5), seconds(1));
    }
}
