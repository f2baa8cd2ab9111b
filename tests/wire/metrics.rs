//! Verdicts in the metrics: each is counted once, with a layer and without one.

use std::collections::BTreeMap;

use http::{Request, Response, header::AUTHORIZATION};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    Denial, EntraAuthLayer, Error, KeySettings, Validator, metrics as names,
    testing::{Fault, Issuer},
};

use crate::support::{block_on, issuer, recorder::Recorder};

/// Sends a request with these `Authorization` headers through a layer, to a service that admits or
/// denies it.
async fn send(layer: &EntraAuthLayer, headers: &[&str], denial: Option<Denial>) {
    let inner = service_fn(move |_: Request<()>| {
        let mut response = Response::new(());
        if let Some(denial) = denial.clone() {
            response.extensions_mut().insert(denial);
        }
        async move { Ok::<_, Error>(response) }
    });
    let mut request = Request::new(());
    for value in headers {
        let value = value.parse().unwrap();
        request.headers_mut().append(AUTHORIZATION, value);
    }
    let _ = layer.layer(inner).oneshot(request).await;
}

/// The counters of this name, by their labels.
fn counts(recorder: &Recorder, name: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (series, count) in recorder.counters() {
        if let Some(labels) = series.strip_prefix(name) {
            counts.insert(labels.trim_matches(['{', '}']).to_owned(), count);
        }
    }
    counts
}

#[track_caller]
fn assert_verdicts(recorder: &Recorder, expected: &[(&str, u64)]) {
    let expected = expected.iter();
    let expected = expected.map(|(labels, count)| ((*labels).to_owned(), *count));
    assert_eq!(counts(recorder, names::VERDICTS), expected.collect());
}

#[test]
fn a_layer_counts_each_request_once() {
    Recorder::during(|recorder| {
        let layer = EntraAuthLayer::new(issuer().validator());
        let bearer = |token: String| format!("Bearer {token}");
        let good = bearer(issuer().user().mint());
        let expired = bearer(issuer().user().expired().mint());
        let poor = bearer(issuer().application().without_claim("roles").mint());
        block_on(async {
            send(&layer, &[], None).await;
            send(&layer, &["DPoP x"], None).await;
            send(&layer, &["Bearer"], None).await;
            send(&layer, &["Bearer {}"], None).await;
            send(&layer, &[&good, &good], None).await;
            for _ in 0..3 {
                send(&layer, &[&good], None).await;
            }
            send(&layer, &[&expired], None).await;
            send(&layer, &[&expired], None).await;
            send(&layer, &[&poor], None).await;
            send(&layer, &[&good], Some(Denial::new())).await;

            let layer = layer.optional();
            send(&layer, &[], None).await;
            send(&layer, &["Basic YTpi"], None).await;
            send(&layer, &[], Some(Denial::anonymous())).await;
            send(&layer, &["DPoP x"], None).await;
        });
        assert_verdicts(
            recorder,
            &[
                ("outcome=admitted", 4),
                ("outcome=anonymous", 3),
                ("outcome=denied,error.type=denied", 1),
                ("outcome=refused,error.type=missing_token", 4),
                ("outcome=refused,error.type=malformed_authorization", 1),
                ("outcome=refused,error.type=multiple_credentials", 1),
                ("outcome=refused,error.type=expired", 2),
                ("outcome=refused,error.type=nothing_granted", 1),
            ],
        );
    });
}

#[test]
fn a_verdict_without_a_layer_counts_too() {
    Recorder::during(|recorder| {
        let validator = issuer().validator();
        block_on(async {
            let _ = validator.validate(&issuer().user().mint()).await;
            let _ = validator.validate("x").await;
            let forged = issuer().user().signed_by_stranger().mint();
            let _ = validator.validate(&forged).await;
        });
        assert_verdicts(
            recorder,
            &[
                ("outcome=admitted", 1),
                ("outcome=refused,error.type=malformed_token", 1),
                ("outcome=refused,error.type=invalid_signature", 1),
            ],
        );
    });
}

#[test]
fn a_token_that_waited_for_its_key_counts_once() {
    Recorder::during(|recorder| {
        let issuer = Issuer::start_blocking();
        let validator = issuer.validator();
        let layer = EntraAuthLayer::new(validator.clone());
        block_on(async {
            // For the first keys, through the layer and without it.
            send(&layer, &[&format!("Bearer {}", issuer.user().mint())], None).await;
            issuer.rotate();
            let admitted = validator.validate(&issuer.user().mint()).await;
            assert!(admitted.is_ok());
        });
        assert_verdicts(recorder, &[("outcome=admitted", 2)]);
    });
}

#[test]
fn a_request_that_goes_away_while_it_waits_counts_as_one_without_keys() {
    Recorder::during(|recorder| {
        let issuer = Issuer::start_blocking();
        issuer.fail(Fault::Hang);
        let validator = issuer.validator();
        let token = issuer.user().mint();
        block_on(async {
            let waiting = validator.validate(&token);
            let limit = std::time::Duration::from_millis(20);
            assert!(tokio::time::timeout(limit, waiting).await.is_err());
        });
        assert_verdicts(
            recorder,
            &[("outcome=refused,error.type=keys_unavailable", 1)],
        );
    });
}

#[test]
fn an_outage_of_the_keys_counts_as_that() {
    Recorder::during(|recorder| {
        let issuer = Issuer::start_blocking();
        issuer.fail(Fault::Status(500));
        let settings = KeySettings::default().with_wait(std::time::Duration::from_millis(20));
        let validator = issuer.validator_builder().key_settings(settings);
        let validator = validator.build().unwrap();
        block_on(async {
            let refused = validator.validate(&issuer.user().mint()).await;
            assert!(refused.is_err());
        });
        assert_verdicts(
            recorder,
            &[("outcome=refused,error.type=keys_unavailable", 1)],
        );
    });
}

#[test]
fn the_cache_counts_what_it_knew_and_what_not() {
    Recorder::during(|recorder| {
        let caching = issuer().validator_builder().token_cache(10);
        let validator: Validator = caching.build().unwrap();
        block_on(async {
            validator.ready().await;
            let [one, other] = [issuer().user().mint(), issuer().agent_user().mint()];
            for token in [&one, &one, &other, &one] {
                assert!(validator.validate(token).await.is_ok());
            }
            // What cannot be a token is not looked up.
            assert!(validator.validate("x").await.is_err());
        });
        let expected = [("result=hit", 2), ("result=miss", 2)];
        let expected = expected.map(|(labels, count)| (labels.to_owned(), count));
        assert_eq!(
            counts(recorder, names::TOKEN_CACHE_LOOKUPS),
            expected.into()
        );
        assert_verdicts(
            recorder,
            &[
                ("outcome=admitted", 4),
                ("outcome=refused,error.type=malformed_token", 1),
            ],
        );
        // Without a cache there is nothing to count.
        block_on(async {
            let _ = issuer().validator().validate(&issuer().user().mint()).await;
        });
        let lookups: u64 = counts(recorder, names::TOKEN_CACHE_LOOKUPS).values().sum();
        assert_eq!(lookups, 4);
    });
}
