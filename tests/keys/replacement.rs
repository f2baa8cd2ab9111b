//! New key material under an old `kid`: a bad signature asks for one refresh in the background.

use tokio::time;
use tower_entra::{ErrorKind, KeySettings};

use crate::support::{client::scripted, *};

#[tokio::test]
pub(super) async fn a_replaced_key_is_fetched_behind_the_first_bad_signature() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.replace_key(&issuer.current_kid());
    let token = issuer.user().mint();
    assert_eq!(
        at_once(&validator, &token),
        Err(ErrorKind::InvalidSignature),
        "the request does not wait"
    );
    let (_, refusals) = until_admitted(&validator, &token).await;
    assert!(
        refusals
            .iter()
            .all(|kind| *kind == ErrorKind::InvalidSignature)
    );
    assert_fetches(&issuer, 2);
}

#[tokio::test]
pub(super) async fn a_second_bad_signature_within_the_interval_asks_for_nothing() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let forged = issuer.user().signed_by_stranger().mint();
    assert_eq!(
        at_once(&validator, &forged),
        Err(ErrorKind::InvalidSignature)
    );
    eventually("a fetch", || issuer.key_fetches() == 2).await;
    for _ in 0..1_000 {
        let refused = at_once(&validator, &forged);
        assert_eq!(refused, Err(ErrorKind::InvalidSignature));
    }
    time::sleep(100 * TICK).await;
    assert_fetches(&issuer, 2);
}

#[tokio::test]
async fn no_claim_is_read_for_a_budget_that_is_spent() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let forged = issuer.user().signed_by_stranger().mint();
    let words = |error: &tower_entra::Error| error.to_string().contains("claims to be for");
    let error = validate(&validator, &forged).await.unwrap_err();
    assert!(words(&error), "{error}");
    for _ in 0..3 {
        let error = validate(&validator, &forged).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSignature);
        assert!(!words(&error), "{error}");
        assert!(error.hint().contains("altered"), "{}", error.hint());
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_interval_a_bad_signature_asks_again() {
    let (issuer, client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let forged = issuer.user().signed_by_stranger().mint();
    let end = time::Instant::now() + 16 * MINUTE;
    while time::Instant::now() < end {
        let refused = at_once(&validator, &forged);
        assert_eq!(refused, Err(ErrorKind::InvalidSignature));
        time::sleep(SECOND).await;
    }
    assert_eq!(client.key_fetches(), 1 + 4);
    for pair in client.starts()[1..].windows(2) {
        assert!(pair[1] - pair[0] >= 5 * MINUTE);
    }
}

#[tokio::test]
pub(super) async fn a_bad_signature_does_not_spend_what_unknown_keys_have() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let forged = issuer.user().signed_by_stranger().mint();
    let _ = at_once(&validator, &forged);
    eventually("a fetch", || issuer.key_fetches() == 2).await;
    time::sleep(50 * TICK).await;

    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert_fetches(&issuer, 3);
}

#[tokio::test]
async fn an_unknown_key_does_not_spend_what_bad_signatures_have() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let forger = Forger::new(&issuer.user().mint());
    let _ = outcome(&validator, &forger.token()).await;
    assert_fetches(&issuer, 2);

    issuer.replace_key(&issuer.current_kid());
    until_admitted(&validator, &issuer.user().mint()).await;
    assert_fetches(&issuer, 3);
}

#[tokio::test]
async fn a_bad_signature_on_a_token_that_fails_otherwise_asks_for_nothing() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    for token in [
        issuer.user().audience("api://other"),
        issuer.user().expired(),
        issuer.user().claim("iss", "https://evil.example"),
        issuer.user().tenant("dd0f374e-74a5-4996-af69-500cda64057a"),
        issuer.user().payload("{}"),
    ] {
        let forged = token.signed_by_stranger().mint();
        assert_eq!(
            at_once(&validator, &forged),
            Err(ErrorKind::InvalidSignature)
        );
    }
    time::sleep(50 * TICK).await;
    assert_fetches(&issuer, 1);
}
