//! An [MCP](https://modelcontextprotocol.io) server whose tools know who calls them: an agent acting
//! as itself, an agent acting for a person, an agent's own user account, a person, or an app.
//!
//! [`EntraAuthLayer`] is around rmcp's Streamable HTTP service. rmcp passes the head of the
//! HTTP request to the tool that is called, and the [`AgentPrincipal`] is in its extensions.
//!
//! One tool asks an API downstream: [`DeliveriesApi`].

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::{
    Json, Router,
    extract::Request,
    http::request::Parts,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use rmcp::{
    ErrorData, ServerHandler,
    handler::server::{
        common::{AsRequestContext, FromContextPart},
        tool::{IntoCallToolResult, ToolRouter},
        wrapper::{Json as Structured, Parameters},
    },
    model::CallToolResponse,
    schemars::{self, JsonSchema},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_entra::{
    AgentPrincipal, ConfigError, Denial, EntraAuthLayer, ObjectId, PrincipalKind, Requirement,
    TenantId, Validator, acquire::UserAssertion,
};

pub use self::deliveries::DeliveriesApi;
use self::deliveries::{Deliveries, Failure};

mod deliveries;
pub mod lookalike;

/// Where the server is, as its clients see it.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme and host: `https://orders.example.com`, without a slash at the end.
    pub origin: String,
    /// Who issues the tokens: `https://login.microsoftonline.com/{tenant}/v2.0`.
    pub authorization_server: String,
}

impl Site {
    /// The URL to give to an MCP client. It must be an identifier URI of the app registration too:
    /// clients send it to Entra as the `resource`, which has to fit the scopes they ask for.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("{}{PATH}", self.origin)
    }

    /// The full name of a scope, by which Entra is asked for it. Tokens carry the short one.
    fn scope(&self, name: &str) -> String {
        format!("{}/{name}", self.resource())
    }

    /// Where [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728#section-3.1) puts the document that
    /// describes the resource: its well-known path goes between the resource's host and path.
    fn metadata_url(&self) -> String {
        format!("{}{METADATA_PATH}", self.origin)
    }

    /// That document.
    fn metadata(&self) -> Value {
        json!({
            "resource": self.resource(),
            "authorization_servers": [self.authorization_server],
            "scopes_supported": [self.scope(READ), self.scope(WRITE)],
            "bearer_methods_supported": ["header"],
        })
    }
}

/// The server: tools behind tokens, and the document that shows clients where to get one. Without a
/// deliveries API there is no tool that asks it.
///
/// # Errors
///
/// Fails if the origin is not that of an `http` or `https` URL.
pub fn app(
    validator: Validator,
    site: Site,
    deliveries: Option<DeliveriesApi>,
) -> Result<Router, ConfigError> {
    let layer = EntraAuthLayer::new(validator)
        .with_user_assertion()
        .with_resource_metadata(site.metadata_url())?
        .with_scopes([site.scope(READ)])?;
    let metadata = site.metadata();
    let config = configuration(&site);
    let tools = match deliveries {
        Some(_) => Orders::tool_router(),
        None => Orders::tool_router().with_disabled("list_deliveries"),
    };
    let orders = Orders {
        site: Arc::new(site),
        book: Arc::default(),
        deliveries,
        tools,
    };
    let sessions = Arc::new(NeverSessionManager::default());
    let mcp = StreamableHttpService::new(move || Ok(orders.clone()), sessions, config);

    Ok(Router::new()
        .route_service(PATH, mcp)
        .route_layer(middleware::from_fn(pass_denial_on))
        .route_layer(layer)
        // Outside the layers, because it is for clients that have no token yet.
        .route(METADATA_PATH, get(|| async { Json(metadata) })))
}

fn configuration(site: &Site) -> StreamableHttpServerConfig {
    let host = site.origin.split("://").last().unwrap_or_default();
    StreamableHttpServerConfig::default()
        // rmcp answers only under these names, so that no web page can reach it under a name of its
        // own. Without the first it would refuse every request from outside this machine.
        .with_allowed_hosts([host, "localhost", "127.0.0.1", "::1"])
        // Refuses web pages.
        .enforce_origin_validation()
        // No sessions, so that each request is judged by its own token. rmcp identifies a session only by
        // its id, so a client with that id and a good token of another caller can take the answers that
        // its owner waits for. MCP has dropped sessions in its version 2026-07-28.
        .with_legacy_session_mode(false)
        // The status waits for the tool's answer: see `pass_denial_on`.
        .with_json_response(true)
}

/// Passes a tool's denial to [`EntraAuthLayer`], which answers 403 and names the scopes to ask for,
/// where MCP clients look for them.
///
/// No layer could refuse beforehand: the name of the tool is in the body of the request, and only
/// clients of MCP 2026-07-28 repeat it in a header. A requirement of all tools belongs into a layer.
async fn pass_denial_on(mut request: Request, next: Next) -> Response {
    let verdict = Verdict::default();
    request.extensions_mut().insert(verdict.clone());
    let mut response = next.run(request).await;
    if let Some(denial) = verdict.0.get() {
        response.extensions_mut().insert(denial.clone());
    }
    response
}

/// Where a tool leaves its denial for [`pass_denial_on`].
#[derive(Clone, Default)]
struct Verdict(Arc<OnceLock<Denial>>);

/// The caller of a tool: a parameter of every tool that needs it.
struct Caller {
    principal: AgentPrincipal,
    /// `None` if it acts as itself: there is no person on whose behalf another API can be called.
    assertion: Option<UserAssertion>,
    verdict: Verdict,
}

impl<C: AsRequestContext> FromContextPart<C> for Caller {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        // Of the request that carries this call, not of an earlier one.
        let parts = context.as_request_context().extensions.get::<Parts>();
        let caller = parts.and_then(|parts| {
            Some(Self {
                principal: parts.extensions.get().cloned()?,
                assertion: parts.extensions.get().cloned(),
                verdict: parts.extensions.get().cloned()?,
            })
        });
        caller.ok_or_else(|| ErrorData::internal_error("not behind EntraAuthLayer", None))
    }
}

impl Caller {
    fn who(&self) -> Who {
        Who {
            kind: self.principal.kind().as_str(),
            agent_status: self.principal.agent_status().as_str(),
            object_id: self.principal.object_id().map(|id| id.to_string()),
            client_id: self.principal.client_id().map(|id| id.to_string()),
        }
    }

    /// Refuses the call. The error is for a client to which the status has gone out already, as it
    /// would have after a progress notification.
    fn denied(&self, denial: Denial) -> ErrorData {
        // Another text of the denial, its `Display`, is for the log.
        let text = denial.client_message();
        let error = match denial.status().is_server_error() {
            true => ErrorData::internal_error(text, None),
            false => ErrorData::invalid_request(text, None),
        };
        // The first denial counts.
        let _ = self.verdict.0.set(denial);
        error
    }
}

/// Why a tool has no result.
enum ToolError {
    /// For the client: a JSON-RPC error, such as that of [`Caller::denied`].
    Protocol(ErrorData),
    /// For the model: a result that is an error.
    Tool(String),
}

impl From<ErrorData> for ToolError {
    fn from(error: ErrorData) -> Self {
        Self::Protocol(error)
    }
}

impl IntoCallToolResult for ToolError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        match self {
            Self::Protocol(error) => Err(error),
            Self::Tool(text) => text.into_call_tool_result(),
        }
    }
}

/// The tools, and the orders of all tenants.
#[derive(Clone)]
struct Orders {
    site: Arc<Site>,
    book: Arc<Mutex<Vec<Order>>>,
    deliveries: Option<DeliveriesApi>,
    tools: ToolRouter<Self>,
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Orders {}

#[tool_router]
impl Orders {
    /// Shows the caller as the server sees it.
    #[tool(annotations(read_only_hint = true))]
    fn whoami(&self, caller: Caller) -> Structured<Who> {
        Structured(caller.who())
    }

    /// Lists the caller's orders, or those of the person for whom an agent calls. An agent or an
    /// application that acts as itself sees the whole tenant's.
    #[tool(annotations(read_only_hint = true))]
    fn list_orders(&self, caller: Caller) -> Result<Structured<Listing>, ErrorData> {
        let principal = &caller.principal;
        let person = match principal.kind() {
            // It has no delegated permissions, only its role.
            PrincipalKind::AutonomousAgent | PrincipalKind::Application => {
                if !principal.has_role(READ_ALL) {
                    return Err(caller.denied(Denial::new()));
                }
                None
            }
            _ => Some(self.person(&caller, READ)?),
        };
        let book = self.book();
        let orders = book.iter().filter(|order| {
            order.tenant == principal.tenant_id() && person.is_none_or(|id| order.person == id)
        });
        let orders = orders.cloned().collect();
        let whose = person.map_or_else(|| "everybody".to_owned(), |id| id.to_string());
        Ok(Structured(Listing { whose, orders }))
    }

    /// Places an order for the caller, or for the person for whom an agent calls. An agent that acts as
    /// itself cannot order.
    #[tool]
    fn place_order(
        &self,
        caller: Caller,
        Parameters(NewOrder { item }): Parameters<NewOrder>,
    ) -> Result<Structured<Order>, ErrorData> {
        let order = Order {
            person: self.person(&caller, WRITE)?,
            tenant: caller.principal.tenant_id(),
            placed_by: caller.who(),
            item,
        };
        let mut book = self.book();
        if book.len() >= CAPACITY {
            return Err(ErrorData::internal_error("the order book is full", None));
        }
        book.push(order.clone());
        Ok(Structured(order))
    }

    /// Lists what is on its way to the caller, or to the person for whom an agent calls. An agent or an
    /// application that acts as itself is sent nothing.
    #[tool(annotations(read_only_hint = true))]
    async fn list_deliveries(&self, caller: Caller) -> Result<Structured<Deliveries>, ToolError> {
        // Before a token is asked for.
        self.person(&caller, READ)?;
        let (Some(api), Some(person)) = (&self.deliveries, &caller.assertion) else {
            return Err(ErrorData::internal_error("not set up", None).into());
        };
        let denial = match api.ask(person).await {
            Ok(deliveries) => return Ok(Structured(deliveries)),
            Err(Failure::Other(text)) => return Err(ToolError::Tool(text)),
            Err(Failure::NoToken(error)) => error.denial(),
            Err(Failure::StepUp(claims)) => Denial::for_claims(&caller.principal, &claims),
        };
        Err(caller.denied(denial).into())
    }
}

impl Orders {
    /// The person for whom the caller acts, if it has the scope.
    fn person(&self, caller: &Caller, scope: &str) -> Result<ObjectId, ErrorData> {
        let principal = &caller.principal;
        if let Err(denial) = principal.require(&Requirement::delegated()) {
            return Err(caller.denied(denial));
        }
        let Some(person) = principal.object_id() else {
            // No scope would change this.
            return Err(caller.denied(Denial::new()));
        };
        if !principal.has_scope(scope) {
            let scopes = [self.site.scope(scope)];
            return Err(caller.denied(Denial::new().with_scopes(scopes)));
        }
        Ok(person)
    }

    fn book(&self) -> MutexGuard<'_, Vec<Order>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller, in words for the outside.
#[derive(Clone, Serialize, JsonSchema)]
struct Who {
    kind: &'static str,
    /// `unattested`: Entra does not say whether this is an agent.
    agent_status: &'static str,
    /// The person, or the agent's user account, or what acts as itself.
    object_id: Option<String>,
    /// The agent or application that sent the call.
    client_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Listing {
    /// The object id of a person, or `everybody`.
    whose: String,
    orders: Vec<Order>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Order {
    /// The owner takes both: an object id is unique only in its tenant.
    #[serde(skip)]
    tenant: TenantId,
    #[serde(skip)]
    person: ObjectId,
    item: Item,
    placed_by: Who,
}

#[derive(Deserialize, JsonSchema)]
struct NewOrder {
    item: Item,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Item {
    Cocoa,
    Coffee,
    Tea,
}

const PATH: &str = "/mcp";
const METADATA_PATH: &str = "/.well-known/oauth-protected-resource/mcp";

/// Scopes, for delegated callers.
const READ: &str = "Orders.Read";
const WRITE: &str = "Orders.Write";
/// A role, for callers that act as themselves.
const READ_ALL: &str = "Orders.Read.All";

/// How many orders fit into memory.
const CAPACITY: usize = 1_000;
