//! The configuration of a validator as text: from a document, or from the environment.

mod document;

mod environment;

mod given;

mod read;

use std::{env, ffi::OsStr};

use self::{environment::Variables, given::Source, read::Settings};
use crate::{
    admit::{builder::ValidatorBuilder, requirement::Requirement, validator::Validator},
    config_error::{ConfigError, ConfigErrors},
};

/// The configuration of a [`Validator`] under the names that Microsoft.Identity.Web, and every page of
/// Entra's documentation, has for it: the section `AzureAd`.
///
/// It is read with [serde](https://serde.rs) from a document, or [from the environment](Self::from_env).
/// All problems are reported at once, each under the name that its user wrote.
///
/// | setting | meaning | default |
/// |---|---|---|
/// | `TenantId` | the tenant's GUID, or several; `organizations` for any organization, `common` for personal accounts too, `consumers` for only these | must be set |
/// | `ClientId` | the client id of the API. Accepted are [its two audiences](crate::Audiences::client_id) | must be set unless an audience is |
/// | `Audience` | one audience, **instead of** those of the client id | |
/// | `Audiences` | several of them | |
/// | `Instance` | the URL of the [authority](crate::Authority#from-text) | the public cloud |
/// | `Scopes` | the scopes of which a caller must have one: see [`scope_requirement`](Self::scope_requirement) | none |
///
/// ```
/// use tower_entra::EntraConfig;
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     #[serde(rename = "AzureAd")]
///     azure_ad: EntraConfig,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings: Settings = serde_json::from_str(
///     r#"{
///         "AzureAd": {
///             "Instance": "https://login.microsoftonline.com/",
///             "TenantId": "7090e106-1ad3-4313-9b7a-75cc3e576d40",
///             "ClientId": "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a",
///             "Scopes": "Orders.Read Orders.ReadWrite"
///         }
///     }"#,
/// )?;
/// let validator = settings.azure_ad.validator()?;
/// # Ok(())
/// # }
/// ```
///
/// # Names and values
///
/// The letter case of a name makes no difference, nor do `_` and `-` in it: `tenant_id` is `TenantId`. An
/// unknown name is refused. `Domain`, `CallbackPath`, `SignedOutCallbackPath`, `ClientSecret`,
/// `ClientCertificates`, `ClientCredentials`, `ClientCapabilities`, `SendX5C`, `AzureRegion`,
/// `EnablePiiLogging` and `ExtraQueryParameters` may be there, for sign-in and for tokens of the API's own,
/// and are not read. `AllowWebApiToBeAuthorizedByACL` is refused unless it is `false`: what takes a check
/// away is called in code, [`Validator::with_authorization_by_acl`].
///
/// `TenantId`, `Audiences` and `Scopes` are a list of texts, or one text with white space or commas
/// between its values. A blank text counts as not set. A value has at most 64 KiB, a list at most 100
/// values. Tokens name tenants only by GUID and scopes only by the last part of what a client asks for, so
/// a domain and `api://…/Orders.Read` are refused.
///
/// A problem shows the value unless that looks like a credential or comes from a file.
///
/// # What it does not set
///
/// Everything else is set in code, on [`builder`](Self::builder): a cache, the clock skew, known agents. So
/// is an authority without TLS, for tests: `config.builder().authority(issuer.authority())`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraConfig(Settings);

impl EntraConfig {
    /// Reads the variables of the process: those of the section `AzureAd` as .NET names them, and those of
    /// the Azure SDKs.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `AzureAd__TenantId`, `AZURE_TENANT_ID` | `TenantId` |
    /// | `AzureAd__ClientId`, `AZURE_CLIENT_ID` | `ClientId` |
    /// | `AzureAd__Instance`, `AZURE_AUTHORITY_HOST` | `Instance` |
    /// | `AzureAd__Audience`, `AzureAd__Audiences`, `AzureAd__Scopes` | of the same name |
    /// | `AzureAd__Audiences__0`, `AzureAd__Audiences__1`, … | a list, one value each; `TenantId` and `Scopes` too |
    /// | each of them with `_FILE` behind it | the path of a file with the value, such as a mounted secret |
    ///
    /// Letter case makes no difference. Every other name that begins with `AzureAd__` is refused, except
    /// those that a document may have too; other variables that begin with `AZURE_` are not read.
    ///
    /// A setting with different values under two names is refused. On Kubernetes with workload identity,
    /// `AZURE_CLIENT_ID` is the identity of the pod and not the registration of the API: leave such
    /// variables out with [`from_vars`](Self::from_vars). The guide
    /// [deployment](crate::guide::deployment#workload-identity-on-aks-and-azure_client_id) says what to set.
    ///
    /// A file is a regular file with at most 64 KiB of UTF-8 that is not blank. It is read once, here.
    ///
    /// ```no_run
    /// use tower_entra::{EntraAuthLayer, EntraConfig};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let validator = EntraConfig::from_env()?.validator()?;
    /// let layer = EntraAuthLayer::new(validator);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with every setting that is missing, unknown, set twice or wrong, and with every file that
    /// cannot be read.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        Self::from_vars(env::vars_os())
    }

    /// Reads these variables as [`from_env`](Self::from_env) reads those of the process.
    ///
    /// ```
    /// use tower_entra::EntraConfig;
    ///
    /// let refused = EntraConfig::from_vars([
    ///     ("AZURE_TENANT_ID", "contoso"),
    ///     ("AzureAd__Scopes", "api://orders/Orders.Read"),
    /// ]);
    /// assert_eq!(
    ///     refused.unwrap_err().to_string(),
    ///     "AZURE_TENANT_ID: \"contoso\" is not a tenant GUID, organizations, common or consumers\n\
    ///      AzureAd__ClientId: is not set, and no audience is; AZURE_CLIENT_ID does as well\n\
    ///      AzureAd__Scopes: \"api://orders/Orders.Read\" is what a client asks for; tokens have \
    ///      only the last part"
    /// );
    /// ```
    ///
    /// Without the variables of the Azure SDKs, which the platform may have set for something else:
    ///
    /// ```no_run
    /// # use tower_entra::EntraConfig;
    /// let is_own = |name: &std::ffi::OsString| !name.to_string_lossy().starts_with("AZURE_");
    /// let config = EntraConfig::from_vars(std::env::vars_os().filter(|(name, _)| is_own(name)));
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`from_env`](Self::from_env).
    pub fn from_vars<N, V>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigErrors>
    where
        N: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut read = Variables::default();
        for (name, value) in variables {
            read.note(name.as_ref(), value.as_ref());
        }
        let (given, problems) = read.take();
        Settings::read(&given, Source::Environment, problems).map(Self)
    }

    /// Begins a validator with this configuration, for settings that it does not have.
    pub fn builder(&self) -> ValidatorBuilder {
        let settings = self.0.clone();
        Validator::builder(settings.tenants, settings.audiences).authority(settings.authority)
    }

    /// The validator of this configuration, with defaults for everything else.
    ///
    /// # Errors
    ///
    /// Fails if the HTTP client cannot be built: see [`ValidatorBuilder::build`].
    pub fn validator(&self) -> Result<Validator, ConfigError> {
        self.builder().build()
    }

    /// The scopes of the configuration, as tokens have them.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// The requirement of one of the configured scopes, as `RequiredScope` of Microsoft.Identity.Web has
    /// it. The validator does not check them: put this on a route with
    /// [`RequireLayer`](crate::RequireLayer).
    ///
    /// A token of an app that acts as itself has no scope, so such a caller is refused.
    ///
    /// # Errors
    ///
    /// Fails if the configuration has no scopes, so that a route is not left open for want of a setting.
    pub fn scope_requirement(&self) -> Result<Requirement, ConfigError> {
        let requirements = self.0.scopes.iter().map(Requirement::scope);
        requirements
            .reduce(|any, scope| Ok(any?.or(scope?)))
            .unwrap_or_else(|| Err(ConfigError::new("Scopes", "is not set")))
    }
}
