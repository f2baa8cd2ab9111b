//! How a token can be of the wrong nature: checks 11 and 13.

use std::fmt;

use super::hints;
use crate::admit::values::TokenVersion;

/// By what an ID token is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdTokenMark {
    /// A claim that only ID tokens have, and no scope.
    Claim,
    /// Neither scope nor client.
    NoClient(TokenVersion),
}

/// Two claims that cannot both be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    #[error("azp and appid name different applications")]
    Clients,
    #[error("idtyp is app, and there is a scope, which only users delegate")]
    AppWithScope,
    #[error("idtyp is app, and xms_sub_fct says that the subject is a user")]
    AppIsAgentUser,
    #[error("idtyp is app and xms_act_fct says that an agent acts, which xms_sub_fct does not")]
    AgentIsNotItsSubject,
    #[error("xms_sub_fct says that the subject is an agent, and idtyp says user")]
    AgentIsUser,
    #[error("xms_sub_fct says that an agent acts for itself, and there is a scope")]
    AgentWithScope,
}

/// What a token that grants nothing lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoGrant {
    #[error("it is app-only and has no roles")]
    AppOnly,
    #[error("it is not app-only, and has neither a scope nor roles")]
    Delegated,
}

impl NoGrant {
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::AppOnly => hints::NO_ROLE,
            Self::Delegated => hints::NO_SCOPE,
        }
    }
}

impl fmt::Display for IdTokenMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim => {
                f.write_str("it has nonce, at_hash or c_hash, as only ID tokens do, and no scope")
            }
            Self::NoClient(version) => {
                let claim = version.client_claim();
                write!(
                    f,
                    "it has no scope, and neither azp nor appid: an access token of version \
                     {version} names its client in {claim}"
                )
            }
        }
    }
}
