//! Faults of an HTTP client that the application brings.

use std::time::Duration;

use http::{Response, header::CONTENT_ENCODING};
use serde_json::{Value, json};
use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus, testing::Issuer};

use crate::support::{
    client::{Reply, scripted, scripted_for},
    *,
};

fn answer(body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    Response::new(body.into())
}

fn encoded(encoding: &'static str, issuer: &Issuer) -> Response<Vec<u8>> {
    let mut answer = answer(issuer.keys_document());
    let encoding = http::HeaderValue::from_static(encoding);
    answer.headers_mut().insert(CONTENT_ENCODING, encoding);
    answer
}

/// The issuer's own key and this many useless ones.
fn keys_among(issuer: &Issuer, others: usize) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&issuer.keys_document()).unwrap();
    let keys = document["keys"].as_array_mut().unwrap();
    keys.extend(std::iter::repeat_n(json!({}), others));
    document.to_string().into_bytes()
}

#[tokio::test(start_paused = true)]
pub(super) async fn a_panic_in_the_client_is_a_failed_fetch_like_any_other() {
    for reply in [Reply::Panics, Reply::PanicsLater] {
        let (issuer, client, validator) = scripted(KeySettings::default());
        validator.ready().await;
        let good = issuer.user().mint();
        client.reply(reply);
        let refused = outcome(&validator, &Forger::new(&good).token()).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        assert_eq!(at_once(&validator, &good), Ok(()));
        assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
        // The back-off holds for panics too.
        let before = client.discovery_fetches();
        time::sleep(10 * MINUTE).await;
        let fetches = client.discovery_fetches() - before;
        assert!((5..=60).contains(&fetches), "{fetches}");

        client.reply(Reply::Right);
        time::sleep(MINUTE).await;
        assert_eq!(validator.status(), KeyStatus::Fresh);
        issuer.rotate();
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
pub(super) async fn a_panic_at_the_first_fetch_does_not_hang_a_request() {
    for reply in [Reply::Panics, Reply::PanicsLater] {
        let (issuer, client, validator) = scripted(KeySettings::default());
        client.reply(reply);
        let token = issuer.user().mint();
        let start = time::Instant::now();
        let refused = outcome(&validator, &token).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        assert!(start.elapsed() <= 2 * SECOND + TICK);
        client.reply(Reply::Right);
        time::timeout(MINUTE, validator.ready()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
pub(super) async fn a_fetch_without_end_is_given_up_after_five_seconds() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    client.reply(Reply::Never);

    let start = time::Instant::now();
    let refused = outcome(&validator, &forger.token()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    assert!(
        is_about(start.elapsed(), 2 * SECOND),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(client.under_way(), 1, "the fetch goes on");
    assert_eq!(at_once(&validator, &good), Ok(()));

    while client.under_way() > 0 {
        time::sleep(TICK).await;
    }
    assert!(
        is_about(start.elapsed(), 5 * SECOND),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(client.most_under_way(), 1);
}

#[tokio::test(start_paused = true)]
pub(super) async fn both_documents_share_the_five_seconds() {
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::RightAfter(3 * SECOND));
    let early = time::timeout(8 * SECOND, validator.ready()).await;
    assert!(early.is_err());
    client.reply(Reply::RightAfter(2 * SECOND + 400 * TICK));
    time::timeout(30 * SECOND, validator.ready()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_wait_serves_the_next_request() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    issuer.rotate();
    let token = issuer.user().mint();
    client.reply(Reply::RightAfter(SECOND + 900 * TICK));
    let refused = outcome(&validator, &token).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    assert_eq!(outcome(&validator, &token).await, Ok(()));
    assert_eq!(client.key_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_keeps_the_old_keys() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let status = |status| {
        let mut answer = answer(issuer.keys_document());
        *answer.status_mut() = status;
        answer
    };
    let mut big = issuer.keys_document();
    big.resize(256 * 1024 + 1, b' ');
    let bad = [
        status(http::StatusCode::CREATED),
        status(http::StatusCode::NON_AUTHORITATIVE_INFORMATION),
        status(http::StatusCode::PARTIAL_CONTENT),
        status(http::StatusCode::MOVED_PERMANENTLY),
        status(http::StatusCode::TEMPORARY_REDIRECT),
        answer(big),
        answer(keys_among(&issuer, 100)),
        encoded("gzip", &issuer),
        encoded("br", &issuer),
        encoded("identity, gzip", &issuer),
        encoded("x", &issuer),
        answer(""),
        answer(r#"{"keys":[{}]}"#),
    ];
    for answer in bad {
        let case = format!("{:?} {:?}", answer.status(), answer.headers());
        for reply in [Reply::Keys(answer.clone()), Reply::Discovery(answer)] {
            time::sleep(MINUTE).await;
            client.reply(reply);
            let forged = Forger::new(&good).token_of("unknown");
            let refused = outcome(&validator, &forged).await;
            assert_eq!(refused, Err(ErrorKind::KeysUnavailable), "{case}");
            assert_eq!(at_once(&validator, &good), Ok(()), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_odd_answer_that_is_right_is_taken() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let mut big = issuer.keys_document();
    big.resize(256 * 1024, b' ');
    let mut html = answer(issuer.keys_document());
    html.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/html"),
    );
    let right = [
        answer(big),
        answer(keys_among(&issuer, 99)),
        encoded("identity", &issuer),
        encoded("", &issuer),
        html,
    ];
    let token = issuer.user().mint();
    for answer in right {
        time::sleep(MINUTE).await;
        client.reply(Reply::Keys(answer));
        let forged = Forger::new(&token).token();
        let refused = outcome(&validator, &forged).await;
        assert_eq!(refused, Err(ErrorKind::UnknownKey));
        assert_eq!(at_once(&validator, &token), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
pub(super) async fn a_retry_after_of_an_hour_counts_as_five_minutes() {
    let issuer = Issuer::start_blocking();
    for (value, least, most) in [
        ("3600", 5 * MINUTE, 5 * MINUTE),
        ("99999999999999999999999", 5 * MINUTE, 5 * MINUTE),
        ("120", 2 * MINUTE, 2 * MINUTE),
        ("-1", Duration::ZERO, SECOND),
        ("1.5", Duration::ZERO, SECOND),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 5 * MINUTE, 5 * MINUTE),
        ("Wed, 21 Oct 2015 07:28:00 GMT", Duration::ZERO, SECOND),
    ] {
        let (client, validator) = scripted_for(&issuer, KeySettings::default());
        let mut busy = answer("");
        *busy.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        let value = http::HeaderValue::from_static(value);
        busy.headers_mut()
            .insert(http::header::RETRY_AFTER, value.clone());
        client.reply(Reply::Discovery(busy));
        let _ = time::timeout(6 * MINUTE, validator.ready()).await;
        let starts = client.starts();
        let pause = starts[1] - starts[0];
        let is_right = pause >= least && pause <= most + 10 * TICK;
        assert!(is_right, "{value:?}: {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
pub(super) async fn a_retry_after_bars_every_kind_of_fetch() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    let mut busy = answer("");
    *busy.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    let value = http::HeaderValue::from_static("300");
    busy.headers_mut().insert(http::header::RETRY_AFTER, value);
    client.reply(Reply::Discovery(busy));
    let refused = outcome(&validator, &forger.token()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    let start = time::Instant::now();
    let before = client.discovery_fetches();
    let forged = issuer.user().signed_by_stranger().mint();
    while start.elapsed() < 5 * MINUTE - SECOND {
        let error = validate(&validator, &forger.token()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
        assert_eq!(
            at_once(&validator, &forged),
            Err(ErrorKind::InvalidSignature)
        );
        time::sleep(SECOND).await;
    }
    assert_eq!(client.discovery_fetches(), before);
}

/// The same, when the bad signature was seen before the endpoint asked for a pause.
#[tokio::test(start_paused = true)]
async fn a_retry_after_bars_a_fetch_that_was_wanted_before_it() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forged = issuer.user().signed_by_stranger().mint();
    let forger = Forger::new(&good);
    let mut busy = answer("");
    *busy.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    let value = http::HeaderValue::from_static("300");
    busy.headers_mut().insert(http::header::RETRY_AFTER, value);

    // A fetch that goes well until its keys are asked for, and then takes a second to fail.
    client.reply(Reply::RightAfter(SECOND));
    let unknown = forger.token();
    let (refused, ()) = tokio::join!(outcome(&validator, &unknown), async {
        time::sleep(500 * TICK).await;
        let refused = at_once(&validator, &forged);
        assert_eq!(refused, Err(ErrorKind::InvalidSignature));
        client.reply(Reply::Keys(busy));
    });
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    time::sleep(4 * MINUTE).await;
    assert_eq!(client.discovery_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_two_fetches_are_ever_under_way() {
    let settings = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_cool_down(SECOND)
        .with_signature_interval(SECOND);
    let (issuer, client, validator) = scripted(settings);
    client.reply(Reply::RightAfter(700 * TICK));
    let good = issuer.user().mint();
    let forged = issuer.user().signed_by_stranger().mint();
    let forger = Forger::new(&good);
    validator.ready().await;
    let end = time::Instant::now() + MINUTE;
    while time::Instant::now() < end {
        let _ = time::timeout(100 * TICK, validator.validate(&forger.token())).await;
        assert_eq!(
            at_once(&validator, &forged),
            Err(ErrorKind::InvalidSignature)
        );
        assert_eq!(at_once(&validator, &good), Ok(()));
    }
    assert!(client.key_fetches() > 20);
    assert_eq!(client.most_under_way(), 1);
}

fn is_about(time: Duration, expected: Duration) -> bool {
    time.abs_diff(expected) < 50 * TICK
}
