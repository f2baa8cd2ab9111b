//! What a rotation of keys costs the requests behind it, with 100,000 remembered tokens.
//!
//! ```text
//! cargo bench --bench rotation
//! ```
//!
//! One thread validates remembered tokens and takes the time of each, first with the keys that have
//! verified them, then after a rotation: each token is verified anew when it comes again. The other
//! tokens of before are swept in between, once a minute. A third turn is the control: the same tokens by a
//! validator that remembers none, which a rotation cannot touch.
//!
//! What the kernel of Linux kept the thread waiting for a processor is no work of a request: it is taken off
//! in the last column, which is the one that counts.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tower_entra::{
    SignatureAlgorithm, Validator,
    testing::{Issuer, KeyKind},
};

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let issuer = Issuer::start_blocking();
    // Signs in a thirtieth of the time that an RSA key takes.
    let key = issuer.publish_key_with(KeyKind::P256);
    issuer.sign_with(&key);
    let validator = issuer
        .validator_builder()
        .algorithms([SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256])
        .token_cache(2 * TOKENS)
        .build()
        .expect("a good configuration");
    runtime.block_on(validator.ready());

    let mint = |number: usize| issuer.user().claim("uti", number.to_string()).mint();
    let tokens: Vec<String> = (0..TOKENS).map(mint).collect();
    for token in &tokens {
        validate(&runtime, &validator, token);
    }
    let before = measure(&runtime, &validator, &tokens);

    // The old key stays, so each token of before is good, and its entry is not.
    issuer.rotate();
    let first = Instant::now();
    validate(&runtime, &validator, &issuer.user().mint());
    println!(
        "the first token of the new key waits for its fetch: {:?}",
        first.elapsed()
    );
    let after = measure(&runtime, &validator, &tokens);

    let without_cache = issuer
        .validator_builder()
        .algorithms([SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256])
        .build()
        .expect("a good configuration");
    runtime.block_on(without_cache.ready());
    let control = measure(&runtime, &without_cache, &tokens);

    println!(
        "{:>8} {:>10} {:>10} {:>10} {:>14} {:>22}",
        "", "median", "p99.9", "longest", "beyond 1 ms", "without waits for CPU"
    );
    for (name, mut times) in [("before", before), ("after", after), ("control", control)] {
        let beyond = |time: fn(&Took) -> Duration| {
            let times = times.iter().map(time);
            times.filter(|time| *time > LIMIT).count()
        };
        let (in_all, of_its_own) = (beyond(|took| took.time), beyond(Took::work));
        times.sort_unstable_by_key(|took| took.time);
        let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1_000].time;
        println!(
            "{name:>8} {:>10.1?} {:>10.1?} {:>10.1?} {in_all:>5} of {:>6} {of_its_own:>22}",
            at(500),
            at(999),
            at(1_000),
            times.len(),
        );
        for took in times.iter().rev().take_while(|took| took.time > LIMIT) {
            println!(
                "{:>8} {:>10.1?}, of which {:.1?} for a processor",
                "", took.time, took.queued
            );
        }
    }
}

/// How long a request took, and how much of that its thread waited for a processor.
struct Took {
    time: Duration,
    queued: Duration,
}

impl Took {
    fn work(&self) -> Duration {
        self.time.saturating_sub(self.queued)
    }
}

/// How long this thread has waited for a processor so far. Zero where the kernel does not say.
fn queued() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited = stat.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(waited.unwrap_or_default())
}

/// The times of a little more than a minute, in which the remembered tokens are swept once.
fn measure(runtime: &Runtime, validator: &Validator, tokens: &[String]) -> Vec<Took> {
    let start = Instant::now();
    let mut times = Vec::new();
    for token in tokens.iter().cycle() {
        if start.elapsed() > Duration::from_secs(65) {
            break;
        }
        let before = queued();
        let time = validate(runtime, validator, token);
        let queued = queued() - before;
        times.push(Took { time, queued });
        // Not as fast as it goes: the list of times has a bound.
        std::thread::sleep(Duration::from_micros(50));
    }
    times
}

fn validate(runtime: &Runtime, validator: &Validator, token: &str) -> Duration {
    let start = Instant::now();
    let verdict = runtime.block_on(validator.validate(token));
    let time = start.elapsed();
    verdict.expect("a good token");
    time
}

const TOKENS: usize = 100_000;
const LIMIT: Duration = Duration::from_millis(1);
