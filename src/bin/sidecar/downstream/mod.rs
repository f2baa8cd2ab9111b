//! Calls of the APIs that are configured: `/DownstreamApi` and `/DownstreamApiUnauthenticated`.

mod answer;

mod call;

mod client;

mod content;

pub(crate) mod headers;

mod media_type;

mod memory;

mod prepared;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

mod shown;

pub(crate) mod url;

pub(crate) use self::{call::handle, client::Clients};
