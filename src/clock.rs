//! The wall clock. Only this file reads it for tokens, so that checks take the time as a parameter.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    seconds_at(SystemTime::now())
}

/// A clock before 1970 is unusable. It reads as the end of time, at which every token has expired.
fn seconds_at(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_before_1970_lets_no_token_live() {
        assert_eq!(seconds_at(UNIX_EPOCH), 0);
        assert_eq!(seconds_at(UNIX_EPOCH + Duration::from_millis(1_999)), 1);
        assert_eq!(seconds_at(UNIX_EPOCH - Duration::from_secs(1)), u64::MAX);
    }
}
