//! The spans: only where something waits or is fetched.

use tokio::time;
use tower_entra::{ErrorKind, KeySettings};
use tracing::{Instrument, Level};

use crate::support::{
    client::{Reply, scripted},
    log::Spanned,
    *,
};

const REFRESH: &str = "tower_entra.keys.refresh";
const WAIT: &str = "tower_entra.keys.wait";

fn spans(log: &Log, name: &str) -> Vec<Spanned> {
    let mut spans = log.spans();
    spans.retain(|span| span.name == name);
    spans
}

#[track_caller]
fn assert_fields(span: &Spanned, expected: &[(&str, Option<&str>)]) {
    for (name, value) in expected {
        assert_eq!(span.field(name), *value, "{name} of {span:?}");
    }
    assert_eq!(span.target, "tower_entra::keys");
    assert_eq!(span.level, Level::INFO);
    assert!(span.is_closed);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_wait_has_no_span() {
    let log = Log::of_this_thread();
    let (issuer, _client, validator) = scripted(KeySettings::default());
    validator.ready().await;
    let before = log.spans().len();
    for token in [issuer.user(), issuer.user().expired()] {
        let _ = at_once(&validator, &token.mint());
    }
    let _ = at_once(&validator, "x");
    let forger = Forger::new(&issuer.user().mint());
    assert_eq!(
        outcome(&validator, &forger.token()).await,
        Err(ErrorKind::UnknownKey)
    );
    let waited = spans(&log, WAIT).len();
    // In the cool-down.
    for _ in 0..10 {
        let refused = at_once(&validator, &forger.token());
        assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    }
    assert_eq!(waited, 1);
    // The wait, and the fetch that it caused.
    assert_eq!(log.spans().len(), before + 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_is_a_span_of_its_own_with_cause_and_outcome() {
    let log = Log::of_this_thread();
    let settings = KeySettings::default().with_name("one");
    let (issuer, client, validator) = scripted(settings);
    client.reply(Reply::Fails);
    let caller = tracing::info_span!(target: "tower_entra::test", "caller");
    let _ = validator.ready_within(TICK).instrument(caller).await;
    client.reply(Reply::Right);
    validator.ready().await;
    issuer.rotate();
    assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
    time::sleep(TICK).await;
    let found = spans(&log, REFRESH);
    let expected = [
        ("start", "failure", Some("unreachable")),
        ("retry", "success", None),
        ("unknown_key", "success", None),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (span, (cause, outcome, code)) in found.iter().zip(expected) {
        assert_eq!(span.parent, None);
        let fields = [
            ("cause", Some(cause)),
            ("outcome", Some(outcome)),
            ("error.type", code),
            ("key_source", Some("one")),
        ];
        assert_fields(span, &fields);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_a_span_inside_that_of_the_request() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    let request = || tracing::info_span!(target: "tower_entra::test", "request");
    let token = issuer.user().mint();
    client.reply(Reply::RightAfter(SECOND / 2));
    // It goes away.
    let gone = validator.validate(&token).instrument(request());
    assert!(time::timeout(SECOND / 4, gone).await.is_err());
    // It is admitted.
    let admitted = validator.validate(&token).instrument(request()).await;
    assert!(admitted.is_ok());
    // Its key is unknown.
    let forger = Forger::new(&token);
    let unknown = forger.token();
    let refused = validator.validate(&unknown).instrument(request()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::UnknownKey);
    // No answer comes in time.
    time::sleep(11 * SECOND).await;
    client.reply(Reply::Never);
    let unknown = forger.token();
    let refused = validator.validate(&unknown).instrument(request()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::KeysUnavailable);

    let found = spans(&log, WAIT);
    let expected = [
        ("abandoned", None),
        ("success", None),
        ("failure", Some("unknown_key")),
        ("failure", Some("keys_unavailable")),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (span, (outcome, code)) in found.iter().zip(expected) {
        assert_eq!(span.parent, Some("request"));
        assert_fields(span, &[("outcome", Some(outcome)), ("error.type", code)]);
    }
    for (name, token) in [("the good one", &token), ("the last", &unknown)] {
        let kid = token.split('.').next().unwrap();
        assert!(!format!("{found:?}").contains(kid), "{name}");
    }
    assert!(!format!("{found:?}").contains("forged"), "{found:?}");
}
