//! Who gets nothing, and what is no request.

use super::*;

#[test]
fn an_issuer_that_was_not_told_to_has_no_page() {
    let issuer = Issuer::start_blocking();
    for target in ["/", "/page/state"] {
        assert_eq!(
            Ask::get(&issuer, target).refused(&issuer).0,
            404,
            "{target}"
        );
    }
    let body = json!({"caller": "person_for_blueprint"});
    let mint = Ask::post(&issuer, "/page/mint", &body);
    assert_eq!(mint.refused(&issuer).0, 405);
}

#[test]
fn the_policy_of_the_page_admits_its_own_script_and_nothing_else() {
    let issuer = issuer();
    let (head, body) = Ask::get(&issuer, "/").send(&issuer);
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(other, _)| *other == name)
            .unwrap()
            .1
            .to_owned()
    };
    let policy = header("Content-Security-Policy");
    let page = String::from_utf8(body).unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<style").count(), 1);
    assert!(!page.contains("http://") && !page.contains("https://"));
    assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
    for directive in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|part| part == directive), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains('*'),
        "{policy}"
    );
    assert_eq!(header("Cache-Control"), "no-store");
    assert_eq!(header("X-Content-Type-Options"), "nosniff");
    assert_eq!(header("Referrer-Policy"), "no-referrer");
    assert_eq!(header("Cross-Origin-Resource-Policy"), "same-origin");
}

#[test]
fn a_request_for_a_name_that_is_not_loopback_is_refused() {
    let issuer = issuer();
    let own = host(&issuer);
    let port = own.split_once(':').unwrap().1;
    for target in ["/", "/page/state", "/page/mint"] {
        let ask = Ask::get(&issuer, target);
        for foreign in [
            format!("evil.example:{port}"),
            "127.0.0.1".to_owned(),
            "127.0.0.1:1".to_owned(),
            format!("127.0.0.1.evil.example:{port}"),
            format!("evil.example@{own}"),
            format!("{own}.evil.example"),
            format!("{own}/"),
            String::new(),
        ] {
            let refused = ask.clone().set("Host", &foreign).refused(&issuer);
            assert_eq!(refused, (403, "foreign_host".to_owned()), "{foreign}");
        }
        for two in [ask.clone().without("Host"), ask.and("Host", &own)] {
            assert_eq!(two.refused(&issuer).0, 403);
        }
    }
    for own in ["localhost", "LOCALHOST", "[::1]"] {
        let host = format!("{own}:{port}");
        let state = Ask::get(&issuer, "/page/state").set("Host", &host);
        state.answered(&issuer);
    }
}

#[test]
fn the_host_of_the_public_url_is_its_own() {
    let builder = Issuer::builder().serves_page();
    let issuer = builder
        .public_url("https://entra.test:443/sts")
        .start_blocking();
    let ask = Ask::get(&issuer, "/page/state");
    for (host, origin) in [
        ("entra.test", "https://entra.test"),
        ("entra.test:443", "https://entra.test:443"),
    ] {
        let ask = ask.clone().set("Host", host);
        ask.clone().and("Origin", origin).answered(&issuer);
        let plain = ask.and("Origin", "http://entra.test");
        assert_eq!(plain.refused(&issuer), (403, "foreign_origin".to_owned()));
    }
    let other = ask.set("Host", "entra.test:8443");
    assert_eq!(other.refused(&issuer).0, 403);
}

#[test]
fn a_request_of_another_origin_changes_nothing() {
    let issuer = issuer();
    let (own, url) = (issuer.current_kid(), issuer.url());
    let rotate = Ask::post(&issuer, "/page/rotate", &json!({}));
    for foreign in [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        &url.replace("http:", "https:"),
        &format!("{url}/"),
        &format!("{url}.evil.example"),
    ] {
        let refused = rotate.clone().and("Origin", foreign).refused(&issuer);
        assert_eq!(refused, (403, "foreign_origin".to_owned()), "{foreign}");
    }
    let two = rotate.clone().and("Origin", &url).and("Origin", &url);
    assert_eq!(two.refused(&issuer).0, 403);
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "",
    ] {
        let ask = rotate.clone().set("Content-Type", content_type);
        assert_eq!(ask.refused(&issuer).0, 415, "{content_type}");
    }
    assert_eq!(
        rotate.clone().without("Content-Type").refused(&issuer).0,
        415
    );
    assert_eq!(rotate.clone().by("GET").refused(&issuer).0, 405);
    assert_eq!(rotate.clone().by("PUT").refused(&issuer).0, 405);
    assert_eq!(issuer.current_kid(), own);

    rotate.and("Origin", &url).answered(&issuer);
    assert_ne!(issuer.current_kid(), own);
}

#[test]
fn a_body_that_is_not_as_it_should_be_is_refused() {
    let issuer = issuer();
    for (target, good, wrong) in [
        (
            "/page/switch",
            r#"{"switch":"blocked","on":true}"#,
            r#"{"switch":"blockd","on":true}"#,
        ),
        (
            "/page/switch",
            r#"{"switch":"blocked","on":false}"#,
            r#"{"switch":"blocked","on":1}"#,
        ),
        (
            "/page/switch",
            r#"{"switch":"blocked","on":false}"#,
            r#"{"switch":"blocked"}"#,
        ),
        (
            "/page/fault",
            r#"{"fault":"html","times":1}"#,
            r#"{"fault":"html","times":0}"#,
        ),
        (
            "/page/fault",
            r#"{"fault":"html","times":1000}"#,
            r#"{"fault":"html","times":1001}"#,
        ),
        (
            "/page/fault",
            r#"{"fault":"html"}"#,
            r#"{"fault":"html","times":-1}"#,
        ),
        (
            "/page/fault",
            r#"{"fault":"html"}"#,
            r#"{"fault":"html","time":1}"#,
        ),
        (
            "/page/mint",
            r#"{"caller":"person_for_blueprint"}"#,
            r#"{"caller":"agent"}"#,
        ),
        ("/page/explain", r#"{"token":"x"}"#, r#"{"token":null}"#),
        ("/page/restore", "{}", "[1]"),
        ("/page/restore", "{}", r#"{"all":true}"#),
        ("/page/restore", "{}", ""),
        ("/page/restore", "{}", "{} {}"),
    ] {
        let ask = Ask::post(&issuer, target, &json!({}));
        ask.clone().with_body(good).answered(&issuer);
        let refused = ask.with_body(wrong).refused(&issuer);
        assert_eq!(
            refused,
            (400, "invalid_request".to_owned()),
            "{target} {wrong}"
        );
    }
    let long = Ask::post(
        &issuer,
        "/page/explain",
        &json!({"token": "x".repeat(32 * 1024)}),
    );
    assert_eq!(long.refused(&issuer).0, 413);
    let longer = Ask::post(
        &issuer,
        "/page/explain",
        &json!({"token": "x".repeat(200 * 1024)}),
    );
    assert_eq!(longer.refused(&issuer).0, 413);
    for after in ["-1", "x", "", "99999999999999999999"] {
        let state = Ask::get(&issuer, &format!("/page/state?after={after}"));
        assert_eq!(state.refused(&issuer).0, 400, "{after}");
    }
}
