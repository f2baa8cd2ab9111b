//! Acquisitions in the metrics: each answer and each request is counted once, under its flow and its leg.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use http::{Request, Response};
use metrics::Unit;
use tokio::runtime;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    acquire::{AcquireErrorKind as Kind, EntraCallLayer},
    metrics::{ACQUIRED_TOKENS, TOKEN_REQUEST_DURATION, TOKEN_REQUESTS},
    testing::{Fault, Issuer, Leg, Target},
};

use super::{
    recorder::Recorder,
    world::{Who, World},
};

/// On this thread, whose metrics go to the recorder.
fn block_on<T>(test: impl Future<Output = T>) -> T {
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

/// The counters that are not 0.
#[track_caller]
fn are_counted(recorder: &Recorder, expected: &[(&str, &str, u64)]) {
    let expected = expected.iter();
    let expected = expected.map(|(name, labels, count)| (format!("{name}{{{labels}}}"), *count));
    assert_eq!(recorder.counters(), expected.collect());
}

/// A rule that asks for the rate of a series needs it before anything has failed.
#[test]
fn every_series_is_there_once_a_client_is_built() {
    Recorder::during(|recorder| {
        block_on(async {
            let world = World::at(&Issuer::start().await);
            assert_eq!(recorder.series(), BTreeSet::new());
            world.as_blueprint();
        });
        assert_eq!(recorder.counters(), BTreeMap::new());
        let mut expected = BTreeSet::new();
        let mut enter = |name: &str, labels: &str| {
            assert!(expected.insert(format!("{name}{{{labels}}}")));
        };
        let failures = KINDS.map(|kind| format!("outcome=failure,error.type={}", kind.as_str()));
        for flow in [
            "app",
            "agent",
            "app_on_behalf_of",
            "agent_on_behalf_of",
            "agent_user",
        ] {
            for source in ["cache", "entra"] {
                enter(
                    ACQUIRED_TOKENS,
                    &format!("flow={flow},outcome=success,source={source}"),
                );
            }
            for failure in &failures {
                enter(ACQUIRED_TOKENS, &format!("flow={flow},{failure}"));
            }
        }
        for leg in ["app", "agent_assertion", "agent_exchange", "agent"] {
            enter(TOKEN_REQUESTS, &format!("leg={leg},outcome=success"));
            for failure in &failures {
                enter(TOKEN_REQUESTS, &format!("leg={leg},{failure}"));
            }
            for outcome in ["success", "failure"] {
                enter(
                    TOKEN_REQUEST_DURATION,
                    &format!("leg={leg},outcome={outcome}"),
                );
            }
        }
        assert_eq!(recorder.series(), expected);
        let described = [
            (ACQUIRED_TOKENS, Some(Unit::Count)),
            (TOKEN_REQUESTS, Some(Unit::Count)),
            (TOKEN_REQUEST_DURATION, Some(Unit::Seconds)),
        ];
        let described = described.map(|(name, unit)| (name.to_owned(), unit));
        assert_eq!(recorder.described(), described.into());
    });
}

#[test]
fn an_answer_is_counted_by_where_it_came_from_and_each_request_by_its_leg() {
    Recorder::during(|recorder| {
        block_on(async {
            let world = World::at(&Issuer::start().await);
            let client = world.as_blueprint();
            let (user, scopes) = (
                world.source_of(Who::AgentUser, &client),
                world.scope("Orders.Read"),
            );
            let both = tokio::join!(user.token(&scopes), user.token(&scopes));
            assert!(both.0.is_ok() && both.1.is_ok());
            user.token(&scopes).await.unwrap();
            are_counted(
                recorder,
                &[
                    (
                        ACQUIRED_TOKENS,
                        "flow=agent_user,outcome=success,source=entra",
                        2,
                    ),
                    (
                        ACQUIRED_TOKENS,
                        "flow=agent_user,outcome=success,source=cache",
                        1,
                    ),
                    (TOKEN_REQUESTS, "leg=agent_assertion,outcome=success", 1),
                    (TOKEN_REQUESTS, "leg=agent_exchange,outcome=success", 1),
                    (TOKEN_REQUESTS, "leg=agent,outcome=success", 1),
                ],
            );
            for leg in ["agent_assertion", "agent_exchange", "agent"] {
                let of =
                    |outcome| format!("{TOKEN_REQUEST_DURATION}{{leg={leg},outcome={outcome}}}");
                assert_eq!(
                    recorder.samples(&of("success")).map(|took| took.len()),
                    Some(1)
                );
                assert_eq!(
                    recorder.samples(&of("failure")).map(|took| took.len()),
                    Some(0)
                );
            }
        });
    });
}

#[test]
fn a_request_of_the_outgoing_layer_with_a_remembered_token_is_one_of_the_cache() {
    Recorder::during(|recorder| {
        block_on(async {
            let world = World::at(&Issuer::start().await);
            let source = world.source_of(Who::Agent, &world.as_blueprint());
            let layer = EntraCallLayer::new("https://api.test", world.default_scope()).unwrap();
            let inner = service_fn(|_: Request<String>| async {
                Ok::<_, Infallible>(Response::new(String::new()))
            });
            let service = layer.acting_as(source).layer(inner);
            for _ in 0..3 {
                let request = Request::get("https://api.test/").body(String::new());
                service.clone().oneshot(request.unwrap()).await.unwrap();
            }
        });
        are_counted(
            recorder,
            &[
                (
                    ACQUIRED_TOKENS,
                    "flow=agent,outcome=success,source=entra",
                    1,
                ),
                (
                    ACQUIRED_TOKENS,
                    "flow=agent,outcome=success,source=cache",
                    2,
                ),
                (TOKEN_REQUESTS, "leg=agent_assertion,outcome=success", 1),
                (TOKEN_REQUESTS, "leg=agent,outcome=success", 1),
            ],
        );
    });
}

#[test]
fn a_failure_is_counted_by_its_kind_remembered_or_not() {
    Recorder::during(|recorder| {
        block_on(async {
            let world = World::at(&Issuer::start().await);
            let source = world.source_of(Who::Agent, &world.as_blueprint());
            let throttled = Fault::StatusWithRetryAfter {
                status: 429,
                seconds: 60,
            };
            world.issuer.fail_at(Target::Leg(Leg::T1), throttled);
            for _ in 0..2 {
                source.token(&world.default_scope()).await.unwrap_err();
            }
            // Without a request: the scope is none that it can ask for.
            source.token(&world.scope("Orders.Read")).await.unwrap_err();
        });
        are_counted(
            recorder,
            &[
                (
                    ACQUIRED_TOKENS,
                    "flow=agent,outcome=failure,error.type=throttled",
                    2,
                ),
                (
                    TOKEN_REQUESTS,
                    "leg=agent_assertion,outcome=failure,error.type=throttled",
                    1,
                ),
            ],
        );
        let failed = format!("{TOKEN_REQUEST_DURATION}{{leg=agent_assertion,outcome=failure}}");
        assert_eq!(recorder.samples(&failed).map(|took| took.len()), Some(1));
    });
}

const KINDS: [Kind; 10] = [
    Kind::ConsentRequired,
    Kind::InteractionRequired,
    Kind::AssertionRefused,
    Kind::NotAllowed,
    Kind::CredentialRefused,
    Kind::Misconfigured,
    Kind::Throttled,
    Kind::Busy,
    Kind::Unavailable,
    Kind::IdentityMismatch,
];
