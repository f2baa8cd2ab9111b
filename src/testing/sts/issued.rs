//! What the token endpoint remembers of its answers, and how they are set.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

use serde_json::Value;

use crate::testing::{names::random_guid, sts::legs::Leg};

#[derive(Default)]
pub(in crate::testing) struct Tokens {
    /// Seconds by which the clock of the token endpoint is ahead.
    pub(super) ahead: i64,
    pub(super) lifetimes: BTreeMap<Leg, Duration>,
    pub(super) refresh_in: BTreeMap<Leg, Duration>,
    pub(super) edits: BTreeMap<Leg, BTreeMap<String, Option<Value>>>,
    /// Leg and `uti` of the last tokens.
    issued: VecDeque<(Leg, String)>,
    expired: HashSet<String>,
    refresh: VecDeque<RefreshToken>,
}

/// What a refresh token stands for.
#[derive(Clone)]
pub(super) struct RefreshToken {
    pub(super) text: String,
    pub(super) tenant: String,
    pub(super) client_id: String,
    pub(super) user: Person,
    pub(super) scope: String,
    pub(super) revoked: bool,
}

/// The person, or the user account of an agent, for whom a token is.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) oid: String,
    pub(super) name: String,
    pub(super) principal_name: String,
    pub(super) is_agent_user: bool,
    pub(super) multifactor: bool,
}

impl Tokens {
    pub(super) fn lifetime(&self, leg: Leg) -> i64 {
        let lifetime = self.lifetimes.get(&leg).copied();
        seconds(lifetime.unwrap_or(DEFAULT_LIFETIME))
    }

    pub(super) fn issue(&mut self, leg: Leg, uti: &str) {
        if self.issued.len() == TOKENS_KEPT
            && let Some((_, forgotten)) = self.issued.pop_front()
        {
            self.expired.remove(&forgotten);
        }
        self.issued.push_back((leg, uti.to_owned()));
    }

    /// Makes every token of this leg count as expired.
    pub(super) fn expire(&mut self, leg: Leg) {
        let of_leg = self.issued.iter().filter(|(other, _)| *other == leg);
        self.expired.extend(of_leg.map(|(_, uti)| uti.clone()));
    }

    pub(super) fn has_expired(&self, uti: &str) -> bool {
        self.expired.contains(uti)
    }

    pub(super) fn add_refresh_token(&mut self, token: RefreshToken) {
        if self.refresh.len() == TOKENS_KEPT {
            self.refresh.pop_front();
        }
        self.refresh.push_back(token);
    }

    pub(super) fn refresh_token(&self, text: &str) -> Option<&RefreshToken> {
        self.refresh.iter().find(|token| token.text == text)
    }

    pub(super) fn revoke_refresh_tokens(&mut self, oid: &str) {
        let of_user = self
            .refresh
            .iter_mut()
            .filter(|token| token.user.oid == oid);
        of_user.for_each(|token| token.revoked = true);
    }
}

/// An opaque text of random characters.
pub(super) fn new_refresh_token() -> String {
    format!("1.{}.{}", random_guid(), random_guid()).replace('-', "")
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4)
}

/// Entra answers 3,599 for a token of an hour.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3_599);

const TOKENS_KEPT: usize = 10_000;
