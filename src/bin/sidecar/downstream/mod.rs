//! Calls of the APIs that are configured: `/DownstreamApi` and `/DownstreamApiUnauthenticated`.

pub(crate) mod headers;

mod media_type;

pub(crate) mod url;
