//! A real API against a real tenant: it shows each caller who it is.
//!
//! ```text
//! AZURE_TENANT_ID=… EXPECTED_AUDIENCE=… cargo run --example whoami
//! ```
//!
//! The environment configures whose tokens are accepted; the README lists the variables. Keys are
//! fetched in the background: with the authority out of reach the program still starts, answers 503,
//! and recovers by itself.
//!
//! The log on stderr says who called, and for each refusal the reason and what to change.
//! `RUST_LOG` sets how much; the default is `info,tower_entra=debug`.

#[path = "common/settings.rs"]
mod settings;

use std::{
    env,
    io::{self, IsTerminal},
    net::Ipv4Addr,
    process::ExitCode,
    time::UNIX_EPOCH,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_entra::{
    AgentPrincipal, AppId, EntraAuthLayer, Facets, IdentityRelationships, IdentityType, KeyStatus,
    ObjectId, ProtectedResourceMetadata, RequireLayer, Requirement, TenantId, Validator,
};
use tracing_subscriber::EnvFilter;

use self::settings::{Problem, Settings};

#[tokio::main]
async fn main() -> ExitCode {
    // Who called, who was refused, why, and what to change; and the state of the keys.
    let filter = env::var("RUST_LOG").ok();
    let filter = filter.filter(|filter| !filter.trim().is_empty());
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(EnvFilter::new(
            filter.as_deref().unwrap_or("info,tower_entra=debug"),
        ))
        .init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

async fn serve() -> Result<(), Problem> {
    let settings = Settings::from_env()?;
    let validator = settings.validator()?;
    let app = app(&settings, &validator)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))
        .await
        .map_err(|error| Problem::new("PORT", format!("{}: {error}", settings.port)))?;
    let address = listener
        .local_addr()
        .map_err(|error| Problem::new("PORT", error))?;
    println!("listening on http://{address}");
    // Fetch keys before the first request needs them.
    tokio::spawn(async move { validator.ready().await });
    tracing::info!(
        tenants = ?settings.tenants,
        audiences = ?settings.audiences,
        authority = settings.authority,
        known_agents = settings.known_agents.len(),
        "admitting tokens of these tenants for these audiences",
    );
    axum::serve(listener, app)
        .await
        .map_err(|error| Problem::new("PORT", error))
}

fn app(settings: &Settings, validator: &Validator) -> Result<Router, Problem> {
    // One source of keys for all routes; two rules for tokens that grant nothing.
    let layer = settings.layer(validator.clone())?;
    let by_acl = settings.layer(validator.with_authorization_by_acl())?;
    let metadata = settings.metadata(validator)?;

    // The outer layer determines the caller, the inner one whether it may call.
    let only = |requirement| (layer.clone(), RequireLayer::new(requirement));
    let agents_only = only(Requirement::agents());
    // An unattested caller may be an agent.
    let people_only = only(Requirement::people());
    // The scope for delegated callers, the role for applications.
    let granted = only(Requirement::scope_or_role(
        "Orders.Read",
        "Orders.Read.All",
    )?);

    Ok(Router::new()
        .route("/whoami", get(whoami).layer(by_acl.clone()))
        .route("/public", get(public).layer(by_acl.optional()))
        .route("/agents", get(kind).layer(agents_only))
        .route("/people", get(kind).layer(people_only))
        .route("/orders", get(orders).layer(granted))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route_service(
            "/.well-known/oauth-protected-resource",
            metadata.service::<Body>(),
        )
        .with_state(validator.clone()))
}

async fn whoami(caller: AgentPrincipal) -> Response {
    // `Json` begins with 128 bytes and grows its buffer, which takes a tenth of the time that a remembered
    // token takes.
    let mut body = Vec::with_capacity(1024);
    match serde_json::to_writer(&mut body, &Caller::of(&caller)) {
        Ok(()) => {
            let mut answer = Response::new(Body::from(body));
            let json = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(CONTENT_TYPE, json);
            answer
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn public(caller: Option<AgentPrincipal>) -> Json<Value> {
    Json(json!({ "anonymous": caller.is_none() }))
}

async fn kind(caller: AgentPrincipal) -> Json<Value> {
    Json(json!({ "kind": caller.kind().as_str() }))
}

async fn orders() -> Json<Value> {
    Json(json!({ "orders": [] }))
}

async fn readyz(State(validator): State<Validator>) -> StatusCode {
    match validator.status() {
        KeyStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

/// What `/whoami` answers.
#[derive(Serialize)]
struct Caller<'c> {
    kind: &'static str,
    agent_status: &'static str,
    is_agent: bool,
    is_agent_user_identity: bool,
    tenant_id: TenantId,
    object_id: Option<ObjectId>,
    subject: Option<&'c str>,
    client_id: Option<AppId>,
    parent_agent_blueprint: Option<AppId>,
    identity_type: Option<&'c str>,
    actor_facets: Option<&'c Facets>,
    subject_facets: Option<&'c Facets>,
    tenant_facets: Option<&'c Facets>,
    identity_relationships: Option<&'c IdentityRelationships>,
    scopes: Vec<&'c str>,
    roles: Vec<&'c str>,
    token_version: &'static str,
    issuer: &'c str,
    audience: &'c str,
    expires_at: Option<u64>,
}

impl<'c> Caller<'c> {
    fn of(caller: &'c AgentPrincipal) -> Self {
        let expires_at = caller.expires_at().duration_since(UNIX_EPOCH);
        Self {
            kind: caller.kind().as_str(),
            agent_status: caller.agent_status().as_str(),
            is_agent: caller.is_agent(),
            is_agent_user_identity: caller.is_agent_user_identity(),
            tenant_id: caller.tenant_id(),
            object_id: caller.object_id(),
            subject: caller.subject(),
            client_id: caller.client_id(),
            parent_agent_blueprint: caller.parent_agent_blueprint(),
            identity_type: caller.identity_type().map(IdentityType::as_str),
            actor_facets: caller.actor_facets(),
            subject_facets: caller.subject_facets(),
            tenant_facets: caller.tenant_facets(),
            identity_relationships: caller.identity_relationships(),
            scopes: caller.scopes().collect(),
            roles: caller.roles().collect(),
            token_version: caller.token_version().as_str(),
            issuer: caller.issuer(),
            audience: caller.audience(),
            expires_at: expires_at.map(|since| since.as_secs()).ok(),
        }
    }
}

/// The settings of the environment, as an API.
impl Settings {
    fn layer(&self, validator: Validator) -> Result<EntraAuthLayer, Problem> {
        let layer = EntraAuthLayer::new(validator);
        match &self.resource_metadata {
            Some(url) => layer.with_resource_metadata(url).map_err(Problem::from),
            None => Ok(layer),
        }
    }

    /// The metadata of the API, under the first of its audiences. Entra expects that before the name of a
    /// scope: it takes the short form for one of Microsoft Graph.
    fn metadata(&self, validator: &Validator) -> Result<ProtectedResourceMetadata, Problem> {
        let resource = self.audiences.first().map_or("", String::as_str);
        let metadata = ProtectedResourceMetadata::new(resource, validator)?;
        let with_scopes = metadata
            .clone()
            .with_scopes([format!("{resource}/Orders.Read")]);
        // No scopes if the audience has a character that no scope may have.
        Ok(with_scopes.unwrap_or(metadata))
    }
}
