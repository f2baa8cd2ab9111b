//! Whose token the API gets.

use tokio::task::JoinSet;

use super::*;

#[track_caller]
fn assert_client(claims: &Value, client: &str) {
    let of = claims.get("azp").or_else(|| claims.get("appid"));
    assert_eq!(of, Some(&Value::from(client)), "{claims}");
}

/// A call on either route, with this token of the caller.
fn call(route: &str, query: &str, token: Option<&str>) -> Request<Vec<u8>> {
    let path = format!("/{route}/orders?{query}");
    let mut request = Request::builder().method(Method::POST).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Vec::new()).expect("a request")
}

const PROTECTED: &str = "DownstreamApi";
const ANONYMOUS: &str = "DownstreamApiUnauthenticated";

#[tokio::test]
async fn the_token_is_that_of_the_agent_or_of_its_user_or_on_behalf_of_the_caller() {
    let world = World::new().await;
    let issuer = &world.issuer;
    let agent = issuer.agent_id();
    let user = issuer.blueprint().agent().user();
    let token = issuer.blueprint().user_token("alice").mint();
    let alice = issuer.object_id_of("alice");
    let named = format!("agentidentity={agent}");
    for (route, token) in [(PROTECTED, Some(&*token)), (ANONYMOUS, None)] {
        let query = format!("{named}&{APP_TOKEN}");
        world.send(call(route, &query, token)).await.of_api();
        let itself = claims(&world.seen());
        assert_client(&itself, agent);
        assert_eq!(itself["idtyp"], "app");
        assert_eq!(itself["aud"], issuer.audience());

        for query in [
            format!("{named}&agentuserid={}", user.object_id()),
            format!("{named}&AgentUsername={}", user.principal_name()),
        ] {
            world.send(call(route, &query, token)).await.of_api();
            let by_user = claims(&world.seen());
            assert_client(&by_user, agent);
            assert_eq!(by_user["oid"], user.object_id());
        }
    }
    for route in [PROTECTED, ANONYMOUS] {
        world.send(call(route, &named, Some(&token))).await.of_api();
        let for_alice = claims(&world.seen());
        assert_client(&for_alice, agent);
        assert_eq!(for_alice["oid"], alice.as_str());
    }
}

#[tokio::test]
async fn the_token_of_the_caller_never_reaches_the_api() {
    let world = World::new().await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    let query = format!("AgentIdentity={}", world.issuer.agent_id());
    let reply = world.send(call(PROTECTED, &query, Some(&token))).await;
    reply.of_api();
    let seen = format!("{:?}", world.seen());
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!seen.contains(signature));
}

#[tokio::test]
async fn overrides_of_scopes_and_tenant_reach_entra() {
    let world = World::new().await;
    let reports = world
        .issuer
        .add_api("api://reports")
        .add_role("Reports.Read");
    world
        .issuer
        .blueprint()
        .agent()
        .grant_role(&reports, "Reports.Read");
    let tenant = world.issuer.tenant_id().to_uppercase();
    world
        .call(&format!(
            "OptionsOverride.Scopes=api://reports/.default&optionsoverride.acquiretokenoptions.TENANT={tenant}"
        ))
        .await
        .of_api();
    assert_eq!(claims(&world.seen())["aud"], reports.client_id());
}

#[tokio::test]
async fn options_of_the_token_count_and_the_call_costs_no_request_of_its_own() {
    let world = World::new().await;
    let requests = || world.issuer.token_requests();
    world.call("").await.of_api();
    assert_eq!(requests(), 2);
    world.call("").await.of_api();
    assert_eq!(requests(), 2);
    let first = claims(&world.api.take()[1]);

    let id = "5f3c1f0e-9d5c-4f0e-8a53-0c4c4d1d6f11";
    let options = "optionsOverride.AcquireTokenOptions";
    let fresh = format!("{options}.ForceRefresh=true&{options}.CorrelationId={id}");
    world.call(&fresh).await.of_api();
    assert_eq!(requests(), 3);
    let seen = world.issuer.token_requests_seen().pop().expect("a request");
    assert_eq!(seen.header("client-request-id"), Some(id));
    assert_ne!(claims(&world.seen()), first);

    let asked = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
    world
        .call(&format!("{options}.Claims={}", escaped(asked)))
        .await
        .of_api();
    assert_eq!(requests(), 4);
    let seen = world.issuer.token_requests_seen().pop().expect("a request");
    assert_eq!(seen.parameter("claims"), Some(asked));
}

#[tokio::test]
async fn forty_agents_at_a_time_each_call_with_their_own_token() {
    let world = World::answering(|seen| {
        let claims = claims(seen);
        json(claims["azp"].as_str().expect("a client"))
    })
    .await;
    let blueprint = world.issuer.blueprint();
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let agent = blueprint.add_agent();
        agent.grant_role(&world.issuer.api(), "Orders.Read.All");
        let id = agent.client_id().to_owned();
        let url = format!(
            "{}/{ANONYMOUS}/orders?AgentIdentity={id}&{APP_TOKEN}",
            world.sidecar.url
        );
        calls.spawn(async move {
            let client = Client::builder().no_proxy().build().expect("a client");
            let answer = client.post(url).send().await.expect("an answer");
            let body = answer.bytes().await.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(body["content"], id.as_str(), "{body}");
        });
    }
    while let Some(call) = calls.join_next().await {
        call.expect("its own token");
    }
}

#[tokio::test]
async fn without_a_token_of_the_caller_the_protected_route_is_401() {
    let world = World::new().await;
    let query = format!("AgentIdentity={}&{APP_TOKEN}", world.issuer.agent_id());
    for token in [None, Some("x"), Some("a.b.c")] {
        let reply = world.send(call(PROTECTED, &query, token)).await;
        assert_eq!(reply.status, 401);
        let challenge = reply.headers["www-authenticate"].to_str().expect("text");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert_eq!(
            challenge.contains("invalid_token"),
            token.is_some(),
            "{challenge}"
        );
        assert_eq!(reply.body, Value::Null);
    }
    assert!(world.api.take().is_empty());
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test]
async fn where_no_identity_acts_there_is_no_call() {
    let world = World::new().await;
    let agent = world.issuer.agent_id();
    let app = world.issuer.blueprint().app_token().mint();
    for (query, token) in [
        (String::new(), None),
        (format!("AgentIdentity={agent}"), None),
        (format!("AgentIdentity={agent}"), Some("x")),
        (format!("AgentIdentity={agent}"), Some(&*app)),
    ] {
        let reply = world.send(call(ANONYMOUS, &query, token)).await;
        reply.problem(401);
    }
    assert!(world.api.take().is_empty());
    assert_eq!(world.issuer.token_requests(), 0);
}

/// Microsoft's sidecar drops the agent, and calls the API as the blueprint.
#[tokio::test]
async fn an_agent_is_refused_where_overrides_are_off() {
    let off = [
        (ANONYMOUS_OVERRIDES, "false"),
        ("Sidecar__AllowOverrides__CallDownstreamApi", "false"),
    ];
    let world = World::with(&off, |_| json("{}")).await;
    let agent = format!("AgentIdentity={}", world.issuer.agent_id());
    let token = world.issuer.blueprint().user_token("alice").mint();
    for (route, key) in [
        (PROTECTED, "CallDownstreamApi"),
        (ANONYMOUS, "CallDownstreamApiUnauthenticated"),
    ] {
        let reply = world.send(call(route, &agent, Some(&token))).await;
        let detail = reply.problem(403);
        assert!(
            detail.contains(&format!("Sidecar:AllowOverrides:{key} ")),
            "{detail}"
        );
    }
    assert!(world.api.take().is_empty());
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test]
async fn an_agent_is_ignored_where_overrides_are_off_with_microsofts_switch() {
    let graph = [
        (ANONYMOUS_OVERRIDES, "false"),
        ("Sidecar__AllowOverrides__CallDownstreamApi", "false"),
        ("Sidecar__IgnoreDeniedAgents", "true"),
        (
            "DownstreamApis__orders__Scopes__0",
            "https://graph.microsoft.com/.default",
        ),
        ("DownstreamApis__orders__RequestAppToken", "true"),
    ];
    let world = World::with(&graph, |_| json("{}")).await;
    let query = format!(
        "AgentIdentity={}&optionsOverride.RelativePath=elsewhere&optionsOverride.HttpMethod=POST",
        world.issuer.agent_id()
    );
    let token = world.issuer.blueprint().user_token("alice").mint();
    for (route, token) in [(PROTECTED, Some(&*token)), (ANONYMOUS, None)] {
        world.send(call(route, &query, token)).await.of_api();
        let seen = world.seen();
        assert_client(&claims(&seen), world.issuer.blueprint_id());
        assert_eq!((seen.method, &*seen.target), (Method::GET, "/v1"));
    }
}
