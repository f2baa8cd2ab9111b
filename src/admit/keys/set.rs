//! The keys of one good fetch.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    error::FetchError,
    jwk::PublishedKey,
    skipped::{Skipped, Unusable},
};
use crate::admit::{algorithm::SignatureAlgorithm, issuers::Signer};

/// The usable keys of one key document, with the facts of the discovery document that named it.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: BTreeMap<Box<str>, PublishedKey>,
    discovery_cloud: Option<String>,
    discovery_names_one_tenant: bool,
    skipped: Skipped,
}

impl KeySet {
    /// Reads a key document. An unusable key is skipped. A document without a usable key, or with
    /// more than `max_keys` keys in all, is refused.
    pub(super) fn parse(
        json: &[u8],
        allowed: &[SignatureAlgorithm],
        max_keys: usize,
        discovery_cloud: Option<String>,
        discovery_names_one_tenant: bool,
    ) -> Result<Self, FetchError> {
        #[derive(Deserialize)]
        struct Document<'j> {
            #[serde(borrow)]
            keys: Vec<&'j RawValue>,
        }

        let text = std::str::from_utf8(json).map_err(|_| FetchError::NotAKeySet)?;
        // A derived `Deserialize` accepts an array in place of an object. The keys stay raw and are
        // read one by one, so that a bad key does not affect the others.
        if !text.trim_start().starts_with('{') {
            return Err(FetchError::NotAKeySet);
        }
        let document: Document<'_> =
            serde_json::from_str(text).map_err(|_| FetchError::NotAKeySet)?;
        if document.keys.len() > max_keys {
            return Err(FetchError::TooManyKeys);
        }
        let mut skipped = Skipped::default();
        let usable = document.keys.iter().filter_map(|raw| {
            PublishedKey::parse(raw.get(), allowed)
                .map_err(|why| skipped.count(why))
                .ok()
        });
        let (keys, conflicts) = without_conflicts(usable);
        for _ in 0..conflicts {
            skipped.count(Unusable::Conflict);
        }
        if keys.is_empty() {
            return Err(FetchError::NoUsableKey { skipped });
        }
        Ok(Self {
            keys,
            discovery_cloud,
            discovery_names_one_tenant,
            skipped,
        })
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&PublishedKey> {
        self.keys.get(kid)
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn signer<'k>(&'k self, key: &'k PublishedKey) -> Signer<'k> {
        Signer {
            kid: &key.kid,
            issuer: key.issuer.as_ref(),
            cloud: key.cloud.as_deref(),
            discovery_cloud: self.discovery_cloud.as_deref(),
            discovery_names_one_tenant: self.discovery_names_one_tenant,
        }
    }

    /// Whether both sets have the same keys, in any order.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.discovery_cloud == other.discovery_cloud
            && self.discovery_names_one_tenant == other.discovery_names_one_tenant
            && self.keys.len() == other.keys.len()
            && self.keys.values().all(|key| {
                other
                    .get(&key.kid)
                    .is_some_and(|counterpart| key.is_same_as(counterpart))
            })
    }

    /// What was left out, for the log.
    pub(super) fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// The `kid`s in here, for the log.
    pub(super) fn kids(&self) -> BTreeSet<&str> {
        self.keys.keys().map(AsRef::as_ref).collect()
    }

    /// The `kid`s in here and not in `other`, for the log.
    pub(super) fn kids_not_in(&self, other: &Self) -> BTreeSet<&str> {
        let mut kids = self.kids();
        kids.retain(|kid| other.get(kid).is_none());
        kids
    }

    /// The `kid`s that `other` has with another key, for the log.
    pub(super) fn kids_of_other_keys_in(&self, other: &Self) -> BTreeSet<&str> {
        let mut kids = self.kids();
        kids.retain(|kid| match (self.get(kid), other.get(kid)) {
            (Some(key), Some(counterpart)) => !key.is_same_as(counterpart),
            _ => false,
        });
        kids
    }
}

/// Identical repeats are one key. If different keys have one `kid`, all of them are skipped:
/// nothing says which one a token means. Returns the number of such `kid`s too.
fn without_conflicts(
    keys: impl Iterator<Item = PublishedKey>,
) -> (BTreeMap<Box<str>, PublishedKey>, usize) {
    let mut by_kid = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    for key in keys {
        match by_kid.entry(key.kid.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(key);
            }
            Entry::Occupied(entry) => {
                if !entry.get().is_same_as(&key) {
                    conflicts.insert(key.kid);
                }
            }
        }
    }
    for kid in &conflicts {
        by_kid.remove(kid);
    }
    (by_kid, conflicts.len())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const ALL: &[SignatureAlgorithm] = &[
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::Es256,
    ];

    /// A key of this id whose numbers depend on the seed.
    fn key(kid: &str, seed: u8) -> Value {
        let mut n = vec![seed; 256];
        n[0] = 0x80;
        n[255] = 1;
        json!({"kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode(n), "e": "AQAB"})
    }

    fn with(mut key: Value, name: &str, value: &str) -> Value {
        key[name] = json!(value);
        key
    }

    fn parse(json: &str) -> Result<KeySet, FetchError> {
        KeySet::parse(json.as_bytes(), ALL, 100, None, true)
    }

    fn parse_keys(keys: &[Value]) -> Result<KeySet, FetchError> {
        parse(&json!({ "keys": keys }).to_string())
    }

    #[track_caller]
    fn set(keys: &[Value]) -> KeySet {
        parse_keys(keys).expect("a key set")
    }

    /// The ids of the keys that serve.
    #[track_caller]
    fn serving(keys: &[Value]) -> Vec<String> {
        let set = set(keys);
        set.kids().into_iter().map(str::to_owned).collect()
    }

    #[track_caller]
    fn refusal(json: &str) -> FetchError {
        parse(json).map(drop).expect_err(json)
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        let good = json!({"keys": [key("a", 1)]}).to_string();
        for json in [
            "",
            " ",
            "{}",
            "[]",
            "null",
            "1",
            "\"keys\"",
            "<!DOCTYPE html>",
            r#"{"keys":null}"#,
            r#"{"keys":"x"}"#,
            r#"{"keys":{}}"#,
            r#"{"Keys":[]}"#,
            r#"{"keys":[],"keys":[]}"#,
            r#"{"keys":[}"#,
            &good[..good.len() / 2],
            &good[..good.len() - 1],
            &format!("{good} x"),
            &format!("{good}{good}"),
            &format!("[[{}]]", key("a", 1)),
            &format!("\u{feff}{good}"),
        ] {
            assert_eq!(refusal(json), FetchError::NotAKeySet, "{json}");
        }
        let not_utf8 = KeySet::parse(b"{\"keys\":[\"\xff\"]}", ALL, 100, None, true);
        assert!(not_utf8.is_err());
    }

    #[test]
    fn other_members_of_a_key_set_are_ignored() {
        let json = json!({"keys": [key("a", 1)], "issuer": 5, "x": {"keys": []}});
        assert!(parse(&json.to_string()).is_ok());
    }

    #[test]
    fn a_key_set_without_a_usable_key_is_refused() {
        for json in [
            r#"{"keys":[]}"#,
            r#"{"keys":[null,1,"x",[],{}]}"#,
            r#"{"keys":[{"kty":"oct","kid":"a","k":"AQAB"}]}"#,
        ] {
            let refusal = refusal(json);
            assert!(matches!(refusal, FetchError::NoUsableKey { .. }), "{json}");
        }
    }

    #[test]
    fn one_bad_key_does_not_spoil_the_others() {
        let without_id = {
            let mut key = key("x", 9);
            key.as_object_mut().expect("an object").remove("kid");
            key
        };
        for bad in [
            json!(null),
            json!(1),
            json!("x"),
            json!([[]]),
            json!({}),
            json!({"kty": "oct", "kid": "x", "k": "AQAB"}),
            json!({"kty": 5, "kid": "x"}),
            json!({"kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "x", "n": null, "e": null}),
            json!({"kty": "EC", "kid": "x", "crv": "P-256", "x": "AQ", "y": "AQ"}),
            without_id,
            with(key("x", 9), "use", "enc"),
            with(key("x", 9), "alg", "RS512"),
            with(key("x", 9), "e", "AQ"),
            with(key("x", 9), "key_ops", "verify"),
        ] {
            for at in 0..=2 {
                let mut keys = vec![key("a", 1), key("b", 2)];
                keys.insert(at, bad.clone());
                assert_eq!(serving(&keys), ["a", "b"], "{bad}");
            }
        }
    }

    #[test]
    fn a_key_that_other_readers_would_refuse_does_not_spoil_the_others() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let twice = key("x", 9).to_string().replacen('{', r#"{"kid":"x","#, 1);
        let nested =
            with(key("x", 9), "y", "z")
                .to_string()
                .replacen(r#""z""#, r#"{"a":1,"a":1}"#, 1);
        for bad in [
            r#"{"kty":"RSA","kid":"\ud800"}"#,
            &format!(r#"{{"kty":"RSA","x":{deep}}}"#),
            &deep,
            &twice,
            &nested,
        ] {
            let json = format!(r#"{{"keys":[{bad},{}]}}"#, key("a", 1));
            let kids = parse(&json).map(|set| set.kids().len());
            assert_eq!(kids, Ok(1), "{bad}");
        }
    }

    #[test]
    fn a_key_set_has_at_most_100_keys() {
        let keys =
            |count: usize| -> Vec<Value> { (0..count).map(|at| key(&at.to_string(), 1)).collect() };
        assert_eq!(set(&keys(100)).keys.len(), 100);
        let refused = parse_keys(&keys(101)).map(drop);
        assert_eq!(refused, Err(FetchError::TooManyKeys));

        // Those that are of no use count too.
        let mut padded = vec![key("a", 1)];
        padded.resize(100, json!(null));
        assert_eq!(serving(&padded), ["a"]);
        padded.push(json!(null));
        let refused = parse_keys(&padded).map(drop);
        assert_eq!(refused, Err(FetchError::TooManyKeys));
    }

    #[test]
    fn identical_repeats_are_one_key() {
        let plain = key("a", 1);
        assert_eq!(
            serving(&[plain.clone(), plain.clone(), plain.clone()]),
            ["a"]
        );
        let certified = with(plain.clone(), "x5t", "another thumbprint");
        assert_eq!(serving(&[plain.clone(), certified]), ["a"]);
        let named = with(plain.clone(), "alg", "RS256");
        assert_eq!(serving(&[plain, named]), ["a"]);
    }

    #[test]
    fn one_id_for_different_keys_serves_none_of_them() {
        let a = key("a", 1);
        for other in [
            key("a", 2),
            with(a.clone(), "e", "Aw"),
            with(a.clone(), "alg", "PS256"),
            with(a.clone(), "issuer", "https://login.example/{tenantid}/v2.0"),
            with(a.clone(), "cloud_instance_name", "cloud"),
            json!({
                "kty": "EC", "kid": "a", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
        ] {
            let [a, b] = [a.clone(), key("b", 3)];
            assert_eq!(serving(&[a.clone(), other.clone(), b.clone()]), ["b"]);
            assert_eq!(serving(&[other.clone(), b.clone(), a.clone()]), ["b"]);
            // A third one is no majority.
            assert_eq!(
                serving(&[a.clone(), other.clone(), a.clone(), b.clone()]),
                ["b"]
            );
            assert_eq!(serving(&[a.clone(), a.clone(), other.clone(), b]), ["b"]);
            let refused = parse_keys(&[a, other]).map(drop).expect_err("none is left");
            let text = "the key set had no usable key; left out: 1 conflict";
            assert_eq!(refused.to_string(), text);
        }
    }

    #[test]
    fn different_issuers_under_one_id_serve_none_of_them() {
        let of = |issuer| with(key("a", 1), "issuer", issuer);
        let keys = [
            of("https://one.example"),
            of("https://two.example"),
            key("b", 2),
        ];
        assert_eq!(serving(&keys), ["b"]);
    }

    #[test]
    fn a_useless_key_of_the_same_id_is_no_conflict() {
        let useless = with(key("a", 2), "use", "enc");
        assert_eq!(serving(&[useless, key("a", 1)]), ["a"]);
    }

    #[test]
    fn the_boundary_between_modulus_and_exponent_tells_keys_apart() {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut n = vec![0x80; 256];
        n[255] = 1;
        let of =
            |n: &[u8], e: &[u8]| json!({"kty": "RSA", "kid": "a", "n": number(n), "e": number(e)});
        let one = of(&n, &[3, 5]);
        n.push(3);
        let other = of(&n, &[5]);
        assert!(!set(&[one]).is_same_as(&set(&[other])));
    }

    #[test]
    fn key_ids_are_compared_exactly() {
        let set = set(&[key("abc", 1), key("ABC", 2)]);
        assert_eq!(set.keys.len(), 2);
        assert!(set.get("abc").is_some());
        for other in ["Abc", "abc ", " abc", "ab", "", "abcd"] {
            assert!(set.get(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn keys_in_another_order_are_the_same_set() {
        let keys = [key("a", 1), key("b", 2), key("c", 3)];
        let turned = [key("c", 3), key("a", 1), key("b", 2), key("a", 1)];
        assert!(set(&keys).is_same_as(&set(&turned)));
        assert!(set(&turned).is_same_as(&set(&keys)));
    }

    #[test]
    fn a_set_with_another_key_is_another_set() {
        let keys = [key("a", 1), key("b", 2)];
        for other in [
            vec![key("a", 1)],
            vec![key("a", 1), key("b", 2), key("c", 3)],
            vec![key("a", 1), key("c", 2)],
            vec![key("a", 1), key("b", 9)],
            vec![key("a", 1), with(key("b", 2), "e", "Aw")],
            vec![key("a", 1), with(key("b", 2), "alg", "PS256")],
            vec![key("a", 1), with(key("b", 2), "issuer", "x")],
            vec![key("a", 1), with(key("b", 2), "cloud_instance_name", "x")],
        ] {
            assert!(!set(&keys).is_same_as(&set(&other)));
            assert!(!set(&other).is_same_as(&set(&keys)));
        }
    }

    #[test]
    fn what_discovery_says_belongs_to_the_set() {
        let json = json!({"keys": [key("a", 1)]}).to_string();
        let parse = |cloud: Option<&str>, one| {
            KeySet::parse(json.as_bytes(), ALL, 100, cloud.map(str::to_owned), one)
                .expect("a key set")
        };
        let set = parse(Some("cloud"), true);
        assert!(set.is_same_as(&parse(Some("cloud"), true)));
        assert!(!set.is_same_as(&parse(Some("other"), true)));
        assert!(!set.is_same_as(&parse(None, true)));
        assert!(!set.is_same_as(&parse(Some("cloud"), false)));
        let signer = set.signer(set.get("a").expect("the key"));
        assert_eq!(signer.discovery_cloud, Some("cloud"));
        assert!(signer.discovery_names_one_tenant);
    }

    #[test]
    fn the_log_names_what_came_and_what_went() {
        let [old, new] = [
            set(&[key("a", 1), key("b", 2)]),
            set(&[key("b", 2), key("c", 3)]),
        ];
        assert_eq!(new.kids_not_in(&old), BTreeSet::from(["c"]));
        assert_eq!(old.kids_not_in(&new), BTreeSet::from(["a"]));
        assert_eq!(new.kids(), BTreeSet::from(["b", "c"]));
        assert!(new.kids_of_other_keys_in(&old).is_empty());
        let replaced = set(&[key("a", 1), key("b", 9)]);
        assert_eq!(replaced.kids_of_other_keys_in(&old), BTreeSet::from(["b"]));
    }

    #[test]
    fn what_is_left_out_is_counted_by_reason() {
        let skipped = |more: &[Value]| {
            let mut keys = vec![key("a", 1)];
            keys.extend_from_slice(more);
            set(&keys).skipped()
        };
        let none = skipped(&[key("a", 1)]);
        assert!(none.is_empty() && !none.has_faults());
        assert_eq!(none.to_string(), "none");

        let for_other_purposes = skipped(&[
            with(key("x", 2), "use", "enc"),
            json!({"kty": "oct", "kid": "y", "k": "AQAB"}),
        ]);
        assert!(!for_other_purposes.is_empty() && !for_other_purposes.has_faults());
        assert_eq!(
            for_other_purposes.to_string(),
            "1 other_use, 1 other_algorithm"
        );

        // A third key of one id is no second conflict.
        let faulty = skipped(&[
            json!(null),
            json!([]),
            key("b", 2),
            key("b", 3),
            key("b", 4),
        ]);
        assert!(faulty.has_faults());
        assert_eq!(faulty.to_string(), "2 malformed, 1 conflict");
    }
}
