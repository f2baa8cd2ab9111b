//! A subscriber of the program that panics when the task that fetches keys logs something.

use http::{Response, StatusCode};
use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus};

use crate::support::{
    client::{Reply, scripted},
    *,
};

#[tokio::test(start_paused = true)]
async fn keys_come_and_change_although_logging_panics() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    log.panic_at("fetching keys");
    within(validator.ready()).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));

    log.panic_at("the signing keys have changed");
    for fetches in 2..5 {
        issuer.rotate();
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
        assert_eq!(client.key_fetches(), fetches);
        time::sleep(31 * SECOND).await;
    }
    assert_eq!(log.count("the signing keys have changed"), 3);
    // The task has lived through it all, and fetches when the next hour is over, give or take a tenth.
    time::sleep(4_000 * SECOND).await;
    assert_eq!(client.key_fetches(), 5);
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_although_logging_panics() {
    let log = Log::of_this_thread();
    let settings = KeySettings::default().with_stale_limit(7_200 * SECOND);
    let (issuer, client, validator) = scripted(settings);
    log.panic_at("the signing keys are loaded");
    within(validator.ready()).await;

    log.panic_at("keys cannot be fetched; the last good ones serve on");
    let mut refusal = Response::new(Vec::new());
    *refusal.status_mut() = StatusCode::BAD_GATEWAY;
    client.reply(Reply::Keys(refusal));
    let before = client.key_fetches();
    time::sleep(4_000 * SECOND).await;
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    // Tried again and again, no more often than the back-off allows.
    let tries = client.key_fetches() - before;
    assert!((2..100).contains(&tries), "{tries} fetches");

    log.panic_at("the last good keys are too old; requests are answered with 503");
    time::sleep(4_000 * SECOND).await;
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    assert_eq!(log.count("the last good keys are too old"), 1);
    let refused = validate(&validator, &issuer.user().mint()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::KeysUnavailable);

    log.panic_at("keys can be fetched again");
    client.reply(Reply::Right);
    time::sleep(61 * SECOND).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
}
