//! Who is calling? The one place that reads a kind and an agent status out of claims.

use crate::admit::{
    facets::{Facet, IdentityRelationship},
    token::Claims,
    values::shown_as_its_code,
};

/// Who acts, and for whom.
///
/// [`as_str`](Self::as_str) is a stable code in snake case.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// An agent acting as itself.
    AutonomousAgent,
    /// An agent acting for a person: the subject is the person, the client the agent.
    AgentOnBehalfOfUser,
    /// A user account that belongs to an agent.
    AgentUser,
    /// A person, through an ordinary application.
    User,
    /// An ordinary application acting as itself.
    Application,
    /// Something else: the token has no mark of an application and no scope, or `idtyp` has a value
    /// that this crate does not know, such as that of a device.
    Unknown,
}

impl PrincipalKind {
    /// The stable code, such as `autonomous_agent`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AutonomousAgent => "autonomous_agent",
            Self::AgentOnBehalfOfUser => "agent_on_behalf_of_user",
            Self::AgentUser => "agent_user",
            Self::User => "user",
            Self::Application => "application",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known about whether an agent is involved.
///
/// Entra puts agent facets into the tokens of an API only if the API's registration asks for them,
/// so that they are missing proves nothing. [`as_str`](Self::as_str) is a stable code in snake case.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentStatus {
    /// Entra says that the actor or the subject is an agent.
    Attested,
    /// Entra does not say so, but the configuration lists this client as an agent.
    Declared,
    /// Entra says what actor and subject are, and neither is an agent.
    NotAgent,
    /// Entra does not say. The caller may be an agent.
    Unattested,
}

impl AgentStatus {
    /// The stable code, such as `not_agent`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attested => "attested",
            Self::Declared => "declared",
            Self::NotAgent => "not_agent",
            Self::Unattested => "unattested",
        }
    }
}

shown_as_its_code!(PrincipalKind);
shown_as_its_code!(AgentStatus);

/// Whether an application acts as itself, or with permissions that a user has delegated to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delegation {
    AppOnly,
    Delegated,
    /// The token does not say. Tokens of applications without a service principal have neither
    /// `oid` nor `idtyp` nor a scope, so what is not delegated must never pass as a person.
    Unknown,
}

impl Delegation {
    pub(crate) fn of(claims: &Claims<'_>) -> Self {
        match claims.idtyp.as_deref() {
            Some("app") => Self::AppOnly,
            Some("user") => Self::Delegated,
            Some(_) => Self::Unknown,
            None if claims.has_scope() => Self::Delegated,
            None if is_application(claims) => Self::AppOnly,
            None => Self::Unknown,
        }
    }
}

/// Whether the subject of a token without `idtyp` and without a scope is an application.
fn is_application(claims: &Claims<'_>) -> bool {
    let by_subject = claims.sub.as_deref().is_some_and(|subject| {
        // A path of federated identity.
        subject.starts_with('/')
            || claims
                .oid
                .is_some_and(|object| object.as_str().eq_ignore_ascii_case(subject))
    });
    let by_relationship = claims
        .relationships
        .as_ref()
        .is_some_and(|set| APPLICATIONS.iter().any(|value| set.contains(*value)));
    // Entra gives no user's token a role without a scope.
    let by_grant = !claims.roles.is_empty();
    let by_facet = claims.subject_has(Facet::AGENT_IDENTITY);
    !claims.subject_has(Facet::AGENT_USER)
        && (by_subject || by_relationship || by_grant || by_facet)
}

/// The relationships that only applications have.
const APPLICATIONS: [IdentityRelationship; 3] = [
    IdentityRelationship::SERVICE_PRINCIPAL,
    IdentityRelationship::APPLICATION_WITHOUT_SERVICE_PRINCIPAL,
    IdentityRelationship::FEDERATED_MANAGED_IDENTITY,
];

/// The kind of the caller and how sure it is that an agent is, or is not, involved. The first row of
/// the table of kinds that fits.
pub(super) fn classify(
    claims: &Claims<'_>,
    delegation: Delegation,
    is_known_agent: bool,
) -> (PrincipalKind, AgentStatus) {
    let status = status(claims, is_known_agent);
    let kind = if claims.subject_has(Facet::AGENT_USER) {
        PrincipalKind::AgentUser
    } else if claims.subject_has(Facet::AGENT_IDENTITY) {
        PrincipalKind::AutonomousAgent
    } else if claims.actor_has(Facet::AGENT_IDENTITY) || status == AgentStatus::Declared {
        match delegation {
            Delegation::AppOnly => PrincipalKind::AutonomousAgent,
            Delegation::Delegated => PrincipalKind::AgentOnBehalfOfUser,
            Delegation::Unknown => PrincipalKind::Unknown,
        }
    } else {
        match delegation {
            Delegation::AppOnly => PrincipalKind::Application,
            Delegation::Delegated => PrincipalKind::User,
            Delegation::Unknown => PrincipalKind::Unknown,
        }
    };
    (kind, status)
}

fn status(claims: &Claims<'_>, is_known_agent: bool) -> AgentStatus {
    let is_attested = [Facet::AGENT_IDENTITY, Facet::AGENT_USER]
        .into_iter()
        .any(|facet| claims.actor_has(facet) || claims.subject_has(facet));
    if is_attested {
        AgentStatus::Attested
    } else if is_known_agent {
        AgentStatus::Declared
    } else if claims.actor_facets.is_some() && claims.subject_facets.is_some() {
        AgentStatus::NotAgent
    } else {
        AgentStatus::Unattested
    }
}
