//! The claim sets of real-looking tokens, minted anew. What each must result in was written down by
//! reading it.

use serde::Deserialize;
use serde_json::{Map, Value};
use tower_entra::{AgentPrincipal, PrincipalKind, Tenants, Validator};

use crate::support::{admitted_by, issuer, now, verdict};

#[derive(Deserialize)]
struct Shape {
    scenario: String,
    payload: Map<String, Value>,
}

/// What each shape results in, in the order of the file: the code of its refusal, or the caller's kind
/// and status, `nothing_granted` if only an API that authorizes by ACL admits it, and `blueprint` if
/// the token names one.
#[rustfmt::skip]
const EXPECTED: [(&str, &str); 34] = [
    ("blueprint_own_token_graph_v1", "application, not_agent"),
    ("token_exchange_t1_blueprint_v2", "application, not_agent, nothing_granted"),
    ("token_exchange_t2_agent_v2", "autonomous_agent, attested, nothing_granted, blueprint"),
    ("user_to_blueprint_tc_v2", "user, unattested"),
    ("agent_obo_graph_v1", "agent_on_behalf_of_user, attested, blueprint"),
    ("ordinary_obo_middle_tier_graph_v1", "user, not_agent"),
    ("agent_autonomous_docs_sample_v1", "autonomous_agent, attested, nothing_granted, blueprint"),
    ("agent_obo_docs_table_v2", "agent_on_behalf_of_user, attested"),
    ("agent_autonomous_docs_table_v2_scp_slash", "autonomous_agent, attested"),
    ("agent_user_docs_table_v2", "agent_user, attested"),
    ("agent_autonomous_custom_api_v1_no_facets", "application, unattested"),
    ("agent_autonomous_custom_api_v2_no_facets", "application, unattested"),
    ("token_exchange_t1_mixed_v1_issuer_v2_claims", "issuer_mismatch"),
    ("token_exchange_t1_oct2025_facet_1", "application, not_agent, nothing_granted"),
    ("agent_autonomous_first_party_ai_azure_com_v1", "application, unattested, nothing_granted, blueprint"),
    ("agent_autonomous_minimal_fixture", "unsupported_version"),
    ("agent_user_v2_fixture", "unsupported_version"),
    ("agent_user_array_facets_fixture", "agent_user, attested, nothing_granted"),
    ("agent_facets_with_optional_idtyp_missing", "autonomous_agent, attested"),
    // One part of the subject's facets is no integer, so they count as absent; the actor's say enough.
    ("agent_user_facet_non_integer", "agent_on_behalf_of_user, attested"),
    ("agent_token_for_blueprint_audience", "application, unattested, nothing_granted"),
    ("agent_obo_custom_api_v2_no_facets", "user, unattested"),
    ("managed_identity_vm_arm_v1", "application, not_agent, nothing_granted"),
    ("managed_identity_no_facets_2024", "application, unattested, nothing_granted"),
    ("managed_identity_custom_api_no_roles_v1", "application, unattested, nothing_granted"),
    ("user_graph_v1_before_facets", "user, unattested"),
    ("ado_service_connection_exchange_token", "application, unattested, nothing_granted"),
    ("guest_user_docs_sample_v1", "user, unattested"),
    ("user_groups_overage_v2", "user, unattested"),
    ("user_cae_capable_with_auth_context_v2", "user, unattested"),
    ("msa_user_v2", "user, unattested"),
    // Azure AD B2C has no `tid` and is not served.
    ("b2c_user_no_tid", "invalid_tenant"),
    ("id_token_sent_as_access_token_v2", "id_token"),
    ("user_graph_full_claim_list_v1", "user, not_agent"),
];

#[test]
fn every_shape_has_the_caller_or_the_refusal_written_down() {
    let shapes = shapes();
    assert_eq!(shapes.len(), EXPECTED.len());
    for (shape, (scenario, expected)) in shapes.iter().zip(EXPECTED) {
        assert_eq!(shape.scenario, scenario);
        assert_eq!(result_of(shape), expected, "{scenario}");
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

/// The text for [`EXPECTED`].
fn result_of(shape: &Shape) -> String {
    let token = mint(shape);
    let strict = validator(shape);
    let principal = match verdict(&strict.with_authorization_by_acl(), &token) {
        Ok(principal) => principal,
        Err(error) => return error.kind().as_str().to_owned(),
    };
    let (kind, status) = (principal.kind(), principal.agent_status());
    assert_eq!(
        principal.is_agent_user_identity(),
        kind == PrincipalKind::AgentUser
    );
    let mut result = vec![kind.as_str(), status.as_str()];
    if let Err(error) = verdict(&strict, &token) {
        result.push(error.kind().as_str());
    }
    result.extend(principal.parent_agent_blueprint().map(|_| "blueprint"));
    result.join(", ")
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
