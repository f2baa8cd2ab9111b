//! May this header be followed? Makes check 3.

use super::json::{Slots, Value, read_object};
use crate::{
    admit::{
        algorithm::SignatureAlgorithm,
        error::{
            AllowedAlgorithms, Flaw, FoundAlgorithm, HeaderFault, KeyIdFault, Refusal, ShownOrType,
        },
    },
    shown::Shown,
};

/// The header parameters that are used.
///
/// Key material and URLs (`jwk`, `jku`, `x5c`, `x5u`, `x5t`) are not: a token that brings its own key
/// could be signed by anyone.
#[derive(Debug)]
pub(crate) struct Header {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) kid: Box<str>,
    pub(super) has_nonce: bool,
}

/// Check 3: an allowed algorithm, a `kid`, the type of an access token, nothing critical.
pub(super) fn check_header(json: &[u8], allowed: &[SignatureAlgorithm]) -> Result<Header, Refusal> {
    let text = std::str::from_utf8(json).map_err(|_| malformed(Flaw::NotUtf8))?;
    let mut members = Members::default();
    read_object(text, &mut members).map_err(malformed)?;
    let algorithm = match &members.alg {
        Some(Value::Text(name)) => allowed.iter().find(|algorithm| algorithm.as_str() == name),
        _ => None,
    };
    let algorithm = *algorithm.ok_or_else(|| algorithm_not_allowed(members.alg, allowed))?;
    let kid = match members.kid {
        Some(Value::Text(kid)) if !kid.is_empty() && kid.len() <= MAX_KID => kid.into(),
        kid => return Err(invalid_key_id(kid)),
    };
    match members.typ {
        None => {}
        Some(Value::Text(typ)) if is_access_token_type(&typ) => {}
        Some(typ) => return Err(unsupported_type(&typ)),
    }
    let unsupported = [
        ("crit", members.crit.is_some()),
        ("b64", members.b64.is_some()),
        ("zip", members.zip.is_some()),
        ("enc", members.enc.is_some()),
        ("cty", members.cty.is_some_and(|cty| is_nested_token(&cty))),
    ];
    if let Some((name, _)) = unsupported.into_iter().find(|(_, is_there)| *is_there) {
        return Err(Refusal::Header(HeaderFault::Parameter(name)));
    }
    Ok(Header {
        algorithm,
        kid,
        has_nonce: members.nonce.is_some(),
    })
}

#[cold]
fn malformed(flaw: Flaw) -> Refusal {
    Refusal::Header(HeaderFault::Malformed(flaw.into()))
}

/// Allocates nothing for an algorithm with a registered name.
#[cold]
fn algorithm_not_allowed(alg: Option<Value<'_>>, allowed: &[SignatureAlgorithm]) -> Refusal {
    let found = match alg {
        None => FoundAlgorithm::Absent,
        Some(Value::Text(name)) => FoundAlgorithm::of(&name),
        Some(other) => FoundAlgorithm::Other(ShownOrType::Type(other.json_type()).into()),
    };
    Refusal::Header(HeaderFault::Algorithm {
        found,
        allowed: AllowedAlgorithms::of(allowed),
    })
}

#[cold]
fn invalid_key_id(kid: Option<Value<'_>>) -> Refusal {
    Refusal::Header(HeaderFault::KeyId(match kid {
        None => KeyIdFault::Absent,
        Some(Value::Text(kid)) if kid.is_empty() => KeyIdFault::Empty,
        Some(Value::Text(kid)) => KeyIdFault::TooLong(kid.len()),
        Some(other) => KeyIdFault::Not(other.json_type()),
    }))
}

#[cold]
fn unsupported_type(typ: &Value<'_>) -> Refusal {
    let found = match typ {
        Value::Text(typ) => ShownOrType::Shown(Shown::of(typ)),
        other => ShownOrType::Type(other.json_type()),
    };
    Refusal::Header(HeaderFault::TokenType(found.into()))
}

/// Entra sends `JWT`; RFC 9068 asks for `at+jwt`; media types compare without regard to case.
fn is_access_token_type(typ: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known))
}

/// RFC 7519, section 5.2. A `cty` that is no text is refused with it.
fn is_nested_token(cty: &Value<'_>) -> bool {
    match cty {
        Value::Text(cty) => ["JWT", "application/jwt"]
            .iter()
            .any(|nested| cty.eq_ignore_ascii_case(nested)),
        _ => true,
    }
}

#[derive(Default)]
struct Members<'j> {
    alg: Option<Value<'j>>,
    kid: Option<Value<'j>>,
    typ: Option<Value<'j>>,
    crit: Option<Value<'j>>,
    b64: Option<Value<'j>>,
    zip: Option<Value<'j>>,
    enc: Option<Value<'j>>,
    cty: Option<Value<'j>>,
    nonce: Option<Value<'j>>,
    /// In every version 1.0 token, and never used.
    _x5t: Option<Value<'j>>,
}

impl<'j> Slots<'j> for Members<'j> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>> {
        Some(match name {
            "alg" => &mut self.alg,
            "kid" => &mut self.kid,
            "typ" => &mut self.typ,
            "crit" => &mut self.crit,
            "b64" => &mut self.b64,
            "zip" => &mut self.zip,
            "enc" => &mut self.enc,
            "cty" => &mut self.cty,
            "nonce" => &mut self.nonce,
            "x5t" => &mut self._x5t,
            _ => return None,
        })
    }

    fn is_refused(_: &str) -> bool {
        false
    }
}

/// The longest `kid` that is looked up, in bytes.
pub(crate) const MAX_KID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::error::ErrorKind;

    #[track_caller]
    fn refusal(json: &str) -> Option<ErrorKind> {
        let read = check_header(json.as_bytes(), &[SignatureAlgorithm::Rs256]);
        read.err().map(|error| error.kind())
    }

    /// A good header with one more member.
    fn with(member: &str) -> String {
        format!(r#"{{"alg":"RS256","kid":"k",{member}}}"#)
    }

    #[test]
    fn the_headers_entra_sends_are_read() {
        assert_eq!(refusal(r#"{"typ":"JWT","alg":"RS256","kid":"k"}"#), None);
        assert_eq!(
            refusal(r#"{"typ":"JWT","alg":"RS256","x5t":"k","kid":"k"}"#),
            None
        );
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for json in [
            "[]",
            "\"x\"",
            "null",
            "1",
            "",
            "{",
            "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
        ] {
            assert_eq!(refusal(json), Some(ErrorKind::MalformedHeader), "{json}");
        }
        let not_utf8 = check_header(b"{\"\xff\":1}", &[SignatureAlgorithm::Rs256]);
        let kind = not_utf8.err().map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::MalformedHeader));
        let deep = with(&format!(
            "\"x\":{}{}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        ));
        assert_eq!(refusal(&deep), Some(ErrorKind::MalformedHeader));
    }

    #[test]
    fn an_algorithm_is_compared_exactly() {
        for alg in [
            "\"none\"",
            "\"None\"",
            "\"NONE\"",
            "\"nOnE\"",
            "\"rs256\"",
            "\"RS256 \"",
            "\"HS256\"",
            "\"RS384\"",
            "\"RS512\"",
            "\"PS256\"",
            "\"ES256\"",
            "\"EdDSA\"",
            "\"dir\"",
            "\"\"",
            "\"PBES2-HS256+A128KW\"",
            "null",
            "1",
            "[\"RS256\"]",
            "{}",
        ] {
            let json = format!(r#"{{"alg":{alg},"kid":"k"}}"#);
            assert_eq!(
                refusal(&json),
                Some(ErrorKind::AlgorithmNotAllowed),
                "{json}"
            );
        }
        assert_eq!(
            refusal(r#"{"kid":"k"}"#),
            Some(ErrorKind::AlgorithmNotAllowed)
        );
    }

    #[test]
    fn a_key_id_is_a_text_of_one_to_256_bytes() {
        let of_length = |length| format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(length));
        assert_eq!(refusal(&of_length(1)), None);
        assert_eq!(refusal(&of_length(256)), None);
        assert_eq!(refusal(&of_length(0)), Some(ErrorKind::InvalidKeyId));
        assert_eq!(refusal(&of_length(257)), Some(ErrorKind::InvalidKeyId));
        assert_eq!(refusal(r#"{"alg":"RS256"}"#), Some(ErrorKind::InvalidKeyId));
        for kid in ["1", "null", "true", "[\"k\"]", "{}"] {
            let json = format!(r#"{{"alg":"RS256","kid":{kid}}}"#);
            assert_eq!(refusal(&json), Some(ErrorKind::InvalidKeyId), "{json}");
        }
    }

    #[test]
    fn the_type_of_an_access_token_is_read_in_any_letter_case() {
        for typ in [
            "JWT",
            "jwt",
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/AT+jwt",
        ] {
            assert_eq!(refusal(&with(&format!("\"typ\":\"{typ}\""))), None, "{typ}");
        }
    }

    #[test]
    fn any_other_type_is_refused() {
        for typ in [
            "\"\"",
            "\"dpop+jwt\"",
            "\"logout+jwt\"",
            "\"secevent+jwt\"",
            "\"kb+jwt\"",
            "\"JOSE\"",
            "\"application/jwt\"",
            "\"pop\"",
            "1",
            "null",
            "[\"JWT\"]",
        ] {
            let refused = refusal(&with(&format!("\"typ\":{typ}")));
            assert_eq!(refused, Some(ErrorKind::UnsupportedTokenType), "{typ}");
        }
    }

    #[test]
    fn what_asks_for_more_is_refused() {
        for member in [
            "\"crit\":[\"x\"]",
            "\"crit\":[]",
            "\"crit\":[\"alg\"]",
            "\"crit\":null",
            "\"b64\":false",
            "\"b64\":true",
            "\"zip\":\"DEF\"",
            "\"enc\":\"A128GCM\"",
            "\"cty\":\"JWT\"",
            "\"cty\":\"jwt\"",
            "\"cty\":\"application/jwt\"",
            "\"cty\":1",
        ] {
            let refused = refusal(&with(member));
            assert_eq!(refused, Some(ErrorKind::UnsupportedHeader), "{member}");
        }
        assert_eq!(refusal(&with("\"cty\":\"json\"")), None);
    }

    #[test]
    fn key_material_in_the_header_is_never_used() {
        for member in [
            "\"jwk\":{\"kty\":\"RSA\"}",
            "\"jku\":\"https://evil.example\"",
            "\"x5u\":1",
            "\"x5c\":[\"MII\"]",
            "\"x5t\":\"k\"",
            "\"p2c\":2147483648",
        ] {
            assert_eq!(refusal(&with(member)), None, "{member}");
        }
    }

    #[test]
    fn of_two_faults_the_first_is_named() {
        let json = r#"{"alg":"none","kid":"","typ":"x","crit":[]}"#;
        assert_eq!(refusal(json), Some(ErrorKind::AlgorithmNotAllowed));
        let json = r#"{"alg":"RS256","kid":"","typ":"x","crit":[]}"#;
        assert_eq!(refusal(json), Some(ErrorKind::InvalidKeyId));
        let json = r#"{"alg":"RS256","kid":"k","typ":"x","crit":[]}"#;
        assert_eq!(refusal(json), Some(ErrorKind::UnsupportedTokenType));
    }
}
