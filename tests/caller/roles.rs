//! Roles that are names of groups, as Entra emits them where a registration asks for it
//! (`emit_as_roles`).

use std::convert::Infallible;

use http::{Request, Response, header::WWW_AUTHENTICATE};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    DenialReason, EntraAuthLayer, ProblemJson, RequireLayer, Requirement, testing::TokenBuilder,
};

use super::requirement::{denial, refused};
use crate::support::{block_on, caller_of, issuer, with_line};

#[test]
fn a_role_that_is_blank_or_has_a_control_character_is_refused() {
    for text in [
        "",
        " ",
        "\u{a0}",
        "Domain\tUsers",
        "Domain Users\n",
        "Domain\0Users",
        "Domain\u{85}Users",
    ] {
        let expected = format!("role: {text:?} is blank or has a control character");
        assert_eq!(refused(Requirement::role(text)), expected);
        let either = Requirement::scope_or_role("Orders.Read", text);
        assert_eq!(refused(either), expected);
    }
}

#[test]
fn a_role_may_be_the_name_of_a_group() {
    for (text, shown) in [
        ("Orders.Admin", "Orders.Admin"),
        ("Domain Users", r#""Domain Users""#),
        ("CONTOSO\\Finance", r#""CONTOSO\\Finance""#),
        ("Müller Team", r#""Müller Team""#),
        ("Team", "Team"),
        ("a \"b\"", r#""a \"b\"""#),
    ] {
        let role = Requirement::role(text).unwrap();
        let either = Requirement::scope_or_role("Orders.Read", text).unwrap();
        assert_eq!(role.to_string(), format!("role {shown}"));
        assert_eq!(
            either.to_string(),
            format!("scope Orders.Read (app-only: role {shown})")
        );
        let holder = || issuer().application().roles([text]);
        let other = || issuer().application().roles([format!("{text}s").as_str()]);
        for requirement in [role, either] {
            assert!(requirement.check(&caller_of(holder())).is_ok(), "{text}");
            let denial = denial(&requirement, other());
            assert_eq!(denial.reason(), DenialReason::MissingRole);
            assert_eq!(denial.to_string(), format!("the role {shown} is missing"));
            // A role never reaches a header.
            assert_eq!(denial.scopes().count(), 0);
            let challenge = denial.challenge();
            let challenge = challenge.as_ref().map(|header| header.to_str().unwrap());
            assert_eq!(challenge, Some("Bearer error=\"insufficient_scope\""));
        }
    }
}

#[test]
fn a_role_is_compared_exactly_whatever_characters_it_has() {
    let requirement = Requirement::role("Domain Users").unwrap();
    for other in [
        "domain users",
        "Domain",
        "Domain  Users",
        "Domain\u{a0}Users",
    ] {
        let denial = denial(&requirement, issuer().application().roles([other]));
        assert_eq!(denial.reason(), DenialReason::MissingRole, "{other}");
    }
}

/// As they come from groups: synchronised, of a domain, and of the cloud.
const GROUPS: [&str; 3] = ["Domain Users", "CONTOSO\\Finance", "Müller Team"];

#[test]
fn a_role_that_is_missing_leaves_no_trace_in_the_answer() {
    for group in GROUPS {
        let role = RequireLayer::new(Requirement::role(group).unwrap()).refusal_body(ProblemJson);
        let inner = service_fn(|_: Request<String>| async {
            Ok::<_, Infallible>(Response::new("from inside".to_owned()))
        });
        let layer = EntraAuthLayer::new(issuer().validator()).with_realm("api");
        let layer = layer.unwrap().refusal_body(ProblemJson);
        let service = layer.layer(role.layer(inner));
        let answer = |token: TokenBuilder| {
            let request = with_line(format!("Bearer {}", token.mint()));
            block_on(service.clone().oneshot(request)).unwrap()
        };
        for token in [
            issuer().user(),
            issuer().user().roles([group.to_lowercase().as_str()]),
            issuer().agent_on_behalf_of("alice").scope(group),
            issuer().application().roles(["Orders.Read.All"]),
        ] {
            let denied = answer(token);
            assert_eq!(denied.status(), 403, "{group}");
            assert_eq!(
                denied.headers()[WWW_AUTHENTICATE],
                "Bearer realm=\"api\", error=\"insufficient_scope\""
            );
            assert!(!denied.body().contains(group), "{}", denied.body());
        }
        for token in [
            issuer().user().roles(GROUPS),
            issuer().application().roles(["Orders.Read.All", group]),
        ] {
            assert_eq!(answer(token).body(), "from inside", "{group}");
        }
    }
}

#[test]
fn one_of_several_groups_and_all_of_them() {
    let [domain, finance, team] = GROUPS.map(|group| Requirement::role(group).unwrap());
    let any = domain.clone().or(finance.clone()).or(team.clone());
    let all = domain.and(finance).unwrap().and(team).unwrap();
    let passes =
        |requirement: &Requirement, token| requirement.check(&caller_of(token)).map_err(drop);

    assert_eq!(passes(&any, issuer().user()), Err(()));
    assert_eq!(
        passes(&all, issuer().user().roles(GROUPS.into_iter().take(2))),
        Err(())
    );
    for group in GROUPS {
        assert_eq!(passes(&any, issuer().user().roles([group])), Ok(()));
        assert_eq!(passes(&all, issuer().user().roles([group])), Err(()));
    }
    assert_eq!(passes(&all, issuer().user().roles(GROUPS)), Ok(()));
}

#[test]
fn the_roles_of_a_caller_are_the_names_as_they_were_signed() {
    let caller = caller_of(issuer().user().roles(GROUPS));
    assert_eq!(caller.roles().collect::<Vec<_>>(), GROUPS);
    for group in GROUPS {
        assert!(caller.has_role(group));
        assert!(!caller.has_role(&group.replace('\\', "\\\\").replace(' ', "  ")));
        assert!(!caller.has_role(group.split([' ', '\\']).next().unwrap()));
    }
}
