//! Properties of every input that the way out reads.
//!
//! Each check takes any bytes and panics if a property is broken: it compares the readers of this crate with
//! a second reading, which is written on its own. Fuzz targets call it, and a test replays their seeds.

mod answers;

mod claims_challenge;

mod error_answer;

mod pem;

mod token_answer;

pub(crate) use self::{
    claims_challenge::claims_challenge, error_answer::error_answer, pem::pem,
    token_answer::token_answer,
};

/// The bytes of a base64 text without padding, bit by bit.
struct Decoded {
    bytes: Vec<u8>,
    /// Whether the bits behind the last byte are zero: no other text stands for the same bytes.
    is_canonical: bool,
}

/// `plus` and `slash` are the characters for 62 and 63.
fn base64(text: &[u8], plus: &[u8], slash: &[u8]) -> Option<Decoded> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for character in text {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            _ if plus.contains(character) => 62,
            _ if slash.contains(character) => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held).expect("eight bits"));
            bits &= (1 << held) - 1;
        }
    }
    // Six bits are no byte.
    (held < 6).then_some(Decoded {
        bytes,
        is_canonical: bits == 0,
    })
}

/// The text with every `mark` replaced.
fn replaced(text: &[u8], mark: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match rest.strip_prefix(mark) {
            Some(behind) => {
                out.extend_from_slice(by);
                rest = behind;
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// What is before the first line end, and what is behind it.
fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
