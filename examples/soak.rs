//! Minutes of load while keys rotate and a third of their fetches fails.
//!
//! ```text
//! cargo run --release --example soak -- 600
//! ```
//!
//! The argument is how many seconds it runs. The server refreshes its keys every second and has a
//! cool-down of one second. The issuer publishes a new key every few seconds, signs with it once
//! the server has had one good refresh, and withdraws the old one when its tokens are no longer in use.
//! No good token may be refused. Exits with 1 if one was.

use std::{
    convert::Infallible,
    env,
    error::Error,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::sleep};
use tower::{ServiceBuilder, service_fn};
use tower_entra::{
    EntraAuthLayer, KeySettings,
    testing::{Fault, Issuer},
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let seconds = env::args().nth(1).map_or(Ok(600), |text| text.parse())?;
    let soak = Arc::new(Soak::start().await);
    let address = serve(&soak.issuer).await?;

    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(send_requests(address, Arc::clone(&soak))))
        .collect();
    let rotation = tokio::spawn(rotate(Arc::clone(&soak)));
    let faults = tokio::spawn(break_fetches(Arc::clone(&soak)));

    sleep(Duration::from_secs(5)).await;
    let memory_at_start = resident_kib();
    sleep(Duration::from_secs(seconds)).await;
    let memory_at_end = resident_kib();

    soak.is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await?;
    }
    rotation.await?;
    faults.await?;
    soak.report(memory_at_start, memory_at_end);
    Ok(ExitCode::from(u8::from(
        soak.refused.load(Ordering::SeqCst) > 0,
    )))
}

struct Soak {
    issuer: Issuer,
    /// What clients send now: a good token.
    token: Mutex<String>,
    is_over: AtomicBool,
    admitted: AtomicU64,
    refused: AtomicU64,
    rotations: AtomicU64,
    faults: AtomicU64,
}

impl Soak {
    async fn start() -> Self {
        let issuer = Issuer::start().await;
        let token = Mutex::new(issuer.autonomous_agent().mint());
        Self {
            issuer,
            token,
            is_over: AtomicBool::new(false),
            admitted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            rotations: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }

    fn is_running(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn token(&self) -> String {
        self.token
            .lock()
            .expect("no thread panics while holding it")
            .clone()
    }

    fn report(&self, memory_at_start: Option<u64>, memory_at_end: Option<u64>) {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        println!("requests admitted:    {}", count(&self.admitted));
        println!("good tokens refused:  {}", count(&self.refused));
        println!("keys rotated:         {}", count(&self.rotations));
        println!("discovery fetches:    {}", self.issuer.discovery_fetches());
        println!("key fetches:          {}", self.issuer.key_fetches());
        println!("spells of faults:     {}", count(&self.faults));
        println!("memory at the start:  {memory_at_start:?} KiB");
        println!("memory at the end:    {memory_at_end:?} KiB");
    }
}

async fn serve(issuer: &Issuer) -> Result<SocketAddr, Box<dyn Error>> {
    let second = Duration::from_secs(1);
    let settings = KeySettings::default()
        .with_refresh_interval(second)
        .with_cool_down(second);
    let validator = issuer.validator_builder().key_settings(settings).build()?;
    validator.ready().await;
    let service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .service(service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn send_requests(address: SocketAddr, soak: Arc<Soak>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    while soak.is_running() {
        let request = Request::builder()
            .uri(format!("http://{address}/"))
            .header(AUTHORIZATION, format!("Bearer {}", soak.token()))
            .body(Empty::new())
            .expect("a request of constants and a token");
        let status = match client.request(request).await {
            Ok(response) => {
                let status = response.status();
                let _ = response.into_body().collect().await;
                status
            }
            Err(_) => StatusCode::BAD_GATEWAY,
        };
        if status == StatusCode::OK {
            soak.admitted.fetch_add(1, Ordering::SeqCst);
        } else {
            soak.refused.fetch_add(1, Ordering::SeqCst);
            eprintln!("a good token was answered {status}");
        }
    }
}

/// Publishes, waits for a good refresh, signs, waits until old requests are finished, withdraws.
async fn rotate(soak: Arc<Soak>) {
    while soak.is_running() {
        sleep(Duration::from_secs(2)).await;
        let old = soak.issuer.current_kid();
        let publisher = soak.issuer.clone();
        let Ok(new) = tokio::task::spawn_blocking(move || publisher.publish_key()).await else {
            return;
        };
        soak.wait_for_a_good_refresh().await;
        soak.issuer.sign_with(&new);
        *soak
            .token
            .lock()
            .expect("no thread panics while holding it") = soak.issuer.autonomous_agent().mint();
        sleep(Duration::from_secs(1)).await;
        soak.issuer.withdraw(&old);
        soak.rotations.fetch_add(1, Ordering::SeqCst);
    }
}

impl Soak {
    /// The issuer counts fetches of both kinds, good or bad; a key fetch that begins and ends while
    /// nothing is broken is a good one.
    async fn wait_for_a_good_refresh(&self) {
        let limit = Instant::now() + Duration::from_secs(30);
        while self.is_running() && Instant::now() < limit {
            let (fetches, faults) = (
                self.issuer.key_fetches(),
                self.faults.load(Ordering::SeqCst),
            );
            sleep(Duration::from_millis(400)).await;
            let is_whole = self.faults.load(Ordering::SeqCst) == faults && faults % 2 == 0;
            if is_whole && self.issuer.key_fetches() > fetches {
                sleep(Duration::from_millis(100)).await;
                return;
            }
        }
    }
}

/// A third of the time the endpoint is broken, each time in another way.
async fn break_fetches(soak: Arc<Soak>) {
    let faults = [
        Fault::Status(503),
        Fault::Html,
        Fault::Truncated,
        Fault::Close,
        Fault::NoKeys,
        Fault::Garbage,
        Fault::Slow(Duration::from_secs(1)),
    ];
    for fault in faults.iter().cycle() {
        if !soak.is_running() {
            return;
        }
        sleep(Duration::from_millis(1_400)).await;
        // Odd while broken.
        soak.faults.fetch_add(1, Ordering::SeqCst);
        soak.issuer.fail(fault.clone());
        sleep(Duration::from_millis(700)).await;
        soak.issuer.heal();
        soak.faults.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the process holds in memory, issuer and clients included. `None` without Linux's `/proc`.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

const CLIENTS: usize = 8;
