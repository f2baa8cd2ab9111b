//! What the checks have found out about a token that they admit.

use crate::{admit::values::TokenVersion, ids::TenantId};

/// What the checks have found out, for the principal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Findings<'c> {
    pub(crate) provenance: Provenance,
    /// The configured audience that the token is for.
    pub(crate) audience: &'c str,
    pub(crate) dates: Dates,
    /// Whether the token says that its subject is a guest of the tenant.
    pub(crate) is_guest: bool,
    /// Whether the configuration lists the client as an agent.
    pub(crate) is_known_agent: bool,
}

/// What check 7 has established about where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) tenant: TenantId,
    pub(crate) version: TokenVersion,
}

/// The dates of a token, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) expires: u64,
    pub(crate) not_before: Option<u64>,
    pub(crate) issued: Option<u64>,
}
