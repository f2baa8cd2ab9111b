//! Who is calling? The one place that reads a kind and an agent status out of claims.

use crate::admit::{facets::Facet, token::Claims, values::shown_as_its_code};

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
    /// Something else, such as a device: `idtyp` has a value that this crate does not know.
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

/// The kind of the caller and how sure it is that an agent is, or is not, involved.
pub(super) fn classify(
    claims: &Claims<'_>,
    app_only: bool,
    is_known_agent: bool,
) -> (PrincipalKind, AgentStatus) {
    let by_facets = kind_by_facets(claims, app_only);
    if is_attested(claims) {
        // An actor with 13 is attested and has no row of its own among the kinds.
        let kind = by_facets.unwrap_or_else(|| kind_without_agent(claims, app_only));
        (kind, AgentStatus::Attested)
    } else if is_known_agent {
        (acting_agent(app_only), AgentStatus::Declared)
    } else {
        (
            kind_without_agent(claims, app_only),
            status_without_agent(claims),
        )
    }
}

fn is_attested(claims: &Claims<'_>) -> bool {
    [Facet::AGENT_IDENTITY, Facet::AGENT_USER]
        .into_iter()
        .any(|facet| claims.actor_has(facet) || claims.subject_has(facet))
}

fn kind_by_facets(claims: &Claims<'_>, app_only: bool) -> Option<PrincipalKind> {
    if claims.subject_has(Facet::AGENT_USER) {
        Some(PrincipalKind::AgentUser)
    } else if claims.subject_has(Facet::AGENT_IDENTITY) {
        Some(PrincipalKind::AutonomousAgent)
    } else if claims.actor_has(Facet::AGENT_IDENTITY) {
        Some(acting_agent(app_only))
    } else {
        None
    }
}

fn acting_agent(app_only: bool) -> PrincipalKind {
    if app_only {
        PrincipalKind::AutonomousAgent
    } else {
        PrincipalKind::AgentOnBehalfOfUser
    }
}

fn kind_without_agent(claims: &Claims<'_>, app_only: bool) -> PrincipalKind {
    match claims.idtyp.as_deref() {
        _ if app_only => PrincipalKind::Application,
        Some("user") | None => PrincipalKind::User,
        Some(_) => PrincipalKind::Unknown,
    }
}

fn status_without_agent(claims: &Claims<'_>) -> AgentStatus {
    if claims.actor_facets.is_some() && claims.subject_facets.is_some() {
        AgentStatus::NotAgent
    } else {
        AgentStatus::Unattested
    }
}

/// `idtyp` says so; without it, a token without a scope whose subject is the application itself,
/// by its object or by a path of federated identity.
pub(crate) fn is_app_only(claims: &Claims<'_>) -> bool {
    match claims.idtyp.as_deref() {
        Some(idtyp) => idtyp == "app",
        None => {
            !claims.has_scope()
                && claims.sub.as_deref().is_some_and(|subject| {
                    subject.starts_with('/')
                        || claims
                            .oid
                            .is_some_and(|object| object.as_str().eq_ignore_ascii_case(subject))
                })
        }
    }
}
