//! The token of a caller as the layer, the extractor and `verify` hand it on: a verified, delegated one or
//! none.

use std::{convert::Infallible, sync::LazyLock};

use axum::{Router, body::Body, routing::get};
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, DenialReason, EntraAuthLayer, Error, ErrorKind, Validator,
    acquire::UserAssertion,
    testing::{Issuer, TokenBuilder},
};

use crate::support::{OTHER_APP, OTHER_TENANT, block_on, challenge::Challenge, forger, issuer};

/// Whose assertion the service inside has found, if it was called.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    assertion: Option<(String, Option<String>)>,
    caller: Option<Option<String>>,
}

fn asserted(assertion: &UserAssertion) -> (String, Option<String>) {
    let object = assertion.object_id().map(|id| id.to_string());
    (assertion.tenant_id().to_string(), object)
}

async fn inside(request: Request<()>) -> Result<Response<String>, Infallible> {
    let extensions = request.extensions();
    let caller = extensions.get::<AgentPrincipal>();
    let seen = Seen {
        assertion: extensions.get().map(asserted),
        caller: caller.map(|caller| caller.object_id().map(|id| id.to_string())),
    };
    let mut response = Response::new(String::new());
    response.extensions_mut().insert(seen);
    Ok(response)
}

fn request(header: &HeaderName, token: Option<&TokenBuilder>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(token) = token {
        let value = format!("Bearer {}", token.clone().mint()).parse().unwrap();
        request.headers_mut().insert(header.clone(), value);
    }
    request
}

fn send(layer: &EntraAuthLayer, request: Request<()>) -> Response<String> {
    block_on(layer.layer(service_fn(inside)).oneshot(request)).unwrap()
}

/// What the service inside sees of a request with this token, by a layer that gives assertions.
#[track_caller]
fn seen(layer: &EntraAuthLayer, request: Request<()>) -> Seen {
    let response = send(layer, request);
    response
        .extensions()
        .get::<Seen>()
        .expect("admitted")
        .clone()
}

fn giving() -> EntraAuthLayer {
    EntraAuthLayer::new(issuer().validator()).with_user_assertion()
}

fn alice() -> (String, Option<String>) {
    let id = issuer().object_id_of("alice");
    (issuer().tenant_id().to_owned(), Some(id))
}

/// An assertion of another user, as an outer layer may have left it.
fn planted() -> UserAssertion {
    let token = issuer().user_named("mallory").mint();
    block_on(UserAssertion::verify(&issuer().validator(), &token)).unwrap()
}

/// Tokens that are admitted, and are not delegated.
fn without_a_user() -> [(&'static str, TokenBuilder); 4] {
    let agent = issuer().autonomous_agent();
    let unknown = issuer().user().without_claim("scp").roles(["Orders"]);
    [
        ("an app", issuer().application()),
        (
            "an app without idtyp",
            issuer().application().without_claim("idtyp"),
        ),
        ("an agent as itself", agent),
        (
            "a token of a kind that is not known",
            unknown.claim("idtyp", "device"),
        ),
    ]
}

/// Tokens that are refused.
fn refused() -> [(&'static str, TokenBuilder, ErrorKind); 4] {
    [
        ("expired", issuer().user().expires_at(1), ErrorKind::Expired),
        (
            "for another API",
            issuer().user().audience(OTHER_APP),
            ErrorKind::AudienceMismatch,
        ),
        (
            "an agent as itself with a scope",
            issuer()
                .autonomous_agent()
                .claim("scp", "a")
                .without_claim("idtyp"),
            ErrorKind::ContradictoryClaims,
        ),
        ("of another issuer", forger().user(), ErrorKind::UnknownKey),
    ]
}

#[test]
fn a_caller_who_acts_as_itself_gives_no_assertion() {
    for (what, token) in without_a_user() {
        for layer in [giving(), giving().optional()] {
            let seen = seen(&layer, request(&AUTHORIZATION, Some(&token)));
            assert_eq!(seen.assertion, None, "{what}");
            assert!(seen.caller.is_some(), "{what}");
        }
    }
}

#[test]
fn a_request_without_a_token_that_is_let_through_has_no_assertion() {
    let seen = seen(&giving().optional(), request(&AUTHORIZATION, None));
    let expected = Seen {
        assertion: None,
        caller: None,
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_refused_request_reaches_nothing_and_its_token_stays_where_it_was() {
    for (what, token, kind) in refused() {
        for layer in [giving(), giving().optional()] {
            let response = send(&layer, request(&AUTHORIZATION, Some(&token)));
            let extensions = response.extensions();
            assert_eq!(extensions.get::<Error>().unwrap().kind(), kind, "{what}");
            assert_eq!(extensions.get::<Seen>(), None, "{what}");
            assert!(extensions.get::<UserAssertion>().is_none(), "{what}");
        }
    }
}

#[test]
fn an_assertion_that_was_there_before_never_survives() {
    let planted = planted();
    let plain = EntraAuthLayer::new(issuer().validator());
    let [(_, app), ..] = without_a_user();
    let user = issuer().user();
    let given = |layer: &EntraAuthLayer, token: Option<&TokenBuilder>| {
        let mut request = request(&AUTHORIZATION, token);
        request.extensions_mut().insert(planted.clone());
        seen(layer, request).assertion
    };
    for (layer, token, expected) in [
        (plain.clone(), Some(&user), None),
        (plain.clone(), Some(&app), None),
        (plain.optional(), None, None),
        (giving().optional(), None, None),
        (giving(), Some(&app), None),
        (giving(), Some(&user), Some(alice())),
    ] {
        assert_eq!(given(&layer, token), expected);
    }
}

#[test]
fn an_inner_layer_that_admits_another_principal_takes_the_assertion_of_the_outer_one_away() {
    static INNER: HeaderName = HeaderName::from_static("x-inner");
    let inner = EntraAuthLayer::new(issuer().validator());
    let inner = inner.token_from_header(INNER.clone()).unwrap();
    let mut request = request(&AUTHORIZATION, Some(&issuer().user_named("mallory")));
    let token = format!("Bearer {}", issuer().user().mint());
    request.headers_mut().insert(&INNER, token.parse().unwrap());
    let service = ServiceBuilder::new()
        .layer(giving())
        .layer(inner)
        .service_fn(inside);
    let response = block_on(service.oneshot(request)).unwrap();
    let expected = Seen {
        assertion: None,
        caller: Some(alice().1),
    };
    assert_eq!(response.extensions().get(), Some(&expected));
}

#[test]
fn only_a_layer_that_was_asked_gives_an_assertion() {
    let plain = EntraAuthLayer::new(issuer().validator());
    let with_body = giving().refusal_body(|_: &Error, _: &mut http::HeaderMap| String::new());
    let user = || request(&AUTHORIZATION, Some(&issuer().user()));
    assert_eq!(seen(&plain, user()).assertion, None);
    assert_eq!(seen(&giving(), user()).assertion, Some(alice()));
    let response = block_on(with_body.layer(service_fn(inside)).oneshot(user())).unwrap();
    let seen = response.extensions().get::<Seen>().unwrap();
    assert_eq!(seen.assertion, Some(alice()));
    assert!(response.extensions().get::<UserAssertion>().is_none());
}

#[test]
fn each_delegated_caller_gives_the_assertion_of_its_user() {
    let agent_user = issuer().agent_user();
    let caller = block_on(issuer().validator().validate(&agent_user.clone().mint())).unwrap();
    let agent_user_id = caller.object_id().map(|id| id.to_string());
    let tenant = || issuer().tenant_id().to_owned();
    for (token, expected) in [
        (issuer().user(), alice()),
        (issuer().agent_on_behalf_of("alice"), alice()),
        (agent_user, (tenant(), agent_user_id)),
        (issuer().user().without_claim("oid"), (tenant(), None)),
    ] {
        let seen = seen(&giving(), request(&AUTHORIZATION, Some(&token)));
        assert_eq!(seen.assertion, Some(expected));
    }
}

#[test]
fn the_assertion_is_that_of_the_header_which_tokens_are_read_from() {
    static HEADER: HeaderName = HeaderName::from_static("x-api-token");
    let layer = giving().token_from_header(HEADER.clone()).unwrap();
    let mut both = request(&HEADER, Some(&issuer().user()));
    let platform = format!("Bearer {}", issuer().user_named("mallory").mint());
    let platform: HeaderValue = platform.parse().unwrap();
    both.headers_mut().insert(AUTHORIZATION, platform.clone());
    assert_eq!(seen(&layer, both).assertion, Some(alice()));

    let mut other = request(&HEADER, None);
    other.headers_mut().insert(AUTHORIZATION, platform);
    let seen = seen(&layer.optional(), other);
    assert_eq!(seen.assertion, None);
}

#[test]
fn of_several_authorities_the_assertion_is_of_the_one_that_has_admitted() {
    static SECOND: LazyLock<Issuer> = LazyLock::new(|| {
        let builder = Issuer::builder().tenant(OTHER_TENANT);
        builder.audience(OTHER_APP).start_blocking()
    });
    let layer = giving().or(SECOND.validator());
    let of_first = seen(&layer, request(&AUTHORIZATION, Some(&issuer().user())));
    assert_eq!(of_first.assertion, Some(alice()));
    let of_second = seen(&layer, request(&AUTHORIZATION, Some(&SECOND.user())));
    let expected = (OTHER_TENANT.to_owned(), Some(SECOND.object_id_of("alice")));
    assert_eq!(of_second.assertion, Some(expected));
}

#[test]
fn a_request_that_waited_for_its_key_has_its_assertion_too() {
    let issuer = Issuer::start_blocking();
    let layer = EntraAuthLayer::new(issuer.validator()).with_user_assertion();
    let first = seen(&layer, request(&AUTHORIZATION, Some(&issuer.user())));
    assert_eq!(
        first.assertion.unwrap().1,
        Some(issuer.object_id_of("alice"))
    );
}

#[test]
fn verify_refuses_what_is_not_admitted_and_what_is_not_delegated() {
    let validator = issuer().validator();
    let refusal = |validator: &Validator, token: TokenBuilder| {
        block_on(UserAssertion::verify(validator, &token.mint())).expect_err("refused")
    };
    for (what, token, kind) in refused() {
        assert_eq!(refusal(&validator, token).kind(), kind, "{what}");
    }
    for (what, token) in without_a_user() {
        let error = refusal(&validator, token);
        assert_eq!(error.kind(), ErrorKind::Denied, "{what}");
        let text = "the caller is not allowed to do this: only delegated callers may";
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let by_acl = validator.with_authorization_by_acl();
    let nothing_granted = issuer().application().without_claim("roles");
    assert_eq!(refusal(&by_acl, nothing_granted).kind(), ErrorKind::Denied);

    let token = issuer().user().mint();
    let assertion = block_on(UserAssertion::verify(&validator, &token)).unwrap();
    assert_eq!(asserted(&assertion), alice());
}

#[test]
fn debug_shows_neither_token_nor_user() {
    let token = issuer().user().mint();
    let assertion = block_on(UserAssertion::verify(&issuer().validator(), &token)).unwrap();
    let shown = format!("{assertion:?} {:?}", giving());
    let tenant = issuer().tenant_id();
    let expected = format!("UserAssertion {{ tenant_id: TenantId({tenant:?}), .. }} ");
    assert!(shown.starts_with(&expected), "{shown}");
    for part in token.split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
}

async fn needs_user(user: UserAssertion) -> String {
    format!("{:?}", asserted(&user))
}

async fn takes_user(user: Option<UserAssertion>) -> String {
    format!("{:?}", user.as_ref().map(asserted))
}

/// Status, body and the error of the challenge of a handler that needs a user, and of one that takes one.
fn handled(layer: Option<&EntraAuthLayer>, token: Option<&TokenBuilder>) -> [Handled; 2] {
    ["/needs", "/takes"].map(|path| {
        let routes = Router::new()
            .route("/needs", get(needs_user))
            .route("/takes", get(takes_user));
        let routes = match layer {
            Some(layer) => routes.route_layer(layer.clone()),
            None => routes,
        };
        let mut request = request(&AUTHORIZATION, token).map(|()| Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        block_on(async {
            let response = routes.oneshot(request).await.unwrap();
            let reason = response.extensions().get().map(Denial::reason);
            let challenge = response.headers().get(WWW_AUTHENTICATE);
            let challenge = challenge.map(|value| {
                let challenge = Challenge::parse(value.as_bytes()).unwrap();
                challenge.get("error").map(str::to_owned)
            });
            let status = response.status();
            let body = axum::body::to_bytes(response.into_body(), 1_000)
                .await
                .unwrap();
            Handled {
                status,
                reason,
                error: challenge.flatten(),
                body: String::from_utf8(body.to_vec()).unwrap(),
            }
        })
    })
}

#[derive(Debug, PartialEq)]
struct Handled {
    status: StatusCode,
    reason: Option<DenialReason>,
    error: Option<String>,
    body: String,
}

impl Handled {
    fn denied(status: StatusCode, reason: DenialReason, error: Option<&str>) -> Self {
        Self {
            status,
            reason: Some(reason),
            error: error.map(str::to_owned),
            body: String::new(),
        }
    }

    fn ok(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            reason: None,
            error: None,
            body,
        }
    }
}

#[test]
fn a_handler_that_needs_a_user_answers_each_caller_without_one() {
    let none = || Handled::ok("None".to_owned());
    for (what, token) in without_a_user() {
        // Whether or not the layer was asked for assertions.
        for layer in [giving(), EntraAuthLayer::new(issuer().validator())] {
            let (status, error) = (StatusCode::FORBIDDEN, Some("insufficient_scope"));
            let denied = Handled::denied(status, DenialReason::NotDelegated, error);
            let expected = [denied, none()];
            assert_eq!(handled(Some(&layer), Some(&token)), expected, "{what}");
        }
    }
    let denied = Handled::denied(StatusCode::UNAUTHORIZED, DenialReason::Anonymous, None);
    assert_eq!(handled(Some(&giving().optional()), None), [denied, none()]);
}

#[test]
fn a_handler_without_a_layer_that_gives_assertions_fails_as_a_mistake_of_the_server() {
    let plain = EntraAuthLayer::new(issuer().validator());
    let user = issuer().user();
    for (layer, token) in [
        (None, None),
        (None, Some(&user)),
        (Some(&plain), Some(&user)),
    ] {
        for handled in handled(layer, token) {
            assert_eq!(handled.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(handled.reason, Some(DenialReason::MissingLayer));
            assert_eq!((handled.error, handled.body.as_str()), (None, ""));
        }
    }
}

#[test]
fn a_handler_gets_the_assertion_of_its_user() {
    let expected = [
        Handled::ok(format!("{:?}", alice())),
        Handled::ok(format!("{:?}", Some(alice()))),
    ];
    assert_eq!(handled(Some(&giving()), Some(&issuer().user())), expected);
}
