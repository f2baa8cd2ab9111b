//! The JSON of an answer, written in pieces: 30 MB of control characters are 180 MB of JSON.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;

use super::{content::Content, memory::Room};

/// The JSON of an answer, in Microsoft's form: `content` is there even if it is `null`.
#[derive(Debug)]
pub(super) struct Shown {
    /// What comes before the content.
    start: Vec<u8>,
    content: Content,
    /// How many bytes of the content are written.
    written: usize,
    /// What comes after it.
    end: &'static [u8],
    /// How many bytes are not written.
    left: usize,
    _room: Room,
}

/// What comes first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    status_code: u16,
    headers: BTreeMap<String, Vec<String>>,
}

impl Shown {
    /// `room` is that of the content. It is given back when the last piece is written, or the client has gone.
    pub(super) fn new(
        status: StatusCode,
        headers: BTreeMap<String, Vec<String>>,
        content: Content,
        room: Room,
    ) -> Self {
        let start = Start {
            status_code: status.as_u16(),
            headers,
        };
        // Strings and numbers: writing them to memory does not fail.
        let mut start = serde_json::to_vec(&start).unwrap_or_default();
        // The brace at its end.
        start.pop();
        start.extend_from_slice(b",\"content\":");
        let (end, len): (&[u8], _) = match &content {
            Content::Empty => (b"null}", 0),
            Content::Text(text) => (b"\"}", escaped_len(text)),
            Content::Binary(bytes) => (
                b"\",\"contentEncoding\":\"base64\"}",
                bytes.len().div_ceil(3) * 4,
            ),
        };
        if content != Content::Empty {
            start.push(b'"');
        }
        Self {
            left: start.len() + len + end.len(),
            start,
            content,
            written: 0,
            end,
            _room: room,
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.left == 0 {
            return None;
        }
        let mut piece = mem::take(&mut self.start);
        let len = match &self.content {
            Content::Empty => 0,
            Content::Text(text) => {
                let next = piece_of(text, self.written);
                escape(next, &mut piece);
                self.written += next.len();
                text.len()
            }
            Content::Binary(bytes) => {
                let rest = bytes.get(self.written..).unwrap_or_default();
                let next = rest.get(..PIECE).unwrap_or(rest);
                piece.extend_from_slice(STANDARD.encode(next).as_bytes());
                self.written += next.len();
                bytes.len()
            }
        };
        if self.written >= len {
            piece.extend_from_slice(self.end);
        }
        self.left = self.left.saturating_sub(piece.len());
        Some(piece)
    }
}

/// It declares its length.
impl Body for Shown {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.next();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left).unwrap_or(u64::MAX))
    }
}

/// At most [`PIECE`] bytes from `at` on, which is the start of a character.
fn piece_of(text: &str, at: usize) -> &str {
    let mut end = at.saturating_add(PIECE).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(at..end).unwrap_or_default()
}

/// As serde_json escapes it, without the quotation marks. Each character is escaped by itself.
fn escape(text: &str, to: &mut Vec<u8>) {
    let quoted = serde_json::to_vec(text).unwrap_or_default();
    let quoted = quoted.strip_prefix(b"\"").unwrap_or_default();
    to.extend_from_slice(quoted.strip_suffix(b"\"").unwrap_or_default());
}

fn escaped_len(text: &str) -> usize {
    let lengths = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\x08' | b'\t' | b'\n' | b'\x0c' | b'\r' => 2,
        0..0x20 => 6,
        _ => 1,
    });
    lengths.sum()
}

/// A multiple of three, so that base64 is padded at its end only.
const PIECE: usize = 24 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::downstream::memory::Memory;

    /// All of it, which has the length that it declares.
    pub(in crate::downstream) fn written(mut shown: Shown) -> String {
        let declared = shown.size_hint().exact().expect("a length");
        let mut all = Vec::new();
        while let Some(piece) = shown.next() {
            assert!(!piece.is_empty() && piece.len() < 6 * PIECE + 1024);
            all.extend(piece);
        }
        assert!(shown.is_end_stream());
        assert_eq!(u64::try_from(all.len()).expect("a number"), declared);
        String::from_utf8(all).expect("UTF-8")
    }

    fn json(content: Content) -> String {
        let room = Memory::new(0).room();
        written(Shown::new(StatusCode::OK, BTreeMap::new(), content, room))
    }

    #[test]
    fn a_text_of_any_characters_is_one_json_string() {
        let ascii: String = (0..0x80).map(char::from).collect();
        for unit in [
            &*ascii,
            "\u{1}",
            "\u{e9}",
            "\u{20ac}",
            "a\u{1f600}",
            "\u{2028}",
        ] {
            for len in [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
                let text = unit.repeat(len.div_ceil(unit.len()));
                let quoted = serde_json::to_string(&text).expect("JSON");
                assert_eq!(
                    json(Content::Text(text)),
                    format!("{{\"statusCode\":200,\"headers\":{{}},\"content\":{quoted}}}")
                );
            }
        }
    }

    #[test]
    fn a_piece_ends_with_a_whole_character_and_has_no_more_bytes_than_it_may() {
        for before in 0..4 {
            let text = "a".repeat(before) + &"\u{1f600}".repeat(PIECE);
            let len = piece_of(&text, 0).len();
            assert!((PIECE - 3..=PIECE).contains(&len), "{len}");
            assert_eq!(piece_of(&text, before).len(), PIECE);
        }
    }

    #[test]
    fn bytes_of_any_length_are_one_base64_text() {
        for len in [1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let bytes = vec![0xfe; len];
            let encoded = STANDARD.encode(&bytes);
            assert_eq!(
                json(Content::Binary(bytes)),
                format!(
                    "{{\"statusCode\":200,\"headers\":{{}},\"content\":\"{encoded}\",\
                     \"contentEncoding\":\"base64\"}}"
                )
            );
        }
    }

    #[test]
    fn the_room_is_given_back_when_the_answer_is_written_or_dropped() {
        let memory = Memory::new(4096);
        let mut room = memory.room();
        room.grow_to(1024).expect("room");
        let content = Content::Text("a".to_owned());
        let shown = Shown::new(StatusCode::OK, BTreeMap::new(), content, room);
        assert_eq!(memory.left(), 3072);
        drop(shown);
        assert_eq!(memory.left(), 4096);
    }
}
