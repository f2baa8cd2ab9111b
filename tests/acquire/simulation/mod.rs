//! 64 hours under a script of throttles, outages, rotations of credentials, revocations and withdrawn
//! consents: no expired token is handed out, no request is made that the rules do not allow, and each
//! identity gets its own tokens.
//!
//! The clock is tokio's and paused, so it is the monotonic one that passes. The wall clock stands still in
//! it: what depends on that alone is tested in `src/acquire`.

mod oracle;

mod script;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tower_entra::acquire::{
    AccessToken, AcquireError, AcquireErrorKind, AgentUser, ClientCredential, ConfidentialClient,
    Scopes, TokenOptions, TokenSource,
};

use self::{
    oracle::{Issued, Oracle, Time, Wish, legs_of},
    script::{Class, Fault, Random, Script},
};
use super::{
    assertions::{BLUEPRINT, TENANT, assertion},
    endpoint::{Call, Endpoint, Fate, Key, Play, Reply, Who, claims_of, end_of, jwt},
    scripted::{agent, user},
};

const LENGTH: Duration = Duration::from_secs(64 * 3_600);

const OTHER_TENANT: &str = "22222222-2222-4222-8222-222222222222";
const OTHER_BLUEPRINT: &str = "33333333-3333-4333-8333-333333333333";
const APP: &str = "44444444-4444-4444-8444-444444444444";
const SCOPES: [&str; 2] = ["api://one/.default", "api://two/.default"];

#[tokio::test(start_paused = true)]
async fn sixty_four_hours_of_trouble_with_seed_1() {
    simulate(1).await;
}

#[tokio::test(start_paused = true)]
async fn sixty_four_hours_of_trouble_with_seed_2() {
    simulate(2).await;
}

#[tokio::test(start_paused = true)]
async fn sixty_four_hours_of_trouble_with_seed_3() {
    simulate(3).await;
}

/// The token endpoint, and all that it has issued.
struct Entra {
    began: Instant,
    oracle: Oracle,
    script: Option<Script>,
    random: Random,
    /// When a flight made its first request.
    flights: HashMap<String, Time>,
    /// What the answer to the request under way for a token will be.
    plans: HashMap<Key, Plan>,
}

struct Plan {
    asked: Time,
    result: Result<(Duration, Option<Duration>, u64), Class>,
    used: Vec<u64>,
}

impl Entra {
    fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// The version of the credential that is valid now, and that which the program has.
    fn versions(&self, at: Time) -> (usize, usize) {
        let rotations = self.script.iter().flat_map(|script| &script.rotations);
        let count = |is_over: &dyn Fn(&(Time, Time)) -> bool| {
            rotations
                .clone()
                .filter(|rotation| is_over(rotation))
                .count()
        };
        let valid = count(&|(from, _)| *from <= at);
        let known = count(&|(from, lag)| *from + *lag <= at);
        (valid, known)
    }

    /// The proof of a request: its T1 and T2, and what is wrong with it.
    fn proof(&self, call: &Call, at: Time) -> (Vec<u64>, Option<Fault>) {
        let serial = |token: &String| claims_of(token)["serial"].as_u64();
        let used: Vec<u64> = [&call.assertion, &call.t2]
            .into_iter()
            .flatten()
            .filter_map(serial)
            .collect();
        let legs = legs(&call.key);
        let issued: Vec<_> = used
            .iter()
            .map(|serial| &self.oracle.issued[usize::try_from(*serial).unwrap()])
            .collect();
        let keys: Vec<_> = issued.iter().map(|issued| issued.key.clone()).collect();
        assert_eq!(keys, legs, "the assertions of another flow: {:?}", call.key);
        for issued in &issued {
            assert!(
                at < issued.asked + issued.lives,
                "an expired assertion is sent"
            );
        }
        let revoked = |issued: &&Issued| {
            let revocations = self.script.iter().flat_map(|script| &script.revocations);
            revocations
                .clone()
                .any(|time| (issued.asked..at).contains(time))
        };
        if issued.iter().any(revoked) {
            return (used, Some(Fault::InvalidClient));
        }
        let version = call
            .assertion
            .as_ref()
            .and_then(|assertion| claims_of(assertion)["version"].as_u64());
        let is_old =
            version.is_some_and(|version| version < u64::try_from(self.versions(at).0).unwrap());
        (used, is_old.then_some(Fault::InvalidClient))
    }
}

impl Play for Entra {
    fn asked(&mut self, call: &Call) -> Fate {
        let now = self.now();
        let began = *self.flights.entry(call.flight.clone()).or_insert(now);
        self.oracle.arrives(now, call, began, &legs(&call.key));
        let (used, refused) = self.proof(call, now);
        let fault = refused.or_else(|| {
            let script = self.script.as_ref()?;
            script.fault(&mut self.random, now, &call.key)
        });
        let after = match self.random.below(20) {
            0 => self.random.millis(1_000, 9_000),
            1 => Duration::ZERO,
            _ => self.random.millis(20, 400),
        };
        let (fate, result) = match fault {
            Some(fault) => (fault.fate(call, after), Err(fault.class())),
            None => {
                let (lives, refresh_in) = self.lifetime(call);
                let serial = u64::try_from(self.oracle.issued.len()).unwrap();
                self.oracle.issued.push(Issued {
                    key: call.key.clone(),
                    asked: now,
                    lives,
                    claims: call.claims.clone(),
                });
                let mut claims = call.claims_of_token();
                claims["serial"] = serial.into();
                let mut body = serde_json::json!({
                    "token_type": "Bearer",
                    "access_token": jwt(&claims),
                    "expires_in": lives.as_secs(),
                });
                if let Some(refresh_in) = refresh_in {
                    body["refresh_in"] = refresh_in.as_secs().into();
                }
                let fate = Reply::json(200, &body).after(after);
                (fate, Ok((lives, refresh_in, serial)))
            }
        };
        let asked = now;
        self.plans.insert(
            call.key.clone(),
            Plan {
                asked,
                result,
                used,
            },
        );
        fate
    }

    fn ended(&mut self, call: &Call, given_up: bool) {
        let now = self.now();
        // None if it was refused by the oracle, which has failed the test.
        let Some(plan) = self.plans.remove(&call.key) else {
            return;
        };
        match plan.result {
            Ok((lives, refresh_in, serial)) if !given_up => {
                self.oracle
                    .grants(call, plan.asked, lives, refresh_in, serial);
            }
            Err(class) if !given_up => self.oracle.fails(now, call, class, &plan.used),
            _ => self
                .oracle
                .fails(now, call, Fault::Hang.class(), &plan.used),
        }
    }
}

impl Entra {
    fn lifetime(&mut self, call: &Call) -> (Duration, Option<Duration>) {
        let is_leg = call.key.is_t1() || call.key.is_t2();
        let seconds: u64 = match is_leg {
            true => self.random.one_of(&[3_599, 3_900, 1_000]),
            false => self.random.one_of(&[3_599, 3_599, 5_025, 86_399, 600, 120]),
        };
        let refresh_in = self.random.happens(200).then(|| seconds / 2);
        (
            Duration::from_secs(seconds),
            refresh_in.map(Duration::from_secs),
        )
    }
}

/// The T1 and the T2 with which this token is asked for.
fn legs(key: &Key) -> Vec<Key> {
    let client = key.client();
    if key.is_t1() || client == APP || client == OTHER_BLUEPRINT {
        return Vec::new();
    }
    let is_others = client == agent(9);
    legs_of(
        key,
        if is_others {
            OTHER_BLUEPRINT
        } else {
            BLUEPRINT
        },
    )
}

/// One identity that asks for one token.
struct Asker {
    source: TokenSource,
    scopes: Scopes,
    key: Key,
    key_in_token: String,
    legs: Vec<Key>,
}

/// Every way to act, of several agents, users and tenants.
fn askers(endpoint: &Endpoint<Entra>) -> Vec<Asker> {
    let credential = {
        let endpoint = endpoint.clone();
        ClientCredential::assertion(move |_| {
            let entra = endpoint.lock();
            let (_, known) = entra.versions(entra.now());
            let assertion = jwt(&serde_json::json!({ "version": known }));
            async move { Ok::<_, std::io::Error>(assertion) }
        })
    };
    let client = |id: &str, credential| {
        let builder = ConfidentialClient::builder(TENANT, id, credential);
        builder.http_client(endpoint.clone()).build().unwrap()
    };
    let blueprint = client(BLUEPRINT, credential.clone());
    let other_blueprint = client(OTHER_BLUEPRINT, credential);
    let app = client(APP, ClientCredential::secret("s"));

    let mut askers = Vec::new();
    let mut enter = |source: TokenSource, tenant: &str, who: Who, scope: &str| {
        let key = Key::new(tenant, who, scope);
        askers.push(Asker {
            source,
            scopes: scope.parse().unwrap(),
            legs: legs(&key),
            key_in_token: format!("{key:?}"),
            key,
        });
    };
    let on_behalf_of = |client: &str, text: &str| Who::OnBehalfOf {
        client: client.to_owned(),
        assertion: end_of(text),
    };
    let by_user = |agent: &str, user: &str| Who::AgentUser {
        agent: agent.to_owned(),
        user: user.to_owned(),
    };
    for number in 0..3 {
        let id = agent(number);
        let agent = blueprint.agent(&id);
        for scope in SCOPES {
            enter(agent.itself(), TENANT, Who::Itself(id.clone()), scope);
        }
        for number in 0..2 {
            let user = user(number);
            let source = agent.user(AgentUser::object_id(user.parse().unwrap()));
            enter(source, TENANT, by_user(&id, &user), "api://one/A");
        }
        let source = agent.user(AgentUser::principal_name("Agent@contoso.com"));
        enter(
            source,
            TENANT,
            by_user(&id, "agent@contoso.com"),
            "api://one/A",
        );
        for number in 0..3 {
            let (text, assertion) = assertion(number);
            let source = agent.on_behalf_of(assertion);
            enter(source, TENANT, on_behalf_of(&id, text), "api://one/A");
        }
    }
    let elsewhere = blueprint.in_tenant(OTHER_TENANT).agent(agent(0));
    let who = Who::Itself(agent(0));
    enter(elsewhere.itself(), OTHER_TENANT, who, SCOPES[0]);
    let source = elsewhere.user(AgentUser::object_id(user(0).parse().unwrap()));
    enter(
        source,
        OTHER_TENANT,
        by_user(&agent(0), &user(0)),
        "api://one/A",
    );
    let who = Who::Itself(BLUEPRINT.to_owned());
    enter(blueprint.itself(), TENANT, who, SCOPES[0]);
    let (text, alice) = assertion(0);
    let who = on_behalf_of(BLUEPRINT, text);
    enter(blueprint.on_behalf_of(alice), TENANT, who, "api://one/A");
    let other = other_blueprint.agent(agent(9));
    enter(other.itself(), TENANT, Who::Itself(agent(9)), SCOPES[0]);
    let source = other.user(AgentUser::object_id(user(0).parse().unwrap()));
    enter(source, TENANT, by_user(&agent(9), &user(0)), "api://one/A");
    enter(app.itself(), TENANT, Who::Itself(APP.to_owned()), SCOPES[0]);
    let who = on_behalf_of(APP, text);
    enter(app.on_behalf_of(alice), TENANT, who, "api://one/A");
    askers
}

async fn simulate(seed: u64) {
    println!("seed {seed}");
    let endpoint = Endpoint::new(Entra {
        began: Instant::now(),
        oracle: Oracle::default(),
        script: None,
        random: Random(seed),
        flights: HashMap::new(),
        plans: HashMap::new(),
    });
    let askers: Vec<_> = askers(&endpoint).into_iter().map(Arc::new).collect();
    let keys: Vec<_> = askers.iter().map(|asker| asker.key.clone()).collect();
    let script = Script::new(&mut Random(seed), LENGTH, &keys);
    let calm_from = script.calm_from;
    endpoint.lock().script = Some(script);

    let mut tasks = JoinSet::new();
    for (number, asker) in (1..).zip(askers.iter().chain(&askers)) {
        let (endpoint, asker) = (endpoint.clone(), Arc::clone(asker));
        let mut random = Random(seed << 32 | number);
        tasks.spawn(async move {
            let mut last = None;
            while endpoint.lock().now() < LENGTH {
                let pause = match random.below(10) {
                    0 => Duration::ZERO,
                    1 => random.millis(600_000, 6_000_000),
                    _ => random.millis(100, 240_000),
                };
                sleep(pause).await;
                last = ask(&endpoint, &asker, &mut random, last.take()).await;
            }
            last
        });
    }
    let mut ended = 0;
    while let Some(last) = tasks.join_next().await {
        let last = last.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        // Two hours after the last trouble each identity has a token.
        assert!(last.is_some(), "seed {seed}: no token after {calm_from:?}");
        ended += 1;
    }
    assert_eq!(ended, 2 * askers.len());
    let entra = endpoint.lock();
    println!("{:?}", entra.oracle.counts);
    // A script that tries nothing proves nothing.
    assert!(
        entra.oracle.counts.are_plenty(),
        "{:?}",
        entra.oracle.counts
    );
}

const CLAIMS: [&str; 2] = [
    r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#,
    r#"{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}"#,
];

/// Asks once, and checks the answer. Returns the token.
async fn ask(
    endpoint: &Endpoint<Entra>,
    asker: &Asker,
    random: &mut Random,
    last: Option<AccessToken>,
) -> Option<AccessToken> {
    let Asker { key, legs, .. } = asker;
    let (wish, options) = match random.below(100) {
        0 => (Wish::Fresh, TokenOptions::default().force_refresh(true)),
        1 => {
            let claims = random.one_of(&CLAIMS);
            let options = TokenOptions::default().claims(claims);
            let options = match last {
                Some(last) if random.happens(700) => options.refused(last),
                _ => options,
            };
            (Wish::Claims(claims.to_owned()), options)
        }
        _ => (Wish::Any, TokenOptions::default()),
    };
    let (asked, at_once, must_renew) = {
        let mut entra = endpoint.lock();
        let now = entra.now();
        let is_plain = wish == Wish::Any;
        let at_once = is_plain && entra.oracle.must_not_wait(now, key);
        let must_renew = is_plain && entra.oracle.must_renew(now, key, legs);
        entra.oracle.asks(now, key, legs, &wish);
        (now, at_once, must_renew)
    };
    let got = timeout(
        70 * Duration::from_secs(1),
        asker.source.token_with(&asker.scopes, options),
    );
    let got = got.await.expect("an answer within the limits");
    let token = check(endpoint, asker, asked, &wish, at_once, got);
    if must_renew {
        sleep(Duration::from_millis(1)).await;
        let is_renewed = endpoint.lock().oracle.was_requested_since(asked, key);
        assert!(
            is_renewed,
            "{key:?}: asked for at {asked:?} and not renewed"
        );
    }
    token
}

fn check(
    endpoint: &Endpoint<Entra>,
    asker: &Asker,
    asked: Time,
    wish: &Wish,
    at_once: bool,
    got: Result<AccessToken, AcquireError>,
) -> Option<AccessToken> {
    let Asker { key, legs, .. } = asker;
    let mut entra = endpoint.lock();
    let now = entra.now();
    entra.oracle.answered(asked, key, wish);
    let token = match got {
        Ok(token) => {
            let claims = claims_of(token.secret());
            assert_eq!(
                claims["key"], asker.key_in_token,
                "the token of another identity"
            );
            let serial = claims["serial"].as_u64().unwrap();
            entra.oracle.handed_out(asked, now, key, legs, serial, wish);
            Some(token)
        }
        Err(error) => {
            let is_transient = matches!(
                error.kind(),
                AcquireErrorKind::Throttled
                    | AcquireErrorKind::Unavailable
                    | AcquireErrorKind::Busy
            );
            entra
                .oracle
                .failed(now, key, wish, is_transient, &error.to_string());
            None
        }
    };
    if at_once {
        assert_eq!(
            now, asked,
            "{key:?}: a caller waited although a token was in hand"
        );
    }
    token
}
