//! One JWK: checks that it may verify tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, KeyAlgorithm,
    KeyOperations, PublicKeyUse, RSAKeyParameters,
};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::skipped::Unusable;
use crate::admit::{
    algorithm::SignatureAlgorithm,
    issuers::KeyIssuer,
    token::{MAX_KID, VerificationKey, is_json_object},
};

/// A usable key and its members of the key document.
#[derive(Debug)]
pub(crate) struct PublishedKey {
    pub(super) kid: Box<str>,
    pub(super) issuer: Option<KeyIssuer>,
    pub(super) cloud: Option<String>,
    /// The public numbers: `n` and `e`, or `x` and `y`. They tell two keys apart.
    pub(super) material: [Vec<u8>; 2],
    pub(super) key: VerificationKey,
}

impl PublishedKey {
    /// Reads one JWK, with an algorithm of `allowed`.
    pub(super) fn parse(json: &str, allowed: &[SignatureAlgorithm]) -> Result<Self, Unusable> {
        if !is_json_object(json) {
            return Err(Unusable::Malformed);
        }
        let mut members: Map<String, Value> =
            serde_json::from_str(json).map_err(|_| Unusable::Malformed)?;
        members.retain(|name, _| USED_MEMBERS.contains(&name.as_str()));
        // `"issuer": null` must not count as absent: a key without `issuer` may verify for any
        // issuer where the discovery document names one tenant.
        if members.values().any(Value::is_null) {
            return Err(Unusable::Malformed);
        }
        let issuer = string(members.remove("issuer"))?;
        let cloud = string(members.remove("cloud_instance_name"))?;
        let jwk = Jwk::deserialize(Value::Object(members)).map_err(|_| Unusable::Malformed)?;
        let common = &jwk.common;
        // A token with a longer `kid` is refused.
        let kid = common
            .key_id
            .as_deref()
            .filter(|kid| (1..=MAX_KID).contains(&kid.len()))
            .ok_or(Unusable::NoKeyId)?;
        let may_verify = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !may_verify {
            return Err(Unusable::OtherUse);
        }
        let algorithm = algorithm(&jwk)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or_else(|| why_no_algorithm(&jwk.algorithm))?;
        let numbers = match &jwk.algorithm {
            AlgorithmParameters::RSA(parameters) => rsa(parameters, algorithm),
            AlgorithmParameters::EllipticCurve(parameters) => p256(parameters),
            // Unreachable: `algorithm` is `None` for every other key type.
            _ => return Err(Unusable::OtherAlgorithm),
        };
        let (material, key) = numbers.ok_or(Unusable::UnfitNumbers)?;
        Ok(Self {
            kid: kid.into(),
            issuer: issuer.as_deref().map(KeyIssuer::parse),
            cloud,
            material,
            key,
        })
    }

    pub(crate) fn key(&self) -> &VerificationKey {
        &self.key
    }

    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.issuer == other.issuer
            && self.cloud == other.cloud
            && self.material == other.material
            && self.key.algorithm() == other.key.algorithm()
    }
}

/// A member that is a string or absent.
fn string(member: Option<Value>) -> Result<Option<String>, Unusable> {
    match member {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unusable::Malformed),
    }
}

/// The only algorithm of a key. Entra's keys have no `alg`.
fn algorithm(jwk: &Jwk) -> Option<SignatureAlgorithm> {
    match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => {
            Some(SignatureAlgorithm::Rs256)
        }
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Some(SignatureAlgorithm::Ps256),
        (AlgorithmParameters::EllipticCurve(parameters), None | Some(KeyAlgorithm::ES256))
            if parameters.curve == EllipticCurve::P256 =>
        {
            Some(SignatureAlgorithm::Es256)
        }
        _ => None,
    }
}

/// Why a key has no algorithm. The JOSE types read an RSA or P-256 key without its numbers as a key
/// of another type.
fn why_no_algorithm(parameters: &AlgorithmParameters) -> Unusable {
    if let AlgorithmParameters::Other(other) = parameters {
        let is = |name, text| other.fields.get(name).is_some_and(|value| value == text);
        if is("kty", "RSA") || (is("kty", "EC") && is("crv", "P-256")) {
            return Unusable::Malformed;
        }
    }
    Unusable::OtherAlgorithm
}

/// The size of the modulus and the parity of both numbers are checked here: the crypto library
/// checks them only at the first verification, when the key set is already in use.
fn rsa(
    parameters: &RSAKeyParameters,
    algorithm: SignatureAlgorithm,
) -> Option<([Vec<u8>; 2], VerificationKey)> {
    let n = integer(&parameters.n)?;
    let e = integer(&parameters.e)?;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let fits = (2_048..=8_192).contains(&bits(&n))
        && is_odd(&n)
        && is_odd(&e)
        && e != [1]
        && bits(&e) <= MAX_EXPONENT_BITS;
    if !fits {
        return None;
    }
    let key = VerificationKey::rsa(algorithm, &n, &e)?;
    Some(([n, e], key))
}

fn p256(parameters: &EllipticCurveKeyParameters) -> Option<([Vec<u8>; 2], VerificationKey)> {
    let coordinate = |text: &str| decode(text).filter(|bytes| bytes.len() == 32);
    // RFC 7518, section 6.2.1.2: "The length of this octet string MUST be the full size of a
    // coordinate". An uncompressed point begins with 4.
    let (x, y) = (coordinate(&parameters.x)?, coordinate(&parameters.y)?);
    let key = VerificationKey::p256(&[&[4], x.as_slice(), &y].concat())?;
    Some(([x, y], key))
}

/// A big-endian integer without leading zeros.
fn integer(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let significant = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(significant..).map(<[u8]>::to_vec)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| 8 - byte.leading_zeros());
    number.len().saturating_sub(1) * 8 + usize::try_from(leading).unwrap_or(8)
}

/// The members that are used: those of [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517) and
/// [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-6) for public keys, and two that Entra
/// adds. Other members, `x5c` and `x5u` included, do not decide whether a key is usable.
const USED_MEMBERS: [&str; 12] = [
    "kty",
    "kid",
    "use",
    "key_ops",
    "alg",
    "n",
    "e",
    "crv",
    "x",
    "y",
    "issuer",
    "cloud_instance_name",
];

/// The longest exponent that the crypto library accepts.
const MAX_EXPONENT_BITS: usize = 33;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admit::token::{TokenRules, UnverifiedToken};

    const RS256: &[SignatureAlgorithm] = &[SignatureAlgorithm::Rs256];
    const ALL: &[SignatureAlgorithm] = &[
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::Es256,
    ];

    /// A key as Entra publishes it, with one more member or another value of one.
    #[track_caller]
    fn rsa_with(name: &str, value: impl Into<Value>) -> String {
        let mut jwk = json!({
            "kty": "RSA",
            "use": "sig",
            "kid": "k",
            "x5t": "k",
            "n": number(2_048),
            "e": "AQAB",
            "x5c": ["MIIC"],
            "cloud_instance_name": "microsoftonline.com",
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        });
        jwk[name] = value.into();
        jwk.to_string()
    }

    /// The key of [RFC 7515, appendix A.3](https://www.rfc-editor.org/rfc/rfc7515#appendix-A.3),
    /// with one more member or another value of one.
    #[track_caller]
    fn p256_with(name: &str, value: impl Into<Value>) -> String {
        let mut jwk = json!({"kty": "EC", "kid": "k", "crv": "P-256", "x": X, "y": Y});
        jwk[name] = value.into();
        jwk.to_string()
    }

    fn rsa() -> String {
        rsa_with("kid", "k")
    }

    fn without(json: &str, name: &str) -> String {
        let mut jwk: Value = serde_json::from_str(json).expect("JSON");
        jwk.as_object_mut().expect("an object").remove(name);
        jwk.to_string()
    }

    /// An odd number of `bits` bits, in base64url.
    fn number(bits: usize) -> String {
        encode(bytes(bits))
    }

    fn bytes(bits: usize) -> Vec<u8> {
        let mut bytes = vec![0xa5; bits.div_ceil(8)];
        let top = u32::try_from((bits - 1) % 8).expect("less than eight");
        bytes[0] = 1 << top;
        bytes
    }

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[track_caller]
    fn algorithm_of(json: &str, allowed: &[SignatureAlgorithm]) -> Option<SignatureAlgorithm> {
        let key = PublishedKey::parse(json, allowed).ok()?;
        Some(key.key.algorithm())
    }

    #[track_caller]
    fn assert_usable(json: &str) {
        assert!(PublishedKey::parse(json, ALL).is_ok(), "{json}");
    }

    #[track_caller]
    fn assert_skipped(json: &str) {
        assert!(PublishedKey::parse(json, ALL).is_err(), "{json}");
    }

    #[test]
    fn a_key_of_entra_is_usable_and_is_for_rs256() {
        let key = PublishedKey::parse(&rsa(), RS256).expect("a usable key");
        assert_eq!(&*key.kid, "k");
        assert_eq!(key.key.algorithm(), SignatureAlgorithm::Rs256);
        assert_eq!(key.cloud.as_deref(), Some("microsoftonline.com"));
        let issuer = key.issuer.expect("an issuer");
        let concrete =
            "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0";
        assert!(issuer.is(concrete, "7090e106-1ad3-4313-9b7a-75cc3e576d40"));
    }

    #[test]
    fn a_key_may_have_no_issuer_and_no_cloud() {
        let json = without(&without(&rsa(), "issuer"), "cloud_instance_name");
        let key = PublishedKey::parse(&json, RS256).expect("a usable key");
        assert_eq!(key.issuer, None);
        assert_eq!(key.cloud, None);
    }

    #[test]
    fn an_issuer_or_a_cloud_that_is_no_text_makes_a_key_useless() {
        for name in ["issuer", "cloud_instance_name"] {
            for value in [json!(1), json!(["x"]), json!({}), json!(true)] {
                assert_skipped(&rsa_with(name, value));
            }
        }
    }

    #[test]
    fn null_is_not_the_same_as_absent() {
        for name in ["use", "key_ops", "alg", "issuer", "cloud_instance_name"] {
            assert_skipped(&rsa_with(name, json!(null)));
        }
    }

    #[test]
    fn unused_members_do_not_decide_whether_a_key_is_usable() {
        for name in ["x5c", "x5t", "x5t#S256", "x5u", "d", "oth", "nbf", "new"] {
            for value in [
                json!(null),
                json!(1),
                json!("MII"),
                json!([1]),
                json!({"a": {}}),
            ] {
                assert_usable(&rsa_with(name, value));
            }
        }
    }

    #[test]
    fn a_blank_issuer_is_not_the_same_as_none() {
        let key = PublishedKey::parse(&rsa_with("issuer", ""), RS256).expect("a usable key");
        assert!(key.issuer.is_some());
    }

    #[test]
    fn an_rsa_modulus_has_from_2048_to_8192_bits() {
        for bits in [2_048, 2_049, 2_056, 3_072, 4_096, 8_191, 8_192] {
            assert_usable(&rsa_with("n", number(bits)));
        }
        for bits in [1, 8, 512, 1_024, 2_040, 2_047, 8_193, 8_200, 16_384] {
            assert_skipped(&rsa_with("n", number(bits)));
        }
    }

    #[test]
    fn leading_zeros_do_not_make_a_modulus_longer() {
        let padded = |bits| encode([vec![0; 300], bytes(bits)].concat());
        assert_usable(&rsa_with("n", padded(2_048)));
        assert_skipped(&rsa_with("n", padded(1_024)));
    }

    #[test]
    fn an_even_modulus_or_none_makes_a_key_useless() {
        let mut even = bytes(2_048);
        even[255] = 0xa4;
        assert_skipped(&rsa_with("n", encode(even)));
        assert_skipped(&rsa_with("n", encode([0; 256])));
        assert_skipped(&rsa_with("n", encode([0])));
        assert_skipped(&rsa_with("n", ""));
        assert_skipped(&without(&rsa(), "n"));
    }

    #[test]
    fn an_rsa_exponent_is_odd_and_at_least_three() {
        for e in [
            &[3][..],
            &[5],
            &[17],
            &[1, 0, 1],
            &[0, 0, 0, 1, 0, 1],
            &[0xff, 0xff, 0xff, 0xff],
            &[1, 0, 0, 0, 1],
        ] {
            assert_usable(&rsa_with("e", encode(e)));
        }
        for e in [
            &[][..],
            &[0],
            &[1],
            &[0, 0, 1],
            &[2],
            &[4],
            &[1, 0, 0],
            &[0, 0],
        ] {
            assert_skipped(&rsa_with("e", encode(e)));
        }
        assert_skipped(&without(&rsa(), "e"));
    }

    #[test]
    fn an_exponent_beyond_the_crypto_librarys_limit_makes_a_key_useless() {
        assert_skipped(&rsa_with("e", encode([2, 0, 0, 0, 1])));
        assert_skipped(&rsa_with("e", encode([0xff; 64])));
        assert_skipped(&rsa_with("e", number(2_048)));
    }

    #[test]
    fn the_least_and_the_greatest_exponent_verify() {
        for (n, e, signature) in [
            (N_OF_LEAST, "Aw", SIGNATURE_OF_LEAST),
            (N_OF_GREATEST, "AQAAAAE", SIGNATURE_OF_GREATEST),
        ] {
            let json = json!({"kty": "RSA", "kid": "k", "n": n, "e": e}).to_string();
            let key = PublishedKey::parse(&json, RS256).expect("a usable key");
            let token = format!("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.{signature}");
            let rules = TokenRules {
                max_len: 16 * 1024,
                algorithms: RS256.to_vec(),
            };
            let token = UnverifiedToken::parse(&token, &rules).expect("a well-formed token");
            assert!(key.key.check_signature(token).is_ok(), "{e}");
        }
    }

    #[test]
    fn numbers_that_are_not_canonical_base64url_make_a_key_useless() {
        let n = number(2_048);
        for odd in [
            format!("{n}="),
            format!("{n}=="),
            format!(" {n}"),
            format!("{n}\n"),
            format!("+{}", &n[1..]),
            format!("/{}", &n[1..]),
            "!".to_owned(),
        ] {
            assert_skipped(&rsa_with("n", odd));
        }
        for odd in ["AQAB=", "AQAB\n", "AQA B", "AQA*", "AR"] {
            assert_skipped(&rsa_with("e", odd));
        }
    }

    #[test]
    fn numbers_that_are_no_texts_make_a_key_useless() {
        for name in ["n", "e"] {
            for value in [json!(65_537), json!(null), json!(["AQAB"]), json!({})] {
                assert_skipped(&rsa_with(name, value));
            }
        }
    }

    #[test]
    fn a_key_has_an_id() {
        for kid in [
            json!("k".repeat(257)),
            json!(""),
            json!(1),
            json!(null),
            json!(["k"]),
            json!({}),
        ] {
            assert_skipped(&rsa_with("kid", kid));
        }
        assert_skipped(&without(&rsa(), "kid"));
    }

    #[test]
    fn a_key_is_for_signatures_or_does_not_say() {
        assert_usable(&rsa_with("use", "sig"));
        assert_usable(&without(&rsa(), "use"));
        for other in [
            json!("enc"),
            json!("SIG"),
            json!("Sig"),
            json!(""),
            json!(" sig"),
            json!("x"),
            json!(1),
            json!(["sig"]),
        ] {
            assert_skipped(&rsa_with("use", other));
        }
    }

    #[test]
    fn a_key_may_verify_or_does_not_say() {
        for operations in [json!(["verify"]), json!(["sign", "verify", "x"])] {
            assert_usable(&rsa_with("key_ops", operations));
        }
        for other in [
            json!([]),
            json!(["sign"]),
            json!(["encrypt", "wrapKey"]),
            json!(["Verify"]),
            json!("verify"),
            json!([1]),
            json!({"verify": true}),
        ] {
            assert_skipped(&rsa_with("key_ops", other));
        }
    }

    #[test]
    fn use_and_key_operations_hold_together() {
        let mut jwk: Value = serde_json::from_str(&rsa_with("use", "enc")).expect("JSON");
        jwk["key_ops"] = json!(["verify"]);
        assert_skipped(&jwk.to_string());
    }

    #[test]
    fn the_algorithm_of_an_rsa_key_is_its_own_or_rs256() {
        let alg = |alg: &str| algorithm_of(&rsa_with("alg", alg), ALL);
        assert_eq!(algorithm_of(&rsa(), ALL), Some(SignatureAlgorithm::Rs256));
        assert_eq!(alg("RS256"), Some(SignatureAlgorithm::Rs256));
        assert_eq!(alg("PS256"), Some(SignatureAlgorithm::Ps256));
        for other in [
            "RS384", "RS512", "PS384", "PS512", "HS256", "ES256", "EdDSA", "RSA-OAEP", "none", "",
            "rs256", "RS256 ",
        ] {
            assert_eq!(alg(other), None, "{other}");
        }
        for other in [json!(1), json!(["RS256"]), json!({})] {
            assert_skipped(&rsa_with("alg", other));
        }
    }

    #[test]
    fn a_key_for_an_algorithm_that_is_not_listed_is_skipped() {
        use SignatureAlgorithm::{Es256, Ps256, Rs256};

        let plain = rsa();
        let rs256 = rsa_with("alg", "RS256");
        let ps256 = rsa_with("alg", "PS256");
        let p256 = p256_with("kid", "k");
        for (allowed, usable) in [
            (&[Rs256][..], [true, true, false, false]),
            (&[Ps256], [false, false, true, false]),
            (&[Es256], [false, false, false, true]),
            (&[Ps256, Rs256], [true, true, true, false]),
            (&[], [false; 4]),
        ] {
            let found = [&plain, &rs256, &ps256, &p256]
                .map(|json| PublishedKey::parse(json, allowed).is_ok());
            assert_eq!(found, usable, "{allowed:?}");
        }
    }

    #[test]
    fn a_key_on_p256_is_for_es256() {
        for json in [p256_with("kid", "k"), p256_with("alg", "ES256")] {
            assert_eq!(algorithm_of(&json, ALL), Some(SignatureAlgorithm::Es256));
        }
        for alg in [
            "RS256", "PS256", "ES384", "ES512", "ECDH-ES", "none", "HS256",
        ] {
            assert_skipped(&p256_with("alg", alg));
        }
    }

    #[test]
    fn a_key_on_another_curve_is_skipped() {
        for curve in [
            "P-384",
            "P-521",
            "secp256k1",
            "P-256K",
            "Ed25519",
            "p-256",
            "",
        ] {
            assert_skipped(&p256_with("crv", curve));
        }
        assert_skipped(&without(&p256_with("kid", "k"), "crv"));
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_makes_a_key_useless() {
        assert_skipped(&p256_with("x", Y));
        assert_skipped(&p256_with("y", X));
        assert_skipped(&p256_with("y", encode([0; 32])));
        assert_skipped(&p256_with("y", encode([0xff; 32])));
    }

    #[test]
    fn a_coordinate_has_its_full_length() {
        for name in ["x", "y"] {
            let whole = decode(if name == "x" { X } else { Y }).expect("base64url");
            let padded = [&[0], whole.as_slice()].concat();
            assert_skipped(&p256_with(name, encode(padded)));
            assert_skipped(&p256_with(name, encode(&whole[1..])));
            assert_skipped(&p256_with(name, ""));
            assert_skipped(&without(&p256_with("kid", "k"), name));
        }
    }

    #[test]
    fn other_kinds_of_key_are_skipped() {
        for kind in ["oct", "OKP", "rsa", "RSA1", "", "EC"] {
            assert_skipped(&rsa_with("kty", kind));
        }
        assert_skipped(&without(&rsa(), "kty"));
        assert_skipped(r#"{"kty":"oct","kid":"k","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}"#);
        assert_skipped(r#"{"kty":"oct","kid":"k","alg":"RS256","k":"c2VjcmV0"}"#);
        assert_skipped(&format!(
            r#"{{"kty":"OKP","kid":"k","crv":"Ed25519","x":"{X}"}}"#
        ));
    }

    #[test]
    fn what_is_no_object_is_skipped() {
        for json in [
            "", "null", "1", "true", "\"k\"", "[]", "[{}]", "{}", "{", "{]",
        ] {
            assert_skipped(json);
        }
        assert_skipped(&format!("{} ", &rsa()[..40]));
    }

    #[test]
    fn a_member_that_comes_twice_makes_a_key_useless() {
        let json = rsa();
        let inside = json.strip_prefix('{').expect("an object");
        for twice in [
            r#""kid":"k""#,
            r#""kty":"RSA""#,
            r#""e":"AQAB""#,
            r#""use":"enc""#,
            r#""issuer":"https://evil.example""#,
            r#""x5t":"k""#,
            r#""unknown":1,"unknown":1"#,
        ] {
            assert_skipped(&format!("{{{twice},{inside}"));
        }
    }

    #[test]
    fn unknown_members_are_ignored() {
        for (name, value) in [
            ("x5u", json!("https://evil.example/certificate")),
            ("x5t#S256", json!("x")),
            ("nbf", json!(1)),
            ("nested", json!({"kid": "other", "issuer": [1, {"n": "x"}]})),
            ("x5c", json!(["of another key"])),
        ] {
            assert_usable(&rsa_with(name, value));
        }
    }

    #[test]
    fn a_skipped_key_has_a_reason() {
        use Unusable::{Malformed, NoKeyId, OtherAlgorithm, OtherUse, UnfitNumbers};

        for (json, why) in [
            ("[]".to_owned(), Malformed),
            (rsa_with("issuer", 1), Malformed),
            (without(&rsa(), "n"), Malformed),
            (rsa_with("e", 65_537), Malformed),
            (without(&rsa(), "kid"), NoKeyId),
            (rsa_with("kid", ""), NoKeyId),
            (rsa_with("use", "enc"), OtherUse),
            (rsa_with("key_ops", json!(["sign"])), OtherUse),
            (rsa_with("alg", "RS512"), OtherAlgorithm),
            (rsa_with("kty", "x"), OtherAlgorithm),
            (p256_with("crv", "secp256k1"), OtherAlgorithm),
            (p256_with("kid", "k"), OtherAlgorithm),
            (p256_with("crv", "P-384"), OtherAlgorithm),
            (
                r#"{"kty":"oct","kid":"k","k":"c2VjcmV0"}"#.to_owned(),
                OtherAlgorithm,
            ),
            (rsa_with("n", number(1_024)), UnfitNumbers),
            (rsa_with("e", "AQ"), UnfitNumbers),
        ] {
            assert_eq!(PublishedKey::parse(&json, RS256).err(), Some(why), "{json}");
        }
        let off_the_curve = PublishedKey::parse(&p256_with("x", Y), ALL);
        assert_eq!(off_the_curve.err(), Some(UnfitNumbers));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_reader() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = rsa();
        assert_skipped(&format!("{},\"x\":{deep}}}", &json[..json.len() - 1]));
        assert_skipped(&deep);
    }

    #[test]
    fn only_the_public_half_of_a_private_key_is_read() {
        let mut jwk: Value = serde_json::from_str(&rsa()).expect("JSON");
        for name in ["d", "p", "q", "dp", "dq", "qi"] {
            jwk[name] = json!("c2VjcmV0");
        }
        let key = PublishedKey::parse(&jwk.to_string(), RS256);
        assert!(!format!("{key:?}").contains("c2VjcmV0"));
    }

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    const N_OF_LEAST: &str = "rtjCnzLrAq3srW1EnholPBKU0xmDv9MIRT3iui2Y7ag6w4FDzsEH8h3t2pdhBgMElby4-owkePV8DD8cd0PRud0Tlwv0BIUG0fPdtVXIEm4UhL2t88gXfw_O4CgsT8D9qZ7nhbw_YnAinoCGsEJw15GdDjcBPnkxkF-MneOYDsmw3I428zJy0bLtd21fyHclwogayPzs_yP4EozM-RBd8NBis7xYY6_zGAmAgTWnXdskVzfXRvgInplZlidMvY7AODvVNA-6Pftf5yw8zPEoCC79civBBDPtjEE0j5h77bxTRlWUKHftEvQ2bW3LcFknfflCjJZcqitkoz2sa4QSjw";
    const SIGNATURE_OF_LEAST: &str = "eL6jsfjgOUcrThfSj3jtC1E8aXKUSTKjpKpUY8kK9ABzYEQue0pyE6Vn0C_zlkldv9edKRD0OMmgNyntHT044kN-p8ewsl1IrdsqbXcdRznax6jPpGcVZVwwAYX1c5bf_wAzmlXxPL_VQJspBISRaytFdumKhhBlvM6xbWE-U8exN17BrgshfF4YMVXJmwghoye4zBsgz7yRqwLKpJm_SNlBWBgkd18_NjazAy2uGeon6q2dDI4IgHiw-mzHECYKfWH0eRlG1ZykZ2G5ZurseMz_i2PvoraBnsHMjT35yJ0DptmxqN5x5knO6cQedyCvmt0dDHHybMJ_ti9towoo4A";
    const N_OF_GREATEST: &str = "0LNqdwuzorXFNShpmeLgH6bojISlQq_ruWtKWHXUkUAGb1OTCxsxHOGfbjH2QNx6WDo61rPGh-_VxBnTW9S8ruCG3JN-INxtuc3y-L6Lrh9nkzRCIi7nenBLrwmnnozCCQUeK8vJUQBu2MIGHnnNchOm1KPaeBE6nIUr1Pq1aFXHpr4Oxdf641ML7thiyWlLxcMDHTHkeX6zG8xBtcBu7K4QKX1JN_YoyOCDApgIuhx4evPxgXfGefwK07fvCnuh-glu6isgJGQb-xUcVN3v85q6xIvKPWU0yqo7vo9rU6Nyq-IreE4qlCBwjfHWyTfDLRMa5Q8W4vRExPWyHG1jxw";
    const SIGNATURE_OF_GREATEST: &str = "JRD0q_AITn_GAd2zTo7nE_e_wnztH3arxW6luNUqAgp-vQm1HZ9IRr3pCDYsnwgfhapW78gveslSUsq2zg-ghLyLMGt5SWB4UKWLDmkBsURMtrk-loZ8f_fl-0e9nHoV87skqTTBeRNwnOuh9aMjm0rKTKd3n22uqyGUtQuHaVe660oyUSv_n9s3ED26AQk7_KFoSCNVxnx-A2Hjx2ilUHYehTrAE-0ROcp6L70rIPkv6JubHimEWSVyOVTwypVcTaVHuZqYmaRvEICNVnZ6CccUtVHMGA1CVbUr_lfEX312nbAFDXIOH9zbpGaFIXaKBmvZmMobdxQwmkIIwMrgng";
}
