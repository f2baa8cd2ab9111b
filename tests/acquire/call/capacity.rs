//! Whose is the capacity of the service inside: one request at a time, and other requests that wait.
//!
//! Of the four ways to wait (keep the readied service, keep it and ready a clone, call a clone that was not
//! readied, drop it and ready a clone) only the last one passes: the first two let the other request hang,
//! and the third panics in tower's limit.

use std::task::{Context, Poll, Waker};

use tower::limit::ConcurrencyLimit;
use tower_entra::{
    acquire::{CloneBody, ConfidentialClient, NoReplay, Replay, TokenSource},
    testing::{Fault, Leg, Target},
};

use super::{super::blueprint, *};

/// An agent whose token has to be acquired, and an app whose token is at hand.
struct Setting {
    issuer: Issuer,
    slow: TokenSource,
    quick: TokenSource,
    recorder: Recorder,
}

impl Setting {
    async fn new() -> Self {
        let issuer = Issuer::start().await;
        let client = issuer.client();
        let credential = tower_entra::acquire::ClientCredential::secret(client.secret());
        let app: ConfidentialClient =
            ConfidentialClient::builder(issuer.tenant_id(), client.client_id(), credential)
                .authority(issuer.authority())
                .build()
                .unwrap();
        let quick = app.itself();
        within(quick.token(&default_scope(&issuer))).await.unwrap();
        let recorder = Recorder::answering(|request| match request.uri().path() {
            "/challenged" => unauthorized(&challenge(CLAIMS)),
            _ => Response::new("ok".to_owned()),
        });
        Self {
            slow: blueprint(&issuer).agent(issuer.agent_id()).itself(),
            quick,
            issuer,
            recorder,
        }
    }

    /// A service that takes one request at a time.
    fn service<R: Clone>(
        &self,
        replay: R,
    ) -> EntraCall<
        ConcurrencyLimit<
            impl Service<
                Request<String>,
                Response = Response<String>,
                Error = Infallible,
                Future = Answering,
            > + Clone
            + use<R>,
        >,
        R,
    > {
        let limited = ConcurrencyLimit::new(self.recorder.service(), 1);
        layer(&self.issuer)
            .acting_as(self.slow.clone())
            .replay(replay)
            .layer(limited)
    }

    fn quick_request(&self) -> Request<String> {
        let mut request = request("/quick");
        request.extensions_mut().insert(self.quick.clone());
        request
    }
}

/// Polls until one more request for a token has come, for which the future waits.
async fn until_it_waits<F: Future>(mut future: Pin<&mut F>, issuer: &Issuer, before: u64) {
    within(async {
        while issuer.token_requests() == before {
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(cx).is_pending());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_waits_for_a_token_holds_no_capacity() {
    let setting = Setting::new().await;
    let before = setting.issuer.token_requests();
    let slow = Fault::Slow(Duration::from_millis(300));
    setting.issuer.fail_times_at(Target::Token, 1, slow);
    let mut service = setting.service(NoReplay);
    let future = service.ready().await.unwrap().call(request("/slow"));
    let mut future = Box::pin(future);
    until_it_waits(future.as_mut(), &setting.issuer, before).await;
    // Through another handle, and through the same one.
    within(call(&service, setting.quick_request()))
        .await
        .unwrap();
    let quick = service.ready();
    let quick = within(quick).await.unwrap().call(setting.quick_request());
    within(quick).await.unwrap();
    assert_eq!(setting.recorder.count(), 2);
    within(future).await.unwrap();
    within(call(&service, setting.quick_request()))
        .await
        .unwrap();
    assert_eq!(setting.recorder.count(), 4);
}

async fn challenged<R>(replay: R, expected: usize)
where
    R: Replay<Request<String>> + Clone,
{
    let setting = Setting::new().await;
    within(setting.slow.token(&default_scope(&setting.issuer)))
        .await
        .unwrap();
    let before = setting.issuer.token_requests();
    let slow = Fault::Slow(Duration::from_millis(300));
    setting.issuer.fail_times_at(Target::Token, 1, slow);
    let mut service = setting.service(replay);
    let future = service.ready().await.unwrap().call(request("/challenged"));
    let mut future = Box::pin(future);
    until_it_waits(future.as_mut(), &setting.issuer, before).await;
    assert_eq!(setting.recorder.count(), 1);
    let quick = service.ready();
    let quick = within(quick).await.unwrap().call(setting.quick_request());
    within(quick).await.unwrap();
    let response = within(future).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(setting.recorder.count(), expected);
    within(call(&service, setting.quick_request()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_request_that_waits_to_be_sent_once_more_holds_no_capacity() {
    challenged(CloneBody, 3).await;
}

#[tokio::test]
async fn a_response_that_waits_for_the_next_token_holds_no_capacity() {
    challenged(NoReplay, 2).await;
}

#[tokio::test]
async fn a_request_that_is_not_sent_gives_its_capacity_back() {
    let setting = Setting::new().await;
    let wrong = Request::get("https://other.test/").body(String::new());
    let remembered = {
        let hang = Fault::Status(503);
        setting.issuer.fail_at(Target::Leg(Leg::T1), hang);
        within(setting.slow.token(&default_scope(&setting.issuer))).await
    };
    assert!(remembered.is_err());
    let bare = layer(&setting.issuer);
    let limited = ConcurrencyLimit::new(setting.recorder.service(), 1);
    for (layer, request) in [
        (bare.clone(), request("/")),
        (
            bare.clone().acting_as(setting.quick.clone()),
            wrong.unwrap(),
        ),
        (bare.acting_as(setting.slow.clone()), request("/")),
    ] {
        let mut service = layer.layer(limited.clone());
        let future = service.ready().await.unwrap().call(request);
        let other = call(&service, setting.quick_request());
        within(other).await.unwrap();
        within(future).await.unwrap_err();
        // The handle that was refused is still there, and holds nothing.
        let other = layer.layer(limited.clone());
        within(call(&other, setting.quick_request())).await.unwrap();
        drop(service);
    }
    assert_eq!(setting.recorder.count(), 6);
}

/// Ready once; its clones never are.
struct Broken(Option<&'static str>);

impl Clone for Broken {
    fn clone(&self) -> Self {
        Self(Some("the clone is broken"))
    }
}

impl Service<Request<String>> for Broken {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Response<String>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(self.0.map_or(Ok(()), Err))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        std::future::ready(Err("the call failed"))
    }
}

#[tokio::test]
async fn errors_of_the_service_inside_go_back() {
    let setting = Setting::new().await;
    let quick = layer(&setting.issuer).acting_as(setting.quick.clone());
    let slow = layer(&setting.issuer).acting_as(setting.slow.clone());
    for (layer, expected) in [(quick, "the call failed"), (slow, "the clone is broken")] {
        let mut service = layer.layer(Broken(None));
        let future = service.ready().await.unwrap().call(request("/"));
        match within(future).await {
            Err(CallError::Inner(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
    let mut broken = layer(&setting.issuer).layer(Broken(Some("not ready")));
    let error = broken.ready().await.map(drop).unwrap_err();
    assert!(matches!(error, CallError::Inner("not ready")));
}
