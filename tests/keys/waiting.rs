//! Requests that wait for a key: how many, how long, and what happens when they are dropped.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time};
use tower_entra::{ErrorKind, KeySettings, testing::Fault};

use crate::support::{
    client::{Reply, scripted},
    *,
};

#[tokio::test]
async fn beyond_the_limit_no_request_waits() {
    let settings = KeySettings::default().with_max_waiters(3).with_wait(SECOND);
    let (issuer, validator) = ready(settings).await;
    let forger = Forger::new(&issuer.user().mint());
    issuer.fail(Fault::Hang);
    let start = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let (validator, token) = (validator.clone(), forger.token());
        waiting.spawn(async move { outcome(&validator, &token).await });
    }
    eventually("the fetch begins", || issuer.discovery_fetches() == 2).await;
    for _ in 0..100 {
        let refused = at_once(&validator, &forger.token());
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    }
    let error = validate(&validator, &forger.token()).await.unwrap_err();
    assert!(error.retry_after() >= Some(SECOND));
    assert!(start.elapsed() < 900 * TICK);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    for refused in within(waiting.join_all()).await {
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    }
    let waited = start.elapsed();
    assert!(waited >= SECOND && waited < 2 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn places_are_free_again_after_the_wait() {
    let (issuer, client, validator) = scripted(KeySettings::default().with_max_waiters(2));
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    client.reply(Reply::Never);
    for _ in 0..2 {
        let [a, b] = [forger.token(), forger.token()];
        let start = time::Instant::now();
        let (a, b) = tokio::join!(outcome(&validator, &a), outcome(&validator, &b));
        assert_eq!([a, b], [Err(ErrorKind::KeysUnavailable); 2]);
        assert!(start.elapsed() >= 2 * SECOND, "both have waited");
    }
}

#[tokio::test]
pub(super) async fn a_request_that_hangs_up_does_not_cancel_the_fetch() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.rotate();
    let token = issuer.user().mint();
    issuer.fail_times(2, Fault::Slow(100 * TICK));
    let left = time::timeout(20 * TICK, validator.validate(&token)).await;
    assert!(left.is_err());
    eventually("the key arrives", || issuer.key_fetches() == 2).await;
    eventually("the key serves", || {
        poll_once(&validator, &token) == Some(Ok(()))
    })
    .await;
    assert_fetches(&issuer, 2);
}

#[tokio::test]
pub(super) async fn a_request_that_hangs_up_before_the_fetch_begins_is_still_fetched_for() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.rotate();
    let token = issuer.user().mint();
    // Polled once and dropped before the task had its turn.
    assert_eq!(poll_once(&validator, &token), None);
    assert_fetches(&issuer, 1);
    assert_eq!(outcome(&validator, &token).await, Ok(()));
    assert_fetches(&issuer, 2);
}

#[tokio::test]
pub(super) async fn a_request_that_is_never_polled_costs_nothing() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let forger = Forger::new(&issuer.user().mint());
    for _ in 0..100 {
        let token = forger.token();
        drop(validator.validate(&token));
    }
    time::sleep(20 * TICK).await;
    assert_fetches(&issuer, 1);
}

#[tokio::test]
pub(super) async fn requests_that_stay_are_served_when_others_hang_up() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.rotate();
    let token = issuer.user().mint();
    issuer.fail_times(2, Fault::Slow(100 * TICK));
    let mut requests = JoinSet::new();
    for request in 0..100_u32 {
        let (validator, token) = (validator.clone(), token.clone());
        requests.spawn(async move {
            let patience = if request % 2 == 0 { TICK } else { LIMIT };
            let result = time::timeout(patience, validator.validate(&token)).await;
            result.ok().map(|result| result.is_ok())
        });
    }
    let served = within(requests.join_all()).await;
    let count = |what| served.iter().filter(|result| **result == what).count();
    assert_eq!(count(Some(true)), 50);
    assert_eq!(count(None), 50);
    assert_fetches(&issuer, 2);
}

#[tokio::test(start_paused = true)]
pub(super) async fn no_request_waits_longer_than_it_may() {
    let (issuer, client, validator) = scripted(KeySettings::default().with_wait(SECOND));
    let token = issuer.user().mint();
    client.reply(Reply::Never);
    // Without any keys, and at every phase of fetch and pause.
    let end = time::Instant::now() + 3 * MINUTE;
    while time::Instant::now() < end {
        let start = time::Instant::now();
        let refused = outcome(&validator, &token).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        assert!(start.elapsed() <= SECOND + TICK, "{:?}", start.elapsed());
        time::sleep(Duration::from_millis(130)).await;
    }
    client.reply(Reply::Right);
    validator.ready().await;
    // With keys, for one that is unknown.
    client.reply(Reply::Never);
    let forger = Forger::new(&token);
    let end = time::Instant::now() + 3 * MINUTE;
    while time::Instant::now() < end {
        let start = time::Instant::now();
        let _ = outcome(&validator, &forger.token()).await;
        assert!(start.elapsed() <= SECOND + TICK, "{:?}", start.elapsed());
        time::sleep(Duration::from_millis(130)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_polled_late_is_served_all_the_same() {
    let (issuer, _client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    issuer.rotate();
    let token = issuer.user().mint();
    let mut request = std::pin::pin!(validator.validate(&token));
    assert!(poll(request.as_mut()).is_none());
    time::sleep(MINUTE).await;
    assert_eq!(kind(request.await), Ok(()));
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

fn poll_once(validator: &tower_entra::Validator, token: &str) -> Option<Result<(), ErrorKind>> {
    poll(std::pin::pin!(validator.validate(token))).map(kind)
}
