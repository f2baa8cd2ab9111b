use base64::engine::general_purpose as b64;
use http::HeaderValue;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::acquire::claims::MAX_CLAIMS;

const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}"#;
const ENCODED: &str =
    "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAyNjgyMTgxIn19fQ==";

fn headers<V: AsRef<[u8]>>(fields: impl IntoIterator<Item = V>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in fields {
        let field = HeaderValue::from_bytes(field.as_ref()).expect("a header value");
        headers.append(WWW_AUTHENTICATE, field);
    }
    headers
}

fn asked(field: &str) -> Option<Arc<str>> {
    claims_asked_for(&headers([field]))
}

/// A challenge with these claims.
fn with(claims: &str) -> String {
    format!("Bearer realm=\"\", error=\"insufficient_claims\", claims=\"{claims}\"")
}

#[test]
fn the_challenges_of_microsoft_are_read() {
    let graph = format!(
        "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
         client_id=\"00000003-0000-0000-c000-000000000000\", errorDescription=\"Continuous access evaluation \
         resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp\", \
         error=\"insufficient_claims\", claims=\"{ENCODED}\""
    );
    let step_up = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
    assert_eq!(asked(&graph).as_deref(), Some(CLAIMS));
    assert_eq!(
        asked(&with(&b64::STANDARD.encode(step_up))).as_deref(),
        Some(step_up)
    );
}

#[test]
fn the_grammar_of_rfc_9110_is_read_in_all_its_forms() {
    let token = ENCODED.trim_end_matches('=');
    for field in [
        format!("bearer ERROR=insufficient_claims,Claims={token}"),
        format!("Bearer error = \"insufficient_claims\" ,\t claims\t=\"{ENCODED}\" , "),
        format!(", ,Bearer  error=\"insufficient\\_claims\", claims=\"\\{ENCODED}\","),
        format!(
            "Basic realm=\"a, Bearer error=\\\"x\\\"\", {}",
            with(ENCODED)
        ),
        format!("Negotiate, NTLM TlRMTVNTUAAC==, {}", with(ENCODED)),
        format!("Negotiate a-._~+/b=, {}", with(ENCODED)),
        format!("Negotiate a= \t, {}", with(ENCODED)),
        format!("{}, DPoP algs=\"ES256\"", with(ENCODED)),
        format!(
            "PoP error=\"insufficient_claims\", claims=\"x\", {}",
            with(ENCODED)
        ),
        format!("Bearer error=\"invalid_token\", {}", with(ENCODED)),
    ] {
        assert_eq!(asked(&field).as_deref(), Some(CLAIMS), "{field}");
    }
    let others = [b"Negotiate".to_vec(), b"Basic realm=\"\xe9\"".to_vec()];
    let all = headers(others.into_iter().chain([with(ENCODED).into_bytes()]));
    assert_eq!(claims_asked_for(&all).as_deref(), Some(CLAIMS));
}

#[test]
fn what_is_no_claims_challenge_asks_for_nothing() {
    let without = |part: &str| with(ENCODED).replace(part, "");
    for field in [
        without(" error=\"insufficient_claims\","),
        without(&format!(", claims=\"{ENCODED}\"")),
        with(ENCODED).replace("insufficient_claims", "invalid_token"),
        with(ENCODED).replace("insufficient_claims", "Insufficient_Claims"),
        with(ENCODED).replace("insufficient_claims", "insufficient_claims "),
        with(ENCODED).replace("Bearer", "PoP"),
        with(ENCODED).replace("Bearer", "Bearers"),
        // Its parameters are those of another challenge.
        format!("Bearer error=\"insufficient_claims\", Basic claims=\"{ENCODED}\""),
        format!("Basic error=\"insufficient_claims\", Bearer claims=\"{ENCODED}\""),
        String::new(),
    ] {
        assert_eq!(asked(&field), None, "{field}");
    }
    assert_eq!(claims_asked_for(&HeaderMap::new()), None);
}

#[test]
fn a_challenge_that_can_be_read_in_two_ways_asks_for_nothing() {
    let good = with(ENCODED);
    for field in [
        format!("{good}, claims=\"{ENCODED}\""),
        format!("{good}, CLAIMS=e30"),
        format!("{good}, error=\"invalid_token\""),
        format!("{good}, realm=\"\""),
        format!("{good}, {good}"),
    ] {
        assert_eq!(asked(&field), None, "{field}");
    }
    assert_eq!(claims_asked_for(&headers([&good, &good])), None);
}

#[test]
fn a_header_that_does_not_follow_the_grammar_asks_for_nothing() {
    let good = with(ENCODED);
    for field in [
        // No scheme, or nothing that a parameter can belong to.
        format!("error=\"insufficient_claims\", claims=\"{ENCODED}\""),
        format!("Bearer, error=\"insufficient_claims\", claims=\"{ENCODED}\""),
        format!("Bearer abc==, error=\"insufficient_claims\", claims=\"{ENCODED}\""),
        // Quotes that are missing, or that end too early.
        good[..good.len() - 1].to_owned(),
        format!("{}\\\"", &good[..good.len() - 1]),
        good.replace("claims=\"", "claims="),
        good.replace("realm=\"\"", "realm=\"\"\""),
        good.replace("realm=\"\"", "realm=\"a\"b"),
        // Commas, names and values.
        good.replace(", claims", " claims"),
        good.replace("realm=\"\"", "realm="),
        good.replace("realm=\"\"", "=\"\""),
        good.replace("realm", "re@lm"),
        good.replace("realm=\"\"", "realm==\"\""),
        good.replace("Bearer realm", "Bearer; realm"),
        good.replace("Bearer ", "Bearer:"),
        format!("{good}; x=y"),
        format!("{good}, =x"),
        format!("{good}, x="),
        // A scheme that no space ends.
        format!("Basic/x, {good}"),
    ] {
        assert_eq!(asked(&field), None, "{field}");
    }
    // Of another field, which follows the grammar, the challenge is read.
    let both = headers(["Bearer; broken".to_owned(), good]);
    assert_eq!(claims_asked_for(&both).as_deref(), Some(CLAIMS));
}

#[test]
fn claims_are_base64_of_either_alphabet() {
    // Its base64 has both characters in which the alphabets differ.
    let claims = r#"{"a":">>>???~~~ÿÿÿ>?"}"#;
    let standard = b64::STANDARD.encode(claims);
    let url_safe = b64::URL_SAFE.encode(claims);
    assert!(standard.contains('+') && standard.contains('/') && standard.contains('='));
    for encoded in [
        standard.as_str(),
        standard.trim_end_matches('='),
        &url_safe,
        url_safe.trim_end_matches('='),
    ] {
        assert_eq!(asked(&with(encoded)).as_deref(), Some(claims), "{encoded}");
    }
    for encoded in [
        standard.replace('+', "-"),
        standard.replace('/', "_"),
        format!("{}===", standard.trim_end_matches('=')),
        format!("{standard}="),
        format!(" {standard}"),
        format!("{standard} "),
        standard.replacen('e', "e ", 1),
        standard.replacen('e', "%65", 1),
        standard.replacen('e', "é", 1),
        standard[1..].to_owned(),
        // Bits behind the last byte that are not zero.
        "e31=".to_owned(),
        "=".to_owned(),
        String::new(),
    ] {
        assert_eq!(asked(&with(&encoded)), None, "{encoded}");
    }
}

#[test]
fn claims_are_one_json_object_that_asks_for_something() {
    for json in [
        "",
        "{}",
        " { } ",
        "null",
        "[]",
        "\"{}\"",
        "{\"a\":1",
        "{\"a\":1}x",
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"b":1,"\u0062":2}}"#,
        CLAIMS.trim_end_matches('}'),
        ENCODED,
    ] {
        assert_eq!(asked(&with(&b64::STANDARD.encode(json))), None, "{json}");
    }
    let latin_1 = b64::STANDARD.encode(b"{\"a\":\"\xe9\"}");
    assert_eq!(asked(&with(&latin_1)), None);
}

#[test]
fn claims_of_8_kib_are_read_and_longer_ones_are_not() {
    let of = |length: usize| format!("{{\"a\":\"{}\"}}", "b".repeat(length - 8));
    let longest = of(MAX_CLAIMS);
    assert_eq!(
        asked(&with(&b64::STANDARD.encode(&longest))).as_deref(),
        Some(&*longest)
    );
    let longer = b64::STANDARD.encode(of(MAX_CLAIMS + 1));
    assert_eq!(asked(&with(&longer)), None);
    let huge = b64::STANDARD.encode(of(1024 * 1024));
    assert_eq!(asked(&with(&huge)), None);
}

#[test]
fn challenges_of_more_than_32_kib_are_not_read() {
    let good = with(ENCODED);
    let rest = MAX_CHALLENGES - good.len();
    let filler = |length: usize| format!("x y=\"{}\"", "z".repeat(length - 6));
    let fits = headers([good.clone(), filler(rest)]);
    assert_eq!(claims_asked_for(&fits).as_deref(), Some(CLAIMS));
    let too_long = headers([good.clone(), filler(rest + 1)]);
    assert_eq!(claims_asked_for(&too_long), None);
    let many = headers([good].into_iter().chain((0..2_000).map(|_| filler(20))));
    assert_eq!(claims_asked_for(&many), None);
}

/// A challenge as it was made, and its text.
#[derive(Clone, Debug)]
struct Made {
    scheme: &'static str,
    parameters: Vec<(&'static str, String, bool)>,
}

impl Made {
    fn text(&self) -> String {
        let parameter = |(name, value, is_quoted): &(&str, String, bool)| match is_quoted {
            true => format!(
                "{name}=\"{}\"",
                value.replace('\\', "\\\\").replace('"', "\\\"")
            ),
            false => format!("{name} = {value}"),
        };
        let parameters: Vec<_> = self.parameters.iter().map(parameter).collect();
        format!("{} {}", self.scheme, parameters.join(" , "))
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self
            .parameters
            .iter()
            .filter(|(of, ..)| of.eq_ignore_ascii_case(name));
        of_name.map(|(_, value, _)| &**value).collect()
    }

    /// What the reader should find in it.
    fn claims(&self) -> Option<&str> {
        let is_sound = ["realm", "error", "claims", "x"]
            .iter()
            .all(|name| self.all(name).len() <= 1);
        let is_asked = self.scheme.eq_ignore_ascii_case("bearer")
            && self.all("error") == ["insufficient_claims"];
        match self.all("claims")[..] {
            [claims] if is_sound && is_asked => Some(claims),
            _ => None,
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    let name = select(vec!["realm", "error", "ERROR", "claims", "Claims", "x"]);
    let value = prop_oneof![
        3 => Just(("insufficient_claims".to_owned(), false)),
        3 => Just((ENCODED.to_owned(), true)),
        1 => Just(("e30".to_owned(), false)),
        1 => "[ -~]{0,12}".prop_map(|text| (text, true)),
    ];
    let parameter = (name, value, any::<bool>())
        .prop_map(|(name, (value, needs_quotes), quoted)| (name, value, needs_quotes || quoted));
    let scheme = select(vec!["Bearer", "bearer", "Basic", "PoP"]);
    (scheme, vec(parameter, 1..4)).prop_map(|(scheme, parameters)| Made { scheme, parameters })
}

proptest! {
    #[test]
    fn challenges_are_read_as_they_were_made(fields in vec(vec(made(), 1..3), 1..3)) {
        let texts = fields.iter().map(|field| {
            let texts: Vec<_> = field.iter().map(Made::text).collect();
            texts.join(", ")
        });
        let found: Vec<&str> = fields.iter().flatten().filter_map(Made::claims).collect();
        let expected = match found[..] {
            [claims] => (claims == ENCODED).then_some(CLAIMS),
            _ => None,
        };
        let asked = claims_asked_for(&headers(texts));
        prop_assert_eq!(asked.as_deref(), expected);
    }

    #[test]
    fn no_header_makes_the_reader_panic(
        fields in vec("(Bearer|Basic|,|;|=|\"|\\\\|error|claims|insufficient_claims|e30|[ \t]|é|[!-~]){0,24}", 0..3),
    ) {
        let _ = claims_asked_for(&headers(fields));
    }

    /// One byte in a good challenge makes no other claims of it.
    #[test]
    fn an_edited_challenge_has_the_same_claims_or_none_or_other_base64(at in 0_usize..140, byte in 0x20_u8..0x7f) {
        let mut field = with(ENCODED).into_bytes();
        let in_claims = with("").len() - 1;
        let at = at % field.len();
        field[at] = byte;
        let asked = claims_asked_for(&headers([field]));
        if at < in_claims {
            prop_assert!(asked.is_none_or(|claims| &*claims == CLAIMS));
        }
    }
}
