//! What a token costs that is in the cache, and how long 10,000 tasks wait for one that is not.
//!
//! ```text
//! cargo bench --features acquire --bench acquire
//! ```

#[path = "common/contest.rs"]
mod contest;
#[path = "common/poll.rs"]
mod poll;
#[path = "common/threads.rs"]
mod threads;

use std::{
    collections::HashMap,
    error::Error as StdError,
    pin::Pin,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use http::{Request, Response, header::AUTHORIZATION};
use serde_json::json;
use tokio::{runtime::Runtime, time::sleep};
use tower_entra::{
    AppId, HttpClient, ObjectId, TenantId,
    acquire::{
        AgentUser, ClientCredential, ConfidentialClient, Scopes, TokenSource, UserAssertion,
    },
    testing::Issuer,
};

use self::{contest::Contest, poll::at_once, threads::Work};

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let ways = Ways::new(&runtime, Duration::ZERO);
    cached(&ways);
    two_threads(&ways);
    ten_thousand_tasks(&runtime);
}

/// Each way to act, with a token in the cache among 1,000 others.
struct Ways {
    sources: [(&'static str, TokenSource, Scopes); 4],
}

impl Ways {
    fn new(runtime: &Runtime, takes: Duration) -> Self {
        // The callers' tokens are for the blueprint.
        let issuer = Issuer::builder()
            .audience(BLUEPRINT)
            .blueprint_id(BLUEPRINT)
            .start_blocking();
        let client = client(&issuer, takes);
        let agent = client.agent(issuer.agent_id());
        let assertion = runtime.block_on(assertion(&issuer));
        let user = AgentUser::object_id(USER.parse().expect("a GUID"));
        let default = Scopes::default_of("api://orders").expect("a resource");
        let scope: Scopes = "api://orders/Orders.Read".parse().expect("a scope");
        for number in 0..1_000 {
            let other = Scopes::default_of(&format!("api://orders-{number}"));
            let other = other.expect("a resource");
            let token = runtime.block_on(client.itself().token(&other));
            token.expect("a token");
        }
        let sources = [
            (APP, client.itself(), default.clone()),
            (AGENT, agent.itself(), default),
            (AGENT_USER, agent.user(user), scope.clone()),
            (ON_BEHALF_OF, agent.on_behalf_of(&assertion), scope),
        ];
        for (_, source, scopes) in &sources {
            runtime.block_on(source.token(scopes)).expect("a token");
        }
        Self { sources }
    }
}

async fn assertion(issuer: &Issuer) -> UserAssertion {
    let validator = issuer.validator();
    validator.ready().await;
    let token = issuer.blueprint().user_token("alice").mint();
    let assertion = UserAssertion::verify(&validator, &token).await;
    assertion.expect("a good token")
}

fn cached(ways: &Ways) {
    let look_up = look_up();
    let mut contest = Contest::default();
    contest.enter(LOOK_UP, || look_up(0));
    for (name, source, scopes) in &ways.sources {
        contest.enter(name, move || at_once(source.token(scopes)));
    }
    let [(_, source, scopes), ..] = &ways.sources;
    contest.enter_with(
        INTO_A_REQUEST,
        Request::default,
        |mut request: Request<()>| {
            let token = at_once(source.token(scopes)).expect("a token");
            request
                .headers_mut()
                .insert(AUTHORIZATION, token.authorization());
            request
        },
    );
    let results = contest.run(ROUNDS);
    results.print();
    for (name, ..) in &ways.sources {
        results.ratio(name, LOOK_UP, None);
    }
    for (name, ..) in &ways.sources {
        let median = results.median(name) / 1e3;
        let verdict = if median <= 1.5 { "reached" } else { "MISSED" };
        println!("{name}: {median:.3} µs, at most 1.500: {verdict}");
    }
    println!();
}

/// A look-up of such a key in a map behind a lock, and another reference to what is found.
fn look_up() -> impl Fn(usize) -> Option<Arc<str>> + Sync {
    type Key = (TenantId, AppId, ObjectId, Arc<str>);
    let key = |number: usize| -> Key {
        (
            USER.parse().expect("a GUID"),
            USER.parse().expect("a GUID"),
            USER.parse().expect("a GUID"),
            format!("api://orders-{number}/.default").into(),
        )
    };
    let tokens = (0..1_000).map(|number| (key(number), Arc::from("a token")));
    let tokens: RwLock<HashMap<Key, Arc<str>>> = RwLock::new(tokens.collect());
    let keys = [key(0), key(1)];
    move |thread| {
        let tokens = tokens.read().expect("nothing has panicked");
        tokens.get(&keys[thread].clone()).cloned()
    }
}

fn two_threads(ways: &Ways) {
    let look_up = look_up();
    let [(_, app, default), (_, agent, of_agent), ..] = &ways.sources;
    let sources = [(app, default), (agent, of_agent)];
    let mut works = [
        Work::new(LOOK_UP, LOOK_UP, look_up),
        Work::new("one token for both threads", LOOK_UP, |_| {
            at_once(app.token(default))
        }),
        Work::new("a token for each thread", LOOK_UP, |thread| {
            let (source, scopes) = sources[thread];
            at_once(source.token(scopes))
        }),
    ];
    threads::run(&mut works, 100);
    threads::print(&works);
}

/// All ask at once, on all threads of the runtime, for a token whose fetch takes a second.
fn ten_thousand_tasks(runtime: &Runtime) {
    let issuer = Issuer::start_blocking();
    let source = client(&issuer, Duration::from_secs(1)).itself();
    let scopes = Scopes::default_of("api://orders").expect("a resource");
    let began = Instant::now();
    let times = runtime.block_on(async {
        let ask = || {
            let (source, scopes) = (source.clone(), scopes.clone());
            async move {
                let asked = Instant::now();
                source.token(&scopes).await.expect("a token");
                asked.elapsed()
            }
        };
        let tasks: tokio::task::JoinSet<_> = (0..10_000).map(|_| ask()).collect();
        tasks.join_all().await
    });
    let longest = times.iter().max().expect("some tasks");
    let ratio = longest.as_secs_f64();
    let verdict = if ratio <= 1.2 { "reached" } else { "MISSED" };
    println!(
        "10,000 tasks, a fetch of 1 s: all answered after {:.3} s, the longest wait {ratio:.3} s, \
         at most 1.200: {verdict}",
        began.elapsed().as_secs_f64()
    );
}

fn client(issuer: &Issuer, takes: Duration) -> ConfidentialClient {
    let blueprint = issuer.blueprint();
    let credential = ClientCredential::secret(blueprint.secret());
    ConfidentialClient::builder(issuer.tenant_id(), blueprint.client_id(), credential)
        .http_client(Granting { takes })
        .build()
        .expect("a good configuration")
}

/// Grants each request an opaque token of the length of an agent's, after this time.
struct Granting {
    takes: Duration,
}

impl HttpClient for Granting {
    fn send(
        &self,
        _: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let takes = self.takes;
        Box::pin(async move {
            sleep(takes).await;
            let body = json!({
                "token_type": "Bearer",
                "access_token": "a".repeat(1_558),
                "expires_in": 3_599,
            });
            Ok(Response::new(body.to_string().into_bytes()))
        })
    }
}

const BLUEPRINT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const USER: &str = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11";

const LOOK_UP: &str = "look-up of such a key";
const APP: &str = "token, an app";
const AGENT: &str = "token, an agent";
const AGENT_USER: &str = "token, an agent's user account";
const INTO_A_REQUEST: &str = "token, an app, into a request";
const ON_BEHALF_OF: &str = "token, an agent on behalf of a user";

const ROUNDS: usize = 400;
