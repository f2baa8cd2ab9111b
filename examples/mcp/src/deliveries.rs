//! The API downstream, which knows what is on its way to whom. It is called on behalf of the person for
//! whom the caller of the tool came.

use std::{error::Error, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Response, StatusCode, header::WWW_AUTHENTICATE},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, redirect::Policy};
use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use tower::{Layer, ServiceExt};
use tower_entra::acquire::{
    AcquireError, CallError, CloneBody, ConfidentialClient, EntraCall, EntraCallLayer, Scopes,
    UserAssertion,
};

/// The deliveries API, and this server's app registration as a client of it.
#[derive(Clone)]
pub struct DeliveriesApi {
    url: String,
    app: ConfidentialClient,
    http: Client,
    calls: EntraCall<Client, CloneBody>,
}

/// What the API answers.
#[derive(Deserialize, JsonSchema, Serialize)]
pub struct Deliveries {
    /// The object id of the person whose deliveries they are, as the API sees its caller.
    recipient: String,
    /// The client id of what has asked the API: that of this server.
    asked_by: String,
    /// When something comes.
    times: Vec<String>,
}

/// Why there is no list. Nothing of a token, and no text of Entra's or the API's, is for the client.
pub(crate) enum Failure {
    /// There is no token for the call.
    NoToken(AcquireError),
    /// The API asks for claims, as JSON text, and refuses the token that Entra gives for them.
    StepUp(String),
    /// Anything else, in words for the model.
    Other(String),
}

impl DeliveriesApi {
    /// `origin` is that of the API, https or on a loopback address. `scope` is a full name, such as
    /// `api://deliveries/Deliveries.Read`.
    ///
    /// # Errors
    ///
    /// Fails if one of them is something else.
    pub fn new(origin: &str, scope: &str, app: ConfidentialClient) -> Result<Self, Box<dyn Error>> {
        // A request is sent once more where the API asks for claims and Entra has a token for them.
        let layer = EntraCallLayer::new(origin, Scopes::new([scope])?)?.replay(CloneBody);
        let http = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(10));
        // The layer takes http only for loopback, which no proxy of the environment reaches.
        let http = match origin.starts_with("http://") {
            true => http.no_proxy().build()?,
            false => http.build()?,
        };
        Ok(Self {
            url: format!("{}/deliveries", origin.trim_end_matches('/')),
            app,
            calls: layer.layer(http.clone()),
            http,
        })
    }

    /// Asks on behalf of this person.
    pub(crate) async fn ask(&self, person: &UserAssertion) -> Result<Deliveries, Failure> {
        // A token of one tenant is never exchanged in another.
        let app = self.app.in_tenant(person.tenant_id());
        let calls = self.calls.clone().acting_as(app.on_behalf_of(person));
        let request = self.http.get(&self.url).build().map_err(CallError::Inner)?;
        let response = calls.oneshot(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            let claims = (status == StatusCode::UNAUTHORIZED)
                .then(|| claims_asked_for(response.headers()))
                .flatten();
            return Err(claims.map_or_else(
                || Failure::Other(format!("the deliveries API answered {status}")),
                Failure::StepUp,
            ));
        }
        let body = Body::new(Response::from(response).into_body());
        let deliveries = match to_bytes(body, MAX_ANSWER).await {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(_) => None,
        };
        let problem = || Failure::Other("the deliveries API answered no list".to_owned());
        deliveries.ok_or_else(problem)
    }
}

impl From<CallError<reqwest::Error>> for Failure {
    fn from(error: CallError<reqwest::Error>) -> Self {
        match error {
            CallError::NoToken(error) => Self::NoToken(error),
            _ => Self::Other("the deliveries API cannot be reached".to_owned()),
        }
    }
}

/// The claims of the API's own challenge. [`EntraCallLayer`] has asked Entra for a token with them and sent
/// the request once more, so to fulfil them is not up to this server.
fn claims_asked_for(headers: &HeaderMap) -> Option<String> {
    let challenge = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let parameter = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0)
    };
    if parameter("error") != Some("insufficient_claims") {
        return None;
    }
    String::from_utf8(STANDARD.decode(parameter("claims")?).ok()?).ok()
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
