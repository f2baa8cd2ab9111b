//! One reading of both clocks.

use std::{
    ops::Add,
    time::{Duration, Instant},
};

use tokio::time;

use crate::clock::since_1970;

/// One reading of both clocks.
///
/// The monotonic clock stands still while the machine sleeps, and in a snapshot of it until that is
/// restored. The wall clock goes on, but can be set to any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) monotonic: Instant,
    /// Since 1970.
    pub(crate) wall: Duration,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: now(),
            wall: since_1970(),
        }
    }

    /// The time since `earlier` by the clock that says more. One that was set back says nothing.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        monotonic.max(self.wall.saturating_sub(earlier.wall))
    }

    /// Whether the wall clock says that more than `longest` has passed, the longest that it can have
    /// been by the monotonic clock.
    pub(crate) fn has_slept_since(self, earlier: Self, longest: Duration) -> bool {
        self.wall.saturating_sub(earlier.wall) > longest + SLACK
    }

    /// The time until `due`, if the machine does not sleep.
    pub(crate) fn until(self, due: Self) -> Duration {
        if self.has_reached(due) {
            return Duration::ZERO;
        }
        due.monotonic.saturating_duration_since(self.monotonic)
    }

    /// Whether one of the clocks has come to `due`.
    pub(crate) fn has_reached(self, due: Self) -> bool {
        self.monotonic >= due.monotonic || self.wall >= due.wall + SLACK
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self {
            monotonic: self.monotonic + time,
            wall: self.wall.saturating_add(time),
        }
    }
}

/// The wall clock gains this much on the monotonic one before something is due by it alone: a time
/// server that corrects it has nothing done early.
pub(crate) const SLACK: Duration = Duration::from_secs(1);

/// The time by tokio's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_slept_if_the_wall_clock_gained_more_than_a_time_server_corrects() {
        let limit = Duration::from_secs(5);
        let began = Moment::now();
        let at = |wall: Duration| Moment {
            monotonic: began.monotonic,
            wall,
        };
        let longest = began.wall + limit + SLACK;
        assert!(!at(longest).has_slept_since(began, limit));
        assert!(at(longest + Duration::from_millis(1)).has_slept_since(began, limit));
        assert!(!at(Duration::ZERO).has_slept_since(began, limit));
    }

    #[test]
    fn the_clock_that_says_more_counts_and_one_that_was_set_back_says_nothing() {
        let hour = Duration::from_secs(60 * 60);
        let earlier = Moment::now();
        for (monotonic, wall, since) in [(1, 1, 1), (1, 3, 3), (3, 1, 3), (0, 72, 72)] {
            let now = Moment {
                monotonic: earlier.monotonic + monotonic * hour,
                wall: earlier.wall + wall * hour,
            };
            assert_eq!(now.since(earlier), since * hour);
            let due = earlier + (since * hour).saturating_sub(SLACK);
            assert!(now.has_reached(due));
            assert_eq!(now.until(due), Duration::ZERO);
            assert_eq!(earlier.until(earlier + since * hour), since * hour);
            assert!(!now.has_reached(earlier + (since + 1) * hour));
        }
        let set_back = Moment {
            monotonic: earlier.monotonic + hour,
            wall: Duration::ZERO,
        };
        assert_eq!(set_back.since(earlier), hour);
        assert_eq!(set_back.until(earlier + hour), Duration::ZERO);
        assert_eq!(set_back.until(earlier + 2 * hour), hour);
    }
}
