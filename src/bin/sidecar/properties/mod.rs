//! Properties of every input that the program reads: its configuration, the query of a request, the answer of
//! a managed identity's endpoint.
//!
//! Each check takes any bytes and panics if a property is broken: it compares the readers of this program with
//! a second reading, which is written on its own. Fuzz targets call it, and a test replays their seeds.

pub(crate) mod query;

use crate::{downstream, settings};

/// Every target that [`check`] knows.
pub const TARGETS: [&str; 3] = ["configuration", "managed_identity", "query"];

/// Runs the check of this target.
///
/// # Panics
///
/// If there is no such target, and if a promise is broken.
pub fn check(target: &str, data: &[u8]) {
    match target {
        "configuration" => settings::properties::configuration(data),
        "managed_identity" => settings::properties::managed_identity(data),
        "query" => query::query(data, downstream::properties::call),
        _ => panic!("no target {target}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, panic::catch_unwind, path::Path};

    use super::*;

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
