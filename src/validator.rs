//! The order of the checks. [`Validator::admit`] is the page to read first.

use std::{fmt, sync::Arc};

use crate::{
    builder::ValidatorBuilder,
    cache::{TokenCache, TokenDigest},
    clock::unix_now,
    diagnosis::{
        Circumstances, bad_signature, missing_key, refused_claims, refused_dates, refused_grant,
        refused_token,
    },
    error::{Error, ErrorKind},
    keys::{KeySource, KeyStatus, MissingKey, PublishedKey, Snapshot, Ticket},
    metrics,
    policy::{Policy, Signer, grants_something, is_access_token, is_bearer_token},
    principal::{AgentPrincipal, Findings},
    tenants::Tenants,
    token::{Claims, TokenRules, UnverifiedToken, VerifiedToken},
};

/// Checks Entra access tokens and tells who is calling.
///
/// A validator works without tower and without HTTP. Cloning it is cheap; all clones share one
/// source of keys and one background task that fetches them. The task starts with the first
/// [`ready`](Self::ready), [`validate`](Self::validate) or request through a layer, on the
/// [tokio](https://docs.rs/tokio) runtime of that call, which must have its timer enabled, and ends
/// with the last clone. If its runtime ends before, the next call starts it again; a runtime that is
/// kept but no longer driven stops the fetching, so call it where the application lives. On a runtime
/// without a timer no request waits and nothing is fetched, but finding that out panics inside and is
/// caught: a program that aborts on panics aborts. What one runtime has begun to wait for must not be
/// awaited on another that has no timer.
///
/// # What is checked
///
/// In this order; the first check that fails names the refusal:
///
/// 1. (by the [layer](crate::EntraAuthLayer)) one `Authorization` header with one bearer token
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
/// [`danger_accept_keys_of_other_clouds`](ValidatorBuilder::danger_accept_keys_of_other_clouds).
#[derive(Clone)]
pub struct Validator {
    shared: Arc<Shared>,
    authorization_by_acl: bool,
}

/// What all clones have in common.
pub(crate) struct Shared {
    pub(crate) rules: TokenRules,
    pub(crate) policy: Policy,
    pub(crate) keys: Arc<KeySource>,
    pub(crate) cache: Option<TokenCache>,
}

/// What a look at a token has come to.
#[derive(Debug)]
pub(crate) enum Decision {
    Made(Result<AgentPrincipal, Error>),
    /// Its key is not known and may be on its way.
    Wait(Ticket),
}

impl Validator {
    /// Begins the configuration of a validator: whose tokens are accepted, and for which
    /// audiences. Both have to be said; there is no default for either.
    ///
    /// An audience is what stands in `aud`: the API's client id in version 2.0 tokens, in version
    /// 1.0 usually its App ID URI (`api://…`). It is compared exactly.
    ///
    /// ```
    /// use tower_entra::{Tenants, Validator};
    ///
    /// # fn main() -> Result<(), tower_entra::ConfigError> {
    /// let validator = Validator::builder(
    ///     Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"),
    ///     ["3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"],
    /// )
    /// .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<I>(tenants: Tenants, audiences: I) -> ValidatorBuilder
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        ValidatorBuilder::new(tenants, audiences.into_iter().map(Into::into).collect())
    }

    pub(crate) fn from_shared(shared: Shared, authorization_by_acl: bool) -> Self {
        Self {
            shared: Arc::new(shared),
            authorization_by_acl,
        }
    }

    /// A validator that also admits tokens that grant nothing, for APIs that keep their own list
    /// of who may do what. It shares everything else with this one: keys, task and cool-down.
    ///
    /// Any application in an allowed tenant can get such a token. Look at
    /// ([`tenant_id`](AgentPrincipal::tenant_id), [`object_id`](AgentPrincipal::object_id)) before
    /// doing anything for its bearer. Microsoft.Identity.Web calls this
    /// `AllowWebApiToBeAuthorizedByACL`.
    #[must_use]
    pub fn with_authorization_by_acl(&self) -> Self {
        Self {
            authorization_by_acl: true,
            ..self.clone()
        }
    }

    /// Checks a token, without the word `Bearer` before it.
    ///
    /// Waits only if the token's key is unknown and the token is otherwise worth a fetch, or if no
    /// keys have been fetched yet, and no longer than the configured wait (2 s by default).
    ///
    /// # Errors
    ///
    /// Fails with the [`ErrorKind`] of the first check that the token does not pass, or with
    /// [`ErrorKind::KeysUnavailable`] if it cannot be checked for want of keys.
    pub async fn validate(&self, token: &str) -> Result<AgentPrincipal, Error> {
        match self.decide(token) {
            Decision::Made(verdict) => verdict,
            Decision::Wait(ticket) => self.resume(token, ticket).await,
        }
    }

    /// Waits until there is a usable key set, however long that takes; wrap it in a timeout to
    /// fail fast at start-up.
    ///
    /// Must be called within a tokio runtime: without one nothing fetches, and this never ends.
    pub async fn ready(&self) {
        self.shared.keys.ready().await;
    }

    /// What is known about the keys: fresh, stale with the time left, or none.
    #[must_use]
    pub fn status(&self) -> KeyStatus {
        self.shared.keys.status()
    }

    pub(crate) fn ensure_running(&self) {
        self.shared.keys.ensure_running();
    }

    pub(crate) fn keys(&self) -> Arc<KeySource> {
        Arc::clone(&self.shared.keys)
    }

    pub(crate) fn authority(&self) -> &str {
        self.shared.policy.issuers.authority()
    }

    pub(crate) fn audiences(&self) -> &[String] {
        &self.shared.policy.audiences
    }

    /// Where clients can get tokens that this validator accepts.
    pub(crate) fn authorization_servers(&self) -> Vec<String> {
        let policy = &self.shared.policy;
        policy.issuers.authorization_servers(&policy.tenants)
    }

    /// Decides without waiting, if that can be done.
    pub(crate) fn decide(&self, token: &str) -> Decision {
        let decision = self.look_at(token);
        if let Decision::Made(verdict) = &decision {
            count(verdict);
        }
        decision
    }

    fn look_at(&self, token: &str) -> Decision {
        self.ensure_running();
        self.shared.keys.with_snapshot(|snapshot| {
            match (&self.shared.cache, snapshot) {
                // What cannot be a token is not worth a hash.
                (Some(cache), Some(snapshot)) if self.shared.rules.allow_shape_of(token) => {
                    self.decide_by_cache(cache, token, snapshot)
                }
                _ => self.decide_by_proof(token, snapshot),
            }
        })
    }

    /// Looks among the verified tokens first. Only what does not change with time is taken from
    /// there, and only if the keys are the same.
    fn decide_by_cache(&self, cache: &TokenCache, token: &str, snapshot: &Snapshot) -> Decision {
        let digest = TokenDigest::of(token);
        if let Some(caller) = cache.get(&digest, snapshot.generation) {
            metrics::cache_hit();
            let verdict = self.admit_again(caller);
            if matches!(&verdict, Err(error) if error.kind() == ErrorKind::Expired) {
                cache.remove(&digest);
            }
            return Decision::Made(verdict);
        }
        metrics::cache_missed();
        let decision = self.decide_by_proof(token, Some(snapshot));
        if let Decision::Made(Ok(caller)) = &decision {
            cache.insert(digest, caller.clone(), snapshot.generation);
        }
        decision
    }

    fn decide_by_proof(&self, token: &str, snapshot: Option<&Snapshot>) -> Decision {
        let token = match self.parse(token) {
            Ok(token) => token,
            Err(error) => return Decision::Made(Err(error)),
        };
        if let Some(snapshot) = snapshot
            && let Some(key) = snapshot.keys.get(token.kid())
        {
            return Decision::Made(self.admit(token, snapshot, key));
        }
        self.want_key_for(&token)
    }

    /// Goes on when a key may have come.
    pub(crate) async fn resume(
        &self,
        token: &str,
        ticket: Ticket,
    ) -> Result<AgentPrincipal, Error> {
        let verdict = self.look_again_at(token, ticket).await;
        count(&verdict);
        verdict
    }

    async fn look_again_at(&self, token: &str, ticket: Ticket) -> Result<AgentPrincipal, Error> {
        let snapshot = ticket.key_set().await;
        let token = self.parse(token)?;
        let missing = match &snapshot {
            Ok(snapshot) => match snapshot.keys.get(token.kid()) {
                Some(key) => return self.admit(token, snapshot, key),
                None => MissingKey::Unknown,
            },
            Err(missing) => *missing,
        };
        let claims = token.unverified_claims().ok();
        Err(self.missing_key(missing, &token, claims.as_ref()))
    }

    /// Checks 2 and 3.
    fn parse<'t>(&self, token: &'t str) -> Result<UnverifiedToken<'t>, Error> {
        let rules = &self.shared.rules;
        UnverifiedToken::parse(token, rules).map_err(|kind| refused_token(kind, token, rules))
    }

    /// Checks 5 to 13.
    fn admit(
        &self,
        token: UnverifiedToken<'_>,
        snapshot: &Snapshot,
        key: &PublishedKey,
    ) -> Result<AgentPrincipal, Error> {
        let now = unix_now();
        let token = self.verify(token, key, now)?;
        let signer = snapshot.keys.signer(key);
        self.judge(&token, signer, now).map_err(|kind| {
            let circumstances = Circumstances {
                policy: &self.shared.policy,
                kid: key.kid(),
                signer,
                now,
            };
            refused_claims(kind, &token, circumstances)
        })
    }

    /// Checks 6 to 13.
    fn judge(
        &self,
        token: &VerifiedToken,
        signer: Signer<'_>,
        now: u64,
    ) -> Result<AgentPrincipal, ErrorKind> {
        let policy = &self.shared.policy;
        let claims = token.claims()?;
        let origin = policy.origin(&claims)?;
        policy.signer(signer, &origin)?;
        let audience = policy.audience(&claims)?;
        let dates = policy.dates(&claims, now)?;
        is_access_token(&claims)?;
        is_bearer_token(&claims)?;
        if !self.authorization_by_acl {
            grants_something(&claims)?;
        }
        let findings = Findings {
            origin,
            audience,
            dates,
        };
        Ok(AgentPrincipal::new(&claims, &findings, policy))
    }

    /// What of checks 5 to 13 a verified token has to pass each time: what depends on now, and on
    /// which of the validators that share a cache is asked.
    fn admit_again(&self, caller: AgentPrincipal) -> Result<AgentPrincipal, Error> {
        let (policy, now) = (&self.shared.policy, unix_now());
        policy
            .are_current(caller.dates(), now)
            .map_err(|kind| refused_dates(kind, caller.dates(), policy.skew, now))?;
        if !self.authorization_by_acl && !caller.is_granted_something() {
            return Err(refused_grant(caller.is_app_only()));
        }
        Ok(caller)
    }

    /// Check 5. A bad signature on a token that would pass otherwise may mean that the key was
    /// replaced under its name; the token is refused all the same.
    fn verify(
        &self,
        token: UnverifiedToken<'_>,
        key: &PublishedKey,
        now: u64,
    ) -> Result<VerifiedToken, Error> {
        key.key().verify(token).map_err(|bad| {
            let claims = bad.0.unverified_claims().ok();
            if self.is_worth_a_fetch(claims.as_ref(), now) {
                self.shared.keys.want_replacement();
            }
            bad_signature(&bad, key.key().algorithm(), claims.as_ref())
        })
    }

    /// Check 4, when the look-up has failed: worth waiting for, or not?
    fn want_key_for(&self, token: &UnverifiedToken<'_>) -> Decision {
        // Nobody looks at the claims of an invented key in the cool-down.
        let mut claims = None;
        let worth_a_fetch = || {
            claims = token.unverified_claims().ok();
            self.is_worth_a_fetch(claims.as_ref(), unix_now())
        };
        match self.shared.keys.want(token.kid(), worth_a_fetch) {
            Ok(ticket) => Decision::Wait(ticket),
            Err(missing) => Decision::Made(Err(self.missing_key(missing, token, claims.as_ref()))),
        }
    }

    fn is_worth_a_fetch(&self, claims: Option<&Claims<'_>>, now: u64) -> bool {
        claims.is_some_and(|claims| self.shared.policy.is_worth_a_fetch(claims, now))
    }

    #[cold]
    fn missing_key(
        &self,
        missing: MissingKey,
        token: &UnverifiedToken<'_>,
        claims: Option<&Claims<'_>>,
    ) -> Error {
        let report = self.shared.keys.report();
        missing_key(missing, token.kid(), report, claims, &self.shared.policy)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("tenants", &self.shared.policy.tenants)
            .field("audiences", &self.shared.policy.audiences)
            .field("authorization_by_acl", &self.authorization_by_acl)
            .field("keys", &self.shared.keys)
            .field("cache", &self.shared.cache)
            .finish_non_exhaustive()
    }
}

/// Counts the one verdict on a token.
fn count(verdict: &Result<AgentPrincipal, Error>) {
    match verdict {
        Ok(_) => metrics::admitted(),
        Err(error) => metrics::refused(error.kind()),
    }
}
