//! What this crate does, in one run: an API behind [`EntraAuthLayer`] is called by agents, people
//! and apps, and by some that must be refused.
//!
//! ```text
//! cargo run --example quickstart             # shows the answers, then serves for you to try
//! cargo run --example quickstart -- --once   # shows the answers, no tokens; fails if one is unexpected
//! ```
//!
//! No network and no account is needed: an [`Issuer`] on loopback replaces Entra. The requests are
//! real HTTP nevertheless, keys are fetched, and signatures are made and checked.
//! `RUST_LOG=tower_entra=debug` shows what the crate logs meanwhile.

use std::{env, error::Error as StdError, io, net::Ipv4Addr, process::ExitCode, time::Duration};

use axum::{Json, Router, http, middleware, response::Response, routing::get};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time};
use tower_entra::{
    AgentPrincipal, AgentStatus, Denial, EntraAuthLayer, Error, PrincipalKind, Tenants, Validator,
    testing::{Issuer, TokenBuilder},
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
        eprintln!("usage: quickstart [--once]");
        return Ok(ExitCode::from(2));
    }
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    log.with_env_filter(EnvFilter::from_default_env()).init();

    // For Entra itself leave `authority` out, and name your own tenant and your API's client id.
    let issuer = Issuer::start().await;
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), [issuer.audience()])
        .authority(issuer.authority())
        .known_agents([(issuer.tenant_id(), KNOWN_AGENT)])
        .build()?;
    time::timeout(Duration::from_secs(10), validator.ready()).await?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, api(validator)).await });

    let mut surprises = show(&url, ADMITTED, CALLER, callers(&issuer)).await?;
    println!("{}", paint("2", FACETS));
    surprises += show(&url, REFUSED, REFUSAL, intruders(&issuer)).await?;
    println!("{}", paint("2", UNKNOWN_KEY));
    if !once {
        invite(&url, &issuer);
        server.await??;
    }
    Ok(ExitCode::from(u8::from(surprises > 0)))
}

fn api(validator: Validator) -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/agents", get(agents))
        .route("/people", get(people))
        .layer(EntraAuthLayer::new(validator))
        .layer(middleware::map_response(reveal))
}

/// Any admitted caller.
async fn whoami(caller: AgentPrincipal) -> Json<Value> {
    Json(json!({
        "kind": caller.kind().as_str(),
        "agent_status": caller.agent_status().as_str(),
        "client_id": caller.client_id(),
        "object_id": caller.object_id(),
        "parent_agent_blueprint": caller.parent_agent_blueprint(),
        "scopes": caller.scopes().collect::<Vec<_>>(),
        "roles": caller.roles().collect::<Vec<_>>(),
    }))
}

/// Agents only, whatever their kind.
async fn agents(caller: AgentPrincipal) -> Result<Json<Value>, Denial> {
    if caller.is_agent() {
        Ok(whoami(caller).await)
    } else {
        Err(Denial::new())
    }
}

/// People only. An unattested caller may be an agent.
async fn people(caller: AgentPrincipal) -> Result<Json<Value>, Denial> {
    if caller.kind() == PrincipalKind::User && caller.agent_status() == AgentStatus::NotAgent {
        Ok(whoami(caller).await)
    } else {
        Err(Denial::new())
    }
}

/// What a layer outside of [`EntraAuthLayer`] gets about a refusal. Log it and count it: the code is
/// stable. Only a demonstration sends it to the client.
async fn reveal(mut response: Response) -> Response {
    let extensions = response.extensions();
    if let Some(why) = extensions.get::<Error>().map(|error| error.kind().as_str()) {
        let headers = response.headers_mut();
        headers.insert(WHY, http::HeaderValue::from_static(why));
    }
    response
}

/// A call: its name, which may end in a path other than `/whoami`; its `Authorization` headers,
/// one a line; and the expected answer, which is in the next two columns of a table.
struct Call(&'static str, String, &'static str);

/// Every kind of caller, and how sure a handler can be of it.
#[rustfmt::skip] // A table.
fn callers(issuer: &Issuer) -> Vec<Call> {
    let agent = || issuer.autonomous_agent();
    let for_alice = || issuer.agent_on_behalf_of("alice");
    let known = agent().claims(["azp", "oid", "sub"].map(|claim| (claim, KNOWN_AGENT)));
    // The validator does not have this key yet, and fetches it within the request.
    let new_key = issuer.publish_key();
    vec![
        Call("agent on its own", bearer(agent()), "autonomous_agent attested"),
        Call("  without facets", bearer(agent().without_facets()), "application unattested"),
        Call("  in known_agents", bearer(known.without_facets()), "autonomous_agent declared"),
        Call("agent for alice", bearer(for_alice()), "agent_on_behalf_of_user attested"),
        Call("  without facets", bearer(for_alice().without_facets()), "user unattested"),
        Call("agent's own user", bearer(issuer.agent_user()), "agent_user attested"),
        Call("alice herself", bearer(issuer.user()), "user not_agent"),
        Call("  by a fresh key", bearer(issuer.user().signed_by(new_key)), "user not_agent"),
        Call("ordinary app", bearer(issuer.application()), "application not_agent"),
        Call("agent at /agents", bearer(agent()), "autonomous_agent attested"),
        Call("alice at /people", bearer(issuer.user()), "user not_agent"),
    ]
}

/// What is refused: the last few by a handler, all others by the layer.
#[rustfmt::skip] // A table.
fn intruders(issuer: &Issuer) -> Vec<Call> {
    let user = || issuer.user();
    let unknown_key = issuer.new_unpublished_key();
    let two_headers = format!("{}\n{}", bearer(user()), bearer(user()));
    let hs256 = user().hs256(issuer.keys_document());
    let no_role = issuer.application().without_claim("roles");
    let agent = issuer.agent_on_behalf_of("alice");
    vec![
        Call("no token", String::new(), "401 missing_token"),
        Call("Basic credentials", "Basic YWxpY2U6c2VjcmV0".to_owned(), "401 missing_token"),
        Call("two Authorization headers", two_headers, "400 multiple_credentials"),
        Call("expired an hour ago", bearer(user().expired()), "401 expired"),
        Call("meant for another API", bearer(user().audience("api://b")), "401 audience_mismatch"),
        Call("from another tenant", bearer(user().tenant(OTHER_TENANT)), "401 tenant_not_allowed"),
        Call("forged signature", bearer(user().signed_by_stranger()), "401 invalid_signature"),
        // Not looked up: the fresh key above has just had the fetch of this cool-down.
        Call("signed by an unknown key", bearer(user().signed_by(unknown_key)), "503 keys_unavailable"),
        Call("alg none", bearer(user().header("alg", "none")), "401 algorithm_not_allowed"),
        Call("alg none, no signature", bearer(user().unsigned()), "401 malformed_token"),
        Call("HS256, the public key as secret", bearer(hs256), "401 algorithm_not_allowed"),
        Call("ID token", bearer(issuer.id_token()), "401 id_token"),
        Call("app without a role", bearer(no_role), "403 nothing_granted"),
        Call("alice at /agents", bearer(user()), "403 denied"),
        Call("agent for alice at /people", bearer(agent.clone()), "403 denied"),
        Call("  no facets, at /people", bearer(agent.without_facets()), "403 denied"),
    ]
}

fn bearer(token: TokenBuilder) -> String {
    format!("Bearer {}", token.mint())
}

/// The answer to a request, for a table: the handler's own words, or how it was refused.
async fn send(url: &str, path: &str, authorization: &str) -> Result<Value, Box<dyn StdError>> {
    let mut request = http::Request::get(format!("{url}{path}"));
    for header in authorization.lines() {
        request = request.header("authorization", header);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(String::new())?).await?;
    let (head, body) = response.into_parts();
    if head.status.is_success() {
        return Ok(serde_json::from_slice(&body.collect().await?.to_bytes())?);
    }
    let header = |name| head.headers.get(name)?.to_str().ok();
    let error = header("www-authenticate").map(|text| match text.split_once("error=\"") {
        Some((_, error)) => error.split('"').next(),
        None => Some("a bare challenge"),
    });
    let status = head.status.as_str();
    Ok(json!({ "status": status, "for your log": header(WHY), "for the client": error }))
}

/// Sends requests, prints the answers, and counts unexpected ones.
async fn show(
    url: &str,
    title: &str,
    columns: &[&str],
    calls: Vec<Call>,
) -> Result<usize, Box<dyn StdError>> {
    let mut table = Table::new(columns);
    for Call(name, authorization, expected) in calls {
        let path = name.find('/').map_or("/whoami", |start| &name[start..]);
        let mut answer = send(url, path, &authorization).await?;
        answer["blueprint"] = answer["parent_agent_blueprint"].take();
        let cells = columns[1..]
            .iter()
            .map(|column| answer[column].as_str().unwrap_or("–").to_owned());
        let cells: Vec<_> = cells.collect();
        table.add(name, &cells, &expected.split(' ').collect::<Vec<_>>());
    }
    Ok(table.print(title))
}

fn invite(url: &str, issuer: &Issuer) {
    let title = "Try it in another shell. AGENT and ALICE are good for an hour";
    println!("\n{}\n\nURL='{url}'", paint("1", title));
    println!("AGENT='{}'", issuer.agent_on_behalf_of("alice").mint());
    println!("ALICE='{}'", issuer.user().mint());
    println!("EXPIRED='{}'", issuer.user().expired().mint());
    println!(
        r#"
curl -iw '\n' "$URL/whoami" -H "Authorization: Bearer $AGENT"
curl -iw '\n' "$URL/people" -H "Authorization: Bearer $AGENT"
curl -iw '\n' "$URL/people" -H "Authorization: Bearer $ALICE"
curl -iw '\n' "$URL/whoami" -H "Authorization: Bearer $EXPIRED"
curl -iw '\n' "$URL/whoami"

# What is in a token, and which check refuses it. `explain` and `whoami` read these variables:
export AZURE_TENANT_ID='{}' EXPECTED_AUDIENCE='{}' AZURE_AUTHORITY_HOST='{}'
echo "$AGENT" | cargo run -q --example explain
echo "$EXPIRED" | cargo run -q --example explain

Serving at {url} until Ctrl-C."#,
        issuer.tenant_id(),
        issuer.audience(),
        issuer.url(),
    );
}

const ADMITTED: &str = "Admitted: 200, and the handler knows who is calling";
#[rustfmt::skip] // One line.
const CALLER: &[&str] = &["request", "kind", "agent_status", "client_id", "object_id", "blueprint"];
const FACETS: &str = "\
Facets are the claims that say which caller is an agent. Entra sends them only to APIs that request them.
Without them, an agent looks like an app, or like the person it acts for: it is then unattested, and
/people, which demands not_agent, refuses it.";
const REFUSED: &str = "Refused: a typed error for your log, a challenge for the client";
const UNKNOWN_KEY: &str = "\
503 for the unknown key, not 401: it was not looked up, because the fetch for the fresh key above was
less than 10 s before. The client may try again. A key that was looked up in vain is a 401.";
const REFUSAL: &[&str] = &["request", "status", "for your log", "for the client"];
const WHY: &str = "x-demo-refused-because";
/// An agent that the validator's configuration lists.
const KNOWN_AGENT: &str = "5d0a4c1e-93b7-4f6a-8c52-b1f3e07d9a64";
const OTHER_TENANT: &str = "c0ffee00-5a1d-4b2e-9f37-6d1e8a94b7c3";
