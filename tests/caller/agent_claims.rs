//! I: the claims of Entra Agent ID.

use serde_json::{Value, json};
use tower_entra::{
    AgentPrincipal, AgentStatus, DenialReason, ErrorKind::*, Facet, PrincipalKind, Requirement,
    Tenants, Validator, ValidatorBuilder, testing::Issuer,
};

use crate::support::*;

#[test]
fn the_caller_is_recognized_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "I01",
            "facets in any order, repeated, with noise and white space between them: one set",
            [admitted_as(
                |caller| {
                    let facets = caller.actor_facets().unwrap();
                    let facets: Vec<u32> = facets.iter().map(Facet::value).collect();
                    assert_eq!(facets, [3, 9, 11]);
                    assert_eq!(caller.kind(), PrincipalKind::AgentOnBehalfOfUser);
                },
                |issuer| {
                    each(
                        [
                            "3 11 9",
                            "11 9 3",
                            "9 3 11",
                            "  3\t11 \n 9 ",
                            "3 3 9 11 11",
                            "2 3 4 9 10 11 12 14",
                            "03 0011 9",
                        ],
                        |facets| obo(issuer, facets),
                    )
                },
            )],
        ),
        row(
            "I02",
            "a subject with 13 is an agent's user account, whatever else it is",
            [admitted_as(is_agent_user, |issuer| {
                let facets = [
                    "13",
                    "3 13",
                    "11 13",
                    "13 3",
                    "13 2",
                    // As in the tests of Microsoft.Identity.Web's `IsAgentUserIdentity`.
                    "1 2 13 15",
                    "   9   13   21  ",
                ];
                each(facets, |facets| {
                    issuer.agent_user().claim("xms_sub_fct", *facets)
                })
            })],
        ),
        row(
            "I03",
            "a subject with 13 whose actor is an ordinary client, or says nothing",
            [admitted_as(is_agent_user, |issuer| {
                these([
                    ("ordinary", issuer.agent_user().claim("xms_act_fct", "3 9")),
                    ("nothing", issuer.agent_user().without_claim("xms_act_fct")),
                    ("malformed", issuer.agent_user().claim("xms_act_fct", "x")),
                    ("no idtyp", issuer.agent_user().without_claim("idtyp")),
                ])
            })],
        ),
        row(
            "I04",
            "one part that is no number: the whole claim counts as absent, and is flagged",
            [admitted_as(
                |caller| {
                    assert!(caller.subject_facets().is_none());
                    assert!(caller.malformed_claims().contains(&"xms_sub_fct"));
                    assert!(!caller.is_agent_user_identity());
                    assert_eq!(caller.kind(), PrincipalKind::AgentOnBehalfOfUser);
                },
                |issuer| {
                    each(
                        [
                            "13 x",
                            "x 13",
                            "12 a 13",
                            "13,",
                            "11,13",
                            "13;",
                            "0x13",
                            "13.0",
                            "1e1",
                            "13-",
                            "- 13",
                            "--13",
                            "\u{661}\u{663}",
                            "\u{ff11}\u{ff13}",
                            "13\0",
                            "1_3",
                            "",
                            " ",
                            "null",
                            "[13]",
                            "\"13\"",
                        ],
                        |facets| issuer.agent_user().claim("xms_sub_fct", *facets),
                    )
                },
            )],
        ),
        row(
            "I05",
            "numbers that have the digits of 13 or 11, or would wrap around to them",
            [
                admitted_as(is_no_agent_user, |issuer| {
                    each(
                        [
                            "113", "131", "113 131", "3 1 3", "1 3", "1 2 3 4", "130", "14", "12",
                            "-13", "3 -13",
                        ],
                        |facets| issuer.agent_user().claim("xms_sub_fct", *facets),
                    )
                }),
                admitted_as(is_no_agent_user, |issuer| {
                    each(
                        [
                            "4294967309",
                            "18446744073709551629",
                            "340282366920938463463374607431768211469",
                            "99999999999999999999999999999999999999999999",
                        ],
                        |facets| issuer.agent_user().claim("xms_sub_fct", *facets),
                    )
                }),
            ],
        ),
        row(
            "I06",
            "white space that is none, or none that is some: only ASCII parts numbers for sure",
            [admitted_as(
                |caller| {
                    // Whichever way it is read, it is read as a whole or not at all.
                    let is_void = caller.malformed_claims().contains(&"xms_act_fct");
                    let has_11 = caller
                        .actor_facets()
                        .is_some_and(|facets| facets.contains(Facet::AGENT_IDENTITY));
                    assert!(is_void != has_11);
                },
                |issuer| {
                    each(
                        [
                            "9\u{a0}11",
                            "9\u{2003}11",
                            "9\u{3000}11",
                            "9\u{200b}11",
                            "9\u{feff}11",
                        ],
                        |facets| obo(issuer, facets),
                    )
                },
            )],
        ),
        row(
            "I07",
            "facets as a list or as one number: read; as anything else: absent and flagged",
            [
                admitted_as(is_agent_user, |issuer| {
                    let read = [
                        json!(["13"]),
                        json!([13]),
                        json!(13),
                        json!(["3 13"]),
                        json!(["3", 13]),
                        json!([13, 13, 2]),
                        // An integer, and so Microsoft.Identity.Web reads it.
                        json!("+13"),
                    ];
                    each(read, |facets| {
                        issuer.agent_user().claim("xms_sub_fct", facets)
                    })
                }),
                admitted_as(
                    |caller| {
                        is_no_agent_user(caller);
                        assert!(caller.malformed_claims().contains(&"xms_sub_fct"));
                    },
                    |issuer| {
                        each(no_facets(), |facets| {
                            issuer.agent_user().claim("xms_sub_fct", facets)
                        })
                    },
                ),
            ],
        ),
        row(
            "I08",
            "no facets at all: nothing is attested, and the caller is no agent",
            [
                admitted_as(
                    |caller| is_unattested(caller, PrincipalKind::Application),
                    |issuer| {
                        these([
                            ("agent", issuer.autonomous_agent().without_facets()),
                            ("of v1", issuer.autonomous_agent().v1().without_facets()),
                            // Its subject is its object.
                            ("app", issuer.application().without_facets()),
                        ])
                    },
                ),
                admitted_as(
                    |caller| is_unattested(caller, PrincipalKind::User),
                    |issuer| {
                        let agent_for_alice = issuer.agent_on_behalf_of("alice");
                        these([
                            ("agent for a user", agent_for_alice.without_facets()),
                            ("agent's user", issuer.agent_user().without_facets()),
                            ("user", issuer.user().without_facets()),
                        ])
                    },
                ),
            ],
        ),
        row(
            "I09",
            "a hundred thousand facets",
            [
                admitted_as(
                    |caller| {
                        assert!(
                            caller
                                .actor_facets()
                                .unwrap()
                                .contains(Facet::AGENT_IDENTITY)
                        );
                    },
                    |issuer| {
                        let many = |facets: &mut dyn Iterator<Item = u32>| {
                            let facets: Vec<_> = facets.map(|facet| facet.to_string()).collect();
                            facets.join(" ")
                        };
                        let odd = || (1..200_000).step_by(2);
                        let facets = [
                            many(&mut (0..100_000)),
                            many(&mut odd()),
                            many(&mut odd().rev()),
                            "11 ".repeat(100_000),
                        ];
                        each(facets, |facets| obo(issuer, facets))
                    },
                )
                .with(|issuer| issuer.validator_builder().max_token_size(1024 * 1024))
                // The unit test has ten times as many, for which a search or an insertion among all
                // of them would take minutes.
                .within(5 * SECOND),
                refused(TokenTooLarge, |issuer| {
                    one(obo(issuer, &"11 ".repeat(100_000)))
                }),
                admitted(|issuer| one(obo(issuer, &"11 ".repeat(3_000)))),
            ],
        )
        .also(&[(
            "src/admit/facets.rs",
            "thousands_of_parts_are_read_in_no_time",
        )]),
        row(
            "I10",
            "relationships in every form that facets have",
            [
                admitted_as(
                    |caller| {
                        let relationships = caller.identity_relationships().unwrap();
                        let values: Vec<u32> =
                            relationships.iter().map(|one| one.value()).collect();
                        assert_eq!(values, [1, 7]);
                    },
                    |issuer| {
                        let read = [
                            json!("7 1"),
                            json!("1 7 32 7"),
                            json!(["1", 7]),
                            json!([7, 1]),
                        ];
                        each(read, |value| issuer.user().claim("xms_idrel", value))
                    },
                ),
                admitted_as(
                    |caller| {
                        assert!(caller.identity_relationships().is_none());
                        assert!(caller.malformed_claims().contains(&"xms_idrel"));
                    },
                    |issuer| each(no_facets(), |value| issuer.user().claim("xms_idrel", value)),
                ),
            ],
        ),
        row(
            "I11",
            "facets of the tenant: they make no caller an agent",
            [admitted_as(
                |caller| {
                    assert!(!caller.is_agent());
                    assert_eq!(caller.kind(), PrincipalKind::User);
                },
                |issuer| {
                    these([
                        ("beside facets", issuer.user().claim("xms_tnt_fct", "11 13")),
                        (
                            "alone",
                            issuer.user().without_facets().claim("xms_tnt_fct", "11 13"),
                        ),
                    ])
                },
            )],
        ),
        row(
            "I12",
            "a blueprint without facets: shown in the audit log, and the caller is no agent",
            [admitted_as(
                |caller| {
                    let blueprint = caller.parent_agent_blueprint().unwrap();
                    assert_eq!(blueprint.as_str(), OTHER_APP);
                    assert!(!caller.is_agent());
                    assert_eq!(caller.agent_status(), AgentStatus::Unattested);
                },
                |issuer| {
                    let scenarios = [
                        ("agent", issuer.autonomous_agent()),
                        ("user", issuer.user()),
                        ("app", issuer.application()),
                    ];
                    these(scenarios.map(|(name, token)| {
                        let token = token.without_facets();
                        (name, token.claim("xms_par_app_azp", OTHER_APP))
                    }))
                },
            )],
        ),
        row(
            "I13",
            "a blueprint that is no GUID: absent, and flagged",
            [admitted_as(
                |caller| {
                    assert!(caller.parent_agent_blueprint().is_none());
                    assert_eq!(caller.malformed_claims(), ["xms_par_app_azp"]);
                    assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
                },
                |issuer| {
                    each(
                        [
                            json!(""),
                            json!("blueprint"),
                            json!("*"),
                            json!(1),
                            json!(null),
                            json!([issuer.blueprint_id()]),
                            json!({}),
                        ],
                        |value| issuer.autonomous_agent().claim("xms_par_app_azp", value),
                    )
                },
            )],
        ),
        row(
            "I14",
            "a listed agent without facets: declared, in its own tenant only",
            [
                admitted_as(
                    |caller| {
                        assert_eq!(caller.agent_status(), AgentStatus::Declared);
                        assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
                    },
                    |issuer| one(issuer.autonomous_agent().without_facets()),
                )
                .with(with_known_agent),
                admitted_as(
                    |caller| is_unattested(caller, PrincipalKind::Application),
                    |issuer| {
                        let elsewhere = issuer.autonomous_agent().without_facets();
                        let other = || issuer.application().without_facets();
                        let object = issuer.agent_id();
                        these([
                            ("another tenant", elsewhere.tenant(OTHER_TENANT)),
                            ("another client", other()),
                            ("as the object", other().claim("oid", object)),
                        ])
                    },
                )
                .with(with_known_agent),
            ],
        ),
        row(
            "I15",
            "facets that name no agent: the caller is known to be none, listed or not",
            [
                admitted_as(
                    |caller| assert_eq!(caller.agent_status(), AgentStatus::NotAgent),
                    |issuer| these([("user", issuer.user()), ("app", issuer.application())]),
                ),
                admitted_as(
                    |caller| is_unattested(caller, PrincipalKind::User),
                    |issuer| {
                        these([
                            ("no actor", issuer.user().without_claim("xms_act_fct")),
                            ("no subject", issuer.user().without_claim("xms_sub_fct")),
                            ("malformed", issuer.user().claim("xms_sub_fct", "3 x")),
                            ("blank", issuer.user().claim("xms_act_fct", " ")),
                        ])
                    },
                ),
            ],
        ),
        row(
            "I16",
            "an agent's user account, as seen in real tokens",
            [admitted_as(
                |caller| {
                    is_agent_user(caller);
                    assert!(caller.is_agent());
                    assert!(caller.has_scope("Orders.Read"));
                },
                |issuer| {
                    these([
                        ("v2", issuer.agent_user()),
                        ("v1", issuer.agent_user().v1()),
                    ])
                },
            )],
        ),
        row(
            "I17",
            "an autonomous agent, whose client is its object",
            [admitted_as(
                |caller| {
                    assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
                    assert_eq!(caller.agent_status(), AgentStatus::Attested);
                    let client = caller.client_id().unwrap().to_string();
                    assert_eq!(caller.object_id().unwrap().to_string(), client);
                },
                |issuer| {
                    these([
                        ("v2", issuer.autonomous_agent()),
                        ("v1", issuer.autonomous_agent().v1()),
                    ])
                },
            )],
        ),
        row(
            "I18",
            "an agent for a person: the object is the person, the client the agent",
            [admitted_as(
                |caller| {
                    assert_eq!(caller.kind(), PrincipalKind::AgentOnBehalfOfUser);
                    let client = caller.client_id().unwrap().to_string();
                    assert_ne!(caller.object_id().unwrap().to_string(), client);
                },
                |issuer| {
                    these([
                        ("v2", issuer.agent_on_behalf_of("alice")),
                        ("v1", issuer.agent_on_behalf_of("alice").v1()),
                        (
                            "no idtyp",
                            issuer.agent_on_behalf_of("alice").without_claim("idtyp"),
                        ),
                    ])
                },
            )],
        ),
        scene(
            "I19",
            "our agent's client id under another object: not the one listed by (`tid`, `oid`)",
            |issuer| {
                let ours = caller(issuer, &issuer.autonomous_agent().mint());
                let token = issuer.autonomous_agent().claim("oid", OTHER_APP);
                let other = caller(issuer, &token.mint());
                assert_eq!(ours.client_id(), other.client_id());
                only_the_first_is_listed(&ours, &other);
            },
        ),
        scene(
            "I20",
            "the same object in another tenant: not the one that is listed",
            |issuer| {
                let ours = caller(issuer, &issuer.autonomous_agent().mint());
                let token = issuer.autonomous_agent().tenant(OTHER_TENANT);
                let other = caller(issuer, &token.mint());
                assert_eq!(ours.object_id(), other.object_id());
                only_the_first_is_listed(&ours, &other);
            },
        ),
        row(
            "I21",
            "a `sub` that is no GUID: a path, a pseudonym, or any length",
            [admitted_as(
                |caller| assert!(caller.subject().is_some()),
                |issuer| {
                    let path =
                        "/eid1/c/pub/t/BuGQcNMaE0Obe3XMPldtQA/a/WGlsTXbW8EmBX2CPWqz9JA/agent";
                    let long = "s".repeat(4_000);
                    each(
                        [
                            path,
                            "hfYK80bj-y3zHAZuIUXn3ilzODGgDrb3qcNncf821e-",
                            "",
                            "/",
                            &long,
                        ],
                        |sub| issuer.user().claim("sub", *sub),
                    )
                },
            )],
        ),
        row(
            "I23",
            "claims that only inform, of the wrong type: absent and flagged, never refused",
            [admitted_as(
                |caller| assert_eq!(caller.malformed_claims().len(), 1, "{caller:?}"),
                |issuer| {
                    each(
                        [
                            ("groups", json!("a b")),
                            ("groups", json!([1])),
                            ("groups", json!({})),
                            ("acrs", json!(1)),
                            ("xms_cc", json!({"cp1": true})),
                            ("uti", json!(5)),
                            ("idp", json!([])),
                            ("acct", json!("1")),
                            ("azpacr", json!(2)),
                            ("xms_tnt_fct", json!({"11": 13})),
                        ],
                        |(name, value)| match (*name, value) {
                            // One text stands for a list of one.
                            ("groups", Value::String(_)) => {
                                issuer.user().claim("groups", json!(true))
                            }
                            (name, value) => issuer.user().claim(name, value),
                        },
                    )
                },
            )],
        ),
    ]
}

fn obo(issuer: &Issuer, facets: &str) -> tower_entra::testing::TokenBuilder {
    issuer
        .agent_on_behalf_of("alice")
        .claim("xms_act_fct", facets)
}

fn is_agent_user(caller: &AgentPrincipal) {
    assert_eq!(caller.kind(), PrincipalKind::AgentUser);
    assert!(caller.is_agent_user_identity());
    assert_eq!(caller.agent_status(), AgentStatus::Attested);
}

fn is_unattested(caller: &AgentPrincipal, kind: PrincipalKind) {
    assert_eq!(caller.kind(), kind);
    assert_eq!(caller.agent_status(), AgentStatus::Unattested);
    assert!(!caller.is_agent() && !caller.is_agent_user_identity());
}

fn is_no_agent_user(caller: &AgentPrincipal) {
    assert_ne!(caller.kind(), PrincipalKind::AgentUser);
    assert!(!caller.is_agent_user_identity());
}

/// Values that no set of facets has.
fn no_facets() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(13.5),
        json!({"13": 13}),
        json!([]),
        json!([null]),
        json!([[13]]),
        json!(["13", "x"]),
        json!([13, 1.5]),
        json!([""]),
        json!(u64::MAX),
    ]
}

fn with_known_agent(issuer: &Issuer) -> ValidatorBuilder {
    let tenants = Tenants::list([issuer.tenant_id(), OTHER_TENANT]);
    Validator::builder(tenants, [issuer.audience()])
        .authority(issuer.authority())
        .known_agents([(issuer.tenant_id(), issuer.agent_id())])
}

/// Where the one is listed as a principal, the other does not pass for it.
fn only_the_first_is_listed(one: &AgentPrincipal, other: &AgentPrincipal) {
    let (tenant, object) = (one.tenant_id(), one.object_id().unwrap());
    let listed = [(tenant.to_string(), object.to_string())];
    let requirement = Requirement::principals(listed).unwrap();
    requirement.check(one).unwrap();
    let denial = requirement.check(other).unwrap_err();
    assert_eq!(denial.reason(), DenialReason::UnlistedPrincipal);
}

fn caller(issuer: &Issuer, token: &str) -> AgentPrincipal {
    let tenants = Tenants::any_organization();
    let validator = Validator::builder(tenants, [issuer.audience()])
        .authority(issuer.authority())
        .build()
        .unwrap();
    block_on(async { validator.validate(token).await.unwrap() })
}
