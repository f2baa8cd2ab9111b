//! P: mistakes in the configuration. Each is one line at start-up, with the setting and its value.

use std::time::Duration;

use tower_entra::{
    Authority, ConfigError, EntraAuthLayer, KeySettings, Tenants, Validator, ValidatorBuilder,
    testing::Issuer,
};

use crate::{keys, support::*};

#[test]
fn a_configuration_is_accepted_or_refused_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        scene(
            "P01",
            "no tenant: there is no default, and an empty list is refused",
            |_| {
                let none: [&str; 0] = [];
                let builder = Validator::builder(Tenants::list(none), [AUDIENCE]);
                refused_for(builder, "tenants: the list is empty");
            },
        ),
        scene(
            "P02",
            "a tenant that is no GUID, which a policy might take for any tenant",
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
                    let words = format!("tenants: {tenant:?} is not a tenant GUID");
                    let tenants = [Tenants::single(tenant), Tenants::list([TENANT, tenant])];
                    for tenants in tenants {
                        refused_for(Validator::builder(tenants, [AUDIENCE]), &words);
                    }
                }
            },
        ),
        scene("P03", "an authority that is no https origin", |_| {
            const NO_URL: &str = "is not a URL";
            const NO_HOST: &str = "is not an http or https URL with a host";
            const NO_ORIGIN: &str = "must be scheme and host only, without a path";
            const NO_HTTPS: &str = "must be https";
            const NO_LOOPBACK: &str = "is not a loopback address such as http://127.0.0.1:4000";

            for (url, problem) in [
                ("", NO_URL),
                ("login.example", NO_HOST),
                ("http://login.example", NO_HTTPS),
                ("ftp://login.example", NO_HOST),
                ("https://", NO_URL),
                ("https://login.example/tenant", NO_ORIGIN),
                ("https://login.example?x", NO_ORIGIN),
                ("https://login.example#x", NO_ORIGIN),
                ("http://127.0.0.1:4000", NO_HTTPS),
                ("https://a b", NO_URL),
                ("https://login.example/{tid}", NO_ORIGIN),
                ("javascript:alert(1)", NO_HOST),
                ("file:///", NO_URL),
            ] {
                let builder = builder().authority(Authority::custom(url));
                refused_for(builder, &format!("authority: {url:?} {problem}"));
            }
            let with_password = Authority::custom("https://user:password@login.example");
            let words = "authority: the URL must not have a user or a password";
            refused_for(builder().authority(with_password), words);
            for url in [
                "http://localhost:1",
                "http://10.0.0.1",
                "http://0.0.0.0:1",
                "http://169.254.169.254",
                "http://127.0.0.1.evil.example",
                "http://[::]:1",
                "https://login.example",
            ] {
                let builder = builder().authority(Authority::insecure_loopback(url));
                refused_for(builder, &format!("authority: {url:?} {NO_LOOPBACK}"));
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
                    let words = "must contain {tid} once";
                    refused_for(
                        builder().authority(authority),
                        &format!("authority: version 1.0 issuer {template:?} {words}"),
                    );
                }
            },
        ),
        scene(
            "P05",
            "a host that names a tenant, where several tenants are accepted",
            |_| {
                const HOST: &str = "https://{tid}.ciamlogin.com";

                for tenants in [
                    Tenants::any(),
                    Tenants::any_organization(),
                    Tenants::list([TENANT, OTHER_TENANT]),
                ] {
                    let builder = Validator::builder(tenants, [AUDIENCE]);
                    refused_for(
                        builder.authority(Authority::custom(HOST)),
                        &format!("authority: {HOST:?} names {{tid}}, which needs a single tenant"),
                    );
                }
                assert!(builder().authority(Authority::custom(HOST)).build().is_ok());
            },
        ),
        scene("P06", "numbers that would take a check away", |_| {
            let skew = |skew| builder().clock_skew(skew);
            let size = |size| builder().max_token_size(size);
            let cache = |capacity| builder().token_cache(capacity);
            let keys = |settings| builder().key_settings(settings);
            let with = KeySettings::default;
            let (zero, max) = (Duration::ZERO, Duration::MAX);
            for (builder, words) in [
                (skew(301 * SECOND), "clock_skew: 301s is more than 300s"),
                (skew(max), "clock_skew: 18446744073709551615.999999999s is"),
                (builder().algorithms([]), "algorithms: the list is empty"),
                (size(0), "max_token_size: 0 is not between 1024 and 1048576"),
                (size(usize::MAX), "max_token_size: 18446744073709551615 is"),
                (cache(0), "token_cache: 0 is not between 1 and 1000000"),
                (cache(usize::MAX), "token_cache: 18446744073709551615 is"),
                (
                    keys(with().with_cool_down(zero)),
                    "cool_down: 0ns is not between 1s and 600s",
                ),
                (
                    keys(with().with_refresh_interval(zero)),
                    "refresh_interval: 0ns is not between 1s and 86400s",
                ),
                (
                    keys(with().with_stale_limit(max)),
                    "is not between 3600s and 604800s",
                ),
                (keys(with().with_wait(max)), "is not between 1ms and 30s"),
                (
                    keys(with().with_total_timeout(max)),
                    "is not between 1ms and 60s",
                ),
                (
                    keys(with().with_max_body(usize::MAX)),
                    "is not between 1024 and 4194304",
                ),
                (
                    keys(with().with_max_keys(0)),
                    "max_keys: 0 is not between 1 and 1000",
                ),
                (
                    keys(with().with_max_waiters(0)),
                    "max_waiters: 0 is not between 1 and 65536",
                ),
            ] {
                refused_for(builder, words);
            }
            assert!(skew(300 * SECOND).build().is_ok());
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
                // The document of one tenant is fetched, not that of several.
                let seen = issuer.requests_seen();
                let own = format!("/{tid}/");
                assert!(seen.last().unwrap().starts_with(&own), "{seen:?}");
            },
        ),
        scene("P08", "a known agent that is no pair of GUIDs", |_| {
            for (pair, problem) in [
                (("", OTHER_APP), "\"\" is not a tenant GUID"),
                (("*", OTHER_APP), "\"*\" is not a tenant GUID"),
                (("common", OTHER_APP), "\"common\" is not a tenant GUID"),
                ((TENANT, ""), "\"\" is not a client id GUID"),
                ((TENANT, "*"), "\"*\" is not a client id GUID"),
                ((TENANT, "agent"), "\"agent\" is not a client id GUID"),
            ] {
                refused_for(
                    builder().known_agents([pair]),
                    &format!("known_agents: {problem}"),
                );
            }
        }),
        scene(
            "P09",
            "texts that would break out of a challenge, or have no place in one",
            |_| {
                const NO_TEXT: &str = "has a quote, a backslash or a character beyond ASCII";
                const NO_URL: &str = "is not an http or https URL without a fragment or a user";

                let layer = || EntraAuthLayer::new(builder().build().unwrap());
                for text in ["a\"b", "a\\b", "a\r\nb", "\u{e9}", "a\0b", "\u{7f}"] {
                    layer_refused_for(
                        layer().with_realm(text),
                        &format!("realm: {text:?} {NO_TEXT}"),
                    );
                    let url = format!("https://api.example/{text}");
                    let shown = url.escape_default();
                    layer_refused_for(
                        layer().with_resource_metadata(&url),
                        &format!("resource_metadata: \"{shown}\" {NO_URL}"),
                    );
                    not_one_scope(layer(), text);
                    no_audience(text);
                }
                for url in [
                    "",
                    "/metadata",
                    "ftp://x/y",
                    "https://x/ y",
                    "https://",
                    "https://x/#y",
                ] {
                    layer_refused_for(
                        layer().with_resource_metadata(url),
                        &format!("resource_metadata: {url:?} {NO_URL}"),
                    );
                }
                layer_refused_for(
                    layer().with_resource_metadata("https://user:password@x/y"),
                    "resource_metadata: the URL must not have a user or a password",
                );
                for text in ["", " ", "a b"] {
                    not_one_scope(layer(), text);
                    no_audience(text);
                }
                let none: [&str; 0] = [];
                let without_audiences = Validator::builder(Tenants::single(TENANT), none);
                refused_for(without_audiences, "audiences: the list is empty");
            },
        ),
        scene(
            "P10",
            "keys shared with a validator of other tenants, keys or another authority",
            |issuer| {
                let first = issuer.validator();
                let other = Issuer::start_blocking();
                let (url, tid) = (issuer.url(), issuer.tenant_id());
                let of =
                    |tenants| Validator::builder(tenants, [AUDIENCE]).authority(issuer.authority());
                for (builder, keys) in [
                    (
                        of(Tenants::single(OTHER_TENANT)),
                        format!("{url}/{OTHER_TENANT}/v2.0"),
                    ),
                    (of(Tenants::any()), format!("{url}/common/v2.0")),
                    (
                        of(Tenants::single(tid)).app_id(OTHER_APP.parse().unwrap()),
                        format!("{url}/{tid}/v2.0"),
                    ),
                    (
                        other.validator_builder(),
                        format!("{}/{tid}/v2.0", other.url()),
                    ),
                    (
                        builder(),
                        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
                    ),
                ] {
                    let words = "share_keys_with: the other validator's keys are not those of";
                    refused_for(builder.share_keys_with(&first), &format!("{words} {keys}"));
                }
            },
        )
        .with(&[keys::rotation::validators_that_share_keys_share_fetches_and_cool_down]),
    ]
}

fn builder() -> ValidatorBuilder {
    Validator::builder(Tenants::single(TENANT), [AUDIENCE])
}

/// The error of the builder holds these words.
#[track_caller]
fn refused_for(builder: ValidatorBuilder, words: &str) {
    match builder.build() {
        Ok(validator) => panic!("accepted: {validator:?}"),
        Err(error) => assert_words(&error, words),
    }
}

#[track_caller]
fn layer_refused_for(layer: Result<EntraAuthLayer, ConfigError>, words: &str) {
    assert_words(&layer.expect_err("a bad setting"), words);
}

#[track_caller]
fn assert_words(error: &ConfigError, words: &str) {
    let line = error.to_string();
    assert!(line.contains(words), "{words:?} is not in: {line}");
    assert!(line.starts_with(error.setting()), "{line}");
}

#[track_caller]
fn not_one_scope(layer: EntraAuthLayer, text: &str) {
    let words = format!("scopes: {text:?} is not one scope");
    layer_refused_for(layer.with_scopes(["ok", text]), &words);
}

#[track_caller]
fn no_audience(text: &str) {
    let builder = Validator::builder(Tenants::single(TENANT), [AUDIENCE, text]);
    let words = format!("audiences: {text:?} is not a client id or an App ID URI");
    refused_for(builder, &words);
}

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const AUDIENCE: &str = "api://orders";
