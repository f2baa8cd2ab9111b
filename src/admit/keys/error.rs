//! Why a fetch failed.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use http::StatusCode;

use super::skipped::Skipped;
use crate::{
    admit::error::hints,
    http_client::{NoAnswer, with_causes},
    shown::Shown,
};

/// Why a fetch failed. Each text of the endpoint among the facts is a [`Shown`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the authority could not be reached: {}", .0.text.as_str())]
    Unreachable(Arc<Unreachable>),
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
    #[error("the discovery document is of another issuer: {0}")]
    ForeignIssuer(Arc<ForeignIssuer>),
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

/// Why there was no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreachable {
    kind: NoAnswer,
    text: Shown,
}

impl FetchError {
    pub(super) fn unreachable(error: &(dyn StdError + 'static)) -> Self {
        let unreachable = Unreachable {
            kind: NoAnswer::of(error),
            text: Shown::within(MAX_CAUSE, &with_causes(error)),
        };
        Self::Unreachable(unreachable.into())
    }
}

/// An `issuer` that the authority does not promise.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names {found}; the authority promises {promised}")]
pub(crate) struct ForeignIssuer {
    pub(super) found: Shown,
    pub(super) promised: Shown,
    /// Which authority to set.
    pub(super) hint: &'static str,
}

impl FetchError {
    /// The code of this reason, for the log and the metrics. A closed list.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Status { .. } => "bad_status",
            Self::TooBig => "too_big",
            Self::Encoded => "encoded",
            Self::NotADiscoveryDocument => "not_a_discovery_document",
            Self::ForeignIssuer(_) => "foreign_issuer",
            Self::ForeignKeysUrl => "foreign_keys_url",
            Self::NotAKeySet => "not_a_key_set",
            Self::TooManyKeys => "too_many_keys",
            Self::NoUsableKey { .. } => "no_usable_key",
            Self::Panicked => "panicked",
        }
    }

    /// What to change. A closed list.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(unreachable) => match unreachable.kind {
                NoAnswer::NameNotResolved => hints::NAME_NOT_RESOLVED,
                NoAnswer::Refused => hints::CONNECTION_REFUSED,
                NoAnswer::ProxyCredentials => hints::PROXY_CREDENTIALS,
                NoAnswer::Proxy => hints::PROXY_REFUSED,
                NoAnswer::Certificate => hints::CERTIFICATE,
                NoAnswer::TimedOut => hints::NO_ANSWER_IN_TIME,
                NoAnswer::Other => hints::NO_KEYS_YET,
            },
            Self::TimedOut => hints::NO_ANSWER_IN_TIME,
            Self::Status { status, .. } => match *status {
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => hints::UNKNOWN_TO_THE_AUTHORITY,
                StatusCode::TOO_MANY_REQUESTS => hints::AUTHORITY_BUSY,
                status if status.is_server_error() => hints::AUTHORITY_BUSY,
                _ => hints::NOT_ENTRAS_ANSWER,
            },
            Self::TooBig
            | Self::Encoded
            | Self::NotADiscoveryDocument
            | Self::NotAKeySet
            | Self::TooManyKeys => hints::NOT_ENTRAS_ANSWER,
            Self::ForeignIssuer(foreign) => foreign.hint,
            Self::ForeignKeysUrl => hints::KEYS_ELSEWHERE,
            Self::NoUsableKey { .. } => hints::NO_USABLE_KEY,
            Self::Panicked => hints::CLIENT_PANICKED,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The target of what is logged about keys.
pub(super) const TARGET: &str = "tower_entra::keys";

/// The most characters of a cause.
const MAX_CAUSE: usize = 300;
