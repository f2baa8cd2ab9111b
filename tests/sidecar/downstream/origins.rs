//! A token has never been seen at another origin than that of `BaseUrl`, whatever a caller or the API tries.

use super::*;

/// The API, and another server whose address callers and the API know.
struct Lured {
    world: World,
    evil: Api,
}

impl Lured {
    /// The API answers `/v1/redirect/{status}?{location}` with a redirect to that, and all else with 200.
    async fn new(more: &[(&str, &str)]) -> Self {
        let evil = Api::start(|_| json("\"stolen\"")).await;
        let world = World::with(more, |seen| {
            let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
            let Some(status) = path.strip_prefix("/v1/redirect/") else {
                return json("{}");
            };
            let location = percent_decoded(query);
            http::Response::builder()
                .status(status.parse::<u16>().expect("a status"))
                .header("location", location)
                .body(Vec::new())
                .expect("a response")
        })
        .await;
        Self { world, evil }
    }

    /// The other server has got nothing, and the API only requests for itself with the agent's token.
    #[track_caller]
    fn assert_safe(&self, way: &str) {
        let stolen = self.evil.take();
        assert!(stolen.is_empty(), "{way}: {stolen:?}");
        for seen in self.world.api.take() {
            let host = &seen.headers["host"];
            assert_eq!(host, self.world.api.authority(), "{way}");
            assert_eq!(claims(&seen)["azp"], self.world.issuer.agent_id(), "{way}");
            for (name, value) in &seen.headers {
                let is_lure = value.as_bytes().windows(4).any(|text| text == b"evil");
                assert!(!is_lure, "{way}: {name}");
            }
        }
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = rest.get(1..3).filter(|_| *byte == b'%');
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &rest[3..];
            }
            None => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    bytes
}

#[tokio::test]
async fn no_override_sends_the_token_elsewhere() {
    let lured = Lured::new(&[]).await;
    let evil = lured.evil.authority().to_owned();
    let port = evil.rsplit(':').next().expect("a port").to_owned();
    let parameter = |name: &str, value: &str| format!("optionsOverride.{name}={}", escaped(value));
    let path = |value: &str| parameter("RelativePath", value);
    let header =
        |name: &str, value: &str| parameter(&format!("ExtraHeaderParameters.{name}"), value);
    let ways = [
        // The address of the API.
        parameter("BaseUrl", &format!("http://{evil}")),
        parameter("baseurl", &format!("http://{evil}/v1")),
        parameter("BASEURL", &format!("//{evil}")),
        parameter("BaseUrl.", &format!("http://{evil}")),
        parameter("BaseUrl[0]", &format!("http://{evil}")),
        parameter("DownstreamApi.BaseUrl", &format!("http://{evil}")),
        parameter("AcquireTokenOptions.BaseUrl", &format!("http://{evil}")),
        format!("BaseUrl={}", escaped(&format!("http://{evil}"))),
        format!(
            "DownstreamApis:orders:BaseUrl={}",
            escaped(&format!("http://{evil}"))
        ),
        // The path.
        path(&format!("//{evil}")),
        path(&format!("///{evil}/a")),
        path(&format!("http://{evil}/")),
        path(&format!("/http://{evil}/")),
        path(&format!("http:{evil}")),
        path(&format!("http:\\\\{evil}")),
        path(&format!("\\\\{evil}")),
        path(&format!("/\\{evil}")),
        path(&format!("\\/{evil}")),
        path(&format!("@{evil}")),
        path(&format!("/@{evil}/")),
        path(&format!("a@{evil}/")),
        path(&format!(":{port}/")),
        path(&format!(":80@{evil}/")),
        path(&format!(".{evil}/")),
        path(&format!("..//{evil}")),
        path(&format!("../..//{evil}")),
        path(&format!("a/..//{evil}")),
        path(&format!("%2f%2f{evil}")),
        path(&format!("%2e%2e%2f%2f{evil}")),
        path(&format!("%5c%5c{evil}")),
        path(&format!("?@{evil}")),
        path(&format!("?//{evil}")),
        path(&format!("#@{evil}")),
        path(&format!("\r\nHost: {evil}\r\n\r\n")),
        path(&format!(
            "a HTTP/1.1\r\nHost: {evil}\r\n\r\nGET http://{evil}/ "
        )),
        path(&format!(" http://{evil}/")),
        path(&format!("\thttp://{evil}/")),
        path(&format!("\u{0}http://{evil}/")),
        path(&format!("a\nhttp://{evil}/")),
        // Headers by which proxies and servers choose a host.
        header("Host", "evil"),
        header("host", "evil"),
        header("Authorization", "Bearer evil"),
        header("AUTHORIZATION", "Bearer evil"),
        header("Proxy-Authorization", "Bearer evil"),
        header("Cookie", "evil=1"),
        header("X-Forwarded-Host", "evil"),
        header("X-Forwarded-For", "evil"),
        header("X_Forwarded_Host", "evil"),
        header("Forwarded", "host=evil"),
        header("X-Original-URL", "/evil"),
        header("X-Rewrite-URL", "/evil"),
        header("X-MS-CLIENT-PRINCIPAL", "evil"),
        header("X-MS-CLIENT-PRINCIPAL-NAME", "evil"),
        header("X-MS-TOKEN-AAD-ACCESS-TOKEN", "evil"),
        header("Connection", "authorization, evil"),
        header("Transfer-Encoding", "evil"),
        header("Content-Length", "100"),
        header("Upgrade", "evil"),
        header("TE", "evil"),
        header("Expect", "evil"),
        header("X-A", &format!("1\r\nHost: {evil}")),
        header("X-A%0d%0aHost", "evil"),
        header("Host:%20evil%0d%0aX-A", "1"),
        header(":authority", "evil"),
        // Query parameters.
        parameter("ExtraQueryParameters.@evil/", &evil),
        parameter("ExtraQueryParameters.%0d%0aHost", &evil),
        parameter("ExtraQueryParameters.a", &format!("\r\nHost: {evil}")),
        parameter("ExtraQueryParameters.#", &format!("@{evil}")),
        // Methods.
        parameter("HttpMethod", "CONNECT"),
        parameter("HttpMethod", "connect"),
        parameter("HttpMethod", "TRACE"),
        parameter("HttpMethod", &format!("GET http://{evil}/")),
        parameter(
            "HttpMethod",
            &format!("GET / HTTP/1.1\r\nHost: {evil}\r\n\r\nGET"),
        ),
        parameter("AcceptHeader", &format!("*/*\r\nHost: {evil}")),
        parameter("ContentType", &format!("a/b\r\nHost: {evil}")),
    ];
    assert!(ways.len() >= 30);
    for way in ways {
        let reply = lured.world.call(&way).await;
        assert!(
            [200, 400].contains(&reply.status.as_u16()),
            "{way}: {reply:?}"
        );
        lured.assert_safe(&way);
    }
    // A good call among them reaches the API.
    lured.world.call("").await.of_api();
    assert_eq!(lured.world.api.take().len(), 1);
}

fn redirect(status: u16, location: &str) -> String {
    let path = format!("redirect/{status}?{}", escaped(location));
    format!("optionsOverride.RelativePath={}", escaped(&path))
}

/// Where a redirect leads elsewhere.
fn elsewhere(evil: &str, api: &str) -> Vec<String> {
    let port = api.rsplit(':').next().unwrap_or_default();
    vec![
        format!("http://{evil}/stolen"),
        format!("//{evil}/stolen"),
        format!("\\\\{evil}\\stolen"),
        format!("/\\{evil}/"),
        format!("/\t/{evil}/"),
        format!("http:\\\\{evil}/"),
        format!("HTTP://{evil}"),
        format!("http://user@{evil}/"),
        format!("http://{api}@{evil}/"),
        format!("http://user:secret@{api}/"),
        format!("http://{evil}#@{api}/"),
        format!("http://{evil}\\@{api}/"),
        format!("https://{api}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/metadata/identity/oauth2/token".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://".to_owned(),
    ]
}

#[tokio::test]
async fn no_redirect_sends_the_token_elsewhere() {
    for followed in [&[][..], &[REDIRECTS]] {
        let lured = Lured::new(followed).await;
        for location in elsewhere(lured.evil.authority(), lured.world.api.authority()) {
            for status in [301, 302, 303, 307, 308] {
                let way = redirect(status, &location);
                let reply = lured.world.call(&way).await;
                let (seen, headers, content) = reply.of_api();
                assert_eq!(seen, u64::from(status), "{location}");
                assert_eq!(headers["Location"][0], location);
                assert_eq!(*content, Value::Null);
                assert_eq!(lured.world.api.seen_count(), 1, "{location}");
                lured.assert_safe(&way);
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_is_returned_and_its_target_not_asked() {
    let lured = Lured::new(&[]).await;
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let reply = lured.world.call(&redirect(status, "/v1/target")).await;
        let (seen, headers, _) = reply.of_api();
        assert_eq!(seen, u64::from(status));
        assert_eq!(headers["Location"][0], "/v1/target");
        assert_eq!(lured.world.api.seen_count(), 1);
        lured.assert_safe("a redirect");
    }
}

#[tokio::test]
async fn a_redirect_on_the_same_origin_is_followed_where_that_is_configured() {
    let lured = Lured::new(&[REDIRECTS]).await;
    let body = ("text/plain", &b"body"[..]);
    for (status, method, followed) in [
        (301, "GET", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST body"),
        (308, "PATCH", "PATCH body"),
    ] {
        let query = format!(
            "{}&optionsOverride.HttpMethod={method}",
            redirect(status, "/other?a=b")
        );
        let body = (method != "GET").then_some(body);
        let reply = lured.world.post(&query, body).await;
        assert_eq!(reply.of_api().0, 200);
        let seen = lured.world.api.take();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1].target, "/other?a=b");
        let text = String::from_utf8_lossy(&seen[1].body);
        let shown = format!("{} {text}", seen[1].method);
        assert_eq!(shown.trim_end(), followed);
        assert_eq!(claims(&seen[0]), claims(&seen[1]));
        assert_eq!(
            seen[1].headers.contains_key("content-type"),
            followed.ends_with("body")
        );
    }
}

#[tokio::test]
async fn at_most_ten_redirects_are_followed() {
    let world = World::with(&[REDIRECTS], |_| {
        let response = http::Response::builder()
            .status(302)
            .header("location", "/v1");
        response.body(Vec::new()).expect("a response")
    })
    .await;
    assert_eq!(world.call("").await.of_api().0, 302);
    assert_eq!(world.api.take().len(), 11);
}

/// Plain http goes to this machine, past every proxy.
#[tokio::test]
async fn no_proxy_of_the_environment_sees_a_token() {
    let evil = Api::start(|_| json("\"stolen\"")).await;
    let proxies: Vec<_> = [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ]
    .map(|name| (name, &*evil.url))
    .into();
    let world = World::with(&proxies, |_| json("{}")).await;
    world.call("").await.of_api();
    assert_eq!(world.api.take().len(), 1);
    assert!(evil.take().is_empty());
}

#[tokio::test]
async fn a_path_that_leaves_the_base_url_is_refused_before_entra_is_asked() {
    let world = World::new().await;
    for path in [
        "..",
        "../admin",
        "a/../../admin",
        "%2e%2e/admin",
        "%252e%252e/admin",
        "..%2fadmin",
        "..\\admin",
        "..%5cadmin",
        "..;/admin",
        ".../admin",
        "..%20/admin",
        "%c0%ae%c0%ae/admin",
        "\u{ff0e}\u{ff0e}/admin",
        "..%00/admin",
        "//evil.test",
        "https://evil.test",
        "@evil.test",
        "a#b",
        "a\r\nb",
        " a",
    ] {
        let reply = world
            .call(&format!("optionsOverride.RelativePath={}", escaped(path)))
            .await;
        let detail = reply.problem(400);
        assert!(
            detail.starts_with("optionsOverride.RelativePath "),
            "{detail}"
        );
        assert!(
            !detail.contains("evil") && !detail.contains("admin"),
            "{detail}"
        );
    }
    assert!(world.api.take().is_empty());
    assert_eq!(world.issuer.token_requests(), 0);
    for (path, target) in [
        ("a/../b", "/v1/b"),
        (
            "users/alice@contoso.test/messages?$filter=from eq 'a'",
            "/v1/users/alice@contoso.test/messages?$filter=from%20eq%20%27a%27",
        ),
        ("root:/A b/c..d", "/v1/root:/A%20b/c..d"),
    ] {
        world
            .call(&format!("optionsOverride.RelativePath={}", escaped(path)))
            .await
            .of_api();
        assert_eq!(world.seen().target, target);
    }
}
