//! The bytes of a connection, and limits for a client that does not read or does not stop sending.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpStream, UnixStream},
    time::{Instant, Sleep, sleep, timeout},
};

#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Waits until the client has sent something, or has gone.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            // `readable` also returns when there is nothing to read yet.
            Self::Tcp(stream) => stream.peek(&mut [0]).await.map(drop),
            Self::Unix(stream) => stream.readable().await,
        }
    }
}

macro_rules! inner {
    ($stream:expr, $inner:ident => $body:expr) => {
        match $stream.get_mut() {
            Self::Tcp(stream) => {
                let $inner = Pin::new(stream);
                $body
            }
            Self::Unix(stream) => {
                let $inner = Pin::new(stream);
                $body
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inner!(self, inner => inner.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        inner!(self, inner => inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self, inner => inner.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, inner => inner.poll_shutdown(cx))
    }
}

/// A stream whose writes fail if they make no progress for [`STALL`]: hyper has no limit for a client that
/// does not read.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    /// When the write that waits has waited too long. Kept for the next one.
    stall: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            stall: None,
            is_waiting: false,
        }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.is_waiting = false;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        if !self.is_waiting {
            self.is_waiting = true;
            stall.as_mut().reset(Instant::now() + STALL);
        }
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Neither kind of socket has a buffer of its own.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Closes a stream whose client may still be sending.
///
/// Closing a socket with unread bytes resets the connection, and the client then loses the answer (413, 431)
/// that says why. So the bytes are read and thrown away, for at most [`LINGER`].
pub(super) async fn close_while_client_sends<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    // If the client has gone, the first read says so.
    let _ = stream.shutdown().await;
    let mut buffer = vec![0; 8 * 1024];
    let rest = async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    // At the end of the time the connection is reset.
    let _ = timeout(LINGER, rest).await;
}

/// How long a client may leave an answer unread.
pub(super) const STALL: Duration = Duration::from_secs(30);
/// How long a client that goes on sending is read from.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_its_client_does_not_read_fails_after_the_limit() {
        let (ours, _theirs) = duplex(16);
        let mut ours = Guarded::new(ours);
        let start = Instant::now();
        let error = ours.write_all(&[0; 64]).await.expect_err("stalled");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test]
    async fn the_end_of_a_guarded_stream_reaches_its_client() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Guarded::new(ours);
        ours.shutdown().await.expect("ended");
        let read = timeout(Duration::from_secs(5), theirs.read(&mut [0])).await;
        assert_eq!(read.expect("an end").expect("no reset"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_everything() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Guarded::new(ours);
        let reading = async {
            let mut buffer = [0; 16];
            for _ in 0..4 {
                sleep(STALL - Duration::from_secs(1)).await;
                theirs.read_exact(&mut buffer).await.expect("16 bytes");
            }
        };
        let bytes = [0; 64];
        let (written, ()) = tokio::join!(ours.write_all(&bytes), reading);
        written.expect("written");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_without_end_is_read_from_for_two_seconds() {
        let (ours, mut theirs) = duplex(16);
        let start = Instant::now();
        let sending = async {
            while theirs.write_all(&[0; 16]).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::join!(close_while_client_sends(ours), sending);
        assert!(start.elapsed() >= LINGER && start.elapsed() < 2 * LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_readable_once_its_client_has_sent_something() {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let ours = Stream::Unix(ours);
        let second = Duration::from_secs(1);
        assert!(timeout(second, ours.readable()).await.is_err());
        theirs.write_all(b"a").await.expect("sent");
        let readable = timeout(second, ours.readable()).await;
        readable.expect("in time").expect("no reset");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_may_go_on_sending_sees_the_end_of_the_answer_at_once() {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let start = Instant::now();
        let reading = async {
            let read = theirs.read(&mut [0]).await;
            assert_eq!(read.expect("no reset"), 0);
            assert!(start.elapsed() < LINGER, "{:?}", start.elapsed());
            drop(theirs);
        };
        tokio::join!(close_while_client_sends(Stream::Unix(ours)), reading);
        assert!(start.elapsed() < LINGER, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_client_that_has_stopped_sending_is_not_waited_for() {
        let (ours, mut theirs) = duplex(16);
        theirs.write_all(b"the rest").await.expect("sent");
        theirs.shutdown().await.expect("ended");
        let start = Instant::now();
        close_while_client_sends(ours).await;
        assert!(start.elapsed() < LINGER, "{:?}", start.elapsed());
    }
}
