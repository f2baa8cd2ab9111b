//! Check 6: the claims as JSON, and the types of those that decide.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tower_entra::ErrorKind::*;

use super::parts::*;
use crate::support::*;

#[test]
fn claims_are_read_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "B11",
            "a byte order mark, or white space alone, where JSON is to be",
            [
                refused_as(MalformedHeader, "not JSON", "endpoint", |issuer| {
                    let header = header_text(issuer);
                    each(
                        [format!("\u{feff}{header}"), " ".to_owned(), "\0".to_owned()],
                        |text| issuer.user().header_text(text),
                    )
                }),
                refused_as(MalformedClaims, "not JSON", "claims-mapping", |issuer| {
                    let payload = payload_text(issuer, "");
                    each(
                        [
                            format!("\u{feff}{payload}"),
                            " ".to_owned(),
                            "\0".to_owned(),
                            format!("{payload}\0"),
                            format!("\u{a0}{payload}"),
                        ],
                        |text| issuer.user().payload(text),
                    )
                }),
                admitted(|issuer| {
                    let payload = payload_text(issuer, "");
                    one(issuer.user().payload(format!(" \t\r\n{payload}\n")))
                }),
            ],
        ),
        row(
            "B13",
            "a payload that is no object, validly signed",
            [
                refused_as(MalformedClaims, "", "claims-mapping", |issuer| {
                    let list = format!("[{}]", payload_text(issuer, ""));
                    let mut inputs =
                        worded(NO_OBJECTS.map(|(is, text)| (is, issuer.user().payload(text))));
                    inputs.extend(worded([("a list", issuer.user().payload(list))]));
                    inputs
                }),
                refused_as(UnsupportedVersion, "there is no ver", "Version", |issuer| {
                    one(issuer.user().payload("{}"))
                }),
                refused_as(MalformedToken, "(claims) is empty", "endpoint", |issuer| {
                    one(issuer.user().payload(""))
                }),
            ],
        ),
        row(
            "B14",
            "a member twice, the same or another, spelled out or escaped",
            [
                refused_as(MalformedHeader, "twice", "endpoint", |issuer| {
                    let kid = issuer.current_kid();
                    each(
                        [
                            r#""alg":"RS256""#.to_owned(),
                            r#""alg":"none""#.to_owned(),
                            r#""\u0061lg":"none""#.to_owned(),
                            format!(r#""kid":"{kid}""#),
                            r#""kid":"other""#.to_owned(),
                            r#""typ":"JWT""#.to_owned(),
                            r#""x":1,"x":2"#.to_owned(),
                            r#""x":{"y":1,"y":1}"#.to_owned(),
                        ],
                        |more| {
                            issuer
                                .user()
                                .header_text(with_more(&header_text(issuer), more))
                        },
                    )
                }),
                refused_as(MalformedClaims, "twice", "claims-mapping", |issuer| {
                    each(
                        [
                            r#""aud":"api://other""#,
                            r#""tid":"x""#,
                            r#""exp":9999999999"#,
                            r#""scp":"Orders.Read""#,
                            r#""s\u0063p":"Orders.Read""#,
                            r#""roles":[],"roles":["Admin"]"#,
                            r#""x":1,"x":1"#,
                            r#""":1,"":1"#,
                            r#""x":{"y":[{"z":1,"z":1}]}"#,
                        ],
                        |more| issuer.user().payload(payload_text(issuer, more)),
                    )
                }),
                // A name once in each of several objects is no repetition.
                admitted(|issuer| {
                    let more = r#""x":{"alg":1,"kid":2},"y":[{"z":1},{"z":1}]"#;
                    let header = header_text(issuer);
                    these([
                        ("plain", issuer.user().header_text(&header)),
                        (
                            "header",
                            issuer.user().header_text(with_more(&header, more)),
                        ),
                        ("payload", issuer.user().payload(payload_text(issuer, more))),
                    ])
                }),
            ],
        ),
        row(
            "B15",
            "a deciding claim in two letter cases, in either order",
            refused_as(MalformedClaims, "differs from", "policy", |issuer| {
                let tid = issuer.tenant_id();
                let mut inputs = each(
                    [
                        format!(r#""TID":"{OTHER_TENANT}""#),
                        format!(r#""TID":"{tid}""#),
                        format!(r#""Tid":"{tid}""#),
                        format!(r#""\u0054ID":"{tid}""#),
                        r#""ISS":1"#.to_owned(),
                        r#""Roles":["Admin"]"#.to_owned(),
                        r#""SCP":"Admin""#.to_owned(),
                        r#""Exp":0"#.to_owned(),
                        r#""AppId":"x""#.to_owned(),
                        r#""ſcp":"Admin""#.to_owned(),
                        r#""role\u017f":["Admin"]"#.to_owned(),
                        format!(r#""tıd":"{OTHER_TENANT}""#),
                        r#""iß":"x""#.to_owned(),
                        r#""I\u1e9e":"x""#.to_owned(),
                    ],
                    |more| issuer.user().payload(payload_text(issuer, more)),
                );
                let first = payload_text(issuer, "").replacen('{', r#"{"TID":"x","#, 1);
                inputs.extend(one(issuer.user().payload(first)));
                inputs
            }),
        ),
        row(
            "B16",
            "JSON nested 10,000 deep, whole or cut short, and one level too deep",
            [
                refused_as(MalformedHeader, "32 levels", "endpoint", |issuer| {
                    each(nests(10_000), |nest| {
                        let header = with_more(&header_text(issuer), &format!(r#""x":{nest}"#));
                        issuer.user().header_text(header)
                    })
                })
                .with(roomy),
                refused_as(MalformedClaims, "32 levels", "policy", |issuer| {
                    each(
                        [32, 33, 1_500, 10_000].into_iter().flat_map(nests),
                        |nest| {
                            let payload = payload_text(issuer, &format!(r#""x":{nest}"#));
                            issuer.user().payload(payload)
                        },
                    )
                })
                .with(roomy),
                admitted(|issuer| {
                    let [lists, objects, ..] = nests(31);
                    let more = format!(r#""x":{lists},"y":{objects}"#);
                    let header = with_more(&header_text(issuer), &more);
                    let payload = payload_text(issuer, &more);
                    these([
                        ("header", issuer.user().header_text(header)),
                        ("payload", issuer.user().payload(payload)),
                    ])
                }),
            ],
        ),
        row(
            "B17",
            "bytes that are no UTF-8, validly signed",
            [
                refused_as(MalformedClaims, "not UTF-8", "claims-mapping", |issuer| {
                    let odd: [&[u8]; 7] = [
                        b"\xff",
                        b"\xc3",
                        b"\xc0\xaf",
                        b"\xed\xa0\x80",
                        b"\xf4\x90\x80\x80",
                        b"\xe2\x82",
                        b"\x80",
                    ];
                    let mut inputs = each(odd, |bytes| {
                        let text = payload_text(issuer, r#""name":"@""#);
                        issuer.user().payload_bytes(replaced(&text, bytes))
                    });
                    // In the name of a claim that is not looked at.
                    let text = payload_text(issuer, r#""@":1"#);
                    inputs.extend(one(issuer.user().payload_bytes(replaced(&text, b"\xff"))));
                    inputs
                }),
                refused_as(MalformedClaims, "not JSON", "claims-mapping", |issuer| {
                    let text = payload_text(issuer, "");
                    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    one(issuer.user().payload_bytes(utf16))
                }),
                refused_as(MalformedHeader, "not UTF-8", "endpoint", |issuer| {
                    let text = with_more(&header_text(issuer), r#""x":"@""#);
                    let [_, payload, signature] = segments(issuer);
                    let header = URL_SAFE_NO_PAD.encode(replaced(&text, b"\xff"));
                    one(format!("{header}.{payload}.{signature}"))
                }),
            ],
        ),
        row(
            "B18",
            "JSON that some readers put up with",
            refused_as(MalformedClaims, "not JSON", "claims-mapping", |issuer| {
                let good = payload_text(issuer, "");
                let mut inputs = each(
                    [
                        format!("{good}{good}"),
                        format!("{good} x"),
                        format!("{good},"),
                        format!("/**/{good}"),
                        format!("{good}//"),
                        good.replace('"', "'"),
                        good.replacen("\"ver\"", "ver", 1),
                        format!("{},}}", good.trim_end_matches('}')),
                        good[..good.len() - 1].to_owned(),
                        format!("){{}}',\n{good}"),
                    ],
                    |text| issuer.user().payload(text),
                );
                inputs.extend(each(
                    [
                        r#""x":NaN"#,
                        r#""x":Infinity"#,
                        r#""x":01"#,
                        r#""x":+1"#,
                        r#""x":.5"#,
                        r#""x":1."#,
                        r#""x":0x10"#,
                        r#""x":1_000"#,
                        r#""x":undefined"#,
                        r#""x":True"#,
                        r#""x":[1,]"#,
                        r#""x":"a"b""#,
                        "\"x\":\"a\nb\"",
                        "\"x\":\"a\0b\"",
                        r#""x""#,
                        r#""x":"\x41""#,
                    ],
                    |more| issuer.user().payload(payload_text(issuer, more)),
                ));
                inputs
            }),
        ),
        row(
            "B19",
            "escapes: half a surrogate pair is refused, NUL and the rest are text",
            [
                refused_as(MalformedClaims, "not JSON", "claims-mapping", |issuer| {
                    each(
                        [r#""x":"\ud800""#, r#""x":"\udc00\ud800""#, r#""\ud800":1"#],
                        |more| issuer.user().payload(payload_text(issuer, more)),
                    )
                }),
                admitted_as(
                    |caller| assert!(caller.has_scope("Orders.Read")),
                    |issuer| {
                        each(
                            [r#""x":"\ud83d\ude00""#, r#""x":"\u0000""#, r#""\u0000":1"#],
                            |more| issuer.user().payload(payload_text(issuer, more)),
                        )
                    },
                ),
                admitted_as(
                    |caller| assert!(caller.has_scope("Orders.Read")),
                    |issuer| {
                        let escaped = payload_text(issuer, "")
                            .replacen("\"scp\"", r#""\u0073cp""#, 1)
                            .replacen("Orders.Read", r"Orders\u002eRead", 1);
                        one(issuer.user().payload(escaped))
                    },
                ),
            ],
        ),
        row(
            "B20",
            "numbers beyond what most readers hold",
            [
                refused_as(MalformedClaims, "not JSON", "claims-mapping", |issuer| {
                    let mut inputs = each(["1e400", "-1e400", "1e99999999999"], |number| {
                        issuer.user().payload(payload_expiring(issuer, number))
                    });
                    inputs.extend(one(issuer
                        .user()
                        .payload(payload_text(issuer, r#""x":1e400"#))));
                    inputs
                }),
                refused_as(InvalidDates, "exp is no date", "exp", |issuer| {
                    each(
                        [
                            "12345678901234567890",
                            "99999999999999999999",
                            "-9223372036854775809",
                            "18446744073709551616",
                            "340282366920938463463374607431768211456",
                        ],
                        |number| issuer.user().payload(payload_expiring(issuer, number)),
                    )
                }),
                refused_as(Expired, "1970-01-01T00:00:00Z", "new token", |issuer| {
                    each(["-0", "-0.0", "0e0", "1e-400"], |number| {
                        issuer.user().payload(payload_expiring(issuer, number))
                    })
                }),
                admitted(|issuer| {
                    let more = r#""x":[-0,12345678901234567890,1e308,-9223372036854775809]"#;
                    one(issuer.user().payload(payload_text(issuer, more)))
                }),
            ],
        ),
        row(
            "B21",
            "tens of thousands of unknown claims: in a time that grows as they do",
            admitted(|issuer| {
                each([10_000, 60_000], |count| {
                    let claims: Vec<String> =
                        (0..*count).map(|at| format!(r#""{at:x}":0"#)).collect();
                    issuer
                        .user()
                        .payload(payload_text(issuer, &claims.join(",")))
                })
            })
            .with(roomy)
            // A search among all of them for each of them would take a minute.
            .within(5 * SECOND),
        ),
        row(
            "B22",
            "names that other languages trip over",
            admitted_as(
                |caller| assert!(caller.roles().next().is_none()),
                |issuer| {
                    let names = [
                        "__proto__",
                        "constructor",
                        "toString",
                        "prototype",
                        "$ref",
                        "",
                    ];
                    each(names, |name| {
                        issuer
                            .user()
                            .claim(*name, json!({"roles": ["Admin"], "tid": 1}))
                    })
                },
            ),
        ),
        row(
            "B24",
            "a token within a token",
            [
                refused_as(
                    UnsupportedHeader,
                    "the header has cty",
                    "nested",
                    |issuer| {
                        let inner = issuer.user().mint();
                        each(["JWT", "jwt", "application/jwt"], |cty| {
                            issuer.user().header("cty", *cty).payload(inner.clone())
                        })
                    },
                ),
                refused_as(MalformedClaims, "", "claims-mapping", |issuer| {
                    let inner = issuer.user().mint();
                    worded([
                        ("a string", issuer.user().payload(format!("\"{inner}\""))),
                        ("not JSON", issuer.user().payload(inner)),
                    ])
                }),
            ],
        ),
        row(
            "F15",
            "a `tid` that is no text: what stands in `iss` does not take its place",
            refused_as(MalformedClaims, "instead of a string", "policy", |issuer| {
                let tid = issuer.tenant_id();
                each(
                    [
                        json!(null),
                        json!([tid]),
                        json!({"tid": tid}),
                        json!(1),
                        json!(false),
                    ],
                    |value| issuer.user().claim("tid", value),
                )
            }),
        ),
        row(
            "F28",
            "the issuer's own name for the claims, in another letter case",
            refused_as(MalformedClaims, "differs from", "policy", |issuer| {
                each(["ISS", "Iss", "TID", "VER"], |name| {
                    issuer.user().claim(*name, "x")
                })
            }),
        ),
        row(
            "G03",
            "an audience that is no text, alone or beside the right one",
            refused_as(MalformedClaims, "list of strings", "policy", |issuer| {
                let good = issuer.audience();
                each(
                    [
                        json!(1),
                        json!(true),
                        json!([1, 2]),
                        json!([good, 1]),
                        json!([1, good]),
                        json!([good, null]),
                        json!([[good]]),
                        json!([good, {}]),
                        json!({"aud": good}),
                        json!({"0": good}),
                    ],
                    |aud| issuer.user().claim("aud", aud),
                )
            }),
        ),
        row(
            "H04",
            "`scp` that is no text",
            refused_as(
                MalformedClaims,
                "instead of a string",
                "one string",
                |issuer| {
                    each(
                        [
                            json!(["a", "b"]),
                            json!([]),
                            json!(null),
                            json!(1),
                            json!(true),
                            json!({}),
                        ],
                        |scp| issuer.user().claim("scp", scp),
                    )
                },
            ),
        ),
        row(
            "H13",
            "`roles` that is no list of texts",
            refused_as(
                MalformedClaims,
                "list of strings",
                "list of strings",
                |issuer| {
                    each(
                        [
                            json!("Admin"),
                            json!(""),
                            json!("Admin Reader"),
                            json!(["Admin", 1]),
                            json!([null]),
                            json!([["Admin"]]),
                            json!({"0": "Admin"}),
                            json!(null),
                            json!(1),
                        ],
                        |roles| issuer.user().claim("roles", roles),
                    )
                },
            ),
        ),
        row(
            "H17",
            "an identity that is no GUID",
            refused_as(MalformedClaims, "instead of a", "policy", |issuer| {
                let mut inputs = Vec::new();
                for name in ["oid", "azp"] {
                    let odd =
                        ["alice", "", "*"].map(|text| ("a string that is no GUID", json!(text)));
                    let odd = odd.into_iter().chain(no_texts());
                    inputs.extend(worded(odd.map(|(is, value)| {
                        (format!("{name} is {is}"), issuer.user().claim(name, value))
                    })));
                }
                inputs.extend(worded(no_texts().into_iter().map(|(is, sub)| {
                    (format!("sub is {is}"), issuer.user().claim("sub", sub))
                })));
                inputs
            }),
        ),
    ]
}

/// The text with these bytes in the place of its `@`.
fn replaced(text: &str, bytes: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once('@').unwrap();
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

/// Lists and objects of this depth, whole and cut short.
fn nests(depth: usize) -> [String; 4] {
    let [lists, objects] = [("[", "]"), ("{\"y\":", "}")]
        .map(|(open, close)| format!("{}1{}", open.repeat(depth), close.repeat(depth)));
    let (open, close) = ("[{\"y\":", "}]");
    let half = depth / 2 + 1;
    let both = format!("{}1{}", open.repeat(half), close.repeat(half));
    [lists, objects, both, "[".repeat(depth)]
}
