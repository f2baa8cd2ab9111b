//! What a validator makes of one token.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time;
use tower_entra::{AgentPrincipal, Error, ErrorKind, Validator, testing::TokenBuilder};

use super::{LIMIT, TICK, block_on, issuer, within};

/// The caller by this token, as the shared issuer's validator sees it.
#[track_caller]
pub(crate) fn caller_of(token: TokenBuilder) -> AgentPrincipal {
    admitted_by(&issuer().validator(), &token.mint())
}

#[track_caller]
pub(crate) fn admitted_by(validator: &Validator, token: &str) -> AgentPrincipal {
    match verdict(validator, token) {
        Ok(caller) => caller,
        Err(error) => panic!("refused: {error:?}"),
    }
}

/// Why the shared issuer's validator refuses this token.
#[track_caller]
pub(crate) fn refusal(token: TokenBuilder) -> ErrorKind {
    refusal_by(&issuer().validator(), &token.mint())
}

#[track_caller]
pub(crate) fn refusal_by(validator: &Validator, token: &str) -> ErrorKind {
    error_by(validator, token).kind()
}

/// The whole error with which this token is refused.
#[track_caller]
pub(crate) fn error_by(validator: &Validator, token: &str) -> Error {
    match verdict(validator, token) {
        Ok(caller) => panic!("admitted: {caller:?}"),
        Err(error) => error,
    }
}

pub(crate) fn verdict(validator: &Validator, token: &str) -> Result<AgentPrincipal, Error> {
    block_on(async {
        validator.ready().await;
        validator.validate(token).await
    })
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

/// How many tokens the validator remembers, by its own account.
pub(crate) fn remembered(validator: &Validator) -> usize {
    let text = format!("{validator:?}");
    let (_, rest) = text.split_once("entries: ").expect("a cache");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
