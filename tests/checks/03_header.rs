//! C: the members of a token's header.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tower_entra::{
    ErrorKind::*,
    SignatureAlgorithm,
    testing::{Issuer, KeyKind, TokenBuilder},
};

use crate::support::*;

#[test]
fn a_header_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "C01",
            "`alg` `none`, with a signature and without",
            [
                refused(MalformedToken, |issuer| one(issuer.user().unsigned())),
                refused(AlgorithmNotAllowed, |issuer| {
                    let user = || issuer.user().header("alg", "none");
                    these([
                        ("the signature of RS256", user()),
                        ("one byte", user().signature([0])),
                        ("256 bytes", user().signature([0; 256])),
                        ("and no `kid`", user().without_header("kid")),
                    ])
                }),
            ],
        ),
        row(
            "C02",
            "`alg` in another letter case or spelling",
            [refused(AlgorithmNotAllowed, |issuer| {
                each(
                    [
                        "None",
                        "NONE",
                        "nOnE",
                        "rs256",
                        "Rs256",
                        "RS256 ",
                        " RS256",
                        "RS-256",
                        "RSA256",
                        "RS256\0",
                        "\u{ff32}S256",
                        "SHA256withRSA",
                        "",
                    ],
                    |alg| issuer.user().header("alg", *alg),
                )
            })],
        ),
        row(
            "C03",
            "`alg` absent or no text",
            [refused(AlgorithmNotAllowed, |issuer| {
                let mut inputs = each(no_texts(), |alg| issuer.user().header("alg", alg));
                inputs.extend(each([json!(["RS256"]), json!({"alg": "RS256"})], |alg| {
                    issuer.user().header("alg", alg)
                }));
                inputs.extend(one(issuer.user().without_header("alg")));
                inputs
            })],
        ),
        row(
            "C04",
            "HS256 with the public key as the secret, in every form that it is published in",
            [refused(AlgorithmNotAllowed, |issuer| {
                each(public_key_forms(issuer), |secret| {
                    issuer.user().hs256(secret.clone())
                })
            })],
        ),
        row(
            "C05",
            "HS256 with an empty or well-known secret",
            [refused(AlgorithmNotAllowed, |issuer| {
                each(["", "secret", "\0", "null"], |secret| {
                    issuer.user().hs256(*secret)
                })
            })],
        ),
        row(
            "C06",
            "another algorithm with an otherwise right key",
            [
                refused(AlgorithmNotAllowed, |issuer| {
                    let algorithms = ["RS384", "RS512", "PS256", "PS384", "PS512"];
                    let mut inputs = each(algorithms, |name| issuer.user().algorithm(name));
                    let p256 = issuer.publish_key_with(KeyKind::P256);
                    inputs.extend(one(issuer.user().signed_by(p256)));
                    inputs.extend(each(
                        [
                            "ES256",
                            "ES256K",
                            "ES384",
                            "ES512",
                            "EdDSA",
                            "Ed25519",
                            "HS256",
                            "HS384",
                            "HS512",
                            "RSA-OAEP",
                            "A128KW",
                            "ML-DSA-65",
                        ],
                        |name| issuer.user().header("alg", *name),
                    ));
                    inputs
                }),
                // Under its own name, the signature of another one is no signature.
                refused(InvalidSignature, |issuer| {
                    each(["RS384", "RS512", "PS256"], |name| {
                        issuer.user().algorithm(name).header("alg", "RS256")
                    })
                })
                .one_fetch(),
            ],
        ),
        row(
            "C07",
            "PS256 by the real RSA key, whose JWK has no `alg`, even where PS256 is listed",
            [
                refused(AlgorithmNotAllowed, |issuer| {
                    one(issuer.user().algorithm("PS256"))
                }),
                refused(InvalidSignature, |issuer| {
                    one(issuer.user().algorithm("PS256"))
                })
                .with(|issuer| {
                    issuer.validator_builder().algorithms([
                        SignatureAlgorithm::Rs256,
                        SignatureAlgorithm::Ps256,
                        SignatureAlgorithm::Es256,
                    ])
                })
                .one_fetch(),
            ],
        ),
        row(
            "C08",
            "`crit`, whatever it holds",
            [refused(UnsupportedHeader, |issuer| {
                each(
                    [
                        json!(["x"]),
                        json!([]),
                        json!(["alg"]),
                        json!(["b64"]),
                        json!(["exp"]),
                        json!(["x", "x"]),
                        json!([1]),
                        json!([null]),
                        json!("x"),
                        json!(null),
                        json!(false),
                        json!(0),
                        json!({}),
                    ],
                    |crit| issuer.user().header("crit", crit).header("x", 1),
                )
            })],
        ),
        row(
            "C09",
            "`b64`, true or false, critical or not",
            [refused(UnsupportedHeader, |issuer| {
                let mut inputs = each(
                    [
                        json!(false),
                        json!(true),
                        json!("false"),
                        json!(null),
                        json!(0),
                    ],
                    |b64| issuer.user().header("b64", b64),
                );
                let user = issuer.user().header("b64", false);
                inputs.extend(one(user.header("crit", ["b64"])));
                inputs
            })],
        ),
        row(
            "C10",
            "a key in the header that signs the token",
            [
                refused(InvalidSignature, |issuer| {
                    each(["jwk"], |name| {
                        with_own_key(issuer, name).header("kid", issuer.current_kid())
                    })
                })
                .one_fetch(),
                refused(UnknownKey, |issuer| one(with_own_key(issuer, "jwk"))).one_fetch(),
                refused(InvalidKeyId, |issuer| {
                    one(with_own_key(issuer, "jwk").without_header("kid"))
                }),
                // What the right key has signed it vouches for, whatever else is in there.
                admitted(|issuer| one(issuer.user().header("jwk", json!({})))),
            ],
        ),
        scene(
            "C11",
            "`jku` and `x5u` of somebody who signs the token: never asked for",
            addresses_in_the_header,
        ),
        row(
            "C12",
            "`x5c` with the certificate, made out by itself, of the key that signs the token",
            [
                refused(InvalidSignature, |issuer| {
                    each(["x5c", "x5t", "x5t#S256"], |member| {
                        with_own_certificate(issuer, member, Some(&issuer.current_kid()))
                    })
                })
                .one_fetch(),
                refused(UnknownKey, |issuer| {
                    each(["x5c", "x5t", "x5t#S256"], |member| {
                        let thumbprint = thumbprint(&SHA1, &stranger().own_certificate());
                        with_own_certificate(issuer, member, Some(&thumbprint))
                    })
                })
                .one_fetch(),
                refused(InvalidKeyId, |issuer| {
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
            "C13",
            "no `kid`: no key is tried, even if there is only one",
            [refused(InvalidKeyId, |issuer| {
                these([
                    ("rightly signed", issuer.user().without_header("kid")),
                    ("with x5t", issuer.user().v1().without_header("kid")),
                    (
                        "KID",
                        issuer
                            .user()
                            .header("KID", issuer.current_kid())
                            .without_header("kid"),
                    ),
                ])
            })],
        ),
        row(
            "C14",
            "a `kid` that is no text",
            [refused(InvalidKeyId, |issuer| {
                let kid = issuer.current_kid();
                let mut odd = no_texts();
                odd.extend([json!([kid]), json!({"kid": kid}), json!([])]);
                each(odd, |kid| issuer.user().header("kid", kid))
            })],
        ),
        row(
            "C15",
            "a `kid` that is empty, too long, or meant for a path, a log or a query",
            [
                refused(InvalidKeyId, |issuer| {
                    each(
                        ["".to_owned(), "k".repeat(257), "k".repeat(10_240)],
                        |kid| issuer.user().header("kid", kid),
                    )
                }),
                refused(UnknownKey, |issuer| {
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
        .also(&[
            ("keys/documents.rs", "nothing_of_a_token_is_sent_anywhere"),
            (
                "wire/logs.rs",
                "hostile_texts_stay_in_one_short_line_of_printable_ascii",
            ),
        ]),
        row(
            "C16",
            "a real `kid` in another letter case",
            [refused(UnknownKey, |issuer| {
                let kid = issuer.current_kid();
                let swapped: String = kid.chars().map(swapped).collect();
                each([swapped, kid.to_lowercase(), kid.to_uppercase()], |kid| {
                    issuer.user().header("kid", kid)
                })
            })
            .one_fetch()],
        ),
        row(
            "C17",
            "a `kid` that is nearly a real one, or another key's",
            [
                refused(UnknownKey, |issuer| {
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
                refused(InvalidSignature, |issuer| {
                    let other = issuer.publish_key();
                    one(issuer.user().header("kid", other))
                })
                .one_fetch(),
            ],
        ),
        row(
            "C18",
            "`x5t` of a real key under another `kid`",
            [refused(UnknownKey, |issuer| {
                each(["x5t", "x5t#S256"], |name| {
                    issuer
                        .user()
                        .header("kid", "another")
                        .header(*name, issuer.current_kid())
                })
            })
            .one_fetch()],
        ),
        row(
            "C19",
            "`typ` of an access token, in any letter case",
            [admitted(|issuer| {
                let mut inputs = each(
                    [
                        "JWT",
                        "jwt",
                        "Jwt",
                        "at+jwt",
                        "AT+JWT",
                        "application/at+jwt",
                        "Application/AT+jwt",
                    ],
                    |typ| issuer.user().header("typ", *typ),
                );
                inputs.extend(one(issuer.user().without_header("typ")));
                inputs
            })],
        ),
        row(
            "C20",
            "`typ` of anything else",
            [refused(UnsupportedTokenType, |issuer| {
                let mut odd = no_texts();
                odd.extend(
                    [
                        "dpop+jwt",
                        "logout+jwt",
                        "secevent+jwt",
                        "kb+jwt",
                        "id_token+jwt",
                        "token-introspection+jwt",
                        "oauth-authz-req+jwt",
                        "JOSE",
                        "JOSE+JSON",
                        "JWE",
                        "pop",
                        "application/jwt",
                        "application/application/at+jwt",
                        "text/at+jwt",
                        "",
                        " JWT",
                        "JWT ",
                        "JWT;x",
                    ]
                    .map(Value::from),
                );
                odd.push(json!(["JWT"]));
                each(odd, |typ| issuer.user().header("typ", typ))
            })],
        ),
        row(
            "C21",
            "`zip`",
            [refused(UnsupportedHeader, |issuer| {
                each([json!("DEF"), json!("GZ"), json!(""), json!(null)], |zip| {
                    issuer.user().header("zip", zip)
                })
            })],
        ),
        row(
            "C22",
            "`cty`: that of a nested token, and what is no text; others say nothing",
            [
                refused(UnsupportedHeader, |issuer| {
                    let mut odd = no_texts();
                    odd.extend(
                        ["JWT", "jwt", "application/jwt", "Application/JWT"].map(Value::from),
                    );
                    each(odd, |cty| issuer.user().header("cty", cty))
                }),
                admitted(|issuer| {
                    each(["json", "application/json", ""], |cty| {
                        issuer.user().header("cty", *cty)
                    })
                }),
            ],
        ),
        row(
            "C23",
            "a `nonce` in the header, as tokens for Microsoft Graph have it",
            [
                refused(GraphToken, |issuer| {
                    let graph = issuer.user().header("nonce", "the hash of it");
                    let signed = graph.mint();
                    let (_, rest) = signed.split_once('.').unwrap();
                    let shown = issuer.user().header("nonce", "the nonce itself").mint();
                    let (header, _) = shown.split_once('.').unwrap();
                    let mut inputs = each([format!("{header}.{rest}")], String::clone);
                    inputs.extend(each(no_texts(), |nonce| {
                        issuer.user().header("nonce", nonce).signed_by_stranger()
                    }));
                    inputs
                })
                .one_fetch(),
                // Of a token for Graph not even a fetch is worth its while.
                refused(GraphToken, |issuer| {
                    let graph = issuer.user().audience("https://graph.microsoft.com");
                    one(graph.header("nonce", "x").signed_by_stranger())
                }),
                refused(AudienceMismatch, |issuer| {
                    let graph = issuer.user().audience("https://graph.microsoft.com");
                    one(graph.header("nonce", "x"))
                }),
            ],
        ),
        row(
            "C24",
            "a password that is to be derived in two thousand million rounds",
            [refused(AlgorithmNotAllowed, |issuer| {
                each(
                    [
                        "PBES2-HS256+A128KW",
                        "PBES2-HS384+A192KW",
                        "PBES2-HS512+A256KW",
                    ],
                    |alg| {
                        let token = issuer.user().header("alg", *alg);
                        token.header("p2c", 2_147_483_648_u32).header("p2s", "AAAA")
                    },
                )
            })],
        ),
        row(
            "C25",
            "the header of an encrypted token on three segments",
            [
                refused(AlgorithmNotAllowed, |issuer| {
                    each(
                        ["dir", "RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "ECDH-ES"],
                        |alg| issuer.user().header("alg", *alg).header("enc", "A256GCM"),
                    )
                }),
                refused(UnsupportedHeader, |issuer| {
                    each([json!("A256GCM"), json!(""), json!(null)], |enc| {
                        issuer.user().header("enc", enc)
                    })
                }),
            ],
        ),
        row(
            "C26",
            "members that mean nothing here, however many",
            [admitted(|issuer| {
                let many = (0..500).fold(issuer.user(), |token, at| {
                    token.header(format!("m{at}"), at)
                });
                these([
                    ("five hundred", many),
                    ("iss", issuer.user().header("iss", "https://evil.example")),
                    ("p2c", issuer.user().header("p2c", u64::MAX)),
                    ("epk", issuer.user().header("epk", json!({"kty": "EC"}))),
                    ("ALG", issuer.user().header("ALG", "none")),
                    ("Crit", issuer.user().header("Crit", ["x"])),
                    (
                        "__proto__",
                        issuer.user().header("__proto__", json!({"alg": "none"})),
                    ),
                ])
            })],
        ),
    ]
}

/// Values of every type but text.
fn no_texts() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(1),
        json!(0.5),
        json!([]),
        json!({}),
    ]
}

/// What an attacker may take the public key for.
fn public_key_forms(issuer: &Issuer) -> Vec<Vec<u8>> {
    let document = issuer.keys_document();
    let keys: Value = serde_json::from_slice(&document).unwrap();
    let jwk = &keys["keys"][0];
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let pkcs1 = pkcs1(jwk);
    let spki = spki(&pkcs1);
    let pem = |label: &str, der: &[u8]| {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    };
    let spki_pem = pem("PUBLIC KEY", &spki);
    vec![
        document,
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().into(),
        n,
        spki_pem.trim_end().into(),
        spki_pem.into(),
        pem("RSA PUBLIC KEY", &pkcs1).into(),
        spki,
        pkcs1,
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
