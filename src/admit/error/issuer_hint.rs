//! What to change about a token with a wrong issuer: the client, the configuration or the API's
//! registration.

use super::hints;
use crate::admit::{issuers::Issuers, values::TokenVersion};

/// What a wrong issuer says about the configuration, the client or the API's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuerAdvice {
    NoIssuer,
    /// `iss` holds a placeholder of a discovery document.
    Template,
    B2c,
    /// A token of External ID at an authority that is not.
    ExternalId,
    /// A token of an organization's tenant at an authority of External ID.
    Workforce,
    V1Dot1,
    /// Version 1.0 of the configured authority, which accepts none.
    NoV1,
    VersionAndIssuer,
    Slash,
    LetterCase,
    TenantAndIssuer,
    /// An alias of an authority's host.
    Alias,
    OtherCloud,
    Foreign,
}

impl IssuerAdvice {
    /// Judges the claims of a token whose `iss` is not what the authority issues.
    pub(crate) fn of(
        issuer: Option<&str>,
        version: TokenVersion,
        tid: &str,
        issuers: &Issuers,
    ) -> Self {
        let Some(issuer) = issuer else {
            return Self::NoIssuer;
        };
        let lower = issuer.to_ascii_lowercase();
        if lower.contains("{tenant") || lower.contains("{tid}") {
            return Self::Template;
        }
        if is_of_b2c(&lower) {
            return Self::B2c;
        }
        let (host, own_host) = (host(&lower), host(issuers.authority()));
        match (is_external_id(host), is_external_id(own_host)) {
            (true, false) => return Self::ExternalId,
            (false, true) if is_workforce(host) => return Self::Workforce,
            _ => {}
        }
        if lower.trim_end_matches('/').ends_with("/v1.1") {
            return Self::V1Dot1;
        }
        let is_v1 = version == TokenVersion::V1;
        if is_v1 && issuers.v1.is_none() && is_of_one_cloud(host, own_host) {
            return Self::NoV1;
        }
        by_form(issuer, version, tid, issuers).unwrap_or_else(|| {
            if ALIASES.contains(&host) {
                Self::Alias
            } else if is_workforce(host) {
                Self::OtherCloud
            } else {
                Self::Foreign
            }
        })
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::NoIssuer => hints::NO_ISSUER,
            Self::Template => hints::TEMPLATE_ISSUER,
            Self::B2c => hints::B2C,
            Self::ExternalId => hints::EXTERNAL_ID_TOKEN,
            Self::Workforce => hints::WORKFORCE_TOKEN,
            Self::V1Dot1 => hints::V1_1_ISSUER,
            Self::NoV1 => hints::NO_V1_ISSUER,
            Self::VersionAndIssuer => hints::VERSION_AND_ISSUER,
            Self::Slash => hints::ISSUER_SLASH,
            Self::LetterCase => hints::ISSUER_CASE,
            Self::TenantAndIssuer => hints::TENANT_AND_ISSUER,
            Self::Alias => hints::ISSUER_ALIAS,
            Self::OtherCloud => hints::OTHER_CLOUD,
            Self::Foreign => hints::FOREIGN_ISSUER,
        }
    }

    /// The hint about a token for which no key vouches. Never advises to believe it.
    pub(super) fn hint_if_unverified(self) -> &'static str {
        match self {
            Self::B2c => hints::CLAIMED_B2C,
            Self::ExternalId => hints::CLAIMED_EXTERNAL_ID,
            Self::Workforce => hints::CLAIMED_WORKFORCE,
            Self::NoV1 => hints::CLAIMED_V1,
            Self::OtherCloud => hints::CLAIMED_CLOUD,
            _ => hints::CLAIMED_ISSUER,
        }
    }
}

/// What to change if a discovery document names this issuer, which is not what the authority promises.
pub(crate) fn authority_hint(issuer: &str, issuers: &Issuers) -> &'static str {
    let lower = issuer.to_ascii_lowercase();
    let (host, own_host) = (host(&lower), host(issuers.authority()));
    if host == own_host && issuers.v2.has_form_of(issuer) {
        return hints::DOCUMENT_OF_OTHER_TENANT;
    }
    match host {
        _ if host == own_host => hints::DOCUMENT_OF_OTHER_FORM,
        _ if is_of_b2c(&lower) => hints::B2C,
        _ if is_external_id(host) => hints::AUTHORITY_EXTERNAL_ID,
        "login.microsoftonline.com" | "sts.windows.net" => hints::AUTHORITY_PUBLIC,
        "login.microsoftonline.us" => hints::AUTHORITY_US_GOVERNMENT,
        "login.partner.microsoftonline.cn" | "login.chinacloudapi.cn" => hints::AUTHORITY_CHINA,
        _ => hints::DOCUMENT_OF_OTHER_AUTHORITY,
    }
}

/// Whether this issuer, in lower case, is of Azure AD B2C, unless that has a domain of its own.
pub(super) fn is_of_b2c(issuer: &str) -> bool {
    host(issuer).ends_with(".b2clogin.com")
}

/// Whether tokens of version 1.0 from this host are of the authority at `own`.
fn is_of_one_cloud(host: &str, own: &str) -> bool {
    host == own || V1_HOSTS.contains(&(host, own))
}

/// What is wrong with an issuer that has nearly the form of the authority's own.
fn by_form(
    issuer: &str,
    version: TokenVersion,
    tid: &str,
    issuers: &Issuers,
) -> Option<IssuerAdvice> {
    let (own, other) = match version {
        TokenVersion::V1 => (issuers.v1.as_ref()?, Some(&issuers.v2)),
        TokenVersion::V2 => (&issuers.v2, issuers.v1.as_ref()),
    };
    let expected = own.fill(tid);
    if other.is_some_and(|other| other.is(issuer, tid)) {
        Some(IssuerAdvice::VersionAndIssuer)
    } else if issuer.trim_end_matches('/') == expected.trim_end_matches('/') {
        Some(IssuerAdvice::Slash)
    } else if issuer.eq_ignore_ascii_case(&expected) {
        Some(IssuerAdvice::LetterCase)
    } else if own.has_form_of(issuer) {
        Some(IssuerAdvice::TenantAndIssuer)
    } else {
        None
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':', '?', '#']).next().unwrap_or_default()
}

fn is_external_id(host: &str) -> bool {
    host.ends_with(".ciamlogin.com")
}

/// Whether the host issues tokens of organizations, in whichever cloud.
fn is_workforce(host: &str) -> bool {
    CLOUDS.contains(&host) || host.starts_with("login.sovcloud-identity.")
}

/// See [national clouds](https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud).
const CLOUDS: [&str; 10] = [
    "login.microsoftonline.com",
    "sts.windows.net",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "sts.chinacloudapi.cn",
    "login.microsoftonline.de",
    "sts.microsoftonline.de",
    "login.microsoftonline.eaglex.ic.gov",
    "login.windows-ppe.net",
];

/// The hosts of version 1.0 issuers, each with that of an authority.
const V1_HOSTS: [(&str, &str); 4] = [
    ("sts.windows.net", "login.microsoftonline.com"),
    ("sts.windows.net", "login.microsoftonline.us"),
    ("sts.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
    ("sts.chinacloudapi.cn", "login.chinacloudapi.cn"),
];

const ALIASES: [&str; 4] = [
    "login.windows.net",
    "login.microsoft.com",
    "login-us.microsoftonline.com",
    "login.usgovcloudapi.net",
];

#[cfg(test)]
mod tests {
    use super::{
        TokenVersion::{V1, V2},
        *,
    };
    use crate::{admit::tenants::Tenants, authority::Authority};

    const TID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
    const OTHER: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

    /// What there is to say about a token of this version and issuer at this authority.
    #[track_caller]
    fn advice(authority: &Authority, version: TokenVersion, issuer: &str) -> IssuerAdvice {
        let tenants = Tenants::single(TID).resolve().expect("a tenant");
        let issuers = Issuers::of(authority, &tenants).expect("an authority");
        IssuerAdvice::of(Some(issuer), version, TID, &issuers)
    }

    #[test]
    fn each_cloud_is_told_from_the_others() {
        let public = Authority::public();
        let government = Authority::us_government();
        let china = Authority::china();
        for (authority, version, issuer) in [
            (
                &public,
                V2,
                format!("https://login.microsoftonline.us/{TID}/v2.0"),
            ),
            (
                &public,
                V2,
                format!("https://login.partner.microsoftonline.cn/{TID}/v2.0"),
            ),
            (&public, V1, format!("https://sts.chinacloudapi.cn/{TID}/")),
            (
                &government,
                V2,
                format!("https://login.microsoftonline.com/{TID}/v2.0"),
            ),
            (&china, V1, format!("https://sts.windows.net/{TID}/")),
            (
                &china,
                V2,
                format!("https://login.chinacloudapi.cn/{TID}/v2.0"),
            ),
            (
                &public,
                V2,
                format!("https://login.sovcloud-identity.fr/{TID}/v2.0"),
            ),
        ] {
            assert_eq!(
                advice(authority, version, &issuer),
                IssuerAdvice::OtherCloud,
                "{issuer}"
            );
        }
    }

    #[test]
    fn external_id_and_its_workforce_twin_are_told_apart() {
        let external = Authority::custom("https://{tid}.ciamlogin.com");
        let workforce = format!("https://login.microsoftonline.com/{TID}/v2.0");
        let own = format!("https://{TID}.ciamlogin.com/{TID}/v2.0");
        assert_eq!(advice(&external, V2, &workforce), IssuerAdvice::Workforce);
        let v1 = format!("https://sts.windows.net/{TID}/");
        assert_eq!(advice(&external, V1, &v1), IssuerAdvice::Workforce);
        assert_eq!(advice(&external, V1, &own), IssuerAdvice::NoV1);
        assert_eq!(
            advice(&Authority::public(), V2, &own),
            IssuerAdvice::ExternalId
        );
    }

    #[test]
    fn an_issuer_of_nearly_the_right_form_is_told_apart() {
        let v2 = format!("https://login.microsoftonline.com/{TID}/v2.0");
        let v1 = format!("https://sts.windows.net/{TID}/");
        let without_slash = v1.trim_end_matches('/');
        for (version, issuer, expected) in [
            (V2, v1.as_str(), IssuerAdvice::VersionAndIssuer),
            (V1, &v2, IssuerAdvice::VersionAndIssuer),
            (V1, without_slash, IssuerAdvice::Slash),
            (V2, &format!("{v2}/"), IssuerAdvice::Slash),
            (V2, &v2.replace("login", "Login"), IssuerAdvice::LetterCase),
            (V2, &v2.replace(TID, OTHER), IssuerAdvice::TenantAndIssuer),
            (V1, &v1.replace(TID, OTHER), IssuerAdvice::TenantAndIssuer),
            (V2, &v2.replace(TID, "{tenantid}"), IssuerAdvice::Template),
            (V2, &v2.replace("v2.0", "v1.1"), IssuerAdvice::V1Dot1),
            (
                V2,
                &v2.replace("microsoftonline.com", "windows.net"),
                IssuerAdvice::Alias,
            ),
            (
                V2,
                "https://contoso.b2clogin.com/x/v2.0/",
                IssuerAdvice::B2c,
            ),
            (V2, "foo", IssuerAdvice::Foreign),
            (V2, "", IssuerAdvice::Foreign),
        ] {
            let found = advice(&Authority::public(), version, issuer);
            assert_eq!(found, expected, "{version} {issuer}");
        }
    }
}
