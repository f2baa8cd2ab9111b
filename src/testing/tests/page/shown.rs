//! What the page shows, and what its switches do.

use super::*;
use crate::testing::{Fault, KeyKind, Target};

#[test]
fn each_switch_is_undone_whole() {
    let issuer = issuer();
    issuer
        .blueprint()
        .agent()
        .grant_scope_as("bob", &issuer.api(), "Orders.Write");
    let before = state(&issuer);
    for switched in before["switches"].as_array().unwrap() {
        let name = switched["switch"].as_str().unwrap();
        switch(&issuer, name, true);
        switch(&issuer, name, true);
        let on = state(&issuer);
        assert_ne!(on["registered"], before["registered"], "{name}");
        let of_name = |of: &Value| of["switch"] == name && of["on"] == true;
        assert!(
            on["switches"].as_array().unwrap().iter().any(of_name),
            "{name}"
        );
        switch(&issuer, name, false);
        let mut after = state(&issuer);
        // Only a person whose account was disabled is registered from then on.
        if name == "person_disabled" {
            after["registered"]["users"] = before["registered"]["users"].clone();
        }
        assert_eq!(after["registered"], before["registered"], "{name}");
    }
    for name in ["consent_withdrawn", "secret_expired", "step_up"] {
        switch(&issuer, name, true);
    }
    issuer.fail_at(Target::Token, Fault::Hang);
    Ask::post(&issuer, "/page/restore", &json!({})).answered(&issuer);
    let after = state(&issuer);
    assert_eq!(after["switches"], before["switches"]);
    assert_eq!(after["faults"], before["faults"]);
}

#[test]
fn keys_are_rotated_until_there_are_twenty() {
    let issuer = issuer();
    let rotate = Ask::post(&issuer, "/page/rotate", &json!({}));
    // P-256 keys are made in no time.
    for _ in 0..18 {
        issuer.publish_key_with(KeyKind::P256);
    }
    rotate.answered(&issuer);
    assert_eq!(state(&issuer)["keys"], 20);
    assert_eq!(rotate.refused(&issuer), (409, "too_many_keys".to_owned()));
}

#[test]
fn a_token_is_taken_apart_by_the_validator_itself() {
    let issuer = issuer();
    for (token, kind, sentence) in [
        (
            issuer.autonomous_agent(),
            "autonomous_agent",
            "acts as itself",
        ),
        (
            issuer.agent_on_behalf_of("alice"),
            "agent_on_behalf_of_user",
            "on behalf of the person",
        ),
        (
            issuer.agent_user(),
            "agent_user",
            "through its own user account",
        ),
        (issuer.user(), "user", "acts through the client"),
        (issuer.application(), "application", "The app"),
        (
            issuer.blueprint().user_token("alice"),
            "user",
            "acts through the client",
        ),
    ] {
        let explained = explain(&issuer, &token.mint());
        let verdict = &explained["verdict"];
        assert_eq!(verdict["caller"][0], json!(["kind", kind]), "{explained:#}");
        assert!(
            verdict["sentence"].as_str().unwrap().contains(sentence),
            "{verdict:#}"
        );
    }
    let agent = explain(&issuer, &issuer.agent_user().mint());
    assert_eq!(
        row(&agent, "xms_act_fct")[2],
        "facets of the actor: 11 is an agent identity"
    );
    assert_eq!(
        row(&agent, "xms_sub_fct")[2],
        "facets of the subject: 13 is the user account of an agent"
    );
    assert_eq!(
        issuer.fetches(),
        0,
        "the page's own validator fetches nothing"
    );
    assert_eq!(issuer.requests_seen(), [""; 0]);
}

#[test]
fn a_token_that_no_api_admits_is_taken_apart_with_the_reason() {
    let issuer = issuer();
    let good = issuer.user().mint();
    for (token, code) in [
        (issuer.user().expired().mint(), "expired"),
        (
            issuer.user().signed_by_stranger().mint(),
            "invalid_signature",
        ),
        (
            issuer.user().audience("api://other").mint(),
            "audience_mismatch",
        ),
        (issuer.id_token().mint(), "id_token"),
        (good.replace('.', " "), "malformed_token"),
        (String::new(), "malformed_token"),
        ("..".to_owned(), "malformed_token"),
        ("\u{1F980}.\u{0}.<b>".to_owned(), "malformed_token"),
    ] {
        let explained = explain(&issuer, &token);
        assert_eq!(
            explained["verdict"]["refused"]["code"], code,
            "{explained:#}"
        );
        assert!(explained["verdict"]["sentence"].is_null());
    }
}

#[test]
fn a_persons_token_has_what_is_consented_to_and_no_more() {
    let issuer = issuer();
    let api = issuer.api();
    let mint = Ask::post(
        &issuer,
        "/page/mint",
        &json!({"caller": "person", "api": api.resource()}),
    );
    let token = mint.answered(&issuer)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(parts(&token).1["scp"], "Orders.Read");
    for change in ["consent_withdrawn", "person_disabled"] {
        switch(&issuer, change, true);
        assert_eq!(
            mint.refused(&issuer),
            (400, "invalid_grant".to_owned()),
            "{change}"
        );
        switch(&issuer, change, false);
    }
    let unknown = json!({"caller": "person", "api": "api://unknown"});
    assert_eq!(
        Ask::post(&issuer, "/page/mint", &unknown)
            .refused(&issuer)
            .0,
        400
    );
    issuer.client().grant_scope(&api, "Orders.Write");
    let token = mint.answered(&issuer)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(parts(&token).1["scp"], "Orders.Read Orders.Write");
}

#[test]
fn token_requests_are_listed_by_number_without_secrets_and_at_most_a_hundred() {
    let issuer = issuer();
    assert_eq!(state(&issuer)["requests"], json!([]));
    let ask = sts::app(&issuer);
    ask.granted(&issuer);
    ask.clone()
        .set("client_secret", "mistaken")
        .refused(&issuer);
    let both = state(&issuer);
    let requests = both["requests"].as_array().unwrap();
    assert_eq!(both["last"], 2);
    let numbers: Vec<_> = requests.iter().map(|request| &request["number"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(1)]);
    assert_eq!(requests[0]["outcome"], "refused");
    assert_eq!(requests[0]["code"], 7_000_215);
    assert_eq!(requests[1]["outcome"], "granted");
    let shown = both["requests"].to_string();
    assert!(
        !shown.contains("mistaken") && !shown.contains(&issuer.client().secret()),
        "{shown}"
    );

    let newer = Ask::get(&issuer, "/page/state?after=1").answered(&issuer);
    assert_eq!(newer["requests"].as_array().unwrap().len(), 1);
    let none = Ask::get(&issuer, "/page/state?after=7").answered(&issuer);
    assert_eq!((&none["requests"], &none["last"]), (&json!([]), &json!(2)));

    let long = ask.set("client_id", &"x".repeat(10_000));
    for _ in 0..101 {
        long.refused(&issuer);
    }
    let many = state(&issuer);
    assert_eq!(many["requests"].as_array().unwrap().len(), 100);
    assert_eq!(many["requests"][0]["number"], 103);
    assert!(many["requests"].to_string().len() < 200_000);
}
