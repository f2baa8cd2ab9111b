//! Why there is no token, by what Entra answers.

use std::time::Duration;

use axum::response::IntoResponse as _;
use tower_entra::{
    acquire::{AcquireErrorKind, ClientCredential, Scopes, TokenOptions},
    testing::{Fault, Leg, Policy, Target},
};

use super::*;
use crate::log::tests::Logged;

/// Asks for the token of an agent as itself.
async fn agent(world: &World) -> Answer {
    let agent = world.issuer.agent_id();
    let path = format!("/AuthorizationHeaderUnauthenticated/app?AgentIdentity={agent}");
    world.get(&path, None).await
}

/// Asks for the token of an agent on behalf of alice.
async fn on_behalf(world: &World) -> Answer {
    let agent = world.issuer.agent_id();
    let path = format!("/AuthorizationHeader/orders?AgentIdentity={agent}");
    let token = world.issuer.blueprint().user_token("alice").mint();
    world.get(&path, Some(&token)).await
}

/// Entra refuses the last leg with this body.
fn refusal(error: &str, code: u32, more: &str) -> Fault {
    Fault::Answer {
        status: 400,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: format!(
            r#"{{"error":"{error}","error_codes":[{code}],"error_description":"AADSTS{code}: Words. Trace ID: 1"{more}}}"#
        )
        .into_bytes(),
    }
}

#[tokio::test]
async fn whatever_entra_refuses_is_401_with_its_text_its_code_and_a_hint() {
    for (error, code) in [
        ("invalid_client", 7_000_215),
        ("invalid_client", 700_027),
        ("invalid_client", 70_021),
        ("unauthorized_client", 700_016),
        ("unauthorized_client", 82_001),
        ("invalid_request", 90_002),
        ("invalid_grant", 65_001),
        ("invalid_grant", 50_105),
        ("invalid_grant", 50_173),
        ("invalid_grant", 500_133),
        ("invalid_grant", 50_034),
        ("access_denied", 53_003),
        ("invalid_scope", 70_011),
        ("invalid_resource", 500_011),
        ("invalid_grant", 7_000_114),
        ("invalid_grant", 999_999_999),
    ] {
        let world = World::new(|_, _| {}).await;
        for leg in [Leg::T1, Leg::Agent, Leg::OnBehalfOf] {
            let fault = refusal(error, code, "");
            world.issuer.fail_at(Target::Leg(leg), fault);
        }
        for answer in [agent(&world).await, on_behalf(&world).await] {
            let problem = answer.problem(401);
            assert_eq!(problem["detail"], format!("AADSTS{code}: Words."), "{code}");
            assert_eq!(problem["errorCode"], format!("AADSTS{code}"), "{code}");
            assert_eq!(problem["title"], "Unauthorized");
            let id = problem["correlationId"].as_str().unwrap_or_default();
            assert!(id.parse::<tower_entra::ObjectId>().is_ok(), "{problem}");
            assert!(problem["hint"].is_string(), "{problem}");
            assert!(problem.get("claims").is_none(), "{problem}");
            assert!(!answer.headers.contains_key("retry-after"));
            assert!(!answer.headers.contains_key("www-authenticate"));
        }
    }
}

#[tokio::test]
async fn the_claims_of_a_challenge_come_back_fit_for_the_next_request_and_not_with_consent() {
    let claims = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
    let more = format!(r#","claims":{}"#, Value::from(claims));
    let world = World::new(|_, _| {}).await;
    let fault = refusal("interaction_required", 50_076, &more);
    world.issuer.fail_at(Target::Leg(Leg::OnBehalfOf), fault);
    let problem = on_behalf(&world).await.problem(401);
    assert_eq!(problem["claims"], claims);
    assert_eq!(problem["errorCode"], "AADSTS50076");

    let world = World::new(|_, _| {}).await;
    let more = format!(r#","suberror":"consent_required"{more}"#);
    let fault = refusal("invalid_grant", 65_001, &more);
    world.issuer.fail_at(Target::Leg(Leg::OnBehalfOf), fault);
    let problem = on_behalf(&world).await.problem(401);
    assert!(problem.get("claims").is_none(), "{problem}");
}

#[tokio::test]
async fn a_step_up_of_the_look_alike_is_answered_by_the_claims_that_it_gave() {
    let world = World::new(|_, _| {}).await;
    world.issuer.api().set_policy(Policy::StepUp);
    let problem = on_behalf(&world).await.problem(401);
    let claims = problem["claims"].as_str().expect("claims");
    assert!(serde_json::from_str::<Value>(claims).is_ok());
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("AADSTS50076"), "{detail}");
}

#[tokio::test]
async fn what_passes_by_itself_is_503_with_a_time() {
    let transient = "AADSTS90033: A transient error has occurred: try again later.";
    let throttled = "Entra throttles.";
    let out_of_reach = "Entra, or the credential of this sidecar, is out of reach.";
    let without_words = Fault::Answer {
        status: 429,
        headers: vec![("Retry-After".to_owned(), "17".to_owned())],
        body: Vec::new(),
    };
    for (fault, seconds, detail) in [
        (
            Fault::StatusWithRetryAfter {
                status: 429,
                seconds: 17,
            },
            17,
            transient,
        ),
        (Fault::Status(429), 5, transient),
        (without_words, 17, throttled),
        (
            Fault::StatusWithRetryAfter {
                status: 503,
                seconds: 30,
            },
            30,
            transient,
        ),
        (Fault::Html, 5, out_of_reach),
        (
            Fault::Redirect("http://127.0.0.1:1/".to_owned()),
            5,
            out_of_reach,
        ),
    ] {
        let world = World::new(|_, _| {}).await;
        world.issuer.fail_at(Target::Token, fault.clone());
        for answer in [agent(&world).await, on_behalf(&world).await] {
            let problem = answer.problem(503);
            assert_eq!(problem["title"], "Service Unavailable");
            assert_eq!(problem["detail"], detail, "{fault:?}");
            assert!(problem["hint"].is_string(), "{problem}");
            let time: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!(time.abs_diff(seconds) <= 1, "{fault:?}: {time}");
        }
    }
}

#[tokio::test]
async fn too_many_tokens_at_once_are_503_with_the_time_in_whole_seconds_rounded_up() {
    let issuer = Issuer::start().await;
    let app = App::new(settings(&issuer)).expect("an app");
    let agent = app
        .client
        .as_ref()
        .expect("a client")
        .agent(issuer.agent_id());
    let source = agent.itself();
    let scopes = Scopes::default_of(issuer.api().resource()).expect("a scope");
    let get = async |name: &str| {
        let claims = format!(r#"{{"access_token":{{"{name}":null}}}}"#);
        let options = TokenOptions::default().claims(&claims);
        source.token_with(&scopes, options).await
    };
    for name in ["one", "other"] {
        get(name).await.expect("a token");
    }
    // The same claims are asked for once in 5 s.
    let error = get("one").await.expect_err("too early");
    assert_eq!(error.kind(), AcquireErrorKind::Busy);
    let time = error.retry_after().expect("a time");
    let problem = crate::answer::problem(&error, crate::answer::Fault::Caller);
    assert_eq!(problem.status(), 503);
    assert_eq!(
        problem.detail(),
        "Too many tokens are being acquired at once."
    );
    let headers = problem.into_response().into_parts().0.headers;
    let seconds = headers["retry-after"].to_str().expect("ASCII").parse();
    let seconds = Duration::from_secs(seconds.expect("seconds"));
    assert!(seconds >= time && seconds - time < Duration::from_secs(1));
}

#[tokio::test]
async fn the_token_of_another_identity_is_500_and_never_handed_out() {
    let world = World::new(|_, _| {}).await;
    let stranger = world
        .issuer
        .autonomous_agent()
        .claim("azp", "11111111-1111-4111-8111-111111111111")
        .mint();
    world
        .issuer
        .set_token_member(Leg::Agent, "access_token", &stranger);
    let answer = agent(&world).await;
    let problem = answer.problem(500);
    assert_eq!(problem["detail"], "An unexpected error occurred.");
    assert!(problem["hint"].is_string(), "{problem}");
    assert!(!answer.body.contains("eyJ"));
}

#[tokio::test]
async fn a_credential_that_is_unfit_is_500_and_one_that_is_out_of_reach_503() {
    let unfit =
        ClientCredential::assertion(async |_| Ok::<_, std::io::Error>("no assertion".to_owned()));
    let missing = ClientCredential::assertion_file("/nonexistent/token");
    for (credential, status) in [(unfit, 500), (missing, 503)] {
        let world = World::new(|settings, _| {
            let configured = settings.azure_ad.credential.as_mut();
            configured.expect("a credential").credential = credential;
        })
        .await;
        let problem = agent(&world).await.problem(status);
        assert!(problem["hint"].is_string(), "{problem}");
        assert_eq!(world.issuer.token_requests(), 0);
    }
}

#[tokio::test]
async fn no_answer_has_a_token_a_secret_or_the_name_of_a_user() {
    let world = World::new(|_, _| {}).await;
    let secret = world.issuer.blueprint().secret();
    let name = "jane.doe%40contoso.com";
    let path = format!(
        "/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={}&AgentUsername={name}",
        world.issuer.agent_id()
    );
    let answer = world.get(&path, None).await;
    answer.problem(401);
    for text in ["jane", "eyJ", &secret] {
        assert!(!answer.body.contains(text), "{answer:?}");
    }
}

#[test]
fn hints_name_parameters_and_keys_of_the_sidecar() {
    // Those of the library's own names that are left are a fault of this list.
    for (hint, words) in [
        (
            "Ask as an agent of the blueprint (ConfidentialClient::agent): the blueprint itself gets tokens \
             for Microsoft Graph only.",
            "(AgentIdentity)",
        ),
        (
            "Name a user whose object id is known with AgentUser::object_id.",
            "AgentUserId",
        ),
    ] {
        let shown = crate::answer::in_terms_of_the_sidecar(hint);
        assert!(shown.contains(words), "{shown}");
        assert!(!shown.contains("::"), "{shown}");
    }
}

#[tokio::test]
async fn an_anonymous_request_of_an_anonymous_route_is_not_logged_as_refused() {
    let world = World::new(|_, _| {}).await;
    let agent = world.issuer.agent_id();
    let path = format!("/AuthorizationHeaderUnauthenticated/app?AgentIdentity={agent}");
    let logged = Logged::start();
    assert_eq!(world.get(&path, None).await.status, 200);
    let lines = logged.take();
    assert!(!lines.contains("refused"), "{lines}");
    assert_eq!(world.get(&path, Some("of-nothing")).await.status, 200);
    let lines = logged.take();
    assert!(lines.contains("request refused"), "{lines}");
}
