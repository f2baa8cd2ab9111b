//! The keys under time: rotation, floods, outages, endpoints in every state of disrepair.
//!
//! Most tests speak real HTTP to a `testing::Issuer` on loopback. Where time has to pass, a client
//! of the test's own answers instead and the clock is paused.

#![allow(clippy::unwrap_used)]

mod support;

mod client;

mod log;

mod rotation;

mod flood;

mod replacement;

mod refresh;

mod faults;

mod outage;

mod injected;

mod documents;

mod waiting;

mod capacity;

mod life;

mod connections;

mod races;

mod panicking;

mod journal;

#[cfg(feature = "metrics")]
mod recorder;

#[cfg(feature = "metrics")]
mod metrics;
