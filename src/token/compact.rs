//! Is this text a compact JWS at all? Splits it, decodes it, and reads its header.

use std::{fmt, ops::Range};

use base64_simd::URL_SAFE_NO_PAD;
use memchr::memchr;

use super::header::Header;
use crate::{
    algorithm::SignatureAlgorithm,
    diagnosis::{Brief, Diagnosis, Shape},
    error::{Error, ErrorKind},
};

/// What a token must look like before anybody looks for its key.
#[derive(Clone, Debug)]
pub(crate) struct TokenRules {
    /// The longest token that is read, in bytes.
    pub(crate) max_len: usize,
    /// The algorithms that `alg` may name.
    pub(crate) algorithms: Vec<SignatureAlgorithm>,
}

impl TokenRules {
    /// Whether this text has the size and the segments of a token.
    pub(crate) fn allow_shape_of(&self, token: &str) -> bool {
        token.len() <= self.max_len && split(token).is_ok()
    }
}

/// A well-formed compact JWS, of which nothing is known to be true.
pub(crate) struct UnverifiedToken<'t> {
    pub(super) signing_input: &'t str,
    pub(super) header: Header,
    pub(super) payload: Range<usize>,
    pub(super) signature: Range<usize>,
    /// All three segments, decoded one behind the other.
    pub(super) decoded: Vec<u8>,
}

impl<'t> UnverifiedToken<'t> {
    /// Makes checks 2 and 3: size, shape, encoding and header.
    pub(crate) fn parse(token: &'t str, rules: &TokenRules) -> Result<Self, Error> {
        if token.len() > rules.max_len {
            return Err(too_large(token.len(), rules.max_len));
        }
        let [header, payload, signature] = split(token)?;
        // Everything before the last dot: RFC 7515, section 5.2, step 8.
        let signing_input = token
            .get(..header.len() + 1 + payload.len())
            .ok_or_else(|| malformed(Shape::Dots(2)))?;
        // Decoding makes shorter, so this is the one allocation for all three.
        let mut decoded = Vec::with_capacity(token.len());
        let header = decode(0, header, &mut decoded)?;
        let payload = decode(1, payload, &mut decoded)?;
        let signature = decode(2, signature, &mut decoded)?;
        let header = Header::parse(part(&decoded, &header), &rules.algorithms)?;
        Ok(Self {
            signing_input,
            header,
            payload,
            signature,
            decoded,
        })
    }

    pub(super) fn payload(&self) -> &[u8] {
        part(&self.decoded, &self.payload)
    }

    pub(super) fn signature(&self) -> &[u8] {
        part(&self.decoded, &self.signature)
    }

    pub(crate) fn kid(&self) -> &str {
        &self.header.kid
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

/// Splits at the dots without allocating, however many there are.
fn split(token: &str) -> Result<[&str; 3], Error> {
    let split = || {
        let (header, rest) = split_at_dot(token)?;
        let (payload, signature) = split_at_dot(rest)?;
        Some([header, payload, signature])
    };
    let segments = split().ok_or_else(|| malformed(Shape::of(token)))?;
    let [_, _, signature] = segments;
    if memchr(b'.', signature.as_bytes()).is_some() {
        // RFC 7516, section 9: five segments are a JWE, some of which may be empty. There may be
        // thousands, which nobody counts to the end.
        return Err(match signature.split('.').take(4).count() {
            3 => ErrorKind::EncryptedToken.into(),
            _ => malformed(Shape::of(token)),
        });
    }
    match segments.iter().position(|segment| segment.is_empty()) {
        Some(at) => Err(malformed(Shape::Empty(at))),
        None => Ok(segments),
    }
}

#[cold]
fn too_large(bytes: usize, limit: usize) -> Error {
    let size = Brief::Size { bytes, limit };
    Error::new(ErrorKind::TokenTooLarge, Diagnosis::Brief(size))
}

#[cold]
fn malformed(shape: Shape) -> Error {
    Error::new(
        ErrorKind::MalformedToken,
        Diagnosis::Brief(Brief::Shape(shape)),
    )
}

fn split_at_dot(text: &str) -> Option<(&str, &str)> {
    let at = memchr(b'.', text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Decodes a segment behind the ones before, and tells where it is. Padding, white space, the `+/`
/// alphabet and non-zero trailing bits are all refused: the same bytes have one spelling.
fn decode(at: usize, segment: &str, decoded: &mut Vec<u8>) -> Result<Range<usize>, Error> {
    let start = decoded.len();
    URL_SAFE_NO_PAD
        .decode_append(segment, decoded)
        .map_err(|_| malformed(Shape::Encoding(at)))?;
    Ok(start..decoded.len())
}

/// A range that [`decode`] has given lies within what it has decoded.
pub(super) fn part<'d>(decoded: &'d [u8], range: &Range<usize>) -> &'d [u8] {
    decoded.get(range.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

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
                let found = split(&token).map_err(|error| error.kind());
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
