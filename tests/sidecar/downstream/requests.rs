//! What the API gets: method, URL and headers.

use super::*;

#[tokio::test]
async fn every_verb_of_the_route_makes_the_call_that_is_configured() {
    let world = World::with(&[("DownstreamApis__orders__HttpMethod", "Post")], |_| {
        json("{}")
    })
    .await;
    for method in ["POST", "GET", "PUT", "PATCH", "DELETE"] {
        for route in [
            "DownstreamApiUnauthenticated",
            "downstreamapiunauthenticated",
        ] {
            let path = format!(
                "/{route}/orders?AgentIdentity={}&{APP_TOKEN}",
                world.issuer.agent_id()
            );
            let request = Request::builder().method(method).uri(path);
            let reply = world
                .send(request.body(Vec::new()).expect("a request"))
                .await;
            reply.of_api();
            assert_eq!(
                reply.headers["content-type"],
                "application/json; charset=utf-8"
            );
            assert_eq!(
                reply.headers["cache-control"],
                "no-cache, no-store, must-revalidate"
            );
            let seen = world.seen();
            assert_eq!((seen.method, &*seen.target), (Method::POST, "/v1"));
        }
    }
    for method in ["HEAD", "OPTIONS", "TRACE", "MERGE"] {
        let path = "/DownstreamApiUnauthenticated/orders";
        let request = Request::builder().method(method).uri(path);
        let reply = world
            .send(request.body(Vec::new()).expect("a request"))
            .await;
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.headers["allow"], "DELETE, GET, PATCH, POST, PUT");
    }
    assert!(world.api.take().is_empty());
}

#[tokio::test]
async fn the_method_is_that_of_the_override() {
    let world = World::new().await;
    for (text, method) in [
        ("Get", "GET"),
        ("post", "POST"),
        ("PUT", "PUT"),
        ("Patch", "PATCH"),
        ("DELETE", "DELETE"),
        ("head", "HEAD"),
        ("Options", "OPTIONS"),
        ("MERGE", "MERGE"),
        ("", "GET"),
    ] {
        let reply = world
            .call(&format!("optionsOverride.HttpMethod={text}"))
            .await;
        reply.of_api();
        assert_eq!(world.seen().method, method);
    }
}

#[tokio::test]
async fn overrides_leave_what_they_do_not_name() {
    let configured = [
        ("DownstreamApis__orders__HttpMethod", "PUT"),
        ("DownstreamApis__orders__AcceptHeader", "text/csv"),
        ("DownstreamApis__orders__RelativePath", "/items?a=b"),
        ("DownstreamApis__orders__ExtraHeaderParameters__X-One", "1"),
        ("DownstreamApis__orders__ExtraHeaderParameters__X-Two", "2"),
        ("DownstreamApis__orders__ExtraQueryParameters__one", "1"),
        ("DownstreamApis__orders__ExtraQueryParameters__two", "2"),
    ];
    let world = World::with(&configured, |_| json("{}")).await;
    world
        .call(
            "optionsOverride.ExtraHeaderParameters.x-two=3&optionsOverride.ExtraQueryParameters.TWO=3\
             &optionsOverride.ExtraQueryParameters.empty=&optionsOverride.RelativePath=",
        )
        .await
        .of_api();
    let seen = world.seen();
    assert_eq!(seen.method, "PUT");
    assert_eq!(seen.target, "/v1/items?a=b&one=1&TWO=3");
    let headers = &seen.headers;
    assert_eq!(headers["accept"], "text/csv");
    assert_eq!(headers["x-one"], "1");
    assert_eq!(headers["x-two"], "3");

    world
        .call("optionsOverride.RelativePath=b/c&optionsOverride.AcceptHeader=text/html,*/*;q%3D0.1")
        .await
        .of_api();
    let seen = world.seen();
    assert_eq!(seen.method, "PUT");
    assert_eq!(seen.target, "/v1/b/c?one=1&two=2");
    assert_eq!(seen.headers["accept"], "text/html,*/*;q=0.1");
}

#[tokio::test]
async fn extra_headers_and_query_parameters_are_sent() {
    let world = World::new().await;
    let value = escaped("x & y=z/\u{e9}?#");
    world
        .call(&format!(
            "optionsOverride.ExtraHeaderParameters.X-Custom-Header=a%20b\
             &optionsOverride.ExtraHeaderParameters.OData-Version=4.0\
             &optionsOverride.ExtraHeaderParameters.X-Custom-Tracking=t\
             &optionsOverride.ExtraQueryParameters.param1=value1\
             &optionsOverride.ExtraQueryParameters.param2={value}\
             &optionsOverride.RelativePath=items?%24top=1"
        ))
        .await
        .of_api();
    let seen = world.seen();
    assert_eq!(
        seen.target,
        "/v1/items?$top=1&param1=value1&param2=x%20%26%20y%3Dz%2F%C3%A9%3F%23"
    );
    assert_eq!(seen.headers["x-custom-header"], "a b");
    assert_eq!(seen.headers["odata-version"], "4.0");
    assert_eq!(seen.headers["x-custom-tracking"], "t");
}

/// Of the caller's headers and query nothing is passed on, but for what describes the body.
#[tokio::test]
async fn the_api_gets_the_headers_of_the_call_only() {
    let world = World::new().await;
    let path = format!(
        "/DownstreamApiUnauthenticated/orders?AgentIdentity={}&{APP_TOKEN}&secret=1",
        world.issuer.agent_id()
    );
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("cookie", "a=b")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-custom", "1")
        .header("accept", "text/html")
        .header("accept-encoding", "gzip")
        .header("user-agent", "agent")
        .header("traceparent", "00-a-b-00");
    world
        .send(request.body(Vec::new()).expect("a request"))
        .await
        .of_api();
    let seen = world.seen();
    let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "host"]);
    assert_eq!(seen.headers["accept"], "application/json");
    assert_eq!(seen.headers["host"], world.api.authority());
    assert_eq!(seen.target, "/v1");
}

#[tokio::test]
async fn a_connection_is_used_again_and_keeps_no_cookies() {
    let world = World::answering(|_| {
        let response = http::Response::builder().header("set-cookie", "session=1; Path=/");
        response.body(Vec::new()).expect("a response")
    })
    .await;
    for _ in 0..3 {
        world.call("").await.of_api();
        assert!(!world.seen().headers.contains_key("cookie"));
    }
}

#[tokio::test]
async fn localhost_is_this_machine() {
    let api = Api::start(|_| json("{}")).await;
    let port = api
        .authority()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    let base_url = format!("http://localhost:{port}/v1/");
    let world = World::with(&[("DownstreamApis__orders__BaseUrl", &base_url)], |_| {
        json("{}")
    })
    .await;
    world.call("optionsOverride.RelativePath=/a").await.of_api();
    let seen = api.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].headers["host"], format!("localhost:{port}"));
    assert_eq!(seen[0].target, "/v1/a");
    claims(&seen[0]);
}

/// To this machine, by an address that is none of loopback.
#[tokio::test]
async fn plain_http_to_another_host_is_sent_where_it_is_allowed() {
    let api = Api::start(|_| json("{}")).await;
    let port = api
        .authority()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    let base_url = format!("http://0.0.0.0:{port}");
    let variables = [
        ("DownstreamApis__orders__BaseUrl", &*base_url),
        ("Sidecar__AllowPlainHttp", "true"),
    ];
    let world = World::with(&variables, |_| json("{}")).await;
    world.call("").await.of_api();
    let seen = api.take();
    assert_eq!(seen[0].headers["host"], format!("0.0.0.0:{port}"));
    claims(&seen[0]);
}

#[tokio::test]
async fn the_letter_case_of_a_name_makes_a_difference_and_unknown_names_have_no_address() {
    let world = World::new().await;
    let agent = world.issuer.agent_id();
    let scope = format!("{}/.default", world.issuer.api().resource());
    for name in ["unknown", "Orders", "orders%20", "orders%2F.."] {
        let path =
            format!("/DownstreamApiUnauthenticated/{name}?AgentIdentity={agent}&{APP_TOKEN}");
        let send = |path: String| {
            let request = Request::builder().method(Method::POST).uri(path);
            world.send(request.body(Vec::new()).expect("a request"))
        };
        let reply = send(path.clone()).await;
        let detail = reply.problem(400);
        assert!(
            detail.starts_with("No scopes found for the API '"),
            "{detail}"
        );

        let reply = send(format!("{path}&optionsOverride.Scopes={scope}")).await;
        assert_eq!(reply.problem(500), "An unexpected error occurred.");
        let hint = reply.body["hint"].as_str().expect("a hint");
        assert!(hint.contains("BaseUrl"), "{hint}");
    }
    assert!(world.api.take().is_empty());
    assert_eq!(world.issuer.token_requests(), 0);
}
