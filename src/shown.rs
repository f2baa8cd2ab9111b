//! Texts from outside, as they may be shown.

use std::fmt;

/// A text from outside that may be shown: one line of printable ASCII, at most 128 characters unless
/// another limit is given. A text that looks like a credential is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Escaped and cut.
    Text(Box<str>),
    /// It has this many characters and looks like a token or a key.
    Withheld { characters: usize },
}

impl Shown {
    pub(crate) fn of(text: &str) -> Self {
        Self::within(MAX_SHOWN, text)
    }

    /// The same, but for another limit: of `max` characters.
    pub(crate) fn within(max: usize, text: &str) -> Self {
        if looks_like_a_credential(text) {
            return Self::Withheld {
                characters: text.chars().count(),
            };
        }
        let mut shown = String::with_capacity(text.len().min(max));
        // Where to cut so that the mark of the cut has room.
        let mut cut = 0;
        for character in text.chars() {
            if is_plain(character) {
                shown.push(character);
            } else {
                shown.extend(character.escape_default());
            }
            if shown.len() > max {
                shown.truncate(cut);
                shown.push_str(CUT);
                break;
            }
            if shown.len() <= max.saturating_sub(CUT.len()) {
                cut = shown.len();
            }
        }
        Self::Text(shown.into())
    }

    /// The text without quotes, or a note that it is withheld.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Withheld { .. } => "(withheld: it looks like a credential)",
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Withheld { characters } => {
                write!(f, "({characters} characters that look like a credential)")
            }
        }
    }
}

/// The first few of several texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Few {
    first: Vec<Shown>,
    more: usize,
}

impl Few {
    pub(crate) fn of<'t>(texts: impl ExactSizeIterator<Item = &'t str>) -> Self {
        let more = texts.len().saturating_sub(MAX_LISTED);
        Self {
            first: texts.take(MAX_LISTED).map(Shown::of).collect(),
            more,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl fmt::Display for Few {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, text) in self.first.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{text}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What is wrong with a URL of a configuration: this problem, or first of all a user, whose password the
/// error must not show.
pub(crate) fn url_problem(url: &str, problem: &str) -> String {
    let shown = shown_url(url);
    let problem = if url.contains('@') {
        HAS_A_USER
    } else {
        problem
    };
    format!("{shown} {problem}")
}

/// A URL of a configuration, for an error. One with a user may have a password and is not shown.
pub(crate) fn shown_url(url: &str) -> String {
    if url.contains('@') {
        "the URL".to_owned()
    } else {
        Shown::of(url).to_string()
    }
}

fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') && character != '"' && character != '\\'
}

/// Every JSON object in base64url begins with `eyJ`; signatures, keys and secrets are long runs of
/// its letters. The longest name that Entra gives to anything has 43 of them in a row. A client secret of
/// Entra is shorter, but has a digit before `Q~`.
fn looks_like_a_credential(text: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+".contains(byte);
    let has_digit_before = |at: usize| {
        let before = text.as_bytes().get(..at).and_then(<[u8]>::last);
        before.is_some_and(u8::is_ascii_digit)
    };
    text.contains("eyJ")
        || text.contains("-----BEGIN")
        || text.match_indices("Q~").any(|(at, _)| has_digit_before(at))
        || text
            .as_bytes()
            .split(|byte| !is_letter(byte))
            .any(|run| run.len() > LONGEST_NAME)
}

pub(crate) const HAS_A_USER: &str = "must not have a user or a password";

/// The most characters of one text that are shown.
const MAX_SHOWN: usize = 128;
const CUT: &str = "...";
/// The most texts of a list that are shown.
const MAX_LISTED: usize = 4;
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_shown_as_it_is() {
        for text in [
            "",
            "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a",
            "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0",
            "it's a b",
        ] {
            assert_eq!(Shown::of(text).to_string(), format!("\"{text}\""));
        }
    }

    #[test]
    fn what_is_not_printable_ascii_is_escaped() {
        let text = "a\"b\\c\r\nd\te\0f\u{202e}g\u{200f}h\u{1b}[31mé";
        let shown = Shown::of(text).to_string();
        assert_eq!(
            shown,
            r#""a\"b\\c\r\nd\te\u{0}f\u{202e}g\u{200f}h\u{1b}[31m\u{e9}""#
        );
    }

    #[test]
    fn a_long_text_is_cut_between_escapes() {
        for piece in ["a ", "é", "\n", "\u{10ffff}", "ab\"c "] {
            for times in [20, 60, 64, 65, 200, 10_000] {
                let shown = Shown::of(&piece.repeat(times));
                let text = shown.as_str();
                assert!(text.len() <= MAX_SHOWN, "{text}");
                assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                let whole: String = text.strip_suffix(CUT).unwrap_or(text).to_owned();
                assert_eq!(whole.matches("\\u{").count(), whole.matches('}').count());
            }
        }
        assert_eq!(Shown::of(&"a ".repeat(64)).as_str(), "a ".repeat(64));
    }

    #[test]
    fn what_looks_like_a_credential_is_not_shown() {
        for text in [
            "eyJhbGciOiJSUzI1NiJ9".to_owned(),
            "api://x/eyJ0".to_owned(),
            "k".repeat(65),
            format!("api://{}", "a-B_9".repeat(14)),
            "-----BEGIN PRIVATE KEY-----".to_owned(),
            "aB08Q~0123456789012345678901234567890123".to_owned(),
        ] {
            let shown = Shown::of(&text);
            let characters = text.len();
            assert_eq!(shown, Shown::Withheld { characters }, "{text}");
            let note = format!("({characters} characters that look like a credential)");
            assert_eq!(shown.to_string(), note);
        }
    }

    #[test]
    fn of_a_list_the_first_four_are_shown() {
        let few = |texts: &[&str]| Few::of(texts.iter().copied()).to_string();
        assert_eq!(few(&[]), "");
        assert_eq!(few(&["a"]), "\"a\"");
        assert_eq!(few(&["a", "b"]), "\"a\", \"b\"");
        let six = few(&["a", "b", "c", "d", "e", "f"]);
        assert_eq!(six, "\"a\", \"b\", \"c\", \"d\" and 2 more");
    }
}
