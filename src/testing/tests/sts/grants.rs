//! What a good request gets.

use serde_json::json;

use super::*;
use crate::PrincipalKind;

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_gives_the_caller_that_a_validator_admits_as_such() {
    let issuer = Issuer::start().await;
    let validator = issuer.validator();
    for (ask, kind) in [
        (app(&issuer), PrincipalKind::Application),
        (autonomous(&issuer), PrincipalKind::AutonomousAgent),
        (obo(&issuer), PrincipalKind::AgentOnBehalfOfUser),
        (user_fic(&issuer), PrincipalKind::AgentUser),
    ] {
        let caller = validator.validate(&ask.token(&issuer)).await.unwrap();
        assert_eq!(caller.kind(), kind);
    }
}

#[test]
fn an_exchange_token_has_the_claims_of_entras() {
    let issuer = Issuer::builder()
        .tenant("e9412bf6-4ba8-4ecd-b2c0-cf7aef1a4fd5")
        .start_blocking();
    let claims = t1(&issuer).claims(&issuer);
    for (name, expected) in [
        ("aud", json!("fb60f99c-7a34-4190-8149-302f77469936")),
        ("azp", json!(issuer.blueprint_id())),
        ("azpacr", json!("1")),
        ("idtyp", json!("app")),
        ("ver", json!("2.0")),
        ("xms_act_fct", json!("3 9")),
        ("xms_sub_fct", json!("3 9")),
        ("xms_idrel", json!("7")),
        ("xms_ficinfo", json!("CAAQABgAIAAoAjAA")),
        // The GUIDs' bytes, the first three groups from their least significant.
        (
            "sub",
            json!(format!(
                "/eid1/c/pub/t/9itB6ahLzU6ywM967xpP1Q/a/WGlMTXbW8EmBX2CPWqz9JA/{}",
                issuer.agent_id()
            )),
        ),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    assert!(claims.get("xms_par_app_azp").is_none() && claims.get("xms_tnt_fct").is_none());
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 3_900);

    let claims = t2(&issuer).claims(&issuer);
    for (name, expected) in [
        ("azp", issuer.agent_id()),
        ("sub", issuer.agent_id()),
        ("oid", issuer.agent_id()),
        ("azpacr", "2"),
        ("xms_act_fct", "3 9 11"),
        ("xms_sub_fct", "3 9 11"),
        ("xms_par_app_azp", issuer.blueprint_id()),
        ("xms_ficinfo", "CAAQABgAIAAoAzAAOAE"),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
}

#[test]
fn requests_are_counted_by_leg() {
    let issuer = Issuer::start_blocking();
    for ask in [
        app(&issuer),
        autonomous(&issuer),
        obo(&issuer),
        user_fic(&issuer),
    ] {
        ask.granted(&issuer);
    }
    app(&issuer).set("client_secret", "wrong").refused(&issuer);
    for (leg, count) in [
        (Leg::App, 2),
        (Leg::T1, 4),
        (Leg::Agent, 1),
        (Leg::OnBehalfOf, 1),
        (Leg::T2, 1),
        (Leg::AgentUser, 1),
        (Leg::Refresh, 0),
        (Leg::Other, 0),
    ] {
        assert_eq!(issuer.token_requests_of(leg), count, "{leg:?}");
    }
    assert_eq!(issuer.token_requests(), 10);
    assert_eq!(issuer.fetches(), 0);
}
