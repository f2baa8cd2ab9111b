//! The two documents that the issuer serves, and the paths of all its endpoints.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    TenantId,
    testing::keys::{Entry, KeyRing},
};

#[derive(Default)]
pub(super) struct Documents {
    pub(super) raw_discovery: Option<Vec<u8>>,
    pub(super) discovery_edits: BTreeMap<String, Option<Value>>,
    pub(super) raw_key_set: Option<Vec<u8>>,
    pub(super) extra_jwks: Vec<Value>,
}

impl Documents {
    pub(super) fn discovery(&self, url: &str, route: &Route) -> Vec<u8> {
        self.raw_discovery.clone().unwrap_or_else(|| {
            let mut document = discovery_document(url, route);
            let members = document
                .as_object_mut()
                .expect("the document is written as an object");
            edit(members, &self.discovery_edits);
            document.to_string().into_bytes()
        })
    }

    pub(super) fn key_set(&self, url: &str, keys: &KeyRing) -> Vec<u8> {
        self.raw_key_set.clone().unwrap_or_else(|| {
            let own = keys.published().map(|entry| jwk(url, entry));
            let keys: Vec<Value> = own.chain(self.extra_jwks.iter().cloned()).collect();
            json!({ "keys": keys }).to_string().into_bytes()
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Discovery,
    Keys,
    Token,
}

/// The target of a request whose head is `GET {target} HTTP/1.1` and headers.
pub(super) fn target_of(head: &str) -> &str {
    head.split_ascii_whitespace().nth(1).unwrap_or_default()
}

/// A request target that the issuer serves.
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    /// The tenant in the path; a GUID is in lower case.
    pub(super) tenant: String,
    app_id: Option<String>,
}

impl Route {
    pub(super) fn parse(target: &str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
        let endpoint = match rest {
            "v2.0/.well-known/openid-configuration" => Endpoint::Discovery,
            "discovery/v2.0/keys" => Endpoint::Keys,
            "oauth2/v2.0/token" => Endpoint::Token,
            _ => return None,
        };
        let tenant = match tenant {
            // The token endpoint has words for a tenant that there is not.
            any if endpoint == Endpoint::Token => any.to_ascii_lowercase(),
            "organizations" | "common" | "consumers" => tenant.to_owned(),
            guid => guid.parse::<TenantId>().ok()?.to_string(),
        };
        let app_id = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("appid="));
        Some(Self {
            endpoint,
            tenant,
            app_id: app_id.map(str::to_owned),
        })
    }

    /// The tenant in the `issuer` of its discovery document.
    fn issuer_tenant(&self) -> &str {
        match self.tenant.as_str() {
            "organizations" | "common" => TENANT_PLACEHOLDER,
            "consumers" => PERSONAL_ACCOUNTS,
            guid => guid,
        }
    }
}

/// The value as JSON.
#[track_caller]
pub(super) fn to_value(value: impl Serialize) -> Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => panic!("the value cannot be written as JSON: {error}"),
    }
}

/// Sets these members, or removes them.
pub(super) fn edit(members: &mut Map<String, Value>, edits: &BTreeMap<String, Option<Value>>) {
    for (name, value) in edits {
        match value {
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.remove(name),
        };
    }
}

fn jwk(url: &str, entry: &Entry) -> Value {
    let mut jwk = entry.key.jwk();
    let members = [
        ("use", "sig".to_owned()),
        ("kid", entry.kid.clone()),
        ("x5t", entry.kid.clone()),
        ("cloud_instance_name", CLOUD.to_owned()),
        ("issuer", format!("{url}/{TENANT_PLACEHOLDER}/v2.0")),
    ];
    jwk.extend(members.map(|(name, value)| (name.to_owned(), Value::from(value))));
    edit(&mut jwk, &entry.edits);
    Value::Object(jwk)
}

fn discovery_document(url: &str, route: &Route) -> Value {
    let base = format!("{url}/{}", route.tenant);
    let query = route
        .app_id
        .as_ref()
        .map(|id| format!("?appid={id}"))
        .unwrap_or_default();
    json!({
        "issuer": format!("{url}/{}/v2.0", route.issuer_tenant()),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "kerberos_endpoint": format!("{base}/kerberos"),
        "userinfo_endpoint": format!("{url}/oidc/userinfo"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys{query}"),
        "token_endpoint_auth_methods_supported": [
            "client_secret_post", "private_key_jwt", "client_secret_basic",
        ],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": [
            "sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name",
            "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username",
            "name", "tid", "ver", "at_hash", "c_hash", "email",
        ],
        "request_uri_parameter_supported": false,
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "tenant_region_scope": null,
        "cloud_instance_name": CLOUD,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    })
}

const CLOUD: &str = "microsoftonline.com";

/// The text in the place of the tenant in a document for all tenants.
const TENANT_PLACEHOLDER: &str = "{tenantid}";

/// The tenant of personal Microsoft accounts.
const PERSONAL_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
