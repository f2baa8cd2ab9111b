//! Check 7: version, tenant and issuer.

use std::{error::Error as StdError, pin::Pin};

use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tower_entra::{
    Authority,
    ErrorKind::*,
    HttpClient, Tenants, TokenVersion, Validator, ValidatorBuilder,
    testing::{Issuer, TokenBuilder},
};

use super::parts::*;
use crate::support::*;

#[test]
fn where_a_token_comes_from_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "F01",
            "the issuer of each version, in full",
            [
                admitted_as(
                    |caller| assert_eq!(caller.token_version(), TokenVersion::V2),
                    |issuer| one(issuer.user()),
                ),
                admitted_as(
                    |caller| assert_eq!(caller.token_version(), TokenVersion::V1),
                    |issuer| one(issuer.user().v1()),
                ),
            ],
        ),
        row(
            "F02",
            "`ver` that does not fit, is absent, or is no text",
            [
                refused_as(IssuerMismatch, "accepts", "the other", |issuer| {
                    these([
                        ("v2 issuer, 1.0", issuer.user().claim("ver", "1.0")),
                        ("v1 issuer, 2.0", issuer.user().v1().claim("ver", "2.0")),
                    ])
                }),
                refused_as(UnsupportedVersion, "", "AccessToken", |issuer| {
                    let odd = ["3.0", "2", "1", "2.00", "v2.0", "2.0 ", " 2.0", "2,0", ""];
                    let user = || issuer.user();
                    let mut inputs = worded(
                        odd.map(|ver| (format!("ver is {ver:?}"), user().claim("ver", ver))),
                    );
                    inputs.extend(worded([("there is no ver", user().without_claim("ver"))]));
                    inputs
                }),
                refused_as(MalformedClaims, "instead of a string", "policy", |issuer| {
                    let odd = [
                        json!(2),
                        json!(2.0),
                        json!(null),
                        json!(["2.0"]),
                        json!(true),
                    ];
                    each(odd, |ver| issuer.user().claim("ver", ver))
                }),
            ],
        ),
        row(
            "F03",
            "the v1 issuer without its slash, or with two",
            refused_as(IssuerMismatch, "(version 1.0)", "slash", |issuer| {
                let good = issuer.v1_issuer();
                each(
                    [good.trim_end_matches('/').to_owned(), format!("{good}/")],
                    |iss| issuer.user().v1().claim("iss", iss),
                )
            }),
        ),
        row(
            "F04",
            "the v2 issuer with a slash at its end",
            refused_as(IssuerMismatch, "(version 2.0)", "slash", |issuer| {
                one(issuer
                    .user()
                    .claim("iss", format!("{}/", issuer.v2_issuer())))
            }),
        ),
        row(
            "F05",
            "an issuer that means the same to some readers",
            [
                refused_as(IssuerMismatch, "accepts", "lower case", |issuer| {
                    let good = issuer.v2_issuer();
                    let tid = issuer.tenant_id();
                    worded_issuers(
                        issuer,
                        [
                            good.to_uppercase(),
                            good.replacen("http", "HTTP", 1),
                            good.replace(tid, &tid.to_uppercase()),
                            good.replace("/v2.0", "/V2.0"),
                        ],
                    )
                }),
                refused_as(IssuerMismatch, "accepts", "authority only if", |issuer| {
                    let good = issuer.v2_issuer();
                    let port = issuer.url().rsplit_once(':').unwrap().1.to_owned();
                    worded_issuers(
                        issuer,
                        [
                            good.replacen("http:", "https:", 1),
                            good.replace("127.0.0.1", "localhost"),
                            good.replace("127.0.0.1", "127.1"),
                            good.replace("127.0.0.1", "2130706433"),
                            good.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
                            good.replace(&port, &format!("0{port}")),
                            good.replacen("://", "://user@", 1),
                            format!(" {good}"),
                        ],
                    )
                }),
                refused_as(IssuerMismatch, "accepts", "", |issuer| {
                    let good = issuer.v2_issuer();
                    worded_issuers(
                        issuer,
                        [
                            good.replace("/v2.0", "//v2.0"),
                            good.replace("/v2.0", "/./v2.0"),
                            good.replace("/v2.0", "/x/../v2.0"),
                            good.replace("/v2.0", "/v2%2e0"),
                            format!("{good}?x=1"),
                            format!("{good}#x"),
                            format!("{good} "),
                            format!("{good}\0"),
                            format!("{good}\n"),
                        ],
                    )
                }),
            ],
        ),
        row(
            "F06",
            "one tenant in `iss` and another in `tid`, both allowed",
            [
                refused_as(IssuerMismatch, "accepts", "tid", |issuer| {
                    let other = issuer.url() + "/" + OTHER_TENANT;
                    these([
                        ("tid", issuer.user().claim("tid", OTHER_TENANT)),
                        ("iss", issuer.user().claim("iss", format!("{other}/v2.0"))),
                        ("tid of v1", issuer.user().v1().claim("tid", OTHER_TENANT)),
                        (
                            "iss of v1",
                            issuer.user().v1().claim("iss", format!("{other}/")),
                        ),
                    ])
                })
                .with(two_tenants),
                admitted(|issuer| one(issuer.user().tenant(OTHER_TENANT))).with(two_tenants),
            ],
        ),
        row(
            "F07",
            "no `tid`",
            refused_as(InvalidTenant, "there is no tid", "tid", |issuer| {
                these([
                    ("v2", issuer.user().without_claim("tid")),
                    ("v1", issuer.user().v1().without_claim("tid")),
                    (
                        "under another name",
                        issuer
                            .user()
                            .claim("tenant", issuer.tenant_id())
                            .without_claim("tid"),
                    ),
                ])
            }),
        ),
        row(
            "F08",
            "an issuer that has ours within it",
            [
                refused_as(IssuerMismatch, "accepts", "authority only if", |issuer| {
                    let good = issuer.v2_issuer();
                    let (tid, url) = (issuer.tenant_id(), issuer.url());
                    worded_issuers(
                        issuer,
                        [
                            format!("https://evil.example/{good}"),
                            format!("https://evil.example/?{good}"),
                            format!("{url}.evil.example/{tid}/v2.0"),
                            format!("{url}@evil.example/{tid}/v2.0"),
                            format!("https://evil.example/{tid}/v2.0"),
                        ],
                    )
                }),
                refused_as(IssuerMismatch, "accepts", "the one in tid", |issuer| {
                    let good = issuer.v2_issuer();
                    let (tid, url) = (issuer.tenant_id(), issuer.url());
                    let issuers = [
                        format!("{url}/{OTHER_TENANT}/{tid}/v2.0"),
                        format!("{url}/{tid}/{tid}/v2.0"),
                        format!("{good}{good}"),
                        format!("{good},{good}"),
                        format!("{url}/{tid}{tid}/v2.0"),
                    ];
                    each(issuers, |iss| issuer.user().claim("iss", iss))
                }),
            ],
        ),
        row(
            "F09",
            "the template itself, or a group of tenants, in the place of the tenant",
            [
                refused_as(IssuerMismatch, "accepts", "placeholder", |issuer| {
                    with_issuers_tenant(issuer, &["{tenantid}", "{tid}"])
                })
                .with(any_tenant),
                refused_as(IssuerMismatch, "accepts", "the one in tid", |issuer| {
                    let groups = ["common", "organizations", "consumers", "*", ""];
                    with_issuers_tenant(issuer, &groups)
                })
                .with(any_tenant),
            ],
        ),
        row(
            "F10",
            "no `iss`, or one that is no text",
            [
                refused_as(IssuerMismatch, "the token has no iss", "iss", |issuer| {
                    one(issuer.user().without_claim("iss"))
                }),
                refused_as(MalformedClaims, "instead of a string", "policy", |issuer| {
                    let good = issuer.v2_issuer();
                    each(
                        [
                            json!(null),
                            json!([good]),
                            json!([]),
                            json!({"iss": good}),
                            json!(1),
                            json!(true),
                        ],
                        |iss| issuer.user().claim("iss", iss),
                    )
                }),
            ],
        ),
        row(
            "F11",
            "an `iss` that is no URL",
            refused_as(IssuerMismatch, "is from", "only if", |issuer| {
                let odd = [
                    "foo",
                    "",
                    " ",
                    "https://",
                    "://",
                    "urn:x",
                    "/",
                    "%",
                    "http://[::1",
                ];
                worded_issuers(issuer, odd.map(str::to_owned))
            }),
        ),
        row(
            "F12",
            "what a path or a query has, in the tenant's place, in both claims alike",
            refused_as(InvalidTenant, "tid is \"", "GUID", |issuer| {
                each(
                    ["..", "../x", "x/y", "x?y", "x#y", "\0", "\r\n", "\"", "%00"],
                    |tid| issuer.user().tenant(tid),
                )
            })
            .with(any_tenant),
        ),
        row(
            "F13",
            "a `tid` that is no GUID, in both claims alike",
            refused_as(InvalidTenant, "tid is \"", "GUID", |issuer| {
                let tid = issuer.tenant_id().to_owned();
                let mut inputs = Vec::new();
                for odd in [
                    "{tenantid}".to_owned(),
                    "common".to_owned(),
                    "organizations".to_owned(),
                    "consumers".to_owned(),
                    "contoso.onmicrosoft.com".to_owned(),
                    String::new(),
                    " ".to_owned(),
                    format!("{{{tid}}}"),
                    format!("({tid})"),
                    format!("{tid} "),
                    format!(" {tid}"),
                    format!("{tid}\n"),
                    format!("{tid}/"),
                    tid.replace('-', ""),
                    tid.replace('-', "_"),
                    tid[..35].to_owned(),
                    format!("{tid}0"),
                    format!("urn:uuid:{tid}"),
                    tid.replacen(&tid[..1], "g", 1),
                    tid.replacen(&tid[..1], "\u{ff11}", 1),
                ] {
                    inputs.extend(these([
                        ("tid", issuer.user().claim("tid", &odd)),
                        ("tid and iss", issuer.user().tenant(&odd)),
                        ("tid and iss of v1", issuer.user().v1().tenant(&odd)),
                    ]));
                }
                inputs
            })
            .with(any_tenant),
        ),
        row(
            "F14",
            "a `tid` in upper or mixed case, alone or in `iss` too",
            [
                refused_as(InvalidTenant, "tid is \"", "lower case", |issuer| {
                    let upper = issuer.tenant_id().to_uppercase();
                    let mixed = format!("{}{}", &upper[..18], &issuer.tenant_id()[18..]);
                    let mut inputs = each([&upper, &mixed], |tid| issuer.user().claim("tid", tid));
                    inputs.extend(each([&upper, &mixed], |tid| issuer.user().tenant(tid)));
                    inputs
                })
                .with(any_tenant),
            ],
        ),
        row(
            "F16",
            "a tenant that is not on the list: 401, and no fetch",
            [
                refused_as(TenantNotAllowed, OTHER_TENANT, "only if", |issuer| {
                    these([
                        ("v2", issuer.user().tenant(OTHER_TENANT)),
                        ("v1", issuer.user().v1().tenant(OTHER_TENANT)),
                    ])
                }),
                refused_as(TenantNotAllowed, "is a guest", "invited", |issuer| {
                    one(issuer.user().tenant(OTHER_TENANT).claim("acct", 1))
                }),
                refused_as(TenantNotAllowed, PERSONAL_TENANT, "school", |issuer| {
                    one(issuer.user().tenant(PERSONAL_TENANT))
                }),
                refused_as(TenantNotAllowed, OTHER_TENANT, "common", |issuer| {
                    one(issuer.user())
                })
                .with(|issuer| for_tenants(issuer, Tenants::list([OTHER_TENANT, PERSONAL_TENANT]))),
                refused_as(UnknownKey, "of the tenant", "tenant", |issuer| {
                    one(issuer
                        .user()
                        .tenant(OTHER_TENANT)
                        .header("kid", "unpublished"))
                }),
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    one(issuer.user().tenant(OTHER_TENANT).signed_by_stranger())
                }),
            ],
        ),
        row(
            "F17",
            "personal accounts where any organization is admitted",
            [
                refused_as(TenantNotAllowed, "personal", "Tenants::any", |issuer| {
                    these([
                        ("v2", issuer.user().tenant(PERSONAL_TENANT)),
                        ("v1", issuer.user().v1().tenant(PERSONAL_TENANT)),
                    ])
                })
                .with(|issuer| for_tenants(issuer, Tenants::any_organization())),
                admitted(|issuer| one(issuer.user().tenant(OTHER_TENANT)))
                    .with(|issuer| for_tenants(issuer, Tenants::any_organization())),
                admitted(|issuer| one(issuer.user().tenant(PERSONAL_TENANT))).with(any_tenant),
            ],
        ),
        row(
            "F18",
            "a `tid` of zeros, which is a GUID and no tenant's",
            refused_as(TenantNotAllowed, "00000000-0000", "common", |issuer| {
                one(issuer.user().tenant("00000000-0000-0000-0000-000000000000"))
            }),
        ),
        row(
            "F21",
            "the issuer of one cloud where another is configured",
            [
                admitted(|issuer| {
                    let v1 = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    these([("v2", v2_of(issuer, PUBLIC)), ("v1", v1_of(issuer, &v1))])
                })
                .with(public_cloud),
                refused_as(IssuerMismatch, PUBLIC, "us_government", |issuer| {
                    each([US_GOVERNMENT, CHINA], |authority| v2_of(issuer, authority))
                })
                .with(public_cloud),
                refused_as(IssuerMismatch, PUBLIC, "authority", |issuer| {
                    let others = [
                        "https://login.microsoftonline.de",
                        "https://login.chinacloudapi.cn",
                        "https://login.sovcloud-identity.fr",
                    ];
                    each(others, |authority| v2_of(issuer, authority))
                })
                .with(public_cloud),
                admitted(|issuer| one(v2_of(issuer, US_GOVERNMENT))).with(us_government_cloud),
                refused_as(IssuerMismatch, US_GOVERNMENT, "us_government", |issuer| {
                    each([PUBLIC, CHINA], |authority| v2_of(issuer, authority))
                })
                .with(us_government_cloud),
            ],
        ),
        row(
            "F22",
            "the v1 issuer of China, in the public cloud and in its own",
            [
                refused_as(IssuerMismatch, "cloudapi", "Authority", |issuer| {
                    one(v1_of(issuer, &v1_of_china(issuer)))
                })
                .with(public_cloud),
                admitted(|issuer| {
                    these([
                        ("v1", v1_of(issuer, &v1_of_china(issuer))),
                        ("v2", v2_of(issuer, CHINA)),
                    ])
                })
                .with(china_cloud),
                refused_as(IssuerMismatch, "sts.windows.net", "Authority", |issuer| {
                    let public = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    one(v1_of(issuer, &public))
                })
                .with(china_cloud),
            ],
        ),
        row(
            "F23",
            "other names of the public cloud's hosts",
            [
                refused_as(IssuerMismatch, PUBLIC, "alias", |issuer| {
                    let aliases = ["https://login.windows.net", "https://login.microsoft.com"];
                    each(aliases, |authority| v2_of(issuer, authority))
                })
                .with(public_cloud),
                refused_as(IssuerMismatch, PUBLIC, "lower case", |issuer| {
                    one(v2_of(issuer, "https://LOGIN.microsoftonline.com"))
                })
                .with(public_cloud),
                refused_as(IssuerMismatch, PUBLIC, "authority", |issuer| {
                    let others = [
                        "https://sts.windows.net",
                        "https://sts.microsoftonline.com",
                        "https://login.microsoftonline.com.",
                        "https://login.microsoftonline.com:443",
                        "http://login.microsoftonline.com",
                        "https://login-microsoftonline.com",
                        "https://login.microsoftonline.com.evil.example",
                        "https://login.m\u{456}crosoftonline.com",
                    ];
                    each(others, |authority| v2_of(issuer, authority))
                })
                .with(public_cloud),
            ],
        ),
        row(
            "F25",
            "a v1 token where the authority has no v1 issuer",
            [
                refused_as(IssuerMismatch, "of version 1.0", "v1_issuer", |issuer| {
                    one(issuer.user().v1())
                })
                .with(without_v1_issuer),
                refused_as(IssuerMismatch, "of version 1.0", "Authority", |issuer| {
                    let iss = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    one(v1_of(issuer, &iss))
                })
                .with(without_v1_issuer),
                refused_as(IssuerMismatch, "of version 1.0", "only if", |issuer| {
                    one(v1_of(issuer, "https://idp.example/"))
                })
                .with(without_v1_issuer),
                refused_as(IssuerMismatch, "of version 1.0", "", |issuer| {
                    let bare = format!("{}/{}", issuer.url(), issuer.tenant_id());
                    each([issuer.v2_issuer(), bare], |iss| v1_of(issuer, iss))
                })
                .with(without_v1_issuer),
            ],
        ),
        row(
            "F26",
            "Azure AD B2C, which is not served: neither without `tid` nor with its slash",
            [
                admitted(|issuer| one(of_b2c(issuer))),
                refused_as(InvalidTenant, "there is no tid", "B2C", |issuer| {
                    let iss = format!("{}/", issuer.v2_issuer());
                    let without = || of_b2c(issuer).without_claim("tid");
                    these([
                        ("no tid", without()),
                        ("no tid, and a slash", without().claim("iss", iss)),
                    ])
                }),
                refused_as(IssuerMismatch, "accepts", "slash", |issuer| {
                    one(of_b2c(issuer).claim("iss", format!("{}/", issuer.v2_issuer())))
                }),
            ],
        ),
        row(
            "F27",
            "External ID with one tenant in the host and another in the path",
            [
                admitted(|issuer| one(v2_of(issuer, &external_id(issuer.tenant_id()))))
                    .with(external_id_cloud),
                refused_as(IssuerMismatch, "accepts", "authority only if", |issuer| {
                    let tid = issuer.tenant_id();
                    let other = external_id(OTHER_TENANT);
                    worded_issuers(
                        issuer,
                        [
                            format!("{other}/{tid}/v2.0"),
                            format!("{other}/{OTHER_TENANT}/v2.0"),
                            format!("https://contoso.ciamlogin.com/{tid}/v2.0"),
                            format!("https://ciamlogin.com/{tid}/v2.0"),
                        ],
                    )
                })
                .with(external_id_cloud),
                refused_as(IssuerMismatch, OTHER_TENANT, "the one in tid", |issuer| {
                    let ours = external_id(issuer.tenant_id());
                    one(issuer
                        .user()
                        .claim("iss", format!("{ours}/{OTHER_TENANT}/v2.0")))
                })
                .with(external_id_cloud),
                refused_as(IssuerMismatch, PUBLIC, "ciamlogin.com", |issuer| {
                    one(v2_of(issuer, PUBLIC))
                })
                .with(external_id_cloud),
                refused_as(TenantNotAllowed, OTHER_TENANT, "only if", |issuer| {
                    let iss = format!("{}/{OTHER_TENANT}/v2.0", external_id(issuer.tenant_id()));
                    one(issuer.user().claim("tid", OTHER_TENANT).claim("iss", iss))
                })
                .with(external_id_cloud),
            ],
        ),
        scene(
            "F29",
            "an issuer that is not trusted, with a discovery document of its own: never asked",
            an_untrusted_issuer,
        ),
        row(
            "F30",
            "the issuer of version 1.1",
            [
                refused_as(IssuerMismatch, "/v1.1", "v1.1", |issuer| {
                    with_issuers_version(issuer, &["/v1.1"])
                }),
                refused_as(IssuerMismatch, "/V2.0", "lower case", |issuer| {
                    with_issuers_version(issuer, &["/V2.0"])
                }),
                refused_as(IssuerMismatch, "accepts", "authority only if", |issuer| {
                    with_issuers_version(issuer, &["/v1.0", "/v2.1", "/v2", "/v3.0", ""])
                }),
            ],
        ),
        row(
            "F31",
            "a guest: admitted, and said to be one",
            [
                admitted_as(
                    |caller| assert!(caller.is_guest()),
                    |issuer| {
                        let home = format!("https://sts.windows.net/{OTHER_TENANT}/");
                        these([
                            ("acct", issuer.user().claim("acct", 1)),
                            (
                                "acct before a member's relationship",
                                related(issuer, "1").claim("acct", 1),
                            ),
                            ("a guest's relationship", related(issuer, "28 5")),
                            ("granular delegated admin", related(issuer, "11 2")),
                            ("a weak multitenant user", related(issuer, "29")),
                            ("delegated admin", related(issuer, "31")),
                            ("two relationships", related(issuer, "1 5")),
                            ("idp", unrelated(issuer).claim("idp", home)),
                            ("live.com", unrelated(issuer).claim("idp", "live.com")),
                            (
                                "idp, and a relationship that says nothing",
                                related(issuer, "15").claim("idp", "live.com"),
                            ),
                        ])
                    },
                ),
                admitted_as(
                    |caller| assert!(!caller.is_guest()),
                    |issuer| {
                        let own = |iss: String| unrelated(issuer).claim("idp", iss);
                        let foreign = |relationships| {
                            let home = format!("https://sts.windows.net/{OTHER_TENANT}/");
                            related(issuer, relationships).claim("idp", home)
                        };
                        these([
                            ("acct", issuer.user().claim("acct", 0)),
                            (
                                "acct before a guest's relationship and provider",
                                foreign("5").claim("acct", 0),
                            ),
                            ("a member's relationship", related(issuer, "1 15 25")),
                            ("a member's relationship before idp", foreign("27 2")),
                            (
                                "a synchronized member, by account",
                                foreign("27 2").claim("acct", 0),
                            ),
                            ("idp", own(issuer.v2_issuer())),
                            ("idp of v1", own(issuer.v1_issuer())),
                            ("nothing", issuer.user().without_facets()),
                        ])
                    },
                ),
            ],
        ),
        row(
            "F33",
            "an issuer of Entra that is another's: told apart by its host",
            [
                refused_as(
                    IssuerMismatch,
                    "microsoftonline.com",
                    "us_government",
                    |issuer| one(v2_of(issuer, PUBLIC)),
                ),
                refused_as(IssuerMismatch, "microsoftonline.cn", "china", |issuer| {
                    one(v2_of(issuer, CHINA))
                }),
                refused_as(IssuerMismatch, "ciamlogin.com", "::custom", |issuer| {
                    one(v2_of(issuer, &external_id(issuer.tenant_id())))
                }),
                refused_as(IssuerMismatch, "b2clogin.com", "B2C", |issuer| {
                    let iss = format!("https://contoso.b2clogin.com/{}/v2.0/", issuer.tenant_id());
                    one(issuer.user().claim("iss", iss))
                }),
            ],
        ),
    ]
}

/// Users of these issuers, each with the words in which its error shows it.
fn worded_issuers<const N: usize>(issuer: &Issuer, issuers: [String; N]) -> Vec<Input> {
    worded(issuers.map(|iss| {
        let shown = format!(
            "the token is from \"{}\" (version 2.0)",
            iss.escape_default()
        );
        (shown, issuer.user().claim("iss", iss))
    }))
}

fn with_issuers_tenant(issuer: &Issuer, tenants: &[&str]) -> Vec<Input> {
    each(tenants, |tenant| {
        let iss = issuer.v2_issuer().replace(issuer.tenant_id(), tenant);
        issuer.user().claim("iss", iss)
    })
}

fn with_issuers_version(issuer: &Issuer, versions: &[&str]) -> Vec<Input> {
    each(versions, |version| {
        let iss = issuer.v2_issuer().replace("/v2.0", version);
        issuer.user().claim("iss", iss)
    })
}

fn related(issuer: &Issuer, relationships: &str) -> TokenBuilder {
    issuer.user().claim("xms_idrel", relationships)
}

fn unrelated(issuer: &Issuer) -> TokenBuilder {
    issuer.user().without_claim("xms_idrel")
}

fn two_tenants(issuer: &Issuer) -> ValidatorBuilder {
    for_tenants(issuer, Tenants::list([issuer.tenant_id(), OTHER_TENANT]))
}

pub(super) fn v2_of(issuer: &Issuer, authority: &str) -> TokenBuilder {
    let iss = format!("{authority}/{}/v2.0", issuer.tenant_id());
    issuer.user().claim("iss", iss)
}

pub(super) fn v1_of(issuer: &Issuer, iss: &str) -> TokenBuilder {
    issuer.user().v1().claim("iss", iss)
}

fn v1_of_china(issuer: &Issuer) -> String {
    format!("https://sts.chinacloudapi.cn/{}/", issuer.tenant_id())
}

pub(super) const PUBLIC: &str = "https://login.microsoftonline.com";
pub(super) const US_GOVERNMENT: &str = "https://login.microsoftonline.us";
const CHINA: &str = "https://login.partner.microsoftonline.cn";

fn external_id(tid: &str) -> String {
    format!("https://{tid}.ciamlogin.com")
}

fn public_cloud(issuer: &Issuer) -> ValidatorBuilder {
    cloud(issuer, Authority::public(), PUBLIC, PUBLIC)
}

pub(super) fn us_government_cloud(issuer: &Issuer) -> ValidatorBuilder {
    cloud(
        issuer,
        Authority::us_government(),
        US_GOVERNMENT,
        US_GOVERNMENT,
    )
}

fn china_cloud(issuer: &Issuer) -> ValidatorBuilder {
    cloud(issuer, Authority::china(), CHINA, CHINA)
}

fn external_id_cloud(issuer: &Issuer) -> ValidatorBuilder {
    let url = external_id(issuer.tenant_id());
    let authority = Authority::custom("https://{tid}.ciamlogin.com");
    cloud(issuer, authority, &url, &url)
}

/// A validator for a real cloud, whose documents the issuer serves: nothing leaves the machine, and
/// fetches are counted as ever.
pub(super) fn cloud(
    issuer: &Issuer,
    authority: Authority,
    url: &str,
    keys_issuer: &str,
) -> ValidatorBuilder {
    edited_cloud(issuer, authority, url, keys_issuer, &[])
}

/// The same, with other texts in its documents.
pub(super) fn edited_cloud(
    issuer: &Issuer,
    authority: Authority,
    url: &str,
    keys_issuer: &str,
    edits: &'static [(&'static str, &'static str)],
) -> ValidatorBuilder {
    let client = Cloud {
        issuer: issuer.clone(),
        url: url.to_owned(),
        keys_issuer: keys_issuer.to_owned(),
        edits,
    };
    Validator::builder(Tenants::single(issuer.tenant_id()), [issuer.audience()])
        .authority(authority)
        .http_client(client)
}

#[derive(Clone)]
struct Cloud {
    issuer: Issuer,
    url: String,
    /// What stands in its keys for the issuer.
    keys_issuer: String,
    /// Texts of its discovery document and what replaces them, there and in its keys.
    edits: &'static [(&'static str, &'static str)],
}

impl Cloud {
    async fn answer(
        &self,
        uri: &Uri,
    ) -> Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>> {
        let path = uri.to_string();
        let path = path.strip_prefix(&self.url).expect("a URL of the cloud");
        let there = format!("{}{path}", self.issuer.url()).parse()?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
        let body = client.get(there).await?.into_body().collect().await?;
        let text = String::from_utf8(body.to_bytes().into())?;
        let is_discovery = path.ends_with("/openid-configuration");
        let url = if is_discovery {
            &self.url
        } else {
            &self.keys_issuer
        };
        let mut text = text.replace(&self.issuer.url(), url);
        for (from, to) in self.edits {
            assert!(!is_discovery || text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        Ok(Response::new(text.into_bytes()))
    }
}

impl HttpClient for Cloud {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let cloud = self.clone();
        Box::pin(async move { cloud.answer(request.uri()).await })
    }
}

/// A good token, but for what only tokens of Azure AD B2C have and no check reads.
fn of_b2c(issuer: &Issuer) -> TokenBuilder {
    issuer.user().claim("tfp", "B2C_1_sign_in")
}

fn an_untrusted_issuer(issuer: &Issuer) {
    let other = forger();
    let validator = issuer.validator();
    block_on(async {
        validator.ready().await;
        let before = issuer.fetches();
        for (token, kind) in [
            (other.user(), UnknownKey),
            (
                other.user().header("kid", issuer.current_kid()),
                InvalidSignature,
            ),
            (other.user().header("jku", other.url()), UnknownKey),
            (
                issuer.user().claim("iss", other.v2_issuer()),
                IssuerMismatch,
            ),
        ] {
            assert_eq!(outcome(&validator, &token.mint()).await, Err(kind));
        }
        tokio::time::sleep(20 * TICK).await;
        assert_eq!(issuer.fetches(), before);
    });
    assert_eq!(other.requests_seen(), [""; 0]);
}

#[test]
fn the_home_of_a_guest_is_shown_if_it_names_an_organization_and_no_person() {
    let home = |idp: &str| {
        let guest = issuer()
            .user()
            .tenant(OTHER_TENANT)
            .without_claim("xms_idrel")
            .claim("idp", idp);
        error_by(&issuer().validator(), &guest.mint()).to_string()
    };
    for (idp, shown) in [
        (
            "https://sts.windows.net/4f7d5b1a-8f41-44a5-92ac-15a7e0d2b3c6/",
            None,
        ),
        (
            "https://login.microsoftonline.com/4f7d5b1a-8f41-44a5-92ac-15a7e0d2b3c6/v2.0",
            None,
        ),
        ("4f7d5b1a-8f41-44a5-92ac-15a7e0d2b3c6", None),
        ("live.com", None),
        ("https://adfs.partner.example", None),
        ("https://sign-in.partner.example", None),
        // A path may be a person's name.
        ("https://idp.example/users/zoe", Some("https://idp.example")),
    ] {
        let shown = format!("(idp {:?}); this API", shown.unwrap_or(idp));
        assert!(home(idp).contains(&shown), "{}", home(idp));
        assert!(!home(idp).contains("zoe"), "{}", home(idp));
    }
    for idp in [
        "https://idp.example?login_hint=zoe",
        "zoe@contoso.example",
        "https://zoe@idp.example/",
        "https://idp.example:443/zoe",
        "https://zoe/",
        "https://zoe..example/",
        "https://.zoe/",
        "mail",
        "zoe.quimby",
        "Zoe Quimby",
        "zoe.\u{e9}.example",
        "live.com\r\nzoe",
        "..",
        "",
    ] {
        assert!(home(idp).contains("is a guest; this API"), "{}", home(idp));
        assert!(!home(idp).contains("zoe"), "{}", home(idp));
    }
    let long = home(&format!("https://{}example", "a.".repeat(500)));
    assert!(
        long.contains("(idp \"https://a.a.") && long.len() < 500,
        "{long}"
    );
    // Nor has a member of the tenant a home elsewhere.
    let member = issuer()
        .user()
        .tenant(OTHER_TENANT)
        .claim("acct", 0)
        .claim("idp", "live.com");
    let member = error_by(&issuer().validator(), &member.mint()).to_string();
    assert!(!member.contains("live.com"), "{member}");
    // The tenant itself is no home of a guest.
    let own = issuer()
        .v2_issuer()
        .replace(issuer().tenant_id(), OTHER_TENANT);
    let own = issuer()
        .user()
        .tenant(OTHER_TENANT)
        .claim("acct", 1)
        .claim("idp", own);
    let own = error_by(&issuer().validator(), &own.mint()).to_string();
    assert!(!own.contains("idp"), "{own}");
}

#[test]
fn a_list_of_tenants_is_not_advised_to_admit_personal_accounts() {
    let personal = issuer().user().tenant(PERSONAL_TENANT).mint();
    let error = error_by(&issuer().validator(), &personal);
    assert!(!error.hint().contains("Tenants::any"), "{}", error.hint());
}
