//! An HTTP/1.1 server over TCP and Unix sockets, with a limit for everything that a client can take.

mod answer;
mod connection;
mod listener;
mod remote;
mod request_body;
mod stream;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::remote::Remote;
pub(crate) use self::{
    answer::{Answer, Peer},
    connection::MAX_BODY_BYTES,
    listener::Listener,
};

/// How many connections there may be at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    /// More wait until one ends. In the backlog of a listener the operating system holds 4,096.
    pub(crate) all: u32,
    /// Those from other machines, so that they leave room for those of this one: fewer than all. One more takes
    /// the place of the oldest without a request, or is closed.
    pub(crate) remote: u32,
}

/// Serves until `stop` is true, then waits for the requests under way, for at most [`DRAIN_TIME`]. The others
/// are cut off when the runtime ends.
///
/// Returns how many connections are still there.
pub(crate) async fn serve<A: Answer>(
    listeners: Vec<Listener>,
    answer: A,
    connections: Connections,
    stop: watch::Receiver<bool>,
) -> usize {
    let all = Arc::new(Semaphore::new(permits(connections.all)));
    let remote = Remote::new(permits(connections.remote));
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (answer, stop) = (answer.clone(), stop.clone());
        loops.spawn(accept(
            listener,
            answer,
            Arc::clone(&all),
            remote.clone(),
            stop,
        ));
    }
    // They end when `stop` is true, and close their sockets.
    while loops.join_next().await.is_some() {}
    match timeout(DRAIN_TIME, all.acquire_many(connections.all)).await {
        Ok(_) => 0,
        Err(_) => permits(connections.all).saturating_sub(all.available_permits()),
    }
}

async fn accept<A: Answer>(
    listener: Listener,
    answer: A,
    all: Arc<Semaphore>,
    remote: Remote,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = Pause::default();
    loop {
        let next = async {
            // Neither is ever closed.
            let permit = Arc::clone(&all).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = select! {
            _ = stop.wait_for(|is_stopped| *is_stopped) => return,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                drop(permit);
                pause.after(&error).await;
                continue;
            }
        };
        pause.ends();
        let place = match peer.is_local() {
            true => None,
            false => match remote.admit() {
                Some(place) => Some(place),
                None => continue,
            },
        };
        let (answer, stop) = (answer.clone(), stop.clone());
        tokio::spawn(async move {
            let _permit = permit;
            connection::serve(stream, peer, answer, place, stop).await;
        });
    }
}

fn permits(number: u32) -> usize {
    usize::try_from(number).unwrap_or(Semaphore::MAX_PERMITS)
}

/// What the loop does when `accept` fails, so that it does not spin while there are no file descriptors.
#[derive(Debug, Default)]
struct Pause {
    time: Duration,
}

impl Pause {
    async fn after(&mut self, error: &io::Error) {
        // The client has gone before it was accepted.
        let is_of_client = matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
        );
        if is_of_client {
            return;
        }
        if self.time.is_zero() {
            tracing::warn!(
                reason = %error,
                hint = "if too many files are open, raise the limit (ulimit -n)",
                "no connection can be accepted",
            );
        }
        self.time = (self.time * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        sleep(self.time).await;
    }

    fn ends(&mut self) {
        if !self.time.is_zero() {
            tracing::info!("connections are accepted again");
            self.time = Duration::ZERO;
        }
    }
}

/// How long requests under way are waited for.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        net::{SocketAddr, UdpSocket},
        os::fd::OwnedFd,
    };

    use axum::{body::Body, response::Response};
    use http::Request;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::Notify,
        time::{Instant, pause},
    };

    use super::*;
    use crate::{log::tests::Logged, settings::Listen};

    /// Answers `/` at once and every other path never.
    #[derive(Clone, Default)]
    struct Root(Arc<Notify>);

    impl Answer for Root {
        async fn answer(&self, _: Peer, request: Request<Body>) -> Response {
            if request.uri().path() != "/" {
                self.0.notify_one();
                pending::<()>().await;
            }
            Response::default()
        }
    }

    struct Running {
        port: u16,
        answer: Root,
        stop: watch::Sender<bool>,
        serving: tokio::task::JoinHandle<usize>,
    }

    impl Running {
        async fn start(all: u32, remote: u32) -> Self {
            let listen = Listen::Tcp(([0, 0, 0, 0], 0).into());
            let listeners = Listener::bind(&listen, "a key").expect("bound");
            let port = listeners[0]
                .url()
                .rsplit_once(':')
                .expect("a port")
                .1
                .parse();
            let answer = Root::default();
            let (stop, stopped) = watch::channel(false);
            let connections = Connections { all, remote };
            let serving = tokio::spawn(serve(listeners, answer.clone(), connections, stopped));
            Self {
                port: port.expect("a number"),
                answer,
                stop,
                serving,
            }
        }

        async fn connect(&self, address: impl Into<std::net::IpAddr>) -> TcpStream {
            let connected = TcpStream::connect((address.into(), self.port)).await;
            connected.expect("a connection")
        }
    }

    /// Whether a request for `/` is answered within a moment.
    async fn is_served(stream: &mut TcpStream) -> bool {
        let head = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        if stream.write_all(head).await.is_err() {
            return false;
        }
        let mut bytes = [0; 64];
        let read = timeout(Duration::from_millis(300), stream.read(&mut bytes)).await;
        matches!(read, Ok(Ok(1..)))
    }

    const HERE: [u8; 4] = [127, 0, 0, 1];
    const NOT_ACCEPTED: &str = "no connection can be accepted";

    #[tokio::test]
    async fn a_connection_too_many_waits_until_another_one_ends() {
        let running = Running::start(1, 1).await;
        let mut first = running.connect(HERE).await;
        assert!(is_served(&mut first).await);
        let mut second = running.connect(HERE).await;
        assert!(!is_served(&mut second).await);
        drop(first);
        let mut bytes = [0; 64];
        let read = timeout(Duration::from_secs(5), second.read(&mut bytes)).await;
        assert!(read.expect("in time").expect("no reset") > 0);
    }

    #[tokio::test]
    async fn connections_from_elsewhere_leave_room_for_those_from_here() {
        let running = Running::start(8, 1).await;
        // Without a network there is no such address.
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let Ok(SocketAddr::V4(address)) = socket
            .connect("192.0.2.123:9")
            .and_then(|()| socket.local_addr())
        else {
            return;
        };
        let mut half_open = running.connect(*address.ip()).await;
        half_open
            .write_all(b"GET / HTTP/1.1\r\nHo")
            .await
            .expect("sent");
        // Without waiting for the end of that head.
        let mut second = running.connect(*address.ip()).await;
        assert!(is_served(&mut second).await);
        assert!(!is_served(&mut half_open).await);
        let head = b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n";
        second.write_all(head).await.expect("sent");
        running.answer.0.notified().await;
        let mut third = running.connect(*address.ip()).await;
        assert!(!is_served(&mut third).await);
        let mut of_here = running.connect(HERE).await;
        assert!(is_served(&mut of_here).await);
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_is_waited_for_30_s() {
        let running = Running::start(8, 8).await;
        let mut stream = running.connect(HERE).await;
        let head = b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(head).await.expect("sent");
        running.answer.0.notified().await;
        pause();
        // Not while the program serves.
        sleep(Duration::from_secs(40)).await;
        assert!(!running.serving.is_finished());
        let start = Instant::now();
        running.stop.send_replace(true);
        assert_eq!(running.serving.await.expect("no panic"), 1);
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test]
    async fn idle_connections_are_not_waited_for() {
        let running = Running::start(8, 8).await;
        let mut kept = running.connect(HERE).await;
        assert!(is_served(&mut kept).await);
        running.stop.send_replace(true);
        let ended = timeout(Duration::from_secs(5), running.serving).await;
        assert_eq!(ended.expect("in time").expect("no panic"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn accept_pauses_while_there_are_no_file_descriptors() {
        let mut pause = Pause::default();
        // EMFILE
        let error = io::Error::from_raw_os_error(24);
        let mut pauses = Vec::new();
        let logged = Logged::start();
        for _ in 0..9 {
            let start = Instant::now();
            pause.after(&error).await;
            pauses.push(start.elapsed().as_millis());
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
        let lines = logged.take();
        assert_eq!(lines.matches(NOT_ACCEPTED).count(), 1, "{lines}");
        pause.ends();
        assert!(pause.time.is_zero());
        assert!(logged.take().contains("accepted again"));
        pause.ends();
        assert_eq!(logged.take(), "");
        pause.after(&error).await;
        assert!(logged.take().contains(NOT_ACCEPTED));
    }

    /// A listener whose `accept` fails at once: its socket is none that accepts.
    async fn broken_listener() -> Listener {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        socket.set_nonblocking(true).expect("a mode");
        socket.send_to(b"a", address).expect("sent");
        let listener = std::net::TcpListener::from(OwnedFd::from(socket));
        Listener::Tcp(TcpListener::from_std(listener).expect("a listener"))
    }

    #[tokio::test]
    async fn a_connection_that_cannot_be_accepted_holds_no_place_while_accept_pauses() {
        let logged = Logged::start();
        let all = Arc::new(Semaphore::new(1));
        let (_stop, stopped) = watch::channel(false);
        let accepting = accept(
            broken_listener().await,
            Root::default(),
            Arc::clone(&all),
            Remote::new(1),
            stopped,
        );
        let looking = async {
            while !logged.take().contains(NOT_ACCEPTED) {
                sleep(Duration::from_millis(1)).await;
            }
            all.available_permits()
        };
        let left = select! {
            () = accepting => panic!("the end of a loop"),
            left = timeout(Duration::from_secs(5), looking) => left,
        };
        assert_eq!(left.expect("a warning"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_gone_causes_no_pause() {
        let start = Instant::now();
        let gone = io::ErrorKind::ConnectionAborted.into();
        Pause::default().after(&gone).await;
        assert!(start.elapsed().is_zero());
    }
}
