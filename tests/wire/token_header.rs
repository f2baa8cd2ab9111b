//! A token in another header than `Authorization`: that header only, with the same grammar and the same
//! answers.

use std::convert::Infallible;

use http::{
    HeaderName, Request, Response,
    header::{AUTHORIZATION, CACHE_CONTROL, VARY, WWW_AUTHENTICATE},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error,
    ErrorKind::{self, *},
    ProblemJson, RequireLayer, Requirement,
};

use crate::support::{block_on, challenge::Challenge, issuer, logged};

static HEADER: HeaderName = HeaderName::from_static("x-api-token");

fn layer() -> EntraAuthLayer {
    let layer = EntraAuthLayer::new(issuer().validator());
    layer.token_from_header(HEADER.clone()).unwrap()
}

fn good() -> String {
    format!("Bearer {}", issuer().user().mint())
}

fn request(headers: &[(&HeaderName, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in headers {
        let value = value.parse().unwrap();
        request.headers_mut().append((*name).clone(), value);
    }
    request
}

/// What the service inside sees of a request: the caller, and each header with its mark.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    caller: Option<String>,
    headers: Vec<(String, bool)>,
}

/// Returns the response, with [`Seen`] in its extensions if the service inside was called.
fn send(layer: &EntraAuthLayer, headers: &[(&HeaderName, &str)]) -> Response<String> {
    let inner = service_fn(|request: Request<()>| async move {
        let caller = request.extensions().get::<AgentPrincipal>();
        let headers = request.headers().iter();
        let seen = Seen {
            caller: caller.and_then(|caller| caller.object_id().map(|id| id.to_string())),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.is_sensitive()))
                .collect(),
        };
        let mut response = Response::new(String::new());
        response.extensions_mut().insert(seen);
        Ok::<_, Infallible>(response)
    });
    block_on(layer.layer(inner).oneshot(request(headers))).unwrap()
}

#[track_caller]
fn refused(layer: &EntraAuthLayer, headers: &[(&HeaderName, &str)], kind: ErrorKind) -> Error {
    let response = send(layer, headers);
    assert_eq!(response.extensions().get::<Seen>(), None, "{headers:?}");
    let error = response.extensions().get::<Error>().unwrap().clone();
    assert_eq!(error.kind(), kind, "{headers:?}");
    let (status, code, description) = match kind {
        MissingToken => (401, None, None),
        MultipleCredentials => (
            400,
            Some("invalid_request"),
            Some("more than one x-api-token header"),
        ),
        MalformedAuthorization => (
            400,
            Some("invalid_request"),
            Some("the x-api-token header is malformed"),
        ),
        MalformedToken => (401, Some("invalid_token"), Some("the token is malformed")),
        Expired => (401, Some("invalid_token"), Some("the token has expired")),
        other => panic!("{other:?} is not expected"),
    };
    assert_eq!(response.status(), status, "{headers:?}");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(response.headers().len(), 2);
    let value = &response.headers()[WWW_AUTHENTICATE];
    let challenge = Challenge::parse(value.as_bytes()).unwrap();
    assert_eq!(challenge.scheme, "Bearer");
    assert_eq!(challenge.get("realm"), Some(issuer().audience()));
    assert_eq!(challenge.get("error"), code);
    assert_eq!(challenge.get("error_description"), description);
    error
}

#[track_caller]
fn admitted(layer: &EntraAuthLayer, headers: &[(&HeaderName, &str)]) -> Seen {
    let response = send(layer, headers);
    let seen = response.extensions().get::<Seen>();
    seen.unwrap_or_else(|| panic!("refused: {headers:?}"))
        .clone()
}

#[test]
fn a_token_in_authorization_is_no_token() {
    let good = good();
    for authorization in [&good, "Bearer", "Bearer a b", "DPoP a", "Basic YTpi", ""] {
        let error = refused(&layer(), &[(&AUTHORIZATION, authorization)], MissingToken);
        assert_eq!(
            error.to_string(),
            "no bearer token was presented: there is no x-api-token header"
        );
        assert!(error.hint().ends_with("does not read Authorization."));
        let optional = layer().optional();
        let seen = admitted(&optional, &[(&AUTHORIZATION, authorization)]);
        // Nor is it the layer's to mark.
        assert_eq!(seen.caller, None);
        assert_eq!(seen.headers, [("authorization".to_owned(), false)]);
    }
    // Nor do two of them count.
    refused(
        &layer(),
        &[(&AUTHORIZATION, &good), (&AUTHORIZATION, &good)],
        MissingToken,
    );
}

#[test]
fn a_good_token_in_authorization_does_not_save_a_bad_one_in_the_header() {
    let good = good();
    let expired = format!("Bearer {}", issuer().user().expired().mint());
    for (value, kind) in [
        (expired.as_str(), Expired),
        ("Bearer a", MalformedToken),
        ("Bearer a b", MalformedAuthorization),
        ("Bearer", MissingToken),
        ("", MissingToken),
        ("Basic YTpi", MissingToken),
    ] {
        refused(&layer(), &[(&AUTHORIZATION, &good), (&HEADER, value)], kind);
    }
}

#[test]
fn the_grammar_is_that_of_authorization_and_the_reason_names_the_header() {
    let good = good();
    let token = issuer().user().mint();
    for (values, kind, reason) in [
        (
            &[good.as_str(), good.as_str()][..],
            MultipleCredentials,
            "more than one x-api-token header: there are 2",
        ),
        (
            &["", ""],
            MultipleCredentials,
            "more than one x-api-token header: there are 2",
        ),
        (
            &[""],
            MissingToken,
            "no bearer token was presented: the x-api-token header is empty",
        ),
        (
            &[token.as_str()],
            MissingToken,
            "no bearer token was presented: the x-api-token header has a token without the word Bearer",
        ),
        (
            &["Basic YTpi"],
            MissingToken,
            "no bearer token was presented: the scheme of the x-api-token header is Basic",
        ),
        (
            &["Secret1 abc"],
            MissingToken,
            "no bearer token was presented: the scheme of the x-api-token header is not Bearer",
        ),
        (
            &["DPoP abc"],
            MissingToken,
            "no bearer token was presented: the scheme of the x-api-token header is DPoP",
        ),
        (
            &["bearer  "],
            MissingToken,
            "no bearer token was presented: nothing follows the word Bearer",
        ),
        (
            &["Negotiate abc, Bearer a"],
            MalformedAuthorization,
            "the x-api-token header is malformed: credentials of two schemes in one header",
        ),
        (
            &["Bearer a b"],
            MalformedAuthorization,
            "the x-api-token header is malformed: more than one token or white space follows the word \
             Bearer",
        ),
        (
            &["Bearer\ta"],
            MalformedAuthorization,
            "the x-api-token header is malformed: it has a tab",
        ),
        (
            &["Bearer \"a\""],
            MalformedAuthorization,
            "the x-api-token header is malformed: the token is in quotes",
        ),
    ] {
        let headers: Vec<_> = values.iter().map(|value| (&HEADER, *value)).collect();
        let error = refused(&layer(), &headers, kind);
        assert_eq!(error.to_string(), reason);
        assert!(!error.hint().contains("header Authorization"), "{error:?}");
        assert!(!error.hint().contains("Authorization header"), "{error:?}");
    }
}

#[test]
fn an_optional_layer_refuses_in_that_header_what_it_refuses_in_authorization() {
    let optional = layer().optional();
    for (value, kind) in [
        ("Bearer", MissingToken),
        ("PoP abc", MissingToken),
        ("Bearer a", MalformedToken),
        ("Negotiate abc, Bearer a", MalformedAuthorization),
        ("Bearer,", MalformedAuthorization),
    ] {
        refused(&optional, &[(&HEADER, value)], kind);
    }
    for value in ["", "Basic YTpi"] {
        assert_eq!(admitted(&optional, &[(&HEADER, value)]).caller, None);
    }
}

#[test]
fn a_token_in_the_header_is_admitted_and_only_that_header_is_marked() {
    let good = good();
    let upper = HeaderName::from_bytes(b"X-API-TOKEN").unwrap();
    let person = issuer().user().mint();
    let object_id = block_on(issuer().validator().validate(&person)).unwrap();
    let object_id = object_id.object_id().map(|id| id.to_string());
    for layer in [layer(), layer().optional()] {
        let headers = [
            (&AUTHORIZATION, "Bearer of the platform"),
            (&upper, good.as_str()),
        ];
        let seen = admitted(&layer, &headers);
        assert_eq!(seen.caller, object_id);
        assert_eq!(
            seen.headers,
            [
                ("authorization".to_owned(), false),
                ("x-api-token".to_owned(), true)
            ]
        );
    }
}

#[test]
fn a_token_that_waits_for_its_key_is_marked_as_well() {
    let issuer = tower_entra::testing::Issuer::start_blocking();
    // Has no keys yet, so the request waits.
    let layer = EntraAuthLayer::new(issuer.validator());
    let layer = layer.token_from_header(HEADER.clone()).unwrap();
    let seen = admitted(
        &layer,
        &[(&HEADER, &format!("Bearer {}", issuer.user().mint()))],
    );
    assert_eq!(seen.headers, [("x-api-token".to_owned(), true)]);
}

#[test]
fn no_shared_cache_gives_the_answer_for_one_caller_to_another() {
    let answer = |layer: &EntraAuthLayer, token: Option<&str>, of_service: Option<&'static str>| {
        let inner = service_fn(move |_: Request<()>| async move {
            let mut response = Response::new(String::new());
            if let Some(value) = of_service {
                response
                    .headers_mut()
                    .insert(CACHE_CONTROL, value.parse().unwrap());
                response
                    .headers_mut()
                    .insert(VARY, "accept".parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        });
        let headers: Vec<_> = token.map(|token| (&HEADER, token)).into_iter().collect();
        let response = block_on(layer.layer(inner).oneshot(request(&headers))).unwrap();
        [VARY, CACHE_CONTROL].map(|name| {
            let values = response.headers().get_all(name).iter();
            let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
            values.join(", ")
        })
    };
    let (layer, good) = (layer().optional(), good());
    let with = |of_service| answer(&layer, Some(&good), of_service);
    assert_eq!(with(None), ["x-api-token", "private"]);
    let maximum = "private, max-age=60";
    assert_eq!(with(Some(maximum)), ["accept, x-api-token", maximum]);
    // What an anonymous caller gets may be shared, but not with one who has a token.
    assert_eq!(answer(&layer, None, None), ["x-api-token", ""]);
    let refused = answer(&layer, Some("Bearer x"), None);
    assert_eq!(refused, ["", "no-store"]);
    // A cache knows Authorization by itself.
    let default = EntraAuthLayer::new(issuer().validator()).optional();
    assert_eq!(answer(&default, None, None), ["", ""]);
}

#[test]
fn authorization_by_name_is_the_default() {
    let layer = EntraAuthLayer::new(issuer().validator());
    let layer = layer.token_from_header(HEADER.clone()).unwrap();
    let layer = layer.token_from_header(AUTHORIZATION).unwrap();
    let seen = admitted(&layer, &[(&AUTHORIZATION, &good())]);
    assert_eq!(seen.headers, [("authorization".to_owned(), true)]);
    let response = send(&layer, &[(&HEADER, &good())]);
    let error = response.extensions().get::<Error>().unwrap();
    assert_eq!(
        error.to_string(),
        "no bearer token was presented: there is no Authorization header"
    );
}

#[test]
fn a_header_that_a_browser_or_a_proxy_writes_is_refused_at_start_up() {
    for name in [
        "cookie",
        "host",
        "origin",
        "proxy-authorization",
        "sec-websocket-protocol",
    ] {
        let layer = EntraAuthLayer::new(issuer().validator());
        let error = layer.token_from_header(HeaderName::from_static(name));
        assert_eq!(
            error.unwrap_err().to_string(),
            format!(
                "token_header: \"{name}\" is a header that browsers, proxies or connections write"
            )
        );
    }
}

#[test]
fn a_body_and_a_denial_name_the_header_too() {
    let inner = RequireLayer::new(Requirement::people_or_unattested()).layer(service_fn(
        |_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) },
    ));
    let answer = |headers: &[(&HeaderName, &str)]| {
        let layer = layer().optional().refusal_body(ProblemJson);
        block_on(layer.layer(inner.clone()).oneshot(request(headers))).unwrap()
    };
    let twice = answer(&[(&HEADER, "a"), (&HEADER, "b")]);
    assert!(
        twice
            .body()
            .contains(r#""detail":"more than one x-api-token header""#),
        "{}",
        twice.body()
    );

    // Let through without a token, and refused by the requirement.
    let denied = answer(&[(&AUTHORIZATION, &good())]);
    assert_eq!(denied.status(), 401);
    assert!(denied.extensions().get::<Denial>().is_some());
    let error = denied.extensions().get::<Error>().unwrap();
    assert_eq!(error.kind(), MissingToken);
    assert_eq!(
        error.to_string(),
        "no bearer token was presented: there is none in the x-api-token header"
    );
    assert!(error.hint().ends_with("does not read Authorization."));

    // With a token, the header is not what is wrong.
    let agent = format!("Bearer {}", issuer().agent_user().mint());
    let denied = answer(&[(&HEADER, &agent)]);
    assert_eq!(denied.status(), 403);
    let error = denied.extensions().get::<Error>().unwrap().to_string();
    assert!(error.contains("only people may"), "{error}");
    assert!(!error.contains("x-api-token"), "{error}");
}

#[test]
fn no_log_holds_the_value_of_either_header() {
    let (_, log) = logged(|| {
        let secret = "Secret-of-the-platform";
        for value in [
            good().as_str(),
            "Secret1 Secret2",
            "Bearer Secret1 Secret2",
            "",
        ] {
            send(&layer(), &[(&AUTHORIZATION, secret), (&HEADER, value)]);
        }
    });
    assert!(log.contains("x-api-token"), "{log}");
    for secret in ["Secret", "eyJ"] {
        assert!(!log.contains(secret), "{log}");
    }
}
