//! The user account of an agent.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::ids::ObjectId;

/// An agent's user account, named either by its object id or by its user principal name, never both.
///
/// The two are told apart by type. An account that is asked for by both is two entries of the cache.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AgentUser(pub(super) Named);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Named {
    /// Goes out as `user_id`.
    ObjectId(ObjectId),
    /// Goes out as `username`.
    PrincipalName(PrincipalName),
}

/// Two names are equal without regard to case, as they are to Entra.
#[derive(Clone)]
pub(super) struct PrincipalName {
    pub(super) as_given: Arc<str>,
    lower_case: Arc<str>,
}

impl AgentUser {
    /// The user with this object id. It is that of the user, not of the agent.
    #[must_use]
    pub const fn object_id(id: ObjectId) -> Self {
        Self(Named::ObjectId(id))
    }

    /// The user with this user principal name, such as `agent1@contoso.com`.
    ///
    /// A name that is not of this form, a GUID for example, is refused when a token is asked for, as
    /// [`Misconfigured`](super::AcquireErrorKind::Misconfigured).
    #[must_use]
    pub fn principal_name(name: impl Into<String>) -> Self {
        let name = name.into();
        Self(Named::PrincipalName(PrincipalName {
            lower_case: name.to_lowercase().into(),
            as_given: name.into(),
        }))
    }

    /// Whether a request can name it.
    pub(super) fn is_well_formed(&self) -> bool {
        match &self.0 {
            Named::ObjectId(_) => true,
            Named::PrincipalName(PrincipalName { as_given: name, .. }) => {
                let is_unfit = |c: char| c.is_whitespace() || c.is_control();
                name.len() <= MAX_NAME
                    && !name.contains(is_unfit)
                    && name.split_once('@').is_some_and(|(user, domain)| {
                        !user.is_empty() && !domain.is_empty() && !domain.contains('@')
                    })
            }
        }
    }
}

const MAX_NAME: usize = 1_024;

impl PartialEq for PrincipalName {
    fn eq(&self, other: &Self) -> bool {
        self.lower_case == other.lower_case
    }
}

impl Eq for PrincipalName {}

impl Hash for PrincipalName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lower_case.hash(state);
    }
}

/// A principal name can be a personal name, so it is not shown.
impl fmt::Debug for AgentUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Named::ObjectId(id) => f.debug_tuple("ObjectId").field(id).finish(),
            Named::PrincipalName(_) => f.write_str("PrincipalName(..)"),
        }
    }
}
