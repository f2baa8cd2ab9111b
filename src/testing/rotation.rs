//! Rotation of the keys of an issuer.

use std::sync::Arc;

use serde::Serialize;

use crate::testing::{
    documents::to_value,
    issuer::Issuer,
    keys::{KeyKind, SigningKey},
};

/// Keys. The issuer starts with one, published and signing.
///
/// Making an RSA key takes about a tenth of a second. Every method that takes a `kid` panics if the
/// issuer has never made a key of that id.
impl Issuer {
    /// Publishes a new key and signs with it from now on. Returns its `kid`.
    ///
    /// The old keys stay published, as Entra's do for a while.
    ///
    /// A validator fetches keys for an unknown key once in its cool-down, 10 s by default. A token of a
    /// second rotation within that time is answered with 503: a test that rotates twice sets
    /// [`KeySettings::with_cool_down`](crate::KeySettings::with_cool_down) to one second, and waits.
    #[allow(clippy::must_use_candidate)] // Most tests have no use for the id.
    pub fn rotate(&self) -> String {
        self.shared.rotate()
    }

    /// Publishes a new key and continues to sign with the current one. Returns its `kid`.
    #[allow(clippy::must_use_candidate)] // Most tests have no use for the id.
    pub fn publish_key(&self) -> String {
        self.publish_key_with(KeyKind::Rsa2048)
    }

    /// Publishes a new key of this kind and continues to sign with the current one. Returns its
    /// `kid`.
    #[allow(clippy::must_use_candidate)] // Most tests have no use for the id.
    pub fn publish_key_with(&self, kind: KeyKind) -> String {
        self.add_key(kind, true)
    }

    /// Makes a key that tokens can be [signed by](super::TokenBuilder::signed_by) and that is not
    /// published. Returns its `kid`.
    #[must_use = "without its kid the key can be neither published nor signed with"]
    pub fn new_unpublished_key(&self) -> String {
        self.new_unpublished_key_with(KeyKind::Rsa2048)
    }

    /// Makes a key of this kind that is not published. Returns its `kid`.
    #[must_use = "without its kid the key can be neither published nor signed with"]
    pub fn new_unpublished_key_with(&self, kind: KeyKind) -> String {
        self.add_key(kind, false)
    }

    /// Publishes the key after those already published. A published key keeps its place.
    #[track_caller]
    pub fn publish(&self, kid: &str) {
        self.shared.lock().keys.publish(kid);
    }

    /// Signs with this key from now on, published or not.
    #[track_caller]
    pub fn sign_with(&self, kid: &str) {
        let mut state = self.shared.lock();
        state.keys.current = state.keys.entry(kid).kid.clone();
    }

    /// Stops publishing the key. It can still sign, as a revoked key in an attacker's hands can.
    #[track_caller]
    pub fn withdraw(&self, kid: &str) {
        self.shared.lock().keys.entry_mut(kid).published = false;
    }

    /// Puts new key material of the same kind under the same `kid`.
    ///
    /// Signatures by the old material no longer verify.
    #[track_caller]
    pub fn replace_key(&self, kid: &str) {
        let kind = self.shared.lock().keys.entry(kid).key.kind;
        let key = Arc::new(SigningKey::generate(kind));
        self.shared.lock().keys.entry_mut(kid).key = key;
    }

    /// Sets a member of the key's JWK, such as `alg` or `issuer`. The key itself stays the same.
    ///
    /// Lasts until [`reset_keys_document`](Self::reset_keys_document).
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON, or no such key was made.
    #[track_caller]
    pub fn set_key_member(&self, kid: &str, name: &str, value: impl Serialize) {
        let value = to_value(value);
        self.shared
            .lock()
            .keys
            .entry_mut(kid)
            .edits
            .insert(name.to_owned(), Some(value));
    }

    /// Leaves a member out of the key's JWK.
    ///
    /// Lasts until [`reset_keys_document`](Self::reset_keys_document).
    #[track_caller]
    pub fn remove_key_member(&self, kid: &str, name: &str) {
        self.shared
            .lock()
            .keys
            .entry_mut(kid)
            .edits
            .insert(name.to_owned(), None);
    }

    /// The `kid` of the key that signs.
    #[must_use]
    pub fn current_kid(&self) -> String {
        self.shared.lock().keys.current.clone()
    }

    /// The `kid`s of the published keys, in the order in which they are served.
    #[must_use]
    pub fn kids(&self) -> Vec<String> {
        self.shared
            .lock()
            .keys
            .published()
            .map(|entry| entry.kid.clone())
            .collect()
    }

    fn add_key(&self, kind: KeyKind, published: bool) -> String {
        // The key is made before the lock is taken, so that the server can answer meanwhile.
        let key = SigningKey::generate(kind);
        self.shared.lock().keys.add(key, published)
    }
}
