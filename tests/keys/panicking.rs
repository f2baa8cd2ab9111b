//! A subscriber of the program that panics when the task that fetches keys logs something.

use http::{Response, StatusCode};
use tokio::time;
use tower_entra::{ErrorKind, KeySettings, KeyStatus};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::support::{
    client::{Reply, scripted},
    *,
};

#[tokio::test(start_paused = true)]
async fn keys_come_and_change_although_logging_panics() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    log.panic_at("fetching keys");
    within(validator.ready()).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));

    log.panic_at("the signing keys have changed");
    for fetches in 2..5 {
        issuer.rotate();
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
        assert_eq!(client.key_fetches(), fetches);
        time::sleep(31 * SECOND).await;
    }
    assert_eq!(log.count("the signing keys have changed"), 3);
    // The task has lived through it all, and fetches when the next hour is over, give or take a tenth.
    time::sleep(4_000 * SECOND).await;
    assert_eq!(client.key_fetches(), 5);
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_although_logging_panics() {
    let log = Log::of_this_thread();
    let settings = KeySettings::default().with_stale_limit(7_200 * SECOND);
    let (issuer, client, validator) = scripted(settings);
    log.panic_at("the signing keys are loaded");
    within(validator.ready()).await;

    log.panic_at("keys cannot be fetched; the last good ones serve on");
    let mut refusal = Response::new(Vec::new());
    *refusal.status_mut() = StatusCode::BAD_GATEWAY;
    client.reply(Reply::Keys(refusal));
    let before = client.key_fetches();
    time::sleep(4_000 * SECOND).await;
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    // Tried again and again, no more often than the back-off allows.
    let tries = client.key_fetches() - before;
    assert!((2..100).contains(&tries), "{tries} fetches");

    log.panic_at("the last good keys are too old; requests are answered with 503");
    time::sleep(4_000 * SECOND).await;
    assert_eq!(validator.status(), KeyStatus::Unavailable);
    assert_eq!(log.count("the last good keys are too old"), 1);
    let refused = validate(&validator, &issuer.user().mint()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::KeysUnavailable);

    log.panic_at("keys can be fetched again");
    client.reply(Reply::Right);
    time::sleep(61 * SECOND).await;
    assert_eq!(validator.status(), KeyStatus::Fresh);
    assert_eq!(at_once(&validator, &issuer.user().mint()), Ok(()));
}

/// Panics whenever a span is entered or left.
struct PanicsInSpans;

impl<S: Subscriber> Layer<S> for PanicsInSpans {
    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        panic!("in a span");
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        panic!("out of a span");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_come_although_entering_a_span_panics() {
    let _subscriber = tracing_subscriber::registry()
        .with(PanicsInSpans)
        .set_default();
    let (issuer, client, validator) = scripted(KeySettings::default());
    within(validator.ready()).await;
    for fetches in 2..4 {
        issuer.rotate();
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
        assert_eq!(client.key_fetches(), fetches);
        time::sleep(11 * SECOND).await;
    }
    // A fetch that is cut off in its span, too.
    client.reply(Reply::Never);
    issuer.rotate();
    let refused = outcome(&validator, &issuer.user().mint()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    time::sleep(6 * SECOND).await;
    assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
}

/// Panics whenever a handle of a span is cloned.
struct PanicsAtClones;

impl Subscriber for PanicsAtClones {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, _: &Id) -> Id {
        panic!("a handle of a span is cloned");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_come_although_cloning_a_span_panics() {
    let _subscriber = tracing::subscriber::set_default(PanicsAtClones);
    let (issuer, client, validator) = scripted(KeySettings::default());
    within(validator.ready()).await;
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    assert_eq!(client.key_fetches(), 2);
}
