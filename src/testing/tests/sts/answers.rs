//! What is in the answers.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;

/// The names of the members.
fn members(answer: &Value) -> Vec<&str> {
    let mut names: Vec<_> = answer
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_client_for_itself_gets_a_token_and_no_more() {
    let issuer = Issuer::start_blocking();
    let oidc = format!("{} openid profile offline_access", default_of(&issuer));
    for ask in [app(&issuer), t1(&issuer), t2(&issuer), autonomous(&issuer)] {
        for ask in [ask.clone(), ask.and("client_info", "1")] {
            let answer = ask.granted(&issuer);
            assert_eq!(
                members(&answer),
                ["access_token", "expires_in", "ext_expires_in", "token_type"]
            );
            assert_eq!(answer["token_type"], "Bearer");
            assert_eq!(
                (&answer["expires_in"], &answer["ext_expires_in"]),
                (&json!(3_599), &json!(3_599))
            );
        }
    }
    assert_eq!(
        members(&app(&issuer).set("scope", &oidc).granted(&issuer)).len(),
        4
    );
}

#[test]
fn an_answer_with_a_person_has_what_was_asked_for() {
    let issuer = Issuer::start_blocking();
    let api = issuer.audience();
    for (ask, client, oid) in [
        (
            obo(&issuer),
            issuer.agent_id(),
            issuer.object_id_of("alice"),
        ),
        (user_fic(&issuer), issuer.agent_id(), issuer.agent_user_id()),
    ] {
        let answer = ask.granted(&issuer);
        assert_eq!(
            members(&answer),
            [
                "access_token",
                "expires_in",
                "ext_expires_in",
                "scope",
                "token_type"
            ]
        );
        assert_eq!(answer["scope"], format!("{api}/Orders.Read"));

        // The reserved scopes may come first: MSAL for Python sorts them.
        let scope = format!("offline_access {api}/Orders.Read openid profile");
        let answer = ask
            .clone()
            .set("scope", &scope)
            .and("client_info", "1")
            .granted(&issuer);
        assert_eq!(answer["scope"], format!("{api}/Orders.Read"));
        let info = URL_SAFE_NO_PAD
            .decode(answer["client_info"].as_str().unwrap())
            .unwrap();
        let info: Value = serde_json::from_slice(&info).unwrap();
        assert_eq!(info, json!({"uid": oid, "utid": issuer.tenant_id()}));
        let id_token = answer["id_token"].as_str().unwrap();
        verify(&issuer, id_token).unwrap();
        let claims = parts(id_token).1;
        assert_eq!(
            (&claims["aud"], &claims["oid"]),
            (&json!(client), &json!(oid))
        );
        assert_eq!(
            (&claims["iss"], &claims["tid"]),
            (&json!(issuer.v2_issuer()), &json!(issuer.tenant_id()))
        );
        assert!(claims["sub"].is_string() && claims["preferred_username"].is_string());
        assert!(answer["refresh_token"].is_string());

        let scope = format!("{}/.default", issuer.api().client_id());
        let answer = ask.set("scope", &scope).granted(&issuer);
        let id = issuer.api().client_id().to_owned();
        assert_eq!(answer["scope"], format!("{id}/Orders.Read {id}/.default"));
    }
}

#[test]
fn a_token_has_what_the_api_has_asked_for() {
    let issuer = Issuer::start_blocking();
    let api = issuer
        .add_api("api://billing")
        .add_scope("Bill")
        .add_role("Bill.All");
    let agent = issuer.blueprint().agent();
    agent.grant_scope(&api, "Bill").grant_role(&api, "Bill.All");
    let asks = |scope: &str| {
        [autonomous(&issuer), obo(&issuer), user_fic(&issuer)]
            .map(|ask| ask.set("scope", scope).claims(&issuer))
    };
    let [app, person, user] = asks("api://billing/.default");
    for claims in [&app, &person, &user] {
        assert_eq!(
            claims["aud"],
            api.client_id(),
            "the client id in version 2.0"
        );
        assert_eq!(claims["azp"], issuer.agent_id());
        assert_eq!(claims["xms_act_fct"], "3 9 11");
        assert_eq!(claims["xms_par_app_azp"], issuer.blueprint_id());
    }
    assert_eq!(
        (&app["idtyp"], &app["xms_sub_fct"]),
        (&json!("app"), &json!("3 9 11"))
    );
    assert_eq!(
        (&app["roles"], &app["sub"]),
        (&json!(["Bill.All"]), &app["oid"])
    );
    assert_eq!(
        (&person["idtyp"], &person["xms_sub_fct"]),
        (&json!("user"), &json!("3"))
    );
    assert_eq!(
        (&person["scp"], &person["oid"]),
        (&json!("Bill"), &json!(issuer.object_id_of("alice")))
    );
    assert_eq!(
        (&user["xms_sub_fct"], &user["oid"]),
        (&json!("3 13"), &json!(issuer.agent_user_id()))
    );

    api.without_facets();
    for claims in asks("api://billing/.default") {
        let facets = [
            "idtyp",
            "xms_act_fct",
            "xms_sub_fct",
            "xms_tnt_fct",
            "xms_idrel",
            "xms_par_app_azp",
        ];
        assert!(
            facets.iter().all(|name| claims.get(name).is_none()),
            "{claims:#}"
        );
    }
    api.with_v1_tokens();
    for claims in asks("api://billing/.default") {
        assert_eq!(
            (&claims["ver"], &claims["iss"]),
            (&json!("1.0"), &json!(issuer.v1_issuer()))
        );
        assert_eq!(
            (&claims["aud"], &claims["appid"]),
            (&json!("api://billing"), &json!(issuer.agent_id()))
        );
    }
    agent.withdraw_roles(&api);
    assert!(
        autonomous(&issuer)
            .set("scope", "api://billing/.default")
            .claims(&issuer)
            .get("roles")
            .is_none()
    );
}

#[test]
fn an_ordinary_client_acts_on_behalf_of_a_person_too() {
    let issuer = Issuer::start_blocking();
    let (client, api) = (issuer.client(), issuer.audience());
    let person = issuer.user().audience(client.client_id()).scope("x").mint();
    let ask = Ask::new(
        &issuer,
        &[
            ("client_id", client.client_id()),
            ("client_secret", &client.secret()),
            ("grant_type", JWT_BEARER),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", &person),
            ("scope", &format!("{api}/Orders.Read")),
        ],
    );
    let claims = ask.claims(&issuer);
    assert_eq!(
        (&claims["azp"], &claims["azpacr"]),
        (&json!(client.client_id()), &json!("1"))
    );
    assert_eq!(
        (&claims["xms_act_fct"], claims.get("xms_par_app_azp")),
        (&json!("3 9"), None)
    );
    let v1 = issuer
        .user()
        .audience(&format!("api://{}", client.client_id()))
        .v1()
        .mint();
    ask.set("assertion", &v1).granted(&issuer);
}

#[test]
fn claims_that_are_asked_for_are_in_the_token() {
    let issuer = Issuer::start_blocking();
    let claims = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"},"xms_cc":{"values":["cp1"]}},"id_token":{"signin_state":{}}}"#;
    let token = obo(&issuer).and("claims", claims).claims(&issuer);
    assert_eq!(
        (&token["acrs"], &token["xms_cc"]),
        (&json!(["c1"]), &json!(["cp1"]))
    );
    for ask in [t1(&issuer), t2(&issuer), autonomous(&issuer), app(&issuer)] {
        assert!(
            ask.and("claims", claims)
                .claims(&issuer)
                .get("acrs")
                .is_none()
        );
    }
}

#[test]
fn lifetimes_and_members_are_set_for_each_leg() {
    let issuer = Issuer::start_blocking();
    issuer.set_token_lifetime(Leg::Agent, Duration::from_secs(86_400));
    issuer.set_refresh_in(Leg::Agent, Duration::from_secs(43_200));
    let answer = autonomous(&issuer).granted(&issuer);
    assert_eq!(
        (&answer["expires_in"], &answer["refresh_in"]),
        (&json!(86_400), &json!(43_200))
    );
    let claims = parts(answer["access_token"].as_str().unwrap()).1;
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        86_701
    );
    assert_eq!(app(&issuer).granted(&issuer)["expires_in"], 3_599);

    issuer.set_token_member(Leg::App, "expires_in", "3599");
    issuer.remove_token_member(Leg::App, "token_type");
    let answer = app(&issuer).granted(&issuer);
    assert_eq!(
        (&answer["expires_in"], answer.get("token_type")),
        (&json!("3599"), None)
    );
    issuer.reset_token_members();
    assert_eq!(app(&issuer).granted(&issuer)["expires_in"], 3_599);
}
