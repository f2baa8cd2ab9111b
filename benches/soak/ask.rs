//! The clients: each asks for one thing after the other, and judges the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use tower_entra::testing::Leg;

use crate::{
    apis::AgentApi,
    callers::Caller,
    disorder::Dice,
    figures::Wrong,
    forged::{ORDERS, Tokens},
    oracle::{Asked, Refusal},
    seen::Seen,
    sidecar::Sidecar,
    world::{ACCOUNTS, AGENTS, Acting, Failed, World},
};

/// Where everything is.
pub(crate) struct Places {
    pub(crate) agent_apis: [String; 2],
    pub(crate) orders: String,
    pub(crate) sidecar: String,
    pub(crate) client: Client,
}

/// What comes of a request: right for this reason, or wrong.
pub(crate) type Outcome = Result<String, (Wrong, String)>;

impl Places {
    pub(crate) fn new(
        apis: &[AgentApi; 2],
        orders: &str,
        sidecar: &Sidecar,
    ) -> Result<Self, Failed> {
        Ok(Self {
            agent_apis: apis.each_ref().map(|api| api.url.clone()),
            orders: format!("{orders}/orders"),
            sidecar: sidecar.url.clone(),
            client: Client::builder().pool_idle_timeout(IDLE).build()?,
        })
    }

    /// Where each door shows who has come, and the number of its audience.
    pub(crate) fn doors(&self) -> [(String, usize); 4] {
        let [first, second] = self
            .agent_apis
            .each_ref()
            .map(|url| format!("{url}/caller"));
        [
            (first, 0),
            (second, 1),
            (self.orders.clone(), ORDERS),
            (format!("{}/Validate", self.sidecar), 1),
        ]
    }

    /// The answers of every door to a token for its audience: the status, and whether it says when to come again.
    pub(crate) async fn knock(
        &self,
        tokens: &Tokens,
    ) -> Vec<(String, Result<(u16, bool), String>)> {
        let mut answers = Vec::new();
        for (door, audience) in self.doors() {
            let answer = send(self.client.get(&door).bearer_auth(&tokens[audience])).await;
            let answer = answer.map(|answer| {
                let comes_again = answer.headers().contains_key(RETRY_AFTER);
                (answer.status().as_u16(), comes_again)
            });
            answers.push((door, answer));
        }
        answers
    }
}

/// Asks until it is over.
pub(crate) async fn ask(number: usize, world: Arc<World>, places: Arc<Places>) {
    let mut dice = Dice::new(number + 100);
    while world.is_running() {
        let start = Instant::now();
        let callers = world.callers.get();
        let (blueprint, tenant) = (dice.roll(2), dice.roll(2));
        let of_place = &callers[blueprint][tenant];
        let caller = &of_place[dice.roll(of_place.len())];
        let agent = dice.roll(AGENTS);
        let request = Request {
            world: &world,
            places: &places,
            caller,
            acting: &world.agents[blueprint][tenant][agent],
            agent,
            account: dice.roll(ACCOUNTS),
            blueprint,
            at: start,
        };
        let of_sidecar = &callers[1][0];
        let request_of_sidecar = Request {
            caller: &of_sidecar[dice.roll(of_sidecar.len())],
            // Of the second tenant too, where the route allows it.
            acting: &world.agents[1][tenant][agent],
            blueprint: 1,
            ..request
        };
        let at_home = Request {
            acting: &world.agents[1][0][agent],
            ..request_of_sidecar
        };
        let (what, outcome) = match dice.roll(20) {
            0 => ("API of an agent, as an app", request.as_app().await),
            1..3 => ("API of an agent, as itself", request.as_itself().await),
            3..7 => (
                "API of an agent, on behalf of its caller",
                request.on_behalf_of().await,
            ),
            7..10 => ("API of an agent, by an account", request.by_account().await),
            10..12 => (
                "sidecar, header, as itself",
                request_of_sidecar.header(Leg::Agent).await,
            ),
            12..14 => (
                "sidecar, header, by an account",
                request_of_sidecar.header(Leg::AgentUser).await,
            ),
            14 => (
                "sidecar, header, on behalf of",
                at_home.header(Leg::OnBehalfOf).await,
            ),
            15 => (
                "sidecar, call, as itself",
                request_of_sidecar.call(Leg::Agent).await,
            ),
            16 => (
                "sidecar, call, on behalf of",
                at_home.call(Leg::OnBehalfOf).await,
            ),
            17 => ("sidecar, validate", at_home.validate().await),
            _ => ("forged token", request.forged(dice.roll(1_000)).await),
        };
        let outcome = match outcome {
            Ok(right) => format!("right: {right}"),
            Err((wrong, text)) => {
                world.figures.wrong(wrong, what, &text);
                format!("WRONG: {wrong:?}")
            }
        };
        world.figures.count(what, outcome, start.elapsed());
        sleep(PAUSE).await;
    }
}

/// What one client asks for now.
#[derive(Clone, Copy)]
pub(crate) struct Request<'w> {
    pub(crate) world: &'w World,
    pub(crate) places: &'w Places,
    pub(crate) caller: &'w Caller,
    pub(crate) acting: &'w Acting,
    /// Its number.
    pub(crate) agent: usize,
    /// The number of its account.
    pub(crate) account: usize,
    /// That of the API of an agent.
    pub(crate) blueprint: usize,
    pub(crate) at: Instant,
}

impl Request<'_> {
    /// Whom an API sees when the app acts as itself, in the tenant of the caller.
    pub(crate) fn app_itself(&self) -> Seen {
        let app = self.world.issuer.client_id();
        Seen::new("application", &self.caller.seen.tenant, app)
    }

    /// Whether the refusal has a cause.
    pub(crate) async fn judge(
        &self,
        refusal: Refusal,
        leg: Leg,
        user: Option<&str>,
        of_sidecar: bool,
    ) -> Outcome {
        let blueprint = self.world.blueprints[self.blueprint].client_id();
        let client = match leg {
            Leg::App => self.world.issuer.client_id(),
            _ => self.acting.id(),
        };
        let asked = Asked {
            client: client.to_owned(),
            blueprint: blueprint.to_owned(),
            leg,
            user: user.map(str::to_owned),
            account: (leg == Leg::AgentUser).then(|| {
                let account = &self.acting.accounts[self.account];
                [account.object_id(), account.principal_name()].map(str::to_owned)
            }),
            multifactor: leg == Leg::OnBehalfOf && self.caller.multifactor,
            answers_challenges: self.caller.answers_challenges,
            of_sidecar,
            at: self.at,
        };
        let answered = Instant::now();
        let mut cause = self.world.causes.of(&refusal, &asked, answered);
        for _ in 0..10 {
            if cause.is_some() {
                break;
            }
            // The token request may not be read yet.
            sleep(Duration::from_millis(200)).await;
            cause = self.world.causes.of(&refusal, &asked, answered + LATE);
        }
        match cause {
            Some(cause) => Ok(format!("{}, {cause:?}", refusal.status)),
            None => Err((Wrong::Refusal, format!("{refusal:?} to {asked:?}"))),
        }
    }
}

pub(crate) fn same(seen: &Seen, expected: &Seen) -> Outcome {
    match seen == expected {
        true => Ok("as asked".to_owned()),
        false => {
            let text = format!("seen: {seen:?}, asked for: {expected:?}");
            Err((Wrong::Identity, text))
        }
    }
}

pub(crate) async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, (Wrong, String)> {
    let body = answer.bytes().await;
    let body = body.map_err(|error| (Wrong::Answer, error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| (Wrong::Answer, error.to_string()))
}

pub(crate) async fn answered(request: RequestBuilder) -> Result<Response, (Wrong, String)> {
    send(request).await.map_err(|error| (Wrong::Answer, error))
}

async fn send(request: RequestBuilder) -> Result<Response, String> {
    let answer = request.timeout(LIMIT).send().await;
    answer.map_err(|error| format!("{error:?}"))
}

/// The sidecar closes a connection that is idle for 10 s. A request that is sent at that moment fails.
const IDLE: Duration = Duration::from_secs(5);
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(5);
/// So much later than it was answered a token request is read.
const LATE: Duration = Duration::from_secs(2);
/// A token is acquired within 30 s.
const LIMIT: Duration = Duration::from_secs(35);
