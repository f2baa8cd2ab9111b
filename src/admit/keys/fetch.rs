//! Fetches a key set: first the discovery document, then the keys that it names.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderValue, Request, StatusCode, Uri, header};

use super::{discovery::Discovery, error::FetchError, set::KeySet};
use crate::{
    admit::{algorithm::SignatureAlgorithm, issuers::Issuers},
    http_client::{HttpClient, is_encoded, retry_after},
};

/// What is fetched, and its limits.
#[derive(Debug)]
pub(crate) struct FetchRules {
    pub(crate) discovery_url: Arc<str>,
    pub(crate) algorithms: Vec<SignatureAlgorithm>,
    pub(crate) max_body: usize,
    pub(crate) max_keys: usize,
}

/// Fetches the key set of one authority.
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
        self.key_set(discovery, &keys)
    }

    /// Reads the two documents of an earlier fetch by the rules of a new one.
    pub(crate) fn read(&self, discovery: &[u8], keys: &[u8]) -> Result<KeySet, String> {
        let max = self.rules.max_body;
        if discovery.len().max(keys.len()) > max {
            return Err(format!("a document has more than {max} bytes"));
        }
        let discovery = Discovery::parse(discovery, &self.issuers);
        let key_set = discovery.and_then(|discovery| self.key_set(discovery, keys));
        key_set.map_err(|error| match error {
            FetchError::NotADiscoveryDocument => {
                "the first document is not a discovery document".to_owned()
            }
            FetchError::NotAKeySet => "the second document is not a key set".to_owned(),
            error => error.to_string(),
        })
    }

    fn key_set(&self, discovery: Discovery, keys: &[u8]) -> Result<KeySet, FetchError> {
        KeySet::parse(
            keys,
            &self.rules.algorithms,
            self.rules.max_keys,
            discovery.cloud_instance_name,
            self.issuers.has_one_tenant(),
        )
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::ForeignKeysUrl)?;
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = uri;
        let accept = HeaderValue::from_static("application/json, application/jwk-set+json");
        request.headers_mut().insert(header::ACCEPT, accept);
        let answer = self
            .client
            .send(request, self.rules.max_body)
            .await
            .map_err(|error| FetchError::unreachable(error.as_ref()))?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(FetchError::Status {
                status,
                retry_after: retry_after(answer.headers(), SystemTime::now()),
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

#[cfg(test)]
mod tests {
    use std::{error::Error as StdError, pin::Pin, time::Duration};

    use http::{Method, Response};

    use super::*;
    use crate::{admit::tenants::Tenants, authority::Authority};

    /// Answers every request with this status, a `Retry-After` and a body of this length.
    struct Client(StatusCode, usize);

    impl HttpClient for Client {
        fn send(
            &self,
            request: Request<Vec<u8>>,
            max_body: usize,
        ) -> Pin<
            Box<
                dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>>
                    + Send,
            >,
        > {
            assert_eq!(request.method(), Method::GET);
            assert_eq!(request.body(), b"");
            assert_eq!(max_body, 1_024);
            let answer = Response::builder()
                .status(self.0)
                .header(header::RETRY_AFTER, "7")
                .body(vec![b' '; self.1]);
            Box::pin(async { Ok(answer?) })
        }
    }

    async fn fetch(status: StatusCode, len: usize) -> Option<FetchError> {
        let tenants = Tenants::any_organization().resolve().expect("good tenants");
        let issuers = Issuers::of(&Authority::public(), &tenants).expect("a good authority");
        let fetcher = Fetcher {
            client: Arc::new(Client(status, len)),
            rules: Arc::new(FetchRules {
                discovery_url: issuers.discovery_url().into(),
                algorithms: vec![SignatureAlgorithm::Rs256],
                max_body: 1_024,
                max_keys: 1,
            }),
            issuers: Arc::new(issuers),
        };
        fetcher.fetch().await.err()
    }

    #[tokio::test]
    async fn the_status_decides_before_the_length_of_the_body() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let refused = FetchError::Status {
            status,
            retry_after: Some(Duration::from_secs(7)),
        };
        for len in [0, 1_024, 1_025, 1_000_000] {
            assert_eq!(fetch(status, len).await, Some(refused.clone()), "{len}");
        }
        let ok = StatusCode::OK;
        assert_eq!(fetch(ok, 1_025).await, Some(FetchError::TooBig));
        let refused = FetchError::NotADiscoveryDocument;
        assert_eq!(fetch(ok, 1_024).await, Some(refused));
    }
}
