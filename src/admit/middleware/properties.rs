//! What holds for every `Authorization` header and for every challenge, whatever they contain.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::{
    challenge::Challenge,
    credentials::{Credentials, check_credentials},
    validators::Place,
};
use crate::admit::{
    error::{CredentialsFault, ErrorKind},
    requirement::{Demand, Denial},
};

/// Headers are read as a second implementation of the grammar reads them.
pub(crate) fn authorization(values: &[&[u8]]) {
    let mut headers = HeaderMap::new();
    for value in values {
        let Ok(value) = HeaderValue::from_bytes(value) else {
            return;
        };
        headers.append(AUTHORIZATION, value);
    }
    let read = match check_credentials(&headers, &AUTHORIZATION) {
        Ok(Credentials::Bearer(text)) => text.token().map(Some).map_err(CredentialsFault::kind),
        Ok(Credentials::None(_)) => Ok(None),
        Err(fault) => Err(fault.kind()),
    };
    assert_eq!(read, expected(values), "{values:?}");
}

fn expected<'v>(values: &[&'v [u8]]) -> Result<Option<&'v str>, ErrorKind> {
    let [value] = values else {
        return match values.len() {
            0 => Ok(None),
            _ => Err(ErrorKind::MultipleCredentials),
        };
    };
    let mut words = value.splitn(2, |byte| b" \t".contains(byte));
    let scheme = words.next().unwrap_or_default().to_ascii_lowercase();
    // `1#element` of a list: what follows the first comma.
    let behind = value.iter().position(|byte| *byte == b',');
    let behind = String::from_utf8_lossy(&value[behind.unwrap_or(value.len())..]);
    let is_joined = behind.to_ascii_lowercase().contains("bearer");
    match scheme.as_slice() {
        b"" if value.is_empty() => Ok(None),
        b"" => Err(ErrorKind::MalformedAuthorization),
        b"dpop" | b"pop" if !is_joined => Err(ErrorKind::MissingToken),
        b"bearer" => {
            // What is left of `1*SP b64token`, one byte at a time.
            let (mut spaces, mut token) = (0, 0);
            for byte in &value[b"bearer".len()..] {
                match byte {
                    b' ' if token == 0 => spaces += 1,
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => token += 1,
                    b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' => token += 1,
                    _ => return Err(ErrorKind::MalformedAuthorization),
                }
            }
            if token == 0 {
                return Err(ErrorKind::MissingToken);
            }
            if spaces == 0 {
                return Err(ErrorKind::MalformedAuthorization);
            }
            let token = &value[value.len() - token..];
            Ok(Some(std::str::from_utf8(token).expect("letters")))
        }
        // RFC 9110, section 5.6.2: any other visible ASCII character may appear in a scheme.
        scheme => match scheme
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte))
        {
            true if !is_joined => Ok(None),
            _ => Err(ErrorKind::MalformedAuthorization),
        },
    }
}

/// A parser of the grammar reads every value that the builder accepts back out of each challenge, and
/// no such value can add a parameter or end the header.
pub(crate) fn challenge(realm: &str, metadata: Option<&str>, scopes: &[&str]) {
    let mut challenge = Challenge::new("https://login.microsoftonline.com", "");
    if challenge.set_realm(realm.to_owned()).is_err() {
        return;
    }
    if let Some(url) = metadata
        && challenge.set_resource_metadata(url.to_owned()).is_err()
    {
        return;
    }
    let owned: Vec<String> = scopes.iter().copied().map(str::to_owned).collect();
    let takes_scopes = challenge.set_scopes(&owned).is_ok();
    // RFC 6749, section 3.3.
    let is_token = |scope: &str| {
        let mut characters = scope.chars();
        !scope.is_empty()
            && characters.all(|c| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e'))
    };
    assert_eq!(takes_scopes, scopes.iter().all(|scope| is_token(scope)));

    let mut start = vec![("realm", realm)];
    start.extend(metadata.map(|url| ("resource_metadata", url)));
    let with = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
        let parameters = start.iter().chain(more);
        parameters
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };

    if takes_scopes {
        let (_, header) = challenge.answer(ErrorKind::MissingToken);
        let joined = scopes.join(" ");
        let scope = (!scopes.is_empty()).then_some(("scope", &*joined));
        assert_eq!(parameters(header.as_ref()), with(scope.as_slice()));
    }
    for (kind, error) in [
        (ErrorKind::MalformedAuthorization, "invalid_request"),
        (ErrorKind::Expired, "invalid_token"),
        (ErrorKind::InvalidSignature, "invalid_token"),
    ] {
        let (_, header) = challenge.answer(kind);
        let expected = with(&[("error", error), ("error_description", kind.description())]);
        assert_eq!(parameters(header.as_ref()), expected);
    }
    let kept: Vec<&str> = scopes
        .iter()
        .copied()
        .filter(|scope| is_token(scope))
        .collect();
    let joined = kept.join(" ");
    let denial = Denial::new().with_scopes(scopes.iter().copied());
    let header = challenge
        .denial(&denial, Place::default())
        .expect("a challenge");
    let mut expected = with(&[("error", "insufficient_scope")]);
    expected.extend((!kept.is_empty()).then(|| ("scope".to_owned(), joined.clone())));
    assert_eq!(parameters(Some(&header)), expected);

    let denial = Denial::for_acr_values(scopes.iter().copied());
    assert!(matches!(denial.demand(), Demand::Authentication { .. }));
    let header = challenge
        .denial(&denial, Place::default())
        .expect("a challenge");
    let read = parameters(Some(&header));
    let acr_values = read.iter().find(|(name, _)| name == "acr_values");
    assert_eq!(acr_values.map_or("", |(_, value)| value.as_str()), joined);
}

/// The parameters of the one challenge in a header:
/// [RFC 9110, sections 5.6 and 11.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.2), read
/// strictly, and none of them twice.
#[track_caller]
fn parameters(header: Option<&HeaderValue>) -> Vec<(String, String)> {
    let header = header.expect("a challenge");
    let text = header.to_str().expect("visible characters");
    let mut rest = text.strip_prefix("Bearer ").expect("a scheme");
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a quoted string");
        assert!(
            !name.is_empty() && name.bytes().all(is_token_byte),
            "{text}"
        );
        assert!(!parameters.iter().any(|(other, _)| other == name), "{text}");
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next().expect("the end of a quoted string") {
                '"' => break,
                '\\' => value.push(characters.next().expect("a quoted pair")),
                character => value.push(character),
            }
        }
        parameters.push((name.to_owned(), value));
        rest = characters.as_str();
        if rest.is_empty() {
            return parameters;
        }
        rest = rest.strip_prefix(", ").expect("a comma");
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option::weighted, prelude::*, sample::select};

    fn header() -> impl Strategy<Value = Vec<u8>> {
        let scheme = prop_oneof![
            6 => "(?i)bearer",
            1 => "(?i)d?pop",
            2 => select(["Basic", "Negotiate", "BearerX", "Bear", "", "Bearer=", "Bearer,"].as_slice())
                .prop_map(str::to_owned),
        ];
        let space = select([" ", " ", " ", "  ", "\t", "", " \t"].as_slice());
        let token = prop_oneof![
            4 => "[A-Za-z0-9._~+/=-]{1,20}".prop_map(String::into_bytes),
            1 => "[ -~\t]{0,12}".prop_map(String::into_bytes),
            1 => vec(0x80..=0xff_u8, 1..4),
            1 => Just(Vec::new()),
        ];
        let end = select(
            [
                "",
                "",
                "",
                " ",
                "\t",
                " x",
                ",x",
                ", Bearer x",
                ",bEARER",
                ", Beare",
            ]
            .as_slice(),
        );
        (scheme, space, token, end).prop_map(|(scheme, space, token, end)| {
            [scheme.as_bytes(), space.as_bytes(), &token, end.as_bytes()].concat()
        })
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => "[ !#-\\[\\]-~]{0,20}",
            1 => "[ -~]{0,20}",
            1 => any::<String>(),
            1 => Just("a\", error=\"x".to_owned()),
            1 => Just("a\r\nX: y".to_owned()),
        ]
    }

    fn url() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "https://[a-z]{1,8}[.]example(:[0-9]{2,4})?(/[!#-\\[\\]-~]{0,8})?",
            1 => text(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_header_is_read_by_the_grammar_and_no_other_way(header in header()) {
            super::authorization(&[&header]);
        }

        #[test]
        fn any_headers_at_all_are_read_by_the_grammar(
            headers in vec(vec(any::<u8>(), 0..12), 0..3),
        ) {
            let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
            super::authorization(&headers);
        }

        #[test]
        fn what_a_challenge_is_built_from_comes_back_out_of_it(
            realm in text(),
            metadata in weighted(0.5, url()),
            scopes in vec(prop_oneof![4 => "[!#-\\[\\]-~]{1,8}", 1 => text()], 0..4),
        ) {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            super::challenge(&realm, metadata.as_deref(), &scopes);
        }
    }
}
