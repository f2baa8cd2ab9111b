//! What time is it? The one place that asks, so that everything below can be told.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970. A clock set before that reads 0: every token is then not yet valid.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
