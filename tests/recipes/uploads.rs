//! Uploads: the refusal comes before the body is sent.

use std::net::SocketAddr;

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, routing::put};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tower::{Layer, service_fn};
use tower_entra::EntraAuthLayer;

use super::{connect, head, serve};
use crate::support::{block_on, issuer};

fn door() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
}

async fn in_axum() -> SocketAddr {
    let upload = put(async |body: Bytes| body.len().to_string());
    let app = Router::new()
        .route("/upload", upload)
        .layer(DefaultBodyLimit::disable())
        .layer(door());
    serve(app).await
}

async fn in_hyper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = door().layer(service_fn(async |request: http::Request<Incoming>| {
        let body = request.into_body().collect().await?.to_bytes();
        let answer = Full::new(Bytes::from(body.len().to_string()));
        Ok::<_, hyper::Error>(http::Response::new(answer))
    }));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

fn upload(token: &str, len: usize) -> String {
    format!(
        "PUT /upload HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {len}\r\nExpect: 100-continue\r\n\r\n"
    )
}

#[test]
fn a_client_that_waits_for_100_continue_gets_the_401_before_it_sends_the_body() {
    let expired = issuer().user().expired().mint();
    block_on(async {
        for address in [in_axum().await, in_hyper().await] {
            let mut stream = connect(address, &upload(&expired, 100_000_000)).await;
            let refused = head(&mut stream).await;
            assert!(refused.starts_with("http/1.1 401 "), "{refused}");
            assert!(refused.contains("error=\"invalid_token\""), "{refused}");
        }
    });
}

#[test]
fn an_admitted_client_is_told_to_continue_and_its_body_is_read() {
    let good = issuer().user().mint();
    block_on(async {
        for address in [in_axum().await, in_hyper().await] {
            let body = vec![b'x'; 300_000];
            let mut stream = connect(address, &upload(&good, body.len())).await;
            let interim = head(&mut stream).await;
            assert_eq!(interim, "http/1.1 100 continue\r\n\r\n");
            stream.write_all(&body).await.unwrap();
            let answer = head(&mut stream).await;
            assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        }
    });
}
