//! What the cache of verified tokens holds on to in a flood of distinct ones.
//!
//! ```text
//! cargo bench --bench memory -- 1000000
//! ```
//!
//! Validates that many good tokens, each another, and as many bad ones, with room for 10,000, and
//! prints what the process holds on the way. Tokens are signed with ES256, which is quick to mint.

use tower_entra::{
    SignatureAlgorithm,
    testing::{Issuer, KeyKind},
};

fn main() {
    let tokens = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(100_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key_with(KeyKind::P256);
    let validator = issuer
        .validator_builder()
        .algorithms([SignatureAlgorithm::Es256])
        .token_cache(10_000)
        .build()
        .expect("a good configuration");

    runtime.block_on(async {
        validator.ready().await;
        println!("{:>10} {:>10} {:>14}", "good", "bad", "resident KiB");
        report(0);
        let remembered = issuer.user().signed_by(&kid).mint();
        for number in 1..=tokens {
            let good = issuer.user().signed_by(&kid).mint();
            let bad = format!("{good}A");
            assert!(
                validator.validate(&good).await.is_ok(),
                "a good token was refused"
            );
            assert!(
                validator.validate(&bad).await.is_err(),
                "a bad token was admitted"
            );
            if number % (tokens / 10).max(1) == 0 {
                report(number);
            }
        }
        assert!(
            validator.validate(&remembered).await.is_ok(),
            "a good token was refused"
        );
    });
    println!("{validator:?}");
}

fn report(number: u64) {
    let resident = resident_kib().map_or_else(|| "unknown".to_owned(), |kib| kib.to_string());
    println!("{number:>10} {number:>10} {resident:>14}");
}

/// `None` where Linux's `/proc` is not.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
