//! The cache of verified tokens, against the faults that such caches have had elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    Denial, EntraAuthLayer, Error,
    ErrorKind::*,
    KeySettings, PrincipalKind, SignatureAlgorithm, Tenants, Validator, ValidatorBuilder,
    testing::{Fault, Issuer, KeyKind},
};

use crate::support::*;

#[test]
fn a_verdict_is_remembered_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shown(
            "M01",
            "two tokens that collide under a key other than the whole token",
            // A token is found by a MAC of every byte of it, under a key made for this cache.
            &[a_token_that_differs_in_one_character_is_another],
        ),
        scene(
            "M02",
            "a remembered token with another signature, header or payload",
            |issuer| {
                let validator = caching(issuer, 64);
                let (one, other) = (issuer.user().mint(), issuer.autonomous_agent().mint());
                block_on(async {
                    for token in [&one, &other] {
                        assert_eq!(outcome(&validator, token).await, Ok(()));
                    }
                    let segments = |token: &str| -> Vec<String> {
                        token.split('.').map(str::to_owned).collect()
                    };
                    let (one, other) = (segments(&one), segments(&other));
                    for at in 1..3 {
                        let mut mixed = one.clone();
                        mixed[at].clone_from(&other[at]);
                        let refused = outcome(&validator, &mixed.join(".")).await;
                        assert_eq!(refused, Err(InvalidSignature));
                    }
                });
                assert_eq!(remembered(&validator), 2);
            },
        ),
        scene(
            "M03",
            "a remembered token that expires: refused from its last second on",
            |issuer| {
                let builder = issuer.validator_builder().token_cache(8);
                let validator = with_keys(builder.clock_skew(Duration::ZERO));
                let expires = now() + 3;
                let token = issuer.user().expires_at(expires).mint();
                block_on(async {
                    assert_eq!(outcome(&validator, &token).await, Ok(()));
                    assert_eq!(remembered(&validator), 1);
                    let error = loop {
                        let before = now();
                        match validator.validate(&token).await {
                            Ok(_) => assert!(before < expires),
                            Err(error) => break error,
                        }
                        tokio::time::sleep(20 * TICK).await;
                    };
                    assert!(now() >= expires);
                    assert_eq!(error.kind(), Expired);
                    let words = error.to_string();
                    assert!(words.contains(" s ago, at 20"), "{words}");
                    assert_eq!(outcome(&validator, &token).await, Err(Expired));
                });
                assert_eq!(remembered(&validator), 0);
            },
        ),
        scene(
            "M04",
            "a token that was not yet valid and then is: admitted",
            |issuer| {
                let builder = issuer.validator_builder().token_cache(8);
                let validator = with_keys(builder.clock_skew(Duration::ZERO));
                let begins = now() + 2;
                let token = issuer.user().not_before(begins).mint();
                block_on(async {
                    assert_eq!(outcome(&validator, &token).await, Err(NotYetValid));
                    assert_eq!(remembered(&validator), 0);
                    while now() < begins {
                        tokio::time::sleep(20 * TICK).await;
                    }
                    assert_eq!(outcome(&validator, &token).await, Ok(()));
                });
            },
        ),
        shown(
            "M05",
            "a remembered token whose key is withdrawn, or whose keys are too old",
            &[
                a_withdrawn_key_takes_its_remembered_tokens_with_it,
                remembered_tokens_do_not_outlive_the_keys_in_an_outage,
            ],
        ),
        scene(
            "M06",
            "a flood of refused tokens: none is remembered, and no good one is dropped",
            |issuer| {
                let validator = caching(issuer, 4);
                let good = issuer.user().mint();
                block_on(async {
                    assert_eq!(outcome(&validator, &good).await, Ok(()));
                    for at in 0..50 {
                        for bad in [
                            issuer.user().expired(),
                            issuer.user().signed_by_stranger(),
                            issuer.user().audience("api://other"),
                            issuer.user().claim("x", at).payload("[]"),
                            issuer.user().header("kid", format!("{at}")),
                            issuer.application().without_claim("roles"),
                        ] {
                            assert!(outcome(&validator, &bad.mint()).await.is_err());
                        }
                    }
                });
                assert_eq!(remembered(&validator), 1);
                assert_eq!(block_on(outcome(&validator, &good)), Ok(()));
            },
        ),
        scene(
            "M07",
            "two validators with different audiences and shared keys: no verdict is shared",
            |issuer| {
                let orders = caching(issuer, 8);
                let tenant = || Tenants::single(issuer.tenant_id());
                let invoices = Validator::builder(tenant(), ["api://invoices"])
                    .authority(issuer.authority())
                    .share_keys_with(&orders)
                    .token_cache(8)
                    .build()
                    .unwrap();
                let order = issuer.user().mint();
                let invoice = issuer.user().audience("api://invoices").mint();
                block_on(async {
                    for _ in 0..2 {
                        assert_eq!(outcome(&orders, &order).await, Ok(()));
                        assert_eq!(outcome(&invoices, &invoice).await, Ok(()));
                        assert_eq!(outcome(&orders, &invoice).await, Err(AudienceMismatch));
                        assert_eq!(outcome(&invoices, &order).await, Err(AudienceMismatch));
                    }
                });
            },
        )
        .with(&[what_one_validator_admits_by_acl_the_other_refuses]),
        scene(
            "M08",
            "more good tokens than the capacity: no more are remembered",
            |_| {
                // On P-256, because signing with RSA takes milliseconds.
                let issuer = Issuer::start_blocking();
                issuer.sign_with(&issuer.publish_key_with(KeyKind::P256));
                let builder = issuer.validator_builder().token_cache(20);
                let validator = with_keys(builder.algorithms([SignatureAlgorithm::Es256]));
                block_on(async {
                    for at in 0..2_000 {
                        let token = issuer.user().claim("x", at).mint();
                        assert_eq!(outcome(&validator, &token).await, Ok(()));
                        assert!(remembered(&validator) <= 20 + SLACK, "{at}");
                    }
                });
            },
        ),
        scene(
            "M09",
            "a handler's own rule: runs on every request, for a remembered token too, and may panic",
            |issuer| {
                handlers_run_each_time(issuer);
                handlers_may_panic(issuer);
            },
        ),
        scene(
            "M10",
            "the second valid signature that ECDSA has (s replaced by n - s): an entry of its own",
            |_| {
                let issuer = Issuer::start_blocking();
                let kid = issuer.publish_key_with(KeyKind::P256);
                let builder = issuer.validator_builder().token_cache(8);
                let algorithms = [SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256];
                let validator = with_keys(builder.algorithms(algorithms));
                let token = issuer.user().signed_by(kid).mint();
                let twin = twin_on_p256(&token);
                assert_ne!(token, twin);
                block_on(async {
                    let first = validator.validate(&token).await.unwrap();
                    let second = validator.validate(&twin).await.unwrap();
                    assert_eq!(format!("{first:?}"), format!("{second:?}"));
                });
                assert_eq!(remembered(&validator), 2);
            },
        ),
    ]
}

#[test]
fn a_remembered_token_has_the_same_caller() {
    let validator = caching(issuer(), 10);
    for token in [
        issuer().agent_on_behalf_of("alice").mint(),
        issuer().autonomous_agent().v1().mint(),
    ] {
        let first = admitted_by(&validator, &token);
        let second = admitted_by(&validator, &token);
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(first.object_id(), second.object_id());
        assert_eq!(first.subject(), second.subject());
        assert_eq!(first.expires_at(), second.expires_at());
        assert!(first.scopes().eq(second.scopes()));
        assert!(first.roles().eq(second.roles()));
    }
    assert_eq!(remembered(&validator), 2);
}

#[test]
fn there_is_no_cache_by_default() {
    assert!(format!("{:?}", issuer().validator()).contains("cache: None"));
}

#[test]
fn a_token_that_differs_in_one_character_is_another() {
    let validator = caching(issuer(), 10);
    let good = issuer().user().mint();
    admitted_by(&validator, &good);
    for at in [
        0,
        good.find('.').unwrap() + 5,
        good.len() - 5,
        good.len() - 1,
    ] {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        refusal_by(&validator, &changed);
    }
    for changed in [format!("{good}="), format!("{good}A"), format!("{good}.")] {
        refusal_by(&validator, &changed);
    }
    admitted_by(&validator, &good);
    assert_eq!(remembered(&validator), 1);
}

#[tokio::test]
async fn an_expired_token_is_removed_without_a_request() {
    let other = issuer().validator();
    other.ready().await;
    // The task is asleep until the next fetch.
    tokio::task::yield_now().await;
    let builder = issuer().validator_builder().token_cache(10);
    let builder = builder.share_keys_with(&other);
    let validator = builder.clock_skew(Duration::ZERO).build().unwrap();
    let expires = now() + 2;
    let soon = issuer().user().expires_at(expires).mint();
    validator.validate(&soon).await.unwrap();
    validator.validate(&issuer().user().mint()).await.unwrap();
    assert_eq!(remembered(&validator), 2);
    while now() < expires {
        tokio::time::sleep(50 * TICK).await;
    }
    tokio::time::pause();
    tokio::time::sleep(61 * SECOND).await;
    assert_eq!(remembered(&validator), 1);
}

#[test]
fn a_token_that_had_to_wait_for_its_key_is_remembered_if_it_is_good() {
    let builder = || issuer().validator_builder().token_cache(10);
    let validator = builder().build().unwrap();
    block_on(async {
        let bad = issuer().user().signed_by_stranger().mint();
        validator.validate(&bad).await.unwrap_err();
    });
    assert_eq!(remembered(&validator), 0);
    let validator = builder().build().unwrap();
    block_on(async {
        let good = issuer().user().mint();
        validator.validate(&good).await.unwrap();
    });
    assert_eq!(remembered(&validator), 1);
}

#[test]
pub(crate) fn a_withdrawn_key_takes_its_remembered_tokens_with_it() {
    let issuer = Issuer::start_blocking();
    let old = issuer.current_kid();
    let validator = issuer.validator_builder().token_cache(10).build().unwrap();
    let (token, other) = (issuer.user().mint(), issuer.application().mint());
    block_on(async {
        validator.validate(&token).await.unwrap();
        validator.validate(&other).await.unwrap();
        issuer.rotate();
        issuer.withdraw(&old);
        // Still in force here, until a fetch says otherwise.
        validator.validate(&token).await.unwrap();
        validator.validate(&issuer.user().mint()).await.unwrap();
        for token in [&token, &other] {
            let refused = validator.validate(token).await.unwrap_err();
            assert_eq!(refused.kind(), UnknownKey);
        }
        validator.validate(&issuer.user().mint()).await.unwrap();
    });
    // The two of the new key.
    assert_eq!(remembered(&validator), 2);
}

#[test]
fn what_one_validator_admits_by_acl_the_other_refuses() {
    let strict = caching(issuer(), 10);
    let by_acl = strict.with_authorization_by_acl();
    let token = issuer().application().without_claim("roles").mint();
    for _ in 0..2 {
        assert_eq!(
            admitted_by(&by_acl, &token).kind(),
            PrincipalKind::Application
        );
        assert_eq!(refusal_by(&strict, &token), NothingGranted);
    }
}

#[test]
pub(crate) fn remembered_tokens_do_not_outlive_the_keys_in_an_outage() {
    let issuer = Issuer::start_blocking();
    let settings = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_stale_limit(SECOND)
        .with_wait(TICK);
    let builder = issuer
        .validator_builder()
        .key_settings(settings)
        .token_cache(10);
    let validator = builder.build().unwrap();
    let token = issuer.user().mint();
    block_on(async {
        validator.ready().await;
        validator.validate(&token).await.unwrap();
        issuer.fail(Fault::Status(500));
        let limit = Instant::now() + 10 * SECOND;
        while validator.validate(&token).await.is_ok() {
            assert!(Instant::now() < limit);
            tokio::time::sleep(20 * TICK).await;
        }
        let refused = validator.validate(&token).await.unwrap_err();
        assert_eq!(refused.kind(), KeysUnavailable);
    });
}

fn caching(issuer: &Issuer, capacity: usize) -> Validator {
    with_keys(issuer.validator_builder().token_cache(capacity))
}

fn with_keys(builder: ValidatorBuilder) -> Validator {
    let validator = builder.build().unwrap();
    block_on(validator.ready());
    validator
}

fn handlers_run_each_time(issuer: &Issuer) {
    let validator = caching(issuer, 8);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<String>| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut response = Response::new(String::new());
            if call % 2 == 1 {
                response.extensions_mut().insert(Denial::new());
            }
            Ok::<_, Error>(response)
        }
    });
    let service = EntraAuthLayer::new(validator.clone()).layer(inner);
    let request = with_line(format!("Bearer {}", issuer.user().mint()));
    block_on(async {
        for call in 0..10 {
            let response = service.clone().oneshot(request.clone()).await.unwrap();
            let expected = if call % 2 == 1 { 403 } else { 200 };
            assert_eq!(response.status(), expected);
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 10);
    assert_eq!(remembered(&validator), 1);
}

fn handlers_may_panic(issuer: &Issuer) {
    let validator = caching(issuer, 8);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<String>| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        assert_ne!(call, 1, "within the call");
        async move {
            assert_ne!(call, 3, "after the call");
            Ok::<_, Error>(Response::new(String::new()))
        }
    });
    let service = EntraAuthLayer::new(validator.clone()).layer(inner);
    let request = with_line(format!("Bearer {}", issuer.user().mint()));
    block_on(async {
        for call in 0..6 {
            let answer = tokio::spawn(service.clone().oneshot(request.clone())).await;
            match call {
                1 | 3 => assert!(answer.unwrap_err().is_panic()),
                _ => assert_eq!(answer.unwrap().unwrap().status(), 200),
            }
            assert_eq!(remembered(&validator), 1);
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 6);
}

/// With (r, s), (r, n - s) is a signature too: FIPS 186-5 leaves it so.
fn twin_on_p256(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for (at, byte) in signature[32..].iter_mut().enumerate().rev() {
        let of_n = i16::from(u8::from_str_radix(&N[2 * at..2 * at + 2], 16).unwrap());
        let difference = of_n - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The cache is sharded, and each shard rounds up.
const SLACK: usize = 8;
