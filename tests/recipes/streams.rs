//! Streams outlive tokens, unless they are ended.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, UNIX_EPOCH},
};

use axum::{Router, body::Body, routing::get as on_get};
use hyper::body::{Bytes, Frame};
use tokio::{io::AsyncReadExt, time};
use tower_entra::EntraAuthLayer;

use super::{connect, get, head, serve};
use crate::support::{SECOND, block_on, issuer};

/// Sends one event, and then stays open.
struct Events(Option<&'static str>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(event) => Poll::Ready(Some(Ok(Frame::data(event.into())))),
            None => Poll::Pending,
        }
    }
}

/// A token that expires in 0.2 to 1.2 s, and how soon.
fn short_lived() -> (String, Duration) {
    let now = UNIX_EPOCH.elapsed().unwrap();
    let whole = if now.subsec_millis() < 800 { 1 } else { 2 };
    let end = Duration::from_secs(now.as_secs() + whole);
    let exp = i64::try_from(end.as_secs()).unwrap();
    (issuer().user().expires_at(exp).mint(), end - now)
}

#[test]
fn a_stream_ends_with_its_token_if_the_layer_is_to_end_it() {
    let builder = issuer().validator_builder().clock_skew(Duration::ZERO);
    let layer = EntraAuthLayer::new(builder.build().unwrap());
    let events = || on_get(async || Body::new(Events(Some("data: hello\n\n"))));
    let app = Router::new()
        .route(
            "/ending",
            events().layer(layer.clone().ends_streams_at_expiry()),
        )
        .route("/lasting", events().layer(layer));
    block_on(async {
        let address = serve(app).await;
        let open = async |path: &str, token: &str| {
            let authorization = format!("Authorization: Bearer {token}");
            let request = format!("GET {path} HTTP/1.1\r\nHost: api\r\n{authorization}\r\n\r\n");
            let mut stream = connect(address, &request).await;
            let is_open = head(&mut stream).await.starts_with("http/1.1 200 ");
            is_open.then_some(stream)
        };
        // Fetches the keys.
        open("/ending", &issuer().user().mint()).await.unwrap();
        let (token, left, start, mut ending, mut lasting) = loop {
            let ((token, left), start) = (short_lived(), Instant::now());
            let streams = (
                open("/ending", &token).await,
                open("/lasting", &token).await,
            );
            // A slow machine may need longer than the token lives.
            if let (Some(ending), Some(lasting)) = streams {
                break (token, left, start, ending, lasting);
            }
        };
        let mut text = String::new();
        // The connection is closed before the last chunk, so the end is not taken for a whole body.
        let read = time::timeout(30 * SECOND, ending.read_to_string(&mut text)).await;
        read.unwrap().unwrap();
        assert_eq!(text, "D\r\ndata: hello\n\n\r\n");
        assert!(
            start.elapsed() + SECOND / 20 > left,
            "{:?}",
            start.elapsed()
        );
        assert_eq!(get(address, "/ending", Some(&token)).await.0, 401);

        let mut bytes = vec![0; text.len()];
        lasting.read_exact(&mut bytes).await.unwrap();
        let more = time::timeout(SECOND / 20, lasting.read(&mut bytes)).await;
        assert!(more.is_err(), "the other stream goes on");
    });
}
