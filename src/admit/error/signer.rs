//! How a key can be the wrong one to sign for an issuer: check 8.

use std::fmt;

use super::hints;
use crate::shown::Shown;

/// A key that may not sign for the token's issuer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongSigner {
    pub(crate) kid: Shown,
    pub(crate) fault: SignerFault,
    /// The issuer for which the key signs.
    pub(crate) issuer: Option<Shown>,
    /// The clouds of the key and of the discovery document, if they differ.
    pub(crate) clouds: Option<(Shown, Shown)>,
    pub(crate) token_issuer: Option<Shown>,
    /// Whether the token is for the token exchange, and so a leaked credential.
    pub(crate) is_exchange_token: bool,
}

/// Why the key may not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignerFault {
    /// It names no issuer, and the discovery document does not vouch for it.
    NoIssuer,
    OtherIssuer,
    OtherCloud,
}

impl WrongSigner {
    pub(super) fn hint(&self) -> &'static str {
        match self.fault {
            _ if self.is_exchange_token => hints::EXCHANGE,
            SignerFault::NoIssuer => hints::KEY_WITHOUT_ISSUER,
            SignerFault::OtherIssuer => hints::KEY_OF_OTHER_ISSUER,
            SignerFault::OtherCloud => hints::KEY_OF_OTHER_CLOUD,
        }
    }
}

impl fmt::Display for WrongSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = &self.kid;
        match &self.issuer {
            Some(issuer) => write!(f, "the key of kid {kid} signs for {issuer}")?,
            None => write!(f, "the key of kid {kid} names no issuer")?,
        }
        if let Some(issuer) = &self.token_issuer {
            write!(f, ", the token is from {issuer}")?;
        }
        match &self.clouds {
            Some((key, discovery)) => write!(
                f,
                "; the key is of the cloud {key}, the discovery document of {discovery}"
            ),
            None => Ok(()),
        }
    }
}
