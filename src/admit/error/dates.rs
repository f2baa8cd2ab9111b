//! How dates can be wrong: check 10.

use std::fmt;

use super::{ErrorKind, date::Date, hints};

/// Why the dates of a token are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatesFault {
    NoExpiry,
    NotADate(DateClaim),
    /// `nbf` is later than `exp`.
    Reversed,
    /// By `exp`.
    Expired(Distance),
    /// By `nbf` or `iat`.
    NotYetValid(DateClaim, Distance),
    /// The clock of this machine is before 1970.
    NoClock,
}

/// A claim that is a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateClaim {
    Expires,
    NotBefore,
    Issued,
}

/// How far a date is from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Distance {
    pub(super) date: u64,
    /// In seconds, either way.
    seconds: u32,
    /// The configured clock skew, in seconds.
    skew: u16,
}

impl Distance {
    pub(crate) fn new(date: u64, now: u64, skew: u64) -> Self {
        Self {
            date,
            seconds: u32::try_from(now.abs_diff(date)).unwrap_or(u32::MAX),
            skew: u16::try_from(skew).unwrap_or(u16::MAX),
        }
    }
}

impl DatesFault {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::NoExpiry | Self::NotADate(_) | Self::Reversed => ErrorKind::InvalidDates,
            Self::Expired(_) | Self::NoClock => ErrorKind::Expired,
            Self::NotYetValid(..) => ErrorKind::NotYetValid,
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Expired(distance) if distance.seconds <= NEARLY => hints::EXPIRED_BY_A_LITTLE,
            Self::NoClock => hints::CLOCK_BEFORE_1970,
            _ => hints::of_kind(self.kind()),
        }
    }
}

impl DateClaim {
    fn as_str(self) -> &'static str {
        match self {
            Self::Expires => "exp",
            Self::NotBefore => "nbf",
            Self::Issued => "iat",
        }
    }
}

impl fmt::Display for DatesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skew = match self {
            Self::NoExpiry => return f.write_str("there is no exp"),
            Self::NotADate(claim) => {
                return write!(f, "{} is no date from 1970 to 9999", claim.as_str());
            }
            Self::Reversed => return f.write_str("nbf is later than exp"),
            Self::NoClock => return f.write_str("the clock of this machine is before 1970"),
            Self::Expired(Distance {
                date,
                seconds,
                skew,
            }) => {
                write!(f, "expired {seconds} s ago, at {}", Date(*date))?;
                skew
            }
            Self::NotYetValid(
                claim,
                Distance {
                    date,
                    seconds,
                    skew,
                },
            ) => {
                let (name, date) = (claim.as_str(), Date(*date));
                write!(f, "not valid for another {seconds} s ({name} is {date})")?;
                skew
            }
        };
        write!(f, "; the allowed clock skew is {skew} s")
    }
}

/// The largest distance that wrong clocks and slow clients explain, in seconds.
const NEARLY: u32 = 600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::error::Refusal;

    #[track_caller]
    fn line(fault: DatesFault) -> String {
        Refusal::Dates(fault).to_string()
    }

    #[test]
    fn a_date_is_shown_with_its_distance_from_now() {
        let expired = DatesFault::Expired(Distance::new(1_000, 1_102, 60));
        assert_eq!(
            line(expired),
            "the token has expired: expired 102 s ago, at 1970-01-01T00:16:40Z; the allowed clock \
             skew is 60 s"
        );
        let early = DatesFault::NotYetValid(DateClaim::NotBefore, Distance::new(500, 398, 60));
        assert_eq!(
            line(early),
            "the token is not yet valid: not valid for another 102 s (nbf is 1970-01-01T00:08:20Z); \
             the allowed clock skew is 60 s"
        );
    }

    #[test]
    fn a_clock_before_1970_is_blamed_instead_of_the_token() {
        assert_eq!(
            line(DatesFault::NoClock),
            "the token has expired: the clock of this machine is before 1970"
        );
        assert_eq!(DatesFault::NoClock.hint(), hints::CLOCK_BEFORE_1970);
    }
}
