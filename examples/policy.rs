//! Who may do what: an orders API in which agents may draft, only people may approve, and an agent's
//! user account may read its own mailbox.
//!
//! ```text
//! cargo run --example policy             # shows who may do what, then serves for you to try
//! cargo run --example policy -- --once   # shows it; fails if an answer is unexpected
//! ```
//!
//! No network and no account is needed: an [`Issuer`] on loopback replaces Entra.

use std::{
    env,
    error::Error as StdError,
    net::Ipv4Addr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{self, StatusCode},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time};
use tower_entra::{
    AgentPrincipal, ConfigError, Denial, EntraAuthLayer, PrincipalKind, Problem, ProblemJson,
    RequireLayer, Requirement, Tenants, Validator,
    testing::{Issuer, TokenBuilder},
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn StdError>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let once = arguments.iter().any(|argument| argument == "--once");
    if arguments.len() > usize::from(once) {
        eprintln!("usage: policy [--once]");
        return Ok(ExitCode::from(2));
    }

    // For Entra itself leave `authority` out, and name your own tenant and your API's client id.
    let issuer = Issuer::start().await;
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), [issuer.audience()])
        .authority(issuer.authority())
        .build()?;
    time::timeout(Duration::from_secs(10), validator.ready()).await?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let api = api(validator)?;
    let server = tokio::spawn(async move { axum::serve(listener, api).await });

    let surprises = show(&url, &issuer).await?;
    if !once {
        invite(&url, &issuer);
        server.await??;
    }
    Ok(ExitCode::from(u8::from(surprises > 0)))
}

/// The whole policy, except which mailbox belongs to whom.
fn api(validator: Validator) -> Result<Router, ConfigError> {
    // An agent or a person, but no ordinary app, with the scope if the token is delegated, and with the
    // app role if the caller acts on its own.
    let may_draft =
        Requirement::agents()
            .or(Requirement::people())
            .and(Requirement::scope_or_role(
                "Orders.Draft",
                "Orders.Draft.All",
            )?)?;

    // A person, attested not to be an agent, whose sign-in satisfied `c1`: in the tenant that may mean
    // a second factor.
    let may_approve = Requirement::people()
        .and(Requirement::scope("Orders.Approve")?)?
        .and(Requirement::authentication_context("c1")?)?;

    // An agent through its own user account. On behalf of a person is another kind.
    let has_mailbox =
        Requirement::kinds([PrincipalKind::AgentUser])?.and(Requirement::scope("Mail.Read")?)?;

    let only = |requirement| RequireLayer::new(requirement).refusal_body(ProblemJson);
    Ok(Router::new()
        .route("/orders", post(draft).layer(only(may_draft)))
        .route(
            "/orders/{number}/approval",
            post(approve).layer(only(may_approve)),
        )
        .route(
            "/mailboxes/{tenant}/{owner}",
            get(mailbox).layer(only(has_mailbox)),
        )
        .layer(middleware::from_fn(log_denials))
        .layer(EntraAuthLayer::new(validator).refusal_body(ProblemJson))
        .with_state(Orders::default()))
}

/// How many orders there are. They are numbered from 1.
type Orders = Arc<AtomicU32>;

async fn draft(State(orders): State<Orders>, caller: AgentPrincipal) -> (StatusCode, Json<Value>) {
    let number = orders.fetch_add(1, Ordering::Relaxed) + 1;
    log(&caller, &format!("drafted order {number}"));
    (StatusCode::CREATED, Json(json!({ "order": number })))
}

async fn approve(
    State(orders): State<Orders>,
    Path(number): Path<u32>,
    caller: AgentPrincipal,
) -> Result<Json<Value>, StatusCode> {
    if !(1..=orders.load(Ordering::Relaxed)).contains(&number) {
        return Err(StatusCode::NOT_FOUND);
    }
    log(&caller, &format!("approved order {number}"));
    Ok(Json(json!({ "order": number, "approved": true })))
}

/// No requirement on the route can check whose mailbox it is. An object id is unique only together with
/// its tenant.
async fn mailbox(
    Path((tenant, owner)): Path<(String, String)>,
    caller: AgentPrincipal,
) -> Result<Json<Value>, Problem> {
    let is_own = caller.tenant_id().as_str() == tenant
        && caller
            .object_id()
            .is_some_and(|object| object.as_str() == owner);
    if !is_own {
        return Err(Denial::new().into());
    }
    log(&caller, "read its own mailbox");
    Ok(Json(
        json!({ "mails": ["Your order 1 has been approved."] }),
    ))
}

/// Logs who did what, without names and addresses: they are reassigned, and a log must not have them.
fn log(caller: &AgentPrincipal, what: &str) {
    println!("    {} {what}", who(caller));
}

/// Logs who was denied, and why.
async fn log_denials(caller: AgentPrincipal, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(denial) = response.extensions().get::<Denial>() {
        log(&caller, &format!("was refused: {denial}"));
    }
    response
}

/// Who acts, which is always the client, and on whose behalf.
fn who(caller: &AgentPrincipal) -> String {
    let client = short(caller.client_id().as_ref());
    let object = short(caller.object_id().as_ref());
    let status = caller.agent_status();
    match caller.kind() {
        PrincipalKind::AutonomousAgent => format!("agent {client} ({status})"),
        PrincipalKind::AgentOnBehalfOfUser => format!("agent {client} for {object} ({status})"),
        PrincipalKind::AgentUser => format!("agent {client} as user {object} ({status})"),
        PrincipalKind::User => format!("user {object} through {client} ({status})"),
        PrincipalKind::Application => format!("app {client} ({status})"),
        _ => format!("a caller of unknown kind through {client} ({status})"),
    }
}

/// Enough of a GUID to distinguish it from the others here. A real log has all of it, and the tenant.
fn short(guid: Option<&impl AsRef<str>>) -> String {
    guid.map_or("?", AsRef::as_ref).chars().take(8).collect()
}

/// What a caller does, by which token, and the expected answer: the status, and what the challenge
/// asks for.
struct Call(&'static str, Option<TokenBuilder>, &'static str);

#[rustfmt::skip] // A table.
fn calls(issuer: &Issuer) -> Vec<(&'static str, Vec<Call>)> {
    let on_its_own = || Some(issuer.autonomous_agent().roles(["Orders.Draft.All"]));
    let for_alice = || Some(issuer.agent_on_behalf_of("alice").scope(ALL_SCOPES));
    let account = || Some(issuer.agent_user().scope(ALL_SCOPES));
    let app = || Some(issuer.application().roles(["Orders.Draft.All"]));
    let alice = || issuer.user().scope(ALL_SCOPES).claim("xms_cc", ["cp1"]);
    let signed_in = || alice().claim("acrs", ["c1"]);
    let without_facets = |token: Option<TokenBuilder>| token.map(TokenBuilder::without_facets);
    vec![
        ("POST /orders", vec![
            Call("an agent drafts an order for alice", for_alice(), "201"),
            Call("an agent on its own drafts one", on_its_own(), "201"),
            Call("an agent's user account drafts one", account(), "201"),
            Call("alice drafts one", Some(alice()), "201"),
            Call("an ordinary app with that role may not", app(), "403 insufficient_scope"),
            Call("an agent whose token has no facets neither", without_facets(on_its_own()), "403 insufficient_scope"),
            Call("alice by a client without the scope", Some(alice().scope("Mail.Read")), "403 insufficient_scope Orders.Draft"),
            Call("a request without a token may not", None, "401"),
        ]),
        ("POST /orders/1/approval", vec![
            Call("an agent for alice may not approve", for_alice(), "403 insufficient_scope"),
            Call("an agent's user account neither", account(), "403 insufficient_scope"),
            Call("alice, if an agent may be behind her", without_facets(Some(signed_in())), "403 insufficient_scope"),
            Call("alice, who has to sign in once more", Some(alice()), "401 insufficient_claims"),
            Call("alice has", Some(signed_in()), "200"),
        ]),
        ("GET /mailboxes/OWN", vec![
            Call("an agent's user account reads its mailbox", account(), "200"),
            Call("an agent for alice does not", for_alice(), "403 insufficient_scope"),
        ]),
        ("GET /mailboxes/ALICE", vec![
            Call("an agent's user account reads no other", account(), "403 insufficient_scope"),
        ]),
    ]
}

/// Makes every call, shows the answer below what the server has printed, and counts unexpected
/// answers.
async fn show(url: &str, issuer: &Issuer) -> Result<usize, Box<dyn StdError>> {
    let mut surprises = 0;
    for (route, calls) in calls(issuer) {
        println!("\n{route}");
        let (method, path) = route.split_once(' ').unwrap_or_default();
        let path = path
            .replace("OWN", &mailbox_of(issuer, &issuer.agent_user_id()))
            .replace("ALICE", &mailbox_of(issuer, &issuer.object_id_of("alice")));
        for Call(name, token, expected) in calls {
            println!("  {name}");
            let answer = send(method, &format!("{url}{path}"), token).await?;
            println!("    {answer}");
            if answer != expected {
                println!("  ✗ expected {expected}");
                surprises += 1;
            }
        }
    }
    Ok(surprises)
}

fn mailbox_of(issuer: &Issuer, owner: &str) -> String {
    format!("{}/{owner}", issuer.tenant_id())
}

/// The status, and what the challenge asks for, if it does.
async fn send(
    method: &str,
    url: &str,
    token: Option<TokenBuilder>,
) -> Result<String, Box<dyn StdError>> {
    let mut request = http::Request::builder().method(method).uri(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.mint()));
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(String::new())?).await?;
    let mut answer = response.status().as_str().to_owned();
    if let Some(challenge) = response.headers().get("www-authenticate") {
        for parameter in ["error=\"", "scope=\""] {
            if let Some((_, value)) = challenge.to_str()?.split_once(parameter) {
                answer.push(' ');
                answer.push_str(value.split('"').next().unwrap_or_default());
            }
        }
    }
    Ok(answer)
}

fn invite(url: &str, issuer: &Issuer) {
    let agent = issuer.agent_on_behalf_of("alice").scope(ALL_SCOPES);
    let alice = issuer.user().scope(ALL_SCOPES).claim("acrs", ["c1"]);
    println!("\nTry it in another shell. AGENT and ALICE are good for an hour\n");
    println!(
        "URL='{url}'\nAGENT='{}'\nALICE='{}'",
        agent.mint(),
        alice.mint()
    );
    println!(
        r#"
curl -iw '\n' -X POST "$URL/orders" -H "Authorization: Bearer $AGENT"
curl -iw '\n' -X POST "$URL/orders/1/approval" -H "Authorization: Bearer $AGENT"
curl -iw '\n' -X POST "$URL/orders/1/approval" -H "Authorization: Bearer $ALICE"

Serving at {url} until Ctrl-C. Who does what is printed here."#
    );
}

const ALL_SCOPES: &str = "Orders.Draft Orders.Approve Mail.Read";
