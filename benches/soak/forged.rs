//! Tokens that no door may admit.

use std::sync::{PoisonError, RwLock};

use tower_entra::testing::TokenBuilder;

use crate::{callers::Caller, world::World};

/// The audiences by number: the APIs of the two blueprints' agents, and the API that they call.
pub(crate) const AUDIENCES: [usize; 3] = [0, 1, ORDERS];
pub(crate) const ORDERS: usize = 2;

/// A token for each audience.
pub(crate) type Tokens = [String; 3];

/// A token that is admitted where this audience is.
pub(crate) fn good(world: &World, audience: usize) -> TokenBuilder {
    let person = &world.persons[0].name;
    match world.blueprints.get(audience) {
        Some(blueprint) => blueprint.user_token(person),
        None => world.issuer.user_named(person),
    }
}

/// Tokens that were admitted while their key was published. It no longer is, and every door has fetched keys
/// since.
#[derive(Default)]
pub(crate) struct Forged(RwLock<Vec<Tokens>>);

impl Forged {
    pub(crate) fn add(&self, tokens: Tokens) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() == WITHDRAWN {
            all.remove(0);
        }
        all.push(tokens);
    }

    /// A token that is refused where this audience is admitted, and what is wrong with it.
    pub(crate) fn token(
        &self,
        world: &World,
        audience: usize,
        caller: &Caller,
        number: usize,
    ) -> (&'static str, String) {
        let token = || good(world, audience);
        match number % 7 {
            0 => ("signature", token().signed_by_stranger().mint()),
            1 => (
                "audience",
                good(world, (audience + 1) % AUDIENCES.len()).mint(),
            ),
            2 => ("tenant", token().tenant(FOREIGN_TENANT).mint()),
            3 => ("issuer", token().claim("tid", &world.tenants[1]).mint()),
            4 => ("expired", token().expired().mint()),
            5 => ("claims", with_other_claims(&caller.token)),
            _ => {
                let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
                match all.get(number / 7 % all.len().max(1)) {
                    Some(tokens) => ("withdrawn key", tokens[audience].clone()),
                    None => ("no tenant", token().without_claim("tid").mint()),
                }
            }
        }
    }
}

/// A good token whose claims have changed by one bit, and its signature not at all.
fn with_other_claims(token: &str) -> String {
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return String::new();
    };
    let middle = claims.len() / 2;
    let other = if claims[middle..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let (before, after) = (&claims[..middle], &claims[middle + 1..]);
    format!("{header}.{before}{other}{after}.{signature}")
}

const WITHDRAWN: usize = 8;
const FOREIGN_TENANT: &str = "7d2f0c55-90f4-4e0b-8a3b-1f0d8f3f2e77";
