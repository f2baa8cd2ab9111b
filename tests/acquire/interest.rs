//! That no event is missed which another thread has met first.

use std::sync::Once;

use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// Has tracing ask about each event anew. It remembers for the whole process that an event interests no
/// subscriber, and a thread that meets the event first, while another one begins to listen, can have it do so.
pub(crate) fn keep_every_event() {
    struct AskedEachTime;

    impl Subscriber for AskedEachTime {
        fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
            Interest::sometimes()
        }
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            false
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(AskedEachTime).unwrap();
    });
}
