//! K: discovery documents.

use serde_json::{Value, json};
use tower_entra::{
    AppId, EntraAuthLayer,
    ErrorKind::*,
    KeyStatus, Tenants, Validator, ValidatorBuilder,
    testing::{Fault, Issuer, Target},
};

use crate::support::*;

#[test]
fn a_discovery_document_is_taken_or_left_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        members("K01", "a document of another issuer", "issuer", |issuer| {
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
        })
        .also(&[(
            "keys/documents.rs",
            "a_discovery_document_of_another_issuer_leads_to_no_keys",
        )]),
        scene(
            "K02",
            "the document that speaks for all tenants, with a placeholder",
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
                        let token = issuer.user().tenant(tenant).mint();
                        assert_eq!(block_on(outcome(&validator, &token)), Ok(()));
                        issuer.reset_discovery_document();
                    }
                }
                // One tenant's own document does not speak for several.
                issuer.set_discovery_member("issuer", issuer.v2_issuer());
                let validator = for_tenants(issuer, Tenants::any()).key_settings(hasty());
                has_no_keys(issuer, &validator.build().unwrap());
                issuer.reset_discovery_document();
            },
        )
        .also(&[("keys/documents.rs", "the_template_of_many_tenants_is_taken")]),
        members(
            "K03",
            "keys anywhere but at the authority",
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
        )
        .also(&[("keys/documents.rs", "keys_on_another_host_are_not_fetched")]),
        members(
            "K04",
            "a document that does not say where the keys are",
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
            "a document of another cloud than its keys: they sign for nobody",
            |issuer| {
                for cloud in [
                    "microsoftonline.us",
                    "partner.microsoftonline.cn",
                    "MicrosoftOnline.com",
                    "",
                ] {
                    issuer.set_discovery_member("cloud_instance_name", cloud);
                    let validator = issuer.validator();
                    for token in [issuer.user().mint(), issuer.user().v1().mint()] {
                        let refused = block_on(outcome(&validator, &token));
                        assert_eq!(refused, Err(KeyNotForIssuer), "{cloud}");
                    }
                }
                for cloud in [json!(1), json!(["x"]), json!({})] {
                    issuer.set_discovery_member("cloud_instance_name", cloud);
                    let validator = issuer.validator_builder().key_settings(hasty());
                    has_no_keys(issuer, &validator.build().unwrap());
                }
                issuer.remove_discovery_member("cloud_instance_name");
                assert_eq!(
                    block_on(outcome(&issuer.validator(), &issuer.user().mint())),
                    Ok(())
                );
                issuer.reset_discovery_document();
            },
        )
        .also(&[(
            "keys/documents.rs",
            "a_key_of_another_cloud_signs_only_where_that_is_allowed_by_name",
        )]),
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
                has_no_keys(issuer, &validator.build().unwrap());
                issuer.reset_discovery_document();
                keeps(issuer, |issuer| issuer.set_discovery_document(document));
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
                    has_no_keys(issuer, &validator.build().unwrap());
                }
                issuer.reset_discovery_document();
                assert_eq!(forger().requests_seen(), [""; 0]);
            },
        ),
        scene(
            "K09",
            "no discovery at the start: 503 until it is there, and then service",
            |issuer| {
                for fault in [Fault::Status(500), Fault::Close, Fault::Html, Fault::Hang] {
                    let settings = hasty().with_total_timeout(100 * TICK);
                    let builder = issuer.validator_builder().key_settings(settings);
                    let validator = builder.build().unwrap();
                    let layer = EntraAuthLayer::new(validator.clone())
                        .with_realm(REALM)
                        .unwrap();
                    issuer.fail_at(Target::Discovery, fault);
                    block_on(async {
                        let request = with_line(format!("Bearer {}", issuer.user().mint()));
                        send(&layer, request.clone())
                            .await
                            .is_refusal(KeysUnavailable);
                        // To fail fast is to wait no longer than one likes.
                        let ready = tokio::time::timeout(50 * TICK, validator.ready()).await;
                        assert!(ready.is_err());
                        assert_eq!(validator.status(), KeyStatus::Unavailable);
                        issuer.heal();
                        validator.ready().await;
                        assert_eq!(send(&layer, request).await.response.status(), 200);
                    });
                }
            },
        )
        .also(&[
            ("keys/outage.rs", "an_outage_from_the_start_ends_by_itself"),
            ("keys/faults.rs", "a_sick_endpoint_at_start_up_is_survived"),
        ]),
        scene(
            "K10",
            "a discovery document that is elsewhere: a redirect is not followed",
            |issuer| {
                let other = forger();
                let there = format!(
                    "{}/{}/v2.0/.well-known/openid-configuration",
                    other.url(),
                    issuer.tenant_id()
                );
                issuer.fail_at(Target::Discovery, Fault::Redirect(there));
                let validator = issuer.validator_builder().key_settings(hasty());
                has_no_keys(issuer, &validator.build().unwrap());
                issuer.heal();
                assert_eq!(other.requests_seen(), [""; 0]);
            },
        ),
        scene(
            "K11",
            "a document that turns bad later keeps the keys",
            |issuer| {
                keeps(issuer, |issuer| {
                    issuer.set_discovery_member("issuer", "https://evil.example")
                });
                keeps(issuer, |issuer| issuer.remove_discovery_member("jwks_uri"));
                keeps(issuer, |issuer| {
                    issuer.set_discovery_member("jwks_uri", forger().url())
                });
                assert_eq!(forger().requests_seen(), [""; 0]);
            },
        )
        .also(&[(
            "keys/documents.rs",
            "a_document_that_turns_foreign_keeps_the_old_keys",
        )]),
    ]
}

/// A member of the document that, with these values and without it, leads to no keys.
fn members(
    id: &'static str,
    what: &'static str,
    name: &'static str,
    values: fn(&Issuer) -> Vec<Value>,
) -> Row {
    scene(id, what, move |issuer| {
        let validator = issuer.validator_builder().key_settings(hasty());
        let validator = validator.build().unwrap();
        for value in values(issuer) {
            println!("  {value}");
            issuer.set_discovery_member(name, value);
            has_no_keys(issuer, &validator);
        }
        issuer.remove_discovery_member(name);
        has_no_keys(issuer, &validator);
        issuer.reset_discovery_document();
        block_on(validator.ready());
        assert_eq!(forger().requests_seen(), [""; 0]);
    })
}

fn for_tenants(issuer: &Issuer, tenants: Tenants) -> ValidatorBuilder {
    Validator::builder(tenants, [issuer.audience()]).authority(issuer.authority())
}

fn has_no_keys(issuer: &Issuer, validator: &Validator) {
    let keys_before = issuer.key_fetches();
    block_on(async {
        let token = issuer.user().mint();
        // The first of these fetches may have begun before.
        let seen = issuer.discovery_fetches();
        while issuer.discovery_fetches() < seen + 2 {
            assert_eq!(outcome(validator, &token).await, Err(KeysUnavailable));
            tokio::time::sleep(TICK).await;
        }
        assert_eq!(outcome(validator, &token).await, Err(KeysUnavailable));
        assert_eq!(validator.status(), KeyStatus::Unavailable);
    });
    assert_eq!(
        issuer.key_fetches(),
        keys_before,
        "its keys are not even asked for"
    );
}

fn keeps(issuer: &Issuer, spoil: impl Fn(&Issuer)) {
    let validator = issuer.validator();
    block_on(async {
        validator.ready().await;
        spoil(issuer);
        let unknown = issuer.user().header("kid", "nobody").mint();
        assert_eq!(outcome(&validator, &unknown).await, Err(KeysUnavailable));
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    });
    issuer.reset_discovery_document();
}
