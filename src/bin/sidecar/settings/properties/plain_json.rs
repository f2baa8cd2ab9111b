//! The other reader of a file: comments and commas at an end become spaces, and serde_json reads the rest.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A JSON value with each member as often as it appears.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// The value of a text with comments and commas at an end.
pub(super) fn parsed(text: &str) -> Option<Json> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let plain = without_commas(&without_comments(text)?);
    let raw: Box<RawValue> = serde_json::from_str(&plain).ok()?;
    Json::of(&raw)
}

/// `None` if a comment has no end.
fn without_comments(text: &str) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => string(rest),
            '/' if rest.starts_with("//") => {
                out.push(' ');
                rest = &rest[rest.find(['\n', '\r']).unwrap_or(rest.len())..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                out.push(' ');
                rest = &rest[rest[2..].find("*/")? + 4..];
                continue;
            }
            _ => &rest[..first.len_utf8()],
        };
        // White space that is none of JSON makes no difference between values.
        match first.is_whitespace() {
            true => out.push(' '),
            false => out.push_str(taken),
        }
        rest = &rest[taken.len()..];
    }
    Some(out)
}

/// The string that begins here, with its quotes as far as there are any.
fn string(text: &str) -> &str {
    let mut is_escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return &text[..=at],
            _ => {}
        }
    }
    text
}

/// Without each comma that has a value before it and a closing bracket behind it.
fn without_commas(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => string(rest),
            _ => &rest[..first.len_utf8()],
        };
        let behind = &rest[taken.len()..];
        let is_at_end = first == ',' && behind.trim_start().starts_with([']', '}']);
        let has_value = !out.trim_end().ends_with(['[', '{', ',', ':']);
        if !(is_at_end && has_value) {
            out.push_str(taken);
        }
        rest = behind;
    }
    out
}

impl Json {
    fn of(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        Some(match text.as_bytes().first()? {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b'[' => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
                let items = items.iter().map(|item| Self::of(item));
                Self::List(items.collect::<Option<_>>()?)
            }
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let members = members
                    .into_iter()
                    .map(|(name, value)| Some((name, Self::of(&value)?)));
                Self::Object(members.collect::<Option<_>>()?)
            }
            _ => Self::Number(text.to_owned()),
        })
    }
}

/// The members of an object, as often as they appear.
pub(super) struct Members(pub(super) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}
