//! HTTP/1.1 responses as bytes.

use std::fmt::Write;

use http::StatusCode;

pub(super) type Header<'a> = (&'a str, &'a str);

/// What an endpoint answers without a fault.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// One of the two documents.
    pub(super) fn document(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: [JSON, CACHE]
                .map(|(name, value)| (name, value.to_owned()))
                .to_vec(),
            body,
        }
    }

    /// An error of its own in JSON: clients of Entra read the body of every status.
    pub(super) fn error(status: u16, error: &str, description: &str) -> Self {
        let body = serde_json::json!({"error": error, "error_description": description});
        Self {
            status,
            headers: vec![(JSON.0, JSON.1.to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    pub(super) fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        response(self.status, &self.headers(), &self.body)
    }
}

pub(super) fn response(status: u16, headers: &[Header<'_>], body: &[u8]) -> Vec<u8> {
    // These never have a body (RFC 9110, section 6.4.1).
    if matches!(status, 100..=199 | 204 | 304) {
        return head(status, headers, None);
    }
    let mut response = head(status, headers, Some(body.len()));
    response.extend_from_slice(body);
    response
}

pub(super) fn head(status: u16, headers: &[Header<'_>], length: Option<usize>) -> Vec<u8> {
    let known = StatusCode::from_u16(status).ok();
    let reason = known
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let mut head = format!("HTTP/1.1 {status} {reason}\r\nConnection: close\r\n");
    let length = length.map(|length| length.to_string());
    let length = length
        .iter()
        .map(|length| ("Content-Length", length.as_str()));
    for (name, value) in headers.iter().copied().chain(length) {
        write!(head, "{name}: {value}\r\n").expect("a String takes every write");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A whole, valid gzip stream of [`BOMB_LENGTH`] spaces.
///
/// One space and then its repetition, 258 bytes at a time: the maximum of a back reference in
/// [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.5).
pub(super) fn gzip_bomb() -> Vec<u8> {
    // Huffman codes are packed from their most significant bit, bytes from their least significant.
    let final_block_of_fixed_codes = "110";
    let space = "01010000";
    let repeat_258_at_distance_1 = "1100010100000";
    let end_of_block = "0000000";

    let mut bits = String::with_capacity(13 * BOMB_REPEATS + 18);
    bits.push_str(final_block_of_fixed_codes);
    bits.push_str(space);
    bits.extend(std::iter::repeat_n(repeat_258_at_distance_1, BOMB_REPEATS));
    bits.push_str(end_of_block);

    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    gzip.extend(bits.as_bytes().chunks(8).map(|byte| {
        byte.iter()
            .rev()
            .fold(0, |byte, bit| (byte << 1) | u8::from(*bit == b'1'))
    }));
    gzip.extend_from_slice(&BOMB_CRC.to_le_bytes());
    gzip.extend_from_slice(&BOMB_LENGTH.to_le_bytes());
    gzip
}

pub(super) const JSON: Header<'static> = ("Content-Type", "application/json; charset=utf-8");
pub(super) const CACHE: Header<'static> = ("Cache-Control", "max-age=86400, private");

const BOMB_REPEATS: usize = 65_024;
const BOMB_LENGTH: u32 = 1 + 65_024 * 258;
const BOMB_CRC: u32 = 0x828a_ea8b;
