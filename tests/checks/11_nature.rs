//! Check 11: an access token, no ID token, and without contradictions.

use serde_json::json;
use tower_entra::{ErrorKind::*, PrincipalKind};

use crate::support::*;

#[test]
fn an_access_token_is_known_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "G08",
            "an ID token whose audience is ours",
            [
                refused_as(IdToken, "only ID tokens", "the ID token", |issuer| {
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
                    ])
                }),
                refused_as(IdToken, "only ID tokens", "the ID token", |issuer| {
                    these([("v2", issuer.id_token()), ("v1", issuer.id_token().v1())])
                })
                .by_acl(),
                refused_as(IdToken, "neither azp nor appid", "the ID token", |issuer| {
                    let user = issuer.user().without_claim("scp").roles(["Admin"]);
                    one(user.without_claim("azp"))
                }),
                admitted(|issuer| one(issuer.user().claim("nonce", "x"))),
            ],
        ),
        row(
            "H09",
            "an app's token with a scope, or of an agent's user account",
            [
                refused_as(ContradictoryClaims, "", "claims-mapping", |issuer| {
                    let (app, agent) = (|| issuer.application(), || issuer.autonomous_agent());
                    worded([
                        ("there is a scope", app().scope("Orders.Read")),
                        ("there is a scope", app().v1().scope("Orders.Read")),
                        ("there is a scope", agent().scope("Orders.Read")),
                        ("there is a scope", issuer.user().claim("idtyp", "app")),
                        ("the subject is a user", app().claim("xms_sub_fct", "3 13")),
                        (
                            "the subject is a user",
                            agent().claim("xms_sub_fct", "11 13"),
                        ),
                        ("an agent acts", agent().claim("xms_sub_fct", "3 9")),
                        ("an agent acts", app().claim("xms_act_fct", "11")),
                    ])
                }),
                admitted_as(
                    |caller| assert_eq!(caller.kind(), PrincipalKind::Application),
                    |issuer| each(["", " ", "/"], |scp| issuer.application().scope(scp)),
                ),
                // A malformed facet claim counts as absent, and so contradicts nothing.
                admitted(|issuer| {
                    let agent = || issuer.autonomous_agent();
                    these([
                        ("malformed", agent().claim("xms_sub_fct", "13 x")),
                        ("absent", agent().without_claim("xms_sub_fct")),
                    ])
                }),
            ],
        ),
        row(
            "H10",
            "`azp` and `appid` that differ",
            [
                refused_as(ContradictoryClaims, "azp and appid", "policy", |issuer| {
                    these([
                        ("v2", issuer.user().claim("appid", OTHER_TENANT)),
                        ("v1", issuer.user().v1().claim("azp", OTHER_TENANT)),
                        (
                            "an agent's",
                            issuer.autonomous_agent().claim("appid", issuer.client_id()),
                        ),
                    ])
                }),
                admitted(|issuer| {
                    let client = issuer.client_id();
                    each([client.to_owned(), client.to_uppercase()], |appid| {
                        issuer.user().claim("appid", appid)
                    })
                }),
                refused_as(MalformedClaims, "instead of a GUID", "policy", |issuer| {
                    let odd = [json!(""), json!(null), json!(1), json!("app"), json!([])];
                    each(odd, |appid| issuer.user().claim("appid", appid))
                }),
            ],
        ),
        row(
            "H12",
            "no client in the token",
            [
                admitted_as(
                    |caller| {
                        assert_eq!(caller.kind(), PrincipalKind::User);
                        assert!(caller.client_id().is_none());
                    },
                    |issuer| {
                        these([
                            ("v2", issuer.user().without_claim("azp")),
                            ("v1", issuer.user().v1().without_claim("appid")),
                        ])
                    },
                ),
                // Without a scope, either, nothing says that it is an access token.
                refused_as(IdToken, "neither azp nor appid", "the ID token", |issuer| {
                    these([
                        ("an app", issuer.application().without_claim("azp")),
                        ("of v1", issuer.application().v1().without_claim("appid")),
                        ("an agent", issuer.autonomous_agent().without_claim("azp")),
                    ])
                }),
            ],
        ),
        row(
            "I22",
            "an agent that is its own subject and acts for another at once",
            refused_as(ContradictoryClaims, "", "claims-mapping", |issuer| {
                let agent = || issuer.autonomous_agent();
                let obo = issuer.agent_on_behalf_of("alice");
                worded([
                    ("idtyp says user", agent().claim("idtyp", "user")),
                    (
                        "there is a scope",
                        agent().without_claim("idtyp").scope("a"),
                    ),
                    ("idtyp says user", obo.claim("xms_sub_fct", "3 11")),
                ])
            }),
        ),
    ]
}
