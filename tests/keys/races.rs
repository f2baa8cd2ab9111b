//! The end of a fetch and a request at the same instant, on two threads, over and over.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
    time::Instant,
};

use tokio::runtime;
use tower_entra::{KeySettings, KeyStatus, testing::Issuer};

use crate::support::{client::scripted_for, *};

/// A request that finds no keys, and then finds that they have just come, wants no others.
#[test]
fn a_key_that_arrives_with_the_request_is_not_fetched_again() {
    let issuer = Issuer::start_blocking();
    let token = issuer.user().mint();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut fetched_again = 0;
    for _ in 0..200 {
        let (client, validator) = scripted_for(&issuer, KeySettings::default());
        let _inside = runtime.enter();
        let start = Instant::now();
        while validator.status() != KeyStatus::Fresh {
            // A request that comes, looks, and goes.
            let request = pin!(validator.validate(&token));
            let verdict = request.poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(Err(error)) = verdict {
                panic!("refused while its key arrives: {error:?}");
            }
            assert!(start.elapsed() < LIMIT);
        }
        thread::sleep(TICK);
        fetched_again += u32::from(client.key_fetches() > 1);
    }
    assert_eq!(fetched_again, 0, "of 200 times");
}
