//! What a handler requires in one line, requirements of the application's own, and those that are made
//! when the program is built.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, Response};
use tower::ServiceExt;
use tower_entra::{
    AgentPrincipal, Denial, DenialReason, EntraAuthLayer, PrincipalKind, RequireLayer, Requirement,
    testing::TokenBuilder,
};

use super::requirement::denial;
use crate::support::{audited, block_on, caller_of, issuer};

const READ: Requirement = Requirement::static_scope("Orders.Read");
const WRITE: Requirement = Requirement::static_scope("Orders.Write");
const READ_ALL: Requirement = Requirement::static_role("Orders.Read.All");
const EITHER: Requirement = Requirement::static_scope_or_role("Orders.Read", "Orders.Read.All");
static NOT_A_GUEST: Requirement =
    Requirement::static_custom("not-a-guest", |caller| !caller.is_guest());

fn callers() -> [AgentPrincipal; 7] {
    [
        issuer().user(),
        issuer()
            .user()
            .scope("Orders.Write")
            .roles(["Orders.Read.All"]),
        issuer().agent_on_behalf_of("alice"),
        issuer().autonomous_agent(),
        issuer().application().roles(["Another"]),
        // Of unknown kind, without and with a scope and a role that others are let in by.
        issuer().application().claim("idtyp", "device"),
        issuer()
            .user()
            .claim("idtyp", "device")
            .roles(["Orders.Read.All"]),
    ]
    .map(caller_of)
}

#[track_caller]
fn same(one: &Result<(), Denial>, requirement: &Requirement, caller: &AgentPrincipal) {
    assert_eq!(
        *one,
        requirement.check(caller),
        "{requirement} of {caller:?}"
    );
    assert_eq!(caller.require(requirement), *one);
}

#[test]
fn a_line_in_a_handler_answers_as_the_requirement_does() {
    let made = |requirement: Result<Requirement, _>| requirement.unwrap();
    for caller in callers() {
        for scope in ["Orders.Read", "Orders.Write", "orders.read"] {
            same(
                &caller.require_scope(scope),
                &made(Requirement::scope(scope)),
                &caller,
            );
            let role = "Orders.Read.All";
            let either = made(Requirement::scope_or_role(scope, role));
            same(&caller.require_scope_or_role(scope, role), &either, &caller);
        }
        for role in ["Orders.Read.All", "Orders.Read"] {
            same(
                &caller.require_role(role),
                &made(Requirement::role(role)),
                &caller,
            );
        }
    }
}

#[test]
fn a_constant_requirement_answers_as_one_that_is_made_at_run_time() {
    let either = Requirement::scope_or_role("Orders.Read", "Orders.Read.All");
    for caller in callers() {
        same(
            &READ.check(&caller),
            &Requirement::scope("Orders.Read").unwrap(),
            &caller,
        );
        same(
            &WRITE.check(&caller),
            &Requirement::scope("Orders.Write").unwrap(),
            &caller,
        );
        let role = Requirement::role("Orders.Read.All").unwrap();
        same(&READ_ALL.check(&caller), &role, &caller);
        same(&EITHER.check(&caller), either.as_ref().unwrap(), &caller);
    }
    const PEOPLE: Requirement = Requirement::people();
    let both = PEOPLE.and(READ).unwrap();
    assert_eq!(both.to_string(), "people and scope Orders.Read");
    assert!(WRITE.and(Requirement::app_only()).is_err());
    let denial = denial(&both.and(WRITE).unwrap(), issuer().user());
    assert_eq!(
        denial.scopes().collect::<Vec<_>>(),
        ["Orders.Read", "Orders.Write"]
    );
}

#[test]
fn a_text_that_no_token_should_have_refuses_a_caller_that_has_it() {
    let scope = "api://orders/Orders.Read";
    let caller = caller_of(issuer().user().scope(scope).roles([" ", "A\u{7}", "A"]));
    assert!(caller.has_scope(scope));
    for (denial, text) in [
        (
            caller.require_scope(scope),
            "scope: \"api://orders/Orders.Read\" is what a client asks for; tokens have only the \
             last part",
        ),
        (caller.require_scope(""), "scope: \"\" is not one scope"),
        (
            caller.require_scope_or_role(scope, "A"),
            "scope: \"api://orders/Orders.Read\" is what a client asks for; tokens have only the \
             last part",
        ),
        (
            caller.require_role("A\u{7}"),
            "role: \"A\\u{7}\" is blank or has a control character",
        ),
        (
            caller.require_role(" "),
            "role: \" \" is blank or has a control character",
        ),
    ] {
        let denial = denial.unwrap_err();
        assert_eq!(denial.reason(), DenialReason::Policy);
        assert_eq!(denial.status(), 403);
        assert_eq!(
            denial.challenge().unwrap(),
            "Bearer error=\"insufficient_scope\""
        );
        assert_eq!(
            denial.to_string(),
            format!("no caller can satisfy this: {text}")
        );
        assert!(denial.hint().is_some());
    }
    assert!(caller.require_role("A").is_ok());
    let app = caller_of(issuer().application().roles(["A\u{7}", "A"]));
    assert!(app.has_role("A\u{7}"));
    let denial = app
        .require_scope_or_role("Orders.Read", "A\u{7}")
        .unwrap_err();
    assert_eq!(denial.reason(), DenialReason::Policy);
    assert!(app.require_scope_or_role("Orders.Read", "A").is_ok());
    assert_eq!(Denial::default(), Denial::new());
}

#[test]
#[should_panic(expected = "this scope is in no token")]
fn a_constant_scope_of_the_long_form_is_refused() {
    drop(Requirement::static_scope("api://orders/Orders.Read"));
}

#[test]
#[should_panic(expected = "this role is not printable ASCII")]
fn a_constant_role_that_is_blank_is_refused() {
    drop(Requirement::static_scope_or_role("A", " "));
}

/// A requirement that holds a value of the application.
fn custom(secret: &'static str) -> Requirement {
    let secrets = [secret.to_owned()];
    Requirement::custom("own region", move |caller| {
        caller.has_role("Region") && secrets.len() == 1
    })
}

#[test]
fn a_denial_of_a_custom_requirement_shows_only_its_name() {
    let requirement = custom("s3cret");
    let denied = denial(&requirement, issuer().user());
    assert_eq!(denied.reason(), DenialReason::Policy);
    assert_eq!(denied.status(), 403);
    assert_eq!(
        denied.to_string(),
        "the custom requirement \"own region\" is not met"
    );
    assert_eq!(requirement.to_string(), "custom \"own region\"");
    assert_eq!(
        format!("{requirement:?}"),
        "Requirement(custom \"own region\")"
    );
    assert_eq!(denied.hint(), None);
    assert!(!format!("{denied:?}").contains("s3cret"));
    assert!(
        requirement
            .check(&caller_of(issuer().user().roles(["Region"])))
            .is_ok()
    );

    let guest = denial(&NOT_A_GUEST, issuer().user().claim("acct", 1));
    assert_eq!(
        guest.to_string(),
        "the custom requirement not-a-guest is not met"
    );
    assert!(NOT_A_GUEST.check(&caller_of(issuer().user())).is_ok());
}

#[test]
fn a_custom_requirement_joins_with_others() {
    // No scope would change the answer of an `and`.
    let both = READ.and(custom("")).unwrap();
    let denied = denial(&both, issuer().user().scope("A"));
    assert_eq!(denied.scopes().count(), 0);
    assert_eq!(denied.reason(), DenialReason::Policy);
    let text = "the scope Orders.Read is missing; the custom requirement \"own region\" is not met";
    assert_eq!(denied.to_string(), text);
    // In an `or` a scope would.
    let one = READ.or(custom(""));
    let denied = denial(&one, issuer().user().scope("A"));
    assert_eq!(denied.scopes().collect::<Vec<_>>(), ["Orders.Read"]);
}

/// It holds every other time.
#[test]
fn a_custom_requirement_that_changes_its_mind_denies_for_no_wrong_reason() {
    let asked = AtomicUsize::new(0);
    let fickle = Requirement::custom("fickle", move |_| {
        asked.fetch_add(1, Ordering::SeqCst) % 2 == 1
    });
    let both = Requirement::kinds([PrincipalKind::User])
        .unwrap()
        .and(fickle);
    let denied = denial(&both.unwrap(), issuer().user());
    assert_eq!(denied.reason(), DenialReason::Policy);
}

#[test]
fn the_audit_log_names_a_custom_requirement_and_no_value() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let layers = (
        EntraAuthLayer::new(issuer().validator()),
        RequireLayer::new(custom("s3cret")),
    );
    let service = tower::Layer::layer(
        &layers,
        tower::service_fn(move |_: Request<()>| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, std::convert::Infallible>(Response::new(String::new())) }
        }),
    );
    let request = |token: TokenBuilder| {
        let header = format!("Bearer {}", token.mint());
        Request::get("/")
            .header("authorization", header)
            .body(())
            .unwrap()
    };
    let (response, events) =
        audited(|| block_on(service.oneshot(request(issuer().user().roles(["Secret"])))).unwrap());
    assert_eq!(response.status(), 403);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let refused = serde_json::to_string(events.last().unwrap()).unwrap();
    assert!(
        refused.contains(r#"custom requirement \"own region\" is not met"#),
        "{refused}"
    );
    assert!(!refused.contains("ecret"), "{refused}");
}
