//! A token endpoint that names in each token what it was asked for, and the clock.

use std::{
    collections::{HashMap, HashSet},
    error::Error as StdError,
    future::pending,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Waker},
    time::Duration,
};

use http::{Request, Response, StatusCode, header};
use shuttle::future::yield_now;
use tower_entra::HttpClient;

/// What a request for a token of a caller is answered. T1 and T2 are always given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A token that lives an hour.
    Token,
    /// 503, and not to be asked again for five minutes.
    Down,
    /// The HTTP client panics.
    Panics,
    /// A token, once as many callers as [`Entra::callers`] is told have asked for one.
    TokenAfter(usize),
    /// A token, but for this scope no answer.
    TokenBut(&'static str),
}

type Answering = Pin<
    Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
>;

/// Other tasks get to run before it answers.
#[derive(Clone)]
pub struct Entra(Arc<Inner>);

struct Inner {
    /// One for each request for a token of a caller; the last one goes on for ever.
    answers: &'static [Answer],
    /// The names of the tokens that were asked for.
    requests: Mutex<Vec<String>>,
    under_way: Mutex<HashSet<String>>,
    most_under_way: AtomicUsize,
    callers: AtomicUsize,
    /// What must never be seen here. A panic would be taken for one of the HTTP client.
    faults: Mutex<Vec<String>>,
}

impl Entra {
    pub fn new(answers: &'static [Answer]) -> Self {
        Self(Arc::new(Inner {
            answers,
            requests: Mutex::default(),
            under_way: Mutex::default(),
            most_under_way: AtomicUsize::new(0),
            callers: AtomicUsize::new(0),
            faults: Mutex::default(),
        }))
    }

    /// The number of requests, for T1 and T2 too.
    pub fn requests(&self) -> usize {
        self.0.requests.lock().unwrap().len()
    }

    pub fn requests_for(&self, name: &str) -> usize {
        let requests = self.0.requests.lock().unwrap();
        requests.iter().filter(|request| *request == name).count()
    }

    pub fn under_way(&self) -> usize {
        self.0.under_way.lock().unwrap().len()
    }

    /// The most requests that were under way at a time.
    pub fn most_under_way(&self) -> usize {
        self.0.most_under_way.load(SeqCst)
    }

    /// A caller has asked, and waits.
    pub fn a_caller_waits(&self) {
        self.0.callers.fetch_add(1, SeqCst);
    }

    /// Whether anything besides the test itself still holds on to this.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 2
    }

    pub fn check(&self) {
        let faults = self.0.faults.lock().unwrap();
        assert!(faults.is_empty(), "{faults:?}");
    }
}

impl HttpClient for Entra {
    fn send(&self, request: Request<Vec<u8>>, _: usize) -> Answering {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let asked = Asked::of(&request);
            let under_way = UnderWay::begin(&inner, &asked);
            let (serial, answer) = inner.answer(&asked);
            yield_now().await;
            if let Answer::TokenAfter(callers) = answer {
                while inner.callers.load(SeqCst) < callers {
                    yield_now().await;
                }
            }
            if let Answer::TokenBut(scope) = answer
                && asked.name.ends_with(&plain(scope))
            {
                pending::<()>().await;
            }
            drop(under_way);
            match answer {
                // Without the hook, which would print the schedule.
                Answer::Panics => resume_unwind(Box::new("a bug of the HTTP client")),
                Answer::Down => {
                    let mut down = Response::new(Vec::new());
                    *down.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    let minutes = header::HeaderValue::from_static("300");
                    down.headers_mut().insert(header::RETRY_AFTER, minutes);
                    Ok(down)
                }
                Answer::Token | Answer::TokenAfter(_) | Answer::TokenBut(_) => {
                    let (name, claims) = (&asked.name, plain(&asked.claims));
                    let body = format!(
                        r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{name}~{claims}~{serial}"}}"#
                    );
                    Ok(Response::new(body.into_bytes()))
                }
            }
        })
    }
}

impl Inner {
    /// The number of the request, and its answer.
    fn answer(&self, asked: &Asked) -> (usize, Answer) {
        let mut requests = self.requests.lock().unwrap();
        let is_last = |name: &str| !name.contains(EXCHANGE);
        let before = requests.iter().filter(|name| is_last(name)).count();
        requests.push(asked.name.clone());
        let answer = match is_last(&asked.name) {
            true => self.answers[before.min(self.answers.len() - 1)],
            false => Answer::Token,
        };
        (requests.len(), answer)
    }

    fn fault(&self, fault: String) {
        self.faults.lock().unwrap().push(fault);
    }
}

/// The keys of the door.
#[derive(Clone)]
pub struct Door {
    pub url: String,
    pub tenant: String,
    pub keys: Vec<u8>,
}

impl HttpClient for Door {
    fn send(&self, request: Request<Vec<u8>>, _: usize) -> Answering {
        let Self { url, tenant, keys } = self;
        let document = format!(
            r#"{{"issuer":"{url}/{tenant}/v2.0","jwks_uri":"{url}/{tenant}/discovery/v2.0/keys"}}"#
        );
        let is_discovery = request.uri().path().ends_with("openid-configuration");
        let body = match is_discovery {
            true => document.into_bytes(),
            false => keys.clone(),
        };
        Box::pin(async { Ok(Response::new(body)) })
    }
}

/// Counts an answer as awaited until it arrives or its future is dropped.
struct UnderWay(Arc<Inner>, String);

impl UnderWay {
    fn begin(inner: &Arc<Inner>, asked: &Asked) -> Self {
        if let Some(fault) = asked.fault() {
            inner.fault(fault);
        }
        let mut under_way = inner.under_way.lock().unwrap();
        if !under_way.insert(asked.name.clone()) {
            inner.fault(format!("two requests at a time for {}", asked.name));
        }
        inner.most_under_way.fetch_max(under_way.len(), SeqCst);
        Self(Arc::clone(inner), asked.name.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.lock().unwrap().remove(&self.1);
    }
}

/// A request, as the form has it.
struct Asked {
    /// That of the token.
    name: String,
    claims: String,
    /// T1 and T2, with the names that they must have.
    assertions: Vec<(String, String)>,
}

impl Asked {
    fn of(request: &Request<Vec<u8>>) -> Self {
        let form: HashMap<_, _> = form_urlencoded::parse(request.body()).collect();
        let field = |name: &str| form.get(name).map_or("", |value| &**value);
        let tenant = request.uri().path().split('/').nth(1).unwrap();
        let (client, fmi_path) = (field("client_id"), field("fmi_path"));
        let t1 = name(&[tenant, BLUEPRINT, client, "", "", EXCHANGE_SCOPE]);
        let t2 = name(&[tenant, client, "", "", "", EXCHANGE_SCOPE]);
        let assertions = [("client_assertion", t1), (FIC, t2)].into_iter();
        let user = field("user_id");
        Self {
            name: name(&[
                tenant,
                client,
                fmi_path,
                user,
                field("assertion"),
                field("scope"),
            ]),
            claims: field("claims").to_owned(),
            assertions: assertions
                .filter(|(assertion, _)| form.contains_key(*assertion))
                .map(|(assertion, expected)| (name_of(field(assertion)).to_owned(), expected))
                .collect(),
        }
    }

    /// Another's assertion in it.
    fn fault(&self) -> Option<String> {
        let mut assertions = self.assertions.iter();
        let (other, own) = assertions.find(|(assertion, expected)| assertion != expected)?;
        Some(format!("{other} and not {own} for {}", self.name))
    }
}

const FIC: &str = "user_federated_identity_credential";

/// The name of a token: tenant, client, `fmi_path`, user, the end of the assertion, scopes.
pub fn name(parts: &[&str; 6]) -> String {
    let [.., assertion, _] = parts;
    let end = &assertion[assertion.len().saturating_sub(16)..];
    let parts = parts.map(|part| plain(if part == *assertion { end } else { part }));
    parts.join("~")
}

/// The name of this token.
pub fn name_of(token: &str) -> &str {
    token.rsplitn(3, '~').last().unwrap()
}

/// The claims for which this token was got, and the number of the request for it.
pub fn claims_and_serial(token: &str) -> (&str, usize) {
    let (rest, serial) = token.rsplit_once('~').unwrap();
    (rest.rsplit_once('~').unwrap().1, serial.parse().unwrap())
}

/// With the characters that a token can have.
pub fn plain(text: &str) -> String {
    let keeps = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    text.chars().filter(keeps).collect()
}

/// Time passes. It stands still otherwise.
pub fn pass(time: Duration) {
    let advance = pin!(tokio_clock::time::advance(time));
    let _ = advance.poll(&mut Context::from_waker(Waker::noop()));
}

pub const BLUEPRINT: &str = "b1b1b1b1-0000-4000-8000-000000000000";
const EXCHANGE: &str = "AzureADTokenExchange";
const EXCHANGE_SCOPE: &str = "api://AzureADTokenExchange/.default";
