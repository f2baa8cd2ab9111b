//! Services of tower's own kind and others behind the layer: boxed bodies, files, buffers, and a
//! server that shuts down.

use std::{env, time::Duration};

use axum::{Router, routing::get as on_get};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Bytes;
use tokio::{net::TcpListener, sync::oneshot};
use tower::{Layer, ServiceExt, buffer::Buffer, service_fn};
use tower_entra::{
    AgentPrincipal, EntraAuthLayer, Error, KeySettings,
    testing::{Fault, Issuer},
};
use tower_http::services::ServeDir;

use super::get;
use crate::support::{SECOND, TICK, block_on, issuer, unready, within};

fn request(token: Option<&str>) -> Request<Empty<Bytes>> {
    let mut request = Request::get("/Cargo.toml");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Empty::new()).unwrap()
}

#[test]
fn a_service_with_boxed_bodies_can_be_behind_the_layer() {
    type Body = BoxBody<Bytes, std::io::Error>;
    let inner = service_fn(async |_: Request<Empty<Bytes>>| {
        let body = Empty::new().map_err(|never| match never {});
        Ok::<_, std::io::Error>(Response::new(Body::new(body)))
    });
    let service = EntraAuthLayer::new(issuer().validator()).layer(inner.boxed_clone());
    block_on(async {
        let user = issuer().user().mint();
        for (token, status) in [(None, 401), (Some(user.as_str()), 200)] {
            let response = service.clone().oneshot(request(token)).await.unwrap();
            assert_eq!(response.status(), status);
        }
    });
}

#[test]
fn files_are_served_only_with_a_token() {
    let files = ServeDir::new(env!("CARGO_MANIFEST_DIR"));
    let service = EntraAuthLayer::new(issuer().validator()).layer(files);
    block_on(async {
        let user = issuer().user().mint();
        let refused = service.clone().oneshot(request(None)).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        assert!(body.is_empty());
        let served = service.oneshot(request(Some(&user))).await.unwrap();
        assert_eq!(served.status(), StatusCode::OK);
        let body = served.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"[package]\nname = \"tower-entra\""));
    });
}

/// Inside, the caller reaches the task of the buffer; outside, the layer is the task's own.
#[test]
fn a_buffer_can_be_on_either_side_of_the_layer() {
    let hello = service_fn(async |request: Request<Empty<Bytes>>| {
        let caller = request.extensions().get::<AgentPrincipal>().unwrap();
        Ok::<_, Error>(Response::new(caller.kind().as_str().to_owned()))
    });
    let layer = EntraAuthLayer::new(issuer().validator());
    block_on(async {
        let user = issuer().user().mint();
        let inside = layer.layer(Buffer::new(hello, 4));
        let outside = Buffer::new(layer.layer(hello), 4);
        for service in [inside.boxed_clone(), outside.boxed_clone()] {
            let admitted = service.clone().oneshot(request(Some(&user))).await.unwrap();
            assert_eq!(admitted.into_body(), "user");
            let refused = service.oneshot(request(None)).await.unwrap();
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        }
    });
}

#[test]
fn a_server_that_shuts_down_still_answers_a_request_that_waits_for_a_key() {
    let settings = KeySettings::default().with_wait(10 * SECOND);
    let (issuer, validator) = unready(settings);
    issuer.fail(Fault::Slow(100 * TICK));
    answers_while_it_shuts_down(&issuer, EntraAuthLayer::new(validator), 200);
}

#[test]
fn a_server_that_shuts_down_waits_no_longer_than_a_request_does() {
    let settings = KeySettings::default().with_wait(50 * TICK);
    let (issuer, validator) = unready(settings);
    issuer.fail(Fault::Slow(10 * SECOND));
    answers_while_it_shuts_down(&issuer, EntraAuthLayer::new(validator), 503);
}

/// One request waits for its key when the server is told to shut down.
#[track_caller]
fn answers_while_it_shuts_down(issuer: &Issuer, layer: EntraAuthLayer, status: u16) {
    let app = Router::new()
        .route("/", on_get(async || "hello"))
        .layer(layer);
    let token = issuer.user().mint();
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        let server = tokio::spawn(server.into_future());
        let request = tokio::spawn(async move { get(address, "/", Some(&token)).await.0 });
        while issuer.discovery_fetches() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.send(()).unwrap();
        assert_eq!(within(request).await.unwrap(), status);
        within(server).await.unwrap().unwrap();
    });
}
