//! What is logged, for tests to look into: everything that happens on the thread of one test, whose
//! runtime has no other.

use std::{
    cell::{Cell, RefCell},
    fmt::Debug,
    io,
    sync::{Arc, Mutex, Once, Weak},
};

use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, filter::dynamic_filter_fn, layer::Context, prelude::*, registry::LookupSpan,
};

/// Everything that was logged meanwhile, at every level, as an operator reads it.
pub(crate) fn logged<T>(work: impl FnOnce() -> T) -> (T, String) {
    written(Form::Text, work)
}

/// The audit events that were made meanwhile, at the level `info`.
pub(crate) fn audited<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    let (result, log) = written(Form::Audit, work);
    let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
    (result, events.collect())
}

/// The events of this crate, from [`Log::of_this_thread`] until it is dropped.
#[derive(Clone)]
pub(crate) struct Log(Arc<Events>);

#[derive(Default)]
struct Events {
    lines: Mutex<Vec<Line>>,
    spans: Mutex<Vec<Spanned>>,
    /// The message at which the subscriber panics.
    fatal: Mutex<Option<&'static str>>,
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

/// One span, its fields each on a line of its own.
#[derive(Clone, Debug)]
pub(crate) struct Spanned {
    id: Id,
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    /// The name of the span around this one.
    pub(crate) parent: Option<&'static str>,
    pub(crate) text: String,
    pub(crate) is_closed: bool,
}

impl Spanned {
    /// A field with a text, without its quotes.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches('"'))
    }
}

impl Log {
    /// The spans of this crate's targets, in the order in which they began.
    pub(crate) fn spans(&self) -> Vec<Spanned> {
        self.0.spans.lock().unwrap().clone()
    }

    pub(crate) fn of_this_thread() -> Self {
        subscribe();
        let log = Self(Arc::default());
        LOG.with_borrow_mut(|listening| *listening = Arc::downgrade(&log.0));
        log
    }

    /// Has the subscriber panic whenever this is the message.
    pub(crate) fn panic_at(&self, message: &'static str) {
        *self.0.fatal.lock().unwrap() = Some(message);
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.0.lines.lock().unwrap().clone()
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

/// What is written as text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Nothing,
    Text,
    Audit,
}

thread_local! {
    static LOG: RefCell<Weak<Events>> = const { RefCell::new(Weak::new()) };
    static FORM: Cell<Form> = const { Cell::new(Form::Nothing) };
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn written<T>(form: Form, work: impl FnOnce() -> T) -> (T, String) {
    subscribe();
    TEXT.with_borrow_mut(Vec::clear);
    FORM.set(form);
    let result = work();
    FORM.set(Form::Nothing);
    let text = TEXT.with_borrow_mut(std::mem::take);
    (result, String::from_utf8(text).unwrap())
}

/// One subscriber for all tests: whether an event has a listener is remembered for all threads alike.
fn subscribe() {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        let text = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(|| Text)
            .with_filter(dynamic_filter_fn(|_, _| FORM.get() == Form::Text));
        let audit = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(|| Text)
            .with_filter(dynamic_filter_fn(|metadata, _| {
                FORM.get() == Form::Audit
                    && metadata.target().starts_with("tower_entra::audit::")
                    && *metadata.level() <= Level::INFO
            }));
        let events = Listener.with_filter(dynamic_filter_fn(|metadata, _| {
            metadata.target().starts_with("tower_entra")
                && LOG.with_borrow(|log| log.strong_count() > 0)
        }));
        let subscriber = tracing_subscriber::registry().with(text).with(audit);
        tracing::subscriber::set_global_default(subscriber.with(events)).unwrap();
    });
}

/// Writes to the text of the thread that it is on.
struct Text;

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.with_borrow_mut(|text| text.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Listener;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(log) = LOG.with_borrow(Weak::upgrade) else {
            return;
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        let parent = context.span(id).and_then(|span| span.parent());
        log.spans.lock().unwrap().push(Spanned {
            id: id.clone(),
            name: metadata.name(),
            target: metadata.target(),
            level: *metadata.level(),
            parent: parent.map(|parent| parent.name()),
            text: fields.0,
            is_closed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        change(id, |span| {
            let mut fields = Fields(std::mem::take(&mut span.text));
            values.record(&mut fields);
            span.text = fields.0;
        });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        change(&id, |span| span.is_closed = true);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(log) = LOG.with_borrow(Weak::upgrade) else {
            return;
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            text: fields.0,
        };
        log.lines.lock().unwrap().push(line.clone());
        let fatal = *log.fatal.lock().unwrap();
        if fatal.is_some() && fatal == line.field("message") {
            panic!("what a test asked for");
        }
    }
}

/// Changes a span that is open.
fn change(id: &Id, change: impl FnOnce(&mut Spanned)) {
    if let Some(log) = LOG.with_borrow(Weak::upgrade) {
        let mut spans = log.spans.lock().unwrap();
        let mut open = spans.iter_mut().filter(|span| !span.is_closed);
        if let Some(span) = open.find(|span| span.id == *id) {
            change(span);
        }
    }
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{field}={value:?}\n"));
    }
}
