//! The APIs: two of agents, one for each blueprint, and the one that they and the sidecar call.

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{Request, StatusCode},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_entra::{
    AgentPrincipal, Audiences, ConfigError, Denial, EntraAuthLayer, Error, KeySettings,
    RequireLayer, Requirement, Tenants, Validator,
    acquire::{
        AcquireSettings, AgentIdentity, AgentUser, CallError, ClientCredential, ConfidentialClient,
        EntraCall, EntraCallLayer, Scopes, UserAssertion,
    },
};

use crate::{
    seen::{Answer, Seen},
    world::{Acting, Failed, SCOPE, World},
};

/// Why an API has refused: the kind of the error, and Entra's number.
pub(crate) const REASON: HeaderName = HeaderName::from_static("x-reason");

type Http = Client<HttpConnector, Body>;

/// Serves the API that is called, and returns its URL. It fetches keys for an unknown key alone.
pub(crate) async fn serve_orders(world: &World) -> Result<String, Failed> {
    let settings = KeySettings::default().with_cool_down(SECOND);
    let audiences = Audiences::single(world.issuer.audience());
    let validator = validator(world, audiences, settings).await?;
    let router = Router::new()
        .route("/orders", get(seen))
        .layer(EntraAuthLayer::new(validator));
    Ok(serve(router).await?)
}

async fn seen(caller: AgentPrincipal) -> Json<Seen> {
    Json(Seen::of(&caller))
}

/// The API of the agents of one blueprint.
#[derive(Clone)]
pub(crate) struct AgentApi {
    pub(crate) url: String,
    team: Arc<Team>,
}

struct Team {
    world: Arc<World>,
    blueprint: usize,
    identities: RwLock<Arc<Identities>>,
    /// No agent.
    app: ConfidentialClient,
    /// With the scopes of an agent as itself, and with those of a user.
    orders: [EntraCall<Http>; 2],
    orders_url: String,
}

/// The agents, by tenant.
type Identities = [Vec<AgentIdentity>; 2];

impl AgentApi {
    /// Its door refreshes its keys each second, besides.
    pub(crate) async fn serve(
        world: &Arc<World>,
        blueprint: usize,
        orders: &str,
    ) -> Result<Self, Failed> {
        let settings = KeySettings::default()
            .with_refresh_interval(SECOND)
            .with_cool_down(SECOND);
        let audiences = Audiences::client_id(world.blueprints[blueprint].client_id());
        let validator = validator(world, audiences, settings).await?;
        let credential = match blueprint {
            0 => ClientCredential::secret(world.blueprints[0].secret()),
            _ => ClientCredential::certificate_file(&world.certificate),
        };
        let resource = world.issuer.api().resource().to_owned();
        let of_app = Scopes::default_of(&resource)?;
        let of_user = Scopes::new([format!("{resource}/{SCOPE}")])?;
        let client: Http = Client::builder(TokioExecutor::new()).build_http();
        let call = |scopes| {
            Ok::<_, ConfigError>(EntraCallLayer::new(orders, scopes)?.layer(client.clone()))
        };
        let app = world.issuer.client();
        let secret = ClientCredential::secret(app.secret());
        let team = Arc::new(Team {
            app: ConfidentialClient::builder(&world.tenants[0], app.client_id(), secret)
                .authority(world.issuer.authority())
                .build()?,
            identities: RwLock::new(Arc::new(identities(world, blueprint, credential)?)),
            orders: [call(of_app)?, call(of_user)?],
            orders_url: format!("{orders}/orders"),
            world: Arc::clone(world),
            blueprint,
        });
        let delegated = RequireLayer::new(Requirement::delegated());
        let router = Router::new()
            .route("/caller", get(seen))
            .route("/app", get(as_app))
            .route("/itself/{agent}", get(as_itself))
            .route("/account/{agent}/{account}", get(by_account))
            .route("/on_behalf_of/{agent}", get(on_behalf_of).layer(delegated))
            .with_state(Arc::clone(&team))
            .layer(EntraAuthLayer::new(validator).with_user_assertion())
            .layer(map_response(with_reason));
        let url = serve(router).await?;
        Ok(Self { url, team })
    }

    /// Gets its tokens with this secret from now on, and remembers none, as after a restart.
    pub(crate) fn restart_with(&self, secret: String) -> Result<(), Failed> {
        let team = &self.team;
        let credential = ClientCredential::secret(secret);
        let new = Arc::new(identities(&team.world, team.blueprint, credential)?);
        let mut identities = team
            .identities
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *identities = new;
        Ok(())
    }
}

fn identities(
    world: &World,
    blueprint: usize,
    credential: ClientCredential,
) -> Result<Identities, ConfigError> {
    let settings = AcquireSettings::default().with_request_timeout(Duration::from_secs(5));
    let id = world.blueprints[blueprint].client_id();
    let client = ConfidentialClient::builder(&world.tenants[0], id, credential)
        .authority(world.issuer.authority())
        .settings(settings)
        .build()?;
    Ok([0, 1].map(|tenant| {
        let client = client.in_tenant(&world.tenants[tenant]);
        let acting = world.agents[blueprint][tenant].iter();
        acting.map(|acting| client.agent(acting.id())).collect()
    }))
}

/// As an app that is the same in both tenants.
async fn as_app(State(team): State<Arc<Team>>, caller: AgentPrincipal) -> Response {
    let Some(tenant) = team.tenant_of(&caller) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let app = team.app.in_tenant(&team.world.tenants[tenant]);
    let orders = team.orders[0].clone().acting_as(app.itself());
    team.call(&caller, orders, None).await
}

async fn as_itself(
    State(team): State<Arc<Team>>,
    Path(number): Path<usize>,
    caller: AgentPrincipal,
) -> Response {
    let Some((_, agent)) = team.agent(&caller, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let orders = team.orders[0].clone().acting_as(agent.itself());
    team.call(&caller, orders, None).await
}

async fn by_account(
    State(team): State<Arc<Team>>,
    Path((number, account)): Path<(usize, usize)>,
    caller: AgentPrincipal,
) -> Response {
    let Some((acting, agent)) = team.agent(&caller, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let account = &acting.accounts[account];
    // The first by its object id, the other by its name.
    let user = match account.object_id().parse() {
        Ok(oid) if account.object_id() == acting.accounts[0].object_id() => {
            AgentUser::object_id(oid)
        }
        _ => AgentUser::principal_name(account.principal_name()),
    };
    let orders = team.orders[1].clone().acting_as(agent.user(user));
    team.call(&caller, orders, None).await
}

async fn on_behalf_of(
    State(team): State<Arc<Team>>,
    Path(number): Path<usize>,
    caller: AgentPrincipal,
    assertion: UserAssertion,
) -> Response {
    let Some((_, agent)) = team.agent(&caller, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let orders = team.orders[1].clone().on_behalf_of_caller(agent);
    team.call(&caller, orders, Some(assertion)).await
}

impl Team {
    fn tenant_of(&self, caller: &AgentPrincipal) -> Option<usize> {
        let tenant = caller.tenant_id().to_string();
        self.world.tenants.iter().position(|own| *own == tenant)
    }

    /// The agent with this number in the caller's tenant.
    fn agent(&self, caller: &AgentPrincipal, number: usize) -> Option<(&Acting, AgentIdentity)> {
        let tenant = self.tenant_of(caller)?;
        let acting = self.world.agents[self.blueprint][tenant].get(number)?;
        Some((acting, self.identities()[tenant].get(number)?.clone()))
    }

    fn identities(&self) -> Arc<Identities> {
        let identities = self.identities.read();
        Arc::clone(&identities.unwrap_or_else(PoisonError::into_inner))
    }

    async fn call(
        &self,
        caller: &AgentPrincipal,
        orders: EntraCall<Http>,
        assertion: Option<UserAssertion>,
    ) -> Response {
        let mut request = Request::get(&self.orders_url);
        if let Some(assertion) = assertion {
            request = request.extension(assertion);
        }
        let Ok(request) = request.body(Body::empty()) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        match orders.oneshot(request).await {
            Ok(response) if response.status().is_success() => {
                let body = response
                    .into_body()
                    .collect()
                    .await
                    .map(|body| body.to_bytes());
                let called_as = body
                    .ok()
                    .and_then(|body| serde_json::from_slice(&body).ok());
                match called_as {
                    Some(called_as) => {
                        let caller = Seen::of(caller);
                        Json(Answer { caller, called_as }).into_response()
                    }
                    None => because(StatusCode::BAD_GATEWAY.into_response(), "no answer"),
                }
            }
            Ok(response) => {
                let reason = format!("called: {}", response.status());
                because(StatusCode::BAD_GATEWAY.into_response(), &reason)
            }
            Err(error) => {
                let reason = match &error {
                    CallError::NoToken(error) => {
                        let code = error.code().map(|code| code.to_string());
                        format!("{} {}", error.kind(), code.as_deref().unwrap_or("-"))
                    }
                    CallError::Inner(_) => "called: no response".to_owned(),
                    _ => "no call".to_owned(),
                };
                because(error.into_response(), &reason)
            }
        }
    }
}

fn because(mut response: Response, reason: &str) -> Response {
    if let Ok(reason) = HeaderValue::try_from(reason) {
        response.headers_mut().insert(REASON, reason);
    }
    response
}

/// A refusal of the door, with its reason.
async fn with_reason(response: Response) -> Response {
    if response.headers().contains_key(REASON) {
        return response;
    }
    let extensions = response.extensions();
    let reason = match extensions.get::<Denial>() {
        Some(denial) => Some(denial.reason().as_str()),
        None => extensions.get().map(|error: &Error| error.kind().as_str()),
    };
    match reason {
        Some(reason) => because(response, &format!("door: {reason}")),
        None => response,
    }
}

/// Of both tenants.
async fn validator(
    world: &World,
    audiences: Audiences,
    settings: KeySettings,
) -> Result<Validator, Failed> {
    let validator = Validator::builder(Tenants::list(&world.tenants), audiences)
        .authority(world.issuer.authority())
        .key_settings(settings)
        .token_cache(1_000)
        .build()?;
    validator.ready_within(Duration::from_secs(10)).await?;
    Ok(validator)
}

async fn serve(router: Router) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

const SECOND: Duration = Duration::from_secs(1);
