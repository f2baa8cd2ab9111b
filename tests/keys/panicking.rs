//! A subscriber of the program that panics, on the task that fetches keys.

use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus};

use crate::{client::scripted, log::Log, support::*};

#[tokio::test(start_paused = true)]
async fn keys_whose_arrival_cannot_be_told_are_in_force_all_the_same() {
    let log = Log::of_this_thread();
    log.panic_at("the signing keys are loaded");
    let (issuer, client, validator) = scripted(KeySettings::default());
    within(validator.ready()).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));

    log.panic_at("the signing keys have changed");
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    // The task that began after either panic had nothing to fetch.
    time::sleep(600 * SECOND).await;
    assert_eq!(client.key_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_again_and_again_rests_in_between() {
    let log = Log::of_this_thread();
    log.panic_at("fetching keys");
    let (issuer, client, validator) = scripted(KeySettings::default());
    let ready = time::timeout(10 * SECOND, validator.ready()).await;
    assert!(ready.is_err(), "there are no keys to be ready with");
    // Each task begins with a rest of a second, and fetches within another one.
    let begun = log.count("fetching keys");
    assert!((5..=11).contains(&begun), "{begun} tasks in ten seconds");

    let refused = validate(&validator, &issuer.user().mint()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::KeysUnavailable);
    let more = log.count("fetching keys") - begun;
    assert!(more <= 3, "{more} tasks in two seconds");
    assert_eq!(client.key_fetches(), 0);

    log.panic_at("something else");
    within(validator.ready()).await;
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
}
