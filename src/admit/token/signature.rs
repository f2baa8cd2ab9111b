//! Does this key verify this token? Makes check 5.

use std::{fmt, ops::Range};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents,
};

use super::{UnverifiedToken, compact::part};
use crate::admit::algorithm::SignatureAlgorithm;

/// A public key that verifies with one algorithm, decided when it was read.
pub(crate) struct VerificationKey {
    algorithm: SignatureAlgorithm,
    key: ParsedPublicKey,
}

impl VerificationKey {
    /// An RSA key from its big-endian modulus and exponent, for RS256 or PS256.
    ///
    /// The caller has checked sizes: the library checks them only at the first verification.
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

    /// Check 5: the key and its algorithm verify the signature over header and payload as they were
    /// sent. Otherwise returns the token.
    ///
    /// The key decides the algorithm, not the header: a public RSA key must never serve as a shared
    /// secret. [RFC 8725, section 3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1).
    pub(crate) fn check_signature<'t>(
        &self,
        token: UnverifiedToken<'t>,
    ) -> Result<VerifiedToken, UnverifiedToken<'t>> {
        let segments = &token.segments;
        let is_right_algorithm = token.header.algorithm == self.algorithm;
        let verify = || {
            self.key
                .verify_sig(segments.signing_input.as_bytes(), segments.signature())
        };
        if is_right_algorithm && verify().is_ok() {
            Ok(VerifiedToken {
                payload: token.segments.payload,
                decoded: token.segments.decoded,
            })
        } else {
            Err(token)
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
/// [`VerificationKey::check_signature`] makes one.
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
