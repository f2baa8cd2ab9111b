//! Check 3: the members of a token's header.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tower_entra::{ErrorKind::*, testing::Issuer};

use super::parts::*;
use crate::support::*;

#[test]
fn a_header_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "B12",
            "a header that is no object",
            [
                refused_as(MalformedHeader, "", "endpoint", |issuer| {
                    worded(NO_OBJECTS.map(|(is, text)| (is, issuer.user().header_text(text))))
                }),
                refused_as(MalformedToken, "(header) is empty", "endpoint", |issuer| {
                    one(issuer.user().header_text(""))
                }),
            ],
        ),
        row(
            "C01",
            "`alg` `none`, with a signature and without",
            [
                refused_as(
                    MalformedToken,
                    "(signature) is empty",
                    "endpoint",
                    |issuer| one(issuer.user().unsigned()),
                ),
                refused_as(AlgorithmNotAllowed, "alg is \"none\"", "forged", |issuer| {
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
            [
                refused_as(AlgorithmNotAllowed, "accepts RS256", "forged", |issuer| {
                    each(["None", "NONE", "nOnE"], |alg| {
                        issuer.user().header("alg", *alg)
                    })
                }),
                refused_as(AlgorithmNotAllowed, "alg is", "algorithms", |issuer| {
                    let odd = [
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
                    ];
                    each(odd, |alg| issuer.user().header("alg", *alg))
                }),
            ],
        ),
        row(
            "C03",
            "`alg` absent or no text",
            [
                refused_as(AlgorithmNotAllowed, "alg is ", "algorithms", |issuer| {
                    let list = [
                        ("a list", json!(["RS256"])),
                        ("an object", json!({"alg": "RS256"})),
                    ];
                    let odd = no_texts().into_iter().chain(list);
                    worded(odd.map(|(is, alg)| (is, issuer.user().header("alg", alg))))
                }),
                refused_as(AlgorithmNotAllowed, "there is no alg", "forged", |issuer| {
                    one(issuer.user().without_header("alg"))
                }),
            ],
        ),
        row(
            "C04",
            "HS256 with the public key as the secret, in every form that it is published in",
            refused_as(AlgorithmNotAllowed, "HS256", "forged", |issuer| {
                each(public_key_forms(issuer), |secret| {
                    issuer.user().hs256(secret.clone())
                })
            }),
        ),
        row(
            "C05",
            "HS256 with an empty or well-known secret",
            refused_as(AlgorithmNotAllowed, "HS256", "forged", |issuer| {
                each(["", "secret", "\0", "null"], |secret| {
                    issuer.user().hs256(*secret)
                })
            }),
        ),
        row(
            "C08",
            "`crit`, whatever it holds",
            refused_as(UnsupportedHeader, "the header has crit", "crit", |issuer| {
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
            }),
        ),
        row(
            "C09",
            "`b64`, true or false, critical or not",
            refused_as(UnsupportedHeader, "the header has", "b64", |issuer| {
                let odd = [
                    json!(false),
                    json!(true),
                    json!("false"),
                    json!(null),
                    json!(0),
                ];
                let mut inputs = worded(odd.map(|b64| ("b64", issuer.user().header("b64", b64))));
                let user = issuer.user().header("b64", false);
                inputs.extend(worded([("crit", user.header("crit", ["b64"]))]));
                inputs
            }),
        ),
        row(
            "C13",
            "no `kid`: no key is tried, even if there is only one",
            refused_as(InvalidKeyId, "there is no kid", "kid", |issuer| {
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
            }),
        ),
        row(
            "C14",
            "a `kid` that is no text",
            refused_as(InvalidKeyId, "instead of a string", "kid", |issuer| {
                let kid = issuer.current_kid();
                let more = [("a list", json!([kid])), ("an object", json!({"kid": kid}))];
                let odd = no_texts().into_iter().chain(more);
                worded(
                    odd.map(|(is, kid)| (format!("kid is {is}"), issuer.user().header("kid", kid))),
                )
            }),
        ),
        row(
            "C19",
            "`typ` of an access token, in any letter case",
            admitted(|issuer| {
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
            }),
        ),
        row(
            "C20",
            "`typ` of anything else",
            [
                refused_as(
                    UnsupportedTokenType,
                    "JWT or at+jwt",
                    "access token",
                    |issuer| {
                        let odd = no_texts().into_iter().chain([("a list", json!(["JWT"]))]);
                        worded(odd.map(|(is, typ)| (is, issuer.user().header("typ", typ))))
                    },
                ),
                refused_as(
                    UnsupportedTokenType,
                    "JWT or at+jwt",
                    "access token",
                    |issuer| {
                        let odd = [
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
                        ];
                        worded(odd.map(|typ| {
                            (format!("typ is {typ:?}"), issuer.user().header("typ", typ))
                        }))
                    },
                ),
                refused_as(UnsupportedTokenType, "dpop+jwt", "possession", |issuer| {
                    one(issuer.user().header("typ", "dpop+jwt"))
                }),
            ],
        ),
        row(
            "C21",
            "`zip`",
            refused_as(UnsupportedHeader, "the header has zip", "zip", |issuer| {
                each([json!("DEF"), json!("GZ"), json!(""), json!(null)], |zip| {
                    issuer.user().header("zip", zip)
                })
            }),
        ),
        row(
            "C22",
            "`cty`: that of a nested token, and what is no text; others say nothing",
            [
                refused_as(
                    UnsupportedHeader,
                    "the header has cty",
                    "nested",
                    |issuer| {
                        let nested = ["JWT", "jwt", "application/jwt", "Application/JWT"];
                        let odd = no_texts().into_iter().map(|(_, cty)| cty);
                        let odd: Vec<_> = odd.chain(nested.map(Value::from)).collect();
                        each(odd, |cty| issuer.user().header("cty", cty))
                    },
                ),
                admitted(|issuer| {
                    each(["json", "application/json", ""], |cty| {
                        issuer.user().header("cty", *cty)
                    })
                }),
            ],
        ),
        row(
            "C24",
            "a password that is to be derived in two thousand million rounds",
            refused_as(AlgorithmNotAllowed, "PBES2", "algorithms", |issuer| {
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
            }),
        ),
        row(
            "C25",
            "the header of an encrypted token on three segments",
            [
                refused_as(AlgorithmNotAllowed, "alg is", "algorithms", |issuer| {
                    each(
                        ["dir", "RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "ECDH-ES"],
                        |alg| issuer.user().header("alg", *alg).header("enc", "A256GCM"),
                    )
                }),
                refused_as(UnsupportedHeader, "the header has enc", "enc", |issuer| {
                    each([json!("A256GCM"), json!(""), json!(null)], |enc| {
                        issuer.user().header("enc", enc)
                    })
                }),
            ],
        ),
        row(
            "C26",
            "members that mean nothing here, however many",
            admitted(|issuer| {
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
            }),
        ),
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
