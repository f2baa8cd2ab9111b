//! Documents of others: whose keys are taken, and for whom they may sign.

use serde_json::json;
use tower_entra::{AppId, ErrorKind, KeySettings, KeyStatus, Tenants, Validator, testing::Issuer};

use crate::support::*;

/// This discovery document leads to no keys.
async fn leads_nowhere(issuer: &Issuer, validator: &Validator) {
    validator.validate("starts the task").await.unwrap_err();
    // The first of these may still have had the document before.
    let seen = issuer.discovery_fetches();
    eventually("the document is fetched", || {
        issuer.discovery_fetches() > seen + 1
    })
    .await;
    let token = issuer.user().mint();
    let error = validate(validator, &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
    assert!(error.retry_after() >= Some(SECOND));
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    assert_eq!(issuer.key_fetches(), 0, "its keys are not even asked for");
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_leads_to_no_keys() {
    let (issuer, validator) = unready(hasty());
    for foreign in [
        json!("https://login.microsoftonline.com/common/v2.0"),
        json!(format!("{}/{OTHER_TENANT}/v2.0", issuer.url())),
        json!(format!("{}/{{tenantid}}/v2.0", issuer.url())),
        json!(format!("{}/", issuer.v2_issuer())),
        json!(issuer.v1_issuer()),
        json!(""),
        json!(null),
        json!([issuer.v2_issuer()]),
    ] {
        issuer.set_discovery_member("issuer", foreign);
        leads_nowhere(&issuer, &validator).await;
    }
    issuer.remove_discovery_member("issuer");
    leads_nowhere(&issuer, &validator).await;

    issuer.reset_discovery_document();
    within(validator.ready()).await;
}

#[tokio::test]
async fn keys_on_another_host_are_not_fetched() {
    let (issuer, validator) = unready(hasty());
    let other = Issuer::start_blocking();
    let path = format!("{}/discovery/v2.0/keys", issuer.tenant_id());
    let port = issuer.url().rsplit_once(':').unwrap().1.to_owned();
    for url in [
        format!("{}/{path}", other.url()),
        format!("http://127.0.0.2:{port}/{path}"),
        format!("http://localhost:{port}/{path}"),
        format!("https://127.0.0.1:{port}/{path}"),
        format!("http://127.0.0.1/{path}"),
        format!("http://user@127.0.0.1:{port}/{path}"),
        format!("http://127.0.0.1:{port}@evil.example/{path}"),
        format!("//127.0.0.1:{port}/{path}"),
        format!("/{path}"),
        "http://169.254.169.254/latest".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        issuer.set_discovery_member("jwks_uri", &url);
        leads_nowhere(&issuer, &validator).await;
    }
    issuer.remove_discovery_member("jwks_uri");
    leads_nowhere(&issuer, &validator).await;
    assert_eq!(other.requests_seen(), [""; 0]);
}

#[tokio::test]
async fn a_document_that_turns_foreign_keeps_the_old_keys() {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let other = Issuer::start_blocking();
    let good = issuer.user().mint();
    issuer.set_discovery_member("jwks_uri", format!("{}/keys", other.url()));
    let refused = outcome(&validator, &Forger::new(&good).token()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    assert_eq!(at_once(&validator, &good), Ok(()));
    assert_eq!(other.requests_seen(), [""; 0]);
}

#[tokio::test]
async fn the_template_of_many_tenants_is_taken() {
    let issuer = Issuer::builder().multi_tenant().start_blocking();
    let validator = issuer.validator();
    within(validator.ready()).await;
    for tenant in [issuer.tenant_id(), OTHER_TENANT] {
        let token = issuer.user().tenant(tenant).mint();
        assert_eq!(at_once(&validator, &token), Ok(()));
        let token = issuer.user().v1().tenant(tenant).mint();
        assert_eq!(at_once(&validator, &token), Ok(()));
    }
    assert!(issuer.requests_seen()[0].starts_with("/organizations/v2.0/"));

    let foreign = issuer.v2_issuer();
    let validator = validator_for(&issuer, Tenants::any_organization());
    issuer.set_discovery_member("issuer", foreign);
    let error = validate(&validator, &issuer.user().mint()).await;
    assert_eq!(kind(error), Err(ErrorKind::KeysUnavailable));
}

fn validator_for(issuer: &Issuer, tenants: Tenants) -> Validator {
    Validator::builder(tenants, [issuer.audience()])
        .authority(issuer.authority())
        .key_settings(hasty())
        .build()
        .unwrap()
}

/// What a token is told whose key has this `issuer`.
async fn outcome_of_issuer(
    issuer: &Issuer,
    tenants: Tenants,
    key_issuer: Option<&str>,
) -> Result<(), ErrorKind> {
    let kid = issuer.current_kid();
    match key_issuer {
        Some(text) => {
            let text = text.replace("URL", &issuer.url());
            issuer.set_key_member(&kid, "issuer", text);
        }
        None => issuer.remove_key_member(&kid, "issuer"),
    }
    let validator = validator_for(issuer, tenants);
    within(validator.ready()).await;
    let outcome = at_once(&validator, &issuer.user().mint());
    let v1 = at_once(&validator, &issuer.user().v1().mint());
    assert_eq!(outcome, v1, "both versions are judged alike");
    outcome
}

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";

#[tokio::test]
async fn a_key_signs_for_its_own_issuer_alone() {
    let foreign = Err(ErrorKind::KeyNotForIssuer);
    let many = || Tenants::list([TENANT, OTHER_TENANT]);
    let issuer = Issuer::start_blocking();
    for (key_issuer, outcome) in [
        ("URL/{tenantid}/v2.0", Ok(())),
        ("URL/{tenantId}/v2.0", Ok(())),
        ("URL/{TENANTID}/v2.0", Ok(())),
        ("URL/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0", Ok(())),
        ("URL/7090E106-1AD3-4313-9B7A-75CC3E576D40/v2.0", foreign),
        ("URL/dd0f374e-74a5-4996-af69-500cda64057a/v2.0", foreign),
        ("URL/{tid}/v2.0", foreign),
        ("URL/{tenantid}/v2.0/", foreign),
        ("URL/{tenantid}/", foreign),
        ("https://login.microsoftonline.us/{tenantid}/v2.0", foreign),
        ("{tenantid}", foreign),
        ("", foreign),
        (" ", foreign),
    ] {
        for tenants in [Tenants::single(TENANT), many(), Tenants::any()] {
            let case = format!("{key_issuer} for {tenants:?}");
            assert_eq!(
                outcome_of_issuer(&issuer, tenants, Some(key_issuer)).await,
                outcome,
                "{case}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_without_an_issuer_signs_for_a_single_tenant_alone() {
    let issuer = Issuer::start_blocking();
    for one in [Tenants::single(TENANT), Tenants::list([TENANT, TENANT])] {
        assert_eq!(outcome_of_issuer(&issuer, one, None).await, Ok(()));
    }
    for many in [
        Tenants::list([TENANT, OTHER_TENANT]),
        Tenants::any_organization(),
        Tenants::any(),
    ] {
        assert_eq!(
            outcome_of_issuer(&issuer, many, None).await,
            Err(ErrorKind::KeyNotForIssuer)
        );
    }
}

#[tokio::test]
async fn a_key_of_one_tenant_signs_for_no_other() {
    let issuer = Issuer::builder().multi_tenant().start_blocking();
    let home = issuer.v2_issuer();
    issuer.set_key_member(&issuer.current_kid(), "issuer", home);
    let validator = issuer.validator();
    within(validator.ready()).await;
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    assert_eq!(
        at_once(&validator, &issuer.user().tenant(OTHER_TENANT).mint()),
        Err(ErrorKind::KeyNotForIssuer)
    );
}

#[tokio::test]
async fn a_key_of_another_cloud_signs_only_where_that_is_allowed_by_name() {
    let other = Some("microsoftonline.us");
    let ours = Some("microsoftonline.com");
    let foreign = Err(ErrorKind::KeyNotForIssuer);
    let issuer = Issuer::start_blocking();
    for (key_cloud, discovery_cloud, outcome) in [
        (ours, ours, Ok(())),
        (other, ours, foreign),
        (ours, other, foreign),
        (other, other, Ok(())),
        (Some("MicrosoftOnline.com"), ours, foreign),
        (Some(""), ours, foreign),
        (None, ours, Ok(())),
        (other, None, Ok(())),
        (None, None, Ok(())),
    ] {
        let case = format!("{key_cloud:?} under {discovery_cloud:?}");
        let kid = issuer.current_kid();
        match key_cloud {
            Some(cloud) => issuer.set_key_member(&kid, "cloud_instance_name", cloud),
            None => issuer.remove_key_member(&kid, "cloud_instance_name"),
        }
        match discovery_cloud {
            Some(cloud) => issuer.set_discovery_member("cloud_instance_name", cloud),
            None => issuer.remove_discovery_member("cloud_instance_name"),
        }
        let strict = issuer.validator();
        within(strict.ready()).await;
        let token = issuer.user().mint();
        assert_eq!(at_once(&strict, &token), outcome, "{case}");

        let lenient = issuer
            .validator_builder()
            .danger_accept_keys_of_other_clouds()
            .build()
            .unwrap();
        within(lenient.ready()).await;
        assert_eq!(at_once(&lenient, &token), Ok(()), "{case}");
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
    assert_eq!(
        at_once(&lenient, &issuer.user().mint()),
        Err(ErrorKind::KeyNotForIssuer)
    );
}

#[tokio::test]
async fn the_application_is_named_to_both_documents() {
    let issuer = Issuer::start_blocking();
    let app_id: AppId = issuer.client_id().parse().unwrap();
    let validator = issuer.validator_builder().app_id(app_id).build().unwrap();
    within(validator.ready()).await;
    let query = format!("?appid={}", issuer.client_id());
    let seen = issuer.requests_seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|url| url.ends_with(&query)), "{seen:?}");
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

#[tokio::test]
async fn one_bad_key_in_the_document_takes_none_of_the_others_away() {
    let (issuer, validator) = unready(KeySettings::default());
    issuer.publish_jwk(json!({"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}));
    issuer.publish_jwk(json!(null));
    issuer.publish_jwk(json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}));
    within(validator.ready()).await;
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
    let token = issuer.user().header("kid", "secret").mint();
    assert_eq!(
        outcome(&validator, &token).await,
        Err(ErrorKind::UnknownKey)
    );
}

#[tokio::test]
async fn an_id_with_two_keys_serves_neither() {
    let (issuer, validator) = unready(KeySettings::default());
    let kid = issuer.current_kid();
    let first = issuer.user().mint();
    let twin: serde_json::Value = serde_json::from_slice(&issuer.keys_document()).unwrap();
    issuer.publish_jwk(&twin["keys"][0]);
    issuer.replace_key(&kid);
    let second = issuer.user().mint();
    issuer.publish_key();
    within(validator.ready()).await;
    for token in [first, second] {
        assert_eq!(
            outcome(&validator, &token).await,
            Err(ErrorKind::UnknownKey)
        );
    }
}
