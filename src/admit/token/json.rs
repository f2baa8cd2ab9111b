//! Reads one JSON object from outside: no member name twice in any object, at most 32 deep.
//!
//! A reader of our own, for three reasons. serde_json refuses no repeated name, and of a name that
//! appears twice two readers of one token may see two different callers. What a token may be must not
//! depend on what other crates of a graph turn on in serde_json (`arbitrary_precision`,
//! `unbounded_depth`, `float_roundtrip`). And a reader that builds only what is used takes half the
//! instructions. The two agree on everything else, which `properties/` tests.

use std::borrow::Cow;

pub(crate) use super::scan::MalformedJson;
use super::{number::Number, scan::Scanner};
use crate::{
    admit::error::{Flaw, JsonType},
    shown::Shown,
};

/// The value of a member that is used.
#[derive(Debug)]
pub(crate) enum Value<'j> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'j, str>),
    List(Vec<Item<'j>>),
    /// The member names of an object.
    Object(Vec<Cow<'j, str>>),
}

impl Value<'_> {
    pub(crate) fn json_type(&self) -> JsonType {
        match self {
            Self::Null => JsonType::Null,
            Self::Bool(_) => JsonType::Boolean,
            Self::Number(_) => JsonType::Number,
            Self::Text(_) => JsonType::Text,
            Self::List(_) => JsonType::List,
            Self::Object(_) => JsonType::Object,
        }
    }
}

/// One element of a list.
#[derive(Debug)]
pub(crate) enum Item<'j> {
    Text(Cow<'j, str>),
    Integer(i64),
    Other,
}

/// Members of an object that are used; all others are only checked.
pub(crate) trait Slots<'j> {
    /// Where the value of the member `name` goes.
    fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>>;

    /// Whether a member of this name may not be there at all.
    fn is_refused(name: &str) -> bool;
}

/// Reads a text that is one object into `slots`, which are empty before and of no use after an error.
pub(crate) fn read_object<'j, S: Slots<'j>>(text: &'j str, slots: &mut S) -> Result<(), Flaw> {
    let mut reader = Reader::new(text, true);
    reader
        .only_object(slots)
        .map_err(|MalformedJson| reader.flaw.take().unwrap_or(Flaw::NotJson))
}

/// The first member of this name of the object that `text` begins with, if it is a string. Nothing behind
/// it is read, and no name is compared with another: good for deciding who reads the whole, and for
/// nothing else.
pub(crate) fn first_string<'j>(text: &'j str, wanted: &str) -> Option<Cow<'j, str>> {
    let mut reader = Reader::new(text, false);
    let mut found = None;
    // An error ends the reading, whether of a malformed text or behind the member.
    let _ = reader.object(|reader, name| {
        if name != wanted {
            return reader.skip(1);
        }
        found = reader.scanner.string().ok();
        Err(MalformedJson)
    });
    found
}

/// Whether `text` is one object as [`read_object`] would read it.
pub(crate) fn is_json_object(text: &str) -> bool {
    struct Nothing;

    impl<'j> Slots<'j> for Nothing {
        fn slot(&mut self, _: &str) -> Option<&mut Option<Value<'j>>> {
            None
        }

        fn is_refused(_: &str) -> bool {
            false
        }
    }

    read_object(text, &mut Nothing).is_ok()
}

struct Reader<'j> {
    scanner: Scanner<'j>,
    /// The member names of the objects that are being read, innermost last.
    names: Vec<Cow<'j, str>>,
    /// Whether one name twice is looked for.
    keeps_names: bool,
    /// What was refused that JSON itself allows.
    flaw: Option<Flaw>,
}

impl<'j> Reader<'j> {
    fn new(text: &'j str, keeps_names: bool) -> Self {
        Self {
            scanner: Scanner::new(text),
            names: Vec::new(),
            keeps_names,
            flaw: None,
        }
    }

    /// The one object that the text must be.
    fn only_object<S: Slots<'j>>(&mut self, slots: &mut S) -> Result<(), MalformedJson> {
        self.object(|reader, name| {
            if let Some(slot) = slots.slot(&name) {
                let value = reader.value()?;
                if slot.is_some() {
                    return Err(reader.refuse(Flaw::Twice, &name));
                }
                *slot = Some(value);
            } else if S::is_refused(&name) {
                return Err(reader.refuse(Flaw::LetterCase, &name));
            } else {
                reader.skip_member(name, 1)?;
            }
            Ok(())
        })?;
        match self.scanner.peek() {
            None => Ok(()),
            Some(_) => Err(MalformedJson),
        }
    }

    #[cold]
    fn refuse(&mut self, flaw: fn(Shown) -> Flaw, name: &str) -> MalformedJson {
        self.flaw = Some(flaw(Shown::of(name)));
        MalformedJson
    }

    #[cold]
    fn too_deep(&mut self) -> MalformedJson {
        self.flaw = Some(Flaw::TooDeep);
        MalformedJson
    }

    /// Names the type of a text that is JSON, but no object.
    #[cold]
    fn no_object(&mut self) -> MalformedJson {
        let json_type = self.scanner.peek().and_then(JsonType::of);
        if self.skip(1).is_ok() && self.scanner.peek().is_none() {
            self.flaw = json_type.map(Flaw::Not);
        }
        MalformedJson
    }

    /// The value of a member of the outermost object.
    // Called in one place. As a call it would cost a tenth more instructions.
    #[inline(always)]
    fn value(&mut self) -> Result<Value<'j>, MalformedJson> {
        match self.scanner.peek() {
            Some(b'"') => self.scanner.string().map(Value::Text),
            Some(b'{') => {
                let mut names = Vec::new();
                self.object(|reader, name| {
                    names.push(name.clone());
                    reader.skip_member(name, 2)
                })?;
                Ok(Value::Object(names))
            }
            Some(b'[') => {
                let room = self.scanner.remaining() / GUID_ITEM;
                let mut items = Vec::with_capacity(room.clamp(1, TYPICAL_ITEMS));
                self.list(|reader| {
                    items.push(reader.item()?);
                    Ok(())
                })?;
                Ok(Value::List(items))
            }
            Some(b't') => self.scanner.literal("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.scanner.literal("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.scanner.literal("null").map(|()| Value::Null),
            _ => self.scanner.number().map(Value::Number),
        }
    }

    /// An element of a list that is a member of the outermost object.
    fn item(&mut self) -> Result<Item<'j>, MalformedJson> {
        match self.scanner.peek() {
            Some(b'"') => self.scanner.string().map(Item::Text),
            Some(b'-' | b'0'..=b'9') => self.scanner.number().map(|number| match number {
                Number::Integer(number) => Item::Integer(number),
                Number::Fraction(_) => Item::Other,
            }),
            _ => self.skip(2).map(|()| Item::Other),
        }
    }

    /// Any value inside `depth` objects and lists. Only checks it.
    fn skip(&mut self, depth: usize) -> Result<(), MalformedJson> {
        match self.scanner.peek() {
            Some(b'"') => self.scanner.skip_string(),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Err(self.too_deep()),
            Some(b'{') => self.object(|reader, name| reader.skip_member(name, depth + 1)),
            Some(b'[') => self.list(|reader| reader.skip(depth + 1)),
            Some(b't') => self.scanner.literal("true"),
            Some(b'f') => self.scanner.literal("false"),
            Some(b'n') => self.scanner.literal("null"),
            _ => self.scanner.number().map(drop),
        }
    }

    /// The value of a member of which only the name is kept, to be compared with the others.
    fn skip_member(&mut self, name: Cow<'j, str>, depth: usize) -> Result<(), MalformedJson> {
        if self.keeps_names {
            if self.names.capacity() == 0 {
                self.names.reserve(TYPICAL_MEMBERS);
            }
            self.names.push(name);
        }
        self.skip(depth)
    }

    /// An object. Of each member `read` gets the name, and has to read the value.
    fn object(
        &mut self,
        mut read: impl FnMut(&mut Self, Cow<'j, str>) -> Result<(), MalformedJson>,
    ) -> Result<(), MalformedJson> {
        let start = self.names.len();
        if !self.scanner.takes(b'{') {
            return Err(self.no_object());
        }
        if self.scanner.takes(b'}') {
            return Ok(());
        }
        loop {
            let name = self.scanner.string()?;
            if !self.scanner.takes(b':') {
                return Err(MalformedJson);
            }
            read(self, name)?;
            if self.scanner.takes(b',') {
                continue;
            }
            if self.scanner.takes(b'}') {
                return self.forget_names(start);
            }
            return Err(MalformedJson);
        }
    }

    /// A list. `read` has to read each element.
    fn list(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), MalformedJson>,
    ) -> Result<(), MalformedJson> {
        if !self.scanner.takes(b'[') {
            return Err(MalformedJson);
        }
        if self.scanner.takes(b']') {
            return Ok(());
        }
        loop {
            read(self)?;
            if self.scanner.takes(b',') {
                continue;
            }
            if self.scanner.takes(b']') {
                return Ok(());
            }
            return Err(MalformedJson);
        }
    }

    /// Takes the names of one object off the stack and fails if one of them is there twice.
    ///
    /// Sorting keeps an object of thousands of members from costing the square of that.
    fn forget_names(&mut self, start: usize) -> Result<(), MalformedJson> {
        let of_object = self.names.get_mut(start..).unwrap_or_default();
        of_object.sort_unstable();
        let pair = of_object
            .windows(2)
            .find(|pair| pair.first() == pair.last());
        if let Some([name, ..]) = pair {
            self.flaw = Some(Flaw::Twice(Shown::of(name)));
            return Err(MalformedJson);
        }
        self.names.truncate(start);
        Ok(())
    }
}

/// How deep objects and lists may be nested, the outermost object counted. Deeper text is refused
/// before the stack is at risk.
const MAX_DEPTH: usize = 32;

/// Enough for the unused members of an Entra token.
const TYPICAL_MEMBERS: usize = 16;

/// The bytes of one element of a list of GUIDs, with quotation marks and comma.
const GUID_ITEM: usize = 39;

/// Enough for the roles and groups of most callers.
const TYPICAL_ITEMS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "$serde_json::private::Number";

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
        assert!(read_object(text, &mut Seen::default()).is_err(), "{text}");
    }

    #[track_caller]
    fn read(text: &str) -> Option<Value<'_>> {
        let mut seen = Seen::default();
        read_object(text, &mut seen).expect(text);
        seen.a
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
        assert!(matches!(read(r#"{"a":true}"#), Some(Value::Bool(true))));
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
    fn what_is_long_is_read_in_no_time() {
        // What takes the square of this takes minutes.
        let many = 200_000;
        for text in [
            format!("{{\"a\":[{}1]}}", "1,".repeat(many)),
            format!("{{\"x\":[{}1]}}", "[],".repeat(many)),
            format!("{{\"a\":\"{}\"}}", "\\n".repeat(many)),
            format!("{{\"x\":\"{}\"}}", "\\u00e9".repeat(many)),
            format!("{{\"x\":{}}}", "1".repeat(300)),
            format!("{{\"x\":0.{}}}", "1".repeat(many)),
            // Between two doubles, where the last digit decides.
            format!("{{\"a\":[{}1]}}", "17000000000000002382e289,".repeat(many)),
            format!("{{\"x\":[{}1]}}", "17000000000000002382e289,".repeat(many)),
            format!("{}{{}}{}", " ".repeat(many), "\n".repeat(many)),
        ] {
            read(&text);
        }
        let members = |value: &str| {
            let members: Vec<_> = (0..many).map(|at| format!("\"{at}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        read(&members("{}"));
        read(&format!("{{\"a\":{}}}", members("[]")));
        read(&format!("{{\"x\":{}}}", members("{\"y\":1}")));
        refused(&format!("{{\"x\":[{}", "\"\",".repeat(many)));
    }

    #[test]
    fn the_largest_number_is_read_and_the_next_is_refused() {
        let largest = read(r#"{"a":1.7976931348623157e308}"#);
        assert!(matches!(
            largest,
            Some(Value::Number(Number::Fraction(f64::MAX)))
        ));
        refused(r#"{"a":1.797693134862316e308}"#);
        refused(&format!("{{\"a\":{}}}", "9".repeat(309)));
    }

    #[test]
    fn an_object_that_looks_like_a_number_inside_serde_json_is_an_object() {
        let text = format!("{{\"a\":{{\"{NUMBER}\":\"5\"}}}}");
        assert!(matches!(read(&text), Some(Value::Object(_))));
    }
}
