//! A token's header, who signs it, and the minting itself.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::testing::{
    algorithm::Algorithm,
    documents::{edit, to_value},
    keys::{Signer, SigningKey},
    token::TokenBuilder,
};

/// Header and signature.
impl TokenBuilder {
    /// Sets a member of the header. It has precedence over the signer's.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON.
    #[track_caller]
    pub fn header(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.header.insert(name.into(), Some(to_value(value)));
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.header.insert(name.into(), None);
        self
    }

    /// Makes this text the header; members set before are not used.
    pub fn header_text(mut self, text: impl Into<String>) -> Self {
        self.header_text = Some(text.into());
        self
    }

    /// Signs with the key of this id, published or not, and names it in the header.
    ///
    /// The default is the key that is current when the token is minted.
    pub fn signed_by(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self.signer = Signer::Key;
        self
    }

    /// Signs with a key that no issuer publishes, while the header names the issuer's own.
    pub fn signed_by_stranger(mut self) -> Self {
        self.signer = Signer::Stranger;
        self
    }

    /// Signs with this algorithm, which the header then names: `RS256`, `RS384`, `RS512`, `PS256`,
    /// `PS384` or `PS512` with an RSA key, `ES256` with a key on P-256.
    ///
    /// The default is the algorithm of the key. To name one and sign with another, set the
    /// [header](Self::header) `alg` as well.
    ///
    /// # Panics
    ///
    /// If the name is none of these; later, in [`mint`](Self::mint), if the key is of the other
    /// kind.
    #[track_caller]
    pub fn algorithm(mut self, name: &str) -> Self {
        let algorithm = Algorithm::parse(name);
        assert!(algorithm.is_some(), "testing::Issuer cannot sign {name:?}");
        self.algorithm = algorithm;
        self
    }

    /// Signs with HS256 and this secret: the attack that uses a public key as a shared secret.
    pub fn hs256(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.signer = Signer::Secret(secret.into());
        self.header("alg", "HS256")
    }

    /// Makes the algorithm `none` and the signature empty.
    pub fn unsigned(self) -> Self {
        self.signature([]).header("alg", "none")
    }

    /// Makes these bytes the signature. The header does not change.
    pub fn signature(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.signer = Signer::Bytes(bytes.into());
        self
    }

    /// Makes the token: a JWS in its compact form.
    ///
    /// # Panics
    ///
    /// If there is no key of this id, or it cannot sign with the algorithm.
    #[must_use]
    #[track_caller]
    pub fn mint(self) -> String {
        let (kid, key) = self.key();
        let algorithm = self.algorithm.unwrap_or_else(|| key.algorithm());
        let header = self
            .header_text
            .clone()
            .unwrap_or_else(|| self.header_json(&kid, algorithm));
        let payload = match &self.payload {
            Some(bytes) => bytes.clone(),
            None => Value::Object(self.claims).to_string().into_bytes(),
        };

        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let input = token.as_bytes();
        let signature = match self.signer {
            Signer::Key => key.sign(algorithm, input),
            Signer::Stranger => SigningKey::stranger(key.kind).sign(algorithm, input),
            Signer::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input)
                    .as_ref()
                    .to_vec()
            }
            Signer::Bytes(bytes) => bytes,
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    #[track_caller]
    fn key(&self) -> (String, Arc<SigningKey>) {
        let state = self.shared.lock();
        let kid = self.kid.as_ref().unwrap_or(&state.keys.current);
        let entry = state.keys.entry(kid);
        (entry.kid.clone(), Arc::clone(&entry.key))
    }

    fn header_json(&self, kid: &str, algorithm: Algorithm) -> String {
        let mut header = Map::new();
        header.insert("typ".to_owned(), json!("JWT"));
        header.insert("alg".to_owned(), json!(algorithm.name()));
        header.insert("kid".to_owned(), json!(kid));
        if self.is_v1() {
            header.insert("x5t".to_owned(), json!(kid));
        }
        edit(&mut header, &self.header);
        Value::Object(header).to_string()
    }
}
