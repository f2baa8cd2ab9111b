//! The query of a request: as whom a caller acts, and what it changes.

use std::sync::LazyLock;

use axum::response::IntoResponse as _;
use tower_entra::{ObjectId, acquire::AgentUser};

use crate::{
    asked::Asked,
    overrides::{Overrides, Parameters},
    problem::Problem,
    route::Route,
    settings::{Settings, properties::settings},
};

/// The first byte says which route it is and what the configuration allows; the rest is the query.
/// `then` looks at what is called with the overrides.
pub(crate) fn query(data: &[u8], then: fn(&Settings, &Overrides) -> Result<(), Problem>) {
    let Some((selector, query)) = data.split_first() else {
        return;
    };
    let Ok(query) = str::from_utf8(query) else {
        return;
    };
    let settings = &SETTINGS[usize::from(*selector)];
    let route = ROUTES[usize::from(selector % 4)];
    let expected = Expected::of(query, route, settings);
    let asked = match Asked::read(Some(query), route, settings) {
        Ok(asked) => asked,
        Err(problem) => {
            is_refused(&problem, &expected, query);
            return;
        }
    };
    let agent = match asked.agent(settings) {
        Ok(agent) => agent,
        Err(problem) => {
            is_refused(&problem, &expected, query);
            return;
        }
    };
    let expected = match expected {
        Expected::Read(read) => *read,
        Expected::Refused(status) => panic!("it is {status}: {query}"),
    };
    let read = agent.map(|agent| (agent.id.to_string(), agent.user.map(|user| user.user)));
    assert_eq!(read, expected.agent, "{query}");
    assert_eq!(Changes::of(&asked.overrides), expected.changes, "{query}");
    let shown = format!("{asked:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    if let Err(problem) = then(settings, &asked.overrides) {
        is_refused(&problem, &Expected::Refused(400), query);
    }
}

fn is_refused(problem: &Problem, expected: &Expected, query: &str) {
    let text = serde_json::to_string(problem).expect("JSON");
    assert!(!text.contains(SECRET), "{text}");
    let status = problem.clone().into_response().status().as_u16();
    assert!(
        matches!(expected, Expected::Refused(expected) if *expected == status),
        "{query}: {text}"
    );
}

enum Expected {
    Refused(u16),
    Read(Box<Read>),
}

struct Read {
    agent: Option<(String, Option<AgentUser>)>,
    changes: Changes,
}

impl Expected {
    fn of(query: &str, route: Route, settings: &Settings) -> Self {
        let parameters = parameters(query);
        if query.len() > 65_536 || parameters.len() > 1_000 {
            return Self::Refused(400);
        }
        let (mut named, mut overrides) = ([const { Vec::new() }; 3], Vec::new());
        for (name, value) in &parameters {
            let lower_case = name.to_ascii_lowercase();
            if let Some(at) = AGENTS.iter().position(|agent| *agent == lower_case) {
                named[at].push(value.as_str());
                continue;
            }
            let option = lower_case.strip_prefix("optionsoverride.");
            if !option.is_some_and(is_any_text) {
                let is_like_an_agents = has_agents_letters(name, 0, &["agentid", "agentuser"])
                    || has_agents_letters(value, 1, &AGENTS);
                if is_like_an_agents {
                    return Self::Refused(400);
                }
            }
            if let Some(option) = option {
                overrides.push((&name[name.len() - option.len()..], value.as_str()));
            }
        }
        let allowed = settings.allow_overrides;
        let is_allowed = match route {
            Route::AuthorizationHeader => allowed.authorization_header,
            Route::AuthorizationHeaderUnauthenticated => {
                allowed.authorization_header_unauthenticated
            }
            Route::DownstreamApi => allowed.downstream_api,
            Route::DownstreamApiUnauthenticated => allowed.downstream_api_unauthenticated,
        };
        if !is_allowed {
            let is_tenant = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case(TENANT);
            let is_denied =
                named.iter().any(|values| !values.is_empty()) || overrides.iter().any(is_tenant);
            return match is_denied && !settings.ignore_denied_agents {
                true => Self::Refused(403),
                false => Self::Read(Box::new(Read {
                    agent: None,
                    changes: Changes::default(),
                })),
            };
        }
        match (Changes::from(&overrides), agent(&named, settings)) {
            (Some(changes), Some(agent)) => Self::Read(Box::new(Read { agent, changes })),
            _ => Self::Refused(400),
        }
    }
}

/// `None` if it is refused.
#[expect(
    clippy::option_option,
    reason = "refused, without an agent, with an agent"
)]
fn agent(
    named: &[Vec<&str>; 3],
    settings: &Settings,
) -> Option<Option<(String, Option<AgentUser>)>> {
    for values in named {
        if values.len() > 1 || values.iter().any(|value| value.trim().is_empty()) {
            return None;
        }
    }
    let [identity, name, id] = named;
    let is_lenient = settings.lenient_agent_parameters;
    let users = name.len() + id.len();
    if (identity.is_empty() && users > 0 || users > 1) && !is_lenient {
        return None;
    }
    let Some(identity) = identity.first() else {
        return Some(None);
    };
    let identity = guid(identity).filter(|id| !is_zero(id))?;
    let user = match (name.first(), id.first()) {
        (Some(name), _) => Some(AgentUser::principal_name(*name)),
        (None, Some(id)) => {
            let id: ObjectId = guid(id).filter(|id| !is_zero(id))?.parse().ok()?;
            Some(AgentUser::object_id(id))
        }
        (None, None) => None,
    };
    Some(Some((identity, user)))
}

/// What a caller changes.
#[derive(Debug, Default, PartialEq)]
struct Changes {
    scopes: Vec<String>,
    app_token: bool,
    path: Option<String>,
    method: Option<String>,
    accept: Option<String>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    tenant: Option<String>,
    force_refresh: bool,
    claims: Option<String>,
    correlation_id: Option<String>,
}

impl Changes {
    fn of(overrides: &Overrides) -> Self {
        let owned = |all: &Parameters| {
            let all = all.iter();
            all.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        Self {
            scopes: overrides.scopes.clone(),
            app_token: overrides.request_app_token,
            path: overrides.relative_path.clone(),
            method: overrides.http_method.clone(),
            accept: overrides.accept.clone(),
            headers: owned(&overrides.headers),
            query: owned(&overrides.query),
            tenant: overrides.tenant.map(|tenant| tenant.to_string()),
            force_refresh: overrides.force_refresh,
            claims: overrides.claims.clone(),
            correlation_id: overrides.correlation_id.clone(),
        }
    }

    /// `None` if one is refused.
    fn from(overrides: &[(&str, &str)]) -> Option<Self> {
        let all = |name: &str| {
            let named = overrides
                .iter()
                .filter(|(own, _)| own.eq_ignore_ascii_case(name));
            named.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let last = |name: &str| all(name).pop().unwrap_or_default();
        let text = |name: &str| Some(last(name).to_owned()).filter(|text| !text.is_empty());
        let flag = |name: &str| {
            let is_around = |c: char| c == '\0' || c.is_whitespace();
            last(name)
                .trim_matches(is_around)
                .eq_ignore_ascii_case("true")
        };
        for (name, _) in overrides {
            let lower_case = name.to_ascii_lowercase();
            let Some(option) = lower_case.strip_prefix("acquiretokenoptions.") else {
                continue;
            };
            let first = option.split('.').next().unwrap_or_default();
            if [
                "fmipath",
                "longrunningwebapisessionkey",
                "managedidentity",
                "poppublickey",
            ]
            .contains(&first)
            {
                return None;
            }
        }
        let tenant = guid(last(TENANT));
        if tenant.is_none() && !last(TENANT).is_empty() {
            return None;
        }
        let scopes = all("scopes")
            .into_iter()
            .filter(|scope| !scope.trim().is_empty());
        Some(Self {
            scopes: scopes.map(str::to_owned).collect(),
            app_token: flag("requestapptoken"),
            path: text("relativepath"),
            method: text("httpmethod"),
            accept: text("acceptheader"),
            headers: under("extraheaderparameters.", overrides),
            query: under("extraqueryparameters.", overrides),
            tenant,
            force_refresh: flag("acquiretokenoptions.forcerefresh"),
            claims: text("acquiretokenoptions.claims"),
            correlation_id: guid(last("acquiretokenoptions.correlationid")),
        })
    }
}

/// Each name once, in the order and with the spelling in which they came first, with the last value.
fn under(prefix: &str, overrides: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in overrides {
        let lower_case = name.to_ascii_lowercase();
        let Some(rest) = lower_case
            .strip_prefix(prefix)
            .filter(|rest| !rest.is_empty())
        else {
            continue;
        };
        let name = &name[prefix.len()..];
        match found
            .iter_mut()
            .find(|(own, _)| own.eq_ignore_ascii_case(rest))
        {
            Some((_, known)) => *known = (*value).to_owned(),
            None => found.push((name.to_owned(), (*value).to_owned())),
        }
    }
    found.retain(|(_, value)| !value.is_empty());
    found
}

/// `application/x-www-form-urlencoded`.
fn parameters(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

pub(crate) fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let escape = behind
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let escape = escape.and_then(|digits| str::from_utf8(digits).ok());
        let escape = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escape) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the value of this override, in lower case, is text for an API or for Entra. In its name no parameter
/// can begin.
fn is_any_text(option: &str) -> bool {
    let is_named = |prefix| matches!(option.strip_prefix(prefix), Some(rest) if !rest.is_empty());
    let is_known = ["relativepath", "acquiretokenoptions.claims"].contains(&option)
        || is_named("extraheaderparameters.")
        || is_named("extraqueryparameters.");
    is_known && !option.contains(['&', ';', '?', '='])
}

/// Whether one of the parts of this text from `first` on has one of these in the letters before its `=`.
fn has_agents_letters(text: &str, first: usize, known: &[&str]) -> bool {
    let plain = text.replace(['&', '?'], ";");
    let mut names = plain.split(';').skip(first).map(|part| {
        let end = part.find('=').unwrap_or(part.len());
        letters(&part[..end])
    });
    names.any(|name| known.iter().any(|known| name.contains(known)))
}

/// The ASCII letters of this text in lower case, with those that another letter case turns into one.
fn letters(text: &str) -> String {
    let mut letters = text.to_uppercase().to_lowercase();
    letters.retain(|c| c.is_ascii_lowercase());
    letters
}

/// The five forms of .NET, as lower-case digits with hyphens.
fn guid(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let plain = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let plain = plain.or_else(|| text.strip_prefix('(')?.strip_suffix(')'));
    let plain = plain.unwrap_or(&text);
    let parts: Vec<&str> = plain.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    if lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| is_hex(part)) {
        return Some(plain.to_owned());
    }
    let mut digits = text.clone();
    if text.starts_with('{') && text.len() <= 256 {
        digits.retain(|c| !c.is_whitespace());
        let marks: String = digits.chars().filter(|c| "{},".contains(*c)).collect();
        let numbers = digits
            .split(['{', '}', ','])
            .filter(|number| !number.is_empty());
        let widths = [8, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2];
        let numbers: Vec<&str> = numbers.collect();
        if marks != "{,,,{,,,,,,,}}" || numbers.len() != widths.len() || !digits.ends_with("}}") {
            return None;
        }
        let mut plain = String::new();
        for (number, width) in numbers.iter().zip(widths) {
            let number = number
                .strip_prefix("0x")
                .filter(|number| !number.is_empty())?;
            let short = number.trim_start_matches('0');
            if !is_hex(number) || short.len() > width {
                return None;
            }
            plain.push_str(&format!("{short:0>width$}"));
        }
        digits = plain;
    }
    let is_plain = digits.len() == 32 && is_hex(&digits);
    is_plain.then(|| {
        let (a, b) = (&digits[..8], &digits[8..12]);
        format!(
            "{a}-{b}-{}-{}-{}",
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        )
    })
}

fn is_zero(guid: &str) -> bool {
    guid.chars().all(|c| matches!(c, '0' | '-'))
}

/// Of each first byte.
static SETTINGS: LazyLock<Vec<Settings>> = LazyLock::new(|| {
    let of_selector = |selector: u8| {
        let flag = |bit: u8| selector & (1 << bit) != 0;
        let (of_headers, of_calls, switch) = (flag(2), flag(3), flag(4));
        settings(&[
            ("AzureAd:TenantId", "7090e106-1ad3-4313-9b7a-75cc3e576d40"),
            ("AzureAd:ClientId", "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"),
            (
                "DownstreamApis:orders:BaseUrl",
                "https://api.example/base/v1/",
            ),
            ("DownstreamApis:orders:Scopes", "api://x/.default"),
            ("DownstreamApis:orders:ExtraQueryParameters:version", "1"),
            ("DownstreamApis:orders:ExtraHeaderParameters:X-Own", "1"),
            (
                "Sidecar:AllowOverrides:GetAuthorizationHeader",
                &of_headers.to_string(),
            ),
            (
                "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated",
                &of_calls.to_string(),
            ),
            (
                "Sidecar:AllowOverrides:CallDownstreamApi",
                &of_calls.to_string(),
            ),
            (
                "Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated",
                &of_headers.to_string(),
            ),
            ("Sidecar:IgnoreDeniedAgents", &switch.to_string()),
            ("Sidecar:LenientAgentParameters", &flag(5).to_string()),
        ])
    };
    (0..=u8::MAX).map(of_selector).collect()
});

const ROUTES: [Route; 4] = [
    Route::AuthorizationHeader,
    Route::AuthorizationHeaderUnauthenticated,
    Route::DownstreamApi,
    Route::DownstreamApiUnauthenticated,
];

/// In lower case.
const AGENTS: [&str; 3] = ["agentidentity", "agentusername", "agentuserid"];
const TENANT: &str = "acquiretokenoptions.tenant";

/// No answer and no log has it, whatever parameter has it.
const SECRET: &str = "hunter2";
