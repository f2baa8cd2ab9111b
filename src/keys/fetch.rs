//! Fetches a key set: discovery document first, then the keys it names.

use std::{error::Error as StdError, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, Uri, header};

use super::{
    discovery::Discovery,
    journal::TARGET,
    set::{KeySet, Skipped},
};
use crate::{authority::Issuers, token::SignatureAlgorithm};

/// Fetches the documents of an authority: the seam for an HTTP client of one's own.
///
/// The default is a `reqwest` client with rustls (feature `http-client`). An implementation
/// **must not follow redirects**, must not decompress, and should stop reading after `max_body`
/// bytes; a longer body is refused either way. Whether an answer is any good is judged by the
/// caller, who also limits the time.
pub trait HttpClient: Send + Sync + 'static {
    /// Sends one `GET` and returns whatever is answered, body included.
    ///
    /// # Errors
    ///
    /// Fails if there is no whole answer.
    #[expect(
        clippy::type_complexity,
        reason = "an alias would hide what an implementor returns"
    )]
    fn get(
        &self,
        uri: Uri,
        max_body: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    >;
}

/// What a fetched document must be.
#[derive(Debug)]
pub(crate) struct FetchRules {
    pub(crate) discovery_url: String,
    pub(crate) algorithms: Vec<SignatureAlgorithm>,
    pub(crate) max_body: usize,
    pub(crate) max_keys: usize,
    pub(crate) max_retry_after: Duration,
    pub(crate) names_one_tenant: bool,
}

/// Knows how to get the key set of one authority.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) client: Arc<dyn HttpClient>,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) rules: Arc<FetchRules>,
}

/// Why a fetch was not good. Nothing that the endpoint sent is repeated.
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
    /// The code of this reason: a closed list, for the log and the metrics.
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

impl Fetcher {
    pub(super) fn rules(&self) -> &FetchRules {
        &self.rules
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let document = self.get(&self.rules.discovery_url).await?;
        let discovery = Discovery::parse(&document, &self.issuers)?;
        let keys = self.get(&discovery.jwks_uri).await?;
        KeySet::parse(
            &keys,
            &self.rules.algorithms,
            self.rules.max_keys,
            discovery.cloud_instance_name,
            self.rules.names_one_tenant,
        )
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::ForeignKeysUrl)?;
        let answer = self
            .client
            .get(uri, self.rules.max_body)
            .await
            .map_err(|error| {
                let error = with_causes(error.as_ref());
                tracing::debug!(target: TARGET, url, ?error, "no answer");
                FetchError::Unreachable
            })?;
        let status = answer.status();
        if status != StatusCode::OK {
            let retry_after = retry_after(answer.headers())
                .map(|retry_after| retry_after.min(self.rules.max_retry_after));
            return Err(FetchError::Status {
                status,
                retry_after,
            });
        }
        if is_encoded(answer.headers()) {
            return Err(FetchError::Encoded);
        }
        let body = answer.into_body();
        if body.len() > self.rules.max_body {
            return Err(FetchError::TooBig);
        }
        Ok(body)
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// An error of a client with what caused it, in so many words at most.
pub(super) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..8 {
        let Some(error) = cause else {
            break;
        };
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.chars().take(500).collect()
}

/// [RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3), in seconds.
/// The form with a date is left alone: our own back-off then holds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)))
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
