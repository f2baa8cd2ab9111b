//! WebSocket with the token as a subprotocol.

use std::net::SocketAddr;

use axum::{Router, body::Body, extract::Request, middleware::map_request, routing::any};
use http::{
    HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, CONNECTION, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_entra::{AgentPrincipal, EntraAuthLayer};

use super::{connect, head, serve};
use crate::support::{block_on, issuer};

/// As the guide has it.
async fn token_of_subprotocol(mut request: Request) -> Result<Request, StatusCode> {
    let headers = request.headers_mut();
    if headers
        .get(ORIGIN)
        .is_none_or(|origin| origin != "https://app.example")
    {
        return Err(StatusCode::FORBIDDEN);
    }
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let text = values.filter_map(|value| value.to_str().ok());
    let text = text.collect::<Vec<_>>().join(",");
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    let protocols = text.split(',').map(str::trim);
    for protocol in protocols.filter(|protocol| !protocol.is_empty()) {
        let (name, value) = match protocol.strip_prefix("bearer.") {
            Some(token) => (AUTHORIZATION, format!("Bearer {token}")),
            None => (SEC_WEBSOCKET_PROTOCOL, protocol.to_owned()),
        };
        let value = HeaderValue::try_from(value).map_err(|_| StatusCode::BAD_REQUEST)?;
        headers.append(name, value);
    }
    Ok(request)
}

/// Upgrades to the first subprotocol that is left, and sends one text frame: who is calling.
async fn live(caller: AgentPrincipal, request: Request) -> Response<Body> {
    let protocols: Vec<_> = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .collect();
    let [protocol] = protocols[..] else {
        return status(StatusCode::BAD_REQUEST);
    };
    let mut response = status(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    tokio::spawn(async move {
        let mut stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        let kind = caller.kind().as_str();
        let frame = [&[0x81, u8::try_from(kind.len()).unwrap()], kind.as_bytes()].concat();
        stream.write_all(&frame).await.unwrap();
    });
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Begins a WebSocket with these lines in its head.
async fn begin(address: SocketAddr, lines: &[String]) -> (String, TcpStream) {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "GET /live HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{lines}\r\n"
    );
    let mut stream = connect(address, &request).await;
    (head(&mut stream).await, stream)
}

#[test]
fn a_token_as_a_subprotocol_is_moved_into_authorization() {
    let live = any(live)
        .layer(EntraAuthLayer::new(issuer().validator()))
        .layer(map_request(token_of_subprotocol));
    let app = Router::new().route("/live", live);
    let agent = issuer().agent_user().mint();
    let expired = issuer().user().expired().mint();
    let origin = || "Origin: https://app.example".to_owned();
    let protocols = |protocols: &str| format!("Sec-WebSocket-Protocol: {protocols}");
    block_on(async {
        let address = serve(app).await;
        let bearer = format!("bearer.{agent}");
        for lines in [
            vec![origin(), protocols(&format!("orders.v1, {bearer}"))],
            vec![origin(), protocols(&bearer), protocols("orders.v1")],
            vec![
                origin(),
                protocols("orders.v1"),
                format!("Authorization: Bearer {agent}"),
            ],
        ] {
            let (head, mut stream) = begin(address, &lines).await;
            assert!(head.starts_with("http/1.1 101 "), "{head}");
            assert!(head.contains("\r\nsec-websocket-protocol: orders.v1\r\n"));
            assert!(!head.contains("bearer"), "{head}");
            let mut frame = [0; 12];
            stream.read_exact(&mut frame).await.unwrap();
            assert_eq!(&frame, b"\x81\x0aagent_user");
        }
        for (lines, status) in [
            (vec![origin(), protocols("orders.v1")], "401"),
            (
                vec![origin(), protocols(&format!("orders.v1, bearer.{expired}"))],
                "401",
            ),
            (
                vec![origin(), protocols(&format!("{bearer}, {bearer}"))],
                "400",
            ),
            (
                vec![
                    origin(),
                    protocols(&bearer),
                    format!("Authorization: Bearer {agent}"),
                ],
                "400",
            ),
            (vec![protocols(&bearer)], "403"),
            (
                vec![
                    "Origin: https://evil.example".to_owned(),
                    protocols(&bearer),
                ],
                "403",
            ),
        ] {
            let (head, _) = begin(address, &lines).await;
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        }
    });
}
