//! The spans and durations of what takes time: a fetch, and the wait of a token for its key.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use pin_project_lite::pin_project;
use tracing::{Span, field};

use super::error::TARGET;
use crate::metrics;
use crate::moment::now;

/// The span of a fetch. It has no parent: many requests may wait for one fetch.
pub(super) struct RefreshSpan(Guarded);

impl RefreshSpan {
    pub(super) fn begin(cause: &'static str, key_source: Option<&'static str>) -> Self {
        Self(Guarded::new(|| {
            tracing::info_span!(
                target: TARGET,
                parent: None,
                "tower_entra.keys.refresh",
                cause,
                key_source,
                outcome = field::Empty,
                "error.type" = field::Empty,
            )
        }))
    }

    /// Has the events and spans of the HTTP client be in this one.
    pub(super) fn around<F: Future>(&self, fetch: F) -> Inside<F> {
        let span = self.0.again();
        Inside { fetch, span }
    }

    /// Ends the span, with the code of the error if the fetch failed.
    pub(super) fn end(self, code: Option<&'static str>) {
        let outcome = if code.is_some() { "failure" } else { "success" };
        self.0.record("outcome", outcome);
        if let Some(code) = code {
            self.0.record("error.type", code);
        }
    }
}

pin_project! {
    /// A future inside of a span. Unlike that of tracing it enters nothing when it is dropped: a subscriber
    /// that panics there, while a panic of it unwinds, would end the process.
    pub(super) struct Inside<F> {
        #[pin]
        fetch: F,
        span: Guarded,
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let enter = || this.span.0.as_ref().map(Span::enter);
        let entered = catch_unwind(AssertUnwindSafe(enter));
        let polled = catch_unwind(AssertUnwindSafe(|| this.fetch.poll(cx)));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(entered)));
        polled.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// The wait of a token for its key: measured when this is dropped. Its span is inside the request's.
pub(super) struct Wait {
    span: Guarded,
    began: Instant,
    key_source: Option<&'static str>,
    outcome: &'static str,
}

impl Wait {
    pub(super) fn begin(key_source: Option<&'static str>) -> Self {
        let span = Guarded::new(|| {
            tracing::info_span!(
                target: TARGET,
                "tower_entra.keys.wait",
                key_source,
                outcome = field::Empty,
                "error.type" = field::Empty,
            )
        });
        Self {
            span,
            began: now(),
            key_source,
            outcome: "abandoned",
        }
    }

    /// Ends the wait, with the code of the refusal if the key did not come.
    pub(super) fn end(mut self, code: Option<&'static str>) {
        self.outcome = if code.is_some() { "failure" } else { "success" };
        if let Some(code) = code {
            self.span.record("error.type", code);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let time = now().saturating_duration_since(self.began);
        metrics::waited(self.key_source, self.outcome, time);
        self.span.record("outcome", self.outcome);
    }
}

/// A span of the program's subscriber. A panic in there must end neither a request nor the task.
struct Guarded(Option<Span>);

impl Guarded {
    fn new(make: impl FnOnce() -> Span) -> Self {
        Self(catch_unwind(AssertUnwindSafe(make)).ok())
    }

    /// Another handle of the span, which the subscriber counts.
    fn again(&self) -> Self {
        let span = catch_unwind(AssertUnwindSafe(|| self.0.clone()));
        Self(span.unwrap_or_default())
    }

    fn record(&self, field: &'static str, value: &'static str) {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if let Some(span) = &self.0 {
                span.record(field, value);
            }
        }));
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let span = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(span)));
    }
}
