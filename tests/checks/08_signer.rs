//! Check 8: whether the key may sign for the token's issuer.

use serde_json::{Value, json};
use tower_entra::{
    Authority,
    ErrorKind::*,
    Tenants,
    testing::{Issuer, TokenBuilder},
};

use super::c07_provenance::{
    PUBLIC, US_GOVERNMENT, cloud, edited_cloud, us_government_cloud, v1_of, v2_of,
};

use super::parts::*;
use crate::support::*;

#[test]
fn a_key_may_sign_as_the_table_says() {
    prove(rows());
}

/// A tenant of GCC is one of the public cloud, with a sub-scope in its documents and tokens; one of GCC
/// High is in the cloud of the US Government.
#[test]
fn gcc_is_of_the_public_cloud_and_gcc_high_is_not() {
    let region = |token: TokenBuilder, scope: &str, sub_scope: &str| {
        let token = token.claim("tenant_region_scope", scope);
        token.claim("tenant_region_sub_scope", sub_scope).mint()
    };
    let gcc = region(v2_of(issuer(), PUBLIC), "NA", "GCC");
    let gcc_high = region(v2_of(issuer(), US_GOVERNMENT), "USGov", "DODCON");
    let of_gcc = edited_cloud(issuer(), Authority::public(), PUBLIC, PUBLIC, GCC);
    let of_gcc_high = edited_cloud(
        issuer(),
        Authority::us_government(),
        US_GOVERNMENT,
        US_GOVERNMENT,
        GCC_HIGH,
    );
    block_on(async {
        for (builder, own, other) in [(of_gcc, &gcc, &gcc_high), (of_gcc_high, &gcc_high, &gcc)] {
            let validator = builder.build().unwrap();
            assert_eq!(outcome(&validator, own).await, Ok(()));
            let refused = outcome(&validator, other).await;
            assert_eq!(refused, Err(IssuerMismatch));
        }
    });
}

const GCC: &[(&str, &str)] = &[(
    r#""tenant_region_scope":null"#,
    r#""tenant_region_scope":"NA","tenant_region_sub_scope":"GCC""#,
)];

const GCC_HIGH: &[(&str, &str)] = &[
    (
        r#""tenant_region_scope":null"#,
        r#""tenant_region_scope":"USGov","tenant_region_sub_scope":"DODCON""#,
    ),
    (r#""microsoftonline.com""#, r#""microsoftonline.us""#),
];

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "F19",
            "a key that is one tenant's alone: exactly that tenant's",
            [
                admitted(|issuer| one(personal_key(issuer).tenant(PERSONAL_TENANT)))
                    .with(any_tenant),
                refused_as(KeyNotForIssuer, "signs for", "another tenant", |issuer| {
                    these([
                        ("v2", personal_key(issuer)),
                        ("v1", personal_key(issuer).v1()),
                        ("another", personal_key(issuer).tenant(OTHER_TENANT)),
                    ])
                })
                .with(any_tenant),
                refused_as(KeyNotForIssuer, "signs for", "another tenant", |issuer| {
                    let personal = personal_issuer(issuer);
                    each(
                        [
                            personal.to_uppercase(),
                            format!("{personal}/"),
                            personal.replace("/v2.0", "/"),
                            personal.replace("/v2.0", ""),
                            personal[..personal.len() - 1].to_owned(),
                            format!(" {personal}"),
                            format!("{}/{{tid}}/v2.0", issuer.url()),
                            "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(),
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
                refused_as(KeyNotForIssuer, "signs for", "another tenant", |issuer| {
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
                refused_as(TenantNotAllowed, "personal", "school", |issuer| {
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
            [
                refused_as(
                    KeyNotForIssuer,
                    "of the cloud",
                    "danger_",
                    key_of_other_clouds,
                ),
                admitted(key_of_other_clouds).with(|issuer| {
                    issuer
                        .validator_builder()
                        .danger_accept_keys_of_other_clouds()
                }),
                admitted(|issuer| {
                    one(by_another_name(issuer, |jwk| {
                        jwk.as_object_mut().unwrap().remove("cloud_instance_name");
                    }))
                }),
            ],
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
                refused_as(KeyNotForIssuer, "microsoftonline.com", "issuer", |issuer| {
                    let v1 = format!("https://sts.windows.net/{}/", issuer.tenant_id());
                    one(v1_of(issuer, &v1))
                })
                .with(|issuer| cloud(issuer, Authority::us_government(), US_GOVERNMENT, PUBLIC)),
            ],
        ),
        row(
            "F32",
            "a key without an issuer, where the tenant is one and where there are several",
            [
                admitted(|issuer| one(key_without_issuer(issuer))),
                refused_as(KeyNotForIssuer, "names no issuer", "single", |issuer| {
                    one(key_without_issuer(issuer))
                })
                .with(any_tenant),
            ],
        ),
    ]
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

#[test]
fn of_a_key_for_another_issuer_in_the_same_cloud_no_cloud_is_named() {
    let issuer = Issuer::start_blocking();
    let other = json!(format!("{}/{OTHER_TENANT}/v2.0", issuer.url()));
    let token = key_of(&issuer, "issuer", other);
    let error = error_by(&issuer.validator(), &token.mint());
    assert_eq!(error.kind(), KeyNotForIssuer);
    assert!(!error.to_string().contains("cloud"), "{error}");
}

fn key_of_other_clouds(issuer: &Issuer) -> Vec<Input> {
    let clouds = ["microsoftonline.us", "partner.microsoftonline.cn", ""];
    worded(clouds.map(|cloud| {
        let token = key_of(issuer, "cloud_instance_name", json!(cloud));
        (format!("{cloud:?}"), token)
    }))
}
