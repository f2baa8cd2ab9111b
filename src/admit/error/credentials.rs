//! How the credentials of a request can be wrong: check 1.

use std::{borrow::Cow, fmt};

use super::{ErrorKind, hints};
use crate::admit::token_header::TokenHeader;

/// Why a request holds no bearer token, and which header was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongCredentials {
    pub(crate) fault: CredentialsFault,
    pub(crate) header: TokenHeader,
}

/// Why the headers that carry a token hold none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialsFault {
    Missing(Presented),
    Several(usize),
    Malformed(AuthorizationFault),
}

/// What was presented instead of a bearer token. Names of schemes are thin references, so that an error is
/// small enough to be returned by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    Nothing,
    Empty,
    /// A scheme whose tokens are bound to a key.
    ProofOfPossession(&'static &'static str),
    /// Another scheme, known by its name.
    Scheme(&'static &'static str),
    /// An unknown scheme is not shown: it may be a secret that lacks one.
    OtherScheme,
    TokenWithoutScheme,
    /// How Excel and Power Query ask where to sign in.
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
}

impl WrongCredentials {
    pub(super) fn hint(&self) -> &'static str {
        let is_default = self.header == TokenHeader::Authorization;
        match self.fault {
            CredentialsFault::Missing(
                Presented::Nothing | Presented::Empty | Presented::NoToken,
            ) => hint_to_send_a_token(&self.header),
            CredentialsFault::Missing(Presented::ProofOfPossession(_)) => {
                hints::PROOF_OF_POSSESSION
            }
            CredentialsFault::Missing(Presented::Scheme(_) | Presented::OtherScheme) => {
                hints::OTHER_SCHEME
            }
            CredentialsFault::Missing(Presented::TokenWithoutScheme) if is_default => {
                hints::NO_WORD
            }
            CredentialsFault::Missing(Presented::TokenWithoutScheme) => hints::NO_WORD_ELSEWHERE,
            CredentialsFault::Malformed(AuthorizationFault::TwoSchemes) if is_default => {
                hints::ONE_SCHEME
            }
            CredentialsFault::Malformed(AuthorizationFault::TwoSchemes) => {
                hints::ONE_SCHEME_ELSEWHERE
            }
            CredentialsFault::Several(_) if !is_default => hints::ONE_HEADER_ELSEWHERE,
            CredentialsFault::Several(_) | CredentialsFault::Malformed(_) => {
                hints::of_kind(self.fault.kind())
            }
        }
    }
}

impl fmt::Display for WrongCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.header;
        let presented = match self.fault {
            CredentialsFault::Missing(presented) => presented,
            CredentialsFault::Several(count) => return write!(f, "there are {count}"),
            CredentialsFault::Malformed(fault) => return fault.fmt(f),
        };
        match presented {
            Presented::Nothing => write!(f, "there is no {header} header"),
            Presented::Empty => write!(f, "the {header} header is empty"),
            Presented::ProofOfPossession(scheme) | Presented::Scheme(scheme) => {
                write!(f, "the scheme of the {header} header is {scheme}")
            }
            Presented::OtherScheme => write!(f, "the scheme of the {header} header is not Bearer"),
            Presented::TokenWithoutScheme => {
                write!(f, "the {header} header has a token without the word Bearer")
            }
            Presented::NoToken => f.write_str("nothing follows the word Bearer"),
        }
    }
}

/// The text of a kind where tokens are read from this header.
pub(crate) fn description(kind: ErrorKind, header: &TokenHeader) -> Cow<'static, str> {
    match (kind, header) {
        (_, TokenHeader::Authorization) => kind.description().into(),
        (ErrorKind::MultipleCredentials, header) => format!("more than one {header} header").into(),
        (ErrorKind::MalformedAuthorization, header) => {
            format!("the {header} header is malformed").into()
        }
        _ => kind.description().into(),
    }
}

/// For a request without a token, where tokens are read from this header.
pub(crate) fn hint_to_send_a_token(header: &TokenHeader) -> &'static str {
    match header {
        TokenHeader::Authorization => hints::SEND_A_TOKEN,
        TokenHeader::Other(_) => hints::SEND_A_TOKEN_ELSEWHERE,
    }
}
