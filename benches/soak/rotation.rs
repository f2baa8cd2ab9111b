//! Keys and credentials rotate.

use std::{
    collections::VecDeque,
    fs, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;

use crate::{
    apis::AgentApi,
    ask::Places,
    figures::Wrong,
    forged::{AUDIENCES, Tokens, good},
    oracle::Cause,
    world::World,
};

/// The keys of the look-alike.
pub(crate) struct Keys {
    world: Arc<World>,
    places: Arc<Places>,
    /// They sign no longer, and are still published.
    old: VecDeque<Old>,
    /// Tokens of those that were withdrawn since the last rotation.
    withdrawn: Vec<Tokens>,
    current: (String, Tokens),
}

struct Old {
    kid: String,
    replaced: Instant,
    tokens: Tokens,
}

impl Keys {
    /// Every door has fetched the first key, and there are callers.
    pub(crate) async fn begin(world: &Arc<World>, places: &Arc<Places>) -> Self {
        let kid = world.issuer.current_kid();
        let keys = Self {
            world: Arc::clone(world),
            places: Arc::clone(places),
            old: VecDeque::new(),
            withdrawn: Vec::new(),
            current: (kid.clone(), tokens(world, &kid)),
        };
        let tokens = keys.current.1.clone();
        keys.show(&tokens).await;
        keys.renew_callers().await;
        keys
    }

    /// Publishes a key, signs with it once every door admits it, and withdraws it when no token of it is in use
    /// any more.
    pub(crate) async fn run(mut self) {
        while self.world.pause(Duration::from_secs(2)).await {
            let issuer = self.world.issuer.clone();
            let Ok(kid) = spawn_blocking(move || issuer.publish_key()).await else {
                return;
            };
            let tokens = tokens(&self.world, &kid);
            if !self.show(&tokens).await {
                continue;
            }
            for tokens in self.withdrawn.drain(..) {
                self.world.forged.add(tokens);
            }
            self.world.issuer.sign_with(&kid);
            let (kid, tokens) = mem::replace(&mut self.current, (kid, tokens));
            self.old.push_back(Old {
                kid,
                replaced: Instant::now(),
                tokens,
            });
            self.renew_callers().await;
            add(&self.world.figures.keys_rotated);
            let in_use = self.world.exchange_life + Duration::from_secs(10);
            while (self.old.front()).is_some_and(|old| old.replaced.elapsed() > in_use)
                && let Some(old) = self.old.pop_front()
            {
                self.world.issuer.withdraw(&old.kid);
                self.withdrawn.push(old.tokens);
                add(&self.world.figures.keys_withdrawn);
            }
        }
    }

    /// Sends these tokens to every door until it admits them. Meanwhile it may be without its keys: a fetch
    /// fails, or the cool-down of 10 s is not over. Whether all have.
    async fn show(&self, tokens: &Tokens) -> bool {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let mut refusal = None;
            for (door, answer) in self.places.knock(tokens).await {
                match answer {
                    Ok((200, _)) => {}
                    Ok((503, true)) => refusal = Some(503),
                    Ok((status, _)) => {
                        let text = format!("{door}: a new key: {status}");
                        self.world.figures.wrong(Wrong::Refusal, "door", &text);
                        refusal = Some(status);
                    }
                    Err(error) => {
                        self.world.figures.wrong(Wrong::Answer, "door", &error);
                        refusal = Some(0);
                    }
                }
            }
            match refusal {
                None => return true,
                Some(status) if Instant::now() > limit => {
                    let text = format!("a new key was not admitted within 60 s: {status}");
                    self.world.figures.wrong(Wrong::Refusal, "door", &text);
                    return false;
                }
                Some(_) if !self.world.pause(Duration::from_millis(300)).await => return false,
                Some(_) => {}
            }
        }
    }

    async fn renew_callers(&self) {
        let world = Arc::clone(&self.world);
        let _ = spawn_blocking(move || world.callers.renew(&world)).await;
    }
}

/// A token of this key for each audience.
fn tokens(world: &World, kid: &str) -> Tokens {
    AUDIENCES.map(|audience| good(world, audience).signed_by(kid).mint())
}

/// The certificate of the second blueprint is replaced: registered, written to the file that two processes read,
/// and the old one deleted at once.
pub(crate) async fn certificates(world: Arc<World>) {
    let mut old = fs::read_to_string(&world.certificate).unwrap_or_default();
    while world.pause(Duration::from_secs(7)).await {
        let at = Arc::clone(&world);
        let Ok(new) = spawn_blocking(move || at.blueprints[1].new_certificate_pem()).await else {
            return;
        };
        world.log.forbid_key(&new);
        let beside = world.certificate.with_extension("new");
        let replaced =
            fs::write(&beside, &new).and_then(|()| fs::rename(&beside, &world.certificate));
        if let Err(error) = replaced {
            let text = error.to_string();
            world.figures.wrong(Wrong::Answer, "certificate", &text);
            return;
        }
        world.blueprints[1].remove_certificate_pem(&old);
        old = new;
        add(&world.figures.certificates_rotated);
    }
}

/// The secret of the first blueprint is replaced: registered, taken by a process that begins anew, and the old one
/// deleted when no flight of before can be under way. Every third time the process has it before Entra.
pub(crate) async fn secrets(world: Arc<World>, apis: Arc<[AgentApi; 2]>) {
    let blueprint = &world.blueprints[0];
    let mut old = blueprint.secret();
    for number in 1_usize.. {
        if !world.pause(Duration::from_secs(5)).await {
            return;
        }
        let new = format!("s{number}8Q~a.new-secret_of-the.blueprint");
        world.log.forbid(&new);
        if number % 3 != 0 {
            blueprint.add_secret(&new);
            restart(&world, &apis, &new);
        } else {
            world
                .causes
                .begin(Cause::SecretUnknown, blueprint.client_id());
            restart(&world, &apis, &new);
            world.pause(Duration::from_secs(2)).await;
            blueprint.add_secret(&new);
            world
                .causes
                .end(Cause::SecretUnknown, blueprint.client_id());
        }
        add(&world.figures.secrets_rotated);
        // A flight has 30 s.
        if !world.pause(Duration::from_secs(32)).await {
            return;
        }
        blueprint.remove_secret(&old);
        old = new;
    }
}

fn restart(world: &World, apis: &[AgentApi; 2], secret: &str) {
    if let Err(error) = apis[0].restart_with(secret.to_owned()) {
        let text = error.to_string();
        world.figures.wrong(Wrong::Answer, "secret", &text);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
