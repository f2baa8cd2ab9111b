//! Keys that are unknown or have no effect.

use super::*;

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
        // Only some sources name the environment.
        ("Environmen", "1", "Run the program with --help."),
        (
            "Url",
            "http://127.0.0.1:1",
            "The nearest known one is Urls.",
        ),
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
            "AzureAd:AzureRegion",
            "westeurope",
            "has no effect. Tokens come from the global endpoint",
        ),
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
        ("AzureAd:EnablePiiLogging", "true"),
        ("AzureAd:IncludeErrorDetails", "false"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"),
        ("Kestrel:Limits:MaxConcurrentConnections", "1"),
    ]);
}

#[test]
fn sections_of_other_programs_are_silent_but_on_the_command_line() {
    let variable = Origin::Variable("A_VARIABLE".to_owned());
    let file = Origin::File {
        name: "appsettings.json".into(),
        order: 0,
    };
    for (path, origin, warnings) in [
        ("Some:Other:Section", &variable, 0),
        ("Some:Other:Section", &file, 0),
        ("Some:Other:Section", &Origin::Argument, 1),
        // Near to one of this program: a section, and one value.
        ("AzureAdd:TenantId", &variable, 1),
        ("AzureAdd:TenantId", &file, 1),
        ("Url", &variable, 0),
        ("Url", &file, 0),
        ("Url", &Origin::Argument, 1),
    ] {
        let mut tree = Tree::default();
        tree.set("AzureAd:TenantId", Some(TENANT.to_owned()), origin);
        tree.set("AzureAd:ClientId", Some(CLIENT.to_owned()), origin);
        tree.set(path, Some("1".to_owned()), origin);
        let read = settings(&tree.root(), "Production").expect("settings");
        assert_eq!(read.1.len(), warnings, "{path}: {origin:?}");
    }
}

#[test]
fn warnings_are_bounded() {
    let keys: Vec<_> = (0..1_000).map(|at| format!("Sidecar:x{at}")).collect();
    let values: Vec<_> = keys.iter().map(|key| (&**key, "1")).collect();
    let (_, warnings) = read(&values).expect("settings");
    assert_eq!(warnings.len(), 100);
}
