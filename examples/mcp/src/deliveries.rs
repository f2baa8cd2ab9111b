//! The API downstream, which knows what is on its way to whom. It is called on behalf of the person for
//! whom the caller of the tool came.

use std::{error::Error, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Response, StatusCode, header::WWW_AUTHENTICATE},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, redirect::Policy};
use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
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
        let http = match reqwest::Url::parse(origin)?.scheme() {
            "https" => http.build()?,
            _ => http.no_proxy().build()?,
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

/// The claims of the API's own challenge: a field that begins with `Bearer`. [`EntraCallLayer`] has sent the
/// request once more with a token for the claims of its first answer, so what is asked for now is up to the
/// person.
fn claims_asked_for(headers: &HeaderMap) -> Option<String> {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    let of_bearer = challenges.filter_map(|field| {
        let (scheme, parameters) = field.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then_some(parameters)
    });
    let mut claims = of_bearer.filter_map(claims_of);
    let only = claims.next()?;
    claims.next().is_none().then_some(only)
}

/// Base64 of either alphabet, padded or not, of a JSON object that asks for something.
fn claims_of(parameters: &str) -> Option<String> {
    let parameter = |name: &str| {
        let mut named = parameters.split(',').filter_map(|parameter| {
            let (found, value) = parameter.trim().split_once('=')?;
            found
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().trim_matches('"'))
        });
        let only = named.next()?;
        named.next().is_none().then_some(only)
    };
    if parameter("error")? != "insufficient_claims" {
        return None;
    }
    let encoded = parameter("claims")?
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&json).ok()?;
    (!claims.is_empty()).then(|| String::from_utf8(json).ok())?
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1?>"}}}"#;

    fn read(fields: &[String]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WWW_AUTHENTICATE, field.parse().expect("a header"));
        }
        claims_asked_for(&headers)
    }

    fn bearer(claims: &str) -> String {
        format!("Bearer error=\"insufficient_claims\", claims=\"{claims}\"")
    }

    #[test]
    fn a_step_up_is_read_in_each_form_of_base64_and_behind_other_challenges() {
        let standard = base64::engine::general_purpose::STANDARD.encode(ASKED);
        let url_safe = URL_SAFE_NO_PAD.encode(ASKED);
        assert_ne!(standard, url_safe);
        for fields in [
            vec![bearer(&standard)],
            vec![bearer(&url_safe)],
            vec!["Negotiate".to_owned(), bearer(&standard)],
            vec![bearer(&standard).replace("Bearer", "bearer")],
            vec![bearer(&standard).replace("error=", "error = ")],
        ] {
            assert_eq!(read(&fields).as_deref(), Some(ASKED), "{fields:?}");
        }
    }

    #[test]
    fn what_asks_for_nothing_or_for_two_things_is_no_step_up() {
        let claims = URL_SAFE_NO_PAD.encode(ASKED);
        for fields in [
            vec![],
            vec![bearer("e30=")],
            vec![bearer("W10=")],
            vec![bearer("?")],
            vec![bearer(&claims).replace("Bearer", "DPoP")],
            vec![bearer(&claims).replace("insufficient_claims", "invalid_token")],
            vec![bearer(&claims).replace("claims=", "x_claims=")],
            vec![format!("{}, claims=\"{claims}\"", bearer(&claims))],
            vec![bearer(&claims), bearer(&claims)],
        ] {
            assert_eq!(read(&fields), None, "{fields:?}");
        }
    }
}
