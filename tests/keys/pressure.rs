//! L: rotation, floods and outages.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};
use tower_entra::{
    EntraAuthLayer,
    ErrorKind::{self, *},
    HttpClient, KeySettings, KeyStatus, Validator,
    testing::{Fault, Issuer, Target},
};

use crate::support::*;

#[test]
fn keys_come_and_go_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        scene(
            "L01",
            "a key that is new to us: served in the request that brings it",
            |_| {
                let (issuer, validator) = ready();
                block_on(async {
                    let kid = issuer.rotate();
                    let token = issuer.user().signed_by(&kid).mint();
                    assert_eq!(outcome(&validator, &token).await, Ok(()));
                });
                assert_eq!(issuer.key_fetches(), 2);
            },
        )
        .also(&[(
            "keys/rotation.rs",
            "a_freshly_published_key_is_admitted_in_the_same_request",
        )]),
        scene(
            "L02",
            "a thousand requests with the same new `kid`: one fetch",
            |_| {
                let (issuer, validator) = ready();
                issuer.rotate();
                let token = issuer.user().mint();
                let outcomes = block_on(all_at_once(&validator, vec![token; 1_000]));
                assert!(outcomes.iter().all(|outcome| *outcome == Ok(())));
                assert_eq!(issuer.key_fetches(), 2);
            },
        )
        .also(&[(
            "keys/rotation.rs",
            "a_thousand_requests_for_a_fresh_key_share_one_fetch",
        )]),
        scene(
            "L03",
            "ten thousand requests with random `kid`s: one fetch, and others go on",
            |_| {
                let (issuer, validator) = ready();
                let good = issuer.user().mint();
                block_on(async {
                    let flood = unknown_keys(&good, 10_000);
                    assert_eq!(outcome(&validator, &flood[0]).await, Err(UnknownKey));
                    for (at, token) in flood.iter().enumerate() {
                        let refused = if at == 0 { UnknownKey } else { KeysUnavailable };
                        assert_eq!(outcome(&validator, token).await, Err(refused));
                        if at % 100 == 0 {
                            assert_eq!(outcome(&validator, &good).await, Ok(()));
                        }
                    }
                });
                assert_eq!(issuer.key_fetches(), 2);
            },
        )
        .also(&[
            ("keys/flood.rs", "a_flood_of_random_key_ids_costs_one_fetch"),
            ("keys/flood.rs", "a_flood_from_many_sides_costs_one_fetch"),
            (
                "keys/flood.rs",
                "twenty_minutes_of_flood_costs_one_fetch_per_cool_down",
            ),
        ]),
        row(
            "L04",
            "random `kid`s on tokens that would be refused anyway: no fetch",
            [
                refused(UnknownKey, |issuer| {
                    let unknown = |at: u32| issuer.user().header("kid", format!("random-{at}"));
                    these([
                        ("iss", unknown(1).claim("iss", "https://evil.example")),
                        ("aud", unknown(2).audience("api://other")),
                        ("expired", unknown(3).expired()),
                        ("not yet", unknown(4).not_before(now() + 900)),
                        ("tid", unknown(5).claim("tid", OTHER_TENANT)),
                        ("tenant", unknown(6).tenant(OTHER_TENANT)),
                        ("ver", unknown(7).claim("ver", "3.0")),
                        ("no exp", unknown(8).without_claim("exp")),
                        ("payload", unknown(9).payload("[]")),
                        ("twice", unknown(10).payload(r#"{"aud":1,"aud":1}"#)),
                    ])
                }),
                refused(AlgorithmNotAllowed, |issuer| {
                    each(["none", "HS256", "RS512"], |alg| {
                        issuer.user().header("kid", "random").header("alg", *alg)
                    })
                }),
            ],
        )
        .also(&[(
            "keys/flood.rs",
            "a_token_that_fails_a_check_without_cost_asks_for_nothing",
        )]),
        tested(
            "L05",
            "a flood just before a real roll: the new key waits one cool-down at most",
            &[
                (
                    "keys/flood.rs",
                    "a_flood_bars_a_new_key_for_one_cool_down_at_most",
                ),
                (
                    "keys/flood.rs",
                    "a_key_id_seen_before_its_key_is_barred_for_one_cool_down_at_most",
                ),
            ],
        ),
        scene(
            "L06",
            "a new key right after the start: the first fetch arms no cool-down",
            |_| {
                let (issuer, validator) = ready();
                block_on(async {
                    issuer.rotate();
                    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
                });
            },
        )
        .also(&[(
            "keys/rotation.rs",
            "a_rotation_during_the_start_up_fetch_is_served_at_once",
        )]),
        scene(
            "L07",
            "an endpoint that hangs: who needs it waits a bounded time, others do not",
            |_| {
                let issuer = Issuer::start_blocking();
                let settings = KeySettings::default().with_wait(200 * TICK);
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
                    issuer.fail(Fault::Hang);
                    let good = issuer.user().mint();
                    let unknown = unknown_keys(&good, 1).remove(0);
                    let start = Instant::now();
                    let mut waiting = pin!(send(&layer, with_line(format!("Bearer {unknown}"))));
                    assert!(at_once(waiting.as_mut()).is_none());
                    while issuer.discovery_fetches() < 2 {
                        tokio::time::sleep(TICK).await;
                    }
                    for _ in 0..20 {
                        let good = pin!(send(&layer, with_line(format!("Bearer {good}"))));
                        let answer = at_once(good).expect("no wait for a key that is known");
                        assert_eq!(answer.response.status(), 200);
                    }
                    waiting.await.is_refusal(KeysUnavailable);
                    let bounds = 200 * TICK..4 * SECOND;
                    assert!(bounds.contains(&start.elapsed()), "{:?}", start.elapsed());
                });
            },
        )
        .also(&[
            (
                "keys/faults.rs",
                "an_endpoint_that_does_not_answer_takes_no_key_away",
            ),
            ("keys/waiting.rs", "no_request_waits_longer_than_it_may"),
            (
                "keys/capacity.rs",
                "an_honest_request_is_served_while_a_forged_one_waits",
            ),
        ]),
        tested(
            "L08",
            "a client that leaves while it waits: the fetch goes on, others are served",
            &[
                (
                    "keys/waiting.rs",
                    "a_request_that_hangs_up_does_not_cancel_the_fetch",
                ),
                (
                    "keys/waiting.rs",
                    "a_request_that_hangs_up_before_the_fetch_begins_leaves_the_wish",
                ),
                (
                    "keys/waiting.rs",
                    "those_who_stay_are_served_when_others_hang_up",
                ),
                (
                    "keys/waiting.rs",
                    "a_request_that_is_never_polled_costs_nothing",
                ),
            ],
        ),
        scene(
            "L09",
            "a key that is withdrawn: its tokens die at the next fetch, remembered ones too",
            |_| {
                for capacity in [None, Some(8)] {
                    let issuer = Issuer::start_blocking();
                    let builder = issuer.validator_builder();
                    let builder = match capacity {
                        Some(capacity) => builder.token_cache(capacity),
                        None => builder,
                    };
                    let validator = builder.build().unwrap();
                    block_on(async {
                        let old = issuer.current_kid();
                        let token = issuer.user().mint();
                        assert_eq!(outcome(&validator, &token).await, Ok(()));
                        assert_eq!(outcome(&validator, &token).await, Ok(()));
                        issuer.rotate();
                        issuer.withdraw(&old);
                        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
                        assert_eq!(outcome(&validator, &token).await, Err(UnknownKey));
                    });
                }
            },
        )
        .also(&[
            (
                "keys/refresh.rs",
                "a_withdrawn_key_is_dead_after_the_next_good_fetch",
            ),
            (
                "cache.rs",
                "a_withdrawn_key_takes_its_remembered_tokens_with_it",
            ),
        ]),
        scene(
            "L10",
            "new key material under an old `kid`: served after one refresh behind a refusal",
            |_| {
                let (issuer, validator) = ready();
                block_on(async {
                    issuer.replace_key(&issuer.current_kid());
                    let token = issuer.user().mint();
                    assert_eq!(outcome(&validator, &token).await, Err(InvalidSignature));
                    assert_key_fetches(&issuer, 2).await;
                    assert_eq!(outcome(&validator, &token).await, Ok(()));
                });
            },
        )
        .also(&[
            (
                "keys/replacement.rs",
                "a_second_bad_signature_within_the_interval_asks_for_nothing",
            ),
            (
                "keys/replacement.rs",
                "a_bad_signature_does_not_spend_what_unknown_keys_have",
            ),
        ]),
        scene(
            "L11",
            "a thousand bad signatures under a known `kid`: one fetch",
            |_| {
                let (issuer, validator) = ready();
                let forged = issuer.user().signed_by_stranger().mint();
                block_on(async {
                    for refused in all_at_once(&validator, vec![forged; 1_000]).await {
                        assert_eq!(refused, Err(InvalidSignature));
                    }
                    assert_key_fetches(&issuer, 2).await;
                });
            },
        ),
        scene(
            "L12",
            "an unknown `kid` in an outage: 503, and never more",
            |_| {
                let (issuer, validator) = ready();
                block_on(async {
                    issuer.fail(Fault::Status(500));
                    let good = issuer.user().mint();
                    for token in unknown_keys(&good, 50) {
                        assert_eq!(outcome(&validator, &token).await, Err(KeysUnavailable));
                    }
                    assert_eq!(outcome(&validator, &good).await, Ok(()));
                    issuer.heal();
                });
            },
        )
        .also(&[(
            "keys/flood.rs",
            "failed_fetches_count_against_the_cool_down_too",
        )]),
        tested(
            "L13",
            "an outage from the start: not ready, 503, back-off from 1 s to 60 s, recovery",
            &[
                ("keys/outage.rs", "an_outage_from_the_start_ends_by_itself"),
                ("keys/outage.rs", "an_issuer_that_comes_up_late_is_found"),
                (
                    "keys/outage.rs",
                    "the_pauses_between_failures_are_random_and_at_most_a_minute",
                ),
                (
                    "wire/answers.rs",
                    "without_keys_tokens_are_answered_with_503_and_other_requests_are_not",
                ),
            ],
        ),
        tested(
            "L14",
            "an outage of a day, and one of more: the last good keys serve 24 h",
            &[
                (
                    "keys/outage.rs",
                    "the_last_good_keys_serve_through_a_day_of_outage",
                ),
                (
                    "keys/outage.rs",
                    "keys_older_than_the_stale_limit_serve_no_longer",
                ),
                (
                    "cache.rs",
                    "remembered_tokens_do_not_outlive_the_keys_in_an_outage",
                ),
            ],
        ),
        tested(
            "L15",
            "a flood in an outage: the back-off holds",
            &[(
                "keys/outage.rs",
                "a_flood_in_an_outage_does_not_defeat_the_back_off",
            )],
        ),
        scene(
            "L16",
            "what the endpoint says about caching: it is not asked",
            cache_control_is_not_obeyed,
        ),
        tested(
            "L17",
            "a fetch that panics: a failed fetch like any other",
            &[
                (
                    "keys/injected.rs",
                    "a_panic_in_the_client_is_a_failed_fetch_like_any_other",
                ),
                (
                    "keys/injected.rs",
                    "a_panic_at_the_first_fetch_does_not_hang_anyone",
                ),
            ],
        ),
        scene(
            "L18",
            "three replicas that start together: their fetches drift apart",
            replicas_drift_apart,
        ),
        tested(
            "L19",
            "a runtime that ends in mid-fetch: nothing hangs and nothing is lost",
            &[
                (
                    "keys/life.rs",
                    "a_runtime_that_ends_in_mid_fetch_does_not_end_the_keys",
                ),
                (
                    "keys/life.rs",
                    "a_runtime_that_ends_in_the_first_fetch_does_not_end_the_keys",
                ),
                (
                    "keys/life.rs",
                    "the_task_ends_with_the_last_validator_in_mid_fetch",
                ),
            ],
        ),
        scene(
            "L20",
            "an endpoint that is slow, or drips, for one of two documents",
            |_| {
                for target in [Target::Discovery, Target::Keys] {
                    let (issuer, validator) = ready();
                    block_on(async {
                        issuer.rotate();
                        issuer.fail_at(target, Fault::Slow(300 * TICK));
                        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
                        assert_eq!(validator.status(), KeyStatus::Fresh);
                    });
                }
            },
        ),
    ]
}

fn ready() -> (Issuer, Validator) {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    block_on(validator.ready());
    assert_eq!(issuer.key_fetches(), 1);
    (issuer, validator)
}

/// So many tokens that pass every check that costs nothing, each with a `kid` of its own.
fn unknown_keys(good: &str, count: u32) -> Vec<String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let (_, rest) = good.split_once('.').unwrap();
    let header = |at| json!({"typ": "JWT", "alg": "RS256", "kid": format!("random-{at}")});
    (0..count)
        .map(|at| format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header(at).to_string())))
        .collect()
}

/// What comes of the first poll, if anything does.
fn at_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

async fn all_at_once(validator: &Validator, tokens: Vec<String>) -> Vec<Result<(), ErrorKind>> {
    let mut requests = JoinSet::new();
    for token in tokens {
        let validator = validator.clone();
        requests.spawn(async move { outcome(&validator, &token).await });
    }
    requests.join_all().await
}

/// Answers with an issuer's documents and this `Cache-Control`, and notes when it was asked.
#[derive(Clone)]
struct Cached {
    issuer: Issuer,
    cache_control: &'static str,
    asked: std::sync::Arc<std::sync::Mutex<Vec<Instant>>>,
}

impl Cached {
    fn of(issuer: &Issuer, cache_control: &'static str) -> Self {
        Self {
            issuer: issuer.clone(),
            cache_control,
            asked: std::sync::Arc::default(),
        }
    }

    /// How long it was between one fetch and the next.
    fn pauses(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl HttpClient for Cached {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<
        Box<
            dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>>>
                + Send,
        >,
    > {
        let base = format!("{}/{}", self.issuer.url(), self.issuer.tenant_id());
        let body = if request.uri().path().ends_with("/openid-configuration") {
            self.asked.lock().unwrap().push(Instant::now());
            let keys = format!("{base}/discovery/v2.0/keys");
            json!({"issuer": format!("{base}/v2.0"), "jwks_uri": keys})
                .to_string()
                .into_bytes()
        } else {
            self.issuer.keys_document()
        };
        let response = Response::builder()
            .header("cache-control", self.cache_control)
            .header("expires", "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("age", "999999999")
            .body(body);
        Box::pin(async move { Ok(response?) })
    }
}

/// Runs with a clock that passes as fast as nothing happens.
fn in_no_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

fn cache_control_is_not_obeyed(issuer: &Issuer) {
    const MINUTE: Duration = Duration::from_secs(60);

    for cache_control in [
        "max-age=1",
        "max-age=0",
        "max-age=-1",
        "max-age=1000000000000",
        "max-age=99999999999999999999999999",
        "no-store",
        "no-cache, must-revalidate",
        "immutable, max-age=31536000",
        "",
    ] {
        let client = Cached::of(issuer, cache_control);
        let builder = issuer.validator_builder().http_client(client.clone());
        let validator = builder.build().unwrap();
        in_no_time(async {
            validator.ready().await;
            tokio::time::sleep(600 * MINUTE).await;
        });
        let pauses = client.pauses();
        assert!(
            (9..=11).contains(&pauses.len()),
            "{cache_control}: {pauses:?}"
        );
        let hourly = 54 * MINUTE - SECOND..=66 * MINUTE + SECOND;
        assert!(
            pauses.iter().all(|pause| hourly.contains(pause)),
            "{pauses:?}"
        );
    }
}

fn replicas_drift_apart(issuer: &Issuer) {
    let clients = [(); 3].map(|()| Cached::of(issuer, "max-age=86400"));
    let validators = clients.clone().map(|client| {
        let builder = issuer.validator_builder().http_client(client);
        builder.build().unwrap()
    });
    in_no_time(async {
        for validator in &validators {
            validator.ready().await;
        }
        tokio::time::sleep(Duration::from_secs(5 * 3_600)).await;
    });
    let mut pauses: Vec<_> = clients.iter().flat_map(Cached::pauses).collect();
    let all = pauses.len();
    assert!(all >= 12, "{all}");
    pauses.sort_unstable();
    pauses.dedup();
    assert_eq!(pauses.len(), all, "no two pauses are the same");
}
