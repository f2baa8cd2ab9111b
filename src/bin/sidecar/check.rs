//! `--check`: tries once what is configured, and says what is wrong.

use std::{fmt, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tower_entra::{
    Authority,
    acquire::{AcquireError, AcquireErrorKind, ConfidentialClient, Scopes},
};

use crate::{answer::in_terms_of_the_sidecar, app::App, settings::Api};

/// What became of one thing that is configured. A line of its own.
#[derive(Debug)]
pub(crate) enum Item {
    Ok(String),
    /// Why it cannot be tried without serving.
    NotTried(String),
    Wrong(String),
}

impl Item {
    pub(crate) fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong(_))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(text) => write!(f, "ok: {text}"),
            Self::NotTried(text) => write!(f, "not tried: {text}"),
            Self::Wrong(text) => write!(f, "wrong: {text}"),
        }
    }
}

/// Something that is configured.
#[derive(Clone, Debug)]
enum Thing {
    Keys,
    Credential,
    /// The tokens of the API of this name.
    Token(String),
    /// The `BaseUrl` of the API of this name.
    BaseUrl(String),
}

/// Tries the keys, the credential and each API, all at a time and for at most [`LIMIT`].
pub(crate) async fn check(app: &App) -> Vec<Item> {
    check_within(app, LIMIT).await
}

/// The keys have half of the time: a fetch that fails is tried again after a few seconds.
async fn check_within(app: &App, limit: Duration) -> Vec<Item> {
    let end = Instant::now() + limit;
    let things = things(app);
    let mut under_way = JoinSet::new();
    for (at, thing) in things.iter().enumerate() {
        let (app, thing) = (app.clone(), thing.clone());
        under_way.spawn(async move { (at, thing.tried(&app, limit).await) });
    }
    let mut items: Vec<_> = things
        .iter()
        .map(|thing| Item::Wrong(format!("{}: no answer within {limit:?}", thing.name(app))))
        .collect();
    while let Ok(Some(ended)) = timeout_at(end, under_way.join_next()).await {
        if let Ok((at, item)) = ended
            && let Some(place) = items.get_mut(at)
        {
            *place = item;
        }
    }
    items
}

fn things(app: &App) -> Vec<Thing> {
    let mut things = vec![Thing::Keys, Thing::Credential];
    for (name, api) in &app.settings.apis {
        things.push(Thing::Token(name.clone()));
        if api.base_url.is_some() {
            things.push(Thing::BaseUrl(name.clone()));
        }
    }
    things
}

impl Thing {
    async fn tried(&self, app: &App, limit: Duration) -> Item {
        let name = self.name(app);
        let api = |api| app.settings.apis.get(api);
        match self {
            Self::Keys => keys(app, limit / 2).await,
            Self::Credential => credential(app, &name).await,
            Self::Token(of) => match api(of) {
                Some(api) => token(app, &name, api).await,
                None => Item::NotTried(name),
            },
            Self::BaseUrl(of) => match api(of).and_then(|api| api.base_url.as_deref()) {
                Some(base_url) => reach(app, &name, base_url).await,
                None => Item::NotTried(name),
            },
        }
    }

    /// The section.
    fn name(&self, app: &App) -> String {
        match self {
            Self::Keys => "AzureAd".to_owned(),
            Self::Credential => match &app.settings.azure_ad.credential {
                Some(credential) => {
                    format!("{} ({})", credential.section, credential.source_type)
                }
                None => "AzureAd:ClientCredentials".to_owned(),
            },
            Self::Token(api) => format!("DownstreamApis:{api}"),
            Self::BaseUrl(api) => format!("DownstreamApis:{api}:BaseUrl"),
        }
    }
}

async fn keys(app: &App, limit: Duration) -> Item {
    match app.validator.ready_within(limit).await {
        Ok(()) => Item::Ok("AzureAd: the signing keys of the tenant were fetched".to_owned()),
        Err(error) => {
            let hint = error.last_error().map(|error| error.hint());
            Item::Wrong(with_hint(format!("AzureAd: {error}"), hint))
        }
    }
}

/// An app, a blueprint too, may always ask for its own token for Microsoft Graph, so that shows whether Entra
/// accepts its credential.
async fn credential(app: &App, name: &str) -> Item {
    let Some(client) = &app.client else {
        return match app.settings.apis.is_empty() {
            true => Item::Ok(format!("{name}: none is configured; /Validate needs none")),
            false => Item::Wrong(format!(
                "{name}: none is configured, so no API of DownstreamApis gets a token. Configure one."
            )),
        };
    };
    let graph = graph(&app.settings.azure_ad.authority);
    let scopes = match Scopes::default_of(graph) {
        Ok(scopes) => scopes,
        Err(error) => return refused(name, &error),
    };
    match client.itself().token(&scopes).await {
        Ok(_) => Item::Ok(format!(
            "{name}: Entra gave the app its own token for {graph}"
        )),
        Err(error) if is_after_credential(&error) => Item::Ok(format!(
            "{name}: Entra accepted the credential, and refused the app its own token for {graph} ({error})"
        )),
        Err(error) => refused(name, &error),
    }
}

async fn token(app: &App, name: &str, api: &Api) -> Item {
    let Some(client) = &app.client else {
        return Item::NotTried(format!(
            "{name}: there is no credential to get a token with"
        ));
    };
    if api.scopes.is_empty() {
        return Item::NotTried(format!(
            "{name}: no Scopes are configured; callers name them"
        ));
    }
    let scopes = match Scopes::new(&api.scopes) {
        Ok(scopes) => scopes,
        Err(error) => return refused(name, &error),
    };
    if !api.request_app_token {
        return Item::NotTried(format!(
            "{name}: its tokens are those of a user (RequestAppToken is false), and need a caller's token or an \
             agent's user"
        ));
    }
    if api.scopes.iter().any(|scope| is_of_the_exchange(scope)) {
        return Item::NotTried(format!(
            "{name}: a token for the exchange is one of the blueprint for an agent; callers must name an agent \
             (AgentIdentity)"
        ));
    }
    app_token(client, name, api, &scopes).await
}

/// Whether it is a scope of the resource at which a blueprint gets the assertion for an agent. Entra refuses one
/// without an agent (AADSTS82008).
fn is_of_the_exchange(scope: &str) -> bool {
    let resource = scope
        .rsplit_once('/')
        .map_or(scope, |(resource, _)| resource);
    let resource = resource.trim_end_matches('/');
    EXCHANGES
        .iter()
        .any(|exchange| exchange.eq_ignore_ascii_case(resource))
}

/// Without an agent, which only a caller names.
async fn app_token(client: &ConfidentialClient, name: &str, api: &Api, scopes: &Scopes) -> Item {
    let client = match &api.token.tenant {
        Some(tenant) => client.in_tenant(tenant.as_str()),
        None => client.clone(),
    };
    match client.itself().token(scopes).await {
        Ok(_) => Item::Ok(format!(
            "{name}: Entra gave the app its own token for {}",
            scopes.as_str()
        )),
        Err(error) if error.code() == Some(BLUEPRINT_ONLY_FOR_GRAPH) => Item::NotTried(format!(
            "{name}: the app is a blueprint, to which Entra gives no token of its own for {}; callers must name an \
             agent (AgentIdentity)",
            scopes.as_str()
        )),
        Err(error) => refused(name, &error),
    }
}

/// Any status shows that there is an API.
async fn reach(app: &App, name: &str, base_url: &str) -> Item {
    match app.clients.reach(base_url).await {
        Ok(status) => Item::Ok(format!(
            "{name}: {base_url} answers (HEAD without a token: {})",
            status.as_u16()
        )),
        Err(reason) => Item::Wrong(format!("{name}: {base_url} cannot be reached: {reason}")),
    }
}

/// Entra looks at these only once the credential was good.
fn is_after_credential(error: &AcquireError) -> bool {
    matches!(
        error.kind(),
        AcquireErrorKind::NotAllowed | AcquireErrorKind::ConsentRequired
    )
}

fn refused(name: &str, error: &AcquireError) -> Item {
    Item::Wrong(with_hint(format!("{name}: {error}"), error.hint()))
}

fn with_hint(text: String, hint: Option<&'static str>) -> String {
    match hint {
        Some(hint) => {
            let text = text.trim_end().trim_end_matches('.');
            format!("{text}. {}", in_terms_of_the_sidecar(hint))
        }
        None => text,
    }
}

/// Microsoft Graph of the authority's cloud.
fn graph(authority: &Authority) -> &'static str {
    if *authority == Authority::us_government() {
        "https://graph.microsoft.us"
    } else if *authority == Authority::china() {
        "https://microsoftgraph.chinacloudapi.cn"
    } else {
        "https://graph.microsoft.com"
    }
}

const LIMIT: Duration = Duration::from_secs(30);
/// Of the public cloud, of the US Government and of China.
const EXCHANGES: [&str; 3] = [
    "api://AzureADTokenExchange",
    "api://AzureADTokenExchangeUSGov",
    "api://AzureADTokenExchangeChina",
];
/// AADSTS82001.
const BLUEPRINT_ONLY_FOR_GRAPH: u32 = 82_001;

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
