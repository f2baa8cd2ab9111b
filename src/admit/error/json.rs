//! How a JSON object can be wrong: a header, and the claims of check 6.

use super::hints;
use crate::shown::Shown;

/// Why an object was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not JSON that can be read")]
    NotJson,
    /// It is JSON of this type.
    #[error("{0} instead of an object")]
    Not(JsonType),
    #[error("more than 32 levels deep")]
    TooDeep,
    /// A member of this name appears twice in one object.
    #[error("the member {0} appears twice")]
    Twice(Shown),
    /// A reader that folds case would take this name for that of a claim that decides.
    #[error("the member {0} differs from a claim that decides only in letter case")]
    LetterCase(Shown),
    #[error(transparent)]
    WrongType(WrongType),
}

/// A member has another type than it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {found} instead of {expected}")]
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

impl Flaw {
    pub(super) fn hint_about_claims(&self) -> &'static str {
        match self {
            Self::WrongType(wrong) if matches!(wrong.name, "scp" | "roles") => hints::SCP_AND_ROLES,
            _ => hints::BAD_CLAIMS,
        }
    }
}

/// What to look for if these claims that only inform are malformed.
pub(crate) fn hint_about_form(malformed: &[WrongType]) -> &'static str {
    let facets = ["xms_act_fct", "xms_sub_fct", "xms_tnt_fct", "xms_idrel"];
    if malformed.iter().any(|wrong| facets.contains(&wrong.name)) {
        hints::INFORMING_FORM
    } else {
        hints::OTHER_FORM
    }
}

impl JsonType {
    /// The type of a value that begins with this byte.
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

impl std::fmt::Display for JsonType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
