//! Outages of the authority that last for hours and days.

use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus, testing::Issuer};

use crate::support::{
    client::{Reply, scripted},
    *,
};

#[tokio::test]
pub(super) async fn an_issuer_that_comes_up_late_is_found() {
    let port = {
        let early = Issuer::start_blocking();
        early.url().rsplit_once(':').unwrap().1.parse().unwrap()
    };
    let settings = impatient();
    let authority = tower_entra::Authority::insecure_loopback(format!("http://127.0.0.1:{port}"));
    let validator = tower_entra::Validator::builder(
        tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"),
        ["api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"],
    )
    .authority(authority)
    .key_settings(settings)
    .build()
    .unwrap();
    assert!(time::timeout(100 * TICK, validator.ready()).await.is_err());
    let issuer = Issuer::builder().port(port).start_blocking();
    within(validator.ready()).await;
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
}

#[tokio::test(start_paused = true)]
pub(super) async fn keys_older_than_the_stale_limit_serve_no_longer() {
    let settings = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_stale_limit(10 * SECOND);
    let (issuer, client, validator) = scripted(settings);
    validator.ready().await;
    let fetched = time::Instant::now();
    let token = issuer.user().mint();
    client.reply(Reply::Fails);
    time::sleep(2 * SECOND).await;
    assert_eq!(at_once(&validator, &token), Ok(()));
    let KeyStatus::Stale { remaining } = validator.status() else {
        panic!("{:?}", validator.status());
    };
    let expected = 10 * SECOND - fetched.elapsed();
    assert!(remaining.abs_diff(expected) < 10 * TICK, "{remaining:?}");

    time::sleep(remaining - 10 * TICK).await;
    assert_eq!(at_once(&validator, &token), Ok(()));
    time::sleep(20 * TICK).await;
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    let error = validate(&validator, &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
    assert!(error.retry_after() >= Some(SECOND));

    client.reply(Reply::Right);
    validator.ready().await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(at_once(&validator, &token), Ok(()));
}

#[tokio::test(start_paused = true)]
pub(super) async fn the_last_good_keys_serve_through_a_day_of_outage() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    client.reply(Reply::Fails);
    let start = time::Instant::now();
    while start.elapsed() < DAY - MINUTE {
        assert_eq!(at_once(&validator, &good), Ok(()));
        let refused = outcome(&validator, &forger.token()).await;
        if start.elapsed() > 67 * MINUTE {
            assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        }
        let left = (DAY - MINUTE).saturating_sub(start.elapsed());
        time::sleep(left.min(10 * MINUTE)).await;
    }
    time::sleep_until(start + DAY - SECOND).await;
    assert_eq!(at_once(&validator, &good), Ok(()));
    assert!(matches!(
        validator.status(),
        KeyStatus::Stale { remaining } if remaining <= 2 * SECOND
    ));

    time::sleep_until(start + DAY + SECOND).await;
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    assert_eq!(
        outcome(&validator, &good).await,
        Err(ErrorKind::KeysUnavailable)
    );
    // Half a minute on average: the back-off holds all day long.
    let fetches = client.discovery_fetches();
    assert!((2_000..=4_500).contains(&fetches), "{fetches}");
    assert_eq!(client.most_under_way(), 1);

    client.reply(Reply::Right);
    let healed = time::Instant::now();
    validator.ready().await;
    assert!(healed.elapsed() <= MINUTE, "{:?}", healed.elapsed());
    assert_eq!(at_once(&validator, &good), Ok(()));
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

#[tokio::test(start_paused = true)]
pub(super) async fn the_pauses_between_failures_are_random_and_at_most_a_minute() {
    let (_issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let _ = time::timeout(HOUR, validator.ready()).await;
    let starts = client.starts();
    let pauses: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (at, pause) in pauses.iter().enumerate() {
        let longest = (SECOND * 2_u32.pow(u32::try_from(at.min(6)).unwrap())).min(MINUTE);
        assert!(*pause <= longest + 10 * TICK, "{at}: {pause:?}");
    }
    let later = &pauses[8..];
    assert!(later.iter().any(|pause| *pause > 40 * SECOND));
    assert!(later.iter().any(|pause| *pause < 20 * SECOND));
}

#[tokio::test(start_paused = true)]
pub(super) async fn a_flood_in_an_outage_does_not_defeat_the_back_off() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    let forged = issuer.user().signed_by_stranger().mint();
    client.reply(Reply::Fails);
    let before = client.discovery_fetches();
    let end = time::Instant::now() + 20 * MINUTE;
    while time::Instant::now() < end {
        let _ = outcome(&validator, &forger.token()).await;
        let _ = outcome(&validator, &forged).await;
        assert_eq!(at_once(&validator, &good), Ok(()));
        time::sleep(SECOND).await;
    }
    // 40 for unknown keys, 4 for bad signatures, and the retries.
    let fetches = client.discovery_fetches() - before;
    assert!((40..=160).contains(&fetches), "{fetches}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_the_first_keys_do_not_ask_for_more() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let token = issuer.user().mint();
    let end = time::Instant::now() + 20 * MINUTE;
    while time::Instant::now() < end {
        let error = validate(&validator, &token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
        let retry_after = error.retry_after().unwrap();
        assert!(retry_after >= SECOND && retry_after <= MINUTE);
        time::sleep(500 * TICK).await;
    }
    let fetches = client.discovery_fetches();
    assert!((20..=100).contains(&fetches), "{fetches}");
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_retry_that_comes_in_time() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let token = issuer.user().mint();
    // The first pause is one second at most, and a request waits for two.
    let (outcome, ()) = tokio::join!(outcome(&validator, &token), async {
        while client.discovery_fetches() == 0 {
            tokio::task::yield_now().await;
        }
        client.reply(Reply::Right);
    });
    assert_eq!(outcome, Ok(()));
}

/// A client that waited for keys in vain is not asked to wait longer than until the next fetch.
#[tokio::test(start_paused = true)]
async fn a_retry_after_never_points_beyond_the_next_try() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    client.reply(Reply::Fails);
    let token = issuer.user().mint();
    for _ in 0..50 {
        let before = client.discovery_fetches();
        let error = validate(&validator, &token).await.unwrap_err();
        time::sleep(error.retry_after().unwrap() + TICK).await;
        assert!(client.discovery_fetches() > before);
    }
}
