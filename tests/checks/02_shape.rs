//! Check 2: the size of a token, and its three segments of canonical base64url.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tower_entra::{ErrorKind::*, testing::Issuer};

use super::parts::*;
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
                refused_as(MalformedToken, "", "endpoint", |issuer| {
                    let [h, p, s] = segments(issuer);
                    worded([
                        ("dots in it: 0", h.clone()),
                        ("dots in it: 1", ".".to_owned()),
                        ("dots in it: 1", "a.b".to_owned()),
                        ("dots in it: 1", format!("{h}.")),
                        ("dots in it: 1", format!("{h}.{p}")),
                        ("dots in it: 1", format!("{p}.{s}")),
                        ("(header) is empty", "..".to_owned()),
                        ("(header) is empty", format!(".{p}.{s}")),
                        ("(header) is empty", format!("..{s}")),
                        ("(header) is empty", format!(".{p}.")),
                        ("(claims) is empty", format!("{h}..")),
                        ("(claims) is empty", format!("{h}..{s}")),
                        ("(signature) is empty", format!("{h}.{p}.")),
                        ("(header) is not base64url", "a.b.c".to_owned()),
                        ("(signature) is not base64url", format!("{h}.{p}.A+")),
                    ])
                }),
                // No header has an empty token; without HTTP there is one.
                refused_as(MissingToken, "nothing", "Bearer", |_| one("")),
            ],
        ),
        row(
            "B02",
            "an empty segment that a reader might skip over",
            refused_as(MalformedToken, "dots in it: 3", "endpoint", |issuer| {
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
            }),
        ),
        row(
            "B03",
            "a fourth segment, and six or more",
            refused_as(MalformedToken, "dots in it: ", "endpoint", |issuer| {
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
            }),
        ),
        row(
            "B04",
            "five segments: an encrypted token, whatever is in it",
            refused_as(EncryptedToken, "encrypted", "tokenEncryption", |issuer| {
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
            }),
        ),
        row(
            "B05",
            "a million dots, and as many as fit into the limit",
            [
                refused_as(TokenTooLarge, "1000000 bytes", "groups", |_| {
                    one(".".repeat(1_000_000))
                }),
                refused_as(MalformedToken, "dots in it: ", "endpoint", |_| {
                    each([6, 1_000, 16_384], |dots| ".".repeat(*dots))
                }),
                refused_as(MalformedToken, "dots in it: 1000000", "endpoint", |_| {
                    one(".".repeat(1_000_000))
                })
                .with(roomy),
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
                refused_as(TokenTooLarge, "the limit is 16384", "max_token", |issuer| {
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
                refused_as(TokenTooLarge, "16385 bytes", "max_token_size", |issuer| {
                    one(of_length(issuer, 16_385))
                }),
            ],
        ),
        row(
            "B07",
            "padding",
            refused_as(MalformedToken, "not base64url", "endpoint", |issuer| {
                in_each_segment(issuer, |segment| {
                    vec![
                        format!("{segment}="),
                        format!("{segment}=="),
                        format!("={segment}"),
                        format!("{}={}", &segment[..8], &segment[8..]),
                        padded(segment),
                    ]
                })
            }),
        ),
        row(
            "B08",
            "the alphabet of plain base64",
            [
                refused_as(MalformedToken, "not base64url", "endpoint", |issuer| {
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
                refused_as(MalformedToken, "not base64url", "endpoint", |issuer| {
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
            refused_as(MalformedToken, "not base64url", "endpoint", |issuer| {
                let token = || with_unused_bits(issuer);
                let mut twins = Vec::new();
                for segment in 0..3 {
                    twins.extend(with_other_trailing_bits(&token(), segment));
                }
                assert!(twins.len() >= 9, "{}", twins.len());
                each(twins, String::clone)
            }),
        ),
        row(
            "B10",
            "white space before, within or behind a segment",
            [
                refused_as(MalformedAuthorization, "", "Bearer", |issuer| {
                    let spaces = [
                        (" ", "white space"),
                        ("\t", "a tab"),
                        ("\u{a0}", "a character"),
                    ];
                    white_space(issuer, &spaces)
                }),
                // No header has these; without HTTP there are some.
                refused_as(MalformedToken, "not base64url", "endpoint", |issuer| {
                    white_space(
                        issuer,
                        &["\n", "\r\n", "\0", "\u{b}"].map(|space| (space, "")),
                    )
                }),
            ],
        ),
        row(
            "B23",
            "the JSON forms of a signed token, which no header can carry",
            refused_as(MalformedAuthorization, "a character", "Bearer", |issuer| {
                let [h, p, s] = segments(issuer);
                each(
                    [
                        json!({"payload": p, "signatures": [{"protected": h, "signature": s}]}),
                        json!({"payload": p, "protected": h, "signature": s}),
                    ],
                    Value::to_string,
                )
            }),
        ),
        row(
            "B25",
            "a token that was encoded once more",
            [
                refused_as(MalformedToken, "dots in it: 0", "endpoint", |issuer| {
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
                // Backwards. The first character of this signature is `_`, whose low bits are set: as
                // the last character of a segment it is never canonical.
                refused_as(
                    MalformedToken,
                    "(header) is not base64url",
                    "endpoint",
                    |issuer| {
                        let good = issuer.user().signature([0xff; 256]).mint();
                        one(good.chars().rev().collect::<String>())
                    },
                ),
                refused_as(MalformedAuthorization, "a character", "Bearer", |issuer| {
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

fn white_space(issuer: &Issuer, spaces: &[(&str, &'static str)]) -> Vec<Input> {
    let tokens = spaces.iter().flat_map(|(space, words)| {
        let [h, p, s] = segments(issuer);
        let middle = p.len() / 2;
        let tokens = [
            format!("{h}{space}.{p}.{s}"),
            format!("{h}.{space}{p}.{s}"),
            format!("{h}.{}{space}{}.{s}", &p[..middle], &p[middle..]),
            format!("{h}.{p}.{s}{space}"),
        ];
        tokens.map(|token| (*words, token))
    });
    worded(tokens)
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
