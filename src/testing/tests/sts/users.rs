//! The rules of tokens with a person, or with the user account of an agent, each broken in one thing.

use super::*;
use crate::testing::Policy;

#[test]
fn an_assertion_of_a_person_is_for_the_blueprint_and_in_force() {
    let issuer = Issuer::start_blocking();
    let good = obo(&issuer);
    let person = || issuer.blueprint().user_token("alice");
    let with = |token: &str| good.clone().set("assertion", token);
    let uri = format!("api://{}", issuer.blueprint_id());
    let blueprint = issuer.blueprint();
    let as_blueprint = bare(&good)
        .set("client_id", blueprint.client_id())
        .and("client_secret", &blueprint.secret());
    let scope = |scope: &str| good.clone().set("scope", scope);
    let api = issuer.audience();
    prove! { &issuer, &good;
        "none": good.clone().without("assertion") => invalid_request 900144;
        "no JWT": with("x") => invalid_grant 50027;
        "a foreign signature": with(&person().signed_by_stranger().mint()) => invalid_grant 50013;
        "no signature": with(&person().unsigned().mint()) => invalid_grant 50013;
        "another tenant's": with(&person().tenant(OTHER_TENANT).mint()) => invalid_grant 50013;
        "version 1.0": with(&person().v1().mint()) => invalid_grant 50013;
        "the App ID URI": with(&person().audience(&uri).mint()) => invalid_grant 50013;
        "another API's": with(&issuer.user().mint()) => invalid_grant 500131;
        "the agent's": with(&person().audience(issuer.agent_id()).mint()) => invalid_grant 500131;
        "expired": with(&person().expired().mint()) => invalid_grant 500133;
        "app-only": with(&blueprint.app_token().mint()) => invalid_grant 7000114;
        "app-only without idtyp": with(&blueprint.app_token().without_claim("idtyp").mint()) => invalid_grant 7000114;
        "an ID token": with(&person().without_claim("scp").mint()) => invalid_grant 240002;
        "no use": good.clone().without("requested_token_use") => invalid_request 900144;
        "another use": good.clone().set("requested_token_use", "x") => invalid_request 9002313;
        "a path": good.clone().and("fmi_path", issuer.agent_id()) => invalid_request 9002313;
        "as the blueprint": as_blueprint => invalid_grant 7000114;
        "no scope": good.clone().without("scope") => invalid_request 900144;
        "no resource": scope("openid offline_access") => invalid_scope 700023;
        "no such scope": scope(&format!("{api}/Orders.Eat")) => invalid_scope 650053;
        "Graph's, without a prefix": scope("Orders.Read") => invalid_scope 650053;
        "default and more": scope(&format!("{api}/.default {api}/Orders.Read")) => invalid_scope 70011;
        "no such API": scope("api://nothing/x") => invalid_resource 500011;
        "not consented": scope(&format!("{api}/Orders.Write")) => invalid_grant 65001;
        "one of two": scope(&format!("{api}/Orders.Read {api}/Orders.Write")) => invalid_grant 65001;
    }
}

#[test]
fn the_user_account_of_an_agent_needs_its_own_exchange_token() {
    let issuer = Issuer::start_blocking();
    let good = user_fic(&issuer);
    let second = issuer.blueprint().add_agent();
    let other_user = second.add_user("reports-agent");
    let credential = |token: &str| {
        good.clone()
            .set("user_federated_identity_credential", token)
    };
    let user = |name: &str, value: &str| good.clone().without("user_id").and(name, value);
    let t1_of_second = t1(&issuer)
        .set("fmi_path", second.client_id())
        .token(&issuer);
    let as_second = |ask: &Ask| {
        ask.clone()
            .set("client_id", second.client_id())
            .set("client_assertion", &t1_of_second)
    };
    let t2_of_second = as_second(&t2(&issuer)).token(&issuer);
    let client = issuer.client();
    let as_client = bare(&good)
        .set("client_id", client.client_id())
        .and("client_secret", &client.secret());
    let name = "orders-agent@example.com";
    prove! { &issuer, &good;
        "no credential": good.clone().without("user_federated_identity_credential") => invalid_request 900144;
        "no JWT": credential("x") => invalid_grant 50027;
        "a T1": credential(&t1(&issuer).token(&issuer)) => invalid_grant 500131;
        "another agent's": credential(&t2_of_second) => invalid_grant 500131;
        "a token of an API": credential(&autonomous(&issuer).token(&issuer)) => invalid_grant 7002206;
        "a foreign signature": credential(&issuer.autonomous_agent().signed_by_stranger().mint()) => invalid_grant 50013;
        "no user": good.clone().without("user_id") => invalid_request 900144;
        "both": good.clone().and("username", name) => invalid_request 9002313;
        "a name as an id": user("user_id", name) => server_error 50000;
        "an id as a name": user("username", &issuer.agent_user_id()) => invalid_grant 50034;
        "an unknown user": user("user_id", GUID) => invalid_grant 50034;
        "an unknown name": user("username", "nobody@example.com") => invalid_grant 50034;
        "another agent's user": user("user_id", other_user.object_id()) => invalid_grant 50020;
        "an ordinary client": as_client => unauthorized_client 82001;
        "a path": good.clone().and("fmi_path", issuer.agent_id()) => invalid_request 9002313;
    }
    user("username", &name.to_uppercase()).granted(&issuer);
    user("user_id", &issuer.agent_user_id().to_uppercase()).granted(&issuer);
    good.clone()
        .and("requested_token_use", "on_behalf_of")
        .granted(&issuer);

    issuer.expire_tokens(Leg::T2);
    assert_eq!(
        good.refused(&issuer),
        (400, "invalid_grant".to_owned(), 500133)
    );
    let good = user_fic(&issuer);
    let account = issuer.blueprint().agent().user();
    account.disable();
    assert_eq!(good.refused(&issuer).2, 50057);
    account.enable();
    good.granted(&issuer);
    account.remove();
    assert_eq!(good.refused(&issuer).2, 50034);
}

#[test]
fn consent_that_is_missing_is_said_with_claims() {
    let issuer = Issuer::start_blocking();
    let agent = issuer.blueprint().agent();
    for ask in [obo(&issuer), user_fic(&issuer)] {
        ask.granted(&issuer);
        agent.withdraw_consent(&issuer.api());
        let (status, body) = ask.post(&issuer);
        assert_eq!((status, &body["error_codes"][0]), (400, &65001.into()));
        assert_eq!(body["error"], "invalid_grant");
        assert_eq!(body["suberror"], "consent_required");
        let claims: Value = serde_json::from_str(body["claims"].as_str().unwrap()).unwrap();
        assert_eq!(claims["access_token"]["capolids"]["essential"], true);
        autonomous(&issuer).granted(&issuer);
        agent.grant_scope(&issuer.api(), "Orders.Read");
    }
    agent.withdraw_consent(&issuer.api());
    agent.grant_scope_as("alice", &issuer.api(), "Orders.Read");
    obo(&issuer).granted(&issuer);
    let bob = issuer.blueprint().user_token("bob").mint();
    assert_eq!(
        obo(&issuer).set("assertion", &bob).refused(&issuer).2,
        65001
    );
    issuer.blueprint().grant_scope(&issuer.api(), "Orders.Read");
    obo(&issuer).set("assertion", &bob).granted(&issuer);
}

#[test]
fn policies_block_or_ask_for_more() {
    let issuer = Issuer::start_blocking();
    let (agent, api) = (issuer.blueprint().agent(), issuer.api());
    let (by_person, by_user, by_agent) = (obo(&issuer), user_fic(&issuer), autonomous(&issuer));
    let set = |on_api: bool, policy| match on_api {
        true => api.set_policy(policy),
        false => agent.set_policy(policy),
    };
    let with_mfa = issuer
        .blueprint()
        .user_token("alice")
        .claim("amr", ["pwd", "mfa"])
        .mint();
    for on_api in [true, false] {
        set(on_api, Policy::Block);
        for ask in [&by_person, &by_user, &by_agent] {
            let (status, body) = ask.post(&issuer);
            assert_eq!((status, &body["error_codes"][0]), (400, &53003.into()));
            assert!(body.get("claims").is_none(), "{body:#}");
        }
        set(on_api, Policy::StepUp);
        for ask in [&by_person, &by_user] {
            let (status, body) = ask.post(&issuer);
            assert_eq!((status, &body["error_codes"][0]), (400, &50076.into()));
            assert_eq!(body["error"], "interaction_required");
            assert!(
                body["claims"]
                    .as_str()
                    .unwrap()
                    .starts_with("{\"access_token\"")
            );
        }
        by_agent.granted(&issuer);
        by_person
            .clone()
            .set("assertion", &with_mfa)
            .granted(&issuer);
        set(on_api, Policy::None);
    }
    by_person.granted(&issuer);
    issuer.disable_user("alice");
    assert_eq!(by_person.refused(&issuer).2, 50057);
    issuer.enable_user("alice");
    api.require_assignment();
    agent.withdraw_roles(&api);
    assert_eq!(by_person.refused(&issuer).2, 50105);
}

#[test]
fn a_refresh_token_is_redeemed_by_its_client_until_it_is_revoked() {
    let issuer = Issuer::start_blocking();
    let scope = format!("{}/Orders.Read offline_access", issuer.audience());
    let answer = obo(&issuer).set("scope", &scope).granted(&issuer);
    let token = answer["refresh_token"].as_str().unwrap();
    let good = as_agent(
        &issuer,
        &[("grant_type", "refresh_token"), ("refresh_token", token)],
    );
    let second = issuer.blueprint().add_agent();
    let t1_of_second = t1(&issuer)
        .set("fmi_path", second.client_id())
        .token(&issuer);
    let by_second = good
        .clone()
        .set("client_id", second.client_id())
        .set("client_assertion", &t1_of_second);
    let bare = bare(&good);
    prove! { &issuer, &good;
        "none": good.clone().without("refresh_token") => invalid_request 900144;
        "an unknown one": good.clone().set("refresh_token", "x") => invalid_grant 70000;
        "another client's": by_second => invalid_grant 70000;
        "no credential": bare => invalid_client 7000218;
        "more scopes": good.clone().and("scope", &format!("{}/Orders.Write", issuer.audience())) => invalid_grant 65001;
    }
    let again = good.granted(&issuer);
    assert!(again["refresh_token"].is_string() && again["refresh_token"] != token);
    issuer.revoke_refresh_tokens("alice");
    assert_eq!(good.refused(&issuer).2, 50173);
}
