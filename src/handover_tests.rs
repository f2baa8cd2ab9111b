use std::{convert::Infallible, sync::LazyLock, time::Duration};

use axum_core::{body::Body, response::IntoResponse};
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    Denial, DenialReason, EntraAuthLayer, Error, Problem, ProblemJson, RefusalBody, TenantId,
    acquire::{AcquireError, AcquireErrorKind as Kind},
    testing::Issuer,
};

const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
const ENCODED: &str =
    "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19";
const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const KINDS: [Kind; 10] = [
    Kind::ConsentRequired,
    Kind::InteractionRequired,
    Kind::AssertionRefused,
    Kind::NotAllowed,
    Kind::CredentialRefused,
    Kind::Misconfigured,
    Kind::Throttled,
    Kind::Busy,
    Kind::Unavailable,
    Kind::IdentityMismatch,
];

static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::start_blocking);

fn tenant() -> TenantId {
    TENANT.parse().expect("a GUID")
}

fn failure(kind: Kind) -> AcquireError {
    AcquireError::for_tests(kind, None, None)
}

/// An error whose claims the caller's client can answer, and one whose it cannot.
fn challenged(answerable_in: Option<TenantId>) -> AcquireError {
    AcquireError::for_tests(Kind::InteractionRequired, Some(CLAIMS), answerable_in)
}

/// What a caller gets from an axum handler that returns this error, behind a layer.
fn answered(error: AcquireError) -> (StatusCode, HeaderMap, String, Response<()>) {
    let layer = EntraAuthLayer::new(ISSUER.validator()).refusal_body(ProblemJson);
    answered_behind(&layer, "application/json", error)
}

/// What a client of gRPC gets.
fn answered_in_grpc(error: AcquireError) -> (StatusCode, HeaderMap) {
    let layer = EntraAuthLayer::new(ISSUER.validator()).answers_grpc();
    let (status, headers, body, _) = answered_behind(&layer, "application/grpc", error);
    assert_eq!(body, "");
    (status, headers)
}

fn answered_behind<B>(
    layer: &EntraAuthLayer<B>,
    content_type: &str,
    error: AcquireError,
) -> (StatusCode, HeaderMap, String, Response<()>)
where
    B: RefusalBody<Body> + Clone,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let inner = service_fn(move |_: Request<Body>| {
            let error = error.clone();
            async move { Ok::<_, Infallible>(error.into_response()) }
        });
        let token = ISSUER.user().mint();
        let request = Request::post("/")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, content_type);
        let request = request.body(Body::empty()).expect("a request");
        let response = layer.layer(inner).oneshot(request).await;
        let (parts, body) = response.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("text");
        let headers = parts.headers.clone();
        (parts.status, headers, text, Response::from_parts(parts, ()))
    })
}

fn text(headers: &HeaderMap, name: http::header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn each_kind_has_a_status_a_challenge_and_a_time() {
    for (kind, status, challenge, retry_after) in [
        (Kind::ConsentRequired, 403, Some("insufficient_scope"), None),
        (
            Kind::InteractionRequired,
            403,
            Some("insufficient_scope"),
            None,
        ),
        (Kind::AssertionRefused, 401, Some("invalid_token"), None),
        (Kind::NotAllowed, 403, Some("insufficient_scope"), None),
        (Kind::CredentialRefused, 500, None, None),
        (Kind::Misconfigured, 500, None, None),
        (Kind::Throttled, 503, None, Some("5")),
        (Kind::Busy, 503, None, Some("5")),
        (Kind::Unavailable, 503, None, Some("5")),
        (Kind::IdentityMismatch, 500, None, None),
    ] {
        let (answer, headers, body, response) = answered(failure(kind));
        let (grpc, in_grpc) = answered_in_grpc(failure(kind));
        assert_eq!(grpc, 200, "{kind}");
        assert_eq!(text(&in_grpc, RETRY_AFTER), retry_after, "{kind}");
        let code = failure(kind)
            .denial()
            .grpc_status(&http::Extensions::new())
            .0;
        let grpc_status = in_grpc.get("grpc-status").map(|code| code.as_bytes());
        assert_eq!(grpc_status, Some(code.to_string().as_bytes()), "{kind}");
        let bare = failure(kind).into_response();
        for (of, headers) in [(answer, &headers), (bare.status(), bare.headers())] {
            assert_eq!(of, status, "{kind}");
            assert_eq!(text(headers, RETRY_AFTER), retry_after, "{kind}");
            assert_eq!(text(headers, CACHE_CONTROL), Some("no-store"), "{kind}");
            let shown = text(headers, WWW_AUTHENTICATE);
            assert_eq!(shown.is_some(), challenge.is_some(), "{kind}: {shown:?}");
            if let (Some(shown), Some(error)) = (shown, challenge) {
                assert!(
                    shown.contains(&format!("error=\"{error}\"")),
                    "{kind}: {shown}"
                );
            }
        }
        assert_eq!(
            text(&headers, CONTENT_TYPE),
            Some("application/problem+json")
        );
        assert!(
            body.contains(&format!("\"status\":{status}")),
            "{kind}: {body}"
        );
        assert!(response.extensions().get::<AcquireError>().is_some());
        let error = response.extensions().get::<Error>().expect("an error");
        assert!(error.to_string().contains("operator's text"), "{error}");
        assert!(error.to_string().contains("correlation id b0b0"), "{error}");
        assert_eq!(error.hint(), "Operator's hint.");
        let denial = failure(kind).denial();
        assert_eq!(denial.reason(), DenialReason::TokenAcquisition);
        assert_eq!(denial.status(), status);
    }
}

#[test]
fn a_caller_who_can_answer_the_claims_gets_them() {
    let (status, headers, _, response) = answered(challenged(Some(tenant())));
    assert_eq!(status, 401);
    let challenge = text(&headers, WWW_AUTHENTICATE).expect("a challenge");
    assert!(challenge.starts_with("Bearer realm=\"\", authorization_uri=\"http://127.0.0.1"));
    assert!(challenge.contains(&format!("/{TENANT}/oauth2/v2.0/authorize\"")));
    let end = format!("error=\"insufficient_claims\", claims=\"{ENCODED}\"");
    assert!(challenge.ends_with(&end), "{challenge}");
    let denial = response.extensions().get::<Denial>().expect("a denial");
    assert_eq!(denial.reason(), DenialReason::ClaimsChallenge);
}

#[test]
fn claims_are_shown_nowhere_else() {
    let (status, headers, body, response) = answered(challenged(None));
    assert_eq!(status, 403);
    let challenge = text(&headers, WWW_AUTHENTICATE).expect("a challenge");
    assert!(
        challenge.ends_with("error=\"insufficient_scope\""),
        "{challenge}"
    );
    let extensions = format!("{:?}", response.extensions().get::<AcquireError>());
    let denial = format!("{:?}", challenged(Some(tenant())).denial());
    for shown in [&body, &extensions, &denial] {
        assert!(
            !shown.contains("acrs") && !shown.contains(ENCODED),
            "{shown}"
        );
    }
}

#[test]
fn no_answer_shows_what_is_for_the_operator() {
    let errors = KINDS.map(failure).into_iter();
    for error in errors.chain([challenged(Some(tenant())), challenged(None)]) {
        let (_, headers, body, _) = answered(error.clone());
        let shown = format!("{headers:?} {body} {}", error.denial().client_message());
        for hidden in ["perator", "b0b0", "AADSTS", error.kind().as_str()] {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
    }
}

#[test]
fn a_retry_after_is_whole_seconds() {
    let error = AcquireError::for_tests(Kind::Throttled, None, None);
    let error = error.with_retry_after(Duration::from_millis(7_100));
    let response = error.denial().response::<String>();
    assert_eq!(text(response.headers(), RETRY_AFTER), Some("8"));
    assert_eq!(
        error.denial().retry_after(),
        Some(Duration::from_millis(7_100))
    );
    let (_, headers, _, _) = answered(error);
    assert_eq!(text(&headers, RETRY_AFTER), Some("8"));
}

/// A gRPC handler returns a status, and the denial comes by its note.
#[test]
fn a_grpc_handler_that_must_wait_has_its_client_told_when_to_come_again() {
    let layer = EntraAuthLayer::new(ISSUER.validator()).answers_grpc();
    let inner = service_fn(|request: Request<Body>| {
        let error = failure(Kind::Throttled).with_retry_after(Duration::from_millis(7_100));
        let _ = error.denial().grpc_status(request.extensions());
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    });
    let request = Request::post("/")
        .header(AUTHORIZATION, format!("Bearer {}", ISSUER.user().mint()))
        .header(CONTENT_TYPE, "application/grpc")
        .body(Body::empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let response = runtime.block_on(layer.layer(inner).oneshot(request.expect("a request")));
    let headers = response.expect("an answer").headers().clone();
    assert_eq!(text(&headers, RETRY_AFTER), Some("8"));
    assert_eq!(text(&headers, CACHE_CONTROL), Some("no-store"));
}

#[test]
fn a_grpc_status_tells_the_kinds_apart_as_http_does() {
    for kind in KINDS {
        let denial = failure(kind).denial();
        let (code, message) = denial.grpc_status(&http::Extensions::new());
        let expected = match denial.status().as_u16() {
            401 => 16,
            403 => 7,
            500 => 13,
            _ => 14,
        };
        assert_eq!(code, expected, "{kind}");
        assert_eq!(message, denial.client_message());
    }
}

#[test]
fn a_question_mark_makes_a_denial_or_a_problem_of_it() {
    fn denied() -> Result<(), Denial> {
        Err(failure(Kind::NotAllowed))?
    }
    fn problem() -> Result<(), Problem> {
        Err(failure(Kind::NotAllowed))?
    }
    assert_eq!(denied(), Err(failure(Kind::NotAllowed).denial()));
    let busy = failure(Kind::Busy);
    assert_eq!(Denial::from(&busy), busy.denial());
    assert_eq!(problem(), Err(failure(Kind::NotAllowed).denial().into()));
}
