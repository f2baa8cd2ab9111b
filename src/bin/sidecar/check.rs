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

/// Tries the keys, the credential and each API, all at a time and for at most `limit`. The keys have half of it: a
/// fetch that fails is tried again after a few seconds.
pub(crate) async fn check(app: &App, limit: Duration) -> Vec<Item> {
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

/// Of the public cloud, of the US Government and of China.
const EXCHANGES: [&str; 3] = [
    "api://AzureADTokenExchange",
    "api://AzureADTokenExchangeUSGov",
    "api://AzureADTokenExchangeChina",
];
/// AADSTS82001.
const BLUEPRINT_ONLY_FOR_GRAPH: u32 = 82_001;

#[cfg(test)]
mod tests {
    use tower_entra::testing::Issuer;

    use super::*;
    use crate::settings::{Settings, tests};

    async fn lines(settings: Settings) -> Vec<String> {
        let app = App::new(settings).expect("an app");
        check(&app, Duration::from_secs(8))
            .await
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[tokio::test]
    async fn a_good_configuration_is_ok() {
        let issuer = Issuer::start().await;
        let lines = lines(tests::settings(&issuer)).await;
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            "ok: AzureAd: the signing keys of the tenant were fetched"
        );
        assert!(
            lines[1].starts_with("ok: AzureAd:ClientCredentials:0 (ClientSecret): Entra gave"),
            "{}",
            lines[1]
        );
        assert!(
            lines[2]
                .starts_with("not tried: DownstreamApis:orders: its tokens are those of a user"),
            "{}",
            lines[2]
        );
    }

    #[tokio::test]
    async fn a_wrong_secret_is_wrong_and_not_shown() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        let credential = tower_entra::acquire::ClientCredential::secret("mistyped-secret");
        settings
            .azure_ad
            .credential
            .as_mut()
            .expect("one")
            .credential = credential;
        let lines = lines(settings).await;
        assert!(
            lines[1].starts_with("wrong: AzureAd:ClientCredentials:0 (ClientSecret): "),
            "{}",
            lines[1]
        );
        assert!(lines[1].contains("AADSTS7000215"), "{}", lines[1]);
        assert!(!lines.concat().contains("mistyped-secret"));
    }

    #[tokio::test]
    async fn an_authority_out_of_reach_is_wrong() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        drop(issuer);
        settings.apis.clear();
        let lines = lines(settings).await;
        assert!(
            lines[0].starts_with("wrong: AzureAd: no usable keys from "),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].starts_with("wrong: AzureAd:ClientCredentials:0"),
            "{}",
            lines[1]
        );
    }

    #[tokio::test]
    async fn a_blueprint_needs_an_agent_for_an_api() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        settings
            .apis
            .get_mut("orders")
            .expect("an API")
            .request_app_token = true;
        let lines = lines(settings).await;
        assert!(
            lines[2].starts_with("not tried: DownstreamApis:orders: the app is a blueprint"),
            "{}",
            lines[2]
        );
    }

    #[tokio::test]
    async fn the_exchange_needs_an_agent_in_every_cloud() {
        let issuer = Issuer::start().await;
        for scope in [
            "api://AzureADTokenExchange/.default",
            "api://azureadtokenexchange/.default",
            "API://AzureADTokenExchangeUSGov/.default",
            "api://AzureADTokenExchangeChina//.default",
        ] {
            let mut settings = tests::settings(&issuer);
            settings.apis.clear();
            let mut api = tests::api("api://x");
            api.scopes = vec![scope.to_owned()];
            api.request_app_token = true;
            settings.apis.insert("agenticblueprint".to_owned(), api);
            let lines = lines(settings).await;
            let start = "not tried: DownstreamApis:agenticblueprint: a token for the exchange";
            assert!(lines[2].starts_with(start), "{scope}: {}", lines[2]);
        }
        for scope in [
            "api://AzureADTokenExchange2/.default",
            "https://AzureADTokenExchange/.default",
            "api://orders/AzureADTokenExchange",
        ] {
            assert!(!is_of_the_exchange(scope), "{scope}");
        }
    }

    #[test]
    fn a_hint_names_keys_of_the_sidecar_and_follows_one_full_stop() {
        for text in ["name: it failed.", "name: it failed"] {
            let hint = Some("Ask for the token of an agent (ConfidentialClient::agent).");
            assert_eq!(
                with_hint(text.to_owned(), hint),
                "name: it failed. Ask for the token of an agent (AgentIdentity)."
            );
        }
    }

    #[tokio::test]
    async fn an_app_token_for_an_unknown_api_is_wrong() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        let mut api = tests::api("api://nothing");
        api.request_app_token = true;
        settings.apis.insert("nothing".to_owned(), api);
        let lines = lines(settings).await;
        assert!(
            lines[2].starts_with("wrong: DownstreamApis:nothing: "),
            "{}",
            lines[2]
        );
        assert!(lines[2].contains("AADSTS500011"), "{}", lines[2]);
    }

    #[tokio::test]
    async fn scopes_of_two_apis_are_wrong_without_a_request() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        let mut api = tests::api("api://one");
        api.scopes = vec!["api://one/a".to_owned(), "api://two/b".to_owned()];
        settings.apis.insert("both".to_owned(), api);
        let lines = lines(settings).await;
        assert!(
            lines[2].starts_with("wrong: DownstreamApis:both: "),
            "{}",
            lines[2]
        );
    }

    #[tokio::test]
    async fn apis_without_a_credential_are_wrong() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        settings.azure_ad.credential = None;
        let lines = lines(settings).await;
        assert!(
            lines[1].starts_with("wrong: AzureAd:ClientCredentials: none"),
            "{}",
            lines[1]
        );
        assert!(lines[2].starts_with("not tried: "), "{}", lines[2]);
    }

    #[tokio::test]
    async fn a_base_url_is_reached_or_wrong() {
        let issuer = Issuer::start().await;
        let mut settings = tests::settings(&issuer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new();
        let at = |url: &str| {
            let mut api = tests::api("api://x");
            api.base_url = Some(url.parse().expect("a URL"));
            api
        };
        settings.apis.insert("there".to_owned(), at(&url));
        // Port 9 is that of no server here.
        settings
            .apis
            .insert("wrong".to_owned(), at("http://127.0.0.1:9"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let lines = lines(settings).await;
        let text =
            format!("ok: DownstreamApis:there:BaseUrl: {url} answers (HEAD without a token: 404)");
        assert!(lines.contains(&text), "{lines:?}");
        let start = "wrong: DownstreamApis:wrong:BaseUrl: http://127.0.0.1:9 cannot be reached: ";
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "{lines:?}"
        );
    }
}
