//! The HTTP/1.1 server: only GET, one request a connection, and full control of the bytes.

use std::{
    convert::Infallible,
    io,
    net::{self, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    sync::{Semaphore, oneshot},
    time,
};

use crate::testing::{
    fault::Step,
    state::{Answer, Shared},
};

/// A running server; dropping it stops it.
///
/// It has its own thread and runtime, so it serves a test in any runtime, in one with a paused clock,
/// and in none.
pub(super) struct Server {
    stop: Option<oneshot::Sender<()>>,
    /// Disconnects when the port is closed and every connection is gone.
    stopped: Mutex<mpsc::Receiver<Infallible>>,
}

impl Server {
    /// Starts a server of the state that `shared` makes of its URL.
    pub(super) fn start(port: u16, shared: impl FnOnce(String) -> Shared) -> (Self, Arc<Shared>) {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .unwrap_or_else(|error| panic!("no runtime for testing::Issuer: {error}"));
        let listener = {
            let _inside = runtime.enter();
            bind(port).unwrap_or_else(|error| panic!("cannot bind 127.0.0.1:{port}: {error}"))
        };
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(shared(format!("http://{address}")));

        let (stop, stopping) = oneshot::channel();
        let (running, stopped) = mpsc::channel();
        let served = Arc::clone(&shared);
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopping => {}
                    never = accept(listener, served) => match never {},
                }
            });
            drop(runtime);
            drop(running);
        };
        let thread = thread::Builder::new()
            .name("testing-issuer".to_owned())
            .spawn(run);
        thread.unwrap_or_else(|error| panic!("no thread for testing::Issuer: {error}"));
        (
            Self {
                stop: Some(stop),
                stopped: Mutex::new(stopped),
            },
            shared,
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        // Wait until the thread has closed the port, so that the next connection is refused.
        let stopped = self
            .stopped
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let _ = stopped.recv_timeout(STOP_LIMIT);
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Infallible {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let slot = Arc::clone(&slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely there are no file descriptors left: wait until connections end.
            time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let _ = time::timeout(CONNECTION_LIMIT, serve(stream, &shared)).await;
            drop(slot);
        });
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) {
    let head = match time::timeout(HEAD_LIMIT, read_head(&mut stream)).await {
        Ok(Ok(head)) => head,
        Ok(Err(Unread::Gone)) => return,
        Ok(Err(Unread::TooLong)) => return play(&mut stream, &[Step::status(431)]).await,
        Err(_) => return play(&mut stream, &[Step::status(408)]).await,
    };
    if !head.starts_with("GET ") {
        return play(&mut stream, &[Step::status(405)]).await;
    }
    let steps = match shared.receive(head) {
        Answer::NotFound => vec![Step::status(404)],
        Answer::Document {
            document,
            fault: None,
        } => vec![Step::document(&document)],
        Answer::Document {
            document,
            fault: Some(fault),
        } => fault.steps(&document),
    };
    play(&mut stream, &steps).await;
}

enum Unread {
    Gone,
    TooLong,
}

/// Reads up to the empty line that ends the head of a request.
async fn read_head(stream: &mut TcpStream) -> Result<String, Unread> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return Err(Unread::Gone),
            Ok(read) => head.extend_from_slice(&chunk[..read]),
        }
        if head.len() > MAX_HEAD {
            return Err(Unread::TooLong);
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn play(stream: &mut TcpStream, steps: &[Step]) {
    for step in steps {
        let played = match step {
            Step::Send(bytes) => stream.write_all(bytes).await,
            Step::Drip(bytes) => drip(stream, bytes).await,
            Step::Pour => pour(stream).await,
            Step::Pause(delay) => {
                time::sleep(*delay).await;
                Ok(())
            }
            Step::Hold => hold(stream).await,
        };
        if played.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        time::sleep(DRIP_PAUSE).await;
        stream.write_all(&[*byte]).await?;
    }
    Ok(())
}

async fn pour(stream: &mut TcpStream) -> io::Result<()> {
    for _ in 0..POURED_CHUNKS {
        stream.write_all(&[b' '; CHUNK]).await?;
    }
    Ok(())
}

async fn hold(stream: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 64];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

const MAX_CONNECTIONS: usize = 1_024;
const MAX_HEAD: usize = 16 * 1024;

/// How long a client may take to send the head of its request.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may last, with any fault.
const CONNECTION_LIMIT: Duration = Duration::from_secs(600);
const STOP_LIMIT: Duration = Duration::from_millis(100);
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const DRIP_PAUSE: Duration = Duration::from_millis(100);

const CHUNK: usize = 16 * 1024;
/// 64 MiB.
const POURED_CHUNKS: usize = 4 * 1024;
