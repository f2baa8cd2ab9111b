//! Bodies of denials, which the layer outside builds where they were left empty.

use axum::{Router, body::Body, middleware::map_response, response::Response, routing::get};
use http::{
    HeaderMap, HeaderValue, Request,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
    },
};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, Problem, ProblemJson, RefusalBody, RequireLayer,
    Requirement, testing::TokenBuilder,
};

use crate::support::{block_on, issuer};

const PEOPLE: Requirement = Requirement::people();

async fn denies(caller: AgentPrincipal) -> Result<(), Denial> {
    caller.require_scope("Orders.Write")
}

async fn problem(caller: AgentPrincipal) -> Result<(), Problem> {
    Ok(caller.require_scope("Orders.Write")?)
}

/// The response of a handler of its own, or that of the denial.
fn hand_made(of_denial: bool) -> Response {
    if of_denial {
        return Denial::new().response();
    }
    let mut response = Response::new(Body::from("by hand"));
    response.extensions_mut().insert(Denial::new());
    response
}

fn app<B>(auth: EntraAuthLayer<B>) -> Router
where
    B: RefusalBody<Body> + Clone + Send + Sync + 'static,
{
    let hook = |_: &Error, headers: &mut HeaderMap| {
        headers.insert("x-hook", HeaderValue::from_static("inner"));
        Body::empty()
    };
    let people = RequireLayer::new(PEOPLE);
    let typed = |mut response: Response| async {
        *response.body_mut() = Body::from("typed");
        let text = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    };
    Router::new()
        .route("/route", get(|| async { "handled" }).layer(people.clone()))
        .route(
            "/hook",
            get(|| async { "handled" }).layer(people.clone().refusal_body(hook)),
        )
        .route(
            "/typed",
            get(|| async { "handled" })
                .layer(people)
                .layer(map_response(typed)),
        )
        .route("/handler", get(denies))
        .route("/problem", get(problem))
        .route("/own", get(|| async { hand_made(false) }))
        .route("/response", get(|| async { hand_made(true) }))
        .layer(auth)
}

fn auth() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
}

fn send(app: Router, path: &str, token: Option<TokenBuilder>) -> (Response, String) {
    let request = Request::get(path);
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {}", token.mint())),
        None => request,
    };
    block_on(async {
        let response = app
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (Response::from_parts(parts, Body::empty()), text)
    })
}

#[test]
fn the_hook_of_the_layer_outside_builds_the_bodies_of_denials_that_were_left_empty() {
    let agent = || Some(issuer().agent_user());
    for (path, token, status, detail) in [
        (
            "/route",
            agent(),
            403,
            "the caller is not allowed to do this",
        ),
        ("/handler", agent(), 403, "the token lacks a scope"),
        ("/problem", agent(), 403, "the token lacks a scope"),
        (
            "/response",
            agent(),
            403,
            "the caller is not allowed to do this",
        ),
        ("/route", None, 401, "no bearer token was presented"),
        // An extractor that finds no caller.
        ("/handler", None, 401, "no bearer token was presented"),
    ] {
        let auth = auth().optional().refusal_body(ProblemJson);
        let (response, body) = send(app(auth), path, token);
        assert_eq!(response.status(), status, "{path}");
        assert!(
            body.contains(&format!("\"status\":{status},\"detail\":\"{detail}\"")),
            "{body}"
        );
        let headers = response.headers();
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert!(
            headers[WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .starts_with("Bearer realm=")
        );
        // axum counted the empty body before.
        let length = headers
            .get(CONTENT_LENGTH)
            .map(|length| length.to_str().unwrap());
        assert!(
            length.is_none_or(|length| length == body.len().to_string()),
            "{length:?}"
        );
    }
}

#[test]
fn a_body_that_something_inside_has_built_stays() {
    for (path, body) in [("/own", "by hand"), ("/typed", "typed"), ("/hook", "")] {
        let auth = auth().refusal_body(ProblemJson);
        let (response, found) = send(app(auth), path, Some(issuer().agent_user()));
        assert_eq!(response.status(), 403);
        assert_eq!(found, body, "{path}");
    }
    // Without a hook outside, they are empty.
    for path in ["/route", "/handler", "/response"] {
        let (_, found) = send(app(auth()), path, Some(issuer().agent_user()));
        assert_eq!(found, "", "{path}");
    }
}

#[test]
fn a_hook_outside_changes_neither_challenge_nor_status_of_a_denial() {
    let hook = |error: &Error, headers: &mut HeaderMap| {
        for name in [WWW_AUTHENTICATE, CACHE_CONTROL, RETRY_AFTER, SET_COOKIE] {
            headers.insert(name, HeaderValue::from_static("changed"));
        }
        Body::from(error.to_string())
    };
    let (response, body) = send(
        app(auth().refusal_body(hook)),
        "/handler",
        Some(issuer().user()),
    );
    assert_eq!(body, "the caller is not allowed to do this");
    assert_eq!(response.status(), 403);
    let headers = response.headers();
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    assert!(
        headers[WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .ends_with("scope=\"Orders.Write\"")
    );
    assert!(!headers.contains_key(RETRY_AFTER));
    assert_eq!(headers[SET_COOKIE], "changed");
}

#[test]
fn a_denial_is_answered_once_by_the_inner_of_two_layers() {
    let outer = auth().refusal_body(ProblemJson);
    let inner = auth().refusal_body(|_: &Error, _: &mut HeaderMap| Body::from("inner"));
    let (_, body) = send(app(inner).layer(outer), "/handler", Some(issuer().user()));
    assert_eq!(body, "inner");
}
