//! What comes of every bad answer: an error with its kind and hint, nothing remembered but that, and the old
//! token as long as it serves.

use std::time::Duration;

use tokio::time;
use tower_entra::{
    acquire::{AcquireError, AcquireErrorKind as Kind, TokenSource},
    testing::{Fault, Issuer, Leg, Target},
};

use super::{
    bad_answers::{Bad, bad_members, no_answers, other_users, others},
    told,
    world::{EVERYONE, Who, World},
};

const LEGS: [(Leg, Who); 6] = [
    (Leg::App, Who::App),
    (Leg::T1, Who::Agent),
    (Leg::T2, Who::AgentUser),
    (Leg::Agent, Who::Agent),
    (Leg::OnBehalfOf, Who::AgentForUser),
    (Leg::AgentUser, Who::AgentUser),
];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The error of this answer on this leg, and the token after it. The time is paused.
async fn prove(bad: &Bad, leg: Leg, who: Who, world: &World) {
    let what = format!("{:?}, {}", leg, bad.what);
    let (source, scopes) = world.asked(who);
    let before = world.issuer.token_requests_of(leg);
    let requests = || usize::try_from(world.issuer.token_requests_of(leg) - before).unwrap();
    bad.apply(world, leg);
    let error = source.token(&scopes).await.expect_err(&what);
    check(bad, &error, world, &what);
    assert_eq!(requests(), bad.tries, "{what}");

    let again = source.token(&scopes).await.expect_err(&what);
    assert_eq!((again.kind(), requests()), (bad.kind, bad.tries), "{what}");

    world.issuer.heal();
    world.issuer.reset_token_members();
    time::advance(seconds(bad.after.max(5))).await;
    let token = source.token(&scopes).await;
    let token = token.unwrap_or_else(|error| panic!("{what}: {}", told(&error)));
    assert_eq!(requests(), bad.tries + 1, "{what}");
    let last = world.wire.sent().pop().unwrap();
    assert_eq!(last.token().as_deref(), Some(token.secret()), "{what}");
}

fn check(bad: &Bad, error: &AcquireError, world: &World, what: &str) {
    let told = format!("{what}: {}", told(error));
    assert_eq!(error.kind(), bad.kind, "{told}");
    assert!(error.to_string().contains(bad.text), "{told}");
    assert!(error.hint().unwrap().contains(bad.hint), "{told}");
    assert!(!error.to_string().contains('\n'), "{told}");
    let can_pass = matches!(bad.kind, Kind::Unavailable | Kind::Throttled);
    let after = error.retry_after().map(|after| after.as_secs());
    assert_eq!(after, can_pass.then_some(bad.after), "{told}");
    assert!(
        error.correlation_id().is_some() && error.claims().is_none(),
        "{told}"
    );
    let shown = format!("{told} {error:?}");
    for credential in world
        .wire
        .credentials()
        .iter()
        .filter(|text| text.len() > 3)
    {
        assert!(!shown.contains(credential), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_none_is_an_error_on_each_leg_and_no_token() {
    let issuer = Issuer::start().await;
    for (leg, who) in LEGS {
        let world = World::at(&issuer);
        for bad in no_answers() {
            prove(&bad, leg, who, &world).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_member_that_a_token_needs_is_an_error_on_each_leg() {
    let issuer = Issuer::start().await;
    for (leg, who) in LEGS {
        let world = World::at(&issuer);
        for bad in bad_members() {
            prove(&bad, leg, who, &world).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_identity_is_thrown_away_on_each_leg() {
    let issuer = Issuer::start().await;
    for (leg, who) in LEGS {
        let world = World::at(&issuer);
        let is_users = matches!(leg, Leg::OnBehalfOf | Leg::AgentUser);
        let all = others().into_iter();
        for bad in all.chain(other_users().into_iter().filter(|_| is_users)) {
            prove(&bad, leg, who, &world).await;
        }
    }
}

/// The agent as itself, with a token that it got this long ago.
async fn aged(world: &World, age: u64) -> (TokenSource, String) {
    let (source, scopes) = world.asked(Who::Agent);
    let token = source.token(&scopes).await.unwrap();
    time::advance(seconds(age)).await;
    (source, token.secret().to_owned())
}

#[tokio::test(start_paused = true)]
async fn while_its_renewal_is_answered_badly_the_old_token_is_handed_out() {
    let world = World::at(&Issuer::start().await);
    let scopes = world.default_scope();
    let requests = || world.issuer.token_requests_of(Leg::Agent);
    for bad in [no_answers(), bad_members(), others()]
        .into_iter()
        .flatten()
    {
        // It lives for an hour.
        let (source, old) = aged(&world, 3_100).await;
        let before = requests();
        bad.apply(&world, Leg::Agent);
        for _ in 0..3 {
            let token = source.token(&scopes).await.unwrap();
            assert_eq!(token.secret(), old, "{}", bad.what);
            time::sleep(seconds(3)).await;
        }
        let tries = u64::try_from(bad.tries).unwrap();
        assert_eq!(requests() - before, tries, "{}", bad.what);

        world.issuer.heal();
        world.issuer.reset_token_members();
        // Nothing wakes the time of a renewal that Entra has put off beyond the life of the token.
        if bad.after < 60 {
            time::advance(seconds(30)).await;
            assert_eq!(source.token(&scopes).await.unwrap().secret(), old);
            time::sleep(seconds(1)).await;
            let renewed = source.token(&scopes).await.unwrap();
            assert_ne!(renewed.secret(), old, "{}", bad.what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn in_its_last_five_minutes_a_token_serves_only_while_the_reason_can_pass() {
    let world = World::at(&Issuer::start().await);
    let scopes = world.default_scope();
    let fault = |target, fault| world.issuer.fail_at(target, fault);
    for (what, target, answer) in [
        ("a sign-in page", Target::Leg(Leg::Agent), Fault::Html),
        (
            "a throttle",
            Target::Leg(Leg::Agent),
            Fault::StatusWithRetryAfter {
                status: 429,
                seconds: 9,
            },
        ),
        (
            "an outage of the whole endpoint",
            Target::Token,
            Fault::Status(503),
        ),
    ] {
        let (source, old) = aged(&world, 3_400).await;
        fault(target, answer.clone());
        assert_eq!(source.token(&scopes).await.unwrap().secret(), old, "{what}");
        // Less than half a minute before its end.
        time::advance(seconds(171)).await;
        let error = source.token(&scopes).await.expect_err(what);
        assert!(error.retry_after().is_some(), "{what}");
        world.issuer.heal();
    }
    for bad in others() {
        let (source, _) = aged(&world, 3_400).await;
        bad.apply(&world, Leg::Agent);
        let error = source.token(&scopes).await.expect_err(bad.what);
        assert_eq!(error.kind(), Kind::IdentityMismatch);
        world.issuer.reset_token_members();
    }
    let (source, _) = aged(&world, 3_400).await;
    world.agent.disable();
    let error = source.token(&scopes).await.expect_err("disabled");
    assert_eq!(error.kind(), Kind::Misconfigured);
}

#[tokio::test(start_paused = true)]
async fn a_life_of_a_second_serves_once_and_one_in_digits_or_of_ten_years_is_taken() {
    let world = World::at(&Issuer::start().await);
    for (life, asked_again, requests) in [
        (serde_json::json!(1), 1, 2),
        (serde_json::json!("3599"), 1, 1),
        (serde_json::json!(3_599.9), 1, 1),
        (serde_json::json!(315_576_000), 100_000_000, 1),
    ] {
        world.issuer.set_token_member(Leg::App, "expires_in", &life);
        let (source, scopes) = world.asked(Who::App);
        let before = world.wire.count();
        source.token(&scopes).await.unwrap();
        time::advance(seconds(asked_again)).await;
        source.token(&scopes).await.unwrap();
        assert_eq!(world.wire.count() - before, requests, "{life}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_in_the_form_of_its_api_is_taken() {
    let forms: [fn(&World); 4] = [
        |_| {},
        |world| drop(world.api.with_v1_tokens()),
        |world| drop(world.api.without_facets()),
        |world| drop(world.api.with_v1_tokens().without_facets()),
    ];
    for form in forms {
        let world = World::new();
        form(&world);
        for who in EVERYONE {
            let got = world.ask(who).await;
            assert!(got.is_ok(), "{who:?}: {}", told(&got.unwrap_err()));
        }
    }
}
