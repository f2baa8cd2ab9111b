//! The log of the keys: each event once, at its level, and no line for a request.

use http::{Response, StatusCode, header::RETRY_AFTER};
use serde_json::json;
use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus};
use tracing::Level;

use crate::support::{
    client::{Reply, scripted},
    log::Line,
    *,
};

/// The one line with this in its message.
#[track_caller]
fn only(log: &Log, message: &str) -> Line {
    let lines = log.with(message);
    assert_eq!(lines.len(), 1, "{message}: {lines:?}");
    lines.into_iter().next().unwrap()
}

fn causes(log: &Log) -> Vec<String> {
    let lines = log.with("fetching keys");
    let causes = lines.iter().map(|line| line.field("cause").unwrap());
    causes.map(str::to_owned).collect()
}

fn status(status: StatusCode) -> Response<Vec<u8>> {
    let mut answer = Response::new(Vec::new());
    *answer.status_mut() = status;
    answer
}

#[tokio::test(start_paused = true)]
async fn each_refresh_is_logged_with_its_cause() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let _ = time::timeout(TICK, validator.ready()).await;
    client.reply(Reply::Right);
    validator.ready().await;
    assert_eq!(causes(&log), [r#""start""#, r#""retry""#]);
    let loaded = only(&log, "the signing keys are loaded");
    assert_eq!(loaded.level, Level::INFO);
    assert_eq!(loaded.target, "tower_entra::keys");
    assert!(
        loaded
            .field("kids")
            .unwrap()
            .contains(&issuer.current_kid())
    );

    time::sleep(67 * MINUTE).await;
    assert_eq!(causes(&log)[2..], [r#""scheduled""#]);
    let same = only(&log, "the signing keys are the same as before");
    assert_eq!(same.level, Level::DEBUG);

    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert_eq!(causes(&log)[3..], [r#""unknown_key""#]);
    let changed = only(&log, "the signing keys have changed");
    assert_eq!(changed.level, Level::INFO);
    assert_eq!(changed.field("cause"), Some(r#""unknown_key""#));
    assert!(
        changed
            .field("added")
            .unwrap()
            .contains(&issuer.current_kid())
    );

    let forged = issuer.user().signed_by_stranger().mint();
    let refused = outcome(&validator, &forged).await;
    assert_eq!(refused, Err(ErrorKind::InvalidSignature));
    time::sleep(SECOND).await;
    assert_eq!(causes(&log)[4..], [r#""bad_signature""#]);
}

#[tokio::test(start_paused = true)]
async fn a_key_replaced_under_its_kid_is_logged() {
    let log = Log::of_this_thread();
    let (issuer, _client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let kid = issuer.current_kid();
    issuer.replace_key(&kid);
    time::sleep(67 * MINUTE).await;
    let changed = only(&log, "the signing keys have changed");
    assert_eq!(changed.field("added"), Some("{}"));
    assert_eq!(changed.field("gone"), Some("{}"));
    assert_eq!(
        changed.field("replaced"),
        Some(format!("{{{kid:?}}}").as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_from_the_start_is_logged_once() {
    let log = Log::of_this_thread();
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let _ = time::timeout(DAY, validator.ready()).await;
    let line = only(&log, "there are none; requests are answered with 503");
    assert_eq!(line.level, Level::WARN);
    assert_eq!(line.field("cause"), Some(r#""start""#));
    assert_eq!(line.field("code"), Some(r#""unreachable""#));
    assert_eq!(
        line.field("reason"),
        Some(r#""the authority could not be reached: injected""#)
    );
    assert!(line.field("url").unwrap().contains("/openid-configuration"));
    assert_eq!(log.of_level(Level::WARN), 1);
    assert_eq!(log.of_level(Level::ERROR), 0, "nothing has got any worse");

    client.reply(Reply::Right);
    validator.ready().await;
    let end = only(&log, "keys can be fetched again");
    assert_eq!(end.level, Level::INFO);
    let failures: u64 = end.field("failures").unwrap().parse().unwrap();
    assert_eq!(failures, client.discovery_fetches() - 1);
    let seconds: u64 = end.field("seconds").unwrap().parse().unwrap();
    assert!(seconds.abs_diff(DAY.as_secs()) <= 61, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn each_reason_of_an_outage_is_warned_of_once() {
    let log = Log::of_this_thread();
    let (_issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    for _ in 0..3 {
        for reply in [
            Reply::Fails,
            Reply::Keys(status(StatusCode::NOT_FOUND)),
            Reply::Keys(Response::new(b"<!DOCTYPE html>".to_vec())),
            Reply::Keys(Response::new(br#"{"keys":[[],{}]}"#.to_vec())),
            Reply::Discovery(Response::new(b"{}".to_vec())),
            Reply::PanicsLater,
            Reply::Never,
        ] {
            client.reply(reply);
            time::sleep(70 * MINUTE).await;
        }
    }
    let lines = log.with("keys cannot be fetched; the last good ones serve on");
    let reasons: Vec<_> = lines.iter().map(|line| line.field("code")).collect();
    assert_eq!(
        reasons,
        [
            Some(r#""unreachable""#),
            Some(r#""bad_status""#),
            Some(r#""not_a_key_set""#),
            Some(r#""no_usable_key""#),
            Some(r#""not_a_discovery_document""#),
            Some(r#""panicked""#),
            Some(r#""timed_out""#),
        ]
    );
    assert!(lines.iter().all(|line| line.level == Level::WARN));
    assert_eq!(log.of_level(Level::WARN), lines.len());
    let no_key = lines[3].field("reason").unwrap();
    assert_eq!(
        no_key,
        r#""the key set had no usable key; left out: 1 malformed, 1 no_key_id""#
    );

    // Another outage is another matter.
    client.reply(Reply::Right);
    time::sleep(6 * MINUTE).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    client.reply(Reply::Fails);
    time::sleep(2 * HOUR).await;
    assert_eq!(log.of_level(Level::WARN), lines.len() + 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_last_good_keys_is_logged_once_and_in_time() {
    let log = Log::of_this_thread();
    let settings = KeySettings::default()
        .with_refresh_interval(MINUTE)
        .with_stale_limit(2 * MINUTE);
    let (_issuer, client, validator) = scripted(settings);
    validator.ready().await;
    let fetched = time::Instant::now();
    // Nothing is to be fetched at the time.
    let mut answer = status(StatusCode::TOO_MANY_REQUESTS);
    answer.headers_mut().insert(RETRY_AFTER, 300.into());
    client.reply(Reply::Discovery(answer));
    time::sleep_until(fetched + 2 * MINUTE - TICK).await;
    assert_eq!(log.of_level(Level::ERROR), 0);
    let stale = only(&log, "the last good ones serve on");
    let left: u64 = stale.field("seconds_left").unwrap().parse().unwrap();
    assert!((50..=70).contains(&left), "{left}");

    time::sleep(5 * TICK).await;
    let line = only(&log, "the last good keys are too old");
    assert_eq!(line.level, Level::ERROR);
    assert_eq!(line.field("code"), Some(r#""bad_status""#));
    time::sleep(DAY).await;
    assert_eq!(log.of_level(Level::ERROR), 1);

    client.reply(Reply::Right);
    validator.ready().await;
    only(&log, "keys can be fetched again");
    client.reply(Reply::Fails);
    time::sleep(HOUR).await;
    assert_eq!(log.of_level(Level::ERROR), 2, "the next end is logged too");
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_left_out_are_logged_whenever_they_change() {
    const LEFT_OUT: &str = "keys of the key set are left out";

    let log = Log::of_this_thread();
    let (issuer, _client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    assert_eq!(log.count(LEFT_OUT), 0);

    issuer.publish_jwk(json!({"kty": "RSA", "kid": "x", "use": "enc", "n": "AQAB", "e": "AQAB"}));
    time::sleep(DAY).await;
    let line = only(&log, LEFT_OUT);
    // It is for another use, which is no fault.
    assert_eq!(line.level, Level::INFO);
    assert_eq!(line.field("skipped"), Some("1 other_use"));

    issuer.publish_jwk(json!({"kty": "RSA", "kid": "y", "n": "AQAB", "e": "AQAB"}));
    issuer.publish_jwk(json!({"kty": "RSA", "kid": "z"}));
    time::sleep(DAY).await;
    let lines = log.with(LEFT_OUT);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1].level, Level::WARN);
    assert_eq!(
        lines[1].field("skipped"),
        Some("1 malformed, 1 other_use, 1 unfit_numbers")
    );

    issuer.reset_keys_document();
    time::sleep(DAY).await;
    assert_eq!(log.count(LEFT_OUT), 2, "none are left out any more");
}

#[tokio::test(start_paused = true)]
async fn no_request_makes_a_line_about_the_keys() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    let forged = issuer.user().signed_by_stranger().mint();
    // The first of each has its one fetch.
    let _ = outcome(&validator, &forger.token()).await;
    let _ = outcome(&validator, &forged).await;
    time::sleep(SECOND).await;
    let about_keys = || {
        let lines = log.lines();
        let about_keys = lines
            .iter()
            .filter(|line| line.target == "tower_entra::keys");
        about_keys.count()
    };
    let before = about_keys();
    for _ in 0..100 {
        assert_eq!(outcome(&validator, &good).await, Ok(()));
        let _ = outcome(&validator, &forger.token()).await;
        let _ = outcome(&validator, &forged).await;
    }
    assert_eq!(about_keys(), before);

    client.reply(Reply::Fails);
    time::sleep(2 * HOUR).await;
    let (before, fetches) = (about_keys(), causes(&log).len());
    for _ in 0..100 {
        let _ = outcome(&validator, &forger.token()).await;
        let _ = outcome(&validator, &forged).await;
    }
    // Time has passed, and each fetch that fails makes two lines, however many requests wait.
    let fetches = causes(&log).len() - fetches;
    assert_eq!(about_keys() - before, 2 * fetches);
}
