//! Tests of the cache on a paused clock: each fetch is a closure of the test.

use std::sync::{
    Mutex as StdMutex,
    atomic::{AtomicU64, AtomicUsize},
};

use tokio::{task::JoinSet, time};

use super::*;
use crate::{
    acquire::{error::Failure, key::Actor, kind::AcquireErrorKind, scopes::Scopes},
    secret::Secret,
};

/// A cache, and the token endpoint that its flights ask.
#[derive(Clone)]
struct Desk {
    cache: TokenCache,
    endpoint: Arc<Endpoint>,
}

struct Endpoint {
    /// The claims of each request.
    requests: StdMutex<Vec<Option<Arc<str>>>>,
    answer: StdMutex<Answer>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    tokens: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// A token that lives this many seconds.
    Token(u64),
    Fails {
        kind: AcquireErrorKind,
        is_transient: bool,
        retry_after: Option<u64>,
    },
    Panics,
    Hangs,
}

impl Desk {
    fn new() -> Self {
        Self::with(AcquireSettings::default())
    }

    fn with(settings: AcquireSettings) -> Self {
        Self {
            cache: TokenCache::new(settings),
            endpoint: Arc::new(Endpoint {
                requests: StdMutex::default(),
                answer: StdMutex::new(Answer::Token(3_600)),
                at_once: AtomicUsize::new(0),
                most_at_once: AtomicUsize::new(0),
                tokens: AtomicU64::new(0),
            }),
        }
    }

    fn answer(&self, answer: Answer) -> &Self {
        *self.endpoint.answer.lock().expect("an answer") = answer;
        self
    }

    fn fails(&self, kind: AcquireErrorKind, is_transient: bool, retry_after: Option<u64>) {
        self.answer(Answer::Fails {
            kind,
            is_transient,
            retry_after,
        });
    }

    fn requests(&self) -> usize {
        self.endpoint.requests.lock().expect("requests").len()
    }

    fn claims(&self) -> Vec<Option<String>> {
        let requests = self.endpoint.requests.lock().expect("requests");
        let claims = requests.iter().map(|claims| claims.as_deref());
        claims.map(|claims| claims.map(str::to_owned)).collect()
    }

    async fn get(&self, key: &Key, wanted: Wanted) -> Result<(AccessToken, Source), AcquireError> {
        self.get_at(key, wanted, Place::Own).await
    }

    async fn get_at(
        &self,
        key: &Key,
        wanted: Wanted,
        place: Place,
    ) -> Result<(AccessToken, Source), AcquireError> {
        let endpoint = Arc::clone(&self.endpoint);
        self.cache
            .get(key, wanted, place, |claims| endpoint.fetch(claims))
            .await
    }

    /// The text of a token.
    async fn token(&self, key: &Key, wanted: Wanted) -> String {
        let (token, _) = self.get(key, wanted).await.expect("a token");
        token.secret().to_owned()
    }

    async fn error(&self, key: &Key, wanted: Wanted) -> AcquireError {
        self.get(key, wanted).await.expect_err("no token")
    }

    fn spawn(
        &self,
        tasks: &mut JoinSet<Result<(AccessToken, Source), AcquireError>>,
        key: &Key,
        wanted: Wanted,
    ) {
        let (desk, key) = (self.clone(), key.clone());
        tasks.spawn(async move { desk.get(&key, wanted).await });
    }

    fn entries(&self) -> usize {
        read(&self.cache.0.slots).len()
    }
}

impl Endpoint {
    /// One request, which takes 200 ms.
    async fn fetch(self: Arc<Self>, claims: Option<Arc<str>>) -> Result<AccessToken, AcquireError> {
        let asked = Moment::now();
        self.requests.lock().expect("requests").push(claims);
        let answer = *self.answer.lock().expect("an answer");
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        time::sleep(LATENCY).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match answer {
            Answer::Token(lives) => {
                let number = self.tokens.fetch_add(1, Ordering::SeqCst) + 1;
                let text = Secret::new(format!("token-{number}"));
                let lives = Duration::from_secs(lives);
                Ok(AccessToken::new(text, "a/.default", asked, lives, None).expect("a token"))
            }
            Answer::Fails {
                kind,
                is_transient,
                retry_after,
            } => Err(AcquireError::new(Failure {
                retry_after: retry_after.map(Duration::from_secs),
                is_transient,
                ..Failure::new(kind, "the endpoint refuses it", "Ask again.")
            })),
            Answer::Panics => panic!("a bug"),
            Answer::Hangs => std::future::pending().await,
        }
    }
}

fn key(agent: usize) -> Key {
    let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    Key {
        tenant: id(0).parse().expect("a GUID"),
        actor: Actor::Agent(id(agent).parse().expect("a GUID")),
        scopes: Scopes::default_of("api://a").expect("a scope"),
    }
}

fn challenge(claims: &str, refused: Option<&AccessToken>) -> Wanted {
    Wanted::For {
        claims: claims.into(),
        refused: refused.cloned(),
    }
}

async fn pass(seconds: u64) {
    time::advance(Duration::from_secs(seconds)).await;
}

const LATENCY: Duration = Duration::from_millis(200);

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_then_handed_out() {
    let desk = Desk::new();
    let first = desk.get(&key(1), Wanted::Any).await.expect("a token");
    assert_eq!(first.1, Source::Started);
    for _ in 0..10 {
        let (token, source) = desk.get(&key(1), Wanted::Any).await.expect("a token");
        assert!(token.is(&first.0));
        assert_eq!(source, Source::Cache);
        pass(250).await;
    }
    assert_eq!(desk.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_callers_share_one_flight() {
    let desk = Desk::new();
    let mut tasks = JoinSet::new();
    for _ in 0..10_000 {
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
    }
    let mut started = 0;
    for (token, source) in tasks.join_all().await.into_iter().flatten() {
        assert_eq!(token.secret(), "token-1");
        assert_ne!(source, Source::Cache);
        started += usize::from(source == Source::Started);
    }
    assert_eq!((desk.requests(), started), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn its_failure_is_everybodys_and_remembered_for_five_seconds() {
    let desk = Desk::new();
    desk.fails(AcquireErrorKind::ConsentRequired, false, None);
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        desk.spawn(&mut tasks, &key(1), Wanted::Any);
    }
    for result in tasks.join_all().await {
        let error = result.expect_err("no consent");
        assert_eq!(error.kind(), AcquireErrorKind::ConsentRequired);
        assert_eq!(error.retry_after(), None);
    }
    time::advance(Duration::from_millis(4_999)).await;
    for wanted in [Wanted::Any, Wanted::Fresh, challenge("c", None)] {
        let error = desk.error(&key(1), wanted).await;
        assert_eq!(error.kind(), AcquireErrorKind::ConsentRequired);
    }
    assert_eq!(desk.requests(), 1);
    desk.answer(Answer::Token(3_600));
    assert_eq!(desk.token(&key(2), Wanted::Any).await, "token-1");
    assert_eq!(desk.token(&key(1), Wanted::Any).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_ends_nothing_and_strands_no_other() {
    let desk = Desk::new();
    let mut leader = JoinSet::new();
    desk.spawn(&mut leader, &key(1), Wanted::Any);
    time::sleep(LATENCY / 4).await;
    let mut followers = JoinSet::new();
    for _ in 0..10 {
        desk.spawn(&mut followers, &key(1), Wanted::Any);
    }
    time::sleep(LATENCY / 4).await;
    leader.shutdown().await;
    for result in followers.join_all().await {
        assert_eq!(result.expect("a token").1, Source::Joined);
    }
    assert_eq!(desk.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flight_whose_callers_have_all_gone_still_brings_its_token() {
    let desk = Desk::new();
    let mut leader = JoinSet::new();
    desk.spawn(&mut leader, &key(1), Wanted::Any);
    time::sleep(LATENCY / 2).await;
    leader.shutdown().await;
    time::sleep(LATENCY).await;
    let (token, source) = desk.get(&key(1), Wanted::Any).await.expect("a token");
    assert_eq!((token.secret(), source), ("token-1", Source::Cache));
}
