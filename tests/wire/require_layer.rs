//! Requirements on routes, and the answers to clients.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::State,
    routing::{get, post},
};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, DenialReason, EntraAuthLayer, Error, ErrorKind, PrincipalKind, Problem,
    ProblemJson, RefusalBody, RequireLayer, Requirement, testing::TokenBuilder,
};

use crate::support::{block_on, caller_of, issuer};

fn auth() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
        .with_realm("api")
        .unwrap()
        .with_resource_metadata("https://api.example/prm")
        .unwrap()
        .with_scopes(["Orders.Read"])
        .unwrap()
}

fn people() -> RequireLayer {
    RequireLayer::new(Requirement::people())
}

fn scope(scope: &str) -> RequireLayer {
    RequireLayer::new(Requirement::scope(scope).unwrap())
}

fn anonymous<B: Default>(path: &str) -> Request<B> {
    Request::builder().uri(path).body(B::default()).unwrap()
}

fn bearer<B: Default>(path: &str, token: TokenBuilder) -> Request<B> {
    let mut request = anonymous(path);
    let value = format!("Bearer {}", token.mint());
    request
        .headers_mut()
        .insert(AUTHORIZATION, HeaderValue::try_from(value).unwrap());
    request
}

/// The answer of `layer` around a service that must not be called.
fn refused<L>(layer: &L, request: Request<()>) -> Response<String>
where
    L: Layer<Untouched>,
    L::Service: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    let service = layer.layer(Untouched);
    block_on(service.oneshot(request)).unwrap()
}

/// A service that must not be called.
#[derive(Clone)]
struct Untouched;

impl Service<Request<()>> for Untouched {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("the service inside was called")
    }
}

#[track_caller]
fn is<B>(response: &Response<B>, status: StatusCode, challenge: Option<&str>) {
    assert_eq!(response.status(), status);
    let challenges = response.headers().get_all(WWW_AUTHENTICATE);
    assert_eq!(
        challenges.iter().collect::<Vec<_>>(),
        challenge.into_iter().collect::<Vec<_>>()
    );
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
}

const BEGIN: &str = "Bearer realm=\"api\", resource_metadata=\"https://api.example/prm\"";

#[test]
fn a_caller_that_satisfies_the_requirement_reaches_the_service() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let service = ServiceBuilder::new()
        .layer(auth())
        .layer(people())
        .service(service_fn(move |request: Request<()>| {
            counter.fetch_add(1, Ordering::SeqCst);
            let caller = request.extensions().get::<AgentPrincipal>().unwrap();
            let answer = Response::new(caller.kind().to_string());
            async move { Ok::<_, Infallible>(answer) }
        }));
    let response = block_on(service.oneshot(bearer("/", issuer().user()))).unwrap();
    assert_eq!(
        (response.status(), response.body().as_str()),
        (StatusCode::OK, "user")
    );
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
}

#[test]
fn a_refusal_on_a_route_is_completed_by_the_layer_outside() {
    let step_up = RequireLayer::new(Requirement::authentication_context("c1").unwrap());
    let acr = RequireLayer::new(Requirement::acr_value("c1").unwrap());
    let scopes = Requirement::scope("Orders.Read")
        .unwrap()
        .and(Requirement::scope("Orders.Write").unwrap());
    for (require, token, status, challenge) in [
        (
            people(),
            issuer().agent_user(),
            StatusCode::FORBIDDEN,
            format!("{BEGIN}, error=\"insufficient_scope\""),
        ),
        (
            RequireLayer::new(scopes.unwrap()),
            issuer().user(),
            StatusCode::FORBIDDEN,
            format!("{BEGIN}, error=\"insufficient_scope\", scope=\"Orders.Read Orders.Write\""),
        ),
        (
            step_up.clone(),
            issuer().user().claim("xms_cc", ["CP1"]),
            StatusCode::UNAUTHORIZED,
            format!(
                "Bearer realm=\"\", authorization_uri=\"{}/{}/oauth2/v2.0/authorize\", \
                 error=\"insufficient_claims\", \
                 claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19\"",
                issuer().url(),
                issuer().tenant_id(),
            ),
        ),
        (
            step_up,
            issuer().user(),
            StatusCode::FORBIDDEN,
            format!("{BEGIN}, error=\"insufficient_scope\""),
        ),
        (
            acr,
            issuer().user(),
            StatusCode::UNAUTHORIZED,
            format!(
                "{BEGIN}, error=\"insufficient_user_authentication\", \
                 error_description=\"a stronger sign-in is needed\", acr_values=\"c1\""
            ),
        ),
    ] {
        let response = refused(&(auth(), require), bearer("/", token));
        is(&response, status, Some(&challenge));
        assert_eq!(response.body(), "");
        let error = response.extensions().get::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
}

#[test]
fn layers_further_out_read_the_denial_and_change_nothing() {
    let outer = EntraAuthLayer::new(issuer().validator())
        .with_realm("outer")
        .unwrap();
    let layers = (outer, auth(), people());
    let response = refused(&layers, bearer("/", issuer().agent_user()));
    let challenge = format!("{BEGIN}, error=\"insufficient_scope\"");
    is(&response, StatusCode::FORBIDDEN, Some(&challenge));
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!(denial.reason(), DenialReason::Agent);
}

#[test]
fn without_a_layer_to_complete_it_a_refusal_is_a_challenge_all_the_same() {
    let mut request = Request::new(());
    let caller = caller_of(issuer().user().claim("xms_cc", ["cp1"]));
    request.extensions_mut().insert(caller);
    for (require, status, challenge) in [
        (
            scope("Orders.Write"),
            StatusCode::FORBIDDEN,
            "Bearer error=\"insufficient_scope\", scope=\"Orders.Write\"",
        ),
        (
            RequireLayer::new(Requirement::agents()),
            StatusCode::FORBIDDEN,
            "Bearer error=\"insufficient_scope\"",
        ),
        (
            RequireLayer::new(Requirement::authentication_context("c1").unwrap()),
            StatusCode::UNAUTHORIZED,
            "Bearer realm=\"\", error=\"insufficient_claims\", \
             claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19\"",
        ),
    ] {
        is(&refused(&require, request.clone()), status, Some(challenge));
    }
}

/// What is logged while `run` runs.
fn logged(run: impl FnOnce()) -> String {
    crate::support::logged(run).1
}

#[test]
fn a_forgotten_authentication_layer_is_a_mistake_of_the_server_and_no_open_door() {
    let mut response = None;
    let log = logged(|| response = Some(refused(&people(), bearer("/", issuer().user()))));
    let response = response.unwrap();
    is(&response, StatusCode::INTERNAL_SERVER_ERROR, None);
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!(denial.reason(), DenialReason::MissingLayer);
    assert!(
        log.contains(
            "ERROR tower_entra: no EntraAuthLayer has looked at the request: put \
                      RequireLayer inside of one"
        ),
        "{log}"
    );
    assert!(log.contains("requirement=\"people\""), "{log}");

    // The wrong way round.
    let response = refused(&(people(), auth()), bearer("/", issuer().user()));
    is(&response, StatusCode::INTERNAL_SERVER_ERROR, None);
    let response = refused(&(people(), auth().optional()), Request::new(()));
    is(&response, StatusCode::INTERNAL_SERVER_ERROR, None);
}

#[test]
fn an_authentication_layer_around_a_mistake_leaves_it_one() {
    // Something in between takes away what the layer has found out.
    let forgetful = tower::util::MapRequestLayer::new(|mut request: Request<()>| {
        request.extensions_mut().clear();
        request
    });
    let response = refused(&(auth(), forgetful, people()), bearer("/", issuer().user()));
    is(&response, StatusCode::INTERNAL_SERVER_ERROR, None);
    assert!(response.extensions().get::<Error>().is_none());

    // Nor does a hook make a challenge of it.
    let hook = |_: &Error, headers: &mut HeaderMap| {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        String::new()
    };
    let response = refused(&people().refusal_body(hook), Request::new(()));
    is(&response, StatusCode::INTERNAL_SERVER_ERROR, None);
    assert!(!response.headers().contains_key(RETRY_AFTER));
}

#[test]
fn an_anonymous_request_is_challenged_where_a_route_of_an_optional_layer_needs_a_caller() {
    let challenge = format!("{BEGIN}, scope=\"Orders.Read\"");
    let layers = (auth().optional(), people());
    for request in [
        Request::new(()),
        Request::builder()
            .header(AUTHORIZATION, "Basic YTpi")
            .body(())
            .unwrap(),
    ] {
        let response = refused(&layers, request);
        is(&response, StatusCode::UNAUTHORIZED, Some(&challenge));
        let extensions = response.extensions();
        assert_eq!(
            extensions.get::<Error>().unwrap().kind(),
            ErrorKind::MissingToken
        );
        let denial = extensions.get::<Denial>().unwrap();
        assert_eq!(denial.reason(), DenialReason::Anonymous);
    }
    // The same answer as that of a layer that is not optional.
    is(
        &refused(&auth(), Request::new(())),
        StatusCode::UNAUTHORIZED,
        Some(&challenge),
    );
}

#[test]
fn what_an_outer_layer_left_in_a_request_is_not_believed() {
    // Anonymous to the outer layer, then to one that is not optional.
    let layers = (auth().optional(), auth(), people());
    let response = refused(&layers, Request::new(()));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);

    // A request that was used before: its caller is gone with its token.
    let mut request = Request::new(());
    request.extensions_mut().insert(caller_of(issuer().user()));
    let response = refused(&(auth().optional(), people()), request);
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn in_axum_a_requirement_guards_one_route_or_all_of_them() {
    async fn handler() -> &'static str {
        "done"
    }

    async fn send(app: &Router, request: Request<Body>) -> StatusCode {
        app.clone().oneshot(request).await.unwrap().status()
    }

    let app = Router::new()
        .route("/orders", get(handler))
        .route("/approval", post(handler).layer(people()).get(handler))
        .route(
            "/mailbox",
            get(handler).layer(RequireLayer::new(
                Requirement::kinds([PrincipalKind::AgentUser]).unwrap(),
            )),
        )
        .route_layer(scope("Orders.Read"))
        .layer(auth())
        .route("/pair", get(handler).layer((auth(), people())));

    let post = |mut request: Request<Body>| {
        *request.method_mut() = http::Method::POST;
        request
    };
    block_on(async {
        let (ok, forbidden) = (StatusCode::OK, StatusCode::FORBIDDEN);
        let user = || issuer().user();
        let agent = || issuer().agent_user();
        for (request, expected) in [
            (bearer("/orders", user()), ok),
            (bearer("/orders", agent()), ok),
            (bearer("/orders", user().scope("Other")), forbidden),
            (post(bearer("/approval", user())), ok),
            (post(bearer("/approval", agent())), forbidden),
            (post(bearer("/approval", user().scope("Other"))), forbidden),
            (bearer("/approval", agent()), ok),
            (bearer("/mailbox", agent()), ok),
            (bearer("/mailbox", user()), forbidden),
            (bearer("/pair", user()), ok),
            (bearer("/pair", agent()), forbidden),
            (anonymous("/pair"), StatusCode::UNAUTHORIZED),
            (anonymous("/orders"), StatusCode::UNAUTHORIZED),
            // Guards routes and nothing else.
            (
                bearer("/nothing", user().scope("Other")),
                StatusCode::NOT_FOUND,
            ),
        ] {
            let what = format!("{request:?}");
            assert_eq!(send(&app, request).await, expected, "{what}");
        }
    });
}

async fn answer(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (head.status, head.headers, body)
}

#[test]
fn a_handler_checks_with_a_question_mark() {
    async fn plain(
        State(requirement): State<Requirement>,
        caller: AgentPrincipal,
    ) -> Result<&'static str, Denial> {
        requirement.check(&caller)?;
        Ok("done")
    }
    async fn problem(
        State(requirement): State<Requirement>,
        caller: AgentPrincipal,
    ) -> Result<&'static str, Problem> {
        requirement.check(&caller)?;
        Ok("done")
    }

    let routes = || {
        Router::new()
            .route("/plain", get(plain))
            .route("/problem", get(problem))
            .with_state(Requirement::scope("Orders.Write").unwrap())
    };
    let app = routes().layer(auth());
    let optional = routes().layer(auth().optional());
    let forgotten = routes();
    block_on(async {
        for path in ["/plain", "/problem"] {
            let writer = issuer().user().scope("Orders.Write");
            let (status, _, body) = answer(&app, bearer(path, writer)).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, "done"));

            let (status, headers, body) = answer(&app, bearer(path, issuer().user())).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert_eq!(
                headers[WWW_AUTHENTICATE],
                format!("{BEGIN}, error=\"insufficient_scope\", scope=\"Orders.Write\"")
            );
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            if path == "/plain" {
                assert_eq!(body, "");
            } else {
                assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
                assert_eq!(body, LACKS_SCOPE);
            }

            // A handler that needs a caller is answered as a layer would answer.
            let (status, headers, _) = answer(&optional, anonymous(path)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
            assert_eq!(
                headers[WWW_AUTHENTICATE],
                format!("{BEGIN}, scope=\"Orders.Read\"")
            );

            let (status, headers, body) = answer(&forgotten, bearer(path, issuer().user())).await;
            assert_eq!(
                (status, body.as_str()),
                (StatusCode::INTERNAL_SERVER_ERROR, "")
            );
            assert!(!headers.contains_key(WWW_AUTHENTICATE));
            assert_eq!(headers[CACHE_CONTROL], "no-store");
        }
    });
}

const LACKS_SCOPE: &str =
    r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"the token lacks a scope"}"#;

#[test]
fn a_denial_outside_of_any_layer_is_a_whole_answer_in_axum() {
    use axum::response::IntoResponse;

    let response = Denial::for_acr_values(["c1"]).into_response();
    is(
        &response,
        StatusCode::UNAUTHORIZED,
        Some(
            "Bearer error=\"insufficient_user_authentication\", \
             error_description=\"a stronger sign-in is needed\", acr_values=\"c1\"",
        ),
    );
    let response = Denial::anonymous().into_response();
    is(
        &response,
        StatusCode::UNAUTHORIZED,
        Some("Bearer realm=\"\""),
    );
}

#[test]
fn refusals_are_problems_where_that_is_wanted() {
    let layers = || {
        (
            auth().optional().refusal_body(ProblemJson),
            people().refusal_body(ProblemJson),
        )
    };
    let lacks_scope = || {
        (
            auth().refusal_body(ProblemJson),
            scope("Orders.Write").refusal_body(ProblemJson),
        )
    };
    let step_up = || {
        let requirement = Requirement::acr_value("c1").unwrap();
        (
            auth().refusal_body(ProblemJson),
            RequireLayer::new(requirement).refusal_body(ProblemJson),
        )
    };
    for (response, title, status, detail) in [
        (
            refused(&layers(), bearer("/", issuer().user().expired())),
            "Unauthorized",
            401,
            "the token has expired",
        ),
        (
            refused(&layers(), bearer("/", issuer().user().signed_by_stranger())),
            "Unauthorized",
            401,
            "the token signature could not be verified",
        ),
        (
            refused(&layers(), bearer("/", issuer().application().roles([]))),
            "Forbidden",
            403,
            "the token grants neither a scope nor a role",
        ),
        (
            refused(&layers(), Request::new(())),
            "Unauthorized",
            401,
            "no bearer token was presented",
        ),
        (
            refused(&layers(), bearer("/", issuer().agent_user())),
            "Forbidden",
            403,
            "the caller is not allowed to do this",
        ),
        (
            refused(&lacks_scope(), bearer("/", issuer().user())),
            "Forbidden",
            403,
            "the token lacks a scope",
        ),
        (
            refused(&step_up(), bearer("/", issuer().user())),
            "Unauthorized",
            401,
            "a stronger sign-in is needed",
        ),
        (
            refused(&people().refusal_body(ProblemJson), Request::new(())),
            "Internal Server Error",
            500,
            "the server is not set up to check tokens here",
        ),
    ] {
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(
            response.body(),
            &format!(
                r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#
            )
        );
    }
}

#[test]
fn every_body_that_can_be_made_of_a_text_can_be_a_problem() {
    fn answers<B: Default>(_: Response<B>)
    where
        ProblemJson: RefusalBody<B>,
    {
    }

    answers(Response::new(Body::empty()));
    answers(Response::new(Full::<Bytes>::default()));
    answers(Response::new(Vec::<u8>::new()));
}

#[test]
fn a_body_that_is_built_late_has_no_length_of_the_empty_one() {
    let layer = auth().refusal_body(ProblemJson);
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let mut response: Response<String> = Denial::new().response();
        let empty = HeaderValue::from_static("0");
        response.headers_mut().insert(CONTENT_LENGTH, empty);
        Ok::<_, Infallible>(response)
    }));
    let response = block_on(service.oneshot(bearer("/", issuer().user()))).unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.body().contains("\"status\":403"));
    assert!(!response.headers().contains_key(CONTENT_LENGTH));
}

#[test]
fn a_hook_for_errors_builds_the_bodies_of_denials_too() {
    let hook = |error: &Error, headers: &mut HeaderMap| {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        error.kind().as_str().to_owned()
    };
    let layers = (auth().optional(), people().refusal_body(hook));
    for (request, status, body) in [
        (Request::new(()), StatusCode::UNAUTHORIZED, "missing_token"),
        (
            bearer("/", issuer().agent_user()),
            StatusCode::FORBIDDEN,
            "denied",
        ),
    ] {
        let response = refused(&layers, request);
        assert_eq!(response.status(), status);
        assert_eq!(response.body(), body);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.starts_with(BEGIN), "{challenge}");
    }
}

#[test]
fn the_scopes_of_a_denial_are_asked_for_in_full() {
    let auth = EntraAuthLayer::new(issuer().validator())
        .with_realm("api")
        .unwrap()
        .with_scope_prefix("api://orders/")
        .unwrap();
    let both = Requirement::scope("Orders.Write")
        .unwrap()
        .and(Requirement::scope("Orders.Approve").unwrap())
        .unwrap();
    let layers = (auth, RequireLayer::new(both));
    let response = refused(&layers, bearer("/", issuer().user()));
    assert_eq!(
        response.headers()[WWW_AUTHENTICATE],
        "Bearer realm=\"api\", error=\"insufficient_scope\", \
         scope=\"api://orders/Orders.Write api://orders/Orders.Approve\""
    );
    // What is named in full already stays as it is.
    let denial = Denial::new().with_scopes(["Orders.Write", "api://stock/Stock.Read"]);
    let full = EntraAuthLayer::new(issuer().validator()).with_scope_prefix("api://orders/");
    let service = full.unwrap().layer(service_fn(move |_: Request<()>| {
        let response: Response<String> = denial.clone().response();
        async { Ok::<_, Infallible>(response) }
    }));
    let response = block_on(service.oneshot(bearer("/", issuer().user()))).unwrap();
    let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(
        challenge.ends_with(", scope=\"api://orders/Orders.Write api://stock/Stock.Read\""),
        "{challenge}"
    );
    for prefix in ["", " ", "api://\"", "a b/"] {
        let layer = EntraAuthLayer::new(issuer().validator());
        assert!(layer.with_scope_prefix(prefix).is_err(), "{prefix:?}");
    }
}

#[test]
fn scopes_are_named_only_where_a_scope_is_missing() {
    let caller = caller_of(issuer().autonomous_agent());
    let denial = Requirement::people().check(&caller).unwrap_err();
    assert_eq!(denial.clone().with_scopes(["Orders.Read"]), denial);
    let caller = caller_of(issuer().user());
    let denial = Requirement::scope("Orders.Write").unwrap();
    let denial = denial.check(&caller).unwrap_err();
    let in_full = denial.clone().with_scopes(["api://orders/Orders.Write"]);
    assert!(in_full.scopes().eq(["api://orders/Orders.Write"]));
    assert_eq!(in_full.to_string(), denial.to_string());
    let anonymous = Denial::anonymous().with_scopes(["Orders.Read"]);
    assert_eq!(anonymous, Denial::anonymous());
}

#[test]
fn an_error_of_the_service_inside_passes_through_untouched() {
    let inner = service_fn(|_: Request<()>| async {
        Err::<Response<String>, _>(std::io::Error::other("the service's own"))
    });
    let service = ServiceBuilder::new()
        .layer(auth())
        .layer(people())
        .service(inner);
    let error = block_on(service.oneshot(bearer("/", issuer().user()))).unwrap_err();
    assert_eq!(error.to_string(), "the service's own");
}

#[test]
fn the_log_says_which_requirement_was_not_met_and_nothing_of_the_token() {
    let token = issuer()
        .user()
        .scope("Secret.Scope")
        .claim("upn", "alice@example.com");
    let log = logged(|| {
        refused(&(auth(), scope("Orders.Write")), bearer("/", token));
    });
    assert!(
        log.contains("request refused") && log.contains("the scope Orders.Write is missing"),
        "{log}"
    );
    for secret in ["Secret.Scope", "alice@", "eyJ"] {
        assert!(!log.contains(secret), "{log}");
    }
}
