//! Why there is no token.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use crate::acquire::kind::AcquireErrorKind;

/// Why there is no token. Cheap to clone: every caller who waits for one answer gets the same.
#[derive(Clone)]
pub struct AcquireError(Arc<Failure>);

/// What is known of a failed acquisition. Nothing in it is a secret.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: AcquireErrorKind,
    /// What was asked, what came back: one line, escaped and cut.
    pub(super) text: Box<str>,
    pub(super) hint: Option<&'static str>,
    /// The first of `error_codes`.
    pub(super) code: Option<u32>,
    pub(super) correlation_id: Option<Box<str>>,
    pub(super) trace_id: Option<Box<str>>,
    pub(super) retry_after: Option<Duration>,
    /// The JSON text of a claims challenge.
    pub(super) claims: Option<Arc<str>>,
    /// Whether it can pass by itself: no connection, a timeout, a throttle, 5xx.
    pub(super) is_transient: bool,
}

impl AcquireError {
    pub(super) fn new(failure: Failure) -> Self {
        Self(Arc::new(failure))
    }

    /// A refusal without a request.
    pub(super) fn before_the_wire(
        kind: AcquireErrorKind,
        text: impl Into<Box<str>>,
        hint: &'static str,
    ) -> Self {
        Self::new(Failure {
            kind,
            text: text.into(),
            hint: Some(hint),
            code: None,
            correlation_id: None,
            trace_id: None,
            retry_after: None,
            claims: None,
            is_transient: false,
        })
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> AcquireErrorKind {
        self.0.kind
    }

    /// What to change, for an operator.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint
    }

    /// The number of Entra's error code: 65001 for `AADSTS65001`. For words only: Entra may change it.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.0.code
    }

    /// The `client-request-id` of the requests.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// The id by which Entra finds its own log of the request.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }

    /// When to ask again, if that can help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The claims that are asked for, as JSON text.
    #[must_use]
    pub fn claims(&self) -> Option<&str> {
        self.0.claims.as_deref()
    }

    /// Whether it can pass by itself.
    pub(super) fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// How long it is remembered: as the token endpoint asks, from 1 s to 1 h; 5 s if it does not.
    pub(super) fn remembered_for(&self) -> Duration {
        let asked = self.0.retry_after.unwrap_or(Duration::from_secs(5));
        asked.clamp(Duration::from_secs(1), Duration::from_secs(60 * 60))
    }

    /// The same failure, asked for again when this time of it is left. It names a time only if it can
    /// pass by itself or named one before.
    pub(super) fn with_time_left(&self, left: Duration) -> Self {
        let failure = &*self.0;
        let names_a_time = failure.is_transient || failure.retry_after.is_some();
        Self::new(Failure {
            retry_after: names_a_time.then_some(left),
            ..failure.clone()
        })
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl StdError for AcquireError {}
