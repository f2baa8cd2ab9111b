//! What is answered, held against the contract.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderValue, Request, Response,
    header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{AgentPrincipal, EntraAuthLayer, Error, ErrorKind};

use super::within;

/// What came back, and whether the service inside was called.
pub(crate) struct Answer {
    pub(crate) response: Response<String>,
    calls: usize,
    saw_sensitive: bool,
}

/// Sends a request through the layer to a service that says who is calling.
pub(crate) async fn send(layer: &EntraAuthLayer, request: Request<String>) -> Answer {
    let calls = Arc::new(AtomicUsize::new(0));
    let sensitive = Arc::new(AtomicBool::new(
        !request.headers().contains_key(AUTHORIZATION),
    ));
    let (counter, marked) = (Arc::clone(&calls), Arc::clone(&sensitive));
    let inner = service_fn(move |request: Request<String>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let authorization = request.headers().get(AUTHORIZATION);
        let is_sensitive = authorization.is_some_and(HeaderValue::is_sensitive);
        marked.fetch_or(is_sensitive, Ordering::SeqCst);
        let mut response = Response::new("from inside".to_owned());
        if let Some(caller) = request.extensions().get::<AgentPrincipal>() {
            response.extensions_mut().insert(caller.clone());
        }
        async { Ok::<_, Error>(response) }
    });
    let response = within(layer.layer(inner).oneshot(request)).await;
    Answer {
        response: response.expect("a refusal is a response"),
        calls: calls.load(Ordering::SeqCst),
        saw_sensitive: sensitive.load(Ordering::SeqCst),
    }
}

impl Answer {
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        let error = self.response.extensions().get::<Error>();
        error.map(Error::kind)
    }

    #[track_caller]
    pub(super) fn is_admission(&self) -> Option<&AgentPrincipal> {
        assert_eq!(self.kind(), None);
        assert_eq!(self.response.status(), 200);
        assert_eq!(self.response.body(), "from inside");
        assert_eq!(self.calls, 1);
        assert!(self.saw_sensitive, "the token is marked for those inside");
        self.response.extensions().get()
    }

    /// A refusal as the contract has it, byte for byte but for the one text that describes it.
    #[track_caller]
    pub(crate) fn is_refusal(&self, kind: ErrorKind) {
        assert_eq!(self.kind(), Some(kind));
        assert_eq!(self.calls, 0, "the service inside was called");
        assert_eq!(self.response.body(), "");
        let (status, error) = answer_to(kind);
        assert_eq!(self.response.status(), status);
        let headers = self.response.headers();
        assert_eq!(headers.len(), 2, "{headers:?}");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        if kind == ErrorKind::KeysUnavailable {
            let seconds = headers[RETRY_AFTER].to_str().unwrap();
            assert!((1..=300).contains(&seconds.parse::<u64>().unwrap()));
            return;
        }
        let rest = self.challenge().strip_prefix(BARE).unwrap();
        match error {
            None => assert_eq!(rest, ""),
            Some(error) => {
                let begin = format!(", error=\"{error}\"");
                assert_description(kind, rest.strip_prefix(&begin).expect(rest));
            }
        }
    }

    pub(crate) fn challenge(&self) -> &str {
        self.response.headers()[WWW_AUTHENTICATE].to_str().unwrap()
    }
}

/// Status of each kind, and the error code in its challenge, as the contract has them.
fn answer_to(kind: ErrorKind) -> (u16, Option<&'static str>) {
    match kind {
        ErrorKind::MissingToken => (401, None),
        ErrorKind::MultipleCredentials | ErrorKind::MalformedAuthorization => {
            (400, Some("invalid_request"))
        }
        ErrorKind::NothingGranted | ErrorKind::Denied => (403, Some("insufficient_scope")),
        ErrorKind::KeysUnavailable => (503, None),
        _ => (401, Some("invalid_token")),
    }
}

/// Whether a kind says that a token is no good.
pub(crate) fn is_invalid_token(kind: ErrorKind) -> bool {
    answer_to(kind) == (401, Some("invalid_token"))
}

/// The description is a text of the characters that RFC 6750 allows, and always the same one for
/// the same kind. Unknown keys and bad signatures have one between them.
#[track_caller]
fn assert_description(kind: ErrorKind, rest: &str) {
    static SEEN: LazyLock<Mutex<HashMap<ErrorKind, String>>> = LazyLock::new(Mutex::default);

    let fits = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !rest.is_empty() {
        let text = rest
            .strip_prefix(", error_description=\"")
            .and_then(|text| text.strip_suffix('"'))
            .expect(rest);
        assert!(!text.is_empty() && text.bytes().all(fits), "{text}");
    }
    let kind = match kind {
        ErrorKind::UnknownKey | ErrorKind::GraphToken => ErrorKind::InvalidSignature,
        kind => kind,
    };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let first = seen.entry(kind).or_insert_with(|| rest.to_owned());
    assert_eq!(first, rest, "the text depends on what was sent");
}

/// No header and no body holds a segment of the token, or a text from within it.
#[track_caller]
pub(super) fn assert_reveals_nothing(response: &Response<String>, token: &str) {
    let mut answer = response.body().clone();
    for value in response.headers().values() {
        answer.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    let segments = || token.split('.');
    let read = |segment| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok();
    let texts = segments().take(2).filter_map(read).flat_map(texts_in);
    for secret in segments().map(str::to_owned).chain(texts) {
        // Shorter ones a fixed text may well hold.
        if secret.len() >= 8 && !REALM.contains(&secret) {
            assert!(!answer.contains(&secret), "{secret:?} in {answer:?}");
        }
    }
}

/// Every text within: names of members, and values.
fn texts_in(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.into_iter().flat_map(texts_in).collect(),
        Value::Object(members) => members
            .into_iter()
            .flat_map(|(name, value)| [vec![name], texts_in(value)].concat())
            .collect(),
        _ => Vec::new(),
    }
}

/// Configured, and in no token.
pub(crate) const REALM: &str = "the orders";

const BARE: &str = "Bearer realm=\"the orders\"";
