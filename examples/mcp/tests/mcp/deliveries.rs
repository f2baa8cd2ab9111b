//! The tool that asks an API downstream: on whose behalf, and which of its failures are the client's to answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::Request,
    http::{HeaderMap, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Redirect, Response as Answer},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mcp::lookalike::{self, Lookalike};
use rmcp::{model::CallToolRequestParams, transport::streamable_http_client::AuthRequiredError};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Requirement,
    testing::{Fault, Issuer, Leg, Policy, Target, TokenBuilder},
};

use super::{Server, answer, call, cause, challenge, discover, initialize, listen};

#[tokio::test]
async fn the_api_sees_the_person_for_whom_the_agent_came_and_this_server() {
    let scene = Scene::start().await;
    let issuer = &scene.lookalike.issuer;
    let [alice, bob] = ["alice", "bob"].map(|person| issuer.object_id_of(person));
    for (requests, (caller, person)) in (1..).zip([
        (issuer.agent_on_behalf_of("alice"), alice.clone()),
        (issuer.agent_on_behalf_of("bob"), bob),
        (issuer.user(), alice),
        (issuer.agent_user(), issuer.agent_user_id()),
    ]) {
        let token = scene.token(caller);
        for lifecycle in [initialize(), discover()] {
            let client = scene.server.connect(Some(&token), lifecycle).await.unwrap();
            let listed = call(&client, TOOL, json!({})).await.unwrap();
            let seen = json!({
                "recipient": person,
                "asked_by": scene.lookalike.server.client_id(),
                "times": ["12:30"],
            });
            assert_eq!(listed, seen);
            client.cancel().await.unwrap();
        }
        // The second time the token is remembered, and the server never asks as itself.
        assert_eq!(issuer.token_requests_of(Leg::OnBehalfOf), requests);
        assert_eq!(issuer.token_requests(), requests);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_persons_at_once_are_each_shown_and_refused_what_is_theirs() {
    let scene = Arc::new(Scene::start().await);
    scene.lookalike.api.set_policy(Policy::StepUp);
    let issuer = &scene.lookalike.issuer;
    let stepped_up = |person| {
        issuer
            .agent_on_behalf_of(person)
            .claim("amr", ["pwd", "mfa"])
    };
    let callers = [
        (scene.for_alice(), None),
        (stepped_up("alice"), Some(issuer.object_id_of("alice"))),
        (stepped_up("bob"), Some(issuer.object_id_of("bob"))),
    ]
    .map(|(caller, sees)| (scene.token(caller), sees));
    // The first time each token is exchanged, then it is remembered.
    for _ in 0..2 {
        let mut calls = JoinSet::new();
        for (token, sees) in callers.iter().cycle().take(60).cloned() {
            let scene = Arc::clone(&scene);
            calls.spawn(async move {
                let response = scene.call(&token).await;
                let Some(person) = sees else {
                    assert_eq!(response.status(), 401);
                    assert!(challenge(&response).contains("insufficient_claims"));
                    return;
                };
                assert_eq!(answer(response).await["recipient"], person);
            });
        }
        calls.join_all().await;
    }
}

#[tokio::test]
async fn a_step_up_that_entra_asks_for_reaches_the_client_and_after_it_the_call_goes_through() {
    let scene = Scene::start().await;
    scene.lookalike.api.set_policy(Policy::StepUp);
    let token = scene.token(scene.for_alice());
    for lifecycle in [initialize(), discover()] {
        let client = scene.server.connect(Some(&token), lifecycle).await.unwrap();
        let refused = call(&client, TOOL, json!({})).await.unwrap_err();
        assert!(cause::<AuthRequiredError>(&refused).is_some(), "{refused}");
        let claims = claims_of(refused.auth_challenge().unwrap());
        let policies = &claims["access_token"]["capolids"];
        assert_eq!(policies["essential"], true);
        assert_eq!(policies["values"].as_array().unwrap().len(), 1);
        // The client still works.
        let who = call(&client, "whoami", json!({})).await.unwrap();
        assert_eq!(
            who["object_id"],
            scene.lookalike.issuer.object_id_of("alice")
        );
        client.cancel().await.unwrap();
    }

    let stepped_up = scene.token(scene.for_alice().claim("amr", ["pwd", "mfa"]));
    let client = scene.server.connect(Some(&stepped_up), initialize());
    let client = client.await.unwrap();
    let listed = call(&client, TOOL, json!({})).await.unwrap();
    assert_eq!(listed["times"], json!(["12:30"]));
    // The first token is refused as before.
    let refused = scene.call(&token).await;
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn the_claims_are_those_of_entras_answer_and_none_of_its_texts() {
    let scene = Scene::start().await;
    scene.entra_asks_for(CLAIMS);
    let token = scene.token(scene.for_alice());
    let refused = scene.call(&token).await;
    assert_eq!(refused.status(), 401);
    let challenge = challenge(&refused);
    assert!(
        challenge.contains("error=\"insufficient_claims\""),
        "{challenge}"
    );
    let authorize = format!(
        "authorization_uri=\"{}/{}/oauth2/v2.0/authorize\"",
        scene.lookalike.issuer.url(),
        scene.lookalike.issuer.tenant_id()
    );
    assert!(challenge.contains(&authorize), "{challenge}");
    assert_eq!(claims_of(challenge), json(CLAIMS));
    let text = everything_of(refused).await;
    assert!(text.contains("a stronger sign-in is needed"), "{text}");
    assert_shows_nothing(&text, &token);
}

#[tokio::test]
async fn a_client_that_cannot_answer_a_challenge_gets_403_and_no_claims() {
    let scene = Scene::start().await;
    scene.entra_asks_for(CLAIMS);
    let token = scene.token(scene.lookalike.issuer.agent_on_behalf_of("alice"));
    let denied = scene.call(&token).await;
    assert_eq!(denied.status(), 403);
    assert!(challenge(&denied).ends_with("error=\"insufficient_scope\""));
    assert_shows_nothing(&everything_of(denied).await, &token);
}

#[tokio::test]
async fn a_step_up_that_the_api_asks_for_is_entras_to_grant_and_else_the_clients() {
    let asks = Arc::new(AtomicBool::new(false));
    let scene = Scene::with(|lookalike| api_of_c1(lookalike, &asks)).await;
    let issuer = &scene.lookalike.issuer;
    let token = scene.token(scene.for_alice());
    assert_eq!(scene.call(&token).await.status(), 200);

    // From now on the token that is remembered is not enough, and Entra has none for the claims.
    asks.store(true, Ordering::Relaxed);
    scene.entra_asks_for(CLAIMS);
    let client = scene.server.connect(Some(&token), initialize());
    let client = client.await.unwrap();
    let refused = call(&client, TOOL, json!({})).await.unwrap_err();
    assert_eq!(claims_of(refused.auth_challenge().unwrap()), json(CLAIMS));
    let asked_for = |index: usize| {
        let requests = issuer.token_requests_seen();
        json(requests[index].parameter("claims").unwrap())["access_token"]["acrs"].take()
    };
    let c1 = json!({"essential": true, "value": "c1"});
    assert_eq!(asked_for(1), c1);

    // The person has signed in as Entra asked.
    issuer.heal();
    let stepped_up = scene.token(scene.for_alice().claim("acrs", ["c1"]));
    let listed = scene.call(&stepped_up).await;
    assert_eq!(listed.status(), 200);
    // A plain token first, and then one with the claims.
    assert_eq!(issuer.token_requests(), 4);
    assert_eq!(asked_for(3), c1);
}

#[tokio::test]
async fn claims_that_the_api_still_asks_for_after_entra_has_granted_them_are_the_clients_to_answer()
{
    let requests = Arc::new(AtomicUsize::new(0));
    let scene = Scene::with(|_| answering(&requests, || challenging(CLAIMS))).await;
    let token = scene.token(scene.for_alice());
    let client = scene.server.connect(Some(&token), initialize());
    let client = client.await.unwrap();
    let refused = call(&client, TOOL, json!({})).await.unwrap_err();
    assert_eq!(claims_of(refused.auth_challenge().unwrap()), json(CLAIMS));
    assert_eq!(requests.load(Ordering::Relaxed), 2);
    assert_eq!(scene.lookalike.issuer.token_requests(), 2);

    let by_other = scene.token(scene.lookalike.issuer.agent_on_behalf_of("bob"));
    let denied = scene.call(&by_other).await;
    assert_eq!(denied.status(), 403, "its client cannot answer a challenge");
}

#[tokio::test]
async fn a_caller_without_a_person_or_the_scope_costs_no_request() {
    let requests = Arc::new(AtomicUsize::new(0));
    let scene = Scene::with(|_| answering(&requests, || StatusCode::OK)).await;
    let issuer = &scene.lookalike.issuer;
    for (caller, scope) in [
        (issuer.application(), None),
        (issuer.autonomous_agent(), None),
        (
            issuer.agent_on_behalf_of("alice").scope("Orders.Write"),
            Some("Orders.Read"),
        ),
        (issuer.user().scope("Deliveries.Read"), Some("Orders.Read")),
    ] {
        let token = scene.token(caller.clone());
        let denied = scene.call(&token).await;
        assert_eq!(denied.status(), 403, "{caller:?}");
        let challenge = challenge(&denied);
        let end = match scope {
            Some(scope) => format!("scope=\"{}/{scope}\"", scene.server.url()),
            None => "error=\"insufficient_scope\"".to_owned(),
        };
        assert!(challenge.ends_with(&end), "{challenge}");
        assert_shows_nothing(&everything_of(denied).await, &token);
    }
    assert_eq!(issuer.token_requests(), 0);
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn any_other_answer_of_the_api_is_an_error_of_the_tool() {
    let answers: [Row; 12] = [
        (|| StatusCode::UNAUTHORIZED.into_response(), "401"),
        (|| with_challenge("Bearer error=\"invalid_token\""), "401"),
        // Asks for claims and names none that can be handed on.
        (
            || with_challenge("Bearer error=\"insufficient_claims\""),
            "401",
        ),
        (
            || with_challenge("Bearer error=\"insufficient_claims\", claims=\"?\""),
            "401",
        ),
        (|| with_challenge("Bearer claims=\"e30=\""), "401"),
        (|| StatusCode::FORBIDDEN.into_response(), "403"),
        (
            || (StatusCode::FORBIDDEN, challenging(CLAIMS).headers().clone()).into_response(),
            "403",
        ),
        (
            || Redirect::temporary("http://127.0.0.1:9/").into_response(),
            "307",
        ),
        (|| StatusCode::SERVICE_UNAVAILABLE.into_response(), "503"),
        (|| "no JSON".into_response(), "no list"),
        (|| Json(json!({"times": 1})).into_response(), "no list"),
        (|| list_of(&"9".repeat(100_000)), "no list"),
    ];
    let now = Arc::new(AtomicUsize::new(0));
    let index = Arc::clone(&now);
    let answer = move || answers[index.load(Ordering::Relaxed)].0();
    let scene = Scene::with(|_| answering(&Arc::default(), answer)).await;
    let token = scene.token(scene.for_alice());
    for (index, (_, words)) in answers.iter().enumerate() {
        now.store(index, Ordering::Relaxed);
        assert_is_tool_error(&scene, &token, words).await;
    }
}

#[tokio::test]
async fn an_api_that_repeats_the_token_or_is_out_of_reach_is_an_error_of_the_tool_too() {
    let echo = |request: Request| async move {
        let token = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        (StatusCode::INTERNAL_SERVER_ERROR, token)
    };
    let scene = Scene::with(|_| Router::new().route("/deliveries", get(echo))).await;
    let token = scene.token(scene.for_alice());
    assert_is_tool_error(&scene, &token, "500").await;

    let (listener, origin) = listen().await;
    drop(listener);
    let scene = Scene::at(Lookalike::new(Issuer::start().await), &origin).await;
    assert_is_tool_error(&scene, &scene.token(scene.for_alice()), "cannot be reached").await;
}

#[tokio::test]
async fn any_other_refusal_of_entra_is_answered_as_its_kind_is_and_shows_nothing_of_it() {
    for (status, retry_after, words, change) in [
        (
            403,
            None,
            "the caller is not allowed to do this",
            (|scene| scene.server.withdraw_consent(&scene.api)) as fn(&Lookalike),
        ),
        (
            500,
            None,
            "the server cannot get a token for another API",
            |scene| scene.server.remove_credentials(),
        ),
        (
            503,
            Some("7"),
            "the server cannot get a token for another API at the moment",
            |scene| {
                let fault = Fault::StatusWithRetryAfter {
                    status: 429,
                    seconds: 7,
                };
                scene.issuer.fail_at(Target::Token, fault);
            },
        ),
    ] {
        let scene = Scene::start().await;
        change(&scene.lookalike);
        let token = scene.token(scene.for_alice());
        let refused = scene.call(&token).await;
        assert_eq!(refused.status(), status);
        let header = |name| refused.headers().get(name)?.to_str().ok();
        assert_eq!(header("retry-after"), retry_after, "{status}");
        let text = everything_of(refused).await;
        assert!(text.contains(&format!("\"message\":\"{words}\"")), "{text}");
        assert_shows_nothing(&text, &token);
    }
}

#[tokio::test]
async fn a_server_without_the_api_has_no_such_tool() {
    let server = Server::start().await;
    let token = server.issuer.user().mint();
    let client = server.connect(Some(&token), initialize()).await.unwrap();
    let names = |tools: Vec<rmcp::model::Tool>| {
        let names = tools.into_iter().map(|tool| tool.name.to_string());
        names.collect::<Vec<_>>()
    };
    let without = names(client.list_all_tools().await.unwrap());
    assert!(!without.contains(&TOOL.to_owned()), "{without:?}");
    assert!(call(&client, TOOL, json!({})).await.is_err());

    let scene = Scene::start().await;
    let token = scene.token(scene.for_alice());
    let client = scene.server.connect(Some(&token), initialize());
    let with = names(client.await.unwrap().list_all_tools().await.unwrap());
    assert_eq!(with.len(), without.len() + 1);
    assert!(with.contains(&TOOL.to_owned()), "{with:?}");
}

/// An MCP server, the look-alikes that it needs, and an API behind it.
struct Scene {
    server: Server,
    lookalike: Lookalike,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|lookalike| lookalike.deliveries_api().unwrap()).await
    }

    async fn with(api: impl FnOnce(&Lookalike) -> Router) -> Self {
        let lookalike = Lookalike::new(Issuer::start().await);
        let api = api(&lookalike);
        let (listener, origin) = listen().await;
        tokio::spawn(async move { axum::serve(listener, api).await });
        Self::at(lookalike, &origin).await
    }

    /// With the API at this origin.
    async fn at(lookalike: Lookalike, origin: &str) -> Self {
        let validator = lookalike.validator(lookalike.server.client_id()).unwrap();
        let deliveries = lookalike.way_to(origin).unwrap();
        let server = Server::start_before(deliveries, lookalike.issuer.clone(), validator);
        let server = server.await;
        Self { server, lookalike }
    }

    /// An agent on behalf of Alice, whose client can answer claims challenges.
    fn for_alice(&self) -> TokenBuilder {
        let agent = self.lookalike.issuer.agent_on_behalf_of("alice");
        agent.claim("xms_cc", ["cp1"])
    }

    /// The token, for this server.
    fn token(&self, caller: TokenBuilder) -> String {
        caller.audience(self.lookalike.server.client_id()).mint()
    }

    async fn call(&self, token: &str) -> reqwest::Response {
        let call = self.server.post(TOOL, json!({})).bearer_auth(token);
        call.send().await.unwrap()
    }

    /// Makes Entra refuse each exchange with these claims.
    fn entra_asks_for(&self, claims: &str) {
        let body = json!({
            "error": "interaction_required",
            "error_description": "AADSTS50076: Multifactor authentication is needed by Alice Example.",
            "error_codes": [50076],
            "suberror": "basic_action",
            "claims": claims,
        });
        let fault = Fault::Answer {
            status: 400,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        };
        let target = Target::Leg(Leg::OnBehalfOf);
        self.lookalike.issuer.fail_at(target, fault);
    }
}

/// A deliveries API that asks for the authentication context `c1` while its switch is on.
fn api_of_c1(lookalike: &Lookalike, asks: &Arc<AtomicBool>) -> Router {
    let asks = Arc::clone(asks);
    let deliveries = |caller: AgentPrincipal| async move {
        if asks.load(Ordering::Relaxed) {
            caller.require(&Requirement::authentication_context("c1").unwrap())?;
        }
        Ok::<_, Denial>(lookalike::deliveries(caller).await)
    };
    let validator = lookalike.validator(lookalike.api.client_id()).unwrap();
    Router::new()
        .route("/deliveries", get(deliveries))
        .layer(EntraAuthLayer::new(validator))
}

/// An API that gives this answer and counts the requests, which must have a token.
fn answering<T: IntoResponse>(
    requests: &Arc<AtomicUsize>,
    answer: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> Router {
    let requests = Arc::clone(requests);
    let deliveries = |headers: HeaderMap| async move {
        assert!(
            headers["authorization"]
                .as_bytes()
                .starts_with(b"Bearer ey")
        );
        requests.fetch_add(1, Ordering::Relaxed);
        answer().into_response()
    };
    Router::new().route("/deliveries", get(deliveries))
}

/// What the API answers, and words of what the model reads then.
type Row = (fn() -> Answer, &'static str);

fn list_of(time: &str) -> Answer {
    let list = json!({"recipient": "a", "asked_by": "b", "times": [time]});
    Json(list).into_response()
}

fn with_challenge(challenge: &str) -> Answer {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
}

fn challenging(claims: &str) -> Answer {
    let claims = STANDARD.encode(claims);
    with_challenge(&format!(
        "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"{claims}\""
    ))
}

/// By rmcp's client, and over bare HTTP: the status is 200, and the model reads the words.
async fn assert_is_tool_error(scene: &Scene, token: &str, words: &str) {
    let client = scene.server.connect(Some(token), initialize());
    let client = client.await.unwrap();
    let result = client.call_tool(CallToolRequestParams::new(TOOL)).await;
    let result = serde_json::to_value(result.unwrap()).unwrap();
    assert_eq!(result["isError"], true, "{words}");
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(words), "{text}");

    let response = scene.call(token).await;
    assert_eq!(response.status(), 200, "{words}");
    assert_eq!(response.headers().get(WWW_AUTHENTICATE), None, "{words}");
    assert_shows_nothing(&everything_of(response).await, token);
}

/// Headers and body of a response.
async fn everything_of(response: reqwest::Response) -> String {
    let headers = format!("{:?}", response.headers());
    headers + &response.text().await.unwrap()
}

/// No part of any token, and nothing that Entra has said of the person.
fn assert_shows_nothing(text: &str, token: &str) {
    for part in token.split('.') {
        assert!(!text.contains(part), "{text}");
    }
    for word in [".eyJ", "AADSTS", "Alice"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

/// The claims of a challenge, decoded.
fn claims_of(challenge: &str) -> Value {
    let (_, claims) = challenge.split_once("claims=\"").unwrap();
    let (claims, _) = claims.split_once('"').unwrap();
    let claims = STANDARD.decode(claims).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const TOOL: &str = "list_deliveries";
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c7"}}}"#;
