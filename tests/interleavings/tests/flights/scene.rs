//! The scenario of a test: one blueprint, its callers, and the token endpoint.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, LazyLock, Mutex},
    task::Poll,
};

use shuttle::{
    Config, Runner,
    current::{ChildLabelFn, Labels, me, set_label_for_task},
    future::{JoinHandle, block_on, spawn},
    scheduler::{PctScheduler, RandomScheduler},
};
use tokio::time::trigger_timeouts;
use tower_entra::{
    Authority, Tenants, Validator,
    acquire::{
        AccessToken, AcquireErrorKind, AcquireSettings, AgentUser, ClientCredential,
        ConfidentialClient, Scopes, TokenOptions, TokenSource, UserAssertion,
    },
};

use crate::entra::{Answer, BLUEPRINT, Door, Entra, name, name_of};

pub type Outcome = Result<AccessToken, AcquireErrorKind>;

/// A caller, and the name that its token must have.
#[derive(Clone)]
pub struct Caller {
    entra: Entra,
    source: TokenSource,
    scopes: Scopes,
    name: String,
}

impl Caller {
    /// A caller on a task of its own.
    pub fn ask(&self) -> JoinHandle<Outcome> {
        self.ask_with(TokenOptions::default())
    }

    pub fn ask_with(&self, options: TokenOptions) -> JoinHandle<Outcome> {
        let caller = self.clone();
        spawn(async move {
            mark_as_caller();
            caller.outcome(options).await
        })
    }

    pub async fn outcome(&self, options: TokenOptions) -> Outcome {
        let mut asking = pin!(self.source.token_with(&self.scopes, options));
        let first = poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx))).await;
        let outcome = match first {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.entra.a_caller_waits();
                asking.await
            }
        };
        if let Ok(token) = &outcome {
            assert_eq!(name_of(token.secret()), self.name);
        }
        outcome.map_err(|error| error.kind())
    }

    pub async fn token(&self) -> AccessToken {
        self.outcome(TokenOptions::default()).await.unwrap()
    }

    pub fn requests(&self) -> usize {
        self.entra.requests_for(&self.name)
    }
}

/// The label of a caller's task.
#[derive(Clone, Debug)]
struct IsCaller;

/// This task is a caller's, and what it spawns is not.
fn mark_as_caller() {
    set_label_for_task(me(), IsCaller);
    let unmark = |_, labels: &mut Labels| {
        labels.remove::<IsCaller>();
    };
    set_label_for_task(me(), ChildLabelFn(Arc::new(unmark)));
}

/// The time limits of flights pass, and not those of their callers, until `clear_triggers`.
pub fn let_limits_of_flights_pass() {
    trigger_timeouts(|labels| labels.get::<IsCaller>().is_none());
}

/// The scenario of a test.
#[derive(Clone)]
pub struct Scene {
    pub entra: Entra,
    pub blueprint: ConfidentialClient,
}

impl Scene {
    /// `parts` are those of the name of the token.
    fn caller(&self, source: TokenSource, parts: [&str; 6]) -> Caller {
        Caller {
            entra: self.entra.clone(),
            source,
            scopes: Scopes::new([parts[5]]).unwrap(),
            name: name(&parts),
        }
    }

    /// The blueprint as itself.
    pub fn app(&self, scope: &str) -> Caller {
        let parts = [&FIXTURE.tenant, BLUEPRINT, "", "", "", scope];
        self.caller(self.blueprint.itself(), parts)
    }

    pub fn agent(&self, tenant: &str, agent: &str) -> Caller {
        let source = self.blueprint.in_tenant(tenant).agent(agent).itself();
        self.caller(source, [tenant, agent, "", "", "", MAIL])
    }

    pub fn user(&self, agent: &str, user: &str) -> Caller {
        let account = AgentUser::object_id(user.parse().unwrap());
        let source = self.blueprint.agent(agent).user(account);
        self.caller(source, [&FIXTURE.tenant, agent, "", user, "", MAIL])
    }

    pub fn on_behalf_of(&self, person: usize) -> Caller {
        let (token, assertion) = &FIXTURE.people[person];
        let source = self.blueprint.on_behalf_of(assertion);
        let parts = [&FIXTURE.tenant, BLUEPRINT, "", "", token, MAIL];
        self.caller(source, parts)
    }
}

/// Two people whom the door has admitted.
pub struct Fixture {
    pub tenant: String,
    people: [(String, UserAssertion); 2],
}

pub static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let issuer = genuine::testing::Issuer::start_blocking();
    let tenant = issuer.tenant_id().to_owned();
    let door = Door {
        url: issuer.url(),
        tenant: tenant.clone(),
        keys: issuer.keys_document(),
    };
    let audience = issuer.audience().to_owned();
    let tokens = [(); 2].map(|()| issuer.user().mint());
    assert_ne!(tokens[0], tokens[1]);
    let people = Arc::new(Mutex::new(Vec::new()));
    let admit = {
        let people = Arc::clone(&people);
        move || {
            let validator = Validator::builder(Tenants::single(&*door.tenant), [&*audience])
                .authority(Authority::insecure_loopback(&*door.url))
                .http_client(door.clone())
                .build()
                .unwrap();
            for token in &tokens {
                let verdict = block_on(UserAssertion::verify(&validator, token));
                people
                    .lock()
                    .unwrap()
                    .push((token.clone(), verdict.unwrap()));
            }
        }
    };
    shuttle::check_random(admit, 1);
    let people = std::mem::take(&mut *people.lock().unwrap());
    Fixture {
        tenant,
        people: people.try_into().ok().unwrap(),
    }
});

/// Runs `scenario` in many orders: some drawn evenly, some with few changes of task, which is where
/// most such faults are found.
pub fn in_many_orders<S>(
    settings: fn(AcquireSettings) -> AcquireSettings,
    answers: &'static [Answer],
    scenario: fn(Scene) -> S,
) where
    S: Future<Output = ()> + 'static,
{
    LazyLock::force(&FIXTURE);
    let orders = std::env::var("INTERLEAVINGS").map_or(150, |orders| orders.parse().unwrap());
    let clock = tokio_clock::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let _clock = clock.enter();
    let run = move || {
        let entra = Entra::new(answers);
        let credential = ClientCredential::secret("a secret");
        let blueprint = ConfidentialClient::builder(&*FIXTURE.tenant, BLUEPRINT, credential)
            .authority(Authority::insecure_loopback("http://127.0.0.1:9"))
            .settings(settings(AcquireSettings::default()))
            .http_client(entra.clone())
            .build()
            .unwrap();
        let scene = Scene {
            entra: entra.clone(),
            blueprint,
        };
        block_on(scenario(scene));
        entra.check();
    };
    let mut config = Config::new();
    // In a test build, the future of a flight takes more than the usual 60 KiB.
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(orders), config.clone()).run(run);
    Runner::new(PctScheduler::new(3, orders), config).run(run);
}

pub fn by_default(settings: AcquireSettings) -> AcquireSettings {
    settings
}

pub const MAIL: &str = "https://mail/.default";
