//! The verdict on a token if its signature were good.
//!
//! The claims are signed again, by a key that is made here and that only the validator in here trusts.
//! What that validator admits proves nothing about the token.

use std::{error::Error, pin::Pin};

use http::{Request, Response};
use serde_json::{Value, json};
use tower_entra::{AgentPrincipal, HttpClient, Validator, testing::Issuer};

use super::settings::{Problem, Settings};

pub(crate) struct Rehearsal {
    issuer: Issuer,
    validator: Validator,
}

impl Rehearsal {
    pub(crate) async fn of(settings: &Settings) -> Result<Self, Problem> {
        let issuer = Issuer::start().await;
        let validator = settings
            .builder()
            .http_client(Documents::of(settings, &issuer))
            .build()?;
        validator.ready().await;
        Ok(Self { issuer, validator })
    }

    /// Judges claims by the checks from the sixth on.
    pub(crate) async fn judge(&self, claims: &str) -> Result<AgentPrincipal, tower_entra::Error> {
        let token = self.issuer.token().payload(claims).mint();
        self.validator.validate(&token).await
    }
}

/// The two documents of the authority that is configured, with the key of the rehearsal in them.
struct Documents {
    discovery: String,
    keys: String,
}

impl Documents {
    fn of(settings: &Settings, issuer: &Issuer) -> Self {
        let host = settings.host();
        let (host, tenant) = match settings.tenants.as_slice() {
            [tenant] if tenant != "organizations" => {
                let tenant = tenant.to_ascii_lowercase();
                (host.replace("{tid}", &tenant), tenant)
            }
            _ => (host, "{tenantid}".to_owned()),
        };
        let mut keys: Value = serde_json::from_slice(&issuer.keys_document()).unwrap_or_default();
        for key in keys["keys"].as_array_mut().into_iter().flatten() {
            key["issuer"] = json!(format!("{host}/{{tenantid}}/v2.0"));
            if let Some(members) = key.as_object_mut() {
                members.remove("cloud_instance_name");
            }
        }
        let discovery = json!({
            "issuer": format!("{host}/{tenant}/v2.0"),
            "jwks_uri": format!("{host}/keys"),
        });
        Self {
            discovery: discovery.to_string(),
            keys: keys.to_string(),
        }
    }
}

impl HttpClient for Documents {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn Error + Send + Sync>>> + Send>>
    {
        let document = match request.uri().path() {
            "/keys" => &self.keys,
            _ => &self.discovery,
        };
        let answer = Response::new(document.clone().into_bytes());
        Box::pin(async { Ok(answer) })
    }
}
