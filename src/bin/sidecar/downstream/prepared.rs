//! A call as the configuration and the caller want it: everything but the body and the token.

use http::{HeaderMap, Method};

use super::{
    client::Call,
    headers::{HeaderFault, Headers, accept},
    url::{BaseUrl, RelativePath},
};
use crate::{
    overrides::{Overrides, PREFIX},
    problem::Problem,
    settings::{Api, Settings},
};

/// The call of an API, with the overrides of a caller.
///
/// # Errors
///
/// - 400 for an override that makes no URL below `BaseUrl`, no method or no header
/// - 500 without a `BaseUrl`, and for a configuration that makes no URL
pub(super) fn prepared(
    settings: &Settings,
    name: &str,
    overrides: &Overrides,
) -> Result<Call, Problem> {
    let api = settings.apis.get(name);
    let configured = api.and_then(|api| Some((api, api.base_url.as_deref()?)));
    let Some((api, base_url)) = configured else {
        let hint = format!("Configure DownstreamApis:{name}:BaseUrl, the address of the API.");
        return Err(Problem::unexpected().with_hint(hint));
    };
    let wrong = |key: &str, why: &str| {
        Problem::unexpected().with_hint(format!("DownstreamApis:{name}:{key} {why}."))
    };
    let base =
        BaseUrl::parse(base_url, settings.allow_plain_http).map_err(|why| wrong("BaseUrl", why))?;
    let path = match &overrides.relative_path {
        Some(path) => RelativePath::parse(path).map_err(|why| refused(RELATIVE_PATH, why))?,
        None => {
            let path = RelativePath::parse(&api.relative_path);
            path.map_err(|why| wrong(RELATIVE_PATH, why))?
        }
    };
    let url = base
        .call(&path, parameters(api, overrides).into_iter())
        .map_err(|why| refused("RelativePath or ExtraQueryParameters", why))?;
    let method = match &overrides.http_method {
        Some(text) => method(text).ok_or_else(|| refused(HTTP_METHOD, NO_METHOD))?,
        None => {
            let method = method(api.http_method.as_str());
            method.ok_or_else(|| wrong(HTTP_METHOD, NO_METHOD))?
        }
    };
    Ok(Call {
        base,
        url,
        method,
        headers: headers(name, api, overrides)?,
        body: None,
    })
}

fn headers(name: &str, api: &Api, overrides: &Overrides) -> Result<HeaderMap, Problem> {
    let of_caller = overrides.headers.iter();
    let accept = match &overrides.accept {
        Some(text) => accept(text),
        None => Ok(api.accept.clone()),
    };
    let headers = accept.and_then(|accept| Headers::new(accept, &api.headers, of_caller));
    let Headers { map, dropped } = headers.map_err(|fault| match fault {
        HeaderFault::Accept => refused("AcceptHeader", "is no value of a header"),
        HeaderFault::Name => refused("ExtraHeaderParameters", "has a name that no header has"),
        HeaderFault::Value => refused("ExtraHeaderParameters", "has a value that no header has"),
    })?;
    for header in dropped {
        tracing::warn!(
            api = name,
            header = header.as_str(),
            "an extra header is not sent: its name is reserved, or it is set"
        );
    }
    Ok(map)
}

/// Those of the caller take the place of those configured. Letter case makes no difference: some servers would
/// see both.
fn parameters<'a>(api: &'a Api, overrides: &'a Overrides) -> Vec<(&'a str, &'a str)> {
    let of_caller: Vec<_> = overrides.query.iter().collect();
    let is_replaced = |name: &str| {
        let mut names = of_caller.iter().map(|(name, _)| name);
        names.any(|other| other.eq_ignore_ascii_case(name))
    };
    let configured = api.query.iter().filter(|(name, _)| !is_replaced(name));
    let configured = configured.map(|(name, value)| (&**name, &**value));
    configured.chain(of_caller.iter().copied()).collect()
}

/// A method, in any letter case if it is one of [`KNOWN`]. `None` for `CONNECT`, which opens a tunnel,
/// for `TRACE`, whose answer has the token in it, and for `TRACK` and `DEBUG`, with which some servers do the
/// same or more.
fn method(text: &str) -> Option<Method> {
    let known = KNOWN
        .iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(text));
    let method = match known {
        Some(method) => method.clone(),
        None => Method::from_bytes(text.as_bytes()).ok()?,
    };
    let is_refused = NEVER_SENT
        .iter()
        .any(|name| name.eq_ignore_ascii_case(method.as_str()));
    (!is_refused).then_some(method)
}

fn refused(parameter: &str, why: &str) -> Problem {
    Problem::bad_request(format!("{PREFIX}{parameter} {why}."))
}

const RELATIVE_PATH: &str = "RelativePath";
const HTTP_METHOD: &str = "HttpMethod";
const NO_METHOD: &str = "is no HTTP method that can be sent";
/// `TRACK` is the `TRACE` of IIS, and `DEBUG` attaches a debugger to ASP.NET.
const NEVER_SENT: [&str; 4] = ["CONNECT", "DEBUG", "TRACE", "TRACK"];
/// Those that .NET writes in upper case.
const KNOWN: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_methods_are_read_in_any_letter_case() {
        for (text, expected) in [
            ("Get", "GET"),
            ("get", "GET"),
            ("pOsT", "POST"),
            ("PATCH", "PATCH"),
            ("Delete", "DELETE"),
            ("head", "HEAD"),
            ("Options", "OPTIONS"),
            ("MERGE", "MERGE"),
            ("Report", "Report"),
        ] {
            assert_eq!(method(text).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_method_opens_a_tunnel_or_shows_the_token_is_refused() {
        for text in [
            "", " ", "GET ", "GET /", "GET\r\n", "G\u{e9}T", "Connect", "CONNECT", "trace",
            "TRACE", "TRACK", "track", "DEBUG", "Debug",
        ] {
            assert_eq!(method(text), None, "{text:?}");
        }
    }
}
