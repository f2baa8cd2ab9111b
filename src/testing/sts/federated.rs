//! Whose assertions an app accepts as its own.

use std::sync::Arc;

use crate::testing::{
    algorithm::Algorithm,
    issuer::Issuer,
    keys::PublicKey,
    sts::{
        certificate::{Certificate, pem_block},
        registrations::{EXCHANGE, FederatedCredential},
    },
};

impl FederatedCredential {
    /// Trusts the assertions that another look-alike signs for this subject, such as
    /// `repo:contoso/orders:ref:refs/heads/main`.
    ///
    /// A [`TokenBuilder`](super::super::TokenBuilder) of that look-alike makes them, with any claims.
    #[must_use]
    pub fn of(issuer: &Issuer, subject: impl Into<String>) -> Self {
        let shared = Arc::clone(&issuer.shared);
        Self {
            issuer: issuer.v2_issuer(),
            subject: subject.into(),
            audience: EXCHANGE.to_owned(),
            verifies: Arc::new(move |kid, algorithm, input, signature| {
                shared.verifies(kid, algorithm, input, signature)
            }),
        }
    }

    /// Trusts the assertions of this issuer for this subject that the RSA key of a PEM text verifies: a
    /// `PUBLIC KEY` or a `CERTIFICATE`.
    ///
    /// # Panics
    ///
    /// If there is neither in the text.
    #[must_use]
    #[track_caller]
    pub fn with_key_pem(issuer: impl Into<String>, subject: impl Into<String>, pem: &str) -> Self {
        let certificate = || Certificate::from_pem(pem).map(|certificate| certificate.key);
        let key = pem_block(pem, "PUBLIC KEY").map(PublicKey::Rsa);
        let Some(key) = key.or_else(certificate) else {
            panic!("the PEM text has neither a public key nor a certificate that can be read");
        };
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            audience: EXCHANGE.to_owned(),
            verifies: Arc::new(move |_, algorithm: Algorithm, input, signature| {
                key.verifies(algorithm, input, signature)
            }),
        }
    }
}
