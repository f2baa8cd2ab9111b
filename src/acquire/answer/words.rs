//! Entra's own text, as it may be shown.

use crate::shown::Shown;

/// The first line of an `error_description`, up to the ids that follow it, escaped, cut, and without
/// what could be a name, a credential or a part of the request.
pub(super) fn shown(description: &str, withheld: &[&str]) -> String {
    let line = description.trim_start().lines().next().unwrap_or_default();
    let line = line.split(" Trace ID:").next().unwrap_or_default().trim();
    if repeats(line, withheld) {
        return of_code(line, "(withheld: it repeats the request)");
    }
    match Shown::within(MAX_TEXT, &without_names(line)) {
        Shown::Text(text) => text.into(),
        withheld @ Shown::Withheld { .. } => of_code(line, withheld.as_str()),
    }
}

/// `AADSTS` and a number at the beginning, which a look-alike can leave out.
pub(super) fn code(description: &str) -> Option<u32> {
    let digits = description.trim_start().strip_prefix(MARK)?;
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits.get(..end.unwrap_or(digits.len()))?.parse().ok()
}

/// Whether a text has a part of the request in it, as it is or in the encoding of the request.
pub(super) fn repeats(text: &str, withheld: &[&str]) -> bool {
    let has_part = |text: &str| {
        let mut parts = withheld.iter().filter(|part| !part.is_empty());
        parts.any(|part| text.contains(part))
    };
    has_part(text)
        || form_urlencoded::parse(text.as_bytes())
            .any(|(name, value)| has_part(&name) || has_part(&value))
}

fn of_code(line: &str, note: &str) -> String {
    match code(line) {
        Some(code) => format!("{MARK}{code}: {note}"),
        None => note.to_owned(),
    }
}

/// Entra puts user names into some texts: `User account 'x@contoso.com' from identity provider …`. Left out
/// are words that could be one, and what is quoted after the words `user` and `account`.
fn without_names(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut is_quoted_name = false;
    let mut is_after_user = false;
    for word in line.split(' ') {
        if !kept.is_empty() {
            kept.push(' ');
        }
        let opens = is_after_user && word.starts_with(['\'', '"']);
        let is_name = is_quoted_name || opens || word.contains('@') || word.contains("%40");
        if is_name {
            kept.push_str(WITHHELD);
        } else {
            kept.push_str(word);
        }
        let closing = if opens { word.get(1..) } else { Some(word) };
        is_quoted_name =
            (is_quoted_name || opens) && !closing.is_some_and(|word| word.contains(['\'', '"']));
        let plain = word.trim_end_matches(':');
        is_after_user = ["user", "account", "username"]
            .iter()
            .any(|name| plain.eq_ignore_ascii_case(name));
    }
    kept
}

const MARK: &str = "AADSTS";
const WITHHELD: &str = "(withheld)";

/// The longest texts of Entra have about 400 characters.
const MAX_TEXT: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_shown_without_the_ids_behind_it() {
        for (text, expected) in [
            (
                "AADSTS65001: The user or administrator has not consented. Trace ID: 1 Correlation ID: 2",
                "AADSTS65001: The user or administrator has not consented.",
            ),
            (
                "AADSTS70011: The scope 'a b' is not valid.\r\nTrace ID: 1\r\n",
                "AADSTS70011: The scope 'a b' is not valid.",
            ),
            ("", ""),
            ("\u{1b}[31mred\u{202e}", "\\u{1b}[31mred\\u{202e}"),
        ] {
            assert_eq!(shown(text, &[]), expected);
        }
    }

    #[test]
    fn a_line_of_480_characters_is_shown_and_a_longer_one_is_cut() {
        let longest = "a ".repeat(239) + "ab";
        assert_eq!(longest.len(), 480);
        assert_eq!(shown(&longest, &[]), longest);
        let cut = shown(&format!("{longest}c"), &[]);
        assert_eq!(cut.len(), 480);
        assert!(cut.ends_with("..."), "{cut}");
    }

    #[test]
    fn names_of_users_are_withheld() {
        for (text, expected) in [
            (
                "AADSTS50020: User account 'jane.doe@contoso.com' from identity provider 'live.com' does not exist",
                "AADSTS50020: User account (withheld) from identity provider 'live.com' does not exist",
            ),
            (
                "AADSTS50034: The user 'Jane Doe' is not there",
                "AADSTS50034: The user (withheld) (withheld) is not there",
            ),
            (
                "AADSTS50034: The user account {EUII Hidden} does not exist",
                "AADSTS50034: The user account {EUII Hidden} does not exist",
            ),
            ("a jane%40contoso.com b", "a (withheld) b"),
            ("user 'O'Neil' b", "user (withheld) b"),
            ("user 'Jane ' b", "user (withheld) (withheld) b"),
            (
                "the user 'Jane van Doe' is gone",
                "the user (withheld) (withheld) (withheld) is gone",
            ),
        ] {
            assert_eq!(shown(text, &[]), expected);
        }
    }

    #[test]
    fn credentials_and_parts_of_the_request_are_withheld() {
        for text in [
            "AADSTS7000215: the secret hunter2 is wrong",
            "AADSTS7000215: eyJhbGciOiJSUzI1NiJ9.e30.x",
            "AADSTS7000215: -----BEGIN PRIVATE KEY----- abcd",
            "AADSTS7000215: aB08Q~0123456789012345678901234567890123",
        ] {
            let shown = shown(text, &["", "hunter2"]);
            assert!(
                shown.starts_with("AADSTS7000215: (withheld: it "),
                "{shown}"
            );
        }
        for text in [
            "hunter2",
            "client_id=a&client_secret=hunter2",
            "the body was client_secret=hunter%32&grant_type=a",
        ] {
            let shown = shown(text, &["hunter2"]);
            assert_eq!(shown, "(withheld: it repeats the request)");
        }
        for encoded in ["AADSTS1: client_secret=a%7Eb+c%26d", "AADSTS1: a%7Eb+c%26d"] {
            assert_eq!(
                shown(encoded, &["a~b c&d"]),
                "AADSTS1: (withheld: it repeats the request)"
            );
        }
        assert_eq!(shown("AADSTS1: a=b", &["", "c"]), "AADSTS1: a=b");
    }

    #[test]
    fn the_code_is_the_number_at_the_beginning() {
        for (text, expected) in [
            ("AADSTS65001: a", Some(65_001)),
            (" AADSTS65001", Some(65_001)),
            ("a AADSTS65001", None),
            ("AADSTS: a", None),
            ("AADSTS99999999999: a", None),
            ("", None),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }
}
