//! The settings of the key source, each with its default and its range.

use std::time::Duration;

use crate::config_error::{ConfigError, check_range};

/// How keys are fetched, kept and refreshed.
///
/// The defaults suit production. Each setting names its default and its range;
/// [`ValidatorBuilder::build`](crate::ValidatorBuilder::build) refuses a value outside the range.
///
/// ```
/// use std::time::Duration;
///
/// use tower_entra::KeySettings;
///
/// let settings = KeySettings::default().with_refresh_interval(Duration::from_secs(30 * 60));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    pub(crate) refresh_interval: Duration,
    pub(crate) stale_limit: Duration,
    pub(crate) first_retry: Duration,
    pub(crate) last_retry: Duration,
    pub(crate) max_retry_after: Duration,
    pub(crate) cool_down: Duration,
    pub(crate) wait: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) max_absent: usize,
    pub(crate) signature_interval: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) max_body: usize,
    pub(crate) max_keys: usize,
    pub(crate) name: Option<&'static str>,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            refresh_interval: Duration::from_secs(60 * 60),
            stale_limit: Duration::from_secs(24 * 60 * 60),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_secs(60),
            max_retry_after: Duration::from_secs(5 * 60),
            cool_down: Duration::from_secs(10),
            wait: Duration::from_secs(2),
            max_waiters: 1_024,
            max_absent: 128,
            signature_interval: Duration::from_secs(5 * 60),
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(5),
            max_body: 256 * 1024,
            max_keys: 100,
            name: None,
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $setter:ident, $field:ident: $type:ty;)*) => {
        impl KeySettings {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $setter(self, $field: $type) -> Self {
                    Self { $field, ..self }
                }
            )*
        }
    };
}

settings! {
    /// The interval between scheduled refreshes, ± 10 % so that replicas do not fetch at the same
    /// time. Default 1 h; from 1 s to 24 h.
    with_refresh_interval, refresh_interval: Duration;

    /// How long after its fetch the last good key set remains in use while fetches fail. Afterwards
    /// requests are answered with 503. Its age is that by the monotonic or by the wall clock, whichever
    /// is greater, so the time for which the machine sleeps counts. Default 24 h; from the refresh interval
    /// to 7 days.
    with_stale_limit, stale_limit: Duration;

    /// The longest pause after a first failed fetch. It doubles with each further failure, and each
    /// pause is a random part of it (full jitter). Default 1 s; from 10 ms to the last pause.
    with_first_retry, first_retry: Duration;

    /// The limit up to which that pause doubles. Default 60 s; from 10 ms to 1 h.
    with_last_retry, last_retry: Duration;

    /// The longest `Retry-After` that is honoured; a longer one is cut to this. Default 5 min; up
    /// to 1 h.
    with_max_retry_after, max_retry_after: Duration;

    /// How long after the start of a fetch for an unknown `kid` no other such fetch is made, even
    /// if that one failed. Meanwhile a request with another unknown `kid` is answered with 503 and
    /// the time left. Default 10 s; from 1 s to 10 min.
    with_cool_down, cool_down: Duration;

    /// How long a request waits for keys. Default 2 s; from 1 ms to 30 s.
    with_wait, wait: Duration;

    /// How many requests may wait for keys at a time; further ones are answered with 503 at once.
    /// Default 1,024; from 1 to 65,536.
    with_max_waiters, max_waiters: usize;

    /// How many `kid`s for which requests have waited are remembered, so that those that a fetch
    /// shows to be absent are refused at once for the rest of its cool-down. Default 128; up to
    /// 4,096.
    with_max_absent, max_absent: usize;

    /// How long after the start of a fetch for a bad signature no other such fetch is made.
    /// Default 5 min; from 1 s to 24 h.
    with_signature_interval, signature_interval: Duration;

    /// How long connecting to the authority may take. Default 2 s; from 1 ms to 60 s. Applies to
    /// the default HTTP client only.
    with_connect_timeout, connect_timeout: Duration;

    /// How long one refresh may take, discovery document and keys together. Default 5 s; from 1 ms
    /// to 60 s.
    with_total_timeout, total_timeout: Duration;

    /// The largest document that is accepted, in bytes. Default 256 KiB; from 1 KiB to 4 MiB.
    with_max_body, max_body: usize;

    /// The largest number of keys in a key set. Default 100; from 1 to 1,000.
    with_max_keys, max_keys: usize;
}

impl KeySettings {
    /// Labels these keys in the metrics (feature `metrics`). Needed where a program has several
    /// validators with keys of their own: without labels they share one gauge. Default: none.
    #[must_use]
    pub fn with_name(self, name: &'static str) -> Self {
        let name = Some(name);
        Self { name, ..self }
    }

    /// Checks that each setting is in its range.
    pub(crate) fn check_ranges(&self) -> Result<(), ConfigError> {
        let ranges = [
            ("refresh_interval", self.refresh_interval, SECOND, DAY),
            (
                "stale_limit",
                self.stale_limit,
                self.refresh_interval,
                7 * DAY,
            ),
            (
                "first_retry",
                self.first_retry,
                10 * MILLISECOND,
                self.last_retry,
            ),
            ("last_retry", self.last_retry, 10 * MILLISECOND, HOUR),
            (
                "max_retry_after",
                self.max_retry_after,
                Duration::ZERO,
                HOUR,
            ),
            ("cool_down", self.cool_down, SECOND, 10 * MINUTE),
            ("wait", self.wait, MILLISECOND, 30 * SECOND),
            ("signature_interval", self.signature_interval, SECOND, DAY),
            ("connect_timeout", self.connect_timeout, MILLISECOND, MINUTE),
            ("total_timeout", self.total_timeout, MILLISECOND, MINUTE),
        ];
        for (setting, value, least, most) in ranges {
            check_range(setting, &value, &least, &most)?;
        }
        check_range("max_waiters", &self.max_waiters, &1, &65_536)?;
        check_range("max_absent", &self.max_absent, &0, &4_096)?;
        check_range("max_body", &self.max_body, &1024, &(4 * 1024 * 1024))?;
        check_range("max_keys", &self.max_keys, &1, &1_000)
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(KeySettings::default().check_ranges(), Ok(()));
    }

    #[test]
    fn the_ends_of_a_range_are_in_it_and_values_beyond_are_not() {
        let with = KeySettings::default;
        let mebibyte = 1024 * 1024;
        for settings in [
            with().with_max_body(1024),
            with().with_max_body(4 * mebibyte),
            with().with_max_waiters(1),
            with().with_max_waiters(65_536),
            with().with_max_absent(0),
            with().with_max_absent(4_096),
            with().with_max_keys(1),
            with().with_max_keys(1_000),
            with().with_cool_down(SECOND),
            with().with_cool_down(10 * MINUTE),
            with().with_wait(MILLISECOND),
            with().with_wait(30 * SECOND),
        ] {
            assert!(settings.check_ranges().is_ok(), "{settings:?}");
        }
        for settings in [
            with().with_max_body(1023),
            with().with_max_body(4 * mebibyte + 1),
            with().with_max_waiters(65_537),
            with().with_max_absent(4_097),
            with().with_max_keys(1_001),
            with().with_cool_down(SECOND - MILLISECOND),
            with().with_cool_down(10 * MINUTE + MILLISECOND),
            with().with_wait(30 * SECOND + MILLISECOND),
        ] {
            assert!(settings.check_ranges().is_err(), "{settings:?}");
        }
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let with = KeySettings::default;
        for (setting, settings) in [
            (
                "refresh_interval",
                with().with_refresh_interval(Duration::ZERO),
            ),
            ("refresh_interval", with().with_refresh_interval(2 * DAY)),
            ("stale_limit", with().with_stale_limit(30 * MINUTE)),
            ("stale_limit", with().with_stale_limit(Duration::MAX)),
            ("first_retry", with().with_first_retry(Duration::ZERO)),
            ("first_retry", with().with_first_retry(2 * MINUTE)),
            (
                "last_retry",
                with().with_first_retry(SECOND).with_last_retry(2 * HOUR),
            ),
            ("max_retry_after", with().with_max_retry_after(2 * HOUR)),
            ("cool_down", with().with_cool_down(Duration::ZERO)),
            ("cool_down", with().with_cool_down(HOUR)),
            ("wait", with().with_wait(Duration::ZERO)),
            ("wait", with().with_wait(MINUTE)),
            (
                "signature_interval",
                with().with_signature_interval(Duration::ZERO),
            ),
            (
                "connect_timeout",
                with().with_connect_timeout(Duration::ZERO),
            ),
            ("total_timeout", with().with_total_timeout(HOUR)),
            ("max_waiters", with().with_max_waiters(0)),
            ("max_absent", with().with_max_absent(5_000)),
            ("max_body", with().with_max_body(10)),
            ("max_keys", with().with_max_keys(0)),
        ] {
            let error = settings.check_ranges().expect_err(setting);
            assert_eq!(error.setting(), setting);
        }
        let error = with()
            .with_cool_down(Duration::ZERO)
            .check_ranges()
            .expect_err("no cool-down");
        assert_eq!(
            error.to_string(),
            "cool_down: 0ns is not between 1s and 600s"
        );
    }
}
