//! An agent at work, in one run: a person's token arrives at an agent's API, which calls a second API
//! over [`EntraCallLayer`] as itself, on behalf of that person, and by its user account.
//!
//! ```text
//! cargo run --example agent             # shows what the second API saw, then serves for you to try
//! cargo run --example agent -- --once   # shows it, no tokens; fails if an answer is unexpected
//! ```
//!
//! No network and no account is needed: an [`Issuer`] on loopback replaces Entra. The calls are real HTTP
//! nevertheless, and both APIs are behind [`EntraAuthLayer`]. `RUST_LOG=tower_entra=debug` shows what the
//! crate logs meanwhile.

use std::{
    env,
    error::Error as StdError,
    future, io,
    net::{self, Ipv4Addr},
    process::ExitCode,
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Query, State},
    http::{self, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, Error as HttpError, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_entra::{
    AgentPrincipal, AppId, Audiences, ConfigError, Denial, EntraAuthLayer, Error, PrincipalKind,
    RequireLayer, Requirement, Tenants, Validator,
    acquire::{
        AgentIdentity, AgentUser, CallError, ClientCredential, ConfidentialClient, EntraCall,
        EntraCallLayer, Scopes, UserAssertion,
    },
    testing::{Agent, Blueprint, Fault, Issuer, Policy, Target},
};
use tracing_subscriber::EnvFilter;

use self::table::{Table, paint};

#[path = "common/table.rs"]
mod table;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn StdError>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let once = arguments.iter().any(|argument| argument == "--once");
    if arguments.len() > usize::from(once) {
        eprintln!("usage: agent [--once]");
        return Ok(ExitCode::from(2));
    }
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    log.with_env_filter(EnvFilter::from_default_env()).init();

    let scene = Scene::set().await?;
    let mut surprises = show_ways(&scene).await?;
    println!("{}", paint("2", REQUESTS));
    surprises += show_policies(&scene).await?;
    surprises += show_failures(&scene).await?;
    println!("{}", paint("2", NO_FALLBACK));
    if !once {
        invite(&scene);
        future::pending::<()>().await;
    }
    Ok(ExitCode::from(u8::from(surprises > 0)))
}

/// A client for one origin, that of the second API, which sends each request with a token.
type Orders = EntraCall<Client<HttpConnector, Body>>;

/// The agent's API: one door in, and three ways out.
fn agent_api(
    validator: Validator,
    agent: AgentIdentity,
    account: AgentUser,
    orders: Orders,
) -> Result<Router, ConfigError> {
    let as_itself = orders.clone().acting_as(agent.itself());
    let by_its_account = orders.clone().acting_as(agent.user(account));
    let for_its_caller = orders.on_behalf_of_caller(agent);
    // Delegated tokens only: an app has no user on whose behalf to act.
    let may_ask = Requirement::scope("access_agent")?;
    Ok(Router::new()
        .route("/itself", get(read).with_state(as_itself))
        .route("/caller", get(read).with_state(for_its_caller))
        .route("/account", get(read).with_state(by_its_account))
        .layer(RequireLayer::new(may_ask))
        .layer(EntraAuthLayer::new(validator).with_user_assertion()))
}

/// A tool of the agent: it reads a URL, which a model may have made up.
async fn read(
    State(orders): State<Orders>,
    Query(tool): Query<Tool>,
    caller: UserAssertion,
) -> Response {
    let request = http::Request::get(tool.url).extension(caller);
    let Ok(request) = request.body(Body::empty()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match orders.oneshot(request).await {
        Ok(response) if response.status().is_success() => response.map(Body::new),
        // The challenge of the second API is for the agent. The caller cannot answer it.
        Ok(response) if response.status() == StatusCode::FORBIDDEN => Denial::new().into_response(),
        Ok(_) => StatusCode::BAD_GATEWAY.into_response(),
        Err(error) => (Extension(refusal(&error)), error).into_response(),
    }
}

#[derive(Deserialize)]
struct Tool {
    url: String,
}

/// Why there was no call. Log it and count it: the codes are stable.
fn refusal(error: &CallError<HttpError>) -> Refusal {
    match error {
        CallError::NoToken(error) => Refusal("Entra", error.kind().as_str()),
        CallError::OtherOrigin => Refusal("agent", "other_origin"),
        CallError::NobodyToActAs => Refusal("agent", "nobody_to_act_as"),
        _ => Refusal("orders", "no_response"),
    }
}

/// The second API. How its callers get their tokens is unknown to it.
fn orders_api(validator: Validator, blueprint: AppId) -> Result<Router, ConfigError> {
    // Agents of one blueprint, in whatever way they act. Only an attested agent has a blueprint.
    let of_our_blueprint = Requirement::custom("of our blueprint", move |caller| {
        caller.parent_agent_blueprint() == Some(blueprint)
    });
    // What a user has delegated to the agent, or the agent's own role.
    let may_read = Requirement::scope_or_role("Orders.Read", "Orders.Read.All")?;
    // On behalf of a person is another kind: no agent reads a person's mail.
    let has_mailbox =
        Requirement::kinds([PrincipalKind::AgentUser])?.and(Requirement::scope("Mail.Read")?)?;
    Ok(Router::new()
        .route("/orders", get(seen).layer(RequireLayer::new(may_read)))
        .route("/mailbox", get(seen).layer(RequireLayer::new(has_mailbox)))
        .layer(RequireLayer::new(of_our_blueprint))
        .layer(EntraAuthLayer::new(validator)))
}

/// What the second API knows of its caller: which client acts, and with which user's rights.
async fn seen(caller: AgentPrincipal) -> Json<Value> {
    Json(json!({
        "kind": caller.kind().as_str(),
        "status": caller.agent_status().as_str(),
        "client": caller.client_id(),
        "user": caller.object_id().filter(|_| caller.is_delegated()),
        "blueprint": caller.parent_agent_blueprint(),
    }))
}

/// Where a request ended, and the code for the log there.
#[derive(Clone, Copy)]
struct Refusal(&'static str, &'static str);

/// Notes a refusal down, as a log would.
async fn note(
    State((api, log)): State<(&'static str, Sender<Refusal>)>,
    response: Response,
) -> Response {
    let extensions = response.extensions();
    let why = match extensions.get::<Denial>() {
        Some(denial) => Some(denial.reason().as_str()),
        None => extensions.get().map(|error: &Error| error.kind().as_str()),
    };
    let refusal = extensions.get().copied();
    if let Some(refusal) = refusal.or_else(|| why.map(|why| Refusal(api, why))) {
        // The receiver lives as long as the program.
        log.send(refusal).ok();
    }
    response
}

/// Entra, the second API, and the API of an agent, to which others can be added.
struct Scene {
    issuer: Issuer,
    orders: String,
    agent: String,
    log: Sender<Refusal>,
    noted: Receiver<Refusal>,
}

impl Scene {
    async fn set() -> Result<Self, Box<dyn StdError>> {
        let issuer = Issuer::start().await;
        let mail = issuer.api().add_scope("Mail.Read");
        let agent = issuer.blueprint().agent().grant_scope(&mail, "Mail.Read");
        let validator = validator(&issuer, Audiences::single(issuer.audience())).await?;
        let orders = orders_api(validator, issuer.blueprint_id().parse()?)?;
        let (log, noted) = mpsc::channel();
        let mut scene = Self {
            orders: serve(orders, "orders", log.clone()).await?,
            agent: String::new(),
            issuer,
            log,
            noted,
        };
        scene.agent = scene.start(&scene.issuer.blueprint(), &agent).await?;
        Ok(scene)
    }

    /// Starts the API of an agent, which remembers no token yet, and returns its URL.
    async fn start(&self, from: &Blueprint, agent: &Agent) -> Result<String, Box<dyn StdError>> {
        let issuer = &self.issuer;
        let credential = ClientCredential::secret(from.secret());
        let blueprint =
            ConfidentialClient::builder(issuer.tenant_id(), from.client_id(), credential)
                .authority(issuer.authority())
                .build()?;
        let account = AgentUser::object_id(agent.user().object_id().parse()?);

        let granted = Scopes::default_of(issuer.api().resource())?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let orders = EntraCallLayer::new(&self.orders, granted)?.layer(client);

        let validator = validator(issuer, Audiences::client_id(from.client_id())).await?;
        let agent = blueprint.agent(agent.client_id());
        let api = agent_api(validator, agent, account, orders)?;
        Ok(serve(api, "agent", self.log.clone()).await?)
    }

    /// Asks an agent to read this path of the second API in this way.
    fn ask(&self, agent: &str, way: &str, path: &str) -> String {
        format!("{agent}{way}?url={}{path}", self.orders)
    }

    /// A person's token for the agent's API.
    fn token(&self, person: &str) -> String {
        self.issuer.blueprint().user_token(person).mint()
    }
}

/// For Entra itself leave `authority` out, and name your own tenant.
async fn validator(issuer: &Issuer, audiences: Audiences) -> Result<Validator, Box<dyn StdError>> {
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), audiences)
        .authority(issuer.authority())
        .build()?;
    validator.ready_within(Duration::from_secs(10)).await?;
    Ok(validator)
}

async fn serve(api: Router, name: &'static str, log: Sender<Refusal>) -> io::Result<String> {
    let api = api.layer(middleware::map_response_with_state((name, log), note));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, api).await });
    Ok(url)
}

/// The status with what its client can do about it, and the body.
async fn send(url: &str, token: &str) -> Result<(String, Value), Box<dyn StdError>> {
    let request = http::Request::get(url).header("authorization", format!("Bearer {token}"));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(String::new())?).await?;
    let (head, body) = response.into_parts();
    let header = |name| head.headers.get(name)?.to_str().ok();
    let mut answer = head.status.as_str().to_owned();
    if let Some((_, error)) = header("www-authenticate").and_then(|all| all.split_once("error=\""))
    {
        answer += " ";
        answer += error.split('"').next().unwrap_or_default();
    }
    if let Some(seconds) = header("retry-after") {
        answer += &format!(", in {seconds} s");
    }
    let body = body.collect().await?.to_bytes();
    Ok((answer, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Each request twice: what is remembered costs no token request.
#[rustfmt::skip] // A table.
async fn show_ways(scene: &Scene) -> Result<usize, Box<dyn StdError>> {
    let issuer = &scene.issuer;
    let [alice, bob] = ["alice", "bob"].map(|person| (scene.token(person), issuer.object_id_of(person)));
    let account = issuer.agent_user_id();
    let mut table = Table::new(SEEN);
    for (name, path, token, kind, user, requests) in [
        ("alice /itself", "/orders", &alice.0, "autonomous_agent", "–", ["2", "0"]),
        ("alice /caller", "/orders", &alice.0, "agent_on_behalf_of_user", &*alice.1, ["1", "0"]),
        ("bob /caller", "/orders", &bob.0, "agent_on_behalf_of_user", &bob.1, ["1", "0"]),
        ("bob /account", "/mailbox", &bob.0, "agent_user", &account, ["2", "0"]),
        ("bob /itself", "/orders", &bob.0, "autonomous_agent", "–", ["0", "0"]),
    ] {
        let (_, way) = name.split_once(' ').unwrap_or_default();
        let url = scene.ask(&scene.agent, way, path);
        let start = issuer.token_requests();
        let (_, first) = send(&url, token).await?;
        let between = issuer.token_requests();
        let (_, second) = send(&url, token).await?;
        let made = [between - start, issuer.token_requests() - between];

        let cells = SEEN[1..6].iter().map(|&member| match first[member].as_str() {
            text if text == second[member].as_str() => text.unwrap_or("–").to_owned(),
            text => format!("{text:?}, then {}", second[member]),
        });
        let cells: Vec<_> = cells.chain(made.map(|count| count.to_string())).collect();
        let [first, second] = requests;
        let expected = [kind, "attested", issuer.agent_id(), user, issuer.blueprint_id(), first, second];
        table.add(name, &cells, &expected);
    }
    Ok(table.print(WAYS))
}

/// A request, the token in it, and where it must end: in which API, with which code for the log there, and
/// with which answer.
struct Call<'a>(&'a str, String, String, &'a str);

async fn call(
    scene: &Scene,
    table: &mut Table,
    Call(name, url, token, expected): Call<'_>,
) -> Result<(), Box<dyn StdError>> {
    let (answer, _) = send(&url, &token).await?;
    // A refusal of the second API is noted down there first, and then by the agent's.
    let noted: Vec<_> = scene.noted.try_iter().collect();
    let Refusal(by, why) = noted.first().copied().unwrap_or(Refusal("–", "–"));
    let cells = [by, why, &answer].map(str::to_owned);
    table.add(name, &cells, &expected.splitn(3, ' ').collect::<Vec<_>>());
    Ok(())
}

/// What both policies keep out: without any one rule of theirs, an answer here is another.
#[rustfmt::skip] // A table.
async fn show_policies(scene: &Scene) -> Result<usize, Box<dyn StdError>> {
    let issuer = &scene.issuer;
    let (api, ours, theirs) = (issuer.api(), issuer.blueprint(), issuer.add_blueprint());
    let clerk = ours.add_agent().grant_role(&api, "Orders.Write.All").grant_scope(&api, "Orders.Write");
    let stranger = theirs.add_secret("of another blueprint").add_agent().grant_role(&api, "Orders.Read.All");
    _ = (clerk.add_user("clerk"), stranger.add_user("stranger"));
    let (clerk, stranger) = (scene.start(&ours, &clerk).await?, scene.start(&theirs, &stranger).await?);

    let ask = |way, path| scene.ask(&scene.agent, way, path);
    let ask_clerk = |way, path| scene.ask(&clerk, way, path);
    let alice = || scene.token("alice");
    let alice_of_theirs = theirs.user_token("alice").mint();
    let no_scope = ours.user_token("alice").scope("User.Read").mint();
    let app = || ours.app_token().roles(["Agent.Ask"]).mint();

    let mut table = Table::new(ENDED);
    for call in [
        Call("another blueprint's agent", scene.ask(&stranger, "/itself", "/orders"), alice_of_theirs, "orders policy 403 insufficient_scope"),
        Call("an agent without the role", ask_clerk("/itself", "/orders"), alice(), "orders missing_role 403 insufficient_scope"),
        Call("an agent without the scope", ask_clerk("/caller", "/orders"), alice(), "orders missing_scope 403 insufficient_scope"),
        Call("  nor its account", ask_clerk("/account", "/mailbox"), alice(), "orders missing_scope 403 insufficient_scope"),
        Call("alice's agent at /mailbox", ask("/caller", "/mailbox"), alice(), "orders wrong_kind 403 insufficient_scope"),
        Call("alice without an agent", format!("{}/orders", scene.orders), alice(), "orders audience_mismatch 401 invalid_token"),
        Call("alice without access_agent", ask("/caller", "/orders"), no_scope, "agent missing_scope 403 insufficient_scope"),
        Call("an app on its own", ask("/caller", "/orders"), app(), "agent not_delegated 403 insufficient_scope"),
        // No extractor has refused it: that of the query comes first, and would answer 400.
        Call("  before its query is read", format!("{}/caller", scene.agent), app(), "agent not_delegated 403 insufficient_scope"),
    ] {
        self::call(scene, &mut table, call).await?;
    }
    Ok(table.print(POLICIES))
}

/// What the agent's caller is answered when there is no token, or when there must be none.
#[rustfmt::skip] // A table.
async fn show_failures(scene: &Scene) -> Result<usize, Box<dyn StdError>> {
    let issuer = &scene.issuer;
    let (api, blueprint) = (issuer.api(), issuer.blueprint());
    let agent = blueprint.agent();
    let ask = || scene.ask(&scene.agent, "/caller", "/orders");
    let mut table = Table::new(ENDED);

    agent.withdraw_consent(&api);
    call(scene, &mut table, Call("consent missing", ask(), scene.token("carol"), "Entra consent_required 403 insufficient_scope")).await?;
    agent.grant_scope(&api, "Orders.Read");

    api.set_policy(Policy::StepUp);
    let dave = || blueprint.user_token("dave");
    let (by_cp1, signed_in) = (dave().claim("xms_cc", ["cp1"]), dave().claim("amr", ["pwd", "mfa"]));
    call(scene, &mut table, Call("step-up asked for", ask(), by_cp1.mint(), "Entra interaction_required 401 insufficient_claims")).await?;
    call(scene, &mut table, Call("  by a client without cp1", ask(), dave().mint(), "Entra interaction_required 403 insufficient_scope")).await?;
    call(scene, &mut table, Call("  with a second factor", ask(), signed_in.mint(), "– – 200")).await?;
    api.set_policy(Policy::None);

    let (secret, restarted) = (blueprint.secret(), scene.start(&blueprint, &agent).await?);
    blueprint.remove_secret(&secret);
    let erin = || scene.token("erin");
    call(scene, &mut table, Call("T1's credential revoked", scene.ask(&restarted, "/caller", "/orders"), erin(), "Entra credential_refused 500")).await?;
    call(scene, &mut table, Call("  with a T1 remembered", ask(), erin(), "– – 200")).await?;
    blueprint.add_secret(&secret);

    issuer.fail_at(Target::Token, Fault::StatusWithRetryAfter { status: 429, seconds: 7 });
    call(scene, &mut table, Call("throttled", ask(), scene.token("frank"), "Entra throttled 503, in 7 s")).await?;
    call(scene, &mut table, Call("  with a token remembered", scene.ask(&scene.agent, "/itself", "/orders"), erin(), "– – 200")).await?;
    issuer.heal();

    // It would accept a connection.
    let elsewhere = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    elsewhere.set_nonblocking(true)?;
    let url = format!("{}/itself?url=http://{}/orders", scene.agent, elsewhere.local_addr()?);
    call(scene, &mut table, Call("another origin", url, erin(), "agent other_origin 500")).await?;
    if elsewhere.accept().is_ok() {
        table.add("  a connection to it", &["made".to_owned()], &["none"]);
    }
    Ok(table.print(FAILURES))
}

fn invite(scene: &Scene) {
    let title = "Try it in another shell. ALICE is good for an hour";
    println!("\n{}\n\nAGENT='{}'", paint("1", title), scene.agent);
    println!(
        "ORDERS='{}'\nALICE='{}'",
        scene.orders,
        scene.token("alice")
    );
    println!(
        r#"
curl -iw '\n' "$AGENT/itself?url=$ORDERS/orders" -H "Authorization: Bearer $ALICE"
curl -iw '\n' "$AGENT/caller?url=$ORDERS/orders" -H "Authorization: Bearer $ALICE"
curl -iw '\n' "$AGENT/account?url=$ORDERS/mailbox" -H "Authorization: Bearer $ALICE"
curl -iw '\n' "$AGENT/caller?url=$ORDERS/mailbox" -H "Authorization: Bearer $ALICE"
curl -iw '\n' "$AGENT/caller?url=http://127.0.0.2/" -H "Authorization: Bearer $ALICE"
curl -iw '\n' "$ORDERS/orders" -H "Authorization: Bearer $ALICE"

The agent's API serves at {}, and the second API at {}, until Ctrl-C."#,
        scene.agent, scene.orders,
    );
}

const WAYS: &str = "Called: the second API knows which agent acts, and with whose rights";
#[rustfmt::skip] // One line.
const SEEN: &[&str] = &["caller", "kind", "status", "client", "user", "blueprint", "1st", "2nd"];
const REQUESTS: &str = "\
1st and 2nd are the token requests of a call and its repetition. The assertion that the blueprint gets
for its agent (T1) is fetched once; after it, another person costs one request, and a repetition none.";
const POLICIES: &str = "Refused: by the second API, whose policy is for agents, or by the agent's";
const FAILURES: &str = "Failed: a reason for your log, and an answer that the caller can act on";
const ENDED: &[&str] = &["request", "ended at", "for the log", "for the caller"];
const NO_FALLBACK: &str = "\
access_agent is the scope with which a caller may ask this agent. cp1, in a caller's token, says that its
client can answer a claims challenge. No failure is made good by another identity: what an agent may not do
on behalf of a person, it does not do as itself.";
