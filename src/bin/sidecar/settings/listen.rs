//! Where the program listens, as Kestrel reads it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use super::{report::Report, shown::shown, tree::Section, types::Listen};

/// The addresses of `Kestrel:Endpoints`; without one, those of `Urls`; without one, those of `HTTP_PORTS`; without
/// one, [`DEFAULT`].
pub(super) fn listen(root: &Section<'_>, report: &mut Report) -> Vec<Listen> {
    let urls = root.at("Urls");
    let ports = root.at("HTTP_PORTS");
    let endpoints = root.at("Kestrel:Endpoints");
    let endpoints: Vec<_> = endpoints.children().collect();
    let mut listen = Vec::new();
    let https = root.at("HTTPS_PORTS");
    if https.text().is_some() {
        report.wrong(&https, "https is not supported", "HTTP_PORTS", NO_HTTPS);
    }
    if !endpoints.is_empty() {
        for endpoint in endpoints {
            let url = endpoint.at("Url");
            match url.text() {
                Some(text) => listen.extend(addresses(&url, text, report)),
                None => report.wrong(
                    &url,
                    "is not set",
                    A_URL,
                    "Set it to the URL of the endpoint.",
                ),
            }
        }
        for other in [urls, ports] {
            not_used(&other, "Kestrel:Endpoints", report);
        }
    } else if let Some(text) = urls.text() {
        for url in text.split(';').map(str::trim).filter(|url| !url.is_empty()) {
            listen.extend(addresses(&urls, url, report));
        }
        not_used(&ports, "Urls (ASPNETCORE_URLS)", report);
    } else if let Some(text) = ports.text() {
        for port in text
            .split(';')
            .map(str::trim)
            .filter(|port| !port.is_empty())
        {
            match port.parse() {
                Ok(port) => listen.push(every_address(port)),
                Err(_) => {
                    let found = format!("{} is not a port", shown(port));
                    let accepted = "numbers from 0 to 65535, separated by semicolons";
                    report.wrong(&ports, found, accepted, "Set it to such numbers.");
                }
            }
        }
    }
    let mut distinct = Vec::new();
    for address in listen {
        // With port 0 each gets a port of its own.
        let has_port_0 = matches!(address, Listen::Tcp(address) if address.port() == 0);
        if has_port_0 || !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    if distinct.is_empty() {
        distinct.push(Listen::Tcp(DEFAULT));
    }
    distinct
}

/// `Sidecar:MetricsUrl`: one address. The path may be `/metrics`.
pub(super) fn metrics(section: &Section<'_>, report: &mut Report) -> Option<Listen> {
    let text = section.text()?;
    let is_unix = text.to_ascii_lowercase().starts_with(UNIX);
    let url = match text.trim_end_matches('/').strip_suffix("/metrics") {
        Some(url) if !is_unix => url,
        _ => text,
    };
    addresses(section, url, report).into_iter().next()
}

fn not_used(section: &Section<'_>, because: &str, report: &mut Report) {
    if section.text().is_some() {
        report.warn(
            section,
            format!("is not used, because {because} is set. Remove one of them."),
        );
    }
}

/// The addresses of one URL: two for `localhost`, none for one that is wrong.
fn addresses(section: &Section<'_>, url: &str, report: &mut Report) -> Vec<Listen> {
    match parse(url) {
        Ok(addresses) => addresses,
        Err(problem) => {
            let found = match url.contains('@') {
                true => format!("the URL {problem}"),
                false => format!("{} {problem}", shown(url)),
            };
            let advice = if problem == HTTPS {
                NO_HTTPS
            } else {
                "Set it to such a URL."
            };
            report.wrong(section, found, A_URL, advice);
            Vec::new()
        }
    }
}

fn parse(url: &str) -> Result<Vec<Listen>, &'static str> {
    let scheme = |name: &str| {
        url.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    if scheme("https://") {
        return Err(HTTPS);
    }
    if !scheme(HTTP) {
        return Err("is not an http URL");
    }
    if scheme(UNIX) {
        let path = &url[UNIX.len()..];
        return match path.starts_with('/') && path.len() > 1 && !path.contains('\0') {
            true => Ok(vec![Listen::Unix(PathBuf::from(path))]),
            false => Err("names no absolute path of a socket"),
        };
    }
    let rest = &url[HTTP.len()..];
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("has a path, a query or a fragment");
    }
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of an address of IPv6 without a port is inside of its brackets.
        Some((host, port)) if !port.ends_with(']') => {
            (host, port_of(port).ok_or("has no valid port")?)
        }
        _ => (authority, 80),
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = match (bracketed, host) {
        (Some(address), _) => address.parse().ok().map(IpAddr::V6),
        (None, "*" | "+") => return Ok(vec![every_address(port)]),
        (None, host) if host.eq_ignore_ascii_case("localhost") => return Ok(localhost(port)),
        (None, host) => host.parse().ok().map(IpAddr::V4),
    };
    // Kestrel listens at every address for any other name, which is more than it says.
    let address = address.ok_or("has a host that is no address")?;
    Ok(vec![Listen::Tcp(SocketAddr::new(address, port))])
}

fn port_of(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Those of IPv4 too.
fn every_address(port: u16) -> Listen {
    Listen::Tcp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))
}

/// Both loopback addresses at one port. With port 0 they would get two, so there is one.
fn localhost(port: u16) -> Vec<Listen> {
    match port {
        0 => vec![Listen::Tcp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))],
        port => vec![Listen::Localhost(port)],
    }
}

const HTTP: &str = "http://";
const UNIX: &str = "http://unix:";

const HTTPS: &str = "is https, which is not supported";
const NO_HTTPS: &str = "Use http on loopback or a Unix socket, or put a proxy in front.";

const A_URL: &str = "http with an address, *, + or localhost and a port, http://unix:/path, several separated by \
    semicolons";

/// Without any setting. Microsoft's image listens at every address.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
