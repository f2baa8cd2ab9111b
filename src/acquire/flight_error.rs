//! The errors of a flight itself, whatever it fetches.

use std::time::Duration;

use crate::acquire::{
    error::{AcquireError, Failure},
    hints,
    kind::AcquireErrorKind::{self, Busy, Misconfigured, Unavailable},
};

/// Every place is taken. Most flights end within a second.
pub(super) fn no_place(places: usize) -> AcquireError {
    let text = format!("{places} tokens are being acquired, which is the most at a time");
    let retry_after = Some(Duration::from_secs(1));
    transient(Busy, &text, hints::BUSY, retry_after)
}

/// A token for these claims was asked for a short time ago.
pub(super) fn asked_for_these_claims(left: Duration) -> AcquireError {
    let text = "a token for the claims of this challenge was acquired less than 5 s ago";
    transient(Busy, text, hints::CHALLENGED_AGAIN, Some(left))
}

/// A flight, or the wait for one, took too long.
pub(super) fn timed_out(limit: Duration) -> AcquireError {
    let text = format!("no token was acquired within {limit:?}");
    transient(Unavailable, &text, hints::FLIGHT_TIMED_OUT, None)
}

/// A flight ended without a result.
pub(super) fn stopped() -> AcquireError {
    let text = "the acquisition of the token ended: it panicked, or its runtime was shut down";
    transient(Unavailable, text, hints::FLIGHT_STOPPED, None)
}

/// For the log: what a flight knows of its own end, if it has no result.
pub(super) fn cut_off() -> AcquireError {
    let text = "the acquisition was ended before it had a token: it took too long, it panicked, or its \
                runtime was shut down";
    transient(Unavailable, text, hints::FLIGHT_TIMED_OUT, None)
}

/// A flight runs on the caller's runtime, and there is none that can run it.
pub(super) fn no_runtime() -> AcquireError {
    let text = "a token is acquired on a tokio runtime with its timer enabled, and there is none";
    AcquireError::before_the_wire(Misconfigured, text, hints::NO_RUNTIME)
}

fn transient(
    kind: AcquireErrorKind,
    text: &str,
    hint: &'static str,
    retry_after: Option<Duration>,
) -> AcquireError {
    AcquireError::new(Failure {
        retry_after,
        is_transient: true,
        ..Failure::new(kind, text, hint)
    })
}
