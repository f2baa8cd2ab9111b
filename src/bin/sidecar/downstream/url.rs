//! Where a call goes: always to the origin of `BaseUrl`, and never out of its path.
//!
//! A caller chooses the path below `BaseUrl`, and the token goes wherever that leads. So a text that a server
//! could take for `..` is refused, however it is written; what is sent is what was checked, byte by byte.

use std::{borrow::Cow, fmt::Write as _, net::IpAddr};

use reqwest::Url;

/// A `BaseUrl` that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    url: Url,
    /// `https://host`, with a port that is not the scheme's own.
    origin: String,
    /// Without `/` at its end.
    path: String,
}

/// A `RelativePath` that was checked. It has only characters of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RelativePath {
    /// Without `/` at its start. `None` if the URL is that of `BaseUrl`.
    path: Option<String>,
    query: String,
}

impl BaseUrl {
    /// Reads an absolute URL. `http` is taken for this machine (`localhost`, a loopback address), and for
    /// others if `allow_plain_http` says so.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong with it.
    pub(crate) fn parse(text: &str, allow_plain_http: bool) -> Result<Self, &'static str> {
        // A URL parser drops the one and reads the other as `/`.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err("has white space or a backslash");
        }
        let url = Url::parse(text).map_err(|_| "is not an absolute URL")?;
        let scheme = url.scheme();
        let is_http = matches!(scheme, "http" | "https");
        if !is_http || text.get(scheme.len()..scheme.len() + 3) != Some("://") {
            return Err("is not an absolute http or https URL");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment");
        }
        let host = url.host_str().ok_or("has no host")?;
        if scheme == "http" && !is_this_machine(host) && !allow_plain_http {
            return Err("is http to another host, which shows the token to the network");
        }
        let origin = url.origin().ascii_serialization();
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self { url, origin, path })
    }

    /// The URL of a call.
    ///
    /// # Errors
    ///
    /// Fails if it is longer than 32 KiB.
    pub(super) fn call<'q>(
        &self,
        relative: &RelativePath,
        parameters: impl Iterator<Item = (&'q str, &'q str)>,
    ) -> Result<Url, &'static str> {
        let mut text = [&self.origin, &*self.path].concat();
        let path = relative.path.as_deref();
        if path.is_some() || self.path.is_empty() {
            text.push('/');
        }
        text.push_str(path.unwrap_or_default());
        let query = query(&relative.query, parameters);
        if !query.is_empty() {
            text.push('?');
            text.push_str(&query);
        }
        if text.len() > MAX_URL {
            return Err("makes a URL of more than 32 KiB");
        }
        let url = Url::parse(&text).map_err(|_| NOT_A_URL)?;
        // The parser has changed nothing, so the client sends what was checked.
        if url.as_str() != text || url.origin() != self.url.origin() {
            return Err(NOT_A_URL);
        }
        Ok(url)
    }

    /// The same origin as if it were `https`, with its port.
    pub(super) fn as_https(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("https://{host}:{port}")
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl RelativePath {
    /// Reads a path and perhaps a query. One `/` at the start makes no difference.
    ///
    /// `.` and `..` are resolved. Characters that no URL has are escaped, as .NET does.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.contains('#') {
            return Err("has a fragment");
        }
        let is_trimmed = text.trim() == text;
        if !is_trimmed || text.contains(|c: char| c != ' ' && (c.is_control() || c.is_whitespace()))
        {
            return Err("has white space or a control character");
        }
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = resolved(path.strip_prefix('/').unwrap_or(path))?;
        if names_a_host(&path) {
            return Err("names a host");
        }
        Ok(Self {
            path: Some(path),
            query: escaped(query, is_of_query),
        })
    }
}

/// A text that stands for an absolute URL, `//host` or `@host`. Behind `BaseUrl` and a `/` it leads nowhere
/// else, so what its author wants is not what would happen.
fn names_a_host(path: &str) -> bool {
    let is_url = path.split_once(':').is_some_and(|(scheme, rest)| {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let is_http = ["http", "https"].map(|http| scheme.eq_ignore_ascii_case(http));
        is_scheme && (is_http.contains(&true) || rest.starts_with("//"))
    });
    let start = path.get(..3).unwrap_or_default();
    let is_slash = path.starts_with('/') || start.eq_ignore_ascii_case("%2f");
    is_url || is_slash || path.starts_with('@')
}

/// The segments of a path without `.` and `..`.
fn resolved(path: &str) -> Result<String, &'static str> {
    let mut segments: Vec<Cow<'_, str>> = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/') {
        is_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop().ok_or(LEAVES)?),
            _ => {
                check(segment)?;
                segments.push(escaped(segment, is_of_path).into());
            }
        }
    }
    if is_folder {
        segments.push("".into());
    }
    Ok(segments.join("/"))
}

/// Refuses a segment that a server behind a proxy could read as several, or as one that it is not:
///
/// - `..` that is escaped, once or more often, or in overlong UTF-8
/// - `..` behind an escaped slash or backslash, and any backslash, which Windows takes for a slash
/// - `..;x`, from which Tomcat takes the parameter off, and the same before `?` and `#`
/// - `..` with spaces or more dots, which Windows takes off
/// - `．．` of other dots and slashes, which become those of ASCII in a best-fit mapping or in Unicode's form NFKC
/// - `..` with characters that have no width, which some readers of Unicode leave out
fn check(segment: &str) -> Result<(), &'static str> {
    let decoded = decoded(segment)?;
    let is_slash = |c| matches!(c, '/' | '\u{ff0f}' | '\u{2044}' | '\u{2215}');
    let is_dot = |c| {
        matches!(
            c,
            '.' | '\u{ff0e}' | '\u{fe52}' | '\u{2024}'..='\u{2026}' | '\u{fe19}' | '\u{fe30}'
        )
    };
    for c in decoded.chars() {
        match c {
            '\\' | '\u{ff3c}' | '\u{fe68}' | '\u{2216}' => return Err("has a backslash"),
            _ if c.is_control() => return Err("has an escaped control character"),
            _ => {}
        }
    }
    for part in decoded.split(is_slash) {
        let part = part.split([';', '?', '#']).next().unwrap_or_default();
        let is_dots = part.contains(is_dot)
            && part
                .chars()
                .all(|c| is_dot(c) || c.is_whitespace() || has_no_width(c));
        if is_dots {
            return Err(LEAVES);
        }
    }
    Ok(())
}

/// A character of the property
/// [`Default_Ignorable_Code_Point`](https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point), or one that was.
fn has_no_width(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The text without escapes, however often it is escaped.
fn decoded(segment: &str) -> Result<Cow<'_, str>, &'static str> {
    let mut text = Cow::Borrowed(segment);
    for round in 0..MAX_ROUNDS {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((byte, behind)) = rest.split_first() {
            let value = escape(rest);
            // An escaped `%` is data: what is behind it need be no escape.
            if value.is_none() && *byte == b'%' && round == 0 {
                return Err("has a `%` that escapes nothing");
            }
            bytes.push(value.unwrap_or(*byte));
            rest = match value {
                Some(_) => rest.get(3..).unwrap_or_default(),
                None => behind,
            };
        }
        let next = String::from_utf8(bytes).map_err(|_| "has escapes that are no UTF-8")?;
        if next == text {
            return Ok(text);
        }
        text = next.into();
    }
    Err("is escaped too often")
}

/// The byte that an escape at the start stands for.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// The text with every byte escaped that is none of a URL there. Escapes stay as they are.
fn escaped(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        push(&mut out, *byte, stays(*byte) || escape(rest).is_some());
        rest = behind;
    }
    out
}

/// The query of `RelativePath`, and the extra parameters behind it.
fn query<'q>(of_path: &str, parameters: impl Iterator<Item = (&'q str, &'q str)>) -> String {
    let mut query = of_path.to_owned();
    for (name, value) in parameters {
        if !query.is_empty() && !query.ends_with('&') {
            query.push('&');
        }
        push_data(&mut query, name);
        query.push('=');
        push_data(&mut query, value);
    }
    query
}

/// Every other byte is escaped, `%` too.
fn push_data(query: &mut String, text: &str) {
    for byte in text.bytes() {
        push(query, byte, is_unreserved(byte));
    }
}

fn push(out: &mut String, byte: u8, stays: bool) {
    match stays {
        true => out.push(char::from(byte)),
        false => {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Whether it stays in every part of a URL:
/// [RFC 3986, section 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The `pchar` of [RFC 3986, section 3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3).
fn is_of_path(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

/// Without the quote, which URL parsers escape.
fn is_of_query(byte: u8) -> bool {
    byte != b'\'' && (is_of_path(byte) || b"/?".contains(&byte))
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == LOCALHOST,
    }
}

/// A name of this machine alone: [RFC 6761, section 6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3).
pub(super) const LOCALHOST: &str = "localhost";

const LEAVES: &str = "leaves the path of BaseUrl";
const NOT_A_URL: &str = "makes no URL";
/// The http crate has no URL of more than 64 KiB.
const MAX_URL: usize = 32 * 1024;
/// Each round takes two characters off every escape.
const MAX_ROUNDS: u8 = 8;

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
