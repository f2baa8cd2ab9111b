//! The handle that a test holds: starting an issuer, its names, the requests that it has received.

use std::{fmt, sync::Arc};

use crate::{
    Authority, TenantId, Validator, ValidatorBuilder,
    testing::{documents::target_of, server::Server, settings::Settings, state::Shared},
};

/// An Entra look-alike on loopback. **Never for production.**
///
/// Clones are handles of the same issuer; its server stops when the last one is dropped. No two
/// issuers share a key: each refuses the other's tokens.
///
/// See the [module docs](super) for an example.
#[derive(Clone)]
pub struct Issuer {
    pub(super) shared: Arc<Shared>,
    _server: Arc<Server>,
}

/// Starting, and the issuer's names.
impl Issuer {
    /// Starts an issuer with the defaults of [`IssuerBuilder`].
    ///
    /// # Panics
    ///
    /// If no port of `127.0.0.1` can be bound.
    #[must_use = "the server stops when the issuer is dropped"]
    pub async fn start() -> Self {
        Self::start_blocking()
    }

    /// Starts an issuer from code that is not async, otherwise as [`start`](Self::start) does.
    ///
    /// # Panics
    ///
    /// If no port of `127.0.0.1` can be bound.
    #[must_use = "the server stops when the issuer is dropped"]
    pub fn start_blocking() -> Self {
        Self::builder().start_blocking()
    }

    /// An issuer with other names than the defaults.
    pub fn builder() -> IssuerBuilder {
        IssuerBuilder {
            settings: Settings::default(),
            port: 0,
        }
    }

    /// The URL of the issuer: `http://127.0.0.1:PORT`, without a trailing slash, whatever its
    /// [`public_url`](IssuerBuilder::public_url).
    #[must_use]
    pub fn url(&self) -> String {
        self.shared.url.clone()
    }

    /// The GUID of the home tenant, which every token has unless
    /// [`TokenBuilder::tenant`](super::TokenBuilder::tenant) sets another.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.shared.settings.tenant_id
    }

    /// The audience of every token unless
    /// [`TokenBuilder::audience`](super::TokenBuilder::audience) sets another.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.shared.settings.audience
    }

    /// The client id of the ordinary client, through which [`user`](Self::user) and
    /// [`application`](Self::application) call.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.shared.settings.client_id
    }

    /// The client id of the agent identity, which is also its object id.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.shared.settings.agent_id
    }

    /// The client id of the agent's blueprint.
    #[must_use]
    pub fn blueprint_id(&self) -> &str {
        &self.shared.settings.blueprint_id
    }

    /// The issuer of the home tenant's version 1.0 tokens: `{url}/{tid}/`.
    #[must_use]
    pub fn v1_issuer(&self) -> String {
        self.shared.v1_issuer(self.tenant_id())
    }

    /// The issuer of the home tenant's version 2.0 tokens: `{url}/{tid}/v2.0`.
    #[must_use]
    pub fn v2_issuer(&self) -> String {
        self.shared.v2_issuer(self.tenant_id())
    }
}

/// Validators that trust this issuer.
impl Issuer {
    /// The authority to configure a validator with.
    #[must_use]
    pub fn authority(&self) -> Authority {
        self.shared.authority()
    }

    /// A validator of this issuer's tokens for its [`audience`](Self::audience).
    ///
    /// It admits only the home tenant, or any organization's tenant if the issuer is
    /// [`multi_tenant`](IssuerBuilder::multi_tenant). Each call makes a validator with a key cache of
    /// its own.
    ///
    /// # Panics
    ///
    /// If a validator refuses the audience that the issuer was built with.
    #[must_use]
    pub fn validator(&self) -> Validator {
        self.validator_builder()
            .build()
            .expect("the issuer's own names make a valid configuration")
    }

    /// The builder of [`validator`](Self::validator), for other settings.
    pub fn validator_builder(&self) -> ValidatorBuilder {
        self.shared.validator_builder()
    }
}

/// The requests that the issuer has received, including those answered with a fault.
impl Issuer {
    /// How many requests there were for a discovery document.
    #[must_use]
    pub fn discovery_fetches(&self) -> u64 {
        self.shared.lock().log.discovery_fetches
    }

    /// How many requests there were for a key set.
    #[must_use]
    pub fn key_fetches(&self) -> u64 {
        self.shared.lock().log.key_fetches
    }

    /// How many requests there were for either.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        let state = self.shared.lock();
        state.log.discovery_fetches + state.log.key_fetches
    }

    /// The targets of the last 1,000 requests of any kind, oldest first: path and query.
    #[must_use]
    pub fn requests_seen(&self) -> Vec<String> {
        let state = self.shared.lock();
        state
            .log
            .heads
            .iter()
            .map(|head| target_of(head).to_owned())
            .collect()
    }

    /// The heads of the last 1,000 requests of any kind, oldest first: request line and headers.
    #[must_use]
    pub fn heads_seen(&self) -> Vec<String> {
        self.shared.lock().log.heads.iter().cloned().collect()
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("url", &self.shared.url)
            .finish_non_exhaustive()
    }
}

/// An [`Issuer`] about to be started.
///
/// The defaults are fixed GUIDs, a port that the system picks, and the audience
/// `api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a`.
#[derive(Clone, Debug)]
#[must_use = "an issuer does nothing before it is started"]
pub struct IssuerBuilder {
    settings: Settings,
    port: u16,
}

impl IssuerBuilder {
    /// Sets the home tenant.
    ///
    /// # Panics
    ///
    /// If `tid` is not a GUID.
    #[track_caller]
    pub fn tenant(mut self, tid: impl Into<String>) -> Self {
        let tid = tid.into();
        let Ok(tenant) = tid.parse::<TenantId>() else {
            panic!("the tenant of a testing::Issuer must be a GUID, not {tid:?}");
        };
        self.settings.tenant_id = tenant.to_string();
        self
    }

    /// Sets the audience of the tokens.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.settings.audience = audience.into();
        self
    }

    /// Sets the client id of the ordinary client.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.settings.client_id = client_id.into();
        self
    }

    /// Sets the client id of the agent identity.
    pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.settings.agent_id = agent_id.into();
        self
    }

    /// Sets the client id of the agent's blueprint.
    pub fn blueprint_id(mut self, blueprint_id: impl Into<String>) -> Self {
        self.settings.blueprint_id = blueprint_id.into();
        self
    }

    /// Makes [`Issuer::validator`] admit any organization's tenant. The default is only the home
    /// tenant.
    ///
    /// In either case the issuer itself serves and signs for every tenant.
    pub fn multi_tenant(mut self) -> Self {
        self.settings.multi_tenant = true;
        self
    }

    /// Sets the URL that all documents and tokens have in the place of [`Issuer::url`], for a proxy with TLS
    /// in front. The default is `Issuer::url`; the `Host` of a request is never used.
    ///
    /// MSAL for Python speaks to a token endpoint over `https` only.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.settings.public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Serves two tokens over HTTP, as `text/plain`, for clients of other languages: `GET /mint/person` a
    /// person's token for the [blueprint](Issuer::blueprint), `GET /mint/app` an app-only one for it. By
    /// default there are no such paths.
    pub fn mints_over_http(mut self) -> Self {
        self.settings.mints_over_http = true;
        self
    }

    /// Serves a page at `/` for a browser on this machine: who is registered, a token of each caller with its
    /// claims, the token requests as they come, and switches for faults. By default there is no such path.
    ///
    /// Requests for the page whose `Host` is neither loopback nor that of [`public_url`](Self::public_url), and
    /// those of another origin, are refused with 403: a page of the internet can neither read nor change
    /// anything.
    pub fn serves_page(mut self) -> Self {
        self.settings.serves_page = true;
        self
    }

    /// Sets the port. With the default, 0, the system picks one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the issuer.
    ///
    /// # Panics
    ///
    /// If the port cannot be bound.
    #[must_use = "the server stops when the issuer is dropped"]
    pub async fn start(self) -> Issuer {
        // Without an await, a paused clock does not advance while the first key is made.
        self.start_blocking()
    }

    /// Starts the issuer from code that is not async.
    ///
    /// # Panics
    ///
    /// If the port cannot be bound.
    #[must_use = "the server stops when the issuer is dropped"]
    pub fn start_blocking(self) -> Issuer {
        let (server, shared) = Server::start(self.port, |url| Shared::new(url, self.settings));
        Issuer {
            shared,
            _server: Arc::new(server),
        }
    }
}
