//! The user accounts of agents.

use std::{fmt, sync::Arc};

use crate::testing::{state::Shared, sts::apis::Api};

/// The user account of an [`Agent`](super::super::Agent).
#[derive(Clone)]
pub struct AgentAccount {
    shared: Arc<Shared>,
    object_id: String,
    principal_name: String,
}

impl AgentAccount {
    pub(super) fn of(shared: &Arc<Shared>, oid: &str) -> Self {
        let principal_name = shared.edit(|directory| {
            let user = directory.users.get(oid);
            user.map(|user| user.principal_name.clone())
        });
        Self {
            shared: Arc::clone(shared),
            object_id: oid.to_owned(),
            principal_name: principal_name.unwrap_or_default(),
        }
    }

    /// The object id, for `user_id`.
    #[must_use]
    pub fn object_id(&self) -> &str {
        &self.object_id
    }

    /// The sign-in name, for `username`.
    #[must_use]
    pub fn principal_name(&self) -> &str {
        &self.principal_name
    }

    /// Assigns a role of the API, which is in the account's tokens from then on. Returns the handle.
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
    pub fn grant_role(&self, api: &Api, role: &str) -> Self {
        let role = (api.client_id().to_owned(), role.to_owned());
        self.shared.edit(|directory| {
            let user = directory.users.get_mut(&self.object_id);
            user.map(|user| user.roles.insert(role))
        });
        self.clone()
    }

    /// Disables the account: AADSTS50057.
    pub fn disable(&self) {
        self.shared.edit(|directory| {
            directory.disable_user(&self.object_id, true);
        });
    }

    /// Undoes [`disable`](Self::disable).
    pub fn enable(&self) {
        self.shared.edit(|directory| {
            directory.disable_user(&self.object_id, false);
        });
    }

    /// Deletes the account: AADSTS50034.
    pub fn remove(&self) {
        self.shared
            .edit(|directory| directory.users.remove(&self.object_id));
    }
}

impl fmt::Debug for AgentAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentAccount")
            .field("object_id", &self.object_id)
            .finish_non_exhaustive()
    }
}
