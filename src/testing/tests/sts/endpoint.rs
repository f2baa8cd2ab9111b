//! The endpoint itself: headers, faults, what it keeps, the URL of a proxy.

use serde_json::json;

use super::*;
use crate::testing::{Fault, Target};

const CORRELATION: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// Head and body for the body of a request, with these headers.
#[track_caller]
fn post_with(issuer: &Issuer, ask: &Ask, headers: &str) -> (String, Value) {
    let headers = format!("Content-Type: {FORM}\r\n{headers}");
    post_body(issuer, &path(&ask.tenant), &headers, &ask.body())
}

#[test]
fn an_answer_is_not_stored_and_has_the_clients_own_id() {
    let issuer = Issuer::start_blocking();
    let wrong = app(&issuer).set("client_secret", "wrong");
    let upper = CORRELATION.to_uppercase();
    for (ask, header) in [
        (wrong.clone(), format!("client-request-id: {upper}\r\n")),
        (
            wrong.clone().and("client-request-id", CORRELATION),
            String::new(),
        ),
    ] {
        let (head, body) = post_with(&issuer, &ask, &header);
        assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
        assert!(head.contains("\r\nCache-Control: no-store"), "{head}");
        assert!(
            head.contains("\r\nContent-Type: application/json"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\nclient-request-id: {CORRELATION}\r\n")),
            "{head}"
        );
        assert_eq!(body["correlation_id"], CORRELATION);
        let (trace, time) = (
            body["trace_id"].as_str().unwrap(),
            body["timestamp"].as_str().unwrap(),
        );
        let tail = format!(". Trace ID: {trace} Correlation ID: {CORRELATION} Timestamp: {time}");
        assert!(
            body["error_description"].as_str().unwrap().ends_with(&tail),
            "{body:#}"
        );
        assert_eq!((time.len(), &time[19..]), (20, "Z"));
    }
    let (head, _) = post_with(&issuer, &app(&issuer), "client-request-id: no GUID\r\n");
    assert!(head.contains("\r\nCache-Control: no-store"), "{head}");
    assert!(!head.contains("no GUID"), "{head}");
}

#[test]
fn credentials_in_a_header_are_taken_and_cut() {
    let issuer = Issuer::start_blocking();
    let client = issuer.client();
    let ask = app(&issuer).without("client_id").without("client_secret");
    let basic = |secret: &str| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let pair = format!("{}:{}", client.client_id(), encode(secret));
        format!("Authorization: Basic {}\r\n", STANDARD.encode(pair))
    };
    let (head, _) = post_with(&issuer, &ask, &basic(&client.secret()));
    assert_eq!(status_of(&head), 200);
    let (_, body) = post_with(&issuer, &ask, &basic("wrong"));
    assert_eq!(body["error_codes"][0], 7000215);
    let (_, body) = post_with(&issuer, &app(&issuer), &basic(&client.secret()));
    assert_eq!(
        body["error_codes"][0], 9000411,
        "in the header and in the body"
    );
    let seen = &issuer.token_requests_seen()[0];
    assert_eq!(seen.header("authorization"), Some("[cut]"));
    assert!(
        issuer
            .heads_seen()
            .iter()
            .all(|head| head.contains("Authorization: [cut]\r\n"))
    );
}

#[test]
fn requests_are_kept_without_what_is_secret() {
    let issuer = Issuer::start_blocking();
    user_fic(&issuer)
        .and("x-client-SKU", "MSAL.node")
        .granted(&issuer);
    obo(&issuer).granted(&issuer);
    let seen = issuer.token_requests_seen();
    let legs: Vec<_> = seen.iter().map(|request| request.leg()).collect();
    use Leg::*;
    assert_eq!(legs, [T1, T2, T1, AgentUser, T1, OnBehalfOf]);
    for request in &seen {
        assert_eq!((request.status(), request.code()), (Some(200), None));
        assert_eq!(request.tenant(), issuer.tenant_id());
        for (name, value) in request.parameters() {
            let is_secret = [
                "client_secret",
                "client_assertion",
                "assertion",
                "user_federated_identity_credential",
            ];
            assert_eq!(value == "[cut]", is_secret.contains(&name), "{name}");
            assert!(
                !value.contains("eyJ") && value != issuer.blueprint().secret(),
                "{name}"
            );
        }
    }
    assert_eq!(seen[0].parameter("fmi_path"), Some(issuer.agent_id()));
    assert_eq!(seen[3].parameter("x-client-SKU"), Some("MSAL.node"));
    assert_eq!(seen[3].parameter("x"), None);
    app(&issuer)
        .set("client_secret", "mistaken")
        .refused(&issuer);
    let last = issuer.token_requests_seen().pop().unwrap();
    assert_eq!((last.status(), last.code()), (Some(401), Some(7000215)));
    assert!(!format!("{last:?}").contains("mistaken"));
}

#[test]
fn a_fault_is_of_the_token_endpoint_or_of_one_leg() {
    let issuer = Issuer::start_blocking();
    let (app, t1) = (app(&issuer), t1(&issuer));
    let statuses = || [&app, &t1].map(|ask| ask.post(&issuer).0);
    let document = || {
        let (head, _) = super::super::get(&issuer, &super::super::keys_target(&issuer));
        status_of(&head)
    };
    issuer.fail(Fault::Status(500));
    assert_eq!((statuses(), document()), ([200, 200], 500));
    issuer.fail_at(Target::Token, Fault::Status(503));
    assert_eq!((statuses(), document()), ([503, 503], 500));
    issuer.fail_times_at(Target::Leg(Leg::T1), 1, Fault::Status(429));
    assert_eq!(statuses(), [503, 429]);
    assert_eq!(statuses(), [503, 503], "that of the leg is over");
    issuer.fail_at(Target::Leg(Leg::App), Fault::Status(400));
    issuer.fail(Fault::Status(404));
    assert_eq!((statuses(), document()), ([400, 503], 404));
    issuer.fail_at(Target::Token, Fault::Status(501));
    assert_eq!(statuses(), [501, 501]);
    issuer.heal();
    assert_eq!((statuses(), document()), ([200, 200], 200));
    assert_eq!(issuer.token_requests_of(Leg::T1), 7);
}

#[test]
fn a_fault_of_the_token_endpoint_is_as_it_was_said() {
    let issuer = Issuer::start_blocking();
    let ask = app(&issuer);
    let raw = || {
        let body = ask.body();
        let (path, length) = (path(&ask.tenant), body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n"
        );
        let (head, body) = send(&issuer, (head + &body).as_bytes());
        (head, String::from_utf8(body).unwrap())
    };
    let fault = Fault::StatusWithRetryAfter {
        status: 429,
        seconds: 7,
    };
    issuer.fail_times_at(Target::Token, 1, fault);
    let (head, body) = raw();
    assert!(
        head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nRetry-After: 7\r\n"),
        "{head}"
    );
    assert!(
        body.contains("temporarily_unavailable") && !body.contains("access_token"),
        "{body}"
    );
    assert_eq!(issuer.token_requests_seen()[0].status(), None);

    issuer.fail_times_at(Target::Token, 1, Fault::Html);
    let (head, body) = raw();
    assert!(
        head.starts_with("HTTP/1.1 200 ") && body.starts_with("<!DOCTYPE html>"),
        "{body}"
    );

    let answer = Fault::Answer {
        status: 429,
        headers: vec![(
            "Retry-After".to_owned(),
            "Sun, 06 Nov 2994 08:49:37 GMT".to_owned(),
        )],
        body: b"<html>".to_vec(),
    };
    issuer.fail_times_at(Target::Token, 1, answer);
    let (head, body) = raw();
    assert!(
        head.contains("\r\nRetry-After: Sun, 06 Nov 2994 08:49:37 GMT\r\n"),
        "{head}"
    );
    assert_eq!(body, "<html>");

    let start = std::time::Instant::now();
    issuer.fail_times_at(Target::Token, 1, Fault::Slow(Duration::from_millis(300)));
    assert!(raw().1.contains("access_token"));
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn everything_is_built_from_the_public_url() {
    let issuer = Issuer::builder()
        .public_url("https://login.example:8443/")
        .start_blocking();
    let tid = issuer.tenant_id();
    let base = "https://login.example:8443";
    let document = super::super::discovery(&issuer);
    for (name, path) in [
        ("issuer", "v2.0"),
        ("token_endpoint", "oauth2/v2.0/token"),
        ("authorization_endpoint", "oauth2/v2.0/authorize"),
        ("jwks_uri", "discovery/v2.0/keys"),
    ] {
        assert_eq!(document[name], format!("{base}/{tid}/{path}"));
    }
    assert!(
        !document.to_string().contains("127.0.0.1") && !document.to_string().contains("localhost")
    );
    assert_eq!(issuer.token_endpoint(), document["token_endpoint"]);
    assert!(issuer.url().starts_with("http://127.0.0.1:"));
    let claims = autonomous(&issuer).claims(&issuer);
    assert_eq!(claims["iss"], format!("{base}/{tid}/v2.0"));
    assert!(
        super::super::jwks(&issuer)[0]["issuer"]
            .as_str()
            .unwrap()
            .starts_with(base)
    );
    obo(&issuer).granted(&issuer);
    let _admitted = issuer.user().principal();
}

#[test]
fn tokens_are_minted_over_http_only_if_that_was_asked_for() {
    let silent = Issuer::start_blocking();
    let issuer = Issuer::builder().mints_over_http().start_blocking();
    for (target, ask) in [("/mint/person", obo(&issuer)), ("/mint/app", obo(&issuer))] {
        let (head, body) = super::super::get(&silent, target);
        assert_eq!(status_of(&head), 404);
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap()["error"],
            "not_found"
        );
        let (head, body) = super::super::get(&issuer, target);
        assert!(head.contains("\r\nContent-Type: text/plain\r\n"), "{head}");
        let token = String::from_utf8(body).unwrap();
        let claims = parts(&token).1;
        assert_eq!(
            (&claims["aud"], &claims["ver"]),
            (&json!(issuer.blueprint_id()), &json!("2.0"))
        );
        let ask = ask.set("assertion", &token);
        match target {
            "/mint/person" => drop(ask.granted(&issuer)),
            _ => assert_eq!(ask.refused(&issuer).2, 7000114),
        }
    }
    let (head, _) = super::super::get(&issuer, "/mint/other");
    assert_eq!(status_of(&head), 404);
}
