//! Responses that end when the token of their request expires, over real connections too.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, routing::get};
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{self, Interval},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    Denial, EntraAuthLayer, Error,
    ErrorKind::{Expired, MissingToken},
    ExpiringBody, ExpiringStreamsLayer, StreamExpired, Validator,
    testing::Issuer,
};

use crate::support::{TICK, block_on, issuer, now, within};

/// An event every few milliseconds, or never, without an end of its own.
#[derive(Default)]
struct Events {
    interval: Option<Interval>,
    /// The length that it says it has.
    length: Option<u64>,
    held: Option<Arc<()>>,
}

impl Events {
    fn every(period: Duration) -> Self {
        Self {
            interval: Some(time::interval(period)),
            ..Self::default()
        }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(interval) = &mut self.interval else {
            return Poll::Pending;
        };
        let event = |_| Some(Ok(Frame::data(Bytes::from_static(b"data: x\n\n"))));
        interval.poll_tick(cx).map(event)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A validator with keys and without a skew.
async fn exact() -> Validator {
    let builder = issuer().validator_builder().clock_skew(Duration::ZERO);
    let validator = builder.build().unwrap();
    validator.ready().await;
    validator
}

fn ending(validator: Validator) -> ExpiringStreamsLayer {
    EntraAuthLayer::new(validator).ends_streams_at_expiry()
}

/// A token that lives for one to two seconds more, and its `exp`.
fn short() -> (String, i64) {
    let expires = now() + 2;
    (issuer().user().expires_at(expires).mint(), expires)
}

/// The response of a service that answers with `inner` to a request with this token, if any.
async fn answer(
    layer: &ExpiringStreamsLayer,
    token: Option<&str>,
    inner: impl Fn() -> Response<Events> + Clone,
) -> Response<ExpiringBody<Events>> {
    let service = service_fn(move |_: Request<()>| {
        let response = inner();
        async move { Ok::<_, Infallible>(response) }
    });
    let mut request = Request::new(());
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    layer.layer(service).oneshot(request).await.unwrap()
}

fn events() -> Response<Events> {
    Response::new(Events::every(20 * TICK))
}

fn idle() -> Response<Events> {
    Response::new(Events::default())
}

/// How many frames come before the end, which is that of the token.
async fn frames_until_expiry(body: &mut ExpiringBody<Events>) -> usize {
    let mut frames = 0;
    loop {
        match within(body.frame()).await.expect("no end without an error") {
            Ok(_) => frames += 1,
            Err(error) => {
                assert!(error.is::<StreamExpired>(), "{error}");
                let text =
                    "the access token of this request has expired, so its response ends here";
                assert_eq!(error.to_string(), text);
                assert!(body.frame().await.is_none(), "nothing after the end");
                return frames;
            }
        }
    }
}

async fn goes_on(mut body: ExpiringBody<Events>) {
    for _ in 0..10 {
        assert!(within(body.frame()).await.unwrap().is_ok());
    }
}

#[test]
fn a_stream_and_an_idle_body_end_with_an_error_when_the_token_expires() {
    block_on(async {
        let layer = ending(exact().await);
        let held = Arc::new(());
        let watched = || {
            let mut response = idle();
            response.body_mut().held = Some(Arc::clone(&held));
            response
        };
        let (token, expires) = short();
        let mut streaming = answer(&layer, Some(&token), events).await.into_body();
        let mut waiting = answer(&layer, Some(&token), watched).await.into_body();
        assert_eq!(Arc::strong_count(&held), 2);

        assert!(frames_until_expiry(&mut streaming).await > 1);
        assert!(now() >= expires);
        assert_eq!(frames_until_expiry(&mut waiting).await, 0);
        assert!(now() <= expires + 2);
        assert_eq!(Arc::strong_count(&held), 1, "the body inside is dropped");
        // The same token is refused now.
        let refused = answer(&layer, Some(&token), events).await;
        assert_eq!(refused.extensions().get::<Error>().unwrap().kind(), Expired);
    });
}

#[test]
fn a_handler_that_answers_after_the_end_sends_nothing() {
    block_on(async {
        let layer = ending(exact().await);
        let (token, expires) = short();
        let inner = service_fn(move |_: Request<()>| async move {
            while now() < expires {
                time::sleep(20 * TICK).await;
            }
            Ok::<_, Infallible>(events())
        });
        let mut request = Request::new(());
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, value);
        let mut response = layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(frames_until_expiry(response.body_mut()).await, 0);
    });
}

#[test]
fn a_denied_and_a_waiting_request_end_as_well() {
    block_on(async {
        let denied = || {
            let mut response = events();
            response.extensions_mut().insert(Denial::new());
            response
        };
        let (token, _) = short();
        let mut response = answer(&ending(exact().await), Some(&token), denied).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        frames_until_expiry(response.body_mut()).await;

        // Has no keys yet.
        let issuer = Issuer::builder().start().await;
        let builder = issuer.validator_builder().clock_skew(Duration::ZERO);
        let layer = ending(builder.build().unwrap());
        let token = issuer.user().expires_at(now() + 2).mint();
        let mut response = answer(&layer, Some(&token), events).await;
        assert_eq!(response.status(), StatusCode::OK);
        frames_until_expiry(response.body_mut()).await;
    });
}

#[test]
fn the_skew_is_that_of_the_validator_that_admitted_the_caller() {
    block_on(async {
        let other = Issuer::start().await;
        let layer = EntraAuthLayer::new(other.validator());
        let layer = layer.or(exact().await).ends_streams_at_expiry();
        let (token, expires) = short();
        let mut strict = answer(&layer, Some(&token), events).await.into_body();
        let lenient = other.user().expires_at(expires).mint();
        let lenient = answer(&layer, Some(&lenient), events).await.into_body();
        frames_until_expiry(&mut strict).await;
        // With a skew of 60 s.
        goes_on(lenient).await;
    });
}

#[test]
fn no_other_body_ends() {
    block_on(async {
        let validator = exact().await;
        let layer = ending(validator.clone());
        // Refused: the body is that of the refusal.
        for (token, kind) in [
            (None, MissingToken),
            (Some(issuer().user().expired().mint()), Expired),
        ] {
            let response = answer(&layer, token.as_deref(), events).await;
            let error = response.extensions().get::<Error>().unwrap();
            assert_eq!(error.kind(), kind);
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            let mut body = response.into_body();
            let frame = time::timeout(50 * TICK, body.frame()).await;
            assert!(frame.is_err(), "the refusal's body was replaced");
        }
        // Anonymous, beside one that ends.
        let layer = EntraAuthLayer::new(validator).optional();
        let layer = layer.ends_streams_at_expiry();
        let (token, _) = short();
        let mut known = answer(&layer, Some(&token), events).await.into_body();
        let anonymous = answer(&layer, None, events).await;
        assert_eq!(anonymous.status(), StatusCode::OK);
        frames_until_expiry(&mut known).await;
        goes_on(anonymous.into_body()).await;
    });
}

#[test]
fn without_the_setting_a_stream_outlives_its_token() {
    block_on(async {
        let layer = EntraAuthLayer::new(exact().await);
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(events()) });
        let (token, expires) = short();
        let mut request = Request::new(());
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, value);
        let mut response: Response<Events> = layer.layer(inner).oneshot(request).await.unwrap();
        while now() <= expires {
            assert!(response.body_mut().frame().await.unwrap().is_ok());
        }
    });
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// All that an HTTP/1 server sends until it closes the connection.
async fn read_all(address: SocketAddr, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = within(stream.read_to_end(&mut bytes)).await;
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_event_stream_and_a_download_of_axum_are_cut_and_never_look_whole() {
    async fn stream() -> Response<axum::body::Body> {
        let body = axum::body::Body::new(Events::every(20 * TICK));
        let mut response = Response::new(body);
        let content_type = "text/event-stream".parse().unwrap();
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }
    async fn download() -> Response<axum::body::Body> {
        let mut body = Events::every(20 * TICK);
        body.length = Some(1_000_000);
        Response::new(axum::body::Body::new(body))
    }
    async fn whole() -> &'static str {
        "whole"
    }

    block_on(async {
        let (listener, address) = bind().await;
        let app = Router::new()
            .route("/events", get(stream))
            .route("/download", get(download))
            .route("/whole", get(whole))
            .layer(ending(exact().await));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let (token, expires) = short();
        let (events, download) = tokio::join!(
            read_all(address, "/events", &token),
            read_all(address, "/download", &token),
        );
        assert!((expires..=expires + 3).contains(&now()));

        assert!(events.starts_with("HTTP/1.1 200 OK\r\n"), "{events}");
        assert!(events.contains("content-type: text/event-stream\r\n"));
        assert!(events.contains("transfer-encoding: chunked\r\n"));
        assert!(events.matches("data: x\n\n").count() > 1);
        // What ends a whole body: RFC 9112, section 7.1.
        assert!(!events.contains("\r\n0\r\n"), "{events}");

        assert!(download.contains("content-length: 1000000\r\n"));
        assert!(download.matches("data: x\n\n").count() > 1);
        assert!(download.len() < 1_000_000);

        // Once it has expired the stream is not begun.
        let mut refused = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        refused.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        within(refused.read_to_string(&mut text)).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{text}");
        assert!(text.contains("error=\"invalid_token\""));

        // A short answer in time is whole.
        let token = issuer().user().mint();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        within(stream.read_to_string(&mut text)).await.unwrap();
        assert!(text.contains("content-length: 5\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nwhole"), "{text}");
    });
}

#[test]
fn over_http2_only_the_stream_of_the_expired_token_is_reset() {
    block_on(async {
        let (listener, address) = bind().await;
        let inner = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(events()) });
        let service = TowerToHyperService::new(ending(exact().await).layer(inner));
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
        let stream = TcpStream::connect(address).await.unwrap();
        let client = hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(
            TokioExecutor::new(),
            TokioIo::new(stream),
        );
        let (mut client, connection) = client.await.unwrap();
        tokio::spawn(connection);
        let mut open = async |token: &str| {
            let request = Request::builder().uri("http://x/");
            let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            let request = request.body(Empty::new()).unwrap();
            client.send_request(request).await.unwrap().into_body()
        };
        let mut expiring = open(&short().0).await;
        let mut lasting = open(&issuer().user().mint()).await;

        let end = loop {
            match within(expiring.frame()).await.expect("no clean end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(!end.is_timeout(), "{end:?}");
        for _ in 0..20 {
            assert!(within(lasting.frame()).await.unwrap().is_ok());
        }
    });
}
