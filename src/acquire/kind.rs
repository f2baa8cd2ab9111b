//! What kind of failure an acquisition ended in.

use std::fmt;

/// What kind of failure an acquisition ended in, and so what the caller is answered.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireErrorKind {
    /// Consent is missing: the suberror is `consent_required`.
    ConsentRequired,
    /// The user must do something first: `interaction_required`, or the answer has `claims`.
    InteractionRequired,
    /// The inbound token cannot be exchanged: it is expired, app-only, or not for this app.
    AssertionRefused,
    /// A policy, an assignment or a rule for agents forbids it.
    NotAllowed,
    /// The client's own credential, or its federation, is refused.
    CredentialRefused,
    /// App, tenant, resource or scope are unknown, or the request was refused before it was sent.
    Misconfigured,
    /// Entra throttles this client.
    Throttled,
    /// There are too many acquisitions at once in this process.
    Busy,
    /// There was no answer, 5xx, or an answer that is none.
    Unavailable,
    /// The answer is a token of another identity than the one asked for.
    IdentityMismatch,
}

impl AcquireErrorKind {
    /// Every kind, for the series of metrics.
    pub(super) const ALL: [Self; 10] = [
        Self::ConsentRequired,
        Self::InteractionRequired,
        Self::AssertionRefused,
        Self::NotAllowed,
        Self::CredentialRefused,
        Self::Misconfigured,
        Self::Throttled,
        Self::Busy,
        Self::Unavailable,
        Self::IdentityMismatch,
    ];

    /// A stable code: it changes only with a major version.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AssertionRefused => "assertion_refused",
            Self::NotAllowed => "not_allowed",
            Self::CredentialRefused => "credential_refused",
            Self::Misconfigured => "misconfigured",
            Self::Throttled => "throttled",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::IdentityMismatch => "identity_mismatch",
        }
    }
}

impl fmt::Display for AcquireErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
