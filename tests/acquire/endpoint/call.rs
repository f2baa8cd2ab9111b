//! A request to the token endpoint, read, and the token that answers it.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Request;
use serde_json::{Value, json};

/// The scope of T1 and T2 in the public cloud.
pub(crate) const EXCHANGE: &str = "api://AzureADTokenExchange/.default";

/// The scope of T1 and T2 at this host.
pub(crate) fn exchange_at(host: &str) -> &'static str {
    match host {
        "login.microsoftonline.us" => "api://AzureADTokenExchangeUSGov/.default",
        "login.partner.microsoftonline.cn" => "api://AzureADTokenExchangeChina/.default",
        "login.sovcloud-identity.fr" => "api://AzureADTokenExchangeFrance/.default",
        _ => EXCHANGE,
    }
}

/// Which token is asked for: whose, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) tenant: String,
    pub(crate) who: Who,
    pub(crate) scope: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who {
    /// T1.
    AgentAssertion { blueprint: String, agent: String },
    /// An app or an agent as itself. With the scope of the exchange it is T2.
    Itself(String),
    /// The assertion is that of the caller: the end of it, which no two have.
    OnBehalfOf { client: String, assertion: String },
    /// The user is an object id, or a principal name in lower case.
    AgentUser { agent: String, user: String },
}

impl Key {
    pub(crate) fn new(tenant: &str, who: Who, scope: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            who,
            scope: scope.to_owned(),
        }
    }

    /// The client that asks.
    pub(crate) fn client(&self) -> &str {
        match &self.who {
            Who::AgentAssertion { blueprint, .. } => blueprint,
            Who::Itself(client) | Who::OnBehalfOf { client, .. } => client,
            Who::AgentUser { agent, .. } => agent,
        }
    }

    pub(crate) fn is_t1(&self) -> bool {
        matches!(self.who, Who::AgentAssertion { .. })
    }

    pub(crate) fn is_t2(&self) -> bool {
        let is_exchange = self.scope.starts_with("api://AzureADTokenExchange");
        matches!(self.who, Who::Itself(_)) && is_exchange
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: Key,
    /// Where the request goes.
    host: String,
    /// The credential of the client, also of the legs that T1 proves.
    by: String,
    /// The `client-request-id`: that of a flight and of its legs.
    pub(crate) flight: String,
    pub(crate) claims: Option<String>,
    /// The `client_assertion`: T1, or what the credential gave.
    pub(crate) assertion: Option<String>,
    /// The `user_federated_identity_credential`.
    pub(crate) t2: Option<String>,
    /// The user on whose behalf, or by whom.
    oid: Option<String>,
}

impl Call {
    /// Reads a request, and fails if it is none that the way out may make.
    pub(super) fn read(request: &Request<Vec<u8>>) -> Self {
        assert_eq!(request.method(), "POST");
        let path: Vec<_> = request.uri().path().split('/').collect();
        let ["", tenant, "oauth2", "v2.0", "token"] = path[..] else {
            panic!("{}", request.uri());
        };
        let pairs: Vec<(String, String)> = form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let count = pairs.len();
        let mut form: BTreeMap<String, String> = pairs.into_iter().collect();
        assert_eq!(form.len(), count, "a parameter is sent twice");
        assert!(!form.values().any(String::is_empty), "a parameter is empty");
        let mut take = |name: &str| form.remove(name);
        let client = take("client_id").unwrap();
        let secret = take("client_secret");
        let assertion = take("client_assertion");
        assert!(secret.is_some() ^ assertion.is_some(), "one credential");
        assert!(assertion.is_some() == take("client_assertion_type").is_some());
        let scope = take("scope").unwrap();
        let claims = take("claims");
        let (mut t2, mut oid) = (None, None);
        let who = match take("grant_type").unwrap().as_str() {
            "client_credentials" => match take("fmi_path") {
                Some(agent) => Who::AgentAssertion {
                    blueprint: client,
                    agent,
                },
                None => Who::Itself(client),
            },
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                assert_eq!(take("requested_token_use").unwrap(), "on_behalf_of");
                let assertion = take("assertion").unwrap();
                oid = claims_of(&assertion)["oid"].as_str().map(str::to_owned);
                let assertion = end_of(&assertion);
                Who::OnBehalfOf { client, assertion }
            }
            "user_fic" => {
                t2 = take("user_federated_identity_credential");
                let (id, name) = (take("user_id"), take("username"));
                assert!(id.is_some() ^ name.is_some(), "one name of a user");
                let user = id.or(name).unwrap().to_lowercase();
                oid = Some(user.clone());
                Who::AgentUser {
                    agent: client,
                    user,
                }
            }
            other => panic!("{other}"),
        };
        assert!(form.is_empty(), "{:?}", form.keys());
        let key = Key::new(tenant, who, &scope);
        assert!(claims.is_none() || !(key.is_t1() || key.is_t2()));
        let host = request.uri().host().unwrap().to_owned();
        let mut by = match assertion.as_deref().and_then(granted_here) {
            Some(t1) => {
                let who = Who::AgentAssertion {
                    blueprint: t1["azp"].as_str().unwrap().to_owned(),
                    agent: key.client().to_owned(),
                };
                assert_is(&t1, &host, &Key::new(tenant, who, exchange_at(&host)));
                let by = t1["by"].as_str().unwrap();
                format!("T1 of {} by {by}", t1["azp"].as_str().unwrap())
            }
            None => secret.or_else(|| assertion.clone()).unwrap(),
        };
        if let Some(t2) = t2.as_deref().and_then(granted_here) {
            let who = Who::Itself(key.client().to_owned());
            assert_is(&t2, &host, &Key::new(tenant, who, exchange_at(&host)));
            by = format!("{by} and T2 by {}", t2["by"].as_str().unwrap());
        }
        let flight = request.headers()["client-request-id"].to_str().unwrap();
        Self {
            key,
            host,
            by,
            flight: flight.to_owned(),
            claims,
            assertion,
            t2,
            oid,
        }
    }

    /// The claims of the token that is asked for, with its key as one more.
    pub(crate) fn claims_of_token(&self) -> Value {
        let mut claims = json!({
            "azp": self.key.client(),
            "tid": self.key.tenant,
            "key": format!("{:?}", self.key),
            "host": self.host,
            "by": self.by,
            "for": self.claims,
        });
        match &self.oid {
            None => claims["idtyp"] = "app".into(),
            Some(oid) => {
                claims["scp"] = "A".into();
                claims["oid"] = oid.as_str().into();
            }
        }
        claims
    }
}

/// The claims of a token that this endpoint has granted.
fn granted_here(token: &str) -> Option<Value> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["key"].is_string().then_some(claims)
}

/// T1 or T2 was granted at this host, for this key.
fn assert_is(claims: &Value, host: &str, key: &Key) {
    assert_eq!(claims["key"], format!("{key:?}"), "T1 or T2 of another");
    assert_eq!(claims["host"], host, "T1 or T2 of another cloud");
}

/// The end of a caller's token, by which a [`Key`] names it.
pub(crate) fn end_of(assertion: &str) -> String {
    let at = assertion.len().saturating_sub(12);
    assertion[at..].to_owned()
}

/// A token with these claims and a signature of nothing.
pub(crate) fn jwt(claims: &Value) -> String {
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJub25lIn0.{claims}.AA")
}

pub(crate) fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}
