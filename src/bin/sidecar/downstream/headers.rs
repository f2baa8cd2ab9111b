//! The headers of a call: what is configured, and what the caller adds.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Why a header of a caller cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    Accept,
    Name,
    Value,
}

/// The headers of a call.
#[derive(Debug)]
pub(super) struct Headers {
    pub(super) map: HeaderMap,
    /// The caller's headers that are not sent, because their names are reserved or the header is there.
    pub(super) dropped: Vec<HeaderName>,
}

impl Headers {
    /// `accept` and then the extra headers: those of the caller in the place of those configured.
    ///
    /// # Errors
    ///
    /// Fails if a header of the caller has no name of a header, or no value of one in ASCII.
    pub(super) fn new<'a>(
        accept: HeaderValue,
        configured: &[(HeaderName, HeaderValue)],
        of_caller: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, HeaderFault> {
        let mut extra = HeaderMap::new();
        for (name, value) in configured {
            extra.insert(name, value.clone());
        }
        for (name, value) in of_caller {
            let name: HeaderName = name.parse().map_err(|_| HeaderFault::Name)?;
            extra.insert(name, ascii(value).ok_or(HeaderFault::Value)?);
        }
        let mut map = HeaderMap::new();
        map.insert(header::ACCEPT, accept);
        let mut dropped = Vec::new();
        // Each name is in the map once, so each of its items has a name.
        for (name, value) in extra {
            let Some(name) = name else { continue };
            if is_reserved(&name) || map.contains_key(&name) {
                dropped.push(name);
            } else {
                map.insert(name, value);
            }
        }
        Ok(Self { map, dropped })
    }
}

/// The value of `Accept` that a caller asks for.
///
/// # Errors
///
/// Fails if it is no value of a header in ASCII.
pub(super) fn accept(of_caller: &str) -> Result<HeaderValue, HeaderFault> {
    ascii(of_caller).ok_or(HeaderFault::Accept)
}

/// Servers disagree on what other characters mean.
fn ascii(value: &str) -> Option<HeaderValue> {
    value.parse().ok().filter(|_| value.is_ascii())
}

/// Whether neither the configuration nor a caller may set the header.
///
/// - Microsoft's list: `Authorization`, `Cookie`, `Host`, and what proxies and App Service put before an app,
///   which would name another user, host or address
/// - `Forwarded` and `X-Rewrite-URL`, which say the same
/// - what frames the message or concerns one connection, with which a caller could smuggle a second request:
///   [RFC 9110, section 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)
/// - `Content-*`: the caller's own `Content-Type` describes the body
///
/// Whatever is no letter and no digit counts as `-`: CGI and WSGI servers read `X_Forwarded_For` as
/// `X-Forwarded-For`, and some read `X.Forwarded.For` so.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    // It is in lower case.
    let name = name
        .as_str()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    RESERVED.contains(&&*name)
        || RESERVED_PREFIXES
            .iter()
            .any(|start| name.starts_with(start))
}

const RESERVED: [&str; 19] = [
    "authorization",
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-ms-client-principal",
    "x-ms-client-principal-id",
    "x-ms-client-principal-idp",
    "x-ms-client-principal-name",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];
const RESERVED_PREFIXES: [&str; 4] = ["content-", "proxy-", "x-forwarded-", "x-ms-token-"];

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: HeaderValue = HeaderValue::from_static("application/json");

    fn headers(
        configured: &[(&'static str, &'static str)],
        of_caller: &[(&str, &str)],
    ) -> Result<Headers, HeaderFault> {
        let configured: Vec<_> = configured
            .iter()
            .map(|(name, value)| {
                let name = name.parse().expect("a name");
                (name, HeaderValue::from_static(value))
            })
            .collect();
        Headers::new(JSON, &configured, of_caller.iter().copied())
    }

    #[test]
    fn a_header_of_the_caller_takes_the_place_of_the_configured_one() {
        let headers = headers(
            &[("x-one", "1"), ("x-two", "2")],
            &[("X-TWO", "3"), ("OData-Version", "4.0")],
        );
        let Headers { map, dropped } = headers.expect("headers");
        assert_eq!(map["x-one"], "1");
        assert_eq!(map["x-two"], "3");
        assert_eq!(map["odata-version"], "4.0");
        assert_eq!(map["accept"], "application/json");
        assert_eq!(map.len(), 4);
        assert!(dropped.is_empty());
    }

    #[test]
    fn accept_is_kept_and_an_extra_one_dropped() {
        let headers = headers(&[], &[("accept", "text/html")]).expect("headers");
        assert_eq!(headers.map["accept"], "application/json");
        assert_eq!(headers.dropped, ["accept"]);
    }

    #[test]
    fn reserved_headers_are_dropped_in_any_spelling() {
        for name in [
            "Authorization",
            "AUTHORIZATION",
            "Cookie",
            "Host",
            "X-Original-URL",
            "X-MS-CLIENT-PRINCIPAL",
            "X-MS-CLIENT-PRINCIPAL-ID",
            "x-ms-client-principal-name",
            "X-MS-CLIENT-PRINCIPAL-IDP",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "x-forwarded-proto",
            "X-Forwarded-",
            "X-MS-TOKEN-AAD-ACCESS-TOKEN",
            "X-MS-TOKEN-AAD-ID-TOKEN",
            "x_forwarded_for",
            "X.Forwarded.For",
            "x-forwarded!host",
            "X_Forwarded-Host",
            "x_original_url",
            "X_MS_CLIENT_PRINCIPAL",
            "Transfer_Encoding",
            "Connection",
            "Keep-Alive",
            "Proxy-Authorization",
            "Proxy-Connection",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "HTTP2-Settings",
            "Content-Length",
            "Content-Type",
            "Content-Encoding",
            "Expect",
            "Forwarded",
            "X-Rewrite-URL",
            "X-Original-Host",
        ] {
            let Headers { map, dropped } = headers(&[], &[(name, "evil.test")]).expect(name);
            assert_eq!(map.len(), 1, "{name}: {map:?}");
            assert_eq!(dropped.len(), 1, "{name}");
        }
    }

    #[test]
    fn headers_with_names_that_are_alike_are_sent() {
        for name in [
            "X-Authorization",
            "X-Custom-Header",
            "Authorization-Info",
            "X-Forwarded",
            "Accept-Language",
            "Prefer",
            "ConsistencyLevel",
            "If-Match",
            "User-Agent",
            "x-ms-client-request-id",
        ] {
            let headers = headers(&[], &[(name, "a")]).expect(name);
            assert_eq!(headers.map[name], "a");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for name in [
            "",
            " ",
            "X Custom",
            "X-Custom:",
            "X-Custom\r\nAuthorization",
            "X-Custom\0",
            "X-Cust\u{f6}m",
            "(X)",
            "a/b",
            "X-Custom ",
        ] {
            let fault = headers(&[], &[(name, "a")]).expect_err(name);
            assert_eq!(fault, HeaderFault::Name, "{name:?}");
        }
        for value in [
            "a\r\nAuthorization: Bearer b",
            "a\nb",
            "a\rb",
            "a\0",
            "a\u{7f}",
            "\u{e9}",
            "\u{2028}",
        ] {
            let fault = headers(&[], &[("X-Custom", value)]).expect_err(value);
            assert_eq!(fault, HeaderFault::Value, "{value:?}");
            assert_eq!(accept(value), Err(HeaderFault::Accept), "{value:?}");
        }
        assert_eq!(
            accept("text/html, */*;q=0.1").expect("a value"),
            "text/html, */*;q=0.1"
        );
    }
}
