//! One connection: HTTP/1.1 with limits.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    time::Duration,
};

use axum::{body::Body, response::IntoResponse};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Limited;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{io::AsyncWriteExt, select, sync::watch, time::timeout};

use super::{
    answer::{Answer, Peer},
    remote::Place,
    request_body::Progress,
    stream::{Guarded, Stream, close_while_client_sends},
};
use crate::problem::Problem;

/// Serves a connection until it ends, or, once `stop` is true, until the request under way is answered. One that
/// has a `place` ends when the place is another one's.
pub(super) async fn serve<A: Answer>(
    stream: Stream,
    peer: Peer,
    answer: A,
    place: Option<Place>,
    stop: watch::Receiver<bool>,
) {
    let served = serve_to_its_end(stream, peer, answer, place.as_ref(), stop);
    match &place {
        None => served.await,
        Some(place) => select! {
            () = served => {}
            () = place.is_replaced() => {}
        },
    }
}

async fn serve_to_its_end<A: Answer>(
    stream: Stream,
    peer: Peer,
    answer: A,
    place: Option<&Place>,
    mut stop: watch::Receiver<bool>,
) {
    select! {
        _ = stop.wait_for(|is_stopped| *is_stopped) => return,
        readable = timeout(HEADER_TIME, stream.readable()) => if !matches!(readable, Ok(Ok(()))) {
            return;
        },
    }
    // hyper takes 10 KiB for a connection; one that sends nothing costs 1.6 KiB.
    Box::pin(serve_http(stream, peer, answer, place, stop)).await;
}

async fn serve_http<A: Answer>(
    stream: Stream,
    peer: Peer,
    answer: A,
    place: Option<&Place>,
    mut stop: watch::Receiver<bool>,
) {
    let progress = Progress::new();
    let service = service_fn(|request: Request<Incoming>| {
        let (answer, progress) = (answer.clone(), progress.clone());
        let under_way = place.map(Place::begin);
        Box::pin(async move {
            let _under_way = under_way;
            Ok::<_, Infallible>(within_limits(&answer, peer, request, &progress).await)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Also how long a connection may be idle.
        .header_read_timeout(HEADER_TIME)
        // hyper answers a request line and headers that do not fit with 431, or 414. The buffer alone would let
        // some more pass.
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(Guarded::new(stream)), service);
    let served = {
        let mut stopped = pin!(stop.wait_for(|is_stopped| *is_stopped));
        let mut is_stopping = false;
        poll_fn(|cx| {
            if !is_stopping && stopped.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(cx)
        })
        .await
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_inner();
    match served {
        Err(error) if error.is_parse() => close_while_client_sends(stream).await,
        Err(error) if error.is_timeout() && !parts.read_buf.is_empty() => {
            // The connection ends either way.
            let _ = stream.write_all(HEADER_TIMED_OUT).await;
        }
        Ok(()) if !progress.has_ended() => close_while_client_sends(stream).await,
        Ok(()) | Err(_) => {}
    }
}

async fn within_limits<A, B>(
    answer: &A,
    peer: Peer,
    request: Request<B>,
    progress: &Progress,
) -> Response<Body>
where
    A: Answer,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let request =
        request.map(|body| Body::new(Limited::new(progress.follow(body), MAX_BODY_BYTES)));
    match timeout(REQUEST_TIME, answer.answer(peer, request)).await {
        Ok(response) => response,
        Err(_) if progress.has_ended() => {
            let seconds = REQUEST_TIME.as_secs();
            Problem::unavailable(format!("The request took longer than {seconds} s."))
                .into_response()
        }
        Err(_) => {
            let mut response = StatusCode::REQUEST_TIMEOUT.into_response();
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            response
        }
    }
}

/// Of the request line and the headers.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Kestrel's limit for the body of a request.
pub(crate) const MAX_BODY_BYTES: usize = 30_000_000;
const HEADER_TIME: Duration = Duration::from_secs(10);
/// From the headers of a request to those of its answer.
const REQUEST_TIME: Duration = Duration::from_secs(100);
const HEADER_TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        task::{Context, Poll},
    };

    use http_body::Frame;
    use http_body_util::{BodyExt as _, Empty, Full};
    use tokio::{
        io::AsyncReadExt as _,
        net::UnixStream,
        time::{Instant, sleep},
    };

    use super::*;

    /// Reads the body, and then never answers.
    #[derive(Clone)]
    struct Never;

    impl Answer for Never {
        async fn answer(&self, _: Peer, request: Request<Body>) -> Response<Body> {
            let _ = request.into_body().collect().await;
            pending().await
        }
    }

    /// A body that does not end.
    struct Endless;

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    async fn answer<B>(body: B) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        let start = Instant::now();
        let progress = Progress::new();
        let response = within_limits(&Never, Peer::Unix, Request::new(body), &progress).await;
        assert_eq!(start.elapsed(), Duration::from_secs(100));
        response
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_100_s_is_answered_with_503() {
        let response = answer(Empty::new()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let body = response.into_body().collect().await.expect("a body");
        let text = String::from_utf8(body.to_bytes().to_vec()).expect("UTF-8");
        assert!(text.contains("took longer than 100 s."), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_takes_100_s_is_answered_with_408() {
        let response = answer(Endless).await;
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }

    /// Answers every request at once.
    #[derive(Clone)]
    struct Empties;

    impl Answer for Empties {
        async fn answer(&self, _: Peer, _: Request<Body>) -> Response<Body> {
            Response::default()
        }
    }

    /// What a client gets that sends these bytes, and then perhaps says that it sends no more; and how long the
    /// connection stays open.
    async fn sent(bytes: &str, ends: bool) -> (String, Duration) {
        sent_in(&[bytes], ends).await
    }

    /// The same for bytes that arrive in several parts.
    async fn sent_in(parts: &[&str], ends: bool) -> (String, Duration) {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let start = Instant::now();
        let (_stop, stopped) = watch::channel(false);
        let serving = serve(Stream::Unix(ours), Peer::Unix, Empties, None, stopped);
        let asking = async {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                theirs.write_all(part.as_bytes()).await.expect("sent");
            }
            if ends {
                theirs.shutdown().await.expect("open");
            }
            let mut answer = String::new();
            theirs.read_to_string(&mut answer).await.expect("an end");
            answer
        };
        let ((), answer) = tokio::join!(serving, asking);
        (answer, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_at_most_64_kib() {
        let head = |filler: &str| format!("GET / HTTP/1.1\r\nhost: x\r\nx: {filler}\r\n\r\n");
        for (bytes, status, time) in [(65_536, 200, 10), (65_537, 431, 2), (100_000, 431, 2)] {
            let head = head(&"x".repeat(bytes - head("").len()));
            let (start, end) = head.split_at(bytes - 1);
            for parts in [&[&*head][..], &[start, end]] {
                let (answer, elapsed) = sent_in(parts, false).await;
                let start = format!("HTTP/1.1 {status} ");
                assert!(answer.starts_with(&start), "{bytes}: {answer}");
                assert_eq!(elapsed.as_secs(), time, "{bytes}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_may_still_be_sending_is_read_from_after_its_answer() {
        let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        for (rest, time) in [
            ("\r\n", 0),
            ("content-length: 0\r\n\r\n", 0),
            ("content-length: 100000\r\n\r\na", 2),
        ] {
            let (answer, elapsed) = sent(&[head, rest].concat(), false).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert_eq!(elapsed, Duration::from_secs(time), "{rest:?}");
        }
    }

    /// Answers with 413 if the body is longer than it may be.
    #[derive(Clone)]
    struct Reads;

    impl Answer for Reads {
        async fn answer(&self, _: Peer, request: Request<Body>) -> Response<Body> {
            match request.into_body().collect().await {
                Ok(_) => Response::default(),
                Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            }
        }
    }

    #[tokio::test]
    async fn a_body_has_at_most_30_million_bytes() {
        for (bytes, status) in [(30_000_000, 200), (30_000_001, 413)] {
            let request = Request::new(Full::from(vec![0; bytes]));
            let answered = within_limits(&Reads, Peer::Unix, request, &Progress::new()).await;
            assert_eq!(answered.status(), status, "{bytes}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_in_10_s_is_answered_with_408() {
        let (answer, time) = sent("GET / HTTP/1.1\r\nhost", false).await;
        assert_eq!(answer.as_bytes(), HEADER_TIMED_OUT);
        assert_eq!(time, Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_within_a_head_is_not_answered() {
        assert_eq!(sent("GET / HTTP/1.1\r\nhost", true).await.0, "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_idle_for_10_s_is_closed_without_an_answer() {
        let silent = ("".to_owned(), Duration::from_secs(10));
        assert_eq!(sent("", false).await, silent);
        let (answer, time) = sent("GET / HTTP/1.1\r\nhost: x\r\n\r\n", false).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert_eq!(time, Duration::from_secs(10));
    }
}
