//! Who acts, and in which way.

use std::fmt;

use crate::{
    acquire::{
        answer::Flow,
        key::Actor,
        user::{AgentUser, Named},
    },
    ids::AppId,
    user_assertion::UserAssertion,
};

/// Who acts, and in which way.
#[derive(Clone)]
pub(super) enum Acting {
    /// The client as itself.
    Client,
    /// This agent as itself.
    Agent(AppId),
    /// The client, or this agent, on behalf of the user of a token.
    OnBehalfOf {
        agent: Option<AppId>,
        assertion: UserAssertion,
    },
    /// This agent by its user account.
    AgentUser { agent: AppId, user: AgentUser },
}

impl Acting {
    pub(super) fn agent(&self) -> Option<AppId> {
        match self {
            Self::Client => None,
            Self::OnBehalfOf { agent, .. } => *agent,
            Self::Agent(agent) | Self::AgentUser { agent, .. } => Some(*agent),
        }
    }

    pub(super) fn is_itself(&self) -> bool {
        matches!(self, Self::Client | Self::Agent(_))
    }

    /// Whose token the cache remembers.
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Client => Actor::Client,
            Self::Agent(agent) => Actor::Agent(*agent),
            Self::OnBehalfOf { agent, assertion } => Actor::OnBehalfOf {
                agent: *agent,
                assertion: assertion.digest(),
            },
            Self::AgentUser { agent, user } => Actor::AgentUser {
                agent: *agent,
                user: user.clone(),
            },
        }
    }

    /// Whose token the answer must hold.
    pub(super) fn flow(&self) -> Flow<'_> {
        match self {
            Self::Client | Self::Agent(_) => Flow::App,
            Self::OnBehalfOf { assertion, .. } => Flow::OnBehalfOf(assertion),
            Self::AgentUser { user, .. } => Flow::AgentUser(match user.0 {
                Named::ObjectId(id) => Some(id),
                Named::PrincipalName(_) => None,
            }),
        }
    }

    /// Every value of the label `flow`.
    pub(super) const FLOWS: [&str; 5] = [
        "app",
        "agent",
        "app_on_behalf_of",
        "agent_on_behalf_of",
        "agent_user",
    ];

    /// A value of the label `flow`.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Client => "app",
            Self::Agent(_) => "agent",
            Self::OnBehalfOf { agent: None, .. } => "app_on_behalf_of",
            Self::OnBehalfOf { agent: Some(_), .. } => "agent_on_behalf_of",
            Self::AgentUser { .. } => "agent_user",
        }
    }

    /// For an error: the client, without the name of a user.
    pub(super) fn in_words(&self, client: AppId) -> String {
        let who = match self.agent() {
            Some(agent) => format!("agent {agent} of blueprint {client}"),
            None => format!("app {client}"),
        };
        match self {
            Self::Client | Self::Agent(_) => who,
            Self::OnBehalfOf { .. } => format!("{who} on behalf of a user"),
            Self::AgentUser { .. } => format!("{who} by its user account"),
        }
    }
}

impl fmt::Debug for Acting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("Client"),
            Self::Agent(agent) => f.debug_tuple("Agent").field(agent).finish(),
            Self::OnBehalfOf { agent, assertion } => f
                .debug_struct("OnBehalfOf")
                .field("agent", agent)
                .field("assertion", assertion)
                .finish(),
            Self::AgentUser { agent, user } => f
                .debug_struct("AgentUser")
                .field("agent", agent)
                .field("user", user)
                .finish(),
        }
    }
}
