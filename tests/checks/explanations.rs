//! What an operator reads about a refusal: what was found, what would be accepted, what to change.

use serde_json::json;
use tower_entra::{
    Authority, Error, ErrorKind, KeySettings, SignatureAlgorithm, Tenants, Validator,
    testing::{Fault, Issuer, KeyKind, TokenBuilder},
};

use crate::support::{OTHER_APP, OTHER_TENANT, block_on, error_by, issuer, now};

/// The client id of the shared issuer's API, in its other form its audience.
const API: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const API_URI: &str = "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const GUID: &str = "4f7d5b1a-8f41-44a5-92ac-15a7e0d2b3c6";

/// One refusal: every text that its line must hold, and every one that its hint must hold.
#[track_caller]
fn explains(error: &Error, kind: ErrorKind, reason: &[&str], hint: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    let line = error.to_string();
    assert!(line.starts_with(&format!("{kind}: ")), "{line}");
    for text in reason {
        assert!(line.contains(text), "{text:?} is not in: {line}");
    }
    for text in hint {
        let found = error.hint();
        assert!(found.contains(text), "{text:?} is not in: {found}");
    }
}

#[track_caller]
fn refused(token: TokenBuilder) -> Error {
    error_by(&issuer().validator(), &token.mint())
}

#[track_caller]
fn text_refused(token: &str) -> Error {
    error_by(&issuer().validator(), token)
}

/// A validator of the shared issuer with these audiences.
fn validator_for(audiences: &[&str]) -> Validator {
    let tenants = Tenants::single(issuer().tenant_id());
    Validator::builder(tenants, audiences.iter().copied())
        .authority(issuer().authority())
        .build()
        .unwrap()
}

// Checks 2 and 3.

#[test]
fn what_is_no_token_is_described_and_not_shown() {
    let kind = ErrorKind::MalformedToken;
    for (token, reason, hint) in [
        ("null", "the word null", "variable"),
        ("Undefined", "the word undefined", "variable"),
        ("", "it is empty", "variable"),
        ("0123456789abcdef", "dots in it: 0,", "token endpoint"),
        ("a.b", "dots in it: 1,", "token endpoint"),
        ("a.b.c.d", "dots in it: 3,", "token endpoint"),
        ("a.b.c.d.e.f.g", "dots in it: 6,", "token endpoint"),
        (
            "e30..AQ",
            "its second part (claims) is empty",
            "token endpoint",
        ),
        (
            "e30=.e30.AQ",
            "its first part (header) is not base64url",
            "token endpoint",
        ),
        (
            "e30.e30.A+",
            "its third part (signature) is not base64url",
            "token endpoint",
        ),
    ] {
        explains(&text_refused(token), kind, &[reason], &[hint]);
    }
}

#[test]
fn an_encrypted_token_names_the_setting_of_the_registration() {
    let error = text_refused("a.b.c.d.e");
    assert_eq!(error.kind(), ErrorKind::EncryptedToken);
    assert_eq!(error.to_string(), "the token is encrypted");
    assert!(error.hint().contains("tokenEncryptionKeyId"));
}

#[test]
fn a_token_that_is_too_large_is_measured() {
    let token = issuer().user().claim("x", "x".repeat(16 * 1024)).mint();
    let bytes = format!("it is {} bytes long", token.len());
    explains(
        &text_refused(&token),
        ErrorKind::TokenTooLarge,
        &[&bytes, "the limit is 16384"],
        &["groups", "max_token_size"],
    );
}

#[test]
fn a_header_is_explained_member_by_member() {
    let user = || issuer().user();
    let cases = [
        (
            user().header_text("[]"),
            ErrorKind::MalformedHeader,
            "a list instead of an object",
            "Entra",
        ),
        (
            user().header_text("{".repeat(1_000)),
            ErrorKind::MalformedHeader,
            "not JSON that can be read",
            "Entra",
        ),
        (
            user().header_text(r#"{"alg":"RS256","kid":"k","kid":"k"}"#),
            ErrorKind::MalformedHeader,
            "the member \"kid\" appears twice",
            "Entra",
        ),
        (
            user().algorithm("RS384"),
            ErrorKind::AlgorithmNotAllowed,
            "alg is \"RS384\"; this API accepts RS256",
            "algorithms",
        ),
        (
            user().header("alg", "nOnE"),
            ErrorKind::AlgorithmNotAllowed,
            "alg is \"nOnE\"; this API accepts RS256",
            "forged",
        ),
        (
            user().header("alg", 5),
            ErrorKind::AlgorithmNotAllowed,
            "alg is a number",
            "RS256",
        ),
        (
            user().without_header("alg"),
            ErrorKind::AlgorithmNotAllowed,
            "there is no alg",
            "forged",
        ),
        (
            user().without_header("kid"),
            ErrorKind::InvalidKeyId,
            "there is no kid",
            "kid",
        ),
        (
            user().header("kid", json!(null)),
            ErrorKind::InvalidKeyId,
            "kid is null instead of a string",
            "kid",
        ),
        (
            user().header("kid", "k".repeat(300)),
            ErrorKind::InvalidKeyId,
            "kid is 300 bytes long",
            "kid",
        ),
        (
            user().header("typ", "dpop+jwt"),
            ErrorKind::UnsupportedTokenType,
            "typ is \"dpop+jwt\"; an access token has JWT or at+jwt",
            "proof of possession",
        ),
        (
            user().header("typ", "logout+jwt"),
            ErrorKind::UnsupportedTokenType,
            "typ is \"logout+jwt\"",
            "access token",
        ),
        (
            user().header("typ", json!([])),
            ErrorKind::UnsupportedTokenType,
            "typ is a list",
            "access token",
        ),
        (
            user().header("crit", ["exp"]),
            ErrorKind::UnsupportedHeader,
            "the header has crit",
            "crit",
        ),
        (
            user().header("cty", "JWT"),
            ErrorKind::UnsupportedHeader,
            "the header has cty",
            "nested",
        ),
    ];
    for (token, kind, reason, hint) in cases {
        explains(&refused(token), kind, &[reason], &[hint]);
    }
}

#[test]
fn all_the_algorithms_that_are_accepted_are_named() {
    let validator = issuer()
        .validator_builder()
        .algorithms([SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256])
        .build()
        .unwrap();
    let token = issuer().user().hs256("secret").mint();
    explains(
        &error_by(&validator, &token),
        ErrorKind::AlgorithmNotAllowed,
        &["alg is \"HS256\"; this API accepts RS256, ES256"],
        &["forged, or not a token of Entra"],
    );
    let unsigned = issuer().user().header("alg", "none").mint();
    let error = error_by(&validator, &unsigned);
    assert!(error.hint().contains("forged"), "{}", error.hint());
    assert!(!error.hint().contains("list"), "{}", error.hint());
}

// Checks 4 and 5: nobody has vouched for what the token says.

#[test]
fn an_unknown_key_is_named_with_the_keys_that_there_are() {
    let issuer = Issuer::start_blocking();
    issuer.publish_key();
    let token = issuer.user().header("kid", "nobody's").mint();
    let error = error_by(&issuer.validator(), &token);
    let url = format!(
        "{}/{}/v2.0/.well-known/openid-configuration",
        issuer.url(),
        issuer.tenant_id()
    );
    explains(
        &error,
        ErrorKind::UnknownKey,
        &[
            "kid \"nobody's\" names none of the published keys (2, fetched ",
            &url,
        ],
        &["app_id", "?appid="],
    );
}

#[test]
fn an_invented_key_in_the_cool_down_is_named_all_the_same() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    let invented = |kid: &str| issuer.user().header("kid", kid).mint();
    error_by(&validator, &invented("first"));
    let fetches = issuer.key_fetches();
    let error = error_by(&validator, &invented("second"));
    assert_eq!(issuer.key_fetches(), fetches);
    explains(
        &error,
        ErrorKind::UnknownKey,
        &["kid \"second\" names none of the published keys (1, "],
        &["other clouds", "ciamlogin.com", "?appid="],
    );
}

#[test]
fn an_unknown_key_of_another_cloud_is_told_by_the_issuer_that_the_token_claims() {
    for (iss, hint) in [
        (
            format!("https://login.microsoftonline.us/{GUID}/v2.0"),
            "another cloud",
        ),
        (
            format!("https://{GUID}.ciamlogin.com/{GUID}/v2.0"),
            "ciamlogin.com",
        ),
        (format!("https://contoso.b2clogin.com/{GUID}/v2.0/"), "B2C"),
        (
            "https://idp.example/".to_owned(),
            "ask the configured authority",
        ),
    ] {
        let token = issuer().user().header("kid", "theirs").claim("iss", &iss);
        let claims = format!("unverified, the token claims to be from \"{iss}\"");
        let error = refused(token);
        explains(
            &error,
            ErrorKind::UnknownKey,
            &["kid \"theirs\"", &claims],
            &["No key vouches for this token: ", hint],
        );
        assert!(!error.hint().contains("Authority::"), "{}", error.hint());
    }
}

#[test]
fn an_unknown_key_of_a_token_that_would_be_refused_anyway_says_why() {
    let user = || issuer().user().header("kid", "theirs");
    let tenant = format!("unverified, the token claims to be of the tenant \"{OTHER_TENANT}\"");
    for (token, reason, hint) in [
        (user().tenant(OTHER_TENANT), tenant.as_str(), "tenant"),
        (
            user().audience("api://x\r\n"),
            r#"unverified, the token claims to be for "api://x\r\n""#,
            "scope of this one",
        ),
        (
            user().without_claim("aud"),
            "unverified, the token claims no audience",
            "scope of this one",
        ),
        (
            user().issued_at(1_000).valid_for(60),
            "unverified, the token claims to have expired at 1970-01-01T00:17:40Z",
            "get a new one",
        ),
        (
            user().claim("nbf", now() + 1_000),
            "unverified, the token claims dates that do not hold now",
            "NTP",
        ),
        (
            user().claim("ver", "3").claim("iss", "https://idp.example"),
            "unverified, the token claims to be from \"https://idp.example\"",
            "do not have the form",
        ),
        (
            user().audience("api://AzureADTokenExchange"),
            "claims to be for \"api://AzureADTokenExchange\"",
            "if it is genuine it is a leaked credential",
        ),
    ] {
        let error = refused(token);
        explains(&error, ErrorKind::UnknownKey, &[reason], &[hint]);
        let hint = error.hint();
        assert!(
            hint.starts_with("No key vouches for this token: "),
            "{hint}"
        );
        assert!(!hint.contains("app_id"), "{hint}");
    }
}

#[test]
fn a_bad_signature_names_its_key_and_whom_the_token_claims_to_be_for() {
    let kid = issuer().current_kid();
    let error = refused(issuer().user().signed_by_stranger());
    let key = format!("the key of kid \"{kid}\" does not vouch for the token");
    let audience = format!("unverified, the token claims to be for \"{API_URI}\"");
    explains(
        &error,
        ErrorKind::InvalidSignature,
        &[&key, &audience],
        &["altered"],
    );
}

#[test]
fn a_key_that_is_for_another_algorithm_is_told() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key_with(KeyKind::RsaPss);
    let validator = issuer
        .validator_builder()
        .algorithms([SignatureAlgorithm::Rs256, SignatureAlgorithm::Ps256])
        .build()
        .unwrap();
    let token = issuer.user().signed_by(kid).algorithm("RS256").mint();
    explains(
        &error_by(&validator, &token),
        ErrorKind::InvalidSignature,
        &["the token is signed with RS256, the key is for PS256"],
        &[],
    );
}

#[test]
fn a_token_for_graph_is_told_by_its_header_or_by_its_audience() {
    let by_header = issuer().user().header("nonce", "x").signed_by_stranger();
    let error = refused(by_header);
    explains(
        &error,
        ErrorKind::GraphToken,
        &["signature"],
        &["Microsoft Graph", ".default"],
    );
    for audience in [
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
    ] {
        let shown = format!("\"{audience}\"");
        let token = || issuer().user().audience(audience);
        let error = refused(token().signed_by_stranger());
        let claims = format!("claims to be for {shown}");
        explains(
            &error,
            ErrorKind::InvalidSignature,
            &[&claims],
            &["Microsoft Graph"],
        );
        let error = refused(token());
        explains(
            &error,
            ErrorKind::AudienceMismatch,
            &[&shown],
            &["Microsoft Graph", ".default"],
        );
    }
}

#[test]
fn without_keys_the_line_says_why_there_are_none() {
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Status(500));
    let settings = KeySettings::default().with_wait(std::time::Duration::from_millis(200));
    let builder = issuer.validator_builder().key_settings(settings);
    let validator = builder.build().unwrap();
    let error = block_on(validator.validate(&issuer.user().mint())).unwrap_err();
    let url = format!("the last fetch from {}/", issuer.url());
    explains(
        &error,
        ErrorKind::KeysUnavailable,
        &[
            "none were ever fetched",
            &url,
            "failed: the answer had status 500",
        ],
        &["authority", "proxy"],
    );
    assert!(error.retry_after().is_some());
}

#[test]
fn an_unknown_key_during_an_outage_says_what_the_outage_is() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    let unknown = issuer.new_unpublished_key();
    block_on(async {
        validator.ready().await;
        issuer.fail(Fault::Html);
        let token = issuer.user().signed_by(&unknown).mint();
        let error = validator.validate(&token).await.unwrap_err();
        explains(
            &error,
            ErrorKind::KeysUnavailable,
            &[
                &format!("kid \"{unknown}\" names none of the known keys (1, "),
                "failed: the answer was no discovery document",
            ],
            &["known keys are still admitted"],
        );
    });
}

// Check 6.

#[test]
fn malformed_claims_are_named_with_what_they_are() {
    let user = || issuer().user();
    let cases = [
        (
            user().payload("[]"),
            "a list instead of an object",
            "claims-mapping",
        ),
        (
            user().payload_bytes(*b"{\"x\":\"\xff\"}"),
            "not UTF-8",
            "claims-mapping",
        ),
        (
            user().payload(r#"{"aud":"a","aud":"b"}"#),
            "the member \"aud\" appears twice",
            "claims-mapping",
        ),
        (
            user().payload(r#"{"x":{"tid":1,"tid":2}}"#),
            "the member \"tid\" appears twice",
            "claims-mapping",
        ),
        (
            user().claim("TID", GUID),
            "the member \"TID\" differs from a claim that decides only in letter case",
            "claims-mapping",
        ),
        (
            user().claim("tid", 5),
            "tid is a number instead of a string",
            "claims-mapping",
        ),
        (
            user().claim("exp", "1"),
            "exp is a string instead of a number",
            "claims-mapping",
        ),
        (
            user().claim("azp", "contoso"),
            "azp is a string that is no GUID instead of a GUID in a string",
            "claims-mapping",
        ),
        (
            user().claim("scp", ["a"]),
            "scp is a list instead of a string",
            "one string with spaces",
        ),
        (
            user().claim("roles", "Admin"),
            "roles is a string instead of a list of strings",
            "list of strings",
        ),
    ];
    for (token, reason, hint) in cases {
        explains(
            &refused(token),
            ErrorKind::MalformedClaims,
            &[reason],
            &[hint],
        );
    }
}

// Check 7.

#[test]
fn a_version_that_entra_has_not_is_shown() {
    let kind = ErrorKind::UnsupportedVersion;
    let hint = &["requestedAccessTokenVersion"];
    explains(
        &refused(issuer().user().claim("ver", "1.1")),
        kind,
        &["ver is \"1.1\""],
        hint,
    );
    explains(
        &refused(issuer().user().without_claim("ver")),
        kind,
        &["there is no ver"],
        hint,
    );
}

#[test]
fn a_tenant_that_is_no_lower_case_guid_is_shown() {
    let upper = issuer().tenant_id().to_uppercase();
    let user = || issuer().user();
    let b2c = format!("https://contoso.b2clogin.com/{GUID}/v2.0/");
    let shown_b2c = format!("the token is from \"{b2c}\"");
    let shown_upper = format!("tid is \"{upper}\"");
    let cases = [
        (
            user().claim("tid", &upper),
            &[shown_upper.as_str()][..],
            "lower case",
        ),
        (
            user().claim("tid", "common"),
            &["tid is \"common\""],
            "GUID",
        ),
        (
            user().claim("tid", "{tenantid}"),
            &["tid is \"{tenantid}\""],
            "template",
        ),
        (user().without_claim("tid"), &["there is no tid"], "tid"),
        (
            user().without_claim("tid").claim("iss", &b2c),
            &["there is no tid", &shown_b2c],
            "B2C",
        ),
    ];
    for (token, reason, hint) in cases {
        explains(&refused(token), ErrorKind::InvalidTenant, reason, &[hint]);
    }
}

#[test]
fn a_wrong_issuer_is_shown_beside_the_right_one() {
    let tid = issuer().tenant_id();
    let right = issuer().v2_issuer();
    let accepts = format!("for its tenant and version this API accepts \"{right}\"");
    for (iss, hint) in [
        (format!("{right}/"), "slash"),
        (right.to_uppercase(), "lower case"),
        (right.replace(tid, GUID), "tid"),
        (right.replace(tid, "{tenantid}"), "placeholder"),
        (issuer().v1_issuer(), "the form of the other"),
        (right.replace("v2.0", "v1.1"), "v1.1"),
        (
            format!("https://login.microsoftonline.com/{tid}/v2.0"),
            "us_government",
        ),
        (
            format!("https://login.partner.microsoftonline.cn/{tid}/v2.0"),
            "china",
        ),
        (
            format!("https://{tid}.ciamlogin.com/{tid}/v2.0"),
            "Authority::custom",
        ),
        (format!("https://contoso.b2clogin.com/{tid}/v2.0/"), "B2C"),
        (format!("https://login.windows.net/{tid}/v2.0"), "alias"),
        ("https://idp.example".to_owned(), "authority only if"),
    ] {
        let error = refused(issuer().user().claim("iss", &iss));
        let shown = format!("the token is from \"{iss}\" (version 2.0)");
        explains(
            &error,
            ErrorKind::IssuerMismatch,
            &[&shown, &accepts],
            &[hint],
        );
    }
    let error = refused(issuer().user().without_claim("iss"));
    explains(
        &error,
        ErrorKind::IssuerMismatch,
        &["the token has no iss", &accepts],
        &["iss"],
    );
}

#[test]
fn a_version_1_token_without_a_version_1_issuer_names_the_manifest() {
    let tenants = Tenants::single(issuer().tenant_id());
    let validator = Validator::builder(tenants, [issuer().audience()])
        .authority(Authority::insecure_loopback(issuer().url()))
        .build()
        .unwrap();
    let shown = format!(
        "the token is from \"{}\" (version 1.0)",
        issuer().v1_issuer()
    );
    explains(
        &error_by(&validator, &issuer().user().v1().mint()),
        ErrorKind::IssuerMismatch,
        &[&shown, "this API accepts no tokens of version 1.0"],
        &[
            "requestedAccessTokenVersion",
            "whatever endpoint",
            "with_v1_issuer",
        ],
    );
    let foreign = issuer().user().v1().claim("iss", "https://idp.example/");
    let error = error_by(&validator, &foreign.mint());
    explains(
        &error,
        ErrorKind::IssuerMismatch,
        &[],
        &["authority only if"],
    );
    let unvouched = issuer().user().v1().header("kid", "theirs").mint();
    explains(
        &error_by(&validator, &unvouched),
        ErrorKind::UnknownKey,
        &["unverified, the token claims to be from"],
        &["No key vouches for this token: it claims version 1.0"],
    );
}

#[test]
fn a_foreign_tenant_is_shown_beside_the_allowed_ones() {
    let foreign = || issuer().user().tenant(OTHER_TENANT);
    let shown = format!("the token is of the tenant \"{OTHER_TENANT}\"");
    let accepts = format!("; this API accepts \"{}\"", issuer().tenant_id());
    let kind = ErrorKind::TenantNotAllowed;
    explains(
        &refused(foreign()),
        kind,
        &[&shown, &accepts],
        &["Tenants only if", "common"],
    );
    let guest = foreign().claim("acct", 1);
    let subject = "where its subject is a guest";
    explains(
        &refused(guest),
        kind,
        &[&shown, subject, &accepts],
        &["guest", "invited"],
    );

    let personal = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let validator = Validator::builder(Tenants::any_organization(), [issuer().audience()])
        .authority(issuer().authority())
        .build()
        .unwrap();
    let token = issuer().user().tenant(personal).mint();
    let error = error_by(&validator, &token);
    explains(
        &error,
        kind,
        &[personal, "any organization"],
        &["work or school", "Tenants::any would let every personal"],
    );
    let error = refused(issuer().user().tenant(personal));
    explains(
        &error,
        kind,
        &[personal, &accepts],
        &["work or school account of a tenant that this API accepts"],
    );
    assert!(!error.hint().contains("Tenants::any"), "{}", error.hint());
}

#[test]
fn the_home_of_a_guest_is_shown_if_it_names_an_organization_and_nobody() {
    let home = |idp: &str| {
        let guest = issuer().user().tenant(OTHER_TENANT).claim("idp", idp);
        refused(guest)
    };
    let issued = |host: &str, end: &str| format!("https://{host}/{GUID}{end}");
    let sts = issued("sts.windows.net", "/");
    let v2 = issued("login.microsoftonline.com", "/v2.0");
    for (idp, shown) in [
        (sts.as_str(), sts.as_str()),
        (&v2, &v2),
        (GUID, GUID),
        ("live.com", "live.com"),
        (
            "https://adfs.partner.example",
            "https://adfs.partner.example",
        ),
        // What follows a host may be anybody's name.
        ("https://idp.example/users/zoe", "https://idp.example"),
        ("https://idp.example?login_hint=zoe", ""),
        ("zoe@contoso.example", ""),
        ("https://zoe@idp.example/", ""),
        ("https://idp.example:443/zoe", ""),
        ("mail", ""),
        ("zoe.quimby", ""),
        ("Zoe Quimby", ""),
        ("zoe.\u{e9}.example", ""),
        ("live.com\r\nzoe", ""),
        ("..", ""),
        ("", ""),
    ] {
        let error = home(idp);
        let words = match shown {
            "" => "where its subject is a guest; this API".to_owned(),
            shown => format!("where its subject is a guest (idp \"{shown}\"); this API"),
        };
        let hint = &["guest", "invited"];
        explains(&error, ErrorKind::TenantNotAllowed, &[&words], hint);
        assert!(!error.to_string().contains("zoe"), "{error}");
    }
    let long = home(&format!("https://{}example", "a.".repeat(500)));
    assert!(long.to_string().len() < 500, "{long}");
    assert!(long.to_string().contains("(idp \"https://a.a."), "{long}");
    // The tenant itself is no home of a guest.
    let own = issuer().user().tenant(OTHER_TENANT).claim("acct", 1);
    let own = refused(
        own.claim(
            "idp",
            issuer()
                .v2_issuer()
                .replace(issuer().tenant_id(), OTHER_TENANT),
        ),
    );
    assert!(!own.to_string().contains("idp"), "{own}");
}

// Check 8.

#[test]
fn a_key_that_may_not_sign_is_named_with_its_issuer_and_cloud() {
    let issuer = Issuer::start_blocking();
    let elsewhere = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    let foreign = issuer.publish_key();
    issuer.set_key_member(&foreign, "issuer", elsewhere);
    let cloudy = issuer.publish_key();
    issuer.set_key_member(&cloudy, "cloud_instance_name", "microsoftonline.us");
    let validator = issuer.validator();
    let kind = ErrorKind::KeyNotForIssuer;
    let from = format!("the token is from \"{}\"", issuer.v2_issuer());

    let error = error_by(&validator, &issuer.user().signed_by(&foreign).mint());
    let key = format!("the key of kid \"{foreign}\" signs for \"{elsewhere}\"");
    explains(&error, kind, &[&key, &from], &["another tenant"]);

    let error = error_by(&validator, &issuer.user().signed_by(&cloudy).mint());
    let key = format!(
        "the key of kid \"{cloudy}\" signs for \"{}/{{tenantid}}/v2.0\"",
        issuer.url()
    );
    let clouds = "cloud \"microsoftonline.us\", the discovery document of \"microsoftonline.com\"";
    explains(
        &error,
        kind,
        &[&key, clouds],
        &[
            "Do not accept this token unless",
            "danger_accept_keys_of_other_clouds would let",
        ],
    );
}

#[test]
fn a_key_without_an_issuer_names_the_single_tenant_that_would_do() {
    let issuer = Issuer::builder().multi_tenant().start_blocking();
    let kid = issuer.publish_key();
    issuer.remove_key_member(&kid, "issuer");
    let error = error_by(&issuer.validator(), &issuer.user().signed_by(&kid).mint());
    let key = format!("the key of kid \"{kid}\" names no issuer");
    explains(
        &error,
        ErrorKind::KeyNotForIssuer,
        &[&key],
        &["Tenants::single"],
    );
}

// Check 9.

#[test]
fn a_wrong_audience_is_shown_with_its_version_beside_the_right_ones() {
    let validator = validator_for(&["a", "b"]);
    let token = issuer().user().v1().audience("api://x").mint();
    assert_eq!(
        error_by(&validator, &token).to_string(),
        "the token audience is not accepted: the token is for \"api://x\" (version 1.0); \
         this API accepts \"a\", \"b\""
    );
}

#[test]
fn the_two_forms_of_an_audience_name_the_manifest() {
    for (sent, accepted, version) in [
        (API_URI, API, "(version 1.0)"),
        (API, API_URI, "(version 1.0)"),
        (API_URI, API, "(version 2.0)"),
        (API, API_URI, "(version 2.0)"),
    ] {
        let token = issuer().user().audience(sent);
        let token = if version == "(version 1.0)" {
            token.v1()
        } else {
            token
        };
        explains(
            &error_by(&validator_for(&[accepted]), &token.mint()),
            ErrorKind::AudienceMismatch,
            &[&format!(
                "is for \"{sent}\" {version}; this API accepts \"{accepted}\""
            )],
            &["requestedAccessTokenVersion", "both forms"],
        );
    }
}

#[test]
fn an_audience_that_is_nearly_right_or_somebody_elses_is_told_apart() {
    let upper = API_URI.to_uppercase();
    let slash = format!("{API_URI}/");
    for (sent, hint) in [
        (slash.as_str(), &["slash"][..]),
        (&upper, &["upper and lower case"]),
        ("https://management.azure.com/", &["Azure Resource Manager"]),
        (
            "https://management.core.windows.net",
            &["Azure Resource Manager"],
        ),
        (
            "api://AzureADTokenExchange",
            &["leaked credential", "revoke", "rotate"],
        ),
        (
            "api://AzureADTokenExchangeUSGov",
            &["leaked credential", "revoke", "rotate"],
        ),
        (
            "fb60f99c-7a34-4190-8149-302f77469936",
            &["leaked credential", "revoke", "rotate"],
        ),
        ("api://another", &[".default", "same registration"]),
    ] {
        let error = refused(issuer().user().audience(sent));
        let shown = format!("the token is for \"{sent}\"");
        let accepts = format!("this API accepts \"{API_URI}\"");
        explains(
            &error,
            ErrorKind::AudienceMismatch,
            &[&shown, &accepts],
            hint,
        );
    }
    for token in [
        issuer().user().without_claim("aud"),
        issuer().user().claim("aud", json!([])),
    ] {
        let error = refused(token);
        let reason = "the token has no aud";
        explains(
            &error,
            ErrorKind::AudienceMismatch,
            &[reason],
            &["names no audience"],
        );
    }
}

#[test]
fn an_exchange_token_is_called_a_leak_whatever_else_is_wrong_with_it() {
    let leaked = || {
        issuer()
            .autonomous_agent()
            .audience("api://AzureADTokenExchange")
    };
    for (token, kind) in [
        (leaked().tenant(OTHER_TENANT), ErrorKind::TenantNotAllowed),
        (
            leaked().claim("iss", "https://x"),
            ErrorKind::IssuerMismatch,
        ),
        (leaked().expired(), ErrorKind::AudienceMismatch),
    ] {
        explains(&refused(token), kind, &[], &["leaked credential"]);
    }
    let forged = refused(leaked().signed_by_stranger());
    let hint = &["No key vouches for this token", "if it is genuine"];
    explains(&forged, ErrorKind::InvalidSignature, &["unverified"], hint);
}

// Check 10.

#[test]
fn dates_are_told_in_seconds_beside_the_allowed_skew() {
    let skew = "; the allowed clock skew is 60 s";
    let error = refused(issuer().user().expires_in(-100));
    explains(
        &error,
        ErrorKind::Expired,
        &["expired 10", " s ago, at 20", skew],
        &["new token", "clocks", "NTP"],
    );
    assert!(!error.hint().contains("skew"), "{}", error.hint());
    let error = refused(issuer().user().issued_at(1_000).valid_for(60));
    explains(
        &error,
        ErrorKind::Expired,
        &["at 1970-01-01T00:17:40Z", skew],
        &["new token"],
    );
    assert!(!error.hint().contains("clock"));

    let ahead = issuer().user().not_before(now() + 109).expires_in(3_600);
    let error = refused(ahead);
    let reason = ["not valid for another 10", " s (nbf is 20", skew];
    explains(
        &error,
        ErrorKind::NotYetValid,
        &reason,
        &[
            "clock",
            "NTP",
            "only if that cannot be corrected",
            "clock_skew (at most 300 s)",
        ],
    );
    let ahead = issuer().user().claim("iat", now() + 500).expires_in(3_600);
    let error = refused(ahead);
    explains(
        &error,
        ErrorKind::NotYetValid,
        &["s (iat is 20", skew],
        &["clock"],
    );
}

#[test]
fn dates_that_are_none_are_named() {
    let user = || issuer().user();
    for (token, reason) in [
        (user().without_claim("exp"), "there is no exp"),
        (user().claim("exp", -1), "exp is no date from 1970 to 9999"),
        (
            user().claim("nbf", 1e300),
            "nbf is no date from 1970 to 9999",
        ),
        (
            user().not_before(now() + 50).expires_in(40),
            "nbf is later than exp",
        ),
    ] {
        explains(
            &refused(token),
            ErrorKind::InvalidDates,
            &[reason],
            &["exp"],
        );
    }
}

// Checks 11 to 13.

#[test]
fn an_id_token_is_told_by_what_it_has_or_lacks() {
    let kind = ErrorKind::IdToken;
    let hint = &["access token instead of the ID token"];
    explains(&refused(issuer().id_token()), kind, &["nonce"], hint);
    let no_client = issuer().id_token().without_claim("nonce");
    explains(
        &refused(no_client),
        kind,
        &["neither azp nor appid: an access token of version 2.0 names its client in azp"],
        hint,
    );
    let no_client = issuer().id_token().without_claim("nonce").v1();
    let no_client = no_client.without_claim("azp").without_claim("appid");
    explains(
        &refused(no_client),
        kind,
        &["neither azp nor appid: an access token of version 1.0 names its client in appid"],
        hint,
    );

    // As they come: for the client, which check 9 refuses first.
    let for_client = issuer().id_token().audience(issuer().client_id());
    let kind = ErrorKind::AudienceMismatch;
    let shown = format!("the token is for \"{}\"", issuer().client_id());
    explains(&refused(for_client), kind, &[&shown], hint);
}

#[test]
fn every_contradiction_is_told() {
    let app = || issuer().application();
    for (token, reason) in [
        (issuer().user().claim("appid", GUID), "azp and appid"),
        (app().scope("a"), "idtyp is app, and there is a scope"),
        (app().claim("xms_sub_fct", "13"), "the subject is a user"),
        (
            app().claim("xms_act_fct", "11"),
            "which xms_sub_fct does not",
        ),
        (
            issuer().autonomous_agent().claim("idtyp", "user"),
            "idtyp says user",
        ),
        (
            issuer()
                .autonomous_agent()
                .without_claim("idtyp")
                .scope("a"),
            "and there is a scope",
        ),
    ] {
        let error = refused(token);
        explains(
            &error,
            ErrorKind::ContradictoryClaims,
            &[reason],
            &["claims-mapping"],
        );
    }
}

#[test]
fn a_sender_constrained_token_names_the_clients_setting() {
    let error = refused(issuer().user().claim("cnf", json!({"kid": "x"})));
    assert_eq!(error.kind(), ErrorKind::SenderConstrained);
    assert!(error.hint().contains("proof of possession"));
}

#[test]
fn a_token_that_grants_nothing_names_the_role_or_the_scope_that_lacks() {
    let kind = ErrorKind::NothingGranted;
    let app = || issuer().application().without_claim("roles");
    let hint = &["app role", "managed identities cache tokens for up to 24 h"];
    explains(&refused(app()), kind, &["app-only and has no roles"], hint);
    let user = issuer().user().without_claim("scp");
    let reason = "not app-only, and has neither a scope nor roles";
    explains(&refused(user), kind, &[reason], &["scope", "consent"]);

    // Two validators that share a cache: one admits what the other refuses.
    let strict = issuer().validator_builder().token_cache(4).build().unwrap();
    let token = app().mint();
    let error = block_on(async {
        strict.ready().await;
        let lenient = strict.with_authorization_by_acl();
        lenient.validate(&token).await.unwrap();
        strict.validate(&token).await.unwrap_err()
    });
    explains(&error, kind, &["app-only and has no roles"], hint);
}

// What holds of all of them.

#[test]
fn claims_beyond_the_closed_list_are_never_shown() {
    let personal = [
        ("name", "Zoe Quimby"),
        ("preferred_username", "zoe.q@contoso.example"),
        ("upn", "zoe.upn@contoso.example"),
        ("unique_name", "zoe.unique@contoso.example"),
        ("email", "zoe.mail@contoso.example"),
        ("family_name", "Quimby"),
        ("given_name", "Zoe"),
        ("ipaddr", "192.0.2.7"),
        ("sub", "zoe-subject"),
    ];
    let user = || {
        issuer()
            .user()
            .claims(personal)
            .scope("Zoe.Scope")
            .roles(["Zoe.Role"])
    };
    for token in [
        user().audience("api://x"),
        user().claim("iss", "https://x"),
        user().tenant(OTHER_TENANT),
        user().claim("tid", "x"),
        user().expired(),
        user().claim("appid", OTHER_APP).claim("azp", GUID),
        user().claim("idtyp", "app"),
        user().claim("cnf", json!({"jwk": "zoe"})),
        user().claim("azp", "zoe"),
        user().signed_by_stranger(),
        user().header("kid", "x"),
    ] {
        let error = refused(token);
        for text in [
            error.to_string(),
            format!("{error:?}"),
            format!("{error:#?}"),
        ] {
            assert!(!text.to_lowercase().contains("zoe"), "{text}");
            assert!(
                !text.contains("192.0.2.7") && !text.contains("Quimby"),
                "{text}"
            );
        }
    }
}

#[test]
fn an_error_is_equal_to_its_clone_and_to_no_other() {
    let error = refused(issuer().user().audience("x"));
    assert_eq!(error.clone(), error);
    assert_ne!(error, refused(issuer().user().audience("y")));
    assert_ne!(error, Error::from(ErrorKind::AudienceMismatch));
}

#[test]
fn an_error_made_from_a_kind_alone_has_a_hint_too() {
    let error = Error::from(ErrorKind::AudienceMismatch);
    assert_eq!(error.to_string(), ErrorKind::AudienceMismatch.to_string());
    assert!(error.hint().contains("audience"));
}
