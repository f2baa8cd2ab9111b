//! Inputs for the checks: mostly right, with faults where readers usually fail.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::*;

/// JSON text of any value, in any spacing and spelling, with a few names that repeat.
fn value(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        number(),
        text(),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            list(inner.clone()),
            object_of(member(name(names), inner), 0..5),
        ]
    })
}

fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (vec(item, 0..5), space())
        .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!("{space},"))))
}

fn object_of(
    member: impl Strategy<Value = String>,
    size: std::ops::Range<usize>,
) -> impl Strategy<Value = String> {
    (vec(member, size), space()).prop_map(|(members, space)| {
        format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
    })
}

fn member(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (name, space(), value).prop_map(|(name, space, value)| format!("{name}{space}:{space}{value}"))
}

/// One of the names, quoted, sometimes with an escape.
fn name(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    (select(names), any::<Option<Index>>()).prop_map(|(name, escaped)| {
        let escape = |(at, letter): (usize, char)| {
            let is_escaped = escaped.is_some_and(|escaped| at == escaped.index(name.len() + 3));
            match letter {
                '\n' => "\\n".to_owned(),
                _ if is_escaped => format!("\\u{:04x}", u32::from(letter)),
                _ => letter.to_string(),
            }
        };
        let spelled: String = name.chars().enumerate().map(escape).collect();
        format!("\"{spelled}\"")
    })
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => "-?(0|[1-9][0-9]{0,25})([.][0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        2 => select(ODD_NUMBERS.as_slice()).prop_map(str::to_owned),
    ]
}

const ODD_NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "-0.0",
    "00",
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "1e400",
    "-1e400",
    "0e400",
    "1e-400",
    "0x10",
    "NaN",
    "Infinity",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1.7976931348623159e308",
];

fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,6}".prop_map(|plain| plain),
        2 => select(ESCAPES.as_slice()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

const ESCAPES: [&str; 20] = [
    "\\\"",
    "\\\\",
    "\\/",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0000",
    "\\u00e9",
    "\\uD83D\\uDE00",
    "\\ud800",
    "\\udc00",
    "\\ud800\\u0041",
    "\\ud800\\ud800",
    "\\u12",
    "\\x41",
    "\\",
    "\t",
    "é",
];

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 2 => Just(" "), 1 => select(["\n\t", "\r ", "\u{a0}", "//"].as_slice())]
}

/// The same text, or the text with a piece removed, inserted, or cut off.
fn bent(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (text, 0..8_u8, any::<Index>(), select(WEDGES.as_slice())).prop_map(
        |(mut text, way, at, wedge)| {
            let mut at = at.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match way {
                0 => text.truncate(at),
                1 => text.insert_str(at, wedge),
                2 if at < text.len() => drop(text.remove(at)),
                3 => text.push_str(wedge),
                _ => {}
            }
            text
        },
    )
}

const WEDGES: [&str; 16] = [
    "\"", "{", "}", "[", "]", ",", ":", "\\", " ", "0", "-", ".", "e", "{}", "\u{feff}", "\u{1f}",
];

/// Segments of the alphabet of base64url, and some of other characters.
fn segments() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => vec(any::<u8>(), 0..40).prop_map(|bytes| encode(&bytes)),
        2 => "[A-Za-z0-9_-]{0,12}",
        1 => "[A-Za-z0-9_+/=\n -]{0,9}",
        4 => object_of(member(name(&HEADERS), value(&HEADERS)), 0..4)
            .prop_map(|json| encode(json.as_bytes())),
        6 => Just(encode(br#"{"alg":"RS256","kid":"k","typ":"JWT"}"#)),
    ];
    prop_oneof![
        6 => vec(segment.clone(), 3),
        1 => vec(segment.clone(), 0..7),
        1 => (vec(segment, 3), 600..2_000_usize).prop_map(|(mut segments, length)| {
            segments[1] = "A".repeat(length);
            segments
        }),
    ]
    .prop_map(|segments| segments.join("."))
}

const NAMES: [&str; 8] = ["a", "b", "é\n", "A", "x", "", "y", "xx"];

const HEADERS: [&str; 12] = [
    "alg", "kid", "typ", "crit", "b64", "zip", "enc", "cty", "nonce", "x5t", "Alg", "jwk",
];

fn header_member() -> impl Strategy<Value = String> {
    let kid = (0..260_usize).prop_map(|length| format!("\"{}\"", "k".repeat(length)));
    let alg = select(
        [
            "\"RS256\"",
            "\"PS256\"",
            "\"ES256\"",
            "\"none\"",
            "\"rs256\"",
        ]
        .as_slice(),
    );
    let typ = select(
        [
            "\"JWT\"",
            "\"at+jwt\"",
            "\"application/AT+JWT\"",
            "\"JWS\"",
            "\"json\"",
            "[\"JWT\"]",
        ]
        .as_slice(),
    );
    prop_oneof![
        4 => alg.prop_map(|alg| format!("\"alg\":{alg}")),
        4 => kid.prop_map(|kid| format!("\"kid\":{kid}")),
        2 => (select(["typ", "cty"].as_slice()), typ)
            .prop_map(|(name, typ)| format!("\"{name}\":{typ}")),
        2 => member(name(&HEADERS), value(&HEADERS)),
    ]
}

const CLAIMS: [&str; 48] = [
    "iss",
    "aud",
    "tid",
    "ver",
    "exp",
    "nbf",
    "iat",
    "sub",
    "oid",
    "azp",
    "appid",
    "idtyp",
    "scp",
    "roles",
    "cnf",
    "nonce",
    "at_hash",
    "c_hash",
    "xms_act_fct",
    "xms_sub_fct",
    "xms_tnt_fct",
    "xms_idrel",
    "xms_par_app_azp",
    "azpacr",
    "appidacr",
    "acct",
    "idp",
    "uti",
    "acrs",
    "xms_cc",
    "groups",
    "_claim_names",
    "hasgroups",
    "name",
    "TID",
    "tıd",
    "roleſ",
    "iß",
    "ıẞ",
    "Aud",
    "CNF",
    "appId",
    "XMS_SUB_FCT",
    "subject",
    "is",
    "wids",
    "",
    "unknown",
];

fn claim() -> impl Strategy<Value = String> {
    let texts = prop_oneof![
        select(CLAIM_TEXTS.as_slice()).prop_map(|text| format!("\"{text}\"")),
        text(),
    ];
    let integer = (0..300_000_000_000_i64).prop_map(|integer| integer.to_string());
    let few = prop_oneof![texts.clone(), integer.clone(), number()];
    let value = prop_oneof![
        6 => texts.clone(),
        2 => integer,
        2 => list(texts),
        1 => list(few),
        1 => Just(r#"{"groups":"src1"}"#.to_owned()),
        3 => value(&CLAIMS),
    ];
    member(name(&CLAIMS), value)
}

const CLAIM_TEXTS: [&str; 18] = [
    "7090e106-1ad3-4313-9b7a-75cc3e576d40",
    "7090E106-1AD3-4313-9B7A-75CC3E576D40",
    "7090e106-1ad3-4313-9b7a-75cc3e576d4",
    "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
    "7090e1061ad343139b7a75cc3e576d40----",
    "1.0",
    "2.0",
    "app",
    "user",
    "Orders.Read",
    "",
    " ",
    "/",
    " / ",
    "11 13",
    "3 9 11",
    "13 x",
    "cp1",
];

/// Nested lists and objects, at the depth where the readers stop, and deeper than any stack.
fn deep() -> impl Strategy<Value = String> {
    let depth = prop_oneof![28..36_usize, 126..130_usize, Just(20_000_usize)];
    (depth, any::<bool>()).prop_map(|(depth, in_lists)| {
        let (open, close) = if in_lists {
            ("[", "]")
        } else {
            ("{\"y\":", "}")
        };
        format!("{{\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_object_is_read_as_another_reader_reads_it(
        text in bent(object_of(member(name(&NAMES), value(&NAMES)), 0..6)),
    ) {
        object(&text);
    }

    #[test]
    fn any_value_at_all_is_read_as_another_reader_reads_it(text in bent(value(&NAMES))) {
        object(&text);
    }

    #[test]
    fn a_header_is_admitted_exactly_if_the_contract_says_so(
        good in any::<bool>(),
        json in bent(object_of(header_member(), 0..6)),
    ) {
        let start = r#"{"alg":"RS256","kid":"k","#;
        let json = if good { json.replacen('{', start, 1) } else { json };
        header(json.as_bytes());
    }

    #[test]
    fn claims_are_what_another_reading_of_them_says(json in bent(object_of(claim(), 0..12))) {
        claims(json.as_bytes());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_and_not_taken_for_others(
        json in object_of(claim(), 0..6),
        at in any::<Index>(),
        byte in 0x80..=0xff_u8,
    ) {
        let mut bytes = json.into_bytes();
        bytes.insert(at.index(bytes.len() + 1), byte);
        header(&bytes);
        claims(&bytes);
    }

    #[test]
    fn a_token_has_one_spelling(token in segments()) {
        compact(&token);
    }

    #[test]
    fn what_is_no_token_is_refused_for_the_first_rule_that_it_breaks(token in bent(segments())) {
        compact(&token);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn depth_is_counted_as_another_reader_counts_it(text in deep()) {
        object(&text);
        header(text.as_bytes());
        claims(text.as_bytes());
    }
}
