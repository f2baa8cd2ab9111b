//! N: answers and logs.

use std::{
    io,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error,
    ErrorKind::*,
    KeySettings,
    testing::{Fault, Issuer},
};

use crate::support::*;

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
                refused(AudienceMismatch, |issuer| {
                    each(INJECTIONS, |text| issuer.user().audience(text))
                }),
                refused(IssuerMismatch, |issuer| {
                    each(INJECTIONS, |text| issuer.user().claim("iss", *text))
                }),
                refused(InvalidTenant, |issuer| {
                    each(INJECTIONS, |text| issuer.user().claim("tid", *text))
                }),
                refused(UnsupportedVersion, |issuer| {
                    each(INJECTIONS, |text| issuer.user().claim("ver", *text))
                }),
                refused(AlgorithmNotAllowed, |issuer| {
                    each(INJECTIONS, |text| issuer.user().header("alg", *text))
                }),
                refused(UnsupportedTokenType, |issuer| {
                    each(INJECTIONS, |text| issuer.user().header("typ", *text))
                }),
                refused(UnknownKey, |issuer| {
                    each(INJECTIONS, |text| issuer.user().header("kid", *text))
                })
                .one_fetch(),
            ],
        ),
        scene(
            "N02",
            "an unknown key and a bad signature: answered alike",
            |issuer| {
                let validator = issuer.validator();
                let layer = EntraAuthLayer::new(validator.clone())
                    .with_realm(REALM)
                    .unwrap();
                block_on(async {
                    validator.ready().await;
                    let unknown = issuer.user().header("kid", "nobody").mint();
                    let forged = issuer.user().signed_by_stranger().mint();
                    let unknown = send(&layer, with_line(format!("Bearer {unknown}"))).await;
                    let forged = send(&layer, with_line(format!("Bearer {forged}"))).await;
                    unknown.is_refusal(UnknownKey);
                    forged.is_refusal(InvalidSignature);
                    assert_eq!(unknown.response.headers(), forged.response.headers());
                    assert_eq!(unknown.response.body(), forged.response.body());
                });
            },
        )
        .also(&[(
            "wire/answers.rs",
            "an_unknown_key_and_a_bad_signature_are_answered_alike",
        )]),
        scene(
            "N03",
            "secrets in a token, refused and admitted: the log has nothing of them, and of `aud`, \
             `iss`, `kid` and `tid` no value that looks like one",
            secrets_stay_secret,
        )
        .also(&[
            ("keys/refresh.rs", "no_log_holds_anything_of_a_token"),
            (
                "wire/logs.rs",
                "a_value_that_looks_like_a_credential_is_noted_by_its_length",
            ),
            (
                "wire/logs.rs",
                "hostile_texts_stay_in_one_short_line_of_printable_ascii",
            ),
        ]),
        scene(
            "N04",
            "a hook that builds a body: it cannot take a header away, and is told the reason alone",
            |issuer| {
                let layer = EntraAuthLayer::new(issuer.validator())
                    .with_realm(REALM)
                    .unwrap()
                    .refusal_body(|error: &Error, headers: &mut HeaderMap| {
                        headers.clear();
                        let basic = HeaderValue::from_static("Basic realm=\"x\"");
                        headers.insert("www-authenticate", basic);
                        headers.insert("cache-control", HeaderValue::from_static("public"));
                        format!("{error} {error:?}")
                    });
                let inner = service_fn(|_: Request<String>| async {
                    Ok::<_, Error>(Response::new(String::new()))
                });
                let token = issuer.user().expired().mint();
                let request = with_line(format!("Bearer {token}"));
                let response = block_on(layer.layer(inner).oneshot(request)).unwrap();
                assert_eq!(response.status(), 401);
                assert_eq!(
                    response
                        .headers()
                        .get_all("www-authenticate")
                        .iter()
                        .count(),
                    1
                );
                assert!(
                    response.headers()["www-authenticate"]
                        .to_str()
                        .unwrap()
                        .starts_with("Bearer ")
                );
                assert_eq!(response.headers()["cache-control"], "no-store");
                for segment in token.split('.') {
                    assert!(!response.body().contains(segment));
                }
            },
        )
        .also(&[("wire/answers.rs", "a_hook_takes_no_header_away")]),
        row(
            "N05",
            "what the challenge says to those who send nothing: no error",
            [refused(MissingToken, |_| {
                let mut inputs = one(request_for("/"));
                inputs.extend(one(with_line("Basic YTpi")));
                inputs
            })],
        ),
        scene(
            "N06",
            "metadata of the resource: named in every 401, 400 and 403 of the layer",
            |issuer| {
                const METADATA: &str =
                    "https://api.example/.well-known/oauth-protected-resource/orders";
                let validator = issuer.validator();
                let layer = EntraAuthLayer::new(validator.clone())
                    .with_resource_metadata(METADATA)
                    .unwrap();
                let token = |token: String| with_line(format!("Bearer {token}"));
                block_on(async {
                    for request in [
                        request_for("/orders"),
                        with_line("Basic x"),
                        with_line("Bearer"),
                        with_lines(&["Bearer a", "Bearer b"]).unwrap(),
                        token("null".to_owned()),
                        token(issuer.user().expired().mint()),
                        token(issuer.user().signed_by_stranger().mint()),
                        token(issuer.application().without_claim("roles").mint()),
                    ] {
                        let answer = send(&layer, request).await;
                        let parameter = format!(", resource_metadata=\"{METADATA}\"");
                        assert_eq!(answer.challenge().matches(&parameter).count(), 1);
                    }
                });
            },
        )
        .also(&[
            (
                "wire/matrix.rs",
                "every_refusal_of_every_layer_is_as_it_should_be",
            ),
            (
                "wire/resource_metadata.rs",
                "the_well_known_path_stands_between_host_and_path",
            ),
        ]),
        scene(
            "N07",
            "a step-up: a claims challenge for those who can answer it, 403 for others",
            claims_challenges,
        )
        .also(&[(
            "wire/matrix.rs",
            "a_claims_challenge_is_entras_own_whatever_the_settings",
        )]),
        scene(
            "N08",
            "what a handler asks for goes into a header only if it is one token",
            |issuer| {
                let odd = ["a\"b", "a b", "a\\b", "", "a\r\nb", "\u{e9}", "ok"];
                for denial in [Denial::new().with_scopes(odd), Denial::for_acr_values(odd)] {
                    let response = denied(issuer, denial, &issuer.user().mint());
                    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
                    assert!(challenge.ends_with("=\"ok\""), "{challenge}");
                }
            },
        ),
        not_met(
            "N09",
            "several challenges, Bearer and DPoP",
            "Bearer is the only scheme that is accepted, so there is one challenge and one header.",
        )
        .also(&[(
            "wire/answers.rs",
            "a_request_without_a_bearer_token_is_asked_for_one_without_an_error",
        )]),
        scene(
            "N10",
            "a service that panics if it is called unready",
            only_ready_services_are_called,
        )
        .also(&[("keys/capacity.rs", "only_a_service_that_is_ready_is_called")]),
        scene(
            "N11",
            "an error of the service inside, or of its getting ready: passed on as it is",
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
        .also(&[(
            "wire/tower_contract.rs",
            "an_error_while_getting_ready_after_the_wait_is_the_services_own",
        )]),
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
        )
        .also(&[(
            "wire/answers.rs",
            "a_principal_that_came_with_the_request_is_taken_out",
        )]),
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
                    let unknown = issuer.user().header("kid", "nobody").mint();
                    let answer = send(&layer, with_line(format!("Bearer {unknown}"))).await;
                    answer.is_refusal(KeysUnavailable);
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

fn secrets_stay_secret(issuer: &Issuer) {
    const SECRET: &str = "hunter2-hunter2-hunter2";
    let log = Log::of_this_thread();
    let validator = issuer.validator_builder().token_cache(8).build().unwrap();
    let layer = EntraAuthLayer::new(validator.clone())
        .with_realm(REALM)
        .unwrap();
    let secret = || {
        let token = issuer
            .user()
            .claim("password", SECRET)
            .claim("name", SECRET);
        token
            .claim("xms_act_fct", SECRET)
            .claim("groups", 5)
            .claim("preferred_username", SECRET)
    };
    block_on(async {
        validator.ready().await;
        for token in [
            secret(),
            secret().expired(),
            secret().audience("elsewhere"),
            secret().claim("iss", "somebody"),
            secret().claim("tid", "nowhere"),
            secret().claim("oid", SECRET),
            secret().claim("idtyp", SECRET),
            secret().header("alg", "none"),
            secret().header("typ", "other"),
            secret().header("nonce", SECRET).signed_by_stranger(),
            secret().signed_by_stranger(),
            secret().payload(format!("{{\"{SECRET}\":")),
            secret().header_text(format!("{{\"{SECRET}\":")),
        ] {
            let token = token.mint();
            let answer = send(&layer, with_line(format!("Bearer {token}"))).await;
            assert!(!format!("{:?}", answer.response.headers()).contains(SECRET));
            if let Some(caller) = answer.response.extensions().get::<AgentPrincipal>() {
                assert!(!format!("{caller:?}").contains(SECRET));
            }
            if let Err(error) = validator.validate(&token).await {
                assert!(!format!("{error} {error:?}").contains(SECRET));
            }
            log.reveals_nothing(&token);
        }
        for line in [
            format!("Bearer {SECRET} {SECRET}"),
            format!("Basic {SECRET}"),
            SECRET.to_owned(),
        ] {
            send(&layer, with_line(line)).await;
        }
    });
    // These four the log shows, escaped and cut, as who runs the API has to know them. A secret
    // in the place of one of them is as long as no value of Entra's.
    let long = SECRET.repeat(4);
    block_on(async {
        for token in [
            secret().audience(&long),
            secret().claim("iss", &long),
            secret().claim("tid", &long),
            secret().header("kid", &long),
        ] {
            let before = log.text().len();
            let token = token.mint();
            let answer = send(&layer, with_line(format!("Bearer {token}"))).await;
            assert!(!format!("{:?}", answer.response.headers()).contains(SECRET));
            let error = answer.response.extensions().get::<Error>().unwrap();
            assert!(!format!("{error} {error:?}").contains(SECRET));
            let note = format!("({} characters that look like a credential)", long.len());
            assert!(log.text()[before..].contains(&note), "{}", log.text());
            log.reveals_nothing(&token);
        }
    });
    assert!(!log.text().contains(SECRET), "{}", log.text());
    assert!(!log.text().is_empty(), "somebody listens");
}

/// The answer of a handler that denies.
fn denied(issuer: &Issuer, denial: Denial, token: &str) -> Response<String> {
    let inner = service_fn(move |_: Request<String>| {
        let mut response = Response::new(String::new());
        response.extensions_mut().insert(denial.clone());
        async { Ok::<_, Error>(response) }
    });
    let layer = EntraAuthLayer::new(issuer.validator())
        .with_realm(REALM)
        .unwrap();
    block_on(
        layer
            .layer(inner)
            .oneshot(with_line(format!("Bearer {token}"))),
    )
    .unwrap()
}

fn claims_challenges(issuer: &Issuer) {
    for (capabilities, status) in [
        (serde_json::json!(["cp1"]), 401),
        (serde_json::json!(["CP1"]), 401),
        (serde_json::json!(["x", "cp1"]), 401),
        (serde_json::json!(["cp2"]), 403),
        (serde_json::json!([]), 403),
        (serde_json::json!({"cp1": true}), 403),
        (serde_json::json!([1]), 403),
        (serde_json::json!(null), 403),
    ] {
        let token = issuer.user().claim("xms_cc", &capabilities).mint();
        let caller = block_on(issuer.validator().validate(&token)).unwrap();
        let denial = Denial::for_authentication_context(&caller, "c1\"\r\nX: y");
        let response = denied(issuer, denial, &token);
        assert_eq!(response.status(), status, "{capabilities}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        match status {
            401 => {
                assert!(
                    challenge.contains("error=\"insufficient_claims\""),
                    "{challenge}"
                );
                let (_, claims) = challenge.split_once("claims=\"").unwrap();
                let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
                assert!(claims.trim_end_matches('"').bytes().all(base64), "{claims}");
            }
            _ => assert!(
                challenge.contains("error=\"insufficient_scope\""),
                "{challenge}"
            ),
        }
    }
}

/// Takes one call for each time that it was found ready.
struct Strict {
    is_ready: bool,
}

impl Clone for Strict {
    /// A clone is a service that nobody has asked yet.
    fn clone(&self) -> Self {
        Self { is_ready: false }
    }
}

impl Service<Request<String>> for Strict {
    type Response = Response<String>;
    type Error = Error;
    type Future = std::future::Ready<Result<Response<String>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        assert!(self.is_ready, "called unready");
        self.is_ready = false;
        std::future::ready(Ok(Response::new(String::new())))
    }
}

fn only_ready_services_are_called(_: &Issuer) {
    let issuer = Issuer::start_blocking();
    let mut service = EntraAuthLayer::new(issuer.validator()).layer(Strict { is_ready: false });
    block_on(async {
        for round in 0..4 {
            // Every other time the key is new, and the request waits.
            if round % 2 == 1 && round < 3 {
                issuer.rotate();
            }
            let request = with_line(format!("Bearer {}", issuer.user().mint()));
            let response = service.ready().await.unwrap().call(request).await.unwrap();
            assert_eq!(response.status(), 200, "{round}");
        }
        // To refuse takes no service at all.
        let response = service.call(request_for("/")).await.unwrap();
        assert_eq!(response.status(), 401);
    });
}
