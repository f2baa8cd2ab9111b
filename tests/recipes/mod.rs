//! What the guide shows, over real sockets. The code of each recipe is that of its section.

#[cfg(target_os = "linux")]
mod certificates;
#[cfg(feature = "metrics")]
mod metrics;
mod nested_routers;
mod observability;
mod platform;
mod services;
mod streams;
mod tenants;
mod tickets;
mod uploads;
mod web_socket;
mod who_called;

use std::net::SocketAddr;

use axum::Router;
use http::{HeaderMap, Method, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Serves a router on loopback until the runtime ends.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Status, headers and body of an answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn send(address: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = request.body(Full::default()).unwrap();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Status and body of a GET with this token, or without one.
async fn get(address: SocketAddr, path: &str, token: Option<&str>) -> (u16, String) {
    let authorization = token.map(|token| format!("Bearer {token}"));
    let headers = authorization.as_deref();
    let headers: Vec<_> = headers
        .map(|value| (AUTHORIZATION.as_str(), value))
        .into_iter()
        .collect();
    let answer = send(address, Method::GET, path, &headers).await;
    (answer.status.as_u16(), answer.body)
}

/// A connection that has sent this.
async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// The next head of an answer, in lower case.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}
