//! A machine that slept: the wall clock has gone on, the monotonic one has not.
//!
//! Everything runs on the thread of the test, whose wall clock is set ahead.

use std::time::Duration;

use tokio::{runtime, time};

use crate::{
    ErrorKind, KeySettings, KeyStatus, Validator,
    clock::tests::set_ahead,
    testing::{Fault, Issuer},
};

/// Runs a test with an issuer and a validator that has its keys and that nothing but a request, or
/// the time, has fetch again.
fn awake(settings: KeySettings, test: impl AsyncFnOnce(Issuer, Validator)) {
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let issuer = Issuer::start().await;
        let builder = issuer.validator_builder().key_settings(settings);
        let validator = builder.build().expect("a good configuration");
        validator.ready().await;
        // The task goes to sleep.
        time::sleep(TICK).await;
        test(issuer, validator).await;
    });
}

async fn verdict(validator: &Validator, token: &str) -> Result<(), ErrorKind> {
    let verdict = validator.validate(token).await;
    verdict.map(drop).map_err(|error| error.kind())
}

async fn fetches(issuer: &Issuer, count: u64) {
    for _ in 0..5_000 {
        if issuer.key_fetches() == count {
            break;
        }
        time::sleep(TICK).await;
    }
    time::sleep(20 * TICK).await;
    assert_eq!(issuer.key_fetches(), count);
}

#[test]
fn after_a_night_the_first_request_is_served_by_the_keys_in_hand_and_has_them_refreshed() {
    awake(KeySettings::default(), async |issuer, validator| {
        let token = issuer.user().mint();
        let old = issuer.current_kid();
        issuer.rotate();
        issuer.withdraw(&old);
        set_ahead(8 * HOUR);
        let status = validator.status();
        let left = 15 * HOUR..=16 * HOUR;
        assert!(
            matches!(status, KeyStatus::Stale { remaining } if left.contains(&remaining)),
            "{status:?}"
        );
        assert_eq!(verdict(&validator, &token).await, Ok(()));
        fetches(&issuer, 2).await;
        assert_eq!(validator.status(), KeyStatus::Fresh);
        let refused = verdict(&validator, &token).await;
        assert_eq!(refused, Err(ErrorKind::UnknownKey), "its key is withdrawn");
    });
}

#[test]
fn after_three_days_no_request_is_served_by_the_old_keys() {
    awake(KeySettings::default(), async |issuer, validator| {
        let token = issuer.user().mint();
        let old = issuer.current_kid();
        issuer.rotate();
        issuer.withdraw(&old);
        set_ahead(72 * HOUR);
        assert_eq!(validator.status(), KeyStatus::Unavailable);
        let refused = verdict(&validator, &token).await;
        assert_eq!(refused, Err(ErrorKind::UnknownKey), "after the refresh");
        let token = issuer.user().mint();
        assert_eq!(verdict(&validator, &token).await, Ok(()));
        assert_eq!(validator.status(), KeyStatus::Fresh);
    });
}

#[test]
fn after_three_days_a_request_is_served_by_the_refresh_that_it_waits_for() {
    awake(KeySettings::default(), async |issuer, validator| {
        let token = issuer.user().mint();
        set_ahead(72 * HOUR);
        assert_eq!(verdict(&validator, &token).await, Ok(()));
        fetches(&issuer, 2).await;
    });
}

#[test]
fn after_three_days_without_an_authority_requests_are_answered_with_503() {
    let settings = KeySettings::default().with_wait(20 * TICK);
    awake(settings, async |issuer, validator| {
        let token = issuer.user().mint();
        issuer.fail(Fault::Close);
        set_ahead(72 * HOUR);
        for _ in 0..3 {
            let refused = verdict(&validator, &token).await;
            assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        }
        assert_eq!(validator.status(), KeyStatus::Unavailable);
        issuer.heal();
        validator.ready().await;
        assert_eq!(verdict(&validator, &token).await, Ok(()));
    });
}

#[test]
fn a_probe_of_the_status_has_the_keys_refreshed_though_no_request_comes() {
    awake(KeySettings::default(), async |issuer, validator| {
        set_ahead(72 * HOUR);
        assert_eq!(validator.status(), KeyStatus::Unavailable);
        fetches(&issuer, 2).await;
        assert_eq!(validator.status(), KeyStatus::Fresh);
    });
}

#[test]
fn of_a_thousand_requests_after_a_night_one_has_the_keys_refreshed() {
    awake(KeySettings::default(), async |issuer, validator| {
        let token = issuer.user().mint();
        issuer.fail(Fault::Slow(50 * TICK));
        set_ahead(8 * HOUR);
        for _ in 0..1_000 {
            assert_eq!(verdict(&validator, &token).await, Ok(()));
        }
        fetches(&issuer, 2).await;
    });
}

#[test]
fn a_clock_that_is_set_ahead_and_back_costs_one_refresh_and_no_request() {
    awake(KeySettings::default(), async |issuer, validator| {
        let token = issuer.user().mint();
        set_ahead(8 * HOUR);
        assert_eq!(verdict(&validator, &token).await, Ok(()));
        fetches(&issuer, 2).await;
        set_ahead(Duration::ZERO);
        for _ in 0..100 {
            assert_eq!(verdict(&validator, &token).await, Ok(()));
        }
        fetches(&issuer, 2).await;
        assert_eq!(validator.status(), KeyStatus::Fresh);
    });
}

#[test]
fn a_clock_that_is_set_back_makes_no_keys_younger() {
    let settings = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_stale_limit(SECOND)
        .with_wait(20 * TICK);
    set_ahead(8 * HOUR);
    awake(settings, async |issuer, validator| {
        let token = issuer.user().mint();
        issuer.fail(Fault::Close);
        set_ahead(Duration::ZERO);
        time::sleep(SECOND + 100 * TICK).await;
        assert_eq!(validator.status(), KeyStatus::Unavailable);
        let refused = verdict(&validator, &token).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    });
}

const TICK: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
