//! What a start-up and a readiness probe learn: a wait with a limit, a status that has keys fetched, and
//! why there are none.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{runtime, time};
use tower_entra::{ErrorKind, KeySettings, KeyStatus, NotReady, Validator, testing::Fault};

use crate::support::{
    client::{Reply, scripted},
    *,
};

/// The result of a wait, if it ends when it is first polled.
fn ready_at_once(validator: &Validator, limit: Duration) -> Poll<Result<(), NotReady>> {
    let ready = pin!(validator.ready_within(limit));
    ready.poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn not_ready_at_once(validator: &Validator, limit: Duration) -> NotReady {
    match ready_at_once(validator, limit) {
        Poll::Ready(Err(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn code(validator: &Validator) -> Option<&'static str> {
    validator.last_key_error().map(|error| error.as_str())
}

#[test]
fn without_a_runtime_a_status_starts_nothing_and_a_wait_ends_at_once() {
    let (issuer, validator) = unready(KeySettings::default());
    for _ in 0..3 {
        assert_eq!(validator.status(), KeyStatus::Unavailable);
        let error = not_ready_at_once(&validator, HOUR);
        assert_eq!(error.last_error(), None);
        let text = error.to_string();
        assert!(text.contains("no tokio runtime with a timer"), "{text}");
    }
    assert_eq!(validator.last_key_error(), None);
    assert_eq!(issuer.requests_seen(), [""; 0]);
}

#[test]
fn without_a_timer_a_status_starts_nothing_and_a_wait_ends_at_once() {
    let (issuer, validator) = unready(KeySettings::default());
    let no_timer = runtime::Builder::new_current_thread().enable_io().build();
    no_timer.unwrap().block_on(async {
        assert_eq!(validator.status(), KeyStatus::Unavailable);
        assert!(validator.ready_within(HOUR).await.is_err());
        tokio::task::yield_now().await;
        assert_eq!(validator.status(), KeyStatus::Unavailable);
    });
    assert_eq!(issuer.requests_seen(), [""; 0]);
}

#[test]
fn a_wait_whose_runtime_ends_fails() {
    let (issuer, validator) = unready(KeySettings::default());
    issuer.fail(Fault::Hang);
    let runtime = || runtime::Builder::new_current_thread().enable_all().build();
    let (first, second) = (runtime().unwrap(), runtime().unwrap());
    let mut ready = Box::pin(validator.ready_within(HOUR));
    first.block_on(async {
        assert!(time::timeout(20 * TICK, &mut ready).await.is_err());
    });
    drop(first);
    let ended = second.block_on(async { within(ready).await });
    assert!(ended.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_keys_that_do_not_come_fails_with_the_last_error_when_its_time_is_over() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let start = time::Instant::now();
    let error = validator.ready_within(3 * SECOND).await.unwrap_err();
    assert!(start.elapsed() - 3 * SECOND < SECOND / 10);
    let last = error.last_error().unwrap();
    assert_eq!(last.as_str(), "unreachable");
    assert_eq!(
        last.to_string(),
        "the authority could not be reached: injected"
    );
    assert!(last.hint().ends_with('.'), "{}", last.hint());
    let (url, tenant) = (issuer.url(), issuer.tenant_id());
    assert_eq!(
        error.to_string(),
        format!(
            "no usable keys from {url}/{tenant}/v2.0/.well-known/openid-configuration within 3s: {last}"
        )
    );
    assert_eq!(validator.last_key_error().as_ref(), Some(last));

    // The task goes on after the wait.
    client.reply(Reply::Right);
    assert_eq!(validator.ready_within(MINUTE).await, Ok(()));
    assert_eq!(validator.last_key_error(), None);
}

#[tokio::test(start_paused = true)]
async fn a_wait_says_when_no_fetch_has_ended() {
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Never);
    for limit in [Duration::ZERO, SECOND] {
        let error = validator.ready_within(limit).await.unwrap_err();
        assert_eq!(error.last_error(), None);
        let text = error.to_string();
        assert!(text.ends_with("no fetch has ended yet"), "{text}");
    }
    // The fetch has a limit of its own.
    let error = validator.ready_within(5 * SECOND).await.unwrap_err();
    assert_eq!(error.last_error().unwrap().as_str(), "timed_out");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_keys_whatever_its_limit() {
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::RightAfter(SECOND));
    let start = time::Instant::now();
    assert_eq!(validator.ready_within(Duration::MAX).await, Ok(()));
    assert!(start.elapsed() < 3 * SECOND);
    for limit in [Duration::ZERO, Duration::MAX] {
        assert_eq!(ready_at_once(&validator, limit), Poll::Ready(Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_asks_only_for_the_status_gets_keys() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let mut probes = 0;
    while validator.status() == KeyStatus::Unavailable {
        probes += 1;
        if probes == 3 {
            assert_eq!(code(&validator), Some("unreachable"));
            client.reply(Reply::Right);
        }
        assert!(probes < 20);
        time::sleep(10 * SECOND).await;
    }
    assert!(probes >= 3);
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(code(&validator), None);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    assert_eq!(client.key_fetches(), 1);
}

#[test]
fn a_probe_on_a_new_runtime_starts_the_task_again() {
    let (issuer, validator) = unready(KeySettings::default().with_refresh_interval(SECOND));
    let runtime = || runtime::Builder::new_current_thread().enable_all().build();
    runtime().unwrap().block_on(within(validator.ready()));
    issuer.rotate();
    runtime().unwrap().block_on(async {
        // Nothing but the status is asked for.
        eventually("fetched by the new task", || {
            let _ = validator.status();
            issuer.key_fetches() > 1
        })
        .await;
    });
}

#[tokio::test(start_paused = true)]
async fn stale_keys_come_with_the_last_error_and_good_ones_without() {
    let settings = KeySettings::default().with_stale_limit(2 * HOUR);
    let (issuer, client, validator) = scripted(settings);
    validator.ready().await;
    assert_eq!(code(&validator), None);
    client.reply(Reply::Never);
    time::sleep(70 * MINUTE).await;
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    assert_eq!(code(&validator), Some("timed_out"));
    client.reply(Reply::Fails);
    time::sleep(2 * HOUR).await;
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    assert_eq!(code(&validator), Some("unreachable"));
    let refused = outcome(&validator, &issuer.user().mint()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    client.reply(Reply::Right);
    assert_eq!(validator.ready_within(2 * MINUTE).await, Ok(()));
    assert_eq!(code(&validator), None);
}
