//! The facts of checks 4 and 5, which are made in `gate.rs` and `token/signature.rs`.

use std::{borrow::Cow, sync::Arc, time::Duration};

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
    report: &KeyReport,
    claims: Unverified,
) -> Refusal {
    let keys = report.keys.map(|(keys, age)| (keys, age.as_secs()));
    let no_keys = |search, retry_after| {
        let is_shown = report.is_usable || search == Search::GivenUp;
        let no_keys = NoKeys {
            retry_after,
            kid: is_shown.then(|| Shown::of(kid)),
            search,
            keys,
            problem: report.problem.clone(),
            url: Arc::clone(&report.url),
        };
        Refusal::NoKeys(no_keys.into())
    };
    match missing {
        MissingKey::Unknown => {
            let (keys, age) = keys.unwrap_or_default();
            Refusal::UnknownKey(
                UnknownKey {
                    kid: Shown::of(kid),
                    keys,
                    age,
                    url: Arc::clone(&report.url),
                    claims,
                }
                .into(),
            )
        }
        MissingKey::NotLookedUp { retry_after } => no_keys(Search::NotBegun, retry_after),
        MissingKey::Unavailable { retry_after } => no_keys(Search::WithoutAnswer, retry_after),
        MissingKey::GoneAway => no_keys(Search::GivenUp, Duration::from_secs(1)),
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
