//! The state that the handle, the server and the token builders of one issuer share.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    Authority, Tenants, Validator, ValidatorBuilder,
    testing::{
        documents::{Documents, Endpoint, Route, target_of},
        fault::{Fault, Faults},
        keys::KeyRing,
    },
};

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tenant_id: String,
    pub(super) audience: String,
    pub(super) client_id: String,
    pub(super) agent_id: String,
    pub(super) blueprint_id: String,
    pub(super) multi_tenant: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant_id: "7090e106-1ad3-4313-9b7a-75cc3e576d40".to_owned(),
            audience: "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a".to_owned(),
            client_id: "001458b4-6bef-4de5-acde-bf9b2edaf9fb".to_owned(),
            agent_id: "facbde84-d22b-4c07-a3e2-66f35c3f4a2e".to_owned(),
            blueprint_id: "4d4c6958-d676-49f0-815f-608f5aacfd24".to_owned(),
            multi_tenant: false,
        }
    }
}

pub(super) struct Shared {
    pub(super) url: String,
    pub(super) settings: Settings,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(url: String, settings: Settings) -> Self {
        let state = State {
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

    pub(super) fn v1_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/", self.url)
    }

    pub(super) fn v2_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.url)
    }

    pub(super) fn authority(&self) -> Authority {
        let v1_issuer = format!("{}/{{tid}}/", self.url);
        Authority::insecure_loopback(self.url.clone()).with_v1_issuer(v1_issuer)
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
        Some(self.lock().document(&self.url, &route))
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
        let document = state.document(&self.url, &route);
        Answer::Document {
            document,
            fault: state.faults.next(route.endpoint),
        }
    }
}

pub(super) enum Answer {
    NotFound,
    Document {
        document: Vec<u8>,
        fault: Option<Fault>,
    },
}

pub(super) struct State {
    pub(super) keys: KeyRing,
    pub(super) documents: Documents,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl State {
    fn document(&self, url: &str, route: &Route) -> Vec<u8> {
        match route.endpoint {
            Endpoint::Discovery => self.documents.discovery(url, route),
            Endpoint::Keys => self.documents.key_set(url, &self.keys),
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
    fn record(&mut self, head: String, endpoint: Option<Endpoint>) {
        match endpoint {
            Some(Endpoint::Discovery) => self.discovery_fetches += 1,
            Some(Endpoint::Keys) => self.key_fetches += 1,
            None => {}
        }
        if self.heads.len() == HEADS_KEPT {
            self.heads.pop_front();
        }
        self.heads.push_back(head);
    }
}

const HEADS_KEPT: usize = 1_000;
