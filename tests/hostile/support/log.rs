//! What is logged.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::Once,
};

/// What this crate has logged on the thread of one test, whose runtime has no other.
pub(crate) struct Log(());

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    pub(crate) fn of_this_thread() -> Self {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            tracing_subscriber::fmt()
                .with_env_filter("tower_entra=trace")
                .with_ansi(false)
                .with_writer(|| Line)
                .init();
        });
        LOG.with_borrow_mut(Vec::clear);
        Self(())
    }

    pub(crate) fn text(&self) -> String {
        LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
    }

    /// No line holds a segment of the token, or who the person is that it names.
    #[track_caller]
    pub(crate) fn reveals_nothing(&self, token: &str) {
        let text = self.text();
        for segment in token.split('.').filter(|segment| segment.len() >= 16) {
            assert!(!text.contains(segment), "{segment:?} in {text}");
        }
        assert!(!text.contains("alice"), "{text}");
    }
}

/// Writes to the log of the thread that it is on.
struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
