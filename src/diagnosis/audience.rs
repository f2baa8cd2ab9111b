//! What a wrong audience tells about the client or the API's registration.

use std::borrow::Cow;

use super::hints;

/// What to change about a token that is for somebody else.
pub(super) fn audience_hint(audiences: &[Cow<'_, str>], accepted: &[String]) -> &'static str {
    if audiences.iter().all(|audience| audience.trim().is_empty()) {
        return hints::NO_AUDIENCE;
    }
    let pairs = || {
        audiences
            .iter()
            .flat_map(|audience| accepted.iter().map(|own| (audience.as_ref(), own.as_str())))
    };
    let slash =
        |(audience, own): (&str, &str)| audience.trim_end_matches('/') == own.trim_end_matches('/');
    let case = |(audience, own): (&str, &str)| audience.eq_ignore_ascii_case(own);
    let forms =
        |(audience, own): (&str, &str)| client_id(audience).eq_ignore_ascii_case(client_id(own));
    if let Some(hint) = well_known(audiences) {
        hint
    } else if pairs().any(slash) {
        hints::AUDIENCE_SLASH
    } else if pairs().any(case) {
        hints::AUDIENCE_CASE
    } else if pairs().any(forms) {
        hints::AUDIENCE_FORMS
    } else {
        hints::OTHER_AUDIENCE
    }
}

/// What to change about a token for one of Microsoft's own APIs.
pub(super) fn well_known(audiences: &[Cow<'_, str>]) -> Option<&'static str> {
    let is_one_of = |known: &[&str]| {
        audiences.iter().any(|audience| {
            let audience = audience.trim_end_matches('/');
            known
                .iter()
                .any(|known| audience.eq_ignore_ascii_case(known))
        })
    };
    // Each cloud has its own: `api://AzureADTokenExchangeUSGov`, and so on.
    let is_exchange = audiences.iter().any(|audience| {
        audience
            .get(..EXCHANGE_URI.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(EXCHANGE_URI))
    });
    if is_exchange || is_one_of(&[EXCHANGE]) {
        Some(hints::EXCHANGE)
    } else if is_one_of(&GRAPH) {
        Some(hints::GRAPH)
    } else if is_one_of(&MANAGEMENT) {
        Some(hints::MANAGEMENT)
    } else {
        None
    }
}

/// The client id in an audience of either form.
fn client_id(audience: &str) -> &str {
    let audience = audience.trim_end_matches('/');
    audience.strip_prefix("api://").unwrap_or(audience)
}

const EXCHANGE_URI: &str = "api://AzureADTokenExchange";
const EXCHANGE: &str = "fb60f99c-7a34-4190-8149-302f77469936";

const GRAPH: [&str; 7] = [
    "00000003-0000-0000-c000-000000000000",
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "00000002-0000-0000-c000-000000000000",
    "https://graph.windows.net",
];

const MANAGEMENT: [&str; 5] = [
    "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
];
