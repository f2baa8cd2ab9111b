//! How a signature can be bad: check 5.

use std::fmt;

use super::{ErrorKind, WellKnownApi, hints};
use crate::{
    admit::algorithm::SignatureAlgorithm,
    shown::{Few, Shown},
};

/// A token that its key does not vouch for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadSignature {
    pub(crate) kid: Shown,
    /// The algorithms of the token and of the key, if they differ.
    pub(crate) algorithms: Option<(SignatureAlgorithm, SignatureAlgorithm)>,
    /// Whether the header has the `nonce` of a token that only Microsoft Graph can verify.
    pub(crate) is_for_graph: bool,
    pub(crate) claimed_audience: Option<Few>,
    /// The API of Microsoft's that the claimed audience names.
    pub(crate) claimed_api: Option<WellKnownApi>,
}

impl BadSignature {
    pub(super) fn kind(&self) -> ErrorKind {
        if self.is_for_graph {
            ErrorKind::GraphToken
        } else {
            ErrorKind::InvalidSignature
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self.claimed_api {
            _ if self.is_for_graph => hints::GRAPH,
            Some(WellKnownApi::TokenExchange) => hints::EXCHANGE_CLAIMED,
            Some(api) => api.hint(),
            None => hints::BAD_SIGNATURE,
        }
    }
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the key of kid {} does not vouch for the token",
            self.kid
        )?;
        if let Some((token, key)) = self.algorithms {
            write!(
                f,
                "; the token is signed with {token}, the key is for {key}"
            )?;
        }
        match &self.claimed_audience {
            Some(audience) => write!(f, "; unverified, the token claims to be for {audience}"),
            None => Ok(()),
        }
    }
}
