//! Properties that hold for every document an authority may send.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{discovery::Discovery, error::FetchError, jwk::PublishedKey, set::KeySet};
use crate::{
    admit::{algorithm::SignatureAlgorithm, issuers::Issuers, tenants::Tenants, token::properties},
    authority::Authority,
};

/// An accepted key set has at most `MAX_KEYS` keys, has exactly the usable keys without a conflict,
/// and is the same in any order, with repeats, and with unknown members.
pub(crate) fn key_set(json: &[u8]) {
    let Ok(set) = parse(json) else { return };
    let text = std::str::from_utf8(json).expect("a set that was read is text");
    let Document { keys } = serde_json::from_str(text).expect("a set that was read is JSON");
    assert!(keys.len() <= MAX_KEYS);

    keys.iter().for_each(|raw| key(raw.get()));
    let mut by_kid: BTreeMap<_, Vec<PublishedKey>> = BTreeMap::new();
    for key in keys
        .iter()
        .filter_map(|raw| PublishedKey::parse(raw.get(), &ALL).ok())
    {
        by_kid.entry(key.kid.clone()).or_default().push(key);
    }
    let facts = |key: &PublishedKey| {
        let algorithm = key.key().algorithm();
        (
            key.issuer.clone(),
            key.cloud.clone(),
            key.material.clone(),
            algorithm,
        )
    };
    by_kid.retain(|_, keys| {
        keys.windows(2)
            .all(|pair| facts(&pair[0]) == facts(&pair[1]))
    });
    let serving: Vec<&str> = by_kid.keys().map(AsRef::as_ref).collect();
    assert_eq!(set.kids().into_iter().collect::<Vec<_>>(), serving);

    let again = |keys: &[&RawValue]| {
        let keys: Vec<&str> = keys.iter().map(|key| key.get()).collect();
        let json = format!(r#"{{"unknown":{{"keys":[]}},"keys":[{}]}}"#, keys.join(","));
        parse(json.as_bytes())
    };
    let mut others = keys.clone();
    others.reverse();
    assert!(again(&others).is_ok_and(|other| other.is_same_as(&set) && set.is_same_as(&other)));
    others.extend(keys);
    if others.len() <= MAX_KEYS {
        assert!(again(&others).is_ok_and(|other| other.is_same_as(&set)));
    }
}

/// A usable key meets each condition of the contract, and is the same key with one more, unknown
/// member.
fn key(json: &str) {
    let Ok(key) = PublishedKey::parse(json, &ALL) else {
        return;
    };
    let tree = properties::Tree::of_object(json).expect("a usable key is an object");
    // `null` counts as absent.
    let get = |name| {
        tree.get(name)
            .filter(|value| **value != properties::Tree::Null)
    };
    let text = |name| get(name).and_then(properties::Tree::text);
    let bytes = |name| text(name).and_then(properties::decode);
    let integer = |name| {
        let bytes = bytes(name).expect("an integer in base64url");
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes[zeros..].to_vec()
    };
    let is_odd = |integer: &[u8]| integer.last().is_some_and(|byte| byte % 2 == 1);

    assert_eq!(text("kid"), Some(&*key.kid));
    assert!((1..=256).contains(&key.kid.len()));
    assert!(get("use").is_none() || text("use") == Some("sig"));
    if let Some(operations) = get("key_ops") {
        let operations = operations.texts().expect("a list of texts");
        assert!(operations.contains(&"verify"));
    }
    assert_eq!(key.cloud.as_deref(), text("cloud_instance_name"));
    assert_eq!(key.issuer.is_some(), text("issuer").is_some());
    let expected = match (text("kty"), text("alg")) {
        (Some("RSA"), None | Some("RS256")) => SignatureAlgorithm::Rs256,
        (Some("RSA"), Some("PS256")) => SignatureAlgorithm::Ps256,
        (Some("EC"), None | Some("ES256")) => SignatureAlgorithm::Es256,
        other => panic!("{other:?} is usable"),
    };
    assert_eq!(key.key().algorithm(), expected);
    assert_eq!(get("alg").is_some(), text("alg").is_some());
    if text("kty") == Some("RSA") {
        let (n, e) = (integer("n"), integer("e"));
        assert!(is_odd(&n) && is_odd(&e) && e != [1]);
        assert!((256..=1_024).contains(&n.len()) && (n.len() > 256 || n[0] >= 0x80));
        assert_eq!(key.material, [n, e]);
    } else {
        assert_eq!(text("crv"), Some("P-256"));
        for coordinate in ["x", "y"] {
            assert_eq!(bytes(coordinate).map(|bytes| bytes.len()), Some(32));
        }
    }

    let more = json.replacen('{', r#"{"no such member":[{"kid":"x"}],"#, 1);
    let other = PublishedKey::parse(&more, &ALL).expect("an unknown member changes nothing");
    assert_eq!(other.material, key.material);
    for allowed in ALL {
        let is_usable = PublishedKey::parse(json, &[allowed]).is_ok();
        assert_eq!(is_usable, allowed == expected, "only {allowed}");
    }
}

/// An accepted discovery document has the authority's issuer, and its keys are on the authority's
/// server, by every reader of the URL.
pub(crate) fn discovery(json: &[u8]) {
    for (authority, issuer, issuers) in &*AUTHORITIES {
        let Ok(document) = Discovery::parse(json, issuers) else {
            continue;
        };
        let text = std::str::from_utf8(json).expect("a document that was read is text");
        let tree = properties::Tree::of_object(text).expect("a document is an object");
        let text = |name| tree.get(name).and_then(properties::Tree::text);
        // The placeholder in any letter case, and everything else as it is.
        let is_promised = text("issuer").is_some_and(|text| {
            let rest = text.to_ascii_lowercase();
            let (start, end) = rest.split_once("{tenantid}").unwrap_or((text, ""));
            rest == issuer.to_ascii_lowercase() && text.starts_with(start) && text.ends_with(end)
        });
        assert!(is_promised, "{text:?}", text = text("issuer"));
        assert_eq!(text("jwks_uri"), Some(&*document.jwks_uri));
        is_of_one_server(authority, &document.jwks_uri);
    }
}

/// The URL of the authority, an issuer that it promises, and its resolved issuers.
static AUTHORITIES: LazyLock<Vec<(&str, &str, Issuers)>> = LazyLock::new(|| {
    let resolve = |authority: Authority, tenants: Tenants| {
        let tenants = tenants.resolve().expect("good tenants");
        Issuers::of(&authority, &tenants).expect("a good authority")
    };
    let loopback = "http://127.0.0.1:4000";
    vec![
        (
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0",
            resolve(
                Authority::public(),
                Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"),
            ),
        ),
        (
            loopback,
            "http://127.0.0.1:4000/{tenantid}/v2.0",
            resolve(
                Authority::insecure_loopback(loopback),
                Tenants::any_organization(),
            ),
        ),
    ]
});

fn is_of_one_server(authority: &str, url: &str) {
    assert_eq!(server_of(url), server_of(authority), "{url}");
    assert!(!url.contains(['@', '\\', '#', ' ']), "{url}");
    // The reading of the default client, which parses URLs as browsers do.
    #[cfg(feature = "http-client")]
    if let Ok(read) = reqwest::Url::parse(url) {
        let own = reqwest::Url::parse(authority).expect("an authority is a URL");
        assert_eq!(read.origin(), own.origin(), "{url}");
        assert_eq!((read.username(), read.password()), ("", None), "{url}");
    }
}

/// Scheme, host and port.
fn server_of(url: &str) -> (String, String, u16) {
    let lower = url.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").expect("a scheme");
    let server = rest.split(['/', '?']).next().unwrap_or_default();
    let default = match scheme {
        "https" => 443,
        _ => 80,
    };
    let (host, port) = match server.split_once(':') {
        Some((host, port)) => (host, port.parse().expect("a port")),
        None => (server, default),
    };
    (scheme.to_owned(), host.to_owned(), port)
}

fn parse(json: &[u8]) -> Result<KeySet, FetchError> {
    KeySet::parse(json, &ALL, MAX_KEYS, None, true)
}

#[derive(Deserialize)]
struct Document<'j> {
    #[serde(borrow)]
    keys: Vec<&'j RawValue>,
}

const MAX_KEYS: usize = 12;

const ALL: [SignatureAlgorithm; 3] = [
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Es256,
];

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::{collection::vec, option::weighted, prelude::*, sample::select};
    use serde_json::{Value, json};

    /// Few ids, few numbers, and an unusual member in some: repeats and conflicts are frequent.
    fn jwk() -> impl Strategy<Value = Value> {
        let rsa = (0..2_u8, 0..6_u8).prop_map(|(seed, odd)| {
            let mut n = vec![seed; if odd == 0 { 128 } else { 256 }];
            n[0] = 0x80;
            // Even with an even seed.
            let last = n.len() - 1;
            n[last] |= u8::from(odd != 1);
            let e = if odd == 2 { "AQ" } else { "AQAB" };
            json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": e})
        });
        let p256 = any::<bool>().prop_map(|is_swapped| {
            let (x, y) = if is_swapped { (Y, X) } else { (X, Y) };
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
        });
        let member = select(MEMBERS.as_slice()).prop_map(|(name, value)| {
            let value: Value = serde_json::from_str(value).expect("JSON");
            (name, value)
        });
        let kid = prop_oneof![
            8 => select(["a", "b", "c"].as_slice()).prop_map(Value::from),
            1 => select(["", "1"].as_slice()).prop_map(Value::from),
            1 => Just(Value::from(1)),
        ];
        let material = prop_oneof![4 => rsa, 1 => p256];
        (material, weighted(0.95, kid), vec(member, 0..2)).prop_map(|(mut key, kid, members)| {
            if let Some(kid) = kid {
                key["kid"] = kid;
            }
            for (name, value) in members {
                key[name] = value;
            }
            key
        })
    }

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    const MEMBERS: [(&str, &str); 20] = [
        ("use", r#""sig""#),
        ("use", r#""enc""#),
        ("use", "null"),
        ("key_ops", r#"["verify"]"#),
        ("key_ops", r#"["sign"]"#),
        ("key_ops", "[]"),
        ("alg", r#""RS256""#),
        ("alg", r#""PS256""#),
        ("alg", r#""ES256""#),
        ("alg", r#""HS256""#),
        ("alg", "null"),
        (
            "issuer",
            r#""https://login.microsoftonline.com/{tenantid}/v2.0""#,
        ),
        ("issuer", "null"),
        ("issuer", "7"),
        ("cloud_instance_name", r#""microsoftonline.us""#),
        ("cloud_instance_name", "[]"),
        ("e", r#""AAEAAQ""#),
        ("e", r#""Ag""#),
        ("x5c", r#"["MIIC"]"#),
        ("kty", r#""oct""#),
    ];

    /// An authority's URL, changed in one of the ways that confuse URL parsers.
    fn url() -> impl Strategy<Value = String> {
        let start = select(
            [
                "https://login.microsoftonline.com",
                "HTTPS://LOGIN.microsoftonline.com",
                "http://127.0.0.1:4000",
                "http://login.microsoftonline.com",
                "//login.microsoftonline.com",
                "https:login.microsoftonline.com",
                "https:///login.microsoftonline.com",
                "http://127.0.0.1",
                "http://127.1:4000",
                "http://2130706433:4000",
            ]
            .as_slice(),
        );
        let middle = select(
            [
                "",
                "",
                "",
                "/",
                ":443",
                ":4000",
                ":8443",
                ":0443",
                ":",
                ".",
                "@evil.example",
                ".evil.example",
                "\\@evil.example",
                "#@evil.example",
                "?@evil.example",
                "%2e",
                "/\\evil.example",
                "/..//evil.example",
                "\t",
                "\u{ad}",
                "\u{ff0e}evil",
                ":4000@x",
            ]
            .as_slice(),
        );
        let end = select(["", "/keys", "/a/keys?appid=1", "/../keys", "//x/keys", "?x"].as_slice());
        (start, middle, end).prop_map(|(start, middle, end)| [start, middle, end].concat())
    }

    fn issuer() -> impl Strategy<Value = &'static str> {
        select(
            [
                "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0",
                "http://127.0.0.1:4000/{tenantid}/v2.0",
                "http://127.0.0.1:4000/{TenantId}/v2.0",
                "http://127.0.0.1:4000/{TENANTID}/v2.0",
                "http://127.0.0.1:4000/{tenantid}/V2.0",
                "http://127.0.0.1:4000/{tenantid}{tenantid}/v2.0",
                "https://login.microsoftonline.com/common/v2.0",
                "https://login.microsoftonline.com/{tenantid}/v2.0",
            ]
            .as_slice(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_key_set_has_the_same_keys_in_any_order(keys in vec(jwk(), 0..8)) {
            super::key_set(json!({ "keys": keys }).to_string().as_bytes());
        }

        #[test]
        fn a_key_set_beyond_the_limit_is_refused(keys in vec(jwk(), 10..16)) {
            let json = json!({ "keys": keys }).to_string();
            super::key_set(json.as_bytes());
            let is_read = super::parse(json.as_bytes()).is_ok();
            prop_assert!(!is_read || keys.len() <= super::MAX_KEYS);
        }

        #[test]
        fn a_usable_key_meets_the_contract(jwk in jwk()) {
            super::key(&jwk.to_string());
        }

        #[test]
        fn keys_are_on_the_authoritys_own_server_by_every_reader_of_the_url(
            issuer in issuer(),
            url in url(),
        ) {
            let document = json!({"issuer": issuer, "jwks_uri": url});
            super::discovery(document.to_string().as_bytes());
        }

        #[test]
        fn any_url_is_of_the_authority_or_refused(url in "[!-~]{0,30}", at in 0..3_usize) {
            let start = ["", "https://login.microsoftonline.com", "http://127.0.0.1:4000"][at];
            for (_, issuer, _) in &*super::AUTHORITIES {
                let document = json!({"issuer": issuer, "jwks_uri": format!("{start}{url}")});
                super::discovery(document.to_string().as_bytes());
            }
        }
    }
}
