//! What a test asks and sets of the token endpoint as a whole.

use std::time::Duration;

use serde::Serialize;

use crate::{
    TenantId,
    testing::{
        documents::to_value,
        issuer::Issuer,
        names::object_id_of,
        sts::{
            issued::seconds,
            legs::{Leg, TokenRequest},
        },
    },
};

/// The requests to the token endpoint, including those that are refused or answered with a fault.
impl Issuer {
    /// The URL of the home tenant's token endpoint.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!(
            "{}/{}/oauth2/v2.0/token",
            self.shared.base(),
            self.tenant_id()
        )
    }

    /// How many requests there were for tokens.
    #[must_use]
    pub fn token_requests(&self) -> u64 {
        self.shared.lock().token_log.total()
    }

    /// How many requests there were of this leg.
    #[must_use]
    pub fn token_requests_of(&self, leg: Leg) -> u64 {
        self.shared.lock().token_log.count(leg)
    }

    /// The last 1,000 requests for tokens, oldest first, with secrets, assertions and tokens cut.
    #[must_use]
    pub fn token_requests_seen(&self) -> Vec<TokenRequest> {
        let state = self.shared.lock();
        state.token_log.requests().cloned().collect()
    }
}

/// Settings of the token endpoint, from the next answer on.
impl Issuer {
    /// Sets `expires_in` for the tokens of a leg. The default is 3,599 s, as Entra has for an hour; fractions
    /// of a second are cut.
    pub fn set_token_lifetime(&self, leg: Leg, lifetime: Duration) {
        let mut state = self.shared.lock();
        state.tokens.lifetimes.insert(leg, lifetime);
    }

    /// Sets `refresh_in` for the tokens of a leg. By default the answers have none.
    pub fn set_refresh_in(&self, leg: Leg, refresh_in: Duration) {
        let mut state = self.shared.lock();
        state.tokens.refresh_in.insert(leg, refresh_in);
    }

    /// Sets a member of the answers that grant a token of this leg, such as `expires_in` to a text or
    /// `access_token` to the token of another caller.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON.
    #[track_caller]
    pub fn set_token_member(&self, leg: Leg, name: &str, value: impl Serialize) {
        let value = to_value(value);
        let mut state = self.shared.lock();
        let edits = state.tokens.edits.entry(leg).or_default();
        edits.insert(name.to_owned(), Some(value));
    }

    /// Leaves a member out of the answers that grant a token of this leg.
    pub fn remove_token_member(&self, leg: Leg, name: &str) {
        let mut state = self.shared.lock();
        let edits = state.tokens.edits.entry(leg).or_default();
        edits.insert(name.to_owned(), None);
    }

    /// Undoes every change to members of the answers.
    pub fn reset_token_members(&self) {
        self.shared.lock().tokens.edits.clear();
    }

    /// Makes the tokens of this leg that were issued until now count as expired at the token endpoint,
    /// whatever they say: a T1 is refused as an assertion with AADSTS700024.
    ///
    /// APIs continue to admit them. Applies to the last 10,000 tokens.
    pub fn expire_tokens(&self, leg: Leg) {
        self.shared.lock().tokens.expire(leg);
    }

    /// Revokes the refresh tokens of a person, or of an agent's user account: AADSTS50173.
    pub fn revoke_refresh_tokens(&self, user: &str) {
        let oid = object_id_of(user);
        self.shared.lock().tokens.revoke_refresh_tokens(&oid);
    }

    /// Moves the clock of the token endpoint forward: what it has issued is older, and what it issues is
    /// from a later time. The tokens that a [`TokenBuilder`](super::super::TokenBuilder) mints keep to the
    /// real clock.
    pub fn advance_clock(&self, time: Duration) {
        let mut state = self.shared.lock();
        let ahead = state.tokens.ahead.saturating_add(seconds(time));
        state.tokens.ahead = ahead.min(FARTHEST);
    }

    /// Registers every app, blueprint and API in another tenant too. Agents are of one tenant: see
    /// [`Blueprint::add_agent_in`](super::super::Blueprint::add_agent_in).
    ///
    /// # Panics
    ///
    /// If `tid` is not a GUID.
    #[track_caller]
    pub fn add_tenant(&self, tid: &str) {
        let Ok(tenant) = tid.parse::<TenantId>() else {
            panic!("a tenant of a testing::Issuer must be a GUID, not {tid:?}");
        };
        self.shared
            .edit(|directory| directory.tenants.insert(tenant.to_string()));
    }

    /// Disables the account of a person: AADSTS50057.
    pub fn disable_user(&self, user: &str) {
        self.shared
            .edit(|directory| directory.disable_user(user, true));
    }

    /// Undoes [`disable_user`](Self::disable_user).
    pub fn enable_user(&self, user: &str) {
        self.shared
            .edit(|directory| directory.disable_user(user, false));
    }
}

/// A million years in seconds, far from the end of the numbers.
const FARTHEST: i64 = 31_557_600_000_000;
