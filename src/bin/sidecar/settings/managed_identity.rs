//! Assertions from a managed identity of Azure: of a virtual machine (IMDS), or of App Service.

use std::{error::Error as StdError, fmt, pin::Pin, sync::Arc, time::Duration};

use azure_core::{
    Bytes,
    credentials::TokenCredential,
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Body, ClientOptions, HttpClient, Method, Request, RetryOptions,
        Transport, headers::Headers,
    },
};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use tower_entra::{
    AppId,
    acquire::{AssertionRequest, ClientCredential},
};

/// The identity with this client id, or that of the machine, for this audience, or for that of the cloud. The
/// variables of App Service are those of the process.
///
/// # Errors
///
/// Fails on a platform whose managed identities are not supported: Azure Arc, Azure ML, Cloud Shell and Service
/// Fabric.
pub(super) fn credential(
    client_id: Option<AppId>,
    audience: Option<&str>,
) -> Result<ClientCredential, String> {
    let transport = Transport::new(Arc::new(Client::new()?));
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_string())),
        client_options: ClientOptions {
            transport: Some(transport),
            // For App Service: an acquisition tries once more by itself. IMDS has the retries of its documentation.
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        },
    };
    let identity =
        ManagedIdentityCredential::new(Some(options)).map_err(|error| error.to_string())?;
    Ok(of(identity, audience))
}

/// What this identity gives for this audience, or for that of the cloud.
pub(super) fn of(identity: Arc<dyn TokenCredential>, audience: Option<&str>) -> ClientCredential {
    let Some(audience) = audience else {
        return ClientCredential::from_token_credential(identity);
    };
    let scope: Arc<str> = match audience.strip_suffix("/.default") {
        Some(_) => audience.into(),
        None => format!("{audience}/.default").into(),
    };
    ClientCredential::assertion(move |_: AssertionRequest| {
        let (identity, scope) = (Arc::clone(&identity), Arc::clone(&scope));
        async move {
            let token = identity.get_token(&[&scope], None).await?;
            Ok::<_, Error>(token.token.secret().to_owned())
        }
    })
}

/// Sends the requests of `azure_identity`, which go to this machine: without TLS, redirects and proxies. The
/// request has a secret of App Service.
#[derive(Debug)]
struct Client(reqwest::Client);

impl Client {
    fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(REQUEST_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .tls_backend_rustls()
            .tls_certs_only([])
            .build();
        client.map(Self).map_err(|error| error.to_string())
    }

    async fn send(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            other => return Err(other_error(format!("the method {other} is not expected"))),
        };
        let mut sent = self.0.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            sent = sent.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            sent = sent.body(bytes.clone());
        }
        let mut answer = sent.send().await.map_err(not_sent)?;
        let mut headers = Headers::new();
        for (name, value) in answer.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let status = answer.status().as_u16().into();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(not_sent)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                return Err(other_error(format!(
                    "the answer has more than {MAX_BODY} bytes"
                )));
            }
        }
        Ok(AsyncRawResponse::from_bytes(
            status,
            headers,
            Bytes::from(body),
        ))
    }
}

impl HttpClient for Client {
    // What `async_trait` makes of the trait's function.
    fn execute_request<'s, 'r, 'f>(
        &'s self,
        request: &'r Request,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'f>>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        Box::pin(self.send(request))
    }
}

/// Of a kind that `azure_identity` does not try again: where there is no IMDS, that would go on for over a minute.
fn not_sent(error: reqwest::Error) -> Error {
    let mut text = "no answer from the managed identity's endpoint".to_owned();
    let error = error.without_url();
    let mut cause: Option<&dyn StdError> = Some(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    other_error(text)
}

fn other_error(text: impl fmt::Display) -> Error {
    Error::with_message(ErrorKind::Other, text.to_string())
}

const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Less than the 20 s that getting an assertion may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// A token has a few kilobytes.
const MAX_BODY: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use azure_core::http::headers::HeaderName;
    use tokio::{
        net::TcpSocket,
        time::{Instant, pause},
    };

    use super::*;

    /// Answers one request with these bytes; returns its URL and, in the end, the head of the request.
    fn server(answer: Vec<u8>) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "http://{}/token",
            listener.local_addr().expect("an address")
        );
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let _ = stream.write_all(&answer);
            String::from_utf8(head).expect("text")
        });
        (url, thread)
    }

    fn request(url: &str) -> Request {
        let mut request = Request::new(url.parse().expect("a URL"), Method::Get);
        request.insert_header("x-identity-header", "s");
        request
    }

    async fn send(request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let client = Client::new().expect("a client");
        client.execute_request(request).await
    }

    async fn get(url: &str) -> azure_core::Result<(u16, Vec<u8>)> {
        let answer = send(&request(url)).await?;
        let status = answer.status().into();
        let body = answer.into_body().collect().await?;
        Ok((status, body.to_vec()))
    }

    #[tokio::test]
    async fn a_request_is_sent_once_with_its_headers() {
        let (url, thread) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec());
        assert_eq!(get(&url).await.expect("an answer"), (200, b"{}".to_vec()));
        let head = thread.join().expect("a head").to_lowercase();
        assert!(head.starts_with("get /token http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nx-identity-header: s\r\n"), "{head}");
    }

    #[tokio::test]
    async fn the_method_the_body_and_the_headers_of_the_answer_are_kept() {
        let answer = "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
        let (url, thread) = server(answer.into());
        let mut request = Request::new(url.parse().expect("a URL"), Method::Post);
        request.set_body("a=b");
        let answer = send(&request).await.expect("an answer");
        let header = HeaderName::from_static("retry-after");
        assert_eq!(answer.headers().get_optional_str(&header), Some("7"));
        let head = thread.join().expect("a head").to_lowercase();
        assert!(head.starts_with("post /token http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-length: 3\r\n"), "{head}");
        request.set_method(Method::Delete);
        let error = send(&request).await.expect_err("no such method");
        assert!(error.to_string().contains("is not expected"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_is_waited_for_10_s() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let start = Instant::now();
        // A clock that stands before there is a connection would go on to the end of the time for one.
        let accepting = async {
            let accepted = listener.accept().await.expect("a connection");
            pause();
            accepted
        };
        let (got, _connection) = tokio::join!(get(&url), accepting);
        got.expect_err("no answer");
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn a_connection_is_waited_for_2_s() {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        // Once as many wait as may, the operating system answers no more.
        let mut waiting = Vec::new();
        let moment = Duration::from_millis(200);
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, moment) {
            waiting.push(stream);
            assert!(waiting.len() < 100);
        }
        pause();
        let start = Instant::now();
        let got = get(&format!("http://{address}")).await;
        got.expect_err("no connection");
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let redirect = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        let (url, _thread) = server(redirect.into());
        assert_eq!(get(&url).await.expect("an answer").0, 307);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_or_breaks_off_is_an_error() {
        let of = |length: usize| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            [head.into_bytes(), vec![b' '; length]].concat()
        };
        let (url, _thread) = server(of(MAX_BODY));
        assert_eq!(get(&url).await.expect("an answer").1.len(), MAX_BODY);
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_vec();
        for answer in [of(MAX_BODY + 1), cut] {
            let (url, _thread) = server(answer);
            let error = get(&url).await.expect_err("an error");
            assert!(matches!(error.kind(), ErrorKind::Other), "{error}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_fails_is_an_error_that_is_not_tried_again() {
        let error = get("http://127.0.0.1:1/").await.expect_err("an error");
        assert!(matches!(error.kind(), ErrorKind::Other), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("no answer from the managed identity's endpoint: ")
        );
        assert!(!error.to_string().contains("127.0.0.1"), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
