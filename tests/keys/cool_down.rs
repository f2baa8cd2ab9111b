//! The cool-down after a fetch for an unknown key: what a stranger sends in it makes no honest client
//! throw its token away.

use tokio::time;
use tower_entra::{Error, ErrorKind, KeySettings, testing::Issuer};

use crate::support::{
    client::{Reply, scripted},
    *,
};

/// The default.
const COOL_DOWN: time::Duration = time::Duration::from_secs(10);

/// Sends this token every 100 ms until it is admitted. Every refusal says when to come again, and that
/// is not later than when the cool-down ends.
async fn until_admitted_again(validator: &tower_entra::Validator, token: &str) -> Vec<Error> {
    let start = time::Instant::now();
    let mut refusals = Vec::new();
    while let Err(error) = validator.validate(token).await {
        assert_eq!(error.kind(), ErrorKind::KeysUnavailable, "{error}");
        let retry_after = error.retry_after().expect("when to come again");
        assert!(retry_after <= COOL_DOWN, "{retry_after:?}");
        refusals.push(error);
        assert!(start.elapsed() <= COOL_DOWN, "barred for longer");
        time::sleep(100 * TICK).await;
    }
    refusals
}

#[tokio::test(start_paused = true)]
async fn one_silent_request_makes_no_honest_client_throw_its_token_away() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let invented = Forger::new(&issuer.user().mint()).token();
    // Its sender is gone after 20 ms.
    let gone = time::timeout(20 * TICK, validator.validate(&invented)).await;
    assert!(gone.is_err() || client.key_fetches() == 2);
    eventually("its fetch", || client.key_fetches() == 2).await;

    issuer.rotate();
    let refusals = until_admitted_again(&validator, &issuer.user().mint()).await;
    assert!(refusals.len() > 50, "{}", refusals.len());
    assert_eq!(client.key_fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invented_keys_makes_no_honest_client_throw_its_token_away() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    let flood = {
        let validator = validator.clone();
        tokio::spawn(async move {
            loop {
                for _ in 0..10 {
                    let _ = validator.validate(&forger.token()).await;
                }
                time::sleep(50 * TICK).await;
            }
        })
    };
    for _ in 0..5 {
        time::sleep(SECOND).await;
        issuer.rotate();
        until_admitted_again(&validator, &issuer.user().mint()).await;
    }
    flood.abort();
    assert!(client.key_fetches() <= 7, "{}", client.key_fetches());
}

#[tokio::test(start_paused = true)]
async fn a_flood_while_fetches_fail_makes_no_honest_client_throw_its_token_away() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    issuer.rotate();
    let token = issuer.user().mint();
    client.reply(Reply::Fails);
    for _ in 0..300 {
        for token in [&forger.token(), &token] {
            let refused = outcome(&validator, token).await;
            assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        }
        time::sleep(100 * TICK).await;
    }
    client.reply(Reply::Right);
    until_admitted_again(&validator, &token).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_rotation_within_the_cool_down_is_found_at_its_end() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    issuer.rotate();
    let refusals = until_admitted_again(&validator, &issuer.user().mint()).await;
    assert!(!refusals.is_empty());
    assert_eq!(client.key_fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_the_cool_down_names_it_and_does_not_say_forged() {
    let (issuer, _client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    let looked_up = forger.token();
    let error = validator.validate(&looked_up).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownKey);

    time::sleep(4 * SECOND).await;
    let error = validator.validate(&forger.token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
    let left = error.retry_after().unwrap();
    assert!((5 * SECOND..=6 * SECOND).contains(&left), "{left:?}");
    let line = error.to_string();
    for words in ["not looked up yet", "cool-down", "6 s"] {
        assert!(line.contains(words), "{words:?} is not in: {line}");
    }
    assert!(error.hint().contains("cool-down"), "{}", error.hint());
    for words in ["forged", "withdrawn"] {
        assert!(!error.hint().contains(words), "{}", error.hint());
    }

    // What has been looked up is told as that.
    let error = validator.validate(&looked_up).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownKey);
    assert!(error.hint().contains("forged"), "{}", error.hint());
}

/// A retry would change nothing, so none is asked for.
#[tokio::test(start_paused = true)]
async fn in_the_cool_down_a_token_that_is_not_worth_a_fetch_is_refused() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    let armed = outcome(&validator, &forger.token()).await;
    assert_eq!(armed, Err(ErrorKind::UnknownKey));
    let unknown = || issuer.user().header("kid", "unknown").signature([1, 2, 3]);
    for token in [
        unknown().audience("api://other"),
        unknown().claim("iss", "https://evil.example/v2.0"),
        unknown().tenant(OTHER_TENANT),
        unknown().expired(),
        unknown().payload("[]"),
        unknown().payload("{"),
    ] {
        let error = validator.validate(&token.mint()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownKey, "{error}");
        assert_eq!(error.retry_after(), None);
    }
    let worth_a_fetch = outcome(&validator, &unknown().mint()).await;
    assert_eq!(worth_a_fetch, Err(ErrorKind::KeysUnavailable));
    assert_eq!(client.key_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_in_the_cool_down_of_a_failed_fetch_is_told_the_failure_too() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let forger = Forger::new(&issuer.user().mint());
    client.reply(Reply::Fails);
    let _ = validator.validate(&forger.token()).await;
    let error = validator.validate(&forger.token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
    let line = error.to_string();
    for words in ["not looked up yet", "the last fetch from"] {
        assert!(line.contains(words), "{words:?} is not in: {line}");
    }
    assert!(error.hint().contains("reaches the authority"));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_refused_in_the_cool_down_too() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    let old = issuer.current_kid();
    let withdrawn = issuer.user().mint();
    validator.ready().await;
    issuer.rotate();
    issuer.withdraw(&old);
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    for _ in 0..9 {
        let refused = at_once(&validator, &withdrawn);
        assert_eq!(refused, Err(ErrorKind::UnknownKey));
        time::sleep(SECOND).await;
    }
    assert_eq!(client.key_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_only_asked_for_in_the_cool_down_is_looked_up_after_it() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let _ = validator
        .validate(&Forger::new(&issuer.user().mint()).token())
        .await;
    let kid = issuer.new_unpublished_key();
    let token = issuer.user().signed_by(&kid).mint();
    for _ in 0..9 {
        let refused = at_once(&validator, &token);
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        time::sleep(SECOND).await;
    }
    time::sleep(SECOND).await;
    issuer.publish(&kid);
    assert_eq!(outcome(&validator, &token).await, Ok(()));
    assert_eq!(client.key_fetches(), 3);
}

#[tokio::test]
async fn start_up_and_scheduled_fetches_leave_the_cool_down_unarmed() {
    let (issuer, validator): (Issuer, _) =
        ready(KeySettings::default().with_refresh_interval(SECOND)).await;
    eventually("a scheduled fetch", || issuer.key_fetches() == 2).await;
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
}

#[tokio::test]
async fn in_the_cool_down_no_place_is_taken() {
    let (issuer, validator) = ready(KeySettings::default().with_max_waiters(1)).await;
    let forger = Forger::new(&issuer.user().mint());
    let armed = outcome(&validator, &forger.token()).await;
    assert_eq!(armed, Err(ErrorKind::UnknownKey));
    let not_worth_a_fetch = issuer.user().header("kid", "unknown").expired().mint();
    for _ in 0..100 {
        let refused = at_once(&validator, &forger.token());
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        let refused = at_once(&validator, &not_worth_a_fetch);
        assert_eq!(refused, Err(ErrorKind::UnknownKey));
    }
    assert_fetches(&issuer, 2);
}
