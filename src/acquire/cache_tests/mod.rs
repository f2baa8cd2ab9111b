//! Tests of the cache on a paused clock: each fetch is a closure of the test.

use std::{
    collections::HashSet,
    future::pending,
    pin::pin,
    sync::{Mutex as StdMutex, atomic::AtomicU64},
    task::{Context, Poll, Waker},
};

use tokio::{runtime, task::JoinSet, time};

use super::*;
use crate::{
    acquire::{
        error::Failure,
        key::Actor,
        kind::AcquireErrorKind::{self, *},
        scopes::Scopes,
    },
    secret::Secret,
};

mod bounds;

/// A cache, and the token endpoint that its flights ask.
#[derive(Clone)]
struct Desk {
    cache: TokenCache,
    endpoint: Arc<Endpoint>,
}

struct Endpoint {
    /// The key and the claims of each request.
    requests: StdMutex<Vec<(Key, Option<Arc<str>>)>>,
    answer: StdMutex<Answer>,
    latency: Duration,
    under_way: StdMutex<HashSet<Key>>,
    tokens: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// A token that lives this many seconds.
    Token(u64),
    Fails {
        kind: AcquireErrorKind,
        is_transient: bool,
        retry_after: Option<u64>,
    },
    Panics,
    Hangs,
}

impl Desk {
    fn new() -> Self {
        Self::with(AcquireSettings::default())
    }

    fn with(settings: AcquireSettings) -> Self {
        Self {
            cache: TokenCache::new(settings),
            endpoint: Arc::new(Endpoint {
                requests: StdMutex::default(),
                answer: StdMutex::new(Answer::Token(3_600)),
                latency: LATENCY,
                under_way: StdMutex::default(),
                tokens: AtomicU64::new(0),
            }),
        }
    }

    fn answer(&self, answer: Answer) -> &Self {
        *self.endpoint.answer.lock().expect("an answer") = answer;
        self
    }

    fn fails(&self, kind: AcquireErrorKind, is_transient: bool, retry_after: Option<u64>) {
        self.answer(Answer::Fails {
            kind,
            is_transient,
            retry_after,
        });
    }

    fn requests(&self) -> usize {
        self.endpoint.requests.lock().expect("requests").len()
    }

    fn claims(&self) -> Vec<Option<String>> {
        let requests = self.endpoint.requests.lock().expect("requests");
        let claims = requests.iter().map(|(_, claims)| claims.as_deref());
        claims.map(|claims| claims.map(str::to_owned)).collect()
    }

    async fn get(&self, key: &Key, wanted: Wanted) -> Result<(AccessToken, Source), AcquireError> {
        self.get_at(key, wanted, Place::Own).await
    }

    async fn get_at(
        &self,
        key: &Key,
        wanted: Wanted,
        place: Place,
    ) -> Result<(AccessToken, Source), AcquireError> {
        let endpoint = Arc::clone(&self.endpoint);
        self.cache
            .get(key, wanted, place, |claims| {
                endpoint.fetch(key.clone(), claims)
            })
            .await
    }

    /// The text of a token.
    async fn token(&self, key: &Key, wanted: Wanted) -> String {
        let (token, _) = self.get(key, wanted).await.expect("a token");
        token.secret().to_owned()
    }

    async fn error(&self, key: &Key, wanted: Wanted) -> AcquireError {
        self.get(key, wanted).await.expect_err("no token")
    }

    fn spawn(
        &self,
        tasks: &mut JoinSet<Result<(AccessToken, Source), AcquireError>>,
        key: &Key,
        wanted: Wanted,
    ) {
        let (desk, key) = (self.clone(), key.clone());
        tasks.spawn(async move { desk.get(&key, wanted).await });
    }

    fn entries(&self) -> usize {
        read(&self.cache.0.slots).len()
    }
}

impl Endpoint {
    /// One request.
    async fn fetch(
        self: Arc<Self>,
        key: Key,
        claims: Option<Arc<str>>,
    ) -> Result<AccessToken, AcquireError> {
        let asked = Moment::now();
        let request = (key.clone(), claims);
        self.requests.lock().expect("requests").push(request);
        let answer = *self.answer.lock().expect("an answer");
        let is_first = self.under_way.lock().expect("keys").insert(key.clone());
        assert!(is_first, "two flights for {key:?}");
        let _ends = Ends(&self, &key);
        time::sleep(self.latency).await;
        match answer {
            Answer::Token(lives) => {
                let number = self.tokens.fetch_add(1, Ordering::SeqCst) + 1;
                let text = Secret::new(format!("token-{number}"));
                let lives = Duration::from_secs(lives);
                Ok(AccessToken::new(text, "a/.default", asked, lives, None).expect("a token"))
            }
            Answer::Fails {
                kind,
                is_transient,
                retry_after,
            } => Err(AcquireError::new(Failure {
                retry_after: retry_after.map(Duration::from_secs),
                is_transient,
                ..Failure::new(kind, "the endpoint refuses it", "Ask again.")
            })),
            Answer::Panics => panic!("a bug"),
            Answer::Hangs => pending().await,
        }
    }
}

/// A request that is answered, or dropped.
struct Ends<'a>(&'a Endpoint, &'a Key);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.under_way.lock().expect("keys").remove(self.1);
    }
}

fn key(agent: usize) -> Key {
    let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    Key {
        tenant: id(0).parse().expect("a GUID"),
        actor: Actor::Agent(id(agent).parse().expect("a GUID")),
        scopes: Scopes::default_of("api://a").expect("a scope"),
    }
}

fn challenge(claims: &str, refused: Option<&AccessToken>) -> Wanted {
    Wanted::For {
        claims: claims.into(),
        refused: refused.cloned(),
    }
}

async fn pass(seconds: u64) {
    time::advance(Duration::from_secs(seconds)).await;
}

const LATENCY: Duration = Duration::from_millis(200);

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_then_handed_out() {
    let desk = Desk::new();
    let first = desk.get(&key(1), Wanted::Any).await.expect("a token");
    assert_eq!(first.1, Source::Started);
    for _ in 0..10 {
        let (token, source) = desk.get(&key(1), Wanted::Any).await.expect("a token");
        assert!(token.is(&first.0));
        assert_eq!(source, Source::Cache);
        pass(250).await;
    }
    assert_eq!(desk.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_callers_share_one_flight() {
    let desk = Desk::new();
    let mut tasks = JoinSet::new();
    for _ in 0..10_000 {
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
    }
    let mut started = 0;
    for (token, source) in tasks.join_all().await.into_iter().flatten() {
        assert_eq!(token.secret(), "token-1");
        assert_ne!(source, Source::Cache);
        started += usize::from(source == Source::Started);
    }
    assert_eq!((desk.requests(), started), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn its_failure_is_that_of_all_who_wait_and_remembered_for_five_seconds() {
    let desk = Desk::new();
    desk.fails(ConsentRequired, false, None);
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
    }
    for result in tasks.join_all().await {
        let error = result.expect_err("no consent");
        assert_eq!(error.kind(), ConsentRequired);
        assert_eq!(error.retry_after(), None);
    }
    time::advance(Duration::from_millis(4_999)).await;
    for wanted in [Wanted::Any, Wanted::Fresh, challenge("c", None)] {
        let error = desk.error(&key(1), wanted).await;
        assert_eq!(error.kind(), ConsentRequired);
    }
    assert_eq!(desk.requests(), 1);
    desk.answer(Answer::Token(3_600));
    assert_eq!(desk.token(&key(2), Wanted::Any).await, "token-1");
    assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_ends_nothing_and_strands_no_other() {
    let desk = Desk::new();
    let mut leader = JoinSet::new();
    desk.spawn(&mut leader, &key(1), Wanted::Any);
    time::sleep(LATENCY / 4).await;
    let mut followers = JoinSet::new();
    for _ in 0..10 {
        desk.spawn(&mut followers, &key(1), Wanted::Any);
    }
    time::sleep(LATENCY / 4).await;
    leader.shutdown().await;
    for result in followers.join_all().await {
        assert_eq!(result.expect("a token").1, Source::Joined);
    }
    assert_eq!(desk.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flight_whose_callers_have_all_gone_still_brings_its_token() {
    let desk = Desk::new();
    let mut leader = JoinSet::new();
    desk.spawn(&mut leader, &key(1), Wanted::Any);
    time::sleep(LATENCY / 2).await;
    leader.shutdown().await;
    time::sleep(LATENCY).await;
    let (token, source) = desk.get(&key(1), Wanted::Any).await.expect("a token");
    assert_eq!((token.secret(), source), ("token-1", Source::Cache));
}

#[tokio::test(start_paused = true)]
async fn keys_do_not_wait_for_each_other() {
    let desk = Desk::new();
    let mut tasks = JoinSet::new();
    desk.answer(Answer::Hangs);
    desk.spawn(&mut tasks, &key(1), Wanted::Any);
    time::sleep(LATENCY / 2).await;
    desk.answer(Answer::Token(3_600));
    let began = time::Instant::now();
    for agent in 2..200 {
        desk.spawn(&mut tasks, &key(agent), Wanted::Any);
    }
    for _ in 2..200 {
        let result = tasks.join_next().await.expect("a task").expect("a result");
        assert!(result.is_ok());
    }
    assert!(began.elapsed() < 2 * LATENCY);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_lives_a_second_serves_those_who_waited_and_is_fetched_once_for_the_next() {
    let desk = Desk::new();
    desk.answer(Answer::Token(1));
    for number in 1..4 {
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            desk.spawn(&mut tasks, &key(1), Wanted::Any);
        }
        assert_eq!(tasks.join_all().await.into_iter().flatten().count(), 10);
        assert_eq!(desk.requests(), number);
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn near_its_end_a_token_is_handed_out_without_a_wait_and_renewed_once() {
    let desk = Desk::new();
    desk.token(&key(1), Wanted::Any).await;
    pass(3_061).await;
    let began = time::Instant::now();
    for _ in 0..100 {
        assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-1");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    time::sleep(2 * LATENCY).await;
    assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-2");
    assert_eq!(desk.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_asked_for_is_not_renewed() {
    let desk = Desk::new();
    desk.token(&key(1), Wanted::Any).await;
    time::sleep(Duration::from_secs(4_000)).await;
    assert_eq!(desk.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_renewal_that_fails_gets_the_old_token_while_it_serves() {
    for (is_transient, age, serves) in [
        (true, 3_301, true),
        (true, 3_571, false),
        (false, 3_301, false),
    ] {
        let desk = Desk::new();
        desk.token(&key(1), Wanted::Any).await;
        pass(age).await;
        desk.fails(Unavailable, is_transient, None);
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            desk.spawn(&mut tasks, &key(1), Wanted::Any);
        }
        for result in tasks.join_all().await {
            assert_eq!(result.is_ok(), serves, "{age} {result:?}");
        }
        // It does not stand in for one that is newer than the call.
        pass(5).await;
        assert_eq!(desk.error(&key(1), Wanted::Fresh).await.kind(), Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_want_a_fresh_token_share_the_next_flight() {
    let desk = Desk::new();
    desk.token(&key(1), Wanted::Any).await;
    let mut tasks = JoinSet::new();
    desk.spawn(&mut tasks, &key(1), Wanted::Fresh);
    time::sleep(LATENCY / 2).await;
    for _ in 0..100 {
        desk.spawn(&mut tasks, &key(1), Wanted::Fresh);
    }
    let results = tasks.join_all().await;
    let tokens = results.into_iter().map(|result| result.expect("a token").0);
    let tokens: Vec<_> = tokens.map(|token| token.secret().to_owned()).collect();
    assert_eq!(
        tokens.iter().filter(|token| *token == "token-3").count(),
        100
    );
    assert_eq!(desk.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_wakes_late_shares_the_next_flight_though_it_has_begun_or_ended() {
    for latency in [LATENCY / 2, 2 * LATENCY] {
        let desk = Desk::new();
        let mut tasks = JoinSet::new();
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
        time::sleep(LATENCY / 2).await;
        let key = key(1);
        let mut late = pin!(desk.get(&key, Wanted::Fresh));
        assert!(now_or_never(late.as_mut()).is_none());
        tasks.join_next().await;
        desk.spawn(&mut tasks, &key, Wanted::Fresh);
        time::sleep(latency).await;
        let (token, source) = late.await.expect("a token");
        assert_eq!((token.secret(), source), ("token-2", Source::Joined));
        assert_eq!(desk.requests(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_that_are_refused_with_the_same_claims_cost_one_request() {
    let desk = Desk::new();
    let (refused, _) = desk.get(&key(1), Wanted::Any).await.expect("a token");
    let mut tasks = JoinSet::new();
    for _ in 0..500 {
        desk.spawn(&mut tasks, &key(1), challenge("c", Some(&refused)));
    }
    time::sleep(LATENCY / 2).await;
    for _ in 0..250 {
        desk.spawn(&mut tasks, &key(1), challenge("c", Some(&refused)));
    }
    time::sleep(2 * LATENCY).await;
    for _ in 0..250 {
        desk.spawn(&mut tasks, &key(1), challenge("c", Some(&refused)));
    }
    for result in tasks.join_all().await {
        assert_eq!(result.expect("a token").0.secret(), "token-2");
    }
    assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-2");
    assert_eq!(desk.claims(), [None, Some("c".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_waits_for_the_end_of_a_plain_flight_and_has_the_last_word() {
    let desk = Desk::new();
    let mut tasks = JoinSet::new();
    desk.spawn(&mut tasks, &key(1), Wanted::Any);
    time::sleep(LATENCY / 2).await;
    assert_eq!(desk.token(&key(1), challenge("c", None)).await, "token-2");
    assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-2");
    assert_eq!(desk.claims(), [None, Some("c".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn claims_that_entra_refuses_fail_none_but_those_who_asked_for_them() {
    let desk = Desk::new();
    desk.fails(InteractionRequired, false, None);
    let mut tasks = JoinSet::new();
    desk.spawn(&mut tasks, &key(1), challenge("invented", None));
    time::sleep(LATENCY / 2).await;
    desk.answer(Answer::Token(3_600));
    assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-1");
    let result = tasks.join_next().await.expect("a task").expect("a result");
    assert_eq!(result.expect_err("refused").kind(), InteractionRequired);
    assert_eq!(desk.claims(), [Some("invented".to_owned()), None]);
}

#[tokio::test(start_paused = true)]
async fn however_many_flights_come_first_a_caller_waits_for_the_time_of_two() {
    let mut desk = Desk::new();
    Arc::get_mut(&mut desk.endpoint).expect("one owner").latency = Duration::from_secs(29);
    let began = time::Instant::now();
    let mut tasks = JoinSet::new();
    for claims in ["a", "b", "c", "d"] {
        desk.spawn(&mut tasks, &key(1), challenge(claims, None));
    }
    let mut without = 0;
    while let Some(got) = tasks.join_next().await {
        without += usize::from(got.expect("no panic").is_err());
        assert!(
            began.elapsed() <= Duration::from_secs(63),
            "{:?}",
            began.elapsed()
        );
    }
    assert_eq!(without, 2);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_hangs_ends_at_its_limit() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(1));
    desk.answer(Answer::Hangs);
    let began = time::Instant::now();
    let error = desk.error(&key(1), Wanted::Any).await;
    assert_eq!(error.kind(), Unavailable);
    assert_eq!(began.elapsed().as_secs(), 30);
    desk.answer(Answer::Token(3_600));
    desk.token(&key(2), Wanted::Any).await;
    pass(5).await;
    desk.token(&key(1), Wanted::Any).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_out_a_flight_that_hangs_starts_the_next_one() {
    let desk = Desk::new();
    desk.answer(Answer::Hangs);
    let mut tasks = JoinSet::new();
    desk.spawn(&mut tasks, &key(1), Wanted::Any);
    time::sleep(LATENCY / 2).await;
    let error = desk.error(&key(1), Wanted::Fresh).await;
    // The failure that it waited out is remembered.
    assert_eq!(error.kind(), Unavailable);
    assert_eq!(desk.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_flight_and_of_nothing_else() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(1));
    desk.answer(Answer::Panics);
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
    }
    for result in tasks.join_all().await {
        assert_eq!(result.expect_err("no token").kind(), Unavailable);
    }
    assert_eq!(desk.error(&key(1), Wanted::Any).await.kind(), Unavailable);
    assert_eq!(desk.requests(), 1);
    desk.answer(Answer::Token(3_600));
    desk.token(&key(2), Wanted::Any).await;
    pass(5).await;
    desk.token(&key(1), Wanted::Any).await;
}

#[test]
fn a_runtime_that_shuts_down_strands_no_caller_on_another() {
    let desk = Desk::new();
    desk.answer(Answer::Hangs);
    let first = runtime(|builder| builder.enable_all());
    let second = runtime(|builder| builder.enable_all());
    let leader = first.spawn({
        let desk = desk.clone();
        async move { desk.get(&key(1), Wanted::Any).await.map(drop) }
    });
    first.block_on(async { time::sleep(Duration::from_millis(1)).await });
    let follower = second.spawn({
        let desk = desk.clone();
        async move { desk.get(&key(1), Wanted::Any).await }
    });
    second.block_on(async { time::sleep(Duration::from_millis(1)).await });
    drop(first);
    drop(leader);
    let error = second.block_on(follower).expect("a result");
    assert_eq!(error.expect_err("no token").kind(), Unavailable);
    // The other runtime says nothing about this one: the key is free at once.
    desk.answer(Answer::Token(3_600));
    second.block_on(desk.token(&key(1), Wanted::Any));
    assert_eq!(desk.cache.0.places.available_permits(), 256);
}

#[test]
fn a_runtime_that_is_kept_and_not_run_holds_up_a_key_and_a_place_for_no_longer_than_a_flight() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(1));
    let kept = runtime(|builder| builder.enable_all());
    let caller = desk.clone();
    kept.spawn(async move { caller.get(&key(1), Wanted::Any).await.map(drop) });
    kept.block_on(tokio::task::yield_now());
    let other = runtime(|builder| builder.enable_all().start_paused(true));
    other.block_on(async {
        let began = time::Instant::now();
        let error = desk.error(&key(1), Wanted::Any).await;
        assert_eq!(error.kind(), Unavailable);
        // The limit of a flight, and a second for its end.
        let waited = began.elapsed();
        let limit = Duration::from_secs(31);
        assert!((limit..limit + LATENCY).contains(&waited), "{waited:?}");
        desk.endpoint.under_way.lock().expect("keys").clear();
        desk.token(&key(1), Wanted::Any).await;
    });
}

#[test]
fn the_end_of_a_lost_flight_takes_nothing_from_the_next_one() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(2));
    let kept = runtime(|builder| builder.enable_all());
    let caller = desk.clone();
    kept.spawn(async move { caller.get(&key(1), Wanted::Any).await.map(drop) });
    kept.block_on(tokio::task::yield_now());
    let other = runtime(|builder| builder.enable_all().start_paused(true));
    other.block_on(async {
        pass(31).await;
        desk.endpoint.under_way.lock().expect("keys").clear();
        let mut tasks = JoinSet::new();
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
        time::sleep(LATENCY / 2).await;
        kept.shutdown_background();
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
        for result in tasks.join_all().await {
            assert_eq!(result.expect("a token").0.secret(), "token-1");
        }
    });
}

#[test]
fn places_of_lost_flights_are_free_for_other_keys() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(3));
    let kept = runtime(|builder| builder.enable_all());
    for agent in 1..4 {
        let caller = desk.clone();
        kept.spawn(async move { caller.get(&key(agent), Wanted::Any).await.map(drop) });
    }
    kept.block_on(tokio::task::yield_now());
    let other = runtime(|builder| builder.enable_all().start_paused(true));
    other.block_on(async {
        let busy = desk.error(&key(4), Wanted::Any).await;
        assert_eq!(busy.kind(), Busy);
        assert_eq!(busy.retry_after(), Some(Duration::from_secs(1)));
        pass(30).await;
        time::advance(Duration::from_millis(900)).await;
        assert_eq!(desk.error(&key(4), Wanted::Any).await.kind(), Busy);
        // All keys are looked through at most once a second.
        time::advance(Duration::from_millis(999)).await;
        assert_eq!(desk.error(&key(4), Wanted::Any).await.kind(), Busy);
        time::advance(Duration::from_millis(1)).await;
        desk.token(&key(4), Wanted::Any).await;
        assert_eq!(desk.cache.0.places.available_permits(), 3);
    });
}

#[test]
fn without_a_runtime_a_cached_token_is_handed_out_and_no_other() {
    let desk = Desk::new();
    let fails = |agent| {
        let key = key(agent);
        let answer = now_or_never(desk.get(&key, Wanted::Any));
        let error = answer.expect("no wait").expect_err("no runtime");
        assert_eq!(error.kind(), Misconfigured);
        assert!(!error.is_transient());
    };
    fails(1);
    let with_a_timer = runtime(|builder| builder.enable_all());
    with_a_timer.block_on(desk.token(&key(1), Wanted::Any));
    assert!(now_or_never(desk.get(&key(1), Wanted::Any)).is_some_and(|answer| answer.is_ok()));
    fails(2);
    let without_a_timer = runtime(|builder| builder);
    without_a_timer.block_on(async { fails(3) });
    assert_eq!((desk.requests(), desk.entries()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_place_a_caller_is_told_so_at_once_and_it_is_not_remembered() {
    let desk = Desk::new();
    let mut tasks = JoinSet::new();
    for agent in 0..256 {
        for _ in 0..2 {
            desk.spawn(&mut tasks, &key(agent), Wanted::Any);
        }
    }
    time::sleep(LATENCY / 2).await;
    let began = time::Instant::now();
    let error = desk.error(&key(256), Wanted::Any).await;
    assert_eq!(error.kind(), Busy);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(desk.entries(), 256);
    // A leg of a flight needs no place of its own.
    let leg = desk
        .get_at(&key(257), Wanted::Any, Place::OfItsFlight)
        .await;
    assert!(leg.is_ok());
    assert_eq!(tasks.join_all().await.into_iter().flatten().count(), 512);
    desk.token(&key(256), Wanted::Any).await;
    assert_eq!(desk.cache.0.places.available_permits(), 256);
}

#[tokio::test(start_paused = true)]
async fn without_a_place_the_token_in_hand_serves_until_30_s_before_its_end() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(1));
    desk.token(&key(1), Wanted::Any).await;
    pass(3_060).await;
    desk.answer(Answer::Hangs);
    let mut tasks = JoinSet::new();
    for agent in [2, 3, 4] {
        desk.spawn(&mut tasks, &key(agent), Wanted::Any);
        time::sleep(LATENCY).await;
        let (token, source) = desk.get(&key(1), Wanted::Any).await.expect("a token");
        assert_eq!((token.secret(), source), ("token-1", Source::Cache));
        assert_eq!(desk.error(&key(1), Wanted::Fresh).await.kind(), Busy);
        tasks.join_next().await;
        pass(205).await;
    }
    desk.spawn(&mut tasks, &key(5), Wanted::Any);
    time::sleep(LATENCY).await;
    assert_eq!(desk.error(&key(1), Wanted::Any).await.kind(), Busy);
}

#[tokio::test(start_paused = true)]
async fn expired_entries_leave_first_and_then_those_not_asked_for_the_longest() {
    let desk = Desk::with(AcquireSettings::default().with_max_entries(4));
    for (agent, lives) in [(1, 3_600), (2, 100), (3, 3_600)] {
        desk.answer(Answer::Token(lives));
        desk.token(&key(agent), Wanted::Any).await;
        pass(1).await;
    }
    desk.fails(NotAllowed, false, None);
    desk.error(&key(4), Wanted::Any).await;
    let kept = |agent: usize| read(&desk.cache.0.slots).contains_key(&key(agent));
    desk.answer(Answer::Token(3_600));
    // Used last, but over.
    pass(99).await;
    desk.cache
        .0
        .look(&key(2), Moment::now(), &Wanted::Any, None);
    desk.token(&key(5), Wanted::Any).await;
    assert_eq!([1, 2, 3, 4, 5].map(kept), [true, false, true, false, true]);
    desk.token(&key(6), Wanted::Any).await;
    pass(1).await;
    desk.token(&key(1), Wanted::Any).await;
    desk.token(&key(7), Wanted::Any).await;
    assert_eq!([1, 3, 5, 6, 7].map(kept), [true, false, true, true, true]);
    assert_eq!(desk.entries(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_flight_is_never_evicted() {
    let desk = Desk::with(AcquireSettings::default().with_max_entries(2));
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        for agent in 0..20 {
            desk.spawn(&mut tasks, &key(agent), Wanted::Any);
        }
        time::sleep(LATENCY / 10).await;
    }
    assert_eq!(desk.entries(), 20);
    assert_eq!(tasks.join_all().await.into_iter().flatten().count(), 60);
    assert_eq!(desk.requests(), 20);
    desk.token(&key(20), Wanted::Any).await;
    assert_eq!(desk.entries(), 2);
}

#[tokio::test(start_paused = true)]
async fn entries_that_are_of_no_use_leave_within_a_minute_if_others_come() {
    let desk = Desk::new();
    desk.answer(Answer::Token(1));
    let mut tasks = JoinSet::new();
    for agent in 0..200 {
        desk.spawn(&mut tasks, &key(agent), Wanted::Any);
    }
    tasks.join_all().await;
    assert_eq!(desk.entries(), 200);
    pass(60).await;
    desk.token(&key(200), Wanted::Any).await;
    assert_eq!(desk.entries(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_a_flood_of_keys_at_most_the_limit_is_kept() {
    let desk = Desk::with(AcquireSettings::default().with_max_entries(100));
    for agent in 0..2_000 {
        desk.token(&key(agent), Wanted::Any).await;
        assert!(desk.entries() <= 100);
    }
    assert!(desk.entries() > 90);
    assert_eq!(desk.token(&key(1_999), Wanted::Any).await, "token-2000");
}

/// Callers come and go on four threads, and each is answered or gone.
#[test]
fn seventeen_thousand_callers_who_go_away_at_any_time_hang_no_other() {
    let mut desk = Desk::with(
        AcquireSettings::default()
            .with_max_flights(20)
            .with_max_entries(30),
    );
    let endpoint = Arc::get_mut(&mut desk.endpoint).expect("no flight yet");
    endpoint.latency = Duration::from_micros(300);
    desk.answer(Answer::Token(1));
    let mut threads = runtime::Builder::new_multi_thread();
    let threads = threads.worker_threads(4).enable_all().build();
    threads.expect("a runtime").block_on(async {
        for round in 0..170_u64 {
            let mut tasks = JoinSet::new();
            for caller in 0..100 {
                let agent = usize::try_from((caller * 7 + round) % 40).expect("small");
                let wanted = match caller % 5 {
                    0 => Wanted::Fresh,
                    1 => challenge("c", None),
                    _ => Wanted::Any,
                };
                desk.spawn(&mut tasks, &key(agent), wanted);
                if caller % 10 == 9 {
                    time::sleep(Duration::from_micros(round % 7 * 100)).await;
                    tasks.abort_all();
                }
            }
            let all = async { while tasks.join_next().await.is_some() {} };
            let ended = time::timeout(Duration::from_secs(20), all).await;
            assert!(ended.is_ok(), "a caller hangs in round {round}");
        }
        time::sleep(Duration::from_millis(50)).await;
        assert_eq!(desk.cache.0.places.available_permits(), 20);
        for agent in 0..40 {
            let key = key(agent);
            let token = time::timeout(Duration::from_secs(20), desk.get(&key, Wanted::Any));
            assert!(token.await.expect("no hang").is_ok());
        }
    });
}

#[test]
fn debug_shows_no_token_and_no_claims() {
    let desk = Desk::new();
    let runtime = runtime(|builder| builder.enable_all());
    runtime.block_on(desk.token(&key(1), Wanted::Any));
    assert_eq!(
        format!("{:?}", desk.cache),
        "TokenCache { entries: 1, max_entries: 10000, .. }"
    );
    let slots = read(&desk.cache.0.slots);
    let text = format!("{:?}", slots.values().collect::<Vec<_>>());
    assert!(!text.contains("token-1"), "{text}");
}

/// A runtime on the thread of the test.
fn runtime(build: impl FnOnce(&mut runtime::Builder) -> &mut runtime::Builder) -> runtime::Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    build(&mut builder).build().expect("a runtime")
}

/// The result of a future that does not wait.
fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
