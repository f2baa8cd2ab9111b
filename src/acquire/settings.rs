//! Numbers that a client can be given.

use std::time::Duration;

/// Limits of an acquisition, each with its default.
#[derive(Clone, Debug)]
pub struct AcquireSettings {
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) total_timeout: Duration,
    pub(super) max_flights: usize,
    pub(super) max_entries: usize,
    pub(super) exchange_audience: Option<String>,
}

impl Default for AcquireSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(30),
            max_flights: 256,
            max_entries: 10_000,
            exchange_audience: None,
        }
    }
}
