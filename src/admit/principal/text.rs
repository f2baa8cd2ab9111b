//! Texts of a claim set, shared rather than copied.

/// A text of the claim set: its place in there, or a copy if it is written with escapes.
#[derive(Clone)]
pub(super) enum Text {
    Span { start: usize, len: usize },
    Copy(Box<str>),
}

impl Text {
    pub(super) fn of(claims: &str, value: &str) -> Self {
        let start = value.as_ptr().addr().wrapping_sub(claims.as_ptr().addr());
        let len = value.len();
        // A text with escapes was copied by the reader and lies outside of the claim set.
        match claims.get(start..start.saturating_add(len)) {
            Some(_) => Self::Span { start, len },
            None => Self::Copy(value.into()),
        }
    }

    pub(super) fn in_claims<'a>(&'a self, claims: &'a str) -> &'a str {
        match self {
            Self::Span { start, len } => claims.get(*start..start + len).unwrap_or_default(),
            Self::Copy(text) => text,
        }
    }
}
