//! The errors of a flight itself, whatever it fetches.

use std::time::Duration;

use crate::acquire::{
    error::{AcquireError, Failure},
    kind::AcquireErrorKind,
};

/// Every place is taken. Most flights end within a second.
pub(super) fn no_place(places: usize) -> AcquireError {
    transient(
        AcquireErrorKind::Busy,
        format!("{places} tokens are being acquired, which is the most at a time"),
        Some("Raise AcquireSettings::with_max_flights if so many identities act at a time."),
        Some(Duration::from_secs(1)),
    )
}

/// A token for these claims was asked for a short time ago.
pub(super) fn asked_for_these_claims(left: Duration) -> AcquireError {
    transient(
        AcquireErrorKind::Busy,
        "a token for these claims was asked for less than 5 s ago".into(),
        Some("The API refuses the token that was acquired for its own claims challenge."),
        Some(left),
    )
}

/// A flight, or the wait for one, took too long.
pub(super) fn timed_out(limit: Duration) -> AcquireError {
    let text = format!("no token was acquired within {limit:?}");
    transient(AcquireErrorKind::Unavailable, text, None, None)
}

/// A flight ended without a result.
pub(super) fn stopped() -> AcquireError {
    transient(
        AcquireErrorKind::Unavailable,
        "the acquisition ended without a result: it panicked, or its runtime was shut down".into(),
        None,
        None,
    )
}

/// A flight runs on the caller's runtime, and there is none that can run it.
pub(super) fn no_runtime() -> AcquireError {
    AcquireError::before_the_wire(
        AcquireErrorKind::Misconfigured,
        "a token is acquired on a tokio runtime with its timer enabled, and there is none here",
        "Ask for the token within a tokio runtime that was built with enable_all or enable_time.",
    )
}

fn transient(
    kind: AcquireErrorKind,
    text: String,
    hint: Option<&'static str>,
    retry_after: Option<Duration>,
) -> AcquireError {
    AcquireError::new(Failure {
        hint,
        retry_after,
        is_transient: true,
        ..Failure::new(kind, text, "")
    })
}
