//! The minimum work on a token: verify it, with a key that has been parsed before.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use tower_entra::testing::Issuer;

/// A token taken apart, with its key parsed.
pub(crate) struct Bare {
    input: String,
    signature: Vec<u8>,
    key: ParsedPublicKey,
}

impl Bare {
    /// With the key of the issuer that the token names.
    pub(crate) fn rs256(issuer: &Issuer, token: &str) -> Self {
        let jwk = jwk_of(issuer, token);
        let (n, e) = (member(&jwk, "n"), member(&jwk, "e"));
        let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
        Self::new(token, key.expect("the issuer's key is good"))
    }

    pub(crate) fn new(token: &str, key: ParsedPublicKey) -> Self {
        let (input, signature) = token.rsplit_once('.').expect("a token has dots");
        let bare = Self {
            input: input.to_owned(),
            signature: decode(signature),
            key,
        };
        bare.verify();
        bare
    }

    pub(crate) fn verify(&self) {
        self.key
            .verify_sig(self.input.as_bytes(), &self.signature)
            .expect("the key has signed the token");
    }
}

/// The published key that the token names.
pub(crate) fn jwk_of(issuer: &Issuer, token: &str) -> Value {
    let (header, _) = token.split_once('.').expect("a token has dots");
    let header: Value = serde_json::from_slice(&decode(header)).expect("a header is JSON");
    let set: Value = serde_json::from_slice(&issuer.keys_document()).expect("a key set is JSON");
    let keys = set["keys"].as_array().expect("a key set has keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]);
    key.expect("the key is published").clone()
}

pub(crate) fn member(jwk: &Value, name: &str) -> Vec<u8> {
    decode(jwk[name].as_str().expect("a key has its members"))
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("the issuer encodes")
}
