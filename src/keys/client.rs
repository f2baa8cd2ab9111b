//! The default HTTP client.

use std::{error::Error as StdError, pin::Pin};

use http::{HeaderValue, Response, StatusCode, Uri, header};

use super::{HttpClient, KeySettings, fetch::with_causes};
use crate::{config_error::ConfigError, issuers::Issuers};

/// reqwest, told to do nothing on its own: no redirects, no retries, no decompression even if
/// another crate has turned that feature on.
#[derive(Debug)]
pub(crate) struct ReqwestClient(reqwest::Client);

impl ReqwestClient {
    pub(crate) fn new(settings: &KeySettings, issuers: &Issuers) -> Result<Self, ConfigError> {
        let accept = HeaderValue::from_static("application/json, application/jwk-set+json");
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tower-entra/", env!("CARGO_PKG_VERSION")))
            .default_headers([(header::ACCEPT, accept)].into_iter().collect())
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.total_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Not what another crate in the graph makes the default by turning its feature on.
            .tls_backend_rustls()
            // A connection serves the two documents of one fetch. By the next one the server may
            // have closed it without a word.
            .pool_idle_timeout(settings.total_timeout)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        // On loopback no proxy of the machine has a say, and plain http needs no certificate store.
        let builder = if issuers.is_loopback() {
            builder.no_proxy()
        } else {
            builder
        };
        let builder = if issuers.is_https() {
            builder.https_only(true)
        } else {
            builder.tls_certs_only([])
        };
        let client = builder.build().map_err(|error| {
            ConfigError::new(
                "http_client",
                format!("cannot be built: {}", with_causes(&error)),
            )
        })?;
        Ok(Self(client))
    }
}

impl HttpClient for ReqwestClient {
    fn get(
        &self,
        uri: Uri,
        max_body: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let request = self.0.get(uri.to_string());
        Box::pin(async move {
            let mut answer = request.send().await?;
            let mut body = Vec::new();
            // Nobody looks at any other body, and one that breaks off would hide a `Retry-After`.
            if answer.status() == StatusCode::OK {
                while let Some(chunk) = answer.chunk().await? {
                    body.extend_from_slice(&chunk);
                    if body.len() > max_body {
                        break;
                    }
                }
            }
            let mut response = Response::new(body);
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response)
        })
    }
}
