//! What reaches the service inside, and what is answered otherwise. Every kind of refusal with every
//! setting is [`matrix`](super::matrix)'s.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, ErrorKind, KeySettings, RefusalBody, Validator,
    testing::{Fault, Issuer},
};

use crate::support::{block_on, issuer};

/// What came back, and whether the service inside was called.
struct Answer {
    response: Response<String>,
    calls: usize,
}

impl Answer {
    #[track_caller]
    fn is(&self, status: StatusCode, challenge: Option<&str>) {
        let headers = self.response.headers();
        assert_eq!(self.response.status(), status);
        let challenges: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
        let expected: Vec<_> = challenge.into_iter().collect();
        assert_eq!(challenges, expected);
        if status != StatusCode::OK {
            assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store");
            assert_eq!(self.response.body(), "");
            assert_eq!(self.calls, 0);
            assert!(self.response.extensions().get::<Error>().is_some());
        }
    }

    fn kind(&self) -> ErrorKind {
        self.response.extensions().get::<Error>().unwrap().kind()
    }
}

/// Sends one request through `layer` to a service that says who is calling.
fn send<B>(layer: &EntraAuthLayer<B>, request: Request<()>) -> Answer
where
    B: RefusalBody<String> + Clone,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let inner = service_fn(move |request: Request<()>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let caller = request
            .extensions()
            .get::<AgentPrincipal>()
            .map(AgentPrincipal::kind);
        let sensitive = request
            .headers()
            .get(AUTHORIZATION)
            .map(HeaderValue::is_sensitive);
        async move { Ok::<_, Error>(Response::new(format!("{caller:?} {sensitive:?}"))) }
    });
    let response = block_on(layer.layer(inner).oneshot(request)).unwrap();
    Answer {
        response,
        calls: calls.load(Ordering::SeqCst),
    }
}

fn with_headers(values: &[&str]) -> Request<()> {
    let mut request = Request::new(());
    for value in values {
        request
            .headers_mut()
            .append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn bearer(token: &str) -> Request<()> {
    with_headers(&[&format!("Bearer {token}")])
}

fn layer() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator())
        .with_realm("api")
        .unwrap()
}

#[test]
fn an_admitted_request_reaches_the_service_with_its_principal_and_its_token_marked() {
    let answer = send(&layer(), bearer(&issuer().agent_user().mint()));
    answer.is(StatusCode::OK, None);
    assert_eq!(answer.response.body(), "Some(AgentUser) Some(true)");
    assert_eq!(answer.calls, 1);
}

#[test]
fn the_realm_is_the_first_audience_unless_another_is_named() {
    let layer = EntraAuthLayer::new(issuer().validator());
    let expected = format!("Bearer realm=\"{}\"", issuer().audience());
    send(&layer, Request::new(())).is(StatusCode::UNAUTHORIZED, Some(&expected));
}

#[test]
fn a_request_without_a_bearer_token_is_asked_for_one_without_an_error() {
    for headers in [
        &[][..],
        &["Basic YTpi"],
        &["DPoP abc"],
        &["PoP abc"],
        &["Negotiate"],
        &[""],
    ] {
        let answer = send(&layer(), with_headers(headers));
        answer.is(StatusCode::UNAUTHORIZED, Some("Bearer realm=\"api\""));
        assert_eq!(answer.kind(), ErrorKind::MissingToken);
    }
}

#[test]
fn a_token_in_the_query_is_not_looked_for() {
    let mut request = Request::new(());
    *request.uri_mut() = format!("/?access_token={}", issuer().user().mint())
        .parse()
        .unwrap();
    send(&layer(), request).is(StatusCode::UNAUTHORIZED, Some("Bearer realm=\"api\""));
}

#[test]
fn a_malformed_authorization_is_a_bad_request() {
    let token = issuer().user().mint();
    for value in [
        &format!("Bearer {token} x"),
        &format!("Bearer\t{token}"),
        &format!("Bearer {token},"),
        "Bearer {}",
        "Bearer \"x\"",
    ] {
        let answer = send(&layer(), with_headers(&[value]));
        answer.is(
            StatusCode::BAD_REQUEST,
            Some(
                "Bearer realm=\"api\", error=\"invalid_request\", \
                 error_description=\"the Authorization header is malformed\"",
            ),
        );
    }
}

#[test]
fn two_authorization_headers_are_a_bad_request_even_if_both_are_good() {
    let good = format!("Bearer {}", issuer().user().mint());
    for headers in [
        [good.as_str(), good.as_str()],
        [&good, "Basic YTpi"],
        ["Basic YTpi", &good],
    ] {
        let answer = send(&layer(), with_headers(&headers));
        answer.is(
            StatusCode::BAD_REQUEST,
            Some(
                "Bearer realm=\"api\", error=\"invalid_request\", \
                 error_description=\"more than one Authorization header\"",
            ),
        );
    }
}

#[test]
fn the_scheme_is_read_in_any_letter_case_and_may_be_followed_by_spaces() {
    let token = issuer().user().mint();
    for scheme in ["Bearer ", "bearer ", "BEARER    "] {
        let request = with_headers(&[&format!("{scheme}{token}")]);
        send(&layer(), request).is(StatusCode::OK, None);
    }
}

#[test]
fn an_unknown_key_and_a_bad_signature_are_answered_alike() {
    let unknown = send(
        &layer(),
        bearer(&issuer().user().header("kid", "nobody").mint()),
    );
    let forged = send(
        &layer(),
        bearer(&issuer().user().signed_by_stranger().mint()),
    );
    assert_eq!(unknown.kind(), ErrorKind::UnknownKey);
    assert_eq!(forged.kind(), ErrorKind::InvalidSignature);
    assert_eq!(unknown.response.status(), forged.response.status());
    assert_eq!(unknown.response.headers(), forged.response.headers());
}

#[test]
fn a_token_that_grants_nothing_is_forbidden() {
    let token = issuer().application().without_claim("roles").mint();
    let answer = send(&layer(), bearer(&token));
    answer.is(
        StatusCode::FORBIDDEN,
        Some("Bearer realm=\"api\", error=\"insufficient_scope\""),
    );
}

#[test]
fn without_keys_the_answer_is_503_and_no_challenge() {
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Status(500));
    let settings = KeySettings::default().with_wait(Duration::from_millis(50));
    let validator = issuer
        .validator_builder()
        .key_settings(settings)
        .build()
        .unwrap();
    for token in [
        issuer.user().mint(),
        // Nothing after check 3 has been looked at.
        issuer.user().signed_by_stranger().mint(),
        issuer.user().expired().mint(),
        issuer.user().payload("[]").mint(),
    ] {
        let answer = send(&EntraAuthLayer::new(validator.clone()), bearer(&token));
        answer.is(StatusCode::SERVICE_UNAVAILABLE, None);
        let seconds: u64 = answer.response.headers()[RETRY_AFTER]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=300).contains(&seconds));
        assert_eq!(answer.kind(), ErrorKind::KeysUnavailable);
    }
    for request in [
        Request::new(()),
        bearer("x"),
        with_headers(&["Bearer a", "Bearer b"]),
    ] {
        let answer = send(&EntraAuthLayer::new(validator.clone()), request);
        assert_ne!(answer.response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[test]
fn nothing_of_a_token_stands_in_an_answer() {
    let hostile = "\", error=\"x\r\nSet-Cookie: a=b";
    for token in [
        issuer().user().audience(hostile),
        issuer().user().claim("iss", hostile),
        issuer().user().claim("tid", hostile),
        issuer().user().claim("ver", hostile),
        issuer().user().header("kid", hostile),
        issuer().user().header("alg", hostile),
        issuer().user().header("typ", hostile),
    ] {
        let answer = send(&layer(), bearer(&token.mint()));
        assert_eq!(answer.response.status(), StatusCode::UNAUTHORIZED);
        let text = format!("{:?}", answer.response);
        assert!(
            !text.contains("Set-Cookie") && !text.contains("error=\\\"x"),
            "{text}"
        );
    }
}

#[test]
fn a_principal_that_came_with_the_request_is_taken_out() {
    let smuggled = crate::support::caller_of(issuer().agent_user());
    let layer = layer().optional();
    let mut request = Request::new(());
    request.extensions_mut().insert(smuggled.clone());
    assert_eq!(send(&layer, request).response.body(), "None None");

    let mut request = bearer(&issuer().user().mint());
    request.extensions_mut().insert(smuggled);
    assert_eq!(
        send(&layer, request).response.body(),
        "Some(User) Some(true)"
    );
}

#[test]
fn an_optional_layer_lets_nobody_through_and_nothing_bad() {
    let layer = layer().optional();
    for request in [
        Request::new(()),
        with_headers(&["Basic YTpi"]),
        with_headers(&["Negotiate"]),
    ] {
        let answer = send(&layer, request);
        assert_eq!(answer.response.status(), StatusCode::OK);
        assert!(answer.response.body().starts_with("None"));
    }
    let good = send(&layer, bearer(&issuer().user().mint()));
    assert_eq!(good.response.body(), "Some(User) Some(true)");
    for (request, status) in [
        (with_headers(&["DPoP abc"]), StatusCode::UNAUTHORIZED),
        (with_headers(&["PoP abc"]), StatusCode::UNAUTHORIZED),
        (with_headers(&["Bearer"]), StatusCode::UNAUTHORIZED),
        (with_headers(&["Bearer {}"]), StatusCode::BAD_REQUEST),
        (
            with_headers(&["Negotiate a, Bearer b"]),
            StatusCode::BAD_REQUEST,
        ),
        (
            with_headers(&["Basic a", "Basic b"]),
            StatusCode::BAD_REQUEST,
        ),
        (bearer("null"), StatusCode::UNAUTHORIZED),
        (
            bearer(&issuer().user().expired().mint()),
            StatusCode::UNAUTHORIZED,
        ),
        (
            bearer(&issuer().user().claim("iss", "https://x").mint()),
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        let answer = send(&layer, request);
        assert_eq!(answer.response.status(), status);
        assert_eq!(answer.calls, 0);
    }
}

#[test]
fn a_hook_builds_another_body_and_leaves_status_and_challenge() {
    let layer = layer().refusal_body(|error: &Error, headers: &mut HeaderMap| {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        error.kind().as_str().to_owned()
    });
    let response = send(&layer, bearer("x")).response;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.body(), "malformed_token");
    assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    assert!(response.headers().contains_key(WWW_AUTHENTICATE));
}

#[test]
fn a_hook_takes_no_header_away() {
    let layer = layer().refusal_body(|_: &Error, headers: &mut HeaderMap| {
        headers.clear();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        String::new()
    });
    let expected = "Bearer realm=\"api\"";
    send(&layer, Request::new(())).is(StatusCode::UNAUTHORIZED, Some(expected));
}

#[test]
fn a_hook_adds_no_challenge_and_no_pause_where_there_is_none() {
    let hook = |_: &Error, headers: &mut HeaderMap| {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        String::new()
    };
    let refused = send(&layer().refusal_body(hook), bearer("x"));
    assert_eq!(refused.kind(), ErrorKind::MalformedToken);
    assert!(!refused.response.headers().contains_key(RETRY_AFTER));

    let without_keys = KeySettings::default().with_wait(Duration::from_millis(1));
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Close);
    let builder = issuer.validator_builder().key_settings(without_keys);
    let layer = EntraAuthLayer::new(builder.build().unwrap()).refusal_body(hook);
    let refused = send(&layer, bearer(&issuer.user().mint()));
    refused.is(StatusCode::SERVICE_UNAVAILABLE, None);
    assert_eq!(refused.response.headers()[RETRY_AFTER], "1");
}

/// The answer of a handler that denies, through two layers.
fn denied(denial: Denial, token: &str) -> Response<String> {
    let inner = service_fn(move |_: Request<()>| {
        let mut response = Response::new("the handler's own".to_owned());
        response.extensions_mut().insert(denial.clone());
        async move { Ok::<_, Error>(response) }
    });
    let service = layer()
        .with_realm("outer")
        .unwrap()
        .layer(layer().layer(inner));
    block_on(service.oneshot(bearer(token))).unwrap()
}

#[test]
fn the_innermost_layer_answers_a_denial_and_the_body_stays_the_handlers() {
    let response = denied(Denial::new(), &issuer().user().mint());
    assert_eq!(
        response.headers()[WWW_AUTHENTICATE],
        "Bearer realm=\"api\", error=\"insufficient_scope\""
    );
    assert_eq!(response.body(), "the handler's own");
    let error = response.extensions().get::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn an_error_of_the_service_inside_passes_through_untouched() {
    let inner = service_fn(|_: Request<()>| async {
        Err::<Response<String>, _>(std::io::Error::other("the service's own"))
    });
    let request = bearer(&issuer().user().mint());
    let error = block_on(layer().layer(inner).oneshot(request)).unwrap_err();
    assert_eq!(error.to_string(), "the service's own");
}

#[test]
fn refusing_needs_no_ready_service() {
    // `call` answers by itself; only what is admitted reaches the service inside.
    let layer = EntraAuthLayer::new(Validator::clone(&issuer().validator()));
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Error>(Response::new(String::new())) });
    let mut service = layer.layer(inner);
    let response = block_on(async { service.call(Request::new(())).await }).unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}
