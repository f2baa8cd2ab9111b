//! Until when a token is handed out, and from when it is renewed. Pure functions of values.

use std::time::Duration;

/// The times in the life of a token, as its age. The age counts from when the request for it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    renewed_from: Duration,
    handed_out_until: Duration,
    spare_until: Duration,
    ends: Duration,
}

/// How far a token has come in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It is handed out.
    Young,
    /// It is handed out, and renewed in the background.
    Ageing,
    /// It is handed out only while its renewal fails for reasons that pass.
    Spare,
    /// It is not handed out, though it has not expired.
    Ending,
    Expired,
}

impl Lifetime {
    /// `lives` and `refresh_in` are those of the token endpoint. `chance` is a random number from 0
    /// to 1: the jitter keeps replicas from renewing at the same time.
    pub(super) fn new(lives: Duration, refresh_in: Option<Duration>, chance: f64) -> Self {
        let handed_out_until = if lives < SHORT {
            lives / 2
        } else {
            lives.saturating_sub(MARGIN)
        };
        let earliest = match refresh_in {
            Some(refresh_in) if refresh_in < lives => refresh_in,
            _ if lives >= LONG => lives / 2,
            _ if lives < MEDIUM => lives * 3 / 10,
            _ => lives.saturating_sub(RENEWAL_MARGIN),
        };
        let jitter = (earliest / 10).min(MAX_JITTER).mul_f64(chance);
        Self {
            renewed_from: earliest + jitter,
            handed_out_until,
            spare_until: lives.saturating_sub(SPARE_MARGIN).max(handed_out_until),
            ends: lives,
        }
    }

    pub(super) fn phase(&self, age: Duration) -> Phase {
        if age >= self.ends {
            Phase::Expired
        } else if age >= self.spare_until {
            Phase::Ending
        } else if age >= self.handed_out_until {
            Phase::Spare
        } else if age >= self.renewed_from {
            Phase::Ageing
        } else {
            Phase::Young
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A token is handed out until this long before its end: the clock skew that Microsoft's libraries
/// allow for.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// While renewal fails, a token is handed out until this long before its end.
const SPARE_MARGIN: Duration = Duration::from_secs(30);
/// Without `refresh_in`, a token is renewed from this long before its end.
const RENEWAL_MARGIN: Duration = Duration::from_secs(10 * 60);
const MAX_JITTER: Duration = MINUTE;
/// A token that lives less than this is handed out for half its life.
const SHORT: Duration = Duration::from_secs(10 * 60);
/// A token that lives less than this is renewed from three tenths of its life.
const MEDIUM: Duration = Duration::from_secs(20 * 60);
/// A token that lives this long is renewed from half its life.
const LONG: Duration = Duration::from_secs(2 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_life() {
        // Lives, `refresh_in`: renewed from without and with the whole jitter, handed out until,
        // spare until; in seconds.
        for (lives, refresh_in, renewed, latest, handed_out, spare) in [
            (3_600, None, 3_000, 3_060, 3_300, 3_570),
            (3_600, Some(1_800), 1_800, 1_860, 3_300, 3_570),
            (3_600, Some(3_599), 3_599, 3_659, 3_300, 3_570),
            (3_600, Some(3_600), 3_000, 3_060, 3_300, 3_570),
            (3_600, Some(9_999), 3_000, 3_060, 3_300, 3_570),
            (3_600, Some(0), 0, 0, 3_300, 3_570),
            (7_199, None, 6_599, 6_659, 6_899, 7_169),
            (7_200, None, 3_600, 3_660, 6_900, 7_170),
            (86_400, None, 43_200, 43_260, 86_100, 86_370),
            (1_200, None, 600, 660, 900, 1_170),
            (1_190, None, 357, 392, 890, 1_160),
            (600, None, 180, 198, 300, 570),
            (590, None, 177, 194, 295, 560),
            (100, None, 30, 33, 50, 70),
            (40, None, 12, 13, 20, 20),
            (2, None, 0, 0, 1, 1),
            (0, None, 0, 0, 0, 0),
        ] {
            let refresh_in = refresh_in.map(Duration::from_secs);
            let of = |chance| Lifetime::new(Duration::from_secs(lives), refresh_in, chance);
            assert_eq!(of(0.0).renewed_from.as_secs(), renewed, "{lives}");
            assert_eq!(of(1.0).renewed_from.as_secs(), latest, "{lives}");
            assert_eq!(of(0.5).handed_out_until.as_secs(), handed_out, "{lives}");
            assert_eq!(of(0.5).spare_until.as_secs(), spare, "{lives}");
        }
    }

    #[test]
    fn each_phase_begins_at_its_time_and_not_before() {
        let lifetime = Lifetime::new(Duration::from_secs(3_600), None, 0.0);
        for (begins, before, after) in [
            (3_000, Phase::Young, Phase::Ageing),
            (3_300, Phase::Ageing, Phase::Spare),
            (3_570, Phase::Spare, Phase::Ending),
            (3_600, Phase::Ending, Phase::Expired),
        ] {
            let begins = Duration::from_secs(begins);
            assert_eq!(lifetime.phase(begins - Duration::from_nanos(1)), before);
            assert_eq!(lifetime.phase(begins), after);
        }
        assert_eq!(lifetime.phase(Duration::MAX), Phase::Expired);
    }

    #[test]
    fn whatever_its_life_a_token_is_renewed_before_it_is_no_longer_handed_out() {
        for lives in 1..200_000 {
            let lives = Duration::from_millis(lives * 500);
            let of = |chance| Lifetime::new(lives, None, chance);
            let (earliest, latest) = (of(0.0), of(1.0));
            assert!(earliest.renewed_from <= latest.renewed_from);
            assert!(latest.renewed_from < latest.handed_out_until, "{lives:?}");
            assert!(latest.handed_out_until <= latest.spare_until);
            assert!(latest.spare_until < latest.ends);
        }
    }
}
