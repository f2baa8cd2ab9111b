//! `/Validate`, and the door of the protected routes.

use super::*;

#[tokio::test]
async fn the_token_and_its_claims_come_back_verbatim() {
    let world = World::new(|_, _| {}).await;
    for token in [
        world.issuer.blueprint().user_token("alice"),
        world.issuer.blueprint().app_token(),
        world
            .issuer
            .blueprint()
            .user_token("alice")
            .claim(
                "nested",
                serde_json::json!({"b": [1, 2.50, "\u{e9}\""], "a": null}),
            )
            .claim("large", 12_345_678_901_234_567_890_u64),
    ] {
        let token = token.mint();
        let answer = world.get("/Validate", Some(&token)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.header("content-type"),
            "application/json; charset=utf-8"
        );
        let payload = token.split('.').nth(1).expect("a payload");
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let payload = String::from_utf8(engine.decode(payload).expect("base64url"));
        let expected = format!(
            r#"{{"protocol":"Bearer","token":"{token}","claims":{}}}"#,
            payload.expect("UTF-8")
        );
        assert_eq!(answer.body, expected);
        assert_eq!(answer.json()["claims"], claims(&token));
    }
}

#[tokio::test]
async fn spaces_behind_the_scheme_and_its_letter_case_make_no_other_token() {
    let world = World::new(|_, _| {}).await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    for header in [format!("bearer   {token}"), format!("BEARER {token}")] {
        let request = http::Request::get("/Validate")
            .header("authorization", header)
            .body(axum::body::Body::empty())
            .expect("a request");
        let answer = world.router.clone().oneshot(request).await;
        let body = to_bytes(answer.expect("an answer").into_body(), usize::MAX).await;
        let body: Value = serde_json::from_slice(&body.expect("a body")).expect("JSON");
        assert_eq!(body["token"], token.as_str());
    }
}

#[tokio::test]
async fn without_a_good_token_the_protected_routes_answer_with_a_challenge_and_no_body() {
    let world = World::new(|_, _| {}).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_secs()).expect("a date");
    let ended = |seconds| {
        let token = world.issuer.blueprint().user_token("alice");
        token
            .issued_at(now - 3_600 - seconds)
            .valid_for(3_600)
            .mint()
    };
    let expired = ended(310);
    for path in ["/Validate", "/AuthorizationHeader/orders?AgentIdentity="] {
        let answer = world.get(path, None).await;
        assert_eq!((answer.status, &*answer.body), (401, ""));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        for token in ["x", &expired] {
            let answer = world.get(path, Some(token)).await;
            assert_eq!((answer.status, &*answer.body), (401, ""), "{path} {token}");
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.starts_with("Bearer error=\"invalid_token\""),
                "{challenge}"
            );
            assert!(!challenge.contains("realm"), "{challenge}");
        }
    }
    // Within the skew of .NET.
    let skewed = ended(290);
    assert_eq!(world.get("/Validate", Some(&skewed)).await.status, 200);
}

#[tokio::test]
async fn one_of_the_scopes_is_enough_and_a_caller_that_acts_as_itself_has_none() {
    let world = World::new(|settings, _| {
        settings.azure_ad.scopes = vec!["Orders.Read".to_owned(), "Orders.Write".to_owned()];
    })
    .await;
    let token = |scope: &str| {
        let token = world.issuer.blueprint().user_token("alice");
        token.claim("scp", scope).mint()
    };
    for scope in ["Orders.Read", "Orders.Write", "a Orders.Write b"] {
        let answer = world.get("/Validate", Some(&token(scope))).await;
        assert_eq!(answer.status, 200, "{scope}: {answer:?}");
    }
    let app = world.issuer.blueprint().app_token();
    for token in [
        token("orders.read"),
        token("Orders"),
        token("Orders.ReadOrders.Write"),
        app.roles(["Orders.Read"]).mint(),
    ] {
        let answer = world.get("/Validate", Some(&token)).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(
            answer.body,
            "IDW10203: The 'scope' or 'scp' claim does not contain scopes 'Orders.Read,Orders.Write' \
             or was not found. "
        );
        assert!(!answer.headers.contains_key("content-type"));
    }
    // The scopes are those of /Validate only.
    let path = format!(
        "/AuthorizationHeader/orders?AgentIdentity={}",
        world.issuer.agent_id()
    );
    let answer = world.get(&path, Some(&token("Orders"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn an_app_without_a_role_is_refused_unless_a_list_of_the_apis_own_decides() {
    for (authorization_by_acl, status) in [(true, 200), (false, 403)] {
        let world = World::new(|settings, _| {
            settings.azure_ad.authorization_by_acl = authorization_by_acl;
        })
        .await;
        let app = || world.issuer.blueprint().app_token();
        let answer = world.get("/Validate", Some(&app().mint())).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let with_role = app().roles(["Orders.Read"]).mint();
        assert_eq!(world.get("/Validate", Some(&with_role)).await.status, 200);
    }
}

#[tokio::test]
async fn agent_parameters_make_no_difference_to_validate() {
    let world = World::new(|settings, _| {
        settings.allow_overrides.authorization_header = false;
    })
    .await;
    let token = world.issuer.blueprint().user_token("alice").mint();
    let path = "/Validate?AgentIdentity=x&AgentUserId=&AgentUserId=&AgentUsername=y";
    assert_eq!(world.get(path, Some(&token)).await.status, 200);
}

#[tokio::test]
async fn without_error_details_a_challenge_names_the_scheme_only() {
    let paths = [
        "/Validate",
        "/AuthorizationHeader/orders",
        "/DownstreamApi/orders",
    ];
    for has_details in [true, false] {
        let world = World::new(|settings, _| settings.azure_ad.error_details = has_details).await;
        let blueprint = world.issuer.blueprint();
        let foreign = blueprint.user_token("alice").audience("api://x").mint();
        for path in paths {
            for token in ["x.y.z", &foreign] {
                let answer = world.get(path, Some(token)).await;
                assert_eq!((answer.status, &*answer.body), (401, ""), "{answer:?}");
                let challenge = answer.header("www-authenticate");
                let is_bare = challenge == "Bearer";
                assert_eq!(is_bare, !has_details, "{path}: {challenge}");
                assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1);
            }
            let answer = world.get(path, None).await;
            assert_eq!(answer.status, 401, "{answer:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let token = blueprint.user_token("alice").mint();
        let answer = world.get("/Validate", Some(&token)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.headers.contains_key("www-authenticate"));
    }
}
