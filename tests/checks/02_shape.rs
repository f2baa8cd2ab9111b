//! B: what a token is made of, its encoding, and its JSON.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tower_entra::{ErrorKind::*, ValidatorBuilder, testing::Issuer};

use crate::support::*;

#[test]
fn a_shape_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "B01",
            "too few segments, or empty ones",
            [
                refused(MalformedToken, |issuer| {
                    let [h, p, s] = segments(issuer);
                    each(
                        [
                            ".".to_owned(),
                            "..".to_owned(),
                            "a.b".to_owned(),
                            "a.b.c".to_owned(),
                            "null".to_owned(),
                            h.clone(),
                            format!("{h}."),
                            format!("{h}.."),
                            format!("{h}.{p}"),
                            format!("{h}.{p}."),
                            format!("{h}..{s}"),
                            format!(".{p}.{s}"),
                            format!("..{s}"),
                            format!(".{p}."),
                            format!("{p}.{s}"),
                        ],
                        String::clone,
                    )
                }),
                // No header has an empty token; without HTTP there is one.
                refused(MalformedAuthorization, |_| one("")),
            ],
        ),
        row(
            "B02",
            "an empty segment that a reader might skip over",
            [refused(MalformedToken, |issuer| {
                let [h, p, s] = segments(issuer);
                each(
                    [
                        format!("{h}..{p}.{s}"),
                        format!("{h}.{p}..{s}"),
                        format!(".{h}.{p}.{s}"),
                        format!("{h}.{p}.{s}."),
                    ],
                    String::clone,
                )
            })],
        ),
        row(
            "B03",
            "a fourth segment, and six or more",
            [refused(MalformedToken, |issuer| {
                let [h, p, s] = segments(issuer);
                each(
                    [
                        format!("{h}.{p}.{s}.{s}"),
                        format!("{h}.{p}.{p}.{s}"),
                        format!("{h}.{h}.{p}.{s}"),
                        format!("{h}.{p}.{s}.{h}.{p}.{s}"),
                        format!("{h}.{p}.{s}....."),
                    ],
                    String::clone,
                )
            })],
        ),
        row(
            "B04",
            "five segments: an encrypted token, whatever is in it",
            [refused(EncryptedToken, |issuer| {
                let [h, p, s] = segments(issuer);
                let header = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
                let kid = issuer.current_kid();
                let oaep = json!({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": kid});
                let direct = json!({"alg": "dir", "enc": "A128GCM", "cty": "JWT"});
                each(
                    [
                        format!("{h}.{p}.{s}.{p}.{s}"),
                        format!("{}.{s}.AAAA.{p}.AAAA", header(oaep)),
                        format!("{}..AAAA.{p}.AAAA", header(direct)),
                        "a.b.c.d.e".to_owned(),
                        "....".to_owned(),
                        format!("{h}.{p}.{s}.."),
                    ],
                    String::clone,
                )
            })],
        ),
        row(
            "B05",
            "a million dots, and as many as fit into the limit",
            [
                refused(TokenTooLarge, |_| one(".".repeat(1_000_000))),
                refused(MalformedToken, |_| {
                    each([6, 1_000, 16_384], |dots| ".".repeat(*dots))
                }),
                refused(MalformedToken, |_| one(".".repeat(1_000_000))).with(roomy),
            ],
        )
        .also(&[
            ("allocations.rs", "a_malformed_token_allocates_at_most_once"),
            (
                "allocations.rs",
                "a_million_dots_allocate_at_most_once_whatever_the_limit",
            ),
        ]),
        row(
            "B06",
            "more bytes than the limit",
            [
                refused(TokenTooLarge, |issuer| {
                    let good = issuer.user().mint();
                    let padding = |length: usize| "A".repeat(length);
                    each(
                        [
                            padding(16_385),
                            format!("{good}.{}", padding(16_384)),
                            issuer.user().claim("x", padding(16_384)).mint(),
                            issuer.user().header("x", padding(16_384)).mint(),
                            issuer.user().signature(vec![1; 16_384]).mint(),
                        ],
                        String::clone,
                    )
                }),
                admitted(|issuer| one(of_length(issuer, 16_384))),
                refused(TokenTooLarge, |issuer| one(of_length(issuer, 16_385))),
            ],
        ),
        row(
            "B07",
            "padding",
            [refused(MalformedToken, |issuer| {
                in_each_segment(issuer, |segment| {
                    vec![
                        format!("{segment}="),
                        format!("{segment}=="),
                        format!("={segment}"),
                        format!("{}={}", &segment[..8], &segment[8..]),
                        padded(segment),
                    ]
                })
            })],
        ),
        row(
            "B08",
            "the alphabet of plain base64",
            [
                refused(MalformedToken, |issuer| {
                    in_each_segment(issuer, |segment| {
                        vec![
                            format!("+{}", &segment[1..]),
                            format!("/{}", &segment[1..]),
                            format!("{}+", &segment[..segment.len() - 1]),
                            format!("{segment}+/++"),
                        ]
                    })
                }),
                // The whole token in the other alphabet, where that makes a difference.
                refused(MalformedToken, |issuer| {
                    let good = issuer.user().claim("x", "???>>>~~~").mint();
                    let standard = good.replace('-', "+").replace('_', "/");
                    assert_ne!(good, standard);
                    one(standard)
                }),
            ],
        ),
        row(
            "B09",
            "the same bytes under other trailing bits",
            [refused(MalformedToken, |issuer| {
                let token = || with_unused_bits(issuer);
                let mut twins = Vec::new();
                for segment in 0..3 {
                    twins.extend(with_other_trailing_bits(&token(), segment));
                }
                assert!(twins.len() >= 9, "{}", twins.len());
                each(twins, String::clone)
            })],
        ),
        row(
            "B10",
            "white space before, within or behind a segment",
            [
                refused(MalformedAuthorization, |issuer| {
                    white_space(issuer, &[" ", "\t", "\u{a0}"])
                }),
                // No header has these; without HTTP there are some.
                refused(MalformedToken, |issuer| {
                    white_space(issuer, &["\n", "\r\n", "\0", "\u{b}"])
                }),
            ],
        ),
        row(
            "B11",
            "a byte order mark, or white space alone, where JSON is to be",
            [
                refused(MalformedHeader, |issuer| {
                    let header = header_text(issuer);
                    each(
                        [format!("\u{feff}{header}"), " ".to_owned(), "\0".to_owned()],
                        |text| issuer.user().header_text(text),
                    )
                }),
                refused(MalformedClaims, |issuer| {
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
            "B12",
            "a header that is no object",
            [
                refused(MalformedHeader, |issuer| {
                    each(NO_OBJECTS, |text| issuer.user().header_text(*text))
                }),
                refused(MalformedToken, |issuer| one(issuer.user().header_text(""))),
            ],
        ),
        row(
            "B13",
            "a payload that is no object, validly signed",
            [
                refused(MalformedClaims, |issuer| {
                    let mut inputs = each(NO_OBJECTS, |text| issuer.user().payload(*text));
                    let list = format!("[{}]", payload_text(issuer, ""));
                    inputs.extend(one(issuer.user().payload(list)));
                    inputs
                }),
                refused(UnsupportedVersion, |issuer| {
                    one(issuer.user().payload("{}"))
                }),
                refused(MalformedToken, |issuer| one(issuer.user().payload(""))),
            ],
        ),
        row(
            "B14",
            "a member twice, the same or another, spelled out or escaped",
            [
                refused(MalformedHeader, |issuer| {
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
                refused(MalformedClaims, |issuer| {
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
            [refused(MalformedClaims, |issuer| {
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
            })],
        ),
        row(
            "B16",
            "JSON nested 10,000 deep, whole or cut short",
            [
                refused(MalformedHeader, |issuer| {
                    each(nests(10_000), |nest| {
                        let more = format!(r#""x":{nest}"#);
                        issuer
                            .user()
                            .header_text(with_more(&header_text(issuer), &more))
                    })
                })
                .with(roomy),
                refused(MalformedClaims, |issuer| {
                    each(nests(10_000), |nest| {
                        let more = format!(r#""x":{nest}"#);
                        issuer.user().payload(payload_text(issuer, &more))
                    })
                })
                .with(roomy),
                refused(MalformedClaims, |issuer| {
                    each(nests(33).into_iter().chain(nests(1_500)), |nest| {
                        let more = format!(r#""x":{nest}"#);
                        issuer.user().payload(payload_text(issuer, &more))
                    })
                }),
                admitted(|issuer| {
                    let [lists, objects, both, _] = nests(20);
                    let more = format!(r#""x":{lists},"y":{objects},"z":{both}"#);
                    let header = with_more(&header_text(issuer), &more);
                    these([
                        ("header", issuer.user().header_text(header)),
                        (
                            "payload",
                            issuer.user().payload(payload_text(issuer, &more)),
                        ),
                    ])
                }),
            ],
        ),
        row(
            "B17",
            "bytes that are no UTF-8, validly signed",
            [
                refused(MalformedClaims, |issuer| {
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
                    // As an attribute of something that is not looked at, and as UTF-16.
                    let text = payload_text(issuer, r#""@":1"#);
                    inputs.extend(one(issuer.user().payload_bytes(replaced(&text, b"\xff"))));
                    let text = payload_text(issuer, "");
                    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    inputs.extend(one(issuer.user().payload_bytes(wide)));
                    inputs
                }),
                refused(MalformedHeader, |issuer| {
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
            [refused(MalformedClaims, |issuer| {
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
            })],
        ),
        row(
            "B19",
            "escapes: half a surrogate pair is refused, NUL and the rest are text",
            [
                refused(MalformedClaims, |issuer| {
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
                refused(MalformedClaims, |issuer| {
                    let mut inputs = each(["1e400", "-1e400", "1e99999999999"], |number| {
                        issuer.user().payload(payload_expiring(issuer, number))
                    });
                    inputs.extend(one(issuer
                        .user()
                        .payload(payload_text(issuer, r#""x":1e400"#))));
                    inputs
                }),
                refused(InvalidDates, |issuer| {
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
                refused(Expired, |issuer| {
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
            "tens of thousands of claims that nobody knows: in a time that grows as they do",
            [admitted(|issuer| {
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
            .within(5 * SECOND)],
        ),
        row(
            "B22",
            "names that other languages trip over",
            [admitted_as(
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
            )],
        ),
        row(
            "B23",
            "the JSON forms of a signed token, which no header can carry",
            [refused(MalformedAuthorization, |issuer| {
                let [h, p, s] = segments(issuer);
                each(
                    [
                        json!({"payload": p, "signatures": [{"protected": h, "signature": s}]}),
                        json!({"payload": p, "protected": h, "signature": s}),
                    ],
                    Value::to_string,
                )
            })],
        ),
        row(
            "B24",
            "a token within a token",
            [
                refused(UnsupportedHeader, |issuer| {
                    let inner = issuer.user().mint();
                    each(["JWT", "jwt", "application/jwt"], |cty| {
                        issuer.user().header("cty", *cty).payload(inner.clone())
                    })
                }),
                refused(MalformedClaims, |issuer| {
                    let inner = issuer.user().mint();
                    each([inner.clone(), format!("\"{inner}\"")], |payload| {
                        issuer.user().payload(payload)
                    })
                }),
            ],
        ),
        row(
            "B25",
            "a token that was encoded once more",
            [
                refused(MalformedToken, |issuer| {
                    let good = issuer.user().mint();
                    each(
                        [
                            URL_SAFE_NO_PAD.encode(&good),
                            STANDARD.encode(&good),
                            good.replace('.', "~"),
                            good.replace('.', "-"),
                        ],
                        String::clone,
                    )
                }),
                refused(MalformedAuthorization, |issuer| {
                    let good = issuer.user().mint();
                    each(
                        [
                            good.replace('.', "%2E"),
                            good.replace('.', "\u{3002}"),
                            good.replace('.', "\u{2024}"),
                            format!("{good}%00"),
                            format!("{good}\\n"),
                        ],
                        String::clone,
                    )
                }),
            ],
        ),
    ]
}

fn roomy(issuer: &Issuer) -> ValidatorBuilder {
    issuer.validator_builder().max_token_size(1024 * 1024)
}

fn segments(issuer: &Issuer) -> [String; 3] {
    split(&issuer.user().mint())
}

fn split(token: &str) -> [String; 3] {
    let segments: Vec<String> = token.split('.').map(str::to_owned).collect();
    segments.try_into().unwrap()
}

/// A good token, one of whose segments is written in each of these ways.
fn in_each_segment(issuer: &Issuer, ways: impl Fn(&str) -> Vec<String>) -> Vec<Input> {
    let good = segments(issuer);
    let tokens = (0..3).flat_map(|at| {
        let good = &good;
        ways(&good[at]).into_iter().map(move |segment| {
            let mut segments = good.clone();
            segments[at] = segment;
            segments.join(".")
        })
    });
    each(tokens.collect::<Vec<_>>(), String::clone)
}

/// As many `=` as the encoding with padding has; one too many where it has none.
fn padded(segment: &str) -> String {
    format!("{segment}{}", "=".repeat((4 - segment.len() % 4).min(3)))
}

/// A good token in each of whose segments the last character has bits that encode nothing.
fn with_unused_bits(issuer: &Issuer) -> String {
    // The signature's 256 bytes leave four bits. Header and payload get a member of the right size.
    (0..9)
        .map(|length| {
            let fill = "x".repeat(length % 3);
            let also = "x".repeat(length / 3);
            issuer.user().header("x", fill).claim("x", also).mint()
        })
        .find(|token| token.split('.').all(|segment| segment.len() % 4 != 0))
        .unwrap()
}

fn with_other_trailing_bits(token: &str, segment: usize) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    let segments = split(token);
    let last = *segments[segment].as_bytes().last().unwrap();
    let value = ALPHABET.iter().position(|byte| *byte == last).unwrap();
    let unused = if segments[segment].len() % 4 == 2 {
        16
    } else {
        4
    };
    assert_eq!(value % unused, 0, "what was minted is canonical");
    let twins = (1..unused).map(|bits| {
        let mut segments = segments.clone();
        segments[segment].pop();
        segments[segment].push(char::from(ALPHABET[value + bits]));
        segments.join(".")
    });
    twins.collect()
}

fn white_space(issuer: &Issuer, spaces: &[&str]) -> Vec<Input> {
    let tokens = spaces.iter().flat_map(|space| {
        let [h, p, s] = segments(issuer);
        let middle = p.len() / 2;
        [
            format!("{h}{space}.{p}.{s}"),
            format!("{h}.{space}{p}.{s}"),
            format!("{h}.{}{space}{}.{s}", &p[..middle], &p[middle..]),
            format!("{h}.{p}.{s}{space}"),
        ]
    });
    each(tokens.collect::<Vec<_>>(), String::clone)
}

/// A good token of exactly this many bytes.
fn of_length(issuer: &Issuer, length: usize) -> String {
    let with = |claim: usize, header: usize| {
        let [claim, header] = [claim, header].map(|fill| "x".repeat(fill));
        issuer.user().claim("x", claim).header("x", header).mint()
    };
    let claim = (length - with(0, 0).len()) * 3 / 4 - 8;
    (0..24)
        .flat_map(|more| (0..3).map(move |header| (claim + more, header)))
        .map(|(claim, header)| with(claim, header))
        .find(|token| token.len() == length)
        .unwrap()
}

fn header_text(issuer: &Issuer) -> String {
    let kid = issuer.current_kid();
    format!(r#"{{"typ":"JWT","alg":"RS256","kid":"{kid}"}}"#)
}

/// The claims of a good token as text, and these members at the end of it.
fn payload_text(issuer: &Issuer, more: &str) -> String {
    payload_of(issuer, &(now() + 600).to_string(), more)
}

/// The claims of a good token, but for this text as its `exp`.
pub(crate) fn payload_expiring(issuer: &Issuer, exp: &str) -> String {
    payload_of(issuer, exp, "")
}

fn payload_of(issuer: &Issuer, exp: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#"{{"ver":"2.0","iss":"{}","tid":"{}","aud":"{}","exp":{exp},"azp":"{OTHER_APP}","scp":"Orders.Read"{comma}{more}}}"#,
        issuer.v2_issuer(),
        issuer.tenant_id(),
        issuer.audience(),
    )
}

/// The object with these members at its end.
fn with_more(object: &str, more: &str) -> String {
    format!("{},{more}}}", object.strip_suffix('}').unwrap())
}

/// The text with these bytes in the place of its `@`.
fn replaced(text: &str, bytes: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once('@').unwrap();
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

fn nests(depth: usize) -> [String; 4] {
    [
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("{}1{}", "{\"y\":".repeat(depth), "}".repeat(depth)),
        format!(
            "{}1{}",
            "[{\"y\":".repeat(depth / 2 + 1),
            "}]".repeat(depth / 2 + 1)
        ),
        "[".repeat(depth),
    ]
}

/// `TokenBuilder` takes these texts as they are.
const NO_OBJECTS: [&str; 9] = [
    "[]", "[{}]", "\"x\"", "\"{}\"", "null", "true", "1", "{", "{}{}",
];
