//! The pieces of a JSON text, by the letter of [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259):
//! strings, numbers, literal names, and the six characters of structure.

use std::borrow::Cow;

use super::number::Number;

/// The text is not JSON, or not the JSON that is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedJson;

/// Takes one piece after the other off a text.
///
/// White space between two pieces is taken with the second one. It is looked for last, because Entra
/// writes none.
pub(super) struct Scanner<'j> {
    text: &'j str,
    /// How many bytes of the text have been taken.
    at: usize,
}

impl<'j> Scanner<'j> {
    pub(super) fn new(text: &'j str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that begins the next piece. None at the end.
    pub(super) fn peek(&mut self) -> Option<u8> {
        match self.peek_byte() {
            Some(..=b' ') => self.peek_after_white_space(),
            byte => byte,
        }
    }

    #[cold]
    fn peek_after_white_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek_byte() {
            self.at += 1;
        }
        self.peek_byte()
    }

    /// How many bytes are left.
    pub(super) fn remaining(&self) -> usize {
        self.text.len().saturating_sub(self.at)
    }

    /// Takes this character of structure, if it comes next.
    pub(super) fn takes(&mut self, structure: u8) -> bool {
        self.takes_byte(structure) || (self.peek() == Some(structure) && self.takes_byte(structure))
    }

    /// Takes `null`, `true` or `false`, of which the first byte has been seen.
    pub(super) fn literal(&mut self, name: &str) -> Result<(), MalformedJson> {
        name.bytes().try_for_each(|byte| self.expect(byte))
    }

    /// Takes a string: RFC 8259, section 7. It is borrowed unless it is written with escapes.
    // A claim set is mostly short strings. As calls, this and `plain` would cost a fifth more
    // instructions.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Cow<'j, str>, MalformedJson> {
        self.begin_string()?;
        let plain = self.plain()?;
        if self.takes_byte(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        self.string_with_escapes(plain).map(Cow::Owned)
    }

    /// Goes on with a string from its first escape.
    #[cold]
    fn string_with_escapes(&mut self, plain: &str) -> Result<String, MalformedJson> {
        // One allocation for nearly every string that has an escape.
        let mut text = String::with_capacity(plain.len() + 16);
        text.push_str(plain);
        loop {
            text.push(self.escape()?);
            text.push_str(self.plain()?);
            if self.takes_byte(b'"') {
                return Ok(text);
            }
        }
    }

    /// Takes a string that is not used.
    pub(super) fn skip_string(&mut self) -> Result<(), MalformedJson> {
        self.begin_string()?;
        self.plain()?;
        while !self.takes_byte(b'"') {
            self.escape()?;
            self.plain()?;
        }
        Ok(())
    }

    fn begin_string(&mut self) -> Result<(), MalformedJson> {
        if self.takes(b'"') {
            Ok(())
        } else {
            Err(MalformedJson)
        }
    }

    /// Takes a number: RFC 8259, section 6.
    pub(super) fn number(&mut self) -> Result<Number, MalformedJson> {
        let start = self.at;
        let is_negative = self.takes_byte(b'-');
        // A digit after a leading zero is not taken, and no other piece begins with one there.
        let mut integer = if self.takes_byte(b'0') {
            Some(0)
        } else {
            self.digits()?
        };
        if self.takes_byte(b'.') {
            self.digits()?;
            integer = None;
        }
        if self.takes_byte(b'e') || self.takes_byte(b'E') {
            let _ = self.takes_byte(b'+') || self.takes_byte(b'-');
            self.digits()?;
            integer = None;
        }
        match integer {
            // A date, nearly always.
            Some(integer) if !is_negative => Ok(Number::Integer(integer)),
            _ => {
                let number = self.text.get(start..self.at).ok_or(MalformedJson)?;
                Number::parse(number).ok_or(MalformedJson)
            }
        }
    }

    /// Takes one digit or more. None if they are too many for an `i64`.
    fn digits(&mut self) -> Result<Option<i64>, MalformedJson> {
        let start = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.peek_byte() {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        match self.at - start {
            0 => Err(MalformedJson),
            1..=18 => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// Takes the characters of a string before the next escape. A backslash, the quotation mark
    /// that ends the string, or an error comes next.
    #[inline(always)]
    fn plain(&mut self) -> Result<&'j str, MalformedJson> {
        let rest = self.text.get(self.at..).ok_or(MalformedJson)?;
        let len = plain_len(rest.as_bytes());
        self.at += len;
        rest.get(..len).ok_or(MalformedJson)
    }

    /// Takes a backslash and what belongs to it.
    fn escape(&mut self) -> Result<char, MalformedJson> {
        self.expect(b'\\')?;
        match self.next() {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => self.escaped_char(),
            _ => Err(MalformedJson),
        }
    }

    /// Takes one unit of UTF-16, or two with an `\u` between them. Half a pair is no character.
    fn escaped_char(&mut self) -> Result<char, MalformedJson> {
        let unit = self.utf16_unit()?;
        if let Some(char) = char::from_u32(unit.into()) {
            return Ok(char);
        }
        self.expect(b'\\')?;
        self.expect(b'u')?;
        let pair = [unit, self.utf16_unit()?];
        match char::decode_utf16(pair).next() {
            Some(Ok(char)) => Ok(char),
            _ => Err(MalformedJson),
        }
    }

    /// Takes four hexadecimal digits.
    fn utf16_unit(&mut self) -> Result<u16, MalformedJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|byte| char::from(byte).to_digit(16));
            unit = 16 * unit + digit.ok_or(MalformedJson)?;
        }
        u16::try_from(unit).map_err(|_| MalformedJson)
    }

    fn expect(&mut self, byte: u8) -> Result<(), MalformedJson> {
        if self.takes_byte(byte) {
            Ok(())
        } else {
            Err(MalformedJson)
        }
    }

    fn takes_byte(&mut self, byte: u8) -> bool {
        let is_next = self.peek_byte() == Some(byte);
        if is_next {
            self.at += 1;
        }
        is_next
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek_byte()?;
        self.at += 1;
        Some(byte)
    }

    fn peek_byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// How many bytes come before the first quotation mark, backslash or control character. They end
/// where a character ends, because all three are ASCII.
#[inline]
fn plain_len(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks();
    let mut len = 0;
    for word in words {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            #[expect(clippy::as_conversions, reason = "at most seven")]
            return len + (stops.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + plain_len_at_the_end(rest)
}

#[cold]
fn plain_len_at_the_end(text: &[u8]) -> usize {
    let stop = text.iter().position(|byte| is_stop(*byte));
    stop.unwrap_or(text.len())
}

fn is_stop(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}

/// [`is_stop`] for eight bytes at once, the first of them the lowest: the lowest bit that is set is
/// in the first byte that stops. The bits above it mean nothing, because a subtraction may have
/// borrowed from there.
fn stops(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    // Sets the highest bit of each byte that is less, and of some that have it set already.
    let less_than = |word: u64, byte: u64| word.wrapping_sub(EACH * byte);
    // Turning that bit round swaps the quotation mark with the space and leaves controls controls.
    let is_control_or_quotation_mark = less_than(word ^ (EACH * 0x02), 0x21);
    let is_backslash = less_than(word ^ (EACH * 0x5c), 0x01);
    (is_control_or_quotation_mark | is_backslash) & !word & (EACH * 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_once_stop_where_one_by_one_they_would() {
        // Each byte in each place, among bytes on the edges of what stops.
        for around in [
            0x00, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7f, 0x80, 0xff,
        ] {
            for place in 0..8 {
                for byte in 0..=u8::MAX {
                    for fill in [b'a', around] {
                        let mut text = [fill; 8];
                        text[place] = byte;
                        text[7 - place] = around;
                        let expected = plain_len_at_the_end(&text);
                        assert_eq!(plain_len(&text), expected, "{text:x?}");
                    }
                }
            }
        }
    }
}
