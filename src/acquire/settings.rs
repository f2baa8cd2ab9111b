//! The numbers that a client can be given, each with its default and its range.

use std::time::Duration;

use crate::{
    characters::is_scope_token,
    config_error::{ConfigError, check_range},
};

/// Limits of acquiring tokens.
///
/// The defaults suit production. Each setting names its default and its range; a client refuses a value
/// outside the range when it is built.
///
/// ```
/// use tower_entra::acquire::AcquireSettings;
///
/// let settings = AcquireSettings::default().with_max_entries(100_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcquireSettings {
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) total_timeout: Duration,
    pub(super) max_flights: usize,
    pub(super) max_entries: usize,
    pub(super) exchange_audience: Option<String>,
}

impl Default for AcquireSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(30),
            max_flights: 256,
            max_entries: 10_000,
            exchange_audience: None,
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $setter:ident, $field:ident: $type:ty;)*) => {
        impl AcquireSettings {
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
    /// How long connecting to the token endpoint may take. Default 2 s; from 1 ms to 60 s. Applies to
    /// the default HTTP client only.
    with_connect_timeout, connect_timeout: Duration;

    /// How long one request to the token endpoint may take. Default 10 s; from 1 ms to 60 s.
    with_request_timeout, request_timeout: Duration;

    /// How long acquiring one token may take, all requests and the retry together. Default 30 s; from
    /// 1 ms to 5 min. A caller that needs a token which was acquired after it asked can wait for twice
    /// this time, because it first waits for the end of the acquisition under way.
    with_total_timeout, total_timeout: Duration;

    /// How many tokens may be acquired at a time. Without a place a caller gets
    /// [`Busy`](super::AcquireErrorKind::Busy) at once. The requests for one token, up to three for an
    /// agent's user account, take one place, and all callers who wait for one token take one. Default
    /// 256; from 1 to 65,536.
    with_max_flights, max_flights: usize;

    /// How many tokens and failures are remembered. Expired ones leave first, then those that were not
    /// asked for the longest. An entry takes about 5 KiB with a token of 2 KiB. Default 10,000; from 1
    /// to 1,000,000.
    with_max_entries, max_entries: usize;
}

impl AcquireSettings {
    /// The resource under which an agent's blueprint asks for the assertion of the agent. Default: that of
    /// the cloud of the authority, `api://AzureADTokenExchange` in the public one. Refused if it is empty or
    /// has a character that a scope cannot have.
    #[must_use]
    pub fn with_exchange_audience(self, audience: impl Into<String>) -> Self {
        let exchange_audience = Some(audience.into());
        Self {
            exchange_audience,
            ..self
        }
    }

    /// Checks that each setting is in its range.
    pub(super) fn check_ranges(&self) -> Result<(), ConfigError> {
        let ranges = [
            ("connect_timeout", self.connect_timeout, MINUTE),
            ("request_timeout", self.request_timeout, MINUTE),
            ("total_timeout", self.total_timeout, 5 * MINUTE),
        ];
        for (setting, value, most) in ranges {
            check_range(setting, &value, &MILLISECOND, &most)?;
        }
        check_range("max_flights", &self.max_flights, &1, &65_536)?;
        check_range("max_entries", &self.max_entries, &1, &1_000_000)?;
        match &self.exchange_audience {
            Some(audience) if !is_scope_token(audience) => Err(ConfigError::new(
                "exchange_audience",
                format!("{audience:?} cannot be the resource of a scope"),
            )),
            _ => Ok(()),
        }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_are_documented_and_in_range() {
        let settings = AcquireSettings::default();
        assert_eq!(settings.check_ranges(), Ok(()));
        assert_eq!(settings.connect_timeout, Duration::from_secs(2));
        assert_eq!(settings.request_timeout, Duration::from_secs(10));
        assert_eq!(settings.total_timeout, Duration::from_secs(30));
        assert_eq!((settings.max_flights, settings.max_entries), (256, 10_000));
    }

    #[test]
    fn the_ends_of_a_range_are_in_it() {
        let with = AcquireSettings::default;
        for settings in [
            with().with_connect_timeout(MILLISECOND),
            with().with_connect_timeout(MINUTE),
            with().with_request_timeout(MILLISECOND),
            with().with_request_timeout(MINUTE),
            with().with_total_timeout(MILLISECOND),
            with().with_total_timeout(5 * MINUTE),
            with().with_max_flights(1),
            with().with_max_flights(65_536),
            with().with_max_entries(1),
            with().with_max_entries(1_000_000),
            with().with_exchange_audience("api://AzureADTokenExchange"),
        ] {
            assert_eq!(settings.check_ranges(), Ok(()));
        }
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let with = AcquireSettings::default;
        let past = |time| time + MILLISECOND;
        for (setting, settings) in [
            (
                "connect_timeout",
                with().with_connect_timeout(Duration::ZERO),
            ),
            ("connect_timeout", with().with_connect_timeout(past(MINUTE))),
            (
                "request_timeout",
                with().with_request_timeout(Duration::ZERO),
            ),
            ("request_timeout", with().with_request_timeout(past(MINUTE))),
            ("total_timeout", with().with_total_timeout(Duration::ZERO)),
            ("total_timeout", with().with_total_timeout(past(5 * MINUTE))),
            ("total_timeout", with().with_total_timeout(Duration::MAX)),
            ("max_flights", with().with_max_flights(0)),
            ("max_flights", with().with_max_flights(65_537)),
            ("max_entries", with().with_max_entries(0)),
            ("max_entries", with().with_max_entries(1_000_001)),
            ("exchange_audience", with().with_exchange_audience("")),
            (
                "exchange_audience",
                with().with_exchange_audience("api://a b"),
            ),
        ] {
            let error = settings.check_ranges().expect_err(setting);
            assert_eq!(error.setting(), setting);
        }
        let error = with().with_max_flights(0).check_ranges();
        assert_eq!(
            error.expect_err("no flight").to_string(),
            "max_flights: 0 is not between 1 and 65536"
        );
    }
}
