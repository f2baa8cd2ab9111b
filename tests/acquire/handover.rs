//! What the caller of an agent's API is answered where no token can be got on the caller's behalf.

use std::{error::Error as StdError, future, pin::Pin};

use axum::{Router, body::Body, routing::get};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderName, Request, Response, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_entra::{
    EntraAuthLayer, HttpClient,
    acquire::{
        AcquireError, AcquireErrorKind, AcquireSettings, ClientCredential, ConfidentialClient,
        UserAssertion,
    },
    testing::{Fault, Issuer, Leg, Policy, Target, TokenBuilder},
};

use super::world::{Who, World};

/// An agent's API, which needs a token on behalf of its caller.
fn api(world: &World, client: &ConfidentialClient) -> Router {
    let agent = client.agent(world.agent.client_id());
    let scopes = world.scope("Orders.Read");
    let orders = move |caller: UserAssertion| async move {
        let token = agent.on_behalf_of(&caller).token(&scopes).await?;
        Ok::<_, AcquireError>(format!("orders for {} scope", token.scopes().count()))
    };
    let door = EntraAuthLayer::new(world.validator().build().unwrap()).with_user_assertion();
    Router::new().route("/", get(orders)).route_layer(door)
}

struct Answered {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

impl Answered {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A parameter of the challenge.
    fn parameter(&self, name: &str) -> Option<&str> {
        let challenge = self.header(WWW_AUTHENTICATE)?;
        let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
        rest.split('"').next()
    }
}

async fn get_orders(api: Router, token: TokenBuilder) -> Answered {
    let request = Request::get("/").header(AUTHORIZATION, format!("Bearer {}", token.mint()));
    let answer = api.oneshot(request.body(Body::empty()).unwrap()).await;
    let (parts, body) = answer.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    Answered {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

fn caller(world: &World) -> TokenBuilder {
    world.blueprint.user_token(&world.person)
}

/// A caller whose client can answer a claims challenge.
fn capable(world: &World) -> TokenBuilder {
    caller(world).claim("xms_cc", ["cp1"])
}

/// What is wrong, how it comes about, the caller's token; then the status, the `error` of the challenge,
/// `Retry-After`, and the number of requests to Entra.
type Row = (
    &'static str,
    fn(&World),
    fn(&World) -> TokenBuilder,
    (u16, Option<&'static str>, Option<&'static str>, usize),
);

const INVALID: Option<&str> = Some("invalid_token");
const SCOPE: Option<&str> = Some("insufficient_scope");
const CLAIMS: Option<&str> = Some("insufficient_claims");

const ROWS: [Row; 20] = [
    ("nothing", |_| {}, caller, (200, None, None, 2)),
    (
        "consent is missing",
        |world| world.agent.withdraw_consent(&world.api),
        capable,
        (403, SCOPE, None, 2),
    ),
    (
        "a policy blocks the agent",
        |world| world.agent.set_policy(Policy::Block),
        capable,
        (403, SCOPE, None, 2),
    ),
    (
        "the person must sign in again",
        |world| world.api.set_policy(Policy::StepUp),
        capable,
        (401, CLAIMS, None, 2),
    ),
    (
        "the person must sign in again, and the client cannot be asked to",
        |world| world.api.set_policy(Policy::StepUp),
        caller,
        (403, SCOPE, None, 2),
    ),
    (
        "nothing, where the person has signed in again",
        |world| world.api.set_policy(Policy::StepUp),
        |world| capable(world).claim("amr", ["pwd", "mfa"]),
        (200, None, None, 2),
    ),
    (
        "the person's account is disabled",
        |world| world.issuer.disable_user(&world.person),
        caller,
        (403, SCOPE, None, 2),
    ),
    (
        "the caller's token has expired a moment ago",
        |_| {},
        |world| caller(world).expired().expires_in(-20),
        (401, INVALID, None, 2),
    ),
    (
        "the caller's token is for the API by its URI",
        |_| {},
        |world| caller(world).audience(&format!("api://{}", world.blueprint.client_id())),
        (401, INVALID, None, 0),
    ),
    (
        "the caller's token is for another app of the door",
        |_| {},
        World::token_for_the_app,
        (401, INVALID, None, 0),
    ),
    (
        "the caller's token is of version 1.0",
        |_| {},
        |world| caller(world).v1(),
        (401, INVALID, None, 2),
    ),
    (
        "the caller is an app",
        |_| {},
        |world| world.blueprint.app_token().role("Orders"),
        (403, SCOPE, None, 0),
    ),
    (
        "the blueprint's secret is deleted",
        |world| world.blueprint.remove_secret(&world.secret),
        capable,
        (500, None, None, 1),
    ),
    (
        "the blueprint is gone",
        |world| world.blueprint.remove(),
        capable,
        (500, None, None, 1),
    ),
    (
        "the answer is another person's token",
        |world| {
            let token = world.issuer.token();
            let token = token.claim("azp", world.agent.client_id()).mint();
            let leg = Leg::OnBehalfOf;
            world.issuer.set_token_member(leg, "access_token", token);
        },
        capable,
        (500, None, None, 2),
    ),
    (
        "Entra throttles",
        |world| throttled(world, 429, 17),
        capable,
        (503, None, Some("17"), 1),
    ),
    (
        "Entra is out of order, and says for how long",
        |world| throttled(world, 503, 7),
        capable,
        (503, None, Some("7"), 1),
    ),
    (
        "Entra throttles for longer than an hour",
        |world| throttled(world, 429, 100_000),
        capable,
        (503, None, Some("3600"), 1),
    ),
    (
        "Entra has seen the same request too often",
        |world| {
            let body = json!({"error": "invalid_grant", "error_codes": [50_196]});
            let fault = Fault::Answer {
                status: 400,
                headers: vec![],
                body: body.to_string().into_bytes(),
            };
            world.issuer.fail_at(Target::Leg(Leg::OnBehalfOf), fault);
        },
        capable,
        (503, None, Some("5"), 2),
    ),
    (
        "a sign-in page answers in the place of Entra",
        |world| world.issuer.fail_at(Target::Token, Fault::Html),
        capable,
        (503, None, Some("5"), 1),
    ),
];

fn throttled(world: &World, status: u16, seconds: u64) {
    let fault = Fault::StatusWithRetryAfter { status, seconds };
    world.issuer.fail_at(Target::Token, fault);
}

#[tokio::test]
async fn a_caller_is_answered_by_what_was_wrong_and_learns_no_more() {
    let issuer = Issuer::start().await;
    for (what, breaks, token, (status, error, retry_after, requests)) in ROWS {
        let world = World::at(&issuer);
        let api = api(&world, &world.as_blueprint());
        let token = token(&world);
        breaks(&world);
        let first = get_orders(api.clone(), token.clone()).await;
        // The second is answered from memory.
        let second = get_orders(api, token).await;
        for answer in [first, second] {
            assert_eq!(answer.status, status, "{what}: {:?}", answer.headers);
            assert_eq!(answer.parameter("error"), error, "{what}");
            assert_eq!(answer.header(RETRY_AFTER), retry_after, "{what}");
            assert_eq!(
                answer.header(WWW_AUTHENTICATE).is_some(),
                error.is_some(),
                "{what}"
            );
            assert_eq!(answer.body.is_empty(), status != 200, "{what}");
            let shown = format!("{:?}", answer.headers);
            assert!(!shown.contains("AADSTS"), "{what}: {shown}");
            assert_eq!(
                answer.parameter("claims").is_some(),
                error == CLAIMS,
                "{what}"
            );
            if let Some(claims) = answer.parameter("claims") {
                let claims = STANDARD.decode(claims).unwrap();
                let claims: Value = serde_json::from_slice(&claims).unwrap();
                assert!(claims["access_token"]["capolids"].is_object(), "{claims}");
            }
        }
        assert_eq!(world.wire.count(), requests, "{what}");
        issuer.heal();
        issuer.reset_token_members();
    }
}

/// Takes requests and answers none.
struct Silent;

impl HttpClient for Silent {
    fn send(&self, _: Request<Vec<u8>>, _: usize) -> Pin<Box<Pending>> {
        Box::pin(future::pending())
    }
}

type Pending =
    dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send;

#[tokio::test]
async fn a_caller_is_told_to_come_back_where_too_many_tokens_are_being_acquired() {
    let world = World::new();
    let credential = ClientCredential::secret(world.secret.clone());
    let client = world.builder(world.blueprint.client_id(), credential);
    let client = client
        .settings(AcquireSettings::default().with_max_flights(1))
        .http_client(Silent)
        .build()
        .unwrap();
    let other = world.source_of(Who::Agent, &client);
    let scopes = world.default_scope();
    let waits = tokio::spawn(async move { other.token(&scopes).await.map(drop) });
    tokio::task::yield_now().await;
    let answer = get_orders(api(&world, &client), caller(&world)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header(RETRY_AFTER), Some("1"));
    waits.abort();

    let error = world.source_of(Who::AgentForUser, &client);
    let error = error.token(&world.scope("Orders.Read")).await.unwrap_err();
    assert_eq!(error.kind(), AcquireErrorKind::Busy);
    assert_eq!(
        error.to_string(),
        "1 tokens are being acquired, which is the most at a time"
    );
    assert!(error.hint().unwrap().contains("with_max_flights"));
    assert_eq!((error.code(), error.correlation_id()), (None, None));
}
