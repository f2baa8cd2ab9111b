//! An endpoint that grants everything after a time, counts, and can be told to answer otherwise.

use std::{collections::BTreeMap, time::Duration};

use tower_entra::acquire::{AcquireSettings, ClientCredential, ConfidentialClient};

use super::{
    assertions::{BLUEPRINT, TENANT},
    endpoint::{Call, Endpoint, Fate, Key, Play, Reply},
};

/// The requests by the token that they ask for, and how each is answered.
pub(crate) struct Scripted {
    requests: BTreeMap<Key, usize>,
    pub(crate) takes: Duration,
    pub(crate) lives: u64,
    /// The answer to a request, in place of the token.
    pub(crate) instead: Option<Instead>,
}

type Instead = Box<dyn FnMut(&Call) -> Option<Reply> + Send>;

/// The requests of each leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Legs {
    pub(crate) t1: usize,
    pub(crate) t2: usize,
    pub(crate) last: usize,
}

impl Scripted {
    pub(crate) fn start() -> Endpoint<Self> {
        Endpoint::new(Self {
            requests: BTreeMap::new(),
            takes: Duration::from_millis(100),
            lives: 3_599,
            instead: None,
        })
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.values().sum()
    }

    pub(crate) fn requests_for(&self, key: &Key) -> usize {
        self.requests.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn legs(&self) -> Legs {
        let mut legs = Legs::default();
        for (key, count) in &self.requests {
            let leg = match key {
                key if key.is_t1() => &mut legs.t1,
                key if key.is_t2() => &mut legs.t2,
                _ => &mut legs.last,
            };
            *leg += count;
        }
        legs
    }

    /// Answers each request for this token so, and no other.
    pub(crate) fn answer(&mut self, key: &Key, reply: Reply) {
        let key = key.clone();
        self.instead = Some(Box::new(move |call| {
            (call.key == key).then(|| reply.clone())
        }));
    }
}

impl Play for Scripted {
    fn asked(&mut self, call: &Call) -> Fate {
        *self.requests.entry(call.key.clone()).or_default() += 1;
        let instead = self.instead.as_mut().and_then(|instead| instead(call));
        instead
            .unwrap_or_else(|| Reply::token(call, self.lives))
            .after(self.takes)
    }
}

/// The blueprint, at this endpoint.
pub(crate) fn client(endpoint: &Endpoint<Scripted>) -> ConfidentialClient {
    with_settings(endpoint, AcquireSettings::default())
}

pub(crate) fn with_settings(
    endpoint: &Endpoint<Scripted>,
    settings: AcquireSettings,
) -> ConfidentialClient {
    ConfidentialClient::builder(TENANT, BLUEPRINT, ClientCredential::secret("s"))
        .http_client(endpoint.clone())
        .settings(settings)
        .build()
        .unwrap()
}

pub(crate) fn agent(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A user's object id.
pub(crate) fn user(number: usize) -> String {
    format!("00000000-0000-4000-9000-{number:012}")
}
