//! A flood of random key ids costs few fetches, delays no other request, and bars a real key for one
//! cool-down at most.

use std::time::Instant;

use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus};

use crate::support::{
    client::{Reply, scripted},
    *,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_flood_of_random_key_ids_costs_one_fetch() {
    // Longer than the slowest machine takes for the flood.
    let settings = KeySettings::default().with_cool_down(300 * SECOND);
    let (issuer, validator) = ready(settings).await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    let refused = outcome(&validator, &forger.token()).await;
    assert_eq!(refused, Err(ErrorKind::UnknownKey));
    for request in 0..FLOOD {
        let refused = at_once(&validator, &forger.token());
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable), "not looked up");
        // Requests with a known key are served meanwhile, and do not wait.
        if request % 100 == 0 {
            assert_eq!(at_once(&validator, &good), Ok(()));
        }
    }
    assert_fetches(&issuer, 2);
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_flood_from_many_sides_costs_one_fetch() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let good = issuer.user().mint();
    let mut requests = tokio::task::JoinSet::new();
    for side in 0..4 {
        let (validator, good) = (validator.clone(), good.clone());
        requests.spawn(async move {
            let forger = Forger::new(&good);
            for request in 0..1_000 {
                let token = forger.token_of(&format!("{side}-{request}"));
                let refused = outcome(&validator, &token).await.unwrap_err();
                let looked_up = refused == ErrorKind::UnknownKey;
                assert!(looked_up || refused == ErrorKind::KeysUnavailable);
                assert_eq!(at_once(&validator, &good), Ok(()));
            }
        });
    }
    within(requests.join_all()).await;
    assert_fetches(&issuer, 2);
}

#[tokio::test]
pub(super) async fn a_token_that_fails_a_check_without_cost_asks_for_nothing() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let unknown = |kid: &str| issuer.user().header("kid", kid).signature([1, 2, 3]);
    for token in [
        unknown("1").audience("api://other"),
        unknown("2").claim("iss", "https://evil.example/v2.0"),
        unknown("3").expired(),
        unknown("4").payload("[]"),
    ] {
        let refused = at_once(&validator, &token.mint());
        assert_eq!(refused, Err(ErrorKind::UnknownKey));
    }
    time::sleep(50 * TICK).await;
    assert_fetches(&issuer, 1);

    // The budget is whole: one that is worth a fetch gets it.
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert_fetches(&issuer, 2);
}

#[tokio::test]
async fn a_token_that_is_not_worth_a_fetch_waits_for_the_first_keys_and_no_others() {
    let (issuer, validator) = unready(KeySettings::default());
    let expired = issuer.user().expired().mint();
    let unknown = Forger::new(&expired).token();
    let (expired, unknown) =
        tokio::join!(outcome(&validator, &expired), outcome(&validator, &unknown));
    assert_eq!(expired, Err(ErrorKind::Expired));
    assert_eq!(unknown, Err(ErrorKind::UnknownKey));
    assert_fetches(&issuer, 1);
}

#[tokio::test]
pub(super) async fn a_flood_bars_a_new_key_for_one_cool_down_at_most() {
    let cool_down = SECOND;
    let (issuer, validator) = ready(KeySettings::default().with_cool_down(cool_down)).await;
    let forger = Forger::new(&issuer.user().mint());
    let refused = outcome(&validator, &forger.token()).await;
    assert_eq!(refused, Err(ErrorKind::UnknownKey));

    issuer.rotate();
    let token = issuer.user().mint();
    let start = Instant::now();
    while outcome(&validator, &token).await.is_err() {
        let late = start.elapsed().saturating_sub(cool_down);
        assert!(late < SLACK, "barred for {:?}", start.elapsed());
        for _ in 0..20 {
            let _ = outcome(&validator, &forger.token()).await;
        }
        time::sleep(5 * TICK).await;
    }
    assert!(issuer.key_fetches() <= 3, "{}", issuer.key_fetches());
}

#[tokio::test]
pub(super) async fn a_key_id_seen_before_its_key_is_barred_for_one_cool_down_at_most() {
    let cool_down = SECOND;
    let (issuer, validator) = ready(KeySettings::default().with_cool_down(cool_down)).await;
    let kid = issuer.new_unpublished_key();
    let token = issuer.user().signed_by(&kid).mint();
    assert_eq!(
        outcome(&validator, &token).await,
        Err(ErrorKind::UnknownKey)
    );
    issuer.publish(&kid);
    let (time, refusals) = until_admitted(&validator, &token).await;
    assert!(time < cool_down + SLACK, "{time:?}");
    assert!(refusals.iter().all(|kind| *kind == ErrorKind::UnknownKey));
    assert_fetches(&issuer, 3);
}

#[tokio::test(start_paused = true)]
pub(super) async fn twenty_minutes_of_flood_costs_one_fetch_per_cool_down() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let good = issuer.user().mint();
    let forger = Forger::new(&good);
    let end = time::Instant::now() + 20 * MINUTE;
    while time::Instant::now() < end {
        let _ = validator.validate(&forger.token()).await;
        assert_eq!(at_once(&validator, &good), Ok(()));
        time::sleep(SECOND).await;
    }
    assert!(
        (118..=122).contains(&client.key_fetches()),
        "{}",
        client.key_fetches()
    );
    assert!(
        pauses(&client.starts())
            .skip(1)
            .all(|pause| pause >= 10 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
pub(super) async fn failed_fetches_count_against_the_cool_down_too() {
    let (issuer, client, validator) = scripted(
        // Only requests ask for fetches.
        KeySettings::default()
            .with_first_retry(HOUR)
            .with_last_retry(HOUR),
    );
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    client.reply(Reply::Fails);
    let end = time::Instant::now() + 10 * MINUTE;
    while time::Instant::now() < end {
        let refused = outcome(&validator, &forger.token()).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        time::sleep(SECOND).await;
    }
    // Of the retries, drawn from up to an hour, a few may be among them.
    assert!(
        (60..=70).contains(&client.discovery_fetches()),
        "{}",
        client.discovery_fetches()
    );
}

#[tokio::test]
async fn a_thousand_different_forgeries_at_once_share_one_fetch() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let forger = Forger::new(&issuer.user().mint());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let (validator, token) = (validator.clone(), forger.token());
        requests.spawn(async move { outcome(&validator, &token).await });
    }
    for refused in within(requests.join_all()).await {
        assert_eq!(refused, Err(ErrorKind::UnknownKey));
    }
    assert_fetches(&issuer, 2);
}

fn pauses(starts: &[time::Instant]) -> impl Iterator<Item = std::time::Duration> {
    starts.windows(2).map(|pair| pair[1] - pair[0])
}

const FLOOD: usize = 100_000;

/// What a slow machine may add.
const SLACK: std::time::Duration = SECOND;
