//! Check 13: a scope or a role.

use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, ErrorKind::*, PrincipalKind, testing::Issuer,
};

use crate::{caller, support::*};

#[test]
fn what_a_token_grants_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "H01",
            "neither a scope nor a role: 403, unless the API keeps a list of its own",
            [
                refused_as(NothingGranted, "app-only and", "24 h", |issuer| {
                    these([
                        ("an app", issuer.application().without_claim("roles")),
                        ("an agent", issuer.autonomous_agent().without_claim("roles")),
                        ("of v1", issuer.application().v1().without_claim("roles")),
                    ])
                }),
                refused_as(NothingGranted, "neither a scope", "consent", |issuer| {
                    one(issuer.user().without_claim("scp"))
                }),
                admitted(|issuer| one(issuer.user().without_claim("scp").roles(["Admin"]))),
                admitted(|issuer| {
                    these([
                        ("an app", issuer.application().without_claim("roles")),
                        ("a person", issuer.user().without_claim("scp")),
                        ("no scope in scp", issuer.user().scope("/ /")),
                        ("no role in roles", issuer.application().roles(["", " "])),
                    ])
                })
                .by_acl(),
            ],
        ),
        row(
            "H02",
            "scopes and roles that are there and empty",
            [
                refused_as(NothingGranted, "neither a scope", "consent", |issuer| {
                    each(["", " ", "/", " / ", "\t\n", "/ /"], |scp| {
                        issuer.user().scope(scp)
                    })
                }),
                refused_as(NothingGranted, "app-only and", "app role", |issuer| {
                    let roles = [json!([]), json!([""]), json!([" ", "\t"])];
                    each(roles, |roles| issuer.application().claim("roles", roles))
                }),
            ],
        ),
        row(
            "H03",
            "white space between scopes: of ASCII it parts them, beyond it is a part of one",
            [
                admitted_as(
                    |caller| assert!(caller.scopes().eq(["a", "b"]), "{caller:?}"),
                    |issuer| {
                        each(
                            ["a b", "a  b", " a b ", "a\tb", "a\r\nb", "\ta \t b"],
                            |scp| issuer.user().scope(scp),
                        )
                    },
                ),
                admitted_as(
                    |caller| {
                        let scopes: Vec<_> = caller.scopes().collect();
                        assert!(scopes[0].starts_with('a') && scopes[0].ends_with('b'));
                        assert_eq!(scopes[1..], ["c"]);
                    },
                    |issuer| {
                        each(
                            ["\u{a0}", "\u{85}", "\u{2028}", "\u{3000}", "\u{b}"],
                            |space| issuer.user().scope(&format!("a{space}b c")),
                        )
                    },
                ),
            ],
        ),
        row(
            "H05",
            "a scope that nearly is `/`, which grants nothing",
            admitted_as(
                |caller| assert_eq!(caller.scopes().count(), 1),
                |issuer| each(["//", ".", "-", "/a"], |scp| issuer.user().scope(scp)),
            ),
        ),
        row(
            "H06",
            "permissions under other names: not read",
            refused_as(NothingGranted, "app-only and", "app role", |issuer| {
                each(
                    [
                        "scope",
                        "scopes",
                        "role",
                        "permissions",
                        "wids",
                        "groups",
                        "amr",
                    ],
                    |name| {
                        let token = issuer.application().without_claim("roles");
                        token.claim(*name, ["Orders.Read.All"])
                    },
                )
            }),
        ),
        scene(
            "H07",
            "a scope that nearly is the one that a route asks for: 403",
            a_scope_is_compared_exactly,
        ),
        row(
            "H08",
            "a scope that has another within it, or a role of the same name",
            admitted_as(
                |caller| {
                    assert!(!caller.has_scope("Orders.Read"));
                    assert!(!caller.has_scope(""));
                    assert!(!caller.has_scope("Orders.Read.All Orders.Write"));
                },
                |issuer| {
                    these([
                        (
                            "longer",
                            issuer.user().scope("Orders.Read.All Orders.Write"),
                        ),
                        ("shorter", issuer.user().scope("Orders.Rea rders.Read")),
                        ("lower", issuer.user().scope("orders.read ORDERS.READ")),
                        ("commas", issuer.user().scope("Orders.Read,Orders.Write")),
                        ("a role", issuer.user().scope("a").roles(["Orders.Read"])),
                    ])
                },
            ),
        ),
        row(
            "H11",
            "an unknown `idtyp`: a kind that no rule admits",
            [
                admitted_as(
                    |caller| {
                        assert_eq!(caller.kind(), PrincipalKind::Unknown);
                        assert!(!caller.is_agent() && !caller.is_app_only());
                    },
                    |issuer| {
                        let odd = [
                            "agent", "device", "APP", "App", "User", "app ", "", "user,app",
                        ];
                        each(odd, |idtyp| {
                            let token = issuer.token().claim("idtyp", *idtyp);
                            token.claim("sub", issuer.object_id_of("alice"))
                        })
                    },
                ),
                refused_as(MalformedClaims, "instead of a string", "policy", |issuer| {
                    let odd = [
                        json!(null),
                        json!(["app"]),
                        json!(1),
                        json!({}),
                        json!(true),
                    ];
                    each(odd, |idtyp| issuer.user().claim("idtyp", idtyp))
                }),
            ],
        )
        .with(&[
            caller::requirement_table::every_requirement_answers_every_caller_as_the_table_says,
        ]),
        row(
            "H14",
            "roles are compared exactly, white space and all",
            admitted_as(
                |caller| {
                    assert!(!caller.has_role("Admin"));
                    assert!(caller.roles().count() > 0);
                },
                |issuer| {
                    each(
                        [
                            " Admin",
                            "Admin ",
                            "admin",
                            "ADMIN",
                            "Admin,Reader",
                            "Admins",
                        ],
                        |role| issuer.application().roles([*role]),
                    )
                },
            ),
        ),
        row(
            "H16",
            "a scope and roles in one token: a person's roles",
            admitted_as(
                |caller| {
                    assert_eq!(caller.kind(), PrincipalKind::User);
                    assert!(caller.has_scope("Orders.Read") && caller.has_role("Admin"));
                },
                |issuer| one(issuer.user().roles(["Admin"])),
            ),
        ),
        scene(
            "H18",
            "the name and the addresses of another person",
            names_identify_no_caller,
        ),
        row(
            "H19",
            "a good token of every scenario, in both versions, with facets and without",
            admitted(|issuer| {
                let scenarios = [
                    issuer.autonomous_agent(),
                    issuer.agent_on_behalf_of("alice"),
                    issuer.agent_user(),
                    issuer.user(),
                    issuer.application(),
                    issuer.token(),
                ];
                let mut inputs = each(0..6, |at| scenarios[*at].clone());
                inputs.extend(each(0..6, |at| scenarios[*at].clone().v1()));
                inputs.extend(each(0..6, |at| scenarios[*at].clone().without_facets()));
                inputs.extend(each(0..6, |at| {
                    scenarios[*at].clone().v1().without_facets()
                }));
                inputs
            }),
        ),
    ]
}

fn a_scope_is_compared_exactly(issuer: &Issuer) {
    let validator = issuer.validator();
    let layer = EntraAuthLayer::new(validator.clone())
        .with_realm(REALM)
        .unwrap();
    let inner = service_fn(|request: Request<String>| async move {
        let mut response = Response::new(String::new());
        let caller = request.extensions().get::<AgentPrincipal>().unwrap();
        if !caller.has_scope("Orders.Read") {
            let denial = Denial::new().with_scopes(["Orders.Read"]);
            response.extensions_mut().insert(denial);
        }
        Ok::<_, Error>(response)
    });
    let service = layer.layer(inner);
    block_on(async {
        validator.ready().await;
        for (scp, status) in [
            ("Orders.Read", 200),
            ("Orders.Write Orders.Read", 200),
            ("orders.read", 403),
            ("Orders.Read.All", 403),
            ("Orders", 403),
            ("Orders.Read,Orders.Write", 403),
            ("Orders.*", 403),
            ("Orders\u{2024}Read", 403),
            ("Orders.Read\u{a0}Orders.Write", 403),
            ("Orders.Write\u{3000}Orders.Read", 403),
        ] {
            let token = issuer.user().scope(scp).mint();
            let request = with_line(format!("Bearer {token}"));
            let response = service.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{scp}");
            if status == 403 {
                let challenge = response.headers()["www-authenticate"].to_str().unwrap();
                assert!(
                    challenge.contains("error=\"insufficient_scope\""),
                    "{challenge}"
                );
                assert!(challenge.ends_with("scope=\"Orders.Read\""), "{challenge}");
                assert_eq!(response.headers()["cache-control"], "no-store");
            }
        }
    });
}

fn names_identify_no_caller(issuer: &Issuer) {
    let validator = issuer.validator();
    block_on(async {
        let plain = validator.validate(&issuer.user().mint()).await.unwrap();
        let mut token = issuer.user();
        for name in [
            "email",
            "upn",
            "preferred_username",
            "unique_name",
            "name",
            "login_hint",
        ] {
            token = token.claim(name, "admin@contoso.example");
        }
        let caller = validator.validate(&token.mint()).await.unwrap();
        assert_eq!(caller.tenant_id(), plain.tenant_id());
        assert_eq!(caller.object_id(), plain.object_id());
        assert_eq!(caller.subject(), plain.subject());
        assert_eq!(caller.kind(), plain.kind());
        assert!(!format!("{caller:?}").contains("admin"));
    });
}

/// Two validators that share a cache: one admits what the other refuses.
#[test]
fn a_remembered_token_that_grants_nothing_is_refused_in_the_same_words() {
    let strict = issuer().validator_builder().token_cache(4).build().unwrap();
    let token = issuer().application().without_claim("roles").mint();
    let error = block_on(async {
        strict.ready().await;
        let lenient = strict.with_authorization_by_acl();
        lenient.validate(&token).await.unwrap();
        strict.validate(&token).await.unwrap_err()
    });
    assert_eq!(error.kind(), NothingGranted);
    assert!(error.to_string().contains("app-only and"), "{error}");
}
