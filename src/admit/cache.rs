//! The callers of tokens that were verified before. Off by default.
//!
//! Designed against the known failures of token caches:
//!
//! - the key is the SHA-256 of every byte of the token, and no setting replaces it
//! - an entry belongs to one key set and to one validator
//! - dates are checked on every hit
//! - a refusal is never kept
//! - the number of entries is bounded, and a sweep removes useless ones even if no token comes

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::sync::Cache;

use crate::admit::principal::AgentPrincipal;

/// The callers of verified tokens.
pub(crate) struct TokenCache {
    entries: Cache<TokenDigest, Entry>,
    /// The latest key set that an entry was verified by.
    generation: AtomicU64,
    /// When the cache was last swept, in seconds since 1970.
    swept: AtomicU64,
    /// How much longer than its `exp` a token is accepted, in seconds.
    skew: u64,
}

#[derive(Clone)]
struct Entry {
    caller: AgentPrincipal,
    /// The key set that verified the token.
    generation: u64,
}

/// The key of an entry. The token cannot be recovered from it.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(crate) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        // SHA-256 has 32 bytes; were it fewer, the rest would be zeros.
        for (to, from) in bytes
            .iter_mut()
            .zip(digest(&SHA256, token.as_bytes()).as_ref())
        {
            *to = *from;
        }
        Self(bytes)
    }
}

impl TokenCache {
    pub(crate) fn new(capacity: usize, skew: u64) -> Self {
        Self {
            entries: Cache::new(capacity),
            generation: AtomicU64::new(0),
            swept: AtomicU64::new(0),
            skew,
        }
    }

    /// The caller of this token, if the keys of this generation have verified it.
    pub(crate) fn get(&self, token: &TokenDigest, generation: u64) -> Option<AgentPrincipal> {
        self.entries
            .get(token)
            .filter(|entry| entry.generation == generation)
            .map(|entry| entry.caller)
    }

    /// Keeps the caller of a token that these keys have verified. The first one of a later generation
    /// empties the cache; one of an earlier generation is dropped.
    pub(crate) fn insert(&self, token: TokenDigest, caller: AgentPrincipal, generation: u64) {
        let latest = self.generation.fetch_max(generation, Ordering::AcqRel);
        if latest > generation {
            return;
        }
        if latest < generation {
            self.entries.clear();
        }
        self.entries.insert(token, Entry { caller, generation });
    }

    /// Whether the last sweep is so old that a request must sweep. True for only one of several threads
    /// that ask at the same time.
    pub(crate) fn is_to_be_swept(&self, now: u64) -> bool {
        let swept = self.swept.load(Ordering::Relaxed);
        now.saturating_sub(swept) >= SWEPT_LATE
            && self
                .swept
                .compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Forgets the tokens that have expired, and those that the keys in force have not verified.
    pub(crate) fn sweep(&self, now: u64, in_force: Option<u64>) {
        self.swept.store(now, Ordering::Relaxed);
        self.entries.retain(|_, entry| {
            in_force.is_some_and(|in_force| entry.generation >= in_force)
                && now.saturating_sub(self.skew) < entry.caller.dates().expires
        });
    }

    /// Forgets an expired token.
    pub(crate) fn remove(&self, token: &TokenDigest) {
        self.entries.remove(token);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("entries", &self.entries.len())
            .field("capacity", &self.entries.capacity())
            .finish()
    }
}

/// In seconds: twice the interval at which the key task sweeps.
const SWEPT_LATE: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sweeps_only_if_the_last_sweep_is_two_minutes_old() {
        let cache = TokenCache::new(10, 60);
        assert!(cache.is_to_be_swept(1_000));
        for now in [1_000, 1_001, 1_119, 999, 0] {
            assert!(!cache.is_to_be_swept(now), "{now}");
        }
        cache.sweep(1_100, None);
        assert!(!cache.is_to_be_swept(1_219));
        assert!(cache.is_to_be_swept(1_220));
        assert!(!cache.is_to_be_swept(1_220));
    }
}
