//! Nested routers, a preflight and a page.

use axum::{Router, response::Html, routing::get as on_get};
use http::{
    HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, WWW_AUTHENTICATE,
    },
};
use tower_entra::{EntraAuthLayer, RequireLayer, Requirement};
use tower_http::cors::CorsLayer;

use super::{get, send, serve};
use crate::support::{block_on, issuer};

const PAGE: &str = "the page";

fn reports() -> Router {
    Router::new()
        .route("/sales", on_get(async || "sales"))
        .route_layer(RequireLayer::new(Requirement::people()))
}

/// As the guide has it, but for the layer and the fallback.
fn api() -> Router {
    Router::new()
        .route("/orders", on_get(async || "orders"))
        .nest("/reports", reports())
}

fn door() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static("https://app.example"))
        .allow_methods([Method::GET])
        .allow_headers([AUTHORIZATION])
        .expose_headers([WWW_AUTHENTICATE])
}

async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// The recipe.
fn app() -> Router {
    let api = api().fallback(not_found).layer(door());
    Router::new().nest("/api", api).fallback(page).layer(cors())
}

/// Each path with what it gets without a token, with a person's and with an application's.
fn assert_answers(app: Router, table: &[(&str, [(u16, &str); 3])]) {
    let (user, application) = (issuer().user().mint(), issuer().application().mint());
    block_on(async {
        let address = serve(app).await;
        for (path, answers) in table {
            let tokens = [None, Some(user.as_str()), Some(&application)];
            for (token, (status, body)) in tokens.into_iter().zip(answers) {
                let expected = (*status, (*body).to_owned());
                assert_eq!(get(address, path, token).await, expected, "{path}");
            }
        }
    });
}

#[test]
fn nested_routers_are_behind_the_layer_and_the_page_is_not() {
    let page = [(200, PAGE); 3];
    let unknown = [(401, ""), (404, ""), (404, "")];
    assert_answers(
        app(),
        &[
            ("/api/orders", [(401, ""), (200, "orders"), (200, "orders")]),
            ("/api/reports/sales", [(401, ""), (200, "sales"), (403, "")]),
            ("/api/nothing", unknown),
            ("/api/reports/nothing", unknown),
            ("/api/reports", unknown),
            ("/api", unknown),
            // `nest` does not match it.
            ("/api/", page),
            ("/api?x", unknown),
            ("/apis", page),
            ("//api/orders", page),
            ("/", page),
            ("/nothing", page),
        ],
    );
}

#[test]
fn a_preflight_of_any_path_is_answered_without_a_token() {
    block_on(async {
        let address = serve(app()).await;
        let preflight = [
            ("origin", "https://app.example"),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization"),
        ];
        for path in ["/api/orders", "/api/reports/sales", "/api/nothing", "/"] {
            let answer = send(address, Method::OPTIONS, path, &preflight).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            let headers = answer.headers;
            assert_eq!(
                headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example",
                "{path}"
            );
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
            assert!(!headers.contains_key(WWW_AUTHENTICATE), "{path}");
            // The request that follows is refused, and the page may read why.
            let answer = send(address, Method::GET, path, &preflight[..1]).await;
            let headers = answer.headers;
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
            assert_eq!(
                headers.contains_key(WWW_AUTHENTICATE),
                path.starts_with("/api")
            );
        }
    });
}

#[test]
fn the_page_can_be_behind_the_layer_too() {
    let app = Router::new()
        .nest("/api", api().fallback(not_found))
        .fallback(page)
        .layer(door())
        .layer(cors());
    let page = [(401, ""), (200, PAGE), (200, PAGE)];
    let unknown = [(401, ""), (404, ""), (404, "")];
    assert_answers(
        app,
        &[
            ("/api/orders", [(401, ""), (200, "orders"), (200, "orders")]),
            ("/api/nothing", unknown),
            ("/nothing", page),
        ],
    );
}

#[test]
fn without_a_fallback_of_its_own_an_unknown_path_of_the_api_gets_the_page() {
    let app = Router::new()
        .nest("/api", api().layer(door()))
        .fallback(page);
    assert_answers(
        app,
        &[
            ("/api/orders", [(401, ""), (200, "orders"), (200, "orders")]),
            ("/api/nothing", [(200, PAGE); 3]),
        ],
    );
}

#[test]
fn route_layer_leaves_an_unknown_path_404_without_a_token() {
    let app = Router::new().nest("/api", api()).route_layer(door());
    assert_answers(
        app,
        &[
            ("/api/orders", [(401, ""), (200, "orders"), (200, "orders")]),
            ("/api/reports/sales", [(401, ""), (200, "sales"), (403, "")]),
            ("/api/nothing", [(404, ""); 3]),
            ("/nothing", [(404, ""); 3]),
        ],
    );
}

/// Each nested router with a layer of its own, and a requirement on one of them from outside.
#[test]
fn each_nested_router_can_have_its_own_layers() {
    let people = RequireLayer::new(Requirement::people());
    let orders = Router::new().route("/", on_get(async || "orders"));
    let sales = Router::new().route("/", on_get(async || "sales"));
    let app = Router::new()
        .nest("/orders", orders.layer(door()))
        .nest("/sales", sales.layer(people).layer(door()))
        .route("/health", on_get(async || "well"))
        .layer(cors());
    assert_answers(
        app,
        &[
            ("/orders", [(401, ""), (200, "orders"), (200, "orders")]),
            ("/sales", [(401, ""), (200, "sales"), (403, "")]),
            ("/health", [(200, "well"); 3]),
        ],
    );
}
