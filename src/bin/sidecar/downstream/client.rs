//! Sends calls. The token goes to the origin of `BaseUrl` and nowhere else.

use std::{
    error::Error as StdError,
    future::poll_fn,
    iter::successors,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use reqwest::{Response, Url, redirect};
use tokio::time::{Instant, timeout_at};
use tower::{Layer as _, Service};
use tower_entra::acquire::{
    AcquireError, CallError, CloneBody, EntraCallLayer, Scopes, TokenSource,
};

use super::{
    answer::Answer,
    content::Content,
    memory::{Memory, Overflow},
    url::{BaseUrl, LOCALHOST},
};
use crate::settings::Settings;

/// The clients of all calls. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// `None` if no API needs it: it reads the certificates of the system.
    https: Option<reqwest::Client>,
    plain: reqwest::Client,
    follows_redirects: bool,
    max_body: usize,
    /// Of the bodies of requests and answers.
    pub(super) memory: Memory,
}

/// A call that was checked.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) base: BaseUrl,
    /// One of `base`.
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) result: Result<Answer, Fault>,
    /// Whether it was sent once more, with the token for the claims of a challenge.
    pub(super) was_sent_again: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no token any more, or none for the claims of a challenge.
    NoToken(AcquireError),
    NoAnswer(NoAnswer),
}

/// Why there is no answer, though there is a token. Texts are for the log.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Found by the layer that guards the token. The checks of the configuration leave no such call.
    NotSent(String),
    /// No connection, no trusted certificate, or no answer on it.
    Unreachable(String),
    TimedOut,
    TooLarge,
    /// The bodies of other calls leave no room for it.
    NoRoom,
    BrokeOff(String),
}

impl From<NoAnswer> for Fault {
    fn from(fault: NoAnswer) -> Self {
        Self::NoAnswer(fault)
    }
}

impl Clients {
    /// Does no I/O, but for the certificates of the system if an API needs them.
    ///
    /// # Errors
    ///
    /// Fails with the reason why no client can be built.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let urls = settings.apis.values().map(|api| api.base_url.as_deref());
        let mut schemes = urls.map(|url| url.unwrap_or_default().split(':').next());
        let needs_https = schemes.any(|scheme| scheme == Some("https"));
        let https = needs_https.then(|| client().https_only(true).build());
        // A proxy of the environment would see the token.
        let plain = client()
            .no_proxy()
            // Plain http needs no certificates, which not every machine has.
            .tls_certs_only([])
            // Whatever a name server says. The ports are those of the URL.
            .resolve_to_addrs(LOCALHOST, &LOOPBACK)
            .build();
        let reason = |error| with_causes(&error);
        Ok(Self {
            https: https.transpose().map_err(reason)?,
            plain: plain.map_err(reason)?,
            follows_redirects: settings.follow_redirects,
            max_body: MAX_BODY,
            memory: Memory::new(MEMORY),
        })
    }

    /// Sends one call as `source`, and reads its answer.
    ///
    /// A 401 with a claims challenge has it sent once more. Redirects are followed on the same origin only, if
    /// they are followed at all.
    pub(super) async fn call(
        &self,
        call: Call,
        scopes: &Scopes,
        source: TokenSource,
        deadline: Instant,
    ) -> Ended {
        let sent = Arc::new(AtomicU32::new(0));
        let calling = self.answer(call, scopes, source, Arc::clone(&sent));
        let result = timeout_at(deadline, calling).await;
        Ended {
            result: result.unwrap_or_else(|_| Err(NoAnswer::TimedOut.into())),
            was_sent_again: sent.load(Ordering::Relaxed) > 1,
        }
    }

    /// Asks for the head of this `BaseUrl`, without a token, so that a check of the configuration can say whether
    /// the API is reached. Waits without a limit but that of a connection.
    ///
    /// # Errors
    ///
    /// Fails with the reason why there is no answer.
    pub(crate) async fn reach(&self, base_url: &str) -> Result<StatusCode, String> {
        let client = match base_url.starts_with("https:") {
            true => self.https.as_ref().ok_or("there is no client")?,
            false => &self.plain,
        };
        match client.head(base_url).send().await {
            Ok(response) => Ok(response.status()),
            Err(error) => Err(with_causes(&error.without_url())),
        }
    }

    async fn answer(
        &self,
        call: Call,
        scopes: &Scopes,
        source: TokenSource,
        sent: Arc<AtomicU32>,
    ) -> Result<Answer, Fault> {
        let client = match call.base.is_https() {
            true => self.https.as_ref(),
            false => Some(&self.plain),
        };
        let client = client.ok_or_else(|| NoAnswer::NotSent("there is no client".to_owned()))?;
        // The layer takes https or a loopback address. Whether plain http may go elsewhere is a setting, and was
        // checked: here its origin is named as if it were https. It is a name only: the sender knows one URL.
        let origin = call.base.as_https();
        let guard = EntraCallLayer::new(&origin, scopes.clone())
            .map_err(|error| NoAnswer::NotSent(error.to_string()))?
            .acting_as(source)
            .replay(CloneBody);
        let mut service = guard.layer(Sender {
            client: client.clone(),
            url: call.url,
            follows_redirects: self.follows_redirects,
            sent,
        });
        let mut request = Request::new(call.body);
        *request.method_mut() = call.method;
        *request.uri_mut() = Uri::try_from(origin)
            .map_err(|_| NoAnswer::NotSent("BaseUrl has no origin".to_owned()))?;
        *request.headers_mut() = call.headers;
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(fault)?;
        let response = service.call(request).await.map_err(fault)?;
        Ok(self.read(response).await?)
    }

    /// Reads an answer of at most `max_body` bytes, if there is room for it.
    async fn read(&self, mut response: Response) -> Result<Answer, NoAnswer> {
        let broke_off =
            |error: reqwest::Error| NoAnswer::BrokeOff(with_causes(&error.without_url()));
        let mut buffer = self
            .memory
            .buffer(self.max_body, response.content_length())?;
        while let Some(chunk) = response.chunk().await.map_err(broke_off)? {
            buffer.push(&chunk)?;
        }
        let (body, mut room) = buffer.into_parts();
        let beside = Content::most_beside(response.headers(), &body);
        room.grow_to(body.capacity().saturating_add(beside))?;
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
            room,
        })
    }
}

impl From<Overflow> for NoAnswer {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::TooLarge => Self::TooLarge,
            Overflow::Full => Self::NoRoom,
        }
    }
}

fn fault(error: CallError<reqwest::Error>) -> Fault {
    match error {
        CallError::NoToken(error) => Fault::NoToken(error),
        CallError::Inner(error) => NoAnswer::Unreachable(with_causes(&error.without_url())).into(),
        error => NoAnswer::NotSent(error.to_string()).into(),
    }
}

fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIME)
        .redirect(redirect::Policy::none())
        // A POST that was sent may have had its effect.
        .retry(reqwest::retry::never())
        .referer(false)
        .tls_backend_rustls()
        .pool_max_idle_per_host(MAX_IDLE)
        .pool_idle_timeout(IDLE_TIME)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

/// Sends requests to one URL, whatever URL they name.
#[derive(Clone, Debug)]
struct Sender {
    client: reqwest::Client,
    url: Url,
    follows_redirects: bool,
    /// How many requests it was given.
    sent: Arc<AtomicU32>,
}

impl Service<Request<Option<Bytes>>> for Sender {
    type Response = Response;
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = reqwest::Result<Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<reqwest::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Option<Bytes>>) -> Self::Future {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = request.into_parts();
        let mut request = reqwest::Request::new(parts.method, self.url.clone());
        *request.headers_mut() = parts.headers;
        let is_empty = body.as_ref().is_none_or(Bytes::is_empty);
        if is_empty && HAVE_A_BODY.contains(request.method()) {
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_LENGTH, 0.into());
        }
        *request.body_mut() = body.map(reqwest::Body::from);
        let Self {
            client,
            follows_redirects,
            ..
        } = self.clone();
        Box::pin(async move {
            let redirects = if follows_redirects { MAX_REDIRECTS } else { 0 };
            send(&client, request, redirects).await
        })
    }
}

/// Sends a request and those of as many redirects. One more is returned as it is.
async fn send(
    client: &reqwest::Client,
    mut request: reqwest::Request,
    redirects: u8,
) -> reqwest::Result<Response> {
    for _ in 0..redirects {
        let copy = request.try_clone();
        let response = client.execute(request).await?;
        match copy.and_then(|copy| redirected(copy, &response)) {
            Some(next) => request = next,
            None => return Ok(response),
        }
    }
    client.execute(request).await
}

/// The request of a redirect on the same origin, as .NET makes it: 301 and 302 turn a POST into a GET, 303 all
/// but GET and HEAD; 307 and 308 change nothing
/// ([RFC 9110, section 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)).
fn redirected(mut request: reqwest::Request, response: &Response) -> Option<reqwest::Request> {
    let method = request.method();
    let turns_into_get = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
        StatusCode::SEE_OTHER => *method != Method::GET && *method != Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return None,
    };
    let mut locations = response.headers().get_all(header::LOCATION).iter();
    let location = locations.next()?.to_str().ok()?;
    if locations.next().is_some() {
        return None;
    }
    let mut url = request.url().join(location).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.origin() != request.url().origin() {
        return None;
    }
    url.set_fragment(None);
    *request.url_mut() = url;
    if turns_into_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        for name in OF_BODY {
            request.headers_mut().remove(name);
        }
    }
    Some(request)
}

/// The error and its causes, joined by colons; at most 500 characters.
fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let chain = successors(Some(error), |error| (*error).source()).take(9);
    let texts: Vec<String> = chain.map(ToString::to_string).collect();
    texts.join(": ").chars().take(500).collect()
}

const CONNECT_TIME: Duration = Duration::from_secs(2);
/// 28.6 MiB, as for the body of a request.
pub(super) const MAX_BODY: usize = 30_000_000;
/// 256 MiB: eight of the largest bodies.
const MEMORY: usize = 256 * 1024 * 1024;
const MAX_REDIRECTS: u8 = 10;
/// Idle connections kept for each host, and for how long.
const MAX_IDLE: usize = 64;
const IDLE_TIME: Duration = Duration::from_secs(60);
const OF_BODY: [header::HeaderName; 3] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
];
/// Some servers answer these with 411 if they say nothing of a body:
/// [RFC 9110, section 8.6](https://www.rfc-editor.org/rfc/rfc9110#section-8.6).
const HAVE_A_BODY: [Method; 3] = [Method::PATCH, Method::POST, Method::PUT];
const LOOPBACK: [std::net::SocketAddr; 2] = [
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0),
    std::net::SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 0),
];

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
