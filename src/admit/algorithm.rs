//! The signature algorithms that may be allowed.

use std::fmt;

/// A signature algorithm that the allow-list may name:
/// [RFC 7518, section 3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1).
///
/// There are no others, symmetric ones and `none` least of all.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: what Entra signs with, and the default.
    Rs256,
    /// RSASSA-PSS with SHA-256. A key serves for it only if the key's own `alg` says so.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl SignatureAlgorithm {
    /// The value of `alg`, as in `RS256`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
