//! A cloud of Entra: its address and its issuers, as they are configured.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::{
    config_error::ConfigError,
    ids::TenantId,
    origin::Origin,
    shown::{HAS_A_USER, shown_url, url_problem},
};

/// The Entra cloud, or the look-alike of one, whose tokens are accepted.
///
/// An authority issues `{authority}/{tid}/v2.0` in version 2.0 tokens. Version 1.0 tokens have
/// another issuer, which each of Microsoft's clouds fixes. Nothing else is ever accepted as `iss`,
/// aliases of the host included.
///
/// The default is [`Authority::public`].
///
/// # From text
///
/// An authority parses from its `https` URL, as configurations have it: the URL of one of the three
/// clouds is that cloud, with the issuer of its version 1.0 tokens, and any other URL is
/// [`custom`](Self::custom). One slash at the end and the letter case of the host make no difference.
///
/// ```
/// use tower_entra::Authority;
///
/// # fn main() -> Result<(), tower_entra::ConfigError> {
/// let authority: Authority = "https://login.microsoftonline.us/".parse()?;
/// assert_eq!(authority, Authority::us_government());
/// # Ok(())
/// # }
/// ```
///
/// What cannot work is refused at once: a URL with a user or a password, what is no `https` origin, an alias such as
/// `https://login.windows.net`, whose name is in no issuer, Azure AD B2C, and the host of an External
/// ID tenant that is named otherwise than by `{tid}` or its GUID. So is plain `http`, for which only
/// [`insecure_loopback`](Self::insecure_loopback) is there.
///
/// See [National clouds](https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud).
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    url: Cow<'static, str>,
    v1_issuer: Option<Cow<'static, str>>,
    loopback: bool,
}

impl Authority {
    /// The public cloud: `https://login.microsoftonline.com`, in version 1.0
    /// `https://sts.windows.net/{tid}/`.
    #[must_use]
    pub const fn public() -> Self {
        Self::preset(
            "https://login.microsoftonline.com",
            "https://sts.windows.net/{tid}/",
        )
    }

    /// The US Government cloud: `https://login.microsoftonline.us`, in version 1.0
    /// `https://sts.windows.net/{tid}/`, the same as the public cloud's.
    ///
    /// That the two clouds share a version 1.0 issuer is why the key's own issuer is checked too.
    #[must_use]
    pub const fn us_government() -> Self {
        Self::preset(
            "https://login.microsoftonline.us",
            "https://sts.windows.net/{tid}/",
        )
    }

    /// The cloud operated by 21Vianet in China: `https://login.partner.microsoftonline.cn`, in
    /// version 1.0 `https://sts.chinacloudapi.cn/{tid}/`.
    #[must_use]
    pub const fn china() -> Self {
        Self::preset(
            "https://login.partner.microsoftonline.cn",
            "https://sts.chinacloudapi.cn/{tid}/",
        )
    }

    /// Another authority by its `https` URL: scheme and host, perhaps a port, no path.
    ///
    /// For Entra External ID, whose host name is the tenant's GUID, write
    /// `custom("https://{tid}.ciamlogin.com")` with the GUID in its place, or just so: with
    /// [`Tenants::single`](crate::Tenants::single), `{tid}` is replaced by that tenant.
    ///
    /// Version 1.0 tokens are refused unless [`with_v1_issuer`](Self::with_v1_issuer) names their
    /// issuer. A URL that does not fit is reported by
    /// [`ValidatorBuilder::build`](crate::ValidatorBuilder::build).
    #[must_use]
    pub fn custom(url: impl Into<String>) -> Self {
        Self {
            url: Cow::Owned(url.into()),
            v1_issuer: None,
            loopback: false,
        }
    }

    /// An authority on this machine, the only kind that may be spoken to over plain `http`: for
    /// tests and for trying things out.
    ///
    /// The host must be a loopback *address*, such as `http://127.0.0.1:4000` or
    /// `http://[::1]:4000`; names, `localhost` included, are refused when the validator is built.
    #[must_use]
    pub fn insecure_loopback(url: impl Into<String>) -> Self {
        Self {
            url: Cow::Owned(url.into()),
            v1_issuer: None,
            loopback: true,
        }
    }

    /// Sets the issuer of version 1.0 tokens, with `{tid}` in place of the tenant's GUID.
    ///
    /// The default is the cloud's own for the presets, and none otherwise: version 1.0 tokens are
    /// then refused.
    #[must_use]
    pub fn with_v1_issuer(self, template: impl Into<String>) -> Self {
        Self {
            v1_issuer: Some(Cow::Owned(template.into())),
            ..self
        }
    }

    const fn preset(url: &'static str, v1_issuer: &'static str) -> Self {
        Self {
            url: Cow::Borrowed(url),
            v1_issuer: Some(Cow::Borrowed(v1_issuer)),
            loopback: false,
        }
    }

    /// Scheme, host and port. With `{tid}` in the host, `tenant` takes its place.
    ///
    /// Refuses a URL that is more or less than an origin, plain `http` to another machine, and `{tid}`
    /// without a tenant. The URL is not in the error if it has a user.
    pub(crate) fn origin(&self, tenant: Option<&TenantId>) -> Result<Origin, ConfigError> {
        let url = match tenant {
            _ if !self.url.contains(PLACEHOLDER) => self.url.clone(),
            Some(tenant) => self.url.replace(PLACEHOLDER, tenant.as_str()).into(),
            None => return Err(self.error("names {tid}, which needs a single tenant")),
        };
        let origin = Origin::parse(&url).map_err(|problem| self.error(problem))?;
        match (self.loopback, origin.is_loopback_address()) {
            (true, false) => {
                Err(self.error("is not a loopback address such as http://127.0.0.1:4000"))
            }
            (false, _) if !origin.is_https() => Err(self.error("must be https")),
            (true, true) | (false, _) => Ok(origin),
        }
    }

    /// Reads the URL of a configuration, or says what is wrong with it.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.contains('@') {
            return Err(HAS_A_USER);
        }
        // A host with any tenant's GUID has the form of one with `{tid}`.
        let origin = Origin::parse(&url.replace(PLACEHOLDER, ANY_TENANT))?;
        if !origin.is_https() {
            return Err(if origin.is_loopback_address() {
                "must be https; for tests on this machine, set Authority::insecure_loopback in code"
            } else {
                "must be https"
            });
        }
        let host = origin.host();
        if let Some((_, problem)) = ALIASES.iter().find(|(alias, _)| *alias == host) {
            return Err(problem);
        }
        if host.ends_with(".b2clogin.com") {
            return Err("is of Azure AD B2C, whose tokens name no tenant");
        }
        if host
            .strip_suffix(".ciamlogin.com")
            .is_some_and(|tenant| tenant.parse::<TenantId>().is_err())
        {
            return Err(
                "must be https://{tid}.ciamlogin.com, as it is or with the tenant's GUID, which is \
                 the host of the issuer",
            );
        }
        let clouds = [Self::public(), Self::us_government(), Self::china()];
        let cloud = clouds
            .into_iter()
            .find(|cloud| cloud.url == origin.as_str());
        Ok(cloud.unwrap_or_else(|| Self::custom(url)))
    }

    /// The issuer of version 1.0 tokens, with `{tid}` in place of the tenant's GUID.
    pub(crate) fn v1_issuer(&self) -> Option<&str> {
        self.v1_issuer.as_deref()
    }

    fn error(&self, problem: &str) -> ConfigError {
        ConfigError::new("authority", url_problem(&self.url, problem))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::public()
    }
}

/// Without the URL if it has a user, which may have a password.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("url", &format_args!("{}", shown_url(&self.url)))
            .field("v1_issuer", &self.v1_issuer.as_deref().map(shown_url))
            .field("loopback", &self.loopback)
            .finish()
    }
}

impl FromStr for Authority {
    type Err = ConfigError;

    fn from_str(url: &str) -> Result<Self, ConfigError> {
        Self::parse(url).map_err(|problem| ConfigError::new("authority", url_problem(url, problem)))
    }
}

/// Takes the place of the tenant's GUID, in an authority's host and in an issuer.
pub(crate) const PLACEHOLDER: &str = "{tid}";

const ANY_TENANT: &str = "00000000-0000-0000-0000-000000000000";

/// Other names of the clouds' hosts, which serve the same documents but are in no issuer of version 2.0
/// tokens.
const ALIASES: [(&str, &str); 5] = [
    ("login.windows.net", PUBLIC_ALIAS),
    ("login.microsoft.com", PUBLIC_ALIAS),
    ("sts.windows.net", PUBLIC_ALIAS),
    (
        "login.usgovcloudapi.net",
        "is another name of https://login.microsoftonline.us, which is the one in issuers",
    ),
    (
        "login.chinacloudapi.cn",
        "is another name of https://login.partner.microsoftonline.cn, which is the one in issuers",
    ),
];

const PUBLIC_ALIAS: &str =
    "is another name of https://login.microsoftonline.com, which is the one in issuers";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfit_authority_is_refused() {
        for url in [
            "",
            "login.example",
            "ftp://login.example",
            "http://login.example",
            "http://127.0.0.1:4000",
            "https://",
            "https://login.example//",
            "https://login.example/tenant",
            "https://login.example?x=1",
            "https://login.example#x",
            "https://login.example:port",
            "https://login example",
        ] {
            let error = Authority::custom(url).origin(None);
            let error = error.expect_err(url);
            assert_eq!(error.setting(), "authority");
            assert!(error.problem().starts_with(&format!("{url:?}")), "{error}");
        }
    }

    #[test]
    fn a_url_that_cannot_work_does_not_parse() {
        const NO_ORIGIN: &str = "must be scheme and host only, without a path";
        const EXTERNAL_ID: &str = "must be https://{tid}.ciamlogin.com, as it is";

        for (url, problem) in [
            ("", "is not a URL"),
            (" https://login.microsoftonline.com", "is not a URL"),
            ("login.microsoftonline.com", "is not an http or https URL"),
            ("http://login.microsoftonline.com", "must be https"),
            (
                "http://127.0.0.1:4000",
                "must be https; for tests on this machine, set Authority::insecure_loopback",
            ),
            ("https://login.microsoftonline.com//", NO_ORIGIN),
            ("https://login.microsoftonline.com/common", NO_ORIGIN),
            ("https://login.microsoftonline.com/{tid}", NO_ORIGIN),
            (
                "https://login.windows.net",
                "https://login.microsoftonline.com",
            ),
            (
                "https://login.microsoft.com",
                "https://login.microsoftonline.com",
            ),
            (
                "https://sts.windows.net/",
                "https://login.microsoftonline.com",
            ),
            (
                "https://LOGIN.usgovcloudapi.net",
                "https://login.microsoftonline.us",
            ),
            (
                "https://login.chinacloudapi.cn",
                "https://login.partner.microsoftonline.cn",
            ),
            ("https://contoso.ciamlogin.com", EXTERNAL_ID),
            ("https://{tenantid}.ciamlogin.com", "is not a URL"),
            ("https://contoso.b2clogin.com", "is of Azure AD B2C"),
        ] {
            let error = url.parse::<Authority>().expect_err(url);
            assert_eq!(error.setting(), "authority");
            let shown = format!("{url:?} ");
            assert!(error.problem().starts_with(&shown), "{error}");
            assert!(error.problem().contains(problem), "{error}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_shown() {
        const REFUSED: &str = "authority: the URL must not have a user or a password";

        for url in [
            "https://user:password@login.example",
            "https://user@login.example",
            "http://user:password@127.0.0.1:4000",
            "https://user:password@{tid}.ciamlogin.com",
            "user:password@",
        ] {
            let error = url.parse::<Authority>().expect_err(url);
            assert_eq!(error.to_string(), REFUSED);
            for authority in [Authority::custom(url), Authority::insecure_loopback(url)] {
                let error = authority.origin(None).expect_err(url);
                assert_eq!(error.to_string(), REFUSED);
                let shown = format!("{authority:?}");
                assert!(!shown.contains("user"), "{shown}");
            }
        }
    }

    #[test]
    fn the_url_of_a_cloud_is_that_cloud_and_any_other_is_custom() {
        const GUID: &str = "https://7090e106-1ad3-4313-9b7a-75cc3e576d40.ciamlogin.com";

        for (url, expected) in [
            ("https://login.microsoftonline.com", Authority::public()),
            ("https://login.microsoftonline.com/", Authority::public()),
            ("https://Login.MicrosoftOnline.com:443", Authority::public()),
            (
                "https://login.microsoftonline.us",
                Authority::us_government(),
            ),
            (
                "https://login.partner.microsoftonline.cn",
                Authority::china(),
            ),
            (
                "https://login.microsoftonline.com:444",
                Authority::custom("https://login.microsoftonline.com:444"),
            ),
            (
                "https://login.contoso.com",
                Authority::custom("https://login.contoso.com"),
            ),
            (
                "https://{tid}.ciamlogin.com",
                Authority::custom("https://{tid}.ciamlogin.com"),
            ),
            (GUID, Authority::custom(GUID)),
        ] {
            assert_eq!(url.parse(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_addresses_alone() {
        for url in [
            "http://127.0.0.1:4000",
            "http://127.1.2.3",
            "http://[::1]:4000",
        ] {
            let origin = Authority::insecure_loopback(url).origin(None);
            assert!(origin.expect(url).is_loopback_address(), "{url}");
        }
        for url in [
            "http://localhost:4000",
            "http://127.0.0.1.example:80",
            "http://10.0.0.1",
            "http://0.0.0.0:1",
            "https://login.example",
        ] {
            let origin = Authority::insecure_loopback(url).origin(None);
            assert!(origin.is_err(), "{url}");
        }
    }
}
