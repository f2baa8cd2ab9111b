//! The layer before a gRPC service, as a gRPC client sees it, over real HTTP/2.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Buf, Bytes, Incoming},
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
    transport::Endpoint,
};
use tower::{Layer, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, KeySettings, Validator,
    testing::{Fault, Issuer},
};

use crate::support::{block_on, issuer};

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = EntraAuthLayer::new(validator).layer(service_fn(hello));
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
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(());
    if let Some(authorization) = authorization {
        let value = authorization.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let path = PathAndQuery::from_static("/orders.Orders/Hello");
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
