//! See the manifest.
#![cfg(test)]

use serde_json::json;
use tower_entra::{
    ErrorKind, Facet, PrincipalKind,
    testing::{Fault, Issuer, TokenBuilder},
};

async fn verdict(issuer: &Issuer, token: TokenBuilder) -> Result<PrincipalKind, ErrorKind> {
    let verdict = issuer.validator().validate(&token.mint()).await;
    verdict
        .map(|caller| caller.kind())
        .map_err(|error| error.kind())
}

#[tokio::test]
async fn a_token_is_validated_with_both_back_ends_of_jsonwebtoken_in_the_graph() {
    let issuer = Issuer::start().await;
    let agent = verdict(&issuer, issuer.autonomous_agent()).await;
    assert_eq!(agent, Ok(PrincipalKind::AutonomousAgent));
    let forged = verdict(&issuer, issuer.autonomous_agent().signed_by_stranger()).await;
    assert_eq!(forged, Err(ErrorKind::InvalidSignature));
}

#[tokio::test]
async fn numbers_are_numbers_whatever_serde_json_makes_of_them() {
    let issuer = Issuer::start().await;
    for (name, value, expected) in [
        ("exp", json!(4_000_000_000.9), Ok(PrincipalKind::User)),
        (
            "exp",
            json!(253_402_300_800_u64),
            Err(ErrorKind::InvalidDates),
        ),
        ("exp", json!(-1), Err(ErrorKind::InvalidDates)),
        ("exp", json!(1), Err(ErrorKind::Expired)),
        ("exp", json!("4000000000"), Err(ErrorKind::MalformedClaims)),
        ("xms_sub_fct", json!(13), Ok(PrincipalKind::AgentUser)),
        (
            "xms_sub_fct",
            json!([3, "13"]),
            Ok(PrincipalKind::AgentUser),
        ),
        ("sub", json!(5), Err(ErrorKind::MalformedClaims)),
    ] {
        let token = issuer.user().claim(name, &value);
        assert_eq!(verdict(&issuer, token).await, expected, "{name}: {value}");
    }
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let deepest = issuer.user().claim("x", nested(31));
    assert_eq!(verdict(&issuer, deepest).await, Ok(PrincipalKind::User));
    let deeper = issuer.user().claim("x", nested(32));
    assert_eq!(
        verdict(&issuer, deeper).await,
        Err(ErrorKind::MalformedClaims)
    );
    let huge = issuer.user().payload(r#"{"x":1e400}"#);
    assert_eq!(
        verdict(&issuer, huge).await,
        Err(ErrorKind::MalformedClaims)
    );

    let token = issuer.user().claim("xms_act_fct", "3 9 11").mint();
    let caller = issuer.validator().validate(&token).await.unwrap();
    assert!(
        caller
            .actor_facets()
            .unwrap()
            .contains(Facet::AGENT_IDENTITY)
    );
}

#[tokio::test]
async fn a_compressed_answer_is_a_bad_fetch_although_decompression_is_in_the_graph() {
    let issuer = Issuer::start().await;
    issuer.fail(Fault::GzipBomb);
    let refused = verdict(&issuer, issuer.user()).await;
    assert_eq!(refused, Err(ErrorKind::KeysUnavailable));
    let asked = issuer.heads_seen().concat().to_ascii_lowercase();
    assert!(!asked.contains("accept-encoding"), "{asked}");
}
