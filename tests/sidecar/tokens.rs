//! `/AuthorizationHeader` and `/AuthorizationHeaderUnauthenticated`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::net::TcpStream;
use tower_entra::testing::Issuer;

use crate::world::{Reply, Sidecar, exchange, program, variables};

/// Lets callers of the anonymous route name agents.
const OPEN: (&str, &str) = (
    "Sidecar__AllowOverrides__GetAuthorizationHeaderUnauthenticated",
    "true",
);

async fn get(sidecar: &Sidecar, path: &str, token: Option<&str>) -> Reply {
    match token {
        Some(token) => sidecar.get_with_token(path, token).await,
        None => sidecar.get(path).await,
    }
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("no JSON: {reply:?}"))
}

/// The claims of the token in the answer.
#[track_caller]
fn claims(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    let body = json(reply);
    let header = body["authorizationHeader"].as_str().expect("a header");
    assert!(header.starts_with("Bearer ey"), "not a token");
    let payload = header.split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&payload.expect("base64url")).expect("JSON")
}

#[track_caller]
fn assert_client(claims: &Value, client: &str) {
    let of = claims.get("azp").or_else(|| claims.get("appid"));
    assert_eq!(of, Some(&Value::from(client)), "{claims}");
}

#[track_caller]
fn problem(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{reply:?}");
    let content_type = reply.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    json(reply)
}

#[tokio::test]
async fn a_bad_token_is_401_and_an_api_without_scopes_400() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let refused = get(&sidecar, "/AuthorizationHeader/orders", Some("x")).await;
    assert_eq!(refused.status, 401);
    let token = issuer.blueprint().user_token("alice").mint();
    for name in ["unknown", "ORDERS"] {
        let path = format!("/AuthorizationHeader/{name}");
        let problem = problem(&get(&sidecar, &path, Some(&token)).await, 400);
        let detail = problem["detail"].as_str().unwrap_or_default();
        let expected = format!("No scopes found for the API '{name}' or in optionsOverride.");
        assert!(detail.starts_with(&expected), "{detail}");
    }
}

#[tokio::test]
async fn paths_are_read_in_any_letter_case_and_answers_are_not_kept() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[OPEN]);
    let agent = issuer.agent_id();
    for path in [
        "/authorizationheaderunauthenticated",
        "/AUTHORIZATIONHEADERUNAUTHENTICATED",
    ] {
        for slash in ["", "/"] {
            let query = "optionsOverride.RequestAppToken=true";
            let path = format!("{path}/orders{slash}?AgentIdentity={agent}&{query}");
            let answer = get(&sidecar, &path, None).await;
            assert_client(&claims(&answer), agent);
            assert_eq!(
                answer.header("cache-control"),
                Some("no-cache, no-store, must-revalidate")
            );
            assert_eq!(
                answer.header("content-type"),
                Some("application/json; charset=utf-8")
            );
        }
    }
    for method in ["POST", "HEAD"] {
        let answer = sidecar.ask(method, "/AuthorizationHeader/orders").await;
        assert_eq!(answer.status, 405);
    }
}

#[tokio::test]
async fn an_agent_acts_as_itself_for_a_caller_and_by_its_user() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[OPEN]);
    let agent = issuer.agent_id();
    let user = issuer.blueprint().agent().user();
    let token = issuer.blueprint().user_token("alice").mint();
    let query = format!("/orders?AgentIdentity={agent}");
    for (route, token) in [
        ("/AuthorizationHeader", Some(&*token)),
        ("/AuthorizationHeaderUnauthenticated", None),
    ] {
        let base = format!("{route}{query}");
        let of = async |more: &str| claims(&get(&sidecar, &format!("{base}{more}"), token).await);

        let itself = of("&optionsOverride.RequestAppToken=true").await;
        assert_client(&itself, agent);
        assert_eq!(itself["idtyp"], "app");
        for more in [
            format!("&AgentUserId={}", user.object_id()),
            format!("&AgentUsername={}", user.principal_name()),
        ] {
            let by_user = of(&more).await;
            assert_client(&by_user, agent);
            assert_eq!(by_user["oid"], user.object_id());
        }
    }
    for route in [
        "/AuthorizationHeader",
        "/AuthorizationHeaderUnauthenticated",
    ] {
        let path = format!("{route}{query}");
        let for_alice = claims(&get(&sidecar, &path, Some(&token)).await);
        assert_client(&for_alice, agent);
        assert_eq!(for_alice["oid"], issuer.object_id_of("alice").as_str());
    }
}

#[tokio::test]
async fn agents_are_refused_where_overrides_are_off_or_ignored_as_by_microsoft() {
    let issuer = Issuer::start().await;
    let query = format!("/graph?AgentIdentity={}", issuer.agent_id());
    let token = issuer.blueprint().app_token().mint();
    let off = ("Sidecar__AllowOverrides__GetAuthorizationHeader", "false");
    let graph = [
        (
            "DownstreamApis__graph__Scopes__0",
            "https://graph.microsoft.com/.default",
        ),
        ("DownstreamApis__graph__RequestAppToken", "true"),
    ];
    let routes = [
        ("AuthorizationHeader", "GetAuthorizationHeader"),
        (
            "AuthorizationHeaderUnauthenticated",
            "GetAuthorizationHeaderUnauthenticated",
        ),
    ];
    let sidecar = Sidecar::start(&issuer, &[&graph[..], &[off]].concat());
    for (route, key) in routes {
        let answer = get(&sidecar, &format!("/{route}{query}"), Some(&token)).await;
        let problem = problem(&answer, 403);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains(&format!("Sidecar:AllowOverrides:{key} is")),
            "{detail}"
        );
        assert_eq!(problem["title"], "Forbidden");
    }
    let ignoring = ("Sidecar__IgnoreDeniedAgents", "true");
    let sidecar = Sidecar::start(&issuer, &[&graph[..], &[off, ignoring]].concat());
    for (route, _) in routes {
        let answer = get(&sidecar, &format!("/{route}{query}"), Some(&token)).await;
        assert_client(&claims(&answer), issuer.blueprint_id());
    }
}

#[tokio::test]
async fn overrides_count_where_they_are_on_and_are_dropped_where_they_are_off() {
    let issuer = Issuer::start().await;
    let scope = format!("{}/Orders.Read", issuer.api().resource());
    let token = issuer.blueprint().user_token("alice").mint();
    let path = |route: &str| format!("/{route}/none?optionsOverride.Scopes={scope}");
    // On: the scope is asked for, and refused to the blueprint. Off: there is none.
    let on = Sidecar::start(&issuer, &[OPEN]);
    let off = ("Sidecar__AllowOverrides__GetAuthorizationHeader", "false");
    let off = Sidecar::start(&issuer, &[off]);
    for route in ["AuthorizationHeader", "AuthorizationHeaderUnauthenticated"] {
        problem(&get(&on, &path(route), Some(&token)).await, 401);
        let problem = problem(&get(&off, &path(route), Some(&token)).await, 400);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.starts_with("No scopes found"), "{detail}");
    }
}

#[tokio::test]
async fn a_user_without_an_agent_and_one_named_twice_are_refused_or_taken_as_by_microsoft() {
    let issuer = Issuer::start().await;
    let second = issuer.blueprint().agent().add_user("second");
    let agent = issuer.agent_id();
    let graph = [
        OPEN,
        (
            "DownstreamApis__graph__Scopes__0",
            "https://graph.microsoft.com/.default",
        ),
        ("DownstreamApis__graph__RequestAppToken", "true"),
    ];
    let route = "/AuthorizationHeaderUnauthenticated";
    let without_agent = format!("{route}/graph?AgentUserId=x");
    let twice = format!(
        "{route}/orders?AgentIdentity={agent}&AgentUsername={}&AgentUserId={}",
        second.principal_name(),
        issuer.agent_user_id()
    );
    let strict = Sidecar::start(&issuer, &graph);
    for path in [&without_agent, &twice] {
        problem(&get(&strict, path, None).await, 400);
    }
    let bad = format!("{route}/orders?AgentIdentity={agent}&AgentUserId=jane");
    let refused = problem(&get(&strict, &bad, None).await, 400);
    assert_eq!(refused["detail"], "AgentUserId must be a non-empty GUID.");
    assert!(!refused.to_string().contains("jane"));

    let lenient = ("Sidecar__LenientAgentParameters", "true");
    let lenient = Sidecar::start(&issuer, &[&graph[..], &[lenient]].concat());
    let blueprint = claims(&get(&lenient, &without_agent, None).await);
    assert_client(&blueprint, issuer.blueprint_id());
    let by_name = claims(&get(&lenient, &twice, None).await);
    assert_eq!(by_name["oid"], second.object_id());
    problem(&get(&lenient, &bad, None).await, 400);
}

#[tokio::test]
async fn an_unknown_tenant_is_401_with_entras_text() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[OPEN]);
    let path = format!(
        "/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={}&optionsOverride.RequestAppToken=true\
         &optionsOverride.AcquireTokenOptions.Tenant=11111111-1111-4111-8111-111111111111",
        issuer.agent_id()
    );
    let problem = problem(&get(&sidecar, &path, None).await, 401);
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("AADSTS90002"), "{detail}");
    assert_eq!(problem["errorCode"], "AADSTS90002");
}

#[tokio::test]
async fn forty_agents_at_a_time_each_get_their_own_token() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[OPEN]);
    let mut requests = Vec::new();
    for _ in 0..40 {
        let agent = issuer.blueprint().add_agent();
        let agent = agent.grant_role(&issuer.api(), "Orders.Read.All");
        let path = format!(
            "/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={}\
             &optionsOverride.RequestAppToken=true",
            agent.client_id()
        );
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let (address, id) = (sidecar.address().to_owned(), agent.client_id().to_owned());
        requests.push(tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let answer = exchange(stream, request.as_bytes()).await;
            assert_client(&claims(&answer), &id);
        }));
    }
    for request in requests {
        request.await.expect("its own token");
    }
}

#[tokio::test]
async fn each_token_request_is_one_line_of_the_audit_log_without_tokens_and_names() {
    let issuer = Issuer::start().await;
    let user = issuer.blueprint().agent().add_user("jane.doe");
    let log = std::env::temp_dir().join(format!("tower-entra-audit-{}.log", std::process::id()));
    let mut command = program();
    command
        .envs(variables(&issuer))
        .env(OPEN.0, OPEN.1)
        .stderr(std::fs::File::create(&log).expect("a file"));
    let sidecar = Sidecar::of(command);
    let agent = issuer.agent_id();
    let path = format!(
        "/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={agent}&AgentUsername={}",
        user.principal_name()
    );
    for _ in 0..2 {
        claims(&get(&sidecar, &path, None).await);
    }
    let inbound = issuer.blueprint().user_token("alice").mint();
    let unknown = "/AuthorizationHeader/orders?AgentIdentity=11111111-1111-4111-8111-111111111111";
    let refused = get(&sidecar, unknown, Some(&inbound)).await;
    assert_eq!(refused.status, 401);
    drop(sidecar);

    let text = std::fs::read_to_string(&log).expect("the log");
    std::fs::remove_file(log).expect("the file");
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("tower_entra::audit: "))
        .collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, words) in lines.iter().zip([
        ["source=\"entra\"", "user_kind=\"agent_user_name\""],
        ["source=\"cache\"", "outcome=\"token\""],
        ["user_kind=\"caller\"", "AADSTS"],
    ]) {
        for word in words {
            assert!(line.contains(word), "{word}: {line}");
        }
        assert!(line.contains("api=\"orders\""), "{line}");
    }
    // Quoted, so that no text of Entra or of a caller adds a field.
    assert!(lines[2].contains(" reason=\""), "{}", lines[2]);
    let secret = issuer.blueprint().secret();
    for secret in ["eyJ", "jane", "doe", &secret] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
