//! Entra throttles, fails, and changes what it permits.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tower_entra::testing::{Fault, Leg, Policy, Target, TokenBuilder, TokenRequest};

use crate::{
    oracle::{self, Cause},
    world::{ACCOUNTS, AGENTS, SCOPE, World},
};

pub(crate) fn spawn_all(tasks: &mut JoinSet<()>, world: &Arc<World>) {
    let world = || Arc::clone(world);
    tasks.spawn(fail_token_requests(world()));
    tasks.spawn(fail_key_fetches(world()));
    tasks.spawn(read_token_requests(world()));
    tasks.spawn(withdraw_consents(world()));
    tasks.spawn(disable_users(world()));
    tasks.spawn(ask_for_second_factors(world()));
    tasks.spawn(revoke_exchange_tokens(world()));
    tasks.spawn(confuse_identities(world()));
}

/// For a third of the time, in each tick of its own.
async fn fail_token_requests(world: Arc<World>) {
    let with_retry_after = |status, seconds| Fault::StatusWithRetryAfter { status, seconds };
    let faults = [
        Fault::Status(429),
        Fault::Status(500),
        with_retry_after(429, 1),
        Fault::Close,
        Fault::Status(503),
        Fault::Html,
        with_retry_after(429, 3),
        Fault::Garbage,
        Fault::Status(504),
        Fault::Truncated,
        with_retry_after(503, 2),
        Fault::Empty,
    ];
    let mut dice = Dice::new(1);
    let mut faults = faults.iter().cycle();
    while world.is_running() {
        match (dice.roll(15), faults.next()) {
            (0..5, Some(fault)) => world.issuer.fail_at(Target::Token, fault.clone()),
            (5, _) => world.issuer.fail_at(Target::Token, Fault::Slow(SLOW)),
            _ => world.issuer.fail_times_at(Target::Token, 0, Fault::Close),
        }
        world.pause(Duration::from_millis(200)).await;
        // A client waits 10 s for an answer, and then asks once more.
        if dice.roll(100) == 0 {
            world.causes.begin(Cause::Hang, "");
            world.issuer.fail_times_at(Target::Token, 1, Fault::Hang);
            world.pause(Duration::from_millis(200)).await;
            world.causes.end(Cause::Hang, "");
        }
    }
    world.issuer.fail_times_at(Target::Token, 0, Fault::Close);
}

/// A third of the time too.
async fn fail_key_fetches(world: Arc<World>) {
    let faults = [
        (Target::Both, Fault::Status(503)),
        (Target::Keys, Fault::Html),
        (Target::Keys, Fault::Truncated),
        (Target::Discovery, Fault::Close),
        (Target::Keys, Fault::NoKeys),
        (Target::Both, Fault::Garbage),
        (Target::Keys, Fault::Slow(SLOW)),
    ];
    for (target, fault) in faults.iter().cycle() {
        if !world.pause(Duration::from_millis(1_400)).await {
            return;
        }
        world.issuer.fail_at(*target, fault.clone());
        world.figures.key_faults.fetch_add(1, Ordering::Relaxed);
        world.pause(Duration::from_millis(700)).await;
        world.issuer.fail_times_at(Target::Both, 0, Fault::Close);
    }
}

/// Notes what failed and refused token requests were for.
async fn read_token_requests(world: Arc<World>) {
    let mut read = 0;
    loop {
        let is_running = world.is_running();
        let before = world.issuer.token_requests();
        let requests = world.issuer.token_requests_seen();
        // At least as many as are new. One that comes between is read twice.
        let unread = usize::try_from(world.issuer.token_requests() - read).unwrap_or(usize::MAX);
        let missed = unread.saturating_sub(requests.len());
        let missed = u64::try_from(missed).unwrap_or(u64::MAX);
        world.figures.missed.fetch_add(missed, Ordering::Relaxed);
        for request in requests.iter().rev().take(unread) {
            note(&world, request);
        }
        read = before;
        if !is_running {
            return;
        }
        world.pause(Duration::from_millis(40)).await;
    }
}

fn note(world: &World, request: &TokenRequest) {
    let now = Instant::now();
    // T1 is for the agent that it names.
    let agent = request
        .parameter("fmi_path")
        .or_else(|| request.parameter("client_id"));
    let agent = agent.unwrap_or_default();
    match (request.status(), request.code()) {
        (None, _) => {
            let account = request
                .parameter("user_id")
                .or_else(|| request.parameter("username"));
            let concerns = oracle::request(request.leg(), agent, account);
            let hangs = world.causes.was_on(Cause::Hang, "", now, now);
            let until = if hangs { now + HANGS } else { now };
            world
                .causes
                .note(Cause::TokenRequest, &concerns, now, until);
            world.figures.token_faults.fetch_add(1, Ordering::Relaxed);
        }
        (Some(_), Some(code)) => {
            world.causes.note(Cause::Refused(code), agent, now, now);
            world.figures.token_refusals.fetch_add(1, Ordering::Relaxed);
        }
        (Some(_), None) => {}
    }
}

async fn withdraw_consents(world: Arc<World>) {
    let mut dice = Dice::new(2);
    let api = world.issuer.api();
    while world.pause(dice.seconds(3)).await {
        let acting = &world.agents[dice.roll(2)][dice.roll(2)][dice.roll(AGENTS)];
        world.causes.begin(Cause::Consent, acting.id());
        acting.agent.withdraw_consent(&api);
        world.pause(dice.seconds(3)).await;
        acting.agent.grant_scope(&api, SCOPE);
        world.causes.end(Cause::Consent, acting.id());
    }
}

/// People, and the user accounts of agents.
async fn disable_users(world: Arc<World>) {
    let mut dice = Dice::new(3);
    while world.pause(dice.seconds(3)).await {
        let acting = &world.agents[dice.roll(2)][dice.roll(2)][dice.roll(AGENTS)];
        let oid = match dice.roll(2) {
            0 => &world.persons[dice.roll(world.persons.len())].oid,
            _ => acting.accounts[dice.roll(ACCOUNTS)].object_id(),
        };
        world.causes.begin(Cause::Disabled, oid);
        world.issuer.disable_user(oid);
        world.pause(dice.seconds(3)).await;
        world.issuer.enable_user(oid);
        world.causes.end(Cause::Disabled, oid);
    }
}

async fn ask_for_second_factors(world: Arc<World>) {
    let mut dice = Dice::new(4);
    while world.pause(dice.seconds(3)).await {
        let acting = &world.agents[dice.roll(2)][dice.roll(2)][dice.roll(AGENTS)];
        world.causes.begin(Cause::StepUp, acting.id());
        acting.agent.set_policy(Policy::StepUp);
        world.pause(dice.seconds(3)).await;
        acting.agent.set_policy(Policy::None);
        world.causes.end(Cause::StepUp, acting.id());
    }
}

/// Four times in all: T1, T2, T1, T2.
async fn revoke_exchange_tokens(world: Arc<World>) {
    let legs = [(Leg::T1, Cause::T1Revoked), (Leg::T2, Cause::T2Revoked)];
    for (leg, cause) in legs.iter().cycle() {
        if !world.pause(world.length / 5).await {
            return;
        }
        let now = Instant::now();
        world.causes.note(*cause, "", now, now);
        world.issuer.expire_tokens(*leg);
    }
}

/// Entra answers with the token of another identity, which differs in one thing from some that are asked for.
async fn confuse_identities(world: Arc<World>) {
    let mut dice = Dice::new(5);
    let audience = world.issuer.audience();
    while world.pause(dice.seconds(12)).await {
        let blueprint = dice.roll(2);
        let acting = &world.agents[blueprint][0][dice.roll(AGENTS)];
        let minted = |token: TokenBuilder| {
            let token = token.audience(audience).claim("azp", acting.id());
            token.claim("xms_par_app_azp", world.blueprints[blueprint].client_id())
        };
        let person = &world.persons[dice.roll(world.persons.len())];
        // That which is asked for by its name. Another in its place would not be noticed: only an object id is
        // compared with what the token says.
        let account = acting.accounts[ACCOUNTS - 1].object_id();
        let (leg, token) = match dice.roll(4) {
            0 => {
                let token = minted(world.issuer.autonomous_agent())
                    .claim("oid", acting.id())
                    .claim("sub", acting.id());
                (Leg::Agent, token.tenant(&world.tenants[1]))
            }
            1 => {
                let token = minted(world.issuer.agent_on_behalf_of(&person.name));
                (Leg::OnBehalfOf, token)
            }
            2 => {
                let token = minted(world.issuer.agent_on_behalf_of(&person.name));
                (Leg::OnBehalfOf, token.tenant(&world.tenants[1]))
            }
            _ => {
                let token = minted(world.issuer.agent_user()).claim("oid", account);
                (Leg::AgentUser, token)
            }
        };
        world.causes.begin(Cause::OtherIdentity, leg.as_str());
        world
            .issuer
            .set_token_member(leg, "access_token", token.mint());
        world.pause(Duration::from_millis(700)).await;
        world.issuer.reset_token_members();
        world.causes.end(Cause::OtherIdentity, leg.as_str());
    }
}

/// Random numbers that are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: usize) -> Self {
        let seed = u64::try_from(seed).unwrap_or_default();
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// From 0 to below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    /// About this long.
    fn seconds(&mut self, about: u64) -> Duration {
        let part = u64::try_from(self.roll(1_000)).unwrap_or_default();
        Duration::from_millis(about * (500 + part))
    }
}

const SLOW: Duration = Duration::from_millis(1_500);
/// How long a client waits for an answer that does not come.
const HANGS: Duration = Duration::from_secs(12);
