//! Values of a configuration, as an error may show them.

/// In quotes: printable ASCII, escaped, and cut after [`MAX`] characters. A text that looks like a credential
/// is withheld.
pub(super) fn shown(text: &str) -> String {
    if looks_like_a_credential(text) {
        let characters = text.chars().count();
        return format!("({characters} characters that look like a credential)");
    }
    format!("\"{}\"", plain(text))
}

/// The same without quotes and for any text: for names.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() > MAX {
            shown.push_str("...");
            break;
        }
        match character {
            '"' | '\\' => shown.extend(character.escape_default()),
            ' '..='~' => shown.push(character),
            _ => shown.extend(character.escape_default()),
        }
    }
    shown
}

/// A JSON object in base64url begins with `eyJ`; keys and signatures are long runs of its letters; a client
/// secret of Entra has a digit before `Q~`. A URL with `@` may have a password.
fn looks_like_a_credential(text: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+".contains(byte);
    let has_digit_before = |at: usize| {
        let before = text.as_bytes().get(..at).and_then(<[u8]>::last);
        before.is_some_and(u8::is_ascii_digit)
    };
    let mut runs = text.as_bytes().split(|byte| !is_letter(byte));
    text.contains("eyJ")
        || text.contains("-----BEGIN")
        || (text.contains("://") && text.contains('@'))
        || text.match_indices("Q~").any(|(at, _)| has_digit_before(at))
        || runs.any(|run| run.len() > LONGEST_NAME)
}

const MAX: usize = 128;

/// The longest name that Entra gives to anything has 43 characters.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line_and_cut() {
        assert_eq!(shown("common"), "\"common\"");
        assert_eq!(shown("a\"b\nc\u{1b}é"), r#""a\"b\nc\u{1b}\u{e9}""#);
        assert!(shown(&"a ".repeat(1_000)).len() < 140);
    }

    #[test]
    fn what_looks_like_a_credential_is_withheld() {
        for text in [
            "eyJhbGciOiJSUzI1NiJ9.e30.",
            "aB08Q~0123456789012345678901234567890123",
            "-----BEGIN PRIVATE KEY-----",
            "https://user:password@host",
            &"k".repeat(65),
        ] {
            assert!(shown(text).starts_with('('), "{text}");
        }
    }
}
