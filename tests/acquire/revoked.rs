//! A T1 that Entra no longer accepts, or does not give.

use std::time::Duration;

use serde_json::json;
use tokio::time;
use tower_entra::{
    acquire::{AcquireErrorKind as Kind, ConfidentialClient, TokenSource},
    testing::{Fault, Issuer, Leg, Target},
};

use super::world::{Who, World};

/// The agent as itself by a client that got T1 `age` ago, which does not count any longer.
async fn after_t1_was_revoked(age: u64) -> (World, ConfidentialClient, TokenSource) {
    let world = World::at(&Issuer::start().await);
    let client = world.as_blueprint();
    let source = world.source_of(Who::Agent, &client);
    source.token(&world.default_scope()).await.unwrap();
    time::advance(Duration::from_secs(age)).await;
    world.issuer.expire_tokens(Leg::T1);
    let user = world.source_of(Who::AgentUser, &client);
    (world, client, user)
}

#[tokio::test(start_paused = true)]
async fn a_t1_that_was_revoked_is_replaced_once_if_it_is_older_than_a_minute() {
    let (world, _, user) = after_t1_was_revoked(61).await;
    user.token(&world.scope("Orders.Read")).await.unwrap();
    // T1 and the agent's token; T2 that is refused; T1, T2 and the token.
    assert_eq!(world.wire.count(), 6);

    let (world, client, user) = after_t1_was_revoked(60).await;
    let error = user.token(&world.scope("Orders.Read")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::CredentialRefused, Some(700_024))
    );
    let text = error.to_string();
    assert!(
        text.contains("the agent's assertion of its blueprint (T1)"),
        "{text}"
    );
    assert!(
        error.hint().unwrap().contains("the clock of this machine"),
        "{text}"
    );
    assert_eq!(world.wire.count(), 3);
    // A token that was got with it is handed out as before.
    let source = world.source_of(Who::Agent, &client);
    source.token(&world.default_scope()).await.unwrap();
    time::advance(Duration::from_millis(5_001)).await;
    user.token(&world.scope("Orders.Read")).await.unwrap();
    assert_eq!(world.wire.count(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_t1_is_asked_for_anew_once_and_not_in_turns() {
    let (world, _, user) = after_t1_was_revoked(61).await;
    world.agent.disable();
    let error = user.token(&world.scope("Orders.Read")).await.unwrap_err();
    assert_eq!(error.code(), Some(7_000_112));
    assert_eq!(world.wire.count(), 3);

    let (world, _, user) = after_t1_was_revoked(61).await;
    world.blueprint.remove_credentials();
    let error = user.token(&world.scope("Orders.Read")).await.unwrap_err();
    assert_eq!(error.code(), Some(7_000_215));
    assert!(error.to_string().contains("the client's secret"), "{error}");
    // T2 that is refused, and T1.
    assert_eq!(world.wire.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn each_token_that_a_failure_of_t1_fails_remembers_it_for_5_s_of_its_own() {
    let world = World::at(&Issuer::start().await);
    let client = world.as_blueprint();
    let agent = world.source_of(Who::Agent, &client);
    let user = world.source_of(Who::AgentUser, &client);
    let refusal = json!({ "error": "unauthorized_client", "error_codes": [700_016] });
    let fault = Fault::Answer {
        status: 400,
        headers: vec![],
        body: refusal.to_string().into_bytes(),
    };
    world.issuer.fail_at(Target::Leg(Leg::T1), fault);
    let first = agent.token(&world.default_scope()).await.unwrap_err();
    assert_eq!(first.kind(), Kind::Misconfigured);
    assert_eq!(world.wire.count(), 1);
    for (after, count) in [(3_000, 1), (3_000, 1), (2_010, 2)] {
        time::advance(Duration::from_millis(after)).await;
        let error = user.token(&world.scope("Orders.Read")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
        assert_eq!(world.wire.count(), count);
    }
}
