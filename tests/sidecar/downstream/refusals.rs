//! What is refused, and what Entra refuses.

use tower_entra::testing::{Fault, Target};

use super::*;

#[tokio::test]
async fn overrides_that_make_no_call_are_400_before_entra_is_asked() {
    let world = World::new().await;
    for (name, value) in [
        ("HttpMethod", "G T"),
        ("HttpMethod", "CONNECT"),
        ("HttpMethod", "trace"),
        ("AcceptHeader", "a\r\nb"),
        ("AcceptHeader", "\u{e9}"),
        ("ExtraHeaderParameters.X A", "1"),
        ("ExtraHeaderParameters.X-A:", "1"),
        ("ExtraHeaderParameters.X-A", "1\r\n2"),
        ("ExtraHeaderParameters.X-A", "\u{e9}"),
        ("ExtraHeaderParameters.X-A", "\u{0}"),
        ("RelativePath", "../admin"),
        ("RelativePath", &"a".repeat(33_000)),
        ("AcquireTokenOptions.Tenant", "contoso"),
        ("AcquireTokenOptions.FmiPath", "a"),
        ("AcquireTokenOptions.Claims", "{"),
    ] {
        let query = format!(
            "optionsOverride.{}={}",
            name.replace(' ', "%20"),
            escaped_once(value)
        );
        let reply = world.call(&query).await;
        let detail = reply.problem(400);
        assert!(
            detail.len() < 200 && !detail.contains("admin"),
            "{name}: {detail}"
        );
    }
    assert!(world.api.take().is_empty());
    assert_eq!(world.issuer.token_requests(), 0);
}

/// The value of a query parameter, without escapes where they are not needed: 64 KiB are the limit.
fn escaped_once(text: &str) -> String {
    match text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => text.to_owned(),
        false => escaped(text),
    }
}

#[tokio::test]
async fn where_entra_refuses_there_is_no_call() {
    let world = World::new().await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    world
        .issuer
        .blueprint()
        .agent()
        .withdraw_consent(&world.issuer.api());
    let path = format!(
        "/DownstreamApi/orders?AgentIdentity={}",
        world.issuer.agent_id()
    );
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("authorization", format!("Bearer {token}"));
    let reply = world
        .send(request.body(Vec::new()).expect("a request"))
        .await;
    assert!(reply.problem(401).starts_with("AADSTS65001"), "{reply:?}");
    assert_eq!(reply.body["errorCode"], "AADSTS65001");
    assert!(world.api.take().is_empty());
}

#[tokio::test]
async fn where_entra_throttles_it_is_503_and_there_is_no_call() {
    let world = World::new().await;
    world.issuer.fail_at(
        Target::Token,
        Fault::StatusWithRetryAfter {
            status: 429,
            seconds: 7,
        },
    );
    let reply = world.call("").await;
    reply.problem(503);
    assert_eq!(reply.headers["retry-after"], "7");
    assert!(world.api.take().is_empty());
}
