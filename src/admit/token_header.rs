//! The header that a request carries its token in.

use std::{fmt, sync::Arc};

use http::header::{AUTHORIZATION, HeaderName};

use crate::config_error::ConfigError;

/// The one header that tokens are read from. A clone allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum TokenHeader {
    #[default]
    Authorization,
    Other(Arc<HeaderName>),
}

impl TokenHeader {
    /// Refuses the names that a page's script cannot set either: a browser or an HTTP connection writes
    /// these headers. A cookie without a name, set by a subdomain, would make a browser send its token
    /// with every request.
    pub(crate) fn of(name: HeaderName) -> Result<Self, ConfigError> {
        let text = name.as_str();
        let is_forbidden = FORBIDDEN.contains(&text)
            || FORBIDDEN_PREFIXES
                .iter()
                .any(|prefix| text.starts_with(prefix));
        if is_forbidden {
            let problem =
                format!("{text:?} is a header that browsers, proxies or connections write");
            return Err(ConfigError::new("token_header", problem));
        }
        Ok(match name {
            AUTHORIZATION => Self::Authorization,
            name => Self::Other(name.into()),
        })
    }

    pub(crate) fn name(&self) -> &HeaderName {
        static DEFAULT: HeaderName = AUTHORIZATION;
        match self {
            Self::Authorization => &DEFAULT,
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for TokenHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization => f.write_str("Authorization"),
            // Lower case, and only characters of RFC 9110, section 5.6.2.
            Self::Other(name) => f.write_str(name.as_str()),
        }
    }
}

/// The [forbidden request-headers](https://fetch.spec.whatwg.org/#forbidden-request-header) of Fetch.
const FORBIDDEN: [&str; 22] = [
    "accept-charset",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

const FORBIDDEN_PREFIXES: [&str; 2] = ["proxy-", "sec-"];

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str) -> Result<TokenHeader, ConfigError> {
        TokenHeader::of(name.parse().expect("a name"))
    }

    #[test]
    fn a_header_that_comes_by_itself_carries_no_token() {
        for name in FORBIDDEN.iter().chain(&[
            "Cookie",
            "Proxy-Authorization",
            "Proxy-Authenticate",
            "Sec-WebSocket-Protocol",
            "sec-x",
        ]) {
            let refused = header(name).expect_err(name);
            assert_eq!(refused.setting(), "token_header");
            assert_eq!(
                refused.problem(),
                format!(
                    "{:?} is a header that browsers, proxies or connections write",
                    name.to_lowercase()
                )
            );
        }
    }

    #[test]
    fn any_other_header_does() {
        for name in [
            "X-Forwarded-Authorization",
            "cookies",
            "x-cookie",
            "proxy",
            "second",
            "!#$%&'*+-.^_`|~9",
        ] {
            let header = header(name).expect("a good name");
            assert_eq!(header.to_string(), name.to_lowercase());
            assert_eq!(header.name(), name);
        }
    }

    #[test]
    fn authorization_by_name_is_the_default() {
        assert_eq!(header("AUTHORIZATION"), Ok(TokenHeader::default()));
        assert_eq!(TokenHeader::default().name(), AUTHORIZATION);
        assert_eq!(TokenHeader::default().to_string(), "Authorization");
    }
}
