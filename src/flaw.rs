//! How a JSON object can be wrong: facts, and their words.

use std::fmt;

use crate::shown::Shown;

/// Why an object was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    NotUtf8,
    NotJson,
    /// It begins like JSON of this type.
    Not(JsonType),
    TooDeep,
    /// A member of this name stands twice in one object.
    Twice(Shown),
    /// A claim that decides has this name in another letter case.
    LetterCase(Shown),
    WrongType(WrongType),
}

/// A member is there, and not as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongType {
    pub(crate) name: &'static str,
    pub(crate) found: &'static str,
    pub(crate) expected: &'static str,
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonType {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl JsonType {
    /// By its first byte.
    pub(crate) fn of(first: u8) -> Option<Self> {
        Some(match first {
            b'"' => Self::Text,
            b'{' => Self::Object,
            b'[' => Self::List,
            b't' | b'f' => Self::Boolean,
            b'n' => Self::Null,
            b'-' | b'0'..=b'9' => Self::Number,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotJson => f.write_str("not JSON that can be read"),
            Self::Not(found) => write!(f, "{} instead of an object", found.as_str()),
            Self::TooDeep => f.write_str("more than 32 levels deep"),
            Self::Twice(name) => write!(f, "the member {name} stands there twice"),
            Self::LetterCase(name) => write!(
                f,
                "the member {name} differs from a claim that decides in letter case alone"
            ),
            Self::WrongType(wrong) => wrong.fmt(f),
        }
    }
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            found,
            expected,
        } = self;
        write!(f, "{name} is {found} instead of {expected}")
    }
}
