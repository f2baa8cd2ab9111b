//! The layer in axum and in hyper, over real connections.

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, routing::get};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Bytes, body::Incoming, server::conn::http1};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer};

use crate::support::{block_on, issuer};

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn get_with(address: SocketAddr, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut request = Request::builder().uri(format!("http://{address}{path}"));
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = client
        .request(request.body(Empty::new()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn hyper_serves_behind_the_layer() {
    block_on(async {
        let (listener, address) = bind().await;
        let service = ServiceBuilder::new()
            .layer(EntraAuthLayer::new(issuer().validator()))
            .service(service_fn(|request: Request<Incoming>| async move {
                let caller = request.extensions().get::<AgentPrincipal>().unwrap();
                let body = Full::new(Bytes::from(caller.kind().as_str()));
                Ok::<_, Infallible>(Response::new(body))
            }));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let token = issuer().agent_on_behalf_of("alice").mint();
        let answer = get_with(address, "/", Some(&token)).await;
        assert_eq!(
            answer,
            (StatusCode::OK, "agent_on_behalf_of_user".to_owned())
        );
        let answer = get_with(address, "/", None).await;
        assert_eq!(answer, (StatusCode::UNAUTHORIZED, String::new()));
    });
}

#[test]
fn axum_extracts_the_principal_and_answers_a_denial() {
    async fn strict(caller: AgentPrincipal) -> String {
        caller.kind().as_str().to_owned()
    }
    async fn lenient(caller: Option<AgentPrincipal>) -> String {
        caller
            .map_or("anonymous", |caller| caller.kind().as_str())
            .to_owned()
    }
    async fn agents(caller: AgentPrincipal) -> Result<&'static str, Denial> {
        if caller.is_agent() {
            Ok("welcome")
        } else {
            Err(Denial::new())
        }
    }

    block_on(async {
        let (listener, address) = bind().await;
        let layer = EntraAuthLayer::new(issuer().validator());
        let app = Router::new()
            .route("/strict", get(strict).layer(layer.clone()))
            .route("/agents", get(agents).layer(layer.clone()))
            .route("/lenient", get(lenient).layer(layer.optional()))
            .route("/forgotten", get(strict))
            .route("/forgotten/lenient", get(lenient));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

        let user = issuer().user().mint();
        let agent = issuer().autonomous_agent().mint();
        for (path, token, expected) in [
            ("/strict", Some(&user), (StatusCode::OK, "user")),
            ("/strict", None, (StatusCode::UNAUTHORIZED, "")),
            ("/agents", Some(&agent), (StatusCode::OK, "welcome")),
            ("/agents", Some(&user), (StatusCode::FORBIDDEN, "")),
            (
                "/lenient",
                Some(&agent),
                (StatusCode::OK, "autonomous_agent"),
            ),
            ("/lenient", None, (StatusCode::OK, "anonymous")),
            // A route without the layer is a mistake of the server, and no open door.
            (
                "/forgotten",
                Some(&user),
                (StatusCode::INTERNAL_SERVER_ERROR, ""),
            ),
            (
                "/forgotten/lenient",
                None,
                (StatusCode::INTERNAL_SERVER_ERROR, ""),
            ),
        ] {
            let (status, body) = get_with(address, path, token.map(String::as_str)).await;
            assert_eq!((status, body.as_str()), expected, "{path}");
        }
    });
}
