//! Why there was no key for a token, or a key that did not vouch for it.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Diagnosis, Facts,
    audience::well_known,
    hints,
    issuer::issuer_hint,
    text::{Few, Shown},
};
use crate::{
    error::{Error, ErrorKind},
    keys::{FetchError, KeyReport, MissingKey},
    policy::Policy,
    token::{self, Claims, SignatureAlgorithm},
};

/// A token whose `kid` names no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    kid: Shown,
    keys: usize,
    /// How many seconds ago they were fetched.
    age: u64,
    url: Arc<str>,
    /// Whom the token claims to be from, if that is not the authority.
    claimed_issuer: Option<Shown>,
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
            let foreign = claims
                .filter(|claims| policy.origin(claims).err() == Some(ErrorKind::IssuerMismatch));
            let hint = match (claims, foreign) {
                (_, Some(claims)) => issuer_hint(claims, &policy.issuers),
                (Some(_), None) => hints::OWN_KEYS,
                (None, None) => hints::UNKNOWN_KEY,
            };
            let (keys, age) = keys.unwrap_or_default();
            let facts = Facts::UnknownKey(UnknownKey {
                kid: Shown::of(kid),
                keys,
                age,
                url: report.url,
                claimed_issuer: foreign
                    .and_then(|claims| claims.iss.as_deref())
                    .map(Shown::of),
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
        match &self.claimed_issuer {
            Some(issuer) => write!(f, "; unverified, the token claims to be from {issuer}"),
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
