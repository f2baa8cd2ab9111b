//! Roles that are names of groups, as Entra emits them where a registration asks for it
//! (`emit_as_roles`).

use tower_entra::{ConfigError, Denial, DenialReason, Requirement, testing::TokenBuilder};

use crate::support::{caller_of, issuer};

#[track_caller]
fn refused(requirement: Result<Requirement, ConfigError>) -> String {
    requirement.expect_err("a bad requirement").to_string()
}

#[track_caller]
fn denial(requirement: &Requirement, token: TokenBuilder) -> Denial {
    let denial = requirement.check(&caller_of(token));
    denial.expect_err("a denial")
}

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
