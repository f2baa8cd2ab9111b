//! One token request while it is decided.

use std::sync::Arc;

use crate::testing::{
    state::Shared,
    sts::{form::Form, jwt::Jwt, legs::Leg, refusal::Refusal, registrations::Directory},
};

pub(super) struct Call<'c> {
    pub(super) shared: &'c Arc<Shared>,
    pub(super) directory: &'c Directory,
    pub(super) form: &'c Form,
    /// The tenant in the path, in lower case.
    pub(super) tenant: &'c str,
    pub(super) leg: Leg,
    pub(super) now: i64,
}

impl<'c> Call<'c> {
    pub(super) fn required(&self, parameter: &str) -> Result<&'c str, Refusal> {
        let value = self.form.get(parameter);
        value.ok_or_else(|| Refusal::missing(parameter))
    }

    /// Whether this issuer has signed the token, in any tenant.
    pub(super) fn is_own(&self, token: &Jwt<'_>) -> bool {
        let kid = token.header.get("kid").and_then(|kid| kid.as_str());
        let algorithm = token.algorithm();
        algorithm.is_some_and(|algorithm| {
            self.shared
                .verifies(kid, algorithm, token.input, &token.signature)
        })
    }

    /// Whether a token of this issuer is within its dates and has not been made to expire.
    pub(super) fn is_in_force(&self, token: &Jwt<'_>) -> bool {
        let expires = token.time("exp").ok().flatten();
        let begins = token.time("nbf").ok().flatten();
        expires.is_some_and(|expires| self.now < expires)
            && begins.is_none_or(|begins| begins <= self.now + SKEW)
            && !self.shared.lock().tokens.has_expired(token.claim("uti"))
    }
}

/// How far the clocks of two machines may differ, in seconds.
pub(super) const SKEW: i64 = 300;
