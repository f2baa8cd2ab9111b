//! X.509 certificates, which no test reads, and the DER that they are made of.

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

/// From when to when a certificate is valid.
pub(crate) type Validity = [&'static str; 2];

pub(crate) const VALID: Validity = ["200101000000Z", "490101000000Z"];
pub(crate) const EXPIRED: Validity = ["090101000000Z", "090102000000Z"];

/// A key that no issuer of the tests has. It signs what it is asked to.
pub(crate) struct Stranger(KeyPair);

pub(crate) fn stranger() -> &'static Stranger {
    static STRANGER: LazyLock<Stranger> =
        LazyLock::new(|| Stranger(KeyPair::generate(KeySize::Rsa2048).unwrap()));
    &STRANGER
}

impl Stranger {
    /// A signature of RS256.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let random = SystemRandom::new();
        let signed = self
            .0
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
        signed.unwrap();
        signature
    }

    /// A certificate of its own key by itself, in DER.
    pub(crate) fn own_certificate(&self) -> Vec<u8> {
        self.certificate(self.0.public_key().as_ref(), VALID)
    }

    /// A certificate of the key in a JWK, in base64 as `x5c` has it.
    pub(crate) fn certificate_of(&self, jwk: &Value, validity: Validity) -> String {
        STANDARD.encode(self.certificate(&pkcs1(jwk), validity))
    }

    fn certificate(&self, key: &[u8], validity: Validity) -> Vec<u8> {
        let sha256_with_rsa = [
            0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05,
            0x00,
        ];
        let common_name = [&[0x06, 3, 0x55, 4, 3], &*der(0x0c, NAME)].concat();
        let name = der(0x30, &der(0x31, &der(0x30, &common_name)));
        let validity = validity.map(|time| der(0x17, time.as_bytes())).concat();
        let version = der(0xa0, &der_integer(&[2]));
        let contents = [
            &*version,
            &der_integer(&[1]),
            &sha256_with_rsa,
            &name,
            &der(0x30, &validity),
            &name,
            &spki(key),
        ];
        let signed = der(0x30, &contents.concat());
        let signature = [&[0], &*self.sign(&signed)].concat();
        der(
            0x30,
            &[&*signed, &sha256_with_rsa, &der(0x03, &signature)].concat(),
        )
    }
}

/// The RSA key in a JWK as a `RSAPublicKey` of RFC 8017.
pub(crate) fn pkcs1(jwk: &Value) -> Vec<u8> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let numbers = [der_integer(&number("n")), der_integer(&number("e"))];
    der(0x30, &numbers.concat())
}

/// A `RSAPublicKey` as a `SubjectPublicKeyInfo`.
pub(crate) fn spki(pkcs1: &[u8]) -> Vec<u8> {
    let rsa_encryption = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = [&[0], pkcs1].concat();
    der(0x30, &[&rsa_encryption[..], &der(0x03, &bits)].concat())
}

fn der_integer(number: &[u8]) -> Vec<u8> {
    // A positive integer whose top bit is set has one zero byte before it.
    let is_padded = number.first().is_some_and(|byte| *byte >= 0x80);
    let zero: &[u8] = if is_padded { &[0] } else { &[] };
    der(0x02, &[zero, number].concat())
}

fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let head = match contents.len() {
        0..0x80 => [&[tag], length].concat(),
        _ => [&[tag, 0x80 | u8::try_from(length.len()).unwrap()], length].concat(),
    };
    [head.as_slice(), contents].concat()
}

/// What the certificates of Entra's keys are issued to.
const NAME: &[u8] = b"accounts.accesscontrol.windows.net";
