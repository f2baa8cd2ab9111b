//! A token has never been seen at an origin other than its own, whatever is tried.
//!
//! The requests go through hyper-util's client over real connections. Its connector opens a connection to
//! the API for the API's own origin, and for every other one a connection to another server, which keeps
//! all bytes that it gets. That server speaks for every name, address, port and scheme.

use std::io;

use http::{HeaderValue, Method, Uri, header::HOST};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpStream;
use tower_entra::acquire::{CloneBody, TokenSource};

use super::{
    servers::{Server, answer},
    *,
};

/// A good answer, but for redirects and a challenge by path.
fn answered(head: &str) -> String {
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path.strip_prefix("/redirect/") {
        Some(status) => {
            let location = "location: https://evil.test/stolen\r\n";
            answer(&format!("{status} Elsewhere"), location)
        }
        None if path == "/challenge" => {
            let challenge = challenge(CLAIMS);
            answer("401 No", &format!("www-authenticate: {challenge}\r\n"))
        }
        None => answer("200 OK", ""),
    }
}

type Sent = Request<Full<Bytes>>;

/// Whether a request is sent to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Refused,
    Sent,
}
use Expected::{Refused, Sent as ToTheApi};

/// A request for this URL. `None` if the URL is none for the http crate.
fn to(url: &str) -> Option<Sent> {
    let uri: Uri = url.parse().ok()?;
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri;
    Some(request)
}

fn with(url: &str, headers: &[(&'static str, &'static str)]) -> Option<Sent> {
    let mut request = to(url)?;
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        request.headers_mut().append(*name, value);
    }
    Some(request)
}

fn method(method: Method, url: &str) -> Option<Sent> {
    let mut request = to(url)?;
    *request.method_mut() = method;
    Some(request)
}

/// Every way that is tried.
fn ways() -> Vec<(&'static str, Option<Sent>, Expected)> {
    let refused = [
        // Another scheme.
        "http://api.test/",
        "http://api.test:443/",
        "HTTP://api.test:443/",
        "ftp://api.test/",
        "ftp://api.test:443/",
        "ws://api.test:443/",
        "wss://api.test/",
        "httpss://api.test/",
        "http+unix://api.test/",
        // Another port, or none that is a number.
        "https://api.test:80/",
        "https://api.test:8443/",
        "https://api.test:44/",
        "https://api.test:4433/",
        "https://api.test:0/",
        // 443 and 65,536.
        "https://api.test:65979/",
        "https://api.test:+443/",
        "https://api.test:-443/",
        "https://api.test: 443/",
        "https://api.test:/",
        "https://api.test:443:443/",
        "https://api.test:https/",
        // Another host that looks alike.
        "https://evil.test/",
        "https://evil.test:443/",
        "https://api.test.evil.test/",
        "https://api.test./",
        "https://api.test.:443/",
        "https://.api.test/",
        "https://api..test/",
        "https://www.api.test/",
        "https://xapi.test/",
        "https://api.tes/",
        "https://api.testx/",
        "https://api/",
        "https://test/",
        "https://api-test/",
        "https://api_test/",
        "https://ap\u{456}.test/",
        "https://xn--ap-xmb.test/",
        "https://api.test,evil.test/",
        "https://api.test;evil.test/",
        "https://api.test&evil.test/",
        "https://api.test$evil.test/",
        "https://evil.test/https://api.test/",
        "https://evil.test?https://api.test/",
        "https://evil.test#https://api.test/",
        // A user.
        "https://user@api.test/",
        "https://user:secret@api.test/",
        "https://@api.test/",
        "https://:@api.test/",
        "https://api.test@evil.test/",
        "https://api.test:443@evil.test/",
        "https://api.test%40evil.test/",
        "https://evil.test\\@api.test/",
        "https://evil.test@api.test@evil.test/",
        // Escapes and addresses.
        "https://%61pi.test/",
        "https://api%2etest/",
        "https://api.test%2eevil.test/",
        "https://api.test%00.evil.test/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[api.test]/",
        "https://api.test[::1]/",
        "https://[::1]api.test/",
        // No origin: the client would choose one.
        "/path",
        "/https://api.test/",
        "//api.test/path",
        "//evil.test/path",
        "*",
        "api.test",
        "api.test:443",
        "evil.test:443",
        "",
    ];
    let sent = [
        "https://api.test",
        "HTTPS://API.Test/",
        "https://api.test:443/",
        "https://api.test:0443/",
        "https://api.test?evil.test",
        "https://api.test//evil.test/",
        "https://api.test/@evil.test",
        "https://api.test/https://evil.test/",
        "https://api.test/?next=https://evil.test/",
        "https://api.test/..%2f..%2fevil.test",
        // The client of hyper-util follows no redirect.
        "https://api.test/redirect/301",
        "https://api.test/redirect/302",
        "https://api.test/redirect/303",
        "https://api.test/redirect/307",
        "https://api.test/redirect/308",
        "https://api.test/challenge",
    ];
    let refused = refused.map(|url| (url, to(url), Refused));
    let sent = sent.map(|url| (url, to(url), ToTheApi));
    let api = "https://api.test/";
    let edited = [
        (
            "a Host of another",
            with(api, &[("host", "evil.test")]),
            ToTheApi,
        ),
        (
            "two Hosts",
            with(api, &[("host", "api.test"), ("host", "evil.test")]),
            ToTheApi,
        ),
        (
            "a Host with a port",
            with(api, &[("host", "api.test:8443")]),
            ToTheApi,
        ),
        (
            "forwarded",
            with(
                api,
                &[
                    ("x-forwarded-host", "evil.test"),
                    ("forwarded", "host=evil.test"),
                    ("x-original-url", "https://evil.test/"),
                ],
            ),
            ToTheApi,
        ),
        (
            "credentials of others",
            with(
                api,
                &[
                    ("authorization", "Bearer of.the.caller"),
                    ("authorization", "Basic dXNlcjpzZWNyZXQ="),
                    ("proxy-authorization", "Basic dXNlcjpzZWNyZXQ="),
                ],
            ),
            ToTheApi,
        ),
        (
            "a path, and the Host of the API",
            with("/path", &[("host", "api.test")]),
            Refused,
        ),
        (
            "a path, and the Host of another",
            with("/path", &[("host", "evil.test")]),
            Refused,
        ),
        (
            "another, and the Host of the API",
            with("https://evil.test/", &[("host", "api.test")]),
            Refused,
        ),
        (
            "CONNECT to the API",
            method(Method::CONNECT, "api.test:443"),
            Refused,
        ),
        (
            "CONNECT to another",
            method(Method::CONNECT, "evil.test:443"),
            Refused,
        ),
        ("OPTIONS for all", method(Method::OPTIONS, "*"), Refused),
    ];
    refused.into_iter().chain(sent).chain(edited).collect()
}

/// A client whose connections for the API's origin go to `api`, and all others to `evil`. Without TLS, so
/// that every byte is seen.
fn client(
    api: SocketAddr,
    evil: SocketAddr,
) -> impl Service<Sent, Response = Response<hyper::body::Incoming>, Error = ClientError, Future: Send>
+ Clone {
    let connector = service_fn(move |uri: Uri| {
        let uri = uri.to_string().to_lowercase();
        let is_api = [
            "https://api.test/",
            "https://api.test:443/",
            "https://api.test:0443/",
        ]
        .contains(&uri.as_str());
        Box::pin(async move {
            let stream = TcpStream::connect(if is_api { api } else { evil }).await?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        })
    });
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector)
}

#[tokio::test]
async fn a_token_has_never_been_seen_at_another_origin() {
    let issuer = Issuer::start().await;
    let evil = Server::start("127.0.0.1:0", |_| answer("200 OK", "")).await;
    let api = Server::start("127.0.0.1:0", answered).await;
    let source = agent(&issuer).itself();
    let layer = layer(&issuer).replay(CloneBody);
    let by_setting = layer.clone().acting_as(source.clone());
    let mut tried = 0;
    for (way, request, expected) in ways() {
        let Some(request) = request else {
            // No such request can be made.
            assert_eq!(expected, Refused, "{way}");
            continue;
        };
        for by_extension in [false, true] {
            tried += 1;
            let mut request = request.clone();
            let service = match by_extension {
                true => {
                    request.extensions_mut().insert(source.clone());
                    layer.layer(client(api.address, evil.address))
                }
                false => by_setting.layer(client(api.address, evil.address)),
            };
            let result = within(service.oneshot(request)).await;
            match (&result, expected) {
                (Err(CallError::OtherOrigin), Refused) | (Ok(_), ToTheApi) => {}
                _ => panic!("{way}: {result:?}"),
            }
            let seen = api.take();
            assert_eq!(evil.take(), "", "{way}");
            assert_eq!(seen.is_empty(), expected == Refused, "{way}");
            for head in seen.split_inclusive("\r\n\r\n") {
                assert_eq!(
                    head.matches("authorization: bearer ey").count(),
                    1,
                    "{way}: {head}"
                );
                assert_eq!(head.matches("authorization:").count(), 1, "{way}: {head}");
                let hosts = head.matches("\r\nhost: api.test\r\n").count()
                    + head.matches("\r\nhost: api.test:443\r\n").count()
                    + head.matches("\r\nhost: api.test:0443\r\n").count();
                assert_eq!(hosts, 1, "{way}: {head}");
                assert_eq!(head.matches("\r\nhost:").count(), 1, "{way}: {head}");
            }
        }
    }
    assert!(tried >= 150, "{tried}");
}

/// That the ways are ways: without the layer, each request that it refuses reaches the other server, or
/// no server at all.
#[tokio::test]
async fn without_the_layer_the_other_server_is_reached() {
    let evil = Server::start("127.0.0.1:0", |_| answer("200 OK", "")).await;
    let api = Server::start("127.0.0.1:0", answered).await;
    let mut reached = 0;
    for (_, request, expected) in ways() {
        if let Some(request) = request
            && expected == Refused
        {
            let _ = within(client(api.address, evil.address).oneshot(request)).await;
            reached += usize::from(!evil.take().is_empty());
        }
    }
    assert!(reached >= 30, "{reached}");
}

/// A source in the extensions is for one layer: another one inside, for another API, does not see it.
#[tokio::test]
async fn a_source_of_a_request_does_not_reach_another_layer() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let inner = EntraCallLayer::new(API, default_scope(&issuer)).unwrap();
    let outer = layer(&issuer);
    let service = outer.layer(inner.layer(recorder.service()));
    let mut sent = request("/");
    let source: TokenSource = agent(&issuer).itself();
    sent.extensions_mut().insert(source);
    let error = within(service.oneshot(sent)).await.unwrap_err();
    assert!(matches!(error, CallError::Inner(CallError::NobodyToActAs)));
    assert_eq!(recorder.count(), 0);
}

#[tokio::test]
async fn a_host_header_is_that_of_the_api_or_left_to_the_client() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let service = EntraCallLayer::new("http://127.0.0.1:8080", default_scope(&issuer))
        .unwrap()
        .acting_as(agent(&issuer).itself())
        .layer(recorder.service());
    for host in [None, Some("evil.test")] {
        let mut request = Request::get("http://127.0.0.1:8080/")
            .body(String::new())
            .unwrap();
        if let Some(host) = host {
            request
                .headers_mut()
                .insert(HOST, HeaderValue::from_static(host));
        }
        within(call(&service, request)).await.unwrap();
    }
    let seen = recorder.seen.lock().unwrap();
    assert_eq!(seen[0].headers().get(HOST), None);
    assert_eq!(seen[1].headers()[HOST], "127.0.0.1:8080");
}
