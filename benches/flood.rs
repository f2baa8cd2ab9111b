//! What a flood of invented key ids does to honest requests.
//!
//! ```text
//! cargo bench --bench flood
//! ```
//!
//! One thread validates good tokens and takes the time of each, first by itself, then while another
//! thread sends 100,000 and more otherwise plausible tokens, each with a key id of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::runtime::Runtime;
use tower_entra::{Validator, testing::Issuer};

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    let token = issuer.autonomous_agent().mint();
    runtime.block_on(validator.ready());
    let fetches = issuer.key_fetches();

    measure(&runtime, &validator, &token);
    let quiet = measure(&runtime, &validator, &token);
    let flood = Flood::start(&runtime, &validator, &token);
    let flooded = measure(&runtime, &validator, &token);
    let refused = flood.stop();
    let quiet_again = measure(&runtime, &validator, &token);

    println!("{:>22} {:>10} {:>10} {:>10}", "", "median", "p99", "p99.9");
    for (name, times) in [
        ("quiet", &quiet),
        ("flooded", &flooded),
        ("quiet again", &quiet_again),
    ] {
        let [median, p99, p999] = [0.5, 0.99, 0.999].map(|share| percentile(times, share));
        println!("{name:>22} {median:>10.2?} {p99:>10.2?} {p999:>10.2?}");
    }
    for share in [0.5, 0.99, 0.999] {
        let ratio =
            percentile(&flooded, share).as_secs_f64() / percentile(&quiet, share).as_secs_f64();
        println!("flooded / quiet at {share}: {ratio:.2}");
    }
    println!("good tokens validated in each run: {}", flooded.len());
    println!("invented key ids refused meanwhile: {refused}");
    println!("key fetches meanwhile: {}", issuer.key_fetches() - fetches);
}

/// How long each validation took, sorted.
fn measure(runtime: &Runtime, validator: &Validator, token: &str) -> Vec<Duration> {
    let mut times: Vec<_> = (0..MEASURED)
        .map(|_| {
            let start = Instant::now();
            let verdict = runtime.block_on(validator.validate(token));
            let time = start.elapsed();
            assert!(verdict.is_ok(), "a good token was refused");
            time
        })
        .collect();
    times.sort_unstable();
    times
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(clippy::as_conversions, reason = "an index into a short list")]
    let index = (sorted.len() as f64 * share) as usize;
    sorted[index.min(sorted.len() - 1)]
}

struct Flood {
    is_over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Flood {
    /// Starts sending, and comes back when the one fetch that a flood can cause is through.
    fn start(runtime: &Runtime, validator: &Validator, token: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicU64::new(0));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&refused));
        let (validator, handle) = (validator.clone(), runtime.handle().clone());
        let rest = token
            .split_once('.')
            .expect("a token has dots")
            .1
            .to_owned();
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let kid = count.load(Ordering::Relaxed);
                let header = format!(r#"{{"alg":"RS256","kid":"invented-{kid}"}}"#);
                let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
                let verdict = handle.block_on(validator.validate(&token));
                assert!(verdict.is_err(), "an invented key id was admitted");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let flood = Self {
            is_over,
            refused,
            thread,
        };
        while flood.refused.load(Ordering::Relaxed) < 1_000 {
            thread::yield_now();
        }
        flood
    }

    fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the flood ran through");
        self.refused.load(Ordering::Relaxed)
    }
}

const MEASURED: usize = 100_000;
