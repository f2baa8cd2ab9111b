//! Whose token it is.

use super::*;

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
    for idtyp in [None, Some(json!("")), Some(json!("device"))] {
        is_of_another(flow, &with(good_app_claims(), "idtyp", idtyp), "subject");
    }
}

#[test]
fn a_subject_that_is_a_path_is_an_app_s_whatever_its_object() {
    let without_type = |subject: &str| {
        let mut claims = good_app_claims();
        claims["sub"] = json!(subject);
        with(claims, "idtyp", None)
    };
    let flow = Flow::AgentUser(None);
    is_of_another(flow, &without_type("/eid1/c/pub/t/a/b"), "subject");
    is_of_another(flow, &without_type("/"), "subject");
    is_of_another(flow, &without_type(&OTHER.to_uppercase()), "subject");
    let body = good_but("access_token", json!(jwt(&without_type("eid1/c"))));
    assert!(read_by(flow, 200, body.as_bytes()).is_ok());
}

#[test]
fn a_subject_decides_only_without_a_scope_and_without_a_type() {
    let mut claims = good_claims();
    claims["sub"] = json!(USER);
    taken(&good_but("access_token", json!(jwt(&claims.to_string()))));
    claims["scp"] = json!("/");
    is_of_another(Flow::AgentUser(None), &claims.to_string(), "subject");
    claims["idtyp"] = json!("user");
    taken(&good_but("access_token", json!(jwt(&claims.to_string()))));
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
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode("\u{feff}{}")),
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
