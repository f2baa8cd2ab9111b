//! Time, and limits for whatever takes some.

use std::time::{Duration, Instant};

use tokio::time;

pub(crate) const TICK: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs `test` on a runtime of its own, which has no thread but this one.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(within(test))
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let result = time::timeout(LIMIT, future).await;
    result.expect("no wait is without a limit")
}

/// Waits until this is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "never: {what}");
        time::sleep(2 * TICK).await;
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
