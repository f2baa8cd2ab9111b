//! What a rotation of keys costs the requests behind it, with 100,000 remembered tokens.
//!
//! ```text
//! cargo bench --bench rotation
//! ```
//!
//! One thread validates remembered tokens and takes the time of each, first with the keys that have
//! verified them, then after a rotation: each token is verified anew when it comes again. The other
//! tokens of before are swept in between, once a minute.

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

    println!(
        "{:>8} {:>10} {:>10} {:>10} {:>14}",
        "", "median", "p99.9", "longest", "beyond 1 ms"
    );
    for (name, mut times) in [("before", before), ("after", after)] {
        times.sort_unstable();
        let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1_000];
        println!(
            "{name:>8} {:>10.1?} {:>10.1?} {:>10.1?} {:>7} of {}",
            at(500),
            at(999),
            at(1_000),
            times.iter().filter(|time| **time > LIMIT).count(),
            times.len(),
        );
    }
}

/// The times of a little more than a minute, in which the remembered tokens are swept once.
fn measure(runtime: &Runtime, validator: &Validator, tokens: &[String]) -> Vec<Duration> {
    let start = Instant::now();
    let mut times = Vec::new();
    for token in tokens.iter().cycle() {
        if start.elapsed() > Duration::from_secs(65) {
            break;
        }
        times.push(validate(runtime, validator, token));
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
