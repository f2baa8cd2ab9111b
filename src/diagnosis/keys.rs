//! Why there was no key for a token, or a key that did not vouch for it.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Diagnosis, Facts, audience::well_known, date::Date, hints, issuer::claimed_issuer_hint,
};
use crate::{
    algorithm::SignatureAlgorithm,
    clock::unix_now,
    error::{Error, ErrorKind},
    keys::{FetchError, KeyReport, MissingKey},
    policy::{Policy, date},
    shown::{Few, Shown},
    token::{self, Claims},
};

/// A token whose `kid` names no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    kid: Shown,
    keys: usize,
    /// How many seconds ago they were fetched.
    age: u64,
    url: Arc<str>,
    claimed: Option<Claimed>,
}

/// What the token says of itself for which it would be refused with any key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claimed {
    Issuer(Shown),
    Tenant(Shown),
    Audience(Few),
    /// `exp`.
    Expired(u64),
    Dates,
    Form,
}

/// A request for which there was no key set, or none that could have the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoKeys {
    pub(super) retry_after: Duration,
    /// The `kid` that was looked for, if there are keys at all.
    kid: Option<Shown>,
    /// How many keys there are, and how many seconds ago they were fetched.
    keys: Option<(usize, u64)>,
    problem: Option<FetchError>,
    url: Arc<str>,
}

/// A token that its key does not vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadSignature {
    kid: Shown,
    /// The algorithms of the token and of the key, if they differ.
    algorithms: Option<(SignatureAlgorithm, SignatureAlgorithm)>,
    claimed_audience: Option<Few>,
}

/// Explains a missing key. `claims` are given where they have been looked at anyway: a flood of
/// invented keys is refused without.
#[cold]
pub(crate) fn missing_key(
    missing: MissingKey,
    kid: &str,
    report: KeyReport,
    claims: Option<&Claims<'_>>,
    policy: &Policy,
) -> Error {
    let keys = report.keys.map(|(keys, age)| (keys, age.as_secs()));
    match missing {
        MissingKey::Unknown => {
            let fault = claims.and_then(|claims| Claimed::of(claims, policy));
            let (hint, claimed) = match (claims, fault) {
                (_, Some((hint, claimed))) => (hint, Some(claimed)),
                (Some(_), None) => (hints::OWN_KEYS, None),
                (None, None) => (hints::UNKNOWN_KEY, None),
            };
            let (keys, age) = keys.unwrap_or_default();
            let facts = Facts::UnknownKey(UnknownKey {
                kid: Shown::of(kid),
                keys,
                age,
                url: report.url,
                claimed,
            });
            Error::new(ErrorKind::UnknownKey, Diagnosis::full(hint, facts))
        }
        MissingKey::Unavailable { retry_after } => {
            let hint = match (report.is_usable, report.problem) {
                (false, _) => hints::NO_KEYS_YET,
                (true, Some(_)) => hints::KEYS_FAILING,
                (true, None) => hints::KEYS_BUSY,
            };
            let facts = Facts::NoKeys(NoKeys {
                retry_after,
                kid: report.is_usable.then(|| Shown::of(kid)),
                keys,
                problem: report.problem,
                url: report.url,
            });
            Error::new(ErrorKind::KeysUnavailable, Diagnosis::full(hint, facts))
        }
    }
}

impl Claimed {
    /// The first of checks 7, 9 and 10 that the claims do not pass, with what to do about it.
    fn of(claims: &Claims<'_>, policy: &Policy) -> Option<(&'static str, Self)> {
        let issuer = || claims.iss.as_deref().map(Shown::of);
        let (hint, claimed) = match policy.is_good_now(claims, unix_now()).err()? {
            ErrorKind::IssuerMismatch => (
                claimed_issuer_hint(claims, &policy.issuers),
                issuer().map_or(Self::Form, Self::Issuer),
            ),
            ErrorKind::TenantNotAllowed => {
                let tid = claims.tid.as_deref().unwrap_or_default();
                (hints::CLAIMED_TENANT, Self::Tenant(Shown::of(tid)))
            }
            ErrorKind::AudienceMismatch => {
                let audience = Few::of(claims.aud.iter().map(AsRef::as_ref));
                (hints::CLAIMED_AUDIENCE, Self::Audience(audience))
            }
            ErrorKind::Expired => {
                let expires = date(claims.exp).ok().flatten();
                let claimed = expires.map_or(Self::Dates, Self::Expired);
                (hints::CLAIMED_DATES, claimed)
            }
            ErrorKind::NotYetValid | ErrorKind::InvalidDates => (hints::CLAIMED_DATES, Self::Dates),
            _ => {
                let hint = match claimed_issuer_hint(claims, &policy.issuers) {
                    hints::CLAIMED_B2C => hints::CLAIMED_B2C,
                    _ => hints::CLAIMED_FORM,
                };
                (hint, issuer().map_or(Self::Form, Self::Issuer))
            }
        };
        match well_known(&claims.aud) {
            Some(hints::EXCHANGE) => Some((hints::EXCHANGE_CLAIMED, claimed)),
            _ => Some((hint, claimed)),
        }
    }
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(issuer) => write!(f, "claims to be from {issuer}"),
            Self::Tenant(tenant) => write!(f, "claims to be of the tenant {tenant}"),
            Self::Audience(audience) if audience.is_empty() => f.write_str("claims no audience"),
            Self::Audience(audience) => write!(f, "claims to be for {audience}"),
            Self::Expired(expires) => write!(f, "claims to have expired at {}", Date(*expires)),
            Self::Dates => f.write_str("claims dates that do not hold now"),
            Self::Form => f.write_str("claims no issuer that Entra has"),
        }
    }
}

/// Explains a bad signature. Nobody has vouched for the claims.
#[cold]
pub(crate) fn bad_signature(
    bad: &token::BadSignature<'_>,
    key_algorithm: SignatureAlgorithm,
    claims: Option<&Claims<'_>>,
) -> Error {
    let (kind, token) = (bad.kind(), &bad.0);
    let hint = match (kind, claims) {
        (ErrorKind::GraphToken, _) => hints::GRAPH,
        (_, Some(claims)) => match well_known(&claims.aud) {
            Some(hints::EXCHANGE) => hints::EXCHANGE_CLAIMED,
            Some(hint) => hint,
            None => hints::BAD_SIGNATURE,
        },
        (_, None) => hints::BAD_SIGNATURE,
    };
    let algorithm = token.algorithm();
    let facts = Facts::BadSignature(BadSignature {
        kid: Shown::of(token.kid()),
        algorithms: (algorithm != key_algorithm).then_some((algorithm, key_algorithm)),
        claimed_audience: claims
            .map(|claims| Few::of(claims.aud.iter().map(AsRef::as_ref)))
            .filter(|audience| !audience.is_empty()),
    });
    Error::new(kind, Diagnosis::full(hint, facts))
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kid,
            keys,
            age,
            url,
            ..
        } = self;
        write!(
            f,
            "kid {kid} names none of the published keys ({keys}, fetched {age} s ago from {url})"
        )?;
        match &self.claimed {
            Some(claimed) => write!(f, "; unverified, the token {claimed}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kid, &self.keys) {
            (Some(kid), Some((keys, age))) => {
                write!(
                    f,
                    "kid {kid} names none of the known keys ({keys}, fetched {age} s ago)"
                )?;
            }
            (None, Some((_, age))) => {
                write!(f, "the last good ones, fetched {age} s ago, are too old")?;
            }
            (_, None) => f.write_str("none were ever fetched")?,
        }
        match &self.problem {
            Some(problem) => write!(f, "; the last fetch from {} failed: {problem}", self.url),
            None => write!(f, "; they come from {}", self.url),
        }
    }
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the key of kid {} does not vouch for the token",
            self.kid
        )?;
        if let Some((token, key)) = self.algorithms {
            write!(
                f,
                "; the token is signed with {token}, the key is for {key}"
            )?;
        }
        match &self.claimed_audience {
            Some(audience) => write!(f, "; unverified, the token claims to be for {audience}"),
            None => Ok(()),
        }
    }
}
