//! The keys of one good fetch.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{fetch::FetchError, jwk::usable_key};
use crate::{
    authority::KeyIssuer,
    policy::Signer,
    token::{SignatureAlgorithm, VerificationKey, is_json_object},
};

/// The usable keys of one key document, with what the discovery document that led there said.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: HashMap<Box<str>, PublishedKey>,
    discovery_cloud: Option<String>,
    discovery_names_one_tenant: bool,
}

/// One key and what its publisher says about it.
#[derive(Debug)]
pub(crate) struct PublishedKey {
    pub(super) kid: Box<str>,
    pub(super) issuer: Option<KeyIssuer>,
    pub(super) cloud: Option<String>,
    /// The public numbers, by which two keys are told apart.
    pub(super) material: [Vec<u8>; 2],
    pub(super) key: VerificationKey,
}

impl PublishedKey {
    pub(crate) fn key(&self) -> &VerificationKey {
        &self.key
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.issuer == other.issuer
            && self.cloud == other.cloud
            && self.material == other.material
            && self.key.algorithm() == other.key.algorithm()
    }
}

impl KeySet {
    /// Reads a key document. An unusable key is left out; a document without a usable key, or
    /// with more than `max_keys` in all, is refused.
    pub(super) fn parse(
        json: &[u8],
        allowed: &[SignatureAlgorithm],
        max_keys: usize,
        discovery_cloud: Option<String>,
        discovery_names_one_tenant: bool,
    ) -> Result<Self, FetchError> {
        #[derive(Deserialize)]
        struct Document<'j> {
            #[serde(borrow)]
            keys: Vec<&'j RawValue>,
        }

        let text = std::str::from_utf8(json).map_err(|_| FetchError::NotAKeySet)?;
        // Derived readers take a list for an object.
        if !is_json_object(text) {
            return Err(FetchError::NotAKeySet);
        }
        let document: Document<'_> =
            serde_json::from_str(text).map_err(|_| FetchError::NotAKeySet)?;
        if document.keys.len() > max_keys {
            return Err(FetchError::TooManyKeys);
        }
        let usable = document
            .keys
            .iter()
            .filter_map(|raw| usable_key(raw.get(), allowed));
        let keys = without_conflicts(usable);
        if keys.is_empty() {
            return Err(FetchError::NoUsableKey);
        }
        Ok(Self {
            keys,
            discovery_cloud,
            discovery_names_one_tenant,
        })
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&PublishedKey> {
        self.keys.get(kid)
    }

    pub(crate) fn signer<'k>(&'k self, key: &'k PublishedKey) -> Signer<'k> {
        Signer {
            issuer: key.issuer.as_ref(),
            cloud: key.cloud.as_deref(),
            discovery_cloud: self.discovery_cloud.as_deref(),
            discovery_names_one_tenant: self.discovery_names_one_tenant,
        }
    }

    /// Whether the same keys are in both, in whatever order they came.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.discovery_cloud == other.discovery_cloud
            && self.discovery_names_one_tenant == other.discovery_names_one_tenant
            && self.keys.len() == other.keys.len()
            && self.keys.values().all(|key| {
                other
                    .get(&key.kid)
                    .is_some_and(|counterpart| key.is_same_as(counterpart))
            })
    }

    /// The `kid`s in here, for the log.
    pub(super) fn kids(&self) -> BTreeSet<&str> {
        self.keys.keys().map(AsRef::as_ref).collect()
    }

    /// The `kid`s in here and not in `other`, for the log.
    pub(super) fn kids_not_in(&self, other: &Self) -> BTreeSet<&str> {
        let mut kids = self.kids();
        kids.retain(|kid| other.get(kid).is_none());
        kids
    }
}

/// Identical repeats are one key. Where one `kid` stands for different keys none of them serves:
/// which one was meant is not for us to guess.
fn without_conflicts(keys: impl Iterator<Item = PublishedKey>) -> HashMap<Box<str>, PublishedKey> {
    let mut by_kid = HashMap::new();
    let mut conflicts = Vec::new();
    for key in keys {
        match by_kid.entry(key.kid.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(key);
            }
            Entry::Occupied(entry) => {
                if !entry.get().is_same_as(&key) {
                    conflicts.push(key.kid);
                }
            }
        }
    }
    for kid in conflicts {
        by_kid.remove(&kid);
    }
    by_kid
}
