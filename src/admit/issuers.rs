//! Which issuers an authority may produce, and whose keys may sign for them.

use std::fmt;

use crate::{
    admit::tenants::TenantPolicy,
    authority::{Authority, PLACEHOLDER},
    characters::is_uri_character,
    config_error::ConfigError,
    ids::TenantId,
    origin::Origin,
};

/// The issuers and endpoints of an [`Authority`] for the tenants of one validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issuers {
    pub(crate) v1: Option<IssuerTemplate>,
    pub(crate) v2: IssuerTemplate,
    tenant: Option<TenantId>,
    discovery: String,
    origin: Origin,
}

impl Issuers {
    pub(crate) fn of(authority: &Authority, tenants: &TenantPolicy) -> Result<Self, ConfigError> {
        let tenant = tenants.one_tenant();
        let origin = authority.origin(tenant.as_ref())?;
        let v1 = match authority.v1_issuer() {
            None => None,
            Some(template) => Some(IssuerTemplate::parse(template).ok_or_else(|| {
                ConfigError::new(
                    "authority",
                    format!("version 1.0 issuer {template:?} must contain {{tid}} once"),
                )
            })?),
        };
        Ok(Self {
            v2: IssuerTemplate {
                prefix: format!("{}/", origin.as_str()),
                suffix: "/v2.0".to_owned(),
            },
            v1,
            tenant,
            discovery: format!(
                "{}/{}/v2.0/.well-known/openid-configuration",
                origin.as_str(),
                tenants.discovery_segment(),
            ),
            origin,
        })
    }

    /// The authority's own URL, without a slash at the end.
    pub(crate) fn authority(&self) -> &str {
        self.origin.as_str()
    }

    /// The URL of the discovery document.
    pub(crate) fn discovery_url(&self) -> &str {
        &self.discovery
    }

    /// The issuers of version 2.0 tokens, as clients look for them.
    pub(crate) fn authorization_servers(&self, tenants: &TenantPolicy) -> Vec<String> {
        match tenants {
            TenantPolicy::Listed(tenants) => {
                let issuers = tenants.iter().map(|tenant| self.v2.fill(tenant.as_str()));
                issuers.collect()
            }
            TenantPolicy::AnyOrganization | TenantPolicy::Any => {
                vec![self.v2.fill(&tenants.discovery_segment())]
            }
        }
    }

    /// The origin of the authority's URL.
    #[cfg(feature = "http-client")]
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the `issuer` of the discovery document names one tenant.
    pub(crate) fn has_one_tenant(&self) -> bool {
        self.tenant.is_some()
    }

    /// Whether a discovery document with this `issuer` is the authority's for these tenants.
    pub(crate) fn promises(&self, issuer: &str) -> bool {
        match &self.tenant {
            Some(tenant) => self.v2.is(issuer, tenant.as_str()),
            None => KeyIssuer::parse(issuer) == KeyIssuer::of(&self.v2),
        }
    }

    /// The `issuer` of such a document.
    pub(crate) fn promised(&self) -> String {
        match &self.tenant {
            Some(tenant) => self.v2.fill(tenant.as_str()),
            None => self.v2.fill(TENANT),
        }
    }

    /// Whether `url` has the authority's scheme, host and port, and hides nothing.
    pub(crate) fn owns(&self, url: &str) -> bool {
        let plain = |byte: u8| is_uri_character(byte) && !b"@#".contains(&byte);
        url.len() <= MAX_URL
            && url.bytes().all(plain)
            && Origin::of(url).is_some_and(|origin| origin == self.origin)
    }
}

/// An issuer with one place for the tenant's GUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerTemplate {
    prefix: String,
    suffix: String,
}

impl IssuerTemplate {
    fn parse(template: &str) -> Option<Self> {
        let (prefix, suffix) = template.split_once(PLACEHOLDER)?;
        (!suffix.contains(PLACEHOLDER)).then(|| Self {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        })
    }

    /// Whether `issuer` is this template with `tid` filled in, byte for byte.
    pub(crate) fn is(&self, issuer: &str, tid: &str) -> bool {
        issuer
            .strip_prefix(self.prefix.as_str())
            .and_then(|rest| rest.strip_prefix(tid))
            .is_some_and(|rest| rest == self.suffix)
    }

    /// The text in the place of the tenant, if `issuer` has this form.
    pub(crate) fn tenant_in<'i>(&self, issuer: &'i str) -> Option<&'i str> {
        let rest = issuer.strip_prefix(self.prefix.as_str())?;
        rest.strip_suffix(self.suffix.as_str())
    }

    /// Whether `issuer` is this template with anything in the place of the tenant.
    pub(crate) fn has_form_of(&self, issuer: &str) -> bool {
        self.tenant_in(issuer).is_some()
    }

    pub(crate) fn fill(&self, tid: &str) -> String {
        [self.prefix.as_str(), tid, self.suffix.as_str()].concat()
    }
}

/// The `issuer` of a signing key. `{tenantid}` in any letter case takes the place of the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyIssuer {
    /// The text between the placeholders; one part is an issuer without any.
    parts: Vec<String>,
}

impl KeyIssuer {
    pub(crate) fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let mut parts = Vec::new();
        let mut from = 0;
        for (at, _) in lower.match_indices(TENANT) {
            // ASCII lower-casing keeps every byte in its place.
            parts.push(text.get(from..at).unwrap_or_default().to_owned());
            from = at + TENANT.len();
        }
        parts.push(text.get(from..).unwrap_or_default().to_owned());
        Self { parts }
    }

    fn of(template: &IssuerTemplate) -> Self {
        Self {
            parts: vec![template.prefix.clone(), template.suffix.clone()],
        }
    }

    /// Whether this issuer with `tid` filled in is `template` with it filled in, byte for byte.
    pub(crate) fn agrees_with(&self, template: &IssuerTemplate, tid: impl AsRef<str>) -> bool {
        // Entra's keys have the authority's own template.
        let is_template = matches!(self.parts.as_slice(), [prefix, suffix]
            if *prefix == template.prefix && *suffix == template.suffix);
        is_template || self.is(&template.fill(tid.as_ref()), tid.as_ref())
    }

    /// Whether this issuer with `tid` filled in is `issuer`, byte for byte.
    pub(crate) fn is(&self, issuer: &str, tid: &str) -> bool {
        let mut rest = issuer;
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                let Some(after) = rest.strip_prefix(tid) else {
                    return false;
                };
                rest = after;
            }
            let Some(after) = rest.strip_prefix(part.as_str()) else {
                return false;
            };
            rest = after;
        }
        rest.is_empty()
    }
}

impl fmt::Display for KeyIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join(TENANT))
    }
}

/// What the key set says about the key that verified a signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signer<'k> {
    pub(crate) kid: &'k str,
    /// The key's own `issuer`.
    pub(crate) issuer: Option<&'k KeyIssuer>,
    /// The key's own `cloud_instance_name`.
    pub(crate) cloud: Option<&'k str>,
    /// The `cloud_instance_name` of the discovery document that led to the key.
    pub(crate) discovery_cloud: Option<&'k str>,
    /// Whether that document's `issuer` names one tenant.
    pub(crate) discovery_names_one_tenant: bool,
}

/// Takes the place of the tenant in a key's issuer, in lower case.
const TENANT: &str = "{tenantid}";
const MAX_URL: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::tenants::Tenants;

    const TID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
    const OTHER: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

    #[track_caller]
    fn resolve(authority: &Authority) -> Issuers {
        resolve_for(authority, &Tenants::single(TID)).expect("a good authority")
    }

    fn resolve_for(authority: &Authority, tenants: &Tenants) -> Result<Issuers, ConfigError> {
        Issuers::of(authority, &tenants.resolve()?)
    }

    #[test]
    fn proxies_are_left_out_on_loopback_alone_and_certificates_without_tls_alone() {
        for (authority, loopback, https) in [
            (Authority::public(), false, true),
            (Authority::custom("https://login.example"), false, true),
            (Authority::custom("https://127.0.0.1.example"), false, true),
            (Authority::custom("https://127.0.0.1:8443"), true, true),
            (
                Authority::insecure_loopback("http://127.0.0.1:80"),
                true,
                false,
            ),
            (Authority::insecure_loopback("http://[::1]:80"), true, false),
        ] {
            let issuers = resolve(&authority);
            assert_eq!(
                issuers.origin().is_loopback_address(),
                loopback,
                "{authority:?}"
            );
            assert_eq!(issuers.origin().is_https(), https, "{authority:?}");
        }
    }

    #[test]
    fn each_cloud_issues_its_own() {
        let cases = [
            (
                Authority::public(),
                "https://login.microsoftonline.com",
                "https://sts.windows.net",
            ),
            (
                Authority::us_government(),
                "https://login.microsoftonline.us",
                "https://sts.windows.net",
            ),
            (
                Authority::china(),
                "https://login.partner.microsoftonline.cn",
                "https://sts.chinacloudapi.cn",
            ),
        ];
        for (authority, v2, v1) in cases {
            let issuers = resolve(&authority);
            assert_eq!(issuers.v2.fill(TID), format!("{v2}/{TID}/v2.0"));
            assert_eq!(
                issuers.v1.as_ref().map(|v1| v1.fill(TID)),
                Some(format!("{v1}/{TID}/"))
            );
            assert_eq!(
                issuers.discovery_url(),
                format!("{v2}/{TID}/v2.0/.well-known/openid-configuration")
            );
        }
    }

    #[test]
    fn an_issuer_that_differs_in_one_byte_is_another() {
        let v2 = resolve(&Authority::public()).v2;
        let good = format!("https://login.microsoftonline.com/{TID}/v2.0");
        assert!(v2.is(&good, TID));
        for bad in [
            format!("{good}/"),
            good.to_uppercase(),
            good.replace("https", "http"),
            good.replace("v2.0", "v1.1"),
            good.replace(TID, OTHER),
            good.replace("login.microsoftonline.com", "login.windows.net"),
            format!(" {good}"),
            format!("https://login.microsoftonline.com/{TID}/{TID}/v2.0"),
            String::new(),
        ] {
            assert!(!v2.is(&bad, TID), "{bad}");
        }
    }

    #[test]
    fn discovery_is_under_the_tenant_or_the_group_of_tenants() {
        let cases = [
            (Tenants::single(TID), TID),
            (Tenants::list([TID]), TID),
            (Tenants::list([TID, OTHER]), "organizations"),
            (
                Tenants::list([TID, "9188040d-6c67-4c5b-b112-36a304b66dad"]),
                "common",
            ),
            (Tenants::any_organization(), "organizations"),
            (Tenants::any(), "common"),
        ];
        for (tenants, segment) in cases {
            let issuers = resolve_for(&Authority::public(), &tenants).expect("good tenants");
            assert_eq!(
                issuers.discovery_url(),
                format!(
                    "https://login.microsoftonline.com/{segment}/v2.0/.well-known/openid-configuration"
                )
            );
        }
    }

    #[test]
    fn a_discovery_issuer_is_the_tenants_own_or_the_template() {
        let concrete = format!("https://login.microsoftonline.com/{TID}/v2.0");
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let one = resolve(&Authority::public());
        assert!(one.promises(&concrete));
        assert!(!one.promises(template));
        assert!(!one.promises(&concrete.replace(TID, OTHER)));

        let many = resolve_for(&Authority::public(), &Tenants::any()).expect("good tenants");
        assert!(many.promises(template));
        assert!(many.promises("https://login.microsoftonline.com/{TenantId}/v2.0"));
        assert!(!many.promises(&concrete));
        assert!(!many.promises("https://login.microsoftonline.us/{tenantid}/v2.0"));
    }

    #[test]
    fn an_external_id_host_may_name_its_single_tenant() {
        let authority = Authority::custom("https://{tid}.ciamlogin.com");
        assert_eq!(
            resolve(&authority).v2.fill(TID),
            format!("https://{TID}.ciamlogin.com/{TID}/v2.0")
        );
        let error = resolve_for(&authority, &Tenants::any()).expect_err("no single tenant");
        assert_eq!(
            error.to_string(),
            "authority: \"https://{tid}.ciamlogin.com\" names {tid}, which needs a single tenant"
        );
    }

    #[test]
    fn a_trailing_slash_letter_case_and_the_default_port_make_no_difference() {
        for url in ["https://LOGIN.example/", "https://login.example:443"] {
            let issuers = resolve(&Authority::custom(url));
            assert_eq!(
                issuers.v2.fill(TID),
                format!("https://login.example/{TID}/v2.0")
            );
        }
    }

    #[test]
    fn only_urls_of_the_same_origin_are_owned() {
        let issuers = resolve(&Authority::public());
        assert!(issuers.owns("https://login.microsoftonline.com/common/discovery/v2.0/keys"));
        assert!(issuers.owns("https://LOGIN.microsoftonline.com:443/keys?appid=1"));
        for url in [
            "http://login.microsoftonline.com/keys",
            "https://login.microsoftonline.com:444/keys",
            "https://login.microsoftonline.com.evil.example/keys",
            "https://login.microsoftonline.com@evil.example/keys",
            "https://login.microsoftonline.com\\@evil.example/keys",
            "https://evil.example/login.microsoftonline.com",
            "//login.microsoftonline.com/keys",
            "/keys",
            "file:///etc/passwd",
            "https://169.254.169.254/keys",
            "https://login.microsoftonline.com/keys\n",
            "",
        ] {
            assert!(!issuers.owns(url), "{url}");
        }
        let long = format!("https://login.microsoftonline.com/{}", "k".repeat(MAX_URL));
        assert!(!issuers.owns(&long));
    }

    #[test]
    fn a_key_issuer_fills_its_template_in_any_letter_case() {
        let issuer = format!("https://{TID}.ciamlogin.com/{TID}/v2.0");
        for template in [
            "https://{tenantid}.ciamlogin.com/{tenantid}/v2.0",
            "https://{tenantId}.ciamlogin.com/{TENANTID}/v2.0",
            &issuer,
        ] {
            assert!(KeyIssuer::parse(template).is(&issuer, TID), "{template}");
        }
        for template in [
            "",
            "{tenantid}",
            "https://{tenantid}.ciamlogin.com/{tenantid}/v2.0/",
            "https://{tenantid}.ciamlogin.com/{tid}/v2.0",
            &issuer.replace(TID, OTHER),
        ] {
            assert!(!KeyIssuer::parse(template).is(&issuer, TID), "{template}");
        }
    }
}
