//! `DownstreamApis`.

use super::*;

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
        ("DownstreamApis:Orders:ExtraQueryParameters:blank", ""),
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
        ("DownstreamApis:purge:HttpMethod", "Purge"),
    ]);
    let names: Vec<_> = settings.apis.keys().collect();
    assert_eq!(names, ["Orders", "empty", "purge"]);
    // Only the methods that .NET knows have no letter case.
    assert_eq!(settings.apis["purge"].http_method.as_str(), "Purge");
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
        ("HttpMethod", "track", "is no method of a call"),
        ("HttpMethod", "DEBUG", "is no method of a call"),
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
            "{\"access_token\":{},\"access_token\":{\"hunter2-is-secret\":null}}",
            "has a member twice",
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
