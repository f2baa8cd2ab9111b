//! L: rotation, floods and outages.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use serde_json::json;
use tokio::time::Instant;
use tower_entra::{
    ErrorKind::*,
    HttpClient,
    testing::{Fault, Issuer},
};

use super::{
    capacity, faults, flood, injected, life, outage, refresh, replacement, rotation, waiting,
};
use crate::{
    cache,
    support::{client::Answer, *},
    wire,
};

#[test]
fn keys_come_and_go_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shown(
            "L01",
            "a key that is new here: accepted in the request that brings it",
            &[rotation::a_freshly_published_key_is_admitted_in_the_same_request],
        ),
        shown(
            "L02",
            "a thousand requests with the same new `kid`: one fetch",
            &[rotation::a_thousand_requests_for_a_fresh_key_share_one_fetch],
        ),
        shown(
            "L03",
            "a flood of requests with random `kid`s: one fetch, and other requests are served",
            &[
                flood::a_flood_of_random_key_ids_costs_one_fetch,
                flood::a_flood_from_many_sides_costs_one_fetch,
                flood::twenty_minutes_of_flood_costs_one_fetch_per_cool_down,
            ],
        ),
        row(
            "L04",
            "random `kid`s on tokens that would be refused anyway: no fetch",
            [
                refused_as(UnknownKey, NO_KEY, "No key vouches", |issuer| {
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
                    ])
                }),
                refused_as(UnknownKey, NO_KEY, "configured authority", |issuer| {
                    let unknown = |at: u32| issuer.user().header("kid", format!("random-{at}"));
                    these([
                        ("payload", unknown(9).payload("[]")),
                        ("no text", unknown(10).payload_bytes([0xff])),
                        ("twice", unknown(11).payload(r#"{"aud":1,"aud":1}"#)),
                    ])
                }),
                refused_as(
                    AlgorithmNotAllowed,
                    "alg is \"",
                    "token of Entra",
                    |issuer| {
                        each(["none", "HS256", "RS512"], |alg| {
                            issuer.user().header("kid", "random").header("alg", *alg)
                        })
                    },
                ),
                refused_as(UnsupportedTokenType, "dpop+jwt", "possession", |issuer| {
                    let token = issuer.user().header("kid", "random");
                    one(token.header("typ", "dpop+jwt"))
                }),
                refused_as(UnsupportedHeader, "the header has crit", "crit", |issuer| {
                    let token = issuer.user().header("kid", "random");
                    one(token.header("crit", ["exp"]))
                }),
            ],
        )
        .with(&[flood::a_token_that_fails_a_check_without_cost_asks_for_nothing]),
        shown(
            "L05",
            "a flood just before a real rotation: the new key waits for one cool-down at most",
            &[
                flood::a_flood_bars_a_new_key_for_one_cool_down_at_most,
                flood::a_key_id_seen_before_its_key_is_barred_for_one_cool_down_at_most,
            ],
        ),
        shown(
            "L06",
            "a new key right after the start: the first fetch starts no cool-down",
            &[
                rotation::a_freshly_published_key_is_admitted_in_the_same_request,
                rotation::a_rotation_during_the_start_up_fetch_is_served_at_once,
            ],
        ),
        shown(
            "L07",
            "an endpoint that hangs: a request that needs it waits a bounded time, others do not wait",
            &[
                faults::an_endpoint_that_does_not_answer_takes_no_key_away,
                waiting::no_request_waits_longer_than_it_may,
                capacity::an_honest_request_is_served_while_a_forged_one_waits,
            ],
        ),
        shown(
            "L08",
            "a client that disconnects while it waits: the fetch goes on, others are served",
            &[
                waiting::a_request_that_hangs_up_does_not_cancel_the_fetch,
                waiting::a_request_that_hangs_up_before_the_fetch_begins_is_still_fetched_for,
                waiting::requests_that_stay_are_served_when_others_hang_up,
                waiting::a_request_that_is_never_polled_costs_nothing,
            ],
        ),
        shown(
            "L09",
            "a key that is withdrawn: its tokens are refused after the next fetch, remembered ones too",
            &[
                refresh::a_withdrawn_key_is_dead_after_the_next_good_fetch,
                refresh::a_fetch_for_an_unknown_key_withdraws_keys_too,
                cache::a_withdrawn_key_takes_its_remembered_tokens_with_it,
            ],
        ),
        shown(
            "L10",
            "a new key under an old `kid`: accepted after one refresh behind a refusal",
            &[
                replacement::a_replaced_key_is_fetched_behind_the_first_bad_signature,
                replacement::a_bad_signature_does_not_spend_what_unknown_keys_have,
            ],
        ),
        shown(
            "L11",
            "a thousand bad signatures under a known `kid`: one fetch",
            &[replacement::a_second_bad_signature_within_the_interval_asks_for_nothing],
        ),
        scene(
            "L12",
            "an unknown `kid` in an outage: always 503, while tokens of known keys are admitted",
            |_| {
                let issuer = Issuer::start_blocking();
                let validator = issuer.validator();
                block_on(async {
                    validator.ready().await;
                    issuer.fail(Fault::Status(500));
                    let good = issuer.user().mint();
                    let forger = Forger::new(&good);
                    for _ in 0..50 {
                        let refused = validate(&validator, &forger.token()).await;
                        let error = refused.expect_err("an unknown key");
                        assert_eq!(error.kind(), KeysUnavailable);
                        let words = error.to_string();
                        assert!(words.contains("the answer had status 500"), "{words}");
                        let hint = error.hint();
                        assert!(hint.contains("known keys are still admitted"), "{hint}");
                    }
                    assert_eq!(outcome(&validator, &good).await, Ok(()));
                });
            },
        )
        .with(&[flood::failed_fetches_count_against_the_cool_down_too]),
        shown(
            "L13",
            "an outage from the start: not ready, 503, back-off from 1 s to 60 s, recovery",
            &[
                faults::a_sick_endpoint_at_start_up_is_survived,
                outage::an_issuer_that_comes_up_late_is_found,
                outage::the_pauses_between_failures_are_random_and_at_most_a_minute,
                wire::answers::without_keys_tokens_are_answered_with_503_and_other_requests_are_not,
            ],
        ),
        shown(
            "L14",
            "an outage of a day, and a longer one: the last good keys serve for 24 h",
            &[
                outage::the_last_good_keys_serve_through_a_day_of_outage,
                outage::keys_older_than_the_stale_limit_serve_no_longer,
                cache::remembered_tokens_do_not_outlive_the_keys_in_an_outage,
            ],
        ),
        shown(
            "L15",
            "a flood in an outage: the back-off holds",
            &[outage::a_flood_in_an_outage_does_not_defeat_the_back_off],
        ),
        scene(
            "L16",
            "caching headers of the endpoint: ignored",
            cache_control_is_not_obeyed,
        ),
        shown(
            "L17",
            "a fetch that panics: a failed fetch like any other",
            &[
                injected::a_panic_in_the_client_is_a_failed_fetch_like_any_other,
                injected::a_panic_at_the_first_fetch_does_not_hang_a_request,
            ],
        ),
        scene(
            "L18",
            "three replicas that start together: their fetches drift apart",
            replicas_drift_apart,
        ),
        shown(
            "L19",
            "a runtime that ends during a fetch: nothing hangs and nothing is lost",
            &[
                life::a_runtime_that_ends_in_mid_fetch_does_not_end_the_keys,
                life::a_runtime_that_ends_in_the_first_fetch_does_not_end_the_keys,
                life::the_task_ends_with_the_last_validator_in_mid_fetch,
            ],
        ),
        shown(
            "L20",
            "an endpoint that is slow, or drips, for one of two documents",
            &[
                faults::a_request_for_a_new_key_waits_out_a_slow_endpoint,
                faults::an_endpoint_that_does_not_answer_takes_no_key_away,
                injected::both_documents_share_the_five_seconds,
            ],
        ),
    ]
}

/// Answers with an issuer's documents and this `Cache-Control`, and records the time of each fetch.
#[derive(Clone)]
struct Cached {
    issuer: Issuer,
    cache_control: &'static str,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Cached {
    fn of(issuer: &Issuer, cache_control: &'static str) -> Self {
        Self {
            issuer: issuer.clone(),
            cache_control,
            asked: Arc::default(),
        }
    }

    /// The time between one fetch and the next.
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
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
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

/// Runs with a paused clock, which advances whenever every task waits.
fn in_no_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

fn cache_control_is_not_obeyed(issuer: &Issuer) {
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
            tokio::time::sleep(10 * HOUR).await;
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
        tokio::time::sleep(5 * HOUR).await;
    });
    let mut pauses: Vec<_> = clients.iter().flat_map(Cached::pauses).collect();
    let all = pauses.len();
    assert!(all >= 12, "{all}");
    pauses.sort_unstable();
    pauses.dedup();
    assert_eq!(pauses.len(), all, "no two pauses are the same");
}

const NO_KEY: &str = "names none of the published keys";
