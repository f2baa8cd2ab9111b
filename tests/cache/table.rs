//! M: the cache of verified tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    Denial, EntraAuthLayer, Error,
    ErrorKind::*,
    SignatureAlgorithm, Tenants, Validator, ValidatorBuilder,
    testing::{Issuer, KeyKind},
};

use crate::support::*;

#[test]
fn a_verdict_is_remembered_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        tested(
            "M01",
            "two tokens that collide under a key of somebody's own making: nobody can make one",
            // A token is found by a MAC of every byte of it, under a key made for this cache.
            &[(
                "cache.rs",
                "a_token_that_differs_in_one_character_is_another",
            )],
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
                    loop {
                        let before = now();
                        match outcome(&validator, &token).await {
                            Ok(()) => assert!(before < expires),
                            refused => break assert_eq!(refused, Err(Expired)),
                        }
                        tokio::time::sleep(20 * TICK).await;
                    }
                    assert!(now() >= expires);
                    assert_eq!(outcome(&validator, &token).await, Err(Expired));
                });
                assert_eq!(remembered(&validator), 0);
            },
        )
        .also(&[("cache.rs", "a_remembered_token_expires_all_the_same")]),
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
        tested(
            "M05",
            "a remembered token whose key is withdrawn, or whose keys are too old",
            &[
                (
                    "cache.rs",
                    "a_withdrawn_key_takes_its_remembered_tokens_with_it",
                ),
                (
                    "cache.rs",
                    "remembered_tokens_do_not_outlive_the_keys_in_an_outage",
                ),
            ],
        ),
        scene(
            "M06",
            "a flood of bad tokens: none is remembered, and no good one forgotten",
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
        )
        .also(&[(
            "cache.rs",
            "refusals_are_not_remembered_and_push_nothing_out",
        )]),
        scene(
            "M07",
            "two validators for other audiences over one source of keys: no verdict is shared",
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
        .also(&[
            (
                "cache.rs",
                "validators_with_other_audiences_share_no_verdicts",
            ),
            (
                "cache.rs",
                "what_one_validator_admits_by_acl_the_other_refuses_all_the_same",
            ),
        ]),
        scene(
            "M08",
            "a hundred thousand good tokens: as many are remembered as there is room for",
            |_| {
                // A fiftieth of them, for a fiftieth of the room, so that they are minted in a second.
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
        )
        .also(&[(
            "cache.rs",
            "a_flood_of_good_tokens_stays_within_the_capacity",
        )]),
        scene(
            "M09",
            "a handler's own rule runs each time, for a remembered token too, and may panic",
            |issuer| {
                handlers_run_each_time(issuer);
                handlers_may_panic(issuer);
            },
        ),
        scene(
            "M10",
            "the other signature that anybody can make of one on P-256: remembered by itself",
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
                    assert_eq!(
                        format!("{first:?}"),
                        format!("{second:?}"),
                        "it says nothing else"
                    );
                });
                assert_eq!(remembered(&validator), 2);
            },
        ),
    ]
}

fn caching(issuer: &Issuer, capacity: usize) -> Validator {
    with_keys(issuer.validator_builder().token_cache(capacity))
}

/// A token that had to wait for the keys would not be remembered yet.
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
