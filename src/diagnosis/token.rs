//! What was wrong with a token before anybody looked for its key.

use std::fmt;

use super::{Brief, Diagnosis, Facts, hints};
use crate::{
    algorithm::SignatureAlgorithm,
    error::{Error, ErrorKind},
    flaw::{Flaw, JsonType},
    shown::Shown,
    token::Value,
};

/// How a text differs from three segments of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The place of a word in [`WORDS`].
    Word(usize),
    /// It has this many dots.
    Dots(usize),
    /// The place of an empty segment.
    Empty(usize),
    /// The place of a segment that is not canonical base64url.
    Encoding(usize),
}

/// What is wrong with `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyIdFault {
    Absent,
    Not(JsonType),
    /// A text of this many bytes.
    Length(usize),
}

/// A set of algorithms that may be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed([Option<SignatureAlgorithm>; 3]);

#[cold]
pub(crate) fn malformed_header(flaw: Flaw) -> Error {
    let diagnosis = Diagnosis::full(hints::BAD_HEADER, Facts::Object(flaw));
    Error::new(ErrorKind::MalformedHeader, diagnosis)
}

#[cold]
pub(crate) fn invalid_key_id(fault: KeyIdFault) -> Error {
    Error::new(
        ErrorKind::InvalidKeyId,
        Diagnosis::Brief(Brief::KeyId(fault)),
    )
}

#[cold]
pub(crate) fn unsupported_header(name: &'static str) -> Error {
    Error::new(
        ErrorKind::UnsupportedHeader,
        Diagnosis::Brief(Brief::Unsupported(name)),
    )
}

/// Allocates nothing for an algorithm that has a name.
#[cold]
pub(crate) fn algorithm_not_allowed(
    alg: Option<Value<'_>>,
    allowed: &[SignatureAlgorithm],
) -> Error {
    let allowed = Allowed::of(allowed);
    let known = match &alg {
        Some(Value::Text(name)) => ALGORITHMS.iter().find(|known| *known == name).copied(),
        _ => None,
    };
    let diagnosis = match (alg, known) {
        (None, _) => Diagnosis::Brief(Brief::Algorithm(None, allowed)),
        (Some(_), Some(known)) => Diagnosis::Brief(Brief::Algorithm(Some(known), allowed)),
        (Some(alg), None) => {
            let hint = match &alg {
                Value::Text(name) => algorithm_hint(Some(name)),
                _ => hints::ALGORITHM,
            };
            Diagnosis::full(hint, Facts::Algorithm(ShownOrType::of(&alg), allowed))
        }
    };
    Error::new(ErrorKind::AlgorithmNotAllowed, diagnosis)
}

/// What Entra never writes is never to be listed.
pub(super) fn algorithm_hint(name: Option<&str>) -> &'static str {
    let is_unsigned_or_shared = name.is_none_or(|name| {
        let start = name.get(..2).unwrap_or_default();
        name.eq_ignore_ascii_case("none") || start.eq_ignore_ascii_case("HS")
    });
    if is_unsigned_or_shared {
        hints::FORGED
    } else {
        hints::ALGORITHM
    }
}

#[cold]
pub(crate) fn unsupported_type(typ: &Value<'_>) -> Error {
    let is_proof = |typ: &str| {
        ["dpop+jwt", "pop"]
            .iter()
            .any(|own| typ.eq_ignore_ascii_case(own))
    };
    let hint = match typ {
        Value::Text(typ) if is_proof(typ) => hints::PROOF_AS_TOKEN,
        _ => hints::TOKEN_TYPE,
    };
    let facts = Facts::Type(ShownOrType::of(typ));
    Error::new(
        ErrorKind::UnsupportedTokenType,
        Diagnosis::full(hint, facts),
    )
}

/// A text, or the type of what is there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShownOrType {
    Shown(Shown),
    Type(JsonType),
}

impl fmt::Display for ShownOrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown(shown) => shown.fmt(f),
            Self::Type(found) => f.write_str(found.as_str()),
        }
    }
}

impl ShownOrType {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Shown(Shown::of(text)),
            other => Self::Type(other.kind()),
        }
    }
}

impl Shape {
    /// Of a text that has not three segments.
    #[cold]
    pub(crate) fn of(token: &str) -> Self {
        let word = WORDS
            .iter()
            .position(|word| token.eq_ignore_ascii_case(word));
        let dots = || token.bytes().filter(|byte| *byte == b'.').count();
        word.map_or_else(|| Self::Dots(dots()), Self::Word)
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Word(_) => hints::UNSET_VARIABLE,
            Self::Dots(_) | Self::Empty(_) | Self::Encoding(_) => hints::NOT_A_JWT,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |at: usize| PARTS.get(at).copied().unwrap_or("end");
        match *self {
            Self::Word(at) => match WORDS.get(at) {
                None | Some(&"") => f.write_str("it is empty"),
                Some(word) => write!(f, "it is the word {word}"),
            },
            Self::Dots(dots) => write!(f, "dots in it: {dots}, where a token has two"),
            Self::Empty(at) => write!(f, "its {} is empty", part(at)),
            Self::Encoding(at) => write!(
                f,
                "its {} is not base64url, or not spelt as it must be (no padding)",
                part(at)
            ),
        }
    }
}

impl fmt::Display for KeyIdFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is no kid"),
            Self::Not(found) => write!(f, "kid is {} instead of a string", found.as_str()),
            Self::Length(0) => f.write_str("kid is empty"),
            Self::Length(bytes) => write!(f, "kid is {bytes} bytes long"),
        }
    }
}

impl Allowed {
    fn of(algorithms: &[SignatureAlgorithm]) -> Self {
        let mut allowed = [None; 3];
        for (slot, algorithm) in allowed.iter_mut().zip(algorithms) {
            *slot = Some(*algorithm);
        }
        Self(allowed)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, algorithm) in self.0.iter().flatten().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{algorithm}")?;
        }
        Ok(())
    }
}

/// What clients send when they have no token: [`Shape::Word`].
const WORDS: [&str; 6] = ["", "null", "undefined", "none", "nil", "token"];

/// The segments of a token, by what they hold.
const PARTS: [&str; 3] = [
    "first part (header)",
    "second part (claims)",
    "third part (signature)",
];

/// The registered names for signing and for keys:
/// [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.1).
const ALGORITHMS: [&str; 21] = [
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
