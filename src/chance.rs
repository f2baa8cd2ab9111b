//! Random numbers for jitter.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// A number from 0 to 1, for jitter. Not for secrets.
pub(crate) fn random_fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let half = u32::try_from(random >> 32).unwrap_or_default();
    f64::from(half) / f64::from(u32::MAX)
}
