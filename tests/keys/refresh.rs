//! The scheduled refresh, and withdrawn keys.

use serde_json::{Value, json};
use tokio::time;
use tower_entra::{
    ErrorKind, KeySettings, KeyStatus,
    testing::{Fault, Issuer, KeyKind},
};

use crate::support::{
    client::{Client, Reply, scripted},
    *,
};

#[tokio::test]
pub(super) async fn a_withdrawn_key_is_dead_after_the_next_good_fetch() {
    let (issuer, validator) = ready(KeySettings::default().with_refresh_interval(SECOND)).await;
    let old = issuer.current_kid();
    let token = issuer.user().mint();
    issuer.rotate();
    issuer.withdraw(&old);
    assert_eq!(at_once(&validator, &token), Ok(()), "not yet");
    eventually("a scheduled fetch", || issuer.key_fetches() == 2).await;
    time::sleep(50 * TICK).await;
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    // It costs the one fetch that an unknown key may cost.
    assert_eq!(
        outcome(&validator, &token).await,
        Err(ErrorKind::UnknownKey)
    );
}

#[tokio::test]
pub(super) async fn a_fetch_for_an_unknown_key_withdraws_keys_too() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let old = issuer.current_kid();
    let token = issuer.user().mint();
    issuer.rotate();
    issuer.withdraw(&old);
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert_eq!(at_once(&validator, &token), Err(ErrorKind::UnknownKey));
    assert_fetches(&issuer, 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_fetch_withdraws_nothing() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let old = issuer.current_kid();
    let token = issuer.user().mint();
    issuer.rotate();
    issuer.withdraw(&old);
    client.reply(Reply::Fails);
    time::sleep(2 * HOUR).await;
    assert!(client.discovery_fetches() > 10);
    assert_eq!(at_once(&validator, &token), Ok(()));
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    client.reply(Reply::Right);
    time::sleep(MINUTE).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    let refused = outcome(&validator, &token).await;
    assert_eq!(refused, Err(ErrorKind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn a_day_without_requests_costs_one_fetch_an_hour() {
    let (_issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    time::sleep(DAY).await;
    assert!(
        (22..=28).contains(&client.key_fetches()),
        "{}",
        client.key_fetches()
    );
    let starts = client.starts();
    let pauses: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for pause in &pauses {
        assert!((54 * MINUTE..=66 * MINUTE).contains(pause), "{pause:?}");
    }
    assert!(
        pauses.windows(2).any(|pair| pair[0] != pair[1]),
        "no jitter"
    );
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

/// As long as the endpoint is well, no setting that is accepted may let the keys grow too old.
#[tokio::test(start_paused = true)]
async fn keys_that_can_be_fetched_are_never_too_old() {
    let issuer = Issuer::start_blocking();
    let token = issuer.user().mint();
    for stale_limit in [24 * HOUR, 25 * HOUR, 48 * HOUR] {
        let settings = KeySettings::default()
            .with_refresh_interval(DAY)
            .with_stale_limit(stale_limit);
        let client = Client::new(&issuer);
        client.reply(Reply::RightAfter(SECOND));
        let validator = issuer
            .validator_builder()
            .key_settings(settings)
            .http_client(client.clone())
            .build();
        let Ok(validator) = validator else {
            continue;
        };
        validator.ready().await;
        for hour in 0..20 * 24 {
            time::sleep(HOUR).await;
            assert_eq!(at_once(&validator, &token), Ok(()), "in hour {hour}");
        }
        assert!(client.key_fetches() >= 18);
    }
}

#[tokio::test(start_paused = true)]
pub(super) async fn keys_in_another_order_are_no_change() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    issuer.publish_key_with(KeyKind::P256);
    issuer.publish_key();
    validator.ready().await;
    assert_eq!(log.count(CHANGED), 0, "there was nothing to change");

    let mut document: Value = serde_json::from_slice(&issuer.keys_document()).unwrap();
    document["keys"].as_array_mut().unwrap().reverse();
    issuer.set_keys_document(document.to_string());
    time::sleep(2 * HOUR).await;
    assert_eq!(log.count(CHANGED), 0);

    // An unusable key more, and members that mean nothing, are no change either.
    let keys = document["keys"].as_array_mut().unwrap();
    keys.push(json!({"kty": "oct", "kid": "x", "k": "AQAB"}));
    keys[0]["x5t"] = json!("another");
    issuer.set_keys_document(document.to_string());
    time::sleep(2 * HOUR).await;
    assert_eq!(log.count(CHANGED), 0);
    assert!(client.key_fetches() >= 4);

    issuer.reset_keys_document();
    issuer.rotate();
    time::sleep(2 * HOUR).await;
    assert_eq!(log.count(CHANGED), 1);
    issuer.withdraw(&issuer.current_kid());
    time::sleep(2 * HOUR).await;
    assert_eq!(log.count(CHANGED), 2);
}

#[tokio::test]
pub(crate) async fn no_log_holds_anything_of_a_token() {
    let log = Log::of_this_thread();
    let (issuer, validator) = ready(KeySettings::default()).await;
    let good = issuer.user().mint();
    let forged = Forger::new(&good).token_of("forged\\nkid");
    let _ = outcome(&validator, &good).await;
    let _ = outcome(&validator, &forged).await;
    let _ = outcome(&validator, &issuer.user().signed_by_stranger().mint()).await;
    issuer.fail(Fault::Html);
    let _ = outcome(&validator, &Forger::new(&good).token()).await;

    let text = log.text();
    for part in good.split('.').chain(forged.split('.')) {
        assert!(!text.contains(part));
    }
    assert!(!text.contains("forged"), "{text}");
    assert!(!text.contains("alice"), "{text}");
    assert!(!text.contains("Sign in"), "{text}");
}

const CHANGED: &str = "the signing keys have changed";
