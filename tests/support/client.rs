//! An HTTP client that answers by itself: counted, and wrong in whatever way a test likes.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use serde_json::json;
use tokio::time::{self, Instant};
use tower_entra::{HttpClient, KeySettings, Validator, testing::Issuer};

pub(crate) type Answer = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>;

/// What the client makes of a request.
#[derive(Clone)]
pub(crate) enum Reply {
    Right,
    RightAfter(Duration),
    Fails,
    Panics,
    /// Panics when the future is polled.
    PanicsLater,
    Never,
    /// Answers with this instead of the key set.
    Keys(Response<Vec<u8>>),
    /// Answers with this instead of the discovery document.
    Discovery(Response<Vec<u8>>),
}

/// Answers with the documents of an issuer that it never speaks to.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    reply: Mutex<Reply>,
    key_fetches: AtomicU64,
    discovery_fetches: AtomicU64,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    starts: Mutex<Vec<Instant>>,
}

impl Client {
    pub(crate) fn new(issuer: &Issuer) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.clone(),
            reply: Mutex::new(Reply::Right),
            key_fetches: AtomicU64::new(0),
            discovery_fetches: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            starts: Mutex::new(Vec::new()),
        }))
    }

    pub(crate) fn reply(&self, reply: Reply) {
        *self.0.reply.lock().unwrap() = reply;
    }

    pub(crate) fn key_fetches(&self) -> u64 {
        self.0.key_fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn discovery_fetches(&self) -> u64 {
        self.0.discovery_fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.0.most_under_way.load(Ordering::SeqCst)
    }

    /// When each fetch began.
    pub(crate) fn starts(&self) -> Vec<Instant> {
        self.0.starts.lock().unwrap().clone()
    }

    fn discovery(&self) -> Vec<u8> {
        let (url, tenant) = (self.0.issuer.url(), self.0.issuer.tenant_id());
        let document = json!({
            "issuer": format!("{url}/{tenant}/v2.0"),
            "jwks_uri": format!("{url}/{tenant}/discovery/v2.0/keys"),
        });
        document.to_string().into_bytes()
    }
}

impl HttpClient for Client {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let is_discovery = request.uri().path().ends_with("/openid-configuration");
        let counter = if is_discovery {
            self.0.starts.lock().unwrap().push(Instant::now());
            &self.0.discovery_fetches
        } else {
            &self.0.key_fetches
        };
        counter.fetch_add(1, Ordering::SeqCst);
        let reply = self.0.reply.lock().unwrap().clone();
        assert!(!matches!(reply, Reply::Panics), "injected");
        let right = match is_discovery {
            true => self.discovery(),
            false => self.0.issuer.keys_document(),
        };
        let under_way = UnderWay::new(&self.0);
        Box::pin(async move {
            let _under_way = under_way;
            match reply {
                Reply::RightAfter(delay) => time::sleep(delay).await,
                Reply::Fails => return Err("injected".into()),
                Reply::PanicsLater => panic!("injected"),
                Reply::Never => std::future::pending().await,
                Reply::Keys(answer) if !is_discovery => return Ok(answer),
                Reply::Discovery(answer) if is_discovery => return Ok(answer),
                _ => {}
            }
            Ok(Response::new(right))
        })
    }
}

/// Counts an answer that is awaited, however that ends.
struct UnderWay(Arc<Inner>);

impl UnderWay {
    fn new(inner: &Arc<Inner>) -> Self {
        let now = inner.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most_under_way.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(inner))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An issuer to mint with, the client that answers in its place, and a validator that uses it.
pub(crate) fn scripted(settings: KeySettings) -> (Issuer, Client, Validator) {
    let issuer = Issuer::start_blocking();
    let (client, validator) = scripted_for(&issuer, settings);
    (issuer, client, validator)
}

pub(crate) fn scripted_for(issuer: &Issuer, settings: KeySettings) -> (Client, Validator) {
    let client = Client::new(issuer);
    let validator = issuer
        .validator_builder()
        .key_settings(settings)
        .http_client(client.clone())
        .build()
        .unwrap();
    (client, validator)
}
