//! Who calls the APIs of the agents, and their tokens.

use std::sync::{Arc, PoisonError, RwLock};

use tower_entra::testing::TokenBuilder;

use crate::{seen::Seen, world::World};

/// A caller of the API of one blueprint, in one tenant.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) seen: Seen,
    /// Whether a second factor was used.
    pub(crate) multifactor: bool,
    /// Whether its client can answer a claims challenge.
    pub(crate) answers_challenges: bool,
}

/// By blueprint, then by tenant.
pub(crate) type Callers = [[Vec<Caller>; 2]; 2];

/// The callers with tokens of the current key.
#[derive(Default)]
pub(crate) struct CurrentCallers(RwLock<Arc<Callers>>);

impl CurrentCallers {
    pub(crate) fn get(&self) -> Arc<Callers> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// New tokens, by the key that signs now.
    pub(crate) fn renew(&self, world: &World) {
        let at = |blueprint| [0, 1].map(|tenant| callers(world, blueprint, tenant));
        let callers = Arc::new([0, 1].map(at));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = callers;
    }
}

fn callers(world: &World, blueprint: usize, tenant: usize) -> Vec<Caller> {
    let (issuer, tid) = (&world.issuer, world.tenants[tenant].as_str());
    let own = &world.blueprints[blueprint];
    let mut callers = Vec::new();
    let mut add = |token: TokenBuilder, seen: Seen, multifactor, answers_challenges| {
        callers.push(Caller {
            token: token.mint(),
            seen,
            multifactor,
            answers_challenges,
        });
    };
    for (number, person) in world.persons.iter().enumerate() {
        let mut token = own.user_token(&person.name).tenant(tid);
        if person.multifactor {
            token = token.claim("amr", ["pwd", "mfa"]);
        }
        let answers_challenges = number % 4 < 2;
        if answers_challenges {
            token = token.claim("xms_cc", ["cp1"]);
        }
        let seen = Seen::new("user", tid, issuer.client_id()).with_user(&person.oid);
        add(token, seen, person.multifactor, answers_challenges);
    }
    let app = own.app_token().tenant(tid).roles(["Agent.Ask"]);
    let seen = Seen::new("application", tid, issuer.client_id());
    add(app, seen, false, false);
    // Agents of either blueprint can call the API of either.
    for theirs in 0..2 {
        let blueprint_id = world.blueprints[theirs].client_id();
        let for_own = |token: TokenBuilder, agent: &str| {
            let token = token.audience(own.client_id()).tenant(tid);
            let token = token.claim("azp", agent);
            token.claim("xms_par_app_azp", blueprint_id)
        };
        let [first, second, ..] = &world.agents[theirs][tenant][..] else {
            continue;
        };
        let token = for_own(issuer.autonomous_agent(), first.id())
            .claim("oid", first.id())
            .claim("sub", first.id());
        add(token, first.itself.clone(), false, false);
        for person in &world.persons[..2] {
            let token = for_own(issuer.agent_on_behalf_of(&person.name), second.id());
            add(token, second.on_behalf_of(&person.oid), false, false);
        }
        for account in &second.accounts {
            let oid = account.object_id();
            let token = for_own(issuer.agent_user(), second.id()).claim("oid", oid);
            add(token, second.by_account(oid), false, false);
        }
    }
    callers
}
