//! Requests that go away while they wait for a key: audited and counted all the same, once.

use std::convert::Infallible;

use http::Response;
use tokio::time;
use tower::{Layer, Service, service_fn};
use tower_entra::{EntraAuthLayer, KeySettings, testing::Fault};

use crate::support::{log::Line, *};

/// A layer whose key set is there, and a token of a key that does not come.
async fn waiting_layer() -> (tower_entra::testing::Issuer, EntraAuthLayer, String) {
    let (issuer, validator) = ready(KeySettings::default()).await;
    let kid = issuer.new_unpublished_key();
    let token = issuer.user().signed_by(&kid).mint();
    issuer.fail(Fault::Hang);
    (issuer, EntraAuthLayer::new(validator), token)
}

#[test]
fn a_request_that_goes_away_while_it_waits_is_audited_once() {
    let log = Log::of_this_thread();
    block_on(async {
        let (_issuer, layer, token) = waiting_layer().await;
        let request = send(&layer, with_line(format!("Bearer {token}")));
        let gone = time::timeout(20 * TICK, request).await;
        assert!(gone.is_err(), "it waits");
        let line = only_refusal(&log);
        assert_eq!(line.field("code"), Some(r#""keys_unavailable""#));
        assert!(line.text.contains("went away while it waited"), "{line:?}");
        log.reveals_nothing(&token);
    });
}

#[test]
fn a_request_that_goes_away_before_its_first_poll_is_audited_once() {
    let log = Log::of_this_thread();
    block_on(async {
        let (_issuer, layer, token) = waiting_layer().await;
        hang_up(&layer, &token);
        only_refusal(&log);
    });
}

#[test]
fn a_request_that_goes_away_before_the_first_keys_is_audited_once() {
    let log = Log::of_this_thread();
    block_on(async {
        let (issuer, validator) = unready(KeySettings::default());
        issuer.fail(Fault::Hang);
        let layer = EntraAuthLayer::new(validator);
        let request = send(
            &layer,
            with_line(format!("Bearer {}", issuer.user().mint())),
        );
        assert!(time::timeout(20 * TICK, request).await.is_err());
        let line = only_refusal(&log);
        assert!(line.text.contains("went away while it waited"), "{line:?}");
    });
}

#[test]
fn a_request_that_stays_is_audited_once_with_its_answer() {
    let log = Log::of_this_thread();
    block_on(async {
        let settings = KeySettings::default().with_wait(50 * TICK);
        let (issuer, validator) = ready(settings).await;
        let layer = EntraAuthLayer::new(validator);
        let forger = Forger::new(&issuer.user().mint());
        issuer.fail(Fault::Hang);
        send(&layer, with_line(format!("Bearer {}", forger.token()))).await;
        let line = only_refusal(&log);
        assert!(!line.text.contains("went away"), "{line:?}");

        issuer.heal();
        let (issuer, validator) = ready(KeySettings::default()).await;
        let layer = EntraAuthLayer::new(validator);
        issuer.rotate();
        let token = issuer.user().mint();
        send(&layer, with_line(format!("Bearer {token}"))).await;
        assert_eq!(log.count("request admitted"), 1);
        only_refusal(&log);
    });
}

#[test]
fn without_an_audit_log_a_request_that_goes_away_is_a_line_for_debugging() {
    let log = Log::of_this_thread();
    block_on(async {
        let (_issuer, layer, token) = waiting_layer().await;
        hang_up(&layer.without_audit_log(), &token);
        let line = only_refusal(&log);
        assert_eq!(line.level, tracing::Level::DEBUG);
    });
}

#[test]
fn a_subscriber_that_panics_at_a_request_that_went_away_does_no_harm() {
    let log = Log::of_this_thread();
    block_on(async {
        let (issuer, layer, token) = waiting_layer().await;
        log.panic_at("request refused");
        hang_up(&layer, &token);
        issuer.heal();
    });
}

#[cfg(feature = "metrics")]
#[test]
fn a_request_that_goes_away_while_it_waits_is_counted_once() {
    use tower_entra::metrics as names;

    use crate::support::recorder::Recorder;

    Recorder::during(|recorder| {
        block_on(async {
            let (issuer, validator) = ready(KeySettings::default()).await;
            let layer = EntraAuthLayer::new(validator.clone());
            let forger = Forger::new(&issuer.user().mint());
            issuer.fail(Fault::Hang);
            let count = || {
                let series = format!(
                    "{}{{outcome=refused,error.type=keys_unavailable}}",
                    names::VERDICTS
                );
                recorder.counters().get(&series).copied().unwrap_or(0)
            };
            hang_up(&layer, &forger.token());
            assert_eq!(count(), 1, "before its first poll");
            let request = send(&layer, with_line(format!("Bearer {}", forger.token())));
            assert!(time::timeout(20 * TICK, request).await.is_err());
            assert_eq!(count(), 2, "while it waited");
            let token = forger.token();
            let validation = validator.validate(&token);
            assert!(time::timeout(20 * TICK, validation).await.is_err());
            assert_eq!(count(), 3, "without a layer");
            // With an answer, once as well.
            let _ = validator.validate(&token).await;
            let counters = recorder.counters().into_iter();
            let verdicts = counters.filter(|(series, _)| series.starts_with(names::VERDICTS));
            assert_eq!(verdicts.map(|(_, count)| count).sum::<u64>(), 4);
        });
    });
}

/// Drops the answer to a request without having polled it.
fn hang_up(layer: &EntraAuthLayer, token: &str) {
    let inner = service_fn(|_| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let mut service = layer.layer(inner);
    drop(service.call(with_line(format!("Bearer {token}"))));
}

#[track_caller]
fn only_refusal(log: &Log) -> Line {
    let lines = log.with("request refused");
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().expect("one line")
}
