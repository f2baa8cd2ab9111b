//! A configuration as text: in a document, in the environment, in files that variables name. Each bad one
//! differs from a good one in one setting.

use std::{
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tower_entra::{Audiences, Authority, ConfigErrors, EntraConfig, ErrorKind, Tenants, Validator};

use crate::support::*;

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const SECRET: &str = "aB08Q~0123456789012345678901234567890123";

/// The variables of a good environment.
const GOOD: [(&str, &str); 2] = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)];

/// Reads the good environment with these variables more, or instead of those of the same name.
fn with(variables: &[(&str, &str)]) -> Result<EntraConfig, ConfigErrors> {
    let is_replaced = |name: &str| variables.iter().any(|(other, _)| *other == name);
    let good = GOOD.into_iter().filter(|(name, _)| !is_replaced(name));
    EntraConfig::from_vars(good.chain(variables.iter().copied()))
}

#[track_caller]
fn is(config: Result<EntraConfig, ConfigErrors>, tenants: Tenants, audiences: Audiences) {
    is_of(config, tenants, audiences, &Authority::public());
}

#[track_caller]
fn is_of(
    config: Result<EntraConfig, ConfigErrors>,
    tenants: Tenants,
    audiences: Audiences,
    authority: &Authority,
) {
    let builder = Validator::builder(tenants, audiences).authority(authority.clone());
    let config = config.unwrap();
    assert_eq!(format!("{:?}", config.builder()), format!("{builder:?}"));
    assert!(config.validator().is_ok());
}

#[track_caller]
fn refused(config: Result<EntraConfig, ConfigErrors>, lines: &[&str]) {
    let errors = config.expect_err("a bad configuration");
    let found: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(found, lines);
    assert_eq!(errors.to_string(), lines.join("\n"));
}

fn document(change: impl FnOnce(&mut Value)) -> Result<EntraConfig, String> {
    let mut document = json!({"TenantId": TENANT, "ClientId": CLIENT});
    change(&mut document);
    serde_json::from_value(document).map_err(|error| error.to_string())
}

/// A file that is removed with this.
struct TestFile(PathBuf);

impl TestFile {
    fn of(contents: impl AsRef<[u8]>) -> Self {
        static FILES: AtomicUsize = AtomicUsize::new(0);

        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-entra-config-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, contents).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn each_wrong_variable_is_named_as_it_was_written() {
    for (name, value, problem) in [
        (
            "AZURE_TENANT_ID",
            "contoso.onmicrosoft.com",
            "\"contoso.onmicrosoft.com\" is not a tenant GUID, organizations, common or consumers",
        ),
        (
            "azure_tenant_id",
            "contoso",
            "\"contoso\" is not a tenant GUID, organizations, common or consumers",
        ),
        (
            "AZURE_TENANT_ID",
            &format!("{TENANT},organizations"),
            "\"organizations\" is not a tenant GUID",
        ),
        ("AZURE_TENANT_ID", " ", "is blank"),
        (
            "AZURE_CLIENT_ID",
            "orders",
            "\"orders\" is not a client id GUID",
        ),
        (
            "AZURE_CLIENT_ID",
            "api://orders",
            "\"api://orders\" is not a client id GUID",
        ),
        ("AZURE_CLIENT_ID", "", "is blank"),
        (
            "AZURE_CLIENT_ID",
            SECRET,
            "(40 characters that look like a credential) is not a client id GUID",
        ),
        (
            "AZURE_CLIENT_ID",
            "a\nb",
            "\"a\\nb\" is not a client id GUID",
        ),
        (
            "AzureAd__Audience",
            "api://orders api://billing",
            "\"api://orders api://billing\" is not a client id or an App ID URI",
        ),
        (
            "AzureAd__Audience",
            "api://orders,api://billing",
            "\"api://orders,api://billing\" has a comma; several audiences are set by Audiences",
        ),
        (
            "AzureAd__Audiences__0",
            "api://orders,api://billing",
            "\"api://orders,api://billing\" has a comma; each value of a list stands alone",
        ),
        (
            "AzureAd__Scopes__0",
            "Orders.Read,Orders.Write",
            "\"Orders.Read,Orders.Write\" has a comma; each value of a list stands alone",
        ),
        (
            "AzureAd__Audiences__1",
            "\u{e9}",
            "\"\\u{e9}\" is not a client id or an App ID URI",
        ),
        (
            "AZURE_AUTHORITY_HOST",
            "login.microsoftonline.com",
            "\"login.microsoftonline.com\" is not an http or https URL with a host",
        ),
        (
            "AzureAd__Instance",
            "https://login.microsoftonline.com/common",
            "\"https://login.microsoftonline.com/common\" must be scheme and host only, without a path",
        ),
        (
            "AzureAd__Instance",
            "http://127.0.0.1:4000",
            "\"http://127.0.0.1:4000\" must be https; for tests on this machine, set \
             Authority::insecure_loopback in code",
        ),
        (
            "AzureAd__Instance",
            "https://user:password@login.example",
            "the URL must not have a user or a password",
        ),
        (
            "AzureAd__Scopes",
            "Orders.Read api://orders/Orders.Write",
            "\"api://orders/Orders.Write\" is what a client asks for; tokens have only the last part",
        ),
        (
            "AzureAd__Scopes__0",
            &format!("{CLIENT}/Orders.Read"),
            &format!(
                "\"{CLIENT}/Orders.Read\" is what a client asks for; tokens have only the last part"
            ),
        ),
        (
            "AzureAd__Scopes",
            &format!("{CLIENT}/.default"),
            &format!(
                "\"{CLIENT}/.default\" is what a client asks for; tokens have only the last part"
            ),
        ),
        ("AzureAd__Scopes", ".default", "\".default\" is in no token"),
        ("AzureAd__Scopes__0", "a b", "\"a b\" is not one scope"),
        (
            "AzureAd__AllowWebApiToBeAuthorizedByACL",
            "true",
            "takes a check away, which only code does: Validator::with_authorization_by_acl",
        ),
        (
            "AzureAd__AllowWebApiToBeAuthorizedByACL",
            "yes",
            "must be true or false",
        ),
        (
            "AzureAd__Authority",
            "https://login.microsoftonline.com/common",
            "is not read; set Instance and TenantId instead",
        ),
        (
            "AzureAd__TokenValidationParameters__ValidateAudience",
            "false",
            "is not read; Audience and Audiences are the only parameters of checks",
        ),
        (
            "AzureAd__Audiance",
            "api://orders",
            "is not a setting; there are TenantId, ClientId, Audience, Audiences, Instance and Scopes",
        ),
        (
            "AZUREAD:Audiance_FILE",
            "api://orders",
            "is not a setting; there are TenantId, ClientId, Audience, Audiences, Instance and Scopes",
        ),
        (
            "AzureAd__ClientId__0",
            CLIENT,
            "is not a setting; a list has a number, as in AzureAd__Audiences__0",
        ),
        (
            "AzureAd__Scopes__Read",
            "Orders.Read",
            "is not a setting; a list has a number, as in AzureAd__Audiences__0",
        ),
    ] {
        let is_same = |other: &str| other.eq_ignore_ascii_case(name);
        let good = GOOD.into_iter().filter(|(other, _)| !is_same(other));
        let config = EntraConfig::from_vars(good.chain([(name, value)]));
        refused(config, &[&format!("{name}: {problem}")]);
    }
}

#[test]
fn a_setting_that_is_missing_is_named() {
    const NO_TENANT: &str = "AzureAd__TenantId: is not set; AZURE_TENANT_ID does as well";
    const NO_CLIENT: &str =
        "AzureAd__ClientId: is not set, and no audience is; AZURE_CLIENT_ID does as well";

    let none: [(&str, &str); 0] = [];
    refused(EntraConfig::from_vars(none), &[NO_TENANT, NO_CLIENT]);
    refused(EntraConfig::from_vars([GOOD[0]]), &[NO_CLIENT]);
    refused(EntraConfig::from_vars([GOOD[1]]), &[NO_TENANT]);
}

#[test]
fn all_problems_are_reported_at_once_in_one_order() {
    let mut variables = vec![
        ("AZUREAD__SCOPES", "api://orders/Orders.Read .default"),
        ("AzureAd__Audiences__1", "a\"b"),
        ("AzureAd__Audiences__0", "a b"),
        ("AzureAd__Colour", "red"),
        ("AZURE_AUTHORITY_HOST", "https://login.windows.net"),
        ("AZURE_CLIENT_ID", "x"),
        ("AZURE_TENANT_ID_FILE", "/nonexistent/tenant"),
    ];
    let lines = [
        "AZURE_TENANT_ID_FILE: \"/nonexistent/tenant\" cannot be read: No such file or directory (os error 2)",
        "AzureAd__Colour: is not a setting; there are TenantId, ClientId, Audience, Audiences, Instance and Scopes",
        "AZURE_CLIENT_ID: \"x\" is not a client id GUID",
        "AzureAd__Audiences__0: \"a b\" is not a client id or an App ID URI",
        "AzureAd__Audiences__1: \"a\\\"b\" is not a client id or an App ID URI",
        "AZURE_AUTHORITY_HOST: \"https://login.windows.net\" is another name of \
         https://login.microsoftonline.com, which is the one in issuers",
        "AZUREAD__SCOPES: \"api://orders/Orders.Read\" is what a client asks for; tokens have only the last part",
        "AZUREAD__SCOPES: \".default\" is in no token",
    ];
    refused(EntraConfig::from_vars(variables.clone()), &lines);
    variables.reverse();
    refused(EntraConfig::from_vars(variables), &lines);
}

#[test]
fn a_setting_with_two_values_under_two_names_is_refused() {
    for (name, value, problem) in [
        (
            "AzureAd__TenantId",
            "dd0f374e-74a5-4996-af69-500cda64057a",
            "AzureAd__TenantId: sets the same as AZURE_TENANT_ID, to another value",
        ),
        (
            "azure_tenant_id",
            "dd0f374e-74a5-4996-af69-500cda64057a",
            "azure_tenant_id: sets the same as AZURE_TENANT_ID, to another value",
        ),
        (
            "AzureAd__TenantId__0",
            TENANT,
            "AzureAd__TenantId__0: sets the same as AZURE_TENANT_ID, to another value",
        ),
        (
            "AzureAd__ClientId",
            "001458b4-6bef-4de5-acde-bf9b2edaf9fb",
            "AzureAd__ClientId: sets the same as AZURE_CLIENT_ID, to another value",
        ),
    ] {
        refused(with(&[(name, value)]), &[problem]);
    }
    let file = TestFile::of("001458b4-6bef-4de5-acde-bf9b2edaf9fb");
    refused(
        with(&[("AZURE_CLIENT_ID_FILE", file.path())]),
        &["AZURE_CLIENT_ID_FILE: sets the same as AZURE_CLIENT_ID, to another value"],
    );
    refused(
        with(&[("AzureAd__Scopes__0", "a"), ("AzureAd__scopes__0", "b")]),
        &["AzureAd__scopes__0: sets the same as AzureAd__Scopes__0, to another value"],
    );
    let same = |name: &str, value: &str| assert!(with(&[(name, value)]).is_ok(), "{name}={value}");
    same("AzureAd__TenantId", &TENANT.to_uppercase());
    same("AzureAd__ClientId", &CLIENT.to_uppercase());
    let host = "https://login.microsoftonline.us";
    let slash = format!("{host}/");
    assert!(
        with(&[
            ("AzureAd__Instance", host),
            ("AZURE_AUTHORITY_HOST", &slash)
        ])
        .is_ok()
    );
    // The same value is no contradiction: a platform may have set it as well.
    let client = Audiences::client_id(CLIENT);
    let twice = [("AzureAd__TenantId", TENANT), ("AzureAd__ClientId", "")];
    is(with(&twice), Tenants::single(TENANT), client);
}

#[test]
fn a_file_that_is_missing_empty_too_large_or_no_text_is_refused() {
    let variable = "AZURE_CLIENT_ID_FILE";
    let read = |path: &str| with(&[("AZURE_CLIENT_ID", ""), (variable, path)]);
    let full = CLIENT.len() + (64 * 1024 - CLIENT.len());
    let padded = |len: usize| format!("{CLIENT}{}", "\n".repeat(len - CLIENT.len()));
    for (contents, problem) in [
        (String::new().into_bytes(), "is empty"),
        (b" \r\n".to_vec(), "is empty"),
        (padded(full + 1).into_bytes(), "has more than 65536 bytes"),
        (vec![0xff; 36], "is not UTF-8"),
    ] {
        let file = TestFile::of(contents);
        let path = file.path();
        refused(read(path), &[&format!("{variable}: {path:?} {problem}")]);
    }
    let folder = env::temp_dir();
    let path = folder.to_str().unwrap();
    refused(
        read(path),
        &[&format!("{variable}: {path:?} is not a file")],
    );
    refused(
        read("/dev/zero"),
        &[&format!("{variable}: \"/dev/zero\" is not a file")],
    );
    refused(
        read("/nonexistent"),
        &[&format!(
            "{variable}: \"/nonexistent\" cannot be read: No such file or directory (os error 2)"
        )],
    );
    for contents in [CLIENT.to_owned(), format!("{CLIENT}\r\n"), padded(full)] {
        let file = TestFile::of(contents);
        let client = Audiences::client_id(CLIENT);
        is(read(file.path()), Tenants::single(TENANT), client);
    }
}

#[test]
fn the_contents_of_a_wrong_file_are_not_shown() {
    let file = TestFile::of("hunter2\n");
    let path = file.path();
    for (variable, problem) in [
        (
            "AzureAd__TenantId_FILE",
            "is not a tenant GUID, organizations, common or consumers",
        ),
        ("AzureAd__ClientId_FILE", "is not a client id GUID"),
        (
            "AzureAd__Instance_FILE",
            "is not an http or https URL with a host",
        ),
    ] {
        let setting = variable.replace("AzureAd__", "").replace("_FILE", "");
        let own = ["TENANT_ID", "CLIENT_ID"]
            .into_iter()
            .find(|own| own.replace('_', "").eq_ignore_ascii_case(&setting));
        let own = own.map(|own| format!("AZURE_{own}"));
        let own = own.iter().map(|own| (own.as_str(), ""));
        let variables: Vec<_> = own.chain([(variable, path)]).collect();
        let problem = format!("{variable}: a text of 7 characters in the file {problem}");
        refused(with(&variables), &[&problem]);
    }
}

#[test]
fn secrets_of_the_same_section_are_neither_read_nor_shown() {
    let config = with(&[
        ("AzureAd__ClientSecret", SECRET),
        ("AzureAd__ClientCredentials__0__ClientSecret", SECRET),
        ("AZURE_CLIENT_SECRET", SECRET),
        ("AZURE_FEDERATED_TOKEN_FILE", "/nonexistent"),
        ("AzureAdB2C__ClientId", "x"),
        ("AzureAd__Domain", "contoso.onmicrosoft.com"),
        ("AzureAd__CallbackPath", "/signin-oidc"),
        ("AzureAd__AllowWebApiToBeAuthorizedByACL", "False"),
    ]);
    let shown = format!("{config:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    is(
        config,
        Tenants::single(TENANT),
        Audiences::client_id(CLIENT),
    );
}

#[test]
fn a_value_or_a_list_that_is_too_long_is_refused() {
    let long = "a".repeat(64 * 1024 + 1);
    refused(
        with(&[("AzureAd__Scopes", &long)]),
        &["AzureAd__Scopes: has 65537 bytes, more than 65536"],
    );
    let many = "a ".repeat(101);
    refused(
        with(&[("AzureAd__Scopes", &many)]),
        &["AzureAd__Scopes: has more than 100 values"],
    );
    assert!(with(&[("AzureAd__Scopes", &"a ".repeat(100))]).is_ok());
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_unicode_is_refused() {
    use std::os::unix::ffi::OsStringExt;

    let other = |text: &str| OsString::from(text);
    let bad = OsString::from_vec(vec![0xff]);
    let config = EntraConfig::from_vars([
        (other("AZURE_TENANT_ID"), other(TENANT)),
        (other("AZURE_CLIENT_ID"), bad.clone()),
        (bad.clone(), bad),
    ]);
    refused(config, &["AZURE_CLIENT_ID: is not UTF-8"]);
}

#[test]
fn a_host_that_names_the_tenant_needs_one_tenant() {
    const HOST: &str = "https://{tid}.ciamlogin.com";

    let host = ("AzureAd__Instance", HOST);
    refused(
        with(&[("AZURE_TENANT_ID", "organizations"), host]),
        &[
            "AzureAd__Instance: \"https://{tid}.ciamlogin.com\" names {tid}, which needs a single tenant",
        ],
    );
    let client = Audiences::client_id(CLIENT);
    let authority = Authority::custom(HOST);
    is_of(with(&[host]), Tenants::single(TENANT), client, &authority);
}

#[test]
fn a_good_environment_is_read_whatever_the_letter_case_of_its_names() {
    let client = || Audiences::client_id(CLIENT);
    let single = || Tenants::single(TENANT);
    is(EntraConfig::from_vars(GOOD), single(), client());
    let upper = [("AZUREAD__TENANTID", TENANT), ("azuread__clientid", CLIENT)];
    is(EntraConfig::from_vars(upper), single(), client());
    let colons = [("AzureAd:TenantId", TENANT), ("AzureAd:ClientId", CLIENT)];
    is(EntraConfig::from_vars(colons), single(), client());
    for (tenant, tenants) in [
        ("organizations", Tenants::any_organization()),
        ("common", Tenants::any()),
        (
            "Consumers",
            Tenants::single("9188040d-6c67-4c5b-b112-36a304b66dad"),
        ),
        (
            &format!(" {TENANT} , {OTHER_TENANT}"),
            Tenants::list([TENANT, OTHER_TENANT]),
        ),
    ] {
        is(with(&[("AZURE_TENANT_ID", tenant)]), tenants, client());
    }
    is_of(
        with(&[("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/")]),
        single(),
        client(),
        &Authority::us_government(),
    );
}

#[test]
fn audiences_replace_those_of_the_client_id() {
    let single = || Tenants::single(TENANT);
    let orders = ("AzureAd__Audience", "api://orders");
    is(with(&[orders]), single(), Audiences::single("api://orders"));
    is(
        EntraConfig::from_vars([GOOD[0], orders]),
        single(),
        Audiences::single("api://orders"),
    );
    let both = Audiences::list(["api://orders", "api://billing"]);
    is(
        with(&[("AzureAd__Audiences", "api://orders, api://billing")]),
        single(),
        both.clone(),
    );
    // In the order of the numbers, which is not that of the names.
    is(
        with(&[
            ("AzureAd__Audiences__10", "api://billing"),
            ("AzureAd__Audiences__9", "api://orders"),
        ]),
        single(),
        both.clone(),
    );
    is(
        with(&[orders, ("AzureAd__Audiences__0", "api://billing")]),
        single(),
        both,
    );
}

#[test]
fn one_of_the_configured_scopes_is_required() {
    block_on(async {
        let config = with(&[("AzureAd__Scopes", "Orders.Read Orders.Write Orders.Read")]);
        let config = config.unwrap();
        assert_eq!(config.scopes(), ["Orders.Read", "Orders.Write"]);
        let requirement = config.scope_requirement().unwrap();
        let validator = issuer().validator();
        for (scope, is_enough) in [
            ("Orders.Read", true),
            ("Orders.Write", true),
            ("Orders.Delete Orders.Write", true),
            ("Orders.Delete", false),
            ("Orders.Read.All", false),
        ] {
            let token = issuer().user().scope(scope).mint();
            let caller = validator.validate(&token).await.unwrap();
            assert_eq!(requirement.check(&caller).is_ok(), is_enough, "{scope}");
        }
    });
    let none = with(&[("AzureAd__Scopes", " ")]).unwrap();
    assert_eq!(
        none.scope_requirement().unwrap_err().to_string(),
        "Scopes: is not set"
    );
}

#[test]
fn a_configured_client_id_admits_tokens_of_either_version_and_of_no_other_api() {
    let issuer = issuer();
    let variables = [
        ("AZURE_TENANT_ID", issuer.tenant_id()),
        ("AZURE_CLIENT_ID", CLIENT),
    ];
    let config = EntraConfig::from_vars(variables).unwrap();
    let validator = config.builder().authority(issuer.authority());
    let validator = validator.build().unwrap();
    block_on(async {
        let v2 = issuer.user().audience(CLIENT);
        let v1 = issuer.user().v1().audience(&format!("api://{CLIENT}"));
        for token in [v2, v1] {
            assert_eq!(outcome(&validator, &token.mint()).await, Ok(()));
        }
        for audience in [
            OTHER_APP.to_owned(),
            format!("api://{CLIENT}/"),
            format!("https://{CLIENT}"),
        ] {
            let token = issuer.user().audience(&audience).mint();
            let refused = outcome(&validator, &token).await;
            assert_eq!(refused, Err(ErrorKind::AudienceMismatch));
        }
    });
}

#[test]
fn each_wrong_setting_of_a_document_is_named_as_it_was_written() {
    for (name, value, problem) in [
        (
            "TenantId",
            json!("x"),
            "TenantId: \"x\" is not a tenant GUID, organizations",
        ),
        (
            "TenantId",
            json!(1),
            "TenantId: must be a text or a list of texts",
        ),
        (
            "TenantId",
            json!([TENANT, 1]),
            "TenantId: has a value that is no text",
        ),
        ("TenantId", json!(null), "TenantId: is not set"),
        ("TenantId", json!([]), "TenantId: is not set"),
        (
            "ClientId",
            json!(null),
            "ClientId: is not set, and no audience is",
        ),
        ("ClientId", json!([CLIENT]), "ClientId: must be one text"),
        ("ClientId", json!({"a": 1}), "ClientId: must be one text"),
        (
            "tenantId",
            json!(TENANT),
            "tenantId: is set twice, first as TenantId",
        ),
        (
            "client_id",
            json!(CLIENT),
            "client_id: is set twice, first as ClientId",
        ),
        (
            "Scopes",
            json!({"Read": ["a"]}),
            "Scopes: must be a text or a list of texts",
        ),
        ("scopes", json!(["a b"]), "scopes: \"a b\" is not one scope"),
        (
            "Scopes",
            json!(["api://x/a"]),
            "Scopes: \"api://x/a\" is what a client asks for",
        ),
        ("Audience", json!(true), "Audience: must be one text"),
        (
            "Instance",
            json!("x"),
            "Instance: \"x\" is not an http or https URL",
        ),
        ("Colour", json!("red"), "Colour: is not a setting"),
        ("a\nb", json!("red"), "a\\nb: is not a setting"),
        ("", json!("red"), ": is not a setting"),
        (
            "AllowWebApiToBeAuthorizedByACL",
            json!(true),
            "AllowWebApiToBeAuthorizedByACL: takes a check away",
        ),
        (
            "AllowWebApiToBeAuthorizedByACL",
            json!(1),
            "AllowWebApiToBeAuthorizedByACL: must be true or false",
        ),
    ] {
        let error = document(|document| document[name] = value.clone()).unwrap_err();
        assert!(error.starts_with(problem), "{name}: {value}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let error = document(|document| {
        document["TenantId"] = json!("x");
        document["ClientId"] = json!("x");
        document["Colour"] = json!("red");
    });
    let lines = error.unwrap_err();
    let names: Vec<_> = lines
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(names, ["Colour", "TenantId", "ClientId"]);
    for text in ["[]", "\"x\"", "{", "null", "{\"TenantId\":"] {
        assert!(serde_json::from_str::<EntraConfig>(text).is_err(), "{text}");
    }
}

#[test]
fn a_good_document_is_read_whatever_the_form_of_its_names() {
    let own = || (Tenants::single(TENANT), Audiences::client_id(CLIENT));
    let (tenants, client) = own();
    is(Ok(document(|_| {}).unwrap()), tenants, client);
    let snake = json!({"tenant_id": [TENANT], "client-id": CLIENT, "CLIENT_SECRET": {"a": 1}});
    let (tenants, client) = own();
    is(Ok(serde_json::from_value(snake).unwrap()), tenants, client);
    let template = document(|document| {
        document["Instance"] = json!("https://login.microsoftonline.com/");
        document["Domain"] = json!("contoso.onmicrosoft.com");
        document["CallbackPath"] = json!("/signin-oidc");
        document["Audiences"] = json!(["api://orders", "", "api://orders"]);
        document["Scopes"] = json!(["a", "c"]);
        document["AllowWebApiToBeAuthorizedByACL"] = json!(false);
    });
    let template = template.unwrap();
    assert_eq!(template.scopes(), ["a", "c"]);
    let audiences = Audiences::list(["api://orders"; 2]);
    is(Ok(template), Tenants::single(TENANT), audiences);
}
