//! The audit log of requests.

use std::{
    io,
    sync::{Arc, Mutex},
};

use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, RequireLayer, Requirement,
    testing::{Issuer, TokenBuilder},
};

use crate::support::{self, audited, block_on, caller_of, issuer, logged, request_for, with_line};

fn layer() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
}

fn bearer(token: TokenBuilder) -> Request<String> {
    with_line(format!("Bearer {}", token.mint()))
}

fn send(layer: &EntraAuthLayer, request: Request<String>) -> Response<String> {
    block_on(support::send(layer, request)).response
}

/// The one event that a request makes, without its time.
#[track_caller]
fn event(layer: &EntraAuthLayer, request: Request<String>) -> Value {
    let (_, events) = audited(|| send(layer, request));
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    let mut event = event.clone();
    let members = event.as_object_mut().unwrap();
    members.remove("timestamp").unwrap();
    let target = match members["message"].as_str().unwrap() {
        "request admitted" => "tower_entra::audit::admitted",
        _ => "tower_entra::audit::refused",
    };
    assert_eq!(members.remove("target").unwrap(), target);
    assert_eq!(members.remove("level").unwrap(), "INFO");
    event
}

#[test]
fn an_admitted_agent_is_one_event_with_its_ids_and_codes() {
    let token = issuer().agent_on_behalf_of("alice").claim("uti", "the-uti");
    assert_eq!(
        event(&layer(), bearer(token)),
        json!({
            "message": "request admitted",
            "tid": issuer().tenant_id(),
            "oid": issuer().object_id_of("alice"),
            "client_id": issuer().agent_id(),
            "kind": "agent_on_behalf_of_user",
            "agent_status": "attested",
            "actor_facets": "3 9 11",
            "subject_facets": "3",
            "tenant_facets": "3",
            "parent_agent_blueprint": issuer().blueprint_id(),
            "uti": "the-uti",
            "token_version": "2.0",
        })
    );
}

#[test]
fn the_record_of_a_caller_serializes_to_the_same() {
    let token = issuer().agent_on_behalf_of("alice").claim("uti", "the-uti");
    let record = caller_of(token).audit();
    assert_eq!(
        serde_json::to_value(&record).unwrap(),
        json!({
            "tid": issuer().tenant_id(),
            "oid": issuer().object_id_of("alice"),
            "client_id": issuer().agent_id(),
            "kind": "agent_on_behalf_of_user",
            "agent_status": "attested",
            "actor_facets": [3, 9, 11],
            "subject_facets": [3],
            "tenant_facets": [3],
            "parent_agent_blueprint": issuer().blueprint_id(),
            "uti": "the-uti",
            "token_version": "2.0",
        })
    );
    assert!(!format!("{record:?}").contains("alice"));

    let bare = issuer()
        .token()
        .v1()
        .without_claim("oid")
        .without_claim("uti");
    let record = serde_json::to_value(caller_of(bare).audit()).unwrap();
    assert_eq!(
        record,
        json!({
            "tid": issuer().tenant_id(),
            "oid": null,
            "client_id": issuer().client_id(),
            "kind": "user",
            "agent_status": "unattested",
            "actor_facets": null,
            "subject_facets": null,
            "tenant_facets": null,
            "parent_agent_blueprint": null,
            "uti": null,
            "token_version": "1.0",
        })
    );
}

#[test]
fn an_unattested_caller_is_logged_with_the_claims_to_request() {
    let event = event(
        &layer(),
        bearer(issuer().autonomous_agent().without_facets()),
    );
    assert_eq!(event["agent_status"], "unattested");
    let hint = event["hint"].as_str().unwrap();
    for name in [
        "xms_act_fct",
        "xms_sub_fct",
        "xms_par_app_azp",
        "xms_idrel",
        "idtyp",
        "include_user_token",
        "optionalClaims.accessToken",
    ] {
        assert!(hint.contains(name), "{hint}");
    }
}

#[test]
fn the_claims_to_request_are_logged_once_for_a_layer_and_its_clones() {
    let unknown = || bearer(issuer().autonomous_agent().without_facets());
    let layer = layer();
    let clone = layer.clone();
    // An attested caller does not count.
    let known = event(&layer, bearer(issuer().autonomous_agent()));
    assert_eq!(known["hint"], Value::Null);
    assert!(event(&layer, unknown())["hint"].is_string());
    for layer in [&layer, &clone] {
        let event = event(layer, unknown());
        assert_eq!(event["agent_status"], "unattested");
        assert_eq!(event["hint"], Value::Null);
    }
}

#[test]
fn a_refusal_of_a_token_with_many_long_audiences_is_a_short_line() {
    let audiences: Vec<_> = (0..20)
        .map(|at| format!("{at} {}", "a ".repeat(100)))
        .collect();
    let token = issuer().user().claim("aud", audiences);
    let event = event(&layer(), bearer(token));
    assert_eq!(event["code"], "audience_mismatch");
    assert!(event.to_string().len() < 1_500, "{event}");
}

#[test]
fn claims_that_count_as_absent_are_named_in_the_audit_log() {
    let token = issuer()
        .autonomous_agent()
        .claim("xms_act_fct", json!({"sub": "zoe"}))
        .claim("xms_idrel", "zoe");
    let event = event(&layer(), bearer(token));
    assert_eq!(event["malformed_claims"], "xms_act_fct xms_idrel");
    assert!(!event.to_string().contains("zoe"), "{event}");
}

#[test]
fn a_client_in_the_claim_of_the_other_version_is_noted_in_the_audit_log() {
    let client = issuer().agent_id();
    let user = || issuer().user();
    for (token, words) in [
        (
            user().without_claim("azp").claim("appid", client),
            "azp is missing, which names the client in version 2.0: the token has appid, which only \
             version 1.0 tokens use",
        ),
        (
            user().v1().without_claim("appid").claim("azp", client),
            "appid is missing, which names the client in version 1.0: the token has azp, which only \
             version 2.0 tokens use",
        ),
        (
            user().without_claim("azp"),
            "azp is missing, which names the client in version 2.0, and so is appid",
        ),
        (
            user().v1().without_claim("appid"),
            "appid is missing, which names the client in version 1.0, and so is azp",
        ),
    ] {
        let event = event(&layer(), bearer(token));
        assert_eq!(event["client_id"], Value::Null);
        assert_eq!(event["no_client_id"], words);
    }
    for token in [user(), user().v1()] {
        let event = event(&layer(), bearer(token));
        assert_eq!(event.get("no_client_id"), None, "{event}");
    }
}

#[test]
fn an_overage_of_groups_is_noted_in_the_audit_log() {
    let names = json!({"groups": "src1"});
    for token in [
        issuer().user().claim("_claim_names", names),
        issuer().user().claim("hasgroups", true),
    ] {
        let event = event(&layer(), bearer(token));
        assert_eq!(event["message"], "request admitted");
        assert_eq!(event["groups_overage"], true);
    }
    for token in [
        issuer().user(),
        issuer().user().claim("groups", ["a"]),
        issuer().user().claim("hasgroups", false),
    ] {
        let event = event(&layer(), bearer(token));
        assert_eq!(event.get("groups_overage"), None, "{event}");
    }
}

#[test]
fn a_denied_caller_comes_with_what_its_token_lacks() {
    let inner = |_: Request<String>| async {
        let mut response = Response::new(String::new());
        response.extensions_mut().insert(Denial::new());
        Ok::<_, Error>(response)
    };
    let token = issuer()
        .user()
        .without_claim("azp")
        .claim("hasgroups", true);
    let service = layer().layer(service_fn(inner));
    let (_, events) = audited(|| block_on(service.oneshot(bearer(token))));
    let refused = events.last().unwrap();
    assert_eq!(refused["message"], "request refused");
    assert_eq!(refused["groups_overage"], true);
    let words = refused["no_client_id"].as_str().unwrap();
    assert!(words.starts_with("azp is missing"), "{words}");
}

#[test]
fn the_hint_about_claims_that_count_as_absent_goes_by_the_claim() {
    let (_, log) = logged(|| caller_of(issuer().user().claim("uti", 5)));
    assert!(log.contains("uti is a number instead of a string"), "{log}");
    assert!(log.contains("hint=\"Look for a claims-mapping"), "{log}");
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn facets_that_are_no_text_are_logged_with_what_they_are() {
    let token = issuer()
        .autonomous_agent()
        .claim("xms_act_fct", json!({"sub": "zoe"}))
        .claim("xms_sub_fct", "13 zoe");
    let (caller, log) = logged(|| caller_of(token));
    assert_eq!(caller.malformed_claims(), ["xms_act_fct", "xms_sub_fct"]);
    for text in [
        "DEBUG",
        "xms_act_fct is an object instead of integers with spaces between them in a string",
        "xms_sub_fct is a string of something else instead of integers",
        "hint=\"The facets xms_act_fct",
    ] {
        assert!(log.contains(text), "{text:?} is not in: {log}");
    }
    assert!(!log.contains("zoe"), "{log}");
}

#[test]
fn a_refusal_is_one_event_with_code_reason_and_hint() {
    let token = || issuer().user().audience("api://another");
    let requests: [&dyn Fn() -> Request<String>; 3] =
        [&|| bearer(token()), &|| with_line("Bearer a b"), &|| {
            request_for("/")
        }];
    for request in requests {
        let refusal = send(&layer(), request());
        let error = refusal.extensions().get::<Error>().unwrap();
        assert_eq!(
            event(&layer(), request()),
            json!({
                "message": "request refused",
                "code": error.kind().as_str(),
                "reason": error.to_string(),
                "hint": error.hint(),
            })
        );
    }
}

#[test]
fn a_denial_of_a_handler_names_the_caller_and_the_scopes_that_lack() {
    let inner = service_fn(|request: Request<String>| async move {
        assert!(request.extensions().get::<AgentPrincipal>().is_some());
        let mut response = Response::new(String::new());
        let denial = Denial::new().with_scopes(["Orders.Write"]);
        response.extensions_mut().insert(denial);
        Ok::<_, Error>(response)
    });
    let token = issuer().agent_user().claim("uti", "the-uti");
    let (response, events) = audited(|| {
        let service = layer().layer(inner);
        block_on(service.oneshot(bearer(token))).unwrap()
    });
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let [admitted, refused] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(admitted["message"], "request admitted");
    assert_eq!(admitted["target"], "tower_entra::audit::admitted");
    assert_eq!(admitted.get("denial"), None);
    assert_eq!(refused["message"], "request refused");
    assert_eq!(refused["target"], "tower_entra::audit::refused");
    assert_eq!(refused["code"], "denied");
    assert_eq!(refused["denial"], "missing_scope");
    let reason = refused["reason"].as_str().unwrap();
    assert!(
        reason.ends_with(": a scope is missing: Orders.Write"),
        "{reason}"
    );
    for name in [
        "tid",
        "oid",
        "client_id",
        "kind",
        "agent_status",
        "subject_facets",
        "uti",
    ] {
        assert_eq!(refused[name], admitted[name], "{name}");
        assert!(refused[name].is_string(), "{name}");
    }
}

#[test]
fn a_request_that_waits_for_its_key_is_audited_once() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    block_on(validator.ready());
    issuer.rotate();
    let layer = EntraAuthLayer::new(validator);
    let event = event(&layer, bearer(issuer.user()));
    assert_eq!(event["message"], "request admitted");
    assert_eq!(event["kind"], "user");
}

#[test]
fn an_anonymous_request_makes_no_event_at_the_level_info() {
    let optional = layer().optional();
    let (response, events) = audited(|| send(&optional, request_for("/")));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(events, Vec::<Value>::new());
    let (_, log) = logged(|| send(&optional, request_for("/")));
    assert!(
        log.contains("DEBUG tower_entra::audit::admitted: request let through without a token"),
        "{log}"
    );
}

/// The messages that pass this filter, of a refused request, an admitted one and a denied one.
fn passing(filter: &str) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let people = RequireLayer::new(Requirement::people());
    let inner = |_: Request<String>| async { Ok::<_, Error>(Response::new(String::new())) };
    tracing::subscriber::with_default(subscriber, || {
        send(&layer(), request_for("/"));
        let service = layer().layer(people.layer(service_fn(inner)));
        for caller in [issuer().user(), issuer().application()] {
            block_on(service.clone().oneshot(bearer(caller))).unwrap();
        }
    });
    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["target"] != "tower_entra::keys")
        .map(|event| {
            let texts = ["message", "code", "denial", "kind"].map(|name| event[name].as_str());
            texts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn filters_tell_refused_requests_from_admitted_ones() {
    let refused = "request refused missing_token";
    let denied = "request refused denied wrong_kind application";
    let [user, application] =
        ["user", "application"].map(|kind| format!("request admitted {kind}"));
    let all = [refused, &user, &application, denied];
    for filter in ["tower_entra::audit=info", "tower_entra=info", "info"] {
        assert_eq!(passing(filter), all, "{filter}");
    }
    // The caller is named although its admission is not logged.
    let filter = "off,tower_entra::audit::refused=info";
    assert_eq!(passing(filter), [refused, denied]);
    let filter = "tower_entra::audit=info,tower_entra::audit::admitted=warn";
    assert_eq!(passing(filter), [refused, denied]);
    let filter = "off,tower_entra::audit::admitted=info";
    assert_eq!(passing(filter), [user, application]);
    assert_eq!(passing("warn"), [""; 0]);
}

#[test]
fn a_denial_without_a_token_is_logged_with_its_reason() {
    let inner = |_: Request<String>| async { Ok::<_, Error>(Response::new(String::new())) };
    let people = RequireLayer::new(Requirement::people());
    let service = layer().optional().layer(people.layer(service_fn(inner)));
    let (_, events) = audited(|| block_on(service.oneshot(request_for("/"))));
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event["target"], "tower_entra::audit::refused");
    assert_eq!(event["code"], "missing_token");
    assert_eq!(event["denial"], "anonymous");
    assert_eq!(event.get("kind"), None);
}

#[test]
fn with_the_audit_log_off_refusals_are_logged_at_debug() {
    let off = layer().without_audit_log();
    for token in [issuer().user(), issuer().user().expired()] {
        let (_, events) = audited(|| send(&off, bearer(token)));
        assert_eq!(events, Vec::<Value>::new());
    }
    let (_, log) = logged(|| send(&off, bearer(issuer().user().expired())));
    let line = log
        .lines()
        .find(|line| line.contains("request refused"))
        .unwrap();
    assert!(
        line.contains("DEBUG tower_entra: ") && line.contains("code=\"expired\""),
        "{line}"
    );
    assert!(!log.contains("tower_entra::audit"), "{log}");
}

#[test]
fn validating_without_a_layer_audits_nothing() {
    let (_, events) = audited(|| caller_of(issuer().user()));
    assert_eq!(events, Vec::<Value>::new());
}

#[test]
fn texts_in_the_audit_log_are_escaped_and_cut() {
    let hostile = "a\"\r\n\u{202e}\u{1b}[31m ".repeat(100);
    let facets: Vec<_> = (0..1_000).map(|half| 2 * half + 1).collect();
    let token = issuer()
        .user()
        .claim("uti", &hostile)
        .claim("xms_act_fct", &facets);
    let (_, log) = logged(|| send(&layer(), bearer(token.clone())));
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("tower_entra::audit"))
        .collect();
    let [line] = lines[..] else { panic!("{log}") };
    assert!(
        line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{line}"
    );
    assert!(
        line.contains(r#" uti="a\\\"\\r\\n\\u{202e}\\u{1b}[31m a"#),
        "{line}"
    );
    assert!(line.len() < 1_000, "{line}");
    let event = event(&layer(), bearer(token.clone()));
    assert_eq!(
        event["uti"].as_str().unwrap().len(),
        128 - "\\u{".len() + "...".len()
    );
    let record = serde_json::to_value(caller_of(token).audit()).unwrap();
    assert_eq!(record["uti"], event["uti"]);
    assert_eq!(record["actor_facets"].as_array().unwrap().len(), 16);
}
