//! The user account of an agent.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::{
    acquire::{error::AcquireError, hints, kind::AcquireErrorKind},
    ids::ObjectId,
};

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

/// Two names are equal without regard to ASCII letter case, as they are to Entra. Other characters stay as
/// they are: the Kelvin sign lowers to `k`, and would have a name take the token of another.
#[derive(Clone)]
pub(super) struct PrincipalName {
    pub(super) as_given: Arc<str>,
    lower_case: Arc<str>,
}

impl AgentUser {
    /// The user with this object id. It is that of the user, not of the agent.
    ///
    /// The id of all zeros is refused when a token is asked for, as
    /// [`Misconfigured`](super::AcquireErrorKind::Misconfigured).
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
            lower_case: name.to_ascii_lowercase().into(),
            as_given: name.into(),
        }))
    }

    /// Refuses what no request can name, without showing it.
    pub(super) fn check(&self) -> Result<(), AcquireError> {
        if self.is_well_formed() {
            return Ok(());
        }
        let (problem, hint) = match &self.0 {
            Named::ObjectId(_) => ("the user's object id is all zeros", hints::USER_UNKNOWN),
            Named::PrincipalName(name) if name.as_given.parse::<ObjectId>().is_ok() => {
                let problem = "the user's principal name is a GUID";
                (problem, hints::USER_NAME_IS_AN_ID)
            }
            Named::PrincipalName(_) => {
                let problem = "the user's principal name is not of the form name@domain";
                (problem, hints::USER_NAME_FORM)
            }
        };
        let kind = AcquireErrorKind::Misconfigured;
        Err(AcquireError::before_the_wire(kind, problem, hint))
    }

    /// Whether a request can name it.
    pub(super) fn is_well_formed(&self) -> bool {
        match &self.0 {
            Named::ObjectId(id) => id.as_str().bytes().any(|byte| !b"0-".contains(&byte)),
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11";

    fn id(text: &str) -> AgentUser {
        AgentUser::object_id(text.parse().expect("a GUID"))
    }

    #[test]
    fn a_user_is_an_object_id_or_a_principal_name() {
        for user in [
            id(ID),
            AgentUser::principal_name("agent1@contoso.com"),
            AgentUser::principal_name("x_fabrikam.com#EXT#@contoso.onmicrosoft.com"),
            AgentUser::principal_name("o'neil+é@contoso.com"),
        ] {
            assert!(user.check().is_ok(), "{user:?}");
        }
    }

    #[test]
    fn what_no_request_can_name_is_refused_and_not_shown() {
        for (user, words) in [
            (id("00000000-0000-0000-0000-000000000000"), "zeros"),
            (AgentUser::principal_name(ID), "is a GUID"),
            (AgentUser::principal_name(""), "name@domain"),
            (AgentUser::principal_name("janedoe"), "name@domain"),
            (AgentUser::principal_name("@contoso.com"), "name@domain"),
            (AgentUser::principal_name("janedoe@"), "name@domain"),
            (AgentUser::principal_name("janedoe@a@b"), "name@domain"),
            (AgentUser::principal_name("jane doe@a"), "name@domain"),
            (AgentUser::principal_name(" janedoe@a"), "name@domain"),
            (AgentUser::principal_name("janedoe@a\0"), "name@domain"),
            (
                AgentUser::principal_name(format!("janedoe@{}", "a".repeat(1_024))),
                "name@domain",
            ),
        ] {
            let error = user.check().expect_err("no user");
            assert_eq!(error.kind(), AcquireErrorKind::Misconfigured);
            assert!(error.to_string().contains(words), "{user:?}: {error}");
            let shown = format!("{user:?} {error:?} {:?}", error.hint());
            assert!(!shown.contains("doe"), "{shown}");
        }
    }

    #[test]
    fn a_name_has_at_most_1024_bytes() {
        let named =
            |length: usize| AgentUser::principal_name("a@".to_owned() + &"b".repeat(length - 2));
        assert!(named(1_024).check().is_ok());
        assert!(named(1_025).check().is_err());
    }

    #[test]
    fn letter_case_makes_no_other_user_and_the_form_of_the_name_does() {
        let lower = AgentUser::principal_name("agent1@contoso.com");
        assert_eq!(AgentUser::principal_name("Agent1@Contoso.com"), lower);
        assert_ne!(AgentUser::principal_name("agent2@contoso.com"), lower);
        assert_eq!(id(&ID.to_uppercase()), id(ID));
        assert_ne!(AgentUser::principal_name(ID), id(ID));
    }

    #[test]
    fn a_character_that_only_lowers_to_that_of_another_name_makes_another_user() {
        // The Kelvin sign, the angstrom sign, and a capital letter beyond ASCII.
        for (name, other) in [
            ("\u{212a}ate@contoso.com", "kate@contoso.com"),
            ("\u{212b}se@contoso.com", "\u{e5}se@contoso.com"),
            ("\u{c9}va@contoso.com", "\u{e9}va@contoso.com"),
        ] {
            let (one, other) = (
                AgentUser::principal_name(name),
                AgentUser::principal_name(other),
            );
            assert_ne!(one, other, "{name}");
        }
    }
}
