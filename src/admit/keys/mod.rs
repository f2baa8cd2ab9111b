//! The keys: where they come from, which of them are usable, and when they are refreshed.
//!
//! One background task per [`KeySource`] does all fetching. It publishes immutable snapshots; a
//! request loads one and keeps to it.

mod settings;

mod discovery;

mod fetch;

mod jwk;

mod skipped;

mod set;

mod error;

mod schedule;

mod spans;

mod journal;

mod chores;

mod state;

mod task;

mod ticket;

mod source;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

pub(crate) use self::{
    chores::Chore,
    fetch::{FetchRules, Fetcher},
    jwk::PublishedKey,
    source::KeySource,
    state::Snapshot,
    ticket::Ticket,
};
pub use self::{
    error::{KeyError, NotReady},
    settings::KeySettings,
    state::KeyStatus,
};
