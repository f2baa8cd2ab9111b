//! What an API answered, as the caller gets it.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{content::Content, memory::Room, shown::Shown};
use crate::json;

/// What an API answered, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// That of the body, and of what it takes to read it as a text.
    pub(super) room: Room,
}

/// 200, whatever the API's own status is.
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        json::answer(Body::new(Shown::from(self)))
    }
}

impl From<Answer> for Shown {
    fn from(answer: Answer) -> Self {
        let headers = headers(&answer.headers);
        let content = Content::of(&answer.headers, answer.body);
        Self::new(answer.status, headers, content, answer.room)
    }
}

/// All but those that concern one connection, which is over, and cookies, which this program does not keep.
fn headers(of_answer: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let connection = of_answer.get_all(header::CONNECTION);
    let named: Vec<&[u8]> = connection
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    let is_named = |name: &HeaderName| {
        named
            .iter()
            .any(|named| named.eq_ignore_ascii_case(name.as_ref()))
    };
    of_answer
        .keys()
        .filter(|name| !HOP_BY_HOP.contains(name) && !is_named(name))
        .map(|name| {
            let values = of_answer.get_all(name).iter().map(text).collect();
            (as_usual(name.as_str()), values)
        })
        .collect()
}

/// UTF-8, else ISO-8859-1, in which every byte is a character.
fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// The name in the letter case in which it is usually written. The HTTP client knows it in lower case only, and
/// callers look for `Content-Type` in a map.
fn as_usual(name: &str) -> String {
    let is_lower = LOWER_CASE.contains(&name) || name.starts_with("x-ms-");
    if let Some(known) = IRREGULAR
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
    {
        return (*known).to_owned();
    }
    let mut starts_a_word = !is_lower;
    name.chars()
        .map(|c| {
            let shown = match starts_a_word {
                true => c.to_ascii_uppercase(),
                false => c,
            };
            starts_a_word = !is_lower && c == '-';
            shown
        })
        .collect()
}

/// [RFC 9110, section 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1), and cookies.
const HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-connection"),
    header::SET_COOKIE,
    HeaderName::from_static("set-cookie2"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const IRREGULAR: [&str; 3] = ["Content-MD5", "ETag", "WWW-Authenticate"];
/// As Microsoft's APIs write them.
const LOWER_CASE: [&str; 2] = ["client-request-id", "request-id"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::downstream::{memory::Memory, shown::tests::written};

    fn answer(status: u16, headers: &[(&str, &[u8])], body: &[u8]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: map,
            body: body.to_owned(),
            room: Memory::new(0).room(),
        }
    }

    fn json(answer: Answer) -> String {
        written(Shown::from(answer))
    }

    #[test]
    fn an_answer_has_status_headers_and_content() {
        let headers: [(&str, &[u8]); 3] = [
            ("content-type", b"application/json"),
            ("x-a", b"1"),
            ("x-a", b"2"),
        ];
        assert_eq!(
            json(answer(404, &headers, b"{\"a\": \"\xc3\xbc\"}")),
            "{\"statusCode\":404,\"headers\":{\"Content-Type\":[\"application/json\"],\"X-A\":[\"1\",\"2\"]},\
             \"content\":\"{\\\"a\\\": \\\"\u{fc}\\\"}\"}"
        );
        assert_eq!(
            json(answer(204, &[], b"")),
            "{\"statusCode\":204,\"headers\":{},\"content\":null}"
        );
        assert_eq!(
            json(answer(200, &[], b"\xff")),
            "{\"statusCode\":200,\"headers\":{},\"content\":\"/w==\",\"contentEncoding\":\"base64\"}"
        );
    }

    #[test]
    fn headers_of_a_connection_and_cookies_are_left_out() {
        let names = [
            "Connection",
            "Keep-Alive",
            "Proxy-Authenticate",
            "Proxy-Connection",
            "Set-Cookie",
            "Set-Cookie2",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
        ];
        for name in names {
            let answer = answer(200, &[(name, b"a")], b"");
            assert!(headers(&answer.headers).is_empty(), "{name}");
        }
        let named = answer(
            200,
            &[
                ("connection", b"close, X-One ,"),
                ("connection", b"x-two"),
                ("x-one", b"1"),
                ("x-two", b"2"),
                ("x-three", b"3"),
            ],
            b"",
        );
        assert_eq!(
            headers(&named.headers).into_keys().collect::<Vec<_>>(),
            ["X-Three"]
        );
    }

    #[test]
    fn names_are_written_as_usual() {
        for name in [
            "Content-Type",
            "Content-Length",
            "Location",
            "Retry-After",
            "ETag",
            "WWW-Authenticate",
            "Content-MD5",
            "request-id",
            "client-request-id",
            "x-ms-ags-diagnostic",
            "X-Custom-Header",
            "Strict-Transport-Security",
        ] {
            assert_eq!(as_usual(&name.to_ascii_lowercase()), name);
        }
    }

    #[test]
    fn a_value_is_utf_8_or_else_iso_8859_1() {
        let answer = answer(200, &[("a", b"\xc3\xbc"), ("b", b"\xfc\x80")], b"");
        let headers = headers(&answer.headers);
        assert_eq!(headers["A"], ["\u{fc}"]);
        assert_eq!(headers["B"], ["\u{fc}\u{80}"]);
    }
}
