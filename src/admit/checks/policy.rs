//! What one validator demands of a token's claims.

use crate::{
    admit::{issuers::Issuers, tenants::TenantPolicy},
    ids::{AppId, TenantId},
};

/// The demands of checks 7 to 10, and who is declared to be an agent.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) issuers: Issuers,
    pub(crate) tenants: TenantPolicy,
    /// Never empty.
    pub(crate) audiences: Vec<String>,
    /// How far clocks may differ, in seconds.
    pub(crate) skew: u64,
    /// Sorted.
    pub(crate) known_agents: Vec<(TenantId, AppId)>,
    /// Whether a key of another cloud may sign.
    pub(crate) accepts_keys_of_other_clouds: bool,
}

impl Policy {
    /// Whether the configuration lists this client of this tenant as an agent.
    pub(super) fn knows_agent(&self, tenant: TenantId, client: Option<AppId>) -> bool {
        client.is_some_and(|client| self.known_agents.binary_search(&(tenant, client)).is_ok())
    }
}
