//! Each check, by tokens that differ from a good one in one thing.

use serde_json::json;
use tower_entra::{
    Authority, ErrorKind, SignatureAlgorithm, Tenants, Validator,
    testing::{Issuer, KeyKind},
};

use crate::support::{
    OTHER_APP, OTHER_TENANT, admitted_by, caller_of, issuer, now, refusal, refusal_by,
};

#[test]
fn a_good_token_of_every_scenario_is_admitted_in_both_versions() {
    for scenario in [
        Issuer::autonomous_agent,
        Issuer::agent_user,
        Issuer::user,
        Issuer::application,
        Issuer::token,
        |issuer: &Issuer| issuer.agent_on_behalf_of("alice"),
    ] {
        caller_of(scenario(issuer()));
        caller_of(scenario(issuer()).v1());
        caller_of(scenario(issuer()).without_facets());
        caller_of(scenario(issuer()).v1().without_facets());
    }
}

// Check 2: size and shape.

#[test]
fn a_token_of_more_than_16_kib_is_refused() {
    let long = issuer().user().claim("x", "x".repeat(16 * 1024)).mint();
    assert_eq!(
        refusal_by(&issuer().validator(), &long),
        ErrorKind::TokenTooLarge
    );
    let limit = issuer()
        .validator_builder()
        .max_token_size(32 * 1024)
        .build()
        .unwrap();
    admitted_by(&limit, &long);
}

#[test]
fn what_is_no_compact_jws_is_refused() {
    let good = issuer().user().mint();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!()
    };
    let validator = issuer().validator();
    for (token, kind) in [
        (String::new(), ErrorKind::MalformedToken),
        ("null".to_owned(), ErrorKind::MalformedToken),
        (format!("{header}.{payload}"), ErrorKind::MalformedToken),
        (format!("{header}.{payload}."), ErrorKind::MalformedToken),
        (format!("{header}..{signature}"), ErrorKind::MalformedToken),
        (
            format!("{header}..{payload}.{signature}"),
            ErrorKind::MalformedToken,
        ),
        (format!("{good}.x"), ErrorKind::MalformedToken),
        (format!("{good}="), ErrorKind::MalformedToken),
        (format!("{good} "), ErrorKind::MalformedToken),
        (format!(" {good}"), ErrorKind::MalformedToken),
        (
            format!("{header}=.{payload}.{signature}"),
            ErrorKind::MalformedToken,
        ),
        (
            format!("{header}.{payload}.{}", "A".repeat(10)),
            ErrorKind::InvalidSignature,
        ),
        (format!("{good}.x.y"), ErrorKind::EncryptedToken),
        ("a.b.c.d.e".to_owned(), ErrorKind::EncryptedToken),
        (".".repeat(1_000), ErrorKind::MalformedToken),
        (".".repeat(1_000_000), ErrorKind::TokenTooLarge),
        (
            format!(r#"{{"payload":"{payload}","signatures":[{{"signature":"{signature}"}}]}}"#),
            ErrorKind::MalformedToken,
        ),
    ] {
        let start: String = token.chars().take(40).collect();
        assert_eq!(refusal_by(&validator, &token), kind, "{start}");
    }
}

// Check 3: the header.

#[test]
fn a_header_that_is_no_object_is_refused() {
    for text in ["[]", "\"x\"", "null", "1", "{", ""] {
        let kind = refusal(issuer().user().header_text(text));
        let expected = if text.is_empty() {
            ErrorKind::MalformedToken
        } else {
            ErrorKind::MalformedHeader
        };
        assert_eq!(kind, expected, "{text}");
    }
    let kid = issuer().current_kid();
    for text in [
        format!(r#"{{"alg":"RS256","alg":"RS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","kid":"{kid}","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","kid":"{kid}","x":{{"y":1,"y":2}}}}"#),
    ] {
        assert_eq!(
            refusal(issuer().user().header_text(text)),
            ErrorKind::MalformedHeader
        );
    }
}

#[test]
fn an_algorithm_that_is_not_listed_is_refused() {
    for algorithm in ["RS384", "RS512", "PS256"] {
        assert_eq!(
            refusal(issuer().user().algorithm(algorithm)),
            ErrorKind::AlgorithmNotAllowed,
            "{algorithm}"
        );
    }
    for name in [
        "none", "None", "NONE", "nOnE", "rs256", "ES256", "EdDSA", "dir", "",
    ] {
        let token = issuer().user().header("alg", name);
        assert_eq!(refusal(token), ErrorKind::AlgorithmNotAllowed, "{name}");
    }
    assert_eq!(
        refusal(issuer().user().header("alg", 1)),
        ErrorKind::AlgorithmNotAllowed
    );
    assert_eq!(
        refusal(issuer().user().without_header("alg")),
        ErrorKind::AlgorithmNotAllowed
    );
    assert_eq!(
        refusal(issuer().user().hs256("")),
        ErrorKind::AlgorithmNotAllowed
    );
    let public_keys = issuer().keys_document();
    assert_eq!(
        refusal(issuer().user().hs256(public_keys)),
        ErrorKind::AlgorithmNotAllowed
    );
}

#[test]
fn a_key_id_that_is_no_short_text_is_refused() {
    assert_eq!(
        refusal(issuer().user().without_header("kid")),
        ErrorKind::InvalidKeyId
    );
    for kid in [
        json!(""),
        json!(1),
        json!(null),
        json!(true),
        json!({}),
        json!("k".repeat(257)),
    ] {
        assert_eq!(
            refusal(issuer().user().header("kid", &kid)),
            ErrorKind::InvalidKeyId,
            "{kid}"
        );
    }
}

#[test]
fn a_header_that_asks_for_more_is_refused() {
    for (name, value) in [
        ("crit", json!(["x"])),
        ("crit", json!([])),
        ("crit", json!("alg")),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
    ] {
        let token = issuer().user().header(name, &value);
        assert_eq!(
            refusal(token),
            ErrorKind::UnsupportedHeader,
            "{name}: {value}"
        );
    }
}

#[test]
fn the_type_of_another_kind_of_token_is_refused() {
    for typ in [
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "kb+jwt",
        "JOSE",
        "",
    ] {
        let token = issuer().user().header("typ", typ);
        assert_eq!(refusal(token), ErrorKind::UnsupportedTokenType, "{typ}");
    }
    for typ in [
        "JWT",
        "jwt",
        "at+jwt",
        "application/at+jwt",
        "Application/AT+JWT",
    ] {
        caller_of(issuer().user().header("typ", typ));
    }
    caller_of(issuer().user().without_header("typ"));
}

// Check 4: the key.

#[test]
fn a_key_id_that_names_no_key_is_refused() {
    let good = issuer().current_kid();
    let changed_case: String = good
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    for kid in [
        "nobody",
        "../../etc/passwd",
        "%00",
        "' OR 1=1 --",
        "\r\nX: y",
        &changed_case,
    ] {
        assert_eq!(
            refusal(issuer().user().header("kid", kid)),
            ErrorKind::UnknownKey,
            "{kid:?}"
        );
    }
}

#[test]
fn no_other_member_of_the_header_finds_a_key() {
    let token = issuer()
        .user()
        .header("kid", "nobody")
        .header("x5t", issuer().current_kid());
    assert_eq!(refusal(token), ErrorKind::UnknownKey);
    let jwk = serde_json::from_slice::<serde_json::Value>(&issuer().keys_document()).unwrap();
    let token = issuer()
        .user()
        .header("kid", "nobody")
        .header("jwk", &jwk["keys"][0]);
    assert_eq!(refusal(token), ErrorKind::UnknownKey);
}

// Check 5: the signature.

#[test]
fn a_signature_that_does_not_verify_is_refused() {
    assert_eq!(
        refusal(issuer().user().signed_by_stranger()),
        ErrorKind::InvalidSignature
    );
    for signature in [
        vec![0],
        vec![0; 255],
        vec![0; 256],
        vec![0; 257],
        vec![1; 10_000],
    ] {
        let length = signature.len();
        let token = issuer().user().signature(signature);
        assert_eq!(
            refusal(token),
            ErrorKind::InvalidSignature,
            "{length} bytes"
        );
    }
}

#[test]
fn a_payload_under_another_tokens_signature_is_refused() {
    let (user, agent) = (issuer().user().mint(), issuer().autonomous_agent().mint());
    let (signed, _) = user.rsplit_once('.').unwrap();
    let (_, signature) = agent.rsplit_once('.').unwrap();
    let token = format!("{signed}.{signature}");
    assert_eq!(
        refusal_by(&issuer().validator(), &token),
        ErrorKind::InvalidSignature
    );
}

#[test]
fn an_equal_header_in_another_spelling_is_refused() {
    let token = issuer().user().mint();
    let spelled_out = issuer()
        .user()
        .header_text(format!(
            r#"{{ "alg":"RS256", "kid":"{}" }}"#,
            issuer().current_kid()
        ))
        .mint();
    let (_, rest) = token.split_once('.').unwrap();
    let (header, _) = spelled_out.split_once('.').unwrap();
    let token = format!("{header}.{rest}");
    assert_eq!(
        refusal_by(&issuer().validator(), &token),
        ErrorKind::InvalidSignature
    );
}

#[test]
fn another_issuers_key_is_refused() {
    let other = Issuer::start_blocking();
    let token = other
        .user()
        .header("kid", issuer().current_kid())
        .claim("iss", issuer().v2_issuer())
        .claim("tid", issuer().tenant_id())
        .mint();
    assert_eq!(
        refusal_by(&issuer().validator(), &token),
        ErrorKind::InvalidSignature
    );
}

#[test]
fn a_bad_signature_of_a_token_for_graph_has_a_name_of_its_own() {
    let token = issuer().user().header("nonce", "x").signed_by_stranger();
    assert_eq!(refusal(token), ErrorKind::GraphToken);
}

#[test]
fn a_key_verifies_with_its_own_algorithm_alone() {
    let issuer = Issuer::start_blocking();
    let rsa = issuer.current_kid();
    let pss = issuer.publish_key_with(KeyKind::RsaPss);
    let p256 = issuer.publish_key_with(KeyKind::P256);
    let validator = issuer
        .validator_builder()
        .algorithms([
            SignatureAlgorithm::Rs256,
            SignatureAlgorithm::Ps256,
            SignatureAlgorithm::Es256,
        ])
        .build()
        .unwrap();
    for kid in [&rsa, &pss, &p256] {
        admitted_by(&validator, &issuer.user().signed_by(kid).mint());
    }
    // Entra's keys name no algorithm: an RSA key then does RS256 and not PS256.
    for (kid, algorithm) in [(&rsa, "PS256"), (&pss, "RS256")] {
        let token = issuer.user().signed_by(kid).algorithm(algorithm).mint();
        assert_eq!(
            refusal_by(&validator, &token),
            ErrorKind::InvalidSignature,
            "{algorithm}"
        );
    }
    let token = issuer.user().signed_by(&p256).header("alg", "RS256").mint();
    assert_eq!(refusal_by(&validator, &token), ErrorKind::InvalidSignature);
}

#[test]
fn a_key_whose_algorithm_is_not_listed_does_not_serve() {
    let issuer = Issuer::start_blocking();
    let p256 = issuer.publish_key_with(KeyKind::P256);
    let token = issuer.user().signed_by(&p256).mint();
    assert_eq!(
        refusal_by(&issuer.validator(), &token),
        ErrorKind::AlgorithmNotAllowed
    );
    let token = issuer.user().signed_by(&p256).header("alg", "RS256").mint();
    assert_eq!(
        refusal_by(&issuer.validator(), &token),
        ErrorKind::UnknownKey
    );
}

// Check 6: the claims.

#[test]
fn a_payload_that_is_no_object_is_refused() {
    for text in ["[]", "\"x\"", "null", "1", "{", "{}{}"] {
        assert_eq!(
            refusal(issuer().user().payload(text)),
            ErrorKind::MalformedClaims,
            "{text}"
        );
    }
    let not_utf8 = issuer()
        .user()
        .payload_bytes(b"{\"name\":\"\xff\"}".to_vec());
    assert_eq!(refusal(not_utf8), ErrorKind::MalformedClaims);
}

#[test]
fn a_claim_twice_is_refused() {
    let good = issuer().user();
    let text = |more: &str| {
        format!(
            r#"{{"ver":"2.0","iss":"{}","tid":"{}","aud":"{}","exp":{},"azp":"{OTHER_APP}","scp":"a"{more}}}"#,
            issuer().v2_issuer(),
            issuer().tenant_id(),
            issuer().audience(),
            now() + 600,
        )
    };
    caller_of(good.clone().payload(text("")));
    for more in [
        r#","scp":"a""#,
        r#","aud":"b""#,
        r#","x":1,"x":1"#,
        r#","x":{"y":[{"z":1,"z":1}]}"#,
        r#","s\u0063p":"a""#,
        &format!(r#","TID":"{OTHER_TENANT}""#),
        r#","SCP":"b""#,
        r#","Roles":["Admin"]"#,
        r#","Cnf":{}"#,
    ] {
        let token = good.clone().payload(text(more));
        assert_eq!(refusal(token), ErrorKind::MalformedClaims, "{more}");
    }
}

#[test]
fn a_deciding_claim_of_the_wrong_type_is_refused() {
    for (name, value) in [
        ("iss", json!([issuer().v2_issuer()])),
        ("aud", json!([issuer().audience(), 1])),
        ("tid", json!([issuer().tenant_id()])),
        ("ver", json!(2)),
        ("exp", json!((now() + 600).to_string())),
        ("nbf", json!(null)),
        ("iat", json!("now")),
        ("sub", json!(1)),
        ("oid", json!("alice")),
        ("azp", json!({})),
        ("appid", json!(null)),
        ("idtyp", json!(["user"])),
        ("scp", json!(["Orders.Read"])),
        ("roles", json!("Orders.Read.All")),
        ("cnf", json!("x")),
    ] {
        let token = issuer().user().claim(name, &value);
        assert_eq!(
            refusal(token),
            ErrorKind::MalformedClaims,
            "{name}: {value}"
        );
    }
}

#[test]
fn claims_that_lie_too_deep_are_refused() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    caller_of(issuer().user().claim("x", nested(31)));
    assert_eq!(
        refusal(issuer().user().claim("x", nested(32))),
        ErrorKind::MalformedClaims
    );
}

// Check 7: version, tenant, issuer.

#[test]
fn a_version_that_is_neither_one_nor_two_is_refused() {
    assert_eq!(
        refusal(issuer().user().without_claim("ver")),
        ErrorKind::UnsupportedVersion
    );
    for version in ["3.0", "2", "", "1.1", "2.0 "] {
        let token = issuer().user().claim("ver", version);
        assert_eq!(refusal(token), ErrorKind::UnsupportedVersion, "{version}");
    }
}

#[test]
fn a_version_that_does_not_fit_the_issuer_is_refused() {
    let v1_with_v2_issuer = issuer().user().v1().claim("iss", issuer().v2_issuer());
    assert_eq!(refusal(v1_with_v2_issuer), ErrorKind::IssuerMismatch);
    let v2_with_v1_issuer = issuer().user().claim("iss", issuer().v1_issuer());
    assert_eq!(refusal(v2_with_v1_issuer), ErrorKind::IssuerMismatch);
}

#[test]
fn a_tenant_that_is_no_lower_case_guid_is_refused() {
    let upper = issuer().tenant_id().to_uppercase();
    for tid in [
        "",
        " ",
        "common",
        "organizations",
        "{tenantid}",
        "contoso.onmicrosoft.com",
        &upper,
        &format!("{} ", issuer().tenant_id()),
        &format!("{{{}}}", issuer().tenant_id()),
    ] {
        assert_eq!(
            refusal(issuer().user().claim("tid", tid)),
            ErrorKind::InvalidTenant,
            "{tid:?}"
        );
        assert_eq!(
            refusal(issuer().user().tenant(tid)),
            ErrorKind::InvalidTenant,
            "{tid:?}"
        );
    }
    assert_eq!(
        refusal(issuer().user().without_claim("tid")),
        ErrorKind::InvalidTenant
    );
}

#[test]
fn a_tenant_that_is_not_the_issuers_is_refused() {
    let multi = issuer().validator_for(Tenants::list([issuer().tenant_id(), OTHER_TENANT]));
    let token = issuer().user().claim("tid", OTHER_TENANT).mint();
    assert_eq!(refusal_by(&multi, &token), ErrorKind::IssuerMismatch);
    admitted_by(&multi, &issuer().user().tenant(OTHER_TENANT).mint());
}

#[test]
fn an_issuer_that_is_not_exactly_the_authoritys_is_refused() {
    let good = issuer().v2_issuer();
    for issuer_claim in [
        format!("{good}/"),
        good.replace("/v2.0", "/v1.1"),
        good.replace("/v2.0", ""),
        good.replace("http://", "https://"),
        good.replace(issuer().tenant_id(), "{tenantid}"),
        good.to_uppercase(),
        format!(
            "https://login.microsoftonline.com/{}/v2.0",
            issuer().tenant_id()
        ),
        format!("https://sts.windows.net/{}/", issuer().tenant_id()),
        format!(
            "{}/{}/{}/v2.0",
            issuer().url(),
            issuer().tenant_id(),
            issuer().tenant_id()
        ),
        String::new(),
        "foo".to_owned(),
        "https://".to_owned(),
    ] {
        let token = issuer().user().claim("iss", &issuer_claim);
        assert_eq!(refusal(token), ErrorKind::IssuerMismatch, "{issuer_claim}");
    }
    assert_eq!(
        refusal(issuer().user().without_claim("iss")),
        ErrorKind::IssuerMismatch
    );
    let v1_without_slash = issuer().v1_issuer().trim_end_matches('/').to_owned();
    let token = issuer().user().v1().claim("iss", v1_without_slash);
    assert_eq!(refusal(token), ErrorKind::IssuerMismatch);
}

#[test]
fn a_version_1_token_is_refused_where_the_authority_has_no_version_1_issuer() {
    let validator = issuer()
        .validator_builder()
        .authority(Authority::insecure_loopback(issuer().url()))
        .build()
        .unwrap();
    admitted_by(&validator, &issuer().user().mint());
    assert_eq!(
        refusal_by(&validator, &issuer().user().v1().mint()),
        ErrorKind::IssuerMismatch
    );
}

#[test]
fn a_tenant_that_is_not_allowed_is_refused() {
    assert_eq!(
        refusal(issuer().user().tenant(OTHER_TENANT)),
        ErrorKind::TenantNotAllowed
    );
    let listed = issuer().validator_for(Tenants::list([OTHER_TENANT, OTHER_APP]));
    assert_eq!(
        refusal_by(&listed, &issuer().user().mint()),
        ErrorKind::TenantNotAllowed
    );
    let organizations = issuer().validator_for(Tenants::any_organization());
    admitted_by(&organizations, &issuer().user().tenant(OTHER_TENANT).mint());
    let personal = issuer()
        .user()
        .tenant("9188040d-6c67-4c5b-b112-36a304b66dad")
        .mint();
    assert_eq!(
        refusal_by(&organizations, &personal),
        ErrorKind::TenantNotAllowed
    );
    admitted_by(&issuer().validator_for(Tenants::any()), &personal);
}

// Check 8: whose key it is.

#[test]
fn a_key_of_another_issuer_may_not_sign() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key();
    let personal = "9188040d-6c67-4c5b-b112-36a304b66dad";
    for key_issuer in [
        format!("{}/{personal}/v2.0", issuer.url()),
        "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(),
        format!("{}/", issuer.v2_issuer()),
        format!("{}/{{tid}}/v2.0", issuer.url()),
        String::new(),
    ] {
        issuer.set_key_member(&kid, "issuer", &key_issuer);
        for token in [issuer.user(), issuer.user().v1()] {
            let refused = refusal_by(&issuer.validator(), &token.signed_by(&kid).mint());
            assert_eq!(refused, ErrorKind::KeyNotForIssuer, "{key_issuer}");
        }
    }
    for key_issuer in [
        issuer.v2_issuer(),
        format!("{}/{{tenantid}}/v2.0", issuer.url()),
        format!("{}/{{TenantId}}/v2.0", issuer.url()),
    ] {
        issuer.set_key_member(&kid, "issuer", &key_issuer);
        for token in [issuer.user(), issuer.user().v1()] {
            admitted_by(&issuer.validator(), &token.signed_by(&kid).mint());
        }
    }
}

#[test]
fn a_key_without_an_issuer_signs_only_where_discovery_names_one_tenant() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key();
    issuer.remove_key_member(&kid, "issuer");
    let token = issuer.user().signed_by(&kid).mint();
    admitted_by(&issuer.validator(), &token);
    let many = issuer.validator_for(Tenants::any_organization());
    assert_eq!(refusal_by(&many, &token), ErrorKind::KeyNotForIssuer);
}

#[test]
fn a_key_of_another_cloud_may_not_sign() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key();
    issuer.set_key_member(&kid, "cloud_instance_name", "microsoftonline.us");
    let token = issuer.user().signed_by(&kid).mint();
    assert_eq!(
        refusal_by(&issuer.validator(), &token),
        ErrorKind::KeyNotForIssuer
    );

    let lenient = issuer
        .validator_builder()
        .danger_accept_keys_of_other_clouds()
        .build()
        .unwrap();
    admitted_by(&lenient, &token);
    issuer.remove_key_member(&kid, "cloud_instance_name");
    admitted_by(&issuer.validator(), &token);
}

// Check 9: the audience.

#[test]
fn an_audience_that_is_not_exactly_ours_is_refused() {
    let good = issuer().audience();
    for audience in [
        "",
        "api://other",
        &format!("{good}/"),
        &format!(" {good}"),
        &good.to_uppercase(),
        &good[..good.len() - 1],
        "https://graph.microsoft.com",
    ] {
        let token = issuer().user().audience(audience);
        assert_eq!(refusal(token), ErrorKind::AudienceMismatch, "{audience:?}");
    }
    assert_eq!(
        refusal(issuer().user().without_claim("aud")),
        ErrorKind::AudienceMismatch
    );
    let nobody = issuer().user().claim("aud", json!([]));
    assert_eq!(refusal(nobody), ErrorKind::AudienceMismatch);
}

#[test]
fn one_audience_of_several_is_enough() {
    let token = issuer()
        .user()
        .claim("aud", ["api://other", issuer().audience()]);
    assert_eq!(caller_of(token).audience(), issuer().audience());
    let validator = Validator::builder(
        Tenants::single(issuer().tenant_id()),
        ["api://one", "api://two"],
    )
    .authority(issuer().authority())
    .build()
    .unwrap();
    let token = issuer().user().audience("api://two").mint();
    assert_eq!(admitted_by(&validator, &token).audience(), "api://two");
}

// Check 10: dates.

#[test]
fn a_token_without_a_date_of_expiry_is_refused() {
    assert_eq!(
        refusal(issuer().user().without_claim("exp")),
        ErrorKind::InvalidDates
    );
}

#[test]
fn a_date_out_of_range_is_refused() {
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!(-1),
            json!(-0.5),
            json!(253_402_300_800_u64),
            json!(u64::MAX),
            json!(1e308),
        ] {
            let token = issuer().user().claim(name, &value);
            assert_eq!(refusal(token), ErrorKind::InvalidDates, "{name}: {value}");
        }
    }
    caller_of(issuer().user().claim("exp", 253_402_300_799_u64));
}

#[test]
fn an_expired_token_is_refused_after_the_skew() {
    assert_eq!(refusal(issuer().user().expired()), ErrorKind::Expired);
    assert_eq!(
        refusal(issuer().user().claim("exp", 0).claim("nbf", 0)),
        ErrorKind::Expired
    );
    let past = |seconds: i64| {
        issuer()
            .user()
            .issued_at(now() - 3_600)
            .expires_at(now() - seconds)
    };
    caller_of(past(50));
    assert_eq!(refusal(past(60)), ErrorKind::Expired);
    let strict = issuer()
        .validator_builder()
        .clock_skew(std::time::Duration::ZERO)
        .build()
        .unwrap();
    assert_eq!(refusal_by(&strict, &past(0).mint()), ErrorKind::Expired);
}

#[test]
fn a_token_of_the_future_is_refused_beyond_the_skew() {
    for name in ["nbf", "iat"] {
        caller_of(issuer().user().claim(name, now() + 50));
        let token = issuer().user().claim(name, now() + 90);
        assert_eq!(refusal(token), ErrorKind::NotYetValid, "{name}");
        caller_of(issuer().user().without_claim(name));
    }
}

#[test]
fn a_token_that_begins_after_its_end_is_refused() {
    let token = issuer()
        .user()
        .expires_at(now() + 10)
        .not_before(now() + 11);
    assert_eq!(refusal(token), ErrorKind::InvalidDates);
}

#[test]
fn a_fraction_of_a_second_is_cut_off() {
    let token = issuer().user().claim("exp", 4_000_000_000.9);
    let expires = caller_of(token)
        .expires_at()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert_eq!(expires.as_secs(), 4_000_000_000);
    assert_eq!(expires.subsec_nanos(), 0);
}

#[test]
fn a_date_beyond_the_year_9999_is_refused_even_by_a_fraction() {
    let exp = |date: f64| issuer().user().claim("exp", date);
    caller_of(exp(253_402_300_799.0));
    for date in [253_402_300_799.5, 253_402_300_800.0, -0.5] {
        assert_eq!(refusal(exp(date)), ErrorKind::InvalidDates, "{date}");
    }
}

#[test]
fn a_token_of_28_hours_is_fine() {
    caller_of(issuer().user().valid_for(28 * 3_600));
}

// Check 11: an access token without contradictions.

#[test]
fn an_id_token_is_refused() {
    assert_eq!(refusal(issuer().id_token()), ErrorKind::IdToken);
    let by_acl = issuer().validator().with_authorization_by_acl();
    assert_eq!(
        refusal_by(&by_acl, &issuer().id_token().mint()),
        ErrorKind::IdToken
    );
    for mark in ["nonce", "at_hash", "c_hash"] {
        let token = issuer().user().without_claim("scp").claim(mark, "x");
        assert_eq!(refusal(token), ErrorKind::IdToken, "{mark}");
        caller_of(issuer().user().claim(mark, "x"));
    }
    let nobodys = issuer().application().without_claim("azp");
    assert_eq!(refusal(nobodys), ErrorKind::IdToken);
    caller_of(issuer().user().without_claim("azp"));
}

#[test]
fn claims_that_contradict_one_another_are_refused() {
    let user = || issuer().user();
    let agent = || issuer().autonomous_agent();
    for (what, token) in [
        ("two clients", user().claim("appid", OTHER_TENANT)),
        ("an app with a scope", user().claim("idtyp", "app")),
        (
            "an app that is a user account",
            agent().claim("xms_sub_fct", "13"),
        ),
        ("an app that is both", agent().claim("xms_sub_fct", "11 13")),
        (
            "an agent app for another subject",
            agent().claim("xms_sub_fct", "3 9"),
        ),
        ("a user that is an agent", agent().claim("idtyp", "user")),
        (
            "an agent as subject with a scope",
            agent().claim("scp", "a").without_claim("idtyp"),
        ),
    ] {
        assert_eq!(refusal(token), ErrorKind::ContradictoryClaims, "{what}");
    }
}

#[test]
fn what_looks_alike_but_does_not_contradict_is_admitted() {
    let client = issuer().client_id().to_owned();
    caller_of(issuer().user().claim("appid", client.to_uppercase()));
    caller_of(issuer().application().claim("scp", "/"));
    caller_of(issuer().application().claim("scp", " "));
    // A malformed facet claim counts as absent, and so contradicts nothing.
    caller_of(issuer().autonomous_agent().claim("xms_sub_fct", "13 x"));
    caller_of(issuer().autonomous_agent().without_claim("xms_sub_fct"));
    caller_of(issuer().agent_user().claim("xms_sub_fct", "11 13"));
}

// Check 12: for its bearer.

#[test]
fn a_sender_constrained_token_is_refused() {
    for confirmation in [json!({}), json!({"jkt": "x"}), json!({"x5t#S256": "x"})] {
        let token = issuer().user().claim("cnf", &confirmation);
        assert_eq!(
            refusal(token),
            ErrorKind::SenderConstrained,
            "{confirmation}"
        );
    }
}

// Check 13: it grants something.

#[test]
fn a_token_that_grants_nothing_is_refused_unless_the_application_authorizes_by_acl() {
    let by_acl = issuer().validator().with_authorization_by_acl();
    for token in [
        issuer().application().without_claim("roles"),
        issuer().application().claim("roles", json!([])),
        issuer().application().claim("roles", ["", " "]),
        issuer().user().without_claim("scp"),
        issuer().user().scope(""),
        issuer().user().scope(" "),
        issuer().user().scope("/"),
        issuer().user().scope("/ /"),
    ] {
        assert_eq!(refusal(token.clone()), ErrorKind::NothingGranted);
        admitted_by(&by_acl, &token.mint());
    }
    caller_of(issuer().user().without_claim("scp").roles(["Admin"]));
}

trait ForTenants {
    fn validator_for(&self, tenants: Tenants) -> Validator;
}

impl ForTenants for Issuer {
    fn validator_for(&self, tenants: Tenants) -> Validator {
        Validator::builder(tenants, [self.audience()])
            .authority(self.authority())
            .build()
            .unwrap()
    }
}
