//! The default HTTP client.

use std::{error::Error as StdError, pin::Pin, time::Duration};

use http::{Request, Response, StatusCode};
use reqwest::Certificate;
use tokio::time::{self, Instant};

use super::{HttpClient, with_causes};
use crate::{config_error::ConfigError, origin::Origin};

/// A reqwest client for one origin. It follows no redirects, sends nothing twice and decompresses
/// nothing, even if another crate in the graph has turned that feature on.
#[derive(Debug)]
pub(crate) struct ReqwestClient {
    client: reqwest::Client,
    origin: Origin,
    total_timeout: Duration,
}

impl ReqwestClient {
    /// `roots_pem` are certificates that are trusted besides those of the system.
    pub(crate) fn new(
        connect_timeout: Duration,
        total_timeout: Duration,
        origin: &Origin,
        roots_pem: Option<&[u8]>,
    ) -> Result<Self, ConfigError> {
        let roots = match roots_pem {
            Some(pem) => certificates(pem).map_err(|problem| ConfigError::new(ROOTS, problem))?,
            None => Vec::new(),
        };
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tower-entra/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout)
            .timeout(total_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Another crate in the graph may make another back end the default.
            .tls_backend_rustls()
            // The requests that follow one another share a connection. A server may have closed an
            // older one without notice, and a request sent on that would fail.
            .pool_idle_timeout(total_timeout)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        // A proxy from the environment would take requests to loopback off this machine.
        let builder = if origin.is_loopback_address() {
            builder.no_proxy()
        } else {
            builder
        };
        // Plain http needs no certificate store, which not every machine has.
        let builder = if origin.is_https() {
            builder.https_only(true).tls_certs_merge(roots)
        } else {
            builder.tls_certs_only([])
        };
        let client = builder.build().map_err(|error| {
            ConfigError::new(
                "http_client",
                format!("cannot be built: {}", with_causes(&error)),
            )
        })?;
        Ok(Self {
            client,
            origin: origin.clone(),
            total_timeout,
        })
    }
}

/// The certificates of a PEM, each of which can be a root.
fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    if pem.len() > MAX_PEM {
        return Err(format!("has {} bytes, more than {MAX_PEM}", pem.len()));
    }
    if pem
        .windows(PRIVATE_KEY.len())
        .any(|text| text == PRIVATE_KEY)
    {
        return Err("has a private key, which nothing here needs".to_owned());
    }
    let is_unreadable = |error| format!("cannot be read: {}", with_causes(&error));
    let certificates = Certificate::from_pem_bundle(pem).map_err(is_unreadable)?;
    if certificates.is_empty() {
        return Err("has no certificate in PEM".to_owned());
    }
    // Building the client that is used can fail for other reasons, and then names no certificate.
    reqwest::Client::builder()
        .tls_backend_rustls()
        .tls_certs_only(certificates.clone())
        .no_proxy()
        .build()
        .map_err(is_unreadable)?;
    Ok(certificates)
}

const ROOTS: &str = "root_certificates_pem";
/// The system's own certificates are a fifth of this.
const MAX_PEM: usize = 1024 * 1024;
const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";

impl HttpClient for ReqwestClient {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        max_body: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let origin = Origin::of(&request.uri().to_string());
        if origin.as_ref() != Some(&self.origin) {
            return Box::pin(async { Err("the request is to another origin".into()) });
        }
        let (client, total) = (self.client.clone(), self.total_timeout);
        Box::pin(async move {
            let start = Instant::now();
            let answer = client.execute(request.try_into()?).await;
            // The log has the URL in a field of its own.
            let mut answer = answer.map_err(reqwest::Error::without_url)?;
            let body = if answer.status() == StatusCode::OK {
                let body = read(&mut answer, max_body).await;
                body.map_err(reqwest::Error::without_url)?
            } else {
                // Less than the client's own timeout leaves, which would lose the whole answer.
                let left = total.saturating_sub(start.elapsed());
                let limit = (total / 4).min(left / 2);
                let body = time::timeout(limit, read(&mut answer, max_body)).await;
                body.ok().and_then(Result::ok).unwrap_or_default()
            };
            let mut response = Response::new(body);
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response)
        })
    }
}

/// Reads the body to its end, or until more than `max_body` bytes have arrived.
async fn read(answer: &mut reqwest::Response, max_body: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > max_body {
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        sync::mpsc::{Receiver, channel},
        thread,
        time::Instant,
    };

    use http::header;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A server that answers one request with `answer`, and keeps the connection open for as long
    /// as the client does.
    struct Server {
        url: String,
        received: Receiver<Vec<u8>>,
    }

    impl Server {
        fn start(answer: impl Into<Vec<u8>>, is_closed: bool) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let (sender, received) = channel();
            let answer = answer.into();
            thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a connection");
                sender.send(request(&mut stream)).expect("a receiver");
                let _ = stream.write_all(&answer);
                if !is_closed {
                    let _ = stream.read(&mut [0]);
                }
            });
            Self { url, received }
        }

        async fn get(
            &self,
            max_body: usize,
        ) -> Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>> {
            client(&self.url).send(get(&self.url), max_body).await
        }

        fn received(&self) -> String {
            let received = self.received.recv_timeout(10 * SECOND);
            let received = String::from_utf8(received.expect("a request"));
            received.expect("text").to_lowercase()
        }
    }

    /// Reads a head and, if it has a length, the body.
    fn request(stream: &mut TcpStream) -> Vec<u8> {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a head") == 1 {
            request.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&request).to_lowercase();
        let len = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |len| len.parse().expect("a length"));
        let mut body = vec![0; len];
        stream.read_exact(&mut body).expect("a body");
        request.extend(body);
        request
    }

    fn client(url: &str) -> ReqwestClient {
        let origin = Origin::parse(url).expect("an origin");
        ReqwestClient::new(SECOND, 4 * SECOND, &origin, None).expect("a client")
    }

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).expect("a request")
    }

    fn answer(status: &str, len: usize, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nRetry-After: 7\r\nContent-Length: {len}\r\n\r\n{body}")
    }

    #[track_caller]
    fn assert_retry_after(answer: &Response<Vec<u8>>) {
        assert_eq!(answer.headers()[header::RETRY_AFTER], "7");
    }

    #[tokio::test]
    async fn a_request_is_sent_with_its_method_headers_and_body() {
        let server = Server::start(answer("200 OK", 2, "{}"), true);
        let request = Request::post(format!("{}/token?a=b", server.url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(b"scope=x".to_vec())
            .expect("a request");
        let answer = client(&server.url)
            .send(request, 100)
            .await
            .expect("an answer");
        assert_eq!(answer.body(), b"{}");
        let received = server.received();
        assert!(received.starts_with("post /token?a=b http/1.1\r\n"));
        assert!(received.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
        assert!(received.contains("\r\ncontent-length: 7\r\n"));
        assert!(received.ends_with("\r\n\r\nscope=x"));
    }

    #[tokio::test]
    async fn a_get_without_a_body_has_no_length() {
        let server = Server::start(answer("200 OK", 2, "{}"), true);
        server.get(100).await.expect("an answer");
        let received = server.received();
        assert!(!received.contains("content-length"), "{received}");
        assert!(!received.contains("transfer-encoding"), "{received}");
        assert!(!received.contains("accept-encoding"), "{received}");
    }

    #[tokio::test]
    async fn a_request_to_another_origin_is_not_sent() {
        let server = Server::start(answer("200 OK", 2, "{}"), true);
        let client = client("http://127.0.0.1:1");
        assert!(client.send(get(&server.url), 100).await.is_err());
        assert!(server.received.try_recv().is_err());
        for url in ["/token", "https://127.0.0.1:1/", "http://127.0.0.2:1/"] {
            let refused = client.send(get(url), 100).await.expect_err(url);
            assert_eq!(refused.to_string(), "the request is to another origin");
        }
    }

    #[tokio::test]
    async fn the_body_of_any_status_is_returned() {
        for status in ["200 OK", "302 Found", "400 Bad Request", "503 Busy"] {
            let server = Server::start(answer(status, 9, "{\"a\": 12}"), true);
            let answer = server.get(9).await.expect(status);
            assert_eq!(answer.status().as_str(), &status[..3]);
            assert_eq!(answer.body(), b"{\"a\": 12}", "{status}");
            assert_retry_after(&answer);
        }
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_returned_as_such() {
        for status in ["200 OK", "400 Bad Request"] {
            let body = "x".repeat(1_000);
            let server = Server::start(answer(status, 1_000_000, &body), false);
            let answer = server.get(999).await.expect("an answer");
            assert_eq!(answer.body().len(), 1_000, "{status}");
            assert_retry_after(&answer);
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error_only_with_the_status_200() {
        let server = Server::start(answer("200 OK", 100, "{"), true);
        assert!(server.get(999).await.is_err());

        let server = Server::start(answer("429 Slow Down", 100, "{"), true);
        let answer = server.get(999).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.body(), b"");
        assert_retry_after(&answer);
    }

    #[tokio::test]
    async fn an_error_whose_body_does_not_come_is_returned_without_it() {
        let start = Instant::now();
        let server = Server::start(answer("503 Busy", 100, "{"), false);
        let answer = server.get(999).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body(), b"");
        assert_retry_after(&answer);
        assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
    }
}
