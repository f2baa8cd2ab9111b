//! Reads one JSON object from outside: no member name twice in any object, at most 32 deep.
//!
//! serde_json does the reading. What it does not do by itself is refuse a repeated name, and a
//! repeated name is how two readers of one token come to see two different callers.

use std::{borrow::Cow, fmt};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

use super::number::{NUMBER, Number, NumberText, numbers_come_as_objects};

/// The value of a member that somebody looks at.
#[derive(Debug)]
pub(crate) enum Value<'j> {
    Null,
    Bool,
    Number(Number),
    Text(Cow<'j, str>),
    List(Vec<Item<'j>>),
    /// The member names of an object.
    Object(Vec<Cow<'j, str>>),
}

/// One element of a list.
#[derive(Debug)]
pub(crate) enum Item<'j> {
    Text(Cow<'j, str>),
    Integer(i64),
    Other,
}

/// Members of an object that are looked at; all others are only checked.
pub(crate) trait Slots<'j>: Default {
    /// Where the value of the member `name` goes.
    fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>>;

    /// Whether a member of this name may not be there at all.
    fn is_refused(name: &str) -> bool;
}

/// The text is not JSON, not an object, too deep, or has a member twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedJson;

pub(crate) fn read_object<'j, S: Slots<'j>>(text: &'j str) -> Result<S, MalformedJson> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut slots = S::default();
    let mut names = Vec::new();
    let object = TopLevel {
        slots: &mut slots,
        names: &mut names,
    };
    deserializer
        .deserialize_map(object)
        .map_err(|_| MalformedJson)?;
    deserializer.end().map_err(|_| MalformedJson)?;
    Ok(slots)
}

/// Whether `text` is one object as [`read_object`] would read it.
pub(crate) fn is_json_object(text: &str) -> bool {
    #[derive(Default)]
    struct Nothing;

    impl<'j> Slots<'j> for Nothing {
        fn slot(&mut self, _: &str) -> Option<&mut Option<Value<'j>>> {
            None
        }

        fn is_refused(_: &str) -> bool {
            false
        }
    }

    read_object::<Nothing>(text).is_ok()
}

/// The outermost object.
struct TopLevel<'s, 'j, S> {
    slots: &'s mut S,
    names: &'s mut Vec<Cow<'j, str>>,
}

impl<'j, S: Slots<'j>> Visitor<'j> for TopLevel<'_, 'j, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if let Some(slot) = self.slots.slot(&name) {
                if slot.is_some() {
                    return Err(A::Error::custom(TWICE));
                }
                let reader = Reader {
                    depth: 1,
                    capture: true,
                    names: &mut *self.names,
                };
                *slot = Some(map.next_value_seed(reader)?);
            } else if S::is_refused(&name) {
                return Err(A::Error::custom("a refused member"));
            } else {
                if self.names.capacity() == 0 {
                    self.names.reserve(TYPICAL_MEMBERS);
                }
                let reader = Reader {
                    depth: 1,
                    capture: false,
                    names: &mut *self.names,
                };
                map.next_value_seed(reader)?;
                self.names.push(name);
            }
        }
        forget_names(self.names, 0).map_err(A::Error::custom)
    }
}

/// Any value below the outermost object.
struct Reader<'s, 'j> {
    /// How many objects and lists this value stands in.
    depth: usize,
    /// Whether anybody looks at the value.
    capture: bool,
    /// The member names of the objects that are being read, innermost last.
    names: &'s mut Vec<Cow<'j, str>>,
}

impl<'j> Reader<'_, 'j> {
    /// A reader for what stands inside this value.
    fn inner(&mut self) -> Reader<'_, 'j> {
        Reader {
            depth: self.depth + 1,
            capture: false,
            names: &mut *self.names,
        }
    }

    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth >= MAX_DEPTH {
            Err(E::custom("too deep"))
        } else {
            Ok(())
        }
    }
}

impl<'j> DeserializeSeed<'j> for Reader<'_, 'j> {
    type Value = Value<'j>;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Value<'j>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Reader<'_, 'j> {
    type Value = Value<'j>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value<'j>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'j>, E> {
        Ok(Value::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'j>, E> {
        // What an i64 cannot hold is out of every range that is asked for.
        Ok(Value::Number(
            i64::try_from(number).map_or(Number::Fraction(f64::MAX), Number::Integer),
        ))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'j>, E> {
        Ok(Value::Number(Number::Integer(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'j>, E> {
        Ok(Value::Number(Number::Fraction(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'j str) -> Result<Value<'j>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'j>, E> {
        if self.capture {
            Ok(Value::Text(Cow::Owned(text.to_owned())))
        } else {
            Ok(Value::Null)
        }
    }

    fn visit_seq<A: SeqAccess<'j>>(mut self, mut seq: A) -> Result<Value<'j>, A::Error> {
        self.enter()?;
        if !self.capture {
            while seq.next_element_seed(self.inner())?.is_some() {}
            return Ok(Value::Null);
        }
        let mut items = Vec::with_capacity(TYPICAL_ITEMS);
        loop {
            let element = Reader {
                capture: true,
                ..self.inner()
            };
            match seq.next_element_seed(element)? {
                None => return Ok(Value::List(items)),
                Some(Value::Text(text)) => items.push(Item::Text(text)),
                Some(Value::Number(Number::Integer(number))) => items.push(Item::Integer(number)),
                Some(_) => items.push(Item::Other),
            }
        }
    }

    fn visit_map<A: MapAccess<'j>>(mut self, mut map: A) -> Result<Value<'j>, A::Error> {
        let start = self.names.len();
        let mut name = map.next_key::<Name<'j>>()?;
        if name
            .as_ref()
            .is_some_and(|Name(name)| name == NUMBER && numbers_come_as_objects())
        {
            return map
                .next_value::<NumberText>()
                .map(|NumberText(number)| Value::Number(number));
        }
        self.enter()?;
        while let Some(Name(current)) = name {
            map.next_value_seed(self.inner())?;
            self.names.push(current);
            name = map.next_key()?;
        }
        let names = if self.capture {
            self.names.iter().skip(start).cloned().collect()
        } else {
            Vec::new()
        };
        forget_names(self.names, start).map_err(A::Error::custom)?;
        Ok(Value::Object(names))
    }
}

/// Takes the names of one object off the stack and fails if one of them is there twice.
///
/// Sorting keeps an object of thousands of members from costing the square of that.
fn forget_names(names: &mut Vec<Cow<'_, str>>, start: usize) -> Result<(), &'static str> {
    let of_object = names.get_mut(start..).unwrap_or_default();
    of_object.sort_unstable();
    let twice = of_object.windows(2).any(|pair| pair.first() == pair.last());
    names.truncate(start);
    if twice { Err(TWICE) } else { Ok(()) }
}

/// A member name, borrowed unless it is written with escapes.
struct Name<'j>(Cow<'j, str>);

impl<'j> Deserialize<'j> for Name<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'j> Visitor<'j> for NameVisitor {
            type Value = Name<'j>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_borrowed_str<E>(self, name: &'j str) -> Result<Name<'j>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'j>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

/// How deep objects and lists may stand in one another, the outermost object counted.
const MAX_DEPTH: usize = 32;

/// Enough for the members of an Entra token that nobody looks at.
const TYPICAL_MEMBERS: usize = 32;

/// Enough for the roles and groups of nearly everybody.
const TYPICAL_ITEMS: usize = 64;

const TWICE: &str = "a member twice";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Seen<'j> {
        a: Option<Value<'j>>,
    }

    impl<'j> Slots<'j> for Seen<'j> {
        fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>> {
            (name == "a").then_some(&mut self.a)
        }

        fn is_refused(name: &str) -> bool {
            name == "A"
        }
    }

    #[track_caller]
    fn refused(text: &str) {
        assert!(read_object::<Seen<'_>>(text).is_err(), "{text}");
    }

    #[track_caller]
    fn read(text: &str) -> Option<Value<'_>> {
        read_object::<Seen<'_>>(text).expect(text).a
    }

    fn nested(depth: usize, open: &str, close: &str) -> String {
        format!(
            "{{\"x\":{}1{}}}",
            open.repeat(depth - 1),
            close.repeat(depth - 1)
        )
    }

    #[test]
    fn values_come_out_by_type() {
        assert!(matches!(read(r#"{"a":null}"#), Some(Value::Null)));
        assert!(matches!(read(r#"{"a":true}"#), Some(Value::Bool)));
        assert!(matches!(
            read(r#"{"a":-1}"#),
            Some(Value::Number(Number::Integer(-1)))
        ));
        assert!(matches!(
            read(r#"{"a":1.5}"#),
            Some(Value::Number(Number::Fraction(_)))
        ));
        assert!(matches!(
            read(r#"{"a":"b"}"#),
            Some(Value::Text(Cow::Borrowed("b")))
        ));
        assert!(matches!(read(r#"{"a":"\u0062"}"#), Some(Value::Text(text)) if text == "b"));
        assert!(matches!(read(r#"{"a":{"b":1}}"#), Some(Value::Object(names)) if names == ["b"]));
        let Some(Value::List(items)) = read(r#"{"a":["b",1,{}]}"#) else {
            panic!("a list")
        };
        assert!(matches!(
            &items[..],
            [Item::Text(_), Item::Integer(1), Item::Other]
        ));
        assert!(read("{}").is_none());
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "", " ", "null", "1", "\"a\"", "[]", "{", "{}{}", "{} x", "{\"a\":}", "{a:1}",
        ] {
            refused(text);
        }
    }

    #[test]
    fn a_name_twice_is_refused_wherever_it_stands() {
        refused(r#"{"a":1,"a":1}"#);
        refused(r#"{"a":1,"\u0061":1}"#);
        refused(r#"{"x":1,"y":2,"x":1}"#);
        refused(r#"{"x":{"y":1,"y":1}}"#);
        refused(r#"{"a":{"y":1,"y":1}}"#);
        refused(r#"{"x":[[{"y":1,"z":2,"y":1}]]}"#);
        refused(r#"{"a":[{"y":1,"y":1}]}"#);
    }

    #[test]
    fn one_name_in_two_objects_is_fine() {
        assert!(read(r#"{"x":{"y":{"y":1}},"y":[{"y":1},{"y":1}]}"#).is_none());
    }

    #[test]
    fn a_refused_name_is_refused_only_at_the_top() {
        refused(r#"{"A":1}"#);
        assert!(read(r#"{"x":{"A":1}}"#).is_none());
    }

    #[test]
    fn thirty_two_levels_are_read_and_one_more_is_refused() {
        for (open, close) in [("[", "]"), ("{\"y\":", "}")] {
            assert!(read(&nested(32, open, close)).is_none());
            refused(&nested(33, open, close));
            refused(&nested(10_000, open, close));
        }
    }

    #[test]
    fn numbers_beyond_a_double_and_lone_surrogates_are_refused() {
        refused(r#"{"x":1e400}"#);
        refused(r#"{"x":NaN}"#);
        refused(r#"{"x":"\ud800"}"#);
    }

    #[test]
    fn an_object_that_looks_like_a_number_inside_serde_json_is_an_object() {
        let text = format!("{{\"a\":{{\"{NUMBER}\":\"5\"}}}}");
        assert!(matches!(read(&text), Some(Value::Object(_))));
    }
}
