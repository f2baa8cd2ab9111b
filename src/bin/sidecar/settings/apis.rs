//! `DownstreamApis`: the APIs that are called.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method};
use tower_entra::{TenantId, acquire::Scopes};

use super::{
    claims::are_claims,
    report::Report,
    shown::{plain, shown, shown_id},
    tree::Section,
    types::{Api, TokenSettings},
    values::{flag, guid, words},
};
use crate::downstream::{
    headers::is_reserved,
    url::{BaseUrl, RelativePath},
};

/// By the names that were written first.
pub(super) fn apis(
    root: &Section<'_>,
    allow_plain_http: bool,
    report: &mut Report,
) -> BTreeMap<String, Api> {
    let section = root.at("DownstreamApis");
    let mut apis = BTreeMap::new();
    for section in section.children() {
        let api = api(&section, allow_plain_http, report);
        apis.insert(section.name().to_owned(), api);
    }
    apis
}

fn api(section: &Section<'_>, allow_plain_http: bool, report: &mut Report) -> Api {
    let scheme = section.at("ProtocolScheme");
    if let Some(text) = scheme
        .text()
        .filter(|text| !text.eq_ignore_ascii_case("Bearer"))
    {
        let found = format!("{} is not supported", shown(text));
        report.wrong(&scheme, found, "Bearer", "Remove it.");
    }
    Api {
        base_url: base_url(&section.at("BaseUrl"), allow_plain_http, report),
        relative_path: relative_path(&section.at("RelativePath"), report),
        scopes: scopes(&section.at("Scopes"), report),
        request_app_token: flag(&section.at("RequestAppToken"), false, report),
        http_method: http_method(&section.at("HttpMethod"), report),
        accept: accept(&section.at("AcceptHeader"), report),
        headers: headers(&section.at("ExtraHeaderParameters"), report),
        query: query(&section.at("ExtraQueryParameters")),
        token: token(&section.at("AcquireTokenOptions"), report),
    }
}

/// Without `/` at its end.
fn base_url(section: &Section<'_>, allow_plain_http: bool, report: &mut Report) -> Option<String> {
    let text = section.text()?;
    let Err(problem) = BaseUrl::parse(text, allow_plain_http) else {
        return Some(text.trim_end_matches('/').to_owned());
    };
    let found = match text.contains('@') {
        true => format!("the URL {problem}"),
        false => format!("{} {problem}", shown(text)),
    };
    let advice = match BaseUrl::parse(text, true) {
        Ok(_) => "Use https, or set Sidecar:AllowPlainHttp to true if that network is trusted.",
        Err(_) => "Set it to the URL of the API.",
    };
    report.wrong(section, found, A_BASE_URL, advice);
    None
}

fn relative_path(section: &Section<'_>, report: &mut Report) -> String {
    let text = section.raw().unwrap_or_default();
    if let Err(problem) = RelativePath::parse(text) {
        let found = format!("{} {problem}", shown(text));
        let accepted = "a path below that of BaseUrl, perhaps with a query";
        report.wrong(section, found, accepted, "Set it to such a path.");
    }
    text.to_owned()
}

fn scopes(section: &Section<'_>, report: &mut Report) -> Vec<String> {
    let mut scopes = Vec::new();
    for (scope, section) in words(section, report).unwrap_or_default() {
        match Scopes::new([scope]) {
            Ok(_) => scopes.push(scope.to_owned()),
            Err(error) => {
                let accepted =
                    "full names such as api://{client id}/Orders.Read, {resource}/.default";
                let advice = error.hint().unwrap_or("Set it to such names.");
                report.wrong(&section, error, accepted, advice);
            }
        }
    }
    scopes
}

fn http_method(section: &Section<'_>, report: &mut Report) -> Method {
    let Some(text) = section.text() else {
        return Method::GET;
    };
    // .NET knows these in any letter case.
    let upper = text.to_ascii_uppercase();
    let known = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    let name = if known.contains(&&*upper) {
        &upper
    } else {
        text
    };
    // Between a client and proxies, or to look into a server: no call is sent with them.
    let is_never_sent = ["CONNECT", "DEBUG", "TRACE", "TRACK"].contains(&&*upper);
    match Method::from_bytes(name.as_bytes()) {
        Ok(method) if !is_never_sent => method,
        _ => {
            let found = format!("{} is no method of a call", shown(text));
            let accepted = "a method of HTTP such as GET, POST, PUT, PATCH, DELETE";
            report.wrong(section, found, accepted, "Set it to one of them.");
            Method::GET
        }
    }
}

fn accept(section: &Section<'_>, report: &mut Report) -> HeaderValue {
    let default = HeaderValue::from_static("application/json");
    let Some(text) = section.text() else {
        return default;
    };
    header_value(section, text, report).unwrap_or(default)
}

/// Printable ASCII and tabs: what a server reads as it was written.
fn header_value(section: &Section<'_>, text: &str, report: &mut Report) -> Option<HeaderValue> {
    let is_plain = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let value = HeaderValue::from_str(text).ok().filter(|_| is_plain);
    if value.is_none() {
        // A header can be a secret, so it is not shown.
        let accepted = "printable ASCII";
        report.wrong(
            section,
            "is no value of a header",
            accepted,
            "Set it to such a text.",
        );
    }
    value
}

fn headers(section: &Section<'_>, report: &mut Report) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for section in section.children() {
        let name = section.name();
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            let found = format!("{} is no name of a header", shown(name));
            let accepted = "letters, digits and hyphens";
            report.wrong(&section, found, accepted, "Correct the name.");
            continue;
        };
        if is_reserved(&parsed) {
            let text = format!(
                "the header {} is reserved, so it is not sent. Remove it.",
                plain(name)
            );
            report.warn(&section, text);
            continue;
        }
        if let Some(text) = section.text()
            && let Some(mut value) = header_value(&section, text, report)
        {
            // It can be a key of the API.
            value.set_sensitive(true);
            headers.push((parsed, value));
        }
    }
    headers
}

fn query(section: &Section<'_>) -> Vec<(String, String)> {
    let given = section.children().filter_map(|section| {
        let value = section.raw().filter(|value| !value.is_empty())?;
        Some((section.name().to_owned(), value.to_owned()))
    });
    given.collect()
}

fn token(section: &Section<'_>, report: &mut Report) -> TokenSettings {
    for (name, why) in NOT_OFFERED {
        let section = section.at(name);
        if section.is_given() {
            report.refused(&section, format!("{why} Remove it."));
        }
    }
    refuse_another_registration(&section.at("AuthenticationOptionsName"), report);
    TokenSettings {
        tenant: id::<TenantId>(&section.at("Tenant"), "the GUID of a tenant", report),
        force_refresh: flag(&section.at("ForceRefresh"), false, report),
        claims: claims(&section.at("Claims"), report),
        correlation_id: id::<TenantId>(&section.at("CorrelationId"), "a GUID", report)
            .map(|id| id.to_string()),
    }
}

/// A sidecar has one app registration: a token of another one would be another identity.
fn refuse_another_registration(section: &Section<'_>, report: &mut Report) {
    let own = ["AzureAd", "Bearer"];
    if let Some(name) = section.text()
        && !own.iter().any(|own| own.eq_ignore_ascii_case(name))
    {
        let found = format!("{} is another app registration", shown(name));
        let advice = "Run a sidecar for each app registration.";
        report.wrong(section, found, "AzureAd", advice);
    }
}

fn id<T: std::str::FromStr + std::fmt::Display>(
    section: &Section<'_>,
    accepted: &str,
    report: &mut Report,
) -> Option<T> {
    let text = section.text()?;
    let id = guid(text);
    if id.is_none() {
        let words = ["common", "organizations", "consumers"];
        let found = format!("{} is not a GUID", shown_id(text, &words));
        report.wrong(section, found, accepted, "Set it to one.");
    }
    id
}

fn claims(section: &Section<'_>, report: &mut Report) -> Option<String> {
    let text = section.text()?;
    let is_right = are_claims(text);
    if !is_right {
        let found = "is no JSON object, or has a member twice";
        let accepted = "the JSON object of a claims challenge, at most 8 KiB";
        report.wrong(section, found, accepted, "Set it to one.");
    }
    is_right.then(|| text.to_owned())
}

const NOT_OFFERED: [(&str, &str); 6] = [
    ("PopPublicKey", "proof of possession is not supported."),
    ("PopClaim", "proof of possession is not supported."),
    (
        "LongRunningWebApiSessionKey",
        "long-running sessions on behalf of a user are not supported.",
    ),
    (
        "FmiPath",
        "a caller names the agent, by the parameter AgentIdentity.",
    ),
    (
        "ManagedIdentity",
        "tokens are those of the app registration and its agents, and never of the machine.",
    ),
    (
        "UserFlow",
        "user flows are of Azure AD B2C, whose tokens are not supported.",
    ),
];

/// `localhost` and a loopback address are this machine.
const A_BASE_URL: &str = "https, http with localhost or a loopback address, perhaps a path, no user, query or \
    fragment";
