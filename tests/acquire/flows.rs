//! Each way to act: whose token comes, and in how many requests.

use tower_entra::{
    PrincipalKind,
    acquire::{AgentUser, ClientCredential, ConfidentialClient},
    testing::{Issuer, Leg},
};

use super::{agent, default_scope, scope};

async fn validated(issuer: &Issuer, token: &str) -> tower_entra::AgentPrincipal {
    let validator = issuer.validator();
    validator.ready().await;
    validator.validate(token).await.unwrap()
}

#[track_caller]
fn assert_legs(issuer: &Issuer, expected: &[(Leg, u64)]) {
    for (leg, count) in expected {
        assert_eq!(issuer.token_requests_of(*leg), *count, "{leg:?}");
    }
    let sum: u64 = expected.iter().map(|(_, count)| count).sum();
    assert_eq!(issuer.token_requests(), sum);
}

#[tokio::test]
async fn an_agent_that_acts_as_itself_takes_two_requests_and_then_none() {
    let issuer = Issuer::start().await;
    let source = agent(&issuer).itself();
    let scopes = default_scope(&issuer);
    let token = source.token(&scopes).await.unwrap();
    let caller = validated(&issuer, token.secret()).await;
    assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
    assert_eq!(caller.client_id().unwrap().as_str(), issuer.agent_id());
    source.token(&scopes).await.unwrap();
    assert_legs(&issuer, &[(Leg::T1, 1), (Leg::Agent, 1)]);
}

#[tokio::test]
async fn a_second_user_of_an_agent_takes_one_request() {
    let issuer = Issuer::start().await;
    let first = issuer.blueprint().agent().user();
    let second = issuer.blueprint().agent().add_user("second");
    let agent = agent(&issuer);
    let scopes = scope(&issuer, "Orders.Read");
    let id = |user: &tower_entra::testing::AgentAccount| {
        AgentUser::object_id(user.object_id().parse().unwrap())
    };
    let token = agent.user(id(&first)).token(&scopes).await.unwrap();
    let caller = validated(&issuer, token.secret()).await;
    assert_eq!(caller.kind(), PrincipalKind::AgentUser);
    assert_eq!(caller.object_id().unwrap().as_str(), first.object_id());
    assert_legs(&issuer, &[(Leg::T1, 1), (Leg::T2, 1), (Leg::AgentUser, 1)]);
    let token = agent.user(id(&second)).token(&scopes).await.unwrap();
    let caller = validated(&issuer, token.secret()).await;
    assert_eq!(caller.object_id().unwrap().as_str(), second.object_id());
    assert_legs(&issuer, &[(Leg::T1, 1), (Leg::T2, 1), (Leg::AgentUser, 2)]);
    // By its name it is another entry.
    let named = AgentUser::principal_name(first.principal_name());
    let token = agent.user(named).token(&scopes).await.unwrap();
    let caller = validated(&issuer, token.secret()).await;
    assert_eq!(caller.object_id().unwrap().as_str(), first.object_id());
    assert_legs(&issuer, &[(Leg::T1, 1), (Leg::T2, 1), (Leg::AgentUser, 3)]);
}

#[tokio::test]
async fn an_ordinary_app_takes_one_request() {
    let issuer = Issuer::start().await;
    let client = issuer.client();
    let credential = ClientCredential::secret(client.secret());
    let app = ConfidentialClient::builder(issuer.tenant_id(), client.client_id(), credential)
        .authority(issuer.authority())
        .build()
        .unwrap();
    let token = app.itself().token(&default_scope(&issuer)).await.unwrap();
    let caller = validated(&issuer, token.secret()).await;
    assert_eq!(caller.kind(), PrincipalKind::Application);
    assert_legs(&issuer, &[(Leg::App, 1)]);
}
