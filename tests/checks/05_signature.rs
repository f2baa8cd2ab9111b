//! Check 5: the signature, by that key and with its own algorithm.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower_entra::{
    EntraAuthLayer,
    ErrorKind::*,
    SignatureAlgorithm, ValidatorBuilder,
    testing::{Issuer, KeyKind, TokenBuilder},
};

use super::parts::*;
use crate::support::*;

#[test]
fn a_signature_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "C06",
            "another algorithm with an otherwise right key",
            [
                refused_as(AlgorithmNotAllowed, "accepts RS256", "Entra", |issuer| {
                    let algorithms = ["RS384", "RS512", "PS256", "PS384", "PS512"];
                    let mut inputs = each(algorithms, |name| issuer.user().algorithm(name));
                    let p256 = issuer.publish_key_with(KeyKind::P256);
                    inputs.extend(one(issuer.user().signed_by(p256)));
                    inputs.extend(each(
                        [
                            "ES256",
                            "ES256K",
                            "ES384",
                            "ES512",
                            "EdDSA",
                            "Ed25519",
                            "HS256",
                            "HS384",
                            "HS512",
                            "RSA-OAEP",
                            "A128KW",
                            "ML-DSA-65",
                        ],
                        |name| issuer.user().header("alg", *name),
                    ));
                    inputs
                }),
                // Under its own name, the signature of another one is no signature.
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    each(["RS384", "RS512", "PS256"], |name| {
                        issuer.user().algorithm(name).header("alg", "RS256")
                    })
                })
                .one_fetch(),
            ],
        ),
        row(
            "C07",
            "PS256 by the real RSA key, whose JWK has no `alg`, even where PS256 is listed",
            [
                refused_as(AlgorithmNotAllowed, "PS256", "algorithms", |issuer| {
                    one(issuer.user().algorithm("PS256"))
                }),
                refused_as(
                    InvalidSignature,
                    "the key is for RS256",
                    "altered",
                    |issuer| one(issuer.user().algorithm("PS256")),
                )
                .with(|issuer| {
                    issuer.validator_builder().algorithms([
                        SignatureAlgorithm::Rs256,
                        SignatureAlgorithm::Ps256,
                        SignatureAlgorithm::Es256,
                    ])
                })
                .one_fetch(),
            ],
        ),
        row(
            "C23",
            "a `nonce` in the header, as tokens for Microsoft Graph have it",
            [
                refused_as(GraphToken, "claims to be for", "Graph", |issuer| {
                    let graph = issuer.user().header("nonce", "the hash of it");
                    let signed = graph.mint();
                    let (_, rest) = signed.split_once('.').unwrap();
                    let shown = issuer.user().header("nonce", "the nonce itself").mint();
                    let (header, _) = shown.split_once('.').unwrap();
                    let mut inputs = each([format!("{header}.{rest}")], String::clone);
                    inputs.extend(each(no_texts(), |(_, nonce)| {
                        issuer.user().header("nonce", nonce).signed_by_stranger()
                    }));
                    inputs
                })
                .one_fetch(),
                // Of a token for Graph not even a fetch is worth its while.
                refused_as(GraphToken, "claims to be for", "Graph", |issuer| {
                    let graph = issuer.user().audience("https://graph.microsoft.com");
                    one(graph.header("nonce", "x").signed_by_stranger())
                }),
                // Nor is one whose audience tells.
                refused_as(InvalidSignature, "graph.microsoft", "Graph", |issuer| {
                    let graph = issuer.user().audience("https://graph.microsoft.com");
                    one(graph.signed_by_stranger())
                }),
                refused_as(AudienceMismatch, "graph.microsoft", "Graph", |issuer| {
                    let graph = issuer.user().audience("https://graph.microsoft.com");
                    one(graph.header("nonce", "x"))
                }),
            ],
        ),
        row(
            "D01",
            "one bit of the signature flipped (every bit: `mutation.rs`)",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let (signed, signature) = signed_and_signature(issuer.user());
                    each([0, 7, 8, 1_024, 2_040, 2_047], |bit| {
                        let mut signature = signature.clone();
                        signature[bit / 8] ^= 1 << (bit % 8);
                        joined(&signed, &signature)
                    })
                })
                .one_fetch(),
            ],
        ),
        row(
            "D02",
            "a signature of the wrong length, or that is a number out of range",
            [
                refused_as(
                    MalformedToken,
                    "(signature) is empty",
                    "endpoint",
                    |issuer| one(issuer.user().signature([])),
                ),
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let (signed, good) = signed_and_signature(issuer.user());
                    let zero = vec![0];
                    let mut odd = vec![
                        vec![0],
                        vec![1; 10_000],
                        good[1..].to_vec(),
                        good[..255].to_vec(),
                        [&zero, good.as_slice()].concat(),
                        [good.as_slice(), &zero].concat(),
                        [good.as_slice(), &good].concat(),
                    ];
                    odd.extend([128, 255, 256, 257, 512].map(|length| vec![0; length]));
                    odd.extend([128, 255, 256, 257, 512].map(|length| vec![0xff; length]));
                    let mut signature_of_one = vec![0; 256];
                    signature_of_one[255] = 1;
                    odd.push(signature_of_one);
                    each(odd, |signature| joined(&signed, signature))
                })
                .one_fetch(),
            ],
        ),
        row(
            "D03",
            "another payload under a kept signature",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let (user, signature) = signed_and_signature(issuer.user());
                    let (header, _) = user.split_once('.').unwrap();
                    let payload_of = |token: TokenBuilder| {
                        let (signed, _) = signed_and_signature(token);
                        signed.split_once('.').unwrap().1.to_owned()
                    };
                    each(
                        [
                            payload_of(issuer.user().roles(["Admin"])),
                            payload_of(issuer.autonomous_agent()),
                            payload_of(issuer.user().expires_in(999_999)),
                        ],
                        |payload| joined(&format!("{header}.{payload}"), &signature),
                    )
                })
                .one_fetch(),
            ],
        ),
        row(
            "D04",
            "an equal header in another spelling",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let (signed, signature) = signed_and_signature(issuer.user());
                    let (_, payload) = signed.split_once('.').unwrap();
                    let kid = issuer.current_kid();
                    each(
                        [
                            format!(r#"{{"alg":"RS256", "kid":"{kid}","typ":"JWT"}}"#),
                            format!(r#"{{"kid":"{kid}","alg":"RS256","typ":"JWT"}}"#),
                            format!(r#"{{"\u0061lg":"RS256","kid":"{kid}","typ":"JWT"}}"#),
                            format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#),
                            format!("{{\"alg\":\"RS256\",\"kid\":\"{kid}\",\"typ\":\"JWT\"}}\n"),
                        ],
                        |header| {
                            let header = URL_SAFE_NO_PAD.encode(header);
                            joined(&format!("{header}.{payload}"), &signature)
                        },
                    )
                })
                .one_fetch(),
            ],
        ),
        row(
            "D05",
            "the signature of another token by the same key",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let (signed, _) = signed_and_signature(issuer.user());
                    let (_, other) = signed_and_signature(issuer.user());
                    one(joined(&signed, &other))
                })
                .one_fetch(),
            ],
        ),
        row(
            "D08",
            "a signature that only a sloppy reader of its padding takes, by a key with exponent 3",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    let forge = |forgery| forged_by_cube_root(issuer, forgery);
                    let mut inputs = these([
                        ("garbage after the hash", forge(Forgery::GarbageAfterHash)),
                        ("no padding bytes", forge(Forgery::NoPadding)),
                        ("the hash of SHA-1", forge(Forgery::OtherHash)),
                        ("the hash alone", forge(Forgery::HashAlone)),
                    ]);
                    inputs.extend(each(["RS384", "RS512", "PS256"], |other| {
                        issuer.user().algorithm(other).header("alg", "RS256")
                    }));
                    inputs
                })
                .one_fetch(),
            ],
        ),
        scene(
            "D09",
            "a bad signature hides what else is wrong",
            bad_signatures_answer_alike,
        ),
        row(
            "D10",
            "the signature as a number beyond the modulus: the same number to a sloppy reader",
            [
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    one(beyond_the_modulus(issuer))
                })
                .one_fetch(),
            ],
        ),
        row(
            "D11",
            "signatures on P-256 that are no numbers in range, or in another encoding",
            [
                admitted(|issuer| one(on_p256(issuer, |good| good.to_vec()))).with(with_es256),
                refused_as(InvalidSignature, "claims to be for", "altered", |issuer| {
                    these([
                        ("all zeros", on_p256(issuer, |_| vec![0; 64])),
                        ("all ones", on_p256(issuer, |_| vec![0xff; 64])),
                        (
                            "no r",
                            on_p256(issuer, |good| [&[0; 32], &good[32..]].concat()),
                        ),
                        (
                            "no s",
                            on_p256(issuer, |good| [&good[..32], &[0; 32]].concat()),
                        ),
                        (
                            "s and r",
                            on_p256(issuer, |good| [&good[32..], &good[..32]].concat()),
                        ),
                        (
                            "r and r",
                            on_p256(issuer, |good| [&good[..32], &good[..32]].concat()),
                        ),
                        (
                            "one byte short",
                            on_p256(issuer, |good| good[..63].to_vec()),
                        ),
                        (
                            "one byte long",
                            on_p256(issuer, |good| [good, &[0]].concat()),
                        ),
                        ("in DER", on_p256(issuer, in_der)),
                    ])
                })
                .with(with_es256)
                .one_fetch(),
            ],
        ),
        row(
            "D12",
            "a key verifies with its own algorithm alone, and serves only where that is listed",
            [
                admitted(|issuer| {
                    these([
                        ("RS256", issuer.user()),
                        (
                            "PS256",
                            issuer
                                .user()
                                .signed_by(issuer.publish_key_with(KeyKind::RsaPss)),
                        ),
                        (
                            "ES256",
                            issuer
                                .user()
                                .signed_by(issuer.publish_key_with(KeyKind::P256)),
                        ),
                    ])
                })
                .with(with_all_algorithms),
                refused_as(InvalidSignature, "signed with RS256", "altered", |issuer| {
                    let pss = issuer.publish_key_with(KeyKind::RsaPss);
                    let p256 = issuer.publish_key_with(KeyKind::P256);
                    worded([
                        ("PS256", issuer.user().signed_by(pss).algorithm("RS256")),
                        (
                            "ES256",
                            issuer.user().signed_by(p256).header("alg", "RS256"),
                        ),
                    ])
                })
                .with(with_all_algorithms)
                .one_fetch(),
                refused_as(UnknownKey, "names none of", "app_id", |issuer| {
                    let p256 = issuer.publish_key_with(KeyKind::P256);
                    one(issuer.user().signed_by(p256).header("alg", "RS256"))
                })
                .one_fetch(),
                refused_as(
                    AlgorithmNotAllowed,
                    "accepts RS256, ES256",
                    "forged",
                    |issuer| {
                        let mut inputs = one(issuer.user().hs256("secret"));
                        inputs.extend(one(issuer.user().header("alg", "none")));
                        inputs
                    },
                )
                .with(with_es256),
            ],
        ),
    ]
}

fn with_all_algorithms(issuer: &Issuer) -> ValidatorBuilder {
    issuer.validator_builder().algorithms([
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::Es256,
    ])
}

fn signed_and_signature(token: TokenBuilder) -> (String, Vec<u8>) {
    let token = token.mint();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    (
        signed.to_owned(),
        URL_SAFE_NO_PAD.decode(signature).unwrap(),
    )
}

fn joined(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn bad_signatures_answer_alike(issuer: &Issuer) {
    let validator = issuer.validator();
    let layer = EntraAuthLayer::new(validator.clone())
        .with_realm(REALM)
        .unwrap();
    block_on(async {
        validator.ready().await;
        let bad = || issuer.user().signed_by_stranger();
        let unknown = || bad().header("kid", "unpublished");
        let mut answers = Vec::new();
        for (token, kind) in [
            (bad(), InvalidSignature),
            (bad().expired(), InvalidSignature),
            (bad().audience("api://other"), InvalidSignature),
            (bad().tenant(OTHER_TENANT), InvalidSignature),
            (bad().payload("[]"), InvalidSignature),
            (bad().claim("cnf", 1), InvalidSignature),
            (bad().header("nonce", "x"), GraphToken),
            (unknown(), UnknownKey),
            (unknown().expired(), UnknownKey),
            (unknown().payload("[]"), UnknownKey),
        ] {
            let request = with_line(format!("Bearer {}", token.mint()));
            let answer = send(&layer, request).await;
            answer.is_refusal(kind);
            answers.push(format!("{:?}", answer.response.headers()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    });
}

/// What the cube root of is a forged signature.
#[derive(Clone, Copy)]
enum Forgery {
    /// Right up to the hash; whatever after it.
    GarbageAfterHash,
    /// The same without the bytes of padding that have to be there.
    NoPadding,
    /// The identifier of SHA-1 before the hash of SHA-256.
    OtherHash,
    /// The hash without an identifier.
    HashAlone,
}

/// A token for a key with the exponent 3, whose private part does not exist here: the signature is
/// a cube root, as [Bleichenbacher](https://mailarchive.ietf.org/arch/msg/openpgp/5rnE9ZRN1AokBVj3VqblGlP63QE/)
/// found.
fn forged_by_cube_root(issuer: &Issuer, forgery: Forgery) -> String {
    const KID: &str = "exponent-3";

    // Any odd number will do that is larger than every cube here.
    let keys: Value = serde_json::from_slice(&forger().keys_document()).unwrap();
    issuer.publish_jwk(json!({
        "kty": "RSA", "use": "sig", "kid": KID, "n": keys["keys"][0]["n"], "e": "Aw",
        "issuer": format!("{}/{{tenantid}}/v2.0", issuer.url()),
    }));
    let (signed, _) = signed_and_signature(issuer.user().header("kid", KID));
    let hash = digest(&SHA256, signed.as_bytes());
    let sha256 = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let sha1 = [
        0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
    ];
    let (padding, identifier): (&[u8], &[u8]) = match forgery {
        Forgery::GarbageAfterHash => (&[0xff; 8], &sha256),
        Forgery::NoPadding => (&[], &sha256),
        Forgery::OtherHash => (&[0xff; 8], &sha1),
        Forgery::HashAlone => (&[0xff; 8], &[]),
    };
    let begin = [&[0, 1], padding, &[0], identifier, hash.as_ref()].concat();
    let mut block = begin.clone();
    block.resize(256, 0);
    let root = cube_root(&limbs(&block));
    let cube = bytes(&cube(&root));
    assert!(cube[8..].starts_with(&begin), "a forgery worth its name");
    let mut signature = vec![0; 256 - 4 * root.len()];
    signature.extend(bytes(&root));
    joined(&signed, &signature)
}

/// The least number of 22 limbs whose cube is more than this one of 64.
fn cube_root(number: &[u32]) -> Vec<u32> {
    let mut root = vec![0; 22];
    for bit in (0..22 * 32).rev() {
        root[bit / 32] |= 1 << (bit % 32);
        if is_more(&cube(&root), number) {
            root[bit / 32] &= !(1 << (bit % 32));
        }
    }
    for limb in &mut root {
        *limb = limb.wrapping_add(1);
        if *limb != 0 {
            break;
        }
    }
    root
}

/// The cube, in 66 limbs.
fn cube(root: &[u32]) -> Vec<u32> {
    product(&product(root, root), root)
}

/// The product of two numbers whose first limb is the least, as long as both together.
fn product(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut product = vec![0; a.len() + b.len()];
    for (i, x) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, y) in b.iter().enumerate() {
            let sum = u64::from(product[i + j]) + u64::from(*x) * u64::from(*y) + carry;
            product[i + j] = u32::try_from(sum & 0xffff_ffff).unwrap();
            carry = sum >> 32;
        }
        product[i + b.len()] = u32::try_from(carry).unwrap();
    }
    product
}

fn is_more(a: &[u32], b: &[u32]) -> bool {
    let (head, tail) = a.split_at(b.len());
    tail.iter().any(|limb| *limb > 0) || head.iter().rev().gt(b.iter().rev())
}

fn limbs(bytes: &[u8]) -> Vec<u32> {
    let limbs = bytes.rchunks(4).map(|limb| limb.try_into().unwrap());
    limbs.map(u32::from_be_bytes).collect()
}

fn bytes(limbs: &[u32]) -> Vec<u8> {
    limbs
        .iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect()
}

/// A good token whose signature has the modulus added to it, where that fits into 256 bytes.
fn beyond_the_modulus(issuer: &Issuer) -> String {
    let keys: Value = serde_json::from_slice(&issuer.keys_document()).unwrap();
    let n = URL_SAFE_NO_PAD
        .decode(keys["keys"][0]["n"].as_str().unwrap())
        .unwrap();
    for _ in 0..10_000 {
        let (signed, mut signature) = signed_and_signature(issuer.user());
        let mut carry = 0;
        for (byte, more) in signature.iter_mut().rev().zip(n.iter().rev()) {
            let sum = u16::from(*byte) + u16::from(*more) + carry;
            *byte = sum.to_be_bytes()[1];
            carry = sum >> 8;
        }
        if carry == 0 {
            return joined(&signed, &signature);
        }
    }
    panic!("a modulus too close to 2^2048");
}

#[test]
fn a_refusal_says_nothing_of_algorithms_that_agree_nor_of_an_audience_that_is_not_there() {
    let other = issuer().user().algorithm("PS256").header("alg", "RS256");
    let error = error_by(&with_es256(issuer()).build().unwrap(), &other.mint());
    assert_eq!(error.kind(), InvalidSignature);
    assert!(!error.to_string().contains("is signed with"), "{error}");

    let for_no_audience = issuer().user().claim("aud", json!([]));
    let error = error_by(
        &issuer().validator(),
        &for_no_audience.signed_by_stranger().mint(),
    );
    assert_eq!(error.kind(), InvalidSignature);
    assert!(!error.to_string().contains("claims to be for"), "{error}");
}

fn with_es256(issuer: &Issuer) -> ValidatorBuilder {
    let algorithms = [SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256];
    issuer.validator_builder().algorithms(algorithms)
}

/// A token by a key on P-256, its signature changed so.
fn on_p256(issuer: &Issuer, change: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let kid = issuer.publish_key_with(KeyKind::P256);
    let (signed, signature) = signed_and_signature(issuer.user().signed_by(kid));
    joined(&signed, &change(&signature))
}

fn in_der(signature: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    for number in signature.chunks(32) {
        contents.extend([0x02, 33, 0]);
        contents.extend(number);
    }
    [&[0x30, 70], contents.as_slice()].concat()
}
