//! `/Validate`.

use tower_entra::testing::Issuer;

use crate::world::Sidecar;
use serde_json::Value;

#[tokio::test]
async fn without_a_good_token_it_challenges_and_says_nothing_else() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let missing = sidecar.get("/Validate").await;
    assert_eq!(missing.status, 401);
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    assert_eq!(missing.body, "");
    let bad = sidecar.get_with_token("/Validate", "x").await;
    assert_eq!(bad.status, 401);
    let challenge = bad.header("www-authenticate");
    assert!(challenge.is_some_and(|text| text.starts_with("Bearer error=\"invalid_token\"")));
    assert_eq!(bad.body, "");
}

#[tokio::test]
async fn the_token_and_its_claims_come_back() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let token = issuer
        .blueprint()
        .user_token("alice")
        .claim("list", [1, 2])
        .mint();
    for path in ["/Validate", "/validate/", "/VALIDATE?AgentIdentity=x"] {
        let answer = sidecar.get_with_token(path, &token).await;
        assert_eq!(answer.status, 200, "{path}");
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(body["protocol"], "Bearer");
        assert_eq!(body["token"], token.as_str());
        assert_eq!(body["claims"]["list"], serde_json::json!([1, 2]));
        let alice = issuer.object_id_of("alice");
        assert_eq!(body["claims"]["oid"], alice.as_str());
    }
}

#[tokio::test]
async fn one_of_the_configured_scopes_is_needed() {
    let issuer = Issuer::start().await;
    let scopes = ("AzureAd__Scopes", "Orders.Read Orders.Write");
    let sidecar = Sidecar::start(&issuer, &[scopes]);
    let token = |scope: &str| {
        let token = issuer.blueprint().user_token("alice");
        token.claim("scp", scope).mint()
    };
    let answer = sidecar
        .get_with_token("/Validate", &token("Orders.Write"))
        .await;
    assert_eq!(answer.status, 200);
    for token in [token("Orders"), issuer.blueprint().app_token().mint()] {
        let answer = sidecar.get_with_token("/Validate", &token).await;
        assert_eq!(answer.status, 403);
        let body = answer.body;
        assert!(
            body.starts_with("IDW10203: The 'scope' or 'scp' claim does not contain"),
            "{body}"
        );
    }
}
