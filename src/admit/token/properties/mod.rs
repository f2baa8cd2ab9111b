//! Properties of every input that is read from a token.
//!
//! Each check takes any input and panics if a property is broken: it compares the readers of this crate
//! with a second, slower reading. Property tests and fuzz targets call the same checks.

mod claims;

mod tree;

#[cfg(test)]
mod pieces;

#[cfg(test)]
mod tests;

pub(crate) use self::{claims::claims, tree::Tree};
use super::{
    TokenRules, UnverifiedToken,
    header::check_header,
    json::{Item, Slots, Value, is_json_object, read_object},
    members::DECIDING,
    number::Number,
};
use crate::admit::{
    algorithm::SignatureAlgorithm,
    error::{ErrorKind, Flaw, HeaderFault, Refusal},
};

/// An object is read as serde_json reads it, or refused: for what serde_json refuses, for depth, for
/// a member that is there twice, and for a member that may not be there.
pub(crate) fn object(text: &str) {
    agree_on(text);
}

/// Returns whether both readers accept the text. Panics if only one does, or if they read different
/// values.
#[track_caller]
fn agree_on(text: &str) -> bool {
    let tree = Tree::of_object(text);
    assert_eq!(is_json_object(text), tree.is_some(), "{text}");
    let allowed = tree.filter(|tree| tree.get(REFUSED).is_none());
    let mut seen = Seen::default();
    let read = read_object(text, &mut seen).ok().map(|()| seen);
    assert_eq!(read.is_some(), allowed.is_some(), "{text}");
    let (Some(read), Some(tree)) = (read, allowed) else {
        return false;
    };
    for (name, value) in SEEN.into_iter().zip(&read.values) {
        assert!(
            is_same(value.as_ref(), tree.get(name)),
            "{name} in {text}: {value:?}"
        );
    }
    true
}

const REFUSED: &str = "A";
const SEEN: [&str; 4] = ["a", "b", "bc", "é\n"];

/// Keeps a few members and refuses one.
#[derive(Default)]
struct Seen<'j> {
    values: [Option<Value<'j>>; SEEN.len()],
}

impl<'j> Slots<'j> for Seen<'j> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>> {
        let at = SEEN.iter().position(|seen| *seen == name)?;
        self.values.get_mut(at)
    }

    fn is_refused(name: &str) -> bool {
        name == REFUSED
    }
}

fn is_same(value: Option<&Value<'_>>, tree: Option<&Tree>) -> bool {
    match (value, tree) {
        (None, None) | (Some(Value::Null), Some(Tree::Null)) => true,
        (Some(Value::Bool(read)), Some(Tree::Bool(expected))) => read == expected,
        (Some(Value::Number(number)), Some(tree)) => is_same_number(*number, tree),
        (Some(Value::Text(text)), Some(Tree::Text(other))) => text == other,
        (Some(Value::List(items)), Some(Tree::List(others))) => {
            let mut pairs = items.iter().zip(others);
            items.len() == others.len() && pairs.all(|(item, other)| is_same_item(item, other))
        }
        (Some(Value::Object(names)), Some(Tree::Object(members))) => {
            names.iter().eq(members.iter().map(|(name, _)| name))
        }
        _ => false,
    }
}

fn is_same_item(item: &Item<'_>, tree: &Tree) -> bool {
    match (item, tree) {
        (Item::Text(text), Tree::Text(other)) => text == other,
        (Item::Integer(integer), Tree::Integer(other)) => integer == other,
        (Item::Other, other) => !matches!(other, Tree::Text(_) | Tree::Integer(_)),
        _ => false,
    }
}

/// Whether two readers mean the same number. Without its feature `float_roundtrip`, serde_json may
/// miss the nearest `f64` of a fraction by a few units in the last place.
fn is_same_number(number: Number, tree: &Tree) -> bool {
    match (number, tree) {
        (Number::Integer(integer), Tree::Integer(other)) => integer == *other,
        (Number::Fraction(fraction), Tree::Fraction(other)) => {
            let tolerance = f64::max(other.abs() * 1e-15, f64::MIN_POSITIVE);
            fraction.is_sign_negative() == other.is_sign_negative()
                && (fraction - other).abs() <= tolerance
        }
        _ => false,
    }
}

/// A header is admitted exactly if another reading of it admits it, and the reason for a refusal is
/// the first of those in the contract.
pub(crate) fn header(json: &[u8]) {
    for allowed in [&ALL[..1], &ALL[1..], &ALL] {
        let read = check_header(json, allowed);
        let expected = expected_header(json, allowed);
        match (read, expected) {
            (Ok(read), Ok((algorithm, kid, has_nonce))) => {
                assert_eq!(read.algorithm, algorithm);
                assert_eq!(*read.kid, *kid);
                assert_eq!(read.has_nonce, has_nonce);
            }
            (read, expected) => {
                let refusal = read.err();
                if let Some(Refusal::Header(HeaderFault::Malformed(flaw))) = &refusal {
                    is_so(flaw, json);
                }
                assert_eq!(refusal.map(|refusal| refusal.kind()), expected.err());
            }
        }
    }
}

/// The flaw is in the text. `NotUtf8` and `NotJson` are reported only of a text that serde_json cannot
/// read either.
fn is_so(flaw: &Flaw, json: &[u8]) {
    let Ok(text) = std::str::from_utf8(json) else {
        assert_eq!(*flaw, Flaw::NotUtf8);
        return;
    };
    // Another flaw may come before the one at which serde_json stops.
    let Ok(tree) = serde_json::from_str::<Tree>(text) else {
        assert_ne!(*flaw, Flaw::NotUtf8, "{text}");
        return;
    };
    let is_so = match flaw {
        Flaw::NotUtf8 | Flaw::NotJson => false,
        Flaw::Not(_) => !matches!(tree, Tree::Object(_)),
        Flaw::TooDeep => tree.depth() > 32,
        Flaw::Twice(_) => tree.has_repeats(),
        Flaw::LetterCase(_) => tree.members().iter().any(|(name, _)| {
            let lower = lower_case(name);
            lower != *name && DECIDING.contains(&lower.as_str())
        }),
        Flaw::WrongType(wrong) => tree.get(wrong.name).is_some(),
    };
    assert!(is_so, "{flaw:?} of {text}");
}

/// A name in lower case, also for a reader that folds letters beyond ASCII.
fn lower_case(name: &str) -> String {
    let ascii = name.replace(['ı', 'İ'], "i").replace('ſ', "s");
    let ascii = ascii.replace(['ß', 'ẞ'], "ss");
    ascii.to_ascii_lowercase()
}

const ALL: [SignatureAlgorithm; 3] = [
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Es256,
];

fn expected_header(
    json: &[u8],
    allowed: &[SignatureAlgorithm],
) -> Result<(SignatureAlgorithm, String, bool), ErrorKind> {
    let text = std::str::from_utf8(json).map_err(|_| ErrorKind::MalformedHeader)?;
    let tree = Tree::of_object(text).ok_or(ErrorKind::MalformedHeader)?;
    let algorithm = match tree.get("alg").and_then(Tree::text) {
        Some("RS256") => SignatureAlgorithm::Rs256,
        Some("PS256") => SignatureAlgorithm::Ps256,
        Some("ES256") => SignatureAlgorithm::Es256,
        _ => return Err(ErrorKind::AlgorithmNotAllowed),
    };
    if !allowed.contains(&algorithm) {
        return Err(ErrorKind::AlgorithmNotAllowed);
    }
    let kid = tree.get("kid").and_then(Tree::text);
    let kid = kid
        .filter(|kid| (1..=256).contains(&kid.len()))
        .ok_or(ErrorKind::InvalidKeyId)?;
    let is_known_type = |typ: &Tree| {
        let typ = typ.text().map(str::to_ascii_lowercase);
        matches!(
            typ.as_deref(),
            Some("jwt" | "at+jwt" | "application/at+jwt")
        )
    };
    if !tree.get("typ").is_none_or(is_known_type) {
        return Err(ErrorKind::UnsupportedTokenType);
    }
    let is_plain_content = |cty: &Tree| {
        let cty = cty.text().map(str::to_ascii_lowercase);
        cty.is_some_and(|cty| cty != "jwt" && cty != "application/jwt")
    };
    let asks_for_more = ["crit", "b64", "zip", "enc"]
        .iter()
        .any(|name| tree.get(name).is_some());
    if asks_for_more || !tree.get("cty").is_none_or(is_plain_content) {
        return Err(ErrorKind::UnsupportedHeader);
    }
    Ok((algorithm, kid.to_owned(), tree.get("nonce").is_some()))
}

/// A token has three segments, each the only spelling of its bytes. The signing input is everything
/// before the last dot. Any other text is refused by the first rule that it breaks.
pub(crate) fn compact(token: &str) {
    const MAX: usize = 2_048;
    let rules = TokenRules {
        max_len: MAX,
        algorithms: ALL.to_vec(),
    };
    let read = UnverifiedToken::parse(token, &rules);
    let segments: Vec<&str> = token.split('.').collect();
    let has_two_dots = segments.len() == 3;
    let has_shape = has_two_dots && segments.iter().all(|segment| !segment.is_empty());
    assert_eq!(
        rules.allow_shape_of(token.as_bytes()),
        token.len() <= MAX && has_two_dots,
        "{token}"
    );
    let decoded: Option<Vec<_>> = segments.iter().map(|segment| decode(segment)).collect();
    let expected = match decoded {
        _ if token.len() > MAX => Err(ErrorKind::TokenTooLarge),
        _ if segments.len() == 5 => Err(ErrorKind::EncryptedToken),
        Some(decoded) if has_shape => expected_header(&decoded[0], &ALL).map(|_| decoded),
        _ => Err(ErrorKind::MalformedToken),
    };
    match (read, expected) {
        (Ok(read), Ok(decoded)) => {
            assert_eq!(read.segments.payload(), decoded[1]);
            assert_eq!(read.segments.signature(), decoded[2]);
            let again: Vec<_> = decoded.iter().map(|bytes| encode(bytes)).collect();
            assert_eq!(again.join("."), token, "another spelling was admitted");
            assert_eq!(
                format!("{}.{}", read.segments.signing_input, again[2]),
                token
            );
        }
        (read, expected) => {
            let refusal = read.err().map(|error| error.kind());
            assert_eq!(refusal, expected.err(), "{token}");
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, section 5, bit by bit; the unused bits at the end are zero.
pub(crate) fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for byte in segment.bytes() {
        let value = ALPHABET.iter().position(|letter| *letter == byte)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
    }
    let whole = bits.len() / 8 * 8;
    let rest = &bits[whole..];
    if rest.len() >= 6 || rest.contains(&true) {
        return None;
    }
    Some(bits[..whole].chunks(8).map(byte_of).collect())
}

fn encode(bytes: &[u8]) -> String {
    let mut bits: Vec<bool> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .collect();
    bits.resize(bits.len().next_multiple_of(6), false);
    let letter = |bits: &[bool]| char::from(ALPHABET[usize::from(byte_of(bits))]);
    bits.chunks(6).map(letter).collect()
}

fn byte_of(bits: &[bool]) -> u8 {
    bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))
}
