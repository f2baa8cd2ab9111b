//! What a reader of plain log lines finds, whatever a token holds.

use http::{Request, Response, header::AUTHORIZATION};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{EntraAuthLayer, Error, testing::TokenBuilder};

use crate::support::{OTHER_TENANT, block_on, issuer, logged, plain_line::fields};

fn send(layer: &EntraAuthLayer, token: &str) -> Response<String> {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Error>(Response::default()) });
    let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
    block_on(layer.layer(inner).oneshot(request.body(()).unwrap())).unwrap()
}

/// A token with this text in one place.
type Place = fn(TokenBuilder, &str) -> TokenBuilder;

const PLACES: &[Place] = &[
    |token, text| token.header("alg", text),
    |token, text| token.header("kid", text),
    |token, text| token.header("typ", text),
    |token, text| token.claim("aud", text),
    |token, text| token.claim("aud", text).signed_by_stranger(),
    |token, text| token.claim("iss", text),
    |token, text| token.claim("iss", text).header("kid", "unknown"),
    |token, text| token.claim("tid", text),
    |token, text| token.claim("ver", text),
    |token, text| token.claim("idtyp", text).without_claim("scp"),
    |token, text| token.claim("uti", text),
    |token, text| token.claim("idp", text).tenant(OTHER_TENANT),
    |token, text| token.claim("xms_act_fct", text),
    |token, text| token.claim(text, 1).claim("cnf", json!({})),
];

#[test]
fn no_text_of_a_token_adds_a_field_to_a_plain_line() {
    let layer = EntraAuthLayer::new(issuer().validator());
    let quiet = layer.clone().without_audit_log();
    for place in PLACES {
        for text in [
            "x code=ok tid=00000000-0000-0000-0000-000000000000 forged=1",
            "x\" code=\"ok\" forged=\"1",
            "x\\\" code=\"ok\" forged=\"1",
            "x\\",
            "\" ",
        ] {
            let token = place(issuer().user(), text).mint();
            for layer in [&layer, &quiet] {
                let (response, log) = logged(|| send(layer, &token));
                let error = response.extensions().get::<Error>();
                let code = error.map(|error| format!("{:?}", error.kind().as_str()));
                for line in log.lines().filter(|line| line.contains(" tower_entra")) {
                    let fields = fields(line);
                    let mut names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
                    names.sort_unstable();
                    let distinct = names.len();
                    names.dedup();
                    assert_eq!(names.len(), distinct, "{line}");
                    assert!(!names.contains(&"forged"), "{line}");
                    let found = fields.iter().find(|(name, _)| *name == "code");
                    let found = found.map(|(_, value)| (*value).to_owned());
                    assert!(found.is_none() || found == code, "{line}");
                }
            }
        }
    }
}
