//! A real API against a real tenant: tells each caller who it is.
//!
//! ```text
//! AZURE_TENANT_ID=… EXPECTED_AUDIENCE=… cargo run --example whoami
//! ```
//!
//! The environment says whose tokens are accepted; the README lists the variables. Keys are fetched
//! in the background: with the authority out of reach the program starts all the same, answers 503,
//! and recovers by itself.

use std::{env, fmt, net::Ipv4Addr, process::ExitCode, str::FromStr};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_entra::{
    AgentPrincipal, Authority, ConfigError, EntraAuthLayer, IdentityType, KeyStatus, RequireLayer,
    Requirement, Tenants, Validator,
};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
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
    let app = app(&settings)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))
        .await
        .map_err(|error| Problem::new("PORT", format!("{}: {error}", settings.port)))?;
    let address = listener
        .local_addr()
        .map_err(|error| Problem::new("PORT", error))?;
    println!("listening on http://{address}");
    axum::serve(listener, app)
        .await
        .map_err(|error| Problem::new("PORT", error))
}

fn app(settings: &Settings) -> Result<Router, Problem> {
    let validator = settings.validator()?;
    // One source of keys for all routes; two rules for tokens that grant nothing.
    let layer = settings.layer(validator.clone())?;
    let by_acl = settings.layer(validator.with_authorization_by_acl())?;
    let metadata = settings.metadata();

    // Who is calling is found out first, then whether they may.
    let only = |requirement| (layer.clone(), RequireLayer::new(requirement));
    let agents_only = only(Requirement::agents());
    // A caller that nobody has attested to be no agent may be one.
    let people_only = only(Requirement::people());
    // The scope for callers to whom somebody delegated something, the role for applications.
    let granted = only(Requirement::scope_or_role(
        "Orders.Read",
        "Orders.Read.All",
    )?);

    // Keys are there before the first request needs them.
    let warm_up = validator.clone();
    tokio::spawn(async move { warm_up.ready().await });

    Ok(Router::new()
        .route("/whoami", get(whoami).layer(by_acl.clone()))
        .route("/public", get(public).layer(by_acl.optional()))
        .route("/agents", get(kind).layer(agents_only))
        .route("/people", get(kind).layer(people_only))
        .route("/orders", get(orders).layer(granted))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route(
            "/.well-known/oauth-protected-resource",
            get(|| async { Json(metadata) }),
        )
        .with_state(validator))
}

async fn whoami(caller: AgentPrincipal) -> Json<Value> {
    let expires_at = caller
        .expires_at()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|since| since.as_secs())
        .ok();
    Json(json!({
        "kind": caller.kind().as_str(),
        "agent_status": caller.agent_status().as_str(),
        "is_agent": caller.is_agent(),
        "is_agent_user_identity": caller.is_agent_user_identity(),
        "tenant_id": caller.tenant_id(),
        "object_id": caller.object_id(),
        "subject": caller.subject(),
        "client_id": caller.client_id(),
        "parent_agent_blueprint": caller.parent_agent_blueprint(),
        "identity_type": caller.identity_type().map(IdentityType::as_str),
        "actor_facets": caller.actor_facets(),
        "subject_facets": caller.subject_facets(),
        "tenant_facets": caller.tenant_facets(),
        "identity_relationships": caller.identity_relationships(),
        "scopes": caller.scopes().collect::<Vec<_>>(),
        "roles": caller.roles().collect::<Vec<_>>(),
        "token_version": caller.token_version().as_str(),
        "issuer": caller.issuer(),
        "audience": caller.audience(),
        "expires_at": expires_at,
    }))
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

/// What the environment says.
struct Settings {
    tenants: Vec<String>,
    audiences: Vec<String>,
    authority: String,
    port: u16,
    known_agents: Vec<(String, String)>,
    resource_metadata: Option<String>,
    token_cache: Option<usize>,
}

impl Settings {
    fn from_env() -> Result<Self, Problem> {
        let mut known_agents = Vec::new();
        for pair in list("KNOWN_AGENTS")? {
            let Some((tenant, client)) = pair.split_once('/') else {
                let problem = format!("{pair:?} is not tenant/client-id");
                return Err(Problem::new("KNOWN_AGENTS", problem));
            };
            known_agents.push((tenant.to_owned(), client.to_owned()));
        }
        Ok(Self {
            tenants: required_list("AZURE_TENANT_ID")?,
            audiences: required_list("EXPECTED_AUDIENCE")?,
            authority: variable("AZURE_AUTHORITY_HOST")?
                .unwrap_or_else(|| "https://login.microsoftonline.com".to_owned()),
            port: parsed("PORT")?.unwrap_or(8080),
            known_agents,
            resource_metadata: variable("RESOURCE_METADATA")?,
            token_cache: parsed("TOKEN_CACHE")?,
        })
    }

    fn validator(&self) -> Result<Validator, Problem> {
        let tenants = match self.tenants.as_slice() {
            [tenants] if tenants == "organizations" => Tenants::any_organization(),
            tenants => Tenants::list(tenants),
        };
        let builder = Validator::builder(tenants, self.audiences.iter().cloned())
            .authority(self.authority())
            .known_agents(self.known_agents.iter().cloned());
        let builder = match self.token_cache {
            Some(capacity) => builder.token_cache(capacity),
            None => builder,
        };
        builder.build().map_err(Problem::from)
    }

    fn authority(&self) -> Authority {
        let host = self.authority.trim_end_matches('/');
        match host.to_ascii_lowercase().trim_end_matches(":443") {
            "https://login.microsoftonline.com" => Authority::public(),
            "https://login.microsoftonline.us" => Authority::us_government(),
            "https://login.partner.microsoftonline.cn" => Authority::china(),
            lower if lower.starts_with("http://") => {
                Authority::insecure_loopback(host).with_v1_issuer(format!("{host}/{{tid}}/"))
            }
            _ => Authority::custom(host),
        }
    }

    fn layer(&self, validator: Validator) -> Result<EntraAuthLayer, Problem> {
        let layer = EntraAuthLayer::new(validator);
        match &self.resource_metadata {
            Some(url) => layer.with_resource_metadata(url).map_err(Problem::from),
            None => Ok(layer),
        }
    }

    /// The document of [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728#section-2).
    fn metadata(&self) -> Value {
        let host = self.authority.trim_end_matches('/');
        let servers: Vec<_> = self
            .tenants
            .iter()
            .map(|tenant| format!("{host}/{tenant}/v2.0"))
            .collect();
        json!({
            "resource": self.audiences.first(),
            "authorization_servers": servers,
            "scopes_supported": ["Orders.Read"],
            "bearer_methods_supported": ["header"],
        })
    }
}

/// One variable. An empty one counts as absent.
fn variable(name: &'static str) -> Result<Option<String>, Problem> {
    match env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value.trim().to_owned())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Problem::new(name, "is not text")),
    }
}

fn parsed<T: FromStr>(name: &'static str) -> Result<Option<T>, Problem>
where
    T::Err: fmt::Display,
{
    let Some(value) = variable(name)? else {
        return Ok(None);
    };
    value
        .parse()
        .map(Some)
        .map_err(|error| Problem::new(name, format!("{value:?}: {error}")))
}

fn list(name: &'static str) -> Result<Vec<String>, Problem> {
    let Some(value) = variable(name)? else {
        return Ok(Vec::new());
    };
    let parts: Vec<_> = value
        .split(',')
        .map(|part| part.trim().to_owned())
        .collect();
    if parts.iter().any(String::is_empty) {
        return Err(Problem::new(name, format!("{value:?} has an empty part")));
    }
    Ok(parts)
}

fn required_list(name: &'static str) -> Result<Vec<String>, Problem> {
    let values = list(name)?;
    if values.is_empty() {
        Err(Problem::new(name, "is not set"))
    } else {
        Ok(values)
    }
}

/// One line about one variable.
struct Problem {
    variable: &'static str,
    text: String,
}

impl Problem {
    fn new(variable: &'static str, text: impl fmt::Display) -> Self {
        Self {
            variable,
            text: text.to_string(),
        }
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        let variable = match error.setting() {
            "tenants" => "AZURE_TENANT_ID",
            "audiences" => "EXPECTED_AUDIENCE",
            "known_agents" => "KNOWN_AGENTS",
            "resource_metadata" => "RESOURCE_METADATA",
            "token_cache" => "TOKEN_CACHE",
            "http_client" => "HTTP client",
            _ => "AZURE_AUTHORITY_HOST",
        };
        Self::new(variable, error.problem())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.text)
    }
}
