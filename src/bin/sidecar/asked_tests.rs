use http::StatusCode;
use tower_entra::testing::Issuer;

use super::*;
use crate::{log::tests::Logged, route::Route, settings::tests::settings};

const AGENT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const USER: &str = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11";

/// Settings in which every route allows overrides.
fn open() -> Settings {
    let mut settings = settings(&Issuer::start_blocking());
    let allowed = &mut settings.allow_overrides;
    allowed.authorization_header_unauthenticated = true;
    allowed.downstream_api_unauthenticated = true;
    settings
}

fn lenient() -> Settings {
    Settings {
        lenient_agent_parameters: true,
        ..open()
    }
}

/// The agent of a query, or the status and detail of the refusal.
fn agent(settings: &Settings, query: &str) -> Result<Option<AskedAgent>, (u16, String)> {
    let asked = Asked::read(Some(query), Route::AuthorizationHeader, settings);
    asked
        .and_then(|asked| asked.agent(settings))
        .map_err(|problem| told(&problem))
}

fn told(problem: &Problem) -> (u16, String) {
    (problem.status(), problem.detail().to_owned())
}

fn overrides(query: &str) -> Result<Overrides, (u16, String)> {
    let settings = open();
    let asked = Asked::read(Some(query), Route::AuthorizationHeader, &settings);
    asked
        .map(|asked| asked.overrides)
        .map_err(|problem| told(&problem))
}

/// Whom the query names: the agent, and the kind of its user's name.
fn named(settings: &Settings, query: &str) -> (Option<String>, Option<&'static str>) {
    let agent = agent(settings, query).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"));
    (
        agent.as_ref().map(|agent| agent.id.to_string()),
        agent.and_then(|agent| agent.user.map(|user| user.kind)),
    )
}

#[test]
fn an_agent_and_one_user_of_it_are_taken() {
    let settings = open();
    let some = |kind| (Some(AGENT.to_owned()), kind);
    for (query, expected) in [
        (String::new(), (None, None)),
        ("a=b&agent=x".to_owned(), (None, None)),
        (format!("AgentIdentity={AGENT}"), some(None)),
        (format!("agentidentity={AGENT}"), some(None)),
        (
            format!("AGENTIDENTITY=%20%7B{}%7D+", AGENT.to_uppercase()),
            some(None),
        ),
        (
            format!("AgentIdentity={}", AGENT.replace('-', "")),
            some(None),
        ),
        (
            format!("AgentIdentity={AGENT}&agentUserId={USER}"),
            some(Some("agent_user_id")),
        ),
        (
            format!("AgentUserId=({USER})&AgentIdentity={AGENT}"),
            some(Some("agent_user_id")),
        ),
        (
            format!("AgentIdentity={AGENT}&AgentUsername=agent%40contoso.com"),
            some(Some("agent_user_name")),
        ),
    ] {
        assert_eq!(named(&settings, &query), expected, "{query}");
        assert_eq!(named(&lenient(), &query), expected, "{query}");
    }
}

/// Each differs in one thing from a query that is taken. None of the values is in the answer.
#[test]
fn agent_parameters_that_fit_nothing_are_refused_without_their_values() {
    let zero = "00000000-0000-0000-0000-000000000000";
    let a = format!("AgentIdentity={AGENT}");
    let name = "AgentUsername=jane%40contoso.com";
    let id = format!("AgentUserId={USER}");
    let guid = |name: &str| format!("{name} must be a non-empty GUID.");
    let twice = |name: &str| format!("{name} is given more than once.");
    for (query, detail, also_lenient) in [
        ("AgentIdentity=".to_owned(), guid(IDENTITY), true),
        ("AgentIdentity".to_owned(), guid(IDENTITY), true),
        ("AgentIdentity=%20+".to_owned(), guid(IDENTITY), true),
        ("AgentIdentity=agent".to_owned(), guid(IDENTITY), true),
        (format!("AgentIdentity={AGENT}x"), guid(IDENTITY), true),
        (
            format!("AgentIdentity={AGENT},{AGENT}"),
            guid(IDENTITY),
            true,
        ),
        (format!("AgentIdentity={zero}"), guid(IDENTITY), true),
        (format!("{a}&{a}"), twice(IDENTITY), true),
        (format!("{a}&agentidentity={AGENT}"), twice(IDENTITY), true),
        (format!("{a}&AgentIdentity="), twice(IDENTITY), true),
        (format!("{a}&AgentUserId="), guid(USER_ID), true),
        (format!("{a}&AgentUserId=jane"), guid(USER_ID), true),
        (format!("{a}&AgentUserId={zero}"), guid(USER_ID), true),
        (format!("{a}&{id}&{id}"), twice(USER_ID), true),
        (
            format!("{a}&AgentUsername="),
            "AgentUsername must not be empty.".to_owned(),
            true,
        ),
        (format!("{a}&{name}&{name}"), twice(USER_NAME), true),
        ("AgentUserId=".to_owned(), guid(USER_ID), true),
        (
            id.clone(),
            "AgentUserId needs AgentIdentity.".to_owned(),
            false,
        ),
        (
            "AgentUserId=jane".to_owned(),
            "AgentUserId needs AgentIdentity.".to_owned(),
            false,
        ),
        (
            name.to_owned(),
            "AgentUsername needs AgentIdentity.".to_owned(),
            false,
        ),
        (
            format!("{a}&{name}&{id}"),
            "AgentUsername and AgentUserId are mutually exclusive.".to_owned(),
            false,
        ),
    ] {
        let refused = Err((400, detail));
        assert_eq!(agent(&open(), &query).map(drop), refused, "{query}");
        let leniently = agent(&lenient(), &query).map(drop);
        assert_eq!(leniently.is_err(), also_lenient, "{query}");
    }
}

#[test]
fn the_hint_of_an_id_that_is_none_says_whose_id_it_must_be() {
    let settings = open();
    for (query, hint) in [
        (
            "AgentIdentity=x".to_owned(),
            "Name the agent by its client id.",
        ),
        (
            format!("AgentIdentity={AGENT}&AgentUserId=x"),
            "Name the user by object id, or by user principal name with AgentUsername.",
        ),
    ] {
        let asked = Asked::read(Some(&query), Route::AuthorizationHeader, &settings);
        let refused = asked.expect("a good query").agent(&settings);
        let problem = serde_json::to_value(refused.expect_err("no id")).expect("JSON");
        assert_eq!(problem["hint"], hint);
    }
}

#[test]
fn a_name_that_is_nearly_that_of_an_agents_parameter_is_refused() {
    let settings = lenient();
    for query in [
        format!("AgentIdentity[]={AGENT}"),
        format!("AgentIdentity[0]={AGENT}"),
        format!("+AgentIdentity={AGENT}"),
        format!("AgentIdentity+={AGENT}"),
        format!("AgentIdentity%00={AGENT}"),
        format!("AgentIdentity%FF={AGENT}"),
        format!("%EF%BB%BFAgentIdentity={AGENT}"),
        format!("agent_identity={AGENT}"),
        format!("x=1;AgentIdentity={AGENT}"),
        format!("x=1;y=2;agentuserid={USER}"),
        format!("AgentIdentity={AGENT}&AgentUserId[]={USER}"),
        "AgentUserName2=a@b".to_owned(),
        format!("AgentId={AGENT}"),
        format!("agent%C4%B1dent%C4%B1ty={AGENT}"),
        format!("AGENT%C4%B0DENT%C4%B0TY={AGENT}"),
        format!("AgentU%C5%BFerId={USER}"),
        format!("optionsOverride.AgentIdentity={AGENT}"),
        format!("OptionsOverride.AcquireTokenOptions.agentidentity={AGENT}"),
        format!("AgentIdentity={AGENT}&optionsOverride.AgentUserId={USER}"),
        format!("optionsOverride.ForceRefresh=true;AgentIdentity={AGENT}"),
        format!("optionsOverride.Scopes=a/.default%26AgentIdentity%3D{AGENT}"),
        format!("x%3D1%26AgentIdentity%3D{AGENT}"),
        format!("x=1?AgentIdentity={AGENT}"),
        format!("optionsOverride.ExtraQueryParameters.x%3D1%26AgentIdentity%3D{AGENT}=1"),
    ] {
        let (status, detail) = agent(&settings, &query).expect_err(&query);
        assert_eq!(status, 400, "{query}");
        assert!(detail.starts_with("A parameter is nearly"), "{detail}");
    }
}

#[test]
fn other_names_and_what_an_api_is_to_get_are_taken_as_they_are() {
    let settings = open();
    for query in [
        "agent=a",
        "identity=a;b=c",
        "optionsOverride.ExtraQueryParameters.AgentIdentity=a",
        "optionsOverride.ExtraHeaderParameters.X-AgentIdentity=a",
        "optionsOverride.RelativePath=a;AgentIdentity=b",
        "optionsOverride.RelativePath=a?AgentIdentity=b",
        "returnUrl=https://x/?agentId=7",
        // Microsoft's own tests send it.
        "optionsOverride.Tenant=a",
        "optionsOverride.AcquireTokenOptions.Claims={%22a%22:%22;AgentIdentity%22}",
        "optionsOverride.Scopes=api://agentidentity/.default",
    ] {
        assert_eq!(named(&settings, query), (None, None), "{query}");
    }
}

#[test]
fn leniently_a_user_without_an_agent_is_ignored_and_a_name_wins_over_an_id() {
    let settings = lenient();
    for query in [
        format!("AgentUserId={USER}"),
        "AgentUserId=jane".to_owned(),
        "AgentUsername=jane%40contoso.com".to_owned(),
        format!("AgentUserId={USER}&AgentUsername=jane%40contoso.com"),
    ] {
        assert_eq!(named(&settings, &query), (None, None), "{query}");
    }
    for id in [USER, "jane"] {
        let query = format!("AgentIdentity={AGENT}&AgentUserId={id}&AgentUsername=a%40b");
        let expected = (Some(AGENT.to_owned()), Some("agent_user_name"));
        assert_eq!(named(&settings, &query), expected);
    }
}

#[test]
fn where_overrides_are_off_an_agent_or_a_tenant_is_refused_by_the_key_of_the_route() {
    let mut settings = open();
    settings.allow_overrides = crate::settings::AllowOverrides {
        authorization_header: false,
        authorization_header_unauthenticated: false,
        downstream_api: false,
        downstream_api_unauthenticated: false,
    };
    for (route, key) in [
        (Route::AuthorizationHeader, "GetAuthorizationHeader"),
        (
            Route::AuthorizationHeaderUnauthenticated,
            "GetAuthorizationHeaderUnauthenticated",
        ),
        (Route::DownstreamApi, "CallDownstreamApi"),
        (
            Route::DownstreamApiUnauthenticated,
            "CallDownstreamApiUnauthenticated",
        ),
    ] {
        let tenant = format!("{TENANT}={AGENT}");
        for query in [
            "AgentIdentity=",
            &format!("agentidentity={AGENT}"),
            "AgentUsername=jane",
            "AgentUserId=jane",
            &tenant,
            &format!("optionsOverride.Scopes=a&{tenant}"),
            "OPTIONSOVERRIDE.AcquireTokenOptions.Tenant=jane",
        ] {
            let refused = Asked::read(Some(query), route, &settings);
            let problem = refused.map(drop).expect_err("a refusal");
            assert_eq!(problem.status(), 403, "{query}");
            let detail = problem.detail();
            assert!(
                detail.contains(&format!(": Sidecar:AllowOverrides:{key} is false.")),
                "{detail}"
            );
            assert!(
                !detail.contains("jane") && !detail.contains(AGENT),
                "{detail}"
            );
        }
        let others = "optionsOverride.Scopes=a&optionsOverride.RequestAppToken=true&x=y\
                      &optionsOverride.AcquireTokenOptions.FmiPath=a&optionsOverride.BaseUrl=b";
        let asked = Asked::read(Some(others), route, &settings).expect("overrides are dropped");
        assert!(!asked.overrides.is_given() && asked.overrides.scopes.is_empty());
        assert!(!asked.overrides.request_app_token);

        let ignoring = Settings {
            ignore_denied_agents: true,
            allow_overrides: settings.allow_overrides,
            ..open()
        };
        let query = format!("AgentIdentity={AGENT}&AgentUserId=&AgentUserId=&{tenant}");
        let asked = Asked::read(Some(&query), route, &ignoring).expect("they are dropped");
        assert!(asked.overrides.tenant.is_none());
        assert!(matches!(asked.agent(&ignoring), Ok(None)));
    }
}

#[test]
fn overrides_that_are_dropped_are_logged_and_other_parameters_are_not() {
    let settings = settings(&Issuer::start_blocking());
    let logged = Logged::start();
    let read = |query| {
        let route = Route::AuthorizationHeaderUnauthenticated;
        Asked::read(Some(query), route, &settings).expect("a good query");
        logged.take()
    };
    assert_eq!(read("a=b&optionsOverrides.Scopes=c"), "");
    let line = read("optionsOverride.Scopes=secret");
    assert!(
        line.contains("overrides are ignored on this route"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
    let line = read("optionsOverride.BaseUrl=https://secret.test");
    assert!(
        line.contains("optionsOverride.BaseUrl is ignored"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
}

#[test]
fn the_default_settings_allow_overrides_on_the_protected_routes_only() {
    let settings = settings(&Issuer::start_blocking());
    let query = format!("AgentIdentity={AGENT}");
    for route in Route::ALL {
        let is_protected = !route.as_str().ends_with("Unauthenticated");
        let read = Asked::read(Some(&query), route, &settings);
        assert_eq!(read.is_ok(), is_protected, "{route:?}");
    }
}

#[test]
fn overrides_are_read_as_microsofts() {
    let read = |query: &str| overrides(query).expect("good overrides");
    let scopes = |query: &str| read(query).scopes;
    assert_eq!(
        scopes("optionsOverride.Scopes=a&OPTIONSoverride.scopes=b+c&optionsOverride.Scopes=%20"),
        ["a", "b c"]
    );
    assert!(scopes("optionsOverride.Scopes=&Scopes=a&optionsOverrideScopes=b").is_empty());

    let app_token = |value: &str| read(&format!("optionsOverride.RequestAppToken={value}"));
    for value in ["true", "True", "TRUE", "%20true%20", "true%00"] {
        assert!(app_token(value).request_app_token, "{value}");
    }
    for value in ["false", "1", "yes", "", "true%20true", "t"] {
        assert!(!app_token(value).request_app_token, "{value}");
    }
    assert!(!app_token("true&optionsOverride.RequestAppToken=x").request_app_token);
    assert!(app_token("x&optionsOverride.RequestAppToken=true").request_app_token);

    let all = read(
        "optionsOverride.RelativePath=a&optionsOverride.RelativePath=b&optionsOverride.HttpMethod=Post\
         &optionsOverride.AcceptHeader=text/plain&optionsOverride.ContentType=x\
         &optionsOverride.ExtraHeaderParameters.X-One=1&optionsoverride.extraheaderparameters.x-one=2\
         &optionsOverride.ExtraHeaderParameters.X-Two=&optionsOverride.ExtraHeaderParameters.=3\
         &optionsOverride.ExtraQueryParameters.p=a+b&optionsOverride.ExtraQueryParameters.q=%26",
    );
    assert_eq!(all.relative_path.as_deref(), Some("b"));
    assert_eq!(all.http_method.as_deref(), Some("Post"));
    assert_eq!(all.accept.as_deref(), Some("text/plain"));
    let headers: Vec<_> = all.headers.iter().collect();
    assert_eq!(headers, [("X-One", "2")]);
    let query: Vec<_> = all.query.iter().collect();
    assert_eq!(query, [("p", "a b"), ("q", "&")]);
    let empty = read("optionsOverride.RelativePath=b&optionsOverride.RelativePath=");
    assert_eq!(empty.relative_path, None);

    let token = |name: &str| read(&format!("optionsOverride.AcquireTokenOptions.{name}"));
    let upper = AGENT.to_uppercase();
    assert_eq!(
        token(&format!("Tenant={upper}"))
            .tenant
            .map(|id| id.to_string()),
        Some(AGENT.to_owned())
    );
    assert_eq!(token("Tenant=").tenant, None);
    assert!(token("ForceRefresh=true").force_refresh);
    assert!(!token("ForceRefresh=1").force_refresh);
    assert_eq!(token("Claims=%7B%7D").claims.as_deref(), Some("{}"));
    assert_eq!(token("Claims=").claims, None);
    let id = token(&format!("CorrelationId=%7B{upper}%7D")).correlation_id;
    assert_eq!(id.as_deref(), Some(AGENT));
    assert_eq!(token("CorrelationId=x").correlation_id, None);
}

#[test]
fn any_parameter_but_the_base_url_is_an_override() {
    let is_given = |query: &str| overrides(query).expect("good overrides").is_given();
    assert!(is_given("optionsOverride.Scopes=a"));
    assert!(is_given("optionsOverride.Scopes="));
    assert!(is_given("optionsOverride.CustomHeader.X=a"));
    assert!(is_given(
        "optionsOverride.BaseUrl=a&optionsOverride.Scopes=a"
    ));
    assert!(is_given("optionsOverride.Tenant=a"));
    assert!(!is_given("optionsOverride.BaseUrl=a"));
    assert!(!is_given("optionsOverride=a&options.Scopes=a&a=b"));
    assert!(!is_given(""));
}

#[test]
fn what_is_not_offered_is_refused_by_its_name_and_not_by_its_value() {
    for (name, shown) in [
        ("PopPublicKey", "PopPublicKey"),
        ("poppublickey", "PopPublicKey"),
        ("LongRunningWebApiSessionKey", "LongRunningWebApiSessionKey"),
        ("FmiPath", "FmiPath"),
        (
            "ManagedIdentity.UserAssignedClientId",
            "ManagedIdentity.UserAssignedClientId",
        ),
        ("ManagedIdentity", "ManagedIdentity.UserAssignedClientId"),
    ] {
        for value in ["jane", ""] {
            let query = format!("optionsOverride.AcquireTokenOptions.{name}={value}");
            let detail = format!("optionsOverride.AcquireTokenOptions.{shown} is not supported.");
            assert_eq!(overrides(&query).map(drop), Err((400, detail)), "{query}");
        }
    }
    for name in [
        "FmiPaths",
        "ManagedIdentities.X",
        "PopClaims",
        "AuthenticationScheme",
    ] {
        let query = format!("optionsOverride.AcquireTokenOptions.{name}=a");
        assert!(overrides(&query).is_ok(), "{query}");
    }
}

#[test]
fn a_tenant_that_is_no_guid_is_refused_and_the_last_one_counts() {
    let detail = format!("{TENANT} must be a GUID.");
    for query in [
        format!("{TENANT}=common"),
        format!("{TENANT}=%20"),
        format!("{TENANT}={AGENT}&{TENANT}=contoso.com"),
    ] {
        let refused = overrides(&query).map(drop);
        assert_eq!(refused, Err((400, detail.clone())), "{query}");
    }
    assert!(overrides(&format!("{TENANT}=common&{TENANT}={AGENT}")).is_ok());
    let both = format!("{TENANT}=common&optionsOverride.AcquireTokenOptions.FmiPath=a");
    let status = StatusCode::BAD_REQUEST.as_u16();
    assert!(matches!(overrides(&both), Err((refused, _)) if refused == status));
}

#[test]
fn the_length_of_a_query_and_the_number_of_its_parameters_are_bounded() {
    let of = |count: usize| "a=b&".repeat(count);
    assert!(overrides(&of(MAX_PARAMETERS)).is_ok());
    let detail = "The query has more than 1,000 parameters.".to_owned();
    assert_eq!(
        overrides(&of(MAX_PARAMETERS + 1)).map(drop),
        Err((400, detail))
    );
    assert!(overrides(&"a".repeat(MAX_QUERY)).is_ok());
    let detail = "The query has more than 64 KiB.".to_owned();
    assert_eq!(
        overrides(&"a".repeat(MAX_QUERY + 1)).map(drop),
        Err((400, detail))
    );
}

#[test]
fn debug_shows_no_value() {
    let query = format!(
        "AgentIdentity={AGENT}&AgentUsername=jane%40contoso.com&optionsOverride.Scopes=jane\
         &optionsOverride.AcquireTokenOptions.Claims=jane"
    );
    let settings = open();
    let asked = Asked::read(Some(&query), Route::AuthorizationHeader, &settings);
    let asked = asked.expect("a good query");
    let agent = asked.agent(&settings);
    let shown = format!("{asked:?} {agent:?}");
    assert!(!shown.contains("jane"), "{shown}");
}
