//! The value of `Content-Type`:
//! [RFC 9110, section 8.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1).

use http::{HeaderMap, header::CONTENT_TYPE};

/// A media type, as far as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaType {
    /// The parameter `charset`, in lower case.
    pub(super) charset: Option<String>,
}

impl MediaType {
    /// That of a message. `None` without one, with several, and with one that follows no grammar.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let only = values.next()?;
        match values.next() {
            None => Self::parse(only.to_str().ok()?),
            Some(_) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = split_token(text.trim_matches(BLANKS))?;
        let (_, mut rest) = split_token(rest.strip_prefix('/')?)?;
        let mut charset = None;
        loop {
            rest = rest.trim_start_matches(BLANKS);
            if rest.is_empty() {
                return Some(Self { charset });
            }
            rest = rest.strip_prefix(';')?.trim_start_matches(BLANKS);
            // A semicolon with nothing behind it is allowed.
            let Some((name, behind)) = split_token(rest) else {
                continue;
            };
            let (value, behind) = value(behind.trim_start_matches(BLANKS))?;
            if name.eq_ignore_ascii_case("charset") {
                // Two charsets are two readings.
                if charset.is_some() {
                    return None;
                }
                charset = Some(value.to_ascii_lowercase());
            }
            rest = behind;
        }
    }
}

/// The value of a parameter, and what follows it.
fn value(rest: &str) -> Option<(String, &str)> {
    let rest = rest.strip_prefix('=')?.trim_start_matches(BLANKS);
    let Some(quoted) = rest.strip_prefix('"') else {
        let (token, rest) = split_token(rest)?;
        return Some((token.to_owned(), rest));
    };
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((text, quoted.get(at + 1..)?)),
            (_, '\\') => text.push(characters.next()?.1),
            (_, character) => text.push(character),
        }
    }
}

/// The token at the start, which is not empty, and what follows it.
fn split_token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|_| end > 0)
}

const BLANKS: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_of_a_media_type_is_read() {
        for (text, charset) in [
            ("application/json", None),
            ("application/json; charset=utf-8", Some("utf-8")),
            ("text/plain;charset=UTF-8", Some("utf-8")),
            ("text/plain; Charset=\"ISO-8859-1\"", Some("iso-8859-1")),
            (
                "text/plain; a=b; charset=\"u\\tf-8\" ; c=\"d;\\\"e\"",
                Some("utf-8"),
            ),
            ("text/plain ;charset = utf-16", Some("utf-16")),
            ("multipart/form-data; boundary=----a", None),
            ("application/vnd.api+json;", None),
            ("text/plain; charset=\"\"", Some("")),
        ] {
            let read = MediaType::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.charset.as_deref(), charset, "{text}");
        }
    }

    #[test]
    fn what_follows_no_grammar_is_none() {
        for text in [
            "",
            " ",
            "json",
            "/json",
            "application/",
            "application json",
            "application/json charset=utf-8",
            "application/json; charset",
            "application/json; charset=",
            "application/json; charset=\"utf-8",
            "application/json; charset=utf-8 x",
            "application/json, text/plain",
            "text/plain; charset=utf-8; charset=utf-16",
            "text/pl\u{e4}in",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text:?}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(MediaType::of(&headers), None);
        headers.append(CONTENT_TYPE, "text/plain".parse().expect("a value"));
        assert!(MediaType::of(&headers).is_some());
        headers.append(CONTENT_TYPE, "text/html".parse().expect("a value"));
        assert_eq!(MediaType::of(&headers), None);
    }
}
