//! The configuration of a validator, and the checks on it.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    admit::{
        algorithm::SignatureAlgorithm,
        audiences::{Audiences, IntoAudiences},
        cache::TokenCache,
        checks::{Grant, Policy},
        gate::Gate,
        issuers::Issuers,
        keys::{FetchRules, Fetcher, KeySettings, KeySource},
        tenants::Tenants,
        token::TokenRules,
        validator::Validator,
    },
    authority::Authority,
    config_error::ConfigError,
    http_client::HttpClient,
    ids::{AppId, TenantId},
};

/// The settings of a [`Validator`]. Begin with [`Validator::builder`].
///
/// Each setting has a safe default, and [`build`](Self::build) refuses what would not work.
#[must_use = "nothing happens before `build`"]
pub struct ValidatorBuilder {
    tenants: Tenants,
    audiences: Audiences,
    authority: Authority,
    app_id: Option<AppId>,
    known_agents: Vec<(String, String)>,
    clock_skew: Duration,
    max_token_size: usize,
    algorithms: Vec<SignatureAlgorithm>,
    accepts_keys_of_other_clouds: bool,
    key_settings: KeySettings,
    http_client: Option<Arc<dyn HttpClient>>,
    root_certificates: Option<Vec<u8>>,
    initial_keys: Option<InitialKeys>,
    shared_keys: Option<Arc<KeySource>>,
    token_cache: Option<usize>,
}

/// The two documents of an earlier fetch.
struct InitialKeys {
    discovery: Vec<u8>,
    keys: Vec<u8>,
}

impl Validator {
    /// Begins the configuration of a validator: whose tokens are accepted, and for which
    /// audiences. Both have to be said; there is no default for either.
    ///
    /// An audience is a value of `aud`, compared exactly: the API's client id in version 2.0 tokens, in
    /// version 1.0 usually its App ID URI (`api://…`). [`Audiences::client_id`] accepts both. One text
    /// or a list of them is taken too.
    ///
    /// [`EntraConfig`](crate::EntraConfig) reads both from a document or the environment.
    ///
    /// ```
    /// use tower_entra::{Audiences, Tenants, Validator};
    ///
    /// # fn main() -> Result<(), tower_entra::ConfigError> {
    /// let validator = Validator::builder(
    ///     Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"),
    ///     Audiences::client_id("3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"),
    /// )
    /// .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<Form>(
        tenants: Tenants,
        audiences: impl IntoAudiences<Form>,
    ) -> ValidatorBuilder {
        ValidatorBuilder::new(tenants, audiences.into_audiences())
    }
}

impl ValidatorBuilder {
    fn new(tenants: Tenants, audiences: Audiences) -> Self {
        Self {
            tenants,
            audiences,
            authority: Authority::public(),
            app_id: None,
            known_agents: Vec::new(),
            clock_skew: Duration::from_secs(60),
            max_token_size: 16 * 1024,
            algorithms: vec![SignatureAlgorithm::Rs256],
            accepts_keys_of_other_clouds: false,
            key_settings: KeySettings::default(),
            http_client: None,
            root_certificates: None,
            initial_keys: None,
            shared_keys: None,
            token_cache: None,
        }
    }

    /// Whose tokens are accepted. Default [`Authority::public`].
    pub fn authority(self, authority: Authority) -> Self {
        Self { authority, ..self }
    }

    /// Asks the authority for the keys of one application, by its client id, in the query
    /// `?appid=`. Needed only by an API whose registration has signing keys of its own, as with a
    /// claims-mapping policy. Default: the keys that all applications share.
    ///
    /// See [signing key rollover](https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens#validate-the-signature).
    pub fn app_id(self, app_id: AppId) -> Self {
        Self {
            app_id: Some(app_id),
            ..self
        }
    }

    /// Lists agents by tenant and client id, for tokens without facets: their callers are
    /// then [`AgentStatus::Declared`](crate::AgentStatus::Declared). Default: none.
    pub fn known_agents<I, T, A>(self, agents: I) -> Self
    where
        I: IntoIterator<Item = (T, A)>,
        T: AsRef<str>,
        A: AsRef<str>,
    {
        let known_agents = agents
            .into_iter()
            .map(|(tenant, client)| (tenant.as_ref().to_owned(), client.as_ref().to_owned()))
            .collect();
        Self {
            known_agents,
            ..self
        }
    }

    /// How far the clocks of this machine and of Entra may differ. Default 60 s; up to 300 s. A fraction
    /// of a second is cut off.
    pub fn clock_skew(self, clock_skew: Duration) -> Self {
        Self { clock_skew, ..self }
    }

    /// The longest token that is read, in bytes. Default 16 KiB; from 1 KiB to 1 MiB.
    pub fn max_token_size(self, max_token_size: usize) -> Self {
        Self {
            max_token_size,
            ..self
        }
    }

    /// The algorithms that a token may be signed with. Default only RS256, which is what Entra
    /// uses. An empty list is refused.
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = SignatureAlgorithm>) -> Self {
        let mut distinct = Vec::new();
        for algorithm in algorithms {
            if !distinct.contains(&algorithm) {
                distinct.push(algorithm);
            }
        }
        Self {
            algorithms: distinct,
            ..self
        }
    }

    /// Lets a key sign whose `cloud_instance_name` differs from the discovery document's.
    ///
    /// Entra's own key documents list keys of several clouds under one issuer, and only this check
    /// distinguishes them: turn it off only for an authority whose documents are wrong. The key's
    /// `issuer` is still checked.
    pub fn danger_accept_keys_of_other_clouds(self) -> Self {
        Self {
            accepts_keys_of_other_clouds: true,
            ..self
        }
    }

    /// How keys are fetched, kept and fetched again.
    pub fn key_settings(self, key_settings: KeySettings) -> Self {
        Self {
            key_settings,
            ..self
        }
    }

    /// Fetches with this client instead of the default one.
    pub fn http_client(self, client: impl HttpClient) -> Self {
        Self {
            http_client: Some(Arc::new(client)),
            ..self
        }
    }

    /// Trusts the certificates of this PEM, as of a private CA or of a proxy that inspects TLS, besides
    /// those of the system. For the default HTTP client only. Default: those of the system.
    ///
    /// It has at least one certificate and at most 1 MiB, and is read again only by a new validator.
    /// The holder of such a CA's key can serve signing keys of its own, and so have any token admitted.
    ///
    /// `build` refuses a PEM without a certificate, with one that cannot be a root, or with a private key,
    /// and one beside [`http_client`](Self::http_client) or [`share_keys_with`](Self::share_keys_with).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let validator = tower_entra::EntraConfig::from_env()?
    ///     .builder()
    ///     .root_certificates_pem(std::fs::read("/etc/ssl/private-ca.pem")?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http-client")]
    pub fn root_certificates_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self {
            root_certificates: Some(pem.into()),
            ..self
        }
    }

    /// Begins with the keys of an earlier fetch, so that an API that starts while the authority is out of
    /// reach serves at once. Default: none, and requests get 503 until keys have been fetched.
    ///
    /// The two documents are the authority's own, as it served them: the discovery document, and the key
    /// set at its `jwks_uri`. Both are checked as in a fetch, the issuer and the cloud of each key
    /// included.
    ///
    /// Keys are fetched as ever, and the first good fetch replaces these. Until then
    /// [`ready`](Validator::ready) does not wait, and [`status`](Validator::status) is
    /// [`Stale`](crate::KeyStatus::Stale). They count as fetched when the validator is built, so they are
    /// in use for the [stale limit](KeySettings::with_stale_limit), 24 h by default, and in each process
    /// anew. A token of a key that is not among them waits for the fetch, or gets 503.
    ///
    /// This does not protect from a key that the authority has withdrawn since the documents were saved:
    /// until the first good fetch its tokens are admitted. The writer of the file can have any token
    /// admitted, so keep it where only the deployment writes, and save it anew more often than Entra
    /// changes keys, which it may do at any time.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // curl -o discovery.json "https://login.microsoftonline.com/$TENANT/v2.0/.well-known/openid-configuration"
    /// // curl -o keys.json "https://login.microsoftonline.com/$TENANT/discovery/v2.0/keys"
    /// let (discovery, keys) = (std::fs::read("discovery.json")?, std::fs::read("keys.json")?);
    /// let validator = tower_entra::EntraConfig::from_env()?
    ///     .builder()
    ///     .initial_keys(discovery, keys)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn initial_keys(self, discovery: impl Into<Vec<u8>>, keys: impl Into<Vec<u8>>) -> Self {
        Self {
            initial_keys: Some(InitialKeys {
                discovery: discovery.into(),
                keys: keys.into(),
            }),
            ..self
        }
    }

    /// Uses the keys of another validator of the same authority, and its task and cool-down with
    /// them, instead of fetching the same keys twice. Key settings and HTTP client are then the
    /// other's. Default: keys of its own.
    ///
    /// The other must ask for keys at the same place: the same authority and `app_id`, and the same
    /// single tenant or else several, with personal accounts among them or not. Its algorithms must
    /// be the same.
    pub fn share_keys_with(self, other: &Validator) -> Self {
        Self {
            shared_keys: Some(other.keys()),
            ..self
        }
    }

    /// Remembers the callers of about this many verified tokens, so that a repeated token costs a hash
    /// instead of a signature check. Default: none; from 1 to 1,000,000.
    ///
    /// Entries are found by a MAC of the whole token and hold its claims, but no token. They
    /// belong to this validator and the ones derived from it, and to one key set. Dates are checked
    /// each time; refusals are never remembered. Expired entries (clock skew included), and entries of a
    /// replaced key set, are never used. The key task removes them once a minute, a little later while
    /// it fetches. While the runtime of that task is not driven they stay, within the capacity.
    pub fn token_cache(self, capacity: usize) -> Self {
        Self {
            token_cache: Some(capacity),
            ..self
        }
    }

    /// Checks the configuration and makes the validator. Sends nothing and needs no runtime.
    ///
    /// # Errors
    ///
    /// Fails if a setting is out of its range or does not fit the others; the error names the
    /// setting and the value. Fails also if the HTTP client cannot be built, as on a machine
    /// without a certificate store.
    pub fn build(self) -> Result<Validator, ConfigError> {
        self.check_numbers()?;
        let tenants = self.tenants.resolve()?;
        let audiences = self.audiences.resolve()?;
        let known_agents = self.checked_agents()?;
        let issuers = Issuers::of(&self.authority, &tenants)?;
        self.check_certificates()?;
        // Before the key source, which has them recorded.
        #[cfg(feature = "metrics")]
        super::verdict_series::list();
        let keys = self.keys(&issuers)?;
        let skew = self.clock_skew.as_secs();
        let policy = Policy {
            issuers,
            tenants,
            audiences,
            skew,
            known_agents,
            accepts_keys_of_other_clouds: self.accepts_keys_of_other_clouds,
        };
        let cache = match self.token_cache {
            None => None,
            Some(capacity) => Some(TokenCache::new(capacity, skew).map_err(|_| {
                let problem = "the operating system gives no random bytes for its key";
                ConfigError::new("token_cache", problem)
            })?),
        };
        let gate = Arc::new(Gate {
            rules: TokenRules {
                max_len: self.max_token_size,
                algorithms: self.algorithms,
            },
            policy,
            keys,
            cache,
        });
        if gate.cache.is_some() {
            let chore: Weak<Gate> = Arc::downgrade(&gate);
            gate.keys.each_minute(chore);
        }
        Ok(Validator {
            gate,
            grant: Grant::Required,
        })
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        if self.clock_skew > MAX_SKEW {
            let problem = format!("{:?} is more than {MAX_SKEW:?}", self.clock_skew);
            return Err(ConfigError::new("clock_skew", problem));
        }
        if !(1024..=1024 * 1024).contains(&self.max_token_size) {
            let problem = format!("{} is not between 1024 and 1048576", self.max_token_size);
            return Err(ConfigError::new("max_token_size", problem));
        }
        if let Some(capacity) = self.token_cache
            && !(1..=1_000_000).contains(&capacity)
        {
            let problem = format!("{capacity} is not between 1 and 1000000");
            return Err(ConfigError::new("token_cache", problem));
        }
        if self.algorithms.is_empty() {
            return Err(ConfigError::new("algorithms", "the list is empty"));
        }
        self.key_settings.check_ranges()
    }

    fn checked_agents(&self) -> Result<Vec<(TenantId, AppId)>, ConfigError> {
        let guid = |text: &str, what: &str| {
            ConfigError::new("known_agents", format!("{text:?} is not a {what} GUID"))
        };
        let mut agents = Vec::with_capacity(self.known_agents.len());
        for (tenant, client) in &self.known_agents {
            agents.push((
                tenant.parse().map_err(|_| guid(tenant, "tenant"))?,
                client.parse().map_err(|_| guid(client, "client id"))?,
            ));
        }
        agents.sort_unstable();
        agents.dedup();
        Ok(agents)
    }

    /// Settings of a fetch that another client or another validator makes.
    fn check_certificates(&self) -> Result<(), ConfigError> {
        let problem = match (
            &self.root_certificates,
            &self.shared_keys,
            &self.http_client,
        ) {
            (None, _, _) | (Some(_), None, None) => return Ok(()),
            (Some(_), Some(_), _) => "is for a client of its own, and share_keys_with has none",
            (Some(_), None, Some(_)) => "is for the default client, and http_client sets another",
        };
        Err(ConfigError::new("root_certificates_pem", problem))
    }

    fn keys(&self, issuers: &Issuers) -> Result<Arc<KeySource>, ConfigError> {
        let rules = self.fetch_rules(issuers);
        match &self.shared_keys {
            Some(_) if self.initial_keys.is_some() => {
                let problem = "is for keys of its own, and share_keys_with has none";
                Err(ConfigError::new("initial_keys", problem))
            }
            Some(keys) if keys.satisfies(&rules) => Ok(Arc::clone(keys)),
            Some(_) => Err(ConfigError::new(
                "share_keys_with",
                format!(
                    "the other validator's keys are not those of {}",
                    rules.discovery_url
                ),
            )),
            None => {
                let fetcher = Fetcher {
                    client: self.client(issuers)?,
                    issuers: Arc::new(issuers.clone()),
                    rules: Arc::new(rules),
                };
                let initial = match &self.initial_keys {
                    None => None,
                    Some(InitialKeys { discovery, keys }) => {
                        let keys = fetcher.read(discovery, keys);
                        Some(keys.map_err(|problem| ConfigError::new("initial_keys", problem))?)
                    }
                };
                let settings = self.key_settings.clone();
                Ok(Arc::new(KeySource::new(fetcher, settings, initial)))
            }
        }
    }

    fn fetch_rules(&self, issuers: &Issuers) -> FetchRules {
        let query = self
            .app_id
            .map(|app_id| format!("?appid={app_id}"))
            .unwrap_or_default();
        FetchRules {
            discovery_url: format!("{}{query}", issuers.discovery_url()).into(),
            algorithms: self.algorithms.clone(),
            max_body: self.key_settings.max_body,
            max_keys: self.key_settings.max_keys,
        }
    }

    fn client(&self, issuers: &Issuers) -> Result<Arc<dyn HttpClient>, ConfigError> {
        match &self.http_client {
            Some(client) => Ok(Arc::clone(client)),
            None => self.default_client(issuers),
        }
    }

    #[cfg(feature = "http-client")]
    fn default_client(&self, issuers: &Issuers) -> Result<Arc<dyn HttpClient>, ConfigError> {
        let client = crate::http_client::ReqwestClient::new(
            self.key_settings.connect_timeout,
            self.key_settings.total_timeout,
            issuers.origin(),
            self.root_certificates.as_deref(),
        )?;
        Ok(Arc::new(client))
    }

    #[cfg(not(feature = "http-client"))]
    fn default_client(&self, _: &Issuers) -> Result<Arc<dyn HttpClient>, ConfigError> {
        Err(ConfigError::new(
            "http_client",
            "must be given, because the feature `http-client` is off",
        ))
    }
}

impl fmt::Debug for ValidatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatorBuilder")
            .field("tenants", &self.tenants)
            .field("audiences", &self.audiences)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

const MAX_SKEW: Duration = Duration::from_secs(300);
