//! Who is registered, and what all parts of the soak share.

use std::{
    error::Error as StdError,
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tower_entra::testing::{Agent, AgentAccount, Blueprint, Issuer, Leg};

use crate::{
    callers::CurrentCallers, figures::Figures, forged::Forged, log::Log, oracle::Causes, seen::Seen,
};

pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) length: Duration,
    pub(crate) tenants: [String; 2],
    /// The first authenticates with a secret, the second with a certificate.
    pub(crate) blueprints: [Blueprint; 2],
    /// By blueprint, then by tenant.
    pub(crate) agents: [[Vec<Acting>; 2]; 2],
    /// The same object id in both tenants.
    pub(crate) persons: Vec<Person>,
    /// The certificate of the second blueprint with its key, which one process replaces and two read.
    pub(crate) certificate: PathBuf,
    pub(crate) callers: CurrentCallers,
    pub(crate) forged: Forged,
    pub(crate) causes: Causes,
    pub(crate) figures: Figures,
    pub(crate) log: Arc<Log>,
    /// How long T1 and T2 live.
    pub(crate) exchange_life: Duration,
    is_over: AtomicBool,
}

/// Why the soak cannot begin.
pub(crate) type Failed = Box<dyn StdError + Send + Sync>;

/// An agent and its user accounts.
pub(crate) struct Acting {
    pub(crate) agent: Agent,
    pub(crate) accounts: Vec<AgentAccount>,
    /// Whom an API sees when the agent acts as itself.
    pub(crate) itself: Seen,
}

pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) oid: String,
    /// Whether their tokens say that they have used a second factor.
    pub(crate) multifactor: bool,
}

impl World {
    pub(crate) fn new(length: Duration) -> Result<Self, Failed> {
        let issuer = Issuer::start_blocking();
        let tenants = [issuer.tenant_id().to_owned(), OTHER_TENANT.to_owned()];
        issuer.add_tenant(OTHER_TENANT);
        // Longer than a T1 must be old to be replaced after a refusal, if there is time for that.
        let exchange_life = (length * 6 / 10).clamp(Duration::from_secs(16), EXCHANGE_LIFE);
        for leg in [Leg::T1, Leg::T2] {
            issuer.set_token_lifetime(leg, exchange_life);
        }
        let life = (exchange_life / 4).clamp(Duration::from_secs(12), LIFE);
        for leg in [Leg::App, Leg::Agent, Leg::OnBehalfOf, Leg::AgentUser] {
            issuer.set_token_lifetime(leg, life);
        }
        let blueprints = [issuer.blueprint(), issuer.add_blueprint()];
        let agents = [0, 1].map(|blueprint| {
            let at = |tenant| {
                let numbers = 0..AGENTS;
                let acting = numbers.map(|number| {
                    Acting::register(&issuer, &blueprints[blueprint], tenant, number)
                });
                acting.collect()
            };
            [at(&tenants[0]), at(&tenants[1])]
        });
        let persons = (0..PERSONS).map(|number| {
            let name = format!("{PERSON}-{number}");
            Person {
                oid: issuer.object_id_of(&name),
                name,
                multifactor: number % 2 == 0,
            }
        });
        let log = Arc::new(Log::default());
        log.forbid(PERSON);
        log.forbid(DOMAIN);
        log.forbid(&blueprints[0].secret());
        log.forbid(&issuer.client().secret());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(&folder)?;
        let certificate = folder.join(format!("soak-{}.pem", std::process::id()));
        let pem = blueprints[1].new_certificate_pem();
        log.forbid_key(&pem);
        fs::write(&certificate, pem)?;
        Ok(Self {
            persons: persons.collect(),
            callers: CurrentCallers::default(),
            forged: Forged::default(),
            causes: Causes::default(),
            figures: Figures::default(),
            is_over: AtomicBool::new(false),
            issuer,
            length,
            tenants,
            blueprints,
            agents,
            certificate,
            log,
            exchange_life,
        })
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Sleeps this long, or less if it is over before. Whether it still runs.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.is_running() && Instant::now() < end {
            sleep(end.saturating_duration_since(Instant::now()).min(TICK)).await;
        }
        self.is_running()
    }

    pub(crate) fn print(&self, elapsed: Duration, sidecar_kib: u64) {
        self.figures.print(self, elapsed, sidecar_kib);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.certificate);
    }
}

impl Acting {
    fn register(issuer: &Issuer, blueprint: &Blueprint, tenant: &str, number: usize) -> Self {
        let api = issuer.api();
        let agent = blueprint.add_agent_in(tenant);
        let agent = agent.grant_role(&api, ROLE).grant_scope(&api, SCOPE);
        let id = agent.client_id().to_owned();
        let accounts = (0..ACCOUNTS)
            .map(|account| agent.add_user(&format!("account-{account}-of-{number}-{id}")));
        let accounts = accounts.collect();
        let itself = Seen::new("autonomous_agent", tenant, &id).of_blueprint(blueprint.client_id());
        Self {
            agent,
            accounts,
            itself,
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.agent.client_id()
    }

    /// Whom an API sees when the agent acts on behalf of this user.
    pub(crate) fn on_behalf_of(&self, user: &str) -> Seen {
        let kind = "agent_on_behalf_of_user".to_owned();
        Seen {
            kind,
            ..self.itself.clone()
        }
        .with_user(user)
    }

    /// Whom an API sees when the agent acts by this user account.
    pub(crate) fn by_account(&self, oid: &str) -> Seen {
        let kind = "agent_user".to_owned();
        Seen {
            kind,
            ..self.itself.clone()
        }
        .with_user(oid)
    }
}

pub(crate) const SCOPE: &str = "Orders.Read";
pub(crate) const AGENTS: usize = 4;
pub(crate) const ACCOUNTS: usize = 2;
const ROLE: &str = "Orders.Read.All";
const PERSONS: usize = 8;

/// In the name of every person, and in no other text.
const PERSON: &str = "zacharias";
/// In the sign-in name of every user account.
const DOMAIN: &str = "@example.com";
const OTHER_TENANT: &str = "0b2c4a61-7a35-4d0e-9d0b-5f7a5a0c9d11";
const EXCHANGE_LIFE: Duration = Duration::from_secs(310);
const LIFE: Duration = Duration::from_secs(40);
const TICK: Duration = Duration::from_millis(100);
