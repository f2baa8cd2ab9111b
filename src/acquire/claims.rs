//! The `claims` of a request: what a challenge asks for, and what the client can do.
//!
//! [OpenID Connect Core, section 5.5](https://openid.net/specs/openid-connect-core-1_0.html#ClaimsParameter)
//! and [Microsoft's claims challenges](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge).

use serde_json::value::RawValue;

use crate::acquire::json::Object;

/// The longest claims that are read, in bytes of JSON.
pub(super) const MAX_CLAIMS: usize = 8 * 1024;

/// Claims that were read: one JSON object of at most 8 KiB, without a name twice, at most 32 deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims(Vec<(String, Node)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
    /// The JSON text of anything else.
    Leaf(String),
}

impl Claims {
    /// Reads the JSON text of a challenge.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_CLAIMS {
            return None;
        }
        Some(Self(members(&Object::parse(text)?)?))
    }

    /// `cp1`: the client answers claims challenges.
    pub(super) fn of_capabilities() -> Self {
        let list = Node::List(vec![Node::Leaf(format!("\"{ANSWERS_CHALLENGES}\""))]);
        let object = |name: &str, value| Node::Object(vec![(name.to_owned(), value)]);
        let claim = object("xms_cc", object("values", list));
        Self(vec![("access_token".to_owned(), claim)])
    }

    /// These claims with those of `others`: objects are merged, lists are joined without a repetition, and
    /// of two other values that of `others` stays. A member that is `null` asks for nothing of its own.
    #[must_use]
    pub(super) fn merged_with(mut self, others: Self) -> Self {
        merge(&mut self.0, others.0);
        self
    }

    /// Whether they ask for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JSON text, without white space.
    pub(super) fn to_json(&self) -> String {
        let mut json = String::new();
        write_object(&self.0, &mut json);
        json
    }
}

fn members(object: &Object<'_>) -> Option<Vec<(String, Node)>> {
    let read = |(name, value): (&str, _)| Some((name.to_owned(), node(value)?));
    object.members().map(read).collect()
}

/// As deep as the object was read, which is bounded.
fn node(value: &RawValue) -> Option<Node> {
    match value.get().as_bytes().first()? {
        b'{' => members(&Object::of(value)?).map(Node::Object),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            let items = items.into_iter().map(node);
            items.collect::<Option<_>>().map(Node::List)
        }
        _ => Some(Node::Leaf(value.get().to_owned())),
    }
}

fn merge(into: &mut Vec<(String, Node)>, from: Vec<(String, Node)>) {
    for (name, value) in from {
        match into.iter_mut().find(|(of, _)| *of == name) {
            Some((_, there)) => merge_node(there, value),
            None => into.push((name, value)),
        }
    }
}

fn merge_node(there: &mut Node, value: Node) {
    match (&mut *there, value) {
        (Node::Object(there), Node::Object(members)) => merge(there, members),
        (Node::List(there), Node::List(items)) => {
            for item in items {
                if !there.contains(&item) {
                    there.push(item);
                }
            }
        }
        (_, Node::Leaf(null)) if null == "null" => {}
        (_, value) => *there = value,
    }
}

fn write_object(members: &[(String, Node)], json: &mut String) {
    json.push('{');
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(&quoted(name));
        json.push(':');
        write_node(value, json);
    }
    json.push('}');
}

fn write_node(node: &Node, json: &mut String) {
    match node {
        Node::Object(members) => write_object(members, json),
        Node::List(items) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    json.push(',');
                }
                write_node(item, json);
            }
            json.push(']');
        }
        Node::Leaf(text) => json.push_str(text),
    }
}

fn quoted(name: &str) -> String {
    serde_json::to_string(name).expect("a text can be written as JSON")
}

/// The client capability of
/// [Microsoft's claims challenges](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge#client-capabilities).
const ANSWERS_CHALLENGES: &str = "cp1";

#[cfg(test)]
mod tests {
    use super::*;

    const CP1: &str = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;

    #[track_caller]
    fn merged(claims: &str) -> String {
        let claims = Claims::parse(claims).expect("claims");
        claims.merged_with(Claims::of_capabilities()).to_json()
    }

    #[test]
    fn capabilities_have_the_form_of_msal() {
        assert_eq!(Claims::of_capabilities().to_json(), CP1);
        assert_eq!(merged("{}"), CP1);
        assert!(Claims::parse(" { } ").expect("claims").is_empty());
    }

    #[test]
    fn capabilities_are_merged_with_a_challenge_at_every_level() {
        for (claims, expected) in [
            (
                r#"{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}"#,
                r#"{"access_token":{"nbf":{"essential":true,"value":"1702682181"},"xms_cc":{"values":["cp1"]}}}"#,
            ),
            (
                r#"{ "id_token" : null, "a\"b" : [ 1.0 , {"c":"d e"} ] }"#,
                r#"{"id_token":null,"a\"b":[1.0,{"c":"d e"}],"access_token":{"xms_cc":{"values":["cp1"]}}}"#,
            ),
            (
                r#"{"access_token":{"xms_cc":{"values":["cp2"]}}}"#,
                r#"{"access_token":{"xms_cc":{"values":["cp2","cp1"]}}}"#,
            ),
            (CP1, CP1),
            (r#"{"access_token":null}"#, CP1),
            (r#"{"access_token":{"xms_cc":null}}"#, CP1),
            (r#"{"access_token":{"xms_cc":{"values":"cp2"}}}"#, CP1),
        ] {
            assert_eq!(merged(claims), expected);
            assert!(Object::parse(expected).is_some());
        }
    }

    #[test]
    fn what_asks_for_nothing_takes_nothing_away() {
        let capabilities = Claims::of_capabilities();
        let null = Claims::parse(r#"{"access_token":null}"#).expect("claims");
        assert_eq!(capabilities.merged_with(null).to_json(), CP1);
    }

    #[test]
    fn of_two_values_that_cannot_be_merged_the_other_one_stays() {
        for (claims, others) in [
            (CP1, r#"{"access_token":7}"#),
            (CP1, r#"{"access_token":"null"}"#),
            (r#"{"access_token":1}"#, r#"{"access_token":2}"#),
            (r#"{"access_token":[1]}"#, r#"{"access_token":{"a":1}}"#),
        ] {
            let (claims, read) = (
                Claims::parse(claims).expect("claims"),
                Claims::parse(others),
            );
            assert_eq!(claims.merged_with(read.expect("claims")).to_json(), others);
        }
    }

    #[test]
    fn what_is_not_one_object_of_at_most_8_kib_is_refused() {
        let of = |length: usize| format!("{{\"a\":\"{}\"}}", "b".repeat(length - 8));
        assert!(Claims::parse(&of(MAX_CLAIMS)).is_some());
        for text in [
            &of(MAX_CLAIMS + 1),
            "",
            "null",
            "[]",
            "\"{}\"",
            "{",
            "{}x",
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"\u0062":1}}"#,
            &format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32)),
        ] {
            assert!(Claims::parse(text).is_none(), "{text}");
        }
    }
}
