//! Objects put together from pieces, good and bad, in every place: the reader and serde_json accept the
//! same ones and read the same in them.

use super::agree_on;

#[test]
fn both_readers_agree_on_every_piece_in_every_place() {
    let mut accepted = 0;
    for around in AROUND {
        for piece in [NUMBERS, STRINGS, LITERALS, NESTED].concat() {
            accepted += usize::from(agree_on(&around.replace('_', piece)));
        }
    }
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn both_readers_agree_at_every_depth() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"x\":[", "]}]")] {
        for depth in 0..40 {
            for around in ["{\"a\":_}", "{\"x\":_}", "{\"a\":[_]}", "{\"a\":{\"x\":_}}"] {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                agree_on(&around.replace('_', &deep));
                agree_on(&around.replace('_', &open.repeat(depth)));
            }
        }
    }
}

#[test]
fn both_readers_agree_on_random_texts() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..TEXTS {
        let text = random.text();
        accepted += usize::from(agree_on(&text));
        for _ in 0..3 {
            agree_on(&random.damaged(&text));
        }
    }
    // If all or none were accepted, the test would prove nothing.
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
            // Rarely the same name twice.
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

    /// The same text with a piece removed, added, changed, or repeated.
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

/// Numbers, and texts that resemble one.
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

/// Strings, and texts that resemble one.
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

/// The surroundings of a piece: objects, and texts that are none, with `_` in its place.
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
