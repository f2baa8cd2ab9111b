//! How the credentials of a request can be wrong: check 1.

use super::{ErrorKind, hints};

/// Why the `Authorization` headers hold no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsFault {
    #[error(transparent)]
    Missing(Presented),
    #[error("there are {0}")]
    Several(usize),
    #[error(transparent)]
    Malformed(AuthorizationFault),
}

/// What was presented instead of a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Presented {
    #[error("there is no Authorization header")]
    Nothing,
    #[error("the Authorization header is empty")]
    Empty,
    /// A scheme whose tokens are bound to a key.
    #[error("the scheme of the Authorization header is {0}")]
    ProofOfPossession(&'static str),
    /// Another scheme, known by its name.
    #[error("the scheme of the Authorization header is {0}")]
    Scheme(&'static str),
    /// An unknown scheme is not shown: it may be a secret that lacks one.
    #[error("the scheme of the Authorization header is not Bearer")]
    OtherScheme,
    #[error("the Authorization header has a token without the word Bearer")]
    TokenWithoutScheme,
    /// How Excel and Power Query ask where to sign in.
    #[error("nothing follows the word Bearer")]
    NoToken,
}

/// What is wrong with a header that may have been meant to carry a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthorizationFault {
    #[error("it begins with white space")]
    LeadingSpace,
    #[error("it has a tab")]
    Tab,
    #[error("it does not begin with the word Bearer and a space")]
    Scheme,
    #[error("credentials of two schemes in one header")]
    TwoSchemes,
    #[error("the word Bearer appears twice")]
    BearerTwice,
    #[error("more than one token or white space follows the word Bearer")]
    SeveralWords,
    #[error("the token is in quotes")]
    Quoted,
    #[error("the token has a character that no token has")]
    Character,
}

impl CredentialsFault {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::Missing(_) => ErrorKind::MissingToken,
            Self::Several(_) => ErrorKind::MultipleCredentials,
            Self::Malformed(_) => ErrorKind::MalformedAuthorization,
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Missing(Presented::Nothing | Presented::Empty | Presented::NoToken) => {
                hints::SEND_A_TOKEN
            }
            Self::Missing(Presented::ProofOfPossession(_)) => hints::PROOF_OF_POSSESSION,
            Self::Missing(Presented::Scheme(_) | Presented::OtherScheme) => hints::OTHER_SCHEME,
            Self::Missing(Presented::TokenWithoutScheme) => hints::NO_WORD,
            Self::Malformed(AuthorizationFault::TwoSchemes) => hints::ONE_SCHEME,
            Self::Several(_) | Self::Malformed(_) => hints::of_kind(self.kind()),
        }
    }
}
