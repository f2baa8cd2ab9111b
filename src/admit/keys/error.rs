//! Why a fetch failed.

use std::time::Duration;

use http::StatusCode;

use super::skipped::Skipped;

/// Why a fetch failed. Contains no text that the endpoint sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the authority could not be reached")]
    Unreachable,
    #[error("no whole answer in time")]
    TimedOut,
    #[error("the answer had status {status}")]
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    #[error("the answer was too big")]
    TooBig,
    #[error("the answer was compressed")]
    Encoded,
    #[error("the answer was no discovery document")]
    NotADiscoveryDocument,
    #[error("the discovery document is of another issuer")]
    ForeignIssuer,
    #[error("the discovery document names keys elsewhere")]
    ForeignKeysUrl,
    #[error("the answer was no key set")]
    NotAKeySet,
    #[error("the key set had too many keys")]
    TooManyKeys,
    #[error("the key set had no usable key; left out: {skipped}")]
    NoUsableKey { skipped: Skipped },
    #[error("the fetch panicked")]
    Panicked,
}

impl FetchError {
    /// The code of this reason, for the log and the metrics. A closed list.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Status { .. } => "bad_status",
            Self::TooBig => "too_big",
            Self::Encoded => "encoded",
            Self::NotADiscoveryDocument => "not_a_discovery_document",
            Self::ForeignIssuer => "foreign_issuer",
            Self::ForeignKeysUrl => "foreign_keys_url",
            Self::NotAKeySet => "not_a_key_set",
            Self::TooManyKeys => "too_many_keys",
            Self::NoUsableKey { .. } => "no_usable_key",
            Self::Panicked => "panicked",
        }
    }

    pub(super) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }
}

/// The target of what is logged about keys.
pub(super) const TARGET: &str = "tower_entra::keys";
