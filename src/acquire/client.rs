//! An app registration that can authenticate, in one tenant.

use std::{fmt, sync::Arc};

use crate::{
    acquire::{
        acting::Acting,
        agent::AgentIdentity,
        app::{App, Registration, Tenant},
        cache::TokenCache,
        credential::ClientCredential,
        journal,
        scopes::Scopes,
        settings::AcquireSettings,
        source::TokenSource,
    },
    authority::Authority,
    config_error::ConfigError,
    http_client::HttpClient,
    ids::{AppId, TenantId},
    origin::Origin,
    shown::Shown,
    user_assertion::UserAssertion,
};

/// An app registration that can authenticate, in one tenant: the blueprint of agents, or any other app.
///
/// Cheap to clone. Clones, and the clients of other tenants that [`in_tenant`](Self::in_tenant) derives,
/// share the tokens and the acquisitions under way.
///
/// Building it does no I/O. The first token is fetched when it is asked for, on the runtime of the caller.
#[derive(Clone)]
pub struct ConfidentialClient(Registration);

impl ConfidentialClient {
    /// A client with this credential. `tenant` and `client_id` are GUIDs, in either letter case.
    pub fn builder(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        credential: ClientCredential,
    ) -> ConfidentialClientBuilder {
        ConfidentialClientBuilder {
            tenant: tenant.into(),
            client_id: client_id.into(),
            credential,
            authority: Authority::default(),
            settings: AcquireSettings::default(),
            claims_challenges: false,
            http_client: None,
        }
    }

    /// The client id of the app.
    #[must_use]
    pub fn client_id(&self) -> AppId {
        self.0.app.client_id
    }

    /// The app acts as itself. An agent's blueprint gets tokens for Microsoft Graph only.
    #[must_use]
    pub fn itself(&self) -> TokenSource {
        TokenSource::new(&self.0, Ok(Acting::Client))
    }

    /// The app acts on behalf of the user of this token.
    ///
    /// The token was admitted by this process, so its audience is one of its own: that of the app, as
    /// `{client id}` or `api://{client id}`, or another name of it. The tenant of the client must be that of
    /// the token: [`in_tenant`](Self::in_tenant).
    #[must_use]
    pub fn on_behalf_of(&self, assertion: &UserAssertion) -> TokenSource {
        let acting = self.0.can_exchange(assertion).map(|()| Acting::OnBehalfOf {
            agent: None,
            assertion: assertion.clone(),
        });
        TokenSource::new(&self.0, acting)
    }

    /// An agent identity of this blueprint, by its client id. An id that is no GUID is refused when a token
    /// is asked for, as [`Misconfigured`](super::AcquireErrorKind::Misconfigured).
    #[must_use]
    pub fn agent(&self, agent_id: impl AsRef<str>) -> AgentIdentity {
        AgentIdentity::new(self.0.clone(), agent_id.as_ref())
    }

    /// The client of the same app in another tenant, for an app of several tenants: every request, T1
    /// included, goes to that tenant. A `tid` that is no GUID is refused when a token is asked for, as
    /// [`Misconfigured`](super::AcquireErrorKind::Misconfigured).
    #[must_use]
    pub fn in_tenant(&self, tid: impl AsRef<str>) -> Self {
        Self(self.0.in_tenant(tid.as_ref()))
    }
}

impl fmt::Debug for ConfidentialClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfidentialClient").field(&self.0).finish()
    }
}

/// A [`ConfidentialClient`] about to be built.
#[must_use = "a builder does nothing before it is built"]
pub struct ConfidentialClientBuilder {
    tenant: String,
    client_id: String,
    credential: ClientCredential,
    authority: Authority,
    settings: AcquireSettings,
    claims_challenges: bool,
    http_client: Option<Arc<dyn HttpClient>>,
}

impl ConfidentialClientBuilder {
    /// The cloud. Default [`Authority::public`].
    pub fn authority(self, authority: Authority) -> Self {
        Self { authority, ..self }
    }

    /// Limits. Default [`AcquireSettings::default`].
    pub fn settings(self, settings: AcquireSettings) -> Self {
        Self { settings, ..self }
    }

    /// Says to Entra (`cp1`) that this client answers claims challenges. Default `false`.
    ///
    /// Tokens then live up to 28 hours, and an API such as Microsoft Graph can refuse one at any time, with
    /// a challenge that must be answered by a token for its claims
    /// ([`TokenOptions::claims`](super::TokenOptions::claims)):
    /// [continuous access evaluation](https://learn.microsoft.com/en-us/entra/identity-platform/app-resilience-continuous-access-evaluation).
    pub fn claims_challenges(self, answers: bool) -> Self {
        Self {
            claims_challenges: answers,
            ..self
        }
    }

    /// The HTTP client. Default: a `reqwest` client with rustls (feature `http-client`).
    pub fn http_client(self, client: impl HttpClient) -> Self {
        Self {
            http_client: Some(Arc::new(client)),
            ..self
        }
    }

    /// Builds the client. Does no I/O.
    ///
    /// # Errors
    ///
    /// Fails with the setting and what is wrong with it: a tenant or client id that is no GUID (`common`,
    /// `organizations` and `consumers` are none), a credential that cannot be used, an authority that is no
    /// `https` origin, a number out of its range, or no HTTP client.
    pub fn build(self) -> Result<ConfidentialClient, ConfigError> {
        let tenant: TenantId = self.tenant.parse().map_err(|_| {
            let shown = Shown::of(&self.tenant);
            let which = match self.tenant.to_ascii_lowercase().as_str() {
                "common" | "organizations" | "consumers" => " stands for many tenants",
                _ => " is not a GUID",
            };
            ConfigError::new(
                "tenant",
                format!("{shown}{which}. Set the id of one tenant."),
            )
        })?;
        let client_id: AppId = self.client_id.parse().map_err(|_| {
            let shown = Shown::of(&self.client_id);
            ConfigError::new(
                "client_id",
                format!("{shown} is not a GUID. Set the application (client) id of the app."),
            )
        })?;
        self.credential.check()?;
        self.settings.check_ranges()?;
        let origin = self.authority.origin(Some(&tenant))?;
        let audience = match &self.settings.exchange_audience {
            Some(audience) => audience.clone(),
            None => exchange_audience(&origin).to_owned(),
        };
        let exchange = Scopes::default_of(&audience)
            .map_err(|error| ConfigError::new("exchange_audience", error.to_string()))?;
        let http = match self.http_client {
            Some(client) => client,
            None => default_client(&self.settings, &origin)?,
        };
        let tenant = Tenant::new(tenant, &origin)?;
        journal::start();
        Ok(ConfidentialClient(Registration {
            app: Arc::new(App {
                client_id,
                credential: self.credential,
                authority: self.authority,
                origin,
                http,
                exchange,
                exchange_audience: audience,
                claims_challenges: self.claims_challenges,
                cache: TokenCache::new(self.settings.clone()),
                settings: self.settings,
            }),
            tenant: Ok(tenant),
        }))
    }
}

impl fmt::Debug for ConfidentialClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfidentialClientBuilder")
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("credential", &self.credential)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// The audience of the token exchange in the cloud with this host. Only that of the public cloud has been
/// tried; the others are those that Microsoft's libraries name.
fn exchange_audience(origin: &Origin) -> &'static str {
    match origin.host() {
        "login.microsoftonline.us" => "api://AzureADTokenExchangeUSGov",
        "login.partner.microsoftonline.cn" => "api://AzureADTokenExchangeChina",
        _ => "api://AzureADTokenExchange",
    }
}

#[cfg(feature = "http-client")]
fn default_client(
    settings: &AcquireSettings,
    origin: &Origin,
) -> Result<Arc<dyn HttpClient>, ConfigError> {
    use crate::http_client::ReqwestClient;

    let (connect, total) = (settings.connect_timeout, settings.request_timeout);
    let client = ReqwestClient::new(connect, total, origin, None)?;
    Ok(Arc::new(client))
}

#[cfg(not(feature = "http-client"))]
fn default_client(
    _settings: &AcquireSettings,
    _origin: &Origin,
) -> Result<Arc<dyn HttpClient>, ConfigError> {
    Err(ConfigError::new(
        "http_client",
        "there is none: set one, or turn on the feature http-client",
    ))
}
