//! What was wrong with a token before anybody looked for its key.

use std::{borrow::Cow, fmt};

use base64_simd::{Out, URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    Brief, Diagnosis, Facts, hints,
    json::{Flaw, JsonType, flaw_of_header},
};
use crate::{
    algorithm::SignatureAlgorithm,
    error::{Error, ErrorKind},
    shown::Shown,
    token::TokenRules,
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

/// Looks at a token that did not pass checks 2 and 3. Allocates nothing for what is no token at all,
/// and nothing for an algorithm that has a name.
#[cold]
pub(crate) fn refused_token(kind: ErrorKind, token: &str, rules: &TokenRules) -> Error {
    let diagnosis = match kind {
        ErrorKind::TokenTooLarge => Diagnosis::Brief(Brief::Size {
            bytes: token.len(),
            limit: rules.max_len,
        }),
        ErrorKind::MalformedToken => Diagnosis::Brief(Brief::Shape(Shape::of(token))),
        _ => refused_header(kind, token, rules).unwrap_or_default(),
    };
    Error::new(kind, diagnosis)
}

fn refused_header(kind: ErrorKind, token: &str, rules: &TokenRules) -> Option<Diagnosis> {
    let (segment, _) = token.split_once('.')?;
    // A longer header than this is nobody's, and not worth the memory.
    let mut buffer = [0; MAX_HEADER];
    if segment.len() > MAX_HEADER {
        let is_malformed = kind == ErrorKind::MalformedHeader;
        return is_malformed
            .then(|| Diagnosis::full(hints::BAD_HEADER, Facts::Object(Flaw::TooLong)));
    }
    let json: &[u8] = URL_SAFE_NO_PAD
        .decode(segment.as_bytes(), Out::from_slice(&mut buffer))
        .ok()?;
    if kind == ErrorKind::MalformedHeader {
        let flaw = flaw_of_header(json);
        return Some(Diagnosis::full(hints::BAD_HEADER, Facts::Object(flaw)));
    }
    let header: Header<'_> = serde_json::from_slice(json).ok()?;
    match kind {
        ErrorKind::AlgorithmNotAllowed => Some(algorithm(header.alg, rules)),
        ErrorKind::InvalidKeyId => Some(Diagnosis::Brief(Brief::KeyId(key_id_fault(header.kid)))),
        ErrorKind::UnsupportedTokenType => Some(token_type(header.typ?)),
        ErrorKind::UnsupportedHeader => header
            .unsupported()
            .map(|name| Diagnosis::Brief(Brief::Unsupported(name))),
        _ => None,
    }
}

fn algorithm(alg: Option<&RawValue>, rules: &TokenRules) -> Diagnosis {
    let allowed = Allowed::of(&rules.algorithms);
    let Some(alg) = alg else {
        return Diagnosis::Brief(Brief::Algorithm(None, allowed));
    };
    let plain = alg.get().trim_matches('"');
    match ALGORITHMS.iter().find(|name| **name == plain) {
        Some(name) => Diagnosis::Brief(Brief::Algorithm(Some(name), allowed)),
        None => Diagnosis::full(
            algorithm_hint(Some(plain)),
            Facts::Algorithm(shown(alg), allowed),
        ),
    }
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

fn key_id_fault(kid: Option<&RawValue>) -> KeyIdFault {
    match kid.map(|kid| (kid, JsonType::of(kid))) {
        None => KeyIdFault::Absent,
        Some((kid, JsonType::Text)) => KeyIdFault::Length(text(kid).len()),
        Some((_, found)) => KeyIdFault::Not(found),
    }
}

fn token_type(typ: &RawValue) -> Diagnosis {
    let is_proof = ["dpop+jwt", "pop"]
        .iter()
        .any(|proof| text(typ).eq_ignore_ascii_case(proof));
    let hint = if is_proof {
        hints::PROOF_AS_TOKEN
    } else {
        hints::TOKEN_TYPE
    };
    Diagnosis::full(hint, Facts::Type(shown(typ)))
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

fn shown(value: &RawValue) -> ShownOrType {
    match JsonType::of(value) {
        JsonType::Text => ShownOrType::Shown(Shown::of(&text(value))),
        found => ShownOrType::Type(found),
    }
}

/// The text of a JSON string; of what is none, nothing.
fn text(value: &RawValue) -> Cow<'_, str> {
    serde_json::from_str::<String>(value.get()).map_or(Cow::Borrowed(""), Cow::Owned)
}

/// The members of a header that a refusal can be about.
#[derive(Deserialize)]
struct Header<'j> {
    #[serde(borrow, default, deserialize_with = "present")]
    alg: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    crit: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    b64: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    zip: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    enc: Option<&'j RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    cty: Option<&'j RawValue>,
}

/// A member that is `null` is there all the same.
fn present<'j, D: Deserializer<'j>>(deserializer: D) -> Result<Option<&'j RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Header<'_> {
    fn unsupported(&self) -> Option<&'static str> {
        let members = [
            ("crit", self.crit),
            ("b64", self.b64),
            ("zip", self.zip),
            ("enc", self.enc),
            ("cty", self.cty),
        ];
        members
            .into_iter()
            .find_map(|(name, value)| value.map(|_| name))
    }
}

impl Shape {
    fn of(token: &str) -> Self {
        let is_word = |word: &&str| token.eq_ignore_ascii_case(word);
        if let Some(word) = WORDS.iter().position(is_word) {
            return Self::Word(word);
        }
        let mut parts = token.splitn(4, '.');
        let three = [parts.next(), parts.next(), parts.next()];
        let ([Some(_), Some(_), Some(_)], None) = (three, parts.next()) else {
            return Self::Dots(token.bytes().filter(|byte| *byte == b'.').count());
        };
        let fault = three
            .into_iter()
            .flatten()
            .enumerate()
            .find_map(|(at, part)| {
                if part.is_empty() {
                    Some(Self::Empty(at))
                } else if URL_SAFE_NO_PAD.check(part.as_bytes()).is_err() {
                    Some(Self::Encoding(at))
                } else {
                    None
                }
            });
        fault.unwrap_or(Self::Dots(2))
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

/// The longest header, in characters of base64url, that is looked at.
const MAX_HEADER: usize = 1_024;

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
