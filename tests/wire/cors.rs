//! The layer as browsers see it, with tower-http's CORS layer outside.

use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN, WWW_AUTHENTICATE,
    },
};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, Error};
use tower_http::cors::CorsLayer;

use crate::support::{block_on, challenge::Challenge, issuer};

const APP: &str = "https://app.example";

/// As the documentation of the layer has it.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static(APP))
        .allow_methods([Method::GET])
        .allow_headers([AUTHORIZATION])
        .expose_headers([WWW_AUTHENTICATE])
}

/// The service inside: says who is calling, or denies applications.
async fn hello(request: Request<()>) -> Result<Response<String>, Error> {
    let caller = request.extensions().get::<AgentPrincipal>().unwrap();
    let mut response = Response::new(caller.kind().as_str().to_owned());
    if caller.is_app_only() {
        response.extensions_mut().insert(Denial::new());
    }
    Ok(response)
}

/// The answer with CORS outside of the layer, as it should be.
fn send(request: Request<()>) -> Response<String> {
    let service = ServiceBuilder::new()
        .layer(cors())
        .layer(EntraAuthLayer::new(issuer().validator()))
        .service(service_fn(hello));
    block_on(service.oneshot(request)).unwrap()
}

fn preflight() -> Request<()> {
    Request::builder()
        .method(Method::OPTIONS)
        .header(ORIGIN, APP)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization")
        .body(())
        .unwrap()
}

fn from_the_app(token: Option<&str>) -> Request<()> {
    let mut request = Request::builder().header(ORIGIN, APP);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(()).unwrap()
}

#[track_caller]
fn assert_one(response: &Response<String>, name: HeaderName, value: &str) {
    let values: Vec<_> = response.headers().get_all(name).iter().collect();
    assert_eq!(values, [value]);
}

#[test]
fn a_preflight_passes_without_a_token() {
    let response = send(preflight());
    assert_eq!(response.status(), StatusCode::OK);
    assert_one(&response, ACCESS_CONTROL_ALLOW_ORIGIN, APP);
    assert_one(&response, ACCESS_CONTROL_ALLOW_METHODS, "GET");
    assert_one(&response, ACCESS_CONTROL_ALLOW_HEADERS, "authorization");
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
}

#[test]
fn a_browser_can_read_the_challenge_of_a_refusal() {
    let expired = issuer().user().expired().mint();
    let poor = issuer().application().without_claim("roles").mint();
    let denied = issuer().application().mint();
    for (token, status, error) in [
        (None, StatusCode::UNAUTHORIZED, None),
        (
            Some("x y"),
            StatusCode::BAD_REQUEST,
            Some("invalid_request"),
        ),
        (
            Some(expired.as_str()),
            StatusCode::UNAUTHORIZED,
            Some("invalid_token"),
        ),
        (
            Some(&poor),
            StatusCode::FORBIDDEN,
            Some("insufficient_scope"),
        ),
        (
            Some(&denied),
            StatusCode::FORBIDDEN,
            Some("insufficient_scope"),
        ),
    ] {
        let response = send(from_the_app(token));
        assert_eq!(response.status(), status);
        assert_one(&response, ACCESS_CONTROL_ALLOW_ORIGIN, APP);
        assert_one(&response, ACCESS_CONTROL_EXPOSE_HEADERS, "www-authenticate");
        let challenge = &response.headers()[WWW_AUTHENTICATE];
        let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
        assert_eq!(challenge.get("error"), error);
    }
}

#[test]
fn an_admitted_request_is_answered_to_the_browser_too() {
    let response = send(from_the_app(Some(&issuer().user().mint())));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body(), "user");
    assert_one(&response, ACCESS_CONTROL_ALLOW_ORIGIN, APP);
}

/// Why the order matters.
#[test]
fn with_cors_inside_a_preflight_is_refused() {
    let service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(issuer().validator()))
        .layer(cors())
        .service(service_fn(hello));
    let response = block_on(service.oneshot(preflight())).unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
}
