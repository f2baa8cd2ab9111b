//! The public handle: validates tokens, and knows whether there are keys.

use std::{fmt, sync::Arc, time::Duration};

use crate::admit::{
    checks::Grant,
    error::{Error, Refusal},
    gate::{Decision, Gate, Waiting},
    keys::{KeyError, KeySource, KeyStatus, NotReady},
    principal::AgentPrincipal,
};

/// Checks Entra access tokens and finds out who is calling.
///
/// A validator works without tower and without HTTP. Cloning it is cheap: all clones share one source
/// of keys and one background task that fetches them.
///
/// # The runtime
///
/// The task starts with the first [`ready`](Self::ready), [`status`](Self::status),
/// [`validate`](Self::validate) or request through a layer, on the [tokio](https://docs.rs/tokio) runtime of
/// that call, and ends with the last clone. If its runtime ends earlier, the next call starts it again. A
/// runtime that is kept but no longer driven stops the fetching, so make the first call on the application's
/// own runtime.
///
/// The runtime needs a timer. Without one, nothing is fetched and no request waits. Detecting this
/// raises a panic, which is caught on each request; a program built with `panic = "abort"` aborts. The
/// same panic is raised and caught for a request that waits for a key while its runtime ends: the
/// request fails with [`KeysUnavailable`](crate::ErrorKind::KeysUnavailable).
///
/// The default HTTP client needs a runtime with I/O as well. Without it each fetch fails.
///
/// # What is checked
///
/// In this order; the first check that fails names the refusal:
///
/// 1. (by the [layer](crate::EntraAuthLayer)) one `Authorization` header with one bearer token, or
///    [another header](crate::EntraAuthLayer::token_from_header)
/// 2. size, three segments, canonical base64url
/// 3. header: algorithm, `kid`, type, nothing critical
/// 4. `kid` names a key of the authority
/// 5. the signature verifies with that key and its algorithm
/// 6. claims: no member twice, right types
/// 7. `ver`, `tid` and `iss` agree, and the tenant is allowed
/// 8. that key may sign for that issuer and cloud
/// 9. `aud` is one of the audiences
/// 10. `exp`, `nbf`, `iat`
/// 11. an access token, without contradictions
/// 12. not bound to a sender's key
/// 13. it grants a scope or a role
///
/// No setting takes one of them away, with two exceptions that say so: the 13th may be left to the
/// application by [`with_authorization_by_acl`](Self::with_authorization_by_acl), and the 8th does
/// without the cloud after
/// [`danger_accept_keys_of_other_clouds`](crate::ValidatorBuilder::danger_accept_keys_of_other_clouds).
#[derive(Clone)]
pub struct Validator {
    pub(crate) gate: Arc<Gate>,
    pub(crate) grant: Grant,
}

impl Validator {
    /// A validator that also admits tokens that grant nothing, for APIs that keep their own list
    /// of who may do what. It shares everything else with this one: keys, task and cool-down.
    ///
    /// Any application in an allowed tenant can get such a token. Look
    /// ([`tenant_id`](AgentPrincipal::tenant_id), [`object_id`](AgentPrincipal::object_id)) up in that
    /// list before doing anything for its bearer. Microsoft.Identity.Web calls this
    /// `AllowWebApiToBeAuthorizedByACL`.
    #[must_use]
    pub fn with_authorization_by_acl(&self) -> Self {
        Self {
            grant: Grant::LeftToTheApplication,
            ..self.clone()
        }
    }

    /// Checks a token, without the word `Bearer` before it.
    ///
    /// Waits at most the configured wait (2 s by default), and only for keys: if the token's key is
    /// unknown and the token would pass checks 7, 9 and 10, or if there are no usable keys. In the
    /// cool-down after a fetch for an unknown key (10 s by default) it does not wait.
    ///
    /// # Errors
    ///
    /// Fails with the [`ErrorKind`](crate::ErrorKind) of the first check that the token does not pass, or
    /// with [`KeysUnavailable`](crate::ErrorKind::KeysUnavailable) if it cannot be checked because keys are
    /// missing.
    pub async fn validate(&self, token: &str) -> Result<AgentPrincipal, Error> {
        match self.decide(token) {
            Decision::Made(verdict) => verdict,
            Decision::Wait(waiting) => self.resume(waiting).await,
        }
    }

    /// Waits until there is a usable key set, without a limit. At start-up use
    /// [`ready_within`](Self::ready_within), which says why there is none.
    ///
    /// Must be called within a tokio runtime. Without one nothing fetches, and this never ends.
    pub async fn ready(&self) {
        self.gate.keys.ready().await;
    }

    /// Waits until there is a usable key set, for at most `limit`.
    ///
    /// An API that ends itself because of an outage of Entra cannot recover with it. Log the error and
    /// serve: requests are answered with 503 until there are keys, and the task goes on fetching.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower_entra::Validator;
    /// # async fn start(validator: Validator) {
    /// if let Err(error) = validator.ready_within(Duration::from_secs(5)).await {
    ///     let hint = error.last_error().map(|error| error.hint());
    ///     tracing::warn!(hint, "{error}");
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if there is no usable key set after `limit`, with the error of the last fetch, or at once
    /// if there is none and no tokio runtime with a timer is current.
    pub async fn ready_within(&self, limit: Duration) -> Result<(), NotReady> {
        self.gate.keys.ready_within(limit).await
    }

    /// What is known about the keys: fresh, stale with the time left, or none.
    ///
    /// Never waits. Starts the task if a tokio runtime with a timer is current, so that a readiness
    /// probe on this status succeeds although no request comes before it does. Has a running task
    /// refresh keys that are overdue by the wall clock.
    #[must_use]
    pub fn status(&self) -> KeyStatus {
        self.ensure_running();
        self.gate.keys.status()
    }

    /// Why the last fetch of keys failed. `None` if it was good, or if no fetch has ended yet.
    #[must_use]
    pub fn last_key_error(&self) -> Option<KeyError> {
        self.gate.keys.last_error()
    }

    pub(crate) fn ensure_running(&self) {
        self.gate.keys.ensure_running();
    }

    pub(crate) fn keys(&self) -> Arc<KeySource> {
        Arc::clone(&self.gate.keys)
    }

    pub(crate) fn authority(&self) -> &str {
        self.gate.policy.issuers.authority()
    }

    /// Whether a token with this `iss` is one for this validator to check.
    pub(crate) fn has_issuer(&self, issuer: &str) -> bool {
        self.gate.policy.has_issuer(issuer)
    }

    /// The longest token that is read, in bytes.
    pub(crate) fn max_token_size(&self) -> usize {
        self.gate.rules.max_len
    }

    pub(crate) fn audiences(&self) -> &[String] {
        &self.gate.policy.audiences
    }

    /// Where clients can get tokens that this validator accepts.
    pub(crate) fn authorization_servers(&self) -> Vec<String> {
        let policy = &self.gate.policy;
        policy.issuers.authorization_servers(&policy.tenants)
    }

    /// Where users of the accepted tenants sign in.
    pub(crate) fn authorization_uri(&self) -> String {
        let policy = &self.gate.policy;
        let tenant = policy.tenants.discovery_segment();
        format!(
            "{}/{tenant}/oauth2/v2.0/authorize",
            policy.issuers.authority()
        )
    }

    /// Decides without waiting, if that can be done.
    pub(crate) fn decide(&self, token: &str) -> Decision {
        self.decide_unread(token.as_bytes(), || Ok(token))
    }

    /// The same about a text that `read` makes a token of, unless it is a remembered token.
    pub(crate) fn decide_unread<'t>(
        &self,
        text: &'t [u8],
        read: impl FnOnce() -> Result<&'t str, Refusal>,
    ) -> Decision {
        self.gate.decide(text, read, self.grant)
    }

    /// Whether a caller who was admitted is so still: what depends on the time is looked at again.
    pub(crate) fn judge_again(&self, caller: &AgentPrincipal) -> Result<(), Error> {
        self.gate.judge_again(caller, self.grant)
    }

    /// When a caller who was admitted is no longer so, in seconds since 1970.
    pub(crate) fn end_of(&self, caller: &AgentPrincipal) -> u64 {
        self.gate.policy.end_of(caller.dates())
    }

    /// Goes on when a key may have come.
    pub(crate) async fn resume(&self, waiting: Waiting) -> Result<AgentPrincipal, Error> {
        self.gate.resume(waiting, self.grant).await
    }

    /// Why a request was not answered that went away while it waited for this `kid`.
    pub(crate) fn gone_away(&self, kid: &str) -> Error {
        self.gate.gone_away(kid)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("tenants", &self.gate.policy.tenants)
            .field("audiences", &self.gate.policy.audiences)
            .field("grant", &self.grant)
            .field("keys", &self.gate.keys)
            .field("cache", &self.gate.cache)
            .finish_non_exhaustive()
    }
}
