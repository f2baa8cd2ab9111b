//! The facts of checks 4 and 5, which are made in `gate.rs` and `token/signature.rs`.

use std::borrow::Cow;

use crate::{
    admit::{
        algorithm::SignatureAlgorithm,
        error::{
            BadSignature, KeyReport, MissingKey, NoKeys, Refusal, Search, UnknownKey, Unverified,
            WellKnownApi,
        },
        token::{Claims, UnverifiedToken},
    },
    shown::{Few, Shown},
};

/// Check 4 has found no key.
#[cold]
pub(crate) fn missing_key(
    missing: MissingKey,
    kid: &str,
    report: KeyReport,
    claims: Unverified,
) -> Refusal {
    let keys = report.keys.map(|(keys, age)| (keys, age.as_secs()));
    match missing {
        MissingKey::Unknown => {
            let (keys, age) = keys.unwrap_or_default();
            Refusal::UnknownKey(
                UnknownKey {
                    kid: Shown::of(kid),
                    keys,
                    age,
                    url: report.url,
                    claims,
                }
                .into(),
            )
        }
        MissingKey::NotLookedUp { retry_after } | MissingKey::Unavailable { retry_after } => {
            let search = match missing {
                MissingKey::NotLookedUp { .. } => Search::NotBegun,
                _ => Search::WithoutAnswer,
            };
            Refusal::NoKeys(
                NoKeys {
                    retry_after,
                    kid: report.is_usable.then(|| Shown::of(kid)),
                    search,
                    keys,
                    problem: report.problem,
                    url: report.url,
                }
                .into(),
            )
        }
    }
}

/// Check 5 has failed. No key vouches for the claims.
#[cold]
pub(crate) fn bad_signature(
    token: &UnverifiedToken<'_>,
    key_algorithm: SignatureAlgorithm,
    claims: Option<&Claims<'_>>,
) -> Refusal {
    let algorithm = token.algorithm();
    Refusal::Signature(
        BadSignature {
            kid: Shown::of(token.kid()),
            algorithms: (algorithm != key_algorithm).then_some((algorithm, key_algorithm)),
            is_for_graph: token.is_for_graph(),
            claimed_audience: claims
                .map(|claims| Few::of(claims.aud.iter().map(Cow::as_ref)))
                .filter(|audience| !audience.is_empty()),
            claimed_api: claims.and_then(|claims| WellKnownApi::of(&claims.aud)),
        }
        .into(),
    )
}
