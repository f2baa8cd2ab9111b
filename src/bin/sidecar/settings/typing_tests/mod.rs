//! The settings of values, mostly wrong ones.

mod apis;

mod azure_ad;

mod known;

mod listen;

mod shapes;

use std::net::SocketAddr;

use http::Method;
use tower_entra::Authority;
use tracing::level_filters::LevelFilter;

use super::*;
use crate::settings::{
    tree::{Origin, Tree},
    types::Listen,
};

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const ZERO: &str = "00000000-0000-0000-0000-000000000000";
const A_SECRET: &str = "hunter2-is-secret";

type Lines = Vec<String>;

/// Of these values and what must be set.
fn read(values: &[(&str, &str)]) -> Result<(Settings, Lines), Lines> {
    read_in("Production", values)
}

fn read_in(environment: &str, values: &[(&str, &str)]) -> Result<(Settings, Lines), Lines> {
    let base = [("AzureAd:TenantId", TENANT), ("AzureAd:ClientId", CLIENT)];
    read_only(environment, &[&base, values].concat())
}

fn read_only(environment: &str, values: &[(&str, &str)]) -> Result<(Settings, Lines), Lines> {
    let mut tree = Tree::default();
    for (path, value) in values {
        tree.set(path, Some((*value).to_owned()), &Origin::Argument);
    }
    match settings(&tree.root(), environment) {
        Ok((settings, warnings)) => {
            Ok((settings, warnings.iter().map(ToString::to_string).collect()))
        }
        Err(problems) => Err(problems.to_string().lines().map(str::to_owned).collect()),
    }
}

#[track_caller]
fn good(values: &[(&str, &str)]) -> Settings {
    match read(values) {
        Ok((settings, warnings)) if warnings.is_empty() => settings,
        other => panic!("{values:?}: {other:?}"),
    }
}

/// Each of these values makes one line, which begins with the key and has this text.
#[track_caller]
fn assert_refused(rows: &[(&str, &str, &str)]) {
    for (key, value, text) in rows {
        let lines = read(&[(key, value)]).expect_err(key);
        let [line] = &*lines else {
            panic!("{key}={value}: {lines:?}");
        };
        assert!(
            line.starts_with(&format!("{key} (command line): ")),
            "{line}"
        );
        assert!(line.contains(text), "{key}={value}: {line}");
    }
}

#[track_caller]
fn assert_warned(rows: &[(&str, &str, &str)]) {
    for (key, value, text) in rows {
        let (_, lines) = read(&[(key, value)]).expect(key);
        let [line] = &*lines else {
            panic!("{key}={value}: {lines:?}");
        };
        assert!(
            line.starts_with(&format!("{key} (command line): ")),
            "{line}"
        );
        assert!(line.contains(text), "{key}={value}: {line}");
    }
}

#[test]
fn what_must_be_set_is_enough() {
    let settings = good(&[]);
    assert_eq!(settings.azure_ad.tenant.as_str(), TENANT);
    assert_eq!(settings.azure_ad.client_id.as_str(), CLIENT);
    assert_eq!(settings.azure_ad.authority, Authority::public());
    assert!(settings.azure_ad.authorization_by_acl && settings.azure_ad.error_details);
    assert!(settings.azure_ad.audiences.is_none() && settings.azure_ad.credential.is_none());
    assert!(settings.azure_ad.scopes.is_empty() && !settings.azure_ad.claims_challenges);
    assert!(
        settings.allow_overrides.authorization_header && settings.allow_overrides.downstream_api
    );
    assert!(
        !settings
            .allow_overrides
            .authorization_header_unauthenticated
    );
    assert!(!settings.allow_overrides.downstream_api_unauthenticated);
    assert!(!settings.ignore_denied_agents && !settings.lenient_agent_parameters);
    assert!(!settings.allow_plain_http && !settings.follow_redirects && !settings.is_development);
    let default: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
    assert_eq!(settings.listen, [Listen::Tcp(default)]);
    assert_eq!(settings.metrics, None);
}

#[test]
fn every_wrong_key_has_a_line() {
    let lines = read_only(
        "Production",
        &[
            ("AzureAd:TenantId", "common"),
            ("Sidecar:AllowPlainHttp", "1"),
            ("DownstreamApis:a:BaseUrl", "x"),
            ("DownstreamApis:b:HttpMethod", "G T"),
            ("Urls", "https://*:1;http://x:1"),
        ],
    );
    let keys: Vec<_> = lines
        .expect_err("problems")
        .iter()
        .map(|line| line.split([' ', ':']).next().unwrap_or_default().to_owned())
        .collect();
    let mut expected = [
        "AzureAd",
        "AzureAd",
        "Sidecar",
        "DownstreamApis",
        "DownstreamApis",
        "Urls",
        "Urls",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
}

#[test]
fn a_blank_value_counts_as_not_set() {
    for blank in ["", " \t"] {
        let values = [("AzureAd:TenantId", blank), ("AzureAd:ClientId", blank)];
        let lines = read_only("Production", &values).expect_err("problems");
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("AzureAd:TenantId (command line): is not set. "),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with("AzureAd:ClientId (command line): is not set. "),
            "{lines:?}"
        );
    }
    good(&[
        ("DownstreamApis:a:BaseUrl", ""),
        ("DownstreamApis:a:AcquireTokenOptions:PopPublicKey", ""),
        ("Urls", ""),
        ("Logging:LogLevel:Default", ""),
    ]);
}

#[test]
fn scopes_are_a_text_or_a_list() {
    for values in [
        &[
            ("AzureAd:Scopes", "a b"),
            ("DownstreamApis:x:Scopes", "r/a  r/b"),
        ][..],
        &[
            ("AzureAd:Scopes:0", "a"),
            ("AzureAd:Scopes:1", "b"),
            ("DownstreamApis:x:Scopes:0", "r/a"),
            ("DownstreamApis:x:Scopes:1", "r/b"),
        ],
    ] {
        let settings = good(values);
        assert_eq!(settings.azure_ad.scopes, ["a", "b"]);
        assert_eq!(settings.apis["x"].scopes, ["r/a", "r/b"]);
    }
    assert_refused(&[
        ("AzureAd:Scopes", "api://x/Orders.Read", "is in no token"),
        ("AzureAd:Scopes:0", "a\"", "is in no token"),
        ("AzureAd:Scopes:0", "é", "is in no token"),
        (
            "DownstreamApis:x:Scopes",
            "a\"",
            "a character that a scope cannot have",
        ),
        ("DownstreamApis:x:Scopes:0", "openid", "openid"),
    ]);
}

#[test]
fn switches_are_true_or_false() {
    let settings = good(&[
        ("AzureAd:AllowWebApiToBeAuthorizedByACL", "false"),
        ("AzureAd:ClientCapabilities:0", "CP1"),
        ("AzureAd:IncludeErrorDetails", "False"),
        ("Sidecar:IgnoreDeniedAgents", "True"),
        ("Sidecar:LenientAgentParameters", "true"),
        ("Sidecar:AllowPlainHttp", " TRUE "),
        ("Sidecar:AllowOutboundRedirects", "true"),
        ("Sidecar:AllowOverrides:GetAuthorizationHeader", "false"),
        (
            "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated",
            "true",
        ),
        ("Sidecar:AllowOverrides:CallDownstreamApi", "false"),
        (
            "Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated",
            "true",
        ),
        ("DownstreamApis:x:RequestAppToken", "true"),
    ]);
    assert!(!settings.azure_ad.authorization_by_acl && settings.azure_ad.claims_challenges);
    assert!(!settings.azure_ad.error_details);
    assert!(settings.ignore_denied_agents && settings.lenient_agent_parameters);
    assert!(settings.allow_plain_http && settings.follow_redirects);
    let AllowOverrides {
        authorization_header,
        authorization_header_unauthenticated,
        downstream_api,
        downstream_api_unauthenticated,
    } = settings.allow_overrides;
    assert!(!authorization_header && authorization_header_unauthenticated);
    assert!(!downstream_api && downstream_api_unauthenticated);
    assert!(settings.apis["x"].request_app_token);
    for key in [
        "AzureAd:AllowWebApiToBeAuthorizedByACL",
        "AzureAd:IncludeErrorDetails",
        "AzureAd:SendX5C",
        "Sidecar:AllowOutboundRedirects",
        "Sidecar:AllowOverrides:CallDownstreamApi",
        "Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated",
        "Sidecar:AllowOverrides:GetAuthorizationHeader",
        "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated",
        "Sidecar:AllowPlainHttp",
        "Sidecar:IgnoreDeniedAgents",
        "Sidecar:LenientAgentParameters",
        "DownstreamApis:x:RequestAppToken",
        "DownstreamApis:x:AcquireTokenOptions:ForceRefresh",
    ] {
        assert_refused(&[(
            key,
            "1",
            "\"1\" is neither true nor false. Accepted: true, false. ",
        )]);
    }
}

#[test]
fn what_is_not_offered_is_refused() {
    for (key, text) in [
        (
            "AzureAd:TokenDecryptionCredentials:0:SourceType",
            "encrypted tokens are not supported",
        ),
        (
            "AzureAd:TokenDecryptionCertificates:0:SourceType",
            "encrypted tokens are not supported",
        ),
        (
            "TokenDecryptionCredentialsDescription:SourceType",
            "encrypted tokens are not supported",
        ),
        (
            "Sidecar:PopValidation:ValidateQ",
            "proof of possession is not supported",
        ),
    ] {
        let lines = read(&[(key, "true")]).expect_err(key);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(text), "{lines:?}");
    }
}

#[test]
fn forwarded_headers_are_refused_outside_development() {
    let key = "ForwardedHeaders_Enabled";
    for value in ["true", "TrUe"] {
        for environment in ["Production", "Staging"] {
            let lines = read_in(environment, &[(key, value)]).expect_err(value);
            assert_eq!(
                lines,
                [
                    "ForwardedHeaders_Enabled (command line): Forwarded headers cannot be enabled outside Development. \
                  Remove 'ForwardedHeaders_Enabled' or set it to 'false'."
                ]
            );
        }
        let (settings, warnings) = read_in("development", &[(key, value)]).expect(value);
        assert!(settings.is_development);
        assert_eq!(warnings.len(), 1);
    }
    for value in ["false", "enabled", " true ", "1", ""] {
        good(&[(key, value)]);
    }
}
