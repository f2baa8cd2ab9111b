//! The state that the handle, the server and the token builders of one issuer share.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Authority, Tenants, Validator, ValidatorBuilder,
    testing::{
        algorithm::Algorithm,
        documents::{Documents, Endpoint, Route, target_of},
        fault::{Fault, Faults},
        keys::{KeyKind, KeyRing, SigningKey},
        response::Reply,
        settings::Settings,
        sts::{issued::Tokens, legs::TokenLog, registrations::Directory},
    },
};

pub(super) struct Shared {
    pub(super) url: String,
    pub(super) settings: Settings,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(url: String, settings: Settings) -> Self {
        let state = State {
            directory: Arc::new(Directory::new(&settings)),
            tokens: Tokens::default(),
            token_log: TokenLog::default(),
            keys: KeyRing::new(),
            documents: Documents::default(),
            faults: Faults::default(),
            log: Log::default(),
        };
        Self {
            url,
            settings,
            state: Mutex::new(state),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic over a wrong argument leaves no change half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes who is registered and what is granted, for the requests that come from now on.
    pub(super) fn edit<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        change(Arc::make_mut(&mut self.lock().directory))
    }

    /// Scheme, host and port of everything that is issued or published.
    pub(super) fn base(&self) -> &str {
        self.settings.public_url.as_deref().unwrap_or(&self.url)
    }

    pub(super) fn v1_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/", self.base())
    }

    pub(super) fn v2_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.base())
    }

    pub(super) fn authority(&self) -> Authority {
        let base = self.base();
        let authority = match base.starts_with("http://") {
            true => Authority::insecure_loopback(base),
            false => Authority::custom(base.to_owned()),
        };
        authority.with_v1_issuer(format!("{base}/{{tid}}/"))
    }

    /// Publishes a new key and signs with it from now on.
    pub(super) fn rotate(&self) -> String {
        // The key is made before the lock is taken, so that the server can answer meanwhile.
        let key = SigningKey::generate(KeyKind::Rsa2048);
        let mut state = self.lock();
        let kid = state.keys.add(key, true);
        state.keys.current.clone_from(&kid);
        kid
    }

    /// Whether a published key of this id has made the signature.
    pub(super) fn verifies(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        input: &[u8],
        signature: &[u8],
    ) -> bool {
        let key = {
            let state = self.lock();
            let mut keys = state.keys.published();
            let entry = keys.find(|entry| kid == Some(entry.kid.as_str()));
            entry.map(|entry| entry.key.public_key())
        };
        key.is_some_and(|key| key.verifies(algorithm, input, signature))
    }

    pub(super) fn validator_builder(&self) -> ValidatorBuilder {
        let tenants = if self.settings.multi_tenant {
            Tenants::any_organization()
        } else {
            Tenants::single(&self.settings.tenant_id)
        };
        Validator::builder(tenants, [&self.settings.audience]).authority(self.authority())
    }

    /// The document for a request that is neither logged nor answered with a fault.
    pub(super) fn document(&self, target: &str) -> Option<Vec<u8>> {
        let route = Route::parse(target)?;
        self.lock().document(self.base(), &route)
    }

    /// Logs a request and decides its answer, under one lock.
    pub(super) fn receive(&self, head: String) -> Answer {
        let route = Route::parse(target_of(&head));
        let mut state = self.lock();
        state
            .log
            .record(head, route.as_ref().map(|route| route.endpoint));
        let Some(route) = route else {
            return Answer::NotFound;
        };
        match state.document(self.base(), &route) {
            Some(document) => Answer::Document {
                reply: Reply::document(document),
                fault: state.faults.next(route.endpoint, None),
            },
            None => Answer::NotAllowed,
        }
    }
}

pub(super) enum Answer {
    NotFound,
    /// A GET for the token endpoint.
    NotAllowed,
    Document {
        reply: Reply,
        fault: Option<Fault>,
    },
}

pub(super) struct State {
    /// A request keeps the one with which it began.
    pub(super) directory: Arc<Directory>,
    pub(super) tokens: Tokens,
    pub(super) token_log: TokenLog,
    pub(super) keys: KeyRing,
    pub(super) documents: Documents,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl State {
    fn document(&self, url: &str, route: &Route) -> Option<Vec<u8>> {
        match route.endpoint {
            Endpoint::Discovery => Some(self.documents.discovery(url, route)),
            Endpoint::Keys => Some(self.documents.key_set(url, &self.keys)),
            Endpoint::Token => None,
        }
    }
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) discovery_fetches: u64,
    pub(super) key_fetches: u64,
    pub(super) heads: VecDeque<String>,
}

impl Log {
    pub(super) fn record(&mut self, head: String, endpoint: Option<Endpoint>) {
        match endpoint {
            Some(Endpoint::Discovery) => self.discovery_fetches += 1,
            Some(Endpoint::Keys) => self.key_fetches += 1,
            Some(Endpoint::Token) | None => {}
        }
        if self.heads.len() == HEADS_KEPT {
            self.heads.pop_front();
        }
        self.heads.push_back(head);
    }
}

const HEADS_KEPT: usize = 1_000;
