//! The keys over time: rotation, floods, outages, and faults of the endpoint.
//!
//! Most tests speak real HTTP to a `testing::Issuer` on loopback. Where time has to pass, a client
//! of the test's own answers instead and the clock is paused.

pub(crate) mod discovery;
pub(crate) mod key_set;
pub(crate) mod pressure;

mod alarms;
pub(crate) mod capacity;
mod connections;
mod cool_down;
mod faults;
mod flood;
mod gone_away;
mod initial;
mod injected;
mod journal;
mod life;
#[cfg(feature = "metrics")]
mod metrics;
mod outage;
mod panicking;
mod probes;
mod races;
mod reasons;
pub(crate) mod refresh;
mod replacement;
pub(crate) mod rotation;
mod spans;
pub(crate) mod unreachable;
mod waiting;
