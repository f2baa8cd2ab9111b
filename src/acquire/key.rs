//! Which token an entry of the cache holds.

use crate::{
    acquire::{scopes::Scopes, user::AgentUser},
    ids::{AppId, TenantId},
};

/// One token of one identity. A cache belongs to one client at one authority, so neither is in the key.
///
/// Typed, not a joined text: no two identities have the same key whatever characters their names have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: TenantId,
    pub(super) actor: Actor,
    pub(super) scopes: Scopes,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    /// The client as itself.
    Client,
    /// T1: the assertion by which the blueprint lets this agent authenticate.
    AgentAssertion(AppId),
    /// The agent as itself: TR, and T2 with the scope of the exchange.
    Agent(AppId),
    /// On behalf of the user of the token with this SHA-256, by the client or by this agent.
    OnBehalfOf {
        agent: Option<AppId>,
        assertion: [u8; 32],
    },
    /// The agent by its user account.
    AgentUser { agent: AppId, user: AgentUser },
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The parts of a key, each of which is one in which the identities of `tests/acquire/identities.rs`
    /// differ: a new one does not compile until it is there too.
    fn parts(key: &Key) -> (TenantId, &'static str, &Scopes) {
        let Key {
            tenant,
            actor,
            scopes,
        } = key;
        let actor = match actor {
            Actor::Client => "itself",
            Actor::AgentAssertion(_) => "T1 of an agent",
            Actor::Agent(_) => "an agent",
            Actor::OnBehalfOf {
                agent: None,
                assertion: _,
            } => "itself for a caller",
            Actor::OnBehalfOf {
                agent: Some(_),
                assertion: _,
            } => "an agent for a caller",
            Actor::AgentUser { agent: _, user: _ } => "an agent by a user",
        };
        (*tenant, actor, scopes)
    }

    #[test]
    fn keys_that_differ_in_one_part_are_different() {
        let one = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a".to_owned();
        let other = one.replace("3aa6", "4aa6");
        let agents: [AppId; 2] = [&one, &other].map(|id| id.parse().expect("a GUID"));
        let users = [
            AgentUser::object_id(one.parse().expect("a GUID")),
            AgentUser::object_id(other.parse().expect("a GUID")),
            AgentUser::principal_name("a@b"),
            AgentUser::principal_name(format!("{one}@b")),
        ];
        let mut actors = vec![Actor::Client];
        for agent in agents {
            actors.push(Actor::AgentAssertion(agent));
            actors.push(Actor::Agent(agent));
            let of_user = |user: &AgentUser| Actor::AgentUser {
                agent,
                user: user.clone(),
            };
            actors.extend(users.iter().map(of_user));
        }
        for agent in [None, Some(agents[0]), Some(agents[1])] {
            for assertion in [[1; 32], [2; 32]] {
                actors.push(Actor::OnBehalfOf { agent, assertion });
            }
        }
        let mut keys = Vec::new();
        for tenant in [&one, &other] {
            for scopes in ["api://a/.default", "api://a/b", "api://a/b api://a/c"] {
                for actor in &actors {
                    keys.push(Key {
                        tenant: tenant.parse().expect("a GUID"),
                        actor: actor.clone(),
                        scopes: scopes.parse().expect("scopes"),
                    });
                }
            }
        }
        let kinds: HashSet<_> = keys.iter().map(|key| parts(key).1).collect();
        assert_eq!(kinds.len(), 6);
        let different: HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), 2 * 3 * actors.len());
        for (at, key) in keys.iter().enumerate() {
            assert!(keys[at + 1..].iter().all(|other| other != key), "{key:?}");
        }
    }
}
