//! Reads the claims challenge of an API:
//! [RFC 9110, section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1) and
//! [Microsoft's claims challenges](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge).
//!
//! A header that does not follow the grammar has no challenge: two readers of it may see two.

use std::sync::Arc;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header::WWW_AUTHENTICATE};

use crate::acquire::claims::{Claims, MAX_CLAIMS};

/// The claims that a response asks for, as JSON text: those of its only `Bearer` challenge with
/// `error="insufficient_claims"` and `claims`.
///
/// `None` if there is no such challenge or more than one, if one of its parameters appears twice, if the
/// claims are no base64 (of either alphabet, padded or not) of a JSON object of at most 8 KiB, or ask for
/// nothing, and if all challenges of the response are longer than 32 KiB.
pub(super) fn claims_asked_for(headers: &HeaderMap) -> Option<Arc<str>> {
    let fields = headers.get_all(WWW_AUTHENTICATE);
    let total = fields.iter().try_fold(0_usize, |total, field| {
        total
            .checked_add(field.len())
            .filter(|all| *all <= MAX_CHALLENGES)
    });
    total?;
    let challenges = fields
        .iter()
        .filter_map(|field| challenges(field.as_bytes()));
    let mut claims = challenges.flatten().filter_map(Challenge::into_claims);
    let only = claims.next()?;
    if claims.next().is_some() {
        return None;
    }
    decoded(&only)
}

fn decoded(encoded: &[u8]) -> Option<Arc<str>> {
    if encoded.len() > MAX_ENCODED {
        return None;
    }
    let is_url_safe = encoded.iter().any(|byte| b"-_".contains(byte));
    let alphabet = if is_url_safe { &URL_SAFE } else { &STANDARD };
    let json = alphabet.decode(encoded).ok()?;
    let claims = Claims::parse(std::str::from_utf8(&json).ok()?)?;
    (!claims.is_empty()).then(|| claims.to_json().into())
}

/// One challenge of a header.
struct Challenge<'h> {
    scheme: &'h [u8],
    /// The names in lower case.
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether one more parameter can follow.
    is_open: bool,
}

impl<'h> Challenge<'h> {
    fn new(scheme: &'h [u8]) -> Self {
        Self {
            scheme,
            parameters: Vec::new(),
            is_open: false,
        }
    }

    /// Its `claims`, if it is one of Entra's claims challenges.
    fn into_claims(self) -> Option<Vec<u8>> {
        let mut names: Vec<&[u8]> = self.parameters.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        // RFC 9110, section 11.2: "each parameter name MUST only occur once per challenge".
        let has_pair = names.windows(2).any(|pair| pair.first() == pair.last());
        if has_pair || !self.scheme.eq_ignore_ascii_case(b"Bearer") {
            return None;
        }
        let is_claims_challenge = (self.parameters.iter())
            .any(|(name, value)| name == b"error" && value == b"insufficient_claims");
        let mut parameters = self.parameters.into_iter();
        let claims = parameters.find(|(name, _)| name == b"claims");
        claims
            .filter(|_| is_claims_challenge)
            .map(|(_, value)| value)
    }
}

/// The challenges of one header field. `None` if it does not follow the grammar.
fn challenges(field: &[u8]) -> Option<Vec<Challenge<'_>>> {
    let mut reader = Reader(field);
    let mut found: Vec<Challenge<'_>> = Vec::new();
    while reader.next_element() {
        let name = reader.token()?;
        let has_space = reader.skip_white_space();
        if reader.next() == Some(b'=') {
            let challenge = found.last_mut().filter(|challenge| challenge.is_open)?;
            challenge.parameters.push(reader.parameter(name)?);
        } else {
            let mut challenge = Challenge::new(name);
            if !reader.is_at_end_of_element() {
                if !has_space {
                    return None;
                }
                if !reader.skip_token68() {
                    let name = reader.token()?;
                    reader.skip_white_space();
                    challenge.parameters.push(reader.parameter(name)?);
                    challenge.is_open = true;
                }
            }
            found.push(challenge);
        }
        reader.skip_white_space();
        if !reader.is_at_end_of_element() {
            return None;
        }
    }
    Some(found)
}

/// The rest of a header field.
struct Reader<'h>(&'h [u8]);

impl<'h> Reader<'h> {
    fn next(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Skips to the next element of the list. Elements can be empty. False at the end.
    fn next_element(&mut self) -> bool {
        self.take_while(|byte| byte == b',' || is_white_space(byte));
        !self.0.is_empty()
    }

    fn is_at_end_of_element(&self) -> bool {
        matches!(self.next(), None | Some(b','))
    }

    fn take_while(&mut self, is_of: impl Fn(u8) -> bool) -> &'h [u8] {
        let end = self.0.iter().position(|byte| !is_of(*byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Whether there was any.
    fn skip_white_space(&mut self) -> bool {
        !self.take_while(is_white_space).is_empty()
    }

    fn token(&mut self) -> Option<&'h [u8]> {
        let token = self.take_while(is_token_character);
        (!token.is_empty()).then_some(token)
    }

    /// Skips a `token68`, if it is the whole rest of the element.
    fn skip_token68(&mut self) -> bool {
        let mut ahead = Self(self.0);
        let is_some = !ahead.take_while(is_token68_character).is_empty();
        ahead.take_while(|byte| byte == b'=');
        ahead.skip_white_space();
        let is_whole = is_some && ahead.is_at_end_of_element();
        if is_whole {
            self.0 = ahead.0;
        }
        is_whole
    }

    /// The value behind this name, from the `=` on.
    fn parameter(&mut self, name: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        self.0 = self.0.strip_prefix(b"=")?;
        self.skip_white_space();
        let value = match self.0.strip_prefix(b"\"") {
            Some(rest) => {
                self.0 = rest;
                self.quoted()?
            }
            None => self.token()?.to_vec(),
        };
        Some((name.to_ascii_lowercase(), value))
    }

    /// The rest of a quoted string, without its escapes.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(self.take_while(|byte| !b"\"\\".contains(&byte)));
            match self.0 {
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return Some(text);
                }
                [b'\\', escaped, rest @ ..] => {
                    text.push(*escaped);
                    self.0 = rest;
                }
                _ => return None,
            }
        }
    }
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar`: [RFC 9110, section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token68_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

/// The longest challenges of one response that are read, in bytes: claims of 8 KiB in base64, three times.
const MAX_CHALLENGES: usize = 32 * 1024;

const MAX_ENCODED: usize = MAX_CLAIMS.div_ceil(3) * 4;

const PADDED_OR_NOT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDED_OR_NOT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDED_OR_NOT);

#[cfg(test)]
#[path = "challenge_tests.rs"]
mod tests;
