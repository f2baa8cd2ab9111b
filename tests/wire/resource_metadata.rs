//! The metadata document of a protected resource (RFC 9728).

use axum::{Router, body::Body, routing::get};
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
        WWW_AUTHENTICATE,
    },
};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Bytes, server::conn::http1};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_entra::{Authority, EntraAuthLayer, ProtectedResourceMetadata, Tenants, Validator};

use crate::support::{OTHER_TENANT, block_on, challenge::Challenge, issuer, logged};

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const AUDIENCE: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const APP_ID_URI: &str = "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const PATH_URI: &str = "api://contoso.example/:orders";

fn validator_of(tenants: Tenants, authority: Authority) -> Validator {
    let builder = Validator::builder(tenants, [AUDIENCE, APP_ID_URI, PATH_URI]);
    builder.authority(authority).build().unwrap()
}

fn validator() -> Validator {
    validator_of(Tenants::single(TENANT), Authority::public())
}

#[track_caller]
fn metadata(resource: &str) -> ProtectedResourceMetadata {
    ProtectedResourceMetadata::new(resource, &validator()).unwrap()
}

fn document(metadata: &ProtectedResourceMetadata) -> Value {
    serde_json::from_str(&metadata.to_json()).unwrap()
}

#[test]
fn the_document_has_what_is_known_and_nothing_empty() {
    let metadata = metadata("https://api.example/orders");
    assert_eq!(
        metadata.to_json(),
        format!(
            r#"{{"resource":"https://api.example/orders","authorization_servers":["https://login.microsoftonline.com/{TENANT}/v2.0"],"bearer_methods_supported":["header"]}}"#
        )
    );
    let metadata = metadata
        .with_scopes(["https://api.example/orders/Orders.Read", "b"])
        .unwrap()
        .with_resource_name("Orders \"für alle\"")
        .unwrap()
        .with_resource_documentation("https://api.example/docs#orders")
        .unwrap();
    assert_eq!(
        document(&metadata),
        json!({
            "resource": "https://api.example/orders",
            "authorization_servers": [format!("https://login.microsoftonline.com/{TENANT}/v2.0")],
            "scopes_supported": ["https://api.example/orders/Orders.Read", "b"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Orders \"für alle\"",
            "resource_documentation": "https://api.example/docs#orders",
        })
    );
    let own = serde_json::to_value(&metadata).unwrap();
    assert_eq!(own, document(&metadata));
    let empty: [&str; 0] = [];
    let without = metadata.with_scopes(empty).unwrap();
    assert_eq!(document(&without).get("scopes_supported"), None);
}

#[test]
fn the_authorization_servers_are_those_whose_tokens_are_accepted() {
    let servers = |tenants, authority| {
        let validator = validator_of(tenants, authority);
        let metadata = ProtectedResourceMetadata::new(AUDIENCE, &validator).unwrap();
        document(&metadata)["authorization_servers"].clone()
    };
    let entra = "https://login.microsoftonline.com";
    for (tenants, authority, expected) in [
        (
            Tenants::list([OTHER_TENANT, TENANT, OTHER_TENANT]),
            Authority::public(),
            vec![
                format!("{entra}/{TENANT}/v2.0"),
                format!("{entra}/{OTHER_TENANT}/v2.0"),
            ],
        ),
        (
            Tenants::any_organization(),
            Authority::public(),
            vec![format!("{entra}/organizations/v2.0")],
        ),
        (
            Tenants::any(),
            Authority::public(),
            vec![format!("{entra}/common/v2.0")],
        ),
        (
            Tenants::single(TENANT.to_uppercase()),
            Authority::us_government(),
            vec![format!("https://login.microsoftonline.us/{TENANT}/v2.0")],
        ),
        (
            Tenants::single(TENANT),
            Authority::custom("https://{tid}.ciamlogin.com"),
            vec![format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0")],
        ),
        (
            Tenants::single(TENANT),
            Authority::insecure_loopback("http://127.0.0.1:4000/"),
            vec![format!("http://127.0.0.1:4000/{TENANT}/v2.0")],
        ),
    ] {
        assert_eq!(servers(tenants, authority), json!(expected));
    }
}

#[test]
fn other_authorization_servers_can_be_named_in_their_place() {
    let servers = |issuers: &[&str]| {
        let metadata = metadata(AUDIENCE);
        let metadata = metadata.with_authorization_servers(issuers.iter().copied());
        metadata.map(|metadata| document(&metadata)["authorization_servers"].clone())
    };
    let good = ["https://login.example/a", "http://127.0.0.1:4000"];
    assert_eq!(servers(&good), Ok(json!(good)));
    for bad in [
        "",
        "login.example",
        "http://login.example",
        "https://login.example/?a=b",
        "https://login.example/#a",
        "https://login.example/a b",
    ] {
        let error = servers(&["https://login.example", bad]).unwrap_err();
        let text = format!("authorization_servers: {bad:?} is not an https URL without a query");
        assert_eq!(error.to_string(), text);
    }
    let error = servers(&["https://user:password@login.example"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "authorization_servers: the URL must not have a user or a password"
    );
    let error = servers(&[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "authorization_servers: the list is empty"
    );
}

#[test]
fn a_resource_is_a_secure_url_or_an_audience() {
    for good in [
        "https://api.example",
        "https://api.example/",
        "https://api.example:8443/orders?a=b",
        "http://127.0.0.1:8080/mcp",
        "http://[::1]:8080",
        "http://localhost:8080/mcp",
        AUDIENCE,
        APP_ID_URI,
    ] {
        assert_eq!(metadata(good).resource(), good);
        assert_eq!(document(&metadata(good))["resource"], good);
    }
    for bad in [
        "",
        "api.example",
        "/orders",
        "http://api.example",
        "http://localhost.api.example",
        "ftp://api.example",
        "https://",
        "https:///orders",
        "https://api.example/#orders",
        "https://api.example/a b",
        "https://api.example/\u{e9}",
        "https://api.example/{id}",
        "https://api.example/\"",
        "api://another",
        "3AA6C2F7-1E0F-4CAA-A55A-7C08F5F87A1A",
    ] {
        let error = ProtectedResourceMetadata::new(bad, &validator()).unwrap_err();
        let shown = bad.escape_default();
        let text =
            format!("resource: \"{shown}\" is neither an https URL nor one of the audiences");
        assert_eq!(error.to_string(), text);
    }
    let with_password = "https://user:password@api.example";
    let error = ProtectedResourceMetadata::new(with_password, &validator()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "resource: the URL must not have a user or a password"
    );
}

#[test]
fn a_resource_that_is_no_audience_is_logged_once_with_both() {
    let log_of = |audiences: &[&str], resource: &str| {
        let validator = Validator::builder(Tenants::single(TENANT), audiences.iter().copied());
        let validator = validator.build().unwrap();
        let (metadata, log) = logged(|| ProtectedResourceMetadata::new(resource, &validator));
        let (_, later) = logged(|| metadata.unwrap().well_known_url());
        assert_eq!(later, "");
        log
    };
    let resource = "https://api.example/mcp";
    let warned = log_of(&[AUDIENCE, APP_ID_URI], resource);
    for text in [
        "WARN tower_entra:",
        "none of the configured audiences",
        resource,
        AUDIENCE,
        APP_ID_URI,
        "AADSTS9010010",
        "identifier URI",
    ] {
        assert!(warned.contains(text), "{text:?} is not in: {warned}");
    }
    assert_eq!(warned.lines().count(), 1, "{warned}");
    // Tokens of version 2.0 are for the client id, whatever the resource is.
    let noted = log_of(&[AUDIENCE], resource);
    assert!(noted.contains("INFO") && !noted.contains("WARN"), "{noted}");
    assert!(noted.contains("AADSTS9010010"), "{noted}");
    assert_eq!(log_of(&[AUDIENCE, resource], resource), "");
    assert_eq!(log_of(&[AUDIENCE], AUDIENCE), "");
}

#[test]
fn what_would_make_a_wrong_document_is_refused() {
    let good = || metadata(AUDIENCE);
    for scope in ["", "a b", "\"", "\\", "é"] {
        let error = good().with_scopes(["a", scope]).unwrap_err();
        assert_eq!(error.setting(), "scopes", "{scope}");
    }
    for name in ["", "  ", "a\nb", "\u{7f}"] {
        let error = good().with_resource_name(name).unwrap_err();
        assert_eq!(error.setting(), "resource_name", "{name:?}");
    }
    for url in [
        "",
        "docs",
        "javascript:alert(1)",
        "https://",
        "https://a/\"",
        "https://a/ b",
    ] {
        let error = good().with_resource_documentation(url).unwrap_err();
        assert_eq!(error.setting(), "resource_documentation", "{url}");
    }
}

/// RFC 9728, section 3.1.
#[test]
pub(super) fn the_well_known_path_comes_between_host_and_path() {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

    for (resource, host, url_tail, path_tail) in [
        ("https://api.example", "https://api.example", "", ""),
        ("https://api.example/", "https://api.example", "", ""),
        (
            "https://api.example/mcp",
            "https://api.example",
            "/mcp",
            "/mcp",
        ),
        (
            "https://api.example/mcp/",
            "https://api.example",
            "/mcp/",
            "/mcp/",
        ),
        (
            "https://api.example:8443/a/b",
            "https://api.example:8443",
            "/a/b",
            "/a/b",
        ),
        (
            "https://api.example/a?k=/v",
            "https://api.example",
            "/a?k=/v",
            "/a",
        ),
        (
            "https://api.example/?k=v",
            "https://api.example",
            "?k=v",
            "",
        ),
        ("https://api.example?k=v", "https://api.example", "?k=v", ""),
        ("http://[::1]:8080/mcp", "http://[::1]:8080", "/mcp", "/mcp"),
        ("http://localhost/mcp", "http://localhost", "/mcp", "/mcp"),
        (
            "https://api.example/@a/mcp",
            "https://api.example",
            "/@a/mcp",
            "/@a/mcp",
        ),
    ] {
        let metadata = metadata(resource);
        let url = metadata.well_known_url().unwrap();
        assert_eq!(url, format!("{host}{WELL_KNOWN}{url_tail}"));
        assert_eq!(
            metadata.well_known_path(),
            format!("{WELL_KNOWN}{path_tail}")
        );
        // It can stand in a challenge as it is.
        let layer = EntraAuthLayer::new(validator());
        assert!(layer.with_resource_metadata(url).is_ok());
    }
    for resource in [AUDIENCE, APP_ID_URI, PATH_URI] {
        let error = metadata(resource).well_known_url().unwrap_err();
        let text = format!("resource: {resource:?} is no URL, so its document has no location");
        assert_eq!(error.to_string(), text);
        assert_eq!(metadata(resource).well_known_path(), WELL_KNOWN);
    }
}

async fn answer(method: Method) -> Response<String> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    let service = metadata("https://api.example/orders").service::<String>();
    service.oneshot(request).await.unwrap()
}

#[test]
fn the_document_needs_no_token_and_may_be_cached_for_an_hour() {
    block_on(async {
        let got = answer(Method::GET).await;
        assert_eq!(got.status(), StatusCode::OK);
        assert_eq!(got.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(got.headers()[CACHE_CONTROL], "public, max-age=3600");
        assert_eq!(got.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let document = metadata("https://api.example/orders").to_json();
        assert_eq!(got.body(), &document);

        let head = answer(Method::HEAD).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers(), got.headers());
        assert_eq!(head.headers()[CONTENT_LENGTH], document.len().to_string());
        assert_eq!(head.body(), "");
    });
}

#[test]
fn other_methods_are_not_allowed() {
    block_on(async {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "BREW"] {
            let refused = answer(method.parse().unwrap()).await;
            assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(refused.headers()[ALLOW], "GET, HEAD, OPTIONS");
            assert_eq!(refused.body(), "");
        }
    });
}

#[test]
fn a_browser_may_ask_before_it_gets_the_document() {
    block_on(async {
        let allowed = answer(Method::OPTIONS).await;
        assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
        let headers = allowed.headers();
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "*");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET, HEAD, OPTIONS");
        assert_eq!(headers[ALLOW], "GET, HEAD, OPTIONS");
        assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "3600");
    });
}

/// One request over a connection of its own.
async fn fetch(method: Method, url: &str) -> (StatusCode, HeaderMap, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::builder().method(method).uri(url);
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    let (head, body) = response.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, body)
}

#[test]
fn a_client_finds_the_document_by_the_challenge_and_needs_no_token_for_it() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let resource = format!("{host}/orders");
        let validator = issuer().validator();
        let metadata = ProtectedResourceMetadata::new(&resource, &validator).unwrap();
        let layer = EntraAuthLayer::new(validator)
            .with_resource_metadata(metadata.well_known_url().unwrap())
            .unwrap();
        let app = Router::new()
            .route("/orders", get(|| async { "orders" }).layer(layer))
            .route_service(&metadata.well_known_path(), metadata.service::<Body>());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

        let (status, headers, _) = fetch(Method::GET, &resource).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let challenge = Challenge::parse(headers[WWW_AUTHENTICATE].as_bytes()).unwrap();
        let url = challenge.get("resource_metadata").unwrap();
        assert_eq!(
            url,
            format!("{host}/.well-known/oauth-protected-resource/orders")
        );

        let (status, headers, body) = fetch(Method::GET, url).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(headers[CONTENT_LENGTH], body.len().to_string());
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["resource"], resource);
        assert_eq!(
            document["authorization_servers"],
            json!([issuer().v2_issuer()])
        );

        let (status, head, nothing) = fetch(Method::HEAD, url).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(head[CONTENT_LENGTH], headers[CONTENT_LENGTH]);
        assert!(nothing.is_empty());
        let (status, headers, _) = fetch(Method::POST, url).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(headers.get_all(ALLOW).iter().count(), 1);
    });
}

/// A client that reads the document asks Entra for the resource, and gets a token for the API's client
/// id or for one of its identifier URIs.
#[test]
fn the_audience_of_a_token_is_compared_with_the_audiences_and_not_with_the_resource() {
    let resource = "https://api.example/mcp";
    let validator = issuer().validator();
    let metadata = ProtectedResourceMetadata::new(resource, &validator).unwrap();
    let layer = EntraAuthLayer::new(validator)
        .with_resource_metadata(metadata.well_known_url().unwrap())
        .unwrap();
    let service = tower::service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let service = tower::Layer::layer(&layer, service);
    let own = issuer().user();
    block_on(async {
        for (token, status) in [(own.clone(), 200), (own.audience(resource), 401)] {
            let token = format!("Bearer {}", token.mint());
            let request = Request::get(resource).header(AUTHORIZATION, token);
            let response = service.clone().oneshot(request.body(()).unwrap()).await;
            assert_eq!(response.unwrap().status(), status);
        }
    });
}

#[test]
fn hyper_serves_the_document_by_itself() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/anything", listener.local_addr().unwrap());
        let service = metadata(APP_ID_URI).service::<Full<Bytes>>();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let (status, headers, body) = fetch(Method::GET, &url).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers.get_all(CONTENT_LENGTH).iter().count(), 1);
        assert_eq!(body, metadata(APP_ID_URI).to_json());
        let (status, head, nothing) = fetch(Method::HEAD, &url).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(head[CONTENT_LENGTH], headers[CONTENT_LENGTH]);
        assert!(nothing.is_empty());
    });
}

#[test]
fn behind_the_layer_the_document_would_be_out_of_reach() {
    block_on(async {
        let layer = EntraAuthLayer::new(issuer().validator());
        let service = metadata(AUDIENCE).service::<String>();
        let service = tower::Layer::layer(&layer, service);
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn a_cors_layer_outside_has_the_last_word() {
    block_on(async {
        let cors = tower_http::cors::CorsLayer::new()
            .allow_origin(http::HeaderValue::from_static("https://app.example"));
        let service = metadata(AUDIENCE).service::<String>();
        let service = tower::Layer::layer(&cors, service);
        let request = Request::builder()
            .header("Origin", "https://app.example")
            .body(())
            .unwrap();
        let response = service.oneshot(request).await.unwrap();
        let origins = response.headers().get_all(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(origins.iter().collect::<Vec<_>>(), ["https://app.example"]);
    });
}

#[test]
fn the_service_is_cheap_to_clone_and_goes_anywhere() {
    fn goes_anywhere<T: Clone + Send + Sync + 'static>(_: &T) {}

    // Its body need be none of these.
    struct Cell(#[expect(dead_code)] std::rc::Rc<String>);

    impl From<String> for Cell {
        fn from(text: String) -> Self {
            Self(std::rc::Rc::new(text))
        }
    }

    let service = metadata(AUDIENCE).service::<Cell>();
    goes_anywhere(&service);
    assert!(format!("{service:?}").contains(AUDIENCE));
}
