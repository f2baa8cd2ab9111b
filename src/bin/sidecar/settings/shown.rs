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

/// The same for a text in the place of an id or a known word, where a short secret may have been put by mistake. Only
/// what has the form of a GUID or a domain, or is one of these words in any letter case, is shown.
pub(super) fn shown_id(text: &str, words: &[&str]) -> String {
    let is_word = words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_word || is_guid(text) || is_domain(text) || looks_like_a_credential(text) {
        return shown(text);
    }
    format!("a text of length {}", text.chars().count())
}

/// In braces or without.
fn is_guid(text: &str) -> bool {
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let parts = inner.unwrap_or(text).split('-');
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts
        .map(|part| (part.len(), is_hex(part)))
        .eq([8, 4, 4, 4, 12].map(|length| (length, true)))
}

/// At least two labels of lower-case letters, digits and hyphens, of which the last is a name of letters.
pub(super) fn is_domain(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label =
        |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(is_letter);
    let is_last = |last: &str| last.len() > 1 && last.bytes().all(|b| b.is_ascii_lowercase());
    text.rsplit_once('.').is_some_and(|(labels, last)| {
        labels.split('.').all(is_label) && is_label(last) && is_last(last)
    })
}

/// The same without quotes and for any text: for names.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() >= MAX {
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

/// Of a part of a domain.
const MAX_LABEL: usize = 63;

/// The longest name that Entra gives to anything has 43 characters.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line_and_cut() {
        assert_eq!(shown("common"), "\"common\"");
        assert_eq!(shown("a\"b\nc\u{1b}é"), r#""a\"b\nc\u{1b}\u{e9}""#);
        assert_eq!(shown("it's"), "\"it's\"");
        let longest = "a ".repeat(MAX / 2);
        assert_eq!(shown(&longest), format!("\"{longest}\""));
        assert_eq!(shown(&format!("{longest}a")), format!("\"{longest}...\""));
    }

    #[test]
    fn in_the_place_of_an_id_only_what_is_no_secret_is_shown() {
        let words = ["common", "KeyVault"];
        for text in [
            "Common",
            "keyvault",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4F",
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
            "contoso.com",
            "my-2.contoso.onmicrosoft.com",
        ] {
            assert_eq!(shown_id(text, &words), format!("\"{text}\""));
        }
        for text in [
            "",
            "supersecretvalue",
            "Super.Secret",
            "super.secret1",
            "super.s",
            ".com",
            "a..com",
            "a~b.com",
            "7090e1061ad343139b7a75cc3e576d40",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4g",
            "common1",
            "\u{e9}\u{e9}",
        ] {
            let length = text.chars().count();
            assert_eq!(shown_id(text, &words), format!("a text of length {length}"));
        }
        let secret = "aB08Q~0123456789012345678901234567890123";
        assert_eq!(shown_id(secret, &[]), shown(secret));
        let labels = |first: usize, last: usize| ["a".repeat(first), "b".repeat(last)].join(".");
        for (first, last, is_shown) in
            [(63, 2, true), (64, 2, false), (2, 63, true), (2, 64, false)]
        {
            let text = labels(first, last);
            let shown = shown_id(&text, &words);
            assert_eq!(shown == format!("\"{text}\""), is_shown, "{shown}");
        }
    }

    #[test]
    fn what_looks_like_a_credential_is_withheld() {
        for text in [
            "eyJhbGciOiJSUzI1NiJ9.e30.",
            "aB08Q~0123456789012345678901234567890123",
            "-----BEGIN PRIVATE KEY-----",
            "https://user:password@host",
            &"k".repeat(65),
            &"kZ-_+9".repeat(11),
        ] {
            assert!(shown(text).starts_with('('), "{text}");
        }
        for text in ["FAQ~x", "Q~", "a@b", "https://host", &"k".repeat(64)] {
            assert_eq!(shown(text), format!("\"{text}\""));
        }
    }
}
