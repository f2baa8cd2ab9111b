//! What a client can take of the program has a limit, and the limits an answer.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tower_entra::testing::Issuer;

use crate::world::{Reply, Sidecar, exchange};

async fn connect(sidecar: &Sidecar) -> TcpStream {
    let connected = TcpStream::connect(sidecar.address()).await;
    connected.expect("a connection")
}

async fn with_header_of(sidecar: &Sidecar, bytes: usize) -> Reply {
    let value = "x".repeat(bytes);
    let head = format!(
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-filler: {value}\r\n\r\n"
    );
    sidecar.send(head).await
}

#[tokio::test]
async fn request_line_and_headers_are_at_most_64_kib() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    assert_eq!(with_header_of(&sidecar, 64_000).await.status, 200);
    assert_eq!(with_header_of(&sidecar, 65_536).await.status, 431);
    // The answer arrives although the client was still sending.
    assert_eq!(with_header_of(&sidecar, 4_000_000).await.status, 431);
    let long = format!("/healthz?{}", "x".repeat(63_000));
    assert_eq!(sidecar.get(&long).await.status, 200);
    let too_long = format!("/healthz?{}", "x".repeat(80_000));
    let status = sidecar.get(&too_long).await.status;
    assert!(status == 414 || status == 431, "{status}");
}

#[tokio::test]
async fn headers_are_at_most_100() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let head = |number: usize| {
        let more: String = (0..number).map(|at| format!("x-{at}: x\r\n")).collect();
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n")
    };
    assert_eq!(sidecar.send(head(98)).await.status, 200);
    assert_eq!(sidecar.send(head(99)).await.status, 431);
}

#[tokio::test]
async fn a_body_that_is_declared_too_large_is_refused_at_once() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for length in ["30000001", "99999999999999999999999"] {
        let head = format!(
            "POST /DownstreamApiUnauthenticated/orders HTTP/1.1\r\nhost: localhost\r\n\
             content-type: text/plain\r\ncontent-length: {length}\r\n\r\n"
        );
        let start = Instant::now();
        let mut request = head.into_bytes();
        // The client sends without waiting for an answer, and still gets it.
        request.extend(vec![b'x'; 8_000_000]);
        let reply = exchange(connect(&sidecar).await, &request).await;
        // hyper refuses a length beyond 64 bits itself.
        assert!(reply.status == 413 || (reply.status == 400 && length.len() > 20));
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_after_10_s() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let start = Instant::now();
    let mut slow = connect(&sidecar).await;
    let mut idle = connect(&sidecar).await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    let dripping = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if slow.write_all(b"x-a: b\r\n").await.is_err() {
                break;
            }
            let mut bytes = [0; 512];
            if let Ok(read) = timeout(Duration::from_millis(1), slow.read(&mut bytes)).await {
                let read = read.unwrap_or(0);
                answer = String::from_utf8_lossy(&bytes[..read]).into_owned();
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), dripping)
        .await
        .expect("an end");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    // One that sends nothing gets nothing.
    let mut bytes = Vec::new();
    let ended = timeout(Duration::from_secs(10), idle.read_to_end(&mut bytes)).await;
    ended.expect("an end").expect("no reset");
    assert!(bytes.is_empty());
    assert!(
        start.elapsed() > Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let mut stream = connect(&sidecar).await;
    for _ in 0..3 {
        let head = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(head).await.expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"Healthy") {
            let read = timeout(Duration::from_secs(5), stream.read_buf(&mut answer)).await;
            assert_ne!(read.expect("an answer").expect("no reset"), 0);
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_are_answered_with_400() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for bytes in [
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ] {
        assert_eq!(sidecar.send(bytes).await.status, 400, "{bytes:?}");
    }
    assert_eq!(sidecar.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn two_thousand_idle_connections_keep_no_caller_out() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    // A process that may open fewer files opens fewer connections.
    let mut idle = Vec::new();
    for _ in 0..2_000 {
        match TcpStream::connect(sidecar.address()).await {
            Ok(stream) => idle.push(stream),
            Err(_) => {
                idle.truncate(idle.len().saturating_sub(50));
                break;
            }
        }
    }
    assert!(idle.len() > 400, "{}", idle.len());
    let start = Instant::now();
    assert_eq!(sidecar.get("/healthz").await.status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
