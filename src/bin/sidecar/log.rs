//! The log: lines on stderr, as text or as JSON.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, Registry, filter::Targets, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::settings::Log;

/// Starts the log. stdout has none of it: there a script finds only where the program listens.
pub(crate) fn start(settings: &Log) {
    // Without the last setting, a line that cannot be written is reported by `eprintln!`, which panics when
    // stderr is closed.
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .log_internal_errors(false);
    let lines = match settings.as_json {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.boxed(),
    };
    // Only in a test can there be another one.
    let _ = Registry::default()
        .with(lines.with_filter(targets(settings)))
        .try_init();
}

/// `Default` is for the targets of this program. Crates below it log warnings at most, unless a level names
/// them: at `TRACE` some show the bytes of a connection.
///
/// At `Information` a request that is admitted has no line: a token request has one of its own, and a line for
/// each `/Validate` would take as long as the answer. Its target or a default of `Debug` brings it back.
fn targets(settings: &Log) -> Targets {
    let default = settings
        .levels
        .iter()
        .find(|(target, _)| target.is_empty())
        .map_or(LevelFilter::INFO, |(_, level)| *level);
    let admitted = match default > LevelFilter::INFO {
        true => default,
        false => default.min(LevelFilter::WARN),
    };
    let others = settings
        .levels
        .iter()
        .filter(|(target, _)| !target.is_empty())
        .map(|(target, level)| (target.clone(), *level));
    Targets::new()
        .with_default(default.min(LevelFilter::WARN))
        .with_target(OURS, default)
        .with_target(ADMITTED, admitted)
        .with_targets(others)
}

/// The beginning of every target of the crate and of this program.
const OURS: &str = "tower_entra";

/// Each request that the door admits.
const ADMITTED: &str = "tower_entra::audit::admitted";

#[cfg(test)]
pub(crate) mod tests {
    use std::{cell::RefCell, sync::Once};

    use tracing::Level;
    use tracing_subscriber::filter::dynamic_filter_fn;

    use super::*;

    thread_local! {
        static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    }

    /// What this program logs on the thread of one test, from [`Logged::start`] on.
    pub(crate) struct Logged(());

    impl Logged {
        /// One subscriber for all tests: whether an event has a listener is remembered for all threads alike.
        pub(crate) fn start() -> Self {
            static SUBSCRIBED: Once = Once::new();
            SUBSCRIBED.call_once(|| {
                let is_logged = dynamic_filter_fn(|metadata, _| {
                    metadata.target().starts_with(OURS) && LINES.with_borrow(Option::is_some)
                });
                let lines = fmt::layer()
                    .with_ansi(false)
                    .with_writer(|| Lines)
                    .with_filter(is_logged.with_max_level_hint(LevelFilter::INFO));
                Registry::default().with(lines).init();
            });
            LINES.set(Some(Vec::new()));
            Self(())
        }

        /// The lines since the last call.
        pub(crate) fn take(&self) -> String {
            let lines = LINES.replace(Some(Vec::new()));
            String::from_utf8(lines.unwrap_or_default()).expect("UTF-8")
        }
    }

    impl Drop for Logged {
        fn drop(&mut self) {
            LINES.set(None);
        }
    }

    struct Lines;

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LINES.with_borrow_mut(|lines| lines.as_mut().map(|lines| lines.extend(bytes)));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(levels: &[(&str, LevelFilter)]) -> Targets {
        targets(&Log {
            levels: levels
                .iter()
                .map(|(target, level)| ((*target).to_owned(), *level))
                .collect(),
            as_json: false,
        })
    }

    #[test]
    fn ours_are_at_info_and_the_rest_at_warn() {
        let log = log(&[]);
        for target in [
            "tower_entra::audit",
            "tower_entra::keys",
            "tower_entra_sidecar::serve",
        ] {
            assert!(log.would_enable(target, &Level::INFO), "{target}");
            assert!(!log.would_enable(target, &Level::DEBUG), "{target}");
        }
        assert!(log.would_enable("hyper", &Level::WARN));
        assert!(!log.would_enable("hyper", &Level::INFO));
    }

    #[test]
    fn a_request_that_is_admitted_has_no_line_at_info_unless_its_target_says_so() {
        let admits = |levels: &[_]| log(levels).would_enable(ADMITTED, &Level::INFO);
        assert!(!admits(&[]));
        assert!(!admits(&[("", LevelFilter::INFO)]));
        assert!(!admits(&[("tower_entra", LevelFilter::INFO)]));
        assert!(admits(&[("", LevelFilter::DEBUG)]));
        assert!(admits(&[(ADMITTED, LevelFilter::INFO)]));
        let refused = "tower_entra::audit::refused";
        assert!(log(&[]).would_enable(refused, &Level::INFO));
    }

    #[test]
    fn a_default_of_debug_leaves_other_crates_at_warn() {
        let log = log(&[("", LevelFilter::TRACE)]);
        assert!(log.would_enable("tower_entra::keys", &Level::TRACE));
        assert!(!log.would_enable("rustls", &Level::INFO));
    }

    #[test]
    fn a_default_of_none_is_silent() {
        let log = log(&[("", LevelFilter::OFF)]);
        assert!(!log.would_enable("tower_entra::audit", &Level::ERROR));
        assert!(!log.would_enable("hyper", &Level::ERROR));
    }

    #[test]
    fn a_target_has_its_own_level() {
        let log = log(&[
            ("tower_entra::audit", LevelFilter::ERROR),
            ("", LevelFilter::INFO),
            ("hyper", LevelFilter::DEBUG),
        ]);
        assert!(!log.would_enable("tower_entra::audit", &Level::WARN));
        assert!(log.would_enable("tower_entra::keys", &Level::INFO));
        assert!(log.would_enable("hyper::proto", &Level::DEBUG));
    }
}
