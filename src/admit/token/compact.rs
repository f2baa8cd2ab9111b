//! Is this text a compact JWS at all? Makes check 2, and holds what checks 2 and 3 admit.

use std::{fmt, ops::Range};

use base64_simd::URL_SAFE_NO_PAD;
use memchr::{memchr, memchr_iter};

use super::header::{Header, check_header};
use crate::admit::{
    algorithm::SignatureAlgorithm,
    error::{Part, Refusal, ShapeFault},
};

/// What a token must look like before its key is looked up.
#[derive(Clone, Debug)]
pub(crate) struct TokenRules {
    /// The longest token that is read, in bytes.
    pub(crate) max_len: usize,
    /// The algorithms that `alg` may name.
    pub(crate) algorithms: Vec<SignatureAlgorithm>,
}

impl TokenRules {
    /// Whether this text has the size of a token, and two dots.
    pub(crate) fn allow_shape_of(&self, text: &[u8]) -> bool {
        text.len() <= self.max_len && memchr_iter(b'.', text).take(3).count() == 2
    }
}

/// A well-formed compact JWS. No key vouches for it.
pub(crate) struct UnverifiedToken<'t> {
    pub(super) segments: Segments<'t>,
    pub(super) header: Header,
}

impl<'t> UnverifiedToken<'t> {
    /// Checks 2 and 3.
    pub(crate) fn parse(token: &'t str, rules: &TokenRules) -> Result<Self, Refusal> {
        let segments = check_shape(token, rules.max_len)?;
        let header = check_header(segments.header(), &rules.algorithms)?;
        Ok(Self { segments, header })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// The algorithm that the token says it was signed with, one of the allow-list.
    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.header.algorithm
    }

    /// Whether the header marks a token that only Microsoft Graph can verify.
    pub(crate) fn is_for_graph(&self) -> bool {
        self.header.has_nonce
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedToken").finish_non_exhaustive()
    }
}

/// The segments of a token, decoded.
pub(super) struct Segments<'t> {
    /// Everything before the last dot: RFC 7515, section 5.2, step 8.
    pub(super) signing_input: &'t str,
    header: Range<usize>,
    pub(super) payload: Range<usize>,
    signature: Range<usize>,
    /// All three segments, one behind the other.
    pub(super) decoded: Vec<u8>,
}

impl Segments<'_> {
    fn header(&self) -> &[u8] {
        part(&self.decoded, &self.header)
    }

    pub(super) fn payload(&self) -> &[u8] {
        part(&self.decoded, &self.payload)
    }

    pub(super) fn signature(&self) -> &[u8] {
        part(&self.decoded, &self.signature)
    }
}

/// Check 2: size, three segments, canonical base64url.
pub(super) fn check_shape(token: &str, max_len: usize) -> Result<Segments<'_>, Refusal> {
    if token.len() > max_len {
        return Err(Refusal::Shape(ShapeFault::TooLarge {
            bytes: token.len(),
            limit: max_len,
        }));
    }
    let Some([header, payload, signature]) = split(token) else {
        return Err(wrong_shape(token));
    };
    let signing_input = token
        .get(..header.len() + 1 + payload.len())
        .ok_or(Refusal::Shape(ShapeFault::Dots(2)))?;
    // Decoding makes shorter, so this is the one allocation for all three.
    let mut decoded = Vec::with_capacity(token.len());
    Ok(Segments {
        signing_input,
        header: decode(Part::Header, header, &mut decoded)?,
        payload: decode(Part::Claims, payload, &mut decoded)?,
        signature: decode(Part::Signature, signature, &mut decoded)?,
        decoded,
    })
}

/// The claims segment of a text that is otherwise not looked at, decoded.
pub(super) fn decoded_payload(token: &str, max_len: usize) -> Option<Vec<u8>> {
    let [_, payload, _] = (token.len() <= max_len).then(|| split(token))??;
    let mut decoded = Vec::with_capacity(payload.len());
    decode(Part::Claims, payload, &mut decoded).ok()?;
    Some(decoded)
}

/// Three segments, none of them empty. Allocates nothing, and reads a text of thousands of dots only up
/// to the third.
fn split(token: &str) -> Option<[&str; 3]> {
    let (header, payload, signature) = split_at_dots(token)?;
    let is_whole = memchr(b'.', signature.as_bytes()).is_none();
    let segments = [header, payload, signature];
    (is_whole && !segments.contains(&"")).then_some(segments)
}

/// At the first two dots.
fn split_at_dots(token: &str) -> Option<(&str, &str, &str)> {
    let (header, rest) = split_at_dot(token)?;
    let (payload, signature) = split_at_dot(rest)?;
    Some((header, payload, signature))
}

fn split_at_dot(text: &str) -> Option<(&str, &str)> {
    let at = memchr(b'.', text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What a text is that is not three segments.
#[cold]
fn wrong_shape(text: &str) -> Refusal {
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    let word = WORDS.iter().find(|word| text.eq_ignore_ascii_case(word));
    let parts = [Part::Header, Part::Claims, Part::Signature];
    Refusal::Shape(match (dots, word) {
        // RFC 7516, section 9: five segments are a JWE, some of which may be empty.
        (4, _) => return Refusal::Encrypted,
        (2, _) => {
            let empty = text.split('.').position(str::is_empty).unwrap_or_default();
            ShapeFault::Empty(parts.get(empty).copied().unwrap_or(Part::Signature))
        }
        _ if text.is_empty() => ShapeFault::Nothing,
        (_, Some(word)) => ShapeFault::Word(word),
        (dots, None) => ShapeFault::Dots(dots),
    })
}

/// Decodes a segment behind the ones before. Padding, white space, the `+/` alphabet and non-zero
/// trailing bits are all refused: the same bytes have one spelling.
fn decode(part: Part, segment: &str, decoded: &mut Vec<u8>) -> Result<Range<usize>, Refusal> {
    let start = decoded.len();
    match URL_SAFE_NO_PAD.decode_append(segment, decoded) {
        Ok(()) => Ok(start..decoded.len()),
        Err(_) => Err(Refusal::Shape(ShapeFault::Encoding(part))),
    }
}

/// A range that [`decode`] has returned lies within what it has decoded.
pub(super) fn part<'d>(decoded: &'d [u8], range: &Range<usize>) -> &'d [u8] {
    decoded.get(range.clone()).unwrap_or_default()
}

/// What clients send when they have no token.
const WORDS: [&str; 5] = ["null", "undefined", "none", "nil", "token"];

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::admit::error::ErrorKind;

    #[track_caller]
    fn parse(token: &str) -> Result<(), ErrorKind> {
        let rules = TokenRules {
            max_len: 16 * 1024,
            algorithms: vec![SignatureAlgorithm::Rs256],
        };
        let token = UnverifiedToken::parse(token, &rules);
        token.map(drop).map_err(|error| error.kind())
    }

    fn good() -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k"}"#);
        format!("{header}.e30.AQ")
    }

    #[test]
    fn three_segments_are_a_token() {
        assert_eq!(parse(&good()), Ok(()));
    }

    #[test]
    fn any_other_number_of_segments_is_refused() {
        let good = good();
        let (header, _) = good.split_once('.').expect("a dot");
        for token in [
            "",
            ".",
            "..",
            "...",
            "a.b",
            "null",
            header,
            &format!("{header}."),
            &format!("{header}.."),
            &format!("{header}..AQ"),
            &format!("{header}.e30."),
            &format!(".{good}"),
            &format!("{good}."),
            &format!("{good}.AQ"),
            &format!("{header}...e30.AQ.x"),
            &format!("{good}.AQ.AQ.AQ"),
        ] {
            assert_eq!(parse(token), Err(ErrorKind::MalformedToken), "{token}");
        }
    }

    #[test]
    fn five_segments_are_an_encrypted_token() {
        for token in ["a.b.c.d.e", "a..c.d.e", "...."] {
            assert_eq!(parse(token), Err(ErrorKind::EncryptedToken), "{token}");
        }
    }

    #[test]
    fn the_dots_are_found_wherever_they_are() {
        // Every text of up to eight characters that are dots or not, with segments of every length
        // around a chunk.
        for dots in 0_u32..1 << 8 {
            for len in [1, 31, 32, 33, 70] {
                let segment = "a".repeat(len);
                let pieces = (0..8).map(|at| if dots >> at & 1 == 1 { "." } else { &segment });
                let token: String = pieces.collect();
                let segments: Vec<_> = token.split('.').collect();
                let expected = match segments.as_slice() {
                    [_, _, _] if segments.contains(&"") => Err(ErrorKind::MalformedToken),
                    [header, payload, signature] => Ok([*header, *payload, *signature]),
                    [_, _, _, _, _] => Err(ErrorKind::EncryptedToken),
                    _ => Err(ErrorKind::MalformedToken),
                };
                let found = split(&token).ok_or_else(|| wrong_shape(&token).kind());
                assert_eq!(found, expected, "{token}");
            }
        }
    }

    #[test]
    fn a_million_dots_are_refused_by_size_alone() {
        assert_eq!(parse(&".".repeat(1_000_000)), Err(ErrorKind::TokenTooLarge));
    }

    #[test]
    fn the_size_limit_counts_every_byte() {
        let rules = |max_len| TokenRules {
            max_len,
            algorithms: vec![SignatureAlgorithm::Rs256],
        };
        let good = good();
        assert!(UnverifiedToken::parse(&good, &rules(good.len())).is_ok());
        let refused = UnverifiedToken::parse(&good, &rules(good.len() - 1));
        let kind = refused.err().map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::TokenTooLarge));
    }

    #[test]
    fn base64_that_is_not_canonical_is_refused_in_every_segment() {
        let good = good();
        for (at, segment) in good.split('.').enumerate() {
            for odd in [
                format!("{segment}="),
                format!("{segment}=="),
                format!(" {segment}"),
                format!("{segment}\n"),
                format!("+{segment}"),
                format!("/{segment}"),
            ] {
                let mut segments: Vec<&str> = good.split('.').collect();
                segments[at] = &odd;
                let token = segments.join(".");
                assert_eq!(parse(&token), Err(ErrorKind::MalformedToken), "{token}");
            }
        }
        // `AQ` and `AR` decode to the same byte if the trailing bits are thrown away.
        let trailing = good.replace(".AQ", ".AR");
        assert_eq!(parse(&trailing), Err(ErrorKind::MalformedToken));
    }

    #[test]
    fn an_encoding_fault_in_a_later_segment_comes_before_a_fault_in_the_header() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let token = format!("{header}.e30.AR");
        assert_eq!(parse(&token), Err(ErrorKind::MalformedToken));
    }

    #[test]
    fn debug_shows_nothing_of_the_token() {
        let good = good();
        let rules = TokenRules {
            max_len: 1_000,
            algorithms: vec![SignatureAlgorithm::Rs256],
        };
        let token = UnverifiedToken::parse(&good, &rules).expect("a good token");
        assert_eq!(format!("{token:?}"), "UnverifiedToken { .. }");
    }
}
