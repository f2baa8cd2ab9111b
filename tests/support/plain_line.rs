//! A line of the log, as a reader of plain lines finds it. The tests of the way out read with it too.

/// The names and values of a plain line, as a reader finds them that splits it at spaces outside of
/// quotes.
pub(crate) fn fields(line: &str) -> Vec<(&str, &str)> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let words = line.split(|char| {
        let was_escaped = std::mem::replace(&mut is_escaped, is_quoted && char == '\\');
        if was_escaped {
            is_escaped = false;
            return false;
        }
        is_quoted ^= char == '"';
        char == ' ' && !is_quoted
    });
    words.filter_map(|word| word.split_once('=')).collect()
}

#[test]
fn a_plain_line_is_read_with_its_quotes() {
    assert_eq!(
        fields(r#"a: b c=1 d="x y=\"2\" z\\" e="" f=g"#),
        [
            ("c", "1"),
            ("d", r#""x y=\"2\" z\\""#),
            ("e", "\"\""),
            ("f", "g")
        ]
    );
}
