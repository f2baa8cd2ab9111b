//! The body of an answer: text, or bytes.

use http::{HeaderMap, header::CONTENT_ENCODING};

use super::media_type::MediaType;

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    Text(String),
    /// Written in base64.
    Binary(Vec<u8>),
}

impl Content {
    /// A text in the `charset` of the answer, without its byte order mark; without a charset in UTF-16 if a
    /// byte order mark says so, else in UTF-8. What is no such text, has a NUL, is compressed, or has another
    /// charset is binary.
    pub(super) fn of(headers: &HeaderMap, body: Vec<u8>) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        if is_encoded(headers) {
            return Self::Binary(body);
        }
        let charset = MediaType::of(headers).and_then(|media| media.charset);
        let text = match (charset.as_deref(), &*body) {
            (None, [0xff, 0xfe, text @ ..]) => utf16(text, u16::from_le_bytes),
            (None, [0xfe, 0xff, text @ ..]) => utf16(text, u16::from_be_bytes),
            (None | Some("utf-8" | "utf8" | "us-ascii" | "ascii"), _) => return Self::utf8(body),
            (Some("iso-8859-1" | "latin1"), text) => {
                Some(text.iter().copied().map(char::from).collect())
            }
            (Some("utf-16"), [0xfe, 0xff, text @ ..]) => utf16(text, u16::from_be_bytes),
            (Some("utf-16" | "utf-16le"), [0xff, 0xfe, text @ ..]) => {
                utf16(text, u16::from_le_bytes)
            }
            (Some("utf-16" | "utf-16le"), text) => utf16(text, u16::from_le_bytes),
            (Some("utf-16be"), [0xfe, 0xff, text @ ..]) => utf16(text, u16::from_be_bytes),
            (Some("utf-16be"), text) => utf16(text, u16::from_be_bytes),
            (Some(_), _) => None,
        };
        match text.filter(|text: &String| !text.contains(NUL)) {
            Some(text) => Self::Text(text),
            None => Self::Binary(body),
        }
    }

    /// ASCII is UTF-8. An answer that is more than its charset says is read as what it is.
    fn utf8(body: Vec<u8>) -> Self {
        match String::from_utf8(body) {
            Ok(text) if text.contains(NUL) => Self::Binary(text.into_bytes()),
            Ok(mut text) => {
                if text.starts_with(BYTE_ORDER_MARK) {
                    text.drain(..BYTE_ORDER_MARK.len_utf8());
                }
                Self::Text(text)
            }
            Err(error) => Self::Binary(error.into_bytes()),
        }
    }

    /// How many bytes it can take to read the body as a text, beside the body itself: ISO-8859-1 has up to two
    /// bytes of UTF-8 for each byte, and UTF-16 has up to three for two. UTF-8 stays where it is.
    pub(super) fn most_beside(headers: &HeaderMap, body: &[u8]) -> usize {
        let charset = MediaType::of(headers).and_then(|media| media.charset);
        match (charset.as_deref(), body) {
            (None, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) => body.len().saturating_mul(2),
            (None | Some("utf-8" | "utf8" | "us-ascii" | "ascii"), _) => 0,
            (Some(_), _) => body.len().saturating_mul(2),
        }
    }
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Option<String> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let units = pairs.map(|pair| match pair {
        [first, second] => unit([*first, *second]),
        _ => 0,
    });
    char::decode_utf16(units).collect::<Result<_, _>>().ok()
}

/// Whether the body is compressed. By chance, a compressed body can be a text.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|encoding| {
        let encoding = encoding.as_bytes().trim_ascii();
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity")
    })
}

/// No text has it, and many a binary format: a file of zeros is UTF-8.
const NUL: char = '\0';
const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use http::header::CONTENT_TYPE;

    use super::*;

    #[track_caller]
    fn content(media_type: &str, body: &[u8]) -> Content {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media_type.parse().expect("a value"));
        Content::of(&headers, body.to_owned())
    }

    fn text(text: &str) -> Content {
        Content::Text(text.to_owned())
    }

    fn base64(text: &str) -> Content {
        Content::Binary(STANDARD.decode(text).expect("base64"))
    }

    #[test]
    fn a_body_without_bytes_is_no_content() {
        assert_eq!(content("text/plain", b""), Content::Empty);
    }

    #[test]
    fn a_text_is_read_in_its_charset() {
        let latin1 = content("text/plain; charset=ISO-8859-1", b"gr\xfc\xdfe");
        assert_eq!(latin1, text("gr\u{fc}\u{df}e"));
        for (media_type, body) in [
            ("application/json", "gr\u{fc}\u{df}e".as_bytes()),
            ("text/plain; charset=utf-8", "gr\u{fc}\u{df}e".as_bytes()),
            ("application/json", "\u{feff}gr\u{fc}\u{df}e".as_bytes()),
            ("image/png", "gr\u{fc}\u{df}e".as_bytes()),
            ("no type", "gr\u{fc}\u{df}e".as_bytes()),
            ("text/plain; charset=latin1", b"gr\xfc\xdfe"),
            ("text/plain; charset=utf-16le", b"g\0r\0\xfc\0\xdf\0e\0"),
            ("text/plain; charset=utf-16", b"g\0r\0\xfc\0\xdf\0e\0"),
            (
                "text/plain; charset=utf-16",
                b"\xff\xfeg\0r\0\xfc\0\xdf\0e\0",
            ),
            (
                "text/plain; charset=utf-16",
                b"\xfe\xff\0g\0r\0\xfc\0\xdf\0e",
            ),
            ("text/plain; charset=utf-16be", b"\0g\0r\0\xfc\0\xdf\0e"),
            ("text/plain", b"\xff\xfeg\0r\0\xfc\0\xdf\0e\0"),
            ("text/plain", b"\xfe\xff\0g\0r\0\xfc\0\xdf\0e"),
        ] {
            assert_eq!(
                content(media_type, body),
                text("gr\u{fc}\u{df}e"),
                "{media_type}"
            );
        }
        assert_eq!(
            content("text/plain; charset=us-ascii", b"a\x01"),
            text("a\x01")
        );
        assert_eq!(Content::of(&HeaderMap::new(), b"{}".to_vec()), text("{}"));
    }

    #[test]
    fn what_is_no_text_is_base64() {
        for (media_type, body, expected) in [
            ("image/png", &b"\x89PNG"[..], "iVBORw=="),
            ("text/plain; charset=utf-8", b"\xfc", "/A=="),
            ("text/plain; charset=us-ascii", b"\xfc", "/A=="),
            ("text/plain; charset=windows-1252", b"a", "YQ=="),
            ("text/plain; charset=\"\"", b"a", "YQ=="),
            ("text/plain; charset=utf-16", b"a", "YQ=="),
            ("application/octet-stream", b"\0\x01\x02", "AAEC"),
            ("text/plain; charset=latin1", b"\0", "AA=="),
            ("text/plain; charset=utf-16le", b"\0\0", "AAA="),
            // Half of a pair.
            ("text/plain; charset=utf-16be", b"\xd8\x00", "2AA="),
        ] {
            assert_eq!(content(media_type, body), base64(expected), "{media_type}");
        }
    }

    #[test]
    fn no_text_takes_more_memory_than_is_said() {
        for (media_type, body) in [
            ("text/plain; charset=latin1", &[0xff; 3000][..]),
            ("text/plain; charset=utf-16be", &[0x20, 0xac].repeat(3000)),
            ("text/plain", &[0xff; 3000]),
            ("text/plain", "\u{feff}a".as_bytes()),
            (
                "text/plain",
                &[&[0xfe, 0xff][..], &[0x20, 0xac].repeat(3000)].concat(),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, media_type.parse().expect("a value"));
            let most = Content::most_beside(&headers, body);
            match content(media_type, body) {
                Content::Text(text) => assert!(text.len() <= body.len().max(most)),
                other => assert_eq!(other, Content::Binary(body.to_owned())),
            }
        }
    }

    #[test]
    fn what_is_compressed_is_base64_even_if_it_could_be_a_text() {
        for (encoding, expected) in [
            ("gzip", base64("YWI=")),
            ("br", base64("YWI=")),
            ("identity, gzip", base64("YWI=")),
            ("identity", text("ab")),
            ("", text("ab")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, encoding.parse().expect("a value"));
            assert_eq!(
                Content::of(&headers, b"ab".to_vec()),
                expected,
                "{encoding}"
            );
        }
    }
}
