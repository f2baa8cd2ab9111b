//! J: documents of keys.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tower_entra::{
    EntraAuthLayer, Error,
    ErrorKind::*,
    KeySettings, KeyStatus, Tenants, Validator, ValidatorBuilder,
    testing::{Fault, Issuer, Target, TokenBuilder},
};

use super::{faults, injected, refresh};
use crate::support::*;

#[test]
fn a_key_set_is_accepted_or_refused_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        kept("J01", "a key set without keys", "left out: none", |_| {
            vec![r#"{"keys":[]}"#.into(), r#"{ "keys" : [ ] }"#.into()]
        }),
        kept("J02", "JSON that is no key set", "key set", |issuer| {
            let good = document(issuer);
            [
                "{}",
                "[]",
                "null",
                "true",
                "1",
                "\"keys\"",
                r#"{"keys":null}"#,
                r#"{"keys":"x"}"#,
                r#"{"keys":{}}"#,
                r#"{"keys":1}"#,
                r#"{"Keys":[]}"#,
                r#"{"keys":[null]}"#,
                r#"{"keys":[[]]}"#,
                r#"{"keys":[{}]}"#,
                &format!("[{good}]"),
                &format!(r#"{{"keys":{good}}}"#),
                &format!(r#"{{"jwks":{good}}}"#),
                &good.replacen("\"keys\"", "\"KEYS\"", 1),
                &serde_json::from_str::<Value>(&good).unwrap()["keys"].to_string(),
                &serde_json::from_str::<Value>(&good).unwrap()["keys"][0].to_string(),
            ]
            .map(Vec::from)
            .into()
        }),
        kept(
            "J03",
            "a page for people, with status 200",
            NO_KEY_SET,
            |_| {
                [
                    "<!DOCTYPE html><html><title>Sign in to your account</title></html>",
                    "Service temporarily unavailable",
                    "<?xml version=\"1.0\"?><Error><Code>ServiceUnavailable</Code></Error>",
                    "\u{0}\u{1}\u{2}",
                ]
                .map(Vec::from)
                .into()
            },
        ),
        kept(
            "J04",
            "nothing, half a document, or more than one",
            NO_KEY_SET,
            |issuer| {
                let good = document(issuer);
                vec![
                    Vec::new(),
                    b" \r\n".into(),
                    good[..good.len() / 2].into(),
                    good[..good.len() - 1].into(),
                    good[1..].into(),
                    format!("{good}x").into(),
                    format!("{good}{good}").into(),
                    format!("{good}<!-- node 7 -->").into(),
                ]
            },
        ),
        scene(
            "J05",
            "a redirect, wherever it points: never followed",
            |issuer| {
                let other = forger();
                let there = format!("{}/{}/discovery/v2.0/keys", other.url(), other.tenant_id());
                let targets = [
                    there.as_str(),
                    "http://169.254.169.254/metadata/identity/oauth2/token",
                    "https://login.microsoftonline.com/common/discovery/v2.0/keys",
                    "/elsewhere",
                    "//127.0.0.1/keys",
                    "file:///etc/passwd",
                ];
                for status in [
                    "301 Moved Permanently",
                    "302 Found",
                    "303 See Other",
                    "307 Temporary Redirect",
                    "308 Permanent Redirect",
                ] {
                    answers_are_bad(
                        issuer,
                        &format!("the answer had status {}", &status[..3]),
                        targets.map(|target| {
                            http_answer(
                                status,
                                &[("Location", target)],
                                &document(issuer).into_bytes(),
                            )
                        }),
                    );
                }
                assert_eq!(other.requests_seen(), [""; 0]);
            },
        )
        .with(&[faults::a_sick_endpoint_takes_no_key_away]),
        scene(
            "J06",
            "any status but 200, the right document behind it or not",
            |issuer| {
                let statuses = [
                    "201 Created",
                    "203 Non-Authoritative Information",
                    "204 No Content",
                    "206 Partial Content",
                    "304 Not Modified",
                    "400 Bad Request",
                    "401 Unauthorized",
                    "403 Forbidden",
                    "404 Not Found",
                    "408 Request Timeout",
                    "410 Gone",
                    "418 I'm a teapot",
                    "429 Too Many Requests",
                    "500 Internal Server Error",
                    "502 Bad Gateway",
                    "503 Service Unavailable",
                    "599 Unknown",
                ];
                for status in statuses {
                    let body = match &status[..3] {
                        "204" | "304" => Vec::new(),
                        _ => document(issuer).into_bytes(),
                    };
                    answers_are_bad(
                        issuer,
                        &format!("the answer had status {}", &status[..3]),
                        [http_answer(
                            status,
                            &[("Retry-After", "1"), ("ETag", "\"x\"")],
                            &body,
                        )],
                    );
                }
            },
        )
        .with(&[
            faults::a_retry_after_is_waited_out,
            injected::a_retry_after_bars_every_kind_of_fetch,
            injected::a_retry_after_of_an_hour_counts_as_five_minutes,
        ]),
        shown(
            "J07",
            "an answer that comes too late, drop by drop, or never",
            &[
                faults::an_endpoint_that_does_not_answer_takes_no_key_away,
                injected::a_fetch_without_end_is_given_up_after_five_seconds,
            ],
        ),
        scene(
            "J08",
            "an encoding that was not asked for, a bomb among them",
            |issuer| {
                let encodings = [
                    "gzip",
                    "GZIP",
                    "deflate",
                    "br",
                    "zstd",
                    "compress",
                    "x",
                    "gzip, gzip",
                ];
                answers_are_bad(
                    issuer,
                    COMPRESSED,
                    encodings.map(|encoding| {
                        http_answer(
                            "200 OK",
                            &[("Content-Encoding", encoding)],
                            &document(issuer).into_bytes(),
                        )
                    }),
                );
                // The right document, as a server sends it that was asked for gzip.
                let zipped = gzipped(document(issuer).as_bytes());
                answers_are_bad(
                    issuer,
                    COMPRESSED,
                    [
                        http_answer("200 OK", &[("Content-Encoding", "gzip")], &zipped),
                        http_answer("200 OK", &[("Content-Encoding", "x-gzip")], &zipped),
                    ],
                );
                answers_are_bad(
                    issuer,
                    NO_KEY_SET,
                    [
                        http_answer("200 OK", &[("Content-Type", "application/gzip")], &zipped),
                        http_answer("200 OK", &[], &zipped),
                    ],
                );
                bad(issuer, COMPRESSED, |issuer| {
                    issuer.fail_at(Target::Keys, Fault::GzipBomb);
                });
                issuer.heal();
            },
        ),
        kept(
            "J09",
            "more than 256 KiB",
            "the answer was too big",
            |issuer| {
                let good = document(issuer);
                vec![
                    format!("{good}{}", " ".repeat(256 * 1024)).into(),
                    good.replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(300_000)), 1)
                        .into(),
                    format!("{}{good}", " ".repeat(256 * 1024)).into(),
                ]
            },
        ),
        scene(
            "J10",
            "a body that is shorter than it promised, or without an end",
            |issuer| {
                let good = document(issuer);
                answers_are_bad(
                    issuer,
                    "the authority could not be reached",
                    [
                        format!(
                            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{good}",
                            good.len() + 1
                        )
                        .into(),
                        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"key"
                            .to_vec(),
                        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
                        b"HTTP/1.1 200 OK\r\n".to_vec(),
                        b"HTTP/9.9 200\r\n\r\n".to_vec(),
                        Vec::new(),
                        [
                            b"HTTP/1.1 200 OK\r\nX: ",
                            "x".repeat(1_000_000).as_bytes(),
                            b"\r\n\r\n",
                        ]
                        .concat(),
                    ],
                );
            },
        )
        .with(&[faults::a_sick_endpoint_takes_no_key_away]),
        scene(
            "J11",
            "one `kid` and two keys: neither serves, the others do",
            |issuer| {
                let own = own_key(issuer);
                for (member, value) in [
                    ("n", own_key(forger())["n"].clone()),
                    ("e", json!("Aw")),
                    (
                        "issuer",
                        json!("https://login.microsoftonline.com/{tenantid}/v2.0"),
                    ),
                    ("cloud_instance_name", json!("microsoftonline.us")),
                ] {
                    let mut twin = own.clone();
                    twin[member] = value;
                    let spare = issuer.publish_key();
                    issuer.publish_jwk(&twin);
                    let validator = loaded(issuer);
                    block_on(async {
                        let token = issuer.user().mint();
                        assert_eq!(
                            outcome(&validator, &token).await,
                            Err(UnknownKey),
                            "{member}"
                        );
                        let token = issuer.user().signed_by(&spare).mint();
                        assert_eq!(outcome(&validator, &token).await, Ok(()));
                    });
                    issuer.reset_keys_document();
                }
                // The same key twice is one key.
                issuer.publish_jwk(&own);
                serves(issuer);
                issuer.reset_keys_document();
            },
        ),
        dropped(
            "J12",
            "a key without a usable `kid`",
            "left out: 1 ",
            |key| {
                vec![
                    without(key, "kid"),
                    with(key, "kid", json!("")),
                    with(key, "kid", json!(null)),
                    with(key, "kid", json!(1)),
                    with(key, "kid", json!(["x"])),
                    with(key, "kid", json!("k".repeat(257))),
                ]
            },
        ),
        dropped("J13", "a key of another kind", "left out: 1 ", |key| {
            vec![
                json!({"kty": "oct", "kid": KID, "k": "AQAB"}),
                json!({"kty": "OKP", "kid": KID, "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
                json!({"kty": "EC", "kid": KID, "crv": "P-256", "x": "AQ", "y": "AQ"}),
                with(key, "kty", json!("rsa")),
                with(key, "kty", json!("EC")),
                with(key, "kty", json!(null)),
                without(key, "kty"),
                json!(null),
                json!(1),
                json!("x"),
                json!([]),
                json!({}),
            ]
        }),
        scene(
            "J14",
            "a key with its private part: the public part serves, and the rest is nowhere shown",
            |issuer| {
                let log = Log::of_this_thread();
                let secret = "the-private-part-of-a-key";
                for member in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                    issuer.set_key_member(&issuer.current_kid(), member, secret);
                }
                let validator = serves(issuer);
                assert!(!format!("{validator:?}").contains(secret));
                assert!(!log.text().contains(secret));
                issuer.reset_keys_document();
            },
        ),
        dropped(
            "J15",
            "numbers that make no good RSA key",
            "left out: 1 ",
            |key| {
                let n = bytes(key, "n");
                let mut even = n.clone();
                *even.last_mut().unwrap() &= 0xfe;
                let sized = |bits: usize| {
                    let mut n = vec![0xff; bits.div_ceil(8)];
                    n[0] = 0xff >> (n.len() * 8 - bits);
                    json!(URL_SAFE_NO_PAD.encode(n))
                };
                let mut odd = vec![with(key, "n", number(&even)), with(key, "n", number(&[0]))];
                odd.extend(
                    [1, 512, 1_024, 2_047, 8_193, 16_384].map(|bits| with(key, "n", sized(bits))),
                );
                let exponents: [&[u8]; 6] = [&[0], &[1], &[2], &[1, 0, 0], &[], &[0xff; 9]];
                odd.extend(exponents.map(|e| with(key, "e", number(e))));
                odd.extend(["n", "e"].map(|name| without(key, name)));
                odd.extend(["n", "e"].map(|name| with(key, name, json!(null))));
                odd.extend(["n", "e"].map(|name| with(key, name, json!(65_537))));
                odd
            },
        ),
        dropped(
            "J16",
            "numbers in another encoding",
            "left out: 1 ",
            |key| {
                let n = bytes(key, "n");
                vec![
                    with(key, "n", json!(URL_SAFE.encode(&n))),
                    with(key, "n", json!(format!("+/{}", STANDARD.encode(&n)))),
                    with(key, "n", json!(format!(" {}", URL_SAFE_NO_PAD.encode(&n)))),
                    with(key, "n", json!(format!("{}\n", URL_SAFE_NO_PAD.encode(&n)))),
                    with(key, "e", json!("AQAB====")),
                    with(key, "e", json!("65537")),
                    with(key, "e", json!("0x10001")),
                ]
            },
        ),
        dropped(
            "J17",
            "a key that is for something else",
            "left out: 1 ",
            |key| {
                vec![
                    with(key, "use", json!("enc")),
                    with(key, "use", json!("")),
                    with(key, "use", json!(1)),
                    with(key, "key_ops", json!([])),
                    with(key, "key_ops", json!(["sign"])),
                    with(key, "key_ops", json!("verify")),
                ]
            },
        ),
        dropped(
            "J18",
            "a key that is for another algorithm",
            "1 other_algorithm",
            |key| {
                [
                    "RS384", "RS512", "PS256", "PS512", "ES256", "HS256", "RSA-OAEP", "none",
                    "rs256", "",
                ]
                .map(|alg| with(key, "alg", json!(alg)))
                .into()
            },
        ),
        scene(
            "J19",
            "a certificate that does not match the numbers, or is none: the numbers are the key",
            |issuer| {
                let other = own_key(forger());
                for x5c in [
                    json!([stranger().certificate_of(&other, VALID)]),
                    json!([ON_P256]),
                    json!([other["n"]]),
                    json!(["MIIB"]),
                    json!([""]),
                    json!([]),
                ] {
                    let key = with(&own_key(issuer), "x5c", x5c);
                    issuer.set_keys_document(json!({ "keys": [key] }).to_string());
                    let validator = serves(issuer);
                    let forged = forger().user().claim("iss", issuer.v2_issuer());
                    let forged = forged.header("kid", issuer.current_kid()).mint();
                    let refused = block_on(outcome(&validator, &forged));
                    assert_eq!(refused, Err(InvalidSignature));
                    issuer.reset_keys_document();
                }
            },
        ),
        taken(
            "J20",
            "a certificate that has expired, of the key itself or not: none is read",
            |issuer| {
                let own = own_key(issuer);
                [
                    json!([stranger().certificate_of(&own, EXPIRED)]),
                    json!([stranger().certificate_of(&own, VALID)]),
                    json!([ON_P256]),
                ]
                .map(|x5c| with(&own, "x5c", x5c))
                .into()
            },
        ),
        scene(
            "J21",
            "a key with a blank issuer, with none, or with that of another tenant or cloud",
            keys_of_other_issuers,
        ),
        taken(
            "J22",
            "the placeholder of a key's issuer in any letter case",
            |issuer| {
                [
                    "{tenantid}",
                    "{TenantID}",
                    "{tenantId}",
                    "{TENANTID}",
                    issuer.tenant_id(),
                ]
                .map(|tenant| {
                    let key_issuer = format!("{}/{tenant}/v2.0", issuer.url());
                    with(&own_key(issuer), "issuer", json!(key_issuer))
                })
                .into()
            },
        ),
        kept("J23", "ten thousand keys", " too ", |issuer| {
            let keys = |key: Value, count: usize| {
                let mut keys: Vec<Value> = vec![key; count];
                keys.push(own_key(issuer));
                json!({ "keys": keys }).to_string().into_bytes()
            };
            vec![
                keys(json!({}), 10_000),
                keys(json!(null), 10_000),
                keys(own_key(forger()), 10_000),
                keys(own_key(issuer), 100),
            ]
        }),
        shown(
            "J24",
            "the same keys in another order: no change, and the same generation",
            &[refresh::keys_in_another_order_are_no_change],
        )
        .also(&[
            (
                "src/admit/keys/set.rs",
                "keys_in_another_order_are_the_same_set",
            ),
            (
                "src/admit/gate.rs",
                "only_other_keys_and_no_other_order_make_remembered_tokens_useless",
            ),
        ]),
        taken("J25", "unknown members, whatever their values", |issuer| {
            let own = own_key(issuer);
            vec![
                with(&own, "x", json!({"y": [1, {"z": null}]})),
                with(&own, "x5t#S256", json!("x")),
                with(&own, "ext", json!(true)),
                with(&own, "exp", json!(1)),
                with(&own, "revoked", json!({"revoked_at": 1})),
                with(&own, "__proto__", json!({"kty": "oct"})),
            ]
        }),
        scene(
            "J26",
            "a key that says where its certificate is: the URL is not fetched",
            |issuer| {
                let other = forger();
                for member in ["x5u", "jku", "url"] {
                    let there = format!("{}/certificate", other.url());
                    issuer.set_key_member(&issuer.current_kid(), member, there);
                }
                serves(issuer);
                assert_eq!(other.requests_seen(), [""; 0]);
                issuer.reset_keys_document();
            },
        ),
        scene(
            "J27",
            "any content type, or none: only the body counts",
            |issuer| {
                let endpoint = Endpoint::start(issuer);
                for content_type in [
                    "text/html",
                    "application/jwk-set+json",
                    "text/plain; charset=utf-16",
                    "image/png",
                    "",
                    "x",
                ] {
                    let headers = [("Content-Type", content_type)];
                    endpoint.answer_with(Some(http_answer("200 OK", &headers, &endpoint.keys())));
                    let validator = endpoint.validator().build().unwrap();
                    let token = endpoint.user().mint();
                    assert_eq!(
                        block_on(outcome(&validator, &token)),
                        Ok(()),
                        "{content_type}"
                    );
                }
            },
        ),
        kept(
            "J28",
            "what lenient readers accept: a member twice, a byte order mark, UTF-16",
            NO_KEY_SET,
            |issuer| {
                let good = document(issuer);
                vec![
                    good.replacen('{', r#"{"keys":[],"#, 1).into(),
                    format!("{},\"keys\":[]}}", good.strip_suffix('}').unwrap()).into(),
                    format!("\u{feff}{good}").into(),
                    good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                    format!("{good},").into(),
                    format!("//\n{good}").into(),
                    good.replace('"', "'").into(),
                    good.replacen("]}", ",]}", 1).into(),
                ]
            },
        ),
        dropped(
            "J29",
            "a key that is nested without end, or has a member twice",
            "left out: 1 ",
            |key| {
                // Written as text in the place of the key; see `dropped`.
                let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
                vec![with(key, "x", deep)]
            },
        ),
    ]
}

/// Documents that are refused for this reason: the keys at hand remain in use, and a validator without
/// keys gets none.
fn kept(
    id: &'static str,
    what: &'static str,
    words: &'static str,
    documents: fn(&Issuer) -> Vec<Vec<u8>>,
) -> Row {
    scene(id, what, move |issuer| {
        let documents = documents(issuer);
        let validator = issuer
            .validator_builder()
            .key_settings(hasty())
            .build()
            .unwrap();
        for document in documents {
            println!(
                "  {}",
                String::from_utf8_lossy(&document[..document.len().min(80)])
            );
            bad(issuer, words, |issuer| {
                issuer.set_keys_document(document.clone());
            });
            // From the start.
            block_on(async {
                let token = issuer.user().mint();
                // When the second is asked for, the first has been judged.
                let seen = issuer.key_fetches();
                loop {
                    let error = validate(&validator, &token).await.unwrap_err();
                    assert_eq!(error.kind(), KeysUnavailable);
                    let is_said = error.to_string().contains(words);
                    if issuer.key_fetches() >= seen + 2 && is_said {
                        break;
                    }
                    tokio::time::sleep(TICK).await;
                }
                assert_eq!(validator.status(), KeyStatus::Unavailable);
            });
            issuer.reset_keys_document();
        }
        block_on(validator.ready());
        let token = issuer.user().mint();
        assert_eq!(block_on(outcome(&validator, &token)), Ok(()));
    })
}

/// Keys that are left out of a key set, for this reason. The issuer's own key beside them serves.
fn dropped(
    id: &'static str,
    what: &'static str,
    words: &'static str,
    keys: fn(&Value) -> Vec<Value>,
) -> Row {
    scene(id, what, move |issuer| {
        let spare = issuer.new_unpublished_key();
        issuer.publish(&spare);
        let good = last_key(issuer);
        issuer.withdraw(&spare);
        let odd = keys(&with(&good, "kid", json!(KID)));
        for key in odd {
            println!("  {}", key.to_string().chars().take(80).collect::<String>());
            issuer.publish_jwk(&key);
            for kid in [KID, "", "k"] {
                // One of its own for each: the cool-down of one keeps the other from a fetch.
                let validator = serves(issuer);
                let token = issuer.user().signed_by(&spare).header("kid", kid).mint();
                let refused = block_on(outcome(&validator, &token));
                let expected = if kid.is_empty() {
                    InvalidKeyId
                } else {
                    UnknownKey
                };
                assert_eq!(refused, Err(expected));
            }
            let alone = json!({ "keys": [key] }).to_string();
            bad(issuer, words, |issuer| {
                issuer.set_keys_document(alone.clone());
            });
            issuer.reset_keys_document();
        }
    })
}

/// The issuer's own key in forms in which it serves.
fn taken(id: &'static str, what: &'static str, keys: fn(&Issuer) -> Vec<Value>) -> Row {
    scene(id, what, move |issuer| {
        for key in keys(issuer) {
            println!("  {}", key.to_string().chars().take(80).collect::<String>());
            issuer.set_keys_document(json!({ "keys": [key] }).to_string());
            serves(issuer);
            issuer.reset_keys_document();
        }
    })
}

/// A key that names its issuer signs for that issuer alone. One that names none signs where one tenant
/// is accepted.
fn keys_of_other_issuers(_: &Issuer) {
    let issuer = Issuer::start_blocking();
    let (kid, tid) = (issuer.current_kid(), issuer.tenant_id());
    let own = issuer.v2_issuer();
    let one = || Tenants::list([tid, tid]);
    let two = || Tenants::list([tid, OTHER_TENANT]);
    for (key_issuer, tenants, words) in [
        (None, vec![Tenants::single(tid), one()], None),
        (
            None,
            vec![two(), Tenants::any_organization(), Tenants::any()],
            Some("names no issuer"),
        ),
        (Some(own.clone()), vec![one(), two(), Tenants::any()], None),
    ]
    .into_iter()
    .chain(
        [
            String::new(),
            " ".to_owned(),
            "{tenantid}".to_owned(),
            own.replace(tid, &tid.to_uppercase()),
            own.replace(tid, OTHER_TENANT),
            own.replace(tid, "{tid}"),
            format!("{own}/"),
            own.replace("/v2.0", "/"),
            "https://login.microsoftonline.us/{tenantid}/v2.0".to_owned(),
        ]
        .map(|text| {
            (
                Some(text),
                vec![one(), two(), Tenants::any()],
                Some("signs for"),
            )
        }),
    ) {
        match &key_issuer {
            Some(text) => issuer.set_key_member(&kid, "issuer", text),
            None => issuer.remove_key_member(&kid, "issuer"),
        }
        for tenants in tenants {
            println!("  {key_issuer:?} for {tenants:?}");
            let validator = Validator::builder(tenants, [issuer.audience()])
                .authority(issuer.authority())
                .build()
                .unwrap();
            for token in [issuer.user().mint(), issuer.user().v1().mint()] {
                match (block_on(validate(&validator, &token)), words) {
                    (Ok(_), None) => {}
                    (Err(error), Some(words)) => {
                        assert_eq!(error.kind(), KeyNotForIssuer);
                        assert!(error.to_string().contains(words), "{error}");
                    }
                    (judged, _) => panic!("{judged:?}"),
                }
            }
        }
    }
}

/// Each of these answers to a request for keys is refused for this reason.
fn answers_are_bad(issuer: &Issuer, words: &str, answers: impl IntoIterator<Item = Vec<u8>>) {
    let endpoint = Endpoint::start(issuer);
    for answer in answers {
        println!(
            "  {}",
            String::from_utf8_lossy(&answer[..answer.len().min(80)])
        );
        endpoint.answer_with(None);
        keeps(endpoint.validator(), &endpoint.user(), words, || {
            endpoint.answer_with(Some(answer));
        });
    }
}

/// What the issuer serves after `spoil` is refused for this reason.
fn bad(issuer: &Issuer, words: &str, spoil: impl Fn(&Issuer)) {
    issuer.reset_keys_document();
    issuer.heal();
    keeps(issuer.validator_builder(), &issuer.user(), words, || {
        spoil(issuer);
    });
}

/// After `spoil` no key is taken away, and the error about an unknown one says why.
fn keeps(validator: ValidatorBuilder, user: &TokenBuilder, words: &str, spoil: impl FnOnce()) {
    // The fetch ends long before the wait does.
    let settings = KeySettings::default().with_wait(10 * SECOND);
    let validator = validator.key_settings(settings).build().unwrap();
    let layer = EntraAuthLayer::new(validator.clone())
        .with_realm(REALM)
        .unwrap();
    block_on(async {
        validator.ready().await;
        spoil();
        let unknown = user.clone().header("kid", "unknown").mint();
        let answer = send(&layer, with_line(format!("Bearer {unknown}"))).await;
        answer.is_refusal(KeysUnavailable);
        let error = answer.response.extensions().get::<Error>().unwrap();
        assert!(error.to_string().contains(words), "{words:?}: {error}");
        assert!(error.hint().contains("known keys are still admitted"));
        let good = user.clone().mint();
        assert_eq!(outcome(&validator, &good).await, Ok(()));
        assert!(matches!(validator.status(), KeyStatus::Stale { .. }));
    });
}

/// A validator that has fetched what the issuer serves now.
fn loaded(issuer: &Issuer) -> Validator {
    let validator = issuer.validator();
    block_on(validator.ready());
    validator
}

/// The same, and the issuer's own key serves.
fn serves(issuer: &Issuer) -> Validator {
    let validator = loaded(issuer);
    for token in [issuer.user().mint(), issuer.user().v1().mint()] {
        assert_eq!(block_on(outcome(&validator, &token)), Ok(()));
    }
    validator
}

fn document(issuer: &Issuer) -> String {
    String::from_utf8(issuer.keys_document()).unwrap()
}

fn own_key(issuer: &Issuer) -> Value {
    serde_json::from_str::<Value>(&document(issuer)).unwrap()["keys"][0].clone()
}

fn last_key(issuer: &Issuer) -> Value {
    let document: Value = serde_json::from_str(&document(issuer)).unwrap();
    document["keys"].as_array().unwrap().last().unwrap().clone()
}

fn with(key: &Value, name: &str, value: Value) -> Value {
    let mut key = key.clone();
    key[name] = value;
    key
}

fn without(key: &Value, name: &str) -> Value {
    let mut key = key.clone();
    key.as_object_mut().unwrap().remove(name);
    key
}

fn bytes(key: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap()
}

fn number(bytes: &[u8]) -> Value {
    json!(URL_SAFE_NO_PAD.encode(bytes))
}

/// A gzip stream of one block that is stored as it is (RFC 1951, section 3.2.4, and RFC 1952).
fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("one block");
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => (crc >> 1) ^ 0xedb8_8320,
            _ => crc >> 1,
        })
    });
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1],
        &length.to_le_bytes()[..],
        &(!length).to_le_bytes(),
        bytes,
        &(!crc).to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}

const KID: &str = "odd";
const NO_KEY_SET: &str = "the answer was no key set";
const COMPRESSED: &str = "the answer was compressed";

/// A certificate for the day of 2009-01-01 and a key on P-256, in base64.
const ON_P256: &str = "MIIBEjCBuaADAgECAgEBMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCGFjY291bnRzMB4XDTA5MD\
    EwMTAwMDAwMFoXDTA5MDEwMjAwMDAwMFowEzERMA8GA1UEAwwIYWNjb3VudHMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\
    AASk40wvXOh/V4ipxxVGqk+M+estt8PVvbjcUDMGKJ+vTeDFWPUZLYSd9jwTfkNcXqs54dASeDJJfDd0VjfsZbWFMAoGCCqG\
    SM49BAMCA0gAMEUCIHITGhqCZ2PUwWeFgbkTrlHHauCP7KSz6E4Exo/oR34aAiEArAtAua3FVWIrPVKD2aEE0oSDKUS9h6zz\
    t3CufuvUjXE=";
