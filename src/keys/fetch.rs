//! Fetches a key set: first the discovery document, then the keys that it names.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderValue, Request, StatusCode, Uri, header};

use super::{
    discovery::Discovery,
    error::{FetchError, TARGET},
    set::KeySet,
};
use crate::{
    algorithm::SignatureAlgorithm,
    http_client::{HttpClient, is_encoded, retry_after, with_causes},
    issuers::Issuers,
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
        KeySet::parse(
            &keys,
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
            .map_err(|error| {
                let error = with_causes(error.as_ref());
                tracing::debug!(target: TARGET, url, ?error, "no answer");
                FetchError::Unreachable
            })?;
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
