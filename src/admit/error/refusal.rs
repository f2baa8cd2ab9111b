//! The closed list of refusals. Kind, words and hint follow from it, so they cannot disagree.

use std::{borrow::Cow, fmt, sync::Arc};

use super::{
    BadSignature, Contradiction, DatesFault, ErrorKind, Flaw, HeaderFault, IdTokenMark, NoGrant,
    NoKeys, ShapeFault, UnknownKey, Unverified, WrongAudience, WrongCredentials, WrongProvenance,
    WrongSigner, description, hints,
};

/// What a check refuses, and why. Each variant has the number of its check behind it.
///
/// A refusal by check 1 or 2 allocates nothing, and one by check 3 at most once or twice: a client needs
/// no token to provoke them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Credentials(WrongCredentials),    // 1
    Shape(ShapeFault),                // 2
    Encrypted,                        // 2
    Header(HeaderFault),              // 3
    NoKeys(Arc<NoKeys>),              // 4
    UnknownKey(Arc<UnknownKey>),      // 4
    Signature(Arc<BadSignature>),     // 5
    Claims(Arc<Flaw>),                // 6
    Provenance(Arc<WrongProvenance>), // 7
    Signer(Arc<WrongSigner>),         // 8
    Audience(Arc<WrongAudience>),     // 9
    Dates(DatesFault),                // 10
    IdToken(IdTokenMark),             // 11
    Contradiction(Contradiction),     // 11
    SenderConstrained,                // 12
    NothingGranted(NoGrant),          // 13
    /// By a requirement or a handler, after every check.
    Denied(Arc<DeniedText>),
    /// A kind of which nothing else is known.
    OfKind(ErrorKind),
}

/// What a denial says. The text is the operator's own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeniedText {
    pub(crate) kind: ErrorKind,
    pub(crate) text: Box<str>,
    /// None where the kind's own serves.
    pub(crate) hint: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Credentials(wrong) => wrong.fault.kind(),
            Self::Shape(fault) => fault.kind(),
            Self::Encrypted => ErrorKind::EncryptedToken,
            Self::Header(fault) => fault.kind(),
            Self::NoKeys(_) => ErrorKind::KeysUnavailable,
            Self::UnknownKey(_) => ErrorKind::UnknownKey,
            Self::Signature(bad) => bad.kind(),
            Self::Claims(_) => ErrorKind::MalformedClaims,
            Self::Provenance(wrong) => wrong.fault.kind(),
            Self::Signer(_) => ErrorKind::KeyNotForIssuer,
            Self::Audience(_) => ErrorKind::AudienceMismatch,
            Self::Dates(fault) => fault.kind(),
            Self::IdToken(_) => ErrorKind::IdToken,
            Self::Contradiction(_) => ErrorKind::ContradictoryClaims,
            Self::SenderConstrained => ErrorKind::SenderConstrained,
            Self::NothingGranted(_) => ErrorKind::NothingGranted,
            Self::Denied(denied) => denied.kind,
            Self::OfKind(kind) => *kind,
        }
    }

    /// The text of the kind. For check 1 it names the header that was read.
    pub(crate) fn description(&self) -> Cow<'static, str> {
        match self {
            Self::Credentials(wrong) => description(self.kind(), &wrong.header),
            _ => self.kind().description().into(),
        }
    }

    /// What to change.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Credentials(wrong) => wrong.hint(),
            Self::Shape(fault) => fault.hint(),
            Self::Header(fault) => fault.hint(),
            Self::NoKeys(no_keys) => no_keys.hint(),
            Self::UnknownKey(unknown) => unknown.hint(),
            Self::Signature(bad) => bad.hint(),
            Self::Claims(flaw) => flaw.hint_about_claims(),
            Self::Provenance(wrong) => wrong.hint(),
            Self::Signer(wrong) => wrong.hint(),
            Self::Audience(wrong) => wrong.hint,
            Self::Dates(fault) => fault.hint(),
            Self::NothingGranted(grant) => grant.hint(),
            Self::Denied(denied) => denied.hint.unwrap_or_else(|| hints::of_kind(denied.kind)),
            Self::Encrypted
            | Self::IdToken(_)
            | Self::Contradiction(_)
            | Self::SenderConstrained
            | Self::OfKind(_) => hints::of_kind(self.kind()),
        }
    }

    /// What was found and what is accepted, where there is more to say than the kind says.
    fn facts(&self) -> Option<&dyn fmt::Display> {
        Some(match self {
            Self::Credentials(wrong) => wrong,
            Self::Shape(fault) => fault,
            Self::Header(fault) => fault,
            Self::NoKeys(no_keys) => no_keys,
            Self::UnknownKey(unknown) => unknown,
            Self::Signature(bad) => bad,
            Self::Claims(flaw) => flaw,
            Self::Provenance(wrong) => &wrong.fault,
            Self::Signer(wrong) => wrong,
            Self::Audience(wrong) => wrong,
            Self::Dates(fault) => fault,
            Self::IdToken(mark) => mark,
            Self::Contradiction(contradiction) => contradiction,
            Self::NothingGranted(grant) => grant,
            Self::Denied(denied) => &denied.text,
            Self::Encrypted | Self::SenderConstrained | Self::OfKind(_) => return None,
        })
    }
}

/// What checks 7, 9 and 10 refuse of claims that no key has vouched for.
impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Provenance(wrong) => Self::Provenance(wrong),
            Refusal::Audience(wrong) => Self::Audience(wrong),
            Refusal::Dates(fault) => Self::Dates(fault),
            _ => Self::NotRead,
        }
    }
}

/// One line: the text of the kind, then the facts.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())?;
        match self.facts() {
            Some(facts) => write!(f, ": {facts}"),
            None => Ok(()),
        }
    }
}
