//! The HTTP/1.1 server: GET for documents, POST for tokens, one request a connection, and full control of
//! the bytes.

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
    task, time,
};

use crate::testing::{
    documents::{Endpoint, Route, target_of},
    fault::Step,
    page,
    response::Reply,
    state::{Answer, Shared},
    sts::{
        callers,
        endpoint::{self, Body},
    },
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

async fn serve(mut stream: TcpStream, shared: &Arc<Shared>) {
    let steps = match time::timeout(HEAD_LIMIT, read_request(&mut stream)).await {
        Ok(Ok((head, body))) if page::serves(shared, &head) => {
            vec![Step::reply(&of_page(shared, head, body).await)]
        }
        Ok(Ok((head, body))) => steps(shared, head, &body),
        Ok(Err(Unread::Gone)) => return,
        Ok(Err(Unread::TooLong)) => vec![Step::status(431)],
        Err(_) => vec![Step::status(408)],
    };
    play(&mut stream, &steps).await;
}

/// The answer for the page, which may make a key or verify a token: in a thread of its own.
async fn of_page(shared: &Arc<Shared>, head: String, body: Body) -> Reply {
    let shared = Arc::clone(shared);
    let answer = task::spawn_blocking(move || page::answer(&shared, &head, &body));
    let failed = |_| Reply::error(500, "server_error", "the answer could not be made");
    answer.await.unwrap_or_else(failed)
}

fn steps(shared: &Arc<Shared>, head: String, body: &Body) -> Vec<Step> {
    let method = head.split(' ').next().unwrap_or_default();
    let token_route =
        Route::parse(target_of(&head)).filter(|route| route.endpoint == Endpoint::Token);
    match (method, token_route) {
        ("POST", Some(route)) => return endpoint::post(shared, &head, &route.tenant, body),
        ("GET", _) => {}
        (method, Some(_)) => return endpoint::not_allowed(shared, method),
        (_, None) => {
            let refusal = "the endpoint accepts only GET requests";
            return vec![Step::reply(&Reply::error(405, "invalid_request", refusal))];
        }
    }
    if let Some(reply) = callers::over_http(shared, target_of(&head)) {
        return vec![Step::reply(&reply)];
    }
    match shared.receive(head) {
        Answer::NotFound => {
            let refusal = "there is no such path, or no such tenant";
            vec![Step::reply(&Reply::error(404, "not_found", refusal))]
        }
        Answer::NotAllowed => endpoint::not_allowed(shared, "GET"),
        Answer::Document { reply, fault: None } => vec![Step::reply(&reply)],
        Answer::Document {
            reply,
            fault: Some(fault),
        } => fault.steps(&reply),
    }
}

enum Unread {
    Gone,
    TooLong,
}

/// Reads the head of a request, up to its empty line, and the body of a POST.
async fn read_request(stream: &mut TcpStream) -> Result<(String, Body), Unread> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > MAX_HEAD {
            return Err(Unread::TooLong);
        }
        read_some(stream, &mut bytes).await?;
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    if !head.starts_with("POST ") {
        return Ok((head, Body::Read(Vec::new())));
    }
    let length = endpoint::header(&head, "content-length").map(str::parse::<usize>);
    let length = match length {
        Some(Ok(length)) if length <= MAX_BODY => length,
        Some(length) => {
            // Bytes that are left unread would reset the connection before its answer is read.
            let length = length.unwrap_or_default().min(MAX_SKIPPED);
            let mut skipped = body.len();
            while skipped < length {
                body.clear();
                read_some(stream, &mut body).await?;
                skipped += body.len();
            }
            return Ok((head, Body::TooLong));
        }
        None => return Ok((head, Body::NoLength)),
    };
    if endpoint::header(&head, "expect").is_some() && body.is_empty() && length > 0 {
        let written = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        written.map_err(|_| Unread::Gone)?;
    }
    while body.len() < length {
        read_some(stream, &mut body).await?;
    }
    body.truncate(length);
    Ok((head, Body::Read(body)))
}

async fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), Unread> {
    let mut chunk = [0; 1024];
    match stream.read(&mut chunk).await {
        Ok(0) | Err(_) => Err(Unread::Gone),
        Ok(read) => {
            bytes.extend_from_slice(&chunk[..read]);
            Ok(())
        }
    }
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
const MAX_BODY: usize = 128 * 1024;
/// How much of a body that is too long is read before it is refused.
const MAX_SKIPPED: usize = 1024 * 1024;

/// How long a client may take to send its request.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may last, with any fault.
const CONNECTION_LIMIT: Duration = Duration::from_secs(600);
const STOP_LIMIT: Duration = Duration::from_millis(100);
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const DRIP_PAUSE: Duration = Duration::from_millis(100);

const CHUNK: usize = 16 * 1024;
/// 64 MiB.
const POURED_CHUNKS: usize = 4 * 1024;
