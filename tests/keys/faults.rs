//! Faults of the endpoint: the keys at hand remain in use.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time};
use tower_entra::{
    ErrorKind, KeySettings, KeyStatus,
    testing::{Fault, Issuer, Target},
};

use crate::support::*;

/// Faults that a fetch finds at once.
fn quick() -> Vec<Fault> {
    let busy = Fault::StatusWithRetryAfter {
        status: 429,
        seconds: 1,
    };
    vec![
        Fault::Status(201),
        Fault::Status(204),
        Fault::Status(304),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Status(503),
        busy,
        Fault::Redirect("http://127.0.0.1:9/".to_owned()),
        Fault::Html,
        Fault::Empty,
        Fault::EmptyObject,
        Fault::NoKeys,
        Fault::Truncated,
        Fault::TrailingGarbage,
        Fault::Endless,
        Fault::GzipBomb,
        Fault::Garbage,
        Fault::Close,
    ]
}

/// Faults that last until a timeout.
fn slow() -> [Fault; 3] {
    [Fault::Hang, Fault::Drip, Fault::Slow(20 * SECOND)]
}

#[tokio::test]
pub(super) async fn a_sick_endpoint_takes_no_key_away() {
    let issuer = Issuer::start_blocking();
    for target in [Target::Discovery, Target::Keys] {
        for fault in quick() {
            let case = format!("{fault:?} at {target:?}");
            let waited = outlives(&issuer, target, fault).await;
            assert!(waited < SECOND, "{case}: {waited:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn an_endpoint_that_does_not_answer_takes_no_key_away() {
    let mut tests = JoinSet::new();
    for target in [Target::Discovery, Target::Keys] {
        for fault in slow() {
            tests.spawn(async move {
                let case = format!("{fault:?} at {target:?}");
                let issuer = Issuer::start_blocking();
                let waited = outlives(&issuer, target, fault).await;
                assert!(waited >= 2 * SECOND - 50 * TICK, "{case}: {waited:?}");
                assert!(waited < 3 * SECOND, "{case}: {waited:?}");
            });
        }
    }
    within(tests.join_all()).await;
}

/// Returns how long a request for an unknown key waited.
async fn outlives(issuer: &Issuer, target: Target, fault: Fault) -> Duration {
    issuer.heal();
    let case = format!("{fault:?} at {target:?}");
    let validator = issuer.validator();
    within(validator.ready()).await;
    let good = issuer.user().mint();
    let unknown = Forger::new(&good).token();
    let seen = issuer.discovery_fetches();
    issuer.fail_at(target, fault);

    let start = Instant::now();
    let (refused, ()) = tokio::join!(validate(&validator, &unknown), async {
        eventually("the fetch begins", || issuer.discovery_fetches() > seen).await;
        assert_eq!(at_once(&validator, &good), Ok(()), "{case}");
    });
    let waited = start.elapsed();
    let error = refused.expect_err(&case);
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable, "{case}");
    assert!(error.retry_after() >= Some(SECOND), "{case}: {error:?}");
    let is_slow = waited > SECOND;
    let advice = if is_slow {
        "with_max_waiters"
    } else {
        "known keys are still admitted"
    };
    assert!(error.hint().contains(advice), "{case}: {}", error.hint());
    assert_eq!(at_once(&validator, &good), Ok(()), "{case}");
    match validator.status() {
        KeyStatus::Stale { remaining } => {
            assert!(remaining > DAY - MINUTE && remaining <= DAY, "{case}");
        }
        // The fetch still goes on.
        status => assert!(is_slow && status == KeyStatus::Fresh, "{case}"),
    }
    waited
}

#[tokio::test]
pub(super) async fn a_sick_endpoint_at_start_up_is_survived() {
    let issuer = Issuer::start_blocking();
    let token = issuer.user().mint();
    let each = quick().into_iter().map(|fault| (fault, 30));
    for (fault, wait) in each.chain(slow().map(|fault| (fault, 200))) {
        let case = format!("{fault:?}");
        let settings = impatient()
            .with_wait(TICK * wait)
            .with_total_timeout(150 * TICK);
        let validator = validator(&issuer, settings);
        issuer.fail(fault);

        let error = validate(&validator, &token).await.expect_err(&case);
        assert_eq!(error.kind(), ErrorKind::KeysUnavailable, "{case}");
        assert!(error.retry_after() >= Some(SECOND), "{case}: {error:?}");
        let hint = error.hint();
        assert!(hint.contains("reaches the authority over HTTPS"), "{hint}");
        assert_eq!(validator.status(), KeyStatus::Unavailable, "{case}");
        let early = time::timeout(TICK, validator.ready()).await;
        assert!(early.is_err(), "{case}: ready without keys");

        issuer.heal();
        within(validator.ready()).await;
        assert_eq!(validator.status(), KeyStatus::Fresh, "{case}");
        assert_eq!(at_once(&validator, &token), Ok(()), "{case}");
    }
}

#[tokio::test]
pub(super) async fn a_request_for_a_new_key_waits_out_a_slow_endpoint() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.rotate();
    issuer.fail(Fault::Slow(200 * TICK));
    let start = Instant::now();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert!(start.elapsed() >= 400 * TICK);
    assert_fetches(&issuer, 2);
}

#[tokio::test]
pub(super) async fn a_retry_after_is_waited_out() {
    let (issuer, validator) = ready(impatient()).await;
    let forger = Forger::new(&issuer.user().mint());
    issuer.fail(Fault::StatusWithRetryAfter {
        status: 429,
        seconds: 1,
    });
    let error = validate(&validator, &forger.token()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(SECOND));
    issuer.heal();

    let start = Instant::now();
    assert_eq!(issuer.discovery_fetches(), 2);
    eventually("the retry", || issuer.discovery_fetches() == 3).await;
    assert!(start.elapsed() >= 900 * TICK, "{:?}", start.elapsed());
    eventually("fresh again", || validator.status() == KeyStatus::Fresh).await;
}

#[tokio::test]
async fn an_issuer_that_is_gone_takes_no_key_away() {
    let (issuer, validator) = ready(impatient()).await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    drop(issuer);
    let refused = outcome(&validator, &forger.token()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    assert_eq!(at_once(&validator, &good), Ok(()));
}
