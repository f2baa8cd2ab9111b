//! Requirements: what can be required, and the words of a denial.

use tower_entra::{
    AgentPrincipal, ConfigError, Denial, DenialReason, ErrorKind, PrincipalKind, Requirement,
    testing::TokenBuilder,
};

use crate::support::{OTHER_APP, OTHER_TENANT, caller_of, issuer, refusal};

#[track_caller]
pub(super) fn refused(requirement: Result<Requirement, ConfigError>) -> String {
    requirement.expect_err("a bad requirement").to_string()
}

fn scope(scope: &str) -> Requirement {
    Requirement::scope(scope).unwrap()
}

fn kinds(kinds: &[PrincipalKind]) -> Requirement {
    Requirement::kinds(kinds.iter().copied()).unwrap()
}

#[track_caller]
pub(super) fn denial(requirement: &Requirement, token: TokenBuilder) -> Denial {
    let denial = requirement.check(&caller_of(token));
    denial.expect_err("a denial")
}

#[test]
fn what_is_not_one_scope_is_refused() {
    for text in [
        "",
        " ",
        "Orders.Read Orders.Write",
        " Orders.Read",
        "Orders.Read\n",
        "Orders\"Read",
        "Orders\\Read",
        "Orders.Réad",
        "Orders\u{a0}Read",
        "Orders\0",
    ] {
        let expected = format!("scope: {text:?} is not one scope");
        assert_eq!(refused(Requirement::scope(text)), expected);
        assert_eq!(refused(Requirement::scope_or_role(text, "A")), expected);
    }
}

#[test]
fn a_scope_in_the_form_in_which_clients_ask_for_it_is_refused_because_no_token_has_it() {
    for text in [
        "api://3aa6c2f7/Orders.Read",
        "https://orders.example/Orders.Read",
    ] {
        assert_eq!(
            refused(Requirement::scope(text)),
            format!("scope: {text:?} is what a client asks for; tokens have only the last part")
        );
    }
    // Entra allows these characters in the name of a scope.
    assert!(Requirement::scope("Orders:Read/All,(x)+[y]").is_ok());
}

#[test]
fn what_is_not_one_context_is_refused() {
    for text in ["", " ", "Orders Admin", "Ådmin", "Admin\"", "Admin\t"] {
        assert_eq!(
            refused(Requirement::authentication_context(text)),
            format!("authentication_context: {text:?} is not one authentication context")
        );
        assert_eq!(
            refused(Requirement::acr_value(text)),
            format!("acr_value: {text:?} is not one authentication context")
        );
    }
}

#[test]
fn an_empty_list_is_refused() {
    let none: [(&str, &str); 0] = [];
    for (setting, requirement) in [
        ("kinds", Requirement::kinds([])),
        ("clients", Requirement::clients(none)),
        ("principals", Requirement::principals(none)),
    ] {
        assert_eq!(
            refused(requirement),
            format!("{setting}: the list is empty")
        );
    }
}

#[test]
fn a_kind_that_is_never_let_in_cannot_be_listed() {
    for list in [
        &[PrincipalKind::Unknown][..],
        &[PrincipalKind::User, PrincipalKind::Unknown],
    ] {
        assert_eq!(
            refused(Requirement::kinds(list.iter().copied())),
            "kinds: a caller of unknown kind is never let in by its kind"
        );
    }
}

#[test]
fn a_part_of_a_pair_that_is_no_guid_is_refused() {
    let tenant = issuer().tenant_id();
    for (pair, what) in [
        (
            ("contoso.example", OTHER_APP),
            "\"contoso.example\" is not a tenant GUID",
        ),
        (
            (tenant, "orders-agent"),
            "\"orders-agent\" is not a client id GUID",
        ),
        ((tenant, ""), "\"\" is not a client id GUID"),
    ] {
        assert_eq!(
            refused(Requirement::clients([pair])),
            format!("clients: {what}")
        );
        let what = what.replace("client id", "object id");
        assert_eq!(
            refused(Requirement::principals([pair])),
            format!("principals: {what}")
        );
    }
}

#[test]
fn guids_are_compared_in_either_letter_case_and_repeats_do_not_matter() {
    let pair = (
        issuer().tenant_id().to_uppercase(),
        issuer().agent_id().to_uppercase(),
    );
    let clients = Requirement::clients([
        (OTHER_TENANT.to_owned(), OTHER_APP.to_owned()),
        pair.clone(),
        pair,
    ]);
    let clients = clients.unwrap();
    assert_eq!(clients.to_string(), "one of 2 clients");
    assert!(
        clients
            .check(&caller_of(issuer().autonomous_agent()))
            .is_ok()
    );
    assert!(clients.check(&caller_of(issuer().user())).is_err());
}

#[test]
fn each_of_a_list_is_let_in_however_the_list_is_ordered() {
    let users =
        || ["a", "b", "c", "d", "e", "f", "g", "h"].map(|user| issuer().agent_on_behalf_of(user));
    let callers = || users().map(caller_of);
    let mut pairs: Vec<_> = callers()
        .iter()
        .map(|caller| (caller.tenant_id(), caller.object_id().unwrap()))
        .collect();
    for _ in 0..2 {
        pairs.reverse();
        let principals = Requirement::principals(pairs.iter().chain(&pairs).copied()).unwrap();
        assert_eq!(principals.to_string(), "one of 8 principals");
        for caller in callers() {
            assert!(principals.check(&caller).is_ok(), "{caller:?}");
        }
        let stranger = caller_of(issuer().agent_on_behalf_of("i"));
        assert!(principals.check(&stranger).is_err());
    }
    let id = |number: usize| format!("00000000-0000-4000-8000-00000000000{number}");
    let agent = |number| issuer().autonomous_agent().claim("azp", id(number));
    let mut pairs: Vec<_> = (0..8)
        .map(|number| (issuer().tenant_id(), id(number)))
        .collect();
    for _ in 0..2 {
        pairs.reverse();
        let clients = Requirement::clients(pairs.clone()).unwrap();
        for number in 0..8 {
            assert!(clients.check(&caller_of(agent(number))).is_ok(), "{number}");
        }
        assert!(clients.check(&caller_of(agent(8))).is_err());
    }
}

#[test]
fn typed_ids_of_a_caller_can_be_listed() {
    let alice = caller_of(issuer().user());
    let listed = [(alice.tenant_id(), alice.object_id().unwrap())];
    assert!(
        Requirement::principals(listed)
            .unwrap()
            .check(&alice)
            .is_ok()
    );
}

#[test]
fn a_caller_without_a_client_or_an_object_is_on_no_list() {
    let pair = (issuer().tenant_id(), OTHER_APP);
    let bare = issuer().token().without_claim("oid").without_claim("azp");
    assert_eq!(
        denial(&Requirement::clients([pair]).unwrap(), bare.clone()).reason(),
        DenialReason::UnlistedClient
    );
    assert_eq!(
        denial(&Requirement::principals([pair]).unwrap(), bare).reason(),
        DenialReason::UnlistedPrincipal
    );
}

#[test]
fn a_requirement_that_no_caller_can_satisfy_is_refused() {
    use PrincipalKind::*;

    let people = Requirement::people;
    let app_scope = || scope("Orders.Read").and(kinds(&[Application]));
    for (requirement, expected) in [
        (people().and(Requirement::agents()), "people and agents"),
        (
            Requirement::agents().and(Requirement::no_agents()),
            "agents and no agents",
        ),
        (
            Requirement::agents().and(Requirement::people_or_unattested()),
            "agents and people or unattested",
        ),
        (
            kinds(&[User]).and(kinds(&[Application, AgentUser])),
            "kind user and kind application/agent_user",
        ),
        (
            kinds(&[AgentUser]).and(people()),
            "kind agent_user and people",
        ),
        (
            kinds(&[AutonomousAgent]).and(Requirement::no_agents()),
            "kind autonomous_agent and no agents",
        ),
        // Scopes count in delegated tokens, and these are not.
        (app_scope(), "scope Orders.Read and kind application"),
        (
            scope("Orders.Read").and(kinds(&[AutonomousAgent])),
            "scope Orders.Read and kind autonomous_agent",
        ),
        // None of the alternatives.
        (
            people().and(Requirement::agents().or(kinds(&[AgentUser]))),
            "people and (agents or kind agent_user)",
        ),
        (
            Requirement::app_only().and(scope("A").or(Requirement::delegated())),
            "app-only and (scope A or delegated)",
        ),
        // However deep.
        (
            scope("A")
                .and(people().or(kinds(&[AgentUser])))
                .unwrap()
                .and(kinds(&[Application])),
            "scope A and (people or kind agent_user) and kind application",
        ),
    ] {
        let expected = format!("requirement: no caller can satisfy {expected}");
        assert_eq!(refused(requirement), expected);
    }
}

#[test]
fn a_requirement_that_some_caller_can_satisfy_is_accepted() {
    use PrincipalKind::*;

    for requirement in [
        // An agent's user account as the actor leaves the kind to the person or the app.
        kinds(&[User]).and(Requirement::agents()),
        kinds(&[Application]).and(Requirement::agents()),
        kinds(&[Application]).and(Requirement::no_agents()),
        scope("A").and(scope("B")),
        scope("A").and(Requirement::role("B").unwrap()),
        scope("A").and(kinds(&[User, Application])),
        scope("A").and(Requirement::agents()),
        Requirement::scope_or_role("A", "B")
            .unwrap()
            .and(kinds(&[Application])),
        Requirement::people().and(Requirement::people()),
    ] {
        assert!(requirement.is_ok(), "{requirement:?}");
    }
}

#[test]
fn a_requirement_reads_as_it_was_written() {
    let listed = [
        PrincipalKind::AgentUser,
        PrincipalKind::User,
        PrincipalKind::AgentUser,
    ];
    let requirement = Requirement::people()
        .and(scope("Orders.Approve"))
        .unwrap()
        .or(kinds(&listed))
        .or(Requirement::scope_or_role("A", "B").unwrap())
        .or(Requirement::acr_value("c1").unwrap());
    assert_eq!(
        requirement.to_string(),
        "(people and scope Orders.Approve) or kind agent_user/user or scope A (app-only: role B) \
         or authentication context c1"
    );
    let listed = Requirement::principals([(OTHER_TENANT, OTHER_APP)]).unwrap();
    assert_eq!(format!("{listed:?}"), "Requirement(one of 1 principals)");
}

#[test]
fn the_scopes_to_ask_for_are_all_of_an_and_and_of_an_or_the_way_that_is_nearest() {
    let both = |one: Requirement, other| one.and(other).unwrap();
    let user = |scopes: &str| issuer().user().scope(scopes);
    let a_or_b = || scope("A").or(scope("B"));
    for (requirement, token, expected) in [
        (both(scope("A"), scope("B")), user("A"), "A B"),
        (both(scope("A"), scope("B")), user("C"), "A B"),
        (
            both(both(scope("A"), scope("B")), both(scope("B"), scope("C"))),
            user("X"),
            "A B C",
        ),
        (a_or_b(), user("C"), "A"),
        // The way that the caller is on already.
        (both(a_or_b(), scope("C")), user("B"), "B C"),
        (both(a_or_b(), scope("C")), user("C"), "A C"),
        (
            both(Requirement::agents().or(scope("A")), scope("C")),
            issuer().agent_user(),
            "C",
        ),
        (
            both(Requirement::agents().or(scope("A")), scope("C")),
            user("X"),
            "A C",
        ),
        // The role is not for a delegated caller.
        (
            both(Requirement::scope_or_role("A", "R").unwrap(), scope("B")),
            user("B"),
            "A B",
        ),
        // No scope makes an agent of a person.
        (
            both(Requirement::agents(), scope("A")).or(scope("B")),
            user("X"),
            "B",
        ),
        (both(Requirement::agents(), scope("A")), user("X"), ""),
        (
            both(Requirement::role("R").unwrap(), scope("A")),
            user("X"),
            "",
        ),
        (scope("A"), issuer().application(), ""),
    ] {
        let denial = denial(&requirement, token);
        let scopes: Vec<_> = denial.scopes().collect();
        assert_eq!(scopes.join(" "), expected, "{requirement}");
        let challenge = denial.challenge().unwrap();
        let expected = match expected {
            "" => "Bearer error=\"insufficient_scope\"".to_owned(),
            scopes => format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\""),
        };
        assert_eq!(challenge, expected);
    }
}

#[test]
fn of_several_sign_ins_that_lack_the_first_is_asked_for() {
    let contexts = Requirement::acr_value("c1")
        .unwrap()
        .and(Requirement::acr_value("c2").unwrap())
        .unwrap()
        .and(Requirement::acr_value("c3").unwrap())
        .unwrap();
    let denial = denial(&contexts, issuer().user().claim("acrs", ["c1"]));
    let challenge = denial.challenge().unwrap();
    let challenge = challenge.to_str().unwrap();
    assert!(challenge.ends_with("acr_values=\"c2\""), "{challenge}");
}

#[test]
fn a_denial_says_what_is_missing() {
    let user = || issuer().user();
    let bare = |token: TokenBuilder| token.without_facets();
    let people = Requirement::people;
    let kinds_of_agents = || kinds(&[PrincipalKind::AgentUser, PrincipalKind::AutonomousAgent]);
    let role = || Requirement::role("Orders.Admin").unwrap();
    let listed = [(OTHER_TENANT, OTHER_APP), (OTHER_TENANT, OTHER_TENANT)];
    for (requirement, token, reason, expected) in [
        (
            scope("A"),
            user(),
            DenialReason::MissingScope,
            "the scope A is missing",
        ),
        (
            scope("A"),
            issuer().application(),
            DenialReason::NotDelegated,
            "the scope A is missing: scopes count in delegated tokens, and this one is app-only",
        ),
        (
            scope("A"),
            user().claim("idtyp", "device").scope("A"),
            DenialReason::NotDelegated,
            "the scope A is missing: scopes count in delegated tokens, and the caller's kind is \
             unknown",
        ),
        (
            role(),
            user(),
            DenialReason::MissingRole,
            "the role Orders.Admin is missing",
        ),
        (
            Requirement::scope_or_role("A", "B").unwrap(),
            user(),
            DenialReason::MissingScope,
            "the scope A is missing",
        ),
        (
            Requirement::scope_or_role("A", "B").unwrap(),
            issuer().application(),
            DenialReason::MissingRole,
            "the role B is missing",
        ),
        (
            Requirement::scope_or_role("A", "B").unwrap(),
            user().claim("idtyp", "device"),
            DenialReason::WrongKind,
            "the caller's kind is unknown",
        ),
        (
            Requirement::scope_or_role("A", "B").unwrap(),
            issuer().autonomous_agent().claim("idtyp", "device"),
            DenialReason::WrongKind,
            "the caller's kind is autonomous_agent",
        ),
        (
            Requirement::app_only(),
            user(),
            DenialReason::WrongKind,
            "only app-only callers may, and the caller is user",
        ),
        (
            Requirement::app_only(),
            issuer().agent_user(),
            DenialReason::WrongKind,
            "only app-only callers may, and the caller is agent_user",
        ),
        (
            Requirement::delegated(),
            issuer().application(),
            DenialReason::NotDelegated,
            "only delegated callers may, and the caller is application",
        ),
        (
            kinds_of_agents(),
            user(),
            DenialReason::WrongKind,
            "the caller's kind is user, not agent_user or autonomous_agent",
        ),
        (
            Requirement::agents(),
            user(),
            DenialReason::NotAgent,
            "only agents may, and the caller is user, not_agent",
        ),
        (
            Requirement::agents(),
            bare(user()),
            DenialReason::Unattested,
            "only agents may, and the caller is user, unattested",
        ),
        (
            people(),
            bare(user()),
            DenialReason::Unattested,
            "only people may, and the caller is user, unattested",
        ),
        (
            people(),
            issuer().agent_on_behalf_of("alice"),
            DenialReason::Agent,
            "only people may, and the caller is agent_on_behalf_of_user, attested",
        ),
        (
            people(),
            issuer().application(),
            DenialReason::WrongKind,
            "only people may, and the caller is application, not_agent",
        ),
        (
            people(),
            bare(issuer().application()),
            DenialReason::WrongKind,
            "only people may, and the caller is application, unattested",
        ),
        (
            Requirement::people_or_unattested(),
            issuer().agent_user(),
            DenialReason::Agent,
            "only people may, attested or not, and the caller is agent_user, attested",
        ),
        (
            Requirement::no_agents(),
            bare(issuer().application()),
            DenialReason::Unattested,
            "no agent may, and the caller is application, unattested",
        ),
        (
            Requirement::no_agents(),
            user().claim("idtyp", "device"),
            DenialReason::WrongKind,
            "no agent may, and the caller is unknown, not_agent",
        ),
        (
            Requirement::clients(listed).unwrap(),
            user(),
            DenialReason::UnlistedClient,
            "the client is not one of the 2 listed",
        ),
        (
            Requirement::clients(listed).unwrap(),
            user().without_claim("azp").claim("appid", OTHER_APP),
            DenialReason::UnlistedClient,
            "the client is not one of the 2 listed: azp is missing, which names the client in version \
             2.0: the token has appid, which only version 1.0 tokens use",
        ),
        (
            Requirement::principals(listed).unwrap(),
            user(),
            DenialReason::UnlistedPrincipal,
            "the caller is not one of the 2 listed",
        ),
        (
            Requirement::authentication_context("c1").unwrap(),
            user(),
            DenialReason::MissingAuthenticationContext,
            "the authentication context c1 is missing",
        ),
        // Everything that lacks, though one of it decides.
        (
            scope("A")
                .and(people())
                .unwrap()
                .and(scope("Orders.Read"))
                .unwrap(),
            issuer().agent_user(),
            DenialReason::Agent,
            "the scope A is missing; only people may, and the caller is agent_user, attested",
        ),
        (
            role().or(scope("A")).or(scope("B")),
            user(),
            DenialReason::MissingScope,
            "none of 3 alternatives is met (the role Orders.Admin is missing; the scope A is missing; \
             the scope B is missing)",
        ),
    ] {
        let denial = denial(&requirement, token);
        assert_eq!(denial.to_string(), expected);
        assert_eq!(denial.reason(), reason, "{denial}");
    }
}

#[test]
fn a_denial_hints_at_what_its_operator_can_do() {
    let user = || issuer().user();
    let people = Requirement::people;
    let unknown = || user().claim("idtyp", "device");
    let c1 = || Requirement::authentication_context("c1").unwrap();
    let clients = || Requirement::clients([(OTHER_TENANT, OTHER_APP)]).unwrap();
    for (requirement, token, expected) in [
        (
            people(),
            user().without_facets(),
            Some("xms_act_fct and xms_sub_fct"),
        ),
        (
            Requirement::agents(),
            issuer().autonomous_agent().without_facets(),
            Some("known_agents"),
        ),
        (
            kinds(&[PrincipalKind::AutonomousAgent]),
            issuer().autonomous_agent().without_facets(),
            Some("known_agents"),
        ),
        (scope("A"), user(), Some("consent")),
        (scope("A"), issuer().application(), Some("scope_or_role")),
        (
            Requirement::role("A").unwrap(),
            issuer().application(),
            Some("Assign"),
        ),
        (people(), unknown(), Some("idtyp")),
        (kinds(&[PrincipalKind::User]), unknown(), Some("idtyp")),
        (scope("A"), unknown(), Some("idtyp")),
        (
            kinds(&[PrincipalKind::Application]),
            user().without_claim("idtyp"),
            Some("idtyp, with its additional property include_user_token"),
        ),
        (
            clients(),
            user().without_claim("azp").claim("appid", OTHER_APP),
            Some("version 2.0 names the client in azp"),
        ),
        (
            clients(),
            user().without_claim("azp"),
            Some("version 2.0 names the client in azp"),
        ),
        (clients(), user(), None),
        (c1(), user(), Some("cp1")),
        (c1(), user().claim("xms_cc", ["cp1"]), None),
        (people(), issuer().agent_user(), None),
        (Requirement::agents(), user(), None),
        (kinds(&[PrincipalKind::Application]), user(), None),
    ] {
        let denial = denial(&requirement, token);
        match (denial.hint(), expected) {
            (Some(hint), Some(part)) => assert!(hint.contains(part), "{denial}: {hint}"),
            (hint, expected) => assert_eq!(hint, expected, "{denial}"),
        }
    }
    assert_eq!(Denial::new().hint(), None);
}

#[test]
fn an_agent_that_is_its_own_subject_is_never_asked_for_a_scope() {
    // By its facets only: `idtyp` has a value that says nothing of apps and users.
    let agent = || issuer().autonomous_agent().claim("idtyp", "device");
    let caller = caller_of(agent());
    assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
    assert!(!caller.is_app_only() && !caller.is_delegated());
    let refused = denial(&scope("A"), agent());
    assert_eq!(refused.reason(), DenialReason::NotDelegated);
    assert_eq!(
        refused.to_string(),
        "the scope A is missing: scopes count in delegated tokens, and this one is of an agent that \
         acts as itself"
    );
    let either = Requirement::scope_or_role("A", "B").unwrap();
    for requirement in [scope("A"), either.clone(), scope("A").or(either)] {
        assert_eq!(denial(&requirement, agent()).scopes().count(), 0);
    }
    // With one it would not be let in at all.
    let error = refusal(agent().scope("A"));
    assert_eq!(error, ErrorKind::ContradictoryClaims);
}

#[test]
fn nothing_of_a_token_is_in_a_denial() {
    let hostile = "hostile-\"\r\n";
    let token = issuer()
        .user()
        .scope("hostile-scope")
        .roles(["hostile-role"])
        .claim("idtyp", "hostile-type")
        .claim("acrs", ["hostile-context"])
        .claim("xms_cc", ["cp1", hostile])
        .claim("name", hostile)
        .claim("upn", hostile)
        .claim("uti", hostile);
    let caller = caller_of(token);
    let everything = [
        scope("A"),
        Requirement::role("A").unwrap(),
        Requirement::scope_or_role("A", "B").unwrap(),
        kinds(&[PrincipalKind::Application]),
        Requirement::agents(),
        Requirement::no_agents(),
        Requirement::people(),
        Requirement::people_or_unattested(),
        Requirement::clients([(OTHER_TENANT, OTHER_APP)]).unwrap(),
        Requirement::principals([(OTHER_TENANT, OTHER_APP)]).unwrap(),
        Requirement::authentication_context("c1").unwrap(),
        Requirement::acr_value("c1").unwrap(),
    ];
    let object = caller.object_id().unwrap();
    let client = caller.client_id().unwrap();
    for requirement in everything {
        let denial = requirement.check(&caller).unwrap_err();
        let text = format!(
            "{denial} {denial:?} {:?} {:?}",
            denial.hint(),
            denial.challenge()
        );
        for secret in [
            "hostile",
            object.as_str(),
            client.as_str(),
            caller.subject().unwrap(),
        ] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_denial_of_the_applications_own_knows_its_reason_too() {
    let caller: AgentPrincipal = caller_of(issuer().user());
    for (denial, reason, code, status, text) in [
        (
            Denial::new(),
            DenialReason::Policy,
            "policy",
            403,
            "the caller is not allowed to do this",
        ),
        (
            Denial::new().with_scopes(["A"]),
            DenialReason::MissingScope,
            "missing_scope",
            403,
            "a scope is missing: A",
        ),
        (
            Denial::for_authentication_context(&caller, "c1"),
            DenialReason::MissingAuthenticationContext,
            "missing_authentication_context",
            403,
            "an authentication context is missing",
        ),
        (
            Denial::for_acr_values(["c1"]),
            DenialReason::MissingAuthenticationContext,
            "missing_authentication_context",
            401,
            "an authentication context is missing",
        ),
        (
            Denial::anonymous(),
            DenialReason::Anonymous,
            "anonymous",
            401,
            "no bearer token was presented",
        ),
    ] {
        assert_eq!(denial.reason(), reason);
        assert_eq!(denial.reason().as_str(), code);
        assert_eq!(denial.status().as_u16(), status);
        assert_eq!(denial.to_string(), text);
    }
    assert_eq!(
        Denial::anonymous().challenge().unwrap(),
        "Bearer realm=\"\""
    );
}

/// More than any program has, on the stack of a worker.
#[test]
fn requirements_joined_in_turn_hundreds_of_times_are_checked() {
    let mut requirement = scope("Orders.Read");
    for _ in 0..250 {
        requirement = requirement
            .or(scope("A"))
            .and(scope("Orders.Read"))
            .unwrap();
    }
    let user = caller_of(issuer().user());
    assert!(requirement.check(&user).is_ok());
    let denial = denial(&requirement, issuer().user().scope("B"));
    assert_eq!(denial.scopes().collect::<Vec<_>>(), ["Orders.Read"]);

    let mut wide = scope("A");
    for number in 0..500 {
        wide = wide.or(scope(&format!("A{number}")));
    }
    assert!(wide.check(&user).is_err());
    assert!(wide.or(scope("Orders.Read")).check(&user).is_ok());
}
