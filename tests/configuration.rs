//! What cannot be configured: each mistake is one line at start-up.

pub(crate) mod table;

use std::time::Duration;

use tower_entra::{
    Authority, ConfigError, EntraAuthLayer, KeySettings, Tenants, Validator, ValidatorBuilder,
};

const TID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const AUDIENCE: &str = "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

fn builder() -> ValidatorBuilder {
    Validator::builder(Tenants::single(TID), [AUDIENCE])
}

#[track_caller]
fn error(builder: ValidatorBuilder) -> String {
    builder.build().map(drop).unwrap_err().to_string()
}

#[test]
fn a_validator_is_built_without_a_runtime() {
    let validator = builder().build().unwrap();
    assert_eq!(validator.status(), tower_entra::KeyStatus::Unavailable);
}

#[test]
fn a_tenant_must_be_a_guid() {
    for (tenants, expected) in [
        (
            Tenants::single("contoso"),
            "tenants: \"contoso\" is not a tenant GUID",
        ),
        (
            Tenants::list([TID, ""]),
            "tenants: \"\" is not a tenant GUID",
        ),
        (
            Tenants::list(Vec::<String>::new()),
            "tenants: the list is empty",
        ),
    ] {
        assert_eq!(error(Validator::builder(tenants, [AUDIENCE])), expected);
    }
}

#[test]
fn an_audience_must_be_there_and_be_one() {
    let with = |audiences: &[&str]| {
        let audiences: Vec<String> = audiences.iter().map(ToString::to_string).collect();
        error(Validator::builder(Tenants::any(), audiences))
    };
    assert_eq!(with(&[]), "audiences: the list is empty");
    for audience in ["", " ", "a b", "api://\"", "a\\b", "é", "a\n"] {
        let expected = format!("audiences: {audience:?} is not a client id or an App ID URI");
        assert_eq!(with(&[AUDIENCE, audience]), expected);
    }
}

#[test]
fn an_authority_must_be_an_https_origin() {
    let with = |url: &str| error(builder().authority(Authority::custom(url)));
    assert_eq!(
        with("http://login.example"),
        "authority: \"http://login.example\" must be https"
    );
    assert_eq!(
        with("login.example"),
        "authority: \"login.example\" is not an http or https URL with a host"
    );
    let loopback = Authority::insecure_loopback("http://localhost:4000");
    assert_eq!(
        error(builder().authority(loopback)),
        "authority: \"http://localhost:4000\" is not a loopback address such as http://127.0.0.1:4000"
    );
    let template = Authority::public().with_v1_issuer("https://sts.example/");
    assert_eq!(
        error(builder().authority(template)),
        "authority: version 1.0 issuer \"https://sts.example/\" must contain {tid} once"
    );
}

#[test]
fn a_known_agent_must_be_two_guids() {
    assert_eq!(
        error(builder().known_agents([("contoso", TID)])),
        "known_agents: \"contoso\" is not a tenant GUID"
    );
    assert_eq!(
        error(builder().known_agents([(TID, "agent")])),
        "known_agents: \"agent\" is not a client id GUID"
    );
}

#[test]
fn numbers_have_their_ranges() {
    let skew = Duration::from_secs(300);
    assert!(builder().clock_skew(skew).build().is_ok());
    assert_eq!(
        error(builder().clock_skew(skew + Duration::from_secs(1))),
        "clock_skew: 301s is more than 300s"
    );
    assert_eq!(
        error(builder().max_token_size(10)),
        "max_token_size: 10 is not between 1024 and 1048576"
    );
    assert_eq!(
        error(builder().algorithms([])),
        "algorithms: the list is empty"
    );
    let settings = KeySettings::default().with_cool_down(Duration::ZERO);
    assert_eq!(
        error(builder().key_settings(settings)),
        "cool_down: 0ns is not between 1s and 600s"
    );
}

#[test]
fn what_would_break_a_challenge_is_refused() {
    let layer = || EntraAuthLayer::new(builder().build().unwrap());
    let text =
        |result: Result<EntraAuthLayer, ConfigError>| result.map(drop).unwrap_err().to_string();
    for realm in ["a\"b", "a\\b", "é", "a\r\nb"] {
        let expected =
            format!("realm: {realm:?} has a quote, a backslash or a character beyond ASCII");
        assert_eq!(text(layer().with_realm(realm)), expected);
    }
    for url in [
        "",
        "/metadata",
        "ftp://x/y",
        "https://x/\"",
        "https://x/ y",
        "https://",
        "https://x/#y",
        "https://user:password@x/y",
    ] {
        let expected = format!(
            "resource_metadata: {url:?} is not an http or https URL without a fragment or a user"
        );
        assert_eq!(text(layer().with_resource_metadata(url)), expected);
    }
    for scope in ["", "a b", "a\"b"] {
        assert_eq!(
            text(layer().with_scopes(["ok", scope])),
            format!("scopes: {scope:?} is not one scope")
        );
    }
}

#[test]
fn validators_of_one_authority_share_their_keys() {
    use crate::support::{OTHER_APP, OTHER_TENANT, admitted_by};
    use tower_entra::testing::Issuer;

    let issuer = Issuer::start_blocking();
    let first = issuer.validator();
    let second = Validator::builder(Tenants::single(issuer.tenant_id()), ["api://second"])
        .authority(issuer.authority())
        .share_keys_with(&first)
        .build()
        .unwrap();
    crate::support::block_on(async {
        for (validator, token) in [
            (&first, issuer.user()),
            (&second, issuer.user().audience("api://second")),
        ] {
            validator.validate(&token.mint()).await.unwrap();
        }
    });
    assert_eq!(issuer.key_fetches(), 1);
    admitted_by(&second, &issuer.user().audience("api://second").mint());

    for (builder, place) in [
        (
            Validator::builder(Tenants::single(OTHER_TENANT), [AUDIENCE])
                .authority(issuer.authority()),
            format!("{}/{OTHER_TENANT}/v2.0", issuer.url()),
        ),
        (
            issuer
                .validator_builder()
                .app_id(OTHER_APP.parse().unwrap()),
            format!("{}/{}/v2.0", issuer.url(), issuer.tenant_id()),
        ),
    ] {
        let text = error(builder.share_keys_with(&first));
        let begin = "share_keys_with: the other validator's keys are not those of ";
        assert!(text.starts_with(&format!("{begin}{place}")), "{text}");
    }
}
