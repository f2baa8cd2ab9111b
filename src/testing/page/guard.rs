//! Which requests are for the page, by their `Host` and `Origin`.
//!
//! A page of the internet can make a browser on this machine send requests here. It can point a name of its own at
//! 127.0.0.1 and then read the answers (DNS rebinding): that name is in `Host`. It can send a POST whose answer it
//! cannot read: its origin is in `Origin`, and without the consent of this server its `Content-Type` is never
//! that of JSON.

use crate::testing::{response::Reply, state::Shared, sts::endpoint::header};

pub(super) fn check(shared: &Shared, head: &str) -> Result<(), Reply> {
    let origins = own_origins(shared);
    let is_own = |host: &str| {
        let authority = |origin: &String| {
            origin
                .split_once("://")
                .is_some_and(|(_, own)| own.eq_ignore_ascii_case(host))
        };
        origins.iter().any(authority)
    };
    if !only(head, "host").is_some_and(is_own) {
        let text = "the host of the request is not this server";
        return Err(Reply::error(403, "foreign_host", text));
    }
    let has_origin = header(head, "origin").is_some();
    let is_own = |origin: &str| origins.iter().any(|own| own.eq_ignore_ascii_case(origin));
    if has_origin && !only(head, "origin").is_some_and(is_own) {
        let text = "the request comes from another origin";
        return Err(Reply::error(403, "foreign_origin", text));
    }
    Ok(())
}

pub(super) fn check_json(head: &str) -> Result<(), Reply> {
    let content_type = only(head, "content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => {
            let text = "the body of the request is not application/json";
            Err(Reply::error(415, "unsupported_media_type", text))
        }
    }
}

/// Loopback by its three names, and the public URL.
fn own_origins(shared: &Shared) -> Vec<String> {
    let port = shared.url.rsplit(':').next().unwrap_or_default();
    let own = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}"));
    let public = shared.settings.public_url.as_deref().and_then(|url| {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next()?;
        Some(format!("{scheme}://{authority}"))
    });
    let mut origins: Vec<_> = own.into_iter().chain(public).collect();
    // A browser leaves out the port that the scheme has by default.
    let short = origins.iter().filter_map(|origin| {
        let (scheme, _) = origin.split_once("://")?;
        let port = if scheme == "https" { ":443" } else { ":80" };
        origin.strip_suffix(port).map(str::to_owned)
    });
    let short: Vec<_> = short.collect();
    origins.extend(short);
    origins
}

/// The value of a header that appears once.
fn only<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value.trim()),
        _ => None,
    }
}
