use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use super::*;

#[test]
fn the_discovery_document_of_a_tenant_is_entras_in_shape() {
    let issuer = Issuer::start_blocking();
    let (url, tid) = (issuer.url(), issuer.tenant_id());
    let document = discovery(&issuer);
    assert_eq!(document["issuer"], format!("{url}/{tid}/v2.0"));
    assert_eq!(document["issuer"], issuer.v2_issuer());
    assert_eq!(
        document["jwks_uri"],
        format!("{url}/{tid}/discovery/v2.0/keys")
    );
    assert_eq!(
        document["authorization_endpoint"],
        format!("{url}/{tid}/oauth2/v2.0/authorize")
    );
    assert_eq!(
        document["token_endpoint"],
        format!("{url}/{tid}/oauth2/v2.0/token")
    );
    assert_eq!(document["cloud_instance_name"], "microsoftonline.com");
    assert_eq!(document["subject_types_supported"], json!(["pairwise"]));
    assert_eq!(
        document["id_token_signing_alg_values_supported"],
        json!(["RS256"])
    );
}

#[test]
fn a_discovery_document_for_many_tenants_has_the_placeholder_in_its_issuer() {
    let issuer = Issuer::start_blocking();
    for tenant in ["organizations", "common"] {
        let document = get_json(&issuer, &discovery_target(tenant));
        let url = issuer.url();
        assert_eq!(document["issuer"], format!("{url}/{{tenantid}}/v2.0"));
        assert_eq!(
            document["jwks_uri"],
            format!("{url}/{tenant}/discovery/v2.0/keys")
        );
    }
}

#[test]
fn personal_accounts_and_other_tenants_are_served_by_their_guids() {
    let issuer = Issuer::start_blocking();
    let url = issuer.url();
    for (tenant, guid) in [
        ("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"),
        (OTHER_TENANT, OTHER_TENANT),
        (&OTHER_TENANT.to_uppercase(), OTHER_TENANT),
    ] {
        let document = get_json(&issuer, &discovery_target(tenant));
        assert_eq!(document["issuer"], format!("{url}/{guid}/v2.0"));
    }
}

#[test]
fn the_keys_url_keeps_the_app_id() {
    let issuer = Issuer::start_blocking();
    let target = discovery_target(issuer.tenant_id()) + "?x=1&appid=4d4c6958";
    let document = get_json(&issuer, &target);
    let keys_url = document["jwks_uri"].as_str().unwrap();
    assert_eq!(
        keys_url,
        issuer.url() + &keys_target(&issuer) + "?appid=4d4c6958"
    );

    let target = keys_url.strip_prefix(&issuer.url()).unwrap();
    assert_eq!(
        get_json(&issuer, target)["keys"].as_array().unwrap().len(),
        1
    );
    assert!(
        issuer
            .requests_seen()
            .iter()
            .all(|target| target.contains("appid=4d4c6958"))
    );
}

#[test]
fn a_published_key_is_entras_in_shape() {
    let issuer = Issuer::start_blocking();
    let [key] = &jwks(&issuer)[..] else {
        panic!("one key at first")
    };
    let names: Vec<_> = key
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "cloud_instance_name",
        "e",
        "issuer",
        "kid",
        "kty",
        "n",
        "use",
        "x5t",
    ];
    assert_eq!(names, expected, "no alg, above all");
    assert_eq!(key["kty"], "RSA");
    assert_eq!(key["use"], "sig");
    assert_eq!(key["kid"], issuer.current_kid());
    assert_eq!(key["kid"].as_str().unwrap().len(), 27);
    assert_eq!(key["x5t"], key["kid"]);
    assert_eq!(key["cloud_instance_name"], "microsoftonline.com");
    assert_eq!(key["issuer"], issuer.url() + "/{tenantid}/v2.0");
    assert_eq!(key["e"], "AQAB");
    let n = decode(key["n"].as_str().unwrap());
    assert_eq!(n.len(), 256);
    assert!(n[0] >= 0x80, "2048 bits without leading zeros");
}

#[test]
fn other_paths_and_methods_are_refused_and_not_counted() {
    let issuer = Issuer::start_blocking();
    for target in [
        "/",
        "*",
        "/common",
        "/contoso.onmicrosoft.com/discovery/v2.0/keys",
        "/common/discovery/keys",
        "/common/discovery/v2.0/keys/",
        "/common/.well-known/openid-configuration",
    ] {
        assert_eq!(status(&issuer, target), 404, "{target}");
    }
    assert_eq!(issuer.fetches(), 0);
    assert_eq!(issuer.requests_seen().len(), 7);

    let mut stream = TcpStream::connect(issuer.url().strip_prefix("http://").unwrap()).unwrap();
    stream
        .write_all(b"POST /common/discovery/v2.0/keys HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 405 "), "{reply}");
    assert_eq!(issuer.fetches(), 0);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let issuer = Issuer::start_blocking();
    let mut stream = TcpStream::connect(issuer.url().strip_prefix("http://").unwrap()).unwrap();
    // One read more than the limit: bytes left unread would reset the connection.
    let head = format!("GET /{} ", "a".repeat(16 * 1024 - 5));
    stream.write_all(head.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
}

#[test]
fn fetches_are_counted_and_their_targets_kept() {
    let issuer = Issuer::start_blocking();
    discovery(&issuer);
    jwks(&issuer);
    jwks(&issuer);
    assert_eq!(
        (
            issuer.discovery_fetches(),
            issuer.key_fetches(),
            issuer.fetches()
        ),
        (1, 2, 3)
    );
    let keys = keys_target(&issuer);
    let expected = vec![discovery_target(issuer.tenant_id()), keys.clone(), keys];
    assert_eq!(issuer.requests_seen(), expected);
    assert!(issuer.heads_seen()[0].contains("\r\nHost: localhost\r\n"));
}

#[test]
fn at_most_a_thousand_requests_are_kept() {
    let issuer = Issuer::start_blocking();
    for number in 0..1_005 {
        answer(&issuer, &format!("/{number}"));
    }
    let seen = issuer.requests_seen();
    assert_eq!(
        (seen.len(), seen[0].as_str(), seen[999].as_str()),
        (1_000, "/5", "/1004")
    );
}

#[test]
fn members_of_the_discovery_document_can_be_set_and_removed() {
    let issuer = Issuer::start_blocking();
    let original = discovery(&issuer);
    issuer.set_discovery_member("issuer", "https://evil.example");
    issuer.remove_discovery_member("jwks_uri");
    let changed = discovery(&issuer);
    assert_eq!(changed["issuer"], "https://evil.example");
    assert!(changed.get("jwks_uri").is_none());

    issuer.set_discovery_document("[");
    assert_eq!(get(&issuer, &discovery_target("common")).1, b"[");
    issuer.reset_discovery_document();
    assert_eq!(discovery(&issuer), original);
}

#[test]
fn members_of_a_key_can_be_set_and_removed() {
    let issuer = Issuer::start_blocking();
    let original = issuer.keys_document();
    let kid = issuer.current_kid();
    issuer.set_key_member(&kid, "alg", "RS512");
    issuer.remove_key_member(&kid, "issuer");
    issuer.publish_jwk(json!({"kty": "oct", "k": "c2VjcmV0"}));
    let keys = jwks(&issuer);
    assert_eq!(keys[0]["alg"], "RS512");
    assert!(keys[0].get("issuer").is_none());
    assert_eq!(keys[1], json!({"kty": "oct", "k": "c2VjcmV0"}));

    issuer.set_keys_document(*b"\xff");
    assert_eq!(get(&issuer, &keys_target(&issuer)).1, b"\xff");
    issuer.reset_keys_document();
    assert_eq!(issuer.keys_document(), original);
}
