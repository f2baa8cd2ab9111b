//! `AzureAd`.

use super::*;

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
            "a text of length 6 is not a client id",
        ),
        ("AzureAd:ClientId", ZERO, "is not a client id"),
        (
            "AzureAd:ClientId",
            "supersecretvalue",
            "a text of length 16 is not a client id",
        ),
        (
            "AzureAd:TenantId",
            "Super.secret",
            "a text of length 12 is not a tenant's GUID",
        ),
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
    assert_eq!(
        authority("https://127.0.0.1:4000"),
        Authority::custom("https://127.0.0.1:4000")
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
            "http://127.0.0.1:4000/#x",
            "must be scheme and host only",
        ),
        (
            "AzureAd:Instance",
            "http://:hunter2@127.0.0.1:4000",
            "the URL must not have a user",
        ),
        (
            "AzureAd:Instance",
            "http://jane@127.0.0.1:4000",
            "the URL must not have a user",
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
    let with_instance = [
        ("AzureAd:Authority", &*url),
        (
            "AzureAd:Instance",
            "https://login.partner.microsoftonline.cn",
        ),
        ("AzureAd:ClientId", CLIENT),
    ];
    let lines = read_only("Production", &with_instance).expect_err("no tenant");
    assert!(
        lines[0].starts_with("AzureAd:TenantId: is not set."),
        "{lines:?}"
    );
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
fn only_the_capability_cp1_says_that_challenges_are_answered() {
    for (capability, answers) in [("cp1", true), ("CP1", true), ("cp2", false)] {
        let settings = good(&[("AzureAd:ClientCapabilities:0", capability)]);
        assert_eq!(settings.azure_ad.claims_challenges, answers, "{capability}");
    }
}
