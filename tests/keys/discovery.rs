//! K: discovery documents.

use serde_json::{Value, json};
use tower_entra::{
    AppId,
    ErrorKind::*,
    KeySettings, KeyStatus, Tenants, Validator, ValidatorBuilder,
    testing::{Fault, Issuer, Target},
};

use super::faults;
use crate::support::*;

#[test]
fn a_discovery_document_is_accepted_or_refused_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        members(
            "K01",
            "a document of another issuer",
            FOREIGN_ISSUER,
            "issuer",
            |issuer| {
                let good = issuer.v2_issuer();
                vec![
                    json!(format!("{good}/")),
                    json!(good.to_uppercase()),
                    json!(good.replace("/v2.0", "")),
                    json!(good.replace(issuer.tenant_id(), OTHER_TENANT)),
                    json!(good.replace(issuer.tenant_id(), "{tenantid}")),
                    json!(issuer.v1_issuer()),
                    json!("https://login.microsoftonline.com/common/v2.0"),
                    json!(""),
                    json!(null),
                    json!([good]),
                    json!(1),
                ]
            },
        ),
        scene(
            "K02",
            "the document of all tenants, with a placeholder in its issuer",
            |issuer| {
                for (tenants, tenant) in [
                    (Tenants::any(), PERSONAL_TENANT),
                    (Tenants::any(), OTHER_TENANT),
                    (Tenants::any_organization(), OTHER_TENANT),
                    (
                        Tenants::list([issuer.tenant_id(), OTHER_TENANT]),
                        OTHER_TENANT,
                    ),
                ] {
                    for placeholder in [None, Some("{TenantId}")] {
                        if let Some(placeholder) = placeholder {
                            let text = format!("{}/{placeholder}/v2.0", issuer.url());
                            issuer.set_discovery_member("issuer", text);
                        }
                        let validator = for_tenants(issuer, tenants.clone()).build().unwrap();
                        for token in [issuer.user(), issuer.user().v1()] {
                            let token = token.tenant(tenant).mint();
                            assert_eq!(block_on(outcome(&validator, &token)), Ok(()));
                        }
                        issuer.reset_discovery_document();
                    }
                }
                // One tenant's own document is not accepted for several tenants.
                issuer.set_discovery_member("issuer", issuer.v2_issuer());
                let validator = for_tenants(issuer, Tenants::any()).key_settings(hasty());
                has_no_keys(issuer, &validator.build().unwrap(), FOREIGN_ISSUER);
                issuer.reset_discovery_document();
            },
        ),
        members(
            "K03",
            "keys anywhere but at the authority",
            FOREIGN_KEYS,
            "jwks_uri",
            |issuer| {
                let path = format!("/{}/discovery/v2.0/keys", issuer.tenant_id());
                let port = issuer.url().rsplit_once(':').unwrap().1.to_owned();
                [
                    format!("{}{path}", forger().url()),
                    format!("http://127.0.0.2:{port}{path}"),
                    format!("http://localhost:{port}{path}"),
                    format!("https://127.0.0.1:{port}{path}"),
                    format!("http://127.0.0.1{path}"),
                    format!("http://user@127.0.0.1:{port}{path}"),
                    format!("http://127.0.0.1:{port}@evil.example{path}"),
                    format!("http://127.0.0.1:{port}\\@evil.example{path}"),
                    format!("http://127.0.0.1:{port}.evil.example{path}"),
                    format!("//127.0.0.1:{port}{path}"),
                    path,
                    "http://169.254.169.254/latest/meta-data".to_owned(),
                    "file:///etc/passwd".to_owned(),
                    "data:application/json,{\"keys\":[]}".to_owned(),
                    "gopher://127.0.0.1/".to_owned(),
                    String::new(),
                    " ".to_owned(),
                    format!("{}/{}", issuer.url(), "k".repeat(10_000)),
                ]
                .map(Value::from)
                .into()
            },
        ),
        members(
            "K04",
            "a document that does not say where the keys are",
            NO_DOCUMENT,
            "jwks_uri",
            |issuer| {
                let keys = format!(
                    "{}/{}/discovery/v2.0/keys",
                    issuer.url(),
                    issuer.tenant_id()
                );
                vec![
                    json!(null),
                    json!([keys]),
                    json!({"uri": keys}),
                    json!(1),
                    json!(true),
                ]
            },
        ),
        scene(
            "K05",
            "a document of one cloud and a key of another: the key signs for no issuer",
            |_| {
                let issuer = Issuer::start_blocking();
                keys_of_other_clouds(&issuer);
                for cloud in [json!(1), json!(["x"]), json!({})] {
                    issuer.set_discovery_member("cloud_instance_name", cloud);
                    let validator = issuer.validator_builder().key_settings(hasty());
                    has_no_keys(&issuer, &validator.build().unwrap(), NO_DOCUMENT);
                }
            },
        )
        .with(&[accepting_other_clouds_accepts_no_other_issuer]),
        scene(
            "K06",
            "the keys of one application: the query is in both addresses",
            |_| {
                let issuer = Issuer::start_blocking();
                let app_id: AppId = OTHER_APP.parse().unwrap();
                let validator = issuer.validator_builder().app_id(app_id).build().unwrap();
                assert_eq!(block_on(outcome(&validator, &issuer.user().mint())), Ok(()));
                let query = format!("?appid={OTHER_APP}");
                let seen = issuer.requests_seen();
                assert_eq!(seen.len(), 2);
                assert!(
                    seen.iter().all(|target| target.ends_with(&query)),
                    "{seen:?}"
                );
            },
        ),
        scene("K07", "what is no discovery document", |issuer| {
            for document in [
                "",
                "{}",
                "[]",
                "null",
                "<!DOCTYPE html>",
                "[\"\",\"\",null]",
                "{\"issuer\":",
                "\u{feff}{}",
                "{\"keys\":[]}",
            ] {
                issuer.set_discovery_document(document);
                let validator = issuer.validator_builder().key_settings(hasty());
                has_no_keys(issuer, &validator.build().unwrap(), NO_DOCUMENT);
                issuer.reset_discovery_document();
                keeps(issuer, NO_DOCUMENT, |issuer| {
                    issuer.set_discovery_document(document);
                });
            }
        }),
        scene(
            "K08",
            "a document with a member twice, or with something behind it",
            |issuer| {
                let good = json!({
                "issuer": issuer.v2_issuer(),
                "jwks_uri": format!("{}/{}/discovery/v2.0/keys", issuer.url(), issuer.tenant_id()),
            })
            .to_string();
                issuer.set_discovery_document(good.clone());
                assert_eq!(
                    block_on(outcome(&issuer.validator(), &issuer.user().mint())),
                    Ok(())
                );
                let more = |member: &str| format!("{},{member}}}", good.strip_suffix('}').unwrap());
                for odd in [
                    more(r#""issuer":"https://evil.example""#),
                    more(&format!(r#""jwks_uri":"{}/keys""#, forger().url())),
                    more(r#""jwks_ur\u0069":"x""#),
                    more(r#""x":1,"x":1"#),
                    format!("{good}{good}"),
                    format!("{good}x"),
                    format!("[{good}]"),
                ] {
                    issuer.set_discovery_document(odd);
                    let validator = issuer.validator_builder().key_settings(hasty());
                    has_no_keys(issuer, &validator.build().unwrap(), NO_DOCUMENT);
                }
                issuer.reset_discovery_document();
                assert_eq!(forger().requests_seen(), [""; 0]);
            },
        ),
        shown(
            "K09",
            "no discovery at the start: 503 until it is there, and then service",
            &[faults::a_sick_endpoint_at_start_up_is_survived],
        ),
        scene(
            "K10",
            "a redirect to another discovery document: not followed",
            |issuer| {
                let other = forger();
                let there = format!(
                    "{}/{}/v2.0/.well-known/openid-configuration",
                    other.url(),
                    issuer.tenant_id()
                );
                issuer.fail_at(Target::Discovery, Fault::Redirect(there));
                let validator = issuer.validator_builder().key_settings(hasty());
                has_no_keys(
                    issuer,
                    &validator.build().unwrap(),
                    "the answer had status 302",
                );
                issuer.heal();
                assert_eq!(other.requests_seen(), [""; 0]);
            },
        ),
        scene(
            "K11",
            "a document that turns bad later: the keys remain in use",
            |issuer| {
                keeps(issuer, FOREIGN_ISSUER, |issuer| {
                    issuer.set_discovery_member("issuer", "https://evil.example");
                });
                keeps(issuer, NO_DOCUMENT, |issuer| {
                    issuer.remove_discovery_member("jwks_uri");
                });
                keeps(issuer, FOREIGN_KEYS, |issuer| {
                    issuer.set_discovery_member("jwks_uri", forger().url());
                });
                assert_eq!(forger().requests_seen(), [""; 0]);
            },
        ),
    ]
}

/// A member of the document that, with these values and without it, leads to no keys. These words say
/// what is wrong with a text; anything else makes no discovery document.
fn members(
    id: &'static str,
    what: &'static str,
    words: &'static str,
    name: &'static str,
    values: fn(&Issuer) -> Vec<Value>,
) -> Row {
    scene(id, what, move |issuer| {
        let validator = issuer.validator_builder().key_settings(hasty());
        let validator = validator.build().unwrap();
        for value in values(issuer) {
            println!("  {value}");
            let words = if value.is_string() {
                words
            } else {
                NO_DOCUMENT
            };
            issuer.set_discovery_member(name, value);
            has_no_keys(issuer, &validator, words);
        }
        issuer.remove_discovery_member(name);
        has_no_keys(issuer, &validator, NO_DOCUMENT);
        issuer.reset_discovery_document();
        block_on(validator.ready());
        assert_eq!(forger().requests_seen(), [""; 0]);
    })
}

fn for_tenants(issuer: &Issuer, tenants: Tenants) -> ValidatorBuilder {
    Validator::builder(tenants, [issuer.audience()]).authority(issuer.authority())
}

/// The validator gets no keys from what is served now, and its error says why.
fn has_no_keys(issuer: &Issuer, validator: &Validator, words: &str) {
    let keys_before = issuer.key_fetches();
    block_on(async {
        let token = issuer.user().mint();
        // The first of these fetches may have begun before.
        let seen = issuer.discovery_fetches();
        loop {
            let error = validate(validator, &token).await.unwrap_err();
            assert_eq!(error.kind(), KeysUnavailable);
            assert!(error.retry_after() >= Some(SECOND));
            assert!(error.hint().contains("reaches the authority over HTTPS"));
            let is_said = error.to_string().contains(words);
            if issuer.discovery_fetches() >= seen + 2 && is_said {
                break;
            }
            tokio::time::sleep(TICK).await;
        }
        assert_eq!(validator.status(), KeyStatus::Unavailable);
    });
    assert_eq!(issuer.key_fetches(), keys_before, "no keys are fetched");
}

/// What is served after `spoil` takes no key away, and the error about an unknown one says why.
fn keeps(issuer: &Issuer, words: &str, spoil: impl Fn(&Issuer)) {
    let validator = validator(issuer, KeySettings::default().with_wait(10 * SECOND));
    block_on(async {
        validator.ready().await;
        spoil(issuer);
        let unknown = issuer.user().header("kid", "unknown").mint();
        let error = validate(&validator, &unknown).await.unwrap_err();
        assert_eq!(error.kind(), KeysUnavailable);
        assert!(error.to_string().contains(words), "{words:?}: {error}");
        assert!(error.hint().contains("known keys are still admitted"));
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    });
    issuer.reset_discovery_document();
}

/// The cloud of the key and that of the discovery document, where they are named, must be the same.
fn keys_of_other_clouds(issuer: &Issuer) {
    let (ours, other) = (Some("microsoftonline.com"), Some("microsoftonline.us"));
    let china = Some("partner.microsoftonline.cn");
    let (capitals, blank) = (Some("MicrosoftOnline.com"), Some(""));
    for (key_cloud, discovery_cloud, is_good) in [
        (ours, ours, true),
        (other, ours, false),
        (ours, other, false),
        (other, other, true),
        (capitals, ours, false),
        (ours, capitals, false),
        (blank, ours, false),
        (ours, blank, false),
        (ours, china, false),
        (None, ours, true),
        (other, None, true),
        (None, None, true),
    ] {
        println!("  {key_cloud:?} under {discovery_cloud:?}");
        let kid = issuer.current_kid();
        match key_cloud {
            Some(cloud) => issuer.set_key_member(&kid, "cloud_instance_name", cloud),
            None => issuer.remove_key_member(&kid, "cloud_instance_name"),
        }
        match discovery_cloud {
            Some(cloud) => issuer.set_discovery_member("cloud_instance_name", cloud),
            None => issuer.remove_discovery_member("cloud_instance_name"),
        }
        let lenient = issuer
            .validator_builder()
            .danger_accept_keys_of_other_clouds();
        let lenient = lenient.build().unwrap();
        for token in [issuer.user().mint(), issuer.user().v1().mint()] {
            assert_eq!(block_on(outcome(&lenient, &token)), Ok(()));
            match block_on(validate(&issuer.validator(), &token)) {
                Ok(_) => assert!(is_good),
                Err(error) => {
                    assert!(!is_good, "{error}");
                    assert_eq!(error.kind(), KeyNotForIssuer);
                    assert!(error.to_string().contains("of the cloud"), "{error}");
                    assert!(error.hint().contains("danger_"), "{}", error.hint());
                }
            }
        }
    }
}

#[tokio::test]
async fn accepting_other_clouds_accepts_no_other_issuer() {
    let issuer = Issuer::start_blocking();
    let foreign = "https://login.microsoftonline.us/{tenantid}/v2.0";
    issuer.set_key_member(&issuer.current_kid(), "issuer", foreign);
    let lenient = issuer
        .validator_builder()
        .danger_accept_keys_of_other_clouds()
        .build()
        .unwrap();
    within(lenient.ready()).await;
    let refused = at_once(&lenient, &issuer.user().mint());
    assert_eq!(refused, Err(KeyNotForIssuer));
}

#[tokio::test]
pub(crate) async fn nothing_of_a_token_is_sent_anywhere() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let good = issuer.user().mint();
    let forged = Forger::new(&good).token_of("forged/../../?kid=1");
    let _ = outcome(&validator, &good).await;
    let _ = outcome(&validator, &forged).await;
    let tenant = issuer.tenant_id();
    let discovery = format!("/{tenant}/v2.0/.well-known/openid-configuration");
    let keys = format!("/{tenant}/discovery/v2.0/keys");
    assert_eq!(
        issuer.requests_seen(),
        [discovery.as_str(), &keys, &discovery, &keys]
    );
    for head in issuer.heads_seen() {
        let head = head.to_ascii_lowercase();
        for name in [
            "authorization",
            "cookie",
            "accept-encoding",
            "referer",
            "te",
        ] {
            assert!(!head.contains(&format!("\r\n{name}:")), "{head}");
        }
        assert!(!head.contains("forged"), "{head}");
        assert_eq!(head.matches("\r\n").count(), 5, "{head}");
    }
}

const NO_DOCUMENT: &str = "the answer was no discovery document";
const FOREIGN_ISSUER: &str = "the discovery document is of another issuer";
const FOREIGN_KEYS: &str = "the discovery document names keys elsewhere";
