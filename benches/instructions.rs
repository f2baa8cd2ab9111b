//! One validation over and over, for a profiler that counts instructions.
//!
//! ```text
//! cargo bench --bench instructions --no-run
//! valgrind --tool=callgrind --toggle-collect='*instructions::run*' TARGET/release/deps/instructions-HASH cold 1000
//! ```
//!
//! The kinds: `cold`, `cached`, `groups`, `verify`.

#[path = "common/bare.rs"]
mod bare;
#[path = "common/poll.rs"]
mod poll;
#[path = "common/tokens.rs"]
mod tokens;

use std::{env, hint::black_box};

use tokio::runtime::Runtime;
use tower_entra::{Validator, testing::Issuer};

use self::{bare::Bare, poll::at_once};

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let kind = arguments.next().unwrap_or_else(|| "cold".to_owned());
    let times = arguments
        .next()
        .map_or(1_000, |times| times.parse().expect("a number of times"));

    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let issuer = Issuer::start_blocking();
    let validator = match kind.as_str() {
        "cached" => issuer.validator_builder().token_cache(1_024).build(),
        _ => issuer.validator_builder().build(),
    }
    .expect("a good configuration");
    runtime.block_on(validator.ready());
    let token = match kind.as_str() {
        "groups" => tokens::agent_with_groups(&issuer).mint(),
        _ => tokens::agent(&issuer).mint(),
    };
    let bare = Bare::rs256(&issuer, &token);

    // Whatever happens only once has happened by then.
    validate(&validator, &token);
    match kind.as_str() {
        "cold" | "cached" | "groups" => run(times, || validate(&validator, &token)),
        "verify" => run(times, || bare.verify()),
        _ => panic!("no such kind: {kind}"),
    }
}

fn validate(validator: &Validator, token: &str) {
    let verdict = at_once(validator.validate(token));
    black_box(verdict.expect("a good token is admitted"));
}

/// Collects between its first instruction and its last.
#[inline(never)]
fn run(times: u32, function: impl Fn()) {
    for _ in 0..times {
        function();
    }
}
