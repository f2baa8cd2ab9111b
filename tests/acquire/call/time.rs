//! A token that grows old while a request waits for the service inside.

use std::{
    error::Error,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

use tokio::sync::Semaphore;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_entra::{
    HttpClient,
    acquire::{ClientCredential, CloneBody, ConfidentialClient, Scopes, TokenSource},
};

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// A token endpoint without a connection, so that the clock can be stopped: its tokens are `token-1`,
/// `token-2` and so on. It keeps whether each request asked for claims.
#[derive(Clone, Default)]
struct Endpoint(Arc<Mutex<Vec<bool>>>);

type Answered = Result<Response<Vec<u8>>, Box<dyn Error + Send + Sync>>;

impl HttpClient for Endpoint {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let form = String::from_utf8(request.into_body()).unwrap();
        let number = {
            let mut asked = self.0.lock().unwrap();
            asked.push(form.contains("&claims="));
            asked.len()
        };
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"token-{number}"}}"#
        );
        Box::pin(async { Ok(Response::new(body.into_bytes())) })
    }
}

impl Endpoint {
    fn app(&self) -> TokenSource {
        let (tenant, client) = (
            "7090e106-1ad3-4313-9b7a-75cc3e576d40",
            "4d4c6958-d676-49f0-815f-608f5aacfd24",
        );
        ConfidentialClient::builder(tenant, client, ClientCredential::secret("secret"))
            .http_client(self.clone())
            .build()
            .unwrap()
            .itself()
    }

    fn requests(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Ready only while it is open.
#[derive(Clone)]
struct Gate<S> {
    inner: S,
    is_open: Arc<AtomicBool>,
}

impl<S: Service<Request<String>>> Service<Request<String>> for Gate<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match self.is_open.load(Ordering::SeqCst) {
            true => self.inner.poll_ready(cx),
            false => Poll::Pending,
        }
    }

    fn call(&mut self, request: Request<String>) -> S::Future {
        self.inner.call(request)
    }
}

fn layer_of(endpoint: &Endpoint) -> EntraCallLayer {
    let scopes = Scopes::default_of("api://orders").unwrap();
    EntraCallLayer::new(API, scopes)
        .unwrap()
        .acting_as(endpoint.app())
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_before_the_service_is_ready_is_not_sent() {
    let endpoint = Endpoint::default();
    for (waits, token, requests) in [(HOUR - Duration::from_secs(1), 1, 1), (HOUR, 3, 3)] {
        let recorder = Recorder::new();
        let gate = Gate {
            inner: recorder.service(),
            is_open: Arc::new(AtomicBool::new(true)),
        };
        let is_open = Arc::clone(&gate.is_open);
        let mut service = layer_of(&endpoint).layer(gate);
        let mut future = Box::pin(service.ready().await.unwrap().call(request("/")));
        is_open.store(false, Ordering::SeqCst);
        // The token comes, and the clone is not ready.
        for _ in 0..10 {
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(cx).is_pending());
            tokio::task::yield_now().await;
        }
        tokio::time::advance(waits).await;
        is_open.store(true, Ordering::SeqCst);
        within(future).await.unwrap();
        assert_eq!(recorder.tokens(), [format!("Bearer token-{token}")]);
        assert_eq!(endpoint.requests(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_token_expired_gives_the_ready_service_back() {
    let endpoint = Endpoint::default();
    let places = Arc::new(Semaphore::new(1));
    let limit = GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&places));
    let recorder = Recorder::new();
    let gate = Gate {
        inner: limit.layer(recorder.service()),
        is_open: Arc::new(AtomicBool::new(true)),
    };
    let is_open = Arc::clone(&gate.is_open);
    let mut service = layer_of(&endpoint).layer(gate);
    let mut future = Box::pin(service.ready().await.unwrap().call(request("/")));
    is_open.store(false, Ordering::SeqCst);
    let mut poll = || {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(cx).is_pending());
    };
    for _ in 0..10 {
        poll();
        tokio::task::yield_now().await;
    }
    tokio::time::advance(HOUR).await;
    is_open.store(true, Ordering::SeqCst);
    // The clone gets ready, and the task that acquires another token does not run yet.
    poll();
    assert_eq!(places.available_permits(), 1);
    within(future).await.unwrap();
    assert_eq!(recorder.tokens(), ["Bearer token-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_whose_token_expires_before_the_service_is_ready_asks_for_the_claims_again() {
    let endpoint = Endpoint::default();
    let is_open = Arc::new(AtomicBool::new(true));
    let challenge = challenge(CLAIMS);
    let open = Arc::clone(&is_open);
    let recorder = Recorder::answering(move |request| {
        if request.headers()[AUTHORIZATION] == "Bearer token-1" {
            open.store(false, Ordering::SeqCst);
            return unauthorized(&challenge);
        }
        Response::new(request.body().clone())
    });
    let gate = Gate {
        inner: recorder.service(),
        is_open: Arc::clone(&is_open),
    };
    let mut service = layer_of(&endpoint).replay(CloneBody).layer(gate);
    let mut future = Box::pin(service.ready().await.unwrap().call(request("/")));
    // The token for the claims comes, and the clone is not ready.
    for _ in 0..20 {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(cx).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(*endpoint.0.lock().unwrap(), [false, true]);
    tokio::time::advance(HOUR).await;
    is_open.store(true, Ordering::SeqCst);
    assert_eq!(within(future).await.unwrap().status(), 200);
    assert_eq!(recorder.tokens(), ["Bearer token-1", "Bearer token-3"]);
    assert_eq!(*endpoint.0.lock().unwrap(), [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_wait_for_a_renewal() {
    let endpoint = Endpoint::default();
    let recorder = Recorder::new();
    let service = layer_of(&endpoint).layer(recorder.service());
    within(call(&service, request("/"))).await.unwrap();
    // Between 10 and 5 minutes before its end.
    tokio::time::advance(HOUR - Duration::from_secs(400)).await;
    for _ in 0..2 {
        within(call(&service, request("/"))).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let tokens = ["Bearer token-1", "Bearer token-1", "Bearer token-2"];
    assert_eq!(recorder.tokens(), tokens);
    assert_eq!(endpoint.requests(), 2);
}
