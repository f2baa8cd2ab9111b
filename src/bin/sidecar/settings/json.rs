//! A configuration file: JSON with comments and trailing commas, as .NET's `JsonConfigurationFileParser` reads it.

use std::collections::HashSet;

use jsonc_parser::{
    CollectOptions, CommentCollectionStrategy, ParseOptions,
    ast::{Object, Value},
    common::{Range, Ranged as _},
    parse_to_ast,
};

use super::{
    shown::plain,
    tree::{SEPARATOR, fold},
};

/// The values of a file by their paths, in order: the element of an array by its number, a number and a boolean
/// as text. `null`, an empty object and an empty array in an array are None, another empty array is an empty text.
///
/// # Errors
///
/// Says what is wrong with the text, with the line and the column, and never shows a value.
pub(super) fn values(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = parse_to_ast(text, &COLLECT, &PARSE).map_err(|error| {
        let (line, column) = (error.line_display(), error.column_display());
        let what = error.kind().to_string().to_lowercase();
        format!("line {line}, column {column}: {what}")
    })?;
    let Some(Value::Object(object)) = parsed.value else {
        return Err("it is not an object".to_owned());
    };
    let mut reading = Reading {
        text,
        values: Vec::new(),
        seen: HashSet::new(),
    };
    reading.object(&object, "", 1)?;
    Ok(reading.values)
}

struct Reading<'t> {
    text: &'t str,
    values: Vec<(String, Option<String>)>,
    seen: HashSet<String>,
}

impl Reading<'_> {
    fn object(&mut self, object: &Object<'_>, path: &str, depth: usize) -> Result<(), String> {
        if object.properties.is_empty() && !path.is_empty() {
            // .NET does not mind if it appears twice.
            self.seen.insert(fold(path));
            self.values.push((path.to_owned(), None));
        }
        for property in &object.properties {
            self.check_string(property.name.range())?;
            self.value(&property.value, &join(path, property.name.as_str()), depth)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value<'_>, path: &str, depth: usize) -> Result<(), String> {
        if depth >= MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        if path.len() > MAX_PATH {
            return Err(format!("it has a key of more than {MAX_PATH} bytes"));
        }
        if self.values.len() >= MAX_VALUES {
            return Err(format!("it has more than {MAX_VALUES} values"));
        }
        let text = match value {
            Value::Object(object) => return self.object(object, path, depth + 1),
            Value::Array(array) if !array.elements.is_empty() => {
                for (at, element) in array.elements.iter().enumerate() {
                    self.value(element, &join(path, &at.to_string()), depth + 1)?;
                }
                return Ok(());
            }
            // .NET makes a blank text of it, which a list of texts may have.
            Value::Array(_) if is_numbered(path) => None,
            Value::Array(_) => Some(String::new()),
            Value::StringLit(text) => {
                self.check_string(text.range)?;
                Some(text.value.clone().into_owned())
            }
            Value::NumberLit(number) => Some(number.value.to_owned()),
            Value::BooleanLit(flag) => Some(if flag.value { "True" } else { "False" }.to_owned()),
            Value::NullKeyword(_) => None,
        };
        if !self.seen.insert(fold(path)) {
            let path = plain(path);
            return Err(format!(
                "the key {path} appears twice; letter case makes no difference"
            ));
        }
        self.values.push((path.to_owned(), text));
        Ok(())
    }

    /// The parser takes a string that goes on over the end of its line. .NET takes no control character in one
    /// that is not escaped.
    fn check_string(&self, range: Range) -> Result<(), String> {
        match self.slice(range.start, range.end).find(|c: char| c < ' ') {
            Some(at) => Err(self.wrong_at(range.start + at, "a control character in a string")),
            None => Ok(()),
        }
    }

    fn slice(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn wrong_at(&self, at: usize, what: &str) -> String {
        let before = self.slice(0, at);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("line {line}, column {column}: {what}")
    }
}

fn is_numbered(path: &str) -> bool {
    let name = path.rsplit(SEPARATOR).next().unwrap_or_default();
    name.bytes().all(|byte| byte.is_ascii_digit())
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        above => format!("{above}{SEPARATOR}{name}"),
    }
}

/// The default of .NET's `JsonDocumentOptions`.
const MAX_DEPTH: usize = 64;

/// In bytes. Without a limit, a long name above many others would take memory for each of them.
const MAX_PATH: usize = 1_024;

const MAX_VALUES: usize = 10_000;

const COLLECT: CollectOptions = CollectOptions {
    comments: CommentCollectionStrategy::Off,
    tokens: false,
};

const PARSE: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        values(text).expect(text)
    }

    #[test]
    fn values_are_texts_by_paths() {
        let text = r#"{
            // A comment.
            "A": { "B": "x", "c": [1, true, { "D": false }, "\u0041",], /* another */ },
            "E:F": -1.50e3,
            "n": null, "o": {}, "p": [], "q": [[]],
        }"#;
        let expected = [
            ("A:B", Some("x")),
            ("A:c:0", Some("1")),
            ("A:c:1", Some("True")),
            ("A:c:2:D", Some("False")),
            ("A:c:3", Some("A")),
            ("E:F", Some("-1.50e3")),
            ("n", None),
            ("o", None),
            ("p", Some("")),
            ("q:0", None),
        ];
        let expected: Vec<_> = expected
            .map(|(path, value)| (path.to_owned(), value.map(str::to_owned)))
            .into();
        assert_eq!(read(text), expected);
        assert_eq!(read(&format!("\u{feff}{text}")), expected);
        assert_eq!(read("{}"), []);
    }

    #[test]
    fn sections_that_appear_twice_are_one_as_in_dotnet() {
        assert_eq!(read(r#"{"A": {"x": 1}, "a": {"y": 2}}"#).len(), 2);
    }

    #[test]
    fn a_file_that_dotnet_refuses_is_refused() {
        for (text, problem) in [
            ("", "it is not an object"),
            ("// only a comment", "it is not an object"),
            ("[]", "it is not an object"),
            ("\"secret-1\"", "it is not an object"),
            ("{", "line 1, column 1: "),
            ("{\"A\": secret-1}", "line 1, column 7: "),
            ("{\n  \"A\" \"secret-1\"}", "line 2, column "),
            (
                "{\n  \"A\": \"a\tb\"}",
                "line 2, column 10: a control character",
            ),
            ("{\"A\": \"secret-1}", "line 1, column 7: "),
            ("{\"A\": 'secret-1'}", "line 1, column 7: "),
            ("{A: 1}", "line 1, column 2: "),
            ("{\"A\": 1 \"B\": 2}", "line 1, column "),
            ("{\"A\": 0x1}", "line 1, column "),
            ("{\"A\": +1}", "line 1, column "),
            ("{\"A\": .5}", "line 1, column "),
            ("{\"A\": NaN}", "line 1, column "),
            ("{\"A\": \"\\x41\"}", "line 1, column "),
            ("{\"A\": /* secret-1", "line 1, column "),
            ("{} {}", "line 1, column 4: "),
            ("{\"A\":1,,}", "line 1, column "),
            (
                "{\"A\": \"secret-1\n\"}",
                "line 1, column 16: a control character",
            ),
            (
                "{\"A\": \"\u{0}\"}",
                "line 1, column 8: a control character",
            ),
            ("{\"\t\": 1}", "line 1, column 3: a control character"),
            (
                "{\"A\": \"secret-1\", \"a\": \"secret-2\"}",
                "the key a appears twice",
            ),
            (
                "{\"A\": {\"b\": 1}, \"a\": {\"B\": 2}}",
                "the key a:B appears twice",
            ),
            (
                "{\"A\": {\"b\": 1}, \"a:b\": 2}",
                "the key a:b appears twice",
            ),
            ("{\"A\": [1], \"A\": [2]}", "the key A:0 appears twice"),
            ("{\"A\": {}, \"a\": 1}", "the key a appears twice"),
        ] {
            let error = values(text).expect_err(text);
            assert!(error.starts_with(problem), "{text}: {error}");
            assert!(!error.contains("secret-"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_too_long_or_too_much_is_refused() {
        let nested = |depth: usize| {
            let (open, close) = ("{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
            format!("{open}{{}}{close}")
        };
        assert!(values(&nested(MAX_DEPTH)).is_ok());
        assert!(values(&nested(MAX_DEPTH + 1)).is_err());
        let long = |length: usize| format!("{{\"{}\": 1}}", "a".repeat(length));
        let many = |number: usize| format!("{{\"a\": [{}]}}", "1,".repeat(number));
        assert!(values(&long(MAX_PATH)).is_ok());
        assert!(values(&long(MAX_PATH + 1)).is_err());
        assert!(values(&many(MAX_VALUES)).is_ok());
        assert!(values(&many(MAX_VALUES + 1)).is_err());
        for deep in [
            nested(100_000),
            "[".repeat(1_000_000),
            "{\"a\":[".repeat(100_000),
        ] {
            assert!(values(&deep).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "(\\{|\\}|\\[|\\]|\"|,|:|/|\\*|\\\\|u|0|-|\\.|e|t|true|null|'|\n|é|\u{1f600}|\u{feff}| ){0,40}",
        ) {
            let _ = values(&text);
            let _ = values(&format!("{{\"a\":{text}"));
        }
    }
}
