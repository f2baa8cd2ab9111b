//! Claims challenges: answered once, by one token for all who were refused with them.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::{
    HeaderMap,
    header::{HOST, PROXY_AUTHORIZATION},
};
use tokio::task::JoinSet;
use tower_entra::{
    acquire::{AcquireErrorKind, CloneBody, Replay, TokenSource},
    testing::{Fault, Leg, Policy, Target},
};

use super::{actors::person, *};

/// An API that refuses the first `refused` tokens that it sees with a challenge for these claims.
fn refusing(refused: usize, claims: &str) -> Recorder {
    let known: Mutex<BTreeSet<String>> = Mutex::default();
    let challenge = challenge(claims);
    Recorder::answering(move |request| {
        let token = request.headers()[AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned();
        let mut known = known.lock().unwrap();
        if known.len() < refused {
            known.insert(token.clone());
        }
        match known.contains(&token) {
            true => unauthorized(&challenge),
            false => Response::new(request.body().clone()),
        }
    })
}

fn post(body: &str) -> Request<String> {
    let request = Request::post(format!("{API}/orders")).header("x-kept", "yes");
    request.body(body.to_owned()).unwrap()
}

#[tokio::test]
async fn a_request_that_can_be_copied_is_sent_once_more() {
    let issuer = Issuer::start().await;
    let api = refusing(1, CLAIMS);
    let service = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .replay(CloneBody)
        .layer(api.service());
    let response = within(call(&service, post("an order"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.body(), "an order");
    {
        let seen = api.seen.lock().unwrap();
        let [first, second] = &seen[..] else {
            panic!("{seen:?}");
        };
        for request in [first, second] {
            assert_eq!(request.method(), "POST");
            assert_eq!(request.uri().path(), "/orders");
            assert_eq!(request.body(), "an order");
            assert_eq!(request.headers()["x-kept"], "yes");
            assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
            assert!(request.headers()[AUTHORIZATION].is_sensitive());
        }
    }
    let tokens = api.tokens();
    assert_ne!(tokens[0], tokens[1]);
    let asked = issuer.token_requests_seen().pop().unwrap();
    assert_eq!(
        (asked.leg(), asked.parameter("claims")),
        (Leg::Agent, Some(CLAIMS))
    );
    // T1 came from the cache, and the token serves on.
    assert_eq!(issuer.token_requests(), 3);
    within(call(&service, post("another"))).await.unwrap();
    assert_eq!(api.tokens().pop(), Some(tokens[1].clone()));
    assert_eq!(issuer.token_requests(), 3);
}

#[tokio::test]
async fn without_replay_the_401_goes_back_and_the_next_request_has_the_new_token() {
    let issuer = Issuer::start().await;
    let api = refusing(1, CLAIMS);
    let service = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .layer(api.service());
    let response = within(call(&service, post("an order"))).await.unwrap();
    let expected = unauthorized(&challenge(CLAIMS));
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers(), expected.headers());
    assert_eq!(response.body(), expected.body());
    assert_eq!(api.count(), 1);
    let response = within(call(&service, post("an order"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((api.count(), issuer.token_requests()), (2, 3));
}

#[tokio::test]
async fn a_request_is_never_sent_twice_more() {
    let issuer = Issuer::start().await;
    let api = refusing(usize::MAX, CLAIMS);
    let service = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .replay(CloneBody)
        .layer(api.service());
    let response = within(call(&service, post("an order"))).await.unwrap();
    assert_eq!((response.status().as_u16(), api.count()), (401, 2));
    assert_eq!(issuer.token_requests(), 3);
    // One more token for the same claims, and then none in 5 s.
    let response = within(call(&service, post("an order"))).await.unwrap();
    assert_eq!((response.status().as_u16(), api.count()), (401, 4));
    for _ in 0..5 {
        let error = within(call(&service, post("an order"))).await.unwrap_err();
        let CallError::NoToken(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.kind(), AcquireErrorKind::Busy);
    }
    assert_eq!((api.count(), issuer.token_requests()), (9, 4));
}

#[tokio::test]
async fn ten_thousand_requests_refused_with_one_challenge_cost_one_token_request() {
    let issuer = Issuer::start().await;
    for copies in [true, false] {
        let source = agent(&issuer).itself();
        within(source.token(&default_scope(&issuer))).await.unwrap();
        let before = issuer.token_requests();
        let api = refusing(1, CLAIMS);
        let layer = layer(&issuer).acting_as(source);
        let mut calls = JoinSet::new();
        for _ in 0..10_000 {
            let (layer, inner) = (layer.clone(), api.service());
            calls.spawn(async move {
                let response = match copies {
                    true => {
                        let service = layer.replay(CloneBody).layer(inner);
                        call(&service, post("an order")).await
                    }
                    false => call(&layer.layer(inner), post("an order")).await,
                };
                response.unwrap().status().as_u16()
            });
        }
        let answers = within(calls.join_all()).await;
        let refused = answers.iter().filter(|status| **status == 401).count();
        assert_eq!(issuer.token_requests(), before + 1);
        match copies {
            true => assert_eq!(refused, 0),
            false => assert!(refused > 0),
        }
        assert!(api.count() <= 20_000);
    }
}

#[tokio::test]
async fn a_challenge_to_a_token_that_was_replaced_has_the_one_that_replaced_it() {
    let issuer = Issuer::start().await;
    let source = agent(&issuer).itself();
    within(source.token(&default_scope(&issuer))).await.unwrap();
    // The second answer to the old token comes after the new one was acquired.
    let (release, released) = tokio::sync::watch::channel(false);
    let old: Arc<Mutex<Option<String>>> = Arc::default();
    let slow = service_fn(move |request: Request<String>| {
        let (mut released, old) = (released.clone(), old.clone());
        async move {
            let token = request.headers()[AUTHORIZATION]
                .to_str()
                .unwrap()
                .to_owned();
            let is_old = *old.lock().unwrap().get_or_insert_with(|| token.clone()) == token;
            if request.body() == "late" && is_old {
                released.wait_for(|released| *released).await.unwrap();
            }
            Ok::<_, Infallible>(match is_old {
                true => unauthorized(&challenge(CLAIMS)),
                false => Response::new(String::new()),
            })
        }
    });
    let layer = layer(&issuer).acting_as(source).replay(CloneBody);
    let service = layer.layer(slow);
    let late = tokio::spawn(service.clone().oneshot(post("late")));
    let quick = within(service.clone().oneshot(post("quick"))).await;
    assert_eq!(quick.unwrap().status(), 200);
    let before = issuer.token_requests();
    release.send(true).unwrap();
    assert_eq!(within(late).await.unwrap().unwrap().status(), 200);
    assert_eq!(issuer.token_requests(), before);
}

#[tokio::test]
async fn a_step_up_that_the_caller_must_do_is_the_error() {
    let issuer = Issuer::start().await;
    let api = refusing(1, CLAIMS);
    let caller = person(&issuer, "alice").await;
    let on_behalf = layer(&issuer).on_behalf_of_caller(agent(&issuer));
    let send = || {
        let mut request = post("an order");
        request.extensions_mut().insert(caller.clone());
        request
    };
    let plain = on_behalf.clone().layer(Recorder::new().service());
    within(call(&plain, send())).await.unwrap();
    issuer.api().set_policy(Policy::StepUp);
    let service = on_behalf.replay(CloneBody).layer(api.service());
    let error = within(call(&service, send())).await.unwrap_err();
    let CallError::NoToken(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), AcquireErrorKind::InteractionRequired);
    assert!(error.claims().is_some());
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn a_challenge_whose_token_cannot_be_acquired_goes_back_without_replay() {
    let issuer = Issuer::start().await;
    let source = agent(&issuer).itself();
    within(source.token(&default_scope(&issuer))).await.unwrap();
    let throttled = Fault::StatusWithRetryAfter {
        status: 429,
        seconds: 30,
    };
    issuer.fail_at(Target::Token, throttled);
    let api = refusing(1, CLAIMS);
    let layer = layer(&issuer).acting_as(source);
    let service = layer.clone().layer(api.service());
    let response = within(call(&service, post("an order"))).await.unwrap();
    assert_eq!(response.body(), "refused");
    let service = layer.replay(CloneBody).layer(api.service());
    let error = within(call(&service, post("an order"))).await.unwrap_err();
    assert!(
        matches!(error, CallError::NoToken(error) if error.kind() == AcquireErrorKind::Throttled)
    );
}

#[tokio::test]
async fn what_is_no_claims_challenge_goes_back_as_it_is() {
    let issuer = Issuer::start().await;
    let layer = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .replay(CloneBody);
    let good = challenge(CLAIMS);
    let huge = STANDARD.encode(format!("{{\"a\":\"{}\"}}", "b".repeat(1024 * 1024)));
    let rows: Vec<(&str, u16, Vec<String>)> = vec![
        ("no challenge", 401, vec![]),
        (
            "another error",
            401,
            vec![good.replace("insufficient_claims", "invalid_token")],
        ),
        ("another scheme", 401, vec![good.replace("Bearer", "PoP")]),
        ("another status", 403, vec![good.clone()]),
        ("a good answer", 200, vec![good.clone()]),
        ("two claims", 401, vec![format!("{good}, claims=\"e30=\"")]),
        ("two challenges", 401, vec![good.clone(), good.clone()]),
        (
            "no base64",
            401,
            vec![good.replace("claims=\"", "claims=\"!")],
        ),
        ("no object", 401, vec![challenge("[]")]),
        ("an object twice", 401, vec![challenge(r#"{"a":1,"a":2}"#)]),
        ("nothing asked for", 401, vec![challenge("{}")]),
        (
            "1 MiB of claims",
            401,
            vec![good.replace(&STANDARD.encode(CLAIMS), &huge)],
        ),
        (
            "1 MiB of challenges",
            401,
            (0..16_384)
                .map(|_| format!("x{}", " y=z".repeat(15)))
                .chain([good.clone()])
                .collect(),
        ),
        ("no grammar", 401, vec![format!("{good} and more")]),
        ("throttled", 429, vec![]),
        ("out of order", 503, vec![good]),
    ];
    for (row, status, challenges) in rows {
        let answered = challenges.clone();
        let api = Recorder::answering(move |_| {
            let mut response = Response::new("as it is".to_owned());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let headers: &mut HeaderMap = response.headers_mut();
            headers.insert("retry-after", "1".parse().unwrap());
            for challenge in &answered {
                headers.append("www-authenticate", challenge.parse().unwrap());
            }
            response
        });
        let service = layer.layer(api.service());
        let response = within(call(&service, post("an order"))).await.expect(row);
        assert_eq!(
            (response.status().as_u16(), api.count()),
            (status, 1),
            "{row}"
        );
        assert_eq!(response.body(), "as it is");
        let sent = response.headers().get_all("www-authenticate");
        let sent: Vec<_> = sent.iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(sent, challenges, "{row}");
    }
    assert_eq!(issuer.token_requests(), 2);
}

/// Of three schemes in one header and in several.
#[tokio::test]
async fn a_challenge_among_others_is_answered() {
    let issuer = Issuer::start().await;
    let layer = layer(&issuer)
        .acting_as(agent(&issuer).itself())
        .replay(CloneBody);
    let claims = STANDARD.encode(CLAIMS);
    let unpadded = claims.trim_end_matches('=');
    for challenge in [
        format!("Basic realm=\"a\", Negotiate, {}", challenge(CLAIMS)),
        format!("Bearer error=insufficient_claims, claims={unpadded}, NTLM TlRM=="),
    ] {
        let requests = AtomicUsize::new(0);
        let api = Recorder::answering(move |_| match requests.fetch_add(1, Ordering::SeqCst) {
            0 => unauthorized(&challenge),
            _ => Response::new(String::new()),
        });
        let response = within(call(&layer.layer(api.service()), post("an order"))).await;
        assert_eq!((response.unwrap().status().as_u16(), api.count()), (200, 2));
    }
}

/// Copies what has no body.
#[derive(Clone)]
struct WithoutBody;

impl Replay<Request<String>> for WithoutBody {
    fn copy(&self, request: &Request<String>) -> Option<Request<String>> {
        assert!(!request.headers().contains_key(AUTHORIZATION));
        assert!(request.extensions().is_empty());
        request.body().is_empty().then(|| request.clone())
    }
}

/// Copies a request as one of another host, with credentials and a source of its own.
#[derive(Clone)]
struct WithItsOwn(TokenSource);

impl Replay<Request<String>> for WithItsOwn {
    fn copy(&self, request: &Request<String>) -> Option<Request<String>> {
        let mut copy = request.clone();
        let headers = copy.headers_mut();
        headers.insert(AUTHORIZATION, "Bearer of-the-copy".parse().unwrap());
        headers.insert(PROXY_AUTHORIZATION, "Basic x".parse().unwrap());
        headers.insert(HOST, "other.test".parse().unwrap());
        copy.extensions_mut().insert(self.0.clone());
        Some(copy)
    }
}

#[tokio::test]
async fn a_copy_is_sent_with_the_token_and_the_host_of_the_layer() {
    let issuer = Issuer::start().await;
    let source = agent(&issuer).itself();
    let api = refusing(1, CLAIMS);
    let replay = WithItsOwn(source.clone());
    let layer = layer(&issuer).acting_as(source).replay(replay);
    let response = within(call(&layer.layer(api.service()), post("an order")))
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), api.count()), (200, 2));
    let copy = api.seen.lock().unwrap().pop().unwrap();
    assert_eq!(copy.headers()[HOST], "api.test");
    assert!(!copy.headers().contains_key(PROXY_AUTHORIZATION));
    assert_ne!(copy.headers()[AUTHORIZATION], "Bearer of-the-copy");
    assert!(copy.extensions().get::<TokenSource>().is_none());
}

/// Copies a request as one for this URL.
#[derive(Clone)]
struct For(&'static str);

impl Replay<Request<String>> for For {
    fn copy(&self, request: &Request<String>) -> Option<Request<String>> {
        let mut copy = request.clone();
        *copy.uri_mut() = self.0.parse().unwrap();
        Some(copy)
    }
}

#[tokio::test]
async fn a_copy_that_goes_to_another_origin_is_not_sent() {
    let issuer = Issuer::start().await;
    for (url, count) in [
        ("https://api.test/again", 2),
        ("https://other.test/orders", 1),
        ("http://api.test/orders", 1),
        ("https://user@api.test/orders", 1),
        ("/orders", 1),
    ] {
        let source = agent(&issuer).itself();
        for _ in ["without a token at hand", "with one"] {
            let api = refusing(9, CLAIMS);
            let layer = layer(&issuer).acting_as(source.clone()).replay(For(url));
            let service = layer.layer(api.service());
            let response = within(call(&service, post("an order"))).await.unwrap();
            assert_eq!(response.status(), 401, "{url}");
            assert_eq!(api.count(), count, "{url}");
        }
    }
}

#[tokio::test]
async fn a_replay_of_ones_own_decides_for_each_request() {
    let issuer = Issuer::start().await;
    let source = agent(&issuer).itself();
    for (body, expected) in [("an order", 401), ("", 200)] {
        let api = refusing(1, CLAIMS);
        let service = layer(&issuer).replay(WithoutBody).layer(api.service());
        let mut request = post(body);
        request.extensions_mut().insert(source.clone());
        let of_the_caller = "Bearer of-the-caller".parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, of_the_caller);
        let response = within(call(&service, request)).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}
