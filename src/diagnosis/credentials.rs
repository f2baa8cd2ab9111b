//! What was wrong with the `Authorization` headers of a request.

use std::fmt;

use http::{HeaderMap, header::AUTHORIZATION};

use super::{Brief, Diagnosis, hints};
use crate::error::{Error, ErrorKind};

/// What came instead of a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    Nothing,
    /// The place of a scheme in [`SCHEMES`].
    Scheme(usize),
    OtherScheme,
}

/// What is wrong with a header of the scheme `Bearer`, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    LeadingSpace,
    Tab,
    NoToken,
    BearerTwice,
    SeveralWords,
    Quoted,
    Character,
}

/// Looks at the headers of a request that was refused because of them.
#[cold]
pub(crate) fn refused_credentials(kind: ErrorKind, headers: &HeaderMap) -> Error {
    let value = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let brief = match kind {
        ErrorKind::MissingToken => Brief::Presented(Presented::of(value)),
        ErrorKind::MultipleCredentials => {
            Brief::Headers(headers.get_all(AUTHORIZATION).iter().count())
        }
        ErrorKind::MalformedAuthorization => {
            Brief::HeaderFault(HeaderFault::of(value.unwrap_or_default()))
        }
        _ => return kind.into(),
    };
    Error::new(kind, Diagnosis::Brief(brief))
}

impl Presented {
    fn of(value: Option<&[u8]>) -> Self {
        let Some(value) = value else {
            return Self::Nothing;
        };
        let scheme = value.split(|byte| *byte == b' ' || *byte == b'\t').next();
        let scheme = scheme.unwrap_or_default();
        SCHEMES
            .iter()
            .position(|(name, _)| scheme.eq_ignore_ascii_case(name.as_bytes()))
            .map_or(Self::OtherScheme, Self::Scheme)
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Nothing => hints::SEND_A_TOKEN,
            Self::Scheme(at) => SCHEMES
                .get(at)
                .map_or(hints::OTHER_SCHEME, |(_, hint)| hint),
            Self::OtherScheme => hints::OTHER_SCHEME,
        }
    }
}

impl fmt::Display for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self {
            Self::Nothing => return f.write_str("there is no Authorization header"),
            Self::Scheme(at) => SCHEMES.get(*at).map_or("another", |(name, _)| name),
            Self::OtherScheme => "another",
        };
        write!(f, "the scheme of the Authorization header is {scheme}")
    }
}

impl HeaderFault {
    fn of(value: &[u8]) -> Self {
        if matches!(value.first(), Some(b' ' | b'\t')) {
            return Self::LeadingSpace;
        }
        if value.contains(&b'\t') {
            return Self::Tab;
        }
        let mut words = value
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        let has_space_at_its_end = value.last() == Some(&b' ');
        match (words.nth(1), words.next()) {
            (None, _) => Self::NoToken,
            (Some(word), Some(_)) if word.eq_ignore_ascii_case(b"Bearer") => Self::BearerTwice,
            (Some(_), Some(_)) => Self::SeveralWords,
            (Some([b'"' | b'\'', ..]), None) => Self::Quoted,
            (Some(_), None) if has_space_at_its_end => Self::SeveralWords,
            (Some(_), None) => Self::Character,
        }
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeadingSpace => "it begins with white space",
            Self::Tab => "it has a tab",
            Self::NoToken => "nothing follows the word Bearer",
            Self::BearerTwice => "the word Bearer stands there twice",
            Self::SeveralWords => "more than one token or white space follows the word Bearer",
            Self::Quoted => "the token stands in quotes",
            Self::Character => "the token has a character that no token has",
        })
    }
}

/// Schemes that are named, each with what to change.
const SCHEMES: [(&str, &str); 7] = [
    ("DPoP", hints::PROOF_OF_POSSESSION),
    ("PoP", hints::PROOF_OF_POSSESSION),
    ("Basic", hints::OTHER_SCHEME),
    ("Digest", hints::OTHER_SCHEME),
    ("Negotiate", hints::OTHER_SCHEME),
    ("NTLM", hints::OTHER_SCHEME),
    ("SharedKey", hints::OTHER_SCHEME),
];
