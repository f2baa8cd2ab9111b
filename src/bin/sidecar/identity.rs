//! Who acts: one identity, of what the caller and the configuration name, and never another.

use tower_entra::{
    TenantId,
    acquire::{ConfidentialClient, TokenSource},
};

use crate::{
    asked::{AskedAgent, AskedUser},
    inbound::Inbound,
    problem::Problem,
};

/// Who acts, and how.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) source: TokenSource,
    /// For the audit log: `none`, `caller`, `agent_user_id` or `agent_user_name`.
    pub(crate) user_kind: &'static str,
    /// The token has no user, so it is asked for with one scope.
    pub(crate) is_app: bool,
}

/// What decides who acts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'w> {
    pub(crate) agent: Option<&'w AskedAgent>,
    /// `RequestAppToken`, of the caller or of the configuration.
    pub(crate) app_token: bool,
    pub(crate) inbound: &'w Inbound,
    /// Another tenant than the client's.
    pub(crate) tenant: Option<TenantId>,
}

impl Identity {
    /// | agent | its user | app token | token that came in | who acts |
    /// |---|---|---|---|---|
    /// | yes | yes | – | – | the agent by its user account |
    /// | yes | no | yes | – | the agent as itself |
    /// | yes | no | no | a user's | the agent on behalf of that user |
    /// | no | – | yes | – | the client as itself |
    /// | no | – | no | a user's | the client on behalf of that user |
    ///
    /// # Errors
    ///
    /// 401 where a user is needed and none came in; 503 if the token that came in cannot be checked.
    pub(crate) fn of(client: &ConfidentialClient, wish: Wish<'_>) -> Result<Self, Problem> {
        let of_tenant = wish.tenant.map(|tenant| client.in_tenant(tenant));
        let client = of_tenant.as_ref().unwrap_or(client);
        let agent = wish
            .agent
            .map(|asked| (client.agent(asked.id), &asked.user));
        Ok(match agent {
            Some((agent, Some(AskedUser { user, kind }))) => Self {
                source: agent.user(user.clone()),
                user_kind: kind,
                is_app: false,
            },
            Some((agent, None)) if wish.app_token => Self::itself(agent.itself()),
            Some((agent, None)) => {
                let user = user_of(wish.inbound)?;
                Self::on_behalf(agent.on_behalf_of(user))
            }
            None if wish.app_token => Self::itself(client.itself()),
            None => Self::on_behalf(client.on_behalf_of(user_of(wish.inbound)?)),
        })
    }

    fn itself(source: TokenSource) -> Self {
        Self {
            source,
            user_kind: "none",
            is_app: true,
        }
    }

    fn on_behalf(source: TokenSource) -> Self {
        Self {
            source,
            user_kind: "caller",
            is_app: false,
        }
    }
}

fn user_of(inbound: &Inbound) -> Result<&tower_entra::acquire::UserAssertion, Problem> {
    match inbound {
        Inbound::User(assertion) => Ok(assertion),
        Inbound::App => {
            let detail =
                "The bearer token is one of an app that acts as itself: it cannot be exchanged.";
            Err(Problem::unauthorized(detail).with_hint(
                "Send the token of a user, name an agent's user account (AgentUsername, AgentUserId), or ask \
                 for an app token (RequestAppToken).",
            ))
        }
        // The text of MSAL, which Microsoft's sidecar passes on.
        Inbound::Anonymous => {
            let detail = "No account or login hint was passed to the AcquireTokenSilent call.";
            Err(Problem::unauthorized(detail).with_hint(
                "Send the token of a user in Authorization, name an agent and its user account \
                 (AgentIdentity with AgentUsername or AgentUserId), or ask for an app token \
                 (RequestAppToken).",
            ))
        }
        Inbound::Unchecked { retry_after } => {
            let detail = "The bearer token cannot be checked: Entra's keys are not there.";
            Err(Problem::unavailable(detail)
                .with_hint("Try again later; the log says why the keys cannot be fetched.")
                .with_retry_after(*retry_after))
        }
    }
}
