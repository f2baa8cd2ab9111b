//! Requests and the task that fetches keys, in many thousands of orders.
//!
//! Nothing here has a clock: a time limit never passes. A task that only a timeout would wake waits for
//! ever, which the model checker reports as a deadlock. A test that ends has lost no wake-up.
//!
//! Tasks switch where they take a lock, touch an atomic, or use one of tokio's primitives; the code
//! between two of these is one step, the swap of the key set included. `tests/keys/races.rs` tries
//! that one with real threads.
//!
//! `INTERLEAVINGS=100000 cargo test --release` looks at more orders of each scenario than the usual
//! 300 of each kind.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response, StatusCode, header};
use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use tower_entra::{Authority, ErrorKind, HttpClient, KeySettings, Tenants, Validator};

/// Tokens and documents of one authority before and after it has got a new key. The real crate makes
/// them, once.
struct Fixture {
    url: String,
    tenant: String,
    audience: String,
    old_keys: Vec<u8>,
    new_keys: Vec<u8>,
    /// By the key that is in both.
    old: String,
    /// By the key that is new.
    new: String,
    /// By a key that will never be published.
    invented: String,
    /// Signed by an unknown key, under the `kid` of the old one.
    forged: String,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let issuer = genuine::testing::Issuer::start_blocking();
    let old_keys = issuer.keys_document();
    let old = issuer.user().mint();
    let invented = issuer.user().header("kid", "invented").mint();
    let forged = issuer.user().signed_by_stranger().mint();
    issuer.rotate();
    Fixture {
        url: issuer.url(),
        tenant: issuer.tenant_id().to_owned(),
        audience: issuer.audience().to_owned(),
        old_keys,
        new_keys: issuer.keys_document(),
        old,
        new: issuer.user().mint(),
        invented,
        forged,
    }
});

/// What the authority answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    OldKeys,
    NewKeys,
    /// 503, and not to be asked again for five minutes.
    Down,
}

use Answer::{Down, NewKeys, OldKeys};

/// The authority. Others get to run before it answers.
#[derive(Clone)]
struct Client(Arc<Inner>);

struct Inner {
    /// One for each fetch; the last one goes on for ever.
    answers: &'static [Answer],
    fetches: AtomicUsize,
    under_way: AtomicUsize,
}

impl Client {
    fn new(answers: &'static [Answer]) -> Self {
        Self(Arc::new(Inner {
            answers,
            fetches: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
        }))
    }

    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }

    /// Whether anything besides the test itself still holds on to this.
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl HttpClient for Client {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let others = inner.under_way.fetch_add(1, Ordering::SeqCst);
            assert_eq!(others, 0, "two fetches at a time");
            let under_way = UnderWay(Arc::clone(&inner));
            let is_discovery = request.uri().path().ends_with("openid-configuration");
            if is_discovery {
                inner.fetches.fetch_add(1, Ordering::SeqCst);
            }
            let fetch = inner.fetches.load(Ordering::SeqCst);
            let answer = inner.answers[(fetch - 1).min(inner.answers.len() - 1)];
            yield_now().await;
            drop(under_way);
            let Fixture { url, tenant, .. } = &*FIXTURE;
            let document = format!(
                r#"{{"issuer":"{url}/{tenant}/v2.0","jwks_uri":"{url}/{tenant}/discovery/v2.0/keys"}}"#
            );
            Ok(match (answer, is_discovery) {
                (Answer::Down, _) => {
                    let mut down = Response::new(Vec::new());
                    *down.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    let minutes = header::HeaderValue::from_static("300");
                    down.headers_mut().insert(header::RETRY_AFTER, minutes);
                    down
                }
                (_, true) => Response::new(document.into_bytes()),
                (Answer::OldKeys, false) => Response::new(FIXTURE.old_keys.clone()),
                (Answer::NewKeys, false) => Response::new(FIXTURE.new_keys.clone()),
            })
        })
    }
}

/// Counts an answer as awaited until it arrives or its future is dropped.
struct UnderWay(Arc<Inner>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

fn validator(client: &Client) -> Validator {
    let tenants = Tenants::single(&*FIXTURE.tenant);
    Validator::builder(tenants, [&*FIXTURE.audience])
        .authority(Authority::insecure_loopback(&*FIXTURE.url))
        .key_settings(KeySettings::default())
        .http_client(client.clone())
        .build()
        .unwrap()
}

/// A request on a task of its own.
fn request(validator: &Validator, token: &'static str) -> JoinHandle<Result<(), ErrorKind>> {
    let validator = validator.clone();
    spawn(async move { outcome(&validator, token).await })
}

async fn outcome(validator: &Validator, token: &str) -> Result<(), ErrorKind> {
    let verdict = validator.validate(token).await;
    verdict.map(drop).map_err(|error| error.kind())
}

/// Runs `scenario` in many orders: some drawn evenly, some with few changes of task, which is where
/// most such faults are found.
fn in_many_orders<S>(scenario: fn(Client, Validator) -> S, answers: &'static [Answer])
where
    S: Future<Output = ()> + 'static,
{
    LazyLock::force(&FIXTURE);
    let orders = std::env::var("INTERLEAVINGS").map_or(300, |orders| orders.parse().unwrap());
    let run = move || {
        let client = Client::new(answers);
        let validator = validator(&client);
        block_on(scenario(client, validator));
    };
    shuttle::check_random(run, orders);
    shuttle::check_pct(run, orders, 3);
}

#[test]
fn all_who_come_before_the_first_keys_share_one_fetch() {
    async fn scenario(client: Client, validator: Validator) {
        let first = request(&validator, &FIXTURE.old);
        let second = request(&validator, &FIXTURE.old);
        validator.ready().await;
        assert_eq!(first.await.unwrap(), Ok(()));
        assert_eq!(second.await.unwrap(), Ok(()));
        assert_eq!(client.fetches(), 1);
    }
    in_many_orders(scenario, &[OldKeys]);
}

#[test]
fn a_new_key_is_found_by_all_who_name_it_in_one_fetch() {
    async fn scenario(client: Client, validator: Validator) {
        validator.ready().await;
        let first = request(&validator, &FIXTURE.new);
        let second = request(&validator, &FIXTURE.new);
        assert_eq!(first.await.unwrap(), Ok(()));
        assert_eq!(second.await.unwrap(), Ok(()));
        assert_eq!(client.fetches(), 2);
    }
    in_many_orders(scenario, &[OldKeys, NewKeys]);
}

#[test]
fn a_key_that_is_not_in_a_fetch_under_way_is_found_in_the_next() {
    async fn scenario(client: Client, validator: Validator) {
        let ready = {
            let validator = validator.clone();
            spawn(async move { validator.ready().await })
        };
        while client.fetches() == 0 {
            yield_now().await;
        }
        let first = request(&validator, &FIXTURE.new);
        let second = request(&validator, &FIXTURE.new);
        assert_eq!(first.await.unwrap(), Ok(()));
        assert_eq!(second.await.unwrap(), Ok(()));
        ready.await.unwrap();
        assert_eq!(client.fetches(), 2);
    }
    in_many_orders(scenario, &[OldKeys, NewKeys]);
}

#[test]
fn an_invented_key_costs_one_fetch_however_many_name_it_and_bars_no_new_one() {
    async fn scenario(client: Client, validator: Validator) {
        validator.ready().await;
        let invented = [(); 2].map(|()| request(&validator, &FIXTURE.invented));
        let named = request(&validator, &FIXTURE.new);
        for request in invented {
            let refused = request.await.unwrap().unwrap_err();
            // The fetch may have begun for the other key, before this one was asked for.
            let was_looked_up = refused == ErrorKind::UnknownKey;
            assert!(was_looked_up || refused == ErrorKind::KeysUnavailable);
        }
        assert_eq!(named.await.unwrap(), Ok(()));
        assert_eq!(client.fetches(), 2);
    }
    in_many_orders(scenario, &[OldKeys, NewKeys]);
}

#[test]
fn all_are_told_when_the_fetch_they_wait_for_fails() {
    async fn scenario(client: Client, validator: Validator) {
        validator.ready().await;
        let waiting = [(); 2].map(|()| request(&validator, &FIXTURE.new));
        for request in waiting {
            assert_eq!(request.await.unwrap(), Err(ErrorKind::KeysUnavailable));
        }
        assert_eq!(client.fetches(), 2);
    }
    in_many_orders(scenario, &[OldKeys, Down]);
}

#[test]
fn all_are_told_when_the_first_fetch_fails() {
    async fn scenario(client: Client, validator: Validator) {
        let waiting = [(); 2].map(|()| request(&validator, &FIXTURE.old));
        for request in waiting {
            assert_eq!(request.await.unwrap(), Err(ErrorKind::KeysUnavailable));
        }
        assert_eq!(client.fetches(), 1);
    }
    in_many_orders(scenario, &[Down]);
}

#[test]
fn a_request_that_goes_away_neither_cancels_the_fetch_nor_keeps_the_others() {
    async fn scenario(client: Client, validator: Validator) {
        validator.ready().await;
        let gone = request(&validator, &FIXTURE.new);
        let stays = request(&validator, &FIXTURE.new);
        gone.abort();
        assert_eq!(stays.await.unwrap(), Ok(()));
        let _ = gone.await;
        assert_eq!(client.fetches(), 2);
    }
    in_many_orders(scenario, &[OldKeys, NewKeys]);
}

#[test]
fn bad_signatures_and_unknown_keys_spend_a_budget_each_and_fetch_one_after_the_other() {
    async fn scenario(client: Client, validator: Validator) {
        validator.ready().await;
        let forged = [(); 2].map(|()| request(&validator, &FIXTURE.forged));
        let named = request(&validator, &FIXTURE.new);
        for request in forged {
            assert_eq!(request.await.unwrap(), Err(ErrorKind::InvalidSignature));
        }
        assert_eq!(named.await.unwrap(), Ok(()));
        // The one for the key may answer the other wish as well.
        assert!((2..=3).contains(&client.fetches()), "{}", client.fetches());
    }
    in_many_orders(scenario, &[OldKeys, NewKeys]);
}

#[test]
fn a_bad_signature_wakes_the_task_and_keeps_no_request_waiting() {
    async fn scenario(client: Client, validator: Validator) {
        validator.ready().await;
        let refused = outcome(&validator, &FIXTURE.forged).await;
        assert_eq!(refused, Err(ErrorKind::InvalidSignature));
        while client.fetches() < 2 {
            yield_now().await;
        }
    }
    in_many_orders(scenario, &[OldKeys]);
}

#[test]
fn a_source_that_goes_away_in_the_midst_of_a_fetch_leaves_nothing_running() {
    async fn scenario(client: Client, validator: Validator) {
        let request = request(&validator, &FIXTURE.old);
        drop(validator);
        request.abort();
        let _ = request.await;
        while client.is_held() {
            yield_now().await;
        }
    }
    in_many_orders(scenario, &[OldKeys]);
}
