//! The numbers of Entra's error codes, in rows of one meaning.
//!
//! [Microsoft's list](https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes) says
//! that the numbers can change, so they choose the kind of an error only where HTTP status, `suberror` and
//! `claims` have not, and a number that is in no row leaves it to `error`.

use crate::acquire::kind::AcquireErrorKind;

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// The client's credential is wrong, expired or revoked.
    Credential,
    /// There is no credential, or there are two.
    NoCredential,
    /// The client's own assertion is outside of its time.
    AssertionTime,
    /// No federated credential of the app fits the assertion, or none may.
    Federation,
    /// The token that is to be exchanged is refused.
    Presented,
    /// An app, a tenant or a resource is unknown or disabled.
    Principal,
    /// A rule for agents.
    AgentRule,
    Consent,
    /// The user or the app is not assigned to the resource's app.
    Assignment,
    Policy,
    StepUp,
    /// The user is unknown or disabled.
    User,
    /// The grant is revoked or has expired.
    Grant,
    Scope,
    /// Another cloud, or another form of tenant.
    Place,
    Transient,
    Throttled,
    /// The same request was sent too often.
    Loop,
    /// `server_error`, which a wrong request brings about, too.
    Unclear,
}

impl Row {
    pub(super) const fn of(code: u32) -> Option<Self> {
        Some(match code {
            70_002 | 700_027 | 700_030 | 1_000_502 | 7_000_214 | 7_000_215 | 7_000_222
            | 7_000_274 | 7_000_277 => Self::Credential,
            700_025 | 900_144 | 7_000_216 | 7_000_218 | 9_002_324 => Self::NoCredential,
            700_024 => Self::AssertionTime,
            70_021
            | 700_211..=700_213
            | 700_222
            | 700_226
            | 700_227
            | 700_229
            | 700_231
            | 700_236
            | 7_002_121
            | 7_002_131
            | 7_002_206 => Self::Federation,
            50_013 | 50_027 | 500_131 | 500_133 => Self::Presented,
            70_001 | 90_002 | 500_011 | 650_052 | 700_016 | 7_000_112 | 7_000_229 => {
                Self::Principal
            }
            82_000..=82_999 | 7_000_114 => Self::AgentRule,
            65_001 | 90_094 | 650_056 | 650_057 => Self::Consent,
            50_105 | 501_051 => Self::Assignment,
            50_131 | 53_000..=53_999 | 530_000..=530_999 => Self::Policy,
            50_072 | 50_074 | 50_076 | 50_079 | 50_158 => Self::StepUp,
            50_020 | 50_034 | 50_057 | 51_004 => Self::User,
            50_132 | 50_133 | 50_173 | 70_000 | 70_008 | 70_043 | 700_082 => Self::Grant,
            70_011 | 650_053 | 700_022 | 700_023 | 901_002 | 1_002_012 => Self::Scope,
            50_194 | 90_038 | 900_382 | 900_432 | 9_001_023 => Self::Place,
            50_033 | 50_087 | 90_006 | 90_012 | 90_024 | 90_033 | 90_090 => Self::Transient,
            90_055 => Self::Throttled,
            50_196 => Self::Loop,
            50_000 => Self::Unclear,
            _ => return None,
        })
    }

    /// `is_callers` says that what is exchanged is the token of a caller, who can send another.
    pub(super) const fn kind(self, is_callers: bool) -> AcquireErrorKind {
        match self {
            Self::Presented | Self::Grant if is_callers => AcquireErrorKind::AssertionRefused,
            Self::Credential
            | Self::NoCredential
            | Self::AssertionTime
            | Self::Federation
            | Self::Presented
            | Self::Grant => AcquireErrorKind::CredentialRefused,
            Self::Principal | Self::Scope | Self::Place => AcquireErrorKind::Misconfigured,
            Self::AgentRule | Self::Assignment | Self::Policy | Self::User => {
                AcquireErrorKind::NotAllowed
            }
            Self::Consent => AcquireErrorKind::ConsentRequired,
            Self::StepUp => AcquireErrorKind::InteractionRequired,
            Self::Throttled | Self::Loop => AcquireErrorKind::Throttled,
            Self::Transient | Self::Unclear => AcquireErrorKind::Unavailable,
        }
    }

    /// Whether it is about what was consented to, a policy or the user: a newly made T1 or T2 would be
    /// answered alike.
    pub(super) const fn is_of_the_user(self) -> bool {
        matches!(
            self,
            Self::Consent | Self::Assignment | Self::Policy | Self::StepUp | Self::User
        )
    }
}

/// Whether a certificate or a file that has been replaced since it was read is answered by this: the codes
/// on which
/// [Microsoft.Identity.Web](https://github.com/AzureAD/microsoft-identity-web) reads its credentials again.
pub(super) const fn is_of_rotation(code: u32) -> bool {
    matches!(
        code,
        700_024 | 700_027 | 1_000_502 | 7_000_214 | 7_000_274 | 7_000_277
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_refused_is_the_callers_only_where_a_caller_has_sent_it() {
        for code in [500_133, 50_013, 50_173] {
            let row = Row::of(code).expect("a row");
            assert_eq!(row.kind(true), AcquireErrorKind::AssertionRefused);
            assert_eq!(row.kind(false), AcquireErrorKind::CredentialRefused);
        }
    }

    #[test]
    fn whole_ranges_are_policies_and_rules_for_agents() {
        for code in [53_000, 53_003, 53_999, 530_032, 50_131] {
            assert_eq!(Row::of(code), Some(Row::Policy), "{code}");
        }
        for code in [82_001, 82_999, 7_000_114] {
            assert_eq!(Row::of(code), Some(Row::AgentRule), "{code}");
        }
        for code in [0, 52_999, 54_000, 81_999, 83_000, 529_999, 531_000] {
            assert_eq!(Row::of(code), None, "{code}");
        }
    }
}
