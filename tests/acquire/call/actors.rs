//! Who acts in a request, and what of that reaches the service inside.

use std::{
    error::Error,
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{HeaderValue, header::PROXY_AUTHORIZATION};
use tower_entra::{
    Audiences, PrincipalKind, Tenants, Validator,
    acquire::{AcquireErrorKind, TokenSource, UserAssertion},
};

use super::{super::blueprint, *};

/// A person's token for the blueprint, admitted.
pub(super) async fn person(issuer: &Issuer, name: &str) -> UserAssertion {
    let audience = Audiences::client_id(issuer.blueprint_id());
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), audience)
        .authority(issuer.authority())
        .build()
        .unwrap();
    validator.ready().await;
    let token = issuer.blueprint().user_token(name).mint();
    UserAssertion::verify(&validator, &token).await.unwrap()
}

/// The scopes of the API that an agent needs on behalf of a person, with `.default` for both.
fn with_source(mut request: Request<String>, source: TokenSource) -> Request<String> {
    request.extensions_mut().insert(source);
    request
}

fn with_caller(mut request: Request<String>, caller: &UserAssertion) -> Request<String> {
    request.extensions_mut().insert(caller.clone());
    request
}

/// Whose token the last request had.
async fn kind(issuer: &Issuer, recorder: &Recorder) -> PrincipalKind {
    let validator = issuer.validator();
    validator.ready().await;
    let token = recorder.tokens().pop().unwrap();
    let token = token.strip_prefix("Bearer ").unwrap();
    validator.validate(token).await.unwrap().kind()
}

#[tokio::test]
async fn the_source_of_a_request_comes_before_the_settings() {
    let issuer = Issuer::start().await;
    let agent = agent(&issuer);
    let caller = person(&issuer, "alice").await;
    let recorder = Recorder::new();
    let (itself, for_alice) = (agent.itself(), agent.on_behalf_of(&caller));
    let bare = layer(&issuer);
    let by_default = bare.clone().acting_as(itself.clone());
    let for_callers = bare.clone().on_behalf_of_caller(agent.clone());
    let (autonomous, delegated) = (
        PrincipalKind::AutonomousAgent,
        PrincipalKind::AgentOnBehalfOfUser,
    );
    for (row, layer, request, expected) in [
        ("acting_as", &by_default, request("/"), autonomous),
        (
            "on_behalf_of_caller",
            &for_callers,
            with_caller(request("/"), &caller),
            delegated,
        ),
        (
            "a source",
            &bare,
            with_source(request("/"), itself.clone()),
            autonomous,
        ),
        (
            "a source before acting_as",
            &by_default,
            with_source(request("/"), for_alice.clone()),
            delegated,
        ),
        (
            "a source before the caller",
            &for_callers,
            with_caller(with_source(request("/"), itself.clone()), &caller),
            autonomous,
        ),
        (
            "an assertion that is not asked for",
            &by_default,
            with_caller(request("/"), &caller),
            autonomous,
        ),
        (
            "the last setting",
            &for_callers.clone().acting_as(itself.clone()),
            with_caller(request("/"), &caller),
            autonomous,
        ),
        (
            "the last setting, the other way",
            &by_default.clone().on_behalf_of_caller(agent.clone()),
            with_caller(request("/"), &caller),
            delegated,
        ),
    ] {
        let service = layer.layer(recorder.service());
        within(call(&service, request)).await.expect(row);
        assert_eq!(kind(&issuer, &recorder).await, expected, "{row}");
    }
    for seen in recorder.seen.lock().unwrap().iter() {
        assert!(seen.extensions().is_empty(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_request_in_which_nothing_says_who_acts_is_not_sent() {
    let issuer = Issuer::start().await;
    let agent = agent(&issuer);
    let caller = person(&issuer, "alice").await;
    let recorder = Recorder::new();
    let bare = layer(&issuer);
    let by_default = bare.clone().acting_as(agent.itself());
    for (row, layer, request) in [
        ("no setting", bare.clone(), request("/")),
        (
            "an assertion and no agent",
            bare.clone(),
            with_caller(request("/"), &caller),
        ),
        (
            "no assertion",
            bare.on_behalf_of_caller(agent.clone()),
            request("/"),
        ),
        // Never as another identity.
        (
            "no assertion, and acting_as before",
            by_default.on_behalf_of_caller(agent.clone()),
            request("/"),
        ),
    ] {
        let service = layer.layer(recorder.service());
        let error = within(call(&service, request)).await.expect_err(row);
        assert!(matches!(error, CallError::NobodyToActAs), "{row}: {error}");
    }
    assert_eq!((recorder.count(), issuer.token_requests()), (0, 0));
}

#[tokio::test]
async fn an_app_or_a_function_can_act_on_behalf_of_the_caller() {
    let issuer = Issuer::start().await;
    let agent = agent(&issuer);
    let recorder = Recorder::new();
    let alice = person(&issuer, "alice").await;
    let own = move |caller: &UserAssertion| agent.on_behalf_of(caller);
    let service = layer(&issuer)
        .on_behalf_of_caller(own)
        .layer(recorder.service());
    within(call(&service, with_caller(request("/"), &alice)))
        .await
        .unwrap();
    assert_eq!(
        kind(&issuer, &recorder).await,
        PrincipalKind::AgentOnBehalfOfUser
    );
    // The blueprint has no consent of its own: its refusal shows that it was asked.
    let service = layer(&issuer)
        .on_behalf_of_caller(blueprint(&issuer))
        .layer(recorder.service());
    let error = within(call(&service, with_caller(request("/"), &alice)))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::NoToken(_)), "{error}");
    assert_eq!(recorder.count(), 1);
}

#[tokio::test]
async fn each_caller_has_a_token_of_its_own() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let service = layer(&issuer)
        .on_behalf_of_caller(agent(&issuer))
        .layer(recorder.service());
    for name in ["alice", "bob", "alice"] {
        let caller = person(&issuer, name).await;
        within(call(&service, with_caller(request("/"), &caller)))
            .await
            .unwrap();
    }
    let tokens = recorder.tokens();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_clone_of_the_service_can_act_as_another() {
    let issuer = Issuer::start().await;
    let agent = agent(&issuer);
    let recorder = Recorder::new();
    let service = layer(&issuer).layer(recorder.service());
    let caller = person(&issuer, "alice").await;
    for (service, expected) in [
        (
            service.clone().acting_as(agent.on_behalf_of(&caller)),
            PrincipalKind::AgentOnBehalfOfUser,
        ),
        (
            service.clone().acting_as(agent.itself()),
            PrincipalKind::AutonomousAgent,
        ),
    ] {
        within(call(&service, request("/"))).await.unwrap();
        assert_eq!(kind(&issuer, &recorder).await, expected);
    }
    let service = service.on_behalf_of_caller(agent);
    within(call(&service, with_caller(request("/"), &caller)))
        .await
        .unwrap();
    assert_eq!(
        kind(&issuer, &recorder).await,
        PrincipalKind::AgentOnBehalfOfUser
    );
}

#[tokio::test]
async fn credentials_that_came_along_are_replaced() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let service = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .layer(recorder.service());
    let mut sent = request("/");
    for value in ["Bearer of.the.caller", "Basic YTpi"] {
        let value = HeaderValue::from_static(value);
        sent.headers_mut().append(AUTHORIZATION, value.clone());
        sent.headers_mut().append(PROXY_AUTHORIZATION, value);
    }
    within(call(&service, sent)).await.unwrap();
    let seen = recorder.only();
    assert!(!seen.headers().contains_key(PROXY_AUTHORIZATION));
    let all = seen.headers().get_all(AUTHORIZATION);
    let all: Vec<_> = all.iter().collect();
    assert_eq!(all.len(), 1);
    assert!(all[0].is_sensitive() && all[0].to_str().unwrap().starts_with("Bearer ey"));
}

#[tokio::test]
async fn a_failed_acquisition_is_an_error_with_its_cause() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    // An agent that acts as itself asks for `.default`.
    let orders = EntraCallLayer::new(API, super::super::scope(&issuer, "Orders.Read")).unwrap();
    let service = orders
        .acting_as(agent(&issuer).itself())
        .layer(recorder.service());
    let error = within(call(&service, request("/"))).await.unwrap_err();
    let CallError::NoToken(why) = &error else {
        panic!("{error}");
    };
    assert_eq!(why.kind(), AcquireErrorKind::Misconfigured);
    assert_eq!(error.to_string(), "there is no token for the call");
    assert_eq!(error.source().unwrap().to_string(), why.to_string());
    // A remembered failure is the answer without a wait.
    let service = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .layer(recorder.service());
    let secret = issuer.blueprint().secret();
    issuer.blueprint().remove_secret(&secret);
    for _ in 0..2 {
        let error = within(call(&service, request("/"))).await.unwrap_err();
        let CallError::NoToken(why) = error else {
            panic!("{error}");
        };
        assert_eq!(why.kind(), AcquireErrorKind::CredentialRefused);
    }
    assert_eq!((recorder.count(), issuer.token_requests()), (0, 1));
}

#[tokio::test]
async fn what_is_shown_has_no_token() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let agent = agent(&issuer);
    let layer = layer(&issuer).acting_as(agent.itself());
    let mut service = layer.layer(());
    let shown = format!("{layer:?} {service:?}");
    assert!(shown.contains(API) && shown.contains(".default"), "{shown}");
    service = service.on_behalf_of_caller(agent);
    assert!(format!("{service:?}").contains("OnBehalfOfCaller"));
    let service = layer.layer(recorder.service());
    let future = call(&service, request("/"));
    within(future).await.unwrap();
    let mut service = layer.layer(recorder.service());
    let future = service.ready().await.unwrap().call(request("/"));
    let token = recorder.tokens().pop().unwrap();
    let secret = issuer.blueprint().secret();
    for shown in [format!("{future:?}"), format!("{layer:?}")] {
        assert!(
            !shown.contains(&token) && !shown.contains(&secret),
            "{shown}"
        );
    }
}

/// What a caller sees of an error.
#[tokio::test]
async fn errors_are_answers_of_an_axum_handler() {
    use axum::response::IntoResponse;

    let issuer = Issuer::start().await;
    issuer.fail_at(
        tower_entra::testing::Target::Token,
        tower_entra::testing::Fault::StatusWithRetryAfter {
            status: 429,
            seconds: 7,
        },
    );
    let throttled = agent(&issuer).itself();
    let throttled = within(throttled.token(&default_scope(&issuer))).await;
    let inner: CallError<&str> = CallError::Inner("a secret of the connection");
    for (error, status) in [
        (CallError::NobodyToActAs, 500),
        (CallError::OtherOrigin, 500),
        (CallError::NoToken(throttled.unwrap_err()), 503),
        (inner, 502),
    ] {
        let response = error.into_response();
        assert_eq!(response.status(), status);
        let retry_after = response.headers().get("retry-after");
        let expected = (status == 503).then_some("7");
        assert_eq!(retry_after.map(|value| value.to_str().unwrap()), expected);
        let body = axum::body::to_bytes(response.into_body(), 1_000).await;
        assert!(body.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_future_that_was_ready_panics_when_it_is_polled_again() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let mut service = layer(&issuer).layer(recorder.service());
    let other = Request::get("https://other.test/").body(String::new());
    for request in [request("/"), other.unwrap()] {
        let future = service.ready().await.unwrap().call(request);
        let mut future = pin!(future);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(matches!(future.as_mut().poll(cx), Poll::Ready(Err(_))));
        let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(again.is_err());
    }
}

#[tokio::test]
async fn a_request_that_goes_away_leaves_its_token_for_the_next() {
    let issuer = Issuer::start().await;
    let recorder = Recorder::new();
    let mut service = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .layer(recorder.service());
    {
        let future = service.ready().await.unwrap().call(request("/"));
        let mut future = pin!(future);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(cx).is_pending());
    }
    within(call(&service, request("/"))).await.unwrap();
    assert_eq!((recorder.count(), issuer.token_requests()), (1, 2));
}
