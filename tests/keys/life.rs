//! When the task lives, on which runtime, and what happens without any.

use std::{
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{self, Handle, Runtime},
    time,
};
use tower_entra::{ErrorKind, KeySettings, KeyStatus, testing::Fault};

use crate::support::{
    client::{Reply, scripted},
    *,
};

fn runtime() -> Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[test]
fn a_validator_needs_no_runtime_to_be_built_and_dropped() {
    let (issuer, validator) = unready(KeySettings::default());
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    let copy = validator.clone();
    drop(validator);
    assert!(format!("{copy:?}").contains("Unavailable"));
    drop(copy);
    assert_eq!(issuer.requests_seen(), [""; 0]);
}

#[test]
fn a_request_outside_of_any_runtime_finds_no_keys() {
    let (issuer, validator) = unready(KeySettings::default());
    let token = issuer.user().mint();
    for _ in 0..3 {
        assert_eq!(at_once(&validator, &token), Err(ErrorKind::KeysUnavailable));
    }
    assert_eq!(at_once(&validator, "x"), Err(ErrorKind::MalformedToken));
    assert_eq!(issuer.requests_seen(), [""; 0]);

    // A runtime later makes up for it.
    runtime().block_on(async {
        assert_eq!(outcome(&validator, &token).await, Ok(()));
    });
    assert_fetches(&issuer, 1);
}

#[test]
fn keys_once_fetched_serve_outside_of_any_runtime() {
    let (issuer, validator) = unready(KeySettings::default());
    runtime().block_on(within(validator.ready()));
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    assert_eq!(validator.status(), KeyStatus::Fresh);
    let forged = issuer.user().signed_by_stranger().mint();
    assert_eq!(
        at_once(&validator, &forged),
        Err(ErrorKind::InvalidSignature)
    );
    issuer.rotate();
    let new = issuer.user().mint();
    assert_eq!(at_once(&validator, &new), Err(ErrorKind::KeysUnavailable));
    runtime().block_on(async {
        assert_eq!(outcome(&validator, &new).await, Ok(()));
    });
}

#[test]
fn keys_without_a_task_that_fetches_become_stale() {
    let settings = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_total_timeout(10 * TICK);
    let (issuer, validator) = unready(settings);
    let ended = runtime();
    ended.block_on(within(validator.ready()));
    assert_eq!(validator.status(), KeyStatus::Fresh);
    drop(ended);
    let start = Instant::now();
    while validator.status() == KeyStatus::Fresh {
        assert!(start.elapsed() < LIMIT);
        thread::sleep(10 * TICK);
    }
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    runtime().block_on(async {
        let token = issuer.user().mint();
        assert_eq!(outcome(&validator, &token).await, Ok(()));
        eventually("fresh again", || validator.status() == KeyStatus::Fresh).await;
    });
}

#[test]
fn a_runtime_without_a_timer_finds_no_keys_and_takes_none_away() {
    let (issuer, validator) = unready(KeySettings::default());
    let token = issuer.user().mint();
    let no_timer = runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    no_timer.block_on(async {
        for _ in 0..3 {
            let refused = validator.validate(&token).await;
            assert_eq!(kind(refused), Err(ErrorKind::KeysUnavailable));
        }
    });
    assert_eq!(issuer.requests_seen(), [""; 0]);
    runtime().block_on(within(validator.ready()));
    no_timer.block_on(async {
        assert_eq!(kind(validator.validate(&token).await), Ok(()));
        issuer.rotate();
        let new = issuer.user().mint();
        let refused = validator.validate(&new).await;
        assert_eq!(kind(refused), Err(ErrorKind::KeysUnavailable));
    });
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_validator() {
    let before = tasks();
    let (_issuer, client, validator) = scripted(KeySettings::default());
    assert_eq!(tasks(), before, "building starts nothing");
    validator.ready().await;
    assert_eq!(tasks(), before + 1);
    let copy = validator.clone();
    let derived = validator.with_authorization_by_acl();
    let layer = tower_entra::EntraAuthLayer::new(copy.clone());
    for handle in [validator, copy, derived] {
        drop(handle);
        time::sleep(TICK).await;
        assert_eq!(tasks(), before + 1);
    }
    drop(layer);
    time::sleep(TICK).await;
    assert_eq!(tasks(), before);
    time::sleep(DAY).await;
    assert_eq!(client.key_fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn caches_that_the_task_sweeps_keep_neither_it_nor_themselves() {
    let before = tasks();
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let remembering = || {
        let builder = issuer.validator_builder().token_cache(10);
        builder.share_keys_with(&validator).build().unwrap()
    };
    let (one, other) = (remembering(), remembering());
    time::sleep(10 * MINUTE).await;
    drop(one);
    time::sleep(10 * MINUTE).await;
    assert_eq!(client.key_fetches(), 1, "sweeping fetches nothing");
    assert_eq!(tasks(), before + 1);
    drop(validator);
    time::sleep(10 * MINUTE).await;
    assert_eq!(tasks(), before + 1);
    drop(other);
    time::sleep(TICK).await;
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
pub(super) async fn the_task_ends_with_the_last_validator_in_mid_fetch() {
    let before = tasks();
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Never);
    let _ = time::timeout(SECOND, validator.ready()).await;
    assert_eq!(client.under_way(), 1);
    drop(validator);
    time::sleep(TICK).await;
    assert_eq!(client.under_way(), 0, "the fetch is dropped");
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_validator_while_backing_off() {
    let before = tasks();
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let _ = time::timeout(MINUTE, validator.ready()).await;
    drop(validator);
    time::sleep(TICK).await;
    assert_eq!(tasks(), before);
    let fetches = client.discovery_fetches();
    time::sleep(DAY).await;
    assert_eq!(client.discovery_fetches(), fetches);
}

#[tokio::test]
async fn a_validator_dropped_on_another_thread_ends_its_task() {
    let before = tasks();
    let (_issuer, _client, validator) = scripted(KeySettings::default());
    within(validator.ready()).await;
    thread::spawn(move || drop(validator)).join().unwrap();
    eventually("the task ends", || tasks() == before).await;
}

#[tokio::test]
async fn validators_that_come_and_go_leave_nothing_behind() {
    let before = tasks();
    let (issuer, client, first) = scripted(KeySettings::default());
    drop(first);
    for _ in 0..200 {
        let validator = issuer
            .validator_builder()
            .http_client(client.clone())
            .build()
            .unwrap();
        within(validator.ready()).await;
    }
    eventually("the tasks end", || tasks() == before).await;
    assert_eq!(client.key_fetches(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_requests_start_one_task() {
    let before = tasks();
    let (issuer, client, validator) = scripted(KeySettings::default());
    let token = issuer.user().mint();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (validator, token) = (validator.clone(), token.clone());
        requests.spawn(async move { outcome(&validator, &token).await });
    }
    for outcome in within(requests.join_all()).await {
        assert_eq!(outcome, Ok(()));
    }
    eventually("one task is left", || tasks() == before + 1).await;
    assert_eq!(client.most_under_way(), 1);
}

#[test]
fn the_same_validator_works_on_one_runtime_after_another() {
    let settings = impatient().with_refresh_interval(SECOND);
    let (issuer, validator) = unready(settings);
    for _ in 0..2 {
        issuer.rotate();
        let token = issuer.user().mint();
        let fetches = issuer.key_fetches();
        runtime().block_on(async {
            until_admitted(&validator, &token).await;
            assert_eq!(validator.status(), KeyStatus::Fresh);
        });
        assert!(issuer.key_fetches() > fetches);
    }
}

#[test]
pub(super) fn a_runtime_that_ends_in_mid_fetch_does_not_end_the_keys() {
    let (issuer, validator) = unready(impatient());
    let first = runtime();
    first.block_on(within(validator.ready()));
    let old = issuer.user().mint();
    issuer.rotate();
    let new = issuer.user().mint();
    issuer.fail(Fault::Hang);
    first.block_on(async {
        let left = time::timeout(100 * TICK, validator.validate(&new)).await;
        assert!(left.is_err());
    });
    assert_eq!(issuer.discovery_fetches(), 2);
    drop(first);
    assert_eq!(at_once(&validator, &old), Ok(()));

    issuer.heal();
    runtime().block_on(async {
        let (time, refusals) = until_admitted(&validator, &new).await;
        assert!(time < SECOND, "{time:?}");
        // No fetch has found the key absent, so no answer may say so.
        assert!(!refusals.contains(&ErrorKind::UnknownKey), "{refusals:?}");
        assert_eq!(validator.status(), KeyStatus::Fresh);
    });
    assert_eq!(issuer.key_fetches(), 2);
}

#[test]
pub(super) fn a_runtime_that_ends_in_the_first_fetch_does_not_end_the_keys() {
    let (issuer, validator) = unready(impatient());
    let token = issuer.user().mint();
    issuer.fail(Fault::Hang);
    let first = runtime();
    first.block_on(async {
        assert!(time::timeout(50 * TICK, validator.ready()).await.is_err());
    });
    first.shutdown_background();
    issuer.heal();
    runtime().block_on(async {
        assert_eq!(outcome(&validator, &token).await, Ok(()));
    });
}

#[test]
fn a_wait_for_ready_on_another_runtime_takes_the_task_over() {
    let (issuer, validator) = unready(impatient());
    issuer.fail(Fault::Hang);
    let first = runtime();
    first.block_on(async {
        assert!(time::timeout(50 * TICK, validator.ready()).await.is_err());
    });
    let waiting = thread::spawn({
        let validator = validator.clone();
        move || runtime().block_on(within(validator.ready()))
    });
    thread::sleep(50 * TICK);
    issuer.heal();
    drop(first);
    waiting.join().unwrap();
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

#[test]
fn a_request_that_waits_on_another_runtime_takes_the_task_over() {
    let (issuer, validator) = unready(impatient());
    let token = issuer.user().mint();
    issuer.fail(Fault::Hang);
    let first = runtime();
    first.block_on(async {
        assert!(time::timeout(50 * TICK, validator.ready()).await.is_err());
    });
    let waiting = thread::spawn(move || runtime().block_on(outcome(&validator, &token)));
    thread::sleep(50 * TICK);
    issuer.heal();
    drop(first);
    assert_eq!(waiting.join().unwrap(), Ok(()));
}

/// The result of `work` on a thread of its own, because a call that never returns would block this one.
fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(LIMIT).expect("it returns")
}

#[test]
fn on_a_runtime_that_has_ended_no_request_waits() {
    let ended = runtime().handle().clone();
    for has_keys in [false, true] {
        let (issuer, validator) = unready(KeySettings::default());
        if has_keys {
            runtime().block_on(within(validator.ready()));
            issuer.rotate();
        }
        let token = issuer.user().mint();
        let inside = (ended.clone(), validator.clone(), token.clone());
        let refused = on_a_thread(move || {
            let (ended, validator, token) = inside;
            let _context = ended.enter();
            at_once(&validator, &token)
        });
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        runtime().block_on(async {
            assert_eq!(outcome(&validator, &token).await, Ok(()));
        });
    }
}

#[test]
fn a_runtime_ends_though_its_last_work_validates_tokens() {
    let (issuer, validator) = unready(KeySettings::default());
    let token = issuer.user().mint();
    let ending = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (ends, at_the_end) = mpsc::channel::<()>();
    let last_work = ending.spawn_blocking(move || {
        let _ = at_the_end.recv();
        thread::sleep(50 * TICK);
        kind(Handle::current().block_on(validator.validate(&token)))
    });
    on_a_thread(move || {
        drop(ends);
        drop(ending);
    });
    let refused = runtime().block_on(last_work).unwrap();
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
}

#[test]
fn a_wait_for_keys_on_a_runtime_that_has_ended_does_not_block_the_thread() {
    let (_issuer, validator) = unready(KeySettings::default());
    let ended = runtime().handle().clone();
    let waiting = validator.clone();
    let (is_pending, mut waiting) = on_a_thread(move || {
        let _context = ended.enter();
        let mut waiting = Box::pin(async move { waiting.ready().await });
        let polled = waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        (polled.is_pending(), waiting)
    });
    assert!(is_pending);
    runtime().block_on(async {
        within(validator.ready()).await;
        within(waiting.as_mut()).await;
    });
}

#[test]
fn the_end_of_a_runtime_is_the_end_of_a_wait_that_began_there() {
    for goes_on_elsewhere in [true, false] {
        let (issuer, validator) = unready(impatient());
        let home = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        home.block_on(within(validator.ready()));
        issuer.rotate();
        let new = issuer.user().mint();
        issuer.fail(Fault::Hang);
        let mut waiting = Box::pin(validator.validate(&new));
        let first = runtime();
        first.block_on(async {
            assert!(time::timeout(50 * TICK, waiting.as_mut()).await.is_err());
        });
        drop(first);
        let verdict = if goes_on_elsewhere {
            home.block_on(waiting.as_mut())
        } else {
            match waiting
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(verdict) => verdict,
                Poll::Pending => panic!("nothing would end the wait"),
            }
        };
        assert_eq!(kind(verdict), Err(ErrorKind::KeysUnavailable));
    }
}

#[test]
fn a_wait_that_goes_on_outside_of_any_runtime_ends() {
    let (issuer, validator) = unready(impatient());
    issuer.fail(Fault::Hang);
    let token = issuer.user().mint();
    let mut waiting = Box::pin(validator.validate(&token));
    let first = runtime();
    first.block_on(async {
        assert!(time::timeout(50 * TICK, waiting.as_mut()).await.is_err());
    });
    // The task ends with it, which wakes every request that waits.
    drop(first);
    let verdict = waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(refused) = verdict else {
        panic!("nothing would end the wait");
    };
    assert_eq!(kind(refused), Err(ErrorKind::KeysUnavailable));
}

#[test]
fn a_validator_may_be_dropped_after_its_runtime() {
    let (_issuer, validator) = unready(KeySettings::default());
    let first = runtime();
    first.block_on(within(validator.ready()));
    drop(first);
    drop(validator);
}

#[test]
fn a_validator_may_be_dropped_within_a_task_of_a_runtime_that_ends() {
    let (issuer, validator) = unready(KeySettings::default());
    let first = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    first.block_on(within(validator.ready()));
    let forger = Forger::new(&issuer.user().mint());
    issuer.fail(Fault::Hang);
    for _ in 0..20 {
        let (validator, token) = (validator.clone(), forger.token());
        first.spawn(async move { outcome(&validator, &token).await });
    }
    drop(validator);
    thread::sleep(20 * TICK);
    first.shutdown_timeout(Duration::from_secs(5));
}
