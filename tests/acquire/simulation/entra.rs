//! The token endpoint of the simulation: what it has issued, and what the script has it answer.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{
    super::{
        assertions::BLUEPRINT,
        endpoint::{Call, EXCHANGE, Fate, Key, Play, Reply, Who, claims_of, jwt},
        scripted::agent,
    },
    desk::Time,
    oracle::{Issued, Oracle},
    script::{Class, Fault, Random, Script},
};

pub(crate) const OTHER_BLUEPRINT: &str = "33333333-3333-4333-8333-333333333333";
pub(crate) const APP: &str = "44444444-4444-4444-8444-444444444444";

/// The token endpoint, and all that it has issued.
pub(crate) struct Entra {
    began: Instant,
    pub(crate) oracle: Oracle,
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
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            began: Instant::now(),
            oracle: Oracle::default(),
            script: None,
            random: Random(seed),
            flights: HashMap::new(),
            plans: HashMap::new(),
        }
    }

    pub(crate) fn begin(&mut self, script: Script) {
        self.script = Some(script);
    }

    pub(crate) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// The version of the credential that is valid now, and that which the program has.
    pub(crate) fn versions(&self, at: Time) -> (usize, usize) {
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
        let refresh_in = self.random.happens(200).then_some(seconds / 2);
        (
            Duration::from_secs(seconds),
            refresh_in.map(Duration::from_secs),
        )
    }
}

/// The T1 and the T2 with which this token is asked for.
pub(crate) fn legs(key: &Key) -> Vec<Key> {
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

/// The T1 and the T2 on the way to a token of an agent of this blueprint.
fn legs_of(key: &Key, blueprint: &str) -> Vec<Key> {
    let agent = key.client();
    if agent == blueprint {
        return Vec::new();
    }
    let t1 = Who::AgentAssertion {
        blueprint: blueprint.to_owned(),
        agent: agent.to_owned(),
    };
    let mut legs = vec![Key::new(&key.tenant, t1, EXCHANGE)];
    if matches!(key.who, Who::AgentUser { .. }) {
        legs.push(Key::new(
            &key.tenant,
            Who::Itself(agent.to_owned()),
            EXCHANGE,
        ));
    }
    legs
}
