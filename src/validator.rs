//! The order of the checks. [`Validator::admit`] is the page to read first.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use crate::{
    builder::ValidatorBuilder,
    cache::{TokenCache, TokenDigest},
    clock::unix_now,
    diagnosis::{
        Circumstances, Refused, bad_signature, missing_key, refused_claims, refused_dates,
        refused_grant,
    },
    error::{Error, ErrorKind},
    findings::Findings,
    issuers::Signer,
    keys::{Chore, KeySource, KeyStatus, MissingKey, PublishedKey, Snapshot, Ticket},
    metrics,
    policy::{Policy, grants_something, is_access_token, is_bearer_token, is_guest},
    principal::AgentPrincipal,
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
/// caught, for each request anew: a program that aborts on panics aborts. The same holds of a request
/// that waits for a key when the runtime ends in which it began to wait: it is told to try again. The
/// default HTTP client needs a runtime with I/O, too; on one without, each fetch fails.
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

impl Shared {
    /// Remembers the caller of a token that the keys of this generation have verified.
    fn remember(&self, token: TokenDigest, caller: &AgentPrincipal, generation: u64, now: u64) {
        let Some(cache) = &self.cache else {
            return;
        };
        if cache.is_to_be_swept(now) {
            self.sweep(cache, now);
        }
        cache.insert(token, caller.clone(), generation);
    }

    /// Forgets the tokens that have expired, and those that the keys in force have not verified.
    fn sweep(&self, cache: &TokenCache, now: u64) {
        let in_force = self
            .keys
            .with_snapshot(|snapshot| snapshot.map(|snapshot| snapshot.generation));
        cache.sweep(now, |caller, generation| {
            in_force.is_some_and(|in_force| generation >= in_force)
                && !self.policy.is_expired(caller.dates(), now)
        });
    }
}

/// Sweeps the cache even if nobody comes by.
impl Chore for Shared {
    fn attend(&self) {
        if let Some(cache) = &self.cache {
            self.sweep(cache, unix_now());
        }
    }
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

    pub(crate) fn from_shared(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        if shared.cache.is_some() {
            let chore: Weak<Shared> = Arc::downgrade(&shared);
            shared.keys.each_minute(chore);
        }
        Self {
            shared,
            authorization_by_acl: false,
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
    /// Waits only if the token's key is unknown and the token is otherwise worth a fetch, or if there
    /// are no keys yet or none that may still be used, and no longer than the configured wait (2 s by
    /// default).
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
    ///
    /// Starts nothing. Where this alone decides whether requests come at all, have somebody call
    /// [`ready`](Self::ready) first, or none ever will.
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
            self.shared
                .remember(digest, caller, snapshot.generation, unix_now());
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
        let unverified = self.parse(token)?;
        let missing = match &snapshot {
            Ok(snapshot) => match snapshot.keys.get(unverified.kid()) {
                Some(key) => {
                    let caller = self.admit(unverified, snapshot, key)?;
                    if self.shared.cache.is_some() {
                        let digest = TokenDigest::of(token);
                        let generation = snapshot.generation;
                        self.shared
                            .remember(digest, &caller, generation, unix_now());
                    }
                    return Ok(caller);
                }
                None => MissingKey::Unknown,
            },
            Err(missing) => *missing,
        };
        let claims = match missing {
            MissingKey::Unknown => unverified.unverified_claims().ok(),
            // Nobody is told what they say.
            MissingKey::Unavailable { .. } => None,
        };
        Err(self.missing_key(missing, &unverified, claims.as_ref()))
    }

    /// Checks 2 and 3.
    fn parse<'t>(&self, token: &'t str) -> Result<UnverifiedToken<'t>, Error> {
        let rules = &self.shared.rules;
        UnverifiedToken::parse(token, rules)
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
        self.judge(&token, signer, now).map_err(|refused| {
            let circumstances = Circumstances {
                policy: &self.shared.policy,
                kid: key.kid(),
                signer,
                now,
            };
            refused_claims(refused, &token, circumstances)
        })
    }

    /// Checks 6 to 13.
    fn judge(
        &self,
        token: &VerifiedToken,
        signer: Signer<'_>,
        now: u64,
    ) -> Result<AgentPrincipal, Refused> {
        let policy = &self.shared.policy;
        let claims = token.claims().map_err(Refused::Claims)?;
        let provenance = policy.provenance(&claims)?;
        policy.signer(signer, &provenance)?;
        let audience = policy.audience(&claims)?;
        let dates = policy.dates(&claims, now)?;
        is_access_token(&claims)?;
        is_bearer_token(&claims)?;
        if !self.authorization_by_acl {
            grants_something(&claims)?;
        }
        let findings = Findings {
            provenance,
            audience,
            dates,
            is_guest: is_guest(&claims, provenance.tenant, policy),
            is_known_agent: policy.knows_agent(provenance.tenant, claims.client_id()),
        };
        Ok(AgentPrincipal::new(&claims, &findings))
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
        Err(error) => metrics::refused(error.kind().as_str()),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        KeySettings,
        testing::{Fault, Issuer, TokenBuilder},
    };

    /// Runs a test with an issuer and a validator that has its keys and remembers tokens.
    fn remembering(test: impl AsyncFnOnce(Issuer, Validator)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let issuer = Issuer::start().await;
            let builder = issuer.validator_builder().token_cache(10);
            let validator = builder.build().expect("a good configuration");
            validator.ready().await;
            test(issuer, validator).await;
        });
    }

    async fn verdict(validator: &Validator, token: TokenBuilder) -> Result<(), ErrorKind> {
        let verdict = validator.validate(&token.mint()).await;
        verdict.map(drop).map_err(|error| error.kind())
    }

    /// How many tokens are remembered after a sweep at this time.
    fn left_at(validator: &Validator, now: u64) -> usize {
        let cache = validator.shared.cache.as_ref().expect("a cache");
        validator.shared.sweep(cache, now);
        cache.len()
    }

    #[test]
    fn an_expired_token_that_nobody_asks_for_leaves() {
        remembering(async |issuer, validator| {
            let now = unix_now();
            for seconds in [100, 200, 200] {
                let expires = i64::try_from(now + seconds).expect("a date");
                let token = issuer.user().expires_at(expires);
                assert_eq!(verdict(&validator, token).await, Ok(()));
            }
            // With the skew, which an admission grants too.
            for (seconds, left) in [(0, 3), (159, 3), (160, 2), (259, 2), (260, 0)] {
                assert_eq!(left_at(&validator, now + seconds), left, "{seconds}");
            }
        });
    }

    #[test]
    fn a_request_sweeps_if_the_task_does_not() {
        remembering(async |issuer, validator| {
            let cache = validator.shared.cache.as_ref().expect("a cache");
            let caller = validator.validate(&issuer.user().mint()).await;
            let caller = caller.expect("a good token");
            let now = unix_now();
            for (name, seconds, left) in [("a", 1, 2), ("b", 2, 3), ("c", 100_000, 1)] {
                let token = TokenDigest::of(name);
                validator.shared.remember(token, &caller, 1, now + seconds);
                assert_eq!(cache.len(), left, "{name}");
            }
        });
    }

    #[test]
    fn nothing_is_remembered_where_no_keys_are_in_force() {
        remembering(async |issuer, validator| {
            let caller = validator.validate(&issuer.user().mint()).await;
            let caller = caller.expect("a good token");
            let builder = issuer.validator_builder().token_cache(10);
            let without_keys = builder.build().expect("a good configuration");
            let (token, now) = (TokenDigest::of("a"), unix_now());
            without_keys.shared.remember(token, &caller, 1, now);
            assert_eq!(left_at(&without_keys, now), 0);
        });
    }

    #[test]
    fn whoever_came_for_a_key_that_was_there_does_not_wait_when_it_is_gone() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let second = Duration::from_secs(1);
            let issuer = Issuer::start().await;
            let settings = KeySettings::default().with_refresh_interval(second);
            let builder = issuer.validator_builder().key_settings(settings);
            let validator = builder.build().expect("a good configuration");
            let keys = &validator.shared.keys;
            validator.ready().await;

            // While a fetch is under way that will not bring the key, it is still there, and whoever
            // comes then takes no place among those who wait.
            let old = issuer.current_kid();
            issuer.rotate();
            issuer.withdraw(&old);
            issuer.fail(Fault::Slow(second / 2));
            while issuer.discovery_fetches() < 2 {
                tokio::time::sleep(second / 100).await;
            }
            let ticket = keys.want(&old, || true).expect("a ticket");
            let is_there = || {
                keys.with_snapshot(|snapshot| {
                    snapshot.is_some_and(|snapshot| snapshot.keys.get(&old).is_some())
                })
            };
            assert!(is_there());
            while is_there() {
                tokio::time::sleep(second / 100).await;
            }
            // Another fetch would be quick, and end a wait with another answer.
            issuer.heal();
            let missing = ticket.key_set().await.map(drop);
            assert!(matches!(missing, Err(MissingKey::Unavailable { .. })));
        });
    }

    #[test]
    fn what_withdrawn_keys_have_verified_leaves_without_a_successor() {
        remembering(async |issuer, validator| {
            let old = issuer.current_kid();
            assert_eq!(verdict(&validator, issuer.user()).await, Ok(()));
            issuer.rotate();
            issuer.withdraw(&old);
            // Worth a fetch, and refused all the same.
            let nothing_granted = issuer.application().without_claim("roles");
            let refused = verdict(&validator, nothing_granted).await;
            assert_eq!(refused, Err(ErrorKind::NothingGranted));
            let cache = validator.shared.cache.as_ref().expect("a cache");
            assert_eq!(cache.len(), 1);
            assert_eq!(left_at(&validator, unix_now()), 0);
        });
    }
}
