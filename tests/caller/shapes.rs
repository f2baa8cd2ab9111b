//! The claim sets of real-looking tokens, minted anew. What each must result in was written down by
//! reading it.

use serde::Deserialize;
use serde_json::{Map, Value};
use tower_entra::{AgentPrincipal, AgentStatus, ErrorKind, PrincipalKind, Tenants, Validator};

use crate::support::{admitted_by, issuer, now, refusal_by};

#[derive(Deserialize)]
struct Shape {
    scenario: String,
    payload: Map<String, Value>,
}

/// The result of a shape.
enum Expected {
    Refused(ErrorKind),
    Admitted {
        kind: PrincipalKind,
        status: AgentStatus,
        /// Whether it grants something; otherwise only an API that authorizes by ACL admits it.
        grants: bool,
        is_agent_user: bool,
        has_blueprint: bool,
    },
}

const fn caller_of(kind: PrincipalKind, status: AgentStatus) -> Expected {
    Expected::Admitted {
        kind,
        status,
        grants: true,
        is_agent_user: false,
        has_blueprint: false,
    }
}

impl Expected {
    const fn granting_nothing(mut self) -> Self {
        if let Self::Admitted { grants, .. } = &mut self {
            *grants = false;
        }
        self
    }

    const fn with_blueprint(mut self) -> Self {
        if let Self::Admitted { has_blueprint, .. } = &mut self {
            *has_blueprint = true;
        }
        self
    }

    const fn with_agent_user(mut self) -> Self {
        if let Self::Admitted { is_agent_user, .. } = &mut self {
            *is_agent_user = true;
        }
        self
    }
}

/// In the order of the file.
const EXPECTED: [(&str, Expected); 34] = {
    use {AgentStatus::*, PrincipalKind::*};
    [
        (
            "blueprint_own_token_graph_v1",
            caller_of(Application, NotAgent),
        ),
        (
            "token_exchange_t1_blueprint_v2",
            caller_of(Application, NotAgent).granting_nothing(),
        ),
        (
            "token_exchange_t2_agent_v2",
            caller_of(AutonomousAgent, Attested)
                .granting_nothing()
                .with_blueprint(),
        ),
        ("user_to_blueprint_tc_v2", caller_of(User, Unattested)),
        (
            "agent_obo_graph_v1",
            caller_of(AgentOnBehalfOfUser, Attested).with_blueprint(),
        ),
        (
            "ordinary_obo_middle_tier_graph_v1",
            caller_of(User, NotAgent),
        ),
        (
            "agent_autonomous_docs_sample_v1",
            caller_of(AutonomousAgent, Attested)
                .granting_nothing()
                .with_blueprint(),
        ),
        (
            "agent_obo_docs_table_v2",
            caller_of(AgentOnBehalfOfUser, Attested),
        ),
        (
            "agent_autonomous_docs_table_v2_scp_slash",
            caller_of(AutonomousAgent, Attested),
        ),
        (
            "agent_user_docs_table_v2",
            caller_of(AgentUser, Attested).with_agent_user(),
        ),
        (
            "agent_autonomous_custom_api_v1_no_facets",
            caller_of(Application, Unattested),
        ),
        (
            "agent_autonomous_custom_api_v2_no_facets",
            caller_of(Application, Unattested),
        ),
        (
            "token_exchange_t1_mixed_v1_issuer_v2_claims",
            Expected::Refused(ErrorKind::IssuerMismatch),
        ),
        (
            "token_exchange_t1_oct2025_facet_1",
            caller_of(Application, NotAgent).granting_nothing(),
        ),
        (
            "agent_autonomous_first_party_ai_azure_com_v1",
            caller_of(Application, Unattested)
                .granting_nothing()
                .with_blueprint(),
        ),
        (
            "agent_autonomous_minimal_fixture",
            Expected::Refused(ErrorKind::UnsupportedVersion),
        ),
        (
            "agent_user_v2_fixture",
            Expected::Refused(ErrorKind::UnsupportedVersion),
        ),
        (
            "agent_user_array_facets_fixture",
            caller_of(AgentUser, Attested)
                .granting_nothing()
                .with_agent_user(),
        ),
        (
            "agent_facets_with_optional_idtyp_missing",
            caller_of(AutonomousAgent, Attested),
        ),
        // One part of the subject's facets is no integer, so they count as absent; the actor's say
        // enough.
        (
            "agent_user_facet_non_integer",
            caller_of(AgentOnBehalfOfUser, Attested),
        ),
        (
            "agent_token_for_blueprint_audience",
            caller_of(Application, Unattested).granting_nothing(),
        ),
        (
            "agent_obo_custom_api_v2_no_facets",
            caller_of(User, Unattested),
        ),
        (
            "managed_identity_vm_arm_v1",
            caller_of(Application, NotAgent).granting_nothing(),
        ),
        (
            "managed_identity_no_facets_2024",
            caller_of(Application, Unattested).granting_nothing(),
        ),
        (
            "managed_identity_custom_api_no_roles_v1",
            caller_of(Application, Unattested).granting_nothing(),
        ),
        ("user_graph_v1_before_facets", caller_of(User, Unattested)),
        (
            "ado_service_connection_exchange_token",
            caller_of(Application, Unattested).granting_nothing(),
        ),
        ("guest_user_docs_sample_v1", caller_of(User, Unattested)),
        ("user_groups_overage_v2", caller_of(User, Unattested)),
        (
            "user_cae_capable_with_auth_context_v2",
            caller_of(User, Unattested),
        ),
        ("msa_user_v2", caller_of(User, Unattested)),
        // Azure AD B2C has no `tid` and is not served.
        (
            "b2c_user_no_tid",
            Expected::Refused(ErrorKind::InvalidTenant),
        ),
        (
            "id_token_sent_as_access_token_v2",
            Expected::Refused(ErrorKind::IdToken),
        ),
        ("user_graph_full_claim_list_v1", caller_of(User, NotAgent)),
    ]
};

#[test]
fn every_shape_has_the_caller_or_the_refusal_written_down() {
    let shapes = shapes();
    assert_eq!(shapes.len(), EXPECTED.len());
    for (shape, (scenario, expected)) in shapes.into_iter().zip(&EXPECTED) {
        assert_eq!(shape.scenario, *scenario);
        judge(&shape, expected);
    }
}

#[test]
fn the_principal_of_a_shape_has_its_other_claims() {
    let by_name = |name: &str| {
        let shape = shapes()
            .into_iter()
            .find(|shape| shape.scenario == name)
            .unwrap();
        principal_of(&shape)
    };
    assert!(by_name("guest_user_docs_sample_v1").is_guest());
    assert!(!by_name("agent_obo_graph_v1").is_guest());
    assert!(by_name("user_groups_overage_v2").groups().has_overage());
    let capable = by_name("user_cae_capable_with_auth_context_v2");
    assert!(capable.supports_claims_challenge());
    assert_eq!(
        capable.authentication_contexts().collect::<Vec<_>>(),
        ["c1"]
    );
    let voided = by_name("agent_user_facet_non_integer");
    assert_eq!(voided.malformed_claims(), ["xms_sub_fct"]);
    let odd = by_name("agent_facets_with_optional_idtyp_missing");
    let facets: Vec<u32> = odd
        .actor_facets()
        .unwrap()
        .iter()
        .map(|facet| facet.value())
        .collect();
    assert_eq!(facets, [3, 11, 99]);
    let path = by_name("token_exchange_t1_blueprint_v2");
    assert!(path.subject().unwrap().starts_with("/eid1/c/pub/t/"));
}

#[track_caller]
fn judge(shape: &Shape, expected: &Expected) {
    let name = &shape.scenario;
    let token = mint(shape);
    let strict = validator(shape);
    let by_acl = strict.with_authorization_by_acl();
    match expected {
        Expected::Refused(kind) => assert_eq!(refusal_by(&by_acl, &token), *kind, "{name}"),
        Expected::Admitted {
            kind,
            status,
            grants,
            is_agent_user,
            has_blueprint,
        } => {
            let principal = admitted_by(&by_acl, &token);
            assert_eq!(principal.kind(), *kind, "{name}");
            assert_eq!(principal.agent_status(), *status, "{name}");
            assert_eq!(principal.is_agent_user_identity(), *is_agent_user, "{name}");
            assert_eq!(
                principal.parent_agent_blueprint().is_some(),
                *has_blueprint,
                "{name}"
            );
            if *grants {
                admitted_by(&strict, &token);
            } else {
                assert_eq!(
                    refusal_by(&strict, &token),
                    ErrorKind::NothingGranted,
                    "{name}"
                );
            }
        }
    }
}

fn principal_of(shape: &Shape) -> AgentPrincipal {
    admitted_by(&validator(shape).with_authorization_by_acl(), &mint(shape))
}

/// Accepts every tenant, and the audience that the shape has.
fn validator(shape: &Shape) -> Validator {
    let audience = shape.payload["aud"].as_str().unwrap();
    Validator::builder(Tenants::any(), [audience])
        .authority(issuer().authority())
        .build()
        .unwrap()
}

/// The same claims from the test's issuer, with dates of today.
fn mint(shape: &Shape) -> String {
    let text = serde_json::to_string(&shape.payload)
        .unwrap()
        .replace("https://sts.windows.net/", &format!("{}/", issuer().url()))
        .replace(
            "https://login.microsoftonline.com/",
            &format!("{}/", issuer().url()),
        );
    let mut payload: Map<String, Value> = serde_json::from_str(&text).unwrap();
    for name in ["iat", "nbf", "exp"] {
        let then = payload[name].as_i64().unwrap();
        payload.insert(name.to_owned(), (then - THEN + now()).into());
    }
    issuer()
        .token()
        .payload(serde_json::to_string(&payload).unwrap())
        .mint()
}

fn shapes() -> Vec<Shape> {
    include_str!("../../fixtures/payload-shapes.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// When every shape was issued.
const THEN: i64 = 1_780_000_000;
