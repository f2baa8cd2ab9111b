//! Where each request goes, and with which headers.

use tower_entra::{
    acquire::{AcquireErrorKind, AgentUser, TokenOptions},
    testing::{Issuer, Leg},
};

use super::{
    agent, default_scope, scope,
    world::{EVERYONE, Who, World},
};

#[tokio::test]
async fn all_legs_of_a_flight_have_one_correlation_id_and_no_header_but_theirs() {
    let mut flights = Vec::new();
    for who in EVERYONE {
        let world = World::new();
        world.ask(who).await.unwrap();
        let sent = world.wire.sent();
        let id = sent[0].header("client-request-id").unwrap().to_owned();
        assert!(id.parse::<tower_entra::AppId>().is_ok(), "{id}");
        for leg in &sent {
            let mut names: Vec<_> = leg.headers.keys().map(|name| name.as_str()).collect();
            names.sort_unstable();
            let expected = [
                ("accept", "application/json"),
                ("client-request-id", &id),
                ("content-type", "application/x-www-form-urlencoded"),
                ("return-client-request-id", "true"),
            ];
            assert_eq!(names, expected.map(|(name, _)| name), "{who:?}");
            for (name, value) in expected {
                assert_eq!(leg.header(name), Some(value), "{who:?}");
            }
            assert_eq!(leg.uri.to_string(), world.issuer.token_endpoint());
        }
        flights.push(id);
    }
    flights.sort();
    flights.dedup();
    assert_eq!(flights.len(), EVERYONE.len());
}

#[tokio::test]
async fn a_correlation_id_that_is_given_is_that_of_every_leg() {
    let id = "C0FFEE00-1234-4ABC-8DEF-00000000ABCD";
    let with = |id: &str| TokenOptions::default().correlation_id(id);
    let world = World::new();
    let source = world.source(Who::AgentUser);
    let scopes = world.scopes(Who::AgentUser);
    for text in [
        "",
        "request 7",
        "C0FFEE00-1234-4ABC-8DEF-00000000ABCD\r\nx: y",
    ] {
        let error = source.token_with(&scopes, with(text)).await.unwrap_err();
        assert_eq!(error.kind(), AcquireErrorKind::Misconfigured, "{text:?}");
        assert_eq!(error.to_string(), "the correlation id is not a GUID");
    }
    assert_eq!(world.wire.count(), 0);
    source.token_with(&scopes, with(id)).await.unwrap();
    let sent = world.wire.sent();
    assert_eq!(sent.len(), 3);
    for leg in sent {
        let id = id.to_lowercase();
        assert_eq!(leg.header("client-request-id"), Some(id.as_str()));
    }
}

#[tokio::test]
async fn the_client_of_a_tenant_sends_every_leg_to_that_tenant() {
    let other = "dd0f374e-74a5-4996-af69-500cda64057a";
    let world = World::new();
    world.issuer.add_tenant(other);
    let agent = world.blueprint.add_agent_in(other);
    let agent = agent.grant_role(&world.api, "Orders.Read.All");
    let client = world.as_blueprint().in_tenant(other.to_uppercase());
    let source = client.agent(agent.client_id()).itself();
    source.token(&world.default_scope()).await.unwrap();
    let sent = world.wire.sent();
    let paths: Vec<_> = sent.iter().map(|leg| leg.uri.path()).collect();
    let path = format!("/{other}/oauth2/v2.0/token");
    assert_eq!(paths, [path.as_str(); 2]);
}

#[tokio::test]
async fn a_forced_refresh_and_a_challenge_repeat_the_last_leg_alone() {
    for options in [
        TokenOptions::default().force_refresh(true),
        TokenOptions::default().claims(CLAIMS),
    ] {
        for (who, legs) in [(Who::Agent, 2), (Who::AgentForUser, 2), (Who::AgentUser, 3)] {
            let world = World::new();
            let (source, scopes) = (world.source(who), world.scopes(who));
            source.token(&scopes).await.unwrap();
            assert_eq!(world.wire.count(), legs);
            source.token_with(&scopes, options.clone()).await.unwrap();
            let sent = world.wire.sent();
            assert_eq!(sent.len(), legs + 1, "{who:?}");
            let (first, second) = (&sent[legs - 1], &sent[legs]);
            for name in ["client_assertion", "user_federated_identity_credential"] {
                assert_eq!(first.parameter(name), second.parameter(name), "{who:?}");
            }
            let ids = [first, second].map(|leg| leg.header("client-request-id"));
            assert_ne!(ids[0], ids[1]);
        }
    }
}

#[tokio::test]
async fn the_default_http_client_sends_them_as_they_are() {
    let issuer = Issuer::start().await;
    let account = issuer.blueprint().agent().user();
    let user = AgentUser::object_id(account.object_id().parse().unwrap());
    let agent = agent(&issuer);
    agent
        .user(user)
        .token(&scope(&issuer, "Orders.Read"))
        .await
        .unwrap();
    agent.itself().token(&default_scope(&issuer)).await.unwrap();
    let seen = issuer.token_requests_seen();
    let legs: Vec<_> = seen.iter().map(|request| request.leg()).collect();
    assert_eq!(legs, [Leg::T1, Leg::T2, Leg::AgentUser, Leg::Agent]);
    for request in &seen {
        assert_eq!(request.tenant(), issuer.tenant_id());
        assert_eq!(request.status(), Some(200));
        for name in ["authorization", "cookie", "referer", "accept-encoding"] {
            assert_eq!(request.header(name), None, "{name}");
        }
        let kind = request.header("content-type");
        assert_eq!(kind, Some("application/x-www-form-urlencoded"));
        assert!(request.parameters().all(|(_, value)| !value.is_empty()));
    }
    let path = format!("/{}/oauth2/v2.0/token", issuer.tenant_id());
    assert_eq!(issuer.requests_seen(), [path.as_str(); 4]);
}

const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
