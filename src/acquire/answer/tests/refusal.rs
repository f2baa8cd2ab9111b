//! Errors of OAuth, and what they bring about.

use super::*;

struct Row {
    status: u16,
    body: Value,
    kind: AcquireErrorKind,
}

pub(super) fn refused(flow: Flow<'_>, status: u16, body: &Value) -> AcquireError {
    read_by(flow, status, body.to_string().as_bytes()).expect_err("an error")
}

pub(super) fn error(error: &str, code: u32) -> Value {
    json!({"error": error, "error_codes": [code], "error_description": format!("AADSTS{code}: text")})
}

pub(super) fn and(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[test]
fn an_error_is_classified_by_status_then_suberror_then_claims_then_code_then_error() {
    use AcquireErrorKind as Kind;
    let consent = and(
        error("invalid_grant", 65_001),
        "suberror",
        json!("consent_required"),
    );
    let step_up = and(
        error("interaction_required", 50_076),
        "claims",
        json!(CLAIMS),
    );
    let row = |status, body: &Value, kind| Row {
        status,
        body: body.clone(),
        kind,
    };
    let unknown = |word: &str| error(word, 1);
    for Row { status, body, kind } in [
        row(429, &consent, Kind::Throttled),
        row(500, &consent, Kind::Unavailable),
        row(503, &step_up, Kind::Unavailable),
        row(408, &step_up, Kind::Unavailable),
        row(400, &consent, Kind::ConsentRequired),
        row(
            400,
            &and(consent.clone(), "claims", json!(CLAIMS)),
            Kind::ConsentRequired,
        ),
        row(
            400,
            &and(
                unknown("invalid_grant"),
                "suberror",
                json!("consent_required"),
            ),
            Kind::ConsentRequired,
        ),
        row(400, &step_up, Kind::InteractionRequired),
        row(
            401,
            &and(unknown("x"), "claims", json!(CLAIMS)),
            Kind::InteractionRequired,
        ),
        row(
            400,
            &and(error("invalid_grant", 65_001), "claims", json!(" ")),
            Kind::ConsentRequired,
        ),
        row(
            400,
            &and(error("invalid_grant", 65_001), "claims", json!(null)),
            Kind::ConsentRequired,
        ),
        row(
            400,
            &and(error("invalid_grant", 53_003), "claims", json!(CLAIMS)),
            Kind::InteractionRequired,
        ),
        row(
            400,
            &error("interaction_required", 53_003),
            Kind::NotAllowed,
        ),
        row(400, &error("invalid_grant", 53_001), Kind::NotAllowed),
        row(400, &error("invalid_grant", 82_014), Kind::NotAllowed),
        row(400, &error("invalid_grant", 50_105), Kind::NotAllowed),
        row(400, &error("invalid_grant", 50_057), Kind::NotAllowed),
        row(401, &error("invalid_client", 7_000_114), Kind::NotAllowed),
        row(
            401,
            &error("invalid_client", 7_000_215),
            Kind::CredentialRefused,
        ),
        row(
            401,
            &error("invalid_client", 700_024),
            Kind::CredentialRefused,
        ),
        row(
            401,
            &error("invalid_request", 700_213),
            Kind::CredentialRefused,
        ),
        row(
            401,
            &error("invalid_request", 9_002_324),
            Kind::CredentialRefused,
        ),
        row(
            400,
            &error("unauthorized_client", 700_016),
            Kind::Misconfigured,
        ),
        row(
            401,
            &error("invalid_client", 7_000_229),
            Kind::Misconfigured,
        ),
        row(400, &error("invalid_request", 90_002), Kind::Misconfigured),
        row(
            400,
            &error("invalid_resource", 500_011),
            Kind::Misconfigured,
        ),
        row(400, &error("invalid_scope", 70_011), Kind::Misconfigured),
        row(400, &error("invalid_grant", 50_196), Kind::Throttled),
        row(400, &error("invalid_request", 90_055), Kind::Throttled),
        row(400, &error("invalid_request", 90_033), Kind::Unavailable),
        row(400, &error("server_error", 50_000), Kind::Unavailable),
        row(500, &error("server_error", 50_000), Kind::Unavailable),
        row(
            500,
            &and(
                error("server_error", 50_000),
                "suberror",
                json!("consent_required"),
            ),
            Kind::ConsentRequired,
        ),
        row(400, &unknown("consent_required"), Kind::ConsentRequired),
        row(
            400,
            &and(unknown("invalid_grant"), "claims", json!({"a": 1})),
            Kind::InteractionRequired,
        ),
        row(429, &error("server_error", 50_000), Kind::Throttled),
        row(
            400,
            &unknown("interaction_required"),
            Kind::InteractionRequired,
        ),
        row(400, &unknown("invalid_client"), Kind::CredentialRefused),
        row(400, &unknown("invalid_scope"), Kind::Misconfigured),
        row(400, &unknown("unauthorized_client"), Kind::Misconfigured),
        row(400, &unknown("access_denied"), Kind::NotAllowed),
        row(400, &unknown("temporarily_unavailable"), Kind::Unavailable),
        row(
            400,
            &and(unknown("invalid_grant"), "suberror", json!("basic_action")),
            Kind::InteractionRequired,
        ),
        row(400, &unknown("something_new"), Kind::Misconfigured),
        row(200, &error("invalid_grant", 65_001), Kind::ConsentRequired),
        // The number is in the text only.
        row(
            400,
            &json!({"error": "invalid_grant", "error_description": "AADSTS65001: a"}),
            Kind::ConsentRequired,
        ),
        row(
            400,
            &json!({"error": "invalid_grant", "error_codes": "65001", "error_description": "AADSTS65001: a"}),
            Kind::ConsentRequired,
        ),
    ] {
        for flow in [
            Flow::App,
            Flow::AgentUser(None),
            Flow::OnBehalfOf(&assertion(true)),
        ] {
            let error = refused(flow, status, &body);
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert!(error.hint().is_some());
            let is_temporary = matches!(kind, Kind::Throttled | Kind::Unavailable);
            assert_eq!(error.is_transient(), is_temporary, "{body}");
            assert_eq!(error.retry_after().is_some(), is_temporary, "{body}");
        }
    }
}

#[test]
fn the_caller_s_token_is_refused_only_where_a_caller_has_sent_one() {
    use AcquireErrorKind as Kind;
    let assertion = assertion(true);
    for (body, on_behalf_of) in [
        (error("invalid_grant", 500_133), Kind::AssertionRefused),
        (error("invalid_grant", 500_131), Kind::AssertionRefused),
        (error("invalid_request", 50_027), Kind::AssertionRefused),
        (error("invalid_grant", 50_173), Kind::AssertionRefused),
        (error("invalid_grant", 1), Kind::AssertionRefused),
        (error("invalid_client", 50_027), Kind::CredentialRefused),
    ] {
        let error = refused(Flow::OnBehalfOf(&assertion), 400, &body);
        assert_eq!(error.kind(), on_behalf_of, "{body}");
        for flow in [Flow::App, Flow::AgentUser(None)] {
            let error = refused(flow, 400, &body);
            assert_eq!(error.kind(), Kind::CredentialRefused, "{body}");
        }
    }
}

#[test]
fn claims_are_kept_for_a_caller_who_can_answer_them() {
    let with_claims = |claims: &str| {
        and(
            error("interaction_required", 50_076),
            "claims",
            json!(claims),
        )
    };
    let (able, unable) = (assertion(true), assertion(false));
    let error = refused(Flow::OnBehalfOf(&able), 400, &with_claims(CLAIMS));
    assert_eq!(error.claims(), Some(CLAIMS));
    let tenant = TENANT.parse().expect("a GUID");
    assert_eq!(error.answerable_claims(), Some((tenant, CLAIMS)));
    assert!(!format!("{error:?}{error}").contains("acrs"), "{error:?}");
    for flow in [Flow::OnBehalfOf(&unable), Flow::AgentUser(None), Flow::App] {
        let error = refused(flow, 400, &with_claims(CLAIMS));
        assert_eq!(error.claims(), Some(CLAIMS));
        assert_eq!(error.answerable_claims(), None);
    }
    let long = format!("{{\"a\":\"{}\"}}", "b".repeat(8 * 1024));
    for claims in ["x", "[]", "{}", r#"{"a":1,"a":1}"#, &long] {
        let error = refused(Flow::OnBehalfOf(&able), 400, &with_claims(claims));
        assert_eq!(error.kind(), AcquireErrorKind::InteractionRequired);
        assert_eq!((error.claims(), error.answerable_claims()), (None, None));
    }
    let consent = and(with_claims(CLAIMS), "suberror", json!("consent_required"));
    let error = refused(Flow::OnBehalfOf(&able), 400, &consent);
    assert_eq!((error.claims(), error.answerable_claims()), (None, None));
}

#[test]
fn ids_and_the_code_come_from_the_answer() {
    let body = and(error("invalid_grant", 65_001), "trace_id", json!(OTHER));
    let body = and(body, "correlation_id", json!(USER));
    let body = and(body, "error_codes", json!([65_001, "x", -1, 1.5, 50_076]));
    let error = refused(Flow::App, 400, &body);
    assert_eq!(error.code(), Some(65_001));
    assert_eq!(error.trace_id(), Some(OTHER));
    assert_eq!(error.correlation_id(), Some(REQUEST));
    for trace_id in [json!("x"), json!(1), json!(format!("{OTHER}\r\n"))] {
        let body = and(body.clone(), "trace_id", trace_id);
        assert_eq!(refused(Flow::App, 400, &body).trace_id(), None);
    }
}

#[test]
fn assertions_are_dropped_where_a_new_one_can_help() {
    for (body, drops) in [
        (error("invalid_client", 700_024), true),
        (error("invalid_client", 1), true),
        (error("invalid_client", 65_001), true),
        (error("invalid_grant", 1), true),
        (error("invalid_grant", 50_013), true),
        (error("invalid_grant", 50_173), true),
        (json!({"error": "invalid_grant"}), true),
        (error("invalid_grant", 65_001), false),
        (error("invalid_grant", 90_094), false),
        (error("invalid_grant", 50_105), false),
        (error("invalid_grant", 53_003), false),
        (error("invalid_grant", 50_076), false),
        (error("invalid_grant", 50_034), false),
        (
            and(error("invalid_grant", 1), "error_codes", json!([1, 53_003])),
            false,
        ),
        (
            and(
                error("invalid_grant", 1),
                "suberror",
                json!("consent_required"),
            ),
            false,
        ),
        (
            and(error("invalid_grant", 1), "claims", json!(CLAIMS)),
            false,
        ),
        (and(error("invalid_grant", 1), "claims", json!("x")), false),
        (error("invalid_grant", 50_196), false),
        (error("interaction_required", 1), false),
        (error("invalid_request", 1), false),
        (error("unauthorized_client", 700_016), false),
    ] {
        let of = |status| refused(Flow::AgentUser(None), status, &body).drops_assertions();
        assert_eq!(of(400), drops, "{body}");
        assert!(!of(503) && !of(429), "{body}");
    }
}

#[test]
fn the_credential_is_read_again_on_the_codes_of_a_rotation() {
    for code in [700_027, 700_024, 7_000_214, 1_000_502, 7_000_274, 7_000_277] {
        assert!(refused(Flow::App, 401, &error("invalid_client", code)).rereads_credential());
        assert!(!refused(Flow::App, 503, &error("invalid_client", code)).rereads_credential());
    }
    for code in [7_000_215, 7_000_222, 700_016, 65_001, 1] {
        assert!(!refused(Flow::App, 401, &error("invalid_client", code)).rereads_credential());
    }
}

#[test]
fn one_retry_is_worth_it_for_5xx_without_a_retry_after_only() {
    let read = |status, retry_after: Option<u64>, body: &Value| {
        let body = body.to_string();
        let answer = Answer {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            is_encoded: false,
            body: body.as_bytes(),
        };
        read(&answer, &asked(Flow::App, &[])).expect_err("an error")
    };
    let html = json!("<html>");
    let json = error("temporarily_unavailable", 90_033);
    for body in [&html, &json] {
        assert!(read(500, None, body).retry_in_line());
        assert!(read(503, None, body).retry_in_line());
        assert!(!read(503, Some(7), body).retry_in_line());
        assert!(!read(503, Some(0), body).retry_in_line());
        assert!(!read(429, None, body).retry_in_line());
        assert!(!read(400, None, body).retry_in_line());
        for (named, seconds) in [(None, 5), (Some(0), 1), (Some(7), 7), (Some(3_601), 3_600)] {
            let error = read(503, named, body);
            assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
            assert_eq!(error.remembered_for(), Duration::from_secs(seconds));
        }
    }
    assert!(!read(500, None, &error("server_error", 50_000)).retry_in_line());
    let refused = read(400, Some(u64::MAX), &error("invalid_client", 1));
    assert_eq!(refused.retry_after(), None);
    assert_eq!(refused.remembered_for(), Duration::from_secs(3_600));
    let refused = read(400, None, &error("invalid_client", 1));
    assert_eq!(refused.remembered_for(), Duration::from_secs(5));
}

#[test]
fn a_text_says_what_was_asked_and_what_came_back() {
    let description = "AADSTS65001: The user or administrator has not consented to use the \
        application with ID '3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a'.\r\nTrace ID: x\r\nTimestamp: y";
    let body = and(
        error("invalid_grant", 65_001),
        "error_description",
        json!(description),
    );
    let body = and(body, "suberror", json!("consent_required"));
    assert_eq!(
        refused(Flow::App, 400, &body).to_string(),
        "a token for an agent: Entra refused (400 invalid_grant consent_required): AADSTS65001: The \
         user or administrator has not consented to use the application with ID \
         '3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a'."
    );
    assert_eq!(
        refused(Flow::App, 401, &error("invalid_client", 7_000_215)).to_string(),
        "a token for an agent: Entra refused the client's secret (401 invalid_client): \
         AADSTS7000215: text"
    );
    assert_eq!(
        read_by(Flow::App, 502, b"<html>")
            .expect_err("none")
            .to_string(),
        "a token for an agent: the token endpoint answered 502, and its body is HTML or XML"
    );
}

#[test]
fn no_member_of_an_answer_leaks_a_credential_or_a_name() {
    let token = jwt(&good_claims().to_string());
    let leaks = [
        "hunter",
        "aB08Q~0123456789012345678901234567890123",
        "jane.doe@contoso.com",
        &token,
    ];
    let withheld = ["hunter"];
    for leak in leaks {
        for name in [
            "error",
            "suberror",
            "error_description",
            "error_codes",
            "claims",
            "trace_id",
            "correlation_id",
            "timestamp",
            "error_uri",
            "access_token",
            "token_type",
            "expires_in",
            "refresh_in",
            leak,
        ] {
            for value in [
                json!(leak),
                json!([leak]),
                json!({ leak: leak }),
                json!(format!("AADSTS7000215: x {leak} y")),
                json!(format!("AADSTS7000215: user '{leak}' y")),
            ] {
                for (status, body) in [
                    (
                        400,
                        and(error("invalid_client", 7_000_215), name, value.clone()),
                    ),
                    (200, and(good(), name, value.clone())),
                    (500, json!({ name: value })),
                ] {
                    let body = body.to_string();
                    let answer = Answer {
                        status,
                        retry_after: None,
                        is_encoded: false,
                        body: body.as_bytes(),
                    };
                    let texts = match read(&answer, &asked(Flow::App, &withheld)) {
                        Ok(granted) => format!("{:?}", granted.access_token),
                        Err(error) => {
                            let ids = (error.trace_id(), error.correlation_id());
                            format!("{error} {error:?} {:?} {ids:?}", error.hint())
                        }
                    };
                    assert!(!texts.contains(leak), "{name}: {texts}");
                }
            }
        }
    }
}

#[test]
fn the_answer_of_entra_is_the_end_of_the_text_and_begins_with_its_code() {
    let refusal = |status, body: &Value| {
        let error = refused(Flow::App, status, body);
        let text = error.to_string();
        let answer = error.refusal().expect("Entra has refused").to_owned();
        assert!(text.ends_with(&answer), "{text}");
        answer
    };
    let denied = error("invalid_client", 7_000_215);
    assert_eq!(refusal(401, &denied), "AADSTS7000215: text");
    assert_eq!(refusal(429, &denied), "AADSTS7000215: text");
    assert_eq!(
        refusal(400, &json!({"error": "invalid_scope"})),
        "Entra refused (400 invalid_scope)"
    );
    for body in ["", "{}", "<html>", "{\"access_token\":\"a\"}"] {
        let error = read_by(Flow::App, 400, body.as_bytes()).expect_err("no token");
        assert_eq!(error.refusal(), None, "{body}");
    }
}
