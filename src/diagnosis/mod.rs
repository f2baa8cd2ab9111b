//! Why was a request refused, in words for the operator of the API?
//!
//! The checks name the kind of an error and nothing more. After a refusal, and only then, what is
//! in here looks at the same facts once more and keeps a few of them with the error: escaped, short,
//! few, and of a closed list of claims (`aud`, `iss`, `tid`, `ver`, `idp`, `kid`, `alg`, `typ`, dates) and
//! names of members. Nothing in here decides anything, and nothing of it reaches a client.

mod hints;

mod credentials;

mod token;

mod keys;

mod claims;

mod issuer;

mod audience;

mod date;

use std::{fmt, sync::Arc, time::Duration};

pub(crate) use self::{
    claims::{Circumstances, Contradiction, Refused, refused_claims, refused_dates, refused_grant},
    credentials::refused_credentials,
    hints::ASK_FOR_FACETS,
    keys::{bad_signature, missing_key},
    token::{
        KeyIdFault, Shape, algorithm_not_allowed, invalid_key_id, malformed_header,
        unsupported_header, unsupported_type,
    },
};
use self::{
    claims::{
        DateFault, IdTokenMark, NoGrant, WrongAudience, WrongIssuer, WrongKey, WrongName,
        WrongTenant, WrongTime,
    },
    credentials::{HeaderFault, Presented},
    keys::{BadSignature, NoKeys, UnknownKey},
    token::{Allowed, ShownOrType, algorithm_hint},
};
use crate::{
    error::{Error, ErrorKind},
    flaw::{Flaw, WrongType},
    requirement::Denial,
};

/// What there is to say about a refusal besides its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    #[default]
    Nothing,
    Brief(Brief),
    Full(Arc<Full>),
}

/// What takes no memory of its own: all that a stranger can bring about with next to no effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brief {
    Presented(Presented),
    /// How many `Authorization` headers there were.
    Headers(usize),
    HeaderFault(HeaderFault),
    Size {
        bytes: usize,
        limit: usize,
    },
    Shape(Shape),
    Algorithm(Option<&'static str>, Allowed),
    KeyId(KeyIdFault),
    /// A member of the header.
    Unsupported(&'static str),
    DateFault(DateFault),
    WrongTime(WrongTime),
    /// The clock of this machine tells nothing.
    NoClock,
    IdToken(IdTokenMark),
    Contradiction(Contradiction),
    NoGrant(NoGrant),
}

/// Facts and what to change about them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full {
    hint: &'static str,
    facts: Facts,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Facts {
    Object(Flaw),
    Algorithm(ShownOrType, Allowed),
    Type(ShownOrType),
    UnknownKey(UnknownKey),
    NoKeys(NoKeys),
    BadSignature(BadSignature),
    WrongName(WrongName),
    WrongIssuer(WrongIssuer),
    WrongTenant(WrongTenant),
    WrongKey(WrongKey),
    WrongAudience(WrongAudience),
    /// What the denial says.
    Denied(Box<str>),
}

impl Diagnosis {
    fn full(hint: &'static str, facts: Facts) -> Self {
        Self::Full(Arc::new(Full { hint, facts }))
    }

    /// The same facts with another hint.
    fn with_hint(self, hint: &'static str) -> Self {
        match self {
            Self::Full(mut full) => {
                if let Some(full) = Arc::get_mut(&mut full) {
                    full.hint = hint;
                }
                Self::Full(full)
            }
            other => other,
        }
    }

    /// When to try again, if it is keys that were missing.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full(full) => match &full.facts {
                Facts::NoKeys(no_keys) => Some(no_keys.retry_after),
                _ => None,
            },
            Self::Brief(_) | Self::Nothing => None,
        }
    }

    /// What to change.
    pub(crate) fn hint(&self, kind: ErrorKind) -> &'static str {
        match self {
            Self::Full(full) => full.hint,
            Self::Brief(Brief::Presented(presented)) => presented.hint(),
            Self::Brief(Brief::Shape(shape)) => shape.hint(),
            Self::Brief(Brief::Algorithm(name, _)) => algorithm_hint(*name),
            Self::Brief(Brief::WrongTime(time)) => time.hint(kind),
            Self::Brief(Brief::NoClock) => hints::CLOCK_BEFORE_1970,
            Self::Brief(Brief::NoGrant(grant)) => grant.hint(),
            Self::Brief(_) | Self::Nothing => hints::of_kind(kind),
        }
    }
}

/// A refusal by a requirement or a handler. The text of a denial is the operator's own.
#[cold]
pub(crate) fn denied(denial: &Denial) -> Error {
    let kind = denial.error_kind();
    let text = denial.to_string();
    if text == kind.description() {
        return kind.into();
    }
    let hint = denial.hint().unwrap_or_else(|| hints::of_kind(kind));
    Error::new(kind, Diagnosis::full(hint, Facts::Denied(text.into())))
}

/// What to look for if these claims are not in their form.
pub(crate) fn hint_about_form(malformed: &[WrongType]) -> &'static str {
    let facets = ["xms_act_fct", "xms_sub_fct", "xms_tnt_fct", "xms_idrel"];
    if malformed.iter().any(|wrong| facets.contains(&wrong.name)) {
        hints::INFORMING_FORM
    } else {
        hints::OTHER_FORM
    }
}

/// Shows as the second half of a line; nothing, if there is nothing to be said.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Brief(brief) => write!(f, ": {brief}"),
            Self::Full(full) => write!(f, ": {}", full.facts),
        }
    }
}

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Presented(presented) => presented.fmt(f),
            Self::Headers(count) => write!(f, "there are {count}"),
            Self::HeaderFault(fault) => fault.fmt(f),
            Self::Size { bytes, limit } => {
                write!(f, "it is {bytes} bytes long; the limit is {limit}")
            }
            Self::Shape(shape) => shape.fmt(f),
            Self::Algorithm(Some(name), allowed) => {
                write!(f, "alg is \"{name}\"; this API accepts {allowed}")
            }
            Self::Algorithm(None, allowed) => {
                write!(f, "there is no alg; this API accepts {allowed}")
            }
            Self::KeyId(fault) => fault.fmt(f),
            Self::Unsupported(name) => write!(f, "the header has {name}"),
            Self::DateFault(fault) => fault.fmt(f),
            Self::WrongTime(time) => time.fmt(f),
            Self::NoClock => f.write_str("the clock of this machine stands before 1970"),
            Self::IdToken(mark) => mark.fmt(f),
            Self::Contradiction(contradiction) => contradiction.fmt(f),
            Self::NoGrant(grant) => grant.fmt(f),
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(flaw) => flaw.fmt(f),
            Self::Algorithm(alg, allowed) => {
                write!(f, "alg is {alg}; this API accepts {allowed}")
            }
            Self::Type(typ) => write!(f, "typ is {typ}; an access token has JWT or at+jwt"),
            Self::UnknownKey(facts) => facts.fmt(f),
            Self::NoKeys(facts) => facts.fmt(f),
            Self::BadSignature(facts) => facts.fmt(f),
            Self::WrongName(facts) => facts.fmt(f),
            Self::WrongIssuer(facts) => facts.fmt(f),
            Self::WrongTenant(facts) => facts.fmt(f),
            Self::WrongKey(facts) => facts.fmt(f),
            Self::WrongAudience(facts) => facts.fmt(f),
            Self::Denied(text) => f.write_str(text),
        }
    }
}
