//! F: version, issuer, tenant, and whose key it is.

use std::{error::Error as StdError, pin::Pin};

use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tower_entra::{
    Authority,
    ErrorKind::*,
    HttpClient, Tenants, TokenVersion, Validator, ValidatorBuilder,
    testing::{Issuer, TokenBuilder},
};

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
                refused(IssuerMismatch, |issuer| {
                    these([
                        ("v2 issuer, 1.0", issuer.user().claim("ver", "1.0")),
                        ("v1 issuer, 2.0", issuer.user().v1().claim("ver", "2.0")),
                    ])
                }),
                refused(UnsupportedVersion, |issuer| {
                    let odd = ["3.0", "2", "1", "2.00", "v2.0", "2.0 ", " 2.0", "2,0", ""];
                    let mut inputs = each(odd, |ver| issuer.user().claim("ver", *ver));
                    inputs.extend(one(issuer.user().without_claim("ver")));
                    inputs
                }),
                refused(MalformedClaims, |issuer| {
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
            [refused(IssuerMismatch, |issuer| {
                let good = issuer.v1_issuer();
                each(
                    [good.trim_end_matches('/').to_owned(), format!("{good}/")],
                    |iss| issuer.user().v1().claim("iss", iss),
                )
            })],
        ),
        row(
            "F04",
            "the v2 issuer with a slash at its end",
            [refused(IssuerMismatch, |issuer| {
                one(issuer
                    .user()
                    .claim("iss", format!("{}/", issuer.v2_issuer())))
            })],
        ),
        row(
            "F05",
            "an issuer that means the same to somebody",
            [refused(IssuerMismatch, |issuer| {
                let good = issuer.v2_issuer();
                let tid = issuer.tenant_id();
                let port = issuer.url().rsplit_once(':').unwrap().1.to_owned();
                each(
                    [
                        good.to_uppercase(),
                        good.replacen("http", "HTTP", 1),
                        good.replacen("http:", "https:", 1),
                        good.replace("127.0.0.1", "localhost"),
                        good.replace("127.0.0.1", "127.1"),
                        good.replace("127.0.0.1", "2130706433"),
                        good.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
                        good.replace(&port, &format!("0{port}")),
                        good.replace(tid, &tid.to_uppercase()),
                        good.replace("/v2.0", "//v2.0"),
                        good.replace("/v2.0", "/./v2.0"),
                        good.replace("/v2.0", "/x/../v2.0"),
                        good.replace("/v2.0", "/v2%2e0"),
                        good.replace("/v2.0", "/V2.0"),
                        good.replacen("://", "://user@", 1),
                        format!("{good}?x=1"),
                        format!("{good}#x"),
                        format!(" {good}"),
                        format!("{good} "),
                        format!("{good}\0"),
                        format!("{good}\n"),
                    ],
                    |iss| issuer.user().claim("iss", iss),
                )
            })],
        ),
        row(
            "F06",
            "one tenant in `iss` and another in `tid`, both allowed",
            [refused(IssuerMismatch, |issuer| {
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
            .with(two_tenants)],
        ),
        row(
            "F07",
            "no `tid`",
            [refused(InvalidTenant, |issuer| {
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
            })],
        ),
        row(
            "F08",
            "an issuer that has ours within it",
            [refused(IssuerMismatch, |issuer| {
                let good = issuer.v2_issuer();
                let tid = issuer.tenant_id();
                let url = issuer.url();
                each(
                    [
                        format!("https://evil.example/{good}"),
                        format!("https://evil.example/?{good}"),
                        format!("{url}.evil.example/{tid}/v2.0"),
                        format!("{url}@evil.example/{tid}/v2.0"),
                        format!("https://evil.example/{tid}/v2.0"),
                        format!("{url}/{OTHER_TENANT}/{tid}/v2.0"),
                        format!("{url}/{tid}/{tid}/v2.0"),
                        format!("{good}{good}"),
                        format!("{good},{good}"),
                        format!("{url}/{tid}{tid}/v2.0"),
                    ],
                    |iss| issuer.user().claim("iss", iss),
                )
            })],
        ),
        row(
            "F09",
            "the template itself, or a group of tenants, in the place of the tenant",
            [refused(IssuerMismatch, |issuer| {
                let good = issuer.v2_issuer();
                each(
                    [
                        "{tenantid}",
                        "{tid}",
                        "common",
                        "organizations",
                        "consumers",
                        "*",
                        "",
                    ],
                    |segment| {
                        issuer
                            .user()
                            .claim("iss", good.replace(issuer.tenant_id(), segment))
                    },
                )
            })
            .with(any_tenant)],
        ),
        row(
            "F10",
            "no `iss`, or one that is no text",
            [
                refused(IssuerMismatch, |issuer| {
                    one(issuer.user().without_claim("iss"))
                }),
                refused(MalformedClaims, |issuer| {
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
            [refused(IssuerMismatch, |issuer| {
                each(
                    [
                        "foo",
                        "",
                        " ",
                        "https://",
                        "://",
                        "urn:x",
                        "/",
                        "%",
                        "http://[::1",
                    ],
                    |iss| issuer.user().claim("iss", *iss),
                )
            })],
        ),
        row(
            "F12",
            "what a path or a query has, in the tenant's place, in both claims alike",
            [refused(InvalidTenant, |issuer| {
                each(
                    ["..", "../x", "x/y", "x?y", "x#y", "\0", "\r\n", "\"", "%00"],
                    |tid| issuer.user().tenant(tid),
                )
            })
            .with(any_tenant)],
        ),
        row(
            "F13",
            "a `tid` that is no GUID, in both claims alike",
            [refused(InvalidTenant, |issuer| {
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
            .with(any_tenant)],
        ),
        row(
            "F14",
            "a `tid` in upper or mixed case, alone or in `iss` too",
            [refused(InvalidTenant, |issuer| {
                let upper = issuer.tenant_id().to_uppercase();
                let mixed = format!("{}{}", &upper[..18], &issuer.tenant_id()[18..]);
                let mut inputs = each([&upper, &mixed], |tid| issuer.user().claim("tid", tid));
                inputs.extend(each([&upper, &mixed], |tid| issuer.user().tenant(tid)));
                inputs
            })
            .with(any_tenant)],
        ),
        row(
            "F15",
            "a `tid` that is no text: what stands in `iss` does not take its place",
            [refused(MalformedClaims, |issuer| {
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
            })],
        ),
        row(
            "F16",
            "a tenant that is not on the list: 401, and no fetch",
            [
                refused(TenantNotAllowed, |issuer| {
                    these([
                        ("v2", issuer.user().tenant(OTHER_TENANT)),
                        ("v1", issuer.user().v1().tenant(OTHER_TENANT)),
                        ("personal", issuer.user().tenant(PERSONAL_TENANT)),
                    ])
                }),
                refused(UnknownKey, |issuer| {
                    one(issuer.user().tenant(OTHER_TENANT).header("kid", "nobody"))
                }),
                refused(InvalidSignature, |issuer| {
                    one(issuer.user().tenant(OTHER_TENANT).signed_by_stranger())
                }),
                refused(TenantNotAllowed, |issuer| one(issuer.user())).with(|issuer| {
                    for_tenants(issuer, Tenants::list([OTHER_TENANT, PERSONAL_TENANT]))
                }),
            ],
        ),
        row(
            "F17",
            "personal accounts where any organization is admitted",
            [
                refused(TenantNotAllowed, |issuer| {
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
            "a `tid` of zeros, which is a GUID and nobody's",
            [refused(TenantNotAllowed, |issuer| {
                one(issuer.user().tenant("00000000-0000-0000-0000-000000000000"))
            })],
        ),
        row(
            "F19",
            "a key that is one tenant's alone: exactly that tenant's",
            [
                admitted(|issuer| one(personal_key(issuer).tenant(PERSONAL_TENANT)))
                    .with(any_tenant),
                refused(KeyNotForIssuer, |issuer| {
                    these([
                        ("v2", personal_key(issuer)),
                        ("v1", personal_key(issuer).v1()),
                        ("another", personal_key(issuer).tenant(OTHER_TENANT)),
                    ])
                })
                .with(any_tenant),
                refused(KeyNotForIssuer, |issuer| {
                    let personal = personal_issuer(issuer);
                    each(
                        [
                            personal.to_uppercase(),
                            format!("{personal}/"),
                            personal.replace("/v2.0", "/"),
                            personal.replace("/v2.0", ""),
                            personal[..personal.len() - 1].to_owned(),
                            format!(" {personal}"),
                        ],
                        |key_issuer| {
                            let token = key_of(issuer, "issuer", json!(key_issuer));
                            token.tenant(PERSONAL_TENANT)
                        },
                    )
                })
                .with(any_tenant),
                // The other way about: a tenant of an organization and personal accounts.
                admitted(|issuer| {
                    these([
                        ("v2", one_tenants_key(issuer)),
                        ("v1", one_tenants_key(issuer).v1()),
                    ])
                })
                .with(any_tenant),
                refused(KeyNotForIssuer, |issuer| {
                    these([
                        ("v2", one_tenants_key(issuer).tenant(PERSONAL_TENANT)),
                        ("v1", one_tenants_key(issuer).v1().tenant(PERSONAL_TENANT)),
                    ])
                })
                .with(any_tenant),
                // The key of all tenants is theirs too, where they may come at all.
                admitted(|issuer| {
                    these([
                        ("v2", every_tenants_key(issuer).tenant(PERSONAL_TENANT)),
                        ("v1", every_tenants_key(issuer).v1().tenant(PERSONAL_TENANT)),
                    ])
                })
                .with(any_tenant),
                refused(TenantNotAllowed, |issuer| {
                    these([
                        ("one's", one_tenants_key(issuer).tenant(PERSONAL_TENANT)),
                        ("all's", every_tenants_key(issuer).tenant(PERSONAL_TENANT)),
                    ])
                })
                .with(|issuer| for_tenants(issuer, Tenants::any_organization())),
            ],
        ),
        row(
            "F20",
            "a key of another cloud under the public cloud's issuer",
            [refused(KeyNotForIssuer, |issuer| {
                each(
                    ["microsoftonline.us", "partner.microsoftonline.cn", ""],
                    |cloud| key_of(issuer, "cloud_instance_name", json!(cloud)),
                )
            })],
        ),
        row(
            "F21",
            "the issuer of one cloud where another is configured",
            [
                admitted(|issuer| {
                    let tid = issuer.tenant_id();
                    these([
                        ("v2", v2_of(issuer, PUBLIC)),
                        (
                            "v1",
                            v1_of(issuer, &format!("https://sts.windows.net/{tid}/")),
                        ),
                    ])
                })
                .with(public_cloud),
                refused(IssuerMismatch, |issuer| {
                    each(
                        [
                            US_GOVERNMENT,
                            CHINA,
                            "https://login.microsoftonline.de",
                            "https://login.chinacloudapi.cn",
                            "https://login.sovcloud-identity.fr",
                        ],
                        |authority| v2_of(issuer, authority),
                    )
                })
                .with(public_cloud),
                admitted(|issuer| one(v2_of(issuer, US_GOVERNMENT))).with(us_government_cloud),
                refused(IssuerMismatch, |issuer| {
                    each([PUBLIC, CHINA], |authority| v2_of(issuer, authority))
                })
                .with(us_government_cloud),
            ],
        ),
        row(
            "F22",
            "the v1 issuer of China, in the public cloud and in its own",
            [
                refused(IssuerMismatch, |issuer| {
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
                refused(IssuerMismatch, |issuer| {
                    let public = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    one(v1_of(issuer, &public))
                })
                .with(china_cloud),
            ],
        ),
        row(
            "F23",
            "other names of the public cloud's hosts",
            [refused(IssuerMismatch, |issuer| {
                each(
                    [
                        "https://login.windows.net",
                        "https://login.microsoft.com",
                        "https://sts.windows.net",
                        "https://sts.microsoftonline.com",
                        "https://login.microsoftonline.com.",
                        "https://login.microsoftonline.com:443",
                        "https://LOGIN.microsoftonline.com",
                        "http://login.microsoftonline.com",
                        "https://login-microsoftonline.com",
                        "https://login.microsoftonline.com.evil.example",
                        "https://login.m\u{456}crosoftonline.com",
                    ],
                    |authority| v2_of(issuer, authority),
                )
            })
            .with(public_cloud)],
        ),
        row(
            "F24",
            "the v1 issuer that the US Government cloud shares, by a key of the other cloud",
            [
                admitted(|issuer| {
                    let v1 = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    one(v1_of(issuer, &v1))
                })
                .with(us_government_cloud),
                refused(KeyNotForIssuer, |issuer| {
                    let v1 = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    one(v1_of(issuer, &v1))
                })
                .with(|issuer| cloud(issuer, Authority::us_government(), US_GOVERNMENT, PUBLIC)),
            ],
        ),
        row(
            "F25",
            "a v1 token where the authority has no v1 issuer",
            [refused(IssuerMismatch, |issuer| {
                let tid = issuer.tenant_id();
                let url = issuer.url();
                each(
                    [
                        issuer.v1_issuer(),
                        issuer.v2_issuer(),
                        format!("https://sts.windows.net/{tid}/"),
                        format!("{url}/{tid}"),
                    ],
                    |iss| issuer.user().v1().claim("iss", iss),
                )
            })
            .with(|issuer| {
                let authority = Authority::insecure_loopback(issuer.url());
                issuer.validator_builder().authority(authority)
            })],
        ),
        row(
            "F26",
            "Azure AD B2C, which is not served: neither without `tid` nor with its slash",
            [
                admitted(|issuer| one(of_b2c(issuer))),
                refused(InvalidTenant, |issuer| {
                    let iss = format!("{}/", issuer.v2_issuer());
                    let without = || of_b2c(issuer).without_claim("tid");
                    these([
                        ("no tid", without()),
                        ("no tid, and a slash", without().claim("iss", iss)),
                    ])
                }),
                refused(IssuerMismatch, |issuer| {
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
                refused(IssuerMismatch, |issuer| {
                    let tid = issuer.tenant_id();
                    let (ours, other) = (external_id(tid), external_id(OTHER_TENANT));
                    let mut inputs = each(
                        [
                            format!("{other}/{tid}/v2.0"),
                            format!("{ours}/{OTHER_TENANT}/v2.0"),
                            format!("{other}/{OTHER_TENANT}/v2.0"),
                            format!("https://contoso.ciamlogin.com/{tid}/v2.0"),
                            format!("https://ciamlogin.com/{tid}/v2.0"),
                        ],
                        |iss| issuer.user().claim("iss", iss),
                    );
                    inputs.extend(one(v2_of(issuer, PUBLIC)));
                    inputs
                })
                .with(external_id_cloud),
                refused(TenantNotAllowed, |issuer| {
                    let iss = format!("{}/{OTHER_TENANT}/v2.0", external_id(issuer.tenant_id()));
                    one(issuer.user().claim("tid", OTHER_TENANT).claim("iss", iss))
                })
                .with(external_id_cloud),
            ],
        ),
        row(
            "F28",
            "the issuer's own name for the claims, in another letter case",
            [refused(MalformedClaims, |issuer| {
                each(["ISS", "Iss", "TID", "VER"], |name| {
                    issuer.user().claim(*name, "x")
                })
            })],
        ),
        scene(
            "F29",
            "an issuer that nobody trusts, with a discovery document of its own: never asked",
            an_untrusted_issuer,
        ),
        row(
            "F30",
            "the issuer of version 1.1",
            [refused(IssuerMismatch, |issuer| {
                each(
                    ["/v1.1", "/v1.0", "/v2.1", "/v2", "/V2.0", "/v3.0", ""],
                    |version| {
                        let good = issuer.v2_issuer();
                        issuer.user().claim("iss", good.replace("/v2.0", version))
                    },
                )
            })],
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
                            ("idp", issuer.user().claim("idp", home)),
                            ("live.com", issuer.user().claim("idp", "live.com")),
                            ("xms_idrel", issuer.user().claim("xms_idrel", "5 8")),
                        ])
                    },
                ),
                admitted_as(
                    |caller| assert!(!caller.is_guest()),
                    |issuer| {
                        these([
                            ("acct", issuer.user().claim("acct", 0)),
                            ("idp", issuer.user().claim("idp", issuer.v2_issuer())),
                            ("idp of v1", issuer.user().claim("idp", issuer.v1_issuer())),
                            ("nothing", issuer.user().without_facets()),
                        ])
                    },
                ),
            ],
        ),
        row(
            "F32",
            "a key without an issuer, where the tenant is one and where there are several",
            [
                admitted(|issuer| one(key_without_issuer(issuer))),
                refused(KeyNotForIssuer, |issuer| one(key_without_issuer(issuer))).with(any_tenant),
            ],
        ),
    ]
}

fn for_tenants(issuer: &Issuer, tenants: Tenants) -> ValidatorBuilder {
    Validator::builder(tenants, [issuer.audience()]).authority(issuer.authority())
}

fn two_tenants(issuer: &Issuer) -> ValidatorBuilder {
    for_tenants(issuer, Tenants::list([issuer.tenant_id(), OTHER_TENANT]))
}

fn any_tenant(issuer: &Issuer) -> ValidatorBuilder {
    for_tenants(issuer, Tenants::any())
}

fn key_of(issuer: &Issuer, member: &str, value: Value) -> TokenBuilder {
    by_another_name(issuer, |jwk| jwk[member] = value)
}

fn key_without_issuer(issuer: &Issuer) -> TokenBuilder {
    by_another_name(issuer, |jwk| {
        jwk.as_object_mut().unwrap().remove("issuer");
    })
}

fn personal_issuer(issuer: &Issuer) -> String {
    format!("{}/{PERSONAL_TENANT}/v2.0", issuer.url())
}

fn personal_key(issuer: &Issuer) -> TokenBuilder {
    key_of(issuer, "issuer", json!(personal_issuer(issuer)))
}

fn one_tenants_key(issuer: &Issuer) -> TokenBuilder {
    key_of(issuer, "issuer", json!(issuer.v2_issuer()))
}

fn every_tenants_key(issuer: &Issuer) -> TokenBuilder {
    let template = format!("{}/{{tenantid}}/v2.0", issuer.url());
    key_of(issuer, "issuer", json!(template))
}

fn v2_of(issuer: &Issuer, authority: &str) -> TokenBuilder {
    let iss = format!("{authority}/{}/v2.0", issuer.tenant_id());
    issuer.user().claim("iss", iss)
}

fn v1_of(issuer: &Issuer, iss: &str) -> TokenBuilder {
    issuer.user().v1().claim("iss", iss)
}

fn v1_of_china(issuer: &Issuer) -> String {
    format!("https://sts.chinacloudapi.cn/{}/", issuer.tenant_id())
}

const PUBLIC: &str = "https://login.microsoftonline.com";
const US_GOVERNMENT: &str = "https://login.microsoftonline.us";
const CHINA: &str = "https://login.partner.microsoftonline.cn";

fn external_id(tid: &str) -> String {
    format!("https://{tid}.ciamlogin.com")
}

fn public_cloud(issuer: &Issuer) -> ValidatorBuilder {
    cloud(issuer, Authority::public(), PUBLIC, PUBLIC)
}

fn us_government_cloud(issuer: &Issuer) -> ValidatorBuilder {
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
fn cloud(issuer: &Issuer, authority: Authority, url: &str, keys_issuer: &str) -> ValidatorBuilder {
    let client = Cloud {
        issuer: issuer.clone(),
        url: url.to_owned(),
        keys_issuer: keys_issuer.to_owned(),
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
        Ok(Response::new(
            text.replace(&self.issuer.url(), url).into_bytes(),
        ))
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

/// A good token, but for what only tokens of Azure AD B2C have and nobody looks at.
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
