//! What tokens of the tables are made of.

use serde_json::{Value, json};
use tower_entra::{Authority, Tenants, Validator, ValidatorBuilder, testing::Issuer};

use crate::support::*;

pub(super) fn segments(issuer: &Issuer) -> [String; 3] {
    split(&issuer.user().mint())
}

pub(super) fn split(token: &str) -> [String; 3] {
    let segments: Vec<String> = token.split('.').map(str::to_owned).collect();
    segments.try_into().unwrap()
}

pub(super) fn header_text(issuer: &Issuer) -> String {
    let kid = issuer.current_kid();
    format!(r#"{{"typ":"JWT","alg":"RS256","kid":"{kid}"}}"#)
}

/// The claims of a good token as text, and these members at the end of it.
pub(super) fn payload_text(issuer: &Issuer, more: &str) -> String {
    payload_of(issuer, &(now() + 600).to_string(), more)
}

/// The claims of a good token, but for this text as its `exp`.
pub(super) fn payload_expiring(issuer: &Issuer, exp: &str) -> String {
    payload_of(issuer, exp, "")
}

pub(super) fn payload_of(issuer: &Issuer, exp: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#"{{"ver":"2.0","iss":"{}","tid":"{}","aud":"{}","exp":{exp},"azp":"{OTHER_APP}","scp":"Orders.Read"{comma}{more}}}"#,
        issuer.v2_issuer(),
        issuer.tenant_id(),
        issuer.audience(),
    )
}

/// The object with these members at its end.
pub(super) fn with_more(object: &str, more: &str) -> String {
    format!("{},{more}}}", object.strip_suffix('}').unwrap())
}

/// Values of every type but text, and what they are called.
pub(super) fn no_texts() -> Vec<(&'static str, Value)> {
    vec![
        ("null", json!(null)),
        ("a boolean", json!(true)),
        ("a number", json!(1)),
        ("a number", json!(0.5)),
        ("a list", json!([])),
        ("an object", json!({})),
    ]
}

/// Texts that are no object of JSON, and what they are called.
pub(super) const NO_OBJECTS: [(&str, &str); 9] = [
    ("a list", "[]"),
    ("a list", "[{}]"),
    ("a string", "\"x\""),
    ("a string", "\"{}\""),
    ("null", "null"),
    ("a boolean", "true"),
    ("a number", "1"),
    ("not JSON", "{"),
    ("not JSON", "{}{}"),
];

pub(super) fn for_tenants(issuer: &Issuer, tenants: Tenants) -> ValidatorBuilder {
    Validator::builder(tenants, [issuer.audience()]).authority(issuer.authority())
}

pub(super) fn any_tenant(issuer: &Issuer) -> ValidatorBuilder {
    for_tenants(issuer, Tenants::any())
}

/// Where the authority has no issuer of version 1.
pub(super) fn without_v1_issuer(issuer: &Issuer) -> ValidatorBuilder {
    let authority = Authority::insecure_loopback(issuer.url());
    issuer.validator_builder().authority(authority)
}

pub(super) fn roomy(issuer: &Issuer) -> ValidatorBuilder {
    issuer.validator_builder().max_token_size(1024 * 1024)
}
