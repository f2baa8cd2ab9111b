//! A cloud of Entra: its address and its issuers, as they are configured.

use std::borrow::Cow;

use crate::{config_error::ConfigError, ids::TenantId, origin::Origin};

/// The Entra cloud, or the look-alike of one, whose tokens are accepted.
///
/// An authority issues `{authority}/{tid}/v2.0` in version 2.0 tokens. Version 1.0 tokens have
/// another issuer, which each of Microsoft's clouds fixes. Nothing else is ever accepted as `iss`,
/// aliases of the host included.
///
/// The default is [`Authority::public`].
///
/// See [National clouds](https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud).
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// without a tenant.
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

    /// The issuer of version 1.0 tokens, with `{tid}` in place of the tenant's GUID.
    pub(crate) fn v1_issuer(&self) -> Option<&str> {
        self.v1_issuer.as_deref()
    }

    fn error(&self, problem: &str) -> ConfigError {
        ConfigError::new("authority", format!("{:?} {problem}", self.url))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::public()
    }
}

/// Takes the place of the tenant's GUID, in an authority's host and in an issuer.
pub(crate) const PLACEHOLDER: &str = "{tid}";

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
            "https://user@login.example",
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
