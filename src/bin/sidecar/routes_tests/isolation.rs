//! One request leaves nothing behind for another.

use super::*;

#[tokio::test]
async fn forty_agents_at_a_time_each_get_their_own_token() {
    let world = World::new(|_, _| {}).await;
    let (blueprint, orders) = (world.issuer.blueprint(), world.issuer.api());
    let agents: Vec<_> = (0..40)
        .map(|_| blueprint.add_agent().grant_role(&orders, "Orders.Read.All"))
        .collect();
    for _ in 0..2 {
        let mut requests = Vec::new();
        for agent in &agents {
            let path = format!(
                "/AuthorizationHeaderUnauthenticated/app?AgentIdentity={}",
                agent.client_id()
            );
            let router = world.router.clone();
            let id = agent.client_id().to_owned();
            requests.push(tokio::spawn(async move {
                let claims = send(&router, "GET", &path, None).await.claims();
                assert_eq!(claims["azp"], id.as_str());
                assert_eq!(claims["idtyp"], "app");
            }));
        }
        for request in requests {
            request.await.expect("its own token");
        }
    }
}

#[tokio::test]
async fn the_agent_of_one_request_is_not_that_of_the_next() {
    let world = World::new(|_, _| {}).await;
    let path = "/AuthorizationHeaderUnauthenticated/app";
    let agent = format!("{path}?AgentIdentity={}", world.issuer.agent_id());
    assert_eq!(world.get(&agent, None).await.status, 200);
    let graph = "optionsOverride.Scopes=https://graph.microsoft.com/.default";
    let without = format!("{path}?{graph}");
    let claims = world.get(&without, None).await.claims();
    assert_eq!(claims["appid"], world.issuer.blueprint_id());
    // Nor are its scopes: the blueprint gets no token for the API that is configured.
    let problem = world.get(path, None).await.problem(401);
    assert_eq!(problem["errorCode"], "AADSTS82001");
}
