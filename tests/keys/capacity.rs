//! A request that waits for a key holds nothing of the service inside.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use tokio::time;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};
use tower_entra::{AgentPrincipal, EntraAuthLayer, Error, ErrorKind, KeySettings, testing::Fault};

use crate::support::*;

fn request(token: &str) -> Request<()> {
    Request::builder()
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(())
        .unwrap()
}

/// Answers 200 after a while, to those who come with a principal.
fn handler(
    takes: Duration,
) -> impl Service<
    Request<()>,
    Response = Response<String>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<String>, Infallible>> + Send,
> + Clone {
    service_fn(move |request: Request<()>| async move {
        time::sleep(takes).await;
        assert!(request.extensions().get::<AgentPrincipal>().is_some());
        Ok(Response::new("served".to_owned()))
    })
}

#[tokio::test]
pub(super) async fn an_honest_request_is_served_while_a_forged_one_waits() {
    let (issuer, validator) = ready(KeySettings::default().with_wait(SECOND)).await;
    let good = issuer.user().mint();
    let forged = Forger::new(&good).token();
    issuer.fail(Fault::Hang);
    let mut service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(handler(Duration::ZERO));

    let waiting = within(service.ready())
        .await
        .unwrap()
        .call(request(&forged));
    let waiting = tokio::spawn(waiting);
    eventually("the fetch begins", || issuer.discovery_fetches() == 2).await;
    let start = Instant::now();
    for _ in 0..10 {
        let response = within(service.ready()).await.unwrap().call(request(&good));
        assert_eq!(within(response).await.unwrap().status(), StatusCode::OK);
    }
    assert!(start.elapsed() < 500 * TICK, "{:?}", start.elapsed());

    let refused = within(waiting).await.unwrap().unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(!refused.headers().contains_key("www-authenticate"));
    let error = refused.extensions().get::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
}

#[tokio::test]
async fn the_waiting_request_is_served_when_its_key_arrives() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let old = issuer.user().mint();
    issuer.rotate();
    let new = issuer.user().mint();
    issuer.fail_times(2, Fault::Slow(100 * TICK));
    let mut service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(handler(300 * TICK));

    let waiting = within(service.ready()).await.unwrap().call(request(&new));
    let waiting = tokio::spawn(waiting);
    time::sleep(50 * TICK).await;
    // It holds the one place when the key arrives, and then gives it up.
    let other = within(service.ready()).await.unwrap().call(request(&old));
    let (waiting, other) = tokio::join!(within(waiting), within(other));
    assert_eq!(other.unwrap().status(), StatusCode::OK);
    assert_eq!(waiting.unwrap().unwrap().status(), StatusCode::OK);
    assert_fetches(&issuer, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_waiting_requests_get_through_one_place() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.rotate();
    let token = issuer.user().mint();
    let mut service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(handler(TICK));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let response = within(service.ready()).await.unwrap().call(request(&token));
        requests.spawn(response);
    }
    for response in within(requests.join_all()).await {
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
    assert_fetches(&issuer, 2);
}

/// Takes the contract of [`Service`] at its word: a call without readiness is a panic, readiness is
/// neither cloned nor used twice, and it is known how much of it is held.
struct Strict {
    is_ready: bool,
    held: Arc<AtomicUsize>,
}

impl Strict {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let held = Arc::new(AtomicUsize::new(0));
        let service = Self {
            is_ready: false,
            held: Arc::clone(&held),
        };
        (service, held)
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.is_ready) {
            self.held.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            is_ready: false,
            held: Arc::clone(&self.held),
        }
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.release();
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if !self.is_ready {
            self.is_ready = true;
            self.held.fetch_add(1, Ordering::SeqCst);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(self.is_ready, "poll_ready must be called first");
        self.release();
        assert!(request.extensions().get::<AgentPrincipal>().is_some());
        std::future::ready(Ok(Response::new("served".to_owned())))
    }
}

#[tokio::test]
pub(crate) async fn only_a_service_that_is_ready_is_called() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let (strict, held) = Strict::new();
    let mut service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .service(strict);
    let old = issuer.user().mint();
    issuer.rotate();
    let new = issuer.user().mint();
    issuer.fail_times(2, Fault::Slow(50 * TICK));

    let waiting = within(service.ready()).await.unwrap().call(request(&new));
    assert_eq!(held.load(Ordering::SeqCst), 0, "nothing is held meanwhile");
    let known = within(service.ready()).await.unwrap().call(request(&old));
    let (waiting, known) = tokio::join!(within(waiting), within(known));
    assert_eq!(known.unwrap().status(), StatusCode::OK);
    assert_eq!(waiting.unwrap().status(), StatusCode::OK);
    assert_eq!(held.load(Ordering::SeqCst), 0);
    let response = within(service.ready()).await.unwrap().call(request(&new));
    assert_eq!(within(response).await.unwrap().status(), StatusCode::OK);
    // A refusal does not call the service inside, so it needs no ready one.
    let refused = within(service.call(Request::new(()))).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_waiting_request_that_is_dropped_leaves_nothing_behind() {
    let (issuer, validator) = ready(KeySettings::default().with_max_waiters(1)).await;
    let (strict, held) = Strict::new();
    let mut service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .service(strict);
    let forger = Forger::new(&issuer.user().mint());
    issuer.fail(Fault::Hang);
    for _ in 0..10 {
        let call = within(service.ready()).await.unwrap();
        let waiting = call.call(request(&forger.token()));
        assert!(time::timeout(10 * TICK, waiting).await.is_err());
        assert_eq!(held.load(Ordering::SeqCst), 0);
    }
    assert_eq!(issuer.discovery_fetches(), 2);
}

/// A service that is ready at this second of the wall clock.
#[derive(Clone)]
struct ReadyAfter<S> {
    inner: S,
    ready: Arc<AtomicUsize>,
    at: i64,
}

impl<S: Service<Request<()>>> Service<Request<()>> for ReadyAfter<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Ready at once for the first, which reserves; the clone of the waiting request is late.
        if self.ready.fetch_add(1, Ordering::Relaxed) > 0 && now() < self.at {
            let waker = cx.waker().clone();
            tokio::spawn(async move {
                time::sleep(TICK).await;
                waker.wake();
            });
            return Poll::Pending;
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<()>) -> S::Future {
        self.inner.call(request)
    }
}

#[tokio::test]
async fn a_token_that_expires_while_the_service_gets_ready_is_refused() {
    for (lifetime, ready_after, status) in
        [(2, 2, StatusCode::UNAUTHORIZED), (60, 1, StatusCode::OK)]
    {
        let (issuer, validator) = unready(KeySettings::default());
        drop(validator);
        let builder = issuer.validator_builder().clock_skew(Duration::ZERO);
        let layer = EntraAuthLayer::new(builder.build().unwrap());
        let start = now();
        let token = issuer.user().expires_at(start + lifetime).mint();
        let mut service = layer.layer(ReadyAfter {
            inner: handler(Duration::ZERO),
            ready: Arc::default(),
            at: start + ready_after,
        });
        let log = Log::of_this_thread();
        // There are no keys yet, so the request waits for them.
        let response = within(service.ready()).await.unwrap().call(request(&token));
        let response = within(response).await.unwrap();
        assert_eq!(response.status(), status, "{lifetime}");
        let error = response.extensions().get::<Error>().map(Error::kind);
        let expected = (status != StatusCode::OK).then_some(ErrorKind::Expired);
        assert_eq!(error, expected);
        let verdicts = ["request admitted", "request refused"].map(|message| log.count(message));
        let is_admitted = usize::from(expected.is_none());
        assert_eq!(verdicts, [is_admitted, 1 - is_admitted]);
    }
}
