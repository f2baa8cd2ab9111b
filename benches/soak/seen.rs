//! Whom an API saw.

use serde::{Deserialize, Serialize};
use tower_entra::AgentPrincipal;

/// Whom an API saw, as far as two identities can differ.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Seen {
    pub(crate) kind: String,
    pub(crate) tenant: String,
    pub(crate) client: Option<String>,
    /// The object id, for a caller with a user.
    pub(crate) user: Option<String>,
    pub(crate) blueprint: Option<String>,
}

/// What the API of an agent answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Answer {
    /// Its own caller.
    pub(crate) caller: Seen,
    /// Whom the API that it has called saw.
    pub(crate) called_as: Seen,
}

impl Seen {
    pub(crate) fn of(caller: &AgentPrincipal) -> Self {
        let text = |id: &dyn ToString| id.to_string();
        Self {
            kind: caller.kind().as_str().to_owned(),
            tenant: caller.tenant_id().to_string(),
            client: caller.client_id().map(|id| text(&id)),
            user: caller
                .object_id()
                .filter(|_| caller.is_delegated())
                .map(|id| text(&id)),
            blueprint: caller.parent_agent_blueprint().map(|id| text(&id)),
        }
    }

    pub(crate) fn new(kind: &str, tenant: &str, client: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            tenant: tenant.to_owned(),
            client: Some(client.to_owned()),
            user: None,
            blueprint: None,
        }
    }

    pub(crate) fn with_user(self, user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            ..self
        }
    }

    pub(crate) fn of_blueprint(self, blueprint: &str) -> Self {
        Self {
            blueprint: Some(blueprint.to_owned()),
            ..self
        }
    }
}
