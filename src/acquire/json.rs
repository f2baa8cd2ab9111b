//! Reads one JSON object from outside: no member name twice in any object, at most 32 deep.
//!
//! serde_json alone refuses no repeated name. Of a name that appears twice, two readers of one text may
//! see two different identities.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The members of an object, in the order of the text.
#[derive(Debug)]
pub(super) struct Object<'j>(Vec<(Name<'j>, &'j RawValue)>);

impl<'j> Object<'j> {
    /// `None` if the text is not one object, or if any object in it has a name twice.
    pub(super) fn parse(text: &'j str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let strict = Strict { room: MAX_DEPTH };
        strict.deserialize(&mut reader).ok()?;
        // It refuses what comes behind the object.
        Self::read(text)
    }

    /// The members of this value, which is part of a text that was parsed. `None` if it is no object.
    pub(super) fn of(value: &'j RawValue) -> Option<Self> {
        Self::read(value.get())
    }

    fn read(text: &'j str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'j RawValue> {
        let mut members = self.0.iter();
        members
            .find(|(of, _)| of.0 == name)
            .map(|(_, value)| *value)
    }

    /// The member of this name, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text_of(self.get(name)?)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'j RawValue)> {
        self.0.iter().map(|(name, value)| (&*name.0, *value))
    }
}

/// A value that is a string.
pub(super) fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A member name; borrowed where the text has no escapes in it.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Name<'j>(#[serde(borrow)] Cow<'j, str>);

/// Checks a value with everything in it, and keeps nothing.
#[derive(Clone, Copy)]
struct Strict {
    /// How many levels may still be opened.
    room: usize,
}

impl Strict {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let room = self.room.checked_sub(1);
        let room = room.ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { room })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while let Some(()) = list.next_element_seed(inside)? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut names: Vec<Name<'de>> = Vec::new();
        while let Some(name) = map.next_key()? {
            names.push(name);
            map.next_value_seed(inside)?;
        }
        // Sorting keeps an object of thousands of members from costing the square of that.
        names.sort_unstable();
        let has_pair = names.windows(2).any(|pair| pair.first() == pair.last());
        if has_pair {
            return Err(A::Error::custom("a member name appears twice"));
        }
        Ok(())
    }
}

/// The limit of the door: deeper text is refused before the stack is at risk.
const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_out_as_they_are() {
        let object = Object::parse(r#" {"a":"b","\u0063":{"d":[1, 2]},"e":null} "#);
        let object = object.expect("an object");
        assert_eq!(object.text("a").as_deref(), Some("b"));
        assert_eq!(object.text("c"), None);
        let inner = Object::of(object.get("c").expect("a member")).expect("an object");
        assert_eq!(inner.get("d").map(RawValue::get), Some("[1, 2]"));
        assert_eq!(object.get("e").map(RawValue::get), Some("null"));
        assert!(object.get("f").is_none());
        let names: Vec<_> = object.members().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "c", "e"]);
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "",
            " ",
            "null",
            "1",
            "\"a\"",
            "[]",
            "[{}]",
            "{",
            "{}{}",
            "{} x",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1e400}",
            "\u{feff}{}",
            "<html>",
        ] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_name_twice_is_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"y":1,"y":1}}"#,
            r#"{"x":[[{"y":1,"z":2,"y":1}]]}"#,
        ] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
        assert!(Object::parse(r#"{"x":{"y":{"y":1}},"y":[{"y":1},{"y":1}]}"#).is_some());
    }

    #[test]
    fn thirty_two_levels_are_read_and_one_more_is_refused() {
        let nested = |depth: usize, open: &str, close: &str| {
            let (open, close) = (open.repeat(depth - 1), close.repeat(depth - 1));
            format!("{{\"x\":{open}1{close}}}")
        };
        for (open, close) in [("[", "]"), ("{\"y\":", "}")] {
            assert!(Object::parse(&nested(32, open, close)).is_some());
            assert!(Object::parse(&nested(33, open, close)).is_none());
            assert!(Object::parse(&nested(50_000, open, close)).is_none());
        }
    }
}
