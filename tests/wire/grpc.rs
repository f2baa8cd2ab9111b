//! The layer before a gRPC service, as a gRPC client sees it, over real HTTP/2.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::{Ready, ready},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    uri::PathAndQuery,
};
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
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, DenialReason, EntraAuthLayer, Error, ErrorKind, KeySettings,
    ProblemJson, RequireLayer, RequireRoutesLayer, Requirement, Validator,
    testing::{Fault, Issuer, TokenBuilder},
};

use crate::support::{audited, block_on, issuer, logged};

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
named_service!(ReflectionServer, "grpc.reflection.v1.ServerReflection");
named_service!(OrdersServer, "orders.Orders");

/// As the guide has it.
#[test]
fn health_and_reflection_are_open_beside_a_service_behind_the_layer() {
    let door = EntraAuthLayer::new(issuer().validator()).answers_grpc();
    let routes = Routes::new(HealthServer)
        .add_service(ReflectionServer)
        .add_service(door.named_layer(OrdersServer));
    block_on(async {
        let address = serve_all(routes.into_axum_router()).await;
        let token = format!("Bearer {}", issuer().agent_user().mint());
        let (health, orders) = ("/grpc.health.v1.Health/Check", "/orders.Orders/Hello");
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        for (path, authorization, expected) in [
            (health, None, Ok("anonymous")),
            (health, Some(token.as_str()), Ok("anonymous")),
            (reflection, None, Ok("anonymous")),
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

const READ: Requirement = Requirement::static_scope("Orders.Read");

/// The method of a tonic service, which needs a scope.
async fn list(request: tonic::Request<Bytes>) -> Result<tonic::Response<()>, Status> {
    let refuse = |denial: Denial| {
        let (code, message) = denial.grpc_status(request.extensions());
        Status::new(code.into(), message)
    };
    let caller = request.extensions().get::<AgentPrincipal>();
    let caller = caller.ok_or_else(Denial::anonymous).map_err(refuse)?;
    caller.require(&READ).map_err(refuse)?;
    Ok(tonic::Response::new(()))
}

async fn orders<B>(request: Request<B>) -> Result<Response<tonic::body::Body>, Infallible>
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>> + Send> + Send + 'static,
{
    Ok(tonic::server::Grpc::new(Plain)
        .unary(service_fn(list), request)
        .await)
}

/// In an axum router, beside routes of HTTP.
async fn routed(request: Request<Incoming>) -> Result<Response<axum::body::Body>, Infallible> {
    Ok(orders(request).await?.map(axum::body::Body::new))
}

fn grpc() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator()).answers_grpc()
}

fn bearer(token: TokenBuilder) -> String {
    format!("Bearer {}", token.mint())
}

/// The status of a refusal, and its challenge.
#[track_caller]
fn refusal(answer: Result<String, Status>) -> (Code, String, String) {
    let status = answer.expect_err("a refusal");
    let challenge = status.metadata().get("www-authenticate");
    let challenge = challenge.map_or("", |challenge| challenge.to_str().unwrap());
    (
        status.code(),
        status.message().to_owned(),
        challenge.to_owned(),
    )
}

#[test]
fn a_refused_call_has_a_status_and_a_message_of_grpc() {
    let user = || bearer(issuer().user());
    let agent = bearer(issuer().agent_user());
    let expired = bearer(issuer().user().expired());
    let poor = bearer(issuer().application().without_claim("roles"));
    let people = RequireLayer::new(Requirement::people());
    block_on(async {
        let bare = serve_all(grpc().layer(service_fn(orders))).await;
        let people = serve_all((grpc(), people).layer(service_fn(orders))).await;
        let problems = grpc().refusal_body(ProblemJson);
        let problems = serve_all(problems.layer(service_fn(routed))).await;
        let closed = RequireRoutesLayer::by_path()
            .open("/orders.Orders/Other")
            .unwrap();
        let closed = serve_all((grpc(), closed).layer(service_fn(orders))).await;
        let (unauthenticated, denied) = (Code::Unauthenticated, Code::PermissionDenied);
        for (address, authorization, code, message, error) in [
            (
                bare,
                "Basic YTpi",
                unauthenticated,
                "no bearer token was presented",
                None,
            ),
            (
                bare,
                "Bearer {}",
                unauthenticated,
                "the Authorization header is malformed",
                Some("invalid_request"),
            ),
            (
                bare,
                &expired,
                unauthenticated,
                "the token has expired",
                Some("invalid_token"),
            ),
            (
                problems,
                &expired,
                unauthenticated,
                "the token has expired",
                Some("invalid_token"),
            ),
            (
                bare,
                &poor,
                denied,
                "the token grants neither a scope nor a role",
                Some("insufficient_scope"),
            ),
            (
                people,
                &agent,
                denied,
                "the caller is not allowed to do this",
                Some("insufficient_scope"),
            ),
            (
                closed,
                &user(),
                denied,
                "the caller is not allowed to do this",
                Some("insufficient_scope"),
            ),
        ] {
            let answer = call(address, Some(authorization)).await;
            let (found, text, challenge) = refusal(answer);
            assert_eq!((found, text.as_str()), (code, message), "{authorization}");
            match error {
                Some(error) => assert!(
                    challenge.contains(&format!("error=\"{error}\"")),
                    "{challenge}"
                ),
                None => assert!(!challenge.contains("error"), "{challenge}"),
            }
        }
        for address in [bare, people, problems] {
            assert_eq!(call(address, Some(&user())).await.unwrap(), "");
        }
    });
}

#[test]
fn a_call_that_waits_for_keys_in_vain_is_told_so_and_when_to_come_again() {
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Status(500));
    let settings = KeySettings::default().with_wait(Duration::from_millis(20));
    let validator = issuer
        .validator_builder()
        .key_settings(settings)
        .build()
        .unwrap();
    let layer = EntraAuthLayer::new(validator).answers_grpc();
    block_on(async {
        let address = serve_all(layer.layer(service_fn(orders))).await;
        let status = call(address, Some(&bearer(issuer.user())))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.message(), "the signing keys are unavailable");
        assert!(status.metadata().contains_key("retry-after"));
    });
}

#[test]
fn a_denied_answer_becomes_one_of_grpc_without_the_body_that_it_had() {
    let layer = |layer: EntraAuthLayer| {
        layer.layer(service_fn(|_: Request<()>| async {
            let denial = Denial::new().with_scopes(["Orders.Read"]);
            let mut response = Response::new("of the handler".to_owned());
            *response.status_mut() = denial.status();
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().insert(CONTENT_LENGTH, length);
            response.extensions_mut().insert(denial);
            Ok::<_, Infallible>(response)
        }))
    };
    let request = |content_type| {
        Request::post("/orders.Orders/List")
            .header(CONTENT_TYPE, content_type)
            .header("authorization", bearer(issuer().user()))
            .body(())
            .unwrap()
    };
    let response = block_on(layer(grpc()).oneshot(request("application/grpc"))).unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["grpc-status"], "7");
    assert_eq!(headers["grpc-message"], "the token lacks a scope");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(!headers.contains_key(CONTENT_LENGTH), "{headers:?}");
    assert_eq!(response.body(), "");
    // A client of HTTP gets the answer of the handler, and so does one of gRPC from another layer.
    let plain = EntraAuthLayer::new(issuer().validator());
    for (layer, content_type) in [
        (layer(grpc()), "application/json"),
        (layer(plain), "application/grpc"),
    ] {
        let response = block_on(layer.oneshot(request(content_type))).unwrap();
        assert_eq!(response.status(), 403);
        assert!(!response.headers().contains_key("grpc-status"));
        assert_eq!(response.body(), "of the handler");
    }
}

#[test]
fn a_denial_in_a_handler_is_audited_and_tells_the_client_nothing_of_the_configuration() {
    let token = bearer(issuer().user().scope("Another"));
    let ((code, message, challenge), events) = audited(|| {
        block_on(async {
            let address = serve_all(grpc().layer(service_fn(orders))).await;
            refusal(call(address, Some(&token)).await)
        })
    });
    assert_eq!(code, Code::PermissionDenied);
    let (_, log) = logged(|| answer(&grpc(), "application/grpc", &token));
    assert!(!log.contains("a gRPC handler refused"), "{log}");
    assert_eq!(message, "the token lacks a scope");
    assert!(
        challenge.ends_with("error=\"insufficient_scope\", scope=\"Orders.Read\""),
        "{challenge}"
    );
    let refused = events.last().unwrap().to_string();
    assert_eq!(events.len(), 2, "{events:?}");
    for part in [
        "request refused",
        "the scope Orders.Read is missing",
        "\"kind\":\"user\"",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
}

/// [`orders`], as a type that has a name.
#[derive(Clone)]
struct Orders;

impl Service<Request<Full<Bytes>>> for Orders {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        Box::pin(orders(request))
    }
}

/// The answer of `layer` around [`orders`], without a socket.
fn answer<L>(layer: &L, content_type: &str, token: &str) -> Response<tonic::body::Body>
where
    L: Layer<Orders>,
    L::Service:
        Service<Request<Full<Bytes>>, Response = Response<tonic::body::Body>, Error = Infallible>,
{
    let service = layer.layer(Orders);
    let request = Request::post("/orders.Orders/List")
        .header(CONTENT_TYPE, content_type)
        .header("authorization", token)
        .body(Full::from(vec![0; 5]))
        .unwrap();
    block_on(service.oneshot(request)).unwrap()
}

#[test]
fn only_a_grpc_call_is_answered_by_grpc_and_only_where_the_layer_is_set_to() {
    let expired = bearer(issuer().user().expired());
    let closure = grpc().refusal_body(|_: &Error, _: &mut HeaderMap| tonic::body::Body::empty());
    let plain = EntraAuthLayer::new(issuer().validator());
    for response in [
        answer(&grpc(), "application/json", &expired),
        answer(&grpc(), "application/grpc-web", &expired),
        answer(&plain, "application/grpc", &expired),
        answer(&closure, "application/grpc", &expired),
    ] {
        assert_eq!(response.status(), 401);
        assert!(!response.headers().contains_key("grpc-status"));
    }
    let response = answer(&grpc(), "application/grpc+proto", &expired);
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers[CONTENT_TYPE], "application/grpc");
    assert_eq!(headers["grpc-status"], "16");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(response.body().is_end_stream());
    let error = response.extensions().get::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::Expired);
}

#[test]
fn layers_outside_find_the_denial_of_a_handler_and_one_that_no_layer_audits_is_logged() {
    let poor = bearer(issuer().user().scope("Another"));
    let response = answer(&grpc(), "application/grpc", &poor);
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!(denial.reason(), DenialReason::MissingScope);
    assert_eq!(response.headers()["grpc-status"], "7");

    let plain = EntraAuthLayer::new(issuer().validator());
    let (response, log) = logged(|| answer(&plain, "application/grpc", &poor));
    assert_eq!(response.headers()["grpc-status"], "7");
    assert!(
        log.contains("WARN tower_entra: a gRPC handler refused"),
        "{log}"
    );
    assert!(log.contains("denial=\"missing_scope\""), "{log}");

    // The handler's own words stay.
    let service = grpc().layer(service_fn(|request: Request<()>| {
        let _ = Denial::new().grpc_status(request.extensions());
        let response = Response::builder()
            .header(CONTENT_TYPE, "application/grpc")
            .header("grpc-status", "9")
            .header("grpc-message", "ask the owner");
        async move { Ok::<_, Infallible>(response.body("details".to_owned()).unwrap()) }
    }));
    let request = Request::post("/orders.Orders/List")
        .header(CONTENT_TYPE, "application/grpc")
        .header("authorization", &poor);
    let response = block_on(service.oneshot(request.body(()).unwrap())).unwrap();
    assert_eq!(response.headers()["grpc-status"], "9");
    assert_eq!(response.headers()["grpc-message"], "ask the owner");
    assert!(response.headers().contains_key("www-authenticate"));
    assert_eq!(response.body(), "details");

    // Later than the head of the response.
    let mut request = Request::new(());
    let kept = Arc::new(Mutex::new(None));
    let keeper = Arc::clone(&kept);
    let service = grpc().layer(service_fn(move |request: Request<()>| {
        *keeper.lock().unwrap() = Some(request.extensions().clone());
        async { Ok::<_, Infallible>(Response::new(String::new())) }
    }));
    *request.method_mut() = http::Method::POST;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let user = bearer(issuer().user());
    headers.insert("authorization", HeaderValue::try_from(user).unwrap());
    let response = block_on(service.oneshot(request)).unwrap();
    assert!(!response.headers().contains_key("www-authenticate"));
    let extensions = kept.lock().unwrap().take().unwrap();
    let (_, log) = logged(|| Denial::new().grpc_status(&extensions));
    assert!(
        log.contains("WARN tower_entra: a gRPC handler refused"),
        "{log}"
    );
}
