//! What a principal says of its token.

use serde::Deserialize;
use tower_entra::{
    AgentStatus, ClientAuthentication, Facet, IdentityRelationship, IdentityType, PrincipalKind,
    Requirement, TokenVersion,
};

use crate::support::{OTHER_APP, admitted_by, caller_of, issuer};

#[test]
fn the_kind_goes_by_the_facets_and_without_them_by_the_other_claims() {
    use {AgentStatus::*, PrincipalKind::*};

    let user = || issuer().user();
    let app = || issuer().application();
    for (what, token, expected) in [
        (
            "11 in the subject of an app",
            app().claim("xms_sub_fct", "9 11"),
            (AutonomousAgent, Attested),
        ),
        (
            "11 in the actor of an app without subject facets",
            app()
                .claim("xms_act_fct", "11")
                .without_claim("xms_sub_fct"),
            (AutonomousAgent, Attested),
        ),
        (
            "11 in the actor for a user",
            user().claim("xms_act_fct", "11"),
            (AgentOnBehalfOfUser, Attested),
        ),
        ("no idtyp", user().without_claim("idtyp"), (User, NotAgent)),
        (
            "even numbers",
            user().claim("xms_act_fct", "10 12 14"),
            (User, NotAgent),
        ),
        (
            "a blueprint alone",
            user().claim("xms_par_app_azp", OTHER_APP),
            (User, NotAgent),
        ),
        (
            "a subject of federated identity",
            app().without_facets().claim("sub", "/eid1/c/pub/t/x/a/y/z"),
            (Application, Unattested),
        ),
        (
            "another subject than the object, with a role and no scope",
            app().without_facets().claim("sub", "someone"),
            (Application, Unattested),
        ),
    ] {
        let caller = caller_of(token);
        assert_eq!((caller.kind(), caller.agent_status()), expected, "{what}");
    }
}

/// A token without `idtyp` and scope may be that of an application without a service principal.
#[test]
fn what_is_neither_app_only_nor_delegated_never_passes_as_a_person() {
    use {AgentStatus::*, PrincipalKind::*};

    let validator = issuer().validator_builder().build().unwrap();
    let validator = validator.with_authorization_by_acl();
    let silent = || {
        issuer()
            .user()
            .without_claim("idtyp")
            .without_claim("scp")
            .without_claim("xms_idrel")
            .claim("xms_act_fct", "3 9")
            .claim("xms_sub_fct", "3 9")
    };
    for (what, token, expected) in [
        ("nothing says who", silent(), (Unknown, NotAgent)),
        (
            "no object",
            silent().without_claim("oid"),
            (Unknown, NotAgent),
        ),
        (
            "without facets",
            silent().without_facets(),
            (Unknown, Unattested),
        ),
        (
            "a member's relationship",
            silent().claim("xms_idrel", "1"),
            (Unknown, NotAgent),
        ),
        ("a blank scope", silent().scope(" "), (Unknown, NotAgent)),
        ("a blank role", silent().roles([" "]), (Unknown, NotAgent)),
        (
            "a service principal",
            silent().claim("xms_idrel", "7 10"),
            (Application, NotAgent),
        ),
        (
            "no service principal",
            silent().without_claim("oid").claim("xms_idrel", "13"),
            (Application, NotAgent),
        ),
        (
            "a federated identity",
            silent().claim("xms_idrel", "33"),
            (Application, NotAgent),
        ),
        (
            "a role",
            silent().without_claim("oid").roles(["r"]),
            (Application, NotAgent),
        ),
        (
            "a path of a federated identity",
            silent().claim("sub", "/eid1/c/pub/t/a/b"),
            (Application, NotAgent),
        ),
        (
            "an agent acts",
            silent().claim("xms_act_fct", "3 11"),
            (Unknown, Attested),
        ),
        (
            "a device",
            silent().claim("idtyp", "device").scope("A"),
            (Unknown, NotAgent),
        ),
        (
            "a device by which an agent acts",
            silent().claim("idtyp", "device").claim("xms_act_fct", "11"),
            (Unknown, Attested),
        ),
    ] {
        let caller = admitted_by(&validator, &token.mint());
        assert_eq!((caller.kind(), caller.agent_status()), expected, "{what}");
        assert!(!caller.is_delegated(), "{what}");
        assert_eq!(caller.is_app_only(), expected.0 == Application, "{what}");
        let people = [
            Requirement::people(),
            Requirement::people_or_unattested(),
            Requirement::kinds([User, AgentOnBehalfOfUser, AgentUser]).unwrap(),
            Requirement::scope("A").unwrap(),
        ];
        for requirement in people {
            assert!(requirement.check(&caller).is_err(), "{what}: {requirement}");
        }
    }
}

/// By its facet alone: the subject is pairwise, and there is neither `idtyp` nor a relationship nor a role.
#[test]
fn an_agent_that_acts_as_itself_is_app_only_by_its_facet() {
    let validator = issuer().validator_builder().build().unwrap();
    let token = issuer()
        .autonomous_agent()
        .without_claim("idtyp")
        .without_claim("xms_idrel")
        .without_claim("roles")
        .claim("sub", "pairwise");
    let caller = admitted_by(&validator.with_authorization_by_acl(), &token.mint());
    assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
    assert!(caller.is_app_only());
}

#[test]
fn an_agents_user_account_is_never_app_only() {
    let validator = issuer().validator_builder().build().unwrap();
    let validator = validator.with_authorization_by_acl();
    let token = issuer()
        .agent_user()
        .without_claim("idtyp")
        .without_claim("scp");
    let object = issuer().agent_user_id();
    for token in [
        token.clone(),
        token.clone().claim("sub", object),
        token.clone().claim("sub", "/eid1/c/pub/t/x"),
        token.clone().claim("xms_idrel", "7"),
        token.roles(["r"]),
    ] {
        let caller = admitted_by(&validator, &token.mint());
        assert_eq!(caller.kind(), PrincipalKind::AgentUser);
        assert!(!caller.is_app_only() && !caller.is_delegated());
        let role = Requirement::scope_or_role("A", "r").unwrap();
        assert!(role.check(&caller).is_err());
    }
}

#[test]
fn every_claim_has_its_method() {
    let token = issuer()
        .agent_on_behalf_of("alice")
        .scope("Orders.Read  Orders.Write")
        .roles(["Approver"])
        .claim("uti", "an-id")
        .claim("acrs", ["c1", "c2"])
        .claim("xms_cc", ["CP1"])
        .claim("groups", [OTHER_APP])
        .claim("xms_act_fct", "11 9 3 2")
        .claim("xms_tnt_fct", "3 1001")
        .issued_at(1_700_000_000)
        .expires_at(4_000_000_000);
    let principal = caller_of(token);
    let seconds = |time: std::time::SystemTime| {
        time.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let facets = |set: Option<&tower_entra::Facets>| {
        set.map(|set| set.iter().map(Facet::value).collect::<Vec<_>>())
    };

    assert_eq!(principal.tenant_id().as_str(), issuer().tenant_id());
    assert_eq!(
        principal.object_id().unwrap().as_str(),
        issuer().object_id_of("alice")
    );
    assert_eq!(principal.subject().unwrap().len(), 43);
    assert_eq!(principal.client_id().unwrap().as_str(), issuer().agent_id());
    assert!(principal.is_agent());
    assert!(!principal.is_app_only());
    assert_eq!(principal.identity_type(), Some(&IdentityType::User));
    assert_eq!(facets(principal.actor_facets()), Some(vec![3, 9, 11]));
    assert_eq!(facets(principal.subject_facets()), Some(vec![3]));
    assert_eq!(facets(principal.tenant_facets()), Some(vec![3, 1001]));
    assert!(
        principal
            .actor_facets()
            .unwrap()
            .contains(Facet::AGENT_IDENTITY)
    );
    let relationships = principal.identity_relationships().unwrap();
    assert!(relationships.contains(IdentityRelationship::MEMBER_USER));
    assert!(!principal.is_guest());
    assert_eq!(
        principal.scopes().collect::<Vec<_>>(),
        ["Orders.Read", "Orders.Write"]
    );
    assert!(principal.has_scope("Orders.Write"));
    assert!(!principal.has_scope("orders.write"));
    assert!(!principal.has_scope("Orders"));
    assert!(!principal.has_scope(""));
    assert_eq!(principal.roles().collect::<Vec<_>>(), ["Approver"]);
    assert!(principal.has_role("Approver"));
    assert!(!principal.has_role("approver"));
    assert_eq!(principal.token_version(), TokenVersion::V2);
    assert_eq!(principal.issuer(), issuer().v2_issuer());
    assert_eq!(principal.audience(), issuer().audience());
    assert_eq!(principal.issued_at().map(seconds), Some(1_700_000_000));
    assert_eq!(seconds(principal.expires_at()), 4_000_000_000);
    assert_eq!(principal.token_id(), Some("an-id"));
    assert_eq!(
        principal.client_authentication(),
        Some(ClientAuthentication::Assertion)
    );
    assert_eq!(
        principal.authentication_contexts().collect::<Vec<_>>(),
        ["c1", "c2"]
    );
    assert!(principal.supports_claims_challenge());
    assert_eq!(principal.groups().ids().collect::<Vec<_>>(), [OTHER_APP]);
    assert!(!principal.groups().has_overage());
    assert!(principal.malformed_claims().is_empty());
}

#[test]
fn what_a_token_does_not_say_is_absent() {
    let token = issuer()
        .token()
        .without_claim("sub")
        .without_claim("oid")
        .without_claim("azp")
        .without_claim("iat")
        .without_claim("uti");
    let principal = caller_of(token);
    assert_eq!(principal.object_id(), None);
    assert_eq!(principal.subject(), None);
    assert_eq!(principal.client_id(), None);
    assert_eq!(principal.identity_type(), None);
    assert_eq!(principal.actor_facets(), None);
    assert_eq!(principal.identity_relationships(), None);
    assert_eq!(principal.issued_at(), None);
    assert_eq!(principal.token_id(), None);
    assert_eq!(principal.client_authentication(), None);
    assert!(!principal.supports_claims_challenge());
    assert_eq!(principal.roles().count(), 0);
}

#[test]
fn how_a_client_proved_itself_shows_as_the_value_of_its_claim() {
    for value in ["0", "1", "2"] {
        let principal = caller_of(issuer().token().claim("azpacr", value));
        let authentication = principal.client_authentication().expect("a known value");
        assert_eq!(authentication.as_str(), value);
        assert_eq!(authentication.to_string(), value);
    }
    let principal = caller_of(issuer().token().claim("azpacr", "3"));
    assert_eq!(principal.client_authentication(), None);
}

#[test]
fn the_client_of_a_version_1_token_is_its_appid() {
    let principal = caller_of(issuer().user().v1());
    assert_eq!(principal.token_version(), TokenVersion::V1);
    assert_eq!(
        principal.client_id().unwrap().as_str(),
        issuer().client_id()
    );
    assert!(principal.client_authentication().is_some());
    assert_eq!(principal.issuer(), issuer().v1_issuer());
}

#[test]
fn an_application_is_its_own_subject_in_either_letter_case() {
    let app = || issuer().application().without_claim("idtyp");
    let object = OBJECT.to_uppercase();
    for (what, token) in [
        ("both", app().claim("oid", &object).claim("sub", &object)),
        (
            "the subject",
            app().claim("oid", OBJECT).claim("sub", &object),
        ),
        (
            "the object",
            app().claim("oid", &object).claim("sub", OBJECT),
        ),
    ] {
        let principal = caller_of(token);
        assert!(principal.is_app_only(), "{what}");
        assert_eq!(principal.kind(), PrincipalKind::Application, "{what}");
    }
}

#[test]
fn other_claims_read_into_a_type_of_the_application() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Employee {
        employee_id: String,
    }

    let principal = caller_of(issuer().user().claim("employee_id", "4711"));
    let employee: Employee = principal.claims().unwrap();
    assert_eq!(
        employee,
        Employee {
            employee_id: "4711".to_owned()
        }
    );

    let wrong = caller_of(issuer().user().claim("employee_id", 4711)).claims::<Employee>();
    let text = wrong.unwrap_err().to_string();
    assert!(!text.contains("4711"), "{text}");
}

#[test]
fn debug_shows_nothing_of_a_person_or_the_token() {
    let token = issuer()
        .user()
        .claim("name", "Alice Example")
        .claim("upn", "alice@example.com");
    let principal = caller_of(token);
    let text = format!("{principal:?}");
    for secret in [
        "Alice",
        "alice@",
        principal.subject().unwrap(),
        principal.object_id().unwrap().as_str(),
        "Orders.Read",
        "ey",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("User"), "{text}");
}

#[test]
fn claims_written_with_escapes_read_the_same() {
    let text = format!(
        r#"{{"ver":"2.0","iss":"{}","tid":"{}","aud":"{}","exp":4000000000,"azp":"{OTHER_APP}",
            "scp":"Orders\u002eRead","roles":["A\u0064min"],"sub":"a\"b","uti":"\u00e9"}}"#,
        issuer().v2_issuer().replace('/', "\\/"),
        issuer().tenant_id(),
        issuer().audience(),
    );
    let principal = caller_of(issuer().user().payload(text));
    assert!(principal.has_scope("Orders.Read"));
    assert!(principal.has_role("Admin"));
    assert_eq!(principal.subject(), Some("a\"b"));
    assert_eq!(principal.token_id(), Some("é"));
    assert_eq!(principal.issuer(), issuer().v2_issuer());
}

const OBJECT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d4a";
