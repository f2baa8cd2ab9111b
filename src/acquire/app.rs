//! What the clients of one app share, and the tenant of each.

use std::{fmt, sync::Arc};

use http::Uri;

use crate::{
    acquire::{
        cache::TokenCache, credential::ClientCredential, error::AcquireError, hints,
        kind::AcquireErrorKind, scopes::Scopes, settings::AcquireSettings,
    },
    authority::Authority,
    config_error::ConfigError,
    http_client::HttpClient,
    ids::{AppId, TenantId},
    origin::Origin,
    shown::Shown,
    user_assertion::UserAssertion,
};

/// An app in one tenant. Cheap to clone.
#[derive(Clone)]
pub(super) struct Registration {
    pub(super) app: Arc<App>,
    pub(super) tenant: Result<Tenant, AcquireError>,
}

/// What the clients of one app share.
pub(super) struct App {
    pub(super) client_id: AppId,
    pub(super) credential: ClientCredential,
    pub(super) authority: Authority,
    /// The one to which `http` sends.
    pub(super) origin: Origin,
    pub(super) http: Arc<dyn HttpClient>,
    /// `api://AzureADTokenExchange/.default`, or that of another cloud.
    pub(super) exchange: Scopes,
    pub(super) exchange_audience: String,
    pub(super) claims_challenges: bool,
    pub(super) settings: AcquireSettings,
    pub(super) cache: TokenCache,
}

/// A tenant, and its token endpoint.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) id: TenantId,
    pub(super) endpoint: Uri,
}

impl Tenant {
    pub(super) fn new(id: TenantId, origin: &Origin) -> Result<Self, ConfigError> {
        let url = format!("{}/{id}/oauth2/v2.0/token", origin.as_str());
        let endpoint = url
            .parse()
            .map_err(|_| ConfigError::new("authority", format!("{url:?} is not a URL")))?;
        Ok(Self { id, endpoint })
    }
}

impl Registration {
    pub(super) fn in_tenant(&self, tid: &str) -> Self {
        Self {
            app: Arc::clone(&self.app),
            tenant: self.app.tenant(tid),
        }
    }

    pub(super) fn tenant(&self) -> Result<&Tenant, AcquireError> {
        self.tenant.as_ref().map_err(Clone::clone)
    }

    /// Whether this tenant can exchange the token.
    pub(super) fn can_exchange(&self, assertion: &UserAssertion) -> Result<(), AcquireError> {
        let tenant = self.tenant()?.id;
        if assertion.tenant_id() == tenant {
            return Ok(());
        }
        let text = format!(
            "the token to exchange is of tenant {}, and the client of tenant {tenant}",
            assertion.tenant_id()
        );
        Err(misconfigured(text, hints::IN_TENANT))
    }
}

impl App {
    fn tenant(&self, tid: &str) -> Result<Tenant, AcquireError> {
        let id: TenantId = tid.parse().map_err(|_| {
            let text = format!("the tenant {} is not a GUID", Shown::of(tid));
            misconfigured(text, hints::TENANT_FORM)
        })?;
        // A host with the tenant's id in it is that of one tenant.
        match self.authority.origin(Some(&id)) {
            Ok(origin) if origin == self.origin => Tenant::new(id, &origin)
                .map_err(|error| misconfigured(error.to_string(), hints::CLOUD)),
            _ => Err(misconfigured(
                format!("the authority of the client is not that of tenant {id}"),
                hints::CLOUD,
            )),
        }
    }
}

fn misconfigured(text: String, hint: &'static str) -> AcquireError {
    AcquireError::before_the_wire(AcquireErrorKind::Misconfigured, text, hint)
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("client_id", &self.app.client_id)
            .field("tenant", &self.tenant.as_ref().map(|tenant| tenant.id))
            .field("credential", &self.app.credential)
            .field("authority", &self.app.origin.as_str())
            .finish_non_exhaustive()
    }
}
