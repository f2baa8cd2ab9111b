//! `AzureAd`: the app registration and whose tokens are admitted.

use reqwest::Url;
use tower_entra::{AppId, Authority, TenantId};

use super::{
    credentials::credential,
    report::Report,
    shown::{is_domain, shown, shown_id},
    tree::Section,
    types::AzureAd,
    values::{flag, guid, is_loopback_address, words},
};

/// None if a key is missing or wrong: that is reported.
pub(super) fn azure_ad(root: &Section<'_>, report: &mut Report) -> Option<AzureAd> {
    let section = root.at("AzureAd");
    let (authority, tenant) = authority_and_tenant(&section, report);
    let client_id = client_id(&section.at("ClientId"), report);
    let audiences = audiences(&section, report);
    let scopes = scopes(&section.at("Scopes"), report);
    let by_acl = section.at("AllowWebApiToBeAuthorizedByACL");
    let authorization_by_acl = flag(&by_acl, true, report);
    let error_details = flag(&section.at("IncludeErrorDetails"), true, report);
    let claims_challenges = words(&section.at("ClientCapabilities"), report)
        .unwrap_or_default()
        .iter()
        .any(|(word, _)| word.eq_ignore_ascii_case("cp1"));
    refuse_what_is_not_offered(root, &section, report);
    let credential = credential(root, report);
    Some(AzureAd {
        authority: authority?,
        tenant: tenant?,
        client_id: client_id?,
        audiences,
        scopes,
        authorization_by_acl,
        error_details,
        claims_challenges,
        credential,
    })
}

/// `Instance` and `TenantId`, or both from `Authority`, which Microsoft.Identity.Web reads only without them.
fn authority_and_tenant(
    section: &Section<'_>,
    report: &mut Report,
) -> (Option<Authority>, Option<TenantId>) {
    let (instance, tenant) = (section.at("Instance"), section.at("TenantId"));
    let both = section.at("Authority");
    match both.text() {
        Some(text) if instance.text().is_none() && tenant.text().is_none() => {
            let (url, id) = split(text);
            return (
                authority(&both, url, report),
                tenant_id(&both, id.unwrap_or_default(), report),
            );
        }
        Some(_) => report.warn(
            &both,
            "is not read, because AzureAd:Instance or AzureAd:TenantId is set. Remove it.",
        ),
        None => {}
    }
    let authority = match instance.text() {
        Some(url) => authority(&instance, url, report),
        None => Some(Authority::public()),
    };
    let tenant = match tenant.text() {
        Some(text) => tenant_id(&tenant, text, report),
        None => {
            report.wrong(&tenant, NOT_SET, A_TENANT, SET_TENANT);
            None
        }
    };
    (authority, tenant)
}

/// The instance and the tenant of `https://login.microsoftonline.com/{tenant}/v2.0`.
fn split(authority: &str) -> (&str, Option<&str>) {
    let start = authority.find("://").map_or(0, |at| at + 3);
    match authority[start..].split_once('/') {
        Some((host, rest)) => {
            let instance = &authority[..start + host.len()];
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            (instance, Some(rest.strip_suffix("/v2.0").unwrap_or(rest)))
        }
        None => (authority, None),
    }
}

fn authority(section: &Section<'_>, url: &str, report: &mut Report) -> Option<Authority> {
    if let Some(loopback) = loopback(url) {
        return Some(Authority::insecure_loopback(loopback));
    }
    match url.parse::<Authority>() {
        Ok(authority) => Some(authority),
        Err(error) => {
            let advice = "Set it to the URL of the cloud.";
            report.wrong(section, error.problem(), AN_INSTANCE, advice);
            None
        }
    }
}

/// `http` with a loopback address, as an origin.
fn loopback(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    let is_origin = parsed.path() == "/"
        && parsed.query().is_none()
        && parsed.fragment().is_none()
        && parsed.username().is_empty()
        && parsed.password().is_none();
    let fits = parsed.scheme() == "http" && is_loopback_address(&parsed) && is_origin;
    fits.then(|| parsed.origin().ascii_serialization())
}

fn tenant_id(section: &Section<'_>, text: &str, report: &mut Report) -> Option<TenantId> {
    if let Some(tenant) = guid(text) {
        return Some(tenant);
    }
    let any = ["common", "organizations", "consumers"];
    let shown = shown_id(text, &any);
    let what = if text.is_empty() {
        "the tenant is missing".to_owned()
    } else if any.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        format!("{shown} is not one tenant")
    } else if is_domain(text) {
        format!("{shown} is a domain and not a tenant's GUID")
    } else {
        format!("{shown} is not a tenant's GUID")
    };
    report.wrong(section, what, A_TENANT, SET_TENANT);
    None
}

fn client_id(section: &Section<'_>, report: &mut Report) -> Option<AppId> {
    let found = match section.text() {
        Some(text) => match guid(text) {
            Some(id) => return Some(id),
            None => format!("{} is not a client id", shown_id(text, &[])),
        },
        None => NOT_SET.to_owned(),
    };
    let accepted = "the GUID of an app registration";
    let advice =
        "Set it to the application (client) ID, which is that of the blueprint for agents.";
    report.wrong(section, found, accepted, advice);
    None
}

/// All that are named. If none is, Entra's own for the client id are accepted.
fn audiences(section: &Section<'_>, report: &mut Report) -> Option<Vec<String>> {
    let parameters = section.at("TokenValidationParameters");
    let mut named = Vec::new();
    for section in [
        section.at("Audience"),
        parameters.at("ValidAudience"),
        parameters.at("ValidAudiences"),
    ] {
        named.extend(words(&section, report).unwrap_or_default());
    }
    let mut audiences: Vec<String> = Vec::new();
    for (audience, section) in named {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
        if !audience.as_bytes().iter().all(is_plain) {
            let found = format!("{} is no audience", shown(audience));
            let accepted = "a client id, an App ID URI such as api://{client id}";
            report.wrong(
                &section,
                found,
                accepted,
                "Set it to the aud of the tokens.",
            );
        } else if !audiences.iter().any(|known| known == audience) {
            audiences.push(audience.to_owned());
        }
    }
    (!audiences.is_empty()).then_some(audiences)
}

fn scopes(section: &Section<'_>, report: &mut Report) -> Vec<String> {
    let mut scopes = Vec::new();
    for (scope, section) in words(section, report).unwrap_or_default() {
        let is_scope = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\/".contains(byte);
        if scope.as_bytes().iter().all(is_scope) {
            scopes.push(scope.to_owned());
            continue;
        }
        let found = format!("{} is in no token", shown(scope));
        let accepted = "names of scopes as the scp of tokens has them, such as Orders.Read";
        let advice = "Leave out the resource, which ends with the last slash.";
        report.wrong(&section, found, accepted, advice);
    }
    scopes
}

fn refuse_what_is_not_offered(root: &Section<'_>, section: &Section<'_>, report: &mut Report) {
    for section in [
        section.at("TokenDecryptionCredentials"),
        section.at("TokenDecryptionCertificates"),
        root.at("TokenDecryptionCredentialsDescription"),
    ] {
        if section.is_given() {
            report.refused(
                &section,
                "encrypted tokens are not supported. Remove it, and the encryption certificate of the app \
                 registration.",
            );
        }
    }
}

const NOT_SET: &str = "is not set";

const A_TENANT: &str = "the GUID of one tenant, such as 7090e106-1ad3-4313-9b7a-75cc3e576d40";

const SET_TENANT: &str = "Set it to the directory (tenant) ID of the app registration.";

const AN_INSTANCE: &str = "https://login.microsoftonline.com/, https://login.microsoftonline.us/, \
    https://login.partner.microsoftonline.cn/, another https origin, http with a loopback address";
