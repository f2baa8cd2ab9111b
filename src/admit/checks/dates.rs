//! Check 10: the token is valid now.

use crate::admit::{
    checks::Policy,
    error::{DateClaim, DatesFault, Distance, Refusal},
    findings::Dates,
    token::{Claims, Number},
};

impl Policy {
    /// Check 10: the token is valid at `now`, in seconds since 1970. A clock before 1970 reads as
    /// `u64::MAX`, by which every token has expired.
    pub(crate) fn check_dates(&self, claims: &Claims<'_>, now: u64) -> Result<Dates, Refusal> {
        let expires = date(DateClaim::Expires, claims.exp)?;
        let dates = Dates {
            expires: expires.ok_or(Refusal::Dates(DatesFault::NoExpiry))?,
            not_before: date(DateClaim::NotBefore, claims.nbf)?,
            issued: date(DateClaim::Issued, claims.iat)?,
        };
        self.check_time(&dates, now)?;
        Ok(dates)
    }

    /// From when on `exp` has passed.
    pub(crate) fn end_of(&self, dates: &Dates) -> u64 {
        dates.expires.saturating_add(self.skew)
    }

    /// The part of check 10 whose result changes with time.
    pub(crate) fn check_time(&self, dates: &Dates, now: u64) -> Result<(), Refusal> {
        if now.saturating_sub(self.skew) >= dates.expires {
            return Err(self.expired(dates, now));
        }
        let latest = now.saturating_add(self.skew);
        if [dates.not_before, dates.issued]
            .into_iter()
            .flatten()
            .any(|date| date > latest)
        {
            return Err(self.not_yet_valid(dates, now));
        }
        if dates
            .not_before
            .is_some_and(|not_before| not_before > dates.expires)
        {
            return Err(Refusal::Dates(DatesFault::Reversed));
        }
        Ok(())
    }

    #[cold]
    fn expired(&self, dates: &Dates, now: u64) -> Refusal {
        Refusal::Dates(match now {
            u64::MAX => DatesFault::NoClock,
            _ => DatesFault::Expired(Distance::new(dates.expires, now, self.skew)),
        })
    }

    /// Blames the later of both dates.
    #[cold]
    fn not_yet_valid(&self, dates: &Dates, now: u64) -> Refusal {
        let (claim, date) = match (dates.not_before, dates.issued) {
            (Some(not_before), issued) if issued <= Some(not_before) => {
                (DateClaim::NotBefore, not_before)
            }
            (_, issued) => (DateClaim::Issued, issued.unwrap_or_default()),
        };
        let distance = Distance::new(date, now, self.skew);
        Refusal::Dates(DatesFault::NotYetValid(claim, distance))
    }
}

/// A date of [RFC 7519, section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2), up to the
/// end of the year 9999. A fraction of a second is cut off once the number has been read as a double,
/// which may have rounded up what lies within some microseconds of the next second.
fn date(claim: DateClaim, number: Option<Number>) -> Result<Option<u64>, Refusal> {
    match number {
        None => Ok(None),
        Some(Number::Integer(date)) => u64::try_from(date)
            .ok()
            .filter(|date| *date <= LAST_DATE)
            .map(Some)
            .ok_or(Refusal::Dates(DatesFault::NotADate(claim))),
        Some(Number::Fraction(date)) if (0.0..=LAST_DATE_F64).contains(&date) =>
        {
            #[expect(
                clippy::as_conversions,
                reason = "the range is checked; a fraction is cut off"
            )]
            Ok(Some(date.floor() as u64))
        }
        Some(Number::Fraction(_)) => Err(Refusal::Dates(DatesFault::NotADate(claim))),
    }
}

/// 9999-12-31T23:59:59Z.
const LAST_DATE: u64 = 253_402_300_799;
const LAST_DATE_F64: f64 = 253_402_300_799.0;
