//! Check 1: exactly one `Authorization` header, scheme `Bearer`, one token.

use http::{HeaderValue, Method, Request, header::AUTHORIZATION};
use tower_entra::{
    EntraAuthLayer,
    ErrorKind::*,
    KeySettings,
    testing::{Fault, Issuer},
};

use crate::support::*;

#[test]
fn the_header_is_read_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "A01",
            "no header at all",
            refused_as(MissingToken, "no Authorization", "Bearer", |_| {
                one(request_for("/"))
            }),
        ),
        row(
            "A02",
            "another scheme",
            [
                refused_as(MissingToken, "header is", "scheme Bearer", |issuer| {
                    let token = issuer.user().mint();
                    worded_lines(&[
                        ("Basic", "Basic abc"),
                        ("Basic", "Basic"),
                        ("Digest", "Digest username=\"x\", realm=\"y\""),
                        ("Negotiate", "Negotiate"),
                        ("not Bearer", "AzureKey abc"),
                        ("not Bearer", "BearerX abc"),
                        ("not Bearer", "XBearer abc"),
                        ("not Bearer", "Token abc"),
                        ("not Bearer", &format!("Bearer{token}")),
                        ("Basic", &format!("Basic {token}")),
                    ])
                }),
                refused_as(MissingToken, "without the word", "a space", |issuer| {
                    one(with_line(issuer.user().mint()))
                }),
            ],
        ),
        row(
            "A25",
            "a scheme that is no token of RFC 9110, so that it is no other scheme either",
            [
                refused_as(
                    MalformedAuthorization,
                    "not begin with",
                    "one token",
                    no_schemes,
                ),
                refused_as(
                    MalformedAuthorization,
                    "not begin with",
                    "one token",
                    no_schemes,
                )
                .through(EntraAuthLayer::optional),
            ],
        ),
        row(
            "A26",
            "another scheme and a bearer token joined by a comma, where none is needed too",
            [
                refused_as(
                    MalformedAuthorization,
                    "credentials of two schemes in one header",
                    "only credentials",
                    joined_credentials,
                ),
                refused_as(
                    MalformedAuthorization,
                    "credentials of two schemes in one header",
                    "only credentials",
                    joined_credentials,
                )
                .through(EntraAuthLayer::optional),
                // Without the comma, or without the word behind it, there is one scheme.
                refused_as(MissingToken, "Negotiate", "scheme Bearer", |_| one_scheme()),
                anonymous(|_| one_scheme()).through(EntraAuthLayer::optional),
            ],
        ),
        row(
            "A03",
            "the scheme in another letter case",
            admitted(|issuer| {
                each(["bearer", "BEARER", "bEaReR"], |scheme| {
                    with_line(format!("{scheme} {}", issuer.user().mint()))
                })
            }),
        ),
        row(
            "A04",
            "the scheme and nothing after it",
            [
                refused_as(
                    MissingToken,
                    "nothing follows",
                    "after the word Bearer",
                    schemes_alone,
                ),
                refused_as(
                    MissingToken,
                    "nothing follows",
                    "after the word Bearer",
                    schemes_alone,
                )
                .through(EntraAuthLayer::optional),
                // One character more, and it is a malformed header.
                refused_as(MalformedAuthorization, "", "one token", |_| {
                    worded_lines(&[
                        ("a tab", "Bearer\t"),
                        ("a tab", "Bearer \t"),
                        ("quotes", "Bearer \""),
                        ("a character", "Bearer ,"),
                        ("not begin with", "Bearer,"),
                        ("white space", " Bearer"),
                    ])
                }),
            ],
        ),
        row(
            "A05",
            "two or more spaces after the scheme: allowed, and no part of the token",
            admitted(|issuer| {
                each([2, 3, 40], |spaces| {
                    with_line(format!(
                        "Bearer{}{}",
                        " ".repeat(*spaces),
                        issuer.user().mint()
                    ))
                })
            }),
        ),
        row(
            "A06",
            "a tab before, within or after the token",
            refused_as(MalformedAuthorization, "", "one token", |issuer| {
                let token = issuer.user().mint();
                worded_lines(&[
                    ("a tab", &format!("Bearer\t{token}")),
                    ("a tab", &format!("Bearer:\t{token}")),
                    ("a tab", &format!("Bearer \t{token}")),
                    ("a tab", &format!("Bearer\t {token}")),
                    ("a tab", &format!("Bearer {token}\t")),
                    (
                        "a tab",
                        &format!("Bearer {}\t{}", &token[..40], &token[40..]),
                    ),
                    ("white space", &format!("\tBearer {token}")),
                ])
            }),
        ),
        row(
            "A07",
            "more than one token, or something beside it",
            refused_as(MalformedAuthorization, "", "one token", |issuer| {
                let token = issuer.user().mint();
                worded_lines(&[
                    ("more than one token", &format!("Bearer {token} x")),
                    ("more than one token", &format!("Bearer {token} {token}")),
                    (
                        "more than one token",
                        &format!("Bearer {token}, Bearer {token}"),
                    ),
                    (
                        "more than one token",
                        &format!("Bearer {token}, Basic YTpi"),
                    ),
                    ("white space", &format!("Bearer {token} ")),
                    ("white space", &format!(" Bearer {token}")),
                    ("twice", &format!("Bearer Bearer {token}")),
                    ("quotes", &format!("Bearer \"{token}\"")),
                    ("quotes", &format!("Bearer '{token}'")),
                    ("a character", &format!("Bearer {token},{token}")),
                    ("a character", &format!("Bearer {token};charset=utf-8")),
                    ("a character", &format!("Bearer token=\"{token}\"")),
                    ("a character", &format!("Bearer <{token}>")),
                ])
            }),
        ),
        row(
            "A08",
            "two `Authorization` lines, whatever is in them",
            refused_as(MultipleCredentials, "there are 2", "gateway", |issuer| {
                let good = format!("Bearer {}", issuer.user().mint());
                each(
                    [
                        [good.as_str(), good.as_str()],
                        [&good, "Bearer x"],
                        [&good, "Basic YTpi"],
                        ["Basic YTpi", &good],
                        [&good, ""],
                        ["", &good],
                        ["", ""],
                        ["DPoP x", &good],
                    ],
                    |two| with_lines(two).unwrap(),
                )
            }),
        ),
        scene(
            "A09",
            "two lines with an unknown `kid` while the keys cannot be had",
            two_lines_in_an_outage,
        ),
        row(
            "A10",
            "characters that a token does not have",
            refused_as(
                MalformedAuthorization,
                "a character",
                "one token",
                |issuer| {
                    let token = issuer.user().mint();
                    let odd = b"\"',;:!#$%&()*<>?@[]\\^`{|}\xa0\xc3\xff\x80";
                    each(odd, |byte| {
                        let mut line = format!("Bearer {token}").into_bytes();
                        line.insert(40, **byte);
                        with_line(line)
                    })
                },
            ),
        ),
        row(
            "A11",
            "an empty header",
            [
                refused_as(MissingToken, "is empty", "Bearer", |_| lines(&[""])),
                refused_as(MalformedAuthorization, "white space", "one token", |_| {
                    lines(&[" ", "\t", "   "])
                }),
            ],
        ),
        row(
            "A12",
            "a token in the query and none in the header",
            refused_as(MissingToken, "no Authorization", "Bearer", |issuer| {
                let token = issuer.user().mint();
                each(["access_token", "token", "jwt", "authorization"], |name| {
                    request_for(&format!("/orders?{name}={token}"))
                })
            }),
        ),
        row(
            "A13",
            "a good header and a token in the query or the form: the header's is the token",
            [
                admitted(|issuer| {
                    let token = issuer.user().mint();
                    each([token.as_str(), "x", ""], |other| {
                        let target = format!("/orders?access_token={other}");
                        let mut request = form(&target, other);
                        bear(&mut request, &token);
                        request
                    })
                }),
                refused_as(MalformedToken, "dots in it: 0", "endpoint", |issuer| {
                    let target = format!("/?access_token={}", issuer.user().mint());
                    let mut request = request_for(&target);
                    bear(&mut request, "x");
                    one(request)
                }),
            ],
        ),
        row(
            "A14",
            "a token in a form and none in the header",
            refused_as(MissingToken, "no Authorization", "Bearer", |issuer| {
                one(form("/orders", &issuer.user().mint()))
            }),
        ),
        row(
            "A15",
            "a token in any other header",
            refused_as(MissingToken, "no Authorization", "Bearer", |issuer| {
                let token = issuer.user().mint();
                each(
                    [
                        "proxy-authorization",
                        "x-authorization",
                        "x-forwarded-authorization",
                        "authentication",
                        "x-ms-token-aad-access-token",
                        "x-access-token",
                        "cookie",
                        "sec-websocket-protocol",
                    ],
                    |name| {
                        let mut request = request_for("/");
                        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
                        request.headers_mut().insert(*name, value);
                        request
                    },
                )
            }),
        ),
        row(
            "A16",
            "what a client sends that had no token; `{}` has characters that no token has",
            [
                refused_as(MalformedToken, "the word ", "variable", |_| {
                    each(
                        ["null", "undefined", "Undefined", "None", "token"],
                        |text| *text,
                    )
                }),
                refused_as(MalformedToken, "dots in it: 0", "endpoint", |_| {
                    each(["true", "NaN", "0", "-", "="], |text| *text)
                }),
                refused_as(MalformedAuthorization, "", "one token", |_| {
                    worded_lines(&[
                        ("a character", "Bearer {}"),
                        ("a character", "Bearer []"),
                        ("a character", "Bearer ${TOKEN}"),
                        ("more than one token", "Bearer [object Object]"),
                    ])
                }),
            ],
        ),
        row(
            "A17",
            "a token of a scheme that proves possession, where none is needed too",
            [
                refused_as(
                    MissingToken,
                    "header is",
                    "plain bearer token",
                    proofs_of_possession,
                ),
                refused_as(
                    MissingToken,
                    "header is",
                    "plain bearer token",
                    proofs_of_possession,
                )
                .through(EntraAuthLayer::optional),
            ],
        ),
        row(
            "A18",
            "paths that a rule of exclusion might take for others: there are no such rules",
            refused_as(MissingToken, "no Authorization", "Bearer", |_| {
                each(
                    [
                        "/health",
                        "/health/..;/orders",
                        "/health/../orders",
                        "//orders",
                        "/%6frders",
                        "/health%2f..%2forders",
                        "/ORDERS",
                        "/orders/.",
                        "/health;x=1",
                        "/health?x=/orders",
                        "/health#/orders",
                        "*",
                    ],
                    |target| request_for(target.split('#').next().unwrap()),
                )
            }),
        )
        .also(&[(
            "interop/test_routes.py",
            "test_no_spelling_of_a_path_gets_by_without_a_token",
        )]),
        row(
            "A19",
            "no token where none is needed",
            [
                anonymous(|_| {
                    let mut requests = lines(&["", "Basic YTpi", "Negotiate"]);
                    requests.extend(one(request_for("/")));
                    requests
                })
                .through(EntraAuthLayer::optional),
                refused_as(
                    MalformedAuthorization,
                    "the word Bearer",
                    "one token",
                    |_| lines(&["Bearer a b", "Bearer Bearer a", "Bearer, a"]),
                )
                .through(EntraAuthLayer::optional),
            ],
        ),
        row(
            "A20",
            "a bad token where none is needed",
            [
                refused_as(IssuerMismatch, "issuer.example", "authority", |issuer| {
                    let iss = "https://issuer.example/v2.0";
                    one(issuer.user().claim("iss", iss))
                })
                .through(EntraAuthLayer::optional),
                refused_as(Expired, "expired 36", "new token", |issuer| {
                    one(issuer.user().expired())
                })
                .through(EntraAuthLayer::optional),
                refused_as(MalformedToken, "dots in it: 0", "endpoint", |_| one("x"))
                    .through(EntraAuthLayer::optional),
                refused_as(MultipleCredentials, "there are 2", "gateway", |_| {
                    one(with_lines(&["Basic a", "Basic b"]).unwrap())
                })
                .through(EntraAuthLayer::optional),
            ],
        ),
        row(
            "A21",
            "any method is asked for a token, a preflight's included",
            refused_as(MissingToken, "no Authorization", "Bearer", |_| {
                let methods = [
                    Method::OPTIONS,
                    Method::HEAD,
                    Method::TRACE,
                    Method::CONNECT,
                ];
                each(methods, |method| {
                    let mut request = request_for("/orders");
                    *request.method_mut() = method.clone();
                    let origin = HeaderValue::from_static("https://evil.example");
                    request.headers_mut().insert("origin", origin);
                    request
                })
            }),
        ),
        row(
            "A22",
            "a thousand `Authorization` lines",
            refused_as(MultipleCredentials, "there are 1000", "gateway", |issuer| {
                let line = format!("Bearer {}", issuer.user().mint());
                one(with_lines(&vec![line; 1_000]).unwrap())
            }),
        ),
        row(
            "A23",
            "a header that says so much that it is no token at all",
            [
                refused_as(TokenTooLarge, "1000000 bytes", "max_token_size", |_| {
                    one("a".repeat(1_000_000))
                }),
                refused_as(MissingToken, "the scheme", "Bearer", |_| {
                    one(with_line("x".repeat(1_000_000)))
                }),
                refused_as(MissingToken, "nothing follows", "Bearer", |_| {
                    one(with_line(format!("Bearer{}", " ".repeat(1_000_000))))
                }),
            ],
        ),
        scene(
            "A24",
            "line ends and NUL in a header: HTTP has no such header values",
            |_| {
                for byte in [b'\r', b'\n', 0, 0x7f] {
                    let line = [b"Bearer a", &[byte][..], b"b"].concat();
                    assert!(HeaderValue::from_bytes(&line).is_err(), "{byte}");
                }
            },
        ),
    ]
}

/// `Authorization` lines, and words that the error of each holds.
fn worded_lines(lines: &[(&'static str, &str)]) -> Vec<Input> {
    worded(lines.iter().map(|(words, line)| (*words, with_line(line))))
}

fn lines(lines: &[&str]) -> Vec<Input> {
    each(lines, |line| with_line(line))
}

fn proofs_of_possession(issuer: &Issuer) -> Vec<Input> {
    let token = issuer.user().mint();
    let schemes = [
        ("DPoP", "DPoP"),
        ("DPoP", "dpop"),
        ("PoP", "PoP"),
        ("PoP", "pop"),
        ("PoP", "POP"),
    ];
    worded(schemes.map(|(name, scheme)| (name, with_line(format!("{scheme} {token}")))))
}

fn joined_credentials(issuer: &Issuer) -> Vec<Input> {
    let token = issuer.user().mint();
    lines(&[
        &format!("Negotiate abc, Bearer {token}"),
        &format!("Negotiate abc,Bearer {token}"),
        &format!("Negotiate abc ,\tbEARER {token}"),
        &format!("Negotiate abc,BEARER   {token}"),
        &format!("Basic YTpi, x, Bearer {token}"),
        &format!("Digest username=\"a, b\", Bearer {token}"),
        &format!("Digest username=\"a, Bearer {token}\""),
        &format!("AzureKey abc, Bearer {token}"),
        &format!("DPoP {token}, Bearer {token}"),
        &format!("PoP {token},bearer {token}"),
        "Negotiate abc, Bearer",
    ])
}

fn one_scheme() -> Vec<Input> {
    lines(&[
        "Negotiate abc",
        "Negotiate abc Bearer x",
        "Negotiate Bearer, abc",
        "Negotiate abc, x",
        "Negotiate abc, Beare r",
    ])
}

/// How Excel and Power Query ask where to sign in.
fn schemes_alone(_: &Issuer) -> Vec<Input> {
    lines(&["Bearer", "bearer", "BEARER", "Bearer ", "Bearer     "])
}

fn no_schemes(issuer: &Issuer) -> Vec<Input> {
    let token = issuer.user().mint();
    each(
        ["Bearer:", "Bearer=", "Bearer,", "\"Bearer\"", "(Bearer)"],
        |scheme| with_line(format!("{scheme} {token}")),
    )
}

fn form(target: &str, token: &str) -> Request<String> {
    Request::post(target)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("access_token={token}"))
        .unwrap()
}

fn bear(request: &mut Request<String>, token: &str) {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    request.headers_mut().insert(AUTHORIZATION, value);
}

fn two_lines_in_an_outage(issuer: &Issuer) {
    let kid = "unpublished";
    let unknown = issuer.user().header("kid", kid).mint();
    for broken in [Fault::Status(500), Fault::Hang, Fault::Close] {
        let settings = KeySettings::default().with_wait(50 * TICK);
        let builder = issuer.validator_builder().key_settings(settings);
        let validator = builder.build().unwrap();
        block_on(async {
            validator.ready().await;
            issuer.fail(broken);
            let before = issuer.fetches();
            let layer = EntraAuthLayer::new(validator.clone());
            let layer = layer.with_realm(REALM).unwrap();
            let line = format!("Bearer {unknown}");
            for _ in 0..3 {
                let request = with_lines(&[&line, &line]).unwrap();
                let answer = send(&layer, request).await;
                answer.is_refusal(MultipleCredentials);
            }
            tokio::time::sleep(20 * TICK).await;
            assert_eq!(issuer.fetches(), before);
            issuer.heal();
        });
    }
}
