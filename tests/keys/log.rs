//! What is logged, for tests to look into.

use std::{
    cell::RefCell,
    fmt::Debug,
    sync::{Arc, Mutex, Once},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber,
};
use tracing_subscriber::{Layer, layer::Context, prelude::*, registry};

/// Every event of this crate on the thread of one test, whose runtime has no other.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<Line>>>,
    /// The message at which the subscriber panics.
    fatal: Arc<Mutex<Option<&'static str>>>,
}

/// One event, its fields each on a line of its own.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) text: String,
}

impl Line {
    /// What stands in a field, as `Debug` writes it.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }
}

thread_local! {
    static LOG: RefCell<Log> = RefCell::default();
}

impl Log {
    pub(crate) fn of_this_thread() -> Self {
        // One for all tests: whether anybody listens is remembered for all threads alike.
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| subscriber::set_global_default(registry().with(Listener)).unwrap());
        LOG.with_borrow_mut(|log| {
            *log = Self::default();
            log.clone()
        })
    }

    /// Has the subscriber panic whenever this is the message.
    pub(crate) fn panic_at(&self, message: &'static str) {
        *self.fatal.lock().unwrap() = Some(message);
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines with this in their message.
    pub(crate) fn with(&self, message: &str) -> Vec<Line> {
        let mut lines = self.lines();
        lines.retain(|line| {
            line.field("message")
                .is_some_and(|text| text.contains(message))
        });
        lines
    }

    pub(crate) fn count(&self, message: &str) -> usize {
        self.with(message).len()
    }

    pub(crate) fn of_level(&self, level: Level) -> usize {
        let lines = self.lines();
        lines.iter().filter(|line| line.level == level).count()
    }

    pub(crate) fn text(&self) -> String {
        self.lines().into_iter().map(|line| line.text).collect()
    }
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let target = event.metadata().target();
        if !target.starts_with("tower_entra") {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let line = Line {
            level: *event.metadata().level(),
            target: target.to_owned(),
            text: text.0,
        };
        let log = LOG.with_borrow(Log::clone);
        log.lines.lock().unwrap().push(line.clone());
        let fatal = *log.fatal.lock().unwrap();
        if fatal.is_some() && fatal == line.field("message") {
            panic!("what a test asked for");
        }
    }
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{field}={value:?}\n"));
    }
}
