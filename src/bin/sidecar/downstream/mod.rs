//! Calls of the APIs that are configured: `/DownstreamApi` and `/DownstreamApiUnauthenticated`.

mod answer;

mod client;

mod content;

pub(crate) mod headers;

mod media_type;

pub(crate) mod url;
