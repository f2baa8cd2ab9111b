//! Check 1: the request carries exactly one bearer token.

use http::{HeaderMap, header::HeaderName};

use crate::admit::error::{AuthorizationFault, CredentialsFault, Presented};

/// What the `Authorization` headers of a request contain, or those that take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials<'h> {
    Bearer(BearerText<'h>),
    /// No credentials that this crate reads.
    None(Presented),
}

/// Check 1: one `Authorization` header with one bearer token, or none. Another header has the same
/// grammar.
///
/// Refuses two headers, whatever they contain; a `Bearer` header without exactly one token of the
/// characters of [RFC 6750, section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1); and a
/// proof of possession, which is not an anonymous request either. Nor is the word `Bearer` with nothing
/// behind it: Excel and Power Query send it to be answered with the challenge. A header of another
/// scheme with the word `Bearer` behind a comma holds two credentials. It is refused whether or not a
/// token is needed: an API behind this one may read the second.
///
/// The scheme is read in any letter case, and one or more spaces may follow it. Tokens in the query
/// or in a form are ignored.
pub(super) fn check_credentials<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Credentials<'h>, CredentialsFault> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(Credentials::None(Presented::Nothing)),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return Err(CredentialsFault::Several(2 + values.count())),
    };
    let end = value
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t'))
        .unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(Credentials::Bearer(BearerText(rest)));
    }
    // An empty value names no scheme, like no header at all.
    if !value.is_empty() && !is_scheme(scheme) {
        return Err(CredentialsFault::Malformed(no_scheme(value)));
    }
    if has_bearer_behind_a_comma(value) {
        return Err(CredentialsFault::Malformed(AuthorizationFault::TwoSchemes));
    }
    match other_than_bearer(scheme) {
        presented @ Presented::ProofOfPossession(_) => Err(CredentialsFault::Missing(presented)),
        presented => Ok(Credentials::None(presented)),
    }
}

/// A scheme is a token of [RFC 9110, section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
/// Anything else, such as `Bearer,` or `Bearer=`, is a malformed header and not another scheme.
fn is_scheme(scheme: &[u8]) -> bool {
    !scheme.is_empty()
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// A field value joined from two, such as `Negotiate abc, Bearer x`. Any place behind the comma counts,
/// also one in a quoted string, because readers differ in where they split.
fn has_bearer_behind_a_comma(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |byte| *byte == b',').skip(1);
    parts.any(|rest| {
        rest.windows(b"Bearer".len())
            .any(|word| word.eq_ignore_ascii_case(b"Bearer"))
    })
}

fn other_than_bearer(scheme: &[u8]) -> Presented {
    let known = |names: &'static [&'static str]| {
        let mut names = names.iter();
        names.find(|name| scheme.eq_ignore_ascii_case(name.as_bytes()))
    };
    if scheme.is_empty() {
        Presented::Empty
    } else if let Some(name) = known(&["DPoP", "PoP"]) {
        Presented::ProofOfPossession(name)
    } else if let Some(name) = known(&["Basic", "Digest", "Negotiate", "NTLM", "SharedKey"]) {
        Presented::Scheme(name)
    } else if scheme.starts_with(b"eyJ") && scheme.iter().filter(|byte| **byte == b'.').count() >= 2
    {
        Presented::TokenWithoutScheme
    } else {
        Presented::OtherScheme
    }
}

/// What follows the word `Bearer`: one token, or the end of check 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BearerText<'h>(&'h [u8]);

impl<'h> BearerText<'h> {
    /// Without the spaces before it. These bytes are a token if [`token`](Self::token) says so, or if
    /// they are those of a token that was verified.
    pub(super) fn unread(self) -> &'h [u8] {
        let start = self.0.iter().position(|byte| *byte != b' ');
        start
            .and_then(|start| self.0.get(start..))
            .unwrap_or_default()
    }

    /// One token after one or more spaces, and nothing else.
    pub(super) fn token(self) -> Result<&'h str, CredentialsFault> {
        let text = self.unread();
        let fits = text.iter().fold(!text.is_empty(), |fits, byte| {
            fits & is_token_character(*byte)
        });
        match std::str::from_utf8(text) {
            Ok(token) if fits => Ok(token),
            _ => Err(not_one_token(self.0)),
        }
    }
}

#[cold]
fn no_scheme(value: &[u8]) -> AuthorizationFault {
    if matches!(value.first(), Some(b' ' | b'\t')) {
        AuthorizationFault::LeadingSpace
    } else if value.contains(&b'\t') {
        AuthorizationFault::Tab
    } else {
        AuthorizationFault::Scheme
    }
}

/// What follows the word `Bearer` instead of one token.
#[cold]
fn not_one_token(rest: &[u8]) -> CredentialsFault {
    if rest.contains(&b'\t') {
        return CredentialsFault::Malformed(AuthorizationFault::Tab);
    }
    let mut words = rest
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    CredentialsFault::Malformed(match (words.next(), words.next()) {
        (None, _) => return CredentialsFault::Missing(Presented::NoToken),
        (Some(word), Some(_)) if word.eq_ignore_ascii_case(b"Bearer") => {
            AuthorizationFault::BearerTwice
        }
        (Some(_), Some(_)) => AuthorizationFault::SeveralWords,
        (Some([b'"' | b'\'', ..]), None) => AuthorizationFault::Quoted,
        (Some(_), None) if rest.last() == Some(&b' ') => AuthorizationFault::SeveralWords,
        (Some(_), None) => AuthorizationFault::Character,
    })
}

/// `=` is padding, which RFC 6750 allows only at the end. Elsewhere it passes here, and check 2
/// refuses the token as malformed.
///
/// Without a branch, so that sixteen characters are compared at once.
fn is_token_character(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `-./` and the digits are contiguous.
    let is_digit_or_near = byte.wrapping_sub(b'-') < 13;
    let is_other = (byte == b'_') | (byte == b'~') | (byte == b'+') | (byte == b'=');
    is_letter | is_digit_or_near | is_other
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::AUTHORIZATION};

    use super::*;

    fn check(headers: &HeaderMap) -> Result<Credentials<'_>, CredentialsFault> {
        let credentials = check_credentials(headers, &AUTHORIZATION)?;
        if let Credentials::Bearer(text) = credentials {
            let token = text.token()?;
            assert_eq!(text.unread(), token.as_bytes());
        }
        Ok(credentials)
    }

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
        let refused = check(&headers);
        let is_malformed = matches!(refused, Err(CredentialsFault::Malformed(_)));
        assert!(is_malformed, "{value:?}: {refused:?}");
    }

    #[test]
    fn a_bearer_token_is_found_in_any_letter_case_of_the_scheme() {
        for value in [
            "Bearer a.b-c_d~e+f/g=",
            "bearer a.b-c_d~e+f/g=",
            "BEARER   a.b-c_d~e+f/g=",
        ] {
            let headers = headers(&[value.as_bytes()]);
            let Ok(Credentials::Bearer(text)) = check(&headers) else {
                panic!("{value} is refused")
            };
            assert_eq!(text.token(), Ok("a.b-c_d~e+f/g="));
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
        assert_eq!(
            check(&HeaderMap::new()),
            Ok(Credentials::None(Presented::Nothing))
        );
        for (value, presented) in [
            (&b"Basic abc"[..], Presented::Scheme(&"Basic")),
            (b"basic", Presented::Scheme(&"Basic")),
            (b"", Presented::Empty),
            (b"BearerX abc", Presented::OtherScheme),
            (b"X-Bearer abc", Presented::OtherScheme),
            (b"eyJ0.eyJ0.AQ", Presented::TokenWithoutScheme),
            (b"eyJ0.eyJ0", Presented::OtherScheme),
            (b"eyJ0", Presented::OtherScheme),
            (b"eyAA.eyJ0.AQ", Presented::OtherScheme),
        ] {
            assert_eq!(
                check(&headers(&[value])),
                Ok(Credentials::None(presented)),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_proof_of_possession_is_refused() {
        for (value, scheme) in [
            ("DPoP abc", &"DPoP"),
            ("dpop abc", &"DPoP"),
            ("PoP abc", &"PoP"),
            ("POP", &"PoP"),
        ] {
            let headers = headers(&[value.as_bytes()]);
            let presented = Presented::ProofOfPossession(scheme);
            assert_eq!(
                check(&headers),
                Err(CredentialsFault::Missing(presented)),
                "{value}"
            );
        }
    }

    #[test]
    fn the_word_bearer_with_nothing_behind_it_is_no_token_and_not_anonymous() {
        for value in ["Bearer", "bEARER", "Bearer ", "Bearer    "] {
            assert_eq!(
                check(&headers(&[value.as_bytes()])),
                Err(CredentialsFault::Missing(Presented::NoToken)),
                "{value:?}"
            );
        }
    }

    #[test]
    fn another_scheme_with_bearer_behind_a_comma_is_two_credentials() {
        for value in [
            "Negotiate abc, Bearer a",
            "Negotiate abc,Bearer a",
            "Negotiate abc, x=y , bEARER a",
            "Negotiate , Bearer",
            "Digest realm=\"a, Bearer\"",
            "DPoP abc, Bearer a",
        ] {
            let fault = AuthorizationFault::TwoSchemes;
            assert_eq!(
                check(&headers(&[value.as_bytes()])),
                Err(CredentialsFault::Malformed(fault)),
                "{value}"
            );
        }
        for value in [
            "Negotiate abc Bearer a",
            "Negotiate Bearer, abc",
            "Negotiate abc, Beare",
        ] {
            assert_eq!(
                check(&headers(&[value.as_bytes()])),
                Ok(Credentials::None(Presented::Scheme(&"Negotiate"))),
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
            assert_eq!(check(&headers(&values)), Err(CredentialsFault::Several(2)));
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
            b"Bearer a b",
            b"Bearer a ",
            b"Bearer a,b",
            b"Bearer a, Bearer b",
            b"Bearer\ta",
            b"Bearer \ta",
            b"Bearer\t",
            b"Bearer \t ",
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
