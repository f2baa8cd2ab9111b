//! What the members of a token mean, in words.

use serde_json::Value;

pub(super) struct Meaning {
    pub(super) name: &'static str,
    text: &'static str,
    values: fn(&Value) -> String,
}

const fn plain(name: &'static str, text: &'static str) -> Meaning {
    let values = |_: &Value| String::new();
    Meaning { name, text, values }
}

const fn with(name: &'static str, text: &'static str, values: fn(&Value) -> String) -> Meaning {
    Meaning { name, text, values }
}

pub(super) fn meaning(known: &Meaning, value: &Value) -> String {
    match (known.values)(value) {
        values if values.is_empty() => known.text.to_owned(),
        values => format!("{}: {values}", known.text),
    }
}

fn credential(value: &Value) -> String {
    match value.as_str() {
        Some("0") => "not at all, a public client",
        Some("1") => "with a secret",
        Some("2") => "with a certificate or an assertion, as agents do",
        _ => "",
    }
    .to_owned()
}

fn identity(value: &Value) -> String {
    match value.as_str() {
        Some("app") => "an app or an agent, without a user",
        Some("user") => "a user has delegated",
        _ => "",
    }
    .to_owned()
}

fn facets(value: &Value) -> String {
    let numbers = numbers(value);
    let known = numbers.iter().filter_map(|number| match number {
        11 => Some("11 is an agent identity"),
        13 => Some("13 is the user account of an agent"),
        _ => None,
    });
    match known.collect::<Vec<_>>().join(", ") {
        known if known.is_empty() => "neither 11 nor 13, so no agent".to_owned(),
        known => known,
    }
}

fn relationships(value: &Value) -> String {
    let numbers = numbers(value);
    let known = numbers.iter().filter_map(|number| match number {
        1 => Some("1 is a member user"),
        5 => Some("5 is a guest user"),
        7 => Some("7 is a service principal"),
        9 => Some("9 is a device"),
        _ => None,
    });
    known.collect::<Vec<_>>().join(", ")
}

/// The look-alike writes integers with spaces between them.
fn numbers(value: &Value) -> Vec<u32> {
    let text = value.as_str().unwrap_or_default();
    let numbers = text.split_whitespace();
    numbers.filter_map(|number| number.parse().ok()).collect()
}

pub(super) const HEADER: &[Meaning] = &[
    plain("typ", "a JSON Web Token"),
    plain("alg", "the algorithm of the signature"),
    plain("kid", "the key that verifies the signature"),
];

pub(super) const CLAIMS: &[Meaning] = &[
    plain("aud", "the API it is for"),
    plain("iss", "who issued it"),
    plain("tid", "the tenant"),
    plain("ver", "the version"),
    plain("iat", "issued"),
    plain("nbf", "valid from"),
    plain("exp", "expires"),
    plain("azp", "the client; the agent, where one acts"),
    plain("appid", "the client; the agent, where one acts"),
    with("azpacr", "how the client proved itself", credential),
    with("appidacr", "how the client proved itself", credential),
    plain("oid", "the person, or the app or agent itself"),
    plain("sub", "the subject; a person's differs from API to API"),
    plain("name", "for display only"),
    plain("preferred_username", "for display only"),
    plain("unique_name", "for display only"),
    with("idtyp", "the kind of subject", identity),
    with("xms_act_fct", "facets of the actor", facets),
    with("xms_sub_fct", "facets of the subject", facets),
    plain("xms_tnt_fct", "facets of the tenant"),
    with("xms_idrel", "the subject in the tenant", relationships),
    plain("xms_par_app_azp", "the blueprint of the agent"),
    plain("xms_ficinfo", "only exchange tokens have it"),
    plain("scp", "the scopes that a user has delegated"),
    plain("roles", "the app roles of the caller"),
    plain("acrs", "authentication contexts that are satisfied"),
    plain("xms_cc", "cp1: the client can answer a claims challenge"),
    plain("uti", "the id of the token"),
];
