//! What the bodies of calls take together has a limit.

use std::{
    fmt::Display,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, routing::any};
use http_body::Frame;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle, time::timeout};
use tower::ServiceExt as _;
use tower_entra::testing::Issuer;

use super::*;
use crate::settings::{Api, tests};

/// Room for two bodies of 3 KiB and one of 2 KiB.
const MEMORY: usize = 8 * KIB;
const KIB: usize = 1024;
const AGENT: &str =
    "/DownstreamApiUnauthenticated/orders?optionsOverride.RequestAppToken=true&AgentIdentity=";

/// A sidecar with little memory, and an API that answers with as many bytes as a path names, once it may.
struct World {
    issuer: Issuer,
    app: App,
    router: Router,
    may_answer: Arc<Semaphore>,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let may_answer = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&may_answer);
        let api = any(|Path(len): Path<usize>, _: Bytes| async move {
            gate.acquire().await.expect("open").forget();
            "a".repeat(len)
        });
        let in_latin_1 = any(|Path(len): Path<usize>| async move {
            let of_text = [(CONTENT_TYPE, "text/plain; charset=iso-8859-1")];
            (of_text, vec![b'a'; len])
        });
        let api = Router::new().route("/{len}", api);
        let api = api.route("/in_latin_1/{len}", in_latin_1);
        tokio::spawn(async move { axum::serve(listener, api).await });
        Self::at(&format!("http://{address}"), may_answer).await
    }

    async fn at(base_url: &str, may_answer: Arc<Semaphore>) -> Self {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        settings.allow_overrides.downstream_api_unauthenticated = true;
        let api = Api {
            base_url: Some(base_url.parse().expect("a URL")),
            ..tests::api(issuer.api().resource())
        };
        settings.apis.insert("orders".to_owned(), api);
        let mut app = App::new(settings).expect("an app");
        app.clients_mut().memory = Memory::new(MEMORY);
        app.validator.ready().await;
        let router = crate::routes::router(&app);
        Self {
            issuer,
            app,
            router,
            may_answer,
        }
    }

    fn left(&self) -> usize {
        self.app.clients.memory.left()
    }

    /// A call whose answer has so many bytes, of the agent that exists.
    async fn call(&self, body: impl Into<Body>, answer: impl Display) -> Response {
        let agent = self.issuer.agent_id().to_owned();
        self.call_as(&agent, body, answer).await
    }

    async fn call_as(&self, agent: &str, body: impl Into<Body>, answer: impl Display) -> Response {
        let uri = format!("{AGENT}{agent}&optionsOverride.RelativePath={answer}");
        let request = Request::post(uri).header(CONTENT_TYPE, "text/plain");
        let request = request.body(body.into()).expect("a request");
        let answered = self.router.clone().oneshot(request).await;
        answered.expect("an answer")
    }

    /// A call with a body of 3 KiB and an answer of one byte, once its body was read.
    async fn under_way(self: &Arc<Self>) -> JoinHandle<Response> {
        let left = self.left();
        let world = Arc::clone(self);
        let call = tokio::spawn(async move { world.call(vec![b'a'; 3 * KIB], 1).await });
        self.until(|now| now < left).await;
        call
    }

    async fn until(&self, is_so: impl Fn(usize) -> bool) {
        let waiting = async {
            while !is_so(self.left()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = timeout(Duration::from_secs(10), waiting).await;
        waited.unwrap_or_else(|_| panic!("{} bytes are left", self.left()));
    }
}

/// A body of these frames, of no declared length.
struct Frames(Vec<io::Result<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = self.0.pop();
        Poll::Ready(next.map(|frame| frame.map(Frame::data)))
    }
}

#[track_caller]
fn assert_no_room(response: &Response) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
}

#[tokio::test]
async fn a_body_without_room_is_refused_and_those_before_it_are_served() {
    let world = Arc::new(World::new().await);
    let before = [world.under_way().await, world.under_way().await];
    assert_eq!(world.left(), 2 * KIB);
    let refused = world.call(vec![b'a'; 3 * KIB], 1).await;
    assert_no_room(&refused);
    assert_eq!(refused.headers()["connection"], "close");
    world.may_answer.add_permits(3);
    for call in before {
        assert_eq!(call.await.expect("no panic").status(), StatusCode::OK);
    }
    world.until(|left| left == MEMORY).await;
    let again = world.call(vec![b'a'; 3 * KIB], 1).await;
    assert_eq!(again.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_refused_when_the_room_ends() {
    let world = Arc::new(World::new().await);
    let frames = (0..9).map(|_| Ok(vec![0; KIB].into())).collect();
    let refused = world.call(Body::new(Frames(frames)), 1).await;
    assert_no_room(&refused);
    assert_eq!(world.left(), MEMORY);
}

#[tokio::test]
async fn an_answer_has_its_room_until_it_is_read_or_dropped() {
    let world = World::new().await;
    world.may_answer.add_permits(4);
    let first = world.call("", 5 * KIB).await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(world.left(), 3 * KIB);
    // Not 503: the API has done what it was asked for.
    let refused = world.call("", 5 * KIB).await;
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(world.left(), 3 * KIB);
    let body = axum::body::to_bytes(first.into_body(), usize::MAX).await;
    assert!(body.expect("a body").len() > 5 * KIB);
    assert_eq!(world.left(), MEMORY);
    let unread = world.call("", 5 * KIB).await;
    drop(unread);
    assert_eq!(world.left(), MEMORY);
    assert_eq!(world.call("", 5 * KIB).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_answer_has_room_for_the_characters_of_its_text_too() {
    let world = World::new().await;
    let answer = world.call("", "in_latin_1/2048").await;
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer);
    let refused = world.call("", "in_latin_1/3072").await;
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(world.left(), MEMORY);
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_waited_for_99_s() {
    let world = Arc::new(World::new().await);
    let call = world.under_way().await;
    tokio::time::pause();
    let start = Instant::now();
    let refused = call.await.expect("no panic");
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    let elapsed = start.elapsed();
    assert!(
        elapsed > Duration::from_secs(97) && elapsed <= Duration::from_secs(99),
        "{elapsed:?}"
    );
    assert_eq!(world.left(), MEMORY);
}

#[tokio::test]
async fn a_body_of_unknown_length_has_at_most_30_million_bytes() {
    let memory = Memory::new(64_000_000);
    for (bytes, status) in [(30_000_000, None), (30_000_001, Some(413))] {
        let frames = vec![Ok(vec![0; bytes].into())];
        let read = read(Body::new(Frames(frames)), &memory).await;
        let refused = read.err().map(|refused| refused.0.status().as_u16());
        assert_eq!(refused, status, "{bytes}");
    }
}

#[tokio::test]
async fn a_client_that_goes_gives_its_room_back() {
    let world = Arc::new(World::new().await);
    let call = world.under_way().await;
    call.abort();
    world.until(|left| left == MEMORY).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_gives_its_room_back() {
    let world = World::new().await;
    let frames = vec![Err(io::Error::other("broken")), Ok(vec![0; KIB].into())];
    let refused = world.call(Body::new(Frames(frames)), 1).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(world.left(), MEMORY);
}

#[tokio::test]
async fn an_api_that_is_not_there_leaves_no_room_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let world = World::at(&format!("http://{address}"), Arc::new(Semaphore::new(0))).await;
    let refused = world.call(vec![b'a'; 3 * KIB], 1).await;
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    world.until(|left| left == MEMORY).await;
}

#[tokio::test]
async fn the_body_of_an_agent_that_is_refused_is_not_read() {
    let world = World::new().await;
    let unknown = "00000000-0000-4000-8000-00000000dead";
    // One that is read breaks off, which is 400.
    let body = Frames(vec![Err(io::Error::other("read"))]);
    let refused = world.call_as(unknown, Body::new(body), 1).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.left(), MEMORY);
}

#[tokio::test]
async fn a_second_content_type_is_refused_before_a_token_is_asked_for() {
    let world = World::new().await;
    for second in ["text/plain", "text/html", ""] {
        let uri = format!("{AGENT}{}", world.issuer.agent_id());
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "text/plain")
            .header(CONTENT_TYPE, second);
        let request = request.body(Body::from("body")).expect("a request");
        let answered = world.router.clone().oneshot(request).await;
        let status = answered.expect("an answer").status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{second:?}");
    }
    assert_eq!(world.issuer.token_requests(), 0);
}
