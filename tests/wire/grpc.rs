//! The layer before a gRPC service, as a gRPC client sees it, over real HTTP/2.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::{Ready, ready},
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body as HttpBody, Buf, Bytes, Incoming},
    server::conn::http2,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::NamedService,
    service::{LayerExt, Routes},
    transport::Endpoint,
};
use tower::{Layer, Service, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, KeySettings, Validator,
    testing::{Fault, Issuer},
};

use crate::support::{block_on, issuer};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Empty messages out and bytes in: no protocol buffers, and no code generated from them.
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

/// What a gRPC service answers: one message and the trailers that say it went well.
fn message(text: &str) -> Response<Body> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    framed.extend(text.as_bytes());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed)).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed_unsync());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// Says who is calling, and denies applications.
async fn hello(request: Request<Incoming>) -> Result<Response<Body>, Error> {
    let caller = request.extensions().get::<AgentPrincipal>().unwrap();
    if caller.is_app_only() {
        let mut response = Response::new(Body::default());
        response.extensions_mut().insert(Denial::new());
        return Ok(response);
    }
    Ok(message(caller.kind().as_str()))
}

/// Serves [`hello`] behind the layer.
async fn serve(validator: Validator) -> SocketAddr {
    serve_all(EntraAuthLayer::new(validator).layer(service_fn(hello))).await
}

async fn serve_all<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

/// One unary call with these credentials.
async fn call(address: SocketAddr, authorization: Option<&str>) -> Result<String, Status> {
    call_method(address, "/orders.Orders/Hello", authorization).await
}

async fn call_method(
    address: SocketAddr,
    path: &'static str,
    authorization: Option<&str>,
) -> Result<String, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(());
    if let Some(authorization) = authorization {
        let value = authorization.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let path = PathAndQuery::from_static(path);
    let response = client.unary(request, path, Plain).await?;
    Ok(String::from_utf8(response.into_inner().to_vec()).unwrap())
}

/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
#[test]
fn a_client_understands_a_refusal() {
    let bearer = |token: String| format!("Bearer {token}");
    let expired = bearer(issuer().user().expired().mint());
    let poor = bearer(issuer().application().without_claim("roles").mint());
    let denied = bearer(issuer().application().mint());
    block_on(async {
        let address = serve(issuer().validator()).await;
        for (authorization, code) in [
            (None, Code::Unauthenticated),
            (Some("Basic YTpi"), Code::Unauthenticated),
            (Some(expired.as_str()), Code::Unauthenticated),
            (Some(&poor), Code::PermissionDenied),
            (Some(&denied), Code::PermissionDenied),
            (Some("Bearer"), Code::Unauthenticated),
            (Some("Bearer {}"), Code::Internal),
        ] {
            let status = call(address, authorization).await.unwrap_err();
            assert_eq!(status.code(), code, "{authorization:?}: {status:?}");
        }
    });
}

#[test]
fn a_client_understands_that_keys_are_missing() {
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Status(500));
    let settings = KeySettings::default().with_wait(Duration::from_millis(20));
    let validator = issuer.validator_builder().key_settings(settings);
    block_on(async {
        let address = serve(validator.build().unwrap()).await;
        let token = format!("Bearer {}", issuer.user().mint());
        let status = call(address, Some(&token)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    });
}

#[test]
fn an_admitted_call_is_answered() {
    block_on(async {
        let address = serve(issuer().validator()).await;
        let token = format!("Bearer {}", issuer().agent_user().mint());
        let answer = call(address, Some(&token)).await.unwrap();
        assert_eq!(answer, "agent_user");
    });
}

/// A service of this name that answers with the kind of its caller.
macro_rules! named_service {
    ($service:ident, $name:literal) => {
        #[derive(Clone)]
        struct $service;

        impl NamedService for $service {
            const NAME: &'static str = $name;
        }

        impl Service<Request<tonic::body::Body>> for $service {
            type Response = Response<tonic::body::Body>;
            type Error = Infallible;
            type Future = Ready<Result<Self::Response, Infallible>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
                let caller = request.extensions().get::<AgentPrincipal>();
                let kind = caller.map_or("anonymous", |caller| caller.kind().as_str());
                ready(Ok(message(kind).map(tonic::body::Body::new)))
            }
        }
    };
}

named_service!(HealthServer, "grpc.health.v1.Health");
named_service!(OrdersServer, "orders.Orders");

/// As the guide has it.
#[test]
fn a_health_service_is_open_beside_one_behind_the_layer() {
    let door = EntraAuthLayer::new(issuer().validator());
    let routes = Routes::new(HealthServer).add_service(door.named_layer(OrdersServer));
    block_on(async {
        let address = serve_all(routes.into_axum_router()).await;
        let token = format!("Bearer {}", issuer().agent_user().mint());
        let (health, orders) = ("/grpc.health.v1.Health/Check", "/orders.Orders/Hello");
        for (path, authorization, expected) in [
            (health, None, Ok("anonymous")),
            (health, Some(token.as_str()), Ok("anonymous")),
            (orders, None, Err(Code::Unauthenticated)),
            (orders, Some("Bearer bad"), Err(Code::Unauthenticated)),
            (orders, Some(&token), Ok("agent_user")),
            ("/another.Service/Hello", None, Err(Code::Unimplemented)),
        ] {
            let answer = call_method(address, path, authorization).await;
            let answer = answer.map_err(|status| status.code());
            assert_eq!(answer, expected.map(str::to_owned), "{path}");
        }
    });
}
