use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::json;

use super::*;
use crate::testing::KeyKind;

#[test]
fn a_token_verifies_with_the_published_key() {
    let issuer = Issuer::start_blocking();
    assert_eq!(verify(&issuer, &issuer.token().mint()), Ok(()));
}

#[test]
fn a_token_of_one_issuer_is_a_forgery_to_another() {
    let (one, other) = (Issuer::start_blocking(), Issuer::start_blocking());
    let token = one.token().mint();
    assert!(verify_with(&jwks(&other)[0], &token, &RSA_PKCS1_2048_8192_SHA256).is_err());
}

#[test]
fn a_rotation_signs_with_a_new_key_and_keeps_the_old_one_published() {
    let issuer = Issuer::start_blocking();
    let old = issuer.current_kid();
    let before = issuer.token().mint();
    let new = issuer.rotate();
    assert_ne!(old, new);
    assert_eq!(issuer.current_kid(), new);
    assert_eq!(served_kids(&issuer), [old, new.clone()]);

    let after = issuer.token().mint();
    assert_eq!(parts(&after).0["kid"], new);
    assert_eq!(verify(&issuer, &before), Ok(()));
    assert_eq!(verify(&issuer, &after), Ok(()));
}

#[test]
fn an_unpublished_key_is_served_only_after_publish() {
    let issuer = Issuer::start_blocking();
    let first = issuer.current_kid();
    let hidden = issuer.new_unpublished_key_with(KeyKind::P256);
    let second = issuer.publish_key_with(KeyKind::P256);
    assert_eq!(issuer.current_kid(), first);
    assert_eq!(served_kids(&issuer), [first.clone(), second.clone()]);

    issuer.publish(&hidden);
    issuer.publish(&first);
    assert_eq!(
        issuer.kids(),
        [first.clone(), second.clone(), hidden.clone()]
    );
    issuer.withdraw(&first);
    assert_eq!(served_kids(&issuer), [second, hidden.clone()]);
    assert_eq!(
        header(issuer.token())["kid"],
        first,
        "a withdrawn key can still sign"
    );

    issuer.sign_with(&hidden);
    assert_eq!(header(issuer.token())["kid"], hidden);
}

#[test]
fn a_replaced_key_no_longer_verifies_what_the_old_one_signed() {
    let issuer = Issuer::start_blocking();
    let before = issuer.token().mint();
    issuer.replace_key(&issuer.current_kid());
    assert_eq!(issuer.kids().len(), 1);
    assert!(verify(&issuer, &before).is_err());
    assert_eq!(verify(&issuer, &issuer.token().mint()), Ok(()));
}

#[test]
fn a_strangers_signature_does_not_verify_though_the_header_names_a_published_key() {
    let issuer = Issuer::start_blocking();
    let token = issuer.token().signed_by_stranger().mint();
    assert_eq!(parts(&token).0["kid"], issuer.current_kid());
    assert!(verify(&issuer, &token).is_err());
}

#[test]
fn a_pss_key_has_its_alg_and_signs_ps256() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key_with(KeyKind::RsaPss);
    let token = issuer.token().signed_by(&kid).mint();
    assert_eq!(
        parts(&token).0,
        json!({"typ": "JWT", "alg": "PS256", "kid": kid})
    );
    let jwk = &jwks(&issuer)[1];
    assert_eq!(jwk["alg"], "PS256");
    assert_eq!(verify_with(jwk, &token, &RSA_PSS_2048_8192_SHA256), Ok(()));
}

#[test]
fn a_p256_key_signs_es256() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key_with(KeyKind::P256);
    let token = issuer.token().signed_by(&kid).mint();
    assert_eq!(parts(&token).0["alg"], "ES256");

    let jwk = &jwks(&issuer)[1];
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("EC"), &json!("P-256")));
    assert!(jwk.get("alg").is_none());
    let mut point = vec![4];
    point.extend(decode(jwk["x"].as_str().unwrap()));
    point.extend(decode(jwk["y"].as_str().unwrap()));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    assert_eq!(key.verify(input.as_bytes(), &decode(signature)), Ok(()));
}

#[test]
fn a_larger_rsa_key_has_a_larger_modulus() {
    let issuer = Issuer::start_blocking();
    issuer.publish_key_with(KeyKind::Rsa3072);
    assert_eq!(decode(jwks(&issuer)[1]["n"].as_str().unwrap()).len(), 384);
}

#[test]
#[should_panic(expected = "\"unpublished\" is not a key of this issuer")]
fn an_unknown_kid_is_a_panic() {
    Issuer::start_blocking().sign_with("unpublished");
}
