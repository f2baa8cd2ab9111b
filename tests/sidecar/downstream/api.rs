//! An API that records what it gets.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
};
use http::{HeaderMap, Method, Response};
use tokio::net::TcpListener;

/// A request that an API has got.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// An API on loopback. It ends with the test.
pub(super) struct Api {
    /// Such as `http://127.0.0.1:40123`.
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    pub(super) async fn start(
        answer: impl Fn(&Seen) -> Response<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (record, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| {
            let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.expect("a body");
                let seen = Seen {
                    method: parts.method,
                    target: parts.uri.to_string(),
                    headers: parts.headers,
                    body: body.to_vec(),
                };
                let response = answer(&seen).map(Body::from);
                record.lock().expect("no panic").push(seen);
                response
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{address}"),
            seen,
        }
    }

    /// Host and port.
    pub(super) fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// How many requests it has got since [`take`](Self::take) was last called.
    pub(super) fn seen_count(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    /// What it has got since this was last called.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().expect("no panic"))
    }
}
