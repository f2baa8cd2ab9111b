//! G: the audience, and tokens that are no access tokens.

use serde_json::{Value, json};
use tower_entra::{ErrorKind::*, Tenants, Validator, ValidatorBuilder, testing::Issuer};

use crate::support::*;

#[test]
fn an_audience_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "G01",
            "the audience that is configured, as a text or as a list of one",
            [admitted_as(
                |caller| assert!(caller.audience().starts_with("api://")),
                |issuer| {
                    let good = issuer.audience();
                    each([json!(good), json!([good])], |aud| {
                        issuer.user().claim("aud", aud)
                    })
                },
            )],
        ),
        row(
            "G02",
            "no audience, or an empty one",
            [
                refused(AudienceMismatch, |issuer| {
                    let mut inputs = each([json!(""), json!([]), json!([""])], |aud| {
                        issuer.user().claim("aud", aud)
                    });
                    inputs.extend(one(issuer.user().without_claim("aud")));
                    inputs
                }),
                refused(MalformedClaims, |issuer| {
                    each([json!(null), json!({})], |aud| {
                        issuer.user().claim("aud", aud)
                    })
                }),
            ],
        ),
        row(
            "G03",
            "an audience that is no text, alone or beside the right one",
            [refused(MalformedClaims, |issuer| {
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
            })],
        ),
        row(
            "G04",
            "the client id for the App ID URI or the other way round: as configured, in both versions",
            [
                refused(AudienceMismatch, |issuer| {
                    let guid = guid(issuer);
                    these([
                        ("v1", issuer.user().v1().audience(&guid)),
                        ("v2", issuer.user().audience(&guid)),
                    ])
                }),
                refused(AudienceMismatch, |issuer| {
                    these([("v1", issuer.user().v1()), ("v2", issuer.user())])
                })
                .with(|issuer| for_audiences(issuer, &[&guid(issuer)])),
                admitted(|issuer| {
                    let guid = guid(issuer);
                    these([
                        ("v1", issuer.user().v1()),
                        ("v2", issuer.user()),
                        ("v1, client id", issuer.user().v1().audience(&guid)),
                        ("v2, client id", issuer.user().audience(&guid)),
                    ])
                })
                .with(|issuer| for_audiences(issuer, &[&guid(issuer), issuer.audience()])),
            ],
        ),
        row(
            "G05",
            "an audience that means the same to somebody",
            [refused(AudienceMismatch, |issuer| {
                let good = issuer.audience();
                each(
                    [
                        format!("{good}/"),
                        format!("{good}//"),
                        good.trim_end_matches('/').to_uppercase(),
                        good.replace("api://", "API://"),
                        good.replace("api://", "api:/"),
                        format!("api://{}", guid(issuer).to_uppercase()),
                        format!(" {good}"),
                        format!("{good} "),
                        format!("{good}\0"),
                        format!("{good}\n"),
                        format!("{good}#x"),
                        format!("{good}?x"),
                        good.replace('-', "%2d"),
                        good.replacen('a', "\u{430}", 1),
                    ],
                    |aud| issuer.user().audience(aud),
                )
            })],
        ),
        row(
            "G06",
            "ours among other audiences: admitted, and said by which",
            [
                admitted_as(
                    |caller| assert!(caller.audience().starts_with("api://3aa6c2f7")),
                    |issuer| {
                        let good = issuer.audience();
                        each(
                            [
                                json!([good, "api://other"]),
                                json!(["api://other", good]),
                                json!(["", good]),
                                json!([good, good]),
                            ],
                            |aud| issuer.user().claim("aud", aud),
                        )
                    },
                ),
                refused(AudienceMismatch, |issuer| {
                    let others: Vec<Value> =
                        (0..500).map(|at| json!(format!("api://{at}"))).collect();
                    one(issuer.user().claim("aud", others))
                }),
            ],
        ),
        row(
            "G07",
            "a token for somebody else: Graph, a token exchange, another API",
            [refused(AudienceMismatch, |issuer| {
                each(
                    [
                        "https://graph.microsoft.com",
                        "00000003-0000-0000-c000-000000000000",
                        "00000002-0000-0000-c000-000000000000",
                        "https://management.azure.com/",
                        "fb60f99c-7a34-4190-8149-302f77469936",
                        "api://AzureADTokenExchange",
                        OTHER_APP,
                        "api://other",
                        "*",
                        "api://*",
                    ],
                    |aud| issuer.user().audience(aud),
                )
            })],
        ),
        row(
            "G08",
            "an ID token whose audience is ours",
            [
                refused(IdToken, |issuer| {
                    let user = || issuer.user().without_claim("scp");
                    these([
                        ("an ID token", issuer.id_token()),
                        ("of v1", issuer.id_token().v1()),
                        ("nonce", user().claim("nonce", "x")),
                        ("at_hash", user().claim("at_hash", "x")),
                        ("c_hash", user().claim("c_hash", "x")),
                        ("with roles", user().claim("nonce", "x").roles(["Admin"])),
                        (
                            "an empty scope",
                            issuer.user().claim("nonce", "x").scope(" "),
                        ),
                        ("no client", user().without_claim("azp").roles(["Admin"])),
                    ])
                }),
                refused(IdToken, |issuer| {
                    these([("v2", issuer.id_token()), ("v1", issuer.id_token().v1())])
                })
                .by_acl(),
                admitted(|issuer| one(issuer.user().claim("nonce", "x"))),
            ],
        ),
        scene(
            "G09",
            "no audience in the configuration, or one that no token can have",
            |issuer| {
                let tenants = || Tenants::single(issuer.tenant_id());
                for audiences in [
                    &[][..],
                    &[""],
                    &[" "],
                    &["api://x", ""],
                    &["a b"],
                    &["a\"b"],
                    &["\u{e9}"],
                ] {
                    let error = Validator::builder(tenants(), audiences.iter().copied())
                        .authority(issuer.authority())
                        .build()
                        .unwrap_err();
                    assert_eq!(error.setting(), "audiences", "{audiences:?}");
                }
            },
        ),
        row(
            "G10",
            "a part of ours, or more than it",
            [refused(AudienceMismatch, |issuer| {
                let good = issuer.audience();
                each(
                    [
                        good[..good.len() - 1].to_owned(),
                        good[1..].to_owned(),
                        good[..6].to_owned(),
                        format!("{good}0"),
                        format!("{good}/orders"),
                        format!("{good}.evil.example"),
                        format!("x{good}"),
                        format!("{good},{good}"),
                        format!("{good} {good}"),
                        format!("[\"{good}\"]"),
                    ],
                    |aud| issuer.user().audience(aud),
                )
            })],
        ),
        row(
            "G11",
            "ours in another claim than `aud`",
            [
                refused(AudienceMismatch, |issuer| {
                    each(
                        ["azp_aud", "target", "resource", "client_id", "xms_aud_guid"],
                        |name| {
                            let token = issuer.user().claim(*name, issuer.audience());
                            token.audience("api://other")
                        },
                    )
                }),
                refused(MalformedClaims, |issuer| {
                    one(issuer.user().claim("Aud", issuer.audience()))
                }),
            ],
        ),
    ]
}

/// The client id that is in the audience.
fn guid(issuer: &Issuer) -> String {
    issuer.audience().trim_start_matches("api://").to_owned()
}

fn for_audiences(issuer: &Issuer, audiences: &[&str]) -> ValidatorBuilder {
    Validator::builder(
        Tenants::single(issuer.tenant_id()),
        audiences.iter().copied(),
    )
    .authority(issuer.authority())
}
