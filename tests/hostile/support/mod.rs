//! What the tables have in common.

mod table;

mod case;

mod input;

mod answer;

mod log;

mod endpoint;

mod certificate;

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time;
use tower_entra::{
    ErrorKind, KeySettings, Validator,
    testing::{Issuer, TokenBuilder},
};

pub(crate) use self::{
    answer::{is_invalid_token, send},
    case::{admitted, admitted_as, anonymous, refused},
    certificate::{EXPIRED, VALID, pkcs1, spki, stranger},
    endpoint::{Endpoint, http_answer},
    input::{Input, each, one, request_for, these, with_line, with_lines},
    log::Log,
    table::{Proof, Row, not_met, prove, row, scene, tested},
};

/// A token by the issuer's own key, which is published once more under another `kid` and with this
/// change to its JWK.
pub(crate) fn by_another_name(issuer: &Issuer, change: impl FnOnce(&mut Value)) -> TokenBuilder {
    static NAMES: AtomicUsize = AtomicUsize::new(0);

    let kid = format!("name-{}", NAMES.fetch_add(1, Ordering::SeqCst));
    let keys: Value = serde_json::from_slice(&issuer.keys_document()).unwrap();
    let mut jwk = keys["keys"][0].clone();
    jwk["kid"] = json!(kid);
    change(&mut jwk);
    issuer.publish_jwk(jwk);
    issuer.user().header("kid", kid)
}

/// Somebody who would like to be the issuer. Nobody ever asks it for anything.
pub(crate) fn forger() -> &'static Issuer {
    static FORGER: LazyLock<Issuer> = LazyLock::new(Issuer::start_blocking);
    &FORGER
}

pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let result = time::timeout(LIMIT, test).await;
            result.expect("a test in time")
        })
}

/// The keys have been asked for so often, and nobody is about to ask again.
pub(crate) async fn assert_fetches(issuer: &Issuer, fetches: u64) {
    let start = Instant::now();
    while issuer.key_fetches() < fetches && start.elapsed() < LIMIT {
        time::sleep(TICK).await;
    }
    time::sleep(10 * TICK).await;
    assert_eq!(issuer.key_fetches(), fetches, "fetches of the keys");
}

/// `Ok` or the kind of the refusal.
pub(crate) async fn outcome(validator: &Validator, token: &str) -> Result<(), ErrorKind> {
    let verdict = time::timeout(LIMIT, validator.validate(token)).await;
    let verdict = verdict.expect("no wait is without a limit");
    verdict.map(drop).map_err(|error| error.kind())
}

pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Fails at its first fetch soon, and tries again soon.
pub(crate) fn hasty() -> KeySettings {
    KeySettings::default()
        .with_wait(20 * TICK)
        .with_first_retry(20 * TICK)
        .with_last_retry(50 * TICK)
}

pub(crate) const TICK: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Longer than anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Configured, and in no token.
pub(crate) const REALM: &str = "the orders";

pub(crate) const OTHER_TENANT: &str = "dd0f374e-74a5-4996-af69-500cda64057a";
pub(crate) const OTHER_APP: &str = "001458b4-6bef-4de5-acde-bf9b2edaf9fb";
pub(crate) const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
