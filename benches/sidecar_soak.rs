//! Minutes of load on the sidecar while Entra throttles, fails, hangs and rotates its keys.
//!
//! ```text
//! cargo bench --features sidecar --bench sidecar_soak -- 600
//! ```
//!
//! The argument is how many seconds it runs; 20 by default. 16 connections ask for the tokens of agents, of their user accounts and of
//! agents on behalf of persons, have tokens checked, and call an API through the sidecar. Tokens live for
//! 310 s, so that each is renewed about every ten seconds. Every token that comes back, or that the API
//! sees, is decoded and compared with who was asked for. Ends with 1 after another identity, a 500, a 502, or
//! an answer without a rule. One of the faults has Entra refuse a T1 before its time, which is a 401.

#[path = "common/sidecar.rs"]
mod sidecar;

use std::{
    collections::BTreeMap,
    env,
    error::Error as StdError,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Json, Router, http::HeaderMap, routing::any};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tower_entra::testing::{Fault, Issuer, Leg, Target};

use crate::sidecar::Sidecar;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn StdError>> {
    // Cargo adds `--bench`.
    let seconds = env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let seconds: u64 = seconds.unwrap_or(20);
    let issuer = Issuer::start().await;
    for leg in [
        Leg::T1,
        Leg::T2,
        Leg::Agent,
        Leg::OnBehalfOf,
        Leg::AgentUser,
    ] {
        issuer.set_token_lifetime(leg, Duration::from_secs(310));
    }
    let world = Arc::new(World::new(&issuer));
    let base_url = serve_api().await?;
    let at = issuer.clone();
    let sidecar =
        tokio::task::spawn_blocking(move || Sidecar::start(&at, &base_url, "Error")).await?;
    let url = format!("http://{}", sidecar.address);

    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(ask(number, url.clone(), Arc::clone(&world)));
    }
    let faults = tokio::spawn(break_entra(issuer.clone(), Arc::clone(&world)));
    let start = Instant::now();
    let mut memory = Vec::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        sleep(Duration::from_secs(seconds.div_ceil(10).max(1))).await;
        memory.push(sidecar.resident_kib());
    }
    world.is_over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    faults.await?;

    println!(
        "token requests at the look-alike: {}",
        issuer.token_requests()
    );
    println!("resident, KiB: {memory:?}");
    let seen = world.seen();
    for (what, count) in seen.iter() {
        println!("{count:>9}  {what}");
    }
    let wrong: u64 = seen
        .iter()
        .filter(|(what, _)| what.starts_with("WRONG"))
        .map(|(_, count)| count)
        .sum();
    Ok(ExitCode::from(u8::from(wrong > 0)))
}

struct World {
    is_over: AtomicBool,
    /// Client id of an agent, object id of its user account.
    agents: Vec<(String, String)>,
    /// Object id of a person, and their token for the blueprint.
    persons: Vec<(String, String)>,
    seen: Mutex<BTreeMap<String, u64>>,
}

impl World {
    fn new(issuer: &Issuer) -> Self {
        let (blueprint, api) = (issuer.blueprint(), issuer.api());
        let role = api.roles().swap_remove(0);
        let scope = "Orders.Read";
        let agents = (0..AGENTS).map(|number| {
            let agent = blueprint.add_agent();
            let agent = agent.grant_role(&api, &role).grant_scope(&api, scope);
            let user = agent.add_user(&format!("agent-{number}"));
            (agent.client_id().to_owned(), user.object_id().to_owned())
        });
        let persons = (0..PERSONS).map(|number| {
            let name = format!("person-{number}");
            (
                issuer.object_id_of(&name),
                blueprint.user_token(&name).mint(),
            )
        });
        Self {
            is_over: AtomicBool::new(false),
            agents: agents.collect(),
            persons: persons.collect(),
            seen: Mutex::default(),
        }
    }

    fn count(&self, what: String) {
        *self.seen().entry(what).or_default() += 1;
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an API of the bench answers: the token that it was called with.
async fn serve_api() -> Result<String, Box<dyn StdError>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let echo = any(|headers: HeaderMap| async move {
        let token = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        Json(BTreeMap::from([(
            "authorizationHeader",
            token.unwrap_or_default().to_owned(),
        )]))
    });
    let router = Router::new().fallback(echo);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    authorization_header: String,
}

#[derive(Deserialize)]
struct Downstream {
    content: String,
}

#[derive(Deserialize)]
struct Validated {
    claims: BTreeMap<String, Value>,
}

/// Asks until it is over.
async fn ask(number: usize, url: String, world: Arc<World>) {
    let client = reqwest::Client::new();
    let mut at = number * 7_919;
    while !world.is_over.load(Ordering::Relaxed) {
        at += 1;
        let (agent, user) = &world.agents[at * 31 % world.agents.len()];
        let (person, token) = &world.persons[at * 17 % world.persons.len()];
        let as_agent = format!("AgentIdentity={agent}");
        let (what, path, inbound, expected) = match at % 6 {
            0 => (
                "agent",
                format!("/AuthorizationHeaderUnauthenticated/orders?{as_agent}"),
                false,
                None,
            ),
            1 => (
                "agent's user",
                format!("/AuthorizationHeaderUnauthenticated/person?{as_agent}&AgentUserId={user}"),
                false,
                Some(user),
            ),
            2 => (
                "on behalf of",
                format!("/AuthorizationHeader/person?{as_agent}"),
                true,
                Some(person),
            ),
            3 => (
                "downstream, agent",
                format!("/DownstreamApiUnauthenticated/orders?{as_agent}"),
                false,
                None,
            ),
            4 => (
                "downstream, on behalf of",
                format!("/DownstreamApi/person?{as_agent}"),
                true,
                Some(person),
            ),
            _ => ("validate", "/Validate".to_owned(), true, Some(person)),
        };
        let url = format!("{url}{path}");
        let request = if what.starts_with("downstream") {
            client.post(url)
        } else {
            client.get(url)
        };
        let request = if inbound {
            request.bearer_auth(token)
        } else {
            request
        };
        let answer = request.timeout(Duration::from_secs(120)).send().await;
        let found = match answer {
            Err(error) => format!("WRONG: no answer: {error}"),
            Ok(answer) => {
                let status = answer.status().as_u16();
                let has_retry_after = answer.headers().contains_key("retry-after");
                let body = answer.text().await.unwrap_or_default();
                match status {
                    200 => judge(what, &body, agent, expected.map(String::as_str)),
                    401 if body.contains(EXPIRED_EARLY) => format!("401 {EXPIRED_EARLY}"),
                    503 if has_retry_after => "503 with Retry-After".to_owned(),
                    _ => format!("WRONG: {status} {body}"),
                }
            }
        };
        world.count(format!("{found} ({what})"));
    }
}

/// Whether the token is that of the identity which was asked for.
fn judge(what: &str, body: &str, agent: &str, user: Option<&str>) -> String {
    let claims = match what {
        "validate" => serde_json::from_str(body)
            .map(|validated: Validated| validated.claims)
            .ok(),
        "downstream, agent" | "downstream, on behalf of" => serde_json::from_str(body)
            .ok()
            .and_then(|answer: Downstream| claims_of(&answer.content)),
        _ => claims_of(body),
    };
    let Some(claims) = claims else {
        return format!("WRONG: unreadable: {body}");
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let client = text("azp").or_else(|| text("appid"));
    let is_client = what == "validate" || client == Some(agent);
    let is_user = match user {
        Some(user) => text("oid") == Some(user),
        None => text("idtyp") == Some("app") && !claims.contains_key("scp"),
    };
    match is_client && is_user {
        true => "200".to_owned(),
        false => format!("WRONG: another identity: {claims:?}"),
    }
}

fn claims_of(body: &str) -> Option<BTreeMap<String, Value>> {
    let header: Header = serde_json::from_str(body).ok()?;
    let token = header.authorization_header.strip_prefix("Bearer ")?;
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// One fault after the other, for half of the time.
async fn break_entra(issuer: Issuer, world: Arc<World>) {
    let throttle = || Fault::StatusWithRetryAfter {
        status: 429,
        seconds: 1,
    };
    let mut turn = 0_usize;
    while !world.is_over.load(Ordering::Relaxed) {
        match turn % 8 {
            0 => issuer.fail_at(Target::Token, throttle()),
            1 => issuer.fail_at(Target::Token, Fault::Status(500)),
            2 => issuer.fail_times_at(Target::Token, 3, Fault::Hang),
            3 => issuer.fail_at(Target::Token, Fault::Close),
            4 => issuer.fail_at(Target::Token, Fault::Html),
            5 => issuer.expire_tokens(Leg::T1),
            6 => issuer.fail_at(Target::Both, Fault::Status(503)),
            _ => drop(issuer.rotate()),
        }
        turn += 1;
        sleep(Duration::from_secs(2)).await;
        issuer.heal();
        sleep(Duration::from_secs(2)).await;
    }
}

/// Entra's refusal of a T1 that it no longer takes. One that is younger than a minute is not replaced.
const EXPIRED_EARLY: &str = "AADSTS700024";
const CLIENTS: usize = 16;
const AGENTS: usize = 40;
const PERSONS: usize = 40;
