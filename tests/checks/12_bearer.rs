//! Check 12: a token that is good for every bearer.

use serde_json::json;
use tower_entra::ErrorKind::*;

use crate::support::*;

#[test]
fn a_token_is_for_its_bearer_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![row(
        "H15",
        "a token that is bound to its sender's key, as a bearer token",
        [
            refused_as(SenderConstrained, "constrained", "possession", |issuer| {
                each(
                    [
                        json!({}),
                        json!({"jkt": "x"}),
                        json!({"x5t#S256": "x"}),
                        json!({"kid": "x"}),
                        json!({"jwk": {"kty": "RSA"}}),
                    ],
                    |cnf| issuer.user().claim("cnf", cnf),
                )
            }),
            refused_as(
                MalformedClaims,
                "instead of an object",
                "policy",
                |issuer| {
                    let odd = [json!(null), json!("x"), json!(false), json!([]), json!(0)];
                    each(odd, |cnf| issuer.user().claim("cnf", cnf))
                },
            ),
        ],
    )]
}
