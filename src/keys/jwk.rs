//! Is this JWK a key that may verify tokens here?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, KeyAlgorithm,
    KeyOperations, PublicKeyUse, RSAKeyParameters,
};
use serde::Deserialize;

use super::set::PublishedKey;
use crate::{
    authority::KeyIssuer,
    token::{SignatureAlgorithm, VerificationKey, is_json_object},
};

/// Members that Entra adds to [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517) and that the JOSE
/// types do not know.
#[derive(Deserialize)]
struct EntraMembers {
    issuer: Option<String>,
    cloud_instance_name: Option<String>,
}

/// Reads one JWK. `None` if it is not usable, whatever the reason.
pub(super) fn usable_key(json: &str, allowed: &[SignatureAlgorithm]) -> Option<PublishedKey> {
    if !is_json_object(json) {
        return None;
    }
    let jwk: Jwk = serde_json::from_str(json).ok()?;
    let entra: EntraMembers = serde_json::from_str(json).ok()?;
    let common = &jwk.common;
    let kid = common.key_id.as_deref().filter(|kid| !kid.is_empty())?;
    let may_verify = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
        && common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !may_verify {
        return None;
    }
    let algorithm = algorithm(&jwk).filter(|algorithm| allowed.contains(algorithm))?;
    let (material, key) = match &jwk.algorithm {
        AlgorithmParameters::RSA(parameters) => rsa(parameters, algorithm)?,
        AlgorithmParameters::EllipticCurve(parameters) => p256(parameters, algorithm)?,
        AlgorithmParameters::OctetKeyPair(_) | AlgorithmParameters::OctetKey(_) => return None,
        // The type is open-ended: what it may come to hold is not usable either.
        #[allow(unreachable_patterns)]
        _ => return None,
    };
    Some(PublishedKey {
        kid: kid.into(),
        issuer: entra.issuer.as_deref().map(KeyIssuer::parse),
        cloud: entra.cloud_instance_name,
        material,
        key,
    })
}

/// The one algorithm of a key. Entra's keys do not name any.
fn algorithm(jwk: &Jwk) -> Option<SignatureAlgorithm> {
    match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => {
            Some(SignatureAlgorithm::Rs256)
        }
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Some(SignatureAlgorithm::Ps256),
        (AlgorithmParameters::EllipticCurve(_), None | Some(KeyAlgorithm::ES256)) => {
            Some(SignatureAlgorithm::Es256)
        }
        _ => None,
    }
}

/// The size of a modulus and the parity of both numbers are looked at here, because the crypto
/// library does so only at the first verification, when the key is already in force.
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

fn p256(
    parameters: &EllipticCurveKeyParameters,
    algorithm: SignatureAlgorithm,
) -> Option<([Vec<u8>; 2], VerificationKey)> {
    if parameters.curve != EllipticCurve::P256 || algorithm != SignatureAlgorithm::Es256 {
        return None;
    }
    let coordinate = |text: &str| decode(text).filter(|bytes| bytes.len() == 32);
    // RFC 7518, section 6.2.1: both in full length. Uncompressed points begin with 4.
    let (x, y) = (coordinate(&parameters.x)?, coordinate(&parameters.y)?);
    let key = VerificationKey::p256(&[&[4], x.as_slice(), &y].concat())?;
    Some(([x, y], key))
}

/// A big-endian integer, leading zeros gone.
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

/// What the crypto library can verify with.
const MAX_EXPONENT_BITS: usize = 33;
