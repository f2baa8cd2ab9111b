use std::time::UNIX_EPOCH;

use aws_lc_rs::{
    hmac,
    signature::{RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256},
};
use serde_json::json;

use super::*;

#[test]
fn an_autonomous_agent_carries_its_facets_and_one_id() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.autonomous_agent());
    for name in ["azp", "oid", "sub"] {
        assert_eq!(claims[name], issuer.agent_id(), "{name}");
    }
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["azpacr"], "2");
    assert_eq!(claims["xms_act_fct"], "3 9 11");
    assert_eq!(claims["xms_sub_fct"], "3 9 11");
    assert_eq!(claims["xms_idrel"], "7");
    assert_eq!(claims["xms_tnt_fct"], "3");
    assert_eq!(claims["xms_par_app_azp"], issuer.blueprint_id());
    assert_eq!(claims["roles"], json!(["Orders.Read.All"]));
    assert!(claims.get("scp").is_none());
}

#[test]
fn an_agent_on_behalf_of_a_person_carries_both() {
    let issuer = Issuer::start_blocking();
    let alice = claims(issuer.agent_on_behalf_of("alice"));
    assert_eq!(alice["azp"], issuer.agent_id());
    assert_eq!(alice["oid"], issuer.object_id_of("alice"));
    assert_eq!(alice["sub"].as_str().unwrap().len(), 43);
    assert_eq!(alice["idtyp"], "user");
    assert_eq!(alice["xms_act_fct"], "3 9 11");
    assert_eq!(alice["xms_sub_fct"], "3");
    assert_eq!(alice["xms_idrel"], "1");
    assert_eq!(alice["scp"], "Orders.Read");
    assert!(alice.get("roles").is_none());

    let again = claims(issuer.agent_on_behalf_of("alice"));
    let bob = claims(issuer.agent_on_behalf_of("bob"));
    assert_eq!(
        (&again["oid"], &again["sub"]),
        (&alice["oid"], &alice["sub"])
    );
    assert_ne!(bob["oid"], alice["oid"]);
    assert_ne!(bob["sub"], alice["sub"]);
    assert_eq!(
        claims(issuer.agent_on_behalf_of(OTHER_TENANT))["oid"],
        OTHER_TENANT
    );
}

#[test]
fn an_agent_user_is_a_person_to_the_directory() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.agent_user());
    assert_eq!(claims["azp"], issuer.agent_id());
    assert_eq!(claims["oid"], issuer.agent_user_id());
    assert_eq!(claims["idtyp"], "user");
    assert_eq!(claims["xms_act_fct"], "3 9 11");
    assert_eq!(claims["xms_sub_fct"], "3 13");
    assert_eq!(claims["scp"], "Orders.Read");
}

#[test]
fn an_ordinary_user_has_names_and_no_agent_facet() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.user());
    assert_eq!(claims["azp"], issuer.client_id());
    assert_eq!(claims["xms_act_fct"], "3 9");
    assert_eq!(claims["xms_sub_fct"], "3");
    assert_eq!(claims["xms_idrel"], "1");
    assert_eq!(claims["name"], "alice");
    assert_eq!(claims["preferred_username"], "alice@example.com");
    assert!(claims.get("xms_par_app_azp").is_none());
}

#[test]
fn an_application_is_its_own_subject() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.application());
    assert_eq!(claims["azp"], issuer.client_id());
    assert_eq!(claims["oid"], claims["sub"]);
    assert_ne!(claims["oid"], claims["azp"]);
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["xms_act_fct"], "3 9");
    assert_eq!(claims["xms_sub_fct"], "3 9");
    assert_eq!(claims["roles"], json!(["Orders.Read.All"]));
}

#[test]
fn an_id_token_names_no_client_and_no_scope() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.id_token());
    assert!(claims["nonce"].is_string());
    assert_eq!(claims["aud"], issuer.audience());
    for name in ["azp", "scp", "roles"] {
        assert!(claims.get(name).is_none(), "{name}");
    }
}

#[test]
fn a_token_is_valid_for_an_hour_from_now() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.token());
    let issued = claims["iat"].as_i64().unwrap();
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(now.abs_diff(u64::try_from(issued).unwrap()) <= 5);
    assert_eq!(claims["nbf"], issued);
    assert_eq!(claims["exp"], issued + 3_600);
}

#[test]
fn times_can_be_set() {
    let issuer = Issuer::start_blocking();
    let token = issuer
        .token()
        .issued_at(1_000)
        .valid_for(60)
        .not_before(1_010);
    let claims_of = claims(token);
    assert_eq!(
        (&claims_of["iat"], &claims_of["nbf"]),
        (&json!(1_000), &json!(1_010))
    );
    assert_eq!(claims_of["exp"], 1_060);
    assert_eq!(claims(issuer.token().expires_at(-1))["exp"], -1);

    let expired = claims(issuer.token().expired());
    let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    assert_eq!(
        expired["exp"].as_i64(),
        expired["iat"].as_i64().map(|issued| issued + 3_600)
    );
    assert!(expired["exp"].as_i64().unwrap() < now - 3_000);
}

#[test]
fn a_v1_token_has_the_v1_names_and_issuer() {
    let issuer = Issuer::start_blocking();
    let (header, claims) = parts(&issuer.user().v1().mint());
    assert_eq!(claims["ver"], "1.0");
    assert_eq!(claims["iss"], issuer.v1_issuer());
    assert_eq!(
        claims["iss"],
        format!("{}/{}/", issuer.url(), issuer.tenant_id())
    );
    assert_eq!(claims["appid"], issuer.client_id());
    assert_eq!(claims["appidacr"], "1");
    assert_eq!(claims["unique_name"], "alice@example.com");
    assert_eq!(claims["aud"], issuer.audience());
    for name in ["azp", "azpacr", "preferred_username"] {
        assert!(claims.get(name).is_none(), "{name}");
    }
    assert_eq!(header["x5t"], header["kid"]);
}

#[test]
fn a_v2_token_made_of_a_v1_token_is_as_if_it_had_never_been_one() {
    let issuer = Issuer::start_blocking();
    let token = issuer.user();
    assert_eq!(parts(&token.clone().v1().v2().mint()), parts(&token.mint()));
}

#[test]
fn a_token_of_another_tenant_has_its_issuer() {
    let issuer = Issuer::start_blocking();
    let url = issuer.url();
    let claims_of = claims(issuer.user().tenant(OTHER_TENANT));
    assert_eq!(claims_of["tid"], OTHER_TENANT);
    assert_eq!(claims_of["iss"], format!("{url}/{OTHER_TENANT}/v2.0"));
    let claims_of = claims(issuer.user().v1().tenant(OTHER_TENANT));
    assert_eq!(claims_of["iss"], format!("{url}/{OTHER_TENANT}/"));
}

#[test]
fn a_token_without_facets_has_no_optional_claim() {
    let issuer = Issuer::start_blocking();
    let claims = claims(issuer.autonomous_agent().without_facets());
    let names: Vec<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "aud", "azp", "azpacr", "exp", "iat", "iss", "nbf", "oid", "roles", "sub", "tid", "uti",
        "ver",
    ];
    assert_eq!(names, expected);
}

#[test]
fn claims_can_be_set_and_left_out() {
    let issuer = Issuer::start_blocking();
    let token = issuer
        .token()
        .claim("aud", ["a", "b"])
        .claims([("acct", 1), ("exp", 2)])
        .without_claim("sub")
        .scope("A B")
        .roles(["R"]);
    let claims = claims(token);
    assert_eq!(claims["aud"], json!(["a", "b"]));
    assert_eq!((&claims["acct"], &claims["exp"]), (&json!(1), &json!(2)));
    assert!(claims.get("sub").is_none());
    assert_eq!(claims["scp"], "A B");
    assert_eq!(claims["roles"], json!(["R"]));
}

#[test]
fn exact_payload_and_header_are_signed_as_they_are() {
    let issuer = Issuer::start_blocking();
    let token = issuer
        .token()
        .payload_bytes(*b"\xff{")
        .header_text("{\"alg\":1e9}")
        .mint();
    let segments: Vec<_> = token.split('.').map(decode).collect();
    assert_eq!(segments[0], b"{\"alg\":1e9}");
    assert_eq!(segments[1], b"\xff{");
    assert_eq!(
        verify_with(&jwks(&issuer)[0], &token, &RSA_PKCS1_2048_8192_SHA256),
        Ok(())
    );

    let token = issuer.token().payload("{\"a\":1,\"a\":2}").mint();
    assert_eq!(
        decode(token.split('.').nth(1).unwrap()),
        b"{\"a\":1,\"a\":2}"
    );
}

#[test]
fn header_members_can_be_set_and_left_out() {
    let issuer = Issuer::start_blocking();
    let token = issuer
        .token()
        .header("kid", "x")
        .header("crit", ["b64"])
        .without_header("typ");
    assert_eq!(
        header(token),
        json!({"alg": "RS256", "kid": "x", "crit": ["b64"]})
    );
}

#[test]
fn an_rsa_key_signs_other_algorithms_on_demand() {
    let issuer = Issuer::start_blocking();
    let token = issuer.token().algorithm("RS384").mint();
    assert_eq!(parts(&token).0["alg"], "RS384");
    assert_eq!(
        verify_with(&jwks(&issuer)[0], &token, &RSA_PKCS1_2048_8192_SHA384),
        Ok(())
    );

    let lying = issuer
        .token()
        .algorithm("PS256")
        .header("alg", "RS256")
        .mint();
    assert_eq!(parts(&lying).0["alg"], "RS256");
    assert_eq!(
        verify_with(&jwks(&issuer)[0], &lying, &RSA_PSS_2048_8192_SHA256),
        Ok(())
    );
    for name in ["RS512", "PS384", "PS512"] {
        assert_eq!(header(issuer.token().algorithm(name))["alg"], name);
    }
}

#[test]
#[should_panic(expected = "a key of the kind Rsa2048 cannot sign ES256")]
fn an_rsa_key_cannot_sign_es256() {
    let _ = Issuer::start_blocking().token().algorithm("ES256").mint();
}

#[test]
#[should_panic(expected = "cannot sign \"none\"")]
fn an_algorithm_that_is_not_known_is_a_panic() {
    let _ = Issuer::start_blocking().token().algorithm("none");
}

#[test]
fn an_unsigned_token_has_alg_none_and_an_empty_signature() {
    let issuer = Issuer::start_blocking();
    let token = issuer.token().unsigned().mint();
    assert!(token.ends_with('.'));
    assert_eq!(parts(&token).0["alg"], "none");
    let token = issuer.token().signature(*b"abc").mint();
    assert!(token.ends_with(".YWJj"));
    assert_eq!(parts(&token).0["alg"], "RS256");
}

#[test]
fn an_hs256_token_is_signed_with_the_secret() {
    let issuer = Issuer::start_blocking();
    let token = issuer.token().hs256("public").mint();
    assert_eq!(parts(&token).0["alg"], "HS256");
    let (input, tag) = token.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"public");
    assert_eq!(hmac::verify(&key, input.as_bytes(), &decode(tag)), Ok(()));
}

#[test]
fn debug_shows_no_claim() {
    let issuer = Issuer::start_blocking();
    let shown = format!("{issuer:?} {:?}", issuer.user());
    assert!(!shown.contains("alice"), "{shown}");
    assert!(shown.contains("xms_act_fct"), "{shown}");
}
