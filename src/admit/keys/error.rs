//! Why a fetch failed.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

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
    /// Every code of a reason.
    pub(super) const CODES: [&str; 12] = [
        "unreachable",
        "timed_out",
        "bad_status",
        "too_big",
        "encoded",
        "not_a_discovery_document",
        "foreign_issuer",
        "foreign_keys_url",
        "not_a_key_set",
        "too_many_keys",
        "no_usable_key",
        "panicked",
    ];

    /// The code of this reason, for the log and the metrics: one of [`CODES`](Self::CODES).
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

/// Why the last fetch of keys failed: [`Validator::last_key_error`](crate::Validator::last_key_error).
///
/// [`Display`](fmt::Display) is for the operator's log. It names hosts and what the authority answered,
/// escaped and cut, so it is not for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    code: &'static str,
    text: Arc<str>,
    hint: &'static str,
}

impl KeyError {
    /// The stable code of the reason, such as `unreachable`: that of `error.type` in the
    /// [metrics](crate::guide::observability#metrics). It changes only with a major version.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.code
    }

    /// What to change: one sentence of a closed list.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }

    /// The words of [`Display`](fmt::Display), for a request that lacks a key.
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }
}

impl From<&FetchError> for KeyError {
    fn from(error: &FetchError) -> Self {
        Self {
            code: error.as_str(),
            text: error.to_string().into(),
            hint: error.hint(),
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for KeyError {}

/// There were no usable keys in time: [`Validator::ready_within`](crate::Validator::ready_within).
///
/// [`Display`](fmt::Display) is for the operator's log, with the error of the last fetch in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    pub(super) url: Arc<str>,
    /// `None` without a runtime: then there was no wait.
    pub(super) waited: Option<Duration>,
    pub(super) last_error: Option<KeyError>,
}

impl NotReady {
    /// Why the last fetch failed. `None` if no fetch has ended.
    #[must_use]
    pub fn last_error(&self) -> Option<&KeyError> {
        self.last_error.as_ref()
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match self.waited {
            Some(waited) => write!(f, "no usable keys from {url} within {waited:?}: ")?,
            None => write!(
                f,
                "no usable keys from {url}, and no tokio runtime with a timer to fetch them on: "
            )?,
        }
        match &self.last_error {
            Some(error) => error.fmt(f),
            None => f.write_str("no fetch has ended yet"),
        }
    }
}

impl StdError for NotReady {}

/// The target of what is logged about keys.
pub(super) const TARGET: &str = "tower_entra::keys";

/// The most characters of a cause.
const MAX_CAUSE: usize = 300;
