//! The rules of which a requirement consists, and whether a caller satisfies them.

use std::{cmp::Reverse, ops::Deref, sync::Arc};

use super::reason::DenialReason;
use crate::{
    admit::principal::{AgentPrincipal, AgentStatus, PrincipalKind},
    ids::{AppId, ObjectId, TenantId},
};

/// One part of a requirement. Lists are never empty; those of GUIDs are sorted. A clone copies no text
/// and no list, and each variant without a list can be made at compile time.
#[derive(Clone)]
pub(super) enum Rule {
    Scope(Text),
    Role(Text),
    ScopeOrRole {
        scope: Text,
        role: Text,
    },
    Delegated,
    AppOnly,
    Kinds(Arc<[PrincipalKind]>),
    Agents,
    NoAgents,
    People,
    PeopleOrUnattested,
    Clients(Arc<[(TenantId, AppId)]>),
    Principals(Arc<[(TenantId, ObjectId)]>),
    SignIn {
        context: Text,
        step_up: StepUp,
    },
    Custom {
        name: &'static str,
        holds: Predicate,
    },
    All(Arc<[Self]>),
    Any(Arc<[Self]>),
}

/// A configured name.
#[derive(Clone)]
pub(super) enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

/// The application's own test of a caller.
#[derive(Clone)]
pub(super) enum Predicate {
    Static(fn(&AgentPrincipal) -> bool),
    Shared(Arc<dyn Fn(&AgentPrincipal) -> bool + Send + Sync>),
}

impl Predicate {
    fn holds_for(&self, caller: &AgentPrincipal) -> bool {
        match self {
            Self::Static(holds) => holds(caller),
            Self::Shared(holds) => holds(caller),
        }
    }
}

/// The challenge that asks for a stronger sign-in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StepUp {
    Entra,
    Rfc9470,
}

/// Why a rule does not hold: the part that decides the answer.
#[derive(Clone, Copy)]
pub(super) struct Lack<'r> {
    pub(super) rule: &'r Rule,
    pub(super) reason: DenialReason,
    pub(super) remedy: Remedy,
}

/// What would let the caller in, the easiest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remedy {
    SignIn,
    Scope,
    Nothing,
}

impl Rule {
    /// Flattens parts that are joined in the same way.
    pub(super) fn all(rules: [Self; 2]) -> Self {
        let mut parts = Vec::new();
        for rule in rules {
            match rule {
                Self::All(inner) => parts.extend_from_slice(&inner),
                _ => parts.push(rule),
            }
        }
        Self::All(parts.into())
    }

    pub(super) fn any(rules: [Self; 2]) -> Self {
        let mut parts = Vec::new();
        for rule in rules {
            match rule {
                Self::Any(inner) => parts.extend_from_slice(&inner),
                _ => parts.push(rule),
            }
        }
        Self::Any(parts.into())
    }

    /// The one place that decides. Allocates nothing.
    pub(super) fn holds_for(&self, caller: &AgentPrincipal) -> bool {
        let tenant = caller.tenant_id();
        match self {
            Self::Scope(scope) => caller.is_delegated() && caller.has_scope(scope),
            Self::Role(role) => caller.has_role(role),
            Self::ScopeOrRole { scope, .. } if caller.is_delegated() => caller.has_scope(scope),
            Self::ScopeOrRole { role, .. } => caller.is_app_only() && caller.has_role(role),
            Self::Delegated => caller.is_delegated(),
            Self::AppOnly => caller.is_app_only(),
            Self::Kinds(_)
            | Self::Agents
            | Self::NoAgents
            | Self::People
            | Self::PeopleOrUnattested => self.admits(caller.kind(), caller.agent_status()),
            Self::Clients(clients) => caller
                .client_id()
                .is_some_and(|client| clients.binary_search(&(tenant, client)).is_ok()),
            Self::Principals(principals) => caller
                .object_id()
                .is_some_and(|object| principals.binary_search(&(tenant, object)).is_ok()),
            Self::SignIn { context, .. } => caller
                .authentication_contexts()
                .any(|had| had == &**context),
            Self::Custom { holds, .. } => holds.holds_for(caller),
            Self::All(parts) => parts.iter().all(|part| part.holds_for(caller)),
            Self::Any(parts) => parts.iter().any(|part| part.holds_for(caller)),
        }
    }

    /// What is missing, for a caller for whom the rule does not hold: of an `and` the first of the
    /// hardest to remedy, of an `or` the first of the easiest.
    pub(super) fn lack(&self, caller: &AgentPrincipal) -> Lack<'_> {
        let decisive = match self {
            Self::All(parts) => {
                let lacking = parts.iter().filter(|part| !part.holds_for(caller));
                let lacks = lacking.map(|part| part.lack(caller));
                lacks.min_by_key(|lack| Reverse(lack.remedy))
            }
            Self::Any(parts) => {
                let lacks = parts.iter().map(|part| part.lack(caller));
                lacks.min_by_key(|lack| lack.remedy)
            }
            _ => None,
        };
        decisive.unwrap_or_else(|| Lack {
            rule: self,
            reason: self.reason(caller),
            remedy: self.remedy(caller),
        })
    }

    fn reason(&self, caller: &AgentPrincipal) -> DenialReason {
        match self {
            Self::Delegated => DenialReason::NotDelegated,
            Self::AppOnly => DenialReason::WrongKind,
            Self::Scope(_) if !caller.is_delegated() => DenialReason::NotDelegated,
            Self::Scope(_) => DenialReason::MissingScope,
            Self::Role(_) => DenialReason::MissingRole,
            Self::ScopeOrRole { .. } if caller.is_delegated() => DenialReason::MissingScope,
            Self::ScopeOrRole { .. } if caller.is_app_only() => DenialReason::MissingRole,
            Self::ScopeOrRole { .. } => DenialReason::WrongKind,
            Self::Clients(_) => DenialReason::UnlistedClient,
            Self::Principals(_) => DenialReason::UnlistedPrincipal,
            Self::SignIn { .. } => DenialReason::MissingAuthenticationContext,
            // A predicate may hold when it is asked again, and then no part of these is missing.
            Self::Custom { .. } | Self::All(_) | Self::Any(_) => DenialReason::Policy,
            _ => self.wrong_identity(caller.kind(), caller.agent_status()),
        }
    }

    fn remedy(&self, caller: &AgentPrincipal) -> Remedy {
        match self {
            Self::Scope(_) | Self::ScopeOrRole { .. } if caller.is_delegated() => Remedy::Scope,
            Self::SignIn { step_up, .. }
                if *step_up == StepUp::Rfc9470 || caller.supports_claims_challenge() =>
            {
                Remedy::SignIn
            }
            _ => Remedy::Nothing,
        }
    }

    /// The scopes to ask for, for a delegated caller: of an `or` those of the part that holds, or
    /// else of the easiest to remedy.
    pub(super) fn scopes_for<'r>(&'r self, caller: &AgentPrincipal, scopes: &mut Vec<&'r str>) {
        match self {
            Self::Scope(scope) | Self::ScopeOrRole { scope, .. } if !scopes.contains(&&**scope) => {
                scopes.push(scope);
            }
            Self::All(parts) => {
                for part in parts.iter() {
                    part.scopes_for(caller, scopes);
                }
            }
            Self::Any(parts) => {
                let rank = |part: &&Self| match part.holds_for(caller) {
                    true => None,
                    false => Some(part.lack(caller).remedy),
                };
                if let Some(taken) = parts.iter().min_by_key(rank) {
                    taken.scopes_for(caller, scopes);
                }
            }
            _ => {}
        }
    }

    /// Whether there can be a caller for whom this holds.
    pub(super) fn can_hold(&self) -> bool {
        IDENTITIES
            .iter()
            .any(|(kind, status)| self.admits(*kind, *status))
    }

    /// Whether a caller of this kind and status may satisfy it, given the right grants. For rules on
    /// identity only, this is the whole answer.
    fn admits(&self, kind: PrincipalKind, status: AgentStatus) -> bool {
        use {AgentStatus as Status, PrincipalKind as Kind};

        let is_user = kind == Kind::User;
        match self {
            Self::AppOnly => matches!(kind, Kind::AutonomousAgent | Kind::Application),
            Self::Scope(_) | Self::Delegated => {
                matches!(
                    kind,
                    Kind::AgentOnBehalfOfUser | Kind::AgentUser | Kind::User
                )
            }
            Self::ScopeOrRole { .. } => kind != Kind::Unknown,
            Self::Kinds(kinds) => kinds.contains(&kind),
            Self::Agents => matches!(status, Status::Attested | Status::Declared),
            Self::NoAgents => kind != Kind::Unknown && status == Status::NotAgent,
            Self::People => is_user && status == Status::NotAgent,
            Self::PeopleOrUnattested => {
                is_user && matches!(status, Status::NotAgent | Status::Unattested)
            }
            Self::Role(_)
            | Self::Clients(_)
            | Self::Principals(_)
            | Self::SignIn { .. }
            | Self::Custom { .. } => true,
            Self::All(parts) => parts.iter().all(|part| part.admits(kind, status)),
            Self::Any(parts) => parts.iter().any(|part| part.admits(kind, status)),
        }
    }

    /// Why a caller of this kind and status is not what the rule asks for.
    fn wrong_identity(&self, kind: PrincipalKind, status: AgentStatus) -> DenialReason {
        let wants_user = matches!(self, Self::People | Self::PeopleOrUnattested);
        match (self, status) {
            (Self::Kinds(_), _) => DenialReason::WrongKind,
            (Self::Agents, AgentStatus::Unattested) => DenialReason::Unattested,
            (Self::Agents, _) => DenialReason::NotAgent,
            (_, AgentStatus::Attested | AgentStatus::Declared) => DenialReason::Agent,
            _ if kind == PrincipalKind::Unknown => DenialReason::WrongKind,
            _ if wants_user && kind != PrincipalKind::User => DenialReason::WrongKind,
            _ => DenialReason::Unattested,
        }
    }
}

/// Every kind with every status that the classification of a caller can give it.
const IDENTITIES: [(PrincipalKind, AgentStatus); 15] = {
    use {AgentStatus::*, PrincipalKind::*};
    [
        (AutonomousAgent, Attested),
        (AutonomousAgent, Declared),
        (AgentOnBehalfOfUser, Attested),
        (AgentOnBehalfOfUser, Declared),
        (AgentUser, Attested),
        (User, NotAgent),
        (User, Unattested),
        // An agent's user account is the actor.
        (User, Attested),
        (Application, NotAgent),
        (Application, Unattested),
        (Application, Attested),
        (Unknown, NotAgent),
        (Unknown, Unattested),
        (Unknown, Declared),
        (Unknown, Attested),
    ]
};
