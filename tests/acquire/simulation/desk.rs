//! What is known of one token, and why a request for it may be made.

use std::{collections::BTreeMap, time::Duration};

/// Since the start of the simulation.
pub(crate) type Time = Duration;

/// What is known of one token.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) held: Option<Held>,
    pub(crate) under_way: Option<String>,
    /// The last failure since the last token.
    pub(crate) failed: Option<Failed>,
    /// Until when the last failure that passes was the answer.
    pub(crate) failing_until: Option<Time>,
    pub(crate) last_refused: Option<Time>,
    /// Claims that were refused, and until when.
    pub(crate) claims_failed: BTreeMap<String, Time>,
    /// The start of the last renewal, or of the last flight that failed.
    pub(crate) tried: Option<Time>,
    /// Who waits for a token that was asked for later than this.
    pub(crate) fresh: Vec<Time>,
    /// Who waits for a token for these claims.
    pub(crate) challenged: Vec<(String, Time)>,
    /// The starts of the flights for claims.
    pub(crate) answers: BTreeMap<String, Vec<Time>>,
    /// When it was asked for lately.
    pub(crate) asked: Vec<Time>,
    pub(crate) requested: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) serial: u64,
    pub(crate) asked: Time,
    pub(crate) lives: Duration,
    pub(crate) refresh_in: Option<Duration>,
    pub(crate) claims: Option<String>,
}

#[derive(Clone, Copy)]
pub(crate) struct Failed {
    pub(crate) until: Time,
    pub(crate) is_transient: bool,
}

/// The times in the life of a token, as its age.
pub(crate) struct Life {
    pub(crate) renewed_from: Duration,
    pub(crate) renewed_by: Duration,
    pub(crate) handed_out_until: Duration,
    pub(crate) spare_until: Duration,
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// A flight takes at most 30 s, and one that waits for another one before it twice as long.
pub(crate) const ASKED_LATELY: Duration = Duration::from_secs(62);

impl Held {
    pub(crate) fn life(&self) -> Life {
        let lives = self.lives;
        let handed_out_until = if lives < 10 * MINUTE {
            lives / 2
        } else {
            lives - 5 * MINUTE
        };
        let renewed_from = match self.refresh_in {
            Some(refresh_in) if refresh_in < lives => refresh_in,
            _ if lives >= 120 * MINUTE => lives / 2,
            _ if lives < 20 * MINUTE => lives * 3 / 10,
            _ => lives - 10 * MINUTE,
        };
        Life {
            renewed_from,
            renewed_by: renewed_from + (renewed_from / 10).min(MINUTE),
            handed_out_until,
            spare_until: lives.saturating_sub(30 * SECOND).max(handed_out_until),
        }
    }
}

impl Desk {
    pub(crate) fn is_failing(&self) -> bool {
        self.failed.is_some_and(|failed| failed.is_transient)
    }

    /// Why a flight that began at this time, or a little before if that is not exact, may have begun.
    pub(crate) fn may_start(
        &mut self,
        at: Time,
        is_exact: bool,
        was_refused: bool,
        claims: Option<&String>,
    ) -> Result<Why, String> {
        if let Some(failed) = self.failed
            && at < failed.until
        {
            return Err(format!("a failure is remembered until {:?}", failed.until));
        }
        if let Some(claims) = claims
            && let Some(until) = self.claims_failed.get(claims)
            && at < *until
        {
            return Err(format!("these claims are refused until {until:?}"));
        }
        if let Some(claims) = claims
            && self
                .challenged
                .iter()
                .any(|(of, asked)| of == claims && *asked <= at)
        {
            let recent = self.answers.entry(claims.clone()).or_default();
            recent.retain(|start| *start + 5 * SECOND > at);
            recent.push(at);
            if recent.len() > 2 {
                return Err(format!("a third answer to one challenge: {recent:?}"));
            }
            return Ok(Why::Challenge);
        }
        let held = self
            .held
            .as_ref()
            .filter(|held| at < held.asked + held.lives);
        let usual = held.and_then(|held| held.claims.as_ref());
        let is_usual = usual == claims
            || claims.is_none()
                && (was_refused
                    || usual.is_some_and(|usual| self.claims_failed.contains_key(usual)));
        // One that expired while the flight waited for T1.
        let is_usual = is_usual
            || held.is_none()
                && claims.is_some()
                && self.held.as_ref().and_then(|held| held.claims.as_ref()) == claims;
        if !is_usual {
            return Err(format!("claims {claims:?} in place of {usual:?}"));
        }
        if self.fresh.iter().any(|fresh| *fresh <= at) {
            // One flight is for all who have asked until it began.
            self.fresh.retain(|fresh| !is_exact || *fresh > at);
            return Ok(Why::Forced);
        }
        let Some(held) = held else {
            return Ok(Why::Needed);
        };
        let (life, age) = (held.life(), at - held.asked);
        let is_renewal = age < life.handed_out_until || age < life.spare_until && self.is_failing();
        if !is_renewal {
            return Ok(Why::Needed);
        }
        if age < life.renewed_from {
            return Err(format!(
                "a token of age {age:?} is renewed from {:?}",
                life.renewed_from
            ));
        }
        if let Some(tried) = self.tried
            && at < tried + 30 * SECOND
        {
            return Err(format!("the last attempt began at {tried:?}"));
        }
        Ok(Why::Renewal)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Needed,
    Renewal,
    Forced,
    Challenge,
}
