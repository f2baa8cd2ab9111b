use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::user_assertion::UserAssertion;

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const USER: &str = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11";
const OTHER: &str = "99999999-9999-4999-8999-999999999999";
const REQUEST: &str = "b0b0b0b0-0000-4000-8000-000000000000";
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;

fn asked<'a>(flow: Flow<'a>, withheld: &'a [&'a str]) -> Asked<'a> {
    Asked {
        what: "a token for an agent",
        client: CLIENT.parse().expect("a GUID"),
        tenant: TENANT.parse().expect("a GUID"),
        flow,
        scope: "api://x/A api://x/B",
        correlation_id: REQUEST,
        credential: "secret",
        withheld,
    }
}

fn read_by(flow: Flow<'_>, status: u16, body: &[u8]) -> Result<Granted, AcquireError> {
    let answer = Answer {
        status,
        retry_after: None,
        is_encoded: false,
        body,
    };
    read(&answer, &asked(flow, &[]))
}

fn assertion(supports_claims_challenge: bool) -> UserAssertion {
    let user = Some(USER.parse().expect("a GUID"));
    let tenant = TENANT.parse().expect("a GUID");
    UserAssertion::new("tc", CLIENT, tenant, user, supports_claims_challenge)
}

fn jwt(claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k"}"#);
    format!("{header}.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn good_claims() -> Value {
    json!({"azp": CLIENT, "tid": TENANT, "oid": USER, "sub": "s", "scp": "A B"})
}

fn good_app_claims() -> Value {
    json!({"appid": CLIENT, "tid": TENANT, "oid": OTHER, "sub": OTHER, "roles": ["A"], "idtyp": "app"})
}

fn good() -> Value {
    json!({
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
        "scope": "api://x/A api://x/C",
        "access_token": jwt(&good_claims().to_string()),
        "refresh_token": "0.AR",
        "id_token": "eyJ",
        "client_info": "e30",
    })
}

/// The good answer with this member; without it if the value is `()`.
fn good_but(name: &str, value: impl Into<Option<Value>>) -> String {
    let mut answer = good();
    let members = answer.as_object_mut().expect("an object");
    match value.into() {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    answer.to_string()
}

fn on_behalf_of(body: &str) -> Result<Granted, AcquireError> {
    read_by(Flow::OnBehalfOf(&assertion(true)), 200, body.as_bytes())
}

#[track_caller]
fn taken(body: &str) -> Granted {
    on_behalf_of(body).expect(body)
}

#[track_caller]
fn is_none(body: &str, words: &str) {
    let error = on_behalf_of(body).expect_err(body);
    assert_eq!(
        error.kind(),
        AcquireErrorKind::Unavailable,
        "{body}: {error}"
    );
    assert!(error.to_string().contains(words), "{body}: {error}");
    assert!(error.is_transient() && !error.retry_in_line(), "{body}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    assert_eq!(error.correlation_id(), Some(REQUEST));
}

#[test]
fn a_good_answer_is_taken() {
    let granted = taken(&good().to_string());
    assert_eq!(
        granted.access_token.expose(),
        jwt(&good_claims().to_string())
    );
    assert_eq!(granted.expires_in, Duration::from_secs(3_599));
    assert_eq!(granted.refresh_in, None);
    assert_eq!(granted.scopes, "api://x/A api://x/C");
}

#[test]
fn members_that_may_be_absent_have_a_default() {
    for scope in [
        None,
        Some(json!(null)),
        Some(json!("")),
        Some(json!(" ")),
        Some(json!(1)),
    ] {
        let granted = taken(&good_but("scope", scope));
        assert_eq!(granted.scopes, "api://x/A api://x/B");
    }
    for (refresh_in, expected) in [
        (json!(1_800), Some(1_800)),
        (json!("1800"), Some(1_800)),
        (json!(null), None),
        (json!(0), None),
        (json!("soon"), None),
    ] {
        let granted = taken(&good_but("refresh_in", refresh_in));
        assert_eq!(granted.refresh_in.map(|time| time.as_secs()), expected);
    }
    for token_type in ["bearer", "BEARER"] {
        taken(&good_but("token_type", json!(token_type)));
    }
}

#[test]
fn a_lifetime_is_a_number_or_a_text_of_digits_from_one_second_to_ten_years() {
    for (lifetime, seconds) in [
        ("1", 1),
        ("3599", 3_599),
        ("3599.9", 3_599),
        ("3.599e3", 3_599),
        ("1e3", 1_000),
        ("\"3599\"", 3_599),
        ("\"0003599\"", 3_599),
        ("315360000", 315_360_000),
        ("\"315360000\"", 315_360_000),
    ] {
        let body = good().to_string();
        let body = body.replace("\"expires_in\":3599", &format!("\"expires_in\":{lifetime}"));
        assert_eq!(taken(&body).expires_in, Duration::from_secs(seconds));
    }
    for lifetime in [
        "0",
        "0.9",
        "-1",
        "-0",
        "-3599",
        "1e-3",
        "346896000",
        "1e300",
        "\"0\"",
        "\"-1\"",
        "\"+5\"",
        "\" 5\"",
        "\"5 \"",
        "\"\"",
        "\"1e3\"",
        "\"5.0\"",
        "\"0x5\"",
        "\"346896000\"",
        "\"99999999999999999999\"",
        "\"soon\"",
        "\"٣\"",
        "null",
        "true",
        "[3599]",
        "{}",
    ] {
        let body = good().to_string();
        let body = body.replace("\"expires_in\":3599", &format!("\"expires_in\":{lifetime}"));
        is_none(&body, "expires_in");
    }
    is_none(&good_but("expires_in", None), "expires_in");
}

#[test]
fn an_answer_that_is_no_token_answer_is_none() {
    let good = good().to_string();
    for (body, words) in [
        ("", "empty"),
        (" \r\n", "empty"),
        ("null", "not a JSON object"),
        ("\"token\"", "not a JSON object"),
        ("access_token=a&token_type=Bearer", "not a JSON object"),
        (&format!("[{good}]"), "not a JSON object"),
        ("<!DOCTYPE html><html>", "HTML"),
        ("\n<html>", "HTML"),
        ("{}", "token_type"),
        (&good[..good.len() - 1], "cut short"),
        (&good[..good.len() / 2], "cut short"),
        (&format!("{good}{good}"), "cut short"),
        (&format!("{good} x"), "cut short"),
        (&good.replacen('{', "{\"expires_in\":1,", 1), "twice"),
        (&good.replacen('{', "{\"x\":{\"y\":1,\"y\":1},", 1), "twice"),
        (&good.replacen('{', "{\"\\u0073cope\":\"\",", 1), "twice"),
        (&good_but("token_type", None), "token_type"),
        (&good_but("token_type", json!(null)), "token_type"),
        (&good_but("token_type", json!("")), "token_type"),
        (&good_but("token_type", json!("pop")), "token_type"),
        (&good_but("token_type", json!(["Bearer"])), "token_type"),
        (&good_but("access_token", None), "access_token"),
        (&good_but("access_token", json!(null)), "access_token"),
        (&good_but("access_token", json!({"a": 1})), "access_token"),
        (&good_but("access_token", json!("")), "access_token"),
        (&good_but("access_token", json!("a b")), "access_token"),
        (
            &good_but("access_token", json!("a\r\nx: y")),
            "access_token",
        ),
        (&good_but("access_token", json!("a\u{0}")), "access_token"),
        (&good_but("access_token", json!("é")), "access_token"),
        (&good_but("access_token", json!("a=b")), "access_token"),
    ] {
        is_none(body, words);
    }
}

#[test]
fn a_body_that_is_encoded_or_too_long_or_not_utf_8_is_none() {
    let good = good().to_string();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    taken(&padded(MAX_ANSWER));
    is_none(&padded(MAX_ANSWER + 1), "256 KiB");
    let error = read_by(Flow::App, 200, b"{\"a\":\"\xff\"}").expect_err("not UTF-8");
    assert_eq!(error.kind(), AcquireErrorKind::Unavailable);
    let answer = Answer {
        status: 200,
        retry_after: None,
        is_encoded: true,
        body: good.as_bytes(),
    };
    let error = read(&answer, &asked(Flow::App, &[])).expect_err("encoded");
    assert_eq!(error.kind(), AcquireErrorKind::Unavailable);
}

#[test]
fn a_good_body_with_another_status_than_200_is_none() {
    let good = good().to_string();
    for (status, kind, words) in [
        (201, AcquireErrorKind::Unavailable, "names no error"),
        (206, AcquireErrorKind::Unavailable, "names no error"),
        (
            302,
            AcquireErrorKind::Unavailable,
            "redirects are not followed",
        ),
        (
            307,
            AcquireErrorKind::Unavailable,
            "redirects are not followed",
        ),
        (400, AcquireErrorKind::Unavailable, "names no error"),
        (404, AcquireErrorKind::Unavailable, "names no error"),
        (429, AcquireErrorKind::Throttled, "429"),
        (500, AcquireErrorKind::Unavailable, "500"),
    ] {
        let error = read_by(Flow::AgentUser(None), status, good.as_bytes()).expect_err("none");
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.retry_in_line(), status == 500, "{status}");
    }
}

#[test]
fn an_answer_with_a_token_and_an_error_is_an_error() {
    let refused = on_behalf_of(&good_but("error", json!("invalid_client"))).expect_err("an error");
    assert_eq!(refused.kind(), AcquireErrorKind::CredentialRefused);
    for error in [json!(null), json!(""), json!({}), json!(["invalid_client"])] {
        is_none(&good_but("error", error), "its error is no text");
    }
}

#[track_caller]
fn is_of_another(flow: Flow<'_>, claims: &str, words: &str) {
    let body = good_but("access_token", json!(jwt(claims)));
    let error = read_by(flow, 200, body.as_bytes()).expect_err(claims);
    assert_eq!(
        error.kind(),
        AcquireErrorKind::IdentityMismatch,
        "{claims}: {error}"
    );
    assert!(error.to_string().contains(words), "{claims}: {error}");
    assert!(!error.is_transient() && !error.retry_in_line());
    assert!(!error.drops_assertions() && error.retry_after().is_none());
    assert!(error.hint().is_some());
}

fn with(mut claims: Value, name: &str, value: impl Into<Option<Value>>) -> String {
    let members = claims.as_object_mut().expect("an object");
    match value.into() {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    claims.to_string()
}

#[test]
fn a_token_of_another_client_tenant_or_user_is_refused() {
    let assertion = assertion(true);
    let user = Some(USER.parse().expect("a GUID"));
    for flow in [Flow::OnBehalfOf(&assertion), Flow::AgentUser(user)] {
        for (name, value, words) in [
            ("azp", Some(json!(OTHER)), "azp"),
            ("appid", Some(json!(OTHER)), "appid"),
            ("azp", None, "neither azp nor appid"),
            ("azp", Some(json!(null)), "azp"),
            ("azp", Some(json!([CLIENT])), "azp"),
            ("azp", Some(json!("")), "azp"),
            ("azp", Some(json!(format!(" {CLIENT}"))), "azp"),
            ("tid", Some(json!(OTHER)), "tid"),
            ("tid", None, "no tid"),
            ("tid", Some(json!(1)), "tid"),
            ("oid", Some(json!(OTHER)), "oid"),
            ("oid", Some(json!("")), "oid"),
            ("oid", Some(json!(null)), "oid"),
            ("idtyp", Some(json!("app")), "idtyp"),
            ("idtyp", Some(json!("App")), "idtyp"),
            ("idtyp", Some(json!(1)), "idtyp"),
            ("AZP", Some(json!(CLIENT)), "cannot be read"),
            ("Tid", Some(json!(OTHER)), "cannot be read"),
        ] {
            is_of_another(flow, &with(good_claims(), name, value), words);
        }
    }
}

#[test]
fn a_user_s_token_is_taken_whatever_the_form_of_its_ids() {
    for (name, value) in [
        ("azp", json!(CLIENT.to_uppercase())),
        ("tid", json!(TENANT.to_uppercase())),
        ("oid", json!(USER.to_uppercase())),
        ("appid", json!(CLIENT)),
        ("idtyp", json!("user")),
        ("aud", json!("another")),
    ] {
        let claims = with(good_claims(), name, value);
        taken(&good_but("access_token", json!(jwt(&claims))));
    }
    for name in ["oid", "scp", "sub"] {
        let claims = with(good_claims(), name, None);
        taken(&good_but("access_token", json!(jwt(&claims))));
    }
    let body = good_but(
        "access_token",
        json!(jwt(&with(good_claims(), "oid", json!(OTHER)))),
    );
    assert!(read_by(Flow::AgentUser(None), 200, body.as_bytes()).is_ok());
}

#[test]
fn an_app_gets_no_user_s_token_and_a_user_no_app_s() {
    let body = good_but("access_token", json!(jwt(&good_app_claims().to_string())));
    assert!(read_by(Flow::App, 200, body.as_bytes()).is_ok());
    for scp in ["", " ", "/"] {
        let claims = with(good_app_claims(), "scp", json!(scp));
        let body = good_but("access_token", json!(jwt(&claims)));
        assert!(read_by(Flow::App, 200, body.as_bytes()).is_ok());
    }
    for (name, value, words) in [
        ("scp", json!("A"), "scope"),
        ("scp", json!(["A"]), "scp"),
        ("idtyp", json!("user"), "idtyp"),
        ("appid", json!(OTHER), "appid"),
        ("azp", json!(OTHER), "azp"),
        ("tid", json!(OTHER), "tid"),
    ] {
        is_of_another(Flow::App, &with(good_app_claims(), name, value), words);
    }
    is_of_another(Flow::App, &good_claims().to_string(), "scope");
    let flow = Flow::AgentUser(None);
    is_of_another(flow, &good_app_claims().to_string(), "idtyp");
    is_of_another(flow, &with(good_app_claims(), "idtyp", None), "subject");
}

#[test]
fn what_looks_like_a_jwt_and_cannot_be_read_is_refused() {
    let header = URL_SAFE_NO_PAD.encode("{\"alg\":\"RS256\"}");
    let good = URL_SAFE_NO_PAD.encode(good_claims().to_string());
    let twice = format!("{{\"azp\":\"{OTHER}\",{}", &good_claims().to_string()[1..]);
    for token in [
        format!("{header}..c2ln"),
        format!("{header}.!.c2ln").replace('!', "~"),
        format!("{header}.{good}=.c2ln"),
        format!("{header}.e30.c2ln"),
        format!("{header}.bnVsbA.c2ln"),
        format!("{header}.{}.c2ln", URL_SAFE_NO_PAD.encode(twice)),
        // Other forms of a header that some API may read.
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(" {}")),
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode("{\"alg\":")),
        "eyJ+/+/9.e30.c2ln".to_owned(),
        "e31.e30.".to_owned(),
    ] {
        let body = good_but("access_token", json!(token));
        let error = on_behalf_of(&body).expect_err(&token);
        let kind = error.kind();
        // Padding inside of a token is refused as a character.
        let is_refused = matches!(
            kind,
            AcquireErrorKind::IdentityMismatch | AcquireErrorKind::Unavailable
        );
        assert!(is_refused, "{token}: {kind}");
    }
}

#[test]
fn a_token_that_is_no_jwt_is_taken_as_it_is() {
    for token in [
        "EwB4A8l6BAAU",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "e30.e30.e30.e30.e30",
        "MTIz.e30.c2ln",
        "a/b+c==",
    ] {
        let granted = taken(&good_but("access_token", json!(token)));
        assert_eq!(granted.access_token.expose(), token);
    }
}

struct Row {
    status: u16,
    body: Value,
    kind: AcquireErrorKind,
}

fn refused(flow: Flow<'_>, status: u16, body: &Value) -> AcquireError {
    read_by(flow, status, body.to_string().as_bytes()).expect_err("an error")
}

fn error(error: &str, code: u32) -> Value {
    json!({"error": error, "error_codes": [code], "error_description": format!("AADSTS{code}: text")})
}

fn and(mut body: Value, name: &str, value: Value) -> Value {
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_a_panic(
        status in 0_u16..=999,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read_by(Flow::App, status, &body);
    }

    #[test]
    fn an_answer_that_is_changed_in_some_bytes_is_read_without_a_panic(
        at in prop::collection::vec((0_usize..900, any::<u8>()), 1..6),
        cut in 0_usize..1_200,
        is_error in any::<bool>(),
    ) {
        let answer = match is_error {
            true => and(error("invalid_grant", 50_076), "claims", json!(CLAIMS)),
            false => good(),
        };
        let mut body = answer.to_string().into_bytes();
        body.truncate(cut);
        for (at, byte) in at {
            if let Some(of_body) = body.get_mut(at) {
                *of_body = byte;
            }
        }
        let assertion = assertion(true);
        for status in [200, 400] {
            let read = read_by(Flow::OnBehalfOf(&assertion), status, &body);
            prop_assert!(status == 200 || read.is_err());
        }
    }

    #[test]
    fn a_token_whose_claims_are_changed_is_the_same_identity_or_refused(
        at in 0_usize..300,
        byte in any::<u8>(),
    ) {
        let mut claims = good_claims().to_string().into_bytes();
        if let Some(of_claims) = claims.get_mut(at) {
            *of_claims = byte;
        }
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(&claims));
        let body = good_but("access_token", json!(token));
        if on_behalf_of(&body).is_ok() {
            let claims: Value = serde_json::from_slice(&claims).expect("JSON");
            for (name, id) in [("azp", CLIENT), ("tid", TENANT)] {
                let text = claims[name].as_str().unwrap_or_default();
                prop_assert!(text.eq_ignore_ascii_case(id), "{claims}");
            }
        }
    }
}
