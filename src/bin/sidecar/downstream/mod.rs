//! Calls of the APIs that are configured: `/DownstreamApi` and `/DownstreamApiUnauthenticated`.

mod answer;

mod call;

mod client;

mod content;

pub(crate) mod headers;

mod media_type;

mod prepared;

pub(crate) mod url;

pub(crate) use self::{call::handle, client::Clients};
