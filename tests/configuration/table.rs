//! P: traps in the configuration.

use std::time::Duration;

use tower_entra::{
    Authority, ConfigError, EntraAuthLayer, KeySettings, Tenants, Validator, ValidatorBuilder,
    testing::Issuer,
};

use crate::support::*;

#[test]
fn a_configuration_is_taken_or_refused_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        scene(
            "P01",
            "no tenant: there is no default, and an empty list is refused",
            |_| {
                let nobody: [&str; 0] = [];
                assert_eq!(
                    setting(Validator::builder(Tenants::list(nobody), [AUDIENCE])),
                    "tenants"
                );
            },
        ),
        scene(
            "P02",
            "a tenant that is no GUID, in which a policy might mean anybody",
            |_| {
                for tenant in [
                    "",
                    " ",
                    "*",
                    "common",
                    "organizations",
                    "consumers",
                    "contoso.onmicrosoft.com",
                    "{tenantid}",
                    "7090e1061ad343139b7a75cc3e576d40",
                    "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
                    "7090e106-1ad3-4313-9b7a-75cc3e576d40 ",
                ] {
                    assert_eq!(
                        setting(Validator::builder(Tenants::single(tenant), [AUDIENCE])),
                        "tenants"
                    );
                    let listed = Tenants::list([TENANT, tenant]);
                    assert_eq!(setting(Validator::builder(listed, [AUDIENCE])), "tenants");
                }
            },
        ),
        scene("P03", "an authority that is no https origin", |_| {
            for url in [
                "",
                "login.example",
                "http://login.example",
                "ftp://login.example",
                "https://",
                "https://login.example/tenant",
                "https://login.example?x",
                "https://login.example#x",
                "https://user:password@login.example",
                "http://127.0.0.1:4000",
                "https://a b",
                "https://login.example/{tid}",
                "javascript:alert(1)",
                "file:///",
            ] {
                assert_eq!(
                    setting(builder().authority(Authority::custom(url))),
                    "authority"
                );
            }
            for url in [
                "http://localhost:1",
                "http://10.0.0.1",
                "http://0.0.0.0:1",
                "http://169.254.169.254",
                "http://127.0.0.1.evil.example",
                "http://[::]:1",
                "https://login.example",
            ] {
                let authority = Authority::insecure_loopback(url);
                assert_eq!(
                    setting(builder().authority(authority)),
                    "authority",
                    "{url}"
                );
            }
        }),
        scene(
            "P04",
            "a v1 issuer without a place for the tenant, or with two",
            |_| {
                for template in [
                    "",
                    "https://sts.windows.net/",
                    "https://x/{tid}/{tid}/",
                    "https://x/{tenantid}/",
                ] {
                    let authority = Authority::public().with_v1_issuer(template);
                    assert_eq!(setting(builder().authority(authority)), "authority");
                }
            },
        ),
        scene(
            "P05",
            "a host that names a tenant where there are several",
            |_| {
                let authority = || Authority::custom("https://{tid}.ciamlogin.com");
                for tenants in [
                    Tenants::any(),
                    Tenants::any_organization(),
                    Tenants::list([TENANT, OTHER_TENANT]),
                ] {
                    let builder = Validator::builder(tenants, [AUDIENCE]).authority(authority());
                    assert_eq!(setting(builder), "authority");
                }
                let single = Validator::builder(Tenants::single(TENANT), [AUDIENCE]);
                assert!(single.authority(authority()).build().is_ok());
            },
        ),
        scene("P06", "numbers that would take a check away", |_| {
            let seconds = Duration::from_secs;
            assert_eq!(setting(builder().clock_skew(seconds(301))), "clock_skew");
            assert_eq!(setting(builder().clock_skew(Duration::MAX)), "clock_skew");
            assert_eq!(setting(builder().algorithms([])), "algorithms");
            assert_eq!(setting(builder().max_token_size(0)), "max_token_size");
            assert_eq!(
                setting(builder().max_token_size(usize::MAX)),
                "max_token_size"
            );
            assert_eq!(setting(builder().token_cache(0)), "token_cache");
            assert_eq!(setting(builder().token_cache(usize::MAX)), "token_cache");
            let keys = KeySettings::default;
            for (settings, name) in [
                (keys().with_stale_limit(Duration::MAX), "stale_limit"),
                (keys().with_cool_down(Duration::ZERO), "cool_down"),
                (
                    keys().with_refresh_interval(Duration::ZERO),
                    "refresh_interval",
                ),
                (keys().with_wait(Duration::MAX), "wait"),
                (keys().with_total_timeout(Duration::MAX), "total_timeout"),
                (keys().with_max_body(usize::MAX), "max_body"),
                (keys().with_max_keys(0), "max_keys"),
                (keys().with_max_waiters(0), "max_waiters"),
            ] {
                assert_eq!(setting(builder().key_settings(settings)), name);
            }
        }),
        scene(
            "P07",
            "a tenant, an audience or an agent twice: counted once",
            |issuer| {
                let tid = issuer.tenant_id();
                let tenants = Tenants::list([tid, &tid.to_uppercase(), tid]);
                let audience = issuer.audience();
                let agent = (tid, issuer.agent_id());
                let validator = Validator::builder(tenants, [audience, audience])
                    .authority(issuer.authority())
                    .known_agents([agent, agent])
                    .build()
                    .unwrap();
                assert_eq!(block_on(outcome(&validator, &issuer.user().mint())), Ok(()));
                // One tenant is one tenant, however often it is named: its own document is asked for.
                let seen = issuer.requests_seen();
                assert!(
                    seen.last().unwrap().starts_with(&format!("/{tid}/")),
                    "{seen:?}"
                );
            },
        ),
        scene("P08", "a known agent that is no pair of GUIDs", |_| {
            for pair in [
                ("", OTHER_APP),
                (TENANT, ""),
                ("*", OTHER_APP),
                (TENANT, "*"),
                ("common", OTHER_APP),
            ] {
                assert_eq!(setting(builder().known_agents([pair])), "known_agents");
            }
        }),
        scene("P09", "texts that would break out of a challenge", |_| {
            let layer = || EntraAuthLayer::new(builder().build().unwrap());
            let named = |result: Result<EntraAuthLayer, ConfigError>| {
                result.map(drop).unwrap_err().setting().to_owned()
            };
            for text in ["a\"b", "a\\b", "a\r\nb", "\u{e9}", "a\0b", "\u{7f}"] {
                assert_eq!(named(layer().with_realm(text)), "realm");
                let url = format!("https://api.example/{text}");
                assert_eq!(
                    named(layer().with_resource_metadata(url)),
                    "resource_metadata"
                );
                assert_eq!(named(layer().with_scopes([text])), "scopes");
                assert_eq!(
                    setting(Validator::builder(Tenants::single(TENANT), [text])),
                    "audiences"
                );
            }
        }),
        scene(
            "P10",
            "keys that are shared with a validator of other tenants or another authority",
            |issuer| {
                let first = issuer.validator();
                let other = Issuer::start_blocking();
                for builder in [
                    Validator::builder(Tenants::single(OTHER_TENANT), [AUDIENCE])
                        .authority(issuer.authority()),
                    Validator::builder(Tenants::any(), [AUDIENCE]).authority(issuer.authority()),
                    other.validator_builder(),
                    builder(),
                ] {
                    assert_eq!(setting(builder.share_keys_with(&first)), "share_keys_with");
                }
            },
        ),
    ]
}

fn builder() -> ValidatorBuilder {
    Validator::builder(Tenants::single(TENANT), [AUDIENCE])
}

/// What the configuration is refused for.
#[track_caller]
fn setting(builder: ValidatorBuilder) -> String {
    match builder.build() {
        Ok(validator) => panic!("taken: {validator:?}"),
        Err(error) => error.setting().to_owned(),
    }
}

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const AUDIENCE: &str = "api://orders";
