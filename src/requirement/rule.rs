//! What a requirement is made of, and whether a caller satisfies it.

use super::{DenialReason, Requirement};
use crate::{
    ids::{AppId, ObjectId, TenantId},
    principal::{AgentPrincipal, AgentStatus, PrincipalKind},
};

/// One part of a requirement. Lists are never empty; those of GUIDs are sorted.
pub(super) enum Rule {
    Scope(String),
    Role(String),
    ScopeOrRole { scope: String, role: String },
    Kinds(Vec<PrincipalKind>),
    Agents,
    NoAgents,
    People,
    PeopleOrUnattested,
    Clients(Vec<(TenantId, AppId)>),
    Principals(Vec<(TenantId, ObjectId)>),
    SignIn { context: String, step_up: StepUp },
    All(Vec<Requirement>),
    Any(Vec<Requirement>),
}

/// The words in which a stronger sign-in is asked for.
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
    pub(super) mend: Mend,
}

/// What would mend it, the easiest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mend {
    SignIn,
    Scope,
    Nothing,
}

impl Rule {
    /// Parts that are joined in the same way already become one list.
    pub(super) fn all(requirements: [Requirement; 2]) -> Self {
        let mut parts = Vec::new();
        for requirement in requirements {
            match &*requirement.rule {
                Self::All(inner) => parts.extend_from_slice(inner),
                _ => parts.push(requirement),
            }
        }
        Self::All(parts)
    }

    pub(super) fn any(requirements: [Requirement; 2]) -> Self {
        let mut parts = Vec::new();
        for requirement in requirements {
            match &*requirement.rule {
                Self::Any(inner) => parts.extend_from_slice(inner),
                _ => parts.push(requirement),
            }
        }
        Self::Any(parts)
    }

    /// The one place that decides. Allocates nothing.
    pub(super) fn judge(&self, caller: &AgentPrincipal) -> Result<(), Lack<'_>> {
        use DenialReason as Reason;

        let (holds, reason, mend) = match self {
            Self::Scope(_) if !is_delegated(caller) => (false, Reason::NotDelegated, Mend::Nothing),
            Self::Scope(scope) => (caller.has_scope(scope), Reason::MissingScope, Mend::Scope),
            Self::Role(role) => (caller.has_role(role), Reason::MissingRole, Mend::Nothing),
            Self::ScopeOrRole { scope, .. } if is_delegated(caller) => {
                (caller.has_scope(scope), Reason::MissingScope, Mend::Scope)
            }
            Self::ScopeOrRole { role, .. } if caller.is_app_only() => {
                (caller.has_role(role), Reason::MissingRole, Mend::Nothing)
            }
            Self::ScopeOrRole { .. } => (false, Reason::WrongKind, Mend::Nothing),
            Self::SignIn { context, step_up } => {
                let can_be_asked =
                    *step_up == StepUp::Rfc9470 || caller.supports_claims_challenge();
                (
                    caller.authentication_contexts().any(|had| had == context),
                    Reason::MissingAuthenticationContext,
                    if can_be_asked {
                        Mend::SignIn
                    } else {
                        Mend::Nothing
                    },
                )
            }
            Self::Clients(clients) => {
                let client = caller
                    .client_id()
                    .map(|client| (caller.tenant_id(), client));
                (
                    client.is_some_and(|client| clients.binary_search(&client).is_ok()),
                    Reason::UnlistedClient,
                    Mend::Nothing,
                )
            }
            Self::Principals(principals) => {
                let object = caller
                    .object_id()
                    .map(|object| (caller.tenant_id(), object));
                (
                    object.is_some_and(|object| principals.binary_search(&object).is_ok()),
                    Reason::UnlistedPrincipal,
                    Mend::Nothing,
                )
            }
            Self::Kinds(_)
            | Self::Agents
            | Self::NoAgents
            | Self::People
            | Self::PeopleOrUnattested => {
                let (kind, status) = (caller.kind(), caller.agent_status());
                let reason = self.wrong_identity(kind, status);
                (self.admits(kind, status), reason, Mend::Nothing)
            }
            Self::All(parts) => return worst(parts, caller),
            Self::Any(parts) => return self.nearest(parts, caller),
        };
        if holds {
            Ok(())
        } else {
            Err(self.lack(reason, mend))
        }
    }

    /// One of these parts holds; otherwise the first that can be mended most easily decides. Of no
    /// parts, which cannot be made, none holds.
    fn nearest<'r>(
        &'r self,
        parts: &'r [Requirement],
        caller: &AgentPrincipal,
    ) -> Result<(), Lack<'r>> {
        let mut nearest: Option<Lack<'r>> = None;
        for part in parts {
            match part.rule.judge(caller) {
                Ok(()) => return Ok(()),
                Err(lack) if nearest.is_none_or(|nearest| lack.mend < nearest.mend) => {
                    nearest = Some(lack);
                }
                Err(_) => {}
            }
        }
        Err(nearest.unwrap_or_else(|| self.lack(DenialReason::Policy, Mend::Nothing)))
    }

    fn lack(&self, reason: DenialReason, mend: Mend) -> Lack<'_> {
        Lack {
            rule: self,
            reason,
            mend,
        }
    }

    /// The scopes to ask for, so that nothing but scopes lacks: of an `or` those of the part that
    /// the caller takes.
    pub(super) fn scopes_for<'r>(&'r self, caller: &AgentPrincipal, scopes: &mut Vec<&'r str>) {
        match self {
            Self::Scope(scope) | Self::ScopeOrRole { scope, .. }
                if !scopes.contains(&scope.as_str()) && is_delegated(caller) =>
            {
                scopes.push(scope);
            }
            Self::All(parts) => {
                for part in parts {
                    part.rule.scopes_for(caller, scopes);
                }
            }
            Self::Any(parts) => {
                let rank =
                    |part: &&Requirement| part.rule.judge(caller).err().map(|lack| lack.mend);
                if let Some(taken) = parts.iter().min_by_key(rank) {
                    taken.rule.scopes_for(caller, scopes);
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

    /// Whether a caller of this kind and status may satisfy it, given the right grants. Of what asks
    /// for the identity alone, whether it does.
    fn admits(&self, kind: PrincipalKind, status: AgentStatus) -> bool {
        use {AgentStatus as Status, PrincipalKind as Kind};

        let is_user = kind == Kind::User;
        match self {
            Self::Scope(_) => {
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
            Self::Role(_) | Self::Clients(_) | Self::Principals(_) | Self::SignIn { .. } => true,
            Self::All(parts) => parts.iter().all(|part| part.rule.admits(kind, status)),
            Self::Any(parts) => parts.iter().any(|part| part.rule.admits(kind, status)),
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

/// Whether somebody is known to have delegated something to this caller.
pub(super) fn is_delegated(caller: &AgentPrincipal) -> bool {
    !caller.is_app_only() && caller.kind() != PrincipalKind::Unknown
}

/// Of what lacks the first that can be mended least.
fn worst<'r>(parts: &'r [Requirement], caller: &AgentPrincipal) -> Result<(), Lack<'r>> {
    let mut worst: Option<Lack<'r>> = None;
    for part in parts {
        if let Err(lack) = part.rule.judge(caller)
            && worst.is_none_or(|worst| lack.mend > worst.mend)
        {
            worst = Some(lack);
        }
    }
    worst.map_or(Ok(()), Err)
}

/// Every kind with every status that it can have: what the classification of a caller can come to.
const IDENTITIES: [(PrincipalKind, AgentStatus); 14] = {
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
        (Unknown, Attested),
    ]
};
