//! One agent identity: as itself, on behalf of a person, by its user account.

use std::fmt;

use crate::{
    acquire::{
        acting::Acting, app::Registration, error::AcquireError, hints, kind::AcquireErrorKind,
        source::TokenSource, user::AgentUser,
    },
    ids::AppId,
    shown::Shown,
    user_assertion::UserAssertion,
};

/// An agent identity of a blueprint. Cheap to clone.
///
/// The blueprint authenticates and gets the agent's assertion (T1), with which the agent asks for its own
/// tokens. There is no fallback to the blueprint: a token of any other identity is an error.
#[derive(Clone)]
pub struct AgentIdentity {
    blueprint: Registration,
    id: Result<AppId, AcquireError>,
}

impl AgentIdentity {
    pub(super) fn new(blueprint: Registration, id: &str) -> Self {
        let is_zero = |id: &AppId| id.as_str().bytes().all(|byte| b"0-".contains(&byte));
        let id = id.parse().ok().filter(|id| !is_zero(id)).ok_or_else(|| {
            let text = format!("the agent's client id {} is not a GUID", Shown::of(id));
            AcquireError::before_the_wire(
                AcquireErrorKind::Misconfigured,
                text,
                hints::AGENT_ID_FORM,
            )
        });
        Self { blueprint, id }
    }

    /// The agent acts as itself.
    #[must_use]
    pub fn itself(&self) -> TokenSource {
        let acting = self.id.clone().map(Acting::Agent);
        TokenSource::new(&self.blueprint, acting)
    }

    /// The agent acts on behalf of the user of this token, whose audience must be the client id of the
    /// blueprint: the bare id, as a version 2.0 token has it. Any other is
    /// [`AssertionRefused`](AcquireErrorKind::AssertionRefused).
    #[must_use]
    pub fn on_behalf_of(&self, assertion: &UserAssertion) -> TokenSource {
        let acting = self.id.clone().and_then(|agent| {
            self.blueprint.can_exchange(assertion)?;
            self.issued_for_the_blueprint(assertion)?;
            Ok(Acting::OnBehalfOf {
                agent: Some(agent),
                assertion: assertion.clone(),
            })
        });
        TokenSource::new(&self.blueprint, acting)
    }

    /// The agent acts by its user account.
    #[must_use]
    pub fn user(&self, user: AgentUser) -> TokenSource {
        let acting = self.id.clone().and_then(|agent| {
            user.check()?;
            Ok(Acting::AgentUser { agent, user })
        });
        TokenSource::new(&self.blueprint, acting)
    }

    fn issued_for_the_blueprint(&self, assertion: &UserAssertion) -> Result<(), AcquireError> {
        let blueprint = self.blueprint.app.client_id;
        let audience = assertion.audience();
        if audience.eq_ignore_ascii_case(blueprint.as_str()) {
            return Ok(());
        }
        let text = format!(
            "the audience of the token to exchange is {}, and an agent can exchange only a token for its \
             blueprint, {blueprint}",
            Shown::of(audience)
        );
        Err(AcquireError::before_the_wire(
            AcquireErrorKind::AssertionRefused,
            text,
            hints::ASSERTION_NOT_FOR_AGENTS,
        ))
    }
}

impl fmt::Debug for AgentIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentIdentity")
            .field("id", &self.id)
            .field("blueprint", &self.blueprint)
            .finish()
    }
}
