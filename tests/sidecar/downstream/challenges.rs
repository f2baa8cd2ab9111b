//! Claims challenges of the API.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use base64::engine::general_purpose::STANDARD;
use tower_entra::testing::Policy;

use super::*;

pub(super) const CLAIMS: &str =
    r#"{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}"#;

pub(super) fn refusal(claims: &str) -> http::Response<Vec<u8>> {
    let claims = STANDARD.encode(claims);
    let challenge =
        format!("Bearer realm=\"\", error=\"insufficient_claims\", claims=\"{claims}\"");
    let response = http::Response::builder()
        .status(401)
        .header("www-authenticate", challenge);
    response.body(b"refused".to_vec()).expect("a response")
}

/// Refuses as many tokens as this, each however often it comes.
pub(super) fn refusing(
    most: usize,
) -> impl Fn(&Seen) -> http::Response<Vec<u8>> + Send + Sync + 'static {
    let known: Mutex<Vec<http::HeaderValue>> = Mutex::default();
    move |seen| {
        let token = &seen.headers["authorization"];
        let mut known = known.lock().expect("no panic");
        if known.len() < most && !known.contains(token) {
            known.push(token.clone());
        }
        match known.contains(token) {
            true => refusal(CLAIMS),
            false => json("{}"),
        }
    }
}

#[tokio::test]
async fn a_call_that_is_challenged_is_sent_once_more_with_its_body() {
    let world = World::answering(refusing(1)).await;
    let query = "optionsOverride.HttpMethod=PUT&optionsOverride.RelativePath=a&\
                 optionsOverride.ExtraHeaderParameters.X-Kept=yes";
    let reply = world.post(query, Some(("text/plain", b"an order"))).await;
    assert_eq!(reply.of_api().0, 200);
    let seen = world.api.take();
    assert_eq!(seen.len(), 2);
    for seen in &seen {
        assert_eq!((&seen.method, &*seen.target), (&Method::PUT, "/v1/a"));
        assert_eq!(seen.headers["x-kept"], "yes");
        assert_eq!(seen.headers["content-type"], "text/plain");
        assert_eq!(seen.body, b"an order");
        assert_eq!(claims(seen)["azp"], world.issuer.agent_id());
    }
    assert_ne!(
        seen[0].headers["authorization"],
        seen[1].headers["authorization"]
    );
    let asked = world.issuer.token_requests_seen().pop().expect("a request");
    assert_eq!(asked.parameter("claims"), Some(CLAIMS));
    // T1 and two tokens. The second one serves on.
    assert_eq!(world.issuer.token_requests(), 3);
    world.call("").await.of_api();
    assert_eq!(
        world.seen().headers["authorization"],
        seen[1].headers["authorization"]
    );
    assert_eq!(world.issuer.token_requests(), 3);
}

#[tokio::test]
async fn a_second_challenge_goes_back() {
    let world = World::answering(refusing(usize::MAX)).await;
    let reply = world.call("").await;
    let (status, headers, content) = reply.of_api();
    assert_eq!((status, content), (401, &Value::from("refused")));
    let challenge = headers["WWW-Authenticate"][0].as_str().expect("text");
    assert!(challenge.contains("insufficient_claims"), "{challenge}");
    assert_eq!(world.api.take().len(), 2);
    assert!(!reply.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_401_without_a_claims_challenge_is_an_answer() {
    for challenge in [
        "Bearer",
        "Bearer error=\"invalid_token\"",
        "Bearer error=\"insufficient_claims\"",
        "Bearer error=\"insufficient_claims\", claims=\"!\"",
        "Bearer error=\"invalid_token\", claims=\"e30=\"",
    ] {
        let world = World::answering(move |_| {
            let response = http::Response::builder()
                .status(401)
                .header("www-authenticate", challenge);
            response.body(Vec::new()).expect("a response")
        })
        .await;
        assert_eq!(world.call("").await.of_api().0, 401);
        assert_eq!(world.api.take().len(), 1, "{challenge}");
        assert_eq!(world.issuer.token_requests(), 2);
    }
}

#[tokio::test]
async fn a_challenge_that_only_the_person_can_answer_is_401_with_the_claims() {
    let refuses = Arc::new(AtomicBool::new(false));
    let of_api = Arc::clone(&refuses);
    let world = World::answering(move |_| match of_api.load(Ordering::Relaxed) {
        true => refusal(CLAIMS),
        false => json("{}"),
    })
    .await;
    let issuer = &world.issuer;
    let token = issuer.blueprint().user_token("alice").mint();
    let path = format!("/DownstreamApi/orders?AgentIdentity={}", issuer.agent_id());
    let send = || {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&path)
            .header("authorization", format!("Bearer {token}"));
        world.send(request.body(Vec::new()).expect("a request"))
    };
    assert_eq!(send().await.of_api().0, 200);
    world.api.take();
    issuer.api().set_policy(Policy::StepUp);
    refuses.store(true, Ordering::Relaxed);
    let reply = send().await;
    assert!(reply.problem(401).starts_with("AADSTS50076"), "{reply:?}");
    let asked = reply.body["claims"].as_str().expect("claims");
    serde_json::from_str::<Value>(asked).expect("JSON");
    assert_eq!(reply.body["errorCode"], "AADSTS50076");
    assert_eq!(world.api.take().len(), 1);
}
