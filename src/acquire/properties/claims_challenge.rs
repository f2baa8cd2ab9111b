//! The claims challenge of an API: the header, the claims in it, and what a client sends for them.

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};

use super::{
    answers::{Case, Kind},
    base64,
};
use crate::{
    acquire::{challenge::claims_asked_for, claims::Claims},
    admit::token::properties::Tree,
};

/// One header a line.
pub(crate) fn claims_challenge(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    for line in &lines {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.append(WWW_AUTHENTICATE, value);
    }
    let read = claims_asked_for(&headers);
    let Some(json) = expected(&lines) else {
        assert_eq!(read, None);
        return;
    };
    let read = read.expect("the claims of one challenge");
    let tree = Tree::of_object(&json).expect("an object");
    assert_eq!(Tree::of_object(&read).as_ref(), Some(&tree), "{json}");
    let claims = Claims::parse(&read).expect("claims");
    assert_eq!(claims.to_json(), *read, "its own text is read as it is");
    is_merged(claims, &tree);
    is_handed_on(&read);
}

/// What is asked for is asked for still when the client's capability is with it.
fn is_merged(claims: Claims, tree: &Tree) {
    let merged = claims.merged_with(Claims::of_capabilities()).to_json();
    let merged = Tree::of_object(&merged).expect("an object of the same depth");
    let values = |tree: &Tree| match tree.get("access_token")?.get("xms_cc")?.get("values")? {
        Tree::List(values) => Some(values.clone()),
        _ => None,
    };
    let capability = Tree::Text("cp1".to_owned());
    let mut all = values(tree).unwrap_or_default();
    if !all.contains(&capability) {
        all.push(capability);
    }
    assert_eq!(values(&merged), Some(all));
    for (name, value) in tree.members() {
        if name != "access_token" {
            assert_eq!(merged.get(name), Some(value), "{name}");
            continue;
        }
        for (name, value) in value.members() {
            let of_merged = merged.get("access_token").and_then(|token| token.get(name));
            assert!(name == "xms_cc" || of_merged == Some(value), "{name}");
        }
    }
}

/// A caller whose client can answer reads out of the door's challenge what Entra has asked for.
fn is_handed_on(claims: &str) {
    let body = serde_json::json!({"error": "interaction_required", "claims": claims}).to_string();
    let case = Case {
        kind: Kind::OnBehalfOf(true),
        status: 400,
        retry_after: None,
        is_encoded: false,
        credential: "secret",
        withheld: &[],
        body: body.as_bytes(),
    };
    let error = case.read().expect_err("an error");
    let response = error.denial().response::<String>();
    let read = claims_asked_for(response.headers());
    assert_eq!(read.as_deref(), Some(claims));
}

/// The JSON text of the only claims challenge.
fn expected(lines: &[&[u8]]) -> Option<String> {
    let length: usize = lines.iter().map(|line| line.len()).sum();
    if length > 32 * 1024 {
        return None;
    }
    let challenges = lines.iter().filter_map(|line| challenges(line)).flatten();
    let mut found = challenges.filter_map(|challenge| challenge.claims());
    let claims = found.next().filter(|_| found.next().is_none())?;
    let padding = claims
        .iter()
        .rev()
        .take_while(|byte| **byte == b'=')
        .count();
    let text = &claims[..claims.len() - padding];
    if padding > (4 - text.len() % 4) % 4 {
        return None;
    }
    let is_of_urls = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let (plus, slash): (&[u8], &[u8]) = match is_of_urls {
        true => (b"-", b"_"),
        false => (b"+", b"/"),
    };
    let json = base64(text, plus, slash).filter(|json| json.is_canonical)?;
    let json = String::from_utf8(json.bytes).ok()?;
    let tree = Tree::of_object(&json).filter(|_| json.len() <= 8 * 1024)?;
    (!tree.members().is_empty()).then_some(json)
}

struct Challenge {
    scheme: Vec<u8>,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    is_open: bool,
}

impl Challenge {
    fn claims(self) -> Option<Vec<u8>> {
        let all = |name: &[u8]| {
            let named = self.parameters.iter().filter(move |(own, _)| own == name);
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let is_once = self.parameters.iter().all(|(name, _)| all(name).len() == 1);
        let asks = all(b"error") == [b"insufficient_claims".to_vec()];
        let is_bearer = self.scheme.eq_ignore_ascii_case(b"bearer");
        (is_once && asks && is_bearer).then(|| all(b"claims").pop())?
    }
}

/// The challenges of a header, whose elements are looked at one by one.
fn challenges(line: &[u8]) -> Option<Vec<Challenge>> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for element in elements(line)? {
        let element = trimmed(element);
        if element.is_empty() {
            continue;
        }
        if let Some(parameter) = parameter(element) {
            let last = challenges.last_mut().filter(|last| last.is_open)?;
            last.parameters.push(parameter);
            continue;
        }
        let end = element.iter().position(|byte| b" \t".contains(byte));
        let (scheme, rest) = element.split_at(end.unwrap_or(element.len()));
        if !is_token(scheme) {
            return None;
        }
        let rest = trimmed(rest);
        let parameter = match rest.is_empty() || is_token68(rest) {
            true => None,
            false => Some(parameter(rest)?),
        };
        challenges.push(Challenge {
            scheme: scheme.to_owned(),
            is_open: parameter.is_some(),
            parameters: parameter.into_iter().collect(),
        });
    }
    Some(challenges)
}

/// Split at the commas that are in no quoted string. `None` if one has no end.
fn elements(line: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut found, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                found.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&line[start..]);
    (!is_quoted).then_some(found)
}

/// `token BWS "=" BWS ( token / quoted-string )`
fn parameter(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (trimmed(&text[..at]), trimmed(&text[at + 1..]));
    if !is_token(name) {
        return None;
    }
    let value = match value.strip_prefix(b"\"") {
        None => is_token(value).then(|| value.to_owned())?,
        Some(quoted) => {
            let inner = quoted.strip_suffix(b"\"")?;
            let (mut plain, mut is_escaped) = (Vec::new(), false);
            for byte in inner {
                match byte {
                    b'\\' if !is_escaped => is_escaped = true,
                    b'"' if !is_escaped => return None,
                    _ => {
                        plain.push(*byte);
                        is_escaped = false;
                    }
                }
            }
            (!is_escaped).then_some(plain)?
        }
    };
    Some((name.to_ascii_lowercase(), value))
}

fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| b" \t".contains(byte);
    let start = text
        .iter()
        .position(|byte| !is_space(byte))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(start, |at| at + 1);
    &text[start..end]
}

/// RFC 9110, section 5.6.2: visible ASCII without delimiters.
fn is_token(text: &[u8]) -> bool {
    let is_delimiter = |byte: &u8| b"\"(),/:;<=>?@[\\]{}".contains(byte);
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !is_delimiter(byte))
}

/// RFC 9110, section 11.2.
fn is_token68(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = &text[..text.len() - padding];
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    !text.is_empty() && text.iter().all(is_letter)
}
