//! Issuers, validators of their tokens, and tokens that are none of theirs.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::time;
use tower_entra::{
    KeySettings, Validator,
    testing::{Issuer, TokenBuilder},
};

use super::{LIMIT, TICK, within};

/// The issuer that tests share. A test that rotates or breaks keys starts one of its own.
pub(crate) fn issuer() -> &'static Issuer {
    static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::start_blocking);
    &ISSUER
}

/// An issuer that no validator is configured for. It is never asked for anything.
pub(crate) fn forger() -> &'static Issuer {
    static FORGER: LazyLock<Issuer> = LazyLock::new(Issuer::start_blocking);
    &FORGER
}

/// An issuer and a validator of its tokens that has not fetched anything yet.
pub(crate) fn unready(settings: KeySettings) -> (Issuer, Validator) {
    let issuer = Issuer::start_blocking();
    let validator = validator(&issuer, settings);
    (issuer, validator)
}

/// An issuer and a validator of its tokens that has fetched its keys.
pub(crate) async fn ready(settings: KeySettings) -> (Issuer, Validator) {
    let (issuer, validator) = unready(settings);
    within(validator.ready()).await;
    assert_fetches(&issuer, 1);
    (issuer, validator)
}

#[track_caller]
pub(crate) fn validator(issuer: &Issuer, settings: KeySettings) -> Validator {
    issuer
        .validator_builder()
        .key_settings(settings)
        .build()
        .unwrap()
}

/// Default settings, but failed fetches are tried again soon.
pub(crate) fn impatient() -> KeySettings {
    KeySettings::default()
        .with_first_retry(20 * TICK)
        .with_last_retry(50 * TICK)
}

/// The same, and requests do not wait for keys for long.
pub(crate) fn hasty() -> KeySettings {
    impatient().with_wait(20 * TICK)
}

#[track_caller]
pub(crate) fn assert_fetches(issuer: &Issuer, fetches: u64) {
    let seen = (issuer.discovery_fetches(), issuer.key_fetches());
    assert_eq!(seen, (fetches, fetches));
}

/// The keys have been fetched this many times, and no other fetch is about to begin.
pub(crate) async fn assert_key_fetches(issuer: &Issuer, fetches: u64) {
    let start = Instant::now();
    while issuer.key_fetches() < fetches && start.elapsed() < LIMIT {
        time::sleep(TICK).await;
    }
    time::sleep(10 * TICK).await;
    assert_eq!(issuer.key_fetches(), fetches, "fetches of the keys");
}

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

/// Makes tokens that pass every check that costs nothing, each with a `kid` of its own and all
/// with the signature of one good token.
pub(crate) struct Forger {
    payload_and_signature: String,
    made: AtomicU64,
}

impl Forger {
    #[track_caller]
    pub(crate) fn new(good: &str) -> Self {
        let (_, payload_and_signature) = good.split_once('.').unwrap();
        Self {
            payload_and_signature: payload_and_signature.to_owned(),
            made: AtomicU64::new(0),
        }
    }

    pub(crate) fn token(&self) -> String {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        self.token_of(&format!("forged-{made}"))
    }

    pub(crate) fn token_of(&self, kid: &str) -> String {
        let header = format!(r#"{{"typ":"JWT","alg":"RS256","kid":"{kid}"}}"#);
        let header = URL_SAFE_NO_PAD.encode(header);
        format!("{header}.{}", self.payload_and_signature)
    }
}

pub(crate) const OTHER_TENANT: &str = "dd0f374e-74a5-4996-af69-500cda64057a";
pub(crate) const OTHER_APP: &str = "001458b4-6bef-4de5-acde-bf9b2edaf9fb";
pub(crate) const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
