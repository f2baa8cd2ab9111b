//! Which characters may appear where, by the RFCs that define it.

/// `NQCHAR` of [RFC 6749, appendix A](https://www.rfc-editor.org/rfc/rfc6749#appendix-A): graphic
/// ASCII but for the quote and the backslash. A quoted string holds such characters without escapes.
pub(crate) const fn is_nqchar(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}

/// A scope token of [RFC 6749, section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3):
/// one or more `NQCHAR`.
pub(crate) const fn is_scope_token(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        if !is_nqchar(*first) {
            return false;
        }
        rest = others;
    }
    !text.is_empty()
}

/// `b64token` of [RFC 6750, section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1): one or more
/// letters, digits and `-._~+/`, then any number of `=`.
#[cfg(feature = "acquire")]
pub(crate) fn is_bearer_token(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !letters.is_empty() && letters.bytes().all(is_letter)
}

/// A character that a URI may contain, the percent sign included:
/// [RFC 3986, section 2](https://www.rfc-editor.org/rfc/rfc3986#section-2).
pub(crate) fn is_uri_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nqchar_is_the_set_of_rfc_6749() {
        for byte in 0..=u8::MAX {
            let expected = matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert_eq!(is_nqchar(byte), expected, "{byte}");
        }
    }

    #[cfg(feature = "acquire")]
    #[test]
    fn a_bearer_token_has_the_characters_of_rfc_6750_and_padding_at_its_end() {
        for text in ["a", "A0-._~+/", "a=", "a==="] {
            assert!(is_bearer_token(text), "{text}");
        }
        for text in ["", "=", "=a", "a=b", "a b", "a\n", "a\"", "a,b", "é", "a\0"] {
            assert!(!is_bearer_token(text), "{text:?}");
        }
    }

    #[test]
    fn a_uri_has_reserved_and_unreserved_characters_and_percent_signs() {
        for byte in 0..=u8::MAX {
            let expected =
                byte.is_ascii_alphanumeric() || b":/?#[]@!$&'()*+,;=-._~%".contains(&byte);
            assert_eq!(is_uri_character(byte), expected, "{byte}");
        }
    }
}
