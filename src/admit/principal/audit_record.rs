//! What an audit log keeps of a caller.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{AgentPrincipal, AgentStatus, Facets, PrincipalKind};
use crate::{
    ids::{AppId, ObjectId, TenantId},
    shown::Shown,
};

/// What an audit log keeps of a caller: who acted, for whom, in which tenant, under which blueprint,
/// by which token. From [`AgentPrincipal::audit`].
///
/// It serializes to an object of these members; what the token does not say is `null`:
///
/// | member | |
/// |---|---|
/// | `tid`, `oid` | tenant and object: the caller's identity, as strings |
/// | `client_id` | `azp`, or `appid` in version 1.0: the agent, where one acts |
/// | `kind`, `agent_status` | the codes of [`PrincipalKind`] and [`AgentStatus`] |
/// | `actor_facets`, `subject_facets`, `tenant_facets` | lists of integers, the lowest 16 of each |
/// | `parent_agent_blueprint` | `xms_par_app_azp` |
/// | `uti` | the token's id, by which Entra's sign-in log knows it |
/// | `token_version` | `ver` |
///
/// There are no names in it, no addresses, and no token. `uti` is the one free text: it is escaped to
/// printable ASCII and cut at 128 characters.
///
/// [Microsoft asks](https://learn.microsoft.com/en-us/entra/agent-id/agent-token-claims) for the agent
/// and its blueprint to be logged.
#[derive(Clone)]
pub struct AuditRecord {
    caller: AgentPrincipal,
}

impl AgentPrincipal {
    /// What an audit log should keep of this caller, to be serialized. The
    /// [layer](crate::EntraAuthLayer) logs the same of every request that it admits.
    #[must_use]
    pub fn audit(&self) -> AuditRecord {
        AuditRecord {
            caller: self.clone(),
        }
    }
}

impl Serialize for AuditRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AuditFields::of(&self.caller).serialize(serializer)
    }
}

impl fmt::Debug for AuditRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditRecord")
            .field(&AuditFields::of(&self.caller))
            .finish()
    }
}

/// The members of a record, and the fields of an event.
#[derive(Debug, Serialize)]
pub(crate) struct AuditFields {
    pub(crate) tid: TenantId,
    pub(crate) oid: Option<ObjectId>,
    pub(crate) client_id: Option<AppId>,
    pub(crate) kind: PrincipalKind,
    pub(crate) agent_status: AgentStatus,
    pub(crate) actor_facets: Option<Numbers>,
    pub(crate) subject_facets: Option<Numbers>,
    pub(crate) tenant_facets: Option<Numbers>,
    pub(crate) parent_agent_blueprint: Option<AppId>,
    pub(crate) uti: Option<Plain>,
    pub(crate) token_version: &'static str,
}

impl AuditFields {
    pub(crate) fn of(caller: &AgentPrincipal) -> Self {
        Self {
            tid: caller.tenant_id(),
            oid: caller.object_id(),
            client_id: caller.client_id(),
            kind: caller.kind(),
            agent_status: caller.agent_status(),
            actor_facets: caller.actor_facets().map(Numbers::of),
            subject_facets: caller.subject_facets().map(Numbers::of),
            tenant_facets: caller.tenant_facets().map(Numbers::of),
            parent_agent_blueprint: caller.parent_agent_blueprint(),
            uti: caller.token_id().map(|uti| Plain(Shown::of(uti))),
            token_version: caller.token_version().as_str(),
        }
    }
}

/// The lowest facets of a set, among them all that have a name. Shows as the claim does: `3 9 11`.
#[derive(Debug, Serialize)]
pub(crate) struct Numbers(Vec<u32>);

impl Numbers {
    fn of(facets: &Facets) -> Self {
        let lowest = facets.iter().take(MAX_FACETS);
        Self(lowest.map(|facet| facet.value()).collect())
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{number}")?;
        }
        Ok(())
    }
}

/// A text without quotes around it.
#[derive(Debug)]
pub(crate) struct Plain(Shown);

impl Plain {
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

const MAX_FACETS: usize = 16;
