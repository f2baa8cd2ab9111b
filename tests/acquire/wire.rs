//! An HTTP client that keeps what goes over the wire, uncut.
//!
//! It waits for each answer without giving way to the runtime, so tokio's clock can be paused although the
//! look-alike keeps to the real one.

use std::{
    error::Error as StdError,
    future,
    io::{Read, Write},
    net::TcpStream,
    pin::Pin,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use tower_entra::HttpClient;

#[derive(Clone, Default)]
pub(crate) struct Wire {
    sent: Arc<Mutex<Vec<Sent>>>,
    /// What answers, in place of the look-alike.
    inner: Option<Arc<dyn HttpClient>>,
}

/// A request, and the body of its answer.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// Names and values in their order.
    pub(crate) form: Vec<(String, String)>,
    pub(crate) answer: String,
}

impl Wire {
    /// Keeps what this client sends.
    pub(crate) fn of(inner: impl HttpClient) -> Self {
        Self {
            inner: Some(Arc::new(inner)),
            ..Self::default()
        }
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// The texts of requests and answers that are credentials.
    pub(crate) fn credentials(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sent in self.sent() {
            let of_request = CREDENTIALS.iter().filter_map(|name| sent.parameter(name));
            all.extend(of_request.map(str::to_owned));
            all.extend(sent.token());
        }
        all.sort();
        all.dedup();
        all
    }
}

impl Sent {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.form.iter();
        let (_, value) = pairs.find(|(other, _)| other == name)?;
        Some(value)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of the answer.
    pub(crate) fn token(&self) -> Option<String> {
        let answer: serde_json::Value = serde_json::from_str(&self.answer).ok()?;
        answer["access_token"].as_str().map(str::to_owned)
    }
}

impl HttpClient for Wire {
    fn send(&self, request: Request<Vec<u8>>, most: usize) -> Sending {
        let pairs = form_urlencoded::parse(request.body());
        let mut sent = Sent {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            form: pairs.into_owned().collect(),
            answer: String::new(),
        };
        let all = Arc::clone(&self.sent);
        let keep = move |answer: Answer| {
            let text = |answer: &Response<Vec<u8>>| String::from_utf8(answer.body().clone()).ok();
            sent.answer = answer.as_ref().ok().and_then(text).unwrap_or_default();
            all.lock().unwrap().push(sent);
            answer
        };
        match &self.inner {
            None => Box::pin(future::ready(keep(answer(&request)))),
            Some(inner) => {
                let answer = inner.send(request, most);
                Box::pin(async move { keep(answer.await) })
            }
        }
    }
}

type Sending = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Answer = Result<Response<Vec<u8>>, Failed>;
type Failed = Box<dyn StdError + Send + Sync>;

/// Only loopback is reached.
fn answer(request: &Request<Vec<u8>>) -> Answer {
    let authority = request.uri().authority().ok_or("no authority")?.as_str();
    if !authority.starts_with("127.0.0.1:") {
        return Err("not on loopback".into());
    }
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "POST {} HTTP/1.1\r\n", request.uri().path())?;
    for (name, value) in request.headers() {
        write!(stream, "{name}: {}\r\n", value.to_str()?)?;
    }
    let length = request.body().len();
    write!(
        stream,
        "Host: {authority}\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(request.body())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("no end of the head")?;
    let body = bytes.split_off(end + 4);
    read(std::str::from_utf8(&bytes)?, body)
}

fn read(head: &str, body: Vec<u8>) -> Answer {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let mut response = Response::builder().status(status.ok_or("no status")?);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = HeaderValue::from_str(value.trim())?;
        response = response.header(HeaderName::from_str(name)?, value);
    }
    let response = response.body(body)?;
    let length = response.headers().get("content-length");
    let is_whole = |length: &HeaderValue| {
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        length == Some(response.body().len())
    };
    match length.is_none_or(is_whole) || response.status() != 200 {
        true => Ok(response),
        false => Err("the body ended early".into()),
    }
}

/// Parameters whose value is a credential.
const CREDENTIALS: [&str; 4] = [
    "client_secret",
    "client_assertion",
    "assertion",
    "user_federated_identity_credential",
];
