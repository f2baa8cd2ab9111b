//! Fetches a key set: discovery document first, then the keys it names.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Response, StatusCode, Uri, header};

use super::{
    discovery::Discovery,
    error::{FetchError, TARGET},
    set::KeySet,
};
use crate::{algorithm::SignatureAlgorithm, issuers::Issuers};

/// Fetches the documents of an authority: the seam for an HTTP client of one's own.
///
/// The default is a `reqwest` client with rustls (feature `http-client`). An implementation
/// **must not follow redirects**, must not decompress, and should stop reading after `max_body`
/// bytes; a longer body is refused either way. Whether an answer is any good is judged by the
/// caller, who also limits the time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot fetch keys: it is no `HttpClient`",
    label = "not an `HttpClient`",
    note = "wrap it in a type of your own and implement `tower_entra::HttpClient` for that: it must \
            follow no redirects and decompress nothing"
)]
pub trait HttpClient: Send + Sync + 'static {
    /// Sends one `GET` and returns whatever is answered. The body matters only with the status 200: with
    /// any other it may be left out.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or no whole body where it matters.
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
    pub(crate) discovery_url: Arc<str>,
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
            let retry_after = retry_after(answer.headers(), SystemTime::now())
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

/// [RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3): seconds, or a
/// date. A date that has passed asks for nothing.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(now).ok()
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|encoding| encoding.as_bytes().trim_ascii())
        .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn asked(value: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        // Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        retry_after(&headers, now).map(|after| after.as_secs())
    }

    #[test]
    fn a_retry_after_is_read_in_both_of_its_forms() {
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked(" 0 "), Some(0));
        assert_eq!(asked("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(asked("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(asked("Sunday, 06-Nov-94 08:51:37 GMT"), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
    }

    #[test]
    fn a_retry_after_that_has_passed_or_is_none_asks_for_nothing() {
        for value in [
            "Sun, 06 Nov 1994 08:49:36 GMT",
            "",
            "-1",
            "+1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994 08:51:37 CET",
        ] {
            assert_eq!(asked(value), None, "{value:?}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_in_so_many_words_at_most() {
        #[derive(Debug, thiserror::Error)]
        #[error("no connection")]
        struct Outer(#[source] std::io::Error);

        let error = |text: String| Outer(std::io::Error::other(text));
        assert_eq!(
            with_causes(&error("refused".to_owned())),
            "no connection: refused"
        );
        let long = with_causes(&error("é".repeat(1_000)));
        assert_eq!(long.chars().count(), 500);
    }

    #[test]
    fn only_a_body_that_is_not_encoded_is_read() {
        let encoded = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            is_encoded(&headers)
        };
        assert!(!is_encoded(&HeaderMap::new()));
        assert!(!encoded("") && !encoded("identity") && !encoded("Identity"));
        assert!(encoded("gzip") && encoded("identity, gzip") && encoded("x"));
    }
}
