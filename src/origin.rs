//! Scheme, host and port of a URL: what two URLs must share to be of one server.

use std::net::IpAddr;

use http::Uri;

/// Scheme, host and port, with the scheme's own port left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// Reads a URL that must be only an origin; one trailing slash makes no difference.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let url = url.strip_suffix('/').unwrap_or(url);
        let uri: Uri = url.parse().map_err(|_| "is not a URL")?;
        let origin = Self::of(url).ok_or("is not an http or https URL with a host")?;
        if uri.path() != "/" || uri.query().is_some() || url.ends_with('/') || url.contains('#') {
            return Err("must be scheme and host only, without a path");
        }
        Ok(origin)
    }

    pub(crate) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri
            .scheme_str()
            .filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        match (scheme, authority.port_u16()) {
            // A port that is not a number is refused.
            (_, None) if authority.as_str().len() != host.len() => None,
            (_, None) | ("http", Some(80)) | ("https", Some(443)) => {
                Some(Self(format!("{scheme}://{host}")))
            }
            (_, Some(port)) => Some(Self(format!("{scheme}://{host}:{port}"))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, in lower case, without a port.
    pub(crate) fn host(&self) -> &str {
        let (_, authority) = self.0.split_once("://").unwrap_or_default();
        // The colons of an IPv6 address are inside brackets.
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    pub(crate) fn is_loopback_address(&self) -> bool {
        let uri: Option<Uri> = self.0.parse().ok();
        uri.as_ref()
            .and_then(Uri::host)
            .and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok())
            .is_some_and(|address| address.is_loopback())
    }
}
