//! The settings, typed.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use http::{HeaderName, HeaderValue, Method};
use tower_entra::{AppId, Authority, TenantId, acquire::ClientCredential};

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) azure_ad: AzureAd,
    /// `DownstreamApis`, by the name that its user wrote: letter case makes a difference.
    pub(crate) apis: BTreeMap<String, Api>,
    /// `Sidecar:AllowOverrides`.
    pub(crate) allow_overrides: AllowOverrides,
    /// `Sidecar:IgnoreDeniedAgents`: agent parameters on a route where overrides are off are dropped, and the
    /// token is that of the blueprint. Default `false`: such a request is refused.
    pub(crate) ignore_denied_agents: bool,
    /// `Sidecar:LenientAgentParameters`: an agent's user without an agent is ignored, and a user's name wins
    /// over its object id. Default `false`: such a request is refused.
    pub(crate) lenient_agent_parameters: bool,
    /// `Sidecar:AllowPlainHttp`: a `BaseUrl` may be `http` to a host that is not this one. Default `false`.
    pub(crate) allow_plain_http: bool,
    /// `Sidecar:AllowOutboundRedirects`: redirects on the origin of the API are followed. Default `false`.
    pub(crate) follow_redirects: bool,
    /// Where the routes are served; at least one.
    pub(crate) listen: Vec<Listen>,
    /// `Sidecar:MetricsUrl`: where Prometheus finds its text. Off by default.
    pub(crate) metrics: Option<Listen>,
    /// `ASPNETCORE_ENVIRONMENT=Development`: callers from elsewhere and foreign hosts are served, and
    /// `/openapi/v1.json` is there.
    pub(crate) is_development: bool,
    pub(crate) log: Log,
}

/// `AzureAd`: the app registration of the API and its agents' blueprint.
#[derive(Debug)]
pub(crate) struct AzureAd {
    /// `Instance`.
    pub(crate) authority: Authority,
    pub(crate) tenant: TenantId,
    pub(crate) client_id: AppId,
    /// `Audience`, `TokenValidationParameters:ValidAudience`, `…:ValidAudiences`. Without one, those that
    /// Entra gives the tokens for this client id.
    pub(crate) audiences: Option<Vec<String>>,
    /// `Scopes`: `/Validate` admits a caller that has one of them. Empty admits every caller.
    pub(crate) scopes: Vec<String>,
    /// `AllowWebApiToBeAuthorizedByACL`. Default `true`.
    pub(crate) authorization_by_acl: bool,
    /// `IncludeErrorDetails`: a challenge says why a token was refused. Default `true`.
    pub(crate) error_details: bool,
    /// `ClientCapabilities` has `cp1`.
    pub(crate) claims_challenges: bool,
    /// The first of `ClientCredentials` that is not skipped and loads. `None` if none is configured:
    /// `/Validate` works without.
    pub(crate) credential: Option<Credential>,
}

/// How the app authenticates.
#[derive(Debug)]
pub(crate) struct Credential {
    /// The section that it comes from, such as `AzureAd:ClientCredentials:0`.
    pub(crate) section: String,
    /// `SourceType` as Microsoft writes it, such as `SignedAssertionFromManagedIdentity`.
    pub(crate) source_type: &'static str,
    pub(crate) credential: ClientCredential,
}

/// One of `DownstreamApis`.
#[derive(Debug)]
pub(crate) struct Api {
    /// Without one only the routes that give tokens know the API. Checked: `https`, or `http` where it is allowed;
    /// no user, query or fragment; without `/` at its end.
    pub(crate) base_url: Option<String>,
    pub(crate) relative_path: String,
    /// May be empty: a caller can name some.
    pub(crate) scopes: Vec<String>,
    pub(crate) request_app_token: bool,
    /// Default `GET`.
    pub(crate) http_method: Method,
    /// Default `application/json`.
    pub(crate) accept: HeaderValue,
    /// `ExtraHeaderParameters`, without reserved names.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// `ExtraQueryParameters`.
    pub(crate) query: Vec<(String, String)>,
    /// `AcquireTokenOptions`.
    pub(crate) token: TokenSettings,
}

/// `AcquireTokenOptions` of an API.
#[derive(Debug, Default)]
pub(crate) struct TokenSettings {
    pub(crate) tenant: Option<TenantId>,
    pub(crate) force_refresh: bool,
    /// JSON text.
    pub(crate) claims: Option<String>,
    /// A GUID.
    pub(crate) correlation_id: Option<String>,
}

/// On which routes a caller may name agents, and change what is configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllowOverrides {
    /// `GetAuthorizationHeader`.
    pub(crate) authorization_header: bool,
    /// `GetAuthorizationHeaderUnauthenticated`.
    pub(crate) authorization_header_unauthenticated: bool,
    /// `CallDownstreamApi`.
    pub(crate) downstream_api: bool,
    /// `CallDownstreamApiUnauthenticated`.
    pub(crate) downstream_api_unauthenticated: bool,
}

impl Default for AllowOverrides {
    fn default() -> Self {
        Self {
            authorization_header: true,
            authorization_header_unauthenticated: false,
            downstream_api: true,
            downstream_api_unauthenticated: false,
        }
    }
}

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// With port 0 the operating system chooses one. `[::]` is every address of the machine, also those of IPv4;
    /// where there is no IPv6, it is `0.0.0.0`.
    Tcp(SocketAddr),
    /// `127.0.0.1` and `[::1]` at this port, which is not 0. Where there is no IPv6, the first is enough.
    Localhost(u16),
    Unix(PathBuf),
}

/// `Logging`.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// `LogLevel`: target prefix and level, the default first.
    pub(crate) levels: Vec<(String, tracing::level_filters::LevelFilter)>,
    /// `Console:FormatterName` is `json`.
    pub(crate) as_json: bool,
}
