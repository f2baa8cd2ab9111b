//! Callers and the flights that get their tokens, in many thousands of orders.
//!
//! | never | is shown by the tests named |
//! |---|---|
//! | two flights for a key | `of_one_key…`, `a_flight_is_never_evicted…` |
//! | another key's token | `each_caller_gets…`, `callers_with_other_claims…` |
//! | a lost waiter | `all_are_told…`, `a_caller_that_goes_away…` |
//! | a stranded flight | `after_all_callers_have_gone…` |
//! | more flights than places | `no_more_flights…` |
//! | a flight more than callers share | `all_who_force…`, `all_who_answer…` |
//! | a token later than its margin | `a_token_near_its_end…`, `at_the_margin…` |
//!
//! The clock stands still unless a test moves it, and no time limit of a caller passes: one that only a
//! timeout would wake waits for ever, which the model checker reports as a deadlock. A test that ends has
//! lost no wake-up.
//!
//! `INTERLEAVINGS=100000 cargo test --release` looks at more orders of each scenario than the usual
//! 150 of each kind.

mod entra;

mod scene;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use shuttle::future::{JoinHandle, spawn, yield_now};
use tokio::time::clear_triggers;
use tower_entra::acquire::{AccessToken, AcquireErrorKind, TokenOptions};

use crate::{
    entra::{Answer::*, claims_and_serial, pass, plain},
    scene::{Caller, FIXTURE, MAIL, Scene, by_default, in_many_orders, let_limits_of_flights_pass},
};

async fn all<T, const N: usize>(callers: [JoinHandle<T>; N]) -> [T; N] {
    let mut ended = Vec::with_capacity(N);
    for caller in callers {
        ended.push(caller.await.unwrap());
    }
    ended.try_into().ok().unwrap()
}

#[test]
fn of_one_key_no_two_requests_are_under_way_at_once_and_one_is_made() {
    async fn scenario(scene: Scene) {
        let callers = [
            scene.app(FILES),
            scene.agent(&FIXTURE.tenant, FIRST),
            scene.user(FIRST, ALICE),
            scene.user(FIRST, BOB),
        ];
        let first = callers.each_ref().map(Caller::ask);
        let second = callers.each_ref().map(Caller::ask);
        for outcome in all(first).await.iter().chain(&all(second).await) {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        // One for each, T1 and T2.
        assert_eq!(callers.each_ref().map(Caller::requests), [1; 4]);
        assert_eq!(scene.entra.requests(), 6);
    }
    in_many_orders(by_default, &[Token], scenario);
}

/// Each is like another but for one thing. What is wrong with a token is seen in `Caller::outcome`,
/// and with an assertion in `Entra`.
#[test]
fn each_caller_gets_the_token_that_it_asked_for_and_no_other() {
    async fn scenario(scene: Scene) {
        let callers = [
            scene.app(FILES),
            scene.app(MAIL),
            scene.agent(&FIXTURE.tenant, FIRST),
            scene.agent(&FIXTURE.tenant, SECOND),
            scene.agent(OTHER_TENANT, FIRST),
            scene.user(FIRST, ALICE),
            scene.user(FIRST, BOB),
            scene.user(SECOND, BOB),
            scene.on_behalf_of(0),
            scene.on_behalf_of(1),
        ];
        for outcome in all(callers.each_ref().map(Caller::ask)).await {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        assert_eq!(callers.each_ref().map(Caller::requests), [1; 10]);
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn all_are_told_when_the_flight_fails() {
    async fn scenario(scene: Scene) {
        let caller = scene.agent(&FIXTURE.tenant, FIRST);
        for outcome in all([(); 3].map(|()| caller.ask())).await {
            assert_eq!(outcome.unwrap_err(), AcquireErrorKind::Unavailable);
        }
        assert_eq!(caller.requests(), 1);
    }
    in_many_orders(by_default, &[Down], scenario);
}

#[test]
fn all_are_told_when_the_http_client_panics_and_its_place_is_free_again() {
    async fn scenario(scene: Scene) {
        let caller = scene.agent(&FIXTURE.tenant, FIRST);
        for outcome in all([(); 3].map(|()| caller.ask())).await {
            assert_eq!(outcome.unwrap_err(), AcquireErrorKind::Unavailable);
        }
        assert_eq!(caller.requests(), 1);
        scene.app(MAIL).token().await;
        pass(Duration::from_secs(5));
        caller.token().await;
    }
    in_many_orders(|with| with.with_max_flights(1), &[Panics, Token], scenario);
}

#[test]
fn all_are_told_when_the_limit_of_a_flight_has_passed_and_its_place_is_free_again() {
    async fn scenario(scene: Scene) {
        clear_triggers();
        let callers = [(); 3].map(|()| scene.app(FILES).ask());
        let_limits_of_flights_pass();
        for outcome in all(callers).await {
            assert_eq!(outcome.unwrap_err(), AcquireErrorKind::Unavailable);
        }
        clear_triggers();
        scene.app(MAIL).token().await;
    }
    let answers = &[TokenBut(FILES)];
    in_many_orders(|with| with.with_max_flights(1), answers, scenario);
}

#[test]
fn a_caller_that_goes_away_at_any_point_ends_no_flight_and_keeps_no_other_waiting() {
    async fn scenario(scene: Scene) {
        let caller = scene.user(FIRST, ALICE);
        let [gone, first, second] = [(); 3].map(|()| caller.ask());
        gone.abort();
        for outcome in all([first, second]).await {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        let _ = gone.await;
        assert_eq!(scene.entra.requests(), 3);
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn after_all_callers_have_gone_the_next_one_gets_a_token_and_no_flight_is_left() {
    async fn scenario(scene: Scene) {
        let caller = scene.agent(&FIXTURE.tenant, FIRST);
        let gone = [(); 2].map(|()| caller.ask());
        for gone in gone {
            gone.abort();
            let _ = gone.await;
        }
        caller.token().await;
        assert_eq!(caller.requests(), 1);
        // The only place is free.
        scene.app(FILES).token().await;
        let Scene { entra, blueprint } = scene;
        assert_eq!(entra.under_way(), 0);
        drop((blueprint, caller));
        while entra.is_held() {
            yield_now().await;
        }
    }
    in_many_orders(|with| with.with_max_flights(1), &[Token], scenario);
}

#[test]
fn no_more_flights_are_under_way_than_there_are_places_and_the_others_are_told_so() {
    async fn scenario(scene: Scene) {
        let callers = [
            scene.app(FILES),
            scene.agent(&FIXTURE.tenant, FIRST),
            scene.user(SECOND, ALICE),
            scene.on_behalf_of(0),
        ];
        // Their entries are there, so that they come in without a lock in common.
        for caller in &callers {
            caller.token().await;
        }
        pass(HOUR);
        let outcomes = all(callers.each_ref().map(Caller::ask)).await;
        let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(refused.clone().all(|kind| *kind == AcquireErrorKind::Busy));
        assert!(refused.count() < callers.len());
        assert_eq!(scene.entra.most_under_way(), 1);
        for caller in &callers {
            caller.token().await;
        }
        assert_eq!(callers.each_ref().map(Caller::requests), [2; 4]);
    }
    in_many_orders(|with| with.with_max_flights(1), &[Token], scenario);
}

#[test]
fn a_flight_is_never_evicted_and_no_keys_are_mixed_up_while_there_is_room_for_one() {
    async fn scenario(scene: Scene) {
        let callers = [FILES, MAIL, CHAT].map(|scope| scene.app(scope));
        // What is known of the first one is of no use any more.
        callers[0].token().await;
        pass(HOUR);
        let first = callers.each_ref().map(Caller::ask);
        let second = callers.each_ref().map(Caller::ask);
        for outcome in all(first).await.iter().chain(&all(second).await) {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        // No flight is left, so the next one that comes has the room for itself.
        scene.app(LISTS).token().await;
        let before = scene.entra.requests();
        for at in [0, 1, 0] {
            callers[at].token().await;
        }
        assert_eq!(scene.entra.requests(), before + 3);
    }
    in_many_orders(|with| with.with_max_entries(1), &[Token], scenario);
}

#[test]
fn a_token_that_comes_while_expired_ones_leave_stays() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        caller.token().await;
        pass(HOUR);
        // With a new key, entries of no use leave.
        let [files, mail] = all([caller.ask(), scene.app(MAIL).ask()]).await;
        assert!(files.is_ok() && mail.is_ok());
        caller.token().await;
        assert_eq!(caller.requests(), 2);
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn all_who_force_a_refresh_during_a_flight_share_the_next_one() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        let first = caller.ask();
        while scene.entra.requests() == 0 {
            yield_now().await;
        }
        let fresh = || TokenOptions::default().force_refresh(true);
        let forced = all([(); 3].map(|()| caller.ask_with(fresh()))).await;
        for outcome in forced {
            assert_eq!(claims_and_serial(outcome.unwrap().secret()), ("", 2));
        }
        let first = first.await.unwrap().unwrap();
        assert_eq!(claims_and_serial(first.secret()), ("", 1));
        assert_eq!(scene.entra.requests(), 2);
    }
    // The first caller and those who force a refresh.
    in_many_orders(by_default, &[TokenAfter(4), Token], scenario);
}

#[test]
fn a_forced_refresh_is_younger_than_its_caller() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        let plain = [(); 2].map(|()| caller.ask());
        let forced = [(); 3].map(|()| {
            let caller = caller.clone();
            spawn(async move {
                let before = caller.requests();
                let fresh = TokenOptions::default().force_refresh(true);
                let token = caller.outcome(fresh).await.unwrap();
                assert!(claims_and_serial(token.secret()).1 > before);
            })
        });
        all(forced).await;
        for outcome in all(plain).await {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        assert!(caller.requests() <= 4);
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn all_who_answer_the_same_challenge_share_one_flight() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        let refused = caller.token().await;
        let challenged = [(); 3].map(|()| {
            let answer = TokenOptions::default().claims(CLAIMS);
            caller.ask_with(answer.refused(refused.clone()))
        });
        let other = caller.ask();
        for outcome in all(challenged).await {
            let token = outcome.unwrap();
            assert_eq!(claims_and_serial(token.secret()), (&*plain(CLAIMS), 2));
        }
        assert!(other.await.unwrap().is_ok());
        assert_eq!(scene.entra.requests(), 2);
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn callers_with_other_claims_get_a_token_for_their_own() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        let other = caller.ask();
        let challenged = [CLAIMS, OTHER_CLAIMS, CLAIMS]
            .map(|claims| caller.ask_with(TokenOptions::default().claims(claims)));
        let outcomes = all(challenged).await;
        for (outcome, claims) in outcomes.into_iter().zip([CLAIMS, OTHER_CLAIMS, CLAIMS]) {
            match outcome {
                Ok(token) => assert_eq!(claims_and_serial(token.secret()).0, plain(claims)),
                // A token for the others' claims has taken the place of that for its own.
                Err(kind) => assert_eq!(kind, AcquireErrorKind::Busy),
            }
        }
        assert!(other.await.unwrap().is_ok());
        assert!(scene.entra.requests() <= 3);
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn a_token_near_its_end_is_handed_out_and_renewed_once_for_all() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        caller.token().await;
        // From ten minutes before its end, or up to one later.
        pass(Duration::from_secs(3_060));
        let serial = |token: AccessToken| claims_and_serial(token.secret()).1;
        for outcome in all([(); 3].map(|()| caller.ask())).await {
            assert!(serial(outcome.unwrap()) <= 2);
        }
        let renewed = loop {
            match serial(caller.token().await) {
                1 => yield_now().await,
                renewed => break renewed,
            }
        };
        assert_eq!((renewed, caller.requests()), (2, 2));
    }
    in_many_orders(by_default, &[Token], scenario);
}

#[test]
fn at_the_margin_a_token_is_handed_out_no_more() {
    async fn scenario(scene: Scene) {
        let caller = scene.app(FILES);
        caller.token().await;
        pass(Duration::from_secs(3_299));
        let is_past = Arc::new(AtomicBool::new(false));
        let callers = [(); 3].map(|()| {
            let (caller, is_past) = (caller.clone(), Arc::clone(&is_past));
            spawn(async move {
                let is_past = is_past.load(Ordering::SeqCst);
                let serial = claims_and_serial(caller.token().await.secret()).1;
                assert!(serial == 2 || serial == 1 && !is_past, "{serial}");
            })
        });
        pass(Duration::from_secs(1));
        is_past.store(true, Ordering::SeqCst);
        all(callers).await;
        assert_eq!(caller.requests(), 2);
    }
    in_many_orders(by_default, &[Token], scenario);
}

const HOUR: Duration = Duration::from_secs(3_600);

const FIRST: &str = "a1a1a1a1-0000-4000-8000-000000000000";
const SECOND: &str = "a2a2a2a2-0000-4000-8000-000000000000";
const ALICE: &str = "c1c1c1c1-0000-4000-8000-000000000000";
const BOB: &str = "c2c2c2c2-0000-4000-8000-000000000000";
const OTHER_TENANT: &str = "d1d1d1d1-0000-4000-8000-000000000000";

const FILES: &str = "https://files/.default";
const CHAT: &str = "https://chat/.default";
const LISTS: &str = "https://lists/.default";

const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
const OTHER_CLAIMS: &str = r#"{"access_token":{"acrs":{"value":"c1"}}}"#;
