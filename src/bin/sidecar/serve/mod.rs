//! An HTTP/1.1 server over TCP and Unix sockets, with a limit for everything that a client can take.

mod answer;
mod connection;
mod listener;
mod request_body;
mod stream;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

pub(crate) use self::{
    answer::{Answer, Peer},
    connection::MAX_BODY_BYTES,
    listener::{BindError, Listener},
};

/// How many connections there may be at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    /// More wait until one ends. In the backlog of a listener the operating system holds 1,024.
    pub(crate) all: u32,
    /// Those from other machines, so that they leave room for those of this one. More are closed.
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
    let remote = Arc::new(Semaphore::new(permits(connections.remote)));
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (answer, stop) = (answer.clone(), stop.clone());
        loops.spawn(accept(
            listener,
            answer,
            Arc::clone(&all),
            Arc::clone(&remote),
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
    remote: Arc<Semaphore>,
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
        let remote_permit = match peer.is_local() {
            true => None,
            false => match Arc::clone(&remote).try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => continue,
            },
        };
        let (answer, stop) = (answer.clone(), stop.clone());
        tokio::spawn(async move {
            connection::serve(stream, peer, answer, stop).await;
            drop((permit, remote_permit));
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn accept_pauses_while_there_are_no_file_descriptors() {
        let mut pause = Pause::default();
        let start = tokio::time::Instant::now();
        // EMFILE
        let error = io::Error::from_raw_os_error(24);
        for _ in 0..10 {
            pause.after(&error).await;
        }
        assert!(start.elapsed() > Duration::from_secs(3));
        pause.ends();
        assert!(pause.time.is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_gone_causes_no_pause() {
        let start = tokio::time::Instant::now();
        Pause::default()
            .after(&io::ErrorKind::ConnectionAborted.into())
            .await;
        assert!(start.elapsed().is_zero());
    }
}
