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
    assert!(settings.azure_ad.authorization_by_acl);
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
        ("Sidecar:AllowOverrides:CallDownstreamApi", ""),
        ("DownstreamApis:a:BaseUrl", ""),
        ("DownstreamApis:a:AcquireTokenOptions:PopPublicKey", ""),
        ("Urls", ""),
        ("Logging:LogLevel:Default", ""),
    ]);
}

#[test]
fn a_tenant_that_is_not_one_guid_is_refused() {
    assert_refused(&[
        (
            "AzureAd:TenantId",
            "common",
            "\"common\" is not one tenant. Accepted: ",
        ),
        ("AzureAd:TenantId", "Organizations", "is not one tenant"),
        ("AzureAd:TenantId", "consumers", "is not one tenant"),
        (
            "AzureAd:TenantId",
            "contoso.onmicrosoft.com",
            "is a domain and not a tenant's GUID",
        ),
        ("AzureAd:TenantId", "contoso", "is not a tenant's GUID"),
        (
            "AzureAd:TenantId",
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
            "is not a tenant's GUID",
        ),
        ("AzureAd:TenantId", ZERO, "is not a tenant's GUID"),
        (
            "AzureAd:ClientId",
            "my-app",
            "\"my-app\" is not a client id",
        ),
        ("AzureAd:ClientId", ZERO, "is not a client id"),
        (
            "AzureAd:ClientId",
            "aB08Q~0123456789012345678901234567890123",
            "(40 characters that look like",
        ),
    ]);
}

#[test]
fn an_instance_is_a_cloud_or_a_loopback_address() {
    let authority = |url| good(&[("AzureAd:Instance", url)]).azure_ad.authority;
    assert_eq!(
        authority("https://login.microsoftonline.us/"),
        Authority::us_government()
    );
    assert_eq!(
        authority("https://login.partner.microsoftonline.cn"),
        Authority::china()
    );
    assert_eq!(
        authority("https://login.contoso.com"),
        Authority::custom("https://login.contoso.com")
    );
    for (url, origin) in [
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("HTTP://127.0.0.1:4000/", "http://127.0.0.1:4000"),
        ("http://[::1]:4000/", "http://[::1]:4000"),
    ] {
        assert_eq!(authority(url), Authority::insecure_loopback(origin));
    }
    assert_refused(&[
        (
            "AzureAd:Instance",
            "http://login.microsoftonline.com",
            "must be https",
        ),
        ("AzureAd:Instance", "http://localhost:4000", "must be https"),
        ("AzureAd:Instance", "http://10.0.0.1:4000", "must be https"),
        (
            "AzureAd:Instance",
            "http://127.0.0.1:4000/x",
            "must be scheme and host only",
        ),
        (
            "AzureAd:Instance",
            "http://127.0.0.1:4000/?x",
            "must be scheme and host only",
        ),
        (
            "AzureAd:Instance",
            "https://login.microsoftonline.com/common",
            "must be scheme and host only",
        ),
        (
            "AzureAd:Instance",
            "https://login.windows.net/",
            "is another name of",
        ),
        (
            "AzureAd:Instance",
            "login.microsoftonline.com",
            "is not an http or https URL",
        ),
        (
            "AzureAd:Instance",
            "https://u:hunter2@login.x",
            "the URL must not have a user",
        ),
    ]);
    let lines = read(&[("AzureAd:Instance", "https://u:hunter2@login.x")]).expect_err("a user");
    assert!(!lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn an_authority_is_read_only_without_instance_and_tenant() {
    let url = format!("https://login.microsoftonline.us/{TENANT}/v2.0");
    for text in [&*url, &format!("{url}/"), url.trim_end_matches("/v2.0")] {
        let values = [("AzureAd:Authority", text), ("AzureAd:ClientId", CLIENT)];
        let (settings, warnings) = read_only("Production", &values).expect("settings");
        assert_eq!(settings.azure_ad.authority, Authority::us_government());
        assert_eq!(settings.azure_ad.tenant.as_str(), TENANT);
        assert!(warnings.is_empty());
    }
    for (text, found) in [
        (
            "https://login.microsoftonline.com/common/v2.0",
            "\"common\" is not one tenant",
        ),
        ("https://login.microsoftonline.com", "the tenant is missing"),
        (
            "https://login.microsoftonline.com/",
            "the tenant is missing",
        ),
    ] {
        let values = [("AzureAd:Authority", text), ("AzureAd:ClientId", CLIENT)];
        let lines = read_only("Production", &values).expect_err(text);
        assert!(lines[0].contains(found), "{lines:?}");
    }
    assert_warned(&[(
        "AzureAd:Authority",
        &url,
        "is not read, because AzureAd:Instance or",
    )]);
}

#[test]
fn audiences_are_those_that_are_named_anywhere() {
    let parameters = "AzureAd:TokenValidationParameters:";
    let settings = good(&[
        ("AzureAd:Audience", "api://a"),
        (&format!("{parameters}ValidAudience"), "b"),
        (&format!("{parameters}ValidAudiences:0"), "api://a"),
        (&format!("{parameters}ValidAudiences:1"), "c"),
    ]);
    let expected = ["api://a", "b", "c"].map(str::to_owned);
    assert_eq!(settings.azure_ad.audiences, Some(expected.into()));
    assert_refused(&[
        ("AzureAd:Audience", "api://\"a", "is no audience"),
        (
            "AzureAd:TokenValidationParameters:ValidAudiences:0",
            "é",
            "is no audience",
        ),
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
fn an_api_is_read() {
    let settings = good(&[
        (
            "DownstreamApis:Orders:BaseUrl",
            "https://api.contoso.com/v1/",
        ),
        ("DownstreamApis:Orders:RelativePath", "orders?x=1"),
        ("DownstreamApis:Orders:Scopes:0", "api://x/.default"),
        ("DownstreamApis:Orders:HttpMethod", "Post"),
        ("DownstreamApis:Orders:AcceptHeader", "text/plain"),
        ("DownstreamApis:Orders:ContentType", "application/json"),
        ("DownstreamApis:Orders:ProtocolScheme", "Bearer"),
        (
            "DownstreamApis:Orders:ExtraHeaderParameters:OData-Version",
            "4.0",
        ),
        ("DownstreamApis:Orders:ExtraHeaderParameters:X-Blank", ""),
        (
            "DownstreamApis:Orders:ExtraQueryParameters:api-version",
            " 1 ",
        ),
        ("DownstreamApis:Orders:AcquireTokenOptions:Tenant", TENANT),
        (
            "DownstreamApis:Orders:AcquireTokenOptions:ForceRefresh",
            "true",
        ),
        (
            "DownstreamApis:Orders:AcquireTokenOptions:Claims",
            "{\"access_token\":{}}",
        ),
        (
            "DownstreamApis:Orders:AcquireTokenOptions:CorrelationId",
            CLIENT,
        ),
        (
            "DownstreamApis:Orders:AcquireTokenOptions:AuthenticationOptionsName",
            "azuread",
        ),
        ("DOWNSTREAMAPIS:ORDERS:REQUESTAPPTOKEN", "true"),
        ("DownstreamApis:empty", ""),
    ]);
    let names: Vec<_> = settings.apis.keys().collect();
    assert_eq!(names, ["Orders", "empty"]);
    let api = &settings.apis["Orders"];
    assert_eq!(api.base_url.as_deref(), Some("https://api.contoso.com/v1"));
    assert_eq!(api.relative_path, "orders?x=1");
    assert_eq!(api.http_method, Method::POST);
    assert_eq!(api.accept, "text/plain");
    let headers: Vec<_> = api
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[0].0, "odata-version");
    assert!(headers[0].1 == "4.0" && headers[0].1.is_sensitive());
    assert_eq!(api.query, [("api-version".to_owned(), " 1 ".to_owned())]);
    assert!(api.request_app_token && api.token.force_refresh);
    assert_eq!(api.token.tenant.expect("a tenant").as_str(), TENANT);
    assert_eq!(api.token.claims.as_deref(), Some("{\"access_token\":{}}"));
    assert_eq!(api.token.correlation_id.as_deref(), Some(CLIENT));
    let empty = &settings.apis["empty"];
    assert_eq!(
        (&empty.http_method, &empty.accept),
        (&Method::GET, &"application/json".parse().expect("a value"))
    );
    assert!(empty.base_url.is_none() && empty.scopes.is_empty());
}

#[test]
fn a_wrong_value_of_an_api_is_refused() {
    let long_claims = "[1]";
    for (name, value, text) in [
        ("BaseUrl", "api.contoso.com", "is not an absolute URL"),
        ("BaseUrl", "ftp://api.contoso.com", "URL"),
        (
            "BaseUrl",
            "https://u:hunter2-is-secret@api.contoso.com",
            "the URL has a user",
        ),
        (
            "BaseUrl",
            "https://api.contoso.com/?x=1",
            "has a query or a fragment",
        ),
        (
            "BaseUrl",
            "https://api.contoso.com/#x",
            "has a query or a fragment",
        ),
        (
            "BaseUrl",
            "http://api.contoso.com",
            "or set Sidecar:AllowPlainHttp to true",
        ),
        (
            "BaseUrl",
            "http://10.0.0.1",
            "or set Sidecar:AllowPlainHttp to true",
        ),
        (
            "BaseUrl",
            "http://0.0.0.0",
            "or set Sidecar:AllowPlainHttp to true",
        ),
        (
            "BaseUrl",
            "http://localhost.contoso.com",
            "or set Sidecar:AllowPlainHttp to true",
        ),
        (
            "RelativePath",
            "../admin",
            "Accepted: a path below that of BaseUrl",
        ),
        (
            "RelativePath",
            "a/%2e%2e/b",
            "Accepted: a path below that of BaseUrl",
        ),
        ("RelativePath", "a#b", "has a fragment"),
        ("HttpMethod", "G T", "is no method of a call"),
        ("HttpMethod", "connect", "is no method of a call"),
        ("HttpMethod", "TRACE", "is no method of a call"),
        ("AcceptHeader", "hunter2-is-secret\n", "x"),
        (
            "AcceptHeader",
            "hunter2-is-secret\u{e9}",
            "is no value of a header",
        ),
        (
            "ProtocolScheme",
            "PoP",
            "\"PoP\" is not supported. Accepted: Bearer",
        ),
        (
            "ExtraHeaderParameters:X-Key",
            "hunter2-is-secret\r\nHost: evil",
            "is no value of a header",
        ),
        (
            "ExtraHeaderParameters:X Key",
            "hunter2-is-secret",
            "\"X Key\" is no name of a header",
        ),
        (
            "ExtraHeaderParameters:X(Key)",
            "hunter2-is-secret",
            "is no name of a header",
        ),
        (
            "AcquireTokenOptions:Tenant",
            "common",
            "\"common\" is not a GUID",
        ),
        (
            "AcquireTokenOptions:Tenant",
            "contoso.onmicrosoft.com",
            "is not a GUID",
        ),
        ("AcquireTokenOptions:CorrelationId", "1", "is not a GUID"),
        (
            "AcquireTokenOptions:Claims",
            long_claims,
            "is no JSON object",
        ),
        (
            "AcquireTokenOptions:Claims",
            "{hunter2-is-secret",
            "is no JSON object",
        ),
        (
            "AcquireTokenOptions:AuthenticationOptionsName",
            "Other",
            "is another app registration",
        ),
        (
            "AcquireTokenOptions:PopPublicKey",
            A_SECRET,
            "proof of possession is not supported. Remove it.",
        ),
        (
            "AcquireTokenOptions:PopClaim",
            A_SECRET,
            "proof of possession is not supported. Remove it.",
        ),
        (
            "AcquireTokenOptions:LongRunningWebApiSessionKey",
            A_SECRET,
            "are not supported. Remove it.",
        ),
        (
            "AcquireTokenOptions:FmiPath",
            A_SECRET,
            "by the parameter AgentIdentity. Remove it.",
        ),
        (
            "AcquireTokenOptions:UserFlow",
            A_SECRET,
            "are not supported. Remove it.",
        ),
    ] {
        let key = format!("DownstreamApis:x:{name}");
        if text == "x" {
            // White space around a value makes no difference.
            good(&[(&key, value)]);
            continue;
        }
        assert_refused(&[(&key, value, text)]);
        let lines = read(&[(&key, value)]).expect_err(name);
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
    let identity = "DownstreamApis:x:AcquireTokenOptions:ManagedIdentity";
    let lines =
        read(&[(&format!("{identity}:UserAssignedClientId"), CLIENT)]).expect_err("refused");
    assert!(lines[0].starts_with(&format!("{identity}: ")), "{lines:?}");
}

#[test]
fn plain_http_is_for_this_machine_unless_it_is_allowed() {
    for url in [
        "http://localhost:5000",
        "http://LOCALHOST",
        "http://127.0.0.1:5000/x",
        "http://[::1]:5000",
    ] {
        assert!(
            good(&[("DownstreamApis:x:BaseUrl", url)]).apis["x"]
                .base_url
                .is_some(),
            "{url}"
        );
    }
    let url = "http://api.contoso.com";
    let allowed = good(&[
        ("DownstreamApis:x:BaseUrl", url),
        ("Sidecar:AllowPlainHttp", "true"),
    ]);
    assert_eq!(allowed.apis["x"].base_url.as_deref(), Some(url));
}

#[test]
fn a_reserved_header_is_dropped_with_a_warning() {
    for name in [
        "Authorization",
        "cookie",
        "Host",
        "X-Original-URL",
        "X-MS-CLIENT-PRINCIPAL",
        "X-MS-CLIENT-PRINCIPAL-ID",
        "X-MS-CLIENT-PRINCIPAL-NAME",
        "X-MS-CLIENT-PRINCIPAL-IDP",
        "X-Forwarded-For",
        "X-MS-TOKEN-AAD-ACCESS-TOKEN",
        "Transfer-Encoding",
        "Content-Length",
    ] {
        let key = format!("DownstreamApis:x:ExtraHeaderParameters:{name}");
        let (settings, warnings) = read(&[(&key, A_SECRET)]).expect(name);
        assert!(settings.apis["x"].headers.is_empty(), "{name}");
        assert_eq!(
            warnings,
            [format!(
                "{key} (command line): the header {name} is reserved, so it is not sent. Remove it."
            )]
        );
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

#[test]
fn addresses_are_read_as_kestrel_reads_them() {
    let tcp = |address: &str| Listen::Tcp(address.parse().expect("an address"));
    for (urls, expected) in [
        ("http://127.0.0.1:5000", vec![tcp("127.0.0.1:5000")]),
        ("http://127.0.0.1:0/", vec![tcp("127.0.0.1:0")]),
        ("http://0.0.0.0:1", vec![tcp("0.0.0.0:1")]),
        ("http://+:5000", vec![tcp("[::]:5000")]),
        ("HTTP://*:5000", vec![tcp("[::]:5000")]),
        ("http://*", vec![tcp("[::]:80")]),
        ("http://[::]:8080", vec![tcp("[::]:8080")]),
        ("http://[::1]", vec![tcp("[::1]:80")]),
        ("http://localhost:5000", vec![Listen::Localhost(5000)]),
        ("http://LOCALHOST:0", vec![tcp("127.0.0.1:0")]),
        (
            "http://unix:/run/a b.sock",
            vec![Listen::Unix("/run/a b.sock".into())],
        ),
        (
            "http://127.0.0.1:1; http://unix:/s ;http://127.0.0.1:1;;http://127.0.0.1:0;http://127.0.0.1:0",
            vec![
                tcp("127.0.0.1:1"),
                Listen::Unix("/s".into()),
                tcp("127.0.0.1:0"),
                tcp("127.0.0.1:0"),
            ],
        ),
        (";", vec![tcp("127.0.0.1:8080")]),
    ] {
        assert_eq!(good(&[("urls", urls)]).listen, expected, "{urls}");
    }
    assert_eq!(
        good(&[("HTTP_PORTS", "80; 81")]).listen,
        [tcp("[::]:80"), tcp("[::]:81")]
    );
    let kestrel = [
        ("Kestrel:Endpoints:b:Url", "http://127.0.0.1:2"),
        ("Kestrel:Endpoints:a:Url", "http://127.0.0.1:1"),
        ("Kestrel:Endpoints:a:Protocols", "Http1"),
    ];
    assert_eq!(
        good(&kestrel).listen,
        [tcp("127.0.0.1:1"), tcp("127.0.0.1:2")]
    );
}

#[test]
fn the_more_exact_addresses_win_with_a_warning() {
    let tcp = |address: &str| Listen::Tcp(address.parse().expect("an address"));
    let ports = ("HTTP_PORTS", "8080");
    let urls = ("Urls", "http://127.0.0.1:1");
    let kestrel = ("Kestrel:Endpoints:a:Url", "http://127.0.0.1:2");
    let (settings, warnings) = read(&[ports, urls]).expect("settings");
    assert_eq!(settings.listen, [tcp("127.0.0.1:1")]);
    assert_eq!(
        warnings,
        [
            "HTTP_PORTS (command line): is not used, because Urls (ASPNETCORE_URLS) is set. Remove one of them."
        ]
    );
    let (settings, warnings) = read(&[ports, urls, kestrel]).expect("settings");
    assert_eq!(settings.listen, [tcp("127.0.0.1:2")]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn an_address_that_cannot_be_listened_at_is_refused() {
    for url in [
        "https://127.0.0.1:5000",
        "HTTPS://+:5001",
        "127.0.0.1:5000",
        "tcp://127.0.0.1:5000",
        "http://",
        "http://contoso.com:5000",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:",
        "http://127.0.0.1:+1",
        "http://127.0.0.1:x",
        "http://[127.0.0.1]:1",
        "http://::1:1",
        "http://127.0.0.1:1/base",
        "http://127.0.0.1:1?x",
        "http://user:hunter2@127.0.0.1:1",
        "http://unix:relative",
        "http://unix:/",
        "http://unix:",
    ] {
        for key in ["Urls", "Kestrel:Endpoints:a:Url", "Sidecar:MetricsUrl"] {
            assert_refused(&[(key, url, ". Accepted: http with an address, ")]);
        }
    }
    assert_refused(&[
        (
            "Urls",
            "https://+:5000",
            "\"https://+:5000\" is https, which is not supported",
        ),
        ("HTTPS_PORTS", "8081", "https is not supported"),
        ("HTTP_PORTS", "80;x", "\"x\" is not a port"),
        ("HTTP_PORTS", "65536", "\"65536\" is not a port"),
        ("HTTP_PORTS", "-1", "\"-1\" is not a port"),
    ]);
    let lines = read(&[("Kestrel:Endpoints:a:Protocols", "Http1")]).expect_err("no URL");
    assert!(
        lines[0].starts_with("Kestrel:Endpoints:a:Url: is not set. "),
        "{lines:?}"
    );
    let lines = read(&[("Urls", "http://user:hunter2@127.0.0.1:1")]).expect_err("a user");
    assert!(!lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn metrics_have_an_address_of_their_own() {
    let tcp = |address: &str| Some(Listen::Tcp(address.parse().expect("an address")));
    for (url, expected) in [
        ("http://127.0.0.1:9464", tcp("127.0.0.1:9464")),
        ("http://127.0.0.1:9464/metrics", tcp("127.0.0.1:9464")),
        ("http://127.0.0.1:9464/metrics/", tcp("127.0.0.1:9464")),
        ("http://*:9464/", tcp("[::]:9464")),
        (
            "http://unix:/run/metrics",
            Some(Listen::Unix("/run/metrics".into())),
        ),
    ] {
        assert_eq!(
            good(&[("Sidecar:MetricsUrl", url)]).metrics,
            expected,
            "{url}"
        );
    }
}

#[test]
fn levels_are_those_of_dotnet() {
    let log = good(&[
        ("Logging:LogLevel:Default", "warning"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Debug"),
        ("Logging:LogLevel:tower_entra.audit", "None"),
        ("Logging:LogLevel:tower_entra::keys", "Trace"),
        ("Logging:LogLevel:hyper", "Critical"),
        ("Logging:Console:LogLevel:Hyper", "Debug"),
        ("Logging:Console:FormatterName", "JSON"),
        ("Logging:Console:FormatterOptions:SingleLine", "true"),
    ])
    .log;
    assert!(log.as_json);
    let expected = [
        ("", LevelFilter::WARN),
        ("Hyper", LevelFilter::DEBUG),
        ("tower_entra::audit", LevelFilter::OFF),
        ("tower_entra::keys", LevelFilter::TRACE),
    ]
    .map(|(name, level)| (name.to_owned(), level));
    assert_eq!(log.levels, expected);
    let log = good(&[]).log;
    assert_eq!(log.levels, [(String::new(), LevelFilter::INFO)]);
    assert_refused(&[
        (
            "Logging:LogLevel:Default",
            "Verbose",
            "\"Verbose\" is not a level",
        ),
        (
            "Logging:LogLevel:Microsoft.AspNetCore",
            "Info",
            "\"Info\" is not a level",
        ),
        (
            "Logging:Console:FormatterName",
            "xml",
            "\"xml\" is not a formatter",
        ),
    ]);
}

#[test]
fn an_unknown_key_is_a_warning_with_the_nearest_known_one() {
    for (key, nearest) in [
        ("AzureAd:TennantId", "AzureAd:TenantId"),
        ("azuread:Client_Id", "AzureAd:ClientId"),
        (
            "AzureAd:ClientCredentials:0:SourceTyp",
            "AzureAd:ClientCredentials:0:SourceType",
        ),
        (
            "Sidecar:AllowOverrids:CallDownstreamApi",
            "Sidecar:AllowOverrides",
        ),
        (
            "Sidecar:AllowOverrides:AuthorizationHeaderUnauthenticated",
            "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated",
        ),
        (
            "Sidecar:AllowOverrides:DownstreamApi",
            "Sidecar:AllowOverrides:CallDownstreamApi",
        ),
        ("DownstreamApis:x:Scope", "DownstreamApis:x:Scopes"),
        (
            "DownstreamApis:x:AcquireTokenOptions:Claim",
            "DownstreamApis:x:AcquireTokenOptions:Claims",
        ),
        ("DownstreamApi:x:Scopes", "DownstreamApis"),
        ("AzureAdd:TenantId", "AzureAd"),
    ] {
        let skip = ("AzureAd:ClientCredentials:0:Skip", "true");
        let (_, warnings) = read(&[skip, (key, A_SECRET)]).expect(key);
        let text = format!("is not known, so it is not read. The nearest known one is {nearest}.");
        assert!(
            warnings.iter().any(|line| line.contains(&text)),
            "{key}: {warnings:?}"
        );
        assert!(
            !warnings.iter().any(|line| line.contains("hunter2")),
            "{warnings:?}"
        );
    }
    assert_warned(&[
        (
            "Sidecar:Frobnicate",
            "1",
            "is not known, so it is not read. Remove it.",
        ),
        (
            "chek",
            "1",
            "is not known, so it is not read. Run the program with --help.",
        ),
        (
            "AzureAd:TenantId:x",
            "1",
            "is not read: what is above it is one value.",
        ),
        ("Sidecar", "1", "is not read: it is a section and no value."),
    ]);
}

#[test]
fn a_key_without_effect_is_a_warning_and_one_that_makes_no_difference_is_none() {
    assert_warned(&[
        (
            "AzureAd:Audiences:0",
            "a",
            "has no effect. Use AzureAd:TokenValidationParameters:ValidAudiences.",
        ),
        (
            "AzureAd:TokenValidationParameters:ValidateIssuer",
            "false",
            "Each token is checked in full",
        ),
        ("AzureAd:ExtraQueryParameters:dc", "x", "has no effect."),
        (
            "TokenCache:EnableDistributedCache",
            "true",
            "has no effect. Tokens are held in memory",
        ),
        (
            "ApplicationInsights:ConnectionString",
            A_SECRET,
            "has no effect.",
        ),
        (
            "DATA_PROTECTION_KEYS_PATH",
            "/keys",
            "has no effect. Nothing is stored",
        ),
        (
            "AllowedHosts",
            "localhost;contoso.com",
            "\"contoso.com\" has no effect",
        ),
    ]);
    good(&[
        ("AllowedHosts", "*"),
        ("AzureAd:Domain", "contoso.com"),
        ("AzureAd:CallbackPath", "/signin-oidc"),
        ("AzureAd:AzureRegion", "westeurope"),
        ("AzureAd:EnablePiiLogging", "true"),
        ("AzureAd:IncludeErrorDetails", "false"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"),
        ("Kestrel:Limits:MaxConcurrentConnections", "1"),
    ]);
}

#[test]
fn sections_of_other_programs_are_silent_but_on_the_command_line() {
    let origins = [
        (Origin::Variable("Some__Other__Section".to_owned()), 0),
        (
            Origin::File {
                name: "appsettings.json".into(),
                order: 0,
            },
            0,
        ),
        (Origin::Argument, 1),
    ];
    for (origin, warnings) in origins {
        let mut tree = Tree::default();
        tree.set("AzureAd:TenantId", Some(TENANT.to_owned()), &origin);
        tree.set("AzureAd:ClientId", Some(CLIENT.to_owned()), &origin);
        tree.set("Some:Other:Section", Some("1".to_owned()), &origin);
        let read = settings(&tree.root(), "Production").expect("settings");
        assert_eq!(read.1.len(), warnings, "{origin:?}");
    }
}

#[test]
fn warnings_are_bounded() {
    let keys: Vec<_> = (0..1_000).map(|at| format!("Sidecar:x{at}")).collect();
    let values: Vec<_> = keys.iter().map(|key| (&**key, "1")).collect();
    let (_, warnings) = read(&values).expect("settings");
    assert_eq!(warnings.len(), 100);
}
