//! A new key works in the request that brings it.

use serde_json::json;
use tokio::{task::JoinSet, time};
use tower_entra::{
    ErrorKind, KeySettings, Tenants, Validator,
    testing::{Fault, Issuer},
};

use crate::support::*;

#[tokio::test]
pub(super) async fn a_freshly_published_key_is_admitted_in_the_same_request() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert_fetches(&issuer, 2);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    assert_fetches(&issuer, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_thousand_requests_for_a_fresh_key_share_one_fetch() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let old = issuer.user().mint();
    issuer.rotate();
    let token = issuer.user().mint();
    let mut requests = JoinSet::new();
    for _ in 0..1_000 {
        let (validator, token) = (validator.clone(), token.clone());
        requests.spawn(async move { outcome(&validator, &token).await });
    }
    let outcomes = within(requests.join_all()).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(())));
    assert_fetches(&issuer, 2);
    assert_eq!(at_once(&validator, &old), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_before_the_first_fetch_share_it() {
    let (issuer, validator) = unready(KeySettings::default());
    let token = issuer.user().mint();
    let mut requests = JoinSet::new();
    for _ in 0..1_000 {
        let (validator, token) = (validator.clone(), token.clone());
        requests.spawn(async move { outcome(&validator, &token).await });
    }
    let outcomes = within(requests.join_all()).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(())));
    assert_fetches(&issuer, 1);
}

#[tokio::test]
pub(super) async fn a_rotation_during_the_start_up_fetch_is_served_at_once() {
    let (issuer, validator) = unready(KeySettings::default());
    let kid = issuer.new_unpublished_key();
    issuer.sign_with(&kid);
    let token = issuer.user().mint();
    issuer.fail_times(2, Fault::Slow(100 * TICK));
    let early = time::timeout(50 * TICK, validator.ready()).await;
    assert!(early.is_err());
    let (outcome, ()) = tokio::join!(outcome(&validator, &token), async {
        // The first answer is made up and on its way.
        eventually("the keys are asked for", || issuer.key_fetches() == 1).await;
        issuer.publish(&kid);
    });
    assert_eq!(outcome, Ok(()));
    assert_fetches(&issuer, 2);
}

#[tokio::test]
async fn all_clones_and_derived_validators_share_keys_and_cool_down() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let lenient = validator.with_authorization_by_acl();
    let forger = Forger::new(&issuer.user().mint());
    assert_eq!(
        outcome(&lenient, &forger.token()).await,
        Err(ErrorKind::UnknownKey)
    );
    for validator in [&validator, &validator.clone(), &lenient] {
        let refused = at_once(validator, &forger.token());
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable), "not looked up");
    }
    assert_fetches(&issuer, 2);
}

#[tokio::test]
pub(crate) async fn validators_that_share_keys_share_fetches_and_cool_down() {
    let (issuer, orders) = ready(KeySettings::default()).await;
    let invoices = Validator::builder(Tenants::single(issuer.tenant_id()), ["api://invoices"])
        .authority(issuer.authority())
        .share_keys_with(&orders)
        .build()
        .unwrap();
    let invoice = issuer.user().audience("api://invoices");
    let order = issuer.user().mint();
    assert_eq!(at_once(&invoices, &invoice.clone().mint()), Ok(()));
    assert_eq!(
        at_once(&invoices, &order),
        Err(ErrorKind::AudienceMismatch),
        "keys are shared, checks are not"
    );
    // What is worth a fetch is for each to say.
    let refused = at_once(&invoices, &Forger::new(&order).token());
    assert_eq!(refused, Err(ErrorKind::UnknownKey));
    assert_fetches(&issuer, 1);

    issuer.rotate();
    assert_eq!(outcome(&orders, &issuer.user().mint()).await, Ok(()));
    let invoice = issuer.user().audience("api://invoices");
    assert_eq!(at_once(&invoices, &invoice.clone().mint()), Ok(()));
    let refused = at_once(&invoices, &Forger::new(&invoice.mint()).token());
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable), "not looked up");
    assert_fetches(&issuer, 2);

    // The source lives as long as one of them does.
    drop(orders);
    issuer.withdraw(&issuer.current_kid());
    let forged = issuer.user().audience("api://invoices");
    let forged = forged.signed_by_stranger().mint();
    let _ = at_once(&invoices, &forged);
    eventually("a fetch", || issuer.key_fetches() == 3).await;
}

#[tokio::test]
async fn the_wait_for_a_new_key_skips_no_check() {
    let issuer = Issuer::start_blocking();
    for (refused, change) in [
        (ErrorKind::InvalidSignature, 0),
        (ErrorKind::NothingGranted, 1),
        (ErrorKind::SenderConstrained, 2),
    ] {
        let validator = issuer.validator();
        within(validator.ready()).await;
        issuer.rotate();
        let token = match change {
            0 => issuer.user().signed_by_stranger(),
            1 => issuer.application().without_claim("roles"),
            _ => issuer.user().claim("cnf", json!({"jkt": "x"})),
        };
        assert_eq!(outcome(&validator, &token.mint()).await, Err(refused));
    }
}
