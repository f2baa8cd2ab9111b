//! The layer over `reqwest::Client`: how it reads URLs, and what it takes along on a redirect.

use ::reqwest::{Body, Client, Method, Request, Url, redirect::Policy};
use tower_entra::acquire::{CloneBody, TokenSource};

use super::{
    servers::{Server, answer},
    *,
};

fn get(url: &str) -> Request {
    Request::new(Method::GET, Url::parse(url).unwrap())
}

fn layer_of(api: SocketAddr, issuer: &Issuer) -> EntraCallLayer {
    let source: TokenSource = agent(issuer).itself();
    EntraCallLayer::new(format!("http://{api}"), default_scope(issuer))
        .unwrap()
        .acting_as(source)
}

/// As reqwest reads URLs, the same address in another spelling is the same origin.
#[tokio::test]
async fn a_token_has_never_been_seen_at_another_origin() {
    let issuer = Issuer::start().await;
    let api = Server::start("127.0.0.1:0", |_| answer("200 OK", "")).await;
    let port = api.address.port();
    let elsewhere = Server::start("127.0.0.1:0", |_| answer("200 OK", "")).await;
    let neighbour = format!("127.0.0.2:{port}");
    let neighbour = Server::start(&neighbour, |_| answer("200 OK", "")).await;
    let client = Client::builder()
        .no_proxy()
        .resolve("localhost", neighbour.address)
        .resolve("evil.test", neighbour.address)
        .build()
        .unwrap();
    let service = layer_of(api.address, &issuer).layer(client);
    let other = elsewhere.address.port();
    for url in [
        format!("http://127.0.0.1:{other}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://evil.test:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://127.0.0.1/".to_owned(),
        format!("http://127.0.0.1.:{other}/"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("http://user:secret@127.0.0.1:{port}/"),
        format!("http://:secret@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}@evil.test:{port}/"),
        format!("http://127.0.0.1%3a{port}@evil.test:{port}/"),
        format!("http://evil.test:{port}\\@127.0.0.1:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("ws://127.0.0.1:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        "data:text/plain,127.0.0.1".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let error = within(service.clone().oneshot(get(&url)))
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::OtherOrigin), "{url}: {error}");
        for server in [&api, &elsewhere, &neighbour] {
            assert_eq!(server.take(), "", "{url}");
        }
    }
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("HTTP://127.0.0.1:{port}/"),
        format!("http:\\\\127.0.0.1:{port}\\"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.0.0.1:{port}/"),
        format!("http://%31%32%37.0.0.1:{port}/"),
        format!("http://@127.0.0.1:{port}/"),
    ] {
        let mut request = get(&url);
        let headers = request.headers_mut();
        headers.insert("authorization", "Bearer of.the.caller".parse().unwrap());
        headers.insert("proxy-authorization", "Basic YTpi".parse().unwrap());
        headers.insert("host", "evil.test".parse().unwrap());
        within(service.clone().oneshot(request)).await.expect(&url);
        let seen = api.take();
        assert_eq!(seen.matches("authorization:").count(), 1, "{seen}");
        assert_eq!(
            seen.matches("authorization: bearer ey").count(),
            1,
            "{seen}"
        );
        let host = format!("\r\nhost: 127.0.0.1:{port}\r\n");
        assert_eq!(seen.matches(&host).count(), 1, "{seen}");
        for server in [&elsewhere, &neighbour] {
            assert_eq!(server.take(), "", "{url}");
        }
    }
}

/// A redirect is the client's: reqwest follows ten by default.
#[tokio::test]
async fn a_redirect_to_another_origin_takes_no_token_along() {
    let issuer = Issuer::start().await;
    let elsewhere = Server::start("127.0.0.1:0", |_| answer("200 OK", "")).await;
    let port = Arc::new(Mutex::new(0_u16));
    let neighbours_port = Arc::clone(&port);
    let other = elsewhere.address;
    let api = Server::start("127.0.0.1:0", move |head| {
        let to = match head.split(' ').nth(1).unwrap_or_default() {
            "/port" => format!("http://{other}/"),
            "/host" => format!("http://127.0.0.2:{}/", *neighbours_port.lock().unwrap()),
            "/itself" => "/there".to_owned(),
            _ => return answer("200 OK", ""),
        };
        answer("307 Elsewhere", &format!("location: {to}\r\n"))
    })
    .await;
    *port.lock().unwrap() = api.address.port();
    let neighbour = format!("127.0.0.2:{}", api.address.port());
    let neighbour = Server::start(&neighbour, |_| answer("200 OK", "")).await;
    let follows = Client::builder().no_proxy().build().unwrap();
    let service = layer_of(api.address, &issuer).layer(follows);
    for (path, reached) in [("/port", &elsewhere), ("/host", &neighbour)] {
        let request = get(&format!("http://{}{path}", api.address));
        let response = within(service.clone().oneshot(request)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(api.take().contains("authorization: bearer ey"));
        let seen = reached.take();
        assert!(seen.starts_with("get / "), "{seen}");
        assert!(!seen.contains("authorization"), "{seen}");
    }
    let request = get(&format!("http://{}/itself", api.address));
    within(service.oneshot(request)).await.unwrap();
    assert_eq!(api.take().matches("authorization: bearer ey").count(), 2);
    // A client that follows none leaves it to the caller.
    let follows_none = Client::builder().no_proxy().redirect(Policy::none());
    let service = layer_of(api.address, &issuer).layer(follows_none.build().unwrap());
    let request = get(&format!("http://{}/port", api.address));
    let response = within(service.oneshot(request)).await.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(elsewhere.take(), "");
}

/// An API that refuses the first token with a challenge.
async fn challenging() -> Server {
    let refused: Mutex<Option<String>> = Mutex::default();
    Server::start("127.0.0.1:0", move |head| {
        let token = head.lines().find(|line| line.starts_with("authorization"));
        let token = token.unwrap_or_default().to_owned();
        let mut refused = refused.lock().unwrap();
        if *refused.get_or_insert_with(|| token.clone()) == token {
            let challenge = challenge(CLAIMS);
            return answer("401 No", &format!("www-authenticate: {challenge}\r\n"));
        }
        answer("200 OK", "")
    })
    .await
}

#[tokio::test]
async fn a_request_that_is_challenged_is_answered_in_the_same_call() {
    let issuer = Issuer::start().await;
    let api = challenging().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let service = layer_of(api.address, &issuer)
        .replay(CloneBody)
        .layer(client);
    let request = get(&format!("http://{}/", api.address));
    let response = within(service.oneshot(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(api.take().matches("get / ").count(), 2);
}

#[tokio::test]
async fn a_body_that_is_no_stream_is_sent_once_more() {
    let issuer = Issuer::start().await;
    let api = challenging().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let service = layer_of(api.address, &issuer)
        .replay(CloneBody)
        .layer(client);
    let url = format!("http://{}/", api.address);
    let stream = Body::wrap(http_body_util::Empty::<hyper::body::Bytes>::new());
    let mut streamed = get(&url);
    *streamed.body_mut() = Some(stream);
    // It cannot be copied: the next request has the token.
    let response = within(service.clone().oneshot(streamed)).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(api.take().matches("get / ").count(), 1);
    let response = within(service.clone().oneshot(get(&url))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(issuer.token_requests(), 3);
}
