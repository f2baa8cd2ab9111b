//! Changes to the documents that the issuer serves.

use serde::Serialize;

use crate::testing::{documents::to_value, issuer::Issuer};

/// The documents. A change applies to every tenant's document, from the next fetch on.
impl Issuer {
    /// Serves these exact bytes as the key set, well formed or not.
    pub fn set_keys_document(&self, raw: impl Into<Vec<u8>>) {
        self.shared.lock().documents.raw_key_set = Some(raw.into());
    }

    /// Serves this JWK as well, after the issuer's own keys: a duplicate, a key of another kind,
    /// or a value that is no key.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON.
    #[track_caller]
    pub fn publish_jwk(&self, jwk: impl Serialize) {
        let jwk = to_value(jwk);
        self.shared.lock().documents.extra_jwks.push(jwk);
    }

    /// The key set that is served now.
    #[must_use]
    pub fn keys_document(&self) -> Vec<u8> {
        let state = self.shared.lock();
        state.documents.key_set(self.shared.base(), &state.keys)
    }

    /// Undoes [`set_keys_document`](Self::set_keys_document), [`publish_jwk`](Self::publish_jwk)
    /// and every change to a member of a key. The same keys stay published.
    pub fn reset_keys_document(&self) {
        let mut state = self.shared.lock();
        state.documents.raw_key_set = None;
        state.documents.extra_jwks.clear();
        state.keys.forget_edits();
    }

    /// Sets a member of the discovery document, such as `issuer` or `jwks_uri`.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON.
    #[track_caller]
    pub fn set_discovery_member(&self, name: &str, value: impl Serialize) {
        let value = to_value(value);
        self.shared
            .lock()
            .documents
            .discovery_edits
            .insert(name.to_owned(), Some(value));
    }

    /// Leaves a member out of the discovery document.
    pub fn remove_discovery_member(&self, name: &str) {
        self.shared
            .lock()
            .documents
            .discovery_edits
            .insert(name.to_owned(), None);
    }

    /// Serves these exact bytes as the discovery document, well formed or not.
    pub fn set_discovery_document(&self, raw: impl Into<Vec<u8>>) {
        self.shared.lock().documents.raw_discovery = Some(raw.into());
    }

    /// Undoes every change to the discovery document.
    pub fn reset_discovery_document(&self) {
        let mut state = self.shared.lock();
        state.documents.raw_discovery = None;
        state.documents.discovery_edits.clear();
    }
}
