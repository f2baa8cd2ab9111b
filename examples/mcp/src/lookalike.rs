//! Entra and the deliveries API on loopback, for where there is no account.

use std::{error::Error, net::Ipv4Addr};

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_entra::{
    AgentPrincipal, Audiences, ConfigError, EntraAuthLayer, RequireLayer, Requirement, Tenants,
    Validator,
    acquire::{ClientCredential, ConfidentialClient},
    testing::{Api, Client, Issuer},
};

use crate::DeliveriesApi;

/// An Entra with two registrations: this server, and the deliveries API.
pub struct Lookalike {
    pub issuer: Issuer,
    pub server: Client,
    pub api: Api,
}

impl Lookalike {
    /// Registers both.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        let api = issuer.add_api("api://deliveries").add_scope(SCOPE);
        let server = issuer.add_client().add_secret("a secret of the server");
        server.grant_scope(&api, SCOPE);
        Self {
            issuer,
            server,
            api,
        }
    }

    /// A validator of tokens for this client id.
    ///
    /// # Errors
    ///
    /// Fails if it is none.
    pub fn validator(&self, client_id: &str) -> Result<Validator, ConfigError> {
        let tenants = Tenants::single(self.issuer.tenant_id());
        Validator::builder(tenants, Audiences::client_id(client_id))
            .authority(self.issuer.authority())
            .build()
    }

    /// The deliveries API: who has delegated its scope gets an answer that shows whom the API sees.
    ///
    /// # Errors
    ///
    /// Fails if the look-alike names no registration.
    pub fn deliveries_api(&self) -> Result<Router, ConfigError> {
        let validator = self.validator(self.api.client_id())?;
        Ok(Router::new()
            .route("/deliveries", get(deliveries))
            .layer(RequireLayer::new(Requirement::scope(SCOPE)?))
            .layer(EntraAuthLayer::new(validator)))
    }

    /// Starts an API, and returns the server's way to it.
    ///
    /// # Errors
    ///
    /// Fails if no port of loopback is free.
    pub async fn start(&self, api: Router) -> Result<DeliveriesApi, Box<dyn Error>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, api).await });
        self.way_to(&origin)
    }

    /// The server's way to the API at this origin.
    ///
    /// # Errors
    ///
    /// Fails if it is not on a loopback address.
    pub fn way_to(&self, origin: &str) -> Result<DeliveriesApi, Box<dyn Error>> {
        let secret = ClientCredential::secret(self.server.secret());
        let tenant = self.issuer.tenant_id();
        let app = ConfidentialClient::builder(tenant, self.server.client_id(), secret)
            .authority(self.issuer.authority())
            .claims_challenges(true)
            .build()?;
        let scope = format!("{}/{SCOPE}", self.api.resource());
        DeliveriesApi::new(origin, &scope, app)
    }
}

/// What is on its way, and how the caller looks from here.
pub async fn deliveries(caller: AgentPrincipal) -> Json<Value> {
    Json(json!({
        "recipient": caller.object_id(),
        "asked_by": caller.client_id(),
        "times": ["12:30"],
    }))
}

/// The one scope of the deliveries API.
const SCOPE: &str = "Deliveries.Read";
