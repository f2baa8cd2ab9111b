//! Settings of the few variables that a sidecar needs, until the reader of the configuration is there.

use std::{env, net::SocketAddr};

use http::{HeaderValue, Method};
use tower_entra::{Authority, acquire::ClientCredential};

use crate::settings::{
    AllowOverrides, Api, AzureAd, Credential, Listen, Log, Settings, TokenSettings,
};

pub(crate) fn settings() -> Result<Settings, Vec<String>> {
    let variable = |name: &str| env::var(name).map_err(|_| vec![format!("{name} is not set")]);
    let wrong = |name: &str| vec![format!("{name} is wrong")];
    let instance = variable("AzureAd__Instance")?;
    let scope = variable("DownstreamApis__orders__Scopes__0")?;
    let address: SocketAddr = variable("ASPNETCORE_URLS")?
        .trim_start_matches("http://")
        .parse()
        .map_err(|_| wrong("ASPNETCORE_URLS"))?;
    let secret = variable("AzureAd__ClientCredentials__0__ClientSecret")?;
    Ok(Settings {
        azure_ad: AzureAd {
            authority: Authority::insecure_loopback(instance),
            tenant: variable("AzureAd__TenantId")?
                .parse()
                .map_err(|_| wrong("AzureAd__TenantId"))?,
            client_id: variable("AzureAd__ClientId")?
                .parse()
                .map_err(|_| wrong("AzureAd__ClientId"))?,
            audiences: None,
            scopes: Vec::new(),
            authorization_by_acl: true,
            claims_challenges: false,
            credential: Some(Credential {
                section: "AzureAd:ClientCredentials:0".to_owned(),
                source_type: "ClientSecret",
                credential: ClientCredential::secret(secret),
            }),
        },
        apis: [(
            "orders".to_owned(),
            Api {
                base_url: None,
                relative_path: String::new(),
                scopes: vec![scope],
                request_app_token: false,
                http_method: Method::GET,
                accept: HeaderValue::from_static("application/json"),
                headers: Vec::new(),
                query: Vec::new(),
                token: TokenSettings::default(),
            },
        )]
        .into(),
        allow_overrides: AllowOverrides::default(),
        ignore_denied_agents: false,
        lenient_agent_parameters: false,
        allow_plain_http: false,
        follow_redirects: false,
        listen: vec![Listen::Tcp(address)],
        metrics: None,
        is_development: env::var("ASPNETCORE_ENVIRONMENT").is_ok_and(|name| name == "Development"),
        log: Log::default(),
    })
}
