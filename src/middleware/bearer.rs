//! Does this request carry a bearer token, and only one? Makes check 1.

use http::{HeaderMap, header::AUTHORIZATION};

use crate::error::ErrorKind;

/// What the `Authorization` headers of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials<'h> {
    Bearer(&'h str),
    /// Nothing that this crate would look at.
    None,
    /// `DPoP` or `PoP`: a token of a scheme that is not accepted, and no anonymous caller.
    ProofOfPossession,
}

impl<'h> Credentials<'h> {
    /// Refuses two headers, whatever is in them, and a `Bearer` header without exactly one token
    /// of the characters of [RFC 6750, section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1).
    ///
    /// The scheme is read in any letter case, and one or more spaces may follow it. Tokens in the
    /// query or in a form are not looked for.
    pub(super) fn of(headers: &'h HeaderMap) -> Result<Self, ErrorKind> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::None),
            (Some(value), None) => value.as_bytes(),
            (Some(_), Some(_)) => return Err(ErrorKind::MultipleCredentials),
        };
        let end = value
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t'))
            .unwrap_or(value.len());
        let (scheme, rest) = value.split_at(end);
        // An empty value names no scheme, like no header at all.
        if !value.is_empty() && !is_scheme(scheme) {
            return Err(ErrorKind::MalformedAuthorization);
        }
        if scheme.eq_ignore_ascii_case(b"Bearer") {
            token(rest)
                .map(Self::Bearer)
                .ok_or(ErrorKind::MalformedAuthorization)
        } else if scheme.eq_ignore_ascii_case(b"DPoP") || scheme.eq_ignore_ascii_case(b"PoP") {
            Ok(Self::ProofOfPossession)
        } else {
            Ok(Self::None)
        }
    }
}

/// A scheme is a token of [RFC 9110, section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
/// What is none, such as `Bearer,` or `Bearer=`, is a malformed header and not another scheme.
fn is_scheme(scheme: &[u8]) -> bool {
    !scheme.is_empty()
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// One token after one or more spaces, and nothing else.
fn token(rest: &[u8]) -> Option<&str> {
    let start = rest.iter().position(|byte| *byte != b' ')?;
    let token = std::str::from_utf8(rest.get(start..)?).ok()?;
    token
        .bytes()
        .fold(true, |fits, byte| fits & is_token_character(byte))
        .then_some(token)
}

/// `=` is padding, and RFC 6750 has it only at the end; elsewhere it makes a malformed token, which
/// is told from a malformed request further on.
///
/// Without a branch, so that sixteen characters are looked at at once.
fn is_token_character(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `-./` and the digits stand side by side.
    let is_digit_or_near = byte.wrapping_sub(b'-') < 13;
    let is_other = (byte == b'_') | (byte == b'~') | (byte == b'+') | (byte == b'=');
    is_letter | is_digit_or_near | is_other
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                AUTHORIZATION,
                HeaderValue::from_bytes(value).expect("a header value"),
            );
        }
        headers
    }

    #[track_caller]
    fn refused(value: &[u8]) {
        let headers = headers(&[value]);
        assert_eq!(
            Credentials::of(&headers),
            Err(ErrorKind::MalformedAuthorization),
            "{value:?}"
        );
    }

    #[test]
    fn a_bearer_token_is_found_in_any_letter_case_of_the_scheme() {
        for value in [
            "Bearer a.b-c_d~e+f/g=",
            "bearer a.b-c_d~e+f/g=",
            "BEARER   a.b-c_d~e+f/g=",
        ] {
            let headers = headers(&[value.as_bytes()]);
            assert_eq!(
                Credentials::of(&headers),
                Ok(Credentials::Bearer("a.b-c_d~e+f/g="))
            );
        }
    }

    #[test]
    fn the_characters_of_a_token_are_those_of_rfc_6750() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            assert_eq!(is_token_character(byte), expected, "{byte}");
        }
    }

    #[test]
    fn nothing_and_other_schemes_are_no_token() {
        assert_eq!(Credentials::of(&HeaderMap::new()), Ok(Credentials::None));
        for value in [
            &b"Basic abc"[..],
            b"Basic",
            b"",
            b"BearerX abc",
            b"X-Bearer abc",
        ] {
            assert_eq!(
                Credentials::of(&headers(&[value])),
                Ok(Credentials::None),
                "{value:?}"
            );
        }
    }

    #[test]
    fn proofs_of_possession_are_told_apart() {
        for value in ["DPoP abc", "dpop abc", "PoP abc", "POP"] {
            let headers = headers(&[value.as_bytes()]);
            assert_eq!(
                Credentials::of(&headers),
                Ok(Credentials::ProofOfPossession),
                "{value}"
            );
        }
    }

    #[test]
    fn two_headers_are_refused_whatever_is_in_them() {
        for values in [
            [&b"Bearer a"[..], b"Bearer a"],
            [b"Bearer a", b"Basic b"],
            [b"Basic b", b"Bearer a"],
            [b"", b""],
        ] {
            assert_eq!(
                Credentials::of(&headers(&values)),
                Err(ErrorKind::MultipleCredentials)
            );
        }
    }

    #[test]
    fn a_bearer_header_without_exactly_one_token_is_refused() {
        for value in [
            &b"Bearer,a"[..],
            b"Bearer=a",
            b"Bearer:a",
            b"\"Bearer\" a",
            b"Bearer\xc2\xa0a",
            b"\xe9 a",
            b"Bearer",
            b"Bearer ",
            b"Bearer    ",
            b"Bearer a b",
            b"Bearer a ",
            b"Bearer a,b",
            b"Bearer a, Bearer b",
            b"Bearer\ta",
            b"Bearer \ta",
            b"Bearer a\t",
            b"Bearer {}",
            b"Bearer \"a\"",
            b"Bearer a\\b",
            b"Bearer a%20b",
            b"Bearer \xe9",
            b"Bearer a\xff",
            b" Bearer a",
            b"\tBearer a",
        ] {
            refused(value);
        }
    }
}
