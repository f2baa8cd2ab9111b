//! A step-up that an API behind the door asks for: answered by a token, or handed on to the person.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response as Answer},
    routing::get,
};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower_entra::{
    AgentPrincipal, Audiences, Denial, EntraAuthLayer, Tenants, Validator,
    acquire::{AgentIdentity, ClientCredential, CloneBody, ConfidentialClient},
    testing::Policy,
};

use super::{super::scope, actors::person, *};

/// Deletes only for a caller in the authentication context `c1`.
async fn delete(caller: AgentPrincipal) -> Result<&'static str, Denial> {
    match caller
        .authentication_contexts()
        .any(|context| context == "c1")
    {
        true => Ok("deleted"),
        false => Err(Denial::for_authentication_context(&caller, "c1")),
    }
}

/// The agent of a blueprint that answers claims challenges.
fn answering(issuer: &Issuer) -> AgentIdentity {
    let blueprint = issuer.blueprint();
    let credential = ClientCredential::secret(blueprint.secret());
    ConfidentialClient::builder(issuer.tenant_id(), blueprint.client_id(), credential)
        .authority(issuer.authority())
        .claims_challenges(true)
        .build()
        .unwrap()
        .agent(issuer.agent_id())
}

type Orders = EntraCall<Client<HttpConnector, Full<Bytes>>, CloneBody>;

/// The API behind the door, and the way to it.
async fn orders(issuer: &Issuer) -> (SocketAddr, Orders) {
    let door = EntraAuthLayer::new(issuer.validator());
    let api = serve(Router::new().route("/delete", get(delete)).layer(door)).await;
    let scopes = scope(issuer, "Orders.Read");
    let orders = EntraCallLayer::new(format!("http://{api}"), scopes)
        .unwrap()
        .on_behalf_of_caller(answering(issuer))
        .replay(CloneBody)
        .layer(Client::builder(TokioExecutor::new()).build_http());
    (api, orders)
}

fn delete_at(api: SocketAddr) -> Request<Full<Bytes>> {
    let request = Request::get(format!("http://{api}/delete"));
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_step_up_of_an_api_behind_the_door_is_answered_in_the_same_call() {
    let issuer = Issuer::start().await;
    let (api, orders) = orders(&issuer).await;
    let mut request = delete_at(api);
    let alice = person(&issuer, "alice").await;
    request.extensions_mut().insert(alice);
    let response = within(orders.oneshot(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    // T1, a token, and one in the context.
    assert_eq!(issuer.token_requests(), 3);
}

/// The agent's own API.
async fn forward(
    State((api, orders)): State<(SocketAddr, Orders)>,
    request: axum::extract::Request,
) -> Result<Answer, CallError<Error>> {
    let mut call = delete_at(api);
    *call.extensions_mut() = request.into_parts().0.extensions;
    Ok(orders.oneshot(call).await?.map(Body::new).into_response())
}

#[tokio::test]
async fn a_step_up_that_only_the_person_can_do_reaches_the_person_as_a_challenge() {
    let issuer = Issuer::start().await;
    let orders = orders(&issuer).await;
    let audience = Audiences::client_id(issuer.blueprint_id());
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), audience)
        .authority(issuer.authority())
        .build()
        .unwrap();
    let door = EntraAuthLayer::new(validator).with_user_assertion();
    let agent = Router::new().fallback(forward).with_state(orders);
    let agent = serve(agent.layer(door)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    issuer.api().set_policy(Policy::StepUp);
    for (capability, status) in [("cp1", 401), ("none", 403)] {
        let token = issuer.blueprint().user_token("alice");
        let token = token.claim("xms_cc", [capability]).mint();
        let request = Request::get(format!("http://{agent}/"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::default());
        let response = within(client.request(request.unwrap())).await.unwrap();
        assert_eq!(response.status(), status);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        let asks = challenge.contains("error=\"insufficient_claims\", claims=\"");
        assert_eq!(asks, status == 401, "{challenge}");
    }
}
