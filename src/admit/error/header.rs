//! How the header of a token can be wrong: check 3.

use std::{fmt, sync::Arc};

use super::{ErrorKind, Flaw, JsonType, hints};
use crate::{admit::algorithm::SignatureAlgorithm, shown::Shown};

/// Why a header is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderFault {
    #[error("{0}")]
    Malformed(Arc<Flaw>),
    #[error("{found}; this API accepts {allowed}")]
    Algorithm {
        found: FoundAlgorithm,
        allowed: AllowedAlgorithms,
    },
    #[error(transparent)]
    KeyId(KeyIdFault),
    #[error("typ is {0}; an access token has JWT or at+jwt")]
    TokenType(Arc<ShownOrType>),
    /// A parameter that asks for what this crate does not do.
    #[error("the header has {0}")]
    Parameter(&'static str),
}

/// What `alg` is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FoundAlgorithm {
    #[error("there is no alg")]
    Absent,
    /// A registered name.
    #[error("alg is \"{0}\"")]
    Registered(&'static str),
    #[error("alg is {0}")]
    Other(Arc<ShownOrType>),
}

/// What is wrong with `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyIdFault {
    #[error("there is no kid")]
    Absent,
    #[error("kid is {0} instead of a string")]
    Not(JsonType),
    #[error("kid is empty")]
    Empty,
    #[error("kid is {0} bytes long")]
    TooLong(usize),
}

/// A text, or the type of what is there instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShownOrType {
    #[error("{0}")]
    Shown(Shown),
    #[error("{0}")]
    Type(JsonType),
}

/// The algorithms that are configured: a set without memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AllowedAlgorithms([Option<SignatureAlgorithm>; 3]);

impl HeaderFault {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed(_) => ErrorKind::MalformedHeader,
            Self::Algorithm { .. } => ErrorKind::AlgorithmNotAllowed,
            Self::KeyId(_) => ErrorKind::InvalidKeyId,
            Self::TokenType(_) => ErrorKind::UnsupportedTokenType,
            Self::Parameter(_) => ErrorKind::UnsupportedHeader,
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Algorithm { found, .. } if found.is_unsigned_or_shared() => hints::FORGED,
            Self::TokenType(typ) if typ.is_one_of(&["dpop+jwt", "pop"]) => hints::PROOF_AS_TOKEN,
            _ => hints::of_kind(self.kind()),
        }
    }
}

impl FoundAlgorithm {
    /// The registered name itself, or else an escaped text.
    pub(crate) fn of(name: &str) -> Self {
        match REGISTERED.iter().find(|registered| **registered == name) {
            Some(registered) => Self::Registered(registered),
            None => Self::Other(Arc::new(ShownOrType::Shown(Shown::of(name)))),
        }
    }

    /// Entra signs every token with a key of its own, so none of these can be one of Entra's.
    fn is_unsigned_or_shared(&self) -> bool {
        let name = match self {
            Self::Absent => return true,
            Self::Registered(name) => name,
            Self::Other(other) => match &**other {
                ShownOrType::Shown(name) => name.as_str(),
                ShownOrType::Type(_) => return false,
            },
        };
        let start = name.get(..2).unwrap_or_default();
        name.eq_ignore_ascii_case("none") || start.eq_ignore_ascii_case("HS")
    }
}

impl ShownOrType {
    fn is_one_of(&self, names: &[&str]) -> bool {
        match self {
            Self::Shown(shown) => names
                .iter()
                .any(|name| shown.as_str().eq_ignore_ascii_case(name)),
            Self::Type(_) => false,
        }
    }
}

impl AllowedAlgorithms {
    pub(crate) fn of(algorithms: &[SignatureAlgorithm]) -> Self {
        let mut allowed = [None; 3];
        for (slot, algorithm) in allowed.iter_mut().zip(algorithms) {
            *slot = Some(*algorithm);
        }
        Self(allowed)
    }
}

impl fmt::Display for AllowedAlgorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, algorithm) in self.0.iter().flatten().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{algorithm}")?;
        }
        Ok(())
    }
}

/// The registered names for signing and for keys:
/// [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.1).
const REGISTERED: [&str; 21] = [
    "none",
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "ES256K",
    "EdDSA",
    "dir",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "ECDH-ES",
];
