//! The body of a request, which says whether it was read to its end.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

/// Whether the body of a connection's last request was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Before the first request there is nothing left to read.
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Follows the body of the next request.
    pub(super) fn follow<B: Body>(&self, body: B) -> Followed<B> {
        self.0.store(body.is_end_stream(), Ordering::Relaxed);
        Followed {
            body,
            progress: self.clone(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Followed<B> {
    body: B,
    progress: Progress,
}

impl<B: Body + Unpin> Body for Followed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.progress.0.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use http_body_util::{BodyExt as _, Empty, Full};

    use super::*;

    /// A body of one frame, which does not say that it is the last.
    struct OneFrame(Option<Bytes>);

    impl Body for OneFrame {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }
    }

    #[tokio::test]
    async fn a_body_is_at_its_end_with_its_last_frame_if_it_says_so_and_else_after_it() {
        let progress = Progress::new();
        let bytes = Bytes::from_static(b"a");
        let mut body = progress.follow(Full::new(bytes.clone()));
        assert!(body.frame().await.is_some() && progress.has_ended());
        let mut body = progress.follow(OneFrame(Some(bytes)));
        assert!(body.frame().await.is_some() && !progress.has_ended());
        assert!(body.frame().await.is_none() && progress.has_ended());
    }

    #[tokio::test]
    async fn a_body_is_at_its_end_before_it_is_read_only_if_it_is_empty() {
        let progress = Progress::new();
        assert!(progress.follow(Empty::<Bytes>::new()).is_end_stream());
        assert!(progress.has_ended());
        let body = progress.follow(Full::new(Bytes::from_static(b"a")));
        assert!(!body.is_end_stream() && !progress.has_ended());
        assert_eq!(body.size_hint().exact(), Some(1));
        body.collect().await.expect("a body");
        assert!(progress.has_ended());
    }
}
