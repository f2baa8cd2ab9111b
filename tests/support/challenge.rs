//! A strict reader of one `WWW-Authenticate` value: the grammar of
//! [RFC 9110, section 11](https://www.rfc-editor.org/rfc/rfc9110#section-11), what a sender may
//! generate of it, and the characters of
//! [RFC 6750, section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3).

use std::fmt::Debug;

/// A scheme and its parameters in their order, names in lower case, quotes and escapes undone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) scheme: String,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads a value that holds one challenge and nothing else.
    ///
    /// Refuses what no sender may generate (white space around `=`, empty list elements, a `realm`
    /// without quotes), a second challenge, a challenge without parameters, a parameter that comes
    /// twice or is not known here, and one whose characters its own specification does not allow.
    pub(crate) fn parse(value: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { rest: value };
        let scheme = reader.token().ok_or("no scheme")?;
        reader.take(b' ').ok_or("no space after the scheme")?;
        while reader.take(b' ').is_some() {}
        let mut parameters: Vec<(String, String)> = Vec::new();
        loop {
            let (name, value) = reader.parameter()?;
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(format!("{name} comes twice"));
            }
            parameters.push((name, value));
            if reader.rest.is_empty() {
                return Ok(Self { scheme, parameters });
            }
            reader.comma()?;
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let (_, value) = parameters.find(|(other, _)| other == name)?;
        Some(value)
    }
}

struct Reader<'v> {
    rest: &'v [u8],
}

impl Reader<'_> {
    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn token(&mut self) -> Option<String> {
        let is_other = |byte: &u8| !is_token_character(*byte);
        let end = self.rest.iter().position(is_other);
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!token.is_empty()).then(|| text(token))
    }

    /// A name, `=`, and a value.
    fn parameter(&mut self) -> Result<(String, String), String> {
        let name = self.token().ok_or_else(|| self.at("no name"))?;
        let name = name.to_ascii_lowercase();
        self.take(b'=').ok_or_else(|| self.at("no ="))?;
        let is_quoted = self.rest.first() == Some(&b'"');
        let value = if is_quoted {
            self.quoted_string().ok_or_else(|| self.at("no end"))?
        } else {
            self.token().ok_or_else(|| self.at("no value"))?
        };
        check(&name, &value, is_quoted)?;
        Ok((name, value))
    }

    fn quoted_string(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut value = Vec::new();
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(text(&value)),
                b'\\' => {
                    let (escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    value.push(*escaped);
                }
                b'\t' | b' '..=b'~' => value.push(*byte),
                _ => return None,
            }
        }
    }

    fn comma(&mut self) -> Result<(), String> {
        let white = |reader: &mut Self| {
            while reader.take(b' ').or_else(|| reader.take(b'\t')).is_some() {}
        };
        white(self);
        self.take(b',').ok_or_else(|| self.at("no comma"))?;
        white(self);
        Ok(())
    }

    fn at(&self, problem: impl Debug) -> String {
        format!("{problem:?} at {:?}", text(self.rest))
    }
}

/// Looks at one parameter as its own specification would.
fn check(name: &str, value: &str, is_quoted: bool) -> Result<(), String> {
    let visible = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let tokens = |text: &str| {
        let mut tokens = text.split(' ');
        tokens.all(|token| !token.is_empty() && token.bytes().all(visible))
    };
    let url = |text: &str| {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(visible))
    };
    let fits = match name {
        // RFC 9110, section 11.5: for historical reasons, quoted. Empty in Entra's own challenge.
        "realm" => true,
        // RFC 6750, section 3, and the error codes of RFC 6750, RFC 9470 and Entra.
        "error" => matches!(
            value,
            "invalid_request"
                | "invalid_token"
                | "insufficient_scope"
                | "insufficient_claims"
                | "insufficient_user_authentication"
        ),
        "error_description" => {
            !value.is_empty() && value.bytes().all(|byte| byte == b' ' || visible(byte))
        }
        // RFC 6750, section 3, and RFC 9470, section 3.
        "scope" | "acr_values" => tokens(value),
        // RFC 9728, section 5.1, and Entra.
        "resource_metadata" | "authorization_uri" => url(value),
        // Entra: RFC 4648, section 4, with padding.
        "claims" => {
            let digits = value.trim_end_matches('=');
            let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
            value.len().is_multiple_of(4) && value.len() - digits.len() <= 2 && {
                !digits.is_empty() && digits.bytes().all(is_digit)
            }
        }
        _ => return Err(format!("{name} is not known")),
    };
    if fits && is_quoted {
        Ok(())
    } else {
        Err(format!("{name} is not as it is written: {value:?}"))
    }
}

fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_challenge_is_read_into_its_parts() {
    let value =
        br#"Bearer  REALM="a \"b\" \\",  error="invalid_token" ,error_description="x, y=z""#;
    let challenge = Challenge::parse(value).unwrap();
    assert_eq!(challenge.scheme, "Bearer");
    assert_eq!(challenge.get("realm"), Some(r#"a "b" \"#));
    assert_eq!(challenge.get("error"), Some("invalid_token"));
    assert_eq!(challenge.get("error_description"), Some("x, y=z"));
    assert_eq!(challenge.get("scope"), None);
    assert_eq!(challenge.parameters.len(), 3);
}

#[test]
fn what_no_sender_may_write_is_no_challenge() {
    for value in [
        &b""[..],
        b"Bearer",
        b"Bearer ",
        b" Bearer realm=\"a\"",
        b"Bearer\trealm=\"a\"",
        b"Bearer, realm=\"a\"",
        // As `token68` it is a challenge, but none of RFC 6750.
        b"Bearer abc",
        b"Bearer realm=",
        b"Bearer realm=a",
        b"Bearer realm =\"a\"",
        b"Bearer realm= \"a\"",
        b"Bearer realm=\"a",
        b"Bearer realm=\"a\\",
        b"Bearer realm=\"a\"b",
        b"Bearer realm=\"a\" ",
        b"Bearer realm=\"a\",",
        b"Bearer realm=\"a\",, error=\"invalid_token\"",
        b"Bearer realm=\"a\" error=\"invalid_token\"",
        b"Bearer realm=\"a\", Basic realm=\"b\"",
        b"Bearer realm=\"a\", Realm=\"b\"",
        b"Bearer realm=\"\xc3\xa9\"",
        b"Bearer realm=\"a\r\nb\"",
        b"Bearer realm=\"a\x7f\"",
        b"Bearer error=\"made_up\"",
        b"Bearer error_description=\"\"",
        b"Bearer error_description=\"a \\\" b\"",
        b"Bearer error_description=\"a\tb\"",
        b"Bearer scope=\"\"",
        b"Bearer scope=\"a  b\"",
        b"Bearer scope=\"a,\\\"b\"",
        b"Bearer acr_values=\"\"",
        b"Bearer resource_metadata=\"\"",
        b"Bearer resource_metadata=\"api.example\"",
        b"Bearer resource_metadata=\"https://a b\"",
        b"Bearer authorization_uri=\"javascript:alert(1)\"",
        b"Bearer claims=\"\"",
        b"Bearer claims=\"ab=\"",
        b"Bearer claims=\"a===\"",
        b"Bearer claims=\"a-_=\"",
        b"Bearer x=\"y\"",
    ] {
        let parsed = Challenge::parse(value);
        assert!(parsed.is_err(), "{:?}: {parsed:?}", text(value));
    }
}
