//! The one API to which requests and their tokens go.

use std::net::Ipv6Addr;

use http::{HeaderValue, Uri};

use crate::{acquire::Scopes, config_error::ConfigError, origin::Origin};

/// An API: its origin, and what a token for it is asked for.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) scopes: Scopes,
    origin: Origin,
    scheme: &'static str,
    port: u16,
    /// Host and port, the value of `Host`.
    authority: HeaderValue,
}

/// What the URL of a request says of where it goes.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "only the layer asks for one")]
pub struct Destination<'r> {
    pub(super) scheme: &'r str,
    /// With the brackets of an IPv6 address.
    pub(super) host: &'r str,
    /// That of the scheme if the URL has none.
    pub(super) port: u16,
}

impl Api {
    /// Reads `https://host`, with a port if it is not the scheme's own. `http` only to a loopback address.
    pub(super) fn new(url: &str, scopes: Scopes) -> Result<Self, ConfigError> {
        // A password is not shown.
        let shown = match url.contains('@') {
            true => "a URL with a user".to_owned(),
            false => format!("{url:?}"),
        };
        let wrong = |problem: &str| ConfigError::new("api", format!("{shown} {problem}"));
        let origin = Origin::parse(url).map_err(wrong)?;
        if !origin.is_https() && !origin.is_loopback_address() {
            return Err(wrong(
                "is not https. Over http a token goes only to a loopback address, such as 127.0.0.1",
            ));
        }
        let uri: Uri = (origin.as_str().parse()).map_err(|_| wrong("is not a URL"))?;
        let destination = Destination::of(&uri).ok_or_else(|| wrong("is not a URL with a host"))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let authority =
            HeaderValue::try_from(authority).map_err(|_| wrong("has a host that is no header"))?;
        Ok(Self {
            scopes,
            scheme: if origin.is_https() { HTTPS } else { HTTP },
            port: destination.port,
            authority,
            origin,
        })
    }

    pub(super) fn as_str(&self) -> &str {
        self.origin.as_str()
    }

    /// The value of `Host` in a request to it.
    pub(super) fn authority(&self) -> HeaderValue {
        self.authority.clone()
    }

    /// Whether a request with this destination goes to it.
    pub(super) fn is(&self, destination: Destination<'_>) -> bool {
        destination.scheme == self.scheme
            && destination.port == self.port
            && is_same_host(destination.host, self.origin.host())
    }
}

impl<'r> Destination<'r> {
    /// `None` without a scheme of HTTP or without a host: what a service inside would fill in is unknown
    /// here. `None` also if there is a user in it, or anything behind the host but a port.
    pub(super) fn of(uri: &'r Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let authority = uri.authority()?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)? {
            "" => default_port(scheme)?,
            rest => port(rest.strip_prefix(':')?)?,
        };
        let is_known = default_port(scheme).is_some() && !host.is_empty();
        is_known.then_some(Self { scheme, host, port })
    }
}

/// Letter case makes no difference, nor does the way to write an IPv6 address. A name with a dot at its end
/// is another name.
fn is_same_host(one: &str, other: &str) -> bool {
    let is_same_address = || Some(ipv6(one)? == ipv6(other)?);
    one.eq_ignore_ascii_case(other) || is_same_address() == Some(true)
}

fn ipv6(host: &str) -> Option<Ipv6Addr> {
    let address = host.strip_prefix('[')?.strip_suffix(']')?;
    address.parse().ok()
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        HTTP => Some(80),
        HTTPS => Some(443),
        _ => None,
    }
}

/// Digits only: the standard library's reader takes a sign.
fn port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

const HTTP: &str = "http";
const HTTPS: &str = "https";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Api, ConfigError> {
        Api::new(url, Scopes::default_of("api://orders").expect("a scope"))
    }

    #[track_caller]
    fn api(url: &str) -> Api {
        read(url).expect("an API")
    }

    #[track_caller]
    fn goes_to(api: &Api, url: &str) -> bool {
        let uri: Uri = url.parse().expect("a URI");
        Destination::of(&uri).is_some_and(|destination| api.is(destination))
    }

    #[test]
    fn an_api_is_one_https_origin_or_one_on_a_loopback_address() {
        for (url, origin, host) in [
            ("https://api.example", "https://api.example", "api.example"),
            (
                "https://API.Example:443/",
                "https://api.example",
                "api.example",
            ),
            (
                "https://api.example:8443",
                "https://api.example:8443",
                "api.example:8443",
            ),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080",
                "127.0.0.1:8080",
            ),
            ("http://127.9.8.7", "http://127.9.8.7", "127.9.8.7"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
            (
                "https://[2001:db8::1]:8443",
                "https://[2001:db8::1]:8443",
                "[2001:db8::1]:8443",
            ),
        ] {
            let api = api(url);
            assert_eq!(api.as_str(), origin);
            assert_eq!(api.authority(), host);
        }
    }

    #[test]
    fn anything_else_is_a_wrong_configuration() {
        for (url, words) in [
            ("", "is not a URL"),
            ("api.example", "with a host"),
            ("https://", "is not a URL"),
            ("https://api.example/v1", "without a path"),
            ("https://api.example//", "without a path"),
            ("https://api.example?a", "without a path"),
            ("https://api.example#a", "without a path"),
            ("https://user@api.example", "with a host"),
            ("https://user:secret@api.example", "with a host"),
            ("https://api.example:", "with a host"),
            ("https://api.example:port", "with a host"),
            ("https://api.example:65536", "with a host"),
            ("ftp://api.example", "with a host"),
            ("ftp://127.0.0.1:21", "with a host"),
            ("http://:80", "with a host"),
            ("http://api.example", "127.0.0.1"),
            ("http://localhost:8080", "127.0.0.1"),
            ("http://10.0.0.1", "127.0.0.1"),
            ("http://127.0.0.1.example", "127.0.0.1"),
            ("http://[::2]", "127.0.0.1"),
        ] {
            let error = read(url).map(drop).expect_err(url);
            assert_eq!(error.setting(), "api");
            assert!(error.problem().contains(words), "{error}");
            assert!(!error.problem().contains("secret"), "{error}");
            let is_shown = error.problem().contains(&format!("{url:?}"));
            assert_eq!(is_shown, !url.contains('@'), "{error}");
        }
    }

    #[test]
    fn the_forms_of_one_origin_are_one() {
        let named = api("https://api.example");
        for url in [
            "https://api.example/",
            "https://api.example/a?b=https://evil.example",
            "HTTPS://API.example/",
            "https://api.example:443/",
            "https://api.example:0443/",
            "https://api.example//evil.example/",
        ] {
            assert!(goes_to(&named, url), "{url}");
        }
        let address = api("https://[2001:DB8:0::1]:8443");
        assert!(goes_to(&address, "https://[2001:db8::1]:8443/"));
        assert!(goes_to(&address, "https://[2001:db8:0:0:0:0:0:1]:8443/"));
        assert!(!goes_to(&address, "https://[2001:db8::2]:8443/"));
        assert!(!goes_to(&address, "https://[2001:db8::1]/"));
    }

    #[test]
    fn every_other_origin_is_another() {
        let api = api("https://api.example");
        for url in [
            "http://api.example/",
            "http://api.example:443/",
            "ws://api.example/",
            "https://api.example:80/",
            "https://api.example:8443/",
            "https://api.example:/",
            "https://:443/",
            "https://api.example:+443/",
            "https://api.example./",
            "https://api.example.evil.example/",
            "https://evil-api.example/",
            "https://sub.api.example/",
            "https://api.exampl/",
            "https://api%2eexample/",
            "https://%61pi.example/",
            "https://user@api.example/",
            "https://user:secret@api.example/",
            "https://@api.example/",
            "https://api.example@evil.example/",
            "https://api.example:443@evil.example/",
            "https://[::1]/",
            "/path",
            "//api.example/path",
            "*",
            "api.example",
            "api.example:443",
        ] {
            // What is no URI for the http crate reaches no service.
            if let Ok(uri) = url.parse::<Uri>() {
                let destination = Destination::of(&uri);
                assert!(!destination.is_some_and(|to| api.is(to)), "{url}");
            }
        }
    }
}
