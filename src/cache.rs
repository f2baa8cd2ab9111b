//! Verdicts on tokens that were seen before.
//!
//! Off unless asked for. What such caches have been broken by elsewhere is closed by shape: the key
//! is the SHA-256 of every byte of the token, and nobody can choose another; an entry belongs to one
//! set of keys and to one validator; dates are looked at again each time; a refusal is never kept;
//! and the number of entries is bounded.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::sync::Cache;

use crate::principal::AgentPrincipal;

/// The callers of verified tokens.
pub(crate) struct TokenCache {
    entries: Cache<TokenDigest, Entry>,
    /// The latest key set that an entry was verified by.
    generation: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    caller: AgentPrincipal,
    /// The key set that verified the token.
    generation: u64,
}

/// What stands for a token here. The token itself cannot be had back from it.
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
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Cache::new(capacity),
            generation: AtomicU64::new(0),
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
    /// empties the cache; one of an earlier comes too late.
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

    /// Forgets a token whose time is over.
    pub(crate) fn remove(&self, token: &TokenDigest) {
        self.entries.remove(token);
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
