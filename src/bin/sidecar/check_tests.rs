use tokio::{net::TcpListener, time::pause};
use tower_entra::testing::{Fault, Issuer, Target};

use super::*;
use crate::settings::{Settings, tests};

async fn lines(settings: Settings) -> Vec<String> {
    let app = App::new(settings).expect("an app");
    check_within(&app, Duration::from_secs(8))
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
        lines[2].starts_with("not tried: DownstreamApis:orders: its tokens are those of a user"),
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
async fn a_check_ends_after_30_s() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let issuer = Issuer::start().await;
    let mut settings = tests::settings(&issuer);
    let mut silent = tests::api("api://silent");
    silent.base_url = Some(format!("http://{address}"));
    settings.apis.insert("silent".to_owned(), silent);
    let app = App::new(settings).expect("an app");
    let start = Instant::now();
    // A clock that stands before there is a connection would go on to the end of the time for one.
    let accepting = async {
        let accepted = listener.accept().await.expect("a connection");
        pause();
        accepted
    };
    let (items, _connection) = tokio::join!(check(&app), accepting);
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(
        items.last().expect("items").to_string(),
        "wrong: DownstreamApis:silent:BaseUrl: no answer within 30s"
    );
}

#[tokio::test]
async fn a_refusal_that_comes_after_the_credential_shows_that_it_is_good() {
    for (error, code, is_good) in [
        ("invalid_grant", 65_001, true),
        ("invalid_grant", 50_105, true),
        ("invalid_client", 7_000_215, false),
    ] {
        let issuer = Issuer::start().await;
        let body = format!(
            r#"{{"error":"{error}","error_codes":[{code}],"error_description":"AADSTS{code}: Words."}}"#
        );
        let refusal = Fault::Answer {
            status: 400,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.into_bytes(),
        };
        issuer.fail_at(Target::Token, refusal);
        let lines = lines(tests::settings(&issuer)).await;
        let start = "ok: AzureAd:ClientCredentials:0 (ClientSecret): Entra accepted the credential";
        assert_eq!(lines[1].starts_with(start), is_good, "{code}: {}", lines[1]);
    }
}

#[test]
fn graph_is_that_of_the_cloud() {
    for (authority, url) in [
        (Authority::public(), "https://graph.microsoft.com"),
        (Authority::us_government(), "https://graph.microsoft.us"),
        (
            Authority::china(),
            "https://microsoftgraph.chinacloudapi.cn",
        ),
    ] {
        assert_eq!(graph(&authority), url);
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
async fn what_needs_no_credential_or_names_no_scopes_is_not_wrong() {
    let issuer = Issuer::start().await;
    let mut settings = tests::settings(&issuer);
    settings.azure_ad.credential = None;
    settings.apis.clear();
    assert_eq!(
        lines(settings).await[1..],
        ["ok: AzureAd:ClientCredentials: none is configured; /Validate needs none"]
    );
    let mut settings = tests::settings(&issuer);
    settings
        .apis
        .get_mut("orders")
        .expect("an API")
        .scopes
        .clear();
    assert_eq!(
        lines(settings).await[2],
        "not tried: DownstreamApis:orders: no Scopes are configured; callers name them"
    );
}

#[tokio::test]
async fn a_base_url_is_reached_or_wrong() {
    let issuer = Issuer::start().await;
    let mut settings = tests::settings(&issuer);
    let listener = TcpListener::bind("127.0.0.1:0").await;
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
