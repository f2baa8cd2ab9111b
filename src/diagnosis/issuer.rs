//! What a wrong issuer tells about the configuration, the client or the API's registration.

use super::hints;
use crate::{issuers::Issuers, token::Claims};

/// What to change about a token whose `iss` is not what the authority issues.
pub(super) fn issuer_hint(claims: &Claims<'_>, issuers: &Issuers) -> &'static str {
    let Some(issuer) = claims.iss.as_deref() else {
        return hints::NO_ISSUER;
    };
    let lower = issuer.to_ascii_lowercase();
    if lower.contains("{tenant") || lower.contains("{tid}") {
        return hints::TEMPLATE_ISSUER;
    }
    let (host, own_host) = (host(&lower), host(issuers.authority()));
    if host.ends_with(".b2clogin.com") {
        return hints::B2C;
    }
    match (is_external_id(host), is_external_id(own_host)) {
        (true, false) => return hints::EXTERNAL_ID_TOKEN,
        (false, true) if is_workforce(host) => return hints::WORKFORCE_TOKEN,
        _ => {}
    }
    if lower.trim_end_matches('/').ends_with("/v1.1") {
        return hints::V1_1_ISSUER;
    }
    let is_v1 = claims.ver.as_deref() == Some("1.0");
    if is_v1 && issuers.v1.is_none() && is_of_one_cloud(host, own_host) {
        return hints::NO_V1_ISSUER;
    }
    by_form(issuer, claims, issuers, is_v1).unwrap_or_else(|| {
        if ALIASES.contains(&host) {
            hints::ISSUER_ALIAS
        } else if is_workforce(host) {
            hints::OTHER_CLOUD
        } else {
            hints::FOREIGN_ISSUER
        }
    })
}

/// What to do about a token that claims an issuer and that nobody has vouched for. Never to believe it.
pub(super) fn claimed_issuer_hint(claims: &Claims<'_>, issuers: &Issuers) -> &'static str {
    match issuer_hint(claims, issuers) {
        hints::B2C => hints::CLAIMED_B2C,
        hints::EXTERNAL_ID_TOKEN => hints::CLAIMED_EXTERNAL_ID,
        hints::WORKFORCE_TOKEN => hints::CLAIMED_WORKFORCE,
        hints::NO_V1_ISSUER => hints::CLAIMED_V1,
        hints::OTHER_CLOUD => hints::CLAIMED_CLOUD,
        _ => hints::CLAIMED_ISSUER,
    }
}

/// Whether tokens of version 1.0 from this host are of the authority at `own`.
fn is_of_one_cloud(host: &str, own: &str) -> bool {
    host == own || V1_HOSTS.contains(&(host, own))
}

/// What is wrong with an issuer that has the form of the authority's own, or nearly so.
fn by_form(
    issuer: &str,
    claims: &Claims<'_>,
    issuers: &Issuers,
    is_v1: bool,
) -> Option<&'static str> {
    let tid = claims.tid.as_deref()?;
    let (own, other) = if is_v1 {
        (issuers.v1.as_ref(), Some(&issuers.v2))
    } else {
        (Some(&issuers.v2), issuers.v1.as_ref())
    };
    let expected = own?.fill(tid);
    if other.is_some_and(|other| other.is(issuer, tid)) {
        Some(hints::VERSION_AND_ISSUER)
    } else if issuer.trim_end_matches('/') == expected.trim_end_matches('/') {
        Some(hints::ISSUER_SLASH)
    } else if issuer.eq_ignore_ascii_case(&expected) {
        Some(hints::ISSUER_CASE)
    } else if own?.has_form_of(issuer) {
        Some(hints::TENANT_AND_ISSUER)
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
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::{
        algorithm::SignatureAlgorithm,
        authority::Authority,
        tenants::Tenants,
        token::{TokenRules, UnverifiedToken},
    };

    const TID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
    const OTHER: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

    /// The hint about a token of this version and issuer at this authority.
    #[track_caller]
    fn hint(authority: &Authority, version: &str, issuer: &str) -> &'static str {
        let tenants = Tenants::single(TID).resolve().expect("a tenant");
        let issuers = Issuers::of(authority, &tenants).expect("an authority");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k"}"#);
        let payload = format!(r#"{{"ver":"{version}","tid":"{TID}","iss":"{issuer}"}}"#);
        let token = format!("{header}.{}.AQ", URL_SAFE_NO_PAD.encode(payload));
        let rules = TokenRules {
            max_len: 4_096,
            algorithms: vec![SignatureAlgorithm::Rs256],
        };
        let token = UnverifiedToken::parse(&token, &rules).expect("a token");
        issuer_hint(&token.unverified_claims().expect("claims"), &issuers)
    }

    #[test]
    fn each_cloud_is_told_from_the_others() {
        let public = Authority::public();
        let government = Authority::us_government();
        let china = Authority::china();
        for (authority, version, issuer) in [
            (
                &public,
                "2.0",
                format!("https://login.microsoftonline.us/{TID}/v2.0"),
            ),
            (
                &public,
                "2.0",
                format!("https://login.partner.microsoftonline.cn/{TID}/v2.0"),
            ),
            (
                &public,
                "1.0",
                format!("https://sts.chinacloudapi.cn/{TID}/"),
            ),
            (
                &government,
                "2.0",
                format!("https://login.microsoftonline.com/{TID}/v2.0"),
            ),
            (&china, "1.0", format!("https://sts.windows.net/{TID}/")),
            (
                &china,
                "2.0",
                format!("https://login.chinacloudapi.cn/{TID}/v2.0"),
            ),
            (
                &public,
                "2.0",
                format!("https://login.sovcloud-identity.fr/{TID}/v2.0"),
            ),
        ] {
            assert_eq!(
                hint(authority, version, &issuer),
                hints::OTHER_CLOUD,
                "{issuer}"
            );
        }
    }

    #[test]
    fn external_id_and_its_workforce_twin_are_told_apart() {
        let external = Authority::custom("https://{tid}.ciamlogin.com");
        let workforce = format!("https://login.microsoftonline.com/{TID}/v2.0");
        let own = format!("https://{TID}.ciamlogin.com/{TID}/v2.0");
        assert_eq!(hint(&external, "2.0", &workforce), hints::WORKFORCE_TOKEN);
        let v1 = format!("https://sts.windows.net/{TID}/");
        assert_eq!(hint(&external, "1.0", &v1), hints::WORKFORCE_TOKEN);
        assert_eq!(hint(&external, "1.0", &own), hints::NO_V1_ISSUER);
        assert_eq!(
            hint(&Authority::public(), "2.0", &own),
            hints::EXTERNAL_ID_TOKEN
        );
    }

    #[test]
    fn what_has_nearly_the_form_of_the_own_issuer_is_told() {
        let v2 = format!("https://login.microsoftonline.com/{TID}/v2.0");
        let v1 = format!("https://sts.windows.net/{TID}/");
        let without_slash = v1.trim_end_matches('/');
        for (version, issuer, expected) in [
            ("2.0", v1.as_str(), hints::VERSION_AND_ISSUER),
            ("1.0", &v2, hints::VERSION_AND_ISSUER),
            ("1.0", without_slash, hints::ISSUER_SLASH),
            ("2.0", &format!("{v2}/"), hints::ISSUER_SLASH),
            ("2.0", &v2.replace("login", "Login"), hints::ISSUER_CASE),
            ("2.0", &v2.replace(TID, OTHER), hints::TENANT_AND_ISSUER),
            ("1.0", &v1.replace(TID, OTHER), hints::TENANT_AND_ISSUER),
            (
                "2.0",
                &v2.replace(TID, "{tenantid}"),
                hints::TEMPLATE_ISSUER,
            ),
            ("2.0", &v2.replace("v2.0", "v1.1"), hints::V1_1_ISSUER),
            (
                "2.0",
                &v2.replace("microsoftonline.com", "windows.net"),
                hints::ISSUER_ALIAS,
            ),
            ("2.0", "https://contoso.b2clogin.com/x/v2.0/", hints::B2C),
            ("2.0", "foo", hints::FOREIGN_ISSUER),
            ("2.0", "", hints::FOREIGN_ISSUER),
        ] {
            let found = hint(&Authority::public(), version, issuer);
            assert_eq!(found, expected, "{version} {issuer}");
        }
    }
}
