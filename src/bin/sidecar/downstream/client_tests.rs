use std::{iter::empty, time::Instant as Clock};

use http::response;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Barrier,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower_entra::testing::Issuer;

use super::*;
use crate::{app::App, downstream::url::RelativePath, settings::tests::settings};

const SECOND: Duration = Duration::from_secs(1);

/// A server that reads a head, writes this, and then closes the connection or holds it open.
async fn server(answer: impl Into<Vec<u8>>, is_closed: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = answer.into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap_or(b'\n'));
                }
                // The client may be gone.
                let _ = stream.write_all(&answer).await;
                if !is_closed {
                    sleep(60 * SECOND).await;
                }
            });
        }
    });
    format!("http://{address}")
}

struct World {
    clients: Clients,
    source: TokenSource,
    scopes: Scopes,
    _issuer: Issuer,
}

impl World {
    /// Answers may have 10 bytes. A token is in the cache.
    async fn start() -> Self {
        let issuer = Issuer::start().await;
        let app = App::new(settings(&issuer)).expect("an app");
        let client = app.client.clone().expect("a client");
        let source = client.agent(issuer.agent_id()).itself();
        let scopes = Scopes::default_of(issuer.api().resource()).expect("a scope");
        source.token(&scopes).await.expect("a token");
        Self {
            clients: Clients {
                max_body: 10,
                ..app.clients.clone()
            },
            source,
            scopes,
            _issuer: issuer,
        }
    }

    async fn get(&self, base_url: &str, limit: Duration) -> Result<Answer, Fault> {
        let base = BaseUrl::parse(base_url, false).expect("a base URL");
        let url = base.call(&RelativePath::default(), empty());
        let call = Call {
            url: url.expect("a URL"),
            base,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: None,
        };
        let deadline = Instant::now() + limit;
        let source = self.source.clone();
        let ended = self.clients.call(call, &self.scopes, source, deadline);
        ended.await.result
    }

    async fn fault(&self, base_url: &str, limit: Duration) -> NoAnswer {
        match self.get(base_url, limit).await {
            Err(Fault::NoAnswer(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_of_as_many_bytes_as_are_allowed_is_read() {
    let world = World::start().await;
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
    ] {
        let url = server(answer, false).await;
        let answer = world.get(&url, 10 * SECOND).await.expect("an answer");
        assert_eq!(answer.body, b"0123456789");
    }
    let url = server("HTTP/1.1 200 OK\r\n\r\n0123456789", true).await;
    let answer = world.get(&url, 10 * SECOND).await.expect("an answer");
    assert_eq!(answer.body, b"0123456789");
}

#[tokio::test]
async fn a_longer_answer_is_not_read_to_its_end() {
    let world = World::start().await;
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
        "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n",
        "HTTP/1.1 200 OK\r\n\r\n0123456789a",
    ] {
        let url = server(answer, false).await;
        let fault = world.fault(&url, 10 * SECOND).await;
        assert!(matches!(fault, NoAnswer::TooLarge), "{fault:?}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let world = World::start().await;
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n",
    ] {
        let url = server(answer, true).await;
        let fault = world.fault(&url, 10 * SECOND).await;
        assert!(
            matches!(fault, NoAnswer::BrokeOff(_)),
            "{fault:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_none() {
    let world = World::start().await;
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234",
    ] {
        let url = server(answer, false).await;
        let start = Clock::now();
        let fault = world.fault(&url, SECOND / 5).await;
        assert!(matches!(fault, NoAnswer::TimedOut), "{fault:?}: {answer}");
        assert!(start.elapsed() < 10 * SECOND);
    }
}

#[tokio::test]
async fn what_is_no_http_or_not_there_is_out_of_reach() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = listener.local_addr().expect("an address");
    drop(listener);
    for url in [
        format!("http://{closed}"),
        server("", true).await,
        server("SSH-2.0-OpenSSH_9.6\r\n", true).await,
        server(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            true,
        )
        .await,
    ] {
        let fault = world.fault(&url, 10 * SECOND).await;
        assert!(matches!(fault, NoAnswer::Unreachable(_)), "{fault:?}");
    }
}

#[tokio::test]
async fn without_an_https_api_there_is_no_client_for_one() {
    let world = World::start().await;
    let fault = world.fault("https://127.0.0.1:1", 10 * SECOND).await;
    assert!(matches!(fault, NoAnswer::NotSent(_)), "{fault:?}");
    let reached = world.clients.reach("https://127.0.0.1:1").await;
    assert_eq!(reached, Err("there is no client".to_owned()));
}

#[tokio::test]
async fn bodies_have_256_mib_together_and_one_has_30_million_bytes() {
    let clients = Clients::new(&settings(&Issuer::start().await)).expect("clients");
    assert_eq!(clients.memory.left(), 268_435_456);
    assert_eq!(clients.max_body, 30_000_000);
}

#[tokio::test]
async fn a_connection_that_is_not_made_within_2_s_is_none() {
    let world = World::start().await;
    let socket = TcpSocket::new_v4().expect("a socket");
    let address = ([127, 0, 0, 1], 0).into();
    socket.bind(address).expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    // Until the queue is full: the system then answers no more.
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(SECOND / 5, TcpStream::connect(address)).await {
        queued.push(stream.expect("a connection"));
        assert!(queued.len() < 100);
    }
    tokio::time::pause();
    let start = Instant::now();
    let fault = world.fault(&format!("http://{address}"), 99 * SECOND).await;
    assert!(matches!(fault, NoAnswer::Unreachable(_)), "{fault:?}");
    assert_eq!(start.elapsed().as_secs(), 2);
}

/// A server that answers on a connection as often as it is asked, but only once `together` requests are there. It
/// counts the connections that were made and those that were closed.
#[derive(Clone)]
struct Keeping {
    url: String,
    made: Arc<AtomicU32>,
    closed: Arc<AtomicU32>,
}

impl Keeping {
    async fn start(together: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Self {
            url: format!("http://{address}"),
            made: Arc::default(),
            closed: Arc::default(),
        };
        let serving = server.clone();
        let barrier = Arc::new(Barrier::new(together));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.made.fetch_add(1, Ordering::Relaxed);
                let (closed, barrier) = (Arc::clone(&serving.closed), Arc::clone(&barrier));
                tokio::spawn(async move {
                    serve(stream, &barrier).await;
                    closed.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        server
    }

    fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    fn closed(&self) -> u32 {
        self.closed.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, barrier: &Barrier) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            barrier.wait().await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            // The client may be gone.
            let _ = stream.write_all(answer).await;
        }
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_60_s() {
    let world = World::start().await;
    let server = Keeping::start(1).await;
    let call = async || {
        let answer = world.get(&server.url, 10 * SECOND).await;
        assert_eq!(answer.expect("an answer").status, 200);
        server.made()
    };
    assert_eq!(call().await, 1);
    for (seconds, made) in [(55, 1), (65, 2)] {
        tokio::time::pause();
        tokio::time::advance(seconds * SECOND).await;
        tokio::time::resume();
        assert_eq!(call().await, made, "{seconds}");
    }
}

#[tokio::test]
async fn at_most_64_connections_are_kept_for_each_host() {
    let world = Arc::new(World::start().await);
    let server = Keeping::start(66).await;
    let mut calls = JoinSet::new();
    for _ in 0..66 {
        let (world, url) = (Arc::clone(&world), server.url.clone());
        calls.spawn(async move { world.get(&url, 10 * SECOND).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer.expect("an answer").status, 200);
    }
    assert_eq!(server.made(), 66);
    let closing = async {
        while server.closed() < 2 {
            sleep(SECOND / 100).await;
        }
    };
    timeout(5 * SECOND, closing).await.expect("closed in time");
    sleep(SECOND / 20).await;
    assert_eq!(server.closed(), 2);
}

/// A redirect of a `POST` with a body to `https://api.test/v1/a`.
fn redirect_of(method: Method, status: u16, location: &str) -> Option<reqwest::Request> {
    let url = "https://api.test/v1/a".parse().expect("a URL");
    let mut request = reqwest::Request::new(method, url);
    for (name, value) in [
        (header::AUTHORIZATION, "Bearer a"),
        (header::CONTENT_TYPE, "text/plain"),
    ] {
        let value = value.parse().expect("a value");
        request.headers_mut().insert(name, value);
    }
    *request.body_mut() = Some("body".into());
    let response = response::Builder::new()
        .status(status)
        .header(header::LOCATION, location)
        .body("")
        .expect("a response");
    redirected(request, &response.into())
}

#[test]
fn a_redirect_changes_the_method_as_dotnet_does() {
    for (method, status, expected) in [
        ("GET", 301, "GET body"),
        ("GET", 302, "GET body"),
        ("GET", 303, "GET body"),
        ("GET", 307, "GET body"),
        ("HEAD", 303, "HEAD body"),
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST body"),
        ("POST", 308, "POST body"),
        ("PUT", 301, "PUT body"),
        ("PUT", 302, "PUT body"),
        ("PUT", 303, "GET"),
        ("PUT", 308, "PUT body"),
        ("DELETE", 302, "DELETE body"),
        ("DELETE", 303, "GET"),
        ("PATCH", 307, "PATCH body"),
    ] {
        let sent = method.parse().expect("a method");
        let next = redirect_of(sent, status, "/b").expect("a redirect");
        let has_body = next.body().is_some();
        assert_eq!(next.headers().contains_key(header::CONTENT_TYPE), has_body);
        let shown = [next.method().as_str(), if has_body { " body" } else { "" }].concat();
        assert_eq!(shown, expected, "{method} {status}");
        assert_eq!(next.headers()[header::AUTHORIZATION], "Bearer a");
    }
}

#[test]
fn a_redirect_on_the_same_origin_is_followed() {
    for (location, url) in [
        ("b", "https://api.test/v1/b"),
        ("/b?c=d", "https://api.test/b?c=d"),
        ("../b#c", "https://api.test/b"),
        ("?c", "https://api.test/v1/a?c"),
        ("//api.test/b", "https://api.test/b"),
        ("https://api.test/b", "https://api.test/b"),
        ("https://API.test:443/b", "https://api.test/b"),
        ("HTTPS://api.test", "https://api.test/"),
    ] {
        let next = redirect_of(Method::GET, 302, location).expect(location);
        assert_eq!(next.url().as_str(), url);
    }
}

#[test]
fn a_redirect_elsewhere_is_not_followed() {
    for location in [
        "https://evil.test/",
        "//evil.test/",
        "\\\\evil.test/",
        "/\\evil.test/",
        "/\t/evil.test/",
        "https:\\\\evil.test",
        "http://api.test/v1/a",
        "http://api.test:443/",
        "https://api.test:8443/",
        "https://api.test:80/",
        "https://api.test./",
        "https://api.test.evil.test/",
        "https://evil.test/https://api.test/",
        "https://user@api.test/",
        "https://:secret@api.test/",
        "https://api.test@evil.test/",
        "https://api.test:443@evil.test/",
        "https://evil.test#@api.test/",
        "https://evil.test\\@api.test/",
        "https://www.api.test/",
        "https://ap\u{456}.test/",
        "https://api.test%2eevil.test/",
        "ftp://api.test/",
        "wss://api.test/",
        "file:///etc/passwd",
        "data:text/plain,a",
        "javascript:alert(1)",
        "https://",
        "https://api.test:port/",
        "https://[::1",
    ] {
        assert!(
            redirect_of(Method::GET, 302, location).is_none(),
            "{location}"
        );
    }
}

#[test]
fn what_is_no_redirect_is_not_followed() {
    for status in [200, 201, 204, 300, 304, 305, 306, 309, 401, 404, 503] {
        assert!(redirect_of(Method::GET, status, "/b").is_none(), "{status}");
    }
    let response = response::Builder::new().status(302);
    let without = response.body("").expect("a response").into();
    let twice = response::Builder::new()
        .status(302)
        .header(header::LOCATION, "/b")
        .header(header::LOCATION, "/c");
    let twice = twice.body("").expect("a response").into();
    for response in [without, twice] {
        let url = "https://api.test/".parse().expect("a URL");
        assert!(redirected(reqwest::Request::new(Method::GET, url), &response).is_none());
    }
}

#[test]
fn the_reason_for_the_log_is_short() {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Reason(String, #[source] Option<Box<Self>>);

    let cause = Reason("\u{e9}".repeat(1_000), None);
    let text = with_causes(&Reason("no".to_owned(), Some(Box::new(cause))));
    assert!(text.starts_with("no: \u{e9}"));
    assert_eq!(text.chars().count(), 500);
}
