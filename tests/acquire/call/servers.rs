//! A server that keeps every byte that it reads.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server that keeps what it reads, and answers each request with what `answer` makes of its head.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub(super) async fn start(
        bind: &str,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(bind).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            read: Arc::default(),
        };
        let (read, answer) = (Arc::clone(&server.read), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (read, answer) = (Arc::clone(&read), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    let mut buffer = [0; 4_096];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        read.lock().unwrap().extend_from_slice(&buffer[..count]);
                        head.extend_from_slice(&buffer[..count]);
                        if head.ends_with(b"\r\n\r\n") {
                            let text = answer(&String::from_utf8_lossy(&head));
                            let _ = stream.write_all(text.as_bytes()).await;
                            break;
                        }
                    }
                });
            }
        });
        server
    }

    /// What it has read since this was last called.
    pub(super) fn take(&self) -> String {
        let read = std::mem::take(&mut *self.read.lock().unwrap());
        String::from_utf8_lossy(&read).to_lowercase()
    }
}

pub(super) fn answer(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
}
