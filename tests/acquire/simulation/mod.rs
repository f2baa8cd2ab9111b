//! 64 hours under a script of throttles, outages, rotations of credentials, revocations and withdrawn
//! consents: no expired token is handed out, no request is made that the rules do not allow, and each
//! identity gets its own tokens.
//!
//! The clock is tokio's and paused, so it is the monotonic one that passes. The wall clock stands still in
//! it: what depends on that alone is tested in `src/acquire`.

mod askers;

mod desk;

mod entra;

mod oracle;

mod script;

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use self::{
    askers::{ask, askers},
    entra::Entra,
    script::{Random, Script},
};
use super::endpoint::Endpoint;

const LENGTH: Duration = Duration::from_secs(64 * 3_600);

#[tokio::test(start_paused = true)]
async fn sixty_four_hours_of_trouble_with_seed_1() {
    simulate(1).await;
}

#[tokio::test(start_paused = true)]
async fn sixty_four_hours_of_trouble_with_seed_2() {
    simulate(2).await;
}

#[tokio::test(start_paused = true)]
async fn sixty_four_hours_of_trouble_with_seed_3() {
    simulate(3).await;
}

async fn simulate(seed: u64) {
    println!("seed {seed}");
    let endpoint = Endpoint::new(Entra::new(seed));
    let askers: Vec<_> = askers(&endpoint).into_iter().map(Arc::new).collect();
    let keys: Vec<_> = askers.iter().map(|asker| asker.key.clone()).collect();
    let script = Script::new(&mut Random(seed), LENGTH, &keys);
    let calm_from = script.calm_from;
    endpoint.lock().begin(script);

    let mut tasks = JoinSet::new();
    for (number, asker) in (1..).zip(askers.iter().chain(&askers)) {
        let (endpoint, asker) = (endpoint.clone(), Arc::clone(asker));
        let mut random = Random(seed << 32 | number);
        tasks.spawn(async move {
            let mut last = None;
            while endpoint.lock().now() < LENGTH {
                let pause = match random.below(10) {
                    0 => Duration::ZERO,
                    1 => random.millis(600_000, 6_000_000),
                    _ => random.millis(100, 240_000),
                };
                sleep(pause).await;
                last = ask(&endpoint, &asker, &mut random, last.take()).await;
            }
            last
        });
    }
    let mut ended = 0;
    while let Some(last) = tasks.join_next().await {
        let last = last.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        // Two hours after the last trouble each identity has a token.
        assert!(last.is_some(), "seed {seed}: no token after {calm_from:?}");
        ended += 1;
    }
    assert_eq!(ended, 2 * askers.len());
    let entra = endpoint.lock();
    println!("{:?}", entra.oracle.counts);
    // A script that tries nothing proves nothing.
    assert!(
        entra.oracle.counts.are_plenty(),
        "{:?}",
        entra.oracle.counts
    );
}
