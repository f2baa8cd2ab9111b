//! The layer over real clients, which call an API behind the door that says who called.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response as Answer},
    routing::get,
};
use http::{HeaderMap, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Buf, Bytes},
    server::conn::http2,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};
use tower_entra::{
    AgentPrincipal, Audiences, EntraAuthLayer, Tenants, Validator, acquire::UserAssertion,
};

use super::*;

/// Says who called, and how many credentials came along.
async fn who(caller: AgentPrincipal, headers: HeaderMap) -> Json<Value> {
    Json(json!({
        "kind": caller.kind().as_str(),
        "client": caller.client_id().map(|id| id.as_str().to_owned()),
        "user": caller.object_id().map(|id| id.as_str().to_owned()),
        "credentials": headers.get_all(AUTHORIZATION).iter().count(),
        "kept": headers.get("x-kept").map(|value| value.to_str().unwrap().to_owned()),
        "host": headers.get("host").map(|value| value.to_str().unwrap().to_owned()),
    }))
}

/// An API of the issuer, behind the door.
pub(super) async fn api(issuer: &Issuer) -> SocketAddr {
    let door = EntraAuthLayer::new(issuer.validator());
    let app = Router::new().route("/who", get(who)).fallback(who);
    serve(app.layer(door)).await
}

fn layer_of(issuer: &Issuer, api: SocketAddr) -> EntraCallLayer {
    EntraCallLayer::new(format!("http://{api}"), default_scope(issuer)).unwrap()
}

async fn json_of<B>(response: Response<B>) -> Value
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn the_client_of_hyper_util_calls_as_the_agent() {
    let issuer = Issuer::start().await;
    let api = api(&issuer).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let service = layer_of(&issuer, api)
        .acting_as(agent(&issuer).itself())
        .layer(client);
    for _ in 0..2 {
        let request = Request::get(format!("http://{api}/who"));
        let request = request.body(Full::default()).unwrap();
        let response = within(service.clone().oneshot(request)).await.unwrap();
        let who = json_of(response).await;
        assert_eq!(who["kind"], "autonomous_agent");
        assert_eq!(who["client"], issuer.agent_id());
        assert_eq!(who["credentials"], 1);
    }
    assert_eq!(issuer.token_requests(), 2);
}

/// Empty messages out and bytes in.
#[derive(Default)]
struct Plain;

impl Codec for Plain {
    type Encode = ();
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

/// The method of a gRPC API: its message is the kind of its caller.
async fn hello(caller: AgentPrincipal) -> Answer {
    let kind = caller.kind().as_str();
    let mut framed = vec![0];
    framed.extend(u32::try_from(kind.len()).unwrap().to_be_bytes());
    framed.extend(kind.as_bytes());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = Full::new(Bytes::from(framed)).with_trailers(async move { Some(Ok(trailers)) });
    ([("content-type", "application/grpc")], Body::new(body)).into_response()
}

async fn serve_http2(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(app.clone());
            let connection = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

async fn grpc_call(mut client: Grpc<EntraCall<Channel>>) -> Result<String, Status> {
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/orders.Orders/Hello");
    let response = client.unary(tonic::Request::new(()), path, Plain).await?;
    Ok(String::from_utf8(response.into_inner().to_vec()).unwrap())
}

#[tokio::test]
async fn the_channel_of_tonic_calls_as_the_agent_with_the_origin_of_the_api() {
    let issuer = Issuer::start().await;
    let door = EntraAuthLayer::new(issuer.validator()).answers_grpc();
    let app = Router::new().route("/orders.Orders/Hello", axum::routing::post(hello));
    let api = serve_http2(app.layer(door)).await;
    let endpoint = Endpoint::from_shared(format!("http://{api}")).unwrap();
    let channel = within(endpoint.connect()).await.unwrap();
    let service = layer_of(&issuer, api)
        .acting_as(agent(&issuer).itself())
        .layer(channel);
    let origin: Uri = format!("http://{api}").parse().unwrap();
    let client = Grpc::with_origin(service.clone(), origin);
    assert_eq!(within(grpc_call(client)).await.unwrap(), "autonomous_agent");
    // Without it, the request does not say where it goes.
    let refused = within(grpc_call(Grpc::new(service))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unknown);
    assert!(refused.message().contains("another origin"), "{refused}");
}

type Proxied = EntraCall<Client<HttpConnector, Body>>;

/// As the guide has it.
async fn forward(
    State((api, orders)): State<(SocketAddr, Proxied)>,
    mut request: Request<Body>,
) -> Result<Answer, CallError<hyper_util::client::legacy::Error>> {
    let path = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() = Uri::builder()
        .scheme("http")
        .authority(api.to_string())
        .path_and_query(path)
        .build()
        .unwrap();
    Ok(orders.oneshot(request).await?.into_response())
}

#[tokio::test]
async fn a_reverse_proxy_of_axum_calls_on_behalf_of_its_caller() {
    let issuer = Issuer::start().await;
    let api = api(&issuer).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let orders = layer_of(&issuer, api)
        .on_behalf_of_caller(agent(&issuer))
        .layer(client);
    let audience = Audiences::client_id(issuer.blueprint_id());
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), audience)
        .authority(issuer.authority())
        .build()
        .unwrap();
    let door = EntraAuthLayer::new(validator).with_user_assertion();
    let proxy = Router::new().fallback(forward).with_state((api, orders));
    let proxy = serve(proxy.layer(door)).await;

    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let send = async |token: String| {
        let request = Request::get(format!("http://{proxy}/who?a=b"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header("proxy-authorization", "Basic YTpi")
            .header("x-kept", "yes");
        let request = request.body(Full::default()).unwrap();
        within(client.request(request)).await.unwrap()
    };
    for name in ["alice", "bob"] {
        let person = issuer.blueprint().user_token(name).mint();
        let who = json_of(send(person).await).await;
        assert_eq!(who["kind"], "agent_on_behalf_of_user");
        assert_eq!(who["client"], issuer.agent_id());
        assert_eq!(
            (&who["credentials"], &who["kept"]),
            (&json!(1), &json!("yes"))
        );
        assert_eq!(who["host"], api.to_string());
    }
    // A caller without a user is not served as another identity.
    let app = issuer.blueprint().app_token();
    let app = app.claim("roles", ["Tasks.Run"]).mint();
    assert_eq!(send(app).await.status(), 500);
    issuer.api().set_policy(tower_entra::testing::Policy::Block);
    let person = issuer.blueprint().user_token("carol").mint();
    assert_eq!(send(person).await.status(), 403);
}

#[tokio::test]
async fn a_reqwest_client_calls_as_the_source_of_its_clone() {
    let issuer = Issuer::start().await;
    let api = api(&issuer).await;
    let client = ::reqwest::Client::builder().no_proxy().build().unwrap();
    let agent = agent(&issuer);
    let orders = layer_of(&issuer, api)
        .acting_as(agent.itself())
        .replay(tower_entra::acquire::CloneBody)
        .layer(client.clone());
    let alice: UserAssertion = actors::person(&issuer, "alice").await;
    let for_alice = orders.clone().acting_as(agent.on_behalf_of(&alice));
    for (service, expected) in [
        (orders, "autonomous_agent"),
        (for_alice, "agent_on_behalf_of_user"),
    ] {
        let request = client
            .get(format!("http://{api}/who"))
            .basic_auth("user", Some("secret"))
            .build()
            .unwrap();
        let response = within(service.oneshot(request)).await.unwrap();
        let who: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(
            (&who["kind"], &who["credentials"]),
            (&json!(expected), &json!(1))
        );
    }
}
