//! Tests of the bounds of the cache: places for flights, waits, and room for entries.

use super::*;

/// Registers a flight whose task does not run. It is given up when this is dropped.
#[track_caller]
fn registered(desk: &Desk, agent: usize, wanted: &Wanted) -> Step {
    let now = Moment::now();
    let step = (desk.cache.0).step(&key(agent), now, wanted, None, Place::Own);
    assert!(matches!(step, Step::Start(..)));
    step
}

fn kept<const N: usize>(desk: &Desk, agents: [usize; N]) -> [bool; N] {
    let slots = read(&desk.cache.0.slots);
    agents.map(|agent| slots.contains_key(&key(agent)))
}

#[tokio::test(start_paused = true)]
async fn places_of_lost_flights_are_looked_for_at_most_once_a_second() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(1));
    let _lost = registered(&desk, 1, &Wanted::Any);
    // Half a second before it is lost.
    for wait in [30_500, 999] {
        time::advance(Duration::from_millis(wait)).await;
        assert_eq!(desk.error(&key(2), Wanted::Any).await.kind(), Busy);
    }
    time::advance(Duration::from_millis(1)).await;
    desk.token(&key(2), Wanted::Any).await;
}

#[tokio::test(start_paused = true)]
async fn places_of_lost_flights_are_looked_for_only_where_none_is_left() {
    let desk = Desk::with(AcquireSettings::default().with_max_flights(2));
    let _lost = registered(&desk, 1, &Wanted::Any);
    time::advance(Duration::from_millis(30_900)).await;
    let _last = registered(&desk, 2, &Wanted::Any);
    time::advance(Duration::from_millis(100)).await;
    desk.token(&key(3), Wanted::Any).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_two_flights_that_are_lost_and_for_no_third() {
    let desk = Desk::new();
    let _first = registered(&desk, 1, &Wanted::Any);
    pass(1).await;
    let began = time::Instant::now();
    let mut tasks = JoinSet::new();
    desk.spawn(&mut tasks, &key(1), challenge("c", None));
    // The first is lost, and the caller still waits for it.
    time::sleep(Duration::from_millis(30_500)).await;
    let _second = registered(&desk, 1, &Wanted::Any);
    let result = tasks.join_next().await.expect("a task").expect("a result");
    assert_eq!(result.expect_err("no token").kind(), Unavailable);
    assert_eq!(began.elapsed().as_secs(), 62);
}

#[tokio::test(start_paused = true)]
async fn a_flight_for_the_claims_of_another_that_stops_is_the_answer_to_all_who_wait() {
    let desk = Desk::new();
    let flight = registered(&desk, 1, &challenge("c", None));
    let mut tasks = JoinSet::new();
    desk.spawn(&mut tasks, &key(1), Wanted::Any);
    tokio::task::yield_now().await;
    drop(flight);
    let result = tasks.join_next().await.expect("a task").expect("a result");
    assert_eq!(result.expect_err("no token").kind(), Unavailable);
    assert_eq!(desk.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_asked_for_claims_that_are_refused_waits_for_no_other_flight() {
    let desk = Desk::new();
    desk.fails(InteractionRequired, false, None);
    let (mut refused, mut others) = (JoinSet::new(), JoinSet::new());
    desk.spawn(&mut refused, &key(1), challenge("c", None));
    time::sleep(LATENCY / 2).await;
    desk.answer(Answer::Token(3_600));
    for _ in 0..50 {
        desk.spawn(&mut others, &key(1), Wanted::Any);
        desk.spawn(&mut refused, &key(1), challenge("c", None));
    }
    let began = time::Instant::now();
    for result in refused.join_all().await {
        assert_eq!(result.expect_err("refused").kind(), InteractionRequired);
    }
    assert!(began.elapsed() < LATENCY);
    for result in others.join_all().await {
        assert_eq!(result.expect("a token").0.secret(), "token-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_or_a_failure_that_is_remembered_is_at_hand() {
    let desk = Desk::new();
    let at_hand = |agent| desk.cache.at_hand(&key(agent));
    assert!(at_hand(1).is_none());
    desk.token(&key(1), Wanted::Any).await;
    let token = at_hand(1).expect("an answer").expect("a token");
    assert_eq!(token.secret(), "token-1");
    desk.fails(NotAllowed, false, None);
    desk.error(&key(2), Wanted::Any).await;
    let error = at_hand(2).expect("an answer").expect_err("a failure");
    assert_eq!(error.kind(), NotAllowed);
    pass(5).await;
    assert!(at_hand(2).is_none());
}

#[tokio::test(start_paused = true)]
async fn entries_that_are_of_no_use_are_looked_for_a_minute_after_the_last_time() {
    let desk = Desk::new();
    let began = time::Instant::now();
    let left_after = async |time: u64| {
        let wait = Duration::from_millis(time) - began.elapsed();
        time::advance(wait).await;
        desk.cache.0.make_room(Moment::now());
        desk.entries()
    };
    desk.answer(Answer::Token(1));
    for minute in 1..3 {
        desk.token(&key(1), Wanted::Any).await;
        assert_eq!(left_after(minute * 60_000 - 1).await, 1);
        assert_eq!(left_after(minute * 60_000).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_entry_of_a_flight_stays_and_a_later_one_leaves() {
    let desk = Desk::with(AcquireSettings::default().with_max_entries(2));
    let _under_way = registered(&desk, 1, &Wanted::Any);
    pass(1).await;
    for agent in [2, 3] {
        desk.token(&key(agent), Wanted::Any).await;
    }
    assert_eq!(kept(&desk, [1, 2, 3]), [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn of_a_full_cache_a_sixteenth_leaves() {
    let desk = Desk::with(AcquireSettings::default().with_max_entries(32));
    for agent in 0..32 {
        desk.token(&key(agent), Wanted::Any).await;
    }
    assert_eq!(desk.entries(), 32);
    desk.token(&key(32), Wanted::Any).await;
    assert_eq!(desk.entries(), 31);
    assert_eq!(kept(&desk, [0, 1, 2]), [false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn no_useful_entry_leaves_where_one_of_no_use_makes_room() {
    let desk = Desk::with(AcquireSettings::default().with_max_entries(16));
    for agent in 0..15 {
        desk.token(&key(agent), Wanted::Any).await;
    }
    desk.answer(Answer::Token(1));
    desk.token(&key(15), Wanted::Any).await;
    pass(1).await;
    desk.token(&key(16), Wanted::Any).await;
    assert_eq!(desk.entries(), 16);
    assert_eq!(kept(&desk, [0, 15, 16]), [true, false, true]);
}
