//! What the routes share.

use std::{collections::BTreeMap, ops::Deref, sync::Arc, time::Duration};

use tower_entra::{
    Audiences, ConfigError, Tenants, Validator,
    acquire::{AcquireError, ConfidentialClient, Scopes},
};

use crate::{
    downstream::Clients,
    settings::{AzureAd, Settings},
};

/// What the routes share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// The door: whose tokens are admitted.
    pub(crate) validator: Validator,
    /// The way out. `None` if no credential is configured.
    pub(crate) client: Option<ConfidentialClient>,
    /// Of each API that is configured with some, as they are asked for.
    pub(crate) scopes: BTreeMap<String, AskedScopes>,
    /// Of the calls of downstream APIs.
    pub(crate) clients: Clients,
}

/// Scopes as they are asked for, or why no token can be asked for with them.
#[derive(Debug)]
pub(crate) struct AskedScopes {
    /// For a token without a user: the first.
    pub(crate) of_app: Result<Scopes, AcquireError>,
    /// For a token of a user: all of them.
    pub(crate) of_user: Result<Scopes, AcquireError>,
}

impl AskedScopes {
    /// `None` if there are none.
    pub(crate) fn of(scopes: &[String]) -> Option<Self> {
        let first = scopes.first()?;
        Some(Self {
            of_app: Scopes::new([first]),
            of_user: Scopes::new(scopes),
        })
    }
}

/// Why the program cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("AzureAd: {0}")]
    AzureAd(#[from] ConfigError),
    #[error("DownstreamApis: the HTTP client cannot be built: {0}")]
    HttpClient(String),
}

impl App {
    /// Does no I/O, but for the certificates of the system if they are needed.
    ///
    /// # Errors
    ///
    /// Fails if the validator or a client cannot be built of what is configured.
    pub(crate) fn new(settings: Settings) -> Result<Self, Unusable> {
        let validator = validator(&settings.azure_ad)?;
        let client = client(&settings.azure_ad)?;
        let apis = settings.apis.iter();
        let scopes = apis.filter_map(|(name, api)| {
            let scopes = AskedScopes::of(&api.scopes)?;
            Some((name.clone(), scopes))
        });
        let scopes = scopes.collect();
        let clients = Clients::new(&settings).map_err(Unusable::HttpClient)?;
        Ok(Self(Arc::new(Shared {
            settings,
            validator,
            client,
            scopes,
            clients,
        })))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

fn validator(azure_ad: &AzureAd) -> Result<Validator, ConfigError> {
    let audiences = match &azure_ad.audiences {
        Some(audiences) => Audiences::list(audiences),
        None => Audiences::client_id(azure_ad.client_id.as_str()),
    };
    let tenants = Tenants::single(azure_ad.tenant.as_str());
    let validator = Validator::builder(tenants, audiences)
        .authority(azure_ad.authority.clone())
        .clock_skew(CLOCK_SKEW)
        .token_cache(REMEMBERED_TOKENS)
        .build()?;
    Ok(match azure_ad.authorization_by_acl {
        true => validator.with_authorization_by_acl(),
        false => validator,
    })
}

fn client(azure_ad: &AzureAd) -> Result<Option<ConfidentialClient>, ConfigError> {
    let Some(credential) = &azure_ad.credential else {
        return Ok(None);
    };
    ConfidentialClient::builder(
        azure_ad.tenant.as_str(),
        azure_ad.client_id.as_str(),
        credential.credential.clone(),
    )
    .authority(azure_ad.authority.clone())
    .claims_challenges(azure_ad.claims_challenges)
    .build()
    .map(Some)
}

/// .NET's default.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Callers whose tokens were verified. Beyond them each request costs a signature check, which takes longer
/// than the rest of it.
const REMEMBERED_TOKENS: usize = 2_000;

#[cfg(test)]
impl App {
    /// # Panics
    ///
    /// Panics if the app was cloned.
    pub(crate) fn clients_mut(&mut self) -> &mut Clients {
        let shared = Arc::get_mut(&mut self.0);
        &mut shared.expect("an app that is not shared").clients
    }
}

#[cfg(test)]
mod tests {
    use tower_entra::testing::Issuer;

    use super::*;

    #[tokio::test]
    async fn two_thousand_tokens_of_callers_are_remembered() {
        let settings = crate::settings::tests::settings(&Issuer::start().await);
        let validator = validator(&settings.azure_ad).expect("a validator");
        let shown = format!("{validator:?}");
        assert!(shown.contains("capacity: 2000 "), "{shown}");
    }
}
