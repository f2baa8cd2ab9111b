//! The checks of what is read from outside, each from plain bytes.
//!
//! Not part of the API: fuzz targets call these, under the `cfg` that cargo-fuzz sets, and a test
//! replays the targets' seeds through them. See `fuzz/README.md`.

#[cfg(feature = "acquire")]
use crate::acquire;
use crate::admit::{keys, middleware, principal, token};

/// Every target that [`check`] knows.
pub const TARGETS: &[&str] = &[
    "authorization",
    "challenge",
    "claims",
    #[cfg(feature = "acquire")]
    "claims_challenge",
    "compact",
    "discovery",
    #[cfg(feature = "acquire")]
    "error_answer",
    "facets",
    "header",
    "key_set",
    "object",
    #[cfg(feature = "acquire")]
    "pem",
    #[cfg(feature = "acquire")]
    "token_answer",
];

/// Runs the check of this target.
///
/// # Panics
///
/// If there is no such target, and if a promise is broken.
pub fn check(target: &str, data: &[u8]) {
    match target {
        "authorization" => authorization(data),
        "challenge" => challenge(data),
        "claims" => token::properties::claims(data),
        #[cfg(feature = "acquire")]
        "claims_challenge" => acquire::properties::claims_challenge(data),
        "compact" => on_text(data, token::properties::compact),
        "discovery" => keys::properties::discovery(data),
        #[cfg(feature = "acquire")]
        "error_answer" => acquire::properties::error_answer(data),
        "facets" => on_text(data, principal::properties::facets),
        "header" => token::properties::header(data),
        "key_set" => keys::properties::key_set(data),
        "object" => on_text(data, token::properties::object),
        #[cfg(feature = "acquire")]
        "pem" => acquire::properties::pem(data),
        #[cfg(feature = "acquire")]
        "token_answer" => acquire::properties::token_answer(data),
        _ => panic!("no target {target}"),
    }
}

fn on_text(data: &[u8], check: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
}

/// One header a line.
fn authorization(data: &[u8]) {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    middleware::properties::authorization(&values);
}

/// A realm, a URL or nothing, and scopes, one a line.
fn challenge(data: &[u8]) {
    on_text(data, |text| {
        let mut lines = text.split('\n');
        let realm = lines.next().unwrap_or_default();
        let metadata = lines.next().filter(|url| !url.is_empty());
        let scopes: Vec<&str> = lines.collect();
        middleware::properties::challenge(realm, metadata, &scopes);
    });
}

#[cfg(test)]
mod tests {
    use std::{fs, panic::catch_unwind, path::Path};

    use super::*;

    /// A package from the registry has no seeds.
    #[test]
    fn every_seed_of_every_target_keeps_its_promise() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        if !seeds.exists() {
            return;
        }
        let mut broken = Vec::new();
        for target in TARGETS {
            let mut replayed = 0;
            for seed in fs::read_dir(seeds.join(target)).expect(target) {
                let seed = seed.expect(target).path();
                let data = fs::read(&seed).expect(target);
                if catch_unwind(|| check(target, &data)).is_err() {
                    broken.push(seed);
                }
                replayed += 1;
            }
            assert!(replayed >= 10, "{target} has only {replayed} seeds");
        }
        assert!(broken.is_empty(), "{broken:?}");
    }
}
