//! Scopes and options, of the caller and of the configuration.

use tower_entra::testing::Leg;

use super::*;
use crate::settings::{Api, TokenSettings};

const ID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const OTHER_ID: &str = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11";

/// What the last request of this leg had as a parameter.
fn parameter(world: &World, leg: Leg, name: &str) -> Option<String> {
    let seen = world.issuer.token_requests_seen();
    let last = seen.iter().rev().find(|request| request.leg() == leg)?;
    last.parameter(name).map(str::to_owned)
}

fn path(world: &World, query: &str) -> String {
    let agent = world.issuer.agent_id();
    format!("/AuthorizationHeaderUnauthenticated/app?AgentIdentity={agent}&{query}")
}

#[tokio::test]
async fn without_scopes_there_is_no_token_and_microsofts_text() {
    let world = World::new(|settings, _| {
        let none = Api {
            scopes: Vec::new(),
            ..api("api://x")
        };
        settings.apis.insert("none".to_owned(), none);
    })
    .await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    for name in ["unknown", "none", "Orders", "a%20b"] {
        for route in ["AuthorizationHeader", "AuthorizationHeaderUnauthenticated"] {
            for query in ["", "?optionsOverride.Scopes=", "?optionsOverride.Tenant=a"] {
                let path = format!("/{route}/{name}{query}");
                let problem = world.get(&path, Some(&token)).await.problem(400);
                let name = name.replace("%20", " ");
                assert_eq!(
                    problem["detail"],
                    format!(
                        "No scopes found for the API '{name}' or in optionsOverride. 'scopes' needs \
                         to be either a single value or a list of values."
                    )
                );
                assert_eq!(problem["title"], "Bad Request");
                assert_eq!(
                    problem["type"],
                    "https://tools.ietf.org/html/rfc9110#section-15.5.1"
                );
            }
        }
    }
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test]
async fn scopes_of_the_caller_take_the_place_of_those_configured_under_an_unknown_name_too() {
    let world = World::new(|_, _| {}).await;
    let resource = world.issuer.api().resource().to_owned();
    world
        .issuer
        .blueprint()
        .agent()
        .grant_scope(&world.issuer.api(), "Orders.Write");
    let token = world.issuer.blueprint().user_token("alice").mint();
    for name in ["orders", "unknown"] {
        let path = format!(
            "/AuthorizationHeader/{name}?AgentIdentity={}&optionsOverride.Scopes={resource}/Orders.Write\
             &OptionsOverride.Scopes={resource}/Orders.Read",
            world.issuer.agent_id()
        );
        let claims = world.get(&path, Some(&token)).await.claims();
        assert_eq!(claims["scp"], "Orders.Read Orders.Write");
    }
    let scope = parameter(&world, Leg::OnBehalfOf, "scope");
    assert_eq!(
        scope,
        Some(format!("{resource}/Orders.Read {resource}/Orders.Write"))
    );
    let denied = router_of(&world.issuer, |settings, _| {
        settings.allow_overrides.authorization_header = false;
        settings.ignore_denied_agents = true;
    });
    let path = format!("/AuthorizationHeader/unknown?optionsOverride.Scopes={resource}/.default");
    send(&denied.await, "GET", &path, Some(&token))
        .await
        .problem(400);
}

#[tokio::test]
async fn an_app_token_is_asked_for_with_the_first_scope_only() {
    let world = World::new(|_, _| {}).await;
    let scope = format!("{}/.default", world.issuer.api().resource());
    let query = format!("optionsOverride.Scopes={scope}&optionsOverride.Scopes=User.Read");
    let claims = world.get(&path(&world, &query), None).await.claims();
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(parameter(&world, Leg::Agent, "scope"), Some(scope));
}

#[tokio::test]
async fn scopes_that_no_token_has_are_the_fault_of_the_one_who_named_them() {
    let world = World::new(|settings, issuer| {
        let resource = issuer.api().resource().to_owned();
        for (name, scopes) in [
            ("read", vec![format!("{resource}/Orders.Read")]),
            ("two", vec!["a/B".to_owned(), "b/C".to_owned()]),
        ] {
            let configured = Api {
                scopes,
                ..api(&resource)
            };
            settings.apis.insert(name.to_owned(), configured);
        }
    })
    .await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    let get = async |path: &str| {
        let agent = world.issuer.agent_id();
        let path = format!("/AuthorizationHeader/{path}&AgentIdentity={agent}");
        world.get(&path, Some(&token)).await
    };
    for path in [
        "orders?optionsOverride.Scopes=a%20b",
        "orders?optionsOverride.Scopes=a/b&optionsOverride.Scopes=b/c",
        "orders?optionsOverride.Scopes=openid",
        "orders?optionsOverride.Scopes=a/b&optionsOverride.RequestAppToken=true",
        "read?optionsOverride.RequestAppToken=true",
        "app?optionsOverride.Scopes=a/b",
        "orders?optionsOverride.AcquireTokenOptions.Claims=jane",
        "orders?optionsOverride.AcquireTokenOptions.Claims=[]",
        "orders?AgentUsername=jane",
        "orders?AgentUsername=%20jane@contoso.com",
    ] {
        let answer = get(path).await;
        let problem = answer.problem(400);
        assert!(problem["hint"].is_string(), "{path}: {problem}");
        assert!(!answer.body.contains("jane"), "{path}: {problem}");
    }
    for path in ["two?a=b", "two?optionsOverride.RequestAppToken=true"] {
        let problem = get(path).await.problem(match path {
            "two?a=b" => 500,
            _ => 400,
        });
        assert!(problem["hint"].is_string(), "{path}: {problem}");
    }
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test]
async fn a_configured_scope_that_an_app_cannot_ask_for_is_a_fault_of_the_configuration() {
    let world = World::new(|settings, _| {
        let app = Api {
            scopes: vec!["api://x/Orders.Read".to_owned()],
            request_app_token: true,
            ..api("api://x")
        };
        settings.apis.insert("app".to_owned(), app);
    })
    .await;
    let problem = world.get(&path(&world, ""), None).await.problem(500);
    assert_eq!(problem["detail"], "An unexpected error occurred.");
    assert_eq!(
        problem["title"],
        "An error occurred while processing your request."
    );
    assert!(
        problem["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains(".default"))
    );
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test]
async fn an_app_token_beside_a_user_is_refused_by_override_and_by_configuration_the_user_wins() {
    let world = World::new(|_, _| {}).await;
    let user = format!("AgentUserId={}", world.issuer.agent_user_id());
    let claims = world.get(&path(&world, &user), None).await.claims();
    assert_eq!(claims["oid"], world.issuer.agent_user_id().as_str());
    let query = format!("{user}&optionsOverride.RequestAppToken=True");
    let problem = world.get(&path(&world, &query), None).await.problem(400);
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("optionsOverride.RequestAppToken"),
        "{detail}"
    );
    // It can only be turned on.
    let query = format!("{user}&optionsOverride.RequestAppToken=false");
    assert_eq!(world.get(&path(&world, &query), None).await.status, 200);
}

#[tokio::test]
async fn options_of_the_caller_come_before_those_configured_and_any_override_drops_two_of_them() {
    let claims = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
    let world = World::new(|settings, _| {
        let configured = settings.apis.get_mut("app").expect("the API");
        configured.token = TokenSettings {
            tenant: None,
            force_refresh: true,
            claims: None,
            correlation_id: Some(ID.to_owned()),
        };
    })
    .await;
    let correlation_id = || {
        let seen = world.issuer.token_requests_seen();
        seen.last()
            .and_then(|request| request.header("client-request-id"))
            .map(str::to_owned)
    };
    let get = async |query: &str| {
        let answer = world.get(&path(&world, query), None).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        world.issuer.token_requests_of(Leg::Agent)
    };
    assert_eq!(get("").await, 1);
    assert_eq!(correlation_id().as_deref(), Some(ID));
    assert_eq!(get("").await, 2, "a configured ForceRefresh");
    assert_eq!(get("optionsOverride.BaseUrl=x").await, 3);
    assert_eq!(get("optionsOverride.RelativePath=x").await, 3);
    let query = format!(
        "optionsOverride.AcquireTokenOptions.ForceRefresh=true\
         &optionsOverride.AcquireTokenOptions.CorrelationId={OTHER_ID}"
    );
    assert_eq!(get(&query).await, 4);
    assert_eq!(correlation_id().as_deref(), Some(OTHER_ID));
    let query = format!("optionsOverride.AcquireTokenOptions.Claims={claims}");
    let query = query
        .replace('"', "%22")
        .replace('{', "%7B")
        .replace('}', "%7D");
    assert_eq!(get(&query).await, 5);
    let sent = parameter(&world, Leg::Agent, "claims").expect("claims");
    assert!(sent.contains("acrs"), "{sent}");
    assert_eq!(parameter(&world, Leg::T1, "claims"), None);
}

#[tokio::test]
async fn the_exchange_itself_as_a_service_gives_the_agents_own_token_for_it() {
    let world = World::new(|settings, _| {
        let exchange = Api {
            request_app_token: true,
            ..api("api://AzureAdTokenExchange")
        };
        settings
            .apis
            .insert("agenticblueprint".to_owned(), exchange);
    })
    .await;
    let path = format!(
        "/AuthorizationHeaderUnauthenticated/agenticblueprint?AgentIdentity={}",
        world.issuer.agent_id()
    );
    let claims = world.get(&path, None).await.claims();
    let client = claims.get("azp").or_else(|| claims.get("appid"));
    assert_eq!(client, Some(&Value::from(world.issuer.agent_id())));
}

#[tokio::test]
async fn without_a_credential_only_validate_works() {
    let world = World::new(|settings, _| settings.azure_ad.credential = None).await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    let problem = world
        .get("/AuthorizationHeader/orders", Some(&token))
        .await
        .problem(500);
    assert_eq!(problem["detail"], "An unexpected error occurred.");
    assert!(
        problem["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("ClientCredentials"))
    );
    // The parameters are looked at before.
    world
        .get("/AuthorizationHeader/unknown", Some(&token))
        .await
        .problem(400);
    assert_eq!(world.get("/Validate", Some(&token)).await.status, 200);
}

#[tokio::test]
async fn a_tenant_of_the_configuration_that_is_not_the_users_is_no_fault_of_the_caller() {
    let world = World::new(|settings, issuer| {
        let mut orders = api(issuer.api().resource());
        orders.token.tenant = Some(OTHER_ID.parse().expect("a tenant"));
        settings.apis.insert("orders".to_owned(), orders);
    })
    .await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    let scope = format!("{}/Orders.Read", world.issuer.api().resource());
    for (query, status) in [
        (String::new(), 500),
        (format!("optionsOverride.Scopes={scope}"), 500),
        (
            format!("optionsOverride.AcquireTokenOptions.Tenant={OTHER_ID}"),
            400,
        ),
    ] {
        let path = format!("/AuthorizationHeader/orders?{query}");
        world.get(&path, Some(&token)).await.problem(status);
    }
}

#[tokio::test]
async fn the_same_claims_after_others_wait_and_the_answer_says_why() {
    let world = World::new(|settings, _| {
        settings
            .allow_overrides
            .authorization_header_unauthenticated = true;
    })
    .await;
    let with = |value: &str| {
        let claims = format!("%7B%22access_token%22%3A%7B%22{value}%22%3Anull%7D%7D");
        path(
            &world,
            &format!("optionsOverride.AcquireTokenOptions.Claims={claims}"),
        )
    };
    for value in ["one", "other"] {
        world.get(&with(value), None).await.token();
    }
    let answer = world.get(&with("one"), None).await;
    assert!(answer.headers.contains_key("retry-after"));
    let problem = answer.problem(503);
    assert_eq!(
        problem["detail"],
        "Tokens of this identity were just got for these or for other claims."
    );
}
