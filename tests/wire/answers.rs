//! N: what is answered, and what reaches the service inside. Every kind of refusal under every setting
//! is in [`matrix`], and what is logged in [`logs`].

use std::{
    future::{Ready, ready},
    io,
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, EntraAuthLayer, Error,
    ErrorKind::*,
    KeySettings, Validator,
    testing::{Fault, Issuer},
};

use super::{logs, matrix, resource_metadata};
use crate::{keys, support::*};

#[test]
fn a_refusal_is_answered_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "N01",
            "claims and headers that would be more than a value in a header",
            [
                refused_as(AudienceMismatch, "is for", ".default", |issuer| {
                    each(INJECTIONS, |text| issuer.user().audience(text))
                }),
                refused_as(IssuerMismatch, "accepts", "authority", |issuer| {
                    each(INJECTIONS, |text| issuer.user().claim("iss", *text))
                }),
                refused_as(InvalidTenant, "tid is \"", "GUID", |issuer| {
                    each(INJECTIONS, |text| issuer.user().claim("tid", *text))
                }),
                refused_as(UnsupportedVersion, "ver is \"", "AccessToken", |issuer| {
                    each(INJECTIONS, |text| issuer.user().claim("ver", *text))
                }),
                refused_as(AlgorithmNotAllowed, "alg is \"", "algorithms", |issuer| {
                    each(INJECTIONS, |text| issuer.user().header("alg", *text))
                }),
                refused_as(
                    UnsupportedTokenType,
                    "typ is \"",
                    "access token",
                    |issuer| each(INJECTIONS, |text| issuer.user().header("typ", *text)),
                ),
                refused_as(UnknownKey, "none of the published", "app_id", |issuer| {
                    each(INJECTIONS, |text| issuer.user().header("kid", *text))
                })
                .one_fetch(),
            ],
        ),
        shown(
            "N02",
            "an unknown key and a bad signature: answered alike",
            &[matrix::every_kind_of_refusal_has_its_answer_under_every_setting],
        ),
        shown(
            "N03",
            "secrets in a token, refused and admitted: the log has nothing of them, and of `aud`, \
             `iss`, `kid` and `tid` no value that looks like one",
            &[
                logs::no_log_and_no_answer_holds_a_token_or_a_name,
                logs::no_log_holds_a_token_while_it_waits_for_a_key,
                logs::no_log_and_no_answer_holds_a_secret_that_a_claim_holds,
                logs::hostile_texts_stay_in_one_short_line_of_printable_ascii,
                keys::refresh::no_log_holds_anything_of_a_token,
            ],
        ),
        scene(
            "N04",
            "a hook that builds a body: it can neither remove nor add a header of the layer",
            hooks_leave_the_headers_of_the_layer,
        ),
        shown(
            "N05",
            "the challenge to a request without a token: no error",
            &[matrix::a_request_without_a_token_is_anonymous_or_challenged],
        ),
        shown(
            "N06",
            "metadata of the resource: named in every 401, 400 and 403 of the layer",
            &[
                matrix::every_kind_of_refusal_has_its_answer_under_every_setting,
                resource_metadata::the_well_known_path_comes_between_host_and_path,
            ],
        ),
        shown(
            "N07",
            "a step-up: a claims challenge for clients that can answer it, 403 for others",
            &[
                matrix::a_claims_challenge_is_entras_own_whatever_the_settings,
                matrix::no_text_in_a_claims_challenge_breaks_out_of_it,
            ],
        ),
        shown(
            "N08",
            "what a handler asks for goes into a header only if it is one token",
            &[matrix::every_denial_by_a_handler_has_its_answer_under_every_setting],
        ),
        not_met(
            "N09",
            "several challenges, Bearer and DPoP",
            "Bearer is the only scheme that is accepted, so there is one challenge and one header.",
        )
        .with(&[matrix::a_request_without_a_token_is_anonymous_or_challenged]),
        shown(
            "N10",
            "a service that panics if it is called unready",
            &[keys::capacity::only_a_service_that_is_ready_is_called],
        ),
        scene(
            "N11",
            "an error of the service inside, from `poll_ready` too: passed on as it is",
            |issuer| {
                let layer = EntraAuthLayer::new(issuer.validator());
                let inner = service_fn(|_: Request<String>| async {
                    Err::<Response<String>, _>(io::Error::other("inside"))
                });
                let request = with_line(format!("Bearer {}", issuer.user().mint()));
                let error = block_on(layer.layer(inner).oneshot(request)).unwrap_err();
                assert_eq!(error.to_string(), "inside");
            },
        )
        .with(&[an_error_of_getting_ready_after_the_wait_is_the_services_own]),
        scene(
            "N12",
            "an identity that the client claims in headers, or smuggles in: not believed",
            |issuer| {
                let layer = EntraAuthLayer::new(issuer.validator())
                    .with_realm(REALM)
                    .unwrap();
                let claim = |request: &mut Request<String>| {
                    for name in [
                        "x-ms-client-principal",
                        "x-ms-client-principal-id",
                        "x-ms-client-principal-name",
                        "x-jwt-claim-oid",
                        "x-forwarded-user",
                        "x-forwarded-client-cert",
                    ] {
                        request
                            .headers_mut()
                            .insert(name, HeaderValue::from_static("admin"));
                    }
                };
                block_on(async {
                    let mut request = request_for("/");
                    claim(&mut request);
                    send(&layer, request).await.is_refusal(MissingToken);

                    let mut request = with_line(format!("Bearer {}", issuer.user().mint()));
                    claim(&mut request);
                    let agent = issuer
                        .validator()
                        .validate(&issuer.agent_user().mint())
                        .await
                        .unwrap();
                    request.extensions_mut().insert(agent);
                    let answer = send(&layer, request).await;
                    let caller = answer
                        .response
                        .extensions()
                        .get::<AgentPrincipal>()
                        .unwrap();
                    let alice = issuer.object_id_of("alice");
                    assert_eq!(caller.object_id().unwrap().to_string(), alice);

                    let optional = EntraAuthLayer::new(issuer.validator()).optional();
                    let agent = issuer
                        .validator()
                        .validate(&issuer.agent_user().mint())
                        .await
                        .unwrap();
                    let mut request = request_for("/");
                    request.extensions_mut().insert(agent);
                    let answer = send(&optional, request).await;
                    assert!(
                        answer
                            .response
                            .extensions()
                            .get::<AgentPrincipal>()
                            .is_none()
                    );
                });
            },
        ),
        scene(
            "N13",
            "a good token stays in the request, for on-behalf-of, and is marked sensitive",
            |issuer| {
                let inner = service_fn(|request: Request<String>| async move {
                    let value = &request.headers()[AUTHORIZATION];
                    assert!(value.is_sensitive());
                    assert!(!format!("{:?}", request.headers()).contains("eyJ"));
                    Ok::<_, Error>(Response::new(value.to_str().unwrap().to_owned()))
                });
                let line = format!("Bearer {}", issuer.user().mint());
                let layer = EntraAuthLayer::new(issuer.validator());
                let response = block_on(layer.layer(inner).oneshot(with_line(&line))).unwrap();
                assert_eq!(*response.body(), line);
            },
        ),
        scene(
            "N14",
            "an answer that asks to come back says when, in whole seconds",
            |issuer| {
                let settings = KeySettings::default().with_wait(20 * TICK);
                let validator = issuer
                    .validator_builder()
                    .key_settings(settings)
                    .build()
                    .unwrap();
                let layer = EntraAuthLayer::new(validator.clone())
                    .with_realm(REALM)
                    .unwrap();
                block_on(async {
                    validator.ready().await;
                    issuer.fail(Fault::StatusWithRetryAfter {
                        status: 503,
                        seconds: 120,
                    });
                    let unknown = issuer.user().header("kid", "unknown").mint();
                    let answer = send(&layer, with_line(format!("Bearer {unknown}"))).await;
                    answer.is_refusal(KeysUnavailable);
                    let error = answer.response.extensions().get::<Error>().unwrap();
                    let words = error.to_string();
                    assert!(
                        words.ends_with("the answer had status 503 Service Unavailable"),
                        "{words}"
                    );
                    assert!(error.hint().contains("still reaches the authority"));
                    let answer = send(&layer, with_line(format!("Bearer {unknown}"))).await;
                    let seconds: u64 = answer.response.headers()["retry-after"]
                        .to_str()
                        .unwrap()
                        .parse()
                        .unwrap();
                    assert!((100..=120).contains(&seconds), "{seconds}");
                    issuer.heal();
                });
            },
        ),
    ]
}

const INJECTIONS: [&str; 8] = [
    "x\", error=\"insufficient_scope",
    "\", Basic realm=\"x",
    "x\r\nSet-Cookie: session=1",
    "x\nX-Injected: 1",
    "\\\", \\",
    "x, Bearer realm=\"y\"",
    "\u{0}\u{7f}\u{1b}[2J",
    "\u{e9}\u{202e}\u{10ffff}",
];

fn hooks_leave_the_headers_of_the_layer(issuer: &Issuer) {
    let hook = |error: &Error, headers: &mut HeaderMap| {
        headers.clear();
        for (name, value) in [
            (WWW_AUTHENTICATE, "Basic realm=\"x\""),
            (CACHE_CONTROL, "public"),
            (RETRY_AFTER, "7"),
            (CONTENT_TYPE, "text/plain"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        format!("{error} {error:?}")
    };
    let answer = |validator, token: &str| {
        let layer = EntraAuthLayer::new(validator).with_realm(REALM).unwrap();
        let inner =
            service_fn(|_: Request<String>| async { Ok::<_, Error>(Response::new(String::new())) });
        let service = layer.refusal_body(hook).layer(inner);
        let request = with_line(format!("Bearer {token}"));
        let mut response = block_on(service.oneshot(request)).unwrap();
        assert_eq!(
            response.headers_mut().remove(CONTENT_TYPE).unwrap(),
            "text/plain"
        );
        for segment in token.split('.') {
            assert!(!response.body().contains(segment));
        }
        let error = response.extensions().get::<Error>().unwrap();
        assert!(response.body().starts_with(&error.to_string()));
        response
    };

    let expired = answer(issuer.validator(), &issuer.user().expired().mint());
    assert_eq!(expired.status(), 401);
    let challenges = expired.headers().get_all(WWW_AUTHENTICATE);
    let challenge = "Bearer realm=\"the orders\", error=\"invalid_token\", \
                     error_description=\"the token has expired\"";
    assert_eq!(challenges.iter().collect::<Vec<_>>(), [challenge]);
    assert_eq!(expired.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(expired.headers().len(), 2, "no Retry-After");

    let unready = without_keys();
    let refused = answer(unready.1, &unready.0.user().mint());
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()[RETRY_AFTER], "1");
    assert_eq!(refused.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(refused.headers().len(), 2, "no challenge");
}

#[test]
fn without_a_realm_a_challenge_is_the_scheme_and_the_error() {
    let issuer = Issuer::start_blocking();
    let layer = EntraAuthLayer::new(issuer.validator()).without_realm();
    let challenge = |layer: &EntraAuthLayer, request| {
        let inner =
            service_fn(|_: Request<String>| async { Ok::<_, Error>(Response::new(String::new())) });
        let response = block_on(layer.layer(inner).oneshot(request)).unwrap();
        response.headers()[WWW_AUTHENTICATE].clone()
    };
    assert_eq!(challenge(&layer, request_for("/")), "Bearer");
    let expired = || with_line(format!("Bearer {}", issuer.user().expired().mint()));
    assert_eq!(
        challenge(&layer, expired()),
        "Bearer error=\"invalid_token\", error_description=\"the token has expired\""
    );
    let layer = layer.with_realm(REALM).unwrap();
    assert_eq!(
        challenge(&layer, request_for("/")),
        "Bearer realm=\"the orders\""
    );
}

/// An issuer that answers nothing, and a validator of its tokens.
fn without_keys() -> (Issuer, Validator) {
    let (issuer, validator) = unready(KeySettings::default().with_wait(50 * TICK));
    issuer.fail(Fault::Close);
    (issuer, validator)
}

#[test]
pub(crate) fn without_keys_tokens_are_answered_with_503_and_other_requests_are_not() {
    let (issuer, validator) = without_keys();
    let layer = EntraAuthLayer::new(validator).with_realm(REALM).unwrap();
    block_on(async {
        for token in [
            issuer.user(),
            // Nothing after check 3 has been looked at.
            issuer.user().signed_by_stranger(),
            issuer.user().expired(),
            issuer.user().payload("[]"),
        ] {
            let request = with_line(format!("Bearer {}", token.mint()));
            send(&layer, request).await.is_refusal(KeysUnavailable);
        }
        for (request, kind) in [
            (request_for("/"), MissingToken),
            (with_line("Bearer x"), MalformedToken),
            (
                with_lines(&["Bearer a", "Bearer b"]).unwrap(),
                MultipleCredentials,
            ),
        ] {
            send(&layer, request).await.is_refusal(kind);
        }
    });
}

#[test]
fn an_error_of_getting_ready_after_the_wait_is_the_services_own() {
    #[derive(Clone)]
    struct Broken {
        uses: usize,
    }

    impl Service<Request<String>> for Broken {
        type Response = Response<String>;
        type Error = io::Error;
        type Future = Ready<Result<Response<String>, io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
            self.uses += 1;
            if self.uses > 1 {
                return Poll::Ready(Err(io::Error::other("broken")));
            }
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<String>) -> Self::Future {
            ready(Ok(Response::new(String::new())))
        }
    }

    let issuer = Issuer::start_blocking();
    block_on(async {
        let layer = EntraAuthLayer::new(issuer.validator());
        // Ready once; the clone that the wait readies is not.
        let mut service = layer.layer(Broken { uses: 0 });
        let request = with_line(format!("Bearer {}", issuer.user().mint()));
        let waiting = service.ready().await.unwrap().call(request);
        assert_eq!(waiting.await.unwrap_err().to_string(), "broken");
    });
}
