//! A response body that ends when the caller's token expires.

use std::{
    error::Error as StdError,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::unix_now;

pin_project! {
    /// The body of a response by a layer that
    /// [ends streams at expiry](crate::EntraAuthLayer::ends_streams_at_expiry).
    ///
    /// Of an admitted request it is that of the service inside, until the token has expired. It then
    /// fails with [`StreamExpired`], and the body inside is dropped. All other bodies pass through.
    pub struct ExpiringBody<B> {
        // `None` after the end.
        #[pin]
        body: Option<B>,
        // `None` if it does not expire.
        end: Option<End>,
        // Made when the body has to wait for the first time: most never do.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

/// A response ended because the token of its request had expired: the error of an [`ExpiringBody`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token of this request has expired, so its response ends here")]
#[non_exhaustive]
pub struct StreamExpired;

/// When a body ends: by the wall clock, by which tokens are judged, or by the monotonic one, whichever is
/// first. A machine that sleeps stops the monotonic clock, and the wall clock may be set back.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Seconds since 1970.
    wall: u64,
    monotonic: Instant,
}

impl End {
    /// For a date in seconds since 1970, `now` being one as well.
    pub(super) fn at(date: u64, now: u64) -> Self {
        let left = Duration::from_secs(date.saturating_sub(now)).min(LONGEST);
        Self {
            wall: date,
            monotonic: Instant::now() + left,
        }
    }

    fn has_come(&self, now: u64) -> bool {
        now >= self.wall || Instant::now() >= self.monotonic
    }
}

/// Nearly two years: tokio's timers reach as far, and no token lives for so long.
const LONGEST: Duration = Duration::from_secs(60_000_000);

impl<B> ExpiringBody<B> {
    pub(super) fn new(body: B, end: Option<End>) -> Self {
        Self {
            body: Some(body),
            end,
            timer: None,
        }
    }
}

impl<B> ExpiringBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_frame_at(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        now: u64,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(end) = this.end else {
            return body.poll_frame(cx).map_err(Into::into);
        };
        // First, so that nothing passes after the end, however fast frames come.
        if !end.has_come(now) {
            if let Poll::Ready(frame) = body.poll_frame(cx) {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
            if this.timer.is_none() {
                *this.timer = timer(end.monotonic);
            }
            // Without a timer the body would have no end, so it ends now.
            if let Some(timer) = this.timer
                && is_pending(timer, cx)
            {
                return Poll::Pending;
            }
        }
        // Frees what the service inside holds for it.
        this.body.set(None);
        *this.timer = None;
        Poll::Ready(Some(Err(StreamExpired.into())))
    }
}

/// `None` outside of a runtime with a timer, where tokio panics.
fn timer(deadline: Instant) -> Option<Pin<Box<Sleep>>> {
    catch_unwind(AssertUnwindSafe(|| Box::pin(sleep_until(deadline)))).ok()
}

/// False too once the timer's runtime has ended, where tokio panics.
fn is_pending(timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> bool {
    let polled = catch_unwind(AssertUnwindSafe(|| timer.as_mut().poll(cx)));
    polled.is_ok_and(|polled| polled.is_pending())
}

impl<B> Body for ExpiringBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let now = if self.end.is_some() { unix_now() } else { 0 };
        self.poll_frame_at(cx, now)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// One that does not expire.
impl<B: Default> Default for ExpiringBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: fmt::Debug> fmt::Debug for ExpiringBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringBody")
            .field("body", &self.body)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

type BoxError = Box<dyn StdError + Send + Sync>;

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        collections::VecDeque,
        io,
        pin::pin,
        rc::Rc,
        task::{Wake, Waker},
    };

    use tokio::{runtime::Builder, time};

    use super::*;

    const NOW: u64 = 1_000_000;
    const SECOND: Duration = Duration::from_secs(1);

    /// Frames that are there, and none that is not: pending, until they are added.
    #[derive(Clone, Default)]
    struct Script(Rc<RefCell<VecDeque<Step>>>);

    enum Step {
        Data(&'static [u8]),
        Trailers,
        Fails,
        Ends,
    }

    impl Script {
        fn of(steps: impl IntoIterator<Item = Step>) -> Self {
            Self(Rc::new(RefCell::new(steps.into_iter().collect())))
        }
    }

    impl Body for Script {
        type Data = &'static [u8];
        type Error = io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, io::Error>>> {
            match self.0.borrow_mut().pop_front() {
                None => Poll::Pending,
                Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Step::Trailers) => {
                    Poll::Ready(Some(Ok(Frame::trailers(http::HeaderMap::new()))))
                }
                Some(Step::Fails) => Poll::Ready(Some(Err(io::Error::other("inside")))),
                Some(Step::Ends) => Poll::Ready(None),
            }
        }

        fn is_end_stream(&self) -> bool {
            matches!(self.0.borrow().front(), Some(Step::Ends))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(7)
        }
    }

    /// What a poll of the body gives, in a word.
    fn poll(body: &mut Pin<&mut ExpiringBody<Script>>, now: u64) -> String {
        let mut cx = Context::from_waker(Waker::noop());
        match body.as_mut().poll_frame_at(&mut cx, now) {
            Poll::Pending => "pending".to_owned(),
            Poll::Ready(None) => "none".to_owned(),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => String::from_utf8_lossy(data).into_owned(),
                Err(_) => "trailers".to_owned(),
            },
            Poll::Ready(Some(Err(error))) => match error.downcast_ref::<StreamExpired>() {
                Some(StreamExpired) => "expired".to_owned(),
                None => error.to_string(),
            },
        }
    }

    fn with_paused_clock(test: impl AsyncFnOnce()) {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime").block_on(test());
    }

    #[test]
    fn no_frame_passes_once_the_wall_clock_has_reached_the_end() {
        with_paused_clock(async || {
            for step in [Step::Data(b"a"), Step::Trailers, Step::Fails, Step::Ends] {
                let script = Script::of([step]);
                let body = ExpiringBody::new(script.clone(), Some(End::at(NOW + 10, NOW)));
                let mut body = pin!(body);
                // The monotonic clock has not moved: the machine was asleep.
                assert_eq!(poll(&mut body, NOW + 10), "expired");
                assert_eq!(script.0.borrow().len(), 1, "the body inside was asked");
            }
        });
    }

    #[test]
    fn a_body_that_never_waits_ends_by_the_monotonic_clock_if_the_wall_clock_is_set_back() {
        with_paused_clock(async || {
            let script = Script::of([Step::Data(b"a"), Step::Data(b"b")]);
            let mut body = pin!(ExpiringBody::new(script, Some(End::at(NOW + 10, NOW))));
            time::advance(9 * SECOND).await;
            assert_eq!(poll(&mut body, NOW - 1_000), "a");
            time::advance(SECOND).await;
            assert_eq!(poll(&mut body, NOW - 1_000), "expired");
        });
    }

    #[test]
    fn an_idle_body_is_woken_at_the_end() {
        struct Flag(std::sync::atomic::AtomicBool);

        impl Wake for Flag {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }

        with_paused_clock(async || {
            let flag = std::sync::Arc::new(Flag(false.into()));
            let waker = Waker::from(std::sync::Arc::clone(&flag));
            let woken = || flag.0.load(std::sync::atomic::Ordering::SeqCst);
            let script = Script::default();
            let mut body = pin!(ExpiringBody::new(script, Some(End::at(NOW + 10, NOW))));
            let mut cx = Context::from_waker(&waker);
            assert!(body.as_mut().poll_frame_at(&mut cx, NOW).is_pending());
            time::advance(9 * SECOND).await;
            assert!(!woken());
            time::advance(2 * SECOND).await;
            assert!(woken());
            assert_eq!(poll(&mut body, NOW), "expired");
        });
    }

    #[test]
    fn the_end_comes_once_and_drops_the_body_inside() {
        with_paused_clock(async || {
            let script = Script::default();
            let mut body = pin!(ExpiringBody::new(
                script.clone(),
                Some(End::at(NOW + 10, NOW))
            ));
            assert_eq!(poll(&mut body, NOW + 9), "pending");
            assert_eq!(Rc::strong_count(&script.0), 2);
            assert!(!body.is_end_stream());
            assert_eq!(poll(&mut body, NOW + 10), "expired");
            assert_eq!(Rc::strong_count(&script.0), 1);
            assert!(body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some(0));
            for now in [NOW, NOW + 11] {
                assert_eq!(poll(&mut body, now), "none");
            }
        });
    }

    #[test]
    fn a_date_in_the_past_and_a_clock_before_1970_let_nothing_pass() {
        with_paused_clock(async || {
            for (date, then, now) in [(NOW, NOW, NOW), (NOW - 1, NOW, NOW), (NOW, u64::MAX, NOW)] {
                let script = Script::of([Step::Data(b"a")]);
                let mut body = pin!(ExpiringBody::new(script, Some(End::at(date, then))));
                assert_eq!(poll(&mut body, now), "expired");
            }
            let script = Script::of([Step::Data(b"a")]);
            let mut body = pin!(ExpiringBody::new(script, Some(End::at(NOW + 10, NOW))));
            assert_eq!(poll(&mut body, u64::MAX), "expired");
        });
    }

    #[test]
    fn without_a_timer_a_body_that_has_to_wait_ends() {
        let waits = || {
            let script = Script::of([Step::Data(b"a")]);
            let mut body = pin!(ExpiringBody::new(script, Some(End::at(NOW + 10, NOW))));
            assert_eq!(poll(&mut body, NOW), "a");
            assert_eq!(poll(&mut body, NOW), "expired");
        };
        waits();
        let runtime = Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async { waits() });
    }

    #[test]
    fn a_body_whose_runtime_has_ended_ends() {
        let script = Script::default();
        let mut body = pin!(ExpiringBody::new(script, Some(End::at(NOW + 10, NOW))));
        with_paused_clock(async || assert_eq!(poll(&mut body, NOW), "pending"));
        with_paused_clock(async || assert_eq!(poll(&mut body, NOW), "expired"));
    }

    #[test]
    fn until_then_everything_passes() {
        with_paused_clock(async || {
            let steps = || [Step::Data(b"a"), Step::Trailers, Step::Fails, Step::Ends];
            let far = End::at(u64::MAX, NOW);
            for end in [Some(End::at(NOW + 10, NOW)), Some(far), None] {
                let mut body = pin!(ExpiringBody::new(Script::of(steps()), end));
                assert_eq!(body.size_hint().exact(), Some(7));
                let polled: Vec<_> = (0..3).map(|_| poll(&mut body, NOW + 9)).collect();
                assert_eq!(polled, ["a", "trailers", "inside"]);
                assert!(body.is_end_stream());
                assert_eq!(poll(&mut body, NOW + 9), "none");
                assert!(body.timer.is_none(), "it never had to wait");
            }
        });
    }

    #[test]
    fn a_body_without_an_end_has_none() {
        with_paused_clock(async || {
            let mut body = pin!(ExpiringBody::<Script>::default());
            time::advance(1_000_000 * SECOND).await;
            assert_eq!(poll(&mut body, u64::MAX), "pending");
            assert!(body.timer.is_none());
        });
    }
}
