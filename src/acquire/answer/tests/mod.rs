//! Answers that are good but for one thing.

mod bounds;

mod identity;

mod never_panics;

mod refusal;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
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
fn of_the_scopes_that_are_named_those_that_no_scope_can_be_are_left_out() {
    for (scope, kept) in [
        ("api://x/A \"B", "api://x/A"),
        ("a\\b api://x/C \u{e9}", "api://x/C"),
        ("\"", "api://x/A api://x/B"),
    ] {
        let granted = taken(&good_but("scope", json!(scope)));
        assert_eq!(granted.scopes, kept, "{scope}");
    }
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
