//! The body of the request.

use super::*;

#[tokio::test]
async fn the_body_arrives_as_it_was_sent_with_its_content_type() {
    let world = World::with(&[("DownstreamApis__orders__HttpMethod", "POST")], |_| {
        json("{}")
    })
    .await;
    let everything: Vec<u8> = (0..=255).collect();
    for (media_type, body) in [
        ("application/json", "{\"a\": \"\u{e9}\"}".as_bytes()),
        ("application/json; charset=utf-8", b"\xef\xbb\xbf{}"),
        ("text/plain; charset=iso-8859-1", b"gr\xfc\xdfe"),
        ("application/octet-stream", &*everything),
        ("multipart/form-data; boundary=\"a b\"", b"--a b--"),
        ("text/plain", b""),
    ] {
        world.post("", Some((media_type, body))).await.of_api();
        let seen = world.seen();
        assert_eq!(seen.headers["content-type"], media_type);
        assert_eq!(seen.body, body, "{media_type}");
    }
}

/// As in Microsoft's sidecar.
#[tokio::test]
async fn without_a_readable_content_type_the_body_is_dropped() {
    let world = World::with(&[("DownstreamApis__orders__HttpMethod", "POST")], |_| {
        json("{}")
    })
    .await;
    for media_type in [
        "",
        " ",
        "json",
        "text/plain, text/html",
        "text/plain; charset",
    ] {
        world.post("", Some((media_type, b"body"))).await.of_api();
        let seen = world.seen();
        assert!(seen.body.is_empty(), "{media_type:?}");
        assert!(!seen.headers.contains_key("content-type"), "{media_type:?}");
    }
    let path = format!(
        "/DownstreamApiUnauthenticated/orders?AgentIdentity={}&{APP_TOKEN}",
        world.issuer.agent_id()
    );
    let request = Request::builder().method(Method::POST).uri(path);
    world
        .send(request.body(b"body".to_vec()).expect("a request"))
        .await
        .of_api();
    let seen = world.seen();
    assert!(seen.body.is_empty());
    assert_eq!(seen.headers["content-length"], "0");
}

#[tokio::test]
async fn a_get_has_the_body_too() {
    let world = World::new().await;
    world.post("", Some(("text/plain", b"body"))).await.of_api();
    let seen = world.seen();
    assert_eq!((seen.method, &*seen.body), (Method::GET, &b"body"[..]));
}

#[tokio::test]
async fn a_body_that_is_compressed_is_said_to_be() {
    let world = World::new().await;
    let path = format!(
        "/DownstreamApiUnauthenticated/orders?AgentIdentity={}&{APP_TOKEN}",
        world.issuer.agent_id()
    );
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    world
        .send(request.body(b"\x1f\x8b".to_vec()).expect("a request"))
        .await
        .of_api();
    let seen = world.seen();
    assert_eq!(seen.headers["content-encoding"], "gzip");
    assert_eq!(seen.body, b"\x1f\x8b");
}

const MOST: usize = 30_000_000;

#[tokio::test]
async fn a_body_has_at_most_30_000_000_bytes() {
    let world = World::answering(|seen| json(&seen.body.len().to_string())).await;
    let body = vec![b'a'; MOST + 1];
    let media_type = "application/octet-stream";
    let reply = world.post("", Some((media_type, &body[..MOST]))).await;
    assert_eq!(*reply.of_api().2, Value::from(MOST.to_string()));
    let reply = world.post("", Some((media_type, &body))).await;
    assert_eq!(reply.status, 413);
    assert_eq!(world.api.take().len(), 1);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_no_further() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let world = World::new().await;
    let address = world.sidecar.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let head = format!(
        "POST /DownstreamApiUnauthenticated/orders?AgentIdentity={}&{APP_TOKEN} HTTP/1.1\r\nhost: localhost\r\n\
         content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n",
        world.issuer.agent_id()
    );
    stream.write_all(head.as_bytes()).await.expect("a head");
    let chunk = [
        b"100000\r\n".to_vec(),
        vec![b'a'; 0x10_0000],
        b"\r\n".to_vec(),
    ]
    .concat();
    let (mut read, mut write) = stream.split();
    let sending = async {
        // Without an end, as long as it is read.
        for _ in 0..200 {
            if write.write_all(&chunk).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut start = [0; 12];
    tokio::select! {
        answer = read.read_exact(&mut start) => drop(answer.expect("an answer")),
        () = sending => {}
    }
    assert_eq!(&start, b"HTTP/1.1 413");
    assert!(world.api.take().is_empty());
}
