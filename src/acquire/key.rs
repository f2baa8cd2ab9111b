//! Which token an entry of the cache holds.

use crate::{
    acquire::{scopes::Scopes, user::AgentUser},
    ids::{AppId, TenantId},
};

/// One token of one identity. A cache belongs to one client at one authority, so neither is in the key.
///
/// Typed, not a joined text: no two identities have the same key whatever characters their names have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: TenantId,
    pub(super) actor: Actor,
    pub(super) scopes: Scopes,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    /// The client as itself.
    Client,
    /// T1: the assertion by which the blueprint lets this agent authenticate.
    AgentAssertion(AppId),
    /// The agent as itself: TR, and T2 with the scope of the exchange.
    Agent(AppId),
    /// On behalf of the user of the token with this SHA-256, by the client or by this agent.
    OnBehalfOf {
        agent: Option<AppId>,
        assertion: [u8; 32],
    },
    /// The agent by its user account.
    AgentUser { agent: AppId, user: AgentUser },
}
