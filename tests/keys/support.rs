//! What the tests have in common.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::time;
use tower_entra::{AgentPrincipal, Error, ErrorKind, KeySettings, Validator, testing::Issuer};

pub(crate) const TICK: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

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

#[track_caller]
pub(crate) fn assert_fetches(issuer: &Issuer, fetches: u64) {
    let seen = (issuer.discovery_fetches(), issuer.key_fetches());
    assert_eq!(seen, (fetches, fetches));
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let result = time::timeout(LIMIT, future).await;
    result.expect("no wait is without a limit")
}

pub(crate) async fn validate(validator: &Validator, token: &str) -> Result<AgentPrincipal, Error> {
    within(validator.validate(token)).await
}

/// `Ok` or the kind of the refusal.
pub(crate) async fn outcome(validator: &Validator, token: &str) -> Result<(), ErrorKind> {
    kind(validate(validator, token).await)
}

pub(crate) fn kind<T>(result: Result<T, Error>) -> Result<(), ErrorKind> {
    result.map(drop).map_err(|error| error.kind())
}

/// The same of a request that may not wait at all.
#[track_caller]
pub(crate) fn at_once(validator: &Validator, token: &str) -> Result<(), ErrorKind> {
    let future = pin!(validator.validate(token));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => kind(result),
        Poll::Pending => panic!("the request waits"),
    }
}

/// Waits until this is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "never: {what}");
        time::sleep(2 * TICK).await;
    }
}

/// Asks until the token is admitted. Returns how long that took and the refusals before.
pub(crate) async fn until_admitted(
    validator: &Validator,
    token: &str,
) -> (Duration, Vec<ErrorKind>) {
    let start = time::Instant::now();
    let mut refusals = Vec::new();
    while let Err(refusal) = outcome(validator, token).await {
        assert!(start.elapsed() < LIMIT, "never admitted: {refusal:?}");
        if refusals.last() != Some(&refusal) {
            refusals.push(refusal);
        }
        time::sleep(10 * TICK).await;
    }
    (start.elapsed(), refusals)
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
        self.token_with_header(&format!(r#"{{"typ":"JWT","alg":"RS256","kid":"{kid}"}}"#))
    }

    pub(crate) fn token_with_header(&self, header: &str) -> String {
        let header = URL_SAFE_NO_PAD.encode(header);
        format!("{header}.{}", self.payload_and_signature)
    }
}
