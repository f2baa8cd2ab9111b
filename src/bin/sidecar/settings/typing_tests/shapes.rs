//! A list or a section in the place of a value, and the reverse.

use super::*;
use crate::settings::json;

/// Of a file that says this beside what must be set.
fn read_file(text: &str) -> Result<(Settings, Lines), Lines> {
    let mut tree = Tree::default();
    let file = |order| Origin::File {
        name: "f".into(),
        order,
    };
    for (path, value) in [("AzureAd:TenantId", TENANT), ("AzureAd:ClientId", CLIENT)] {
        tree.set(path, Some(value.to_owned()), &file(0));
    }
    for (path, value) in json::values(text).expect(text) {
        tree.set(&path, value, &file(1));
    }
    match settings(&tree.root(), "Production") {
        Ok((settings, warnings)) => {
            Ok((settings, warnings.iter().map(ToString::to_string).collect()))
        }
        Err(problems) => Err(problems.to_string().lines().map(str::to_owned).collect()),
    }
}

/// One of the lines is about this key, and no other is.
#[track_caller]
fn assert_wrong(text: &str, key: &str, found: &str) {
    let lines = read_file(text).expect_err(text);
    let beginning = format!("{key} (file f): {found}. Accepted: ");
    let of_key = format!("{key} ");
    let about_key: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with(&of_key))
        .collect();
    assert!(
        matches!(&*about_key, [line] if line.starts_with(&beginning)),
        "{text}: {lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("hunter2")),
        "{lines:?}"
    );
}

#[test]
fn a_list_or_a_section_where_one_value_is_expected_is_wrong() {
    let keys = [
        "AllowedHosts",
        "AzureAd:AllowWebApiToBeAuthorizedByACL",
        "AzureAd:Authority",
        "AzureAd:ClientCredentials:0:ClientSecret",
        "AzureAd:ClientCredentials:0:Skip",
        "AzureAd:ClientCredentials:0:SourceType",
        "AzureAd:ClientId",
        "AzureAd:ClientSecret",
        "AzureAd:IncludeErrorDetails",
        "AzureAd:Instance",
        "AzureAd:SendX5C",
        "AzureAd:TenantId",
        "DownstreamApis:x:AcceptHeader",
        "DownstreamApis:x:AcquireTokenOptions:AuthenticationOptionsName",
        "DownstreamApis:x:AcquireTokenOptions:Claims",
        "DownstreamApis:x:AcquireTokenOptions:ForceRefresh",
        "DownstreamApis:x:AcquireTokenOptions:PopPublicKey",
        "DownstreamApis:x:AcquireTokenOptions:Tenant",
        "DownstreamApis:x:BaseUrl",
        "DownstreamApis:x:ExtraHeaderParameters:X-A",
        "DownstreamApis:x:ExtraQueryParameters:a",
        "DownstreamApis:x:HttpMethod",
        "DownstreamApis:x:ProtocolScheme",
        "DownstreamApis:x:RelativePath",
        "DownstreamApis:x:RequestAppToken",
        "ForwardedHeaders_Enabled",
        "HTTP_PORTS",
        "Kestrel:Endpoints:a:Url",
        "Logging:Console:FormatterName",
        "Logging:LogLevel:Default",
        "Sidecar:AllowOutboundRedirects",
        "Sidecar:AllowOverrides:CallDownstreamApi",
        "Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated",
        "Sidecar:AllowOverrides:GetAuthorizationHeader",
        "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated",
        "Sidecar:AllowPlainHttp",
        "Sidecar:IgnoreDeniedAgents",
        "Sidecar:LenientAgentParameters",
        "Sidecar:MetricsUrl",
        "Urls",
    ];
    for key in keys {
        for value in ["false", "\"text\"", "null", "{}"] {
            assert_wrong(&format!("{{\"{key}\": [{value}]}}"), key, "is a list");
            let section = format!("{{\"{key}\": {{\"Name\": {value}}}}}");
            assert_wrong(&section, key, "is a section");
        }
    }
}

#[test]
fn one_value_where_a_section_or_a_list_of_sections_is_expected_is_wrong() {
    let keys = [
        "AzureAd",
        "AzureAd:ClientCertificates",
        "AzureAd:ClientCredentials",
        "AzureAd:ClientCredentials:0",
        "AzureAd:TokenValidationParameters",
        "DownstreamApis",
        "DownstreamApis:0",
        "DownstreamApis:x",
        "DownstreamApis:x:AcquireTokenOptions",
        "DownstreamApis:x:ExtraHeaderParameters",
        "DownstreamApis:x:ExtraQueryParameters",
        "Kestrel",
        "Kestrel:Endpoints",
        "Kestrel:Endpoints:a",
        "Logging",
        "Logging:Console",
        "Logging:Console:LogLevel",
        "Logging:LogLevel",
        "Sidecar",
        "Sidecar:AllowOverrides",
    ];
    for key in keys {
        for value in ["false", "5", "\"hunter2\""] {
            assert_wrong(&format!("{{\"{key}\": {value}}}"), key, "is one value");
        }
    }
    for key in ["Sidecar:AllowOverrides", "Sidecar", "AzureAd"] {
        assert_refused(&[(key, "false", "is one value. Accepted: a section")]);
    }
}

#[test]
fn a_list_where_a_section_is_expected_is_wrong() {
    for key in [
        "AzureAd",
        "AzureAd:TokenValidationParameters",
        "DownstreamApis:x",
        "DownstreamApis:x:AcquireTokenOptions",
        "DownstreamApis:x:ExtraHeaderParameters",
        "DownstreamApis:x:ExtraQueryParameters",
        "Kestrel",
        "Logging",
        "Logging:Console",
        "Logging:LogLevel",
        "Sidecar",
        "Sidecar:AllowOverrides",
    ] {
        for element in ["false", "\"X: y\"", "{\"CallDownstreamApi\": false}"] {
            assert_wrong(&format!("{{\"{key}\": [{element}]}}"), key, "is a list");
        }
    }
}

#[test]
fn a_list_of_levels_is_wrong_at_any_depth() {
    for category in ["tower_entra", "tower_entra:audit"] {
        let text = format!("{{\"Logging:LogLevel:{category}\": [\"Debug\"]}}");
        let lines = read_file(&text).expect_err(&text);
        let line = format!("Logging:LogLevel:{category} (file f): is a list. Accepted: ");
        assert!(lines[0].starts_with(&line), "{lines:?}");
    }
}

#[test]
fn a_list_of_texts_has_nothing_else() {
    for key in [
        "AzureAd:Audience",
        "AzureAd:ClientCapabilities",
        "AzureAd:Scopes",
        "AzureAd:TokenValidationParameters:ValidAudience",
        "AzureAd:TokenValidationParameters:ValidAudiences",
        "DownstreamApis:x:Scopes",
    ] {
        let first = format!("{key}:0");
        for element in ["[\"Admin\"]", "{\"Name\": \"Admin\"}", "[[\"Admin\"]]"] {
            let text = format!("{{\"{key}\": [{element}]}}");
            assert_wrong(&text, &first, "is a section or a list");
        }
        for element in ["[]", "{}", "null"] {
            let text = format!("{{\"{key}\": [{element}]}}");
            assert_wrong(&text, &first, "is null or empty");
        }
        let second = format!("{key}:1");
        let text = format!("{{\"{key}\": [\"a/b\", [\"Admin\"]]}}");
        assert_wrong(&text.replace("a/b", "r"), &second, "is a section or a list");
        let text = format!("{{\"{key}\": {{\"Name\": \"Admin\"}}}}");
        assert_wrong(&text, key, "is a section");
        let two = format!("{{\"{key}\": [[\"Admin\"], null], \"{key}:Name\": \"Admin\"}}");
        assert_eq!(read_file(&two).expect_err(&two).len(), 3, "{two}");
        for right in ["\"r\"", "[\"r\"]", "\"\"", "[]", "null", "[\"r\", \"s t\"]"] {
            let text = format!("{{\"{key}\": {right}}}");
            let (_, warnings) = read_file(&text).expect(&text);
            assert!(warnings.is_empty(), "{text}: {warnings:?}");
        }
    }
}

#[test]
fn a_switch_of_the_overrides_is_never_blank() {
    for name in [
        "CallDownstreamApi",
        "CallDownstreamApiUnauthenticated",
        "GetAuthorizationHeader",
        "GetAuthorizationHeaderUnauthenticated",
    ] {
        let key = format!("Sidecar:AllowOverrides:{name}");
        for blank in ["\"\"", "\" \"", "[]", "null", "{}"] {
            assert_wrong(&format!("{{\"{key}\": {blank}}}"), &key, "is blank");
        }
        assert_refused(&[(&key, "", "is blank. Accepted: true, false. ")]);
        good(&[(&key, "false")]);
    }
    for blank in ["[]", "\"\""] {
        let text = format!("{{\"Sidecar\": {{\"AllowOverrides\": {blank}}}}}");
        assert_wrong(&text, "Sidecar:AllowOverrides", "is blank");
    }
}

#[test]
fn what_has_the_right_shape_is_read() {
    for text in [
        "{\"Sidecar\": {\"AllowOverrides\": {}}}",
        "{\"Sidecar\": {\"AllowOverrides\": null}}",
        "{\"Sidecar\": {}}",
        "{\"TokenCache\": {}, \"ApplicationInsights\": null, \"AzureAd\": {\"AzureRegion\": \"\"}}",
        "{\"Sidecar\": null, \"Kestrel\": {}, \"Logging\": null, \"DownstreamApis\": {}}",
        "{\"AzureAd\": {\"ClientCredentials\": []}}",
        "{\"AzureAd\": {\"ClientCredentials\": [], \"ClientCertificates\": []}}",
        "{\"AzureAd\": {\"TokenDecryptionCredentials\": []}}",
        "{\"DownstreamApis\": []}",
        "{\"DownstreamApis\": {\"x\": {}}}",
        "{\"DownstreamApis\": {\"x\": {\"ExtraHeaderParameters\": {\"X\": \"y\", \"Z\": 1}}}}",
        "{\"DownstreamApis\": {\"x\": {\"ExtraQueryParameters\": {\"a\": \"b\", \"c\": null}}}}",
        "{\"DownstreamApis\": [{\"BaseUrl\": \"https://a\"}]}",
        "{\"Kestrel\": {\"Limits\": {\"MaxRequestLineSize\": 1}, \"AddServerHeader\": false}}",
        "{\"Kestrel\": {\"Endpoints\": {\"a\": {\"Url\": \"http://*:1\", \"SslProtocols\": [\"Tls12\"]}}}}",
        "{\"Kestrel\": {\"Endpoints\": [{\"Url\": \"http://*:1\"}]}}",
        "{\"Logging\": {\"LogLevel\": {\"Default\": \"Debug\", \"tower_entra::audit\": \"None\"}}}",
        "{\"Logging\": {\"IncludeScopes\": false, \"Debug\": {\"LogLevel\": {\"a\": \"b\"}}}}",
        "{\"Logging\": {\"Console\": {\"FormatterOptions\": {\"IncludeScopes\": true}}}}",
        "{\"Other\": [[1], {\"a\": []}], \"ConnectionStrings\": {\"0\": [\"b\"]}}",
    ] {
        let (_, warnings) = read_file(text).expect(text);
        assert!(warnings.is_empty(), "{text}: {warnings:?}");
    }
}

#[test]
fn a_scope_of_a_list_and_an_override_that_is_off_are_kept() {
    let text = "{\"AzureAd\": {\"Scopes\": [\"Admin\"], \"Audience\": [\"api://a\"]}, \
                \"Sidecar\": {\"AllowOverrides\": {\"CallDownstreamApi\": false}}}";
    let (settings, warnings) = read_file(text).expect("settings");
    assert_eq!(settings.azure_ad.scopes, ["Admin"]);
    assert_eq!(
        settings.azure_ad.audiences,
        Some(vec!["api://a".to_owned()])
    );
    assert!(!settings.allow_overrides.downstream_api);
    assert!(warnings.is_empty(), "{warnings:?}");
}
