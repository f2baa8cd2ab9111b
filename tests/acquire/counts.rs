//! How many requests it takes, and how long callers wait.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, advance, sleep},
};
use tower_entra::acquire::{
    AcquireErrorKind, AcquireSettings, AgentUser, ConfidentialClient, Scopes, TokenOptions,
    TokenSource,
};

use super::{
    assertions::{BLUEPRINT, TENANT, assertion},
    endpoint::{Key, Reply, Who},
    scripted::{Legs, Scripted, agent, client, user, with_settings},
};

const AGENTS: usize = 100;
const USERS: usize = 10;
const SCOPES: [&str; 3] = ["api://one/A", "api://one/B", "api://two/A"];
const SECOND: Duration = Duration::from_secs(1);

/// Each user of each agent, for each scope.
fn sources(client: &ConfidentialClient) -> Vec<(TokenSource, Scopes)> {
    let scopes = SCOPES.map(|scope| scope.parse::<Scopes>().unwrap());
    let mut sources = Vec::new();
    for number in 0..AGENTS {
        let agent = client.agent(agent(number));
        for number in 0..USERS {
            let source = agent.user(AgentUser::object_id(user(number).parse().unwrap()));
            sources.extend(scopes.iter().map(|scopes| (source.clone(), scopes.clone())));
        }
    }
    sources
}

const ALL: Legs = Legs {
    t1: AGENTS,
    t2: AGENTS,
    last: AGENTS * USERS * SCOPES.len(),
};

/// The default scope of an API, and the key of the blueprint's own token for it.
fn default_scope() -> (Scopes, Key) {
    let who = Who::Itself(BLUEPRINT.to_owned());
    let scope = "api://one/.default";
    (scope.parse().unwrap(), Key::new(TENANT, who, scope))
}

#[tokio::test(start_paused = true)]
async fn a_hundred_agents_of_ten_users_and_three_scopes_one_after_the_other() {
    let endpoint = Scripted::start();
    let sources = sources(&client(&endpoint));
    let (mut one, mut two, mut three) = (0, 0, 0);
    for (source, scopes) in &sources {
        let before = endpoint.lock().requests();
        source.token(scopes).await.unwrap();
        match endpoint.lock().requests() - before {
            1 => one += 1,
            2 => two += 1,
            3 => three += 1,
            other => panic!("{other} requests"),
        }
    }
    // The first user of an agent takes three, and any other token of the agent's users one.
    assert_eq!((three, two, one), (AGENTS, 0, ALL.last - AGENTS));
    assert_eq!(endpoint.lock().legs(), ALL);
    for (source, scopes) in &sources {
        source.token(scopes).await.unwrap();
    }
    assert_eq!(endpoint.lock().legs(), ALL);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_agents_of_ten_users_and_three_scopes_all_at_once_and_twice() {
    let endpoint = Scripted::start();
    let settings = AcquireSettings::default().with_max_flights(ALL.last);
    let sources = sources(&with_settings(&endpoint, settings));
    let mut tasks = JoinSet::new();
    for (source, scopes) in sources.iter().chain(&sources) {
        let (source, scopes) = (source.clone(), scopes.clone());
        tasks.spawn(async move { source.token(&scopes).await.map(drop) });
    }
    let began = Instant::now();
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(endpoint.lock().legs(), ALL);
    // T1, T2 and the token: no flight waits for another agent's.
    assert!(began.elapsed() <= Duration::from_millis(303));
}

#[tokio::test(start_paused = true)]
async fn where_places_are_too_few_the_rest_are_told_at_once_and_no_request_is_lost() {
    let endpoint = Scripted::start();
    let sources = sources(&client(&endpoint));
    let mut open = sources.clone();
    let mut rounds = 0;
    while !open.is_empty() {
        let mut tasks = JoinSet::new();
        for (source, scopes) in open.drain(..) {
            tasks.spawn(async move {
                let began = Instant::now();
                let got = source.token(&scopes).await.map(drop);
                (source, scopes, got, began.elapsed())
            });
        }
        let mut granted = 0;
        for (source, scopes, got, took) in tasks.join_all().await {
            match got {
                Ok(()) => granted += 1,
                Err(error) => {
                    assert_eq!(error.kind(), AcquireErrorKind::Busy);
                    assert_eq!(error.retry_after(), Some(SECOND));
                    assert_eq!(took, Duration::ZERO);
                    open.push((source, scopes));
                }
            }
        }
        assert!(granted == 256 || open.is_empty(), "{granted}");
        rounds += 1;
    }
    assert_eq!(rounds, ALL.last.div_ceil(256));
    assert_eq!(endpoint.lock().legs(), ALL);
}

#[tokio::test(start_paused = true)]
async fn the_ways_of_one_agent_share_its_assertions() {
    let endpoint = Scripted::start();
    let agent = client(&endpoint).agent(agent(0));
    let (scopes, _) = default_scope();
    let legs = |t1, t2, last| Legs { t1, t2, last };
    agent.itself().token(&scopes).await.unwrap();
    assert_eq!(endpoint.lock().legs(), legs(1, 0, 1));
    for (number, last) in (0..3).zip(2..) {
        let (_, assertion) = assertion(number);
        agent.on_behalf_of(assertion).token(&scopes).await.unwrap();
        assert_eq!(endpoint.lock().legs(), legs(1, 0, last));
    }
    let user = AgentUser::object_id(user(0).parse().unwrap());
    agent.user(user).token(&scopes).await.unwrap();
    assert_eq!(endpoint.lock().legs(), legs(1, 1, 5));
    // In another tenant it has other ones.
    let elsewhere = client(&endpoint).in_tenant("22222222-2222-4222-8222-222222222222");
    let agent = elsewhere.agent(super::scripted::agent(0));
    agent.itself().token(&scopes).await.unwrap();
    assert_eq!(endpoint.lock().legs(), legs(2, 1, 6));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_tasks_that_ask_for_one_token_at_once_wait_for_one_flight() {
    let endpoint = Scripted::start();
    endpoint.lock().takes = SECOND;
    let source = client(&endpoint).itself();
    let (scopes, _) = default_scope();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..10_000 {
        let (source, scopes) = (source.clone(), scopes.clone());
        tasks.spawn(async move {
            let token = source.token(&scopes).await;
            (token, Instant::now())
        });
    }
    for (token, answered) in tasks.join_all().await {
        assert!(token.is_ok());
        assert!(answered - began <= SECOND.mul_f64(1.2));
    }
    assert_eq!(endpoint.lock().requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_the_answer_to_all_who_wait_and_is_remembered() {
    let endpoint = Scripted::start();
    let (scopes, key) = default_scope();
    let throttled = Reply::refusal("invalid_request", 90_055).with_retry_after("60");
    endpoint.lock().answer(&key, throttled);
    let source = client(&endpoint).itself();
    for (wait, requests) in [(0, 1), (10, 1), (49, 1), (2, 2)] {
        advance(wait * SECOND).await;
        let mut tasks = JoinSet::new();
        for _ in 0..1_000 {
            let (source, scopes) = (source.clone(), scopes.clone());
            tasks.spawn(async move { source.token(&scopes).await.map(drop) });
        }
        for got in tasks.join_all().await {
            let error = got.expect_err("throttled");
            assert_eq!(error.kind(), AcquireErrorKind::Throttled);
            assert!(error.retry_after().unwrap() <= 60 * SECOND);
        }
        assert_eq!(endpoint.lock().requests(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_with_the_claims_of_one_challenge_cost_one_request() {
    let endpoint = Scripted::start();
    let source = client(&endpoint).itself();
    let (scopes, _) = default_scope();
    let plain = source.token(&scopes).await.unwrap();
    let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
    let ask = async |refused: Option<&_>| {
        let mut tasks = JoinSet::new();
        for _ in 0..1_000 {
            let (source, scopes) = (source.clone(), scopes.clone());
            let mut options = TokenOptions::default().claims(claims);
            if let Some(token) = refused {
                options = options.refused(Clone::clone(token));
            }
            tasks.spawn(async move { source.token_with(&scopes, options).await });
        }
        tasks.join_all().await
    };
    let all = ask(Some(&plain)).await;
    assert_eq!(endpoint.lock().requests(), 2);
    let new = all[0].as_ref().unwrap();
    assert_ne!(new.secret(), plain.secret());
    assert!(
        all.iter()
            .all(|got| got.as_ref().unwrap().secret() == new.secret())
    );
    // Those who come later with the token that was refused, and those who ask without claims.
    advance(600 * SECOND).await;
    ask(Some(&plain)).await;
    assert_eq!(source.token(&scopes).await.unwrap().secret(), new.secret());
    assert_eq!(endpoint.lock().requests(), 2);
    // Refused with the very same claims: one more, and not another for 5 s.
    let all = ask(Some(new)).await;
    assert_eq!(endpoint.lock().requests(), 3);
    let newer = all[0].as_ref().unwrap();
    for got in ask(Some(newer)).await {
        assert_eq!(got.expect_err("too soon").kind(), AcquireErrorKind::Busy);
    }
    assert_eq!(endpoint.lock().requests(), 3);
    advance(5 * SECOND).await;
    assert!(ask(Some(newer)).await.iter().all(Result::is_ok));
    assert_eq!(endpoint.lock().requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_wishes_for_a_new_token_cost_one_request() {
    let endpoint = Scripted::start();
    let user = AgentUser::object_id(user(0).parse().unwrap());
    let source = client(&endpoint).agent(agent(0)).user(user);
    let scopes: Scopes = "api://one/A".parse().unwrap();
    source.token(&scopes).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        let (source, scopes) = (source.clone(), scopes.clone());
        let options = TokenOptions::default().force_refresh(true);
        tasks.spawn(async move { source.token_with(&scopes, options).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    // T1 and T2 still come from the cache.
    let expected = Legs {
        t1: 1,
        t2: 1,
        last: 2,
    };
    assert_eq!(endpoint.lock().legs(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_while_it_leads_strands_no_other() {
    let endpoint = Scripted::start();
    let user = AgentUser::object_id(user(0).parse().unwrap());
    let source = client(&endpoint).agent(agent(0)).user(user);
    let scopes: Scopes = "api://one/A".parse().unwrap();
    let ask = || {
        let (source, scopes) = (source.clone(), scopes.clone());
        async move { source.token(&scopes).await }
    };
    // In each of the three requests.
    for (after, requests) in [(50, 1), (150, 2), (250, 3)] {
        endpoint.lock().takes = Duration::from_millis(100);
        let began = endpoint.lock().requests();
        let leader = tokio::spawn(ask());
        tokio::task::yield_now().await;
        let followers: JoinSet<_> = (0..100).map(|_| ask()).collect();
        sleep(Duration::from_millis(after)).await;
        leader.abort();
        assert!(leader.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(endpoint.lock().requests() - began, requests);
        assert!(followers.join_all().await.iter().all(Result::is_ok));
        assert_eq!(endpoint.lock().requests() - began, 3);
        // So that the next round needs all three again.
        advance(2 * 3_600 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_flight_that_all_callers_have_left_is_kept() {
    let endpoint = Scripted::start();
    let source = client(&endpoint).itself();
    let (scopes, _) = default_scope();
    let mut callers: JoinSet<_> = (0..100)
        .map(|_| {
            let (source, scopes) = (source.clone(), scopes.clone());
            async move { source.token(&scopes).await }
        })
        .collect();
    sleep(Duration::from_millis(50)).await;
    callers.shutdown().await;
    sleep(SECOND).await;
    let began = Instant::now();
    source.token(&scopes).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(endpoint.lock().requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn in_64_hours_without_trouble_only_the_first_caller_waits() {
    for (lives, earliest, latest) in [(3_599, 2_999, 3_059), (86_399, 43_199, 43_259)] {
        let endpoint = Scripted::start();
        endpoint.lock().lives = lives;
        let (scopes, key) = default_scope();
        let source = client(&endpoint).itself();
        let began = Instant::now();
        source.token(&scopes).await.unwrap();
        let interval = 25 * SECOND;
        let hours = 64 * 3_600 * SECOND;
        while began.elapsed() < hours {
            sleep(interval).await;
            let asked = Instant::now();
            source.token(&scopes).await.unwrap();
            assert_eq!(asked.elapsed(), Duration::ZERO);
        }
        let requests = endpoint.lock().requests_for(&key);
        let most = 1 + 64 * 3_600 / earliest;
        let least = 64 * 3_600 / (latest + 26);
        assert!((least..=most).contains(&requests), "{requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_asked_for_is_not_renewed() {
    let endpoint = Scripted::start();
    let (scopes, _) = default_scope();
    let source = client(&endpoint).agent(agent(0)).itself();
    source.token(&scopes).await.unwrap();
    sleep(64 * 3_600 * SECOND).await;
    assert_eq!(endpoint.lock().requests(), 2);
    source.token(&scopes).await.unwrap();
    assert_eq!(endpoint.lock().requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_before_it_arrives_is_a_timeout() {
    let endpoint = Scripted::start();
    let source = client(&endpoint).itself();
    let (scopes, _) = default_scope();
    for (lives, takes) in [(1, 1_000), (2, 2_500)] {
        endpoint.lock().lives = lives;
        endpoint.lock().takes = Duration::from_millis(takes);
        let before = endpoint.lock().requests();
        let error = source.token(&scopes).await.expect_err("an expired token");
        assert_eq!(error.kind(), AcquireErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(5 * SECOND));
        // It is tried once more in line.
        assert_eq!(endpoint.lock().requests(), before + 2);
        advance(5 * SECOND).await;
    }
    endpoint.lock().takes = Duration::from_millis(1_900);
    source.token(&scopes).await.unwrap();
}
