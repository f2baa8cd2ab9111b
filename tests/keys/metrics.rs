//! The keys in the metrics.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use tokio::{runtime, time};
use tower_entra::{ErrorKind, KeySettings, metrics as names};

use crate::support::{
    client::{Client, Reply, scripted, scripted_for},
    recorder::Recorder,
    *,
};

/// Panics whenever anything is to be measured or counted.
struct Panicking;

impl metrics::Recorder for Panicking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("what a test asked for");
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("what a test asked for");
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("what a test asked for");
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("what a test asked for");
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("what a test asked for");
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("what a test asked for");
    }
}

#[test]
fn a_recorder_that_panics_stops_neither_keys_nor_requests() {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&Panicking, || {
        runtime.block_on(async {
            let (issuer, client, validator) = scripted(KeySettings::default());
            within(validator.ready()).await;
            assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
            issuer.rotate();
            assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
            let forged = Forger::new(&issuer.user().mint()).token();
            assert_eq!(
                at_once(&validator, &forged),
                Err(ErrorKind::KeysUnavailable)
            );
            assert_eq!(client.key_fetches(), 2);
        });
    });
}

/// Runs a test with the clock paused, on one thread with its recorder.
fn paused<F: Future<Output = ()>>(test: impl FnOnce(Recorder) -> F) {
    Recorder::during(|recorder| {
        runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(test(recorder.clone()));
    });
}

/// The counters of this name, without it.
fn counts(recorder: &Recorder, name: &str) -> BTreeMap<String, u64> {
    let counters = recorder.counters().into_iter();
    counters
        .filter_map(|(series, value)| {
            let labels = series.strip_prefix(name)?;
            Some((labels.trim_matches(['{', '}']).to_owned(), value))
        })
        .collect()
}

#[track_caller]
fn assert_counts(recorder: &Recorder, name: &str, expected: &[(&str, u64)]) {
    let expected = expected.iter();
    let expected = expected.map(|(labels, count)| ((*labels).to_owned(), *count));
    assert_eq!(counts(recorder, name), expected.collect());
}

fn of_status(status: StatusCode) -> Reply {
    let mut answer = Response::new(Vec::new());
    *answer.status_mut() = status;
    Reply::Keys(answer)
}

#[test]
fn each_refresh_counts_once_by_cause_and_result() {
    paused(|recorder| async move {
        let (issuer, client, validator) = scripted(KeySettings::default());
        client.reply(Reply::Fails);
        let _ = time::timeout(TICK, validator.ready()).await;
        client.reply(Reply::Right);
        validator.ready().await;
        time::sleep(67 * MINUTE).await;
        issuer.rotate();
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
        let forged = issuer.user().signed_by_stranger().mint();
        let _ = outcome(&validator, &forged).await;
        // Until the cool-down is over.
        time::sleep(11 * SECOND).await;
        client.reply(of_status(StatusCode::BAD_GATEWAY));
        let unknown = Forger::new(&issuer.user().mint()).token();
        let refused = outcome(&validator, &unknown).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        assert_counts(
            &recorder,
            names::KEY_REFRESHES,
            &[
                ("cause=start,outcome=failure,error.type=unreachable", 1),
                ("cause=retry,outcome=success", 1),
                ("cause=scheduled,outcome=success", 1),
                ("cause=unknown_key,outcome=success", 1),
                ("cause=bad_signature,outcome=success", 1),
                ("cause=unknown_key,outcome=failure,error.type=bad_status", 1),
            ],
        );
    });
}

#[test]
fn a_refresh_that_the_cool_down_prevents_counts_as_suppressed() {
    paused(|recorder| async move {
        let (issuer, _client, validator) = scripted(KeySettings::default());
        validator.ready().await;
        let good = issuer.user().mint();
        let forger = Forger::new(&good);
        let forged = issuer.user().signed_by_stranger().mint();
        // The first of each has its fetch.
        let _ = outcome(&validator, &forger.token()).await;
        let _ = outcome(&validator, &forged).await;
        time::sleep(SECOND).await;
        assert_counts(&recorder, names::KEY_REFRESHES_SUPPRESSED, &[]);

        for _ in 0..10 {
            let refused = at_once(&validator, &forger.token());
            assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        }
        for _ in 0..7 {
            let refused = at_once(&validator, &forged);
            assert_eq!(refused, Err(ErrorKind::InvalidSignature));
        }
        // Is not worth a fetch.
        let _ = at_once(&validator, &good);
        // Nor is this; but nothing of it is read to find that out.
        let _ = at_once(
            &validator,
            &issuer.user().expired().signed_by_stranger().mint(),
        );
        assert_counts(
            &recorder,
            names::KEY_REFRESHES_SUPPRESSED,
            &[("cause=unknown_key", 10), ("cause=bad_signature", 8)],
        );
    });
}

#[test]
fn requests_that_wait_for_the_same_fetch_are_not_suppressed() {
    paused(|recorder| async move {
        let (issuer, client, validator) = scripted(KeySettings::default());
        validator.ready().await;
        let forger = Forger::new(&issuer.user().mint());
        client.reply(Reply::RightAfter(SECOND / 2));
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (validator, token) = (validator.clone(), forger.token());
            requests.spawn(async move { outcome(&validator, &token).await });
        }
        for refused in requests.join_all().await {
            assert_eq!(refused, Err(ErrorKind::UnknownKey));
        }
        assert_counts(&recorder, names::KEY_REFRESHES_SUPPRESSED, &[]);
        assert_eq!(client.key_fetches(), 2);
    });
}

#[test]
fn the_gauges_move_on_while_nothing_is_fetched() {
    paused(|recorder| async move {
        let (_issuer, client, validator) = scripted(KeySettings::default());
        let age = || recorder.gauge(names::KEY_SET_AGE);
        let left = || recorder.gauge(names::KEY_SET_TIME_LEFT).unwrap();
        assert_eq!(age(), None);
        validator.ready().await;
        time::sleep(TICK).await;
        assert!(age() < Some(0.1));
        assert!((left() - 86_400.0).abs() < 0.1, "{}", left());

        // Half a minute after each, the gauges are at most a quarter of a minute behind.
        let fetched = time::Instant::now();
        for minutes in 1..50 {
            time::sleep_until(fetched + minutes * MINUTE + SECOND / 2).await;
            let now = fetched.elapsed().as_secs_f64();
            assert!(
                (now - 15.5..=now).contains(&age().unwrap()),
                "{age:?} {now}",
                age = age()
            );
            assert!((age().unwrap() + left() - 86_400.0).abs() < 0.1);
        }
        assert_eq!(client.key_fetches(), 1);

        client.reply(Reply::Fails);
        time::sleep_until(fetched + DAY - 30 * SECOND).await;
        assert!((15.0..=60.0).contains(&left()), "{}", left());
        time::sleep(40 * SECOND).await;
        assert_eq!(left(), 0.0);
        assert!(age() > Some(86_400.0 - 1.0));

        client.reply(Reply::Right);
        time::sleep(61 * SECOND).await;
        assert!(age() < Some(61.0));
        assert!(left() > 86_000.0);
    });
}

#[test]
fn without_keys_no_time_is_left_and_there_is_no_age() {
    paused(|recorder| async move {
        let (_issuer, client, validator) = scripted(KeySettings::default());
        client.reply(Reply::Fails);
        let _ = time::timeout(HOUR, validator.ready()).await;
        assert_eq!(recorder.gauge(names::KEY_SET_TIME_LEFT), Some(0.0));
        assert_eq!(recorder.gauge(names::KEY_SET_AGE), None);
    });
}

#[test]
fn keys_with_names_have_series_of_their_own() {
    paused(|recorder| async move {
        let issuer = tower_entra::testing::Issuer::start_blocking();
        let named = |name| {
            let settings = KeySettings::default().with_name(name);
            scripted_for(&issuer, settings)
        };
        let [(_, one), (client, other)]: [(Client, _); 2] = [named("one"), named("other")];
        one.ready().await;
        client.reply(Reply::Fails);
        let _ = time::timeout(TICK, other.ready()).await;
        let left = |name| {
            let series = format!("{}{{key_source={name}}}", names::KEY_SET_TIME_LEFT);
            recorder.gauge(&series)
        };
        assert!(left("one") > Some(86_399.0));
        assert_eq!(left("other"), Some(0.0));
        assert_counts(
            &recorder,
            names::KEY_REFRESHES,
            &[
                ("cause=start,outcome=success,key_source=one", 1),
                (
                    "cause=start,outcome=failure,error.type=unreachable,key_source=other",
                    1,
                ),
            ],
        );
    });
}

#[track_caller]
fn assert_samples(recorder: &Recorder, name: &str, outcome: &str, expected: &[f64]) {
    let samples = recorder.samples(&format!("{name}{{outcome={outcome}}}"));
    let samples = samples.expect("there from the start");
    let is_near = |(sample, expected): (&f64, &f64)| (sample - expected).abs() < 0.01;
    assert!(
        samples.len() == expected.len() && samples.iter().zip(expected).all(is_near),
        "{name} of {outcome}: {samples:?}, not {expected:?}"
    );
}

#[test]
fn a_fetch_is_measured_by_its_outcome() {
    paused(|recorder| async move {
        let assert = |outcome, expected: &[f64]| {
            assert_samples(&recorder, names::KEY_REFRESH_DURATION, outcome, expected);
        };
        let (_issuer, client, validator) = scripted(KeySettings::default());
        assert("failure", &[]);
        assert("success", &[]);
        client.reply(Reply::Never);
        let _ = validator.ready_within(6 * SECOND).await;
        assert("failure", &[5.0]);
        client.reply(Reply::Fails);
        let _ = validator.ready_within(SECOND).await;
        client.reply(Reply::RightAfter(SECOND));
        validator.ready().await;
        // Of both documents.
        assert("success", &[2.0]);
        let failures = recorder.counters().values().sum::<u64>() - 1;
        let samples = format!("{}{{outcome=failure}}", names::KEY_REFRESH_DURATION);
        let samples = recorder.samples(&samples).unwrap();
        assert_eq!(samples.len(), usize::try_from(failures).unwrap());
    });
}

#[test]
fn a_wait_for_a_key_is_measured_by_its_outcome() {
    paused(|recorder| async move {
        let assert = |outcome, expected: &[f64]| {
            assert_samples(&recorder, names::KEY_WAIT_DURATION, outcome, expected);
        };
        let (issuer, client, validator) = scripted(KeySettings::default());
        assert("abandoned", &[]);
        client.reply(Reply::RightAfter(SECOND / 2));
        let token = issuer.user().mint();
        let gone = time::timeout(SECOND / 4, validator.validate(&token)).await;
        assert!(gone.is_err());
        assert("abandoned", &[0.25]);
        assert_eq!(outcome(&validator, &token).await, Ok(()));
        assert("success", &[0.75]);
        // Most tokens do not wait.
        for _ in 0..3 {
            assert_eq!(outcome(&validator, &token).await, Ok(()));
        }
        let forger = Forger::new(&token);
        let refused = outcome(&validator, &forger.token()).await;
        assert_eq!(refused, Err(ErrorKind::UnknownKey));
        // It is not looked up, so it does not wait.
        let refused = outcome(&validator, &forger.token()).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        time::sleep(11 * SECOND).await;
        client.reply(Reply::Never);
        let refused = outcome(&validator, &forger.token()).await;
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
        assert("failure", &[1.0, 2.0]);
        assert("abandoned", &[0.25]);
        assert("success", &[0.75]);
    });
}

/// How many series each metric has.
fn series_by_name(recorder: &Recorder) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for series in recorder.series() {
        let name = series.split('{').next().unwrap();
        *names.entry(name.to_owned()).or_default() += 1;
    }
    names
}

fn from_the_start() -> BTreeMap<String, usize> {
    let names = [
        // 15 callers admitted, 29 kinds of refusal, 14 reasons of denials for these callers and for none.
        (names::VERDICTS, 15 + 29 + 1 + 14 * 16),
        (names::TOKEN_CACHE_LOOKUPS, 2),
        // 5 causes: a success, and 12 failures.
        (names::KEY_REFRESHES, 5 * 13),
        (names::KEY_REFRESHES_SUPPRESSED, 2),
        (names::KEY_REFRESH_DURATION, 2),
        (names::KEY_WAIT_DURATION, 3),
        (names::KEY_SET_TIME_LEFT, 1),
    ];
    names.map(|(name, series)| (name.to_owned(), series)).into()
}

#[test]
fn all_series_are_there_once_a_validator_is_built() {
    Recorder::during(|recorder| {
        let (_issuer, _client, validator) = scripted(KeySettings::default());
        assert_eq!(series_by_name(recorder), from_the_start());
        assert_eq!(recorder.counters(), BTreeMap::new());
        assert_eq!(recorder.gauge(names::KEY_SET_TIME_LEFT), Some(0.0));
        drop(validator);
    });
}

#[test]
fn a_recorder_that_is_installed_later_has_all_series_once_the_task_starts() {
    let (_issuer, _client, validator) = scripted(KeySettings::default());
    paused(|recorder| async move {
        assert!(recorder.series().is_empty());
        let _ = validator.status();
        tokio::task::yield_now().await;
        let mut found = series_by_name(&recorder);
        found.remove(names::KEY_SET_AGE);
        assert_eq!(found, from_the_start());
    });
}

#[test]
fn another_validator_takes_no_time_away_from_the_keys_of_the_first() {
    paused(|recorder| async move {
        let (issuer, _client, validator) = scripted(KeySettings::default());
        validator.ready().await;
        time::sleep(TICK).await;
        let left = || recorder.gauge(names::KEY_SET_TIME_LEFT);
        assert!(left() > Some(86_000.0));
        let other = scripted_for(&issuer, KeySettings::default());
        assert!(left() > Some(86_000.0));
        drop(other);
    });
}

#[test]
fn every_failure_of_a_refresh_has_a_series_from_the_start() {
    paused(|recorder| async move {
        let (issuer, client, validator) = scripted(KeySettings::default());
        let start = recorder.series();
        let encoded = {
            let mut answer = Response::new(Vec::new());
            let name = http::header::CONTENT_ENCODING;
            answer.headers_mut().insert(name, "gzip".parse().unwrap());
            answer
        };
        let document = |issuer: &str, keys: &str| {
            let document = serde_json::json!({"issuer": issuer, "jwks_uri": keys});
            Reply::Discovery(Response::new(document.to_string().into_bytes()))
        };
        let (url, tenant) = (issuer.url(), issuer.tenant_id());
        let many = vec![serde_json::json!({}); 101];
        let many = serde_json::json!({ "keys": many }).to_string();
        for reply in [
            Reply::Fails,
            Reply::Never,
            of_status(StatusCode::BAD_GATEWAY),
            Reply::Keys(Response::new(vec![b' '; 300 * 1024])),
            Reply::Keys(encoded),
            Reply::Discovery(Response::new(Vec::new())),
            document("https://other.example", "https://other.example"),
            document(
                &format!("{url}/{tenant}/v2.0"),
                "https://other.example/keys",
            ),
            Reply::Keys(Response::new(Vec::new())),
            Reply::Keys(Response::new(many.into_bytes())),
            Reply::Keys(Response::new(br#"{"keys":[{}]}"#.to_vec())),
            Reply::PanicsLater,
        ] {
            client.reply(reply);
            let _ = validator.status();
            time::sleep(2 * MINUTE).await;
        }
        let failures = counts(&recorder, names::KEY_REFRESHES);
        let mut codes: Vec<_> = failures
            .keys()
            .filter_map(|labels| labels.split("error.type=").nth(1))
            .collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 12, "{codes:?}");
        assert_eq!(recorder.series(), start);
    });
}

#[test]
fn every_metric_is_described_by_the_time_it_is_recorded() {
    paused(|recorder| async move {
        let (issuer, _client, validator) = scripted(KeySettings::default());
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
        let described = recorder.described();
        assert_eq!(described.len(), 8);
        for series in recorder.series() {
            let name = series.split('{').next().unwrap();
            assert!(described.contains_key(name), "{name}");
        }
    });
}

#[test]
fn nothing_of_a_token_or_an_answer_becomes_a_label() {
    paused(|recorder| async move {
        let (issuer, client, validator) = scripted(KeySettings::default());
        validator.ready().await;
        let good = issuer.user().mint();
        let forger = Forger::new(&good);
        for token in [
            good.clone(),
            forger.token_of("hostile"),
            issuer.user().claim("iss", "hostile").mint(),
            issuer.user().claim("aud", "hostile").mint(),
            issuer.user().claim("tid", "hostile").mint(),
            issuer.user().header("alg", "hostile").mint(),
            "hostile".to_owned(),
        ] {
            let _ = outcome(&validator, &token).await;
        }
        for reply in [
            Reply::Keys(Response::new(b"hostile".to_vec())),
            Reply::Discovery(Response::new(
                br#"{"issuer":"hostile","jwks_uri":"hostile"}"#.to_vec(),
            )),
            of_status(StatusCode::from_u16(599).unwrap()),
        ] {
            client.reply(reply);
            time::sleep(2 * HOUR).await;
        }
        let series = recorder.series();
        assert!(series.len() > 10, "{series:?}");
        for name in series {
            assert!(!name.contains("hostile") && !name.contains("599"), "{name}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || b"_.{}=,".contains(&byte);
            assert!(name.bytes().all(plain), "{name}");
        }
    });
}
