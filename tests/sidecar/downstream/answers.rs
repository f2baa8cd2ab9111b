//! What comes back of the API's answer.

use base64::engine::general_purpose::STANDARD;

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> http::Response<Vec<u8>> {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.to_owned()).expect("a response")
}

#[tokio::test]
async fn every_status_is_200_with_the_status_inside() {
    let world = World::answering(|seen| {
        let status = seen.target.trim_start_matches("/v1/").parse();
        answer(
            status.expect("a status"),
            &[("content-type", "text/plain")],
            b"text",
        )
    })
    .await;
    for status in [
        200_u16, 201, 202, 206, 302, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 599,
    ] {
        let reply = world
            .call(&format!("optionsOverride.RelativePath={status}"))
            .await;
        let (seen, headers, content) = reply.of_api();
        assert_eq!(seen, u64::from(status));
        assert_eq!(headers["Content-Type"], serde_json::json!(["text/plain"]));
        assert_eq!(headers["Content-Length"], serde_json::json!(["4"]));
        assert_eq!(*content, Value::from("text"));
        assert_eq!(reply.body.get("contentEncoding"), None);
        assert_eq!(world.api.take().len(), 1, "{status}");
    }
    for status in [204_u16, 304] {
        let reply = world
            .call(&format!("optionsOverride.RelativePath={status}"))
            .await;
        let (seen, _, content) = reply.of_api();
        assert_eq!((seen, content), (u64::from(status), &Value::Null));
    }
}

#[tokio::test]
async fn a_throttled_call_is_not_repeated_and_its_retry_after_comes_back() {
    let world =
        World::answering(|_| answer(429, &[("retry-after", "7"), ("request-id", "a")], b"{}"))
            .await;
    let reply = world.call("").await;
    let (status, headers, _) = reply.of_api();
    assert_eq!(status, 429);
    assert_eq!(headers["Retry-After"], serde_json::json!(["7"]));
    assert_eq!(headers["request-id"], serde_json::json!(["a"]));
    assert!(!reply.headers.contains_key("retry-after"));
    assert_eq!(world.api.take().len(), 1);
}

#[tokio::test]
async fn headers_come_back_but_for_cookies_and_those_of_the_connection() {
    let world = World::answering(|_| {
        answer(
            200,
            &[
                ("etag", "\"a\""),
                ("x-many", "1"),
                ("x-many", "2"),
                ("www-authenticate", "Bearer realm=\"a\""),
                ("set-cookie", "session=1"),
                ("connection", "close, x-private"),
                ("x-private", "1"),
                ("keep-alive", "timeout=5"),
            ],
            b"",
        )
    })
    .await;
    let reply = world.call("").await;
    let (_, headers, _) = reply.of_api();
    assert_eq!(headers["ETag"], serde_json::json!(["\"a\""]));
    assert_eq!(headers["X-Many"], serde_json::json!(["1", "2"]));
    assert_eq!(
        headers["WWW-Authenticate"],
        serde_json::json!(["Bearer realm=\"a\""])
    );
    for name in [
        "Set-Cookie",
        "Connection",
        "X-Private",
        "Keep-Alive",
        "Transfer-Encoding",
    ] {
        assert_eq!(headers.get(name), None, "{name}");
    }
    assert!(!reply.headers.contains_key("set-cookie"));
}

/// Bytes that gzip makes of `hello`.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";

#[tokio::test]
async fn a_body_that_is_no_text_is_base64() {
    let world = World::answering(|seen| match &*seen.target {
        "/v1/gzip" => answer(
            200,
            &[("content-type", "text/plain"), ("content-encoding", "gzip")],
            GZIP,
        ),
        "/v1/latin" => answer(
            200,
            &[("content-type", "text/plain; charset=iso-8859-1")],
            b"gr\xfc\xdfe",
        ),
        _ => answer(
            200,
            &[("content-type", "image/png")],
            b"\x89PNG\r\n\x1a\n\0",
        ),
    })
    .await;
    let reply = world.call("").await;
    assert_eq!(
        *reply.of_api().2,
        Value::from(STANDARD.encode(b"\x89PNG\r\n\x1a\n\0"))
    );
    assert_eq!(reply.body["contentEncoding"], "base64");

    // Neither asked for nor undone.
    let reply = world.call("optionsOverride.RelativePath=gzip").await;
    let (_, headers, content) = reply.of_api();
    assert_eq!(*content, Value::from(STANDARD.encode(GZIP)));
    assert_eq!(headers["Content-Encoding"], serde_json::json!(["gzip"]));
    assert_eq!(reply.body["contentEncoding"], "base64");

    let reply = world.call("optionsOverride.RelativePath=latin").await;
    assert_eq!(*reply.of_api().2, Value::from("gr\u{fc}\u{df}e"));
}

#[tokio::test]
async fn an_answer_of_more_than_30_000_000_bytes_is_502() {
    let world = World::answering(|seen| {
        let len = seen.target.trim_start_matches("/v1/").parse();
        answer(200, &[], &vec![b'a'; len.expect("a length")])
    })
    .await;
    let reply = world.call("optionsOverride.RelativePath=30000000").await;
    assert_eq!(reply.of_api().2.as_str().map(str::len), Some(30_000_000));
    for len in [30_000_001, 31 * 1024 * 1024] {
        let reply = world
            .call(&format!("optionsOverride.RelativePath={len}"))
            .await;
        let detail = reply.problem(502);
        assert_eq!(
            detail,
            "The API 'orders' answered with more than 30,000,000 bytes."
        );
        assert_eq!(reply.body["title"], "Bad Gateway");
        assert_eq!(
            reply.body["type"],
            "https://tools.ietf.org/html/rfc9110#section-15.6.3"
        );
    }
}

#[tokio::test]
async fn an_api_that_is_out_of_reach_is_502_without_its_address() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    for base_url in [
        format!("http://127.0.0.1:{port}"),
        // No certificate, and no TLS.
        format!("https://127.0.0.1:{port}"),
        "https://no-such-host.invalid".to_owned(),
    ] {
        let variables = [("DownstreamApis__orders__BaseUrl", &*base_url)];
        let world = World::with(&variables, |_| json("{}")).await;
        let reply = world.call("").await;
        assert_eq!(reply.problem(502), "The API 'orders' could not be reached.");
        let text = reply.body.to_string();
        let shows = |part: &str| text.contains(part);
        assert!(
            !shows("127.0.0.1") && !shows(&port.to_string()) && !shows("invalid"),
            "{text}"
        );
    }
}

/// The certificate of a server is checked, and plain http is not spoken with one of https.
#[tokio::test]
async fn an_https_api_without_tls_is_502_and_gets_no_token() {
    let plain = Api::start(|_| json("{}")).await;
    let base_url = plain.url.replace("http://", "https://");
    let world = World::with(&[("DownstreamApis__orders__BaseUrl", &base_url)], |_| {
        json("{}")
    })
    .await;
    assert_eq!(
        world.call("").await.problem(502),
        "The API 'orders' could not be reached."
    );
    assert!(plain.take().is_empty());
}
