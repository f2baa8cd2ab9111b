//! Check 9: the audience.

use serde_json::{Value, json};
use tower_entra::{
    ErrorKind::*,
    Tenants, Validator, ValidatorBuilder,
    testing::{Issuer, TokenBuilder},
};

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
            admitted_as(
                |caller| assert!(caller.audience().starts_with("api://")),
                |issuer| {
                    let good = issuer.audience();
                    each([json!(good), json!([good])], |aud| {
                        issuer.user().claim("aud", aud)
                    })
                },
            ),
        ),
        row(
            "G02",
            "no audience, or an empty one",
            [
                refused_as(AudienceMismatch, "", "names no audience", |issuer| {
                    worded([
                        ("is for \"\"", issuer.user().audience("")),
                        ("is for \"\"", issuer.user().claim("aud", [""])),
                        ("no aud", issuer.user().claim("aud", json!([]))),
                        ("no aud", issuer.user().without_claim("aud")),
                    ])
                }),
                refused_as(MalformedClaims, "instead of a string", "policy", |issuer| {
                    worded([
                        ("aud is null", issuer.user().claim("aud", json!(null))),
                        ("aud is an object", issuer.user().claim("aud", json!({}))),
                    ])
                }),
            ],
        ),
        row(
            "G04",
            "the client id for the App ID URI or the other way round: as configured, in both versions",
            [
                refused_as(AudienceMismatch, "is for", "both forms", |issuer| {
                    let guid = guid(issuer);
                    these([
                        ("v1", issuer.user().v1().audience(&guid)),
                        ("v2", issuer.user().audience(&guid)),
                    ])
                }),
                refused_as(AudienceMismatch, "is for", "both forms", |issuer| {
                    these([("v1", issuer.user().v1()), ("v2", issuer.user())])
                })
                .with(|issuer| for_audiences(issuer, &[&guid(issuer)])),
                refused_as(
                    AudienceMismatch,
                    r#"(version 1.0); this API accepts "a", "b""#,
                    ".default",
                    |issuer| one(issuer.user().v1().audience("api://x")),
                )
                .with(|issuer| for_audiences(issuer, &["a", "b"])),
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
            "an audience that means the same to some readers",
            [
                refused_as(AudienceMismatch, "is for", "slash", |issuer| {
                    let good = issuer.audience();
                    for_others(issuer, [format!("{good}/"), format!("{good}//")])
                }),
                refused_as(AudienceMismatch, "is for", "lower case", |issuer| {
                    let good = issuer.audience();
                    for_others(
                        issuer,
                        [
                            good.to_uppercase(),
                            good.replace("api://", "API://"),
                            format!("api://{}", guid(issuer).to_uppercase()),
                        ],
                    )
                }),
                refused_as(AudienceMismatch, "is for", ".default", |issuer| {
                    let good = issuer.audience();
                    for_others(
                        issuer,
                        [
                            good.replace("api://", "api:/"),
                            format!(" {good}"),
                            format!("{good} "),
                            format!("{good}\0"),
                            format!("{good}\n"),
                            format!("{good}#x"),
                            format!("{good}?x"),
                            good.replace('-', "%2d"),
                            good.replacen('a', "\u{430}", 1),
                        ],
                    )
                }),
            ],
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
                refused_as(AudienceMismatch, "and 496 more", ".default", |issuer| {
                    let others: Vec<Value> =
                        (0..500).map(|at| json!(format!("api://{at}"))).collect();
                    one(issuer.user().claim("aud", others))
                }),
            ],
        ),
        row(
            "G07",
            "a token for another: Graph, a token exchange, another API",
            [
                refused_as(AudienceMismatch, "is for", "Microsoft Graph", |issuer| {
                    for_others(
                        issuer,
                        [
                            "https://graph.microsoft.com",
                            "https://graph.microsoft.com/",
                            "00000003-0000-0000-c000-000000000000",
                        ],
                    )
                }),
                refused_as(AudienceMismatch, "is for", "Resource Manager", |issuer| {
                    for_others(
                        issuer,
                        [
                            "https://management.azure.com/",
                            "https://management.core.windows.net",
                        ],
                    )
                }),
                refused_as(AudienceMismatch, "is for", "leaked credential", |issuer| {
                    for_others(
                        issuer,
                        [
                            "api://AzureADTokenExchange",
                            "api://AzureADTokenExchangeUSGov",
                            "fb60f99c-7a34-4190-8149-302f77469936",
                        ],
                    )
                }),
                refused_as(AudienceMismatch, "is for", ".default", |issuer| {
                    for_others(
                        issuer,
                        [
                            "00000002-0000-0000-c000-000000000000",
                            OTHER_APP,
                            "api://other",
                            "*",
                            "api://*",
                        ],
                    )
                }),
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
            refused_as(AudienceMismatch, "is for", ".default", |issuer| {
                let good = issuer.audience();
                for_others(
                    issuer,
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
                )
            }),
        ),
        row(
            "G11",
            "ours in another claim than `aud`",
            [
                refused_as(AudienceMismatch, "api://other", ".default", |issuer| {
                    each(
                        ["azp_aud", "target", "resource", "client_id", "xms_aud_guid"],
                        |name| {
                            let token = issuer.user().claim(*name, issuer.audience());
                            token.audience("api://other")
                        },
                    )
                }),
                refused_as(MalformedClaims, "differs from", "policy", |issuer| {
                    one(issuer.user().claim("Aud", issuer.audience()))
                }),
            ],
        ),
        row(
            "G12",
            "a token for a token exchange is called a leak, whatever else is wrong with it",
            [
                refused_as(TenantNotAllowed, "tenant", "leaked credential", |issuer| {
                    one(leaked(issuer).tenant(OTHER_TENANT))
                }),
                refused_as(IssuerMismatch, "https://x", "leaked credential", |issuer| {
                    one(leaked(issuer).claim("iss", "https://x"))
                }),
                refused_as(
                    AudienceMismatch,
                    "TokenExchange",
                    "leaked credential",
                    |issuer| one(leaked(issuer).expired()),
                ),
                refused_as(
                    InvalidSignature,
                    "unverified",
                    "leaked credential",
                    |issuer| one(leaked(issuer).signed_by_stranger()),
                ),
                refused_as(UnknownKey, "TokenExchange", "leaked credential", |issuer| {
                    one(leaked(issuer).header("kid", "theirs"))
                }),
            ],
        ),
        row(
            "G13",
            "an ID token as it comes: for the client",
            refused_as(AudienceMismatch, "is for", "the ID token", |issuer| {
                one(issuer.id_token().audience(issuer.client_id()))
            }),
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

/// Users' tokens for these, each with the words in which its error shows it.
fn for_others<const N: usize>(issuer: &Issuer, audiences: [impl AsRef<str>; N]) -> Vec<Input> {
    worded(audiences.map(|aud| {
        let shown = format!("\"{}\"", aud.as_ref().escape_default());
        (shown, issuer.user().audience(aud.as_ref()))
    }))
}

/// What an agent's blueprint shows at the token endpoint.
fn leaked(issuer: &Issuer) -> TokenBuilder {
    let agent = issuer.autonomous_agent();
    agent.audience("api://AzureADTokenExchange")
}
