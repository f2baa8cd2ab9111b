//! Who may call at all: processes of this machine, by a name of this machine, and no page of a web site.
//!
//! The first rule keeps the tokens of `*Unauthenticated` on the machine. The second one keeps out web pages whose
//! name was pointed at this machine (DNS rebinding): a browser on it sends their name in `Host`. The third one
//! keeps out those that send a request here by its address: they cannot read the answer, but the call of an API
//! would be made. No forwarded header is ever read, since a caller could write one.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header};

use crate::{paths::Target, serve::Peer};

/// The rules for callers.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Where callers from elsewhere and foreign hosts are served.
    is_development: bool,
    has_warned_of_remote: AtomicBool,
    has_warned_of_host: AtomicBool,
    has_warned_of_page: AtomicBool,
}

/// Why a request is refused before its route is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The caller is no process of this machine.
    Remote,
    /// `Host` is no name of this machine, absent, repeated, or not that of the request's target.
    Host,
    /// A browser on this machine sends it for a page of another site.
    Page,
}

impl Gate {
    pub(crate) fn new(is_development: bool) -> Self {
        Self {
            is_development,
            has_warned_of_remote: AtomicBool::new(false),
            has_warned_of_host: AtomicBool::new(false),
            has_warned_of_page: AtomicBool::new(false),
        }
    }

    /// `target` is what the request's path names.
    ///
    /// # Errors
    ///
    /// Fails with the rule that the request breaks.
    pub(crate) fn check<B>(
        &self,
        peer: Peer,
        target: Option<&Target<'_>>,
        request: &Request<B>,
    ) -> Result<(), Refusal> {
        let checked = self.decide(peer, target, request);
        match checked {
            Err(Refusal::Remote) if is_first(&self.has_warned_of_remote) => tracing::warn!(
                hint = "only callers on the same machine are served: share a network namespace with the caller \
                        (one pod, or network_mode: service:…), or listen at http://unix:/path",
                "a caller from elsewhere was answered with 403; no more of these are logged",
            ),
            Err(Refusal::Host) if is_first(&self.has_warned_of_host) => tracing::warn!(
                hint = "call http://localhost, http://127.0.0.1 or http://[::1], or send the header Host: localhost",
                "a request with a foreign Host was answered with 400; no more of these are logged",
            ),
            Err(Refusal::Page) if is_first(&self.has_warned_of_page) => tracing::warn!(
                hint = "call from a program: for a page, its own server calls, without the Origin and Sec-Fetch-Site \
                        of the browser",
                "a request of a page in a browser was answered with 403; no more of these are logged",
            ),
            _ => {}
        }
        checked
    }

    fn decide<B>(
        &self,
        peer: Peer,
        target: Option<&Target<'_>>,
        request: &Request<B>,
    ) -> Result<(), Refusal> {
        let probe = target.filter(|target| target.endpoint.is_probe());
        let is_exempt = probe.is_some_and(|probe| !probe.has_slash_at_end);
        if !self.is_development && !is_exempt && !peer.is_local() {
            return Err(Refusal::Remote);
        }
        let host = host(request)?;
        if self.is_development || probe.is_some() {
            return Ok(());
        }
        match host {
            Some(host) if is_local(host) => {}
            _ => return Err(Refusal::Host),
        }
        match is_of_foreign_page(request.headers()) {
            true => Err(Refusal::Page),
            false => Ok(()),
        }
    }
}

/// The one `Host` of a request. HTTP/1.0 can do without.
fn host<B>(request: &Request<B>) -> Result<Option<&[u8]>, Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    // RFC 9112, section 3.2: a request that lacks the header or has it twice MUST be answered with 400.
    if hosts.next().is_some() || (host.is_none() && request.version() >= Version::HTTP_11) {
        return Err(Refusal::Host);
    }
    // A target with a name of its own (`GET http://localhost/ HTTP/1.1`) overrides `Host`, so they must agree.
    let named = request
        .uri()
        .authority()
        .map(|name| name.as_str().as_bytes());
    match (named, host) {
        (Some(named), Some(host)) if !named.eq_ignore_ascii_case(host) => Err(Refusal::Host),
        (Some(_), None) => Err(Refusal::Host),
        _ => Ok(host),
    }
}

/// By the headers that a browser writes and no page can: [`Sec-Fetch-Site`](https://www.w3.org/TR/fetch-metadata/)
/// and, where the method is not GET or HEAD,
/// [`Origin`](https://fetch.spec.whatwg.org/#origin-header). A page of this machine is a process of it.
fn is_of_foreign_page(headers: &HeaderMap) -> bool {
    let is_known = |site: &HeaderValue| SITES.iter().any(|known| site == known);
    let is_local = |origin: &HeaderValue| {
        let origin = origin.as_bytes();
        let host = ["http://", "https://"]
            .into_iter()
            .find_map(|scheme| origin.strip_prefix(scheme.as_bytes()));
        host.is_some_and(is_local)
    };
    !headers.get_all(SEC_FETCH_SITE).iter().all(is_known)
        || !headers.get_all(header::ORIGIN).iter().all(is_local)
}

/// A name of this machine, at any port.
fn is_local(host: &[u8]) -> bool {
    let after_name = |name: &str| {
        let (start, rest) = host.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name.as_bytes()).then_some(rest)
    };
    let is_port = |rest: &[u8]| match rest {
        [] => true,
        [b':', port @ ..] => (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    ["localhost", "127.0.0.1", "[::1]"]
        .into_iter()
        .filter_map(after_name)
        .any(is_port)
}

fn is_first(has_warned: &AtomicBool) -> bool {
    !has_warned.swap(true, Ordering::Relaxed)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Remote | Self::Page => StatusCode::FORBIDDEN.into_response(),
            Self::Host => {
                let html = [(header::CONTENT_TYPE, "text/html")];
                (StatusCode::BAD_REQUEST, html, INVALID_HOSTNAME).into_response()
            }
        }
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// All but `cross-site`: ports make no other site, so a page at another port of this machine is of the same one.
const SITES: [&str; 3] = ["none", "same-origin", "same-site"];

/// The page of ASP.NET Core's host filter.
const INVALID_HOSTNAME: &str = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \
     \"http://www.w3.org/TR/html4/strict.dtd\">\r\n\
     <HTML><HEAD><TITLE>Bad Request</TITLE>\r\n\
     <META HTTP-EQUIV=\"Content-Type\" CONTENT=\"text/html; charset=us-ascii\"></HEAD>\r\n\
     <BODY><h2>Bad Request - Invalid Hostname</h2>\r\n\
     <hr><p>HTTP Error 400. The request hostname is invalid.</p>\r\n\
     </BODY></HTML>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::Logged;

    const HERE: &str = "127.0.0.1";
    const ELSEWHERE: &str = "10.1.2.3";

    fn peer(address: &str) -> Peer {
        Peer::Tcp((address.parse::<std::net::IpAddr>().expect("an address"), 4).into())
    }

    fn get(path: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::get(path);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).expect("a request")
    }

    fn decide(gate: &Gate, peer: Peer, request: &Request<()>) -> Result<(), Refusal> {
        let target = Target::of(request.uri().path());
        gate.check(peer, target.as_ref(), request)
    }

    fn in_production(address: &str, path: &str, host: &str) -> Result<(), Refusal> {
        decide(&Gate::new(false), peer(address), &get(path, &[host]))
    }

    fn hosts(hosts: &[&str]) -> Result<(), Refusal> {
        decide(&Gate::new(false), peer(HERE), &get("/Validate", hosts))
    }

    #[test]
    fn a_caller_from_elsewhere_is_refused_on_every_route_but_probes() {
        for path in [
            "/Validate",
            "/AuthorizationHeader/x",
            "/AuthorizationHeaderUnauthenticated/x",
            "/DownstreamApi/x",
            "/DownstreamApiUnauthenticated/x",
            "/openapi/v1.json",
            "/unknown",
            "/healthz/x",
            "/healthz/",
            "/readyz/",
            "/",
        ] {
            assert_eq!(
                in_production(ELSEWHERE, path, "localhost"),
                Err(Refusal::Remote),
                "{path}"
            );
        }
        for path in ["/healthz", "/HEALTHZ", "/readyz", "/ReadyZ"] {
            assert_eq!(in_production(ELSEWHERE, path, "10.9.8.7"), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_caller_of_this_machine_is_served() {
        for address in [HERE, "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(in_production(address, "/Validate", "localhost"), Ok(()));
        }
        let request = get("/Validate", &["localhost"]);
        assert_eq!(decide(&Gate::new(false), Peer::Unix, &request), Ok(()));
    }

    #[test]
    fn a_foreign_host_is_refused_on_every_route_but_probes() {
        for path in ["/Validate", "/unknown", "/healthz/x", "/openapi/v1.json"] {
            assert_eq!(
                in_production(HERE, path, "evil.example"),
                Err(Refusal::Host),
                "{path}"
            );
        }
        for path in ["/healthz", "/healthz/", "/readyz", "/readyz/"] {
            assert_eq!(in_production(HERE, path, "evil.example"), Ok(()), "{path}");
        }
    }

    #[test]
    fn names_of_this_machine_are_taken_at_any_port() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost:5178",
            "127.0.0.1",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:8080",
        ] {
            assert_eq!(hosts(&[host]), Ok(()), "{host}");
        }
    }

    #[test]
    fn what_only_resembles_a_name_of_this_machine_is_refused() {
        for host in [
            "",
            " ",
            "localhost.",
            "localhost.evil.example",
            "evil.example",
            "evil.localhost",
            "localhost:",
            "localhost:x",
            "localhost:80x",
            "localhost:123456",
            "localhost:80:80",
            "localhost,evil.example",
            "localhost@evil.example",
            "localhost evil.example",
            "evil.example#localhost",
            "127.0.0.2",
            "127.1",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "[::1",
            "::1",
            "[::1]x",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "sidecar",
        ] {
            assert_eq!(hosts(&[host]), Err(Refusal::Host), "{host:?}");
        }
    }

    #[test]
    fn no_host_and_two_hosts_are_refused_everywhere() {
        let development = Gate::new(true);
        for path in ["/Validate", "/healthz"] {
            for hosts in [&[][..], &["localhost", "localhost"]] {
                let request = get(path, hosts);
                let refused = Err(Refusal::Host);
                assert_eq!(decide(&development, peer(HERE), &request), refused);
                assert_eq!(decide(&Gate::new(false), peer(HERE), &request), refused);
            }
        }
    }

    #[test]
    fn a_probe_with_http_1_0_needs_no_host() {
        let old = |path: &str| {
            let mut request = get(path, &[]);
            *request.version_mut() = Version::HTTP_10;
            decide(&Gate::new(false), peer(ELSEWHERE), &request)
        };
        assert_eq!(old("/healthz"), Ok(()));
        assert_eq!(old("/Validate"), Err(Refusal::Remote));
        let mut request = get("/Validate", &[]);
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(
            decide(&Gate::new(false), peer(HERE), &request),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn a_target_with_a_name_needs_a_host_with_http_1_0_too() {
        for gate in [Gate::new(false), Gate::new(true)] {
            let mut request = get("http://localhost/healthz", &[]);
            *request.version_mut() = Version::HTTP_10;
            assert_eq!(decide(&gate, peer(HERE), &request), Err(Refusal::Host));
            *request.uri_mut() = "/healthz".parse().expect("a path");
            assert_eq!(decide(&gate, peer(HERE), &request), Ok(()));
        }
    }

    #[test]
    fn a_target_with_a_name_must_agree_with_host() {
        let absolute =
            |target: &str, host: &str| decide(&Gate::new(false), peer(HERE), &get(target, &[host]));
        assert_eq!(
            absolute("http://localhost:80/Validate", "LOCALHOST:80"),
            Ok(())
        );
        for (target, host) in [
            ("http://evil.example/Validate", "localhost"),
            ("http://localhost/Validate", "evil.example"),
            ("http://evil.example/Validate", "evil.example"),
            ("http://localhost:81/Validate", "localhost:82"),
            ("http://a@localhost/Validate", "localhost"),
            ("http://evil.example/healthz", "localhost"),
        ] {
            assert_eq!(
                absolute(target, host),
                Err(Refusal::Host),
                "{target} {host}"
            );
        }
    }

    /// A request with this header more.
    fn with(path: &str, name: &str, value: &'static str) -> Request<()> {
        let mut request = get(path, &["localhost"]);
        let name: HeaderName = name.parse().expect("a name");
        let value = HeaderValue::from_static(value);
        request.headers_mut().append(name, value);
        request
    }

    #[test]
    fn a_page_of_another_site_is_refused_on_every_route_but_probes() {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "http://localhost.evil.example"),
            ("origin", "http://localhost@evil.example"),
            ("origin", "chrome-extension://localhost"),
            ("origin", "localhost"),
            ("origin", "null"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin, cross-site"),
            ("sec-fetch-site", ""),
        ] {
            for path in ["/Validate", "/DownstreamApiUnauthenticated/x", "/unknown"] {
                let mut request = with(path, name, value);
                let refused = Err(Refusal::Page);
                let gate = Gate::new(false);
                assert_eq!(decide(&gate, peer(HERE), &request), refused, "{value}");
                let local = HeaderValue::from_static("http://localhost");
                request.headers_mut().append(header::ORIGIN, local);
                assert_eq!(decide(&gate, peer(HERE), &request), refused, "{value}");
                assert_eq!(decide(&Gate::new(true), peer(HERE), &request), Ok(()));
            }
            let probe = with("/healthz", name, value);
            assert_eq!(decide(&Gate::new(false), peer(HERE), &probe), Ok(()));
        }
    }

    #[test]
    fn a_program_and_a_page_of_this_machine_are_served() {
        for (name, value) in [
            // Node.js sends it.
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-site"),
            ("origin", "http://localhost:3000"),
            ("origin", "https://127.0.0.1"),
            ("origin", "http://[::1]:8080"),
        ] {
            let request = with("/Validate", name, value);
            assert_eq!(decide(&Gate::new(false), peer(HERE), &request), Ok(()));
        }
    }

    #[test]
    fn forwarded_headers_change_nothing() {
        let gate = Gate::new(false);
        for name in [
            "x-forwarded-for",
            "forwarded",
            "x-real-ip",
            "x-forwarded-host",
        ] {
            let mut request = get("/Validate", &["localhost"]);
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static("127.0.0.1"));
            assert_eq!(
                decide(&gate, peer(ELSEWHERE), &request),
                Err(Refusal::Remote)
            );
            let mut request = get("/Validate", &["localhost"]);
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static("10.1.2.3"));
            assert_eq!(decide(&gate, peer(HERE), &request), Ok(()));
        }
    }

    #[test]
    fn the_first_refusal_of_each_kind_is_logged_and_no_other() {
        let logged = Logged::start();
        let gate = Gate::new(false);
        let foreign = get("/Validate", &["evil.example"]);
        let good = get("/Validate", &["localhost"]);
        let page = with("/Validate", "origin", "https://evil.example");
        for (peer, request, line) in [
            (peer(ELSEWHERE), &good, "a caller from elsewhere"),
            (peer(HERE), &foreign, "a request with a foreign Host"),
            (peer(HERE), &page, "a request of a page in a browser"),
        ] {
            decide(&gate, peer, request).expect_err("a refusal");
            let lines = logged.take();
            assert!(
                lines.lines().count() == 1 && lines.contains(line),
                "{lines}"
            );
            decide(&gate, peer, request).expect_err("a refusal");
            assert_eq!(logged.take(), "");
        }
        assert_eq!(decide(&Gate::new(false), peer(HERE), &good), Ok(()));
        assert_eq!(logged.take(), "");
    }

    #[test]
    fn development_serves_every_caller_and_every_host() {
        let gate = Gate::new(true);
        let request = get("/Validate", &["evil.example"]);
        assert_eq!(decide(&gate, peer(ELSEWHERE), &request), Ok(()));
    }

    #[test]
    fn the_caller_is_judged_before_the_host() {
        assert_eq!(
            in_production(ELSEWHERE, "/Validate", "evil.example"),
            Err(Refusal::Remote)
        );
    }
}
