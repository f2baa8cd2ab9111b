//! Why there is no token.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use crate::{
    acquire::{hints, kind::AcquireErrorKind, no_proof::NoProof},
    http_client::NoAnswer,
    ids::TenantId,
};

/// Why there is no token. Cheap to clone: every caller who waits for one answer gets the same.
///
/// [`Display`](fmt::Display) is one line for the operator's log: what was asked for, what came back, at the
/// end Entra's own text from `AADSTS` on, escaped and cut. No token, secret, assertion or user name is in
/// it, nor in `Debug`. A caller gets none of it: with feature `axum` the error is an answer of its own.
#[derive(Clone)]
pub struct AcquireError(Arc<Failure>);

/// What is known of a failed acquisition. Nothing in it is a secret.
#[derive(Clone)]
pub(super) struct Failure {
    pub(super) kind: AcquireErrorKind,
    /// What was asked, what came back: one line, escaped and cut.
    pub(super) text: Box<str>,
    /// Where in `text` the answer of Entra begins, if it has refused.
    pub(super) answer_at: Option<usize>,
    pub(super) hint: Option<&'static str>,
    /// The first of `error_codes`.
    pub(super) code: Option<u32>,
    pub(super) correlation_id: Option<Box<str>>,
    pub(super) trace_id: Option<Box<str>>,
    /// As the answer names it.
    pub(super) retry_after: Option<Duration>,
    /// The JSON text of a claims challenge.
    pub(super) claims: Option<Arc<str>>,
    /// The tenant of the caller on whose behalf the token was asked for, if its client can answer a
    /// claims challenge.
    pub(super) answerable_in: Option<TenantId>,
    /// Whether it can pass by itself: no connection, a timeout, a throttle, 5xx.
    pub(super) is_transient: bool,
    pub(super) next: Next,
}

/// What the exchange may do at once. By default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    /// Whether the same request is worth one more try after a second.
    pub(super) retries_in_line: bool,
    /// Whether a T1 or T2 that was made a while ago can be the cause.
    pub(super) drops_assertions: bool,
    /// Whether a certificate or a file that has been replaced can be the cause.
    pub(super) rereads_credential: bool,
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
        Self::new(Failure::new(kind, text, hint))
    }

    /// No connection, or none that lasted. `problem` holds no secret.
    pub(super) fn no_answer(
        what: &str,
        problem: &str,
        why: NoAnswer,
        correlation_id: &str,
    ) -> Self {
        let text = format!("{what}: the token endpoint gave no answer: {problem}");
        Self::new(Failure {
            correlation_id: Some(correlation_id.into()),
            is_transient: true,
            next: Next {
                retries_in_line: true,
                ..Next::default()
            },
            ..Failure::new(
                AcquireErrorKind::Unavailable,
                text,
                hints::of_no_answer(why),
            )
        })
    }

    /// No answer in the time of one try, or of a whole flight.
    pub(super) fn timed_out(what: &str, limit: Duration, correlation_id: &str) -> Self {
        let problem = format!("it timed out after {limit:?}");
        Self::no_answer(what, &problem, NoAnswer::TimedOut, correlation_id)
    }

    /// The client cannot prove who it is.
    pub(super) fn no_proof(what: &str, why: &NoProof, correlation_id: &str) -> Self {
        let kind = match why.is_transient {
            true => AcquireErrorKind::Unavailable,
            false => AcquireErrorKind::CredentialRefused,
        };
        let text = format!("{what}: {}", why.problem);
        Self::new(Failure {
            correlation_id: Some(correlation_id.into()),
            is_transient: why.is_transient,
            ..Failure::new(kind, text, why.hint)
        })
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> AcquireErrorKind {
        self.0.kind
    }

    /// What to change, for an operator: one fixed sentence.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// The number of Entra's error code: 65001 for `AADSTS65001`. For words only: Entra may change it.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.0.code
    }

    /// The `client-request-id` of the requests. `None` if there was no request.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// What Entra answered, if it was asked and has refused: the end of [`Display`](fmt::Display), from
    /// `AADSTS` and the number on. Where the answer has no text, it is the status and the error of OAuth.
    /// `None` if there was no answer, or none that is an error of OAuth.
    ///
    /// It is Entra's own text, so it can name apps, tenants and resources. User names, credentials and parts
    /// of the request that are secret are left out.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.0.text.get(self.0.answer_at?..)
    }

    /// The id by which Entra finds its own log of the request.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }

    /// When to ask again, if that can help: for [`Throttled`](AcquireErrorKind::Throttled),
    /// [`Busy`](AcquireErrorKind::Busy) and [`Unavailable`](AcquireErrorKind::Unavailable) what Entra's
    /// `Retry-After` says, from 1 s to 1 h, and 5 s where there is none.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let can_help = matches!(
            self.0.kind,
            AcquireErrorKind::Throttled | AcquireErrorKind::Busy | AcquireErrorKind::Unavailable
        );
        can_help.then(|| self.remembered_for())
    }

    /// The claims that are asked for, as JSON text, if the kind is
    /// [`InteractionRequired`](AcquireErrorKind::InteractionRequired).
    #[must_use]
    pub fn claims(&self) -> Option<&str> {
        self.0.claims.as_deref()
    }
}

/// For the cache and the exchange.
impl AcquireError {
    /// Whether it can pass by itself, so that a token that still lives may serve meanwhile.
    pub(super) fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// Whether the same request is tried once more, after a second: no connection, a timeout, or 5xx
    /// without `Retry-After`.
    pub(super) fn retry_in_line(&self) -> bool {
        self.0.next.retries_in_line
    }

    /// For how long the failure is the answer to further requests for the same token.
    pub(super) fn remembered_for(&self) -> Duration {
        let named = self.0.retry_after.unwrap_or(DEFAULT_RETRY_AFTER);
        named.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
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

    /// Whether a T1 or T2 of the leg, if it was made a while ago, is dropped and the flight tried once more.
    pub(super) fn drops_assertions(&self) -> bool {
        self.0.next.drops_assertions
    }

    /// Whether the client's credential is read again and the request tried once more.
    pub(super) fn rereads_credential(&self) -> bool {
        self.0.next.rereads_credential
    }
}

/// For the answer to a caller.
impl AcquireError {
    /// The claims, and the tenant in which the caller's client can answer them.
    pub(crate) fn answerable_claims(&self) -> Option<(TenantId, &str)> {
        self.0.answerable_in.zip(self.claims())
    }
}

#[cfg(test)]
impl AcquireError {
    pub(crate) fn for_tests(
        kind: AcquireErrorKind,
        claims: Option<&str>,
        answerable_in: Option<TenantId>,
    ) -> Self {
        Self::new(Failure {
            correlation_id: Some("b0b0b0b0-0000-4000-8000-000000000000".into()),
            claims: claims.map(Into::into),
            answerable_in,
            ..Failure::new(kind, "operator's text: AADSTS1: a", "Operator's hint.")
        })
    }

    pub(crate) fn with_retry_after(&self, retry_after: Duration) -> Self {
        Self::new(Failure {
            retry_after: Some(retry_after),
            ..(*self.0).clone()
        })
    }
}

impl Failure {
    pub(super) fn new(
        kind: AcquireErrorKind,
        text: impl Into<Box<str>>,
        hint: &'static str,
    ) -> Self {
        Self {
            kind,
            text: text.into(),
            answer_at: None,
            hint: Some(hint),
            code: None,
            correlation_id: None,
            trace_id: None,
            retry_after: None,
            claims: None,
            answerable_in: None,
            is_transient: false,
            next: Next::default(),
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// Without the claims of a challenge, which belong to one caller.
impl fmt::Debug for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = &self.0;
        f.debug_struct("AcquireError")
            .field("kind", &failure.kind)
            .field("text", &failure.text)
            .field("hint", &failure.hint)
            .field("code", &failure.code)
            .field("correlation_id", &failure.correlation_id)
            .field("trace_id", &failure.trace_id)
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl StdError for AcquireError {}

const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);
/// Zero would have a throttled request sent again at once, without end.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
