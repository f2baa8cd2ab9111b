//! A requirement for each route, and no route without one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    routing::{any, get, post},
};
use http::{Method, Request, Response, StatusCode, header::WWW_AUTHENTICATE};
use tower::{ServiceExt, service_fn};
use tower_entra::{
    Denial, DenialReason, EntraAuthLayer, ProblemJson, RequireRoutesLayer, Requirement,
    testing::TokenBuilder,
};

use crate::support::{audited, block_on, issuer, logged};

const READ: Requirement = Requirement::static_scope("Orders.Read");
const WRITE: Requirement = Requirement::static_scope("Orders.Write");

fn routes() -> RequireRoutesLayer {
    RequireRoutesLayer::new(|request| {
        let path = request.extensions.get::<MatchedPath>();
        path.map(MatchedPath::as_str)
    })
}

fn stated() -> RequireRoutesLayer {
    routes()
        .require("/orders", WRITE)
        .and_then(|routes| routes.require_method(Method::GET, "/orders", READ))
        .and_then(|routes| routes.require_method(Method::PUT, "/orders", Requirement::people()))
        .and_then(|routes| routes.require_method(Method::POST, "/orders/{id}", READ))
        .and_then(|routes| routes.require("/reports/sales", Requirement::people()))
        .and_then(|routes| routes.any_caller("/whoami"))
        .and_then(|routes| routes.open("/healthz"))
        .unwrap()
}

/// Counts how often a handler has run.
fn app(auth: EntraAuthLayer, calls: &Arc<AtomicUsize>) -> Router {
    let handler = || {
        let calls = Arc::clone(calls);
        move || async move {
            calls.fetch_add(1, Ordering::SeqCst);
            "handled"
        }
    };
    let reports = Router::new()
        .route("/sales", get(handler()))
        .route("/forgotten", get(handler()));
    Router::new()
        .route("/orders", any(handler()))
        .route("/orders/{id}", post(handler()).get(handler()))
        .route("/whoami", get(handler()))
        .route("/healthz", get(handler()))
        .route("/forgotten", get(handler()))
        .route("/orders/forgotten", any(handler()))
        .nest("/reports", reports)
        .route_layer(stated())
        .route_layer(auth)
}

fn auth() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
}

fn request(method: &str, path: &str, token: Option<TokenBuilder>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {}", token.mint())),
        None => request,
    };
    request.body(Body::empty()).unwrap()
}

/// The answer, and whether a handler has run.
fn answer(auth: EntraAuthLayer, request: Request<Body>) -> (Response<Body>, bool) {
    let calls = Arc::default();
    let response = block_on(app(auth, &calls).oneshot(request)).unwrap();
    (response, calls.load(Ordering::SeqCst) > 0)
}

#[test]
fn a_route_for_which_nothing_is_stated_is_closed_and_its_handler_does_not_run() {
    let user = || {
        Some(
            issuer()
                .user()
                .scope("Orders.Read Orders.Write")
                .roles(["Admin"]),
        )
    };
    for (method, path) in [
        ("GET", "/forgotten"),
        ("HEAD", "/forgotten"),
        ("GET", "/reports/forgotten"),
        // The router prefers it to `/orders/{id}`, for which something is stated.
        ("POST", "/orders/forgotten"),
        // Nothing is stated for this method.
        ("GET", "/orders/7"),
        ("DELETE", "/orders/7"),
    ] {
        let (response, was_called) = answer(auth(), request(method, path, user()));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
        assert!(!was_called, "{method} {path}");
        let denial = response.extensions().get::<Denial>().unwrap();
        assert_eq!(denial.reason(), DenialReason::UnstatedRoute);
        assert!(denial.hint().is_some());
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(
            challenge.ends_with(", error=\"insufficient_scope\""),
            "{challenge}"
        );
    }
}

#[test]
fn a_route_has_what_is_stated_for_it() {
    let read = || issuer().user();
    let write = || issuer().user().scope("Orders.Write");
    let app = || issuer().application();
    for (method, path, token, admitted) in [
        ("GET", "/orders", read(), true),
        ("HEAD", "/orders", read(), true),
        ("GET", "/orders", write(), false),
        ("POST", "/orders", read(), false),
        ("POST", "/orders", write(), true),
        ("PUT", "/orders", read(), true),
        ("PUT", "/orders", app(), false),
        ("PROPFIND", "/orders", write(), true),
        ("POST", "/orders/7", read(), true),
        ("POST", "/orders/7", write(), false),
        ("GET", "/reports/sales", read(), true),
        ("GET", "/reports/sales", app(), false),
        ("GET", "/whoami", app(), true),
        ("GET", "/healthz", app(), true),
    ] {
        let (response, was_called) = answer(auth(), request(method, path, Some(token)));
        assert_eq!(was_called, admitted, "{method} {path}");
        let expected = if admitted { 200 } else { 403 };
        assert_eq!(response.status(), expected, "{method} {path}");
    }
}

#[test]
fn a_request_without_a_token_gets_as_far_as_an_open_route() {
    for (path, status) in [
        ("/healthz", 200),
        ("/whoami", 401),
        ("/orders", 401),
        ("/forgotten", 401),
        // `route_layer` does not cover it.
        ("/nowhere", 404),
    ] {
        let ((response, was_called), log) =
            logged(|| answer(auth().optional(), request("GET", path, None)));
        assert_eq!(response.status(), status, "{path}");
        assert!(!log.contains("ERROR"), "{path}: {log}");
        assert_eq!(was_called, status == 200, "{path}");
        let (response, was_called) = answer(auth(), request("GET", path, None));
        assert_eq!(
            response.status(),
            if status == 404 { 404 } else { 401 },
            "{path}"
        );
        assert!(!was_called);
    }
}

#[test]
fn the_log_names_a_route_that_was_forgotten_and_the_audit_log_its_caller() {
    let forgotten = || request("GET", "/forgotten", Some(issuer().user()));
    let (_, log) = logged(|| answer(auth(), forgotten()));
    assert!(
        log.contains("ERROR tower_entra: no requirement is stated for the route"),
        "{log}"
    );
    assert!(log.contains("route=\"/forgotten\""), "{log}");
    let (_, events) = audited(|| answer(auth(), forgotten()));
    let refused = events.last().unwrap().to_string();
    assert!(
        refused.contains("no requirement is stated for the route"),
        "{refused}"
    );
    // A client chooses the method.
    let (_, log) = logged(|| {
        answer(
            auth(),
            request("DELETE", "/orders/7", Some(issuer().user())),
        )
    });
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_layer_with_nothing_stated_and_one_that_is_not_behind_another_refuse_everything() {
    let handler = || get(|| async { "handled" });
    let status = |app: Router, token| {
        let request = request("GET", "/orders", token);
        block_on(app.oneshot(request)).unwrap().status()
    };
    let router = || Router::new().route("/orders", handler());
    let empty = router().route_layer(routes()).route_layer(auth());
    assert_eq!(status(empty, Some(issuer().user())), 403);
    let unnamed = RequireRoutesLayer::new(|_| None)
        .require("/orders", READ)
        .unwrap();
    let unnamed = router().route_layer(unnamed).route_layer(auth());
    assert_eq!(status(unnamed, Some(issuer().user())), 403);
    let alone = || router().route_layer(stated());
    assert_eq!(status(alone(), Some(issuer().user())), 500);
    let (_, log) = logged(|| status(alone(), None));
    assert!(
        log.contains("ERROR tower_entra: no EntraAuthLayer"),
        "{log}"
    );
}

#[test]
fn a_path_is_compared_exactly() {
    let layer = (
        auth(),
        RequireRoutesLayer::by_path()
            .require("/orders.Orders/List", READ)
            .unwrap(),
    );
    let service = tower::Layer::layer(
        &layer,
        service_fn(|_: Request<Body>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        }),
    );
    for (path, status) in [
        ("/orders.Orders/List", 200),
        ("/orders.Orders/List?a=b", 200),
        ("/orders.Orders/List/", 403),
        ("/orders.Orders/list", 403),
        ("/orders.Orders/%4cist", 403),
        ("//orders.Orders/List", 403),
        ("/", 403),
    ] {
        let request = request("POST", path, Some(issuer().user()));
        let response = block_on(service.clone().oneshot(request)).unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    // What a client chose is escaped, and cut.
    let path = format!("/{}", "a".repeat(40).replace('a', "ab~"));
    let (_, log) = logged(|| {
        let request = request("POST", &path, Some(issuer().user()));
        block_on(service.oneshot(request)).unwrap()
    });
    assert!(
        log.contains("route=\"/ab~ab~") && log.len() < 4_000,
        "{log}"
    );
}

#[test]
fn a_route_is_stated_once() {
    for (routes, text) in [
        (
            stated().require("/orders", READ),
            "routes: \"/orders\" is stated twice",
        ),
        (
            stated().open("/orders"),
            "routes: \"/orders\" is stated twice",
        ),
        (
            stated().any_caller("/healthz"),
            "routes: \"/healthz\" is stated twice",
        ),
        (
            stated().require_method(Method::GET, "/orders", READ),
            "routes: GET of \"/orders\" is stated twice",
        ),
        (stated().open(""), "routes: a route is empty"),
    ] {
        assert_eq!(routes.unwrap_err().to_string(), text);
    }
}

#[test]
fn a_refusal_has_the_body_of_the_hook() {
    let layers = (auth(), routes().refusal_body(ProblemJson));
    let app = Router::new()
        .route("/orders", get(|| async { "handled" }))
        .route_layer(layers.1)
        .route_layer(layers.0);
    let response = block_on(app.oneshot(request("GET", "/orders", Some(issuer().user())))).unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
}
