//! Why a request was refused: facts and words, for the operator of the API.
//!
//! A check makes a [`Refusal`] of the values that it has just judged. Nothing in here reads a token,
//! looks up a key or decides anything. Of what a client sent, a refusal keeps a closed list of claims
//! (`aud`, `iss`, `tid`, `ver`, `idp`, dates), of header parameters (`kid`, `alg`, `typ`) and names of
//! members. Each text among them is a [`Shown`](crate::shown::Shown): escaped, cut, and withheld where
//! it looks like a credential. None of it reaches a client.

mod kind;

mod refusal;

pub(crate) mod hints;

mod credentials;

mod shape;

mod header;

mod key;

mod signature;

mod json;

mod provenance;

mod issuer_hint;

mod signer;

mod audience;

mod dates;

mod date;

mod nature;

use std::{borrow::Cow, time::Duration};

pub use self::kind::ErrorKind;
pub(crate) use self::{
    audience::{WellKnownApi, WrongAudience, audience_hint},
    credentials::{
        AuthorizationFault, CredentialsFault, Presented, WrongCredentials, description,
        hint_to_send_a_token,
    },
    dates::{DateClaim, DatesFault, Distance},
    header::{AllowedAlgorithms, FoundAlgorithm, HeaderFault, KeyIdFault, ShownOrType},
    hints::ASK_FOR_FACETS,
    issuer_hint::{IssuerAdvice, authority_hint},
    json::{Flaw, JsonType, WrongType, hint_about_form},
    key::{KeyReport, MissingKey, NoKeys, Search, UnknownKey, Unverified},
    nature::{Contradiction, IdTokenMark, NoGrant},
    provenance::{AllowedTenants, ForeignTenant, ProvenanceFault, WrongIssuer, WrongProvenance},
    refusal::{DeniedText, Refusal},
    shape::{Part, ShapeFault},
    signature::BadSignature,
    signer::{SignerFault, WrongSigner},
};

/// Why a request was refused.
///
/// The error is opaque and cheap to clone. [`kind`](Self::kind) tells cases apart in code and in a
/// metric's label. [`Display`](std::fmt::Display) is one line for the operator's log: the text of the
/// kind, then what was found and what would be accepted:
///
/// ```text
/// the token audience is not accepted: the token is for "api://x" (version 1.0); this API accepts "a", "b"
/// ```
///
/// [`hint`](Self::hint) is one sentence on what to change.
///
/// The line may hold values that the client has chosen: of the claims `aud`, `iss`, `tid` and `ver`, and
/// of `idp` where it is a tenant's issuer, the host of another URL or a provider known by its name; of
/// the header's `kid`, `alg` and `typ`; dates, and names of members. Each is escaped to printable ASCII
/// and cut at 128 characters. One that looks like a JWT or is a long run of base64url is not shown at
/// all; a short secret in one of these places looks like any name. No other claim is shown, names and
/// addresses least of all. It is for the log, and **not for the client**: to tell the client something,
/// use the `Display` of its [`kind`](Self::kind).
///
/// An outer layer finds the error of a refused request in the extensions of its response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct Error {
    refusal: Refusal,
}

impl Error {
    /// Which check refused the request.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.refusal.kind()
    }

    /// One sentence on what to change, in the client, in the API's registration or in the
    /// configuration of this crate.
    ///
    /// It comes from a closed list of fixed texts and holds nothing of the request. Its wording may
    /// change with any version.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.refusal.hint()
    }

    /// What a client may read: the text of the kind, with the header that tokens are read from.
    pub(crate) fn description(&self) -> Cow<'static, str> {
        self.refusal.description()
    }

    /// When a request that failed for want of keys may be tried again.
    ///
    /// `None` for every kind but [`ErrorKind::KeysUnavailable`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.refusal {
            Refusal::NoKeys(no_keys) => Some(no_keys.retry_after),
            _ => None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self { refusal }
    }
}

/// An error without facts: its text is that of the kind, its hint the kind's own.
impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Refusal::OfKind(kind).into()
    }
}
