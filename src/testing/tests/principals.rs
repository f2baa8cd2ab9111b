//! The caller of a token, without HTTP.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime;

use crate::{
    PrincipalKind,
    testing::{Fault, Issuer, TokenBuilder},
};

/// What it panics with.
#[track_caller]
fn refusal(token: TokenBuilder) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| token.principal())).expect_err("a refusal");
    *panic.downcast::<String>().unwrap()
}

#[test]
fn a_token_that_the_validator_refuses_has_no_principal() {
    let issuer = Issuer::start_blocking();
    for (token, reason) in [
        (issuer.user().expired(), "the token has expired"),
        (
            issuer.user().signed_by_stranger(),
            "the token signature could not be verified",
        ),
        (issuer.user().unsigned(), "the token is malformed"),
        (
            issuer.user().audience("api://another"),
            "the token audience is not accepted",
        ),
        (
            issuer.user().tenant(super::OTHER_TENANT),
            "the token tenant is not allowed",
        ),
        (issuer.id_token(), "an ID token is not an access token"),
        (
            issuer.user().without_claim("scp"),
            "the token grants neither a scope nor a role",
        ),
    ] {
        let text = refusal(token);
        assert!(
            text.starts_with(&format!("this token is refused: {reason}")),
            "{text}"
        );
    }
    assert_eq!(issuer.fetches(), 0);
}

#[test]
fn a_principal_is_what_a_handler_would_get() {
    let issuer = Issuer::builder().multi_tenant().start_blocking();
    for (token, kind) in [
        (issuer.user(), PrincipalKind::User),
        (issuer.user().v1(), PrincipalKind::User),
        (
            issuer.user().tenant(super::OTHER_TENANT),
            PrincipalKind::User,
        ),
        (
            issuer.agent_on_behalf_of("alice"),
            PrincipalKind::AgentOnBehalfOfUser,
        ),
        (issuer.agent_user(), PrincipalKind::AgentUser),
        (issuer.autonomous_agent(), PrincipalKind::AutonomousAgent),
        (issuer.application(), PrincipalKind::Application),
    ] {
        assert_eq!(token.principal().kind(), kind);
    }
    let bob = issuer.user_named("bob").role("A").principal();
    assert_eq!(
        bob.object_id().unwrap().as_str(),
        issuer.object_id_of("bob")
    );
    assert_ne!(bob.subject(), issuer.user().principal().subject());
    assert!(bob.roles().eq(["A"]));
}

#[test]
fn it_needs_no_connection_and_fits_into_async_code() {
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Status(500));
    issuer.rotate();
    let token = issuer.user();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let caller = runtime.block_on(async { token.clone().principal() });
    assert_eq!(caller.kind(), PrincipalKind::User);
    assert_eq!(issuer.fetches(), 0);
    drop(issuer);
    assert_eq!(token.principal().object_id(), caller.object_id());
}
