//! How an audience can be wrong: check 9.

use std::{borrow::Cow, fmt};

use super::hints;
use crate::{admit::values::TokenVersion, shown::Few};

/// A token for another API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongAudience {
    pub(crate) audience: Few,
    pub(crate) version: TokenVersion,
    pub(crate) accepted: Few,
    pub(crate) hint: &'static str,
}

/// An API of Microsoft's for which clients often ask by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WellKnownApi {
    /// AzureADTokenExchange: a credential of an agent or a workload.
    TokenExchange,
    Graph,
    /// Azure Resource Manager.
    Management,
}

impl WellKnownApi {
    /// The first of them, in the order above, that one of the audiences names.
    pub(crate) fn of(audiences: &[Cow<'_, str>]) -> Option<Self> {
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
            Some(Self::TokenExchange)
        } else if is_one_of(&GRAPH) {
            Some(Self::Graph)
        } else if is_one_of(&MANAGEMENT) {
            Some(Self::Management)
        } else {
            None
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::TokenExchange => hints::EXCHANGE,
            Self::Graph => hints::GRAPH,
            Self::Management => hints::MANAGEMENT,
        }
    }
}

/// What to change about a token for another API. An ID token is for the client, so it fails here
/// before check 11 can say what it is.
pub(crate) fn audience_hint(
    audiences: &[Cow<'_, str>],
    accepted: &[String],
    is_id_token: bool,
) -> &'static str {
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
    if let Some(api) = WellKnownApi::of(audiences) {
        api.hint()
    } else if is_id_token {
        hints::ID_TOKEN
    } else if audiences.iter().all(|audience| audience.trim().is_empty()) {
        hints::NO_AUDIENCE
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

impl fmt::Display for WrongAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.audience.is_empty() {
            f.write_str("the token has no aud")?;
        } else {
            write!(f, "the token is for {}", self.audience)?;
        }
        let (version, accepted) = (self.version, &self.accepted);
        write!(f, " (version {version}); this API accepts {accepted}")
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
