//! The reader against serde_json: what one accepts the other accepts, and they see the same.
//!
//! They are to differ in three things only. Repeated names, depth and refused names are not
//! serde_json's business, and are added to it here. A whole number between `i64::MAX` and
//! `u64::MAX` is an integer there and a fraction here. And as long as nobody turns its
//! `float_roundtrip` on, serde_json may miss the nearest `f64` of a fraction by a little, and so the
//! largest one of all.

use std::{collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Flaw, Item, Number, Slots, Value, read_object};

/// A value as serde_json reads it.
enum Tree {
    Null,
    Bool(bool),
    Integer(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Self>),
    /// In order, repeats and all.
    Object(Vec<(String, Self)>),
}

impl<'j> Deserialize<'j> for Tree {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;

        impl<'j> Visitor<'j> for TreeVisitor {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
                Ok(Tree::Integer(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
                #[expect(clippy::as_conversions, clippy::cast_precision_loss)]
                let fraction = || Tree::Fraction(number as f64);
                Ok(i64::try_from(number).map_or_else(|_| fraction(), Tree::Integer))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
                Ok(Tree::Fraction(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }
        }

        deserializer.deserialize_any(TreeVisitor)
    }
}

impl Tree {
    /// Whether no object has a name twice and nothing is too deep.
    fn is_fit(&self, depth: usize) -> bool {
        match self {
            Self::List(items) => depth < 32 && items.iter().all(|item| item.is_fit(depth + 1)),
            Self::Object(members) => {
                let mut names = HashSet::new();
                depth < 32
                    && members
                        .iter()
                        .all(|(name, value)| names.insert(name) && value.is_fit(depth + 1))
            }
            _ => true,
        }
    }
}

/// The members of an object as serde_json and the checks around it see it.
fn by_serde(text: &str) -> Option<Vec<(String, Tree)>> {
    let tree: Tree = serde_json::from_str(text).ok()?;
    let is_fit = tree.is_fit(0);
    match tree {
        Tree::Object(members) if is_fit => {
            let is_refused = |(name, _): &(String, Tree)| Seen::is_refused(name);
            (!members.iter().any(is_refused)).then_some(members)
        }
        _ => None,
    }
}

#[derive(Debug, Default)]
struct Seen<'j> {
    a: Option<Value<'j>>,
    bc: Option<Value<'j>>,
}

impl<'j> Slots<'j> for Seen<'j> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>> {
        match name {
            "a" => Some(&mut self.a),
            "bc" => Some(&mut self.bc),
            _ => None,
        }
    }

    fn is_refused(name: &str) -> bool {
        name == "A"
    }
}

fn by_us(text: &str) -> Result<Seen<'_>, Flaw> {
    let mut seen = Seen::default();
    read_object(text, &mut seen).map(|()| seen)
}

/// Whether both accept the text. Fails if they see different things in it.
#[track_caller]
fn compare(text: &str) -> bool {
    match (by_us(text), by_serde(text)) {
        (Ok(seen), Some(members)) => {
            for (name, slot) in [("a", &seen.a), ("bc", &seen.bc)] {
                let member = members.iter().find(|(other, _)| other == name);
                let is_same = match (slot, member) {
                    (None, None) => true,
                    (Some(value), Some((_, tree))) => is_same(value, tree),
                    _ => false,
                };
                assert!(is_same, "{name} in {text:?}: {slot:?}");
            }
            true
        }
        (Err(_), None) => false,
        (Ok(_), None) => panic!("only we accept {text:?}"),
        (Err(_), Some(_)) => panic!("only serde_json accepts {text:?}"),
    }
}

fn is_same(value: &Value<'_>, tree: &Tree) -> bool {
    match (value, tree) {
        (Value::Null, Tree::Null) => true,
        (Value::Bool(read), Tree::Bool(expected)) => read == expected,
        (Value::Number(Number::Integer(ours)), Tree::Integer(theirs)) => ours == theirs,
        (Value::Number(Number::Fraction(ours)), Tree::Fraction(theirs)) => {
            let tolerance = f64::max(theirs.abs() * 1e-14, f64::MIN_POSITIVE);
            ours.is_sign_negative() == theirs.is_sign_negative()
                && (ours - theirs).abs() <= tolerance
        }
        (Value::Text(ours), Tree::Text(theirs)) => ours == theirs,
        (Value::List(ours), Tree::List(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(item, tree)| match item {
                    Item::Text(ours) => matches!(tree, Tree::Text(theirs) if ours == theirs),
                    Item::Integer(ours) => matches!(tree, Tree::Integer(theirs) if ours == theirs),
                    Item::Other => !matches!(tree, Tree::Text(_) | Tree::Integer(_)),
                })
        }
        (Value::Object(ours), Tree::Object(theirs)) => {
            ours.iter().eq(theirs.iter().map(|(name, _)| name))
        }
        _ => false,
    }
}

#[test]
fn both_readers_agree_on_every_piece_in_every_place() {
    let mut accepted = 0;
    for around in AROUND {
        for piece in [NUMBERS, STRINGS, LITERALS, NESTED].concat() {
            accepted += usize::from(compare(&around.replace('_', piece)));
        }
    }
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn both_readers_agree_on_what_is_deep() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"x\":[", "]}]")] {
        for depth in 0..40 {
            for around in ["{\"a\":_}", "{\"x\":_}", "{\"a\":[_]}", "{\"a\":{\"x\":_}}"] {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                compare(&around.replace('_', &deep));
                compare(&around.replace('_', &open.repeat(depth)));
            }
        }
    }
}

#[test]
fn both_readers_agree_on_texts_made_by_chance() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..TEXTS {
        let text = random.text();
        accepted += usize::from(compare(&text));
        for _ in 0..3 {
            compare(&random.damaged(&text));
        }
    }
    // Neither all nor none, or the test says nothing.
    assert!(
        (TEXTS / 10..TEXTS * 9 / 10).contains(&accepted),
        "{accepted}"
    );
}

/// Xorshift: the same texts on every machine and in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let half = usize::try_from(self.0 >> 33).expect("31 bits");
        half % limit
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'p>(&mut self, pieces: &[&'p str]) -> &'p str {
        pieces[self.below(pieces.len())]
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        self.object(&mut text, 1);
        text
    }

    fn space(&mut self, text: &mut String) {
        if self.one_in(10) {
            text.push_str(self.pick(&[" ", "\n", "\r\n", "\t", "  "]));
        }
    }

    fn object(&mut self, text: &mut String, depth: usize) {
        self.space(text);
        text.push('{');
        for at in 0..self.below(6) {
            if at > 0 {
                text.push(',');
            }
            self.space(text);
            self.name(text);
            self.space(text);
            text.push(':');
            self.value(text, depth);
        }
        text.push('}');
        self.space(text);
    }

    fn name(&mut self, text: &mut String) {
        match self.below(12) {
            0..4 => text.push_str(self.pick(&["\"a\"", "\"bc\"", "\"\\u0061\"", "\"b\\u0063\""])),
            // Few of the others are the same.
            4..11 => text.push_str(&format!("\"n{}\"", self.below(1_000))),
            _ => self.string(text),
        }
    }

    fn value(&mut self, text: &mut String, depth: usize) {
        self.space(text);
        match self.below(12) {
            0..3 => self.string(text),
            3..6 => self.number(text),
            6 => text.push_str(self.pick(&["null", "true", "false"])),
            7 if depth < 6 => self.object(text, depth + 1),
            8..10 if depth < 6 => {
                text.push('[');
                for at in 0..self.below(5) {
                    if at > 0 {
                        text.push(',');
                    }
                    self.value(text, depth + 1);
                }
                text.push(']');
            }
            // Good ones are at the beginning of each list.
            10 => text.push_str(self.pick(NUMBERS)),
            _ => text.push_str(self.pick(&["\"\"", "1", "{}", "[]"])),
        }
        self.space(text);
    }

    fn string(&mut self, text: &mut String) {
        text.push('"');
        for _ in 0..self.below(8) {
            match self.below(16) {
                0..10 => text.push_str(self.pick(&["a", "bc", "def", "12345678", "(space) ", "/"])),
                10..13 => text.push_str(self.pick(&["é", "語", "😀", "\u{7f}", "\u{80}"])),
                13 => text.push_str(self.pick(&["\\n", "\\\"", "\\\\", "\\/", "\\u00e9"])),
                14 => text.push_str(self.pick(&["\\ud83d\\ude00", "\\uFFFF", "\\u0000"])),
                _ if self.one_in(4) => text.push_str(self.pick(&["\\ud83d", "\\x", "\t", "\0"])),
                _ => {}
            }
        }
        text.push('"');
    }

    fn number(&mut self, text: &mut String) {
        if self.one_in(4) {
            text.push('-');
        }
        for _ in 0..=self.below(22) {
            text.push(char::from(b"1234567890"[self.below(10)]));
        }
        if self.one_in(4) {
            text.push_str(&format!(".{}", self.below(100_000)));
        }
        if self.one_in(6) {
            let sign = self.pick(&["", "+", "-"]);
            text.push_str(&format!("e{sign}{}", self.below(280)));
        }
    }

    /// The same with a piece lost, added, changed, or said twice.
    fn damaged(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(2) {
            let at = self.below(chars.len() + 1);
            let end = (at + 1 + self.below(3)).min(chars.len());
            let with = match self.below(4) {
                0 => Vec::new(),
                1 => chars[at.min(end)..end].repeat(2),
                2 => self
                    .pick(&[
                        "\"", "\\", "{", "}", "[", "]", ",", ":", "0", " ", "\n", "e",
                    ])
                    .chars()
                    .collect(),
                _ => {
                    let pieces = [NUMBERS, STRINGS, LITERALS, NESTED][self.below(4)];
                    self.pick(pieces).chars().collect()
                }
            };
            chars.splice(at.min(end)..end, with);
        }
        chars.into_iter().collect()
    }
}

const TEXTS: usize = 20_000;

/// Numbers, and what looks like one.
#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "0", "-0", "1", "-1", "10", "01", "-01", "00", "+1", "-", "--1", "1-", "1.", ".1", "1.0", "1.5",
    "-1.5", "0.0", "-0.0", "1e1", "1E1", "1e+1", "1e-1", "1e", "1e+", "1e1.0", "1.e1", "1.0e1",
    "0e0", "0e400", "0e99999999999", "1e400", "-1e400", "1e-400", "1e99999999999", "1e-99999999999",
    "1e308", "1e309", "1.8e308", "5e-324", "1e-324", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "100000000000000000000", "1_000", "0x10", "1f", "NaN", "Infinity", "-Infinity", "nan", "1 2",
    "１", "1\u{a0}", "253402300799.9", "1795365474", "0.1e1",
    "12345678901234567890.12345678901234567890", "1e0000000000000000000001", "-e1",
];

/// Strings, and what looks like one.
#[rustfmt::skip]
const STRINGS: &[&str] = &[
    r#""""#, r#""a""#, r#""ab\"c""#, r#""\\""#, r#""\/""#, r#""\b\f\n\r\t""#, r#""\a""#, r#""\'""#,
    r#""\u0061""#, r#""\u00e9""#, r#""\u00E9""#, r#""\u0000""#, r#""\u00""#, r#""\u00g0""#,
    r#""\u+061""#, r#""\u 061""#, r#""\U0061""#, r#""\ud83d\ude00""#, r#""\uD83D\uDE00""#,
    r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\ud83d""#, r#""\ud83dx""#, r#""\ud83d\n""#,
    r#""\ud83d\u0061""#, r#""\ude00\ud83d""#, r#""\ud83d\ude0""#, r#""\uffff""#, r#""\ufeff""#,
    r#""\"#, r#""\""#, r#"""#, r#""a"#, r#"'a'"#, "a", "\"\t\"", "\"\n\"", "\"\0\"", "\"\u{1f}\"",
    "\"\u{7f}\"", "\"\u{80}\"", "\"é\"", "\"日本語\"", "\"😀\"", "\"\u{2028}\"", "\"\u{feff}\"",
    "\"1234567\"", "\"12345678\"", "\"123456789\"", "\"1234567é\"", "\"123456é\"", "\"12345é78\"",
    "\"1234567\\n\"", "\"12345678\\n\"", "\"1234567\t\"", "\"12345678\t\"",
    "\"123456789012345 !#\"", "\"[]{}:,\"", "\"// no comment\"", r#""x\\\"y""#, r#""\\\\""#,
    r#""\\\""#,
];

#[rustfmt::skip]
const LITERALS: &[&str] = &[
    "null", "true", "false", "Null", "TRUE", "nul", "nulll", "tru", "truefalse", "fals",
    "undefined", "t", "f", "n",
];

/// Objects and lists, whole and broken.
#[rustfmt::skip]
const NESTED: &[&str] = &[
    "{}", "[]", "[ ]", "{ }", "[1]", "[1,2]", "[1,]", "[,1]", "[,]", "[1 2]", "[1", "1]", "[1}",
    "{1]", "[[]]", "[[],[]]", "[{}]", "{\"x\":{}}", "{\"x\":1,}", "{,}", "{\"x\"}", "{\"x\":}",
    "{\"x\",1}", "{x:1}", "{1:1}", "{\"x\"=1}", "{\"x\":1;}", "{\"x\":1 \"y\":2}",
    "{\"x\":1,\"x\":2}", "{\"x\":1,\"\\u0078\":2}", "{\"x\":1,\"y\":2}", "{\"A\":1}", "{\"\":1}",
    "{null:1}", "{\"x\"::1}", "[\"b\",1,-1,1.5,-0,null,true,{\"x\":1},[1]]", "[\"b\",\"c\"]",
    "[/* no */]", "[1e400]", "{\"x\":{\"x\":{\"x\":1}}}", "[{\"x\":1},{\"x\":1}]",
    "[{\"x\":1,\"x\":1}]", "{\"a\":1,\"bc\":2}", "{\"$serde_json::private::Number\":\"5\"}",
    "{\"$serde_json::private::RawValue\":\"5\"}",
];

/// What stands around the pieces: an object with a hole for a value, and things that are none.
#[rustfmt::skip]
const AROUND: &[&str] = &[
    "{\"a\":_}", "{\"bc\":_}", "{\"x\":_}", " { \"a\" : _ } ", "\n{\t\"a\"\r:\n_\t}\r",
    "{\"x\":[_]}", "{\"a\":[_]}", "{\"a\":[1,_]}", "{\"a\":{\"x\":_}}", "{\"x\":{\"y\":_}}",
    "{\"a\":1,\"bc\":_}", "{\"a\":_,\"a\":1}", "{\"x\":_,\"x\":1}", "{\"a\":_,\"\\u0061\":1}",
    "{\"A\":_}", "{\"x\":{\"A\":_}}", "{\"a\":_}}", "{\"a\":_}{", "{\"a\":_},", "{\"a\":_} x",
    "{\"a\":_}\0", "{\"a\":_", "_", "[_]", "\u{feff}{\"a\":_}", "\u{a0}{\"a\":_}", "{\"a\":\u{b}_}",
    "{\"a\":\u{c}_}", "{\"a\":_\u{a0}}", "{_:1}", "{\"x\":1,_:1}", "{\"a\":{_:1}}",
    "{\"x\":{\"y\":1,_:1}}", "{\"a\":_,}", "{,\"a\":_}",
];
