//! Several authorities behind one layer: the issuer that a token names picks one validator, and that one
//! decides.

use std::{convert::Infallible, sync::LazyLock};

use http::{
    Request, Response,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, EntraAuthLayer, Error,
    ErrorKind::{self, *},
    KeySettings, RequireLayer, Requirement, Tenants, Validator,
    testing::{Fault, Issuer, TokenBuilder},
};

use crate::support::{
    OTHER_APP, OTHER_TENANT, REALM, TICK, audited, block_on, challenge::Challenge, issuer, send,
    with_line,
};

/// The issuer of the second validator, with a tenant and an audience of its own.
fn second() -> &'static Issuer {
    static SECOND: LazyLock<Issuer> = LazyLock::new(|| {
        let builder = Issuer::builder().tenant(OTHER_TENANT);
        builder.audience(OTHER_APP).start_blocking()
    });
    &SECOND
}

/// Validators with keys, so that no request waits.
fn ready() -> (Validator, Validator) {
    let validators = (issuer().validator(), second().validator());
    block_on(async {
        validators.0.ready().await;
        validators.1.ready().await;
    });
    validators
}

fn layer() -> EntraAuthLayer {
    let (first, second) = ready();
    let layer = EntraAuthLayer::new(first).with_realm(REALM).unwrap();
    layer.or(second)
}

fn bearer(token: &str) -> Request<String> {
    with_line(format!("Bearer {token}"))
}

#[track_caller]
fn refused(layer: &EntraAuthLayer, token: &str, kind: ErrorKind) -> Error {
    let answer = block_on(send(layer, bearer(token)));
    answer.is_refusal(kind);
    answer.response.extensions().get::<Error>().unwrap().clone()
}

#[track_caller]
fn admitted(layer: &EntraAuthLayer, token: &str) -> AgentPrincipal {
    let answer = block_on(send(layer, bearer(token)));
    let caller = answer.response.extensions().get::<AgentPrincipal>();
    caller
        .unwrap_or_else(|| panic!("refused: {:?}", answer.kind()))
        .clone()
}

/// A token of this issuer that claims to be one of the other.
fn claiming(signer: &Issuer, other: &Issuer) -> TokenBuilder {
    signer
        .user()
        .tenant(other.tenant_id())
        .audience(other.audience())
        .claim("iss", other.v2_issuer())
}

#[test]
fn a_token_that_names_one_issuer_and_is_signed_by_the_other_is_refused_by_the_named() {
    for (signer, named) in [(issuer(), second()), (second(), issuer())] {
        let token = claiming(signer, named);
        let error = refused(&layer(), &token.clone().mint(), UnknownKey);
        assert!(
            error.to_string().contains("none of the published"),
            "{error}"
        );

        // Not even with the other's key under the key id of the named.
        let kid = |issuer: &Issuer| {
            let document: serde_json::Value =
                serde_json::from_slice(&issuer.keys_document()).unwrap();
            document["keys"][0]["kid"].as_str().unwrap().to_owned()
        };
        let token = token.header("kid", kid(named));
        refused(&layer(), &token.mint(), InvalidSignature);
    }
}

#[test]
fn what_the_named_validator_refuses_no_other_is_asked_about() {
    // Both accept this audience and this tenant; their issuers differ.
    let relaxed = |issuer: &Issuer| {
        let builder = Issuer::builder()
            .tenant(issuer.tenant_id())
            .audience(issuer.audience());
        builder.start_blocking()
    };
    let twin = relaxed(issuer());
    let (first, twins) = (issuer().validator(), twin.validator());
    block_on(async {
        first.ready().await;
        twins.ready().await;
    });
    let layer = EntraAuthLayer::new(first).with_realm(REALM).unwrap();
    let layer = layer.or(twins);
    for issuer in [issuer(), &twin] {
        for (token, kind) in [
            (issuer.user().expired(), Expired),
            (issuer.user().audience("x"), AudienceMismatch),
            (issuer.user().signed_by_stranger(), InvalidSignature),
            (issuer.user().claim("tid", OTHER_TENANT), IssuerMismatch),
            (issuer.user().claim("exp", "x"), MalformedClaims),
            (issuer.user().header("alg", "HS256"), AlgorithmNotAllowed),
            (issuer.user().claim("cnf", json!({})), SenderConstrained),
            (issuer.application().without_claim("roles"), NothingGranted),
        ] {
            refused(&layer, &token.mint(), kind);
        }
        assert_eq!(
            admitted(&layer, &issuer.user().mint()).issuer(),
            issuer.v2_issuer()
        );
    }
}

#[test]
fn a_token_of_no_issuer_is_answered_as_the_first_validator_answers_it() {
    let second = Issuer::builder().tenant(OTHER_TENANT).audience(OTHER_APP);
    let second = second.start_blocking();
    let good = second.user().mint();
    let (header, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let named = second.v2_issuer();
    let own = second.user();
    let tokens = [
        own.clone().claim("iss", "https://idp.example").mint(),
        own.clone()
            .claim("iss", named.replace("v2.0", "v1.0"))
            .mint(),
        own.clone().claim("iss", named.to_uppercase()).mint(),
        own.clone().claim("iss", [named.as_str()]).mint(),
        own.clone().claim("iss", 7).mint(),
        own.clone().without_claim("iss").mint(),
        // Another tenant than the second is for, and the first too.
        own.clone().tenant(issuer().tenant_id()).mint(),
        own.clone()
            .payload(format!(
                r#"{{"iss":"{}","iss":"{named}"}}"#,
                issuer().v2_issuer()
            ))
            .mint(),
        own.clone().payload(format!(r#"["{named}"]"#)).mint(),
        own.clone().claim("x", "x".repeat(20_000)).mint(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}=.{signature}"),
        format!("{good}.{signature}"),
        format!("{good}.a.b"),
        "null".to_owned(),
        ".".repeat(10_000),
        // The same by the key of the first.
        issuer().user().claim("iss", "https://idp.example").mint(),
        issuer().user().claim("iss", 7).mint(),
    ];
    // One runtime, because a task that has lost its own fetches anew.
    block_on(async {
        let (first, other) = (issuer().validator(), second.validator());
        first.ready().await;
        other.ready().await;
        let fetches = second.fetches();
        let alone = EntraAuthLayer::new(first).with_realm(REALM).unwrap();
        let both = alone.clone().or(other);
        for token in tokens {
            let expected = send(&alone, bearer(&token)).await.kind();
            let answer = send(&both, bearer(&token)).await;
            answer.is_refusal(expected.unwrap_or_else(|| panic!("admitted: {token}")));
            // Its reason is that of the first, too.
            let error = answer.response.extensions().get::<Error>().unwrap();
            assert!(!error.to_string().contains(OTHER_APP), "{error}");
        }
        assert_eq!(second.fetches(), fetches, "the second was asked");
    });
}

/// The issuer that comes first picks, and what it picks makes every check.
#[test]
fn claims_that_name_an_issuer_twice_are_refused_by_the_validator_of_the_first() {
    let (first, _) = ready();
    let other = second().validator();
    block_on(other.ready());
    let layer = EntraAuthLayer::new(first).with_realm(REALM).unwrap();
    let layer = layer.or(other);
    let (one, two) = (issuer().v2_issuer(), second().v2_issuer());
    for (claims, [of_first, of_second]) in [
        (
            format!(r#"{{"iss":"{one}","iss":"{two}"}}"#),
            [MalformedClaims, UnknownKey],
        ),
        (
            format!(r#"{{"iss":"{two}","iss":"{one}"}}"#),
            [UnknownKey, MalformedClaims],
        ),
        (
            format!(r#"{{"iss":"{two}","a":{}}}"#, "[".repeat(9_000)),
            [UnknownKey, MalformedClaims],
        ),
    ] {
        refused(&layer, &issuer().user().payload(&claims).mint(), of_first);
        refused(&layer, &second().user().payload(&claims).mint(), of_second);
    }
}

#[test]
fn each_validator_keeps_its_own_limits() {
    let (first, _) = ready();
    let roomy = second().validator_builder().max_token_size(64 * 1024);
    let roomy = roomy.build().unwrap().with_authorization_by_acl();
    block_on(roomy.ready());
    let layer = EntraAuthLayer::new(first).with_realm(REALM).unwrap();
    let layer = layer.or(roomy);
    let padding = "x".repeat(20_000);

    let long = issuer().user().claim("x", padding.as_str()).mint();
    refused(&layer, &long, TokenTooLarge);
    let longer = second().user().claim("x", "x".repeat(70_000)).mint();
    refused(&layer, &longer, TokenTooLarge);
    let poor = issuer().application().without_claim("roles").mint();
    refused(&layer, &poor, NothingGranted);

    admitted(&layer, &second().user().claim("x", padding.as_str()).mint());
    let poor = second().application().without_claim("roles").mint();
    admitted(&layer, &poor);
}

#[test]
fn of_two_validators_of_one_issuer_the_earlier_decides() {
    let (first, _) = ready();
    let tenant = Tenants::single(issuer().tenant_id());
    let other = Validator::builder(tenant, ["other"]).authority(issuer().authority());
    let other = other.build().unwrap();
    block_on(other.ready());
    let for_other = issuer().user().audience("other").mint();
    let for_first = issuer().user().mint();

    let layer = |one: &Validator, another: &Validator| {
        let layer = EntraAuthLayer::new(one.clone()).with_realm(REALM).unwrap();
        layer.or(another.clone())
    };
    let one = layer(&first, &other);
    refused(&one, &for_other, AudienceMismatch);
    admitted(&one, &for_first);
    let another = layer(&other, &first);
    refused(&another, &for_first, AudienceMismatch);
    admitted(&another, &for_other);
}

#[test]
fn without_the_keys_of_one_the_tokens_of_the_other_are_admitted() {
    let broken = Issuer::builder().tenant(OTHER_TENANT).start_blocking();
    broken.fail(Fault::Close);
    let settings = KeySettings::default().with_wait(20 * TICK);
    let builder = broken.validator_builder().key_settings(settings);
    let without_keys = builder.build().unwrap();
    let (first, _) = ready();
    for layer in [
        EntraAuthLayer::new(first.clone()).or(without_keys.clone()),
        EntraAuthLayer::new(without_keys).or(first),
    ] {
        let layer = layer.with_realm(REALM).unwrap();
        refused(&layer, &broken.user().mint(), KeysUnavailable);
        admitted(&layer, &issuer().user().mint());
    }
}

#[test]
fn tokens_of_every_authority_are_admitted_at_once_after_a_wait_and_from_the_cache() {
    let third = Issuer::start_blocking();
    let all = [issuer(), second(), &third];
    let validators = all.map(|issuer| {
        let builder = issuer.validator_builder().token_cache(10);
        builder.build().unwrap()
    });
    let [first, second, third] = validators;
    let layer = EntraAuthLayer::new(first).or(second).or(third);
    let layer = layer.with_realm(REALM).unwrap();
    block_on(async {
        for issuer in all {
            for token in [issuer.user(), issuer.user().v1()] {
                let token = token.mint();
                // The first of each issuer has to wait for its keys.
                for _ in 0..3 {
                    let answer = send(&layer, bearer(&token)).await;
                    let caller = answer.response.extensions().get::<AgentPrincipal>();
                    let tenant = caller.expect("an admission").tenant_id().to_string();
                    assert_eq!(tenant, issuer.tenant_id());
                }
            }
            let forged = issuer.user().signed_by_stranger().mint();
            send(&layer, bearer(&forged))
                .await
                .is_refusal(InvalidSignature);
        }
    });
}

#[test]
fn the_first_request_has_the_keys_of_every_validator_fetched() {
    let other = Issuer::start_blocking();
    let layer = EntraAuthLayer::new(issuer().validator()).or(other.validator());
    block_on(async {
        send(&layer, bearer(&issuer().user().mint())).await;
        crate::support::eventually("the second fetches", || other.key_fetches() > 0).await;
    });
}

#[test]
fn an_optional_layer_with_several_authorities_refuses_the_bad_tokens_of_each() {
    let layer = layer().optional().with_principal_in_response();
    for issuer in [issuer(), second()] {
        refused(&layer, &issuer.user().expired().mint(), Expired);
        admitted(&layer, &issuer.user().mint());
    }
    let answer = block_on(send(&layer, Request::new(String::new())));
    assert_eq!(answer.response.status(), 200);
    assert!(
        answer
            .response
            .extensions()
            .get::<AgentPrincipal>()
            .is_none()
    );
}

/// The response of a route that demands a step-up, with the challenge's parameters.
fn stepped_up(layer: &EntraAuthLayer, token: TokenBuilder) -> (Response<String>, Challenge) {
    let inner = service_fn(|_: Request<String>| async {
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let route = RequireLayer::new(Requirement::authentication_context("c1").unwrap());
    let service = layer.layer(route.layer(inner));
    let token = token.claim("xms_cc", ["cp1"]).mint();
    let response = block_on(service.oneshot(bearer(&token))).unwrap();
    let value = &response.headers()[WWW_AUTHENTICATE];
    let challenge = Challenge::parse(value.as_bytes()).unwrap();
    (response, challenge)
}

#[test]
fn a_claims_challenge_names_the_authority_that_admitted_the_caller() {
    let at_once = layer().with_authorization_uri();
    for issuer in [issuer(), second()] {
        // This one has no keys yet, so its first request waits.
        let [first, other] = [crate::support::issuer(), second()].map(Issuer::validator);
        let after_a_wait = EntraAuthLayer::new(first).or(other);
        for layer in [&at_once, &after_a_wait] {
            let (response, challenge) = stepped_up(layer, issuer.user());
            assert_eq!(response.status(), 401);
            assert_eq!(challenge.get("error"), Some("insufficient_claims"));
            let tenant = issuer.tenant_id();
            let uri = format!("{}/{tenant}/oauth2/v2.0/authorize", issuer.url());
            assert_eq!(challenge.get("authorization_uri"), Some(uri.as_str()));
        }
    }
}

#[test]
fn every_other_challenge_is_that_of_the_first() {
    let (first, other) = ready();
    let layer = EntraAuthLayer::new(first).or(other);
    let layer = layer.with_authorization_uri();
    let tenant = issuer().tenant_id();
    let uri = format!("{}/{tenant}/oauth2/v2.0/authorize", issuer().url());
    for request in [
        Request::new(String::new()),
        bearer(&issuer().user().expired().mint()),
        bearer(&second().user().expired().mint()),
        bearer("x"),
    ] {
        let answer = block_on(send(&layer, request));
        assert_eq!(answer.response.status(), 401);
        let challenge = Challenge::parse(answer.challenge().as_bytes()).unwrap();
        assert_eq!(challenge.get("realm"), Some(issuer().audience()));
        assert_eq!(challenge.get("authorization_uri"), Some(uri.as_str()));
    }
}

#[test]
fn each_request_makes_one_audit_event_whichever_validator_decides() {
    let layer = layer();
    let second = second();
    let tokens = [
        (issuer().user(), "request admitted"),
        (second.user(), "request admitted"),
        (second.user().expired(), "request refused"),
        (issuer().user().claim("iss", "x"), "request refused"),
    ];
    for (token, message) in tokens {
        let token = token.mint();
        let (_, events) = audited(|| block_on(send(&layer, bearer(&token))));
        let messages: Vec<_> = events.iter().map(|event| &event["message"]).collect();
        assert_eq!(messages, [message], "{events:?}");
    }
}

#[cfg(feature = "metrics")]
#[test]
fn each_request_is_counted_once_whichever_validator_decides() {
    use crate::support::recorder::Recorder;

    Recorder::during(|recorder| {
        let layer = layer();
        for (token, _) in [
            (issuer().user(), "admitted"),
            (second().user(), "admitted"),
            (second().user().expired(), "expired"),
            (second().user().claim("iss", "x"), "unknown_key"),
        ] {
            block_on(send(&layer, bearer(&token.mint())));
        }
        let counters = recorder.counters().into_iter();
        let verdicts: Vec<_> = counters
            .filter(|(series, _)| series.starts_with(tower_entra::metrics::VERDICTS))
            .collect();
        let total: u64 = verdicts.iter().map(|(_, count)| count).sum();
        assert_eq!((verdicts.len(), total), (3, 4), "{verdicts:?}");
    });
}

#[test]
fn a_second_header_is_refused_before_any_validator_is_picked() {
    let good = second().user().mint();
    let mut request = bearer(&good);
    let value = request.headers()[AUTHORIZATION].clone();
    request.headers_mut().append(AUTHORIZATION, value);
    let answer = block_on(send(&layer(), request));
    answer.is_refusal(MultipleCredentials);
}
