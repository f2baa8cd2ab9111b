//! Keys of an earlier fetch, with which a validator begins.

use http::Request;
use serde_json::{Value, json};
use tokio::time;
use tower_entra::{
    EntraAuthLayer, ErrorKind, KeySettings, KeyStatus, ValidatorBuilder, testing::Issuer,
};

use crate::support::{
    client::{Client, Reply, scripted_for},
    *,
};

/// The documents that the issuer serves, with its cloud.
fn documents(issuer: &Issuer) -> (Value, Value) {
    let (url, tenant) = (issuer.url(), issuer.tenant_id());
    let discovery = json!({
        "issuer": format!("{url}/{tenant}/v2.0"),
        "jwks_uri": format!("{url}/{tenant}/discovery/v2.0/keys"),
        "cloud_instance_name": "microsoftonline.com",
    });
    let keys = serde_json::from_slice(&issuer.keys_document()).unwrap();
    (discovery, keys)
}

/// A validator that begins with these documents, and whose fetches fail.
fn begun_with(issuer: &Issuer, documents: &(Value, Value)) -> (Client, ValidatorBuilder) {
    let client = Client::new(issuer);
    client.reply(Reply::Fails);
    let (discovery, keys) = documents;
    let builder = issuer
        .validator_builder()
        .http_client(client.clone())
        .initial_keys(discovery.to_string(), keys.to_string());
    (client, builder)
}

/// Built outside of a runtime, a validator has no task that fetches.
#[test]
fn a_request_without_a_token_has_the_keys_fetched_before_one_needs_them() {
    let (client, validator) = scripted_for(issuer(), KeySettings::default());
    let layer = EntraAuthLayer::new(validator);
    block_on(async {
        assert_eq!(client.key_fetches(), 0);
        let answer = send(&layer, Request::new(String::new())).await;
        assert_eq!(answer.kind(), Some(ErrorKind::MissingToken));
        eventually("a fetch", || client.key_fetches() == 1).await;
    });
}

#[test]
fn documents_that_a_fetch_would_refuse_are_refused() {
    let issuer = issuer();
    let refused = |builder: ValidatorBuilder, problem: &str| {
        let error = builder.build().expect_err(problem).to_string();
        assert!(error.starts_with("initial_keys: "), "{error}");
        assert!(error.contains(problem), "{problem}: {error}");
    };
    let other = format!("{}/{OTHER_TENANT}/v2.0", issuer.url());
    type Change<'c> = &'c dyn Fn(&mut Value, &mut Value);
    let changes: [(Change<'_>, &str); 9] = [
        (
            &|discovery, _| discovery["issuer"] = json!(other),
            "the discovery document is of another issuer",
        ),
        (
            &|discovery, _| discovery["jwks_uri"] = json!("https://evil.example/keys"),
            "the discovery document names keys elsewhere",
        ),
        (
            &|discovery, _| *discovery = json!({}),
            "the first document is not a discovery document",
        ),
        (
            &|_, keys| *keys = json!([]),
            "the second document is not a key set",
        ),
        (
            &|_, keys| *keys = json!({}),
            "the second document is not a key set",
        ),
        (
            &|_, keys| keys["keys"] = json!([]),
            "the key set had no usable key",
        ),
        (
            &|_, keys| keys["keys"][0]["e"] = json!("AQ"),
            "the key set had no usable key",
        ),
        (
            &|_, keys| keys["keys"] = json!(vec![keys["keys"][0].clone(); 101]),
            "the key set had too many keys",
        ),
        (
            &|_, keys| keys["padding"] = json!(" ".repeat(256 * 1024)),
            "a document has more than 262144 bytes",
        ),
    ];
    for (change, problem) in changes {
        let (mut discovery, mut keys) = documents(issuer);
        change(&mut discovery, &mut keys);
        let (_, builder) = begun_with(issuer, &(discovery, keys));
        refused(builder, problem);
    }
    for text in ["", "<html>", "\u{feff}{}"] {
        let builder = || issuer.validator_builder();
        let (discovery, keys) = documents(issuer);
        refused(
            builder().initial_keys(text, keys.to_string()),
            "the first document is not a discovery document",
        );
        refused(
            builder().initial_keys(discovery.to_string(), text),
            "the second document is not a key set",
        );
    }
    let (discovery, keys) = documents(issuer);
    let (_, swapped) = begun_with(issuer, &(keys, discovery));
    refused(swapped, "the first document is not a discovery document");
    let (_, builder) = begun_with(issuer, &documents(issuer));
    refused(
        builder.share_keys_with(&issuer.validator()),
        "is for keys of its own, and share_keys_with has none",
    );
    let (_, builder) = begun_with(issuer, &documents(issuer));
    assert!(builder.build().is_ok());
}

#[tokio::test]
async fn an_api_that_starts_without_its_authority_serves_at_once() {
    let issuer = Issuer::start_blocking();
    let (client, builder) = begun_with(&issuer, &documents(&issuer));
    let validator = builder.build().unwrap();
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    within(validator.ready()).await;
    eventually("a fetch fails", || client.discovery_fetches() > 0).await;
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    // Every check is as strict as with keys that were fetched.
    let forged = forger().user().header("kid", issuer.current_kid()).mint();
    let refused = outcome(&validator, &forged).await;
    assert_eq!(refused, Err(ErrorKind::InvalidSignature));
    let refused = outcome(&validator, &issuer.user().expired().mint()).await;
    assert_eq!(refused, Err(ErrorKind::Expired));
    // It is not known whether the authority has this key.
    let unknown = issuer.user().header("kid", "unknown").mint();
    let refused = outcome(&validator, &unknown).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
}

#[tokio::test]
async fn the_cloud_and_the_issuer_of_an_initial_key_are_checked() {
    let issuer = Issuer::start_blocking();
    for (member, value, kind) in [
        (
            "cloud_instance_name",
            json!("microsoftonline.us"),
            ErrorKind::KeyNotForIssuer,
        ),
        (
            "issuer",
            json!("https://login.example/{tenantid}/v2.0"),
            ErrorKind::KeyNotForIssuer,
        ),
    ] {
        let (discovery, mut keys) = documents(&issuer);
        for key in keys["keys"].as_array_mut().unwrap() {
            key[member] = value.clone();
        }
        let (_, builder) = begun_with(&issuer, &(discovery, keys));
        let refused = at_once(&builder.build().unwrap(), &issuer.user().mint());
        assert_eq!(refused, Err(kind), "{member}");
    }
}

#[tokio::test]
async fn the_first_good_fetch_replaces_them() {
    let issuer = Issuer::start_blocking();
    let old = issuer.current_kid();
    let saved = documents(&issuer);
    let withdrawn = issuer.user().mint();
    issuer.rotate();
    issuer.withdraw(&old);
    let good = issuer.user().mint();
    let (client, builder) = begun_with(&issuer, &saved);
    client.reply(Reply::Right);
    let validator = builder.build().unwrap();
    assert_eq!(at_once(&validator, &withdrawn), Ok(()));
    assert_eq!(outcome(&validator, &good).await, Ok(()));
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(client.key_fetches(), 1);
    let refused = outcome(&validator, &withdrawn).await;
    assert_eq!(refused, Err(ErrorKind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn they_serve_no_longer_than_the_stale_limit_after_the_start() {
    let issuer = Issuer::start_blocking();
    let settings = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_stale_limit(10 * SECOND);
    let (_, builder) = begun_with(&issuer, &documents(&issuer));
    let validator = builder.key_settings(settings).build().unwrap();
    let token = issuer.user().mint();
    time::sleep(10 * SECOND - 10 * TICK).await;
    assert_eq!(at_once(&validator, &token), Ok(()));
    time::sleep(20 * TICK).await;
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    let refused = outcome(&validator, &token).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
}

#[tokio::test]
async fn the_log_calls_the_first_fetch_the_one_of_the_start() {
    let log = Log::of_this_thread();
    let issuer = Issuer::start_blocking();
    let (client, builder) = begun_with(&issuer, &documents(&issuer));
    let validator = builder.build().unwrap();
    within(validator.ready()).await;
    let has_warned = || log.count("the last good ones serve on") == 1;
    eventually("the log has a warning", has_warned).await;
    assert!(log.text().contains("cause=\"start\""), "{}", log.text());
    client.reply(Reply::Right);
    let is_fresh = || validator.status() == KeyStatus::Fresh;
    eventually("keys are fetched", is_fresh).await;
}
