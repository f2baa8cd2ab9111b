//! What the log calls an outage: not before the fetch that is due has failed, and never without an end.

use tokio::time;
use tower_entra::{KeySettings, KeyStatus};
use tracing::Level;

use crate::support::{
    client::{Reply, scripted},
    *,
};

const TOO_OLD: &str = "the last good keys are too old";
const OVER: &str = "keys can be fetched again";

fn short() -> KeySettings {
    KeySettings::default()
        .with_refresh_interval(5 * SECOND)
        .with_stale_limit(10 * SECOND)
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_past_the_stale_limit_raises_no_alarm_before_its_refresh() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(short());
    validator.ready().await;
    time::sleep(SECOND).await;
    // As between SIGSTOP and SIGCONT.
    time::advance(14 * SECOND).await;
    for _ in 0..3 {
        let served = outcome(&validator, &issuer.user().mint()).await;
        assert_eq!(served, Ok(()));
    }
    assert_eq!(client.key_fetches(), 2);
    assert_eq!(log.of_level(Level::ERROR), 0);
    assert_eq!(log.of_level(Level::WARN), 0);
    assert_eq!(validator.status(), KeyStatus::Fresh);
}

#[tokio::test(start_paused = true)]
async fn the_alarm_follows_the_refresh_that_failed_and_both_have_an_end() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(short());
    validator.ready().await;
    time::sleep(SECOND).await;
    client.reply(Reply::Fails);
    time::advance(14 * SECOND).await;
    let _ = outcome(&validator, &issuer.user().mint()).await;
    time::sleep(SECOND).await;
    let lines = log.lines();
    let at = |words: &str| {
        let is_it = |line: &log::Line| {
            line.field("message")
                .is_some_and(|text| text.contains(words))
        };
        lines.iter().position(is_it).expect(words)
    };
    assert!(at("keys cannot be fetched") < at(TOO_OLD));
    assert_eq!(log.count(TOO_OLD), 1);
    assert_eq!(log.count(OVER), 0);

    client.reply(Reply::Right);
    validator.ready().await;
    assert_eq!(log.count(OVER), 1);
    assert_eq!(log.count(TOO_OLD), 1);
}

#[tokio::test(start_paused = true)]
async fn every_outage_in_the_log_has_its_end() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(short());
    validator.ready().await;
    // Of every length, and with the process at a standstill in some of them.
    for tenths in (1..=40).map(|at| at * 7) {
        client.reply(Reply::Fails);
        time::sleep(tenths * 100 * TICK).await;
        time::advance(tenths % 5 * 3 * SECOND).await;
        client.reply(Reply::Right);
        validator.ready().await;
        time::sleep(15 * SECOND).await;
        assert_eq!(outcome(&validator, &issuer.user().mint()).await, Ok(()));
        let began = log.with("keys cannot be fetched").len();
        assert_eq!(log.count(OVER), began, "after {tenths}");
        assert!(log.count(TOO_OLD) <= began);
        assert_eq!(validator.status(), KeyStatus::Fresh);
    }
    assert!(log.count(TOO_OLD) > 5);
}
