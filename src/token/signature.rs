//! Does this key vouch for this token? Makes check 5.

use std::{fmt, ops::Range};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents,
};

use super::{UnverifiedToken, compact::part};
use crate::{algorithm::SignatureAlgorithm, error::ErrorKind};

/// A public key that verifies with one algorithm, decided when it was read.
pub(crate) struct VerificationKey {
    algorithm: SignatureAlgorithm,
    key: ParsedPublicKey,
}

impl VerificationKey {
    /// An RSA key from its big-endian modulus and exponent, for RS256 or PS256.
    ///
    /// The caller has checked sizes: the library puts that off until the first verification.
    pub(crate) fn rsa(algorithm: SignatureAlgorithm, n: &[u8], e: &[u8]) -> Option<Self> {
        let parameters: &'static RsaParameters = match algorithm {
            SignatureAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            SignatureAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            SignatureAlgorithm::Es256 => return None,
        };
        let key = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .ok()?;
        Some(Self { algorithm, key })
    }

    /// A P-256 key from its uncompressed point, for ES256.
    pub(crate) fn p256(point: &[u8]) -> Option<Self> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?;
        Some(Self {
            algorithm: SignatureAlgorithm::Es256,
            key,
        })
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Verifies the token's signature over its header and payload as they were sent.
    pub(crate) fn verify<'t>(
        &self,
        token: UnverifiedToken<'t>,
    ) -> Result<VerifiedToken, BadSignature<'t>> {
        let is_right_algorithm = token.header.algorithm == self.algorithm;
        let verify = || {
            self.key
                .verify_sig(token.signing_input.as_bytes(), token.signature())
        };
        if is_right_algorithm && verify().is_ok() {
            Ok(VerifiedToken {
                payload: token.payload,
                decoded: token.decoded,
            })
        } else {
            Err(BadSignature(token))
        }
    }
}

impl UnverifiedToken<'_> {
    /// The algorithm that the token says it was signed with, one of the allow-list.
    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.header.algorithm
    }
}

/// A token that its key does not vouch for, handed back.
#[derive(Debug)]
pub(crate) struct BadSignature<'t>(pub(crate) UnverifiedToken<'t>);

impl BadSignature<'_> {
    pub(crate) fn kind(&self) -> ErrorKind {
        if self.0.is_for_graph() {
            ErrorKind::GraphToken
        } else {
            ErrorKind::InvalidSignature
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The payload of a token whose signature has been verified. Only
/// [`VerificationKey::verify`] makes one.
pub(crate) struct VerifiedToken {
    payload: Range<usize>,
    decoded: Vec<u8>,
}

impl VerifiedToken {
    pub(crate) fn payload(&self) -> &[u8] {
        part(&self.decoded, &self.payload)
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").finish_non_exhaustive()
    }
}
