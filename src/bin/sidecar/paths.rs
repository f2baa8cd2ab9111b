//! Which route a request is for, by the rules of ASP.NET Core: letter case makes no difference, and neither does
//! one `/` at the end.

use std::{borrow::Cow, fmt::Write as _};

use http::{Method, Uri, uri::PathAndQuery};

use crate::route::Route;

/// What the program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Validate,
    /// Its path ends with the name of an API.
    Token(Route),
    Health,
    Readiness,
    OpenApi,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 8] = [
        Self::Validate,
        Self::Token(Route::AuthorizationHeader),
        Self::Token(Route::AuthorizationHeaderUnauthenticated),
        Self::Token(Route::DownstreamApi),
        Self::Token(Route::DownstreamApiUnauthenticated),
        Self::Health,
        Self::Readiness,
        Self::OpenApi,
    ];

    /// The first segment of its path, and the second one unless that is a name.
    pub(crate) fn literals(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Validate => ("Validate", None),
            Self::Token(route) => (route.as_str(), None),
            Self::Health => ("healthz", None),
            Self::Readiness => ("readyz", None),
            Self::OpenApi => ("openapi", Some("v1.json")),
        }
    }

    /// The verbs that it answers, in the order of `Allow`. Empty if it answers every verb.
    pub(crate) fn methods(self) -> &'static [Method] {
        match self {
            Self::Health | Self::Readiness => &[],
            Self::Validate
            | Self::Token(Route::AuthorizationHeader | Route::AuthorizationHeaderUnauthenticated)
            | Self::OpenApi => &[Method::GET],
            Self::Token(Route::DownstreamApi | Route::DownstreamApiUnauthenticated) => &[
                Method::DELETE,
                Method::GET,
                Method::PATCH,
                Method::POST,
                Method::PUT,
            ],
        }
    }

    /// Whether it tells how the program is, so that probes from elsewhere reach it.
    pub(crate) fn is_probe(self) -> bool {
        matches!(self, Self::Health | Self::Readiness)
    }

    fn has_name(self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// Both segments are decoded.
    fn is_at(self, first: &str, second: Option<&str>) -> bool {
        let literals = self.literals();
        let is_second = match (literals.1, second) {
            (Some(literal), Some(segment)) => literal.eq_ignore_ascii_case(segment),
            (None, segment) => segment.is_some() == self.has_name(),
            (Some(_), None) => false,
        };
        is_second && literals.0.eq_ignore_ascii_case(first)
    }
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'p> {
    pub(crate) endpoint: Endpoint,
    /// Decoded. Its letter case is kept.
    api: Option<Cow<'p, str>>,
    pub(crate) has_slash_at_end: bool,
}

impl<'p> Target<'p> {
    /// `None` if there is no such path.
    pub(crate) fn of(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        let (rest, has_slash_at_end) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (first, second) = match rest.split_once('/') {
            Some((first, second)) => (first, Some(second)),
            None => (rest, None),
        };
        // No segment may be empty, and no route has more than two.
        if second.is_some_and(|second| second.is_empty() || second.contains('/')) {
            return None;
        }
        let first = decoded(first);
        let second = second.map(decoded);
        let endpoint = Endpoint::ALL
            .into_iter()
            .find(|endpoint| endpoint.is_at(&first, second.as_deref()))?;
        Some(Self {
            endpoint,
            api: second.filter(|_| endpoint.has_name()),
            has_slash_at_end,
        })
    }

    /// The same path as the router knows it, with the query of `uri`, in which it was found. `None` if it is
    /// longer than a URI may be.
    pub(crate) fn uri(&self, uri: &Uri) -> Option<Uri> {
        let (first, second) = self.endpoint.literals();
        let is_path_alone = uri.scheme().is_none() && uri.authority().is_none();
        if is_path_alone && !self.has_slash_at_end && is_plain(uri.path(), first) {
            return Some(uri.clone());
        }
        let mut text = format!("/{first}");
        if let Some(second) = second {
            text.push('/');
            text.push_str(second);
        }
        if let Some(api) = &self.api {
            text.push('/');
            encode(api, &mut text);
        }
        if let Some(query) = uri.query() {
            text.push('?');
            text.push_str(query);
        }
        PathAndQuery::try_from(text).ok().map(Uri::from)
    }
}

/// Whether this path begins with this literal as it is written here, and nothing in it is encoded: nearly every
/// path that is sent.
fn is_plain(path: &str, first: &str) -> bool {
    let rest = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_prefix(first));
    rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && !rest.contains('%'))
}

/// Without its percent-encoding. As in Kestrel, what is no encoding of UTF-8 remains as it is.
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (first, &rest[1..]),
            },
            _ => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(segment),
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// All but the unreserved characters of RFC 3986.
fn encode(text: &str, encoded: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            // Writing to a `String` never fails.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Option<Endpoint> {
        Target::of(path).map(|target| target.endpoint)
    }

    fn uri(path: &str) -> String {
        let uri: Uri = path.parse().expect("a URI");
        let target = Target::of(uri.path()).expect("a route");
        target.uri(&uri).expect("short").to_string()
    }

    #[test]
    fn letter_case_and_one_slash_at_the_end_make_no_difference() {
        for path in [
            "/Validate",
            "/validate",
            "/VALIDATE",
            "/Validate/",
            "/%56alidate",
        ] {
            assert_eq!(endpoint(path), Some(Endpoint::Validate), "{path}");
        }
        assert_eq!(endpoint("/OpenAPI/V1.JSON"), Some(Endpoint::OpenApi));
        assert_eq!(endpoint("/HealthZ/"), Some(Endpoint::Health));
        assert_eq!(
            endpoint("/authorizationheaderunauthenticated/x/"),
            Some(Endpoint::Token(Route::AuthorizationHeaderUnauthenticated))
        );
    }

    #[test]
    fn a_path_with_segments_too_few_too_many_or_empty_is_unknown() {
        for path in [
            "",
            "*",
            "/",
            "//",
            "//Validate",
            "/Validate//",
            "/Validate/x",
            "/AuthorizationHeader",
            "/AuthorizationHeader/",
            "/AuthorizationHeader//",
            "/AuthorizationHeader//x",
            "/AuthorizationHeader/x//",
            "/AuthorizationHeader/x/y",
            "/openapi",
            "/openapi/v1.json/x",
            "/openapi/v2.json",
            "/healthz/x",
            "/healthz%2F",
            "/health",
            "/metrics",
            "/AuthorizationHeader%2Fx",
            "/DownstreamApix/x",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }

    #[test]
    fn the_router_gets_the_literal_path_and_the_name_as_it_was_written() {
        assert_eq!(uri("/validate/"), "/Validate");
        assert_eq!(uri("/Validate/"), "/Validate");
        assert_eq!(uri("/DownstreamApi/a/"), "/DownstreamApi/a");
        assert_eq!(
            uri("/authorizationheader/Graph?a=b%20c&d"),
            "/AuthorizationHeader/Graph?a=b%20c&d"
        );
        assert_eq!(
            uri("/DOWNSTREAMAPI/my%20%C3%A4pi/"),
            "/DownstreamApi/my%20%C3%A4pi"
        );
        assert_eq!(uri("/DownstreamApi/a%2fb"), "/DownstreamApi/a%2Fb");
        assert_eq!(uri("/OpenApi/V1.JSON/?a"), "/openapi/v1.json?a");
    }

    #[test]
    fn what_is_no_encoding_stays_as_it_is() {
        assert_eq!(uri("/DownstreamApi/a%zz"), "/DownstreamApi/a%25zz");
        assert_eq!(uri("/DownstreamApi/a%"), "/DownstreamApi/a%25");
        assert_eq!(uri("/DownstreamApi/a%F"), "/DownstreamApi/a%25F");
        assert_eq!(uri("/DownstreamApi/%FF"), "/DownstreamApi/%25FF");
        // One decoding, never two.
        assert_eq!(uri("/DownstreamApi/%2541"), "/DownstreamApi/%2541");
    }

    #[test]
    fn a_name_of_dots_is_a_name() {
        assert_eq!(uri("/DownstreamApi/.."), "/DownstreamApi/..");
    }

    #[test]
    fn only_routes_of_apis_answer_verbs_that_write() {
        for endpoint in Endpoint::ALL {
            let writes = endpoint.methods().contains(&Method::POST);
            assert_eq!(writes, endpoint.literals().0.starts_with("Downstream"));
            assert!(!endpoint.methods().contains(&Method::HEAD));
        }
    }
}
