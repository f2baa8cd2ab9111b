//! Signing keys: how they are made, how they sign, and their JWKs.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use aws_lc_rs::{
    rand::{self, SystemRandom},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::testing::algorithm::Algorithm;

/// The kind of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA of 2048 bits, as Entra's keys: signs RS256, and its JWK has no `alg`.
    Rsa2048,
    /// RSA of 3072 bits, otherwise the same.
    Rsa3072,
    /// RSA of 2048 bits whose JWK has `alg` `PS256`, which it signs.
    RsaPss,
    /// The elliptic curve P-256: signs ES256, and its JWK has no `alg`.
    P256,
}

/// The keys of one issuer. Published keys are served in the order of their publication.
pub(super) struct KeyRing {
    entries: Vec<Entry>,
    pub(super) current: String,
}

pub(super) struct Entry {
    pub(super) kid: String,
    pub(super) key: Arc<SigningKey>,
    pub(super) published: bool,
    /// Members of the JWK that a test has set or removed.
    pub(super) edits: BTreeMap<String, Option<Value>>,
}

impl KeyRing {
    pub(super) fn new() -> Self {
        let mut ring = Self {
            entries: Vec::new(),
            current: String::new(),
        };
        ring.current = ring.add(SigningKey::generate(KeyKind::Rsa2048), true);
        ring
    }

    pub(super) fn add(&mut self, key: SigningKey, published: bool) -> String {
        let kid = random_text(KID_BYTES);
        let key = Arc::new(key);
        self.entries.push(Entry {
            kid: kid.clone(),
            key,
            published,
            edits: BTreeMap::new(),
        });
        kid
    }

    #[track_caller]
    pub(super) fn entry(&self, kid: &str) -> &Entry {
        match self.entries.iter().find(|entry| entry.kid == kid) {
            Some(entry) => entry,
            None => panic!("{kid:?} is not a key of this issuer"),
        }
    }

    #[track_caller]
    pub(super) fn entry_mut(&mut self, kid: &str) -> &mut Entry {
        match self.entries.iter_mut().find(|entry| entry.kid == kid) {
            Some(entry) => entry,
            None => panic!("{kid:?} is not a key of this issuer"),
        }
    }

    #[track_caller]
    pub(super) fn publish(&mut self, kid: &str) {
        if !self.entry(kid).published {
            // As a new key, it is the last of the key set.
            self.entries.sort_by_key(|entry| entry.kid == kid);
            self.entry_mut(kid).published = true;
        }
    }

    pub(super) fn published(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.published)
    }

    pub(super) fn forget_edits(&mut self) {
        for entry in &mut self.entries {
            entry.edits.clear();
        }
    }
}

pub(super) struct SigningKey {
    pub(super) kind: KeyKind,
    material: Material,
}

enum Material {
    Rsa(Arc<RsaKeyPair>),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    pub(super) fn generate(kind: KeyKind) -> Self {
        let material = match kind {
            KeyKind::Rsa2048 | KeyKind::RsaPss => Material::rsa(KeySize::Rsa2048),
            KeyKind::Rsa3072 => Material::rsa(KeySize::Rsa3072),
            KeyKind::P256 => Material::p256(),
        };
        Self { kind, material }
    }

    /// A key of this kind that no issuer publishes.
    pub(super) fn stranger(kind: KeyKind) -> Self {
        // Making an RSA key takes a tenth of a second, and no test can distinguish two strangers.
        static RSA: LazyLock<Arc<RsaKeyPair>> = LazyLock::new(|| generate_rsa(KeySize::Rsa2048));

        let material = match kind {
            KeyKind::P256 => Material::p256(),
            KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::RsaPss => {
                Material::Rsa(Arc::clone(&RSA))
            }
        };
        Self { kind, material }
    }

    /// The algorithm of the key, unless a token sets another.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.kind {
            KeyKind::Rsa2048 | KeyKind::Rsa3072 => Algorithm::Rs256,
            KeyKind::RsaPss => Algorithm::Ps256,
            KeyKind::P256 => Algorithm::Es256,
        }
    }

    #[track_caller]
    pub(super) fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
        match (&self.material, algorithm.rsa_encoding()) {
            (Material::Rsa(key), Some(encoding)) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), input, &mut signature)
                    .expect("a key of at least 2048 bits has room for every one of these digests");
                signature
            }
            (Material::P256(key), None) => key
                .sign(&SystemRandom::new(), input)
                .expect("a generated key signs")
                .as_ref()
                .to_vec(),
            _ => panic!(
                "a key of the kind {:?} cannot sign {}",
                self.kind,
                algorithm.name()
            ),
        }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        match &self.material {
            Material::Rsa(key) => PublicKey::Rsa(key.public_key().as_ref().to_vec()),
            Material::P256(key) => PublicKey::P256(key.public_key().as_ref().to_vec()),
        }
    }

    /// The JWK of the public key, as Entra publishes it.
    pub(super) fn jwk(&self) -> Map<String, Value> {
        let jwk = match &self.material {
            Material::Rsa(key) => {
                let (n, e) = rsa_components(key.public_key().as_ref());
                json!({
                    "kty": "RSA",
                    "n": URL_SAFE_NO_PAD.encode(n),
                    "e": URL_SAFE_NO_PAD.encode(e),
                })
            }
            Material::P256(key) => {
                let (x, y) = point_coordinates(key.public_key().as_ref());
                json!({
                    "kty": "EC",
                    "crv": "P-256",
                    "x": URL_SAFE_NO_PAD.encode(x),
                    "y": URL_SAFE_NO_PAD.encode(y),
                })
            }
        };
        let Value::Object(mut jwk) = jwk else {
            unreachable!("both are written as objects")
        };
        if self.kind == KeyKind::RsaPss {
            jwk.insert("alg".to_owned(), Value::from("PS256"));
        }
        jwk
    }
}

/// A key that verifies signatures.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// The DER of an RFC 8017 `RSAPublicKey` or an RFC 5280 `SubjectPublicKeyInfo`.
    Rsa(Vec<u8>),
    /// An uncompressed SEC 1 point.
    P256(Vec<u8>),
}

impl PublicKey {
    pub(super) fn verifies(&self, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        let verified = match (self, algorithm) {
            (Self::Rsa(der), Algorithm::Rs256) => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).verify(input, signature)
            }
            (Self::Rsa(der), Algorithm::Ps256) => {
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, der).verify(input, signature)
            }
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input, signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}

#[derive(Clone)]
pub(super) enum Signer {
    /// The key of the issuer that the token names, or its current one.
    Key,
    Stranger,
    Secret(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Material {
    fn rsa(size: KeySize) -> Self {
        Self::Rsa(generate_rsa(size))
    }

    fn p256() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self::P256(key.expect("the system has randomness for a key"))
    }
}

/// Random bytes as base64url.
pub(super) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    rand::fill(&mut buffer).expect("the system has randomness");
    URL_SAFE_NO_PAD.encode(buffer)
}

fn generate_rsa(size: KeySize) -> Arc<RsaKeyPair> {
    Arc::new(RsaKeyPair::generate(size).expect("the system has randomness for a key"))
}

/// Modulus and exponent of an RFC 8017 `RSAPublicKey`, without leading zeros.
fn rsa_components(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = der_value(der);
    let (n, rest) = der_value(sequence);
    let (e, _) = der_value(rest);
    // A positive integer whose top bit is set has one zero byte before it.
    (
        n.strip_prefix(&[0]).unwrap_or(n),
        e.strip_prefix(&[0]).unwrap_or(e),
    )
}

/// The contents of the DER value that the bytes begin with, and what follows it.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let [_tag, length, rest @ ..] = der else {
        unreachable!("aws-lc-rs writes whole DER values")
    };
    if *length < 0x80 {
        return rest.split_at(usize::from(*length));
    }
    let (length, rest) = rest.split_at(usize::from(*length & 0x7f));
    rest.split_at(
        length
            .iter()
            .fold(0, |length, byte| (length << 8) | usize::from(*byte)),
    )
}

/// The coordinates of an uncompressed SEC 1 point of P-256: 0x04, `x`, `y`.
fn point_coordinates(point: &[u8]) -> (&[u8], &[u8]) {
    point[1..].split_at(32)
}

/// 20 bytes are 27 characters, the length of Entra's key ids.
const KID_BYTES: usize = 20;
