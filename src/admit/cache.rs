//! The callers of tokens that were verified before. Off by default.
//!
//! Designed against the known failures of token caches:
//!
//! - the key of an entry is a MAC over every byte of the token, and no setting replaces it
//! - an entry belongs to one key set and to one validator
//! - dates are checked on every hit
//! - a refusal is never kept
//! - the number of entries is bounded, and a sweep removes useless ones even if no token comes
//!
//! # Why a MAC, and why GMAC with one nonce
//!
//! Another token must not be found under the key of a remembered one. AES-GMAC is a universal hash
//! under a key that is made at random for each cache: the tag is GHASH of the token, a polynomial in
//! a secret `H = AES(key, 0)`, plus a mask that depends on key and nonce. With one nonce the mask is
//! the same for all tokens and cancels out of a comparison, so two different tokens have the same tag
//! only if `H` is a root of the difference of their polynomials. That polynomial has at most as many
//! roots as the longer token has blocks of 16 bytes, and one more for the length. For tokens of 16 KiB
//! the chance of a try is about 2^10 / 2^128 for each remembered token, as long as AES under an
//! unknown key looks random: 2^-98 with a million of them. A sender cannot do better, because nothing
//! shows it `H`, a tag or the mask.
//!
//! It would break if a tag left the process, as in a log or a header: two tags under one nonce give
//! an equation for `H`, and then colliding tokens can be computed. So a tag has no `Debug` and is
//! never shown. It would also break if one key served for anything else, such as encryption.
//! SHA-256 needs no secret, and takes five times as long for a token of 1.5 kB.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    error::Unspecified,
    rand,
};
use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::admit::principal::AgentPrincipal;

/// The callers of verified tokens.
pub(crate) struct TokenCache {
    entries: Cache<TokenTag, Entry, UnitWeighter, BuildHasherDefault<TagHasher>>,
    /// Made at random for this cache. Used for tags only.
    key: LessSafeKey,
    /// The latest key set that an entry was verified by.
    generation: AtomicU64,
    /// How much longer than its `exp` a token is accepted, in seconds.
    skew: u64,
}

#[derive(Clone)]
struct Entry {
    caller: AgentPrincipal,
    /// The key set that verified the token.
    generation: u64,
}

/// The key of an entry. Never shown: see the head of this file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenTag([u64; 2]);

impl Hash for TokenTag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [half, _] = self.0;
        state.write_u64(half);
    }
}

/// Takes half of a tag as its hash: tags are uniform, and no sender can choose or see one.
#[derive(Default)]
struct TagHasher(u64);

impl Hasher for TagHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

impl TokenCache {
    /// # Errors
    ///
    /// Fails if the operating system gives no random bytes.
    pub(crate) fn new(capacity: usize, skew: u64) -> Result<Self, Unspecified> {
        let mut key = [0; 32];
        rand::fill(&mut key)?;
        Ok(Self {
            entries: Cache::with(
                capacity,
                u64::try_from(capacity).unwrap_or(u64::MAX),
                UnitWeighter,
                BuildHasherDefault::default(),
                DefaultLifecycle::default(),
            ),
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?),
            generation: AtomicU64::new(0),
            skew,
        })
    }

    /// The key under which this token is remembered. None if it cannot be computed: the token is then
    /// validated like any other.
    pub(crate) fn tag(&self, token: &[u8]) -> Option<TokenTag> {
        // The one nonce of this key: see the head of this file.
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let aad = Aad::from(token);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, aad, &mut [])
            .ok()?;
        let (first, second) = tag.as_ref().split_at_checked(8)?;
        Some(TokenTag([
            u64::from_ne_bytes(first.try_into().ok()?),
            u64::from_ne_bytes(second.try_into().ok()?),
        ]))
    }

    /// The caller of this token, if the keys of this generation have verified it. An entry of an
    /// earlier generation is removed.
    pub(crate) fn get(&self, token: &TokenTag, generation: u64) -> Option<AgentPrincipal> {
        let entry = self.entries.get(token)?;
        if entry.generation == generation {
            return Some(entry.caller);
        }
        self.entries
            .remove_if(token, |entry| entry.generation < generation);
        None
    }

    /// Keeps the caller of a token that these keys have verified, unless an entry of a later
    /// generation has been kept.
    ///
    /// The entries of earlier generations stay until they are met or swept. Removing them here would
    /// cost the first request after a rotation 43 ms at 30,000 entries.
    pub(crate) fn insert(&self, token: TokenTag, caller: AgentPrincipal, generation: u64) {
        let latest = self.generation.fetch_max(generation, Ordering::AcqRel);
        if latest <= generation {
            self.entries.insert(token, Entry { caller, generation });
        }
    }

    /// Forgets the tokens that have expired, and those that the keys in force have not verified.
    ///
    /// One by one, so that no request waits for a lock that is held while thousands of entries are
    /// dropped.
    pub(crate) fn sweep(&self, now: u64, in_force: Option<u64>) {
        let is_useless = |entry: &Entry| {
            in_force.is_none_or(|in_force| entry.generation < in_force)
                || now.saturating_sub(self.skew) >= entry.caller.dates().expires
        };
        for (token, entry) in self.entries.iter() {
            if is_useless(&entry) {
                self.entries.remove_if(&token, is_useless);
            }
        }
    }

    /// Forgets an expired token.
    pub(crate) fn remove(&self, token: &TokenTag) {
        self.entries.remove(token);
    }

    #[cfg(all(test, feature = "testing"))]
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn cache() -> TokenCache {
        TokenCache::new(10, 60).expect("random bytes")
    }

    fn tag(cache: &TokenCache, token: &str) -> [u64; 2] {
        cache.tag(token.as_bytes()).expect("a tag").0
    }

    #[test]
    fn every_byte_and_the_length_of_a_token_count() {
        let cache = cache();
        let token = "a".repeat(1_500);
        let mut tags = HashSet::from([tag(&cache, &token)]);
        for at in 0..token.len() {
            let mut other = token.clone();
            other.replace_range(at..=at, "b");
            assert!(tags.insert(tag(&cache, &other)), "{at}");
        }
        // GHASH pads with zeros, and tells by the length what is padding.
        for len in 1..token.len() {
            assert!(tags.insert(tag(&cache, &token[..len])), "{len}");
            let zeros = format!("{}{}", &token[..len], "\0".repeat(token.len() - len));
            assert!(tags.insert(tag(&cache, &zeros)), "{len}");
        }
        assert_eq!(tag(&cache, &token), tag(&cache, &token));
    }

    #[test]
    fn two_caches_have_two_keys() {
        assert_ne!(tag(&cache(), "a"), tag(&cache(), "a"));
    }

    #[test]
    fn debug_shows_neither_key_nor_tags() {
        assert_eq!(
            format!("{:?}", cache()),
            "TokenCache { entries: 0, capacity: 10 }"
        );
    }
}
