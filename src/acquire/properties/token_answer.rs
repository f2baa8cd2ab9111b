//! The answer to a request for a token.

use super::{
    answers::{CLIENT, Case, Kind, SCOPES, TENANT, USER, is_in_order, shown},
    base64, first_line, replaced,
};
use crate::{acquire::kind::AcquireErrorKind, admit::token::properties::Tree};

/// What the second reading says.
#[derive(Debug, PartialEq)]
enum Expected {
    Granted(Token),
    /// It is none of the answers of OAuth.
    NoAnswer,
    /// It names an error.
    Refused,
    /// It is the token of another identity.
    Mismatch,
}

#[derive(Debug, PartialEq)]
struct Token {
    text: String,
    scopes: String,
    seconds: u64,
    refresh: Option<u64>,
}

/// The first byte says for whom the token is asked for, the rest of its line is the claims of a JWT, which
/// takes the place of each `%JWT%` in the body behind it.
pub(crate) fn token_answer(data: &[u8]) {
    let Some((selector, rest)) = data.split_first() else {
        return;
    };
    let (claims, body) = first_line(rest);
    let body = replaced(body, b"%JWT%", jwt(claims).as_bytes());
    let at = usize::from(selector % 16);
    let case = Case {
        kind: Kind::ALL[at % Kind::ALL.len()],
        status: 200,
        retry_after: None,
        is_encoded: selector % 64 == 63,
        credential: "secret",
        withheld: &[],
        body: &body,
    };
    let expected = expected(&case);
    match case.read() {
        Ok(granted) => {
            let refresh = granted.refresh_in.map(|time| time.as_secs());
            let shown = format!("{granted:?}");
            let token = Token {
                text: granted.access_token.expose().to_owned(),
                scopes: granted.scopes,
                seconds: granted.expires_in.as_secs(),
                refresh,
            };
            // Scopes are shown, so an authority that puts the token there has shown it itself.
            let is_shown = token.scopes.contains(&token.text);
            assert!(is_shown || is_hidden(&token.text, &shown), "{shown}");
            assert_eq!(Expected::Granted(token), expected, "{:?}", case.kind);
        }
        Err(error) => {
            is_in_order(&error);
            let kind = match error.kind() {
                AcquireErrorKind::IdentityMismatch => Expected::Mismatch,
                _ if error.refusal().is_some() => Expected::Refused,
                kind => {
                    assert_eq!(kind, AcquireErrorKind::Unavailable, "{error}");
                    Expected::NoAnswer
                }
            };
            assert_eq!(kind, expected, "{:?}: {error}", case.kind);
            if kind != Expected::Refused {
                for secret in secrets(&body) {
                    let shown = shown(&error);
                    assert!(is_hidden(&secret, &shown), "{shown}");
                }
            }
        }
    }
}

fn jwt(claims: &[u8]) -> String {
    use ::base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let claims = URL_SAFE_NO_PAD.encode(claims);
    format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2ln")
}

/// The members of the answer that are secret.
fn secrets(body: &[u8]) -> Vec<String> {
    let text = str::from_utf8(body).unwrap_or_default();
    let tree: Option<Tree> = serde_json::from_str(text).ok();
    let Some(tree) = tree else { return Vec::new() };
    let names = ["access_token", "refresh_token", "id_token", "client_info"];
    let values = names.iter().filter_map(|name| tree.get(name)?.text());
    values.map(str::to_owned).collect()
}

/// A short text, or one of the ids that an error names, can be in any text.
fn is_hidden(secret: &str, shown: &str) -> bool {
    let ids = [CLIENT, TENANT, USER, super::answers::REQUEST];
    let is_of_an_id = ids
        .iter()
        .any(|id| id.contains(&secret.to_ascii_lowercase()));
    secret.len() < 24 || is_of_an_id || secret.contains(' ') || !shown.contains(secret)
}

fn expected(case: &Case<'_>) -> Expected {
    let text = str::from_utf8(case.body).ok().filter(|_| !case.is_encoded);
    let Some(answer) = text.and_then(Tree::of_object) else {
        return Expected::NoAnswer;
    };
    if let Some(error) = answer.get("error") {
        return match error.text() {
            None | Some("") => Expected::NoAnswer,
            Some(_) => Expected::Refused,
        };
    }
    let Some(token) = granted(&answer) else {
        return Expected::NoAnswer;
    };
    match is_theirs(&token.text, case.kind) {
        true => Expected::Granted(token),
        false => Expected::Mismatch,
    }
}

fn granted(answer: &Tree) -> Option<Token> {
    let token_type = answer.get("token_type")?.text()?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let text = answer.get("access_token")?.text()?;
    let letters = text.find('=').map_or(text, |at| &text[..at]);
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let is_padding = |c: char| c == '=';
    if letters.is_empty()
        || !letters.chars().all(is_letter)
        || !text[letters.len()..].chars().all(is_padding)
    {
        return None;
    }
    let named = answer.get("scope").and_then(Tree::text).unwrap_or_default();
    let is_of_a_scope = |c: char| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
    let scopes: Vec<&str> = named
        .split([' ', '\t', '\n', '\r', '\x0c'])
        .filter(|scope| !scope.is_empty() && scope.chars().all(is_of_a_scope))
        .collect();
    Some(Token {
        text: text.to_owned(),
        scopes: match scopes.is_empty() {
            true => SCOPES.to_owned(),
            false => scopes.join(" "),
        },
        seconds: seconds(answer.get("expires_in")?)?,
        refresh: answer.get("refresh_in").and_then(seconds),
    })
}

/// From one second to ten years, of which three can be leap years.
fn seconds(value: &Tree) -> Option<u64> {
    let seconds = match value {
        Tree::Integer(number) => u64::try_from(*number).ok()?,
        Tree::Fraction(number) if *number >= 0.0 && *number < 1e9 => whole(*number),
        Tree::Text(digits) => {
            let is_digits = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
            let short = digits.trim_start_matches('0');
            if !is_digits || short.len() > 10 {
                return None;
            }
            short.chars().fold(0, |sum, c| {
                sum * 10 + u64::from(c.to_digit(10).unwrap_or(0))
            })
        }
        _ => return None,
    };
    (1..=315_619_200).contains(&seconds).then_some(seconds)
}

/// A time has no smaller part of a second than nanoseconds.
fn whole(number: f64) -> u64 {
    let text = format!("{number:.9}");
    let whole = text.split('.').next().unwrap_or_default();
    whole.parse().expect("a number below a thousand million")
}

/// Whether the token is that of the identity asked for, or nothing that is read.
fn is_theirs(token: &str, kind: Kind) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, _] = parts.as_slice() else {
        return true;
    };
    let Some(header) = base64(header.as_bytes(), b"+-", b"/_") else {
        return true;
    };
    let header = String::from_utf8_lossy(&header.bytes);
    let header = header.strip_prefix('\u{feff}').unwrap_or(&header);
    if !header
        .trim_start_matches([' ', '\t', '\n', '\r', '\x0c'])
        .starts_with('{')
    {
        return true;
    }
    // From here on it is a JWT to some API, so its claims must be good.
    let payload = base64(payload.as_bytes(), b"-", b"_").filter(|payload| payload.is_canonical);
    let payload = payload.and_then(|payload| String::from_utf8(payload.bytes).ok());
    let claims = payload.and_then(|payload| Tree::of_object(&payload));
    claims.is_some_and(|claims| names_them(&claims, kind).is_some())
}

/// `None` if it names another identity, or a claim that decides cannot be read.
fn names_them(claims: &Tree, kind: Kind) -> Option<()> {
    let deciding = ["appid", "azp", "tid", "oid", "sub", "idtyp", "scp"];
    for (name, _) in claims.members() {
        let lower_case = name.to_ascii_lowercase();
        if deciding.contains(&&*lower_case) && lower_case != *name {
            return None;
        }
    }
    // Some(None) if it is absent.
    let text = |name: &str| match claims.get(name) {
        None => Some(None),
        Some(value) => value.text().map(Some),
    };
    let is =
        |value: Option<&str>, id: &str| value.is_some_and(|text| text.eq_ignore_ascii_case(id));
    let (appid, azp) = (text("appid")?, text("azp")?);
    let are_clients = [appid, azp]
        .iter()
        .all(|of| of.is_none() || is(*of, CLIENT));
    if !are_clients || (appid.is_none() && azp.is_none()) || !is(text("tid")?, TENANT) {
        return None;
    }
    let has_scope = || {
        let scopes = text("scp")?.unwrap_or_default();
        Some(
            scopes
                .split(char::is_whitespace)
                .any(|scope| !matches!(scope, "" | "/")),
        )
    };
    let kind_of_token = |kind: &str| Some(is(text("idtyp")?, kind));
    if kind == Kind::App {
        return (!has_scope()? && !kind_of_token("user")?).then_some(());
    }
    if kind_of_token("app")? {
        return None;
    }
    if !kind_of_token("user")? && !has_scope()? {
        let subject = text("sub")?;
        if let Some(subject) = subject {
            let object = text("oid")?;
            if subject.starts_with('/') || is(object, subject) {
                return None;
            }
        }
    }
    let object = text("oid")?;
    let is_known = kind != Kind::AgentUser(false);
    (!is_known || object.is_none() || is(object, USER)).then_some(())
}
