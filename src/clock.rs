//! The wall clock. Only this file reads it for tokens and keys, so that checks and the schedule take
//! the time as a parameter.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    seconds_at(SystemTime::now())
}

/// A clock before 1970 is unusable. It reads as the end of time, at which every token has expired.
fn seconds_at(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |since| since.as_secs())
}

/// The time since 1970, to compare two readings. Zero for a clock before 1970.
pub(crate) fn since_1970() -> Duration {
    let now = SystemTime::now();
    #[cfg(test)]
    let now = tests::set(now);
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// Sets the wall clock of this thread ahead of the machine's, for [`since_1970`].
    #[cfg(feature = "testing")]
    pub(crate) fn set_ahead(by: Duration) {
        AHEAD.set(by);
    }

    pub(super) fn set(now: SystemTime) -> SystemTime {
        now + AHEAD.get()
    }

    #[test]
    fn a_clock_before_1970_lets_no_token_live() {
        assert_eq!(seconds_at(UNIX_EPOCH), 0);
        assert_eq!(seconds_at(UNIX_EPOCH + Duration::from_millis(1_999)), 1);
        assert_eq!(seconds_at(UNIX_EPOCH - Duration::from_secs(1)), u64::MAX);
    }
}
