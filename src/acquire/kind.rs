//! What kind of failure an acquisition ended in.

use std::fmt;

/// What kind of failure an acquisition ended in. It decides what a caller is answered:
/// [`AcquireError::denial`](super::AcquireError::denial).
///
/// [`as_str`](Self::as_str) is a stable code: it changes only with a major version.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireErrorKind {
    /// The user or an administrator has not consented to the scopes: Entra's `suberror` is
    /// `consent_required`. No new sign-in with claims cures it.
    ConsentRequired,
    /// The user must sign in again: Entra's answer has `claims`, or is `interaction_required`. On behalf of
    /// a caller, that caller is asked; for an agent's user account no person can answer.
    InteractionRequired,
    /// The token to be exchanged is refused: it is expired, revoked, not for this app, or an app's own.
    /// The caller must send another.
    AssertionRefused,
    /// A Conditional Access policy, a missing assignment, a rule for agents, or the state of the user's
    /// account forbids it.
    NotAllowed,
    /// The client cannot prove who it is: its secret, certificate or assertion is wrong, expired or not
    /// there, no federated credential fits, or T1 or T2 is refused.
    CredentialRefused,
    /// The app, tenant, resource or scope is unknown or malformed, by Entra's answer or before a request
    /// was sent.
    Misconfigured,
    /// Entra throttles this client or tenant: status 429, or the same request too often.
    Throttled,
    /// Too many acquisitions are under way at once in this process; nothing was sent.
    Busy,
    /// There was no answer, one with status 5xx, or one that is neither a token nor an error of OAuth.
    Unavailable,
    /// Entra answered with a token of another client, tenant or user than the one asked for, or of another
    /// kind. It was thrown away.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_name_in_snake_case() {
        for (kind, code) in [
            (AcquireErrorKind::ConsentRequired, "consent_required"),
            (AcquireErrorKind::IdentityMismatch, "identity_mismatch"),
        ] {
            assert_eq!((kind.as_str(), &*kind.to_string()), (code, code));
        }
        assert_eq!(format!("{:>6}", AcquireErrorKind::Busy), "  busy");
    }
}
