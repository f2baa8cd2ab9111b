//! The verdict on a token, now or after a wait: cache, keys and checks brought together.

use std::{mem, sync::Arc};

use crate::{
    admit::{
        cache::{TokenCache, TokenTag},
        checks::{Grant, Policy, bad_signature, missing_key},
        error::{Error, ErrorKind, MissingKey, Refusal, Unverified},
        keys::{Chore, KeySource, PublishedKey, Snapshot, Ticket},
        principal::AgentPrincipal,
        token::{TokenRules, UnverifiedToken},
    },
    clock::unix_now,
    metrics,
};

/// What all clones of a validator share.
pub(crate) struct Gate {
    pub(crate) rules: TokenRules,
    pub(crate) policy: Policy,
    pub(crate) keys: Arc<KeySource>,
    pub(crate) cache: Option<TokenCache>,
}

/// The result of a look at a token.
pub(crate) enum Decision {
    Made(Result<AgentPrincipal, Error>),
    /// Its key is not known and may be on its way.
    Wait(Waiting),
}

/// A token that waits for its key. It counts as refused if it is dropped without a verdict.
pub(crate) struct Waiting {
    token: String,
    ticket: Ticket,
    uncounted: Uncounted,
}

impl Waiting {
    fn new(token: &str, ticket: Ticket) -> Self {
        Self {
            token: token.to_owned(),
            ticket,
            uncounted: Uncounted,
        }
    }

    pub(crate) fn kid(&self) -> &str {
        self.ticket.kid()
    }
}

/// Counts a token whose request has gone away.
#[derive(Debug)]
struct Uncounted;

impl Drop for Uncounted {
    fn drop(&mut self) {
        metrics::refused(ErrorKind::KeysUnavailable.as_str());
    }
}

impl Gate {
    /// Decides without waiting, if that can be done.
    ///
    /// `read` makes a token of the text, or refuses it. A text that is that of a remembered token was
    /// read when the token was verified: it is not read again.
    pub(crate) fn decide<'t>(
        &self,
        text: &'t [u8],
        read: impl FnOnce() -> Result<&'t str, Refusal>,
        grant: Grant,
    ) -> Decision {
        self.keys.ensure_running();
        let decision = self
            .keys
            .with_snapshot(|snapshot| self.decide_now(snapshot, text, read, grant));
        if let Decision::Made(verdict) = &decision {
            count(verdict);
        }
        decision
    }

    /// Decides after a wait, by the keys that there are then.
    pub(crate) async fn resume(
        &self,
        waiting: Waiting,
        grant: Grant,
    ) -> Result<AgentPrincipal, Error> {
        let Waiting {
            token,
            ticket,
            uncounted,
        } = waiting;
        let keys = ticket.key_set().await;
        let verdict = self.decide_after_wait(&token, keys, grant);
        mem::forget(uncounted);
        count(&verdict);
        verdict
    }

    /// Why a request was not answered that went away while it waited for this `kid`.
    pub(crate) fn gone_away(&self, kid: &str) -> Error {
        let report = self.keys.report();
        missing_key(MissingKey::GoneAway, kid, &report, Unverified::NotRead).into()
    }

    fn decide_now<'t>(
        &self,
        snapshot: Option<&Snapshot>,
        text: &'t [u8],
        read: impl FnOnce() -> Result<&'t str, Refusal>,
        grant: Grant,
    ) -> Decision {
        // What cannot be a token is not worth a MAC.
        if let (Some(cache), Some(snapshot)) = (&self.cache, snapshot)
            && self.rules.allow_shape_of(text)
            && let Some(tag) = cache.tag(text)
        {
            self.decide_by_cache(cache, tag, read, snapshot, grant)
        } else {
            self.decide_by_proof(read, snapshot, grant)
        }
    }

    /// Judges a caller again after a wait that had nothing to do with keys, and counts a refusal.
    pub(crate) fn judge_again(&self, caller: &AgentPrincipal, grant: Grant) -> Result<(), Error> {
        let verdict = self.policy.judge_again(caller, unix_now(), grant);
        verdict.map_err(Error::from).inspect_err(|error| {
            metrics::refused(error.kind().as_str());
        })
    }

    /// Looks among the verified tokens first. Only what does not change with time is taken from
    /// there, and only if the keys are the same.
    fn decide_by_cache<'t>(
        &self,
        cache: &TokenCache,
        tag: TokenTag,
        read: impl FnOnce() -> Result<&'t str, Refusal>,
        snapshot: &Snapshot,
        grant: Grant,
    ) -> Decision {
        if let Some(caller) = cache.get(&tag, snapshot.generation) {
            metrics::cache_hit();
            return Decision::Made(match self.policy.judge_again(&caller, unix_now(), grant) {
                Ok(()) => Ok(caller),
                Err(refusal) => {
                    if refusal.kind() == ErrorKind::Expired {
                        cache.remove(&tag);
                    }
                    Err(refusal.into())
                }
            });
        }
        metrics::cache_missed();
        let decision = self.decide_by_proof(read, Some(snapshot), grant);
        if let Decision::Made(Ok(caller)) = &decision {
            cache.insert(tag, caller.clone(), snapshot.generation);
        }
        decision
    }

    fn decide_by_proof<'t>(
        &self,
        read: impl FnOnce() -> Result<&'t str, Refusal>,
        snapshot: Option<&Snapshot>,
        grant: Grant,
    ) -> Decision {
        let parse = |text: &'t str| Ok((text, UnverifiedToken::parse(text, &self.rules)?));
        let (text, token) = match read().and_then(parse) {
            Ok(read) => read,
            Err(refusal) => return Decision::Made(Err(refusal.into())),
        };
        match self.check_key(&token, snapshot) {
            Ok((snapshot, key)) => {
                let verdict = self.prove(token, snapshot, key, grant);
                Decision::Made(verdict.map_err(Error::from))
            }
            Err(NoKey::Wait(ticket)) => Decision::Wait(Waiting::new(text, ticket)),
            Err(NoKey::Refuse(refusal)) => Decision::Made(Err(refusal.into())),
        }
    }

    fn decide_after_wait(
        &self,
        token: &str,
        keys: Result<Arc<Snapshot>, MissingKey>,
        grant: Grant,
    ) -> Result<AgentPrincipal, Error> {
        let unverified = UnverifiedToken::parse(token, &self.rules)?;
        let snapshot = match keys {
            Ok(snapshot) => snapshot,
            Err(missing) => return Err(self.missing_key_after_wait(missing, &unverified).into()),
        };
        let Some(key) = snapshot.keys.get(unverified.kid()) else {
            let missing = MissingKey::Unknown;
            return Err(self.missing_key_after_wait(missing, &unverified).into());
        };
        let caller = self.prove(unverified, &snapshot, key, grant)?;
        if let Some(cache) = &self.cache
            && let Some(tag) = cache.tag(token.as_bytes())
        {
            cache.insert(tag, caller.clone(), snapshot.generation);
        }
        Ok(caller)
    }

    /// Check 4: `kid` names a key of the authority. An unknown `kid` is looked up where the claims are
    /// worth a fetch.
    fn check_key<'s>(
        &self,
        token: &UnverifiedToken<'_>,
        snapshot: Option<&'s Snapshot>,
    ) -> Result<(&'s Snapshot, &'s PublishedKey), NoKey> {
        if let Some(snapshot) = snapshot
            && let Some(key) = snapshot.keys.get(token.kid())
        {
            return Ok((snapshot, key));
        }
        // Not asked where the key is known to be absent, so a flood of one invented key is refused
        // without reading claims.
        let mut claims = Unverified::NotRead;
        let is_worth_a_fetch = || {
            claims = self.judge_unverified(token);
            matches!(claims, Unverified::Pass)
        };
        Err(match self.keys.want(token.kid(), is_worth_a_fetch) {
            Ok(ticket) => NoKey::Wait(ticket),
            Err(missing) => NoKey::Refuse(self.missing_key(missing, token, claims)),
        })
    }

    /// Checks 5 to 13.
    fn prove(
        &self,
        token: UnverifiedToken<'_>,
        snapshot: &Snapshot,
        key: &PublishedKey,
        grant: Grant,
    ) -> Result<AgentPrincipal, Refusal> {
        let now = unix_now();
        let token = key
            .key()
            .check_signature(token)
            .map_err(|token| self.bad_signature(&token, key, now))?;
        self.policy
            .judge(&token, snapshot.keys.signer(key), now, grant)
    }

    /// A bad signature on a token that would pass otherwise may mean that the key was replaced under
    /// its name. The keys are then fetched again; the token is refused all the same.
    #[cold]
    fn bad_signature(&self, token: &UnverifiedToken<'_>, key: &PublishedKey, now: u64) -> Refusal {
        // Nothing is read for a budget that is spent.
        let may_want = self.keys.may_want_replacement();
        let claims = may_want.then(|| token.unverified_claims()).flatten();
        if let Some(claims) = &claims
            && self.policy.accepts_unverified(claims, now)
        {
            self.keys.want_replacement();
        }
        bad_signature(token, key.key().algorithm(), claims.as_ref())
    }

    #[cold]
    fn missing_key_after_wait(&self, missing: MissingKey, token: &UnverifiedToken<'_>) -> Refusal {
        let claims = match missing {
            MissingKey::Unknown => self.judge_unverified(token),
            // No words are made of them.
            MissingKey::NotLookedUp { .. }
            | MissingKey::Unavailable { .. }
            | MissingKey::GoneAway => Unverified::NotRead,
        };
        self.missing_key(missing, token, claims)
    }

    #[cold]
    fn missing_key(
        &self,
        missing: MissingKey,
        token: &UnverifiedToken<'_>,
        claims: Unverified,
    ) -> Refusal {
        missing_key(missing, token.kid(), &self.keys.report(), claims)
    }

    fn judge_unverified(&self, token: &UnverifiedToken<'_>) -> Unverified {
        let Some(claims) = token.unverified_claims() else {
            return Unverified::NotRead;
        };
        match self.policy.judge_unverified(&claims, unix_now()) {
            Ok(()) => Unverified::Pass,
            Err(refusal) => refusal.into(),
        }
    }

    fn sweep(&self, cache: &TokenCache, now: u64) {
        let in_force = self
            .keys
            .with_snapshot(|snapshot| snapshot.map(|snapshot| snapshot.generation));
        cache.sweep(now, in_force);
    }
}

/// Sweeps the cache even if no request comes.
impl Chore for Gate {
    fn attend(&self) {
        if let Some(cache) = &self.cache {
            self.sweep(cache, unix_now());
        }
    }
}

/// What comes of a key that is not there.
enum NoKey {
    Wait(Ticket),
    Refuse(Refusal),
}

/// Counts the one verdict on a token.
fn count(verdict: &Result<AgentPrincipal, Error>) {
    match verdict {
        Ok(caller) => metrics::admitted(caller.codes()),
        Err(error) => metrics::refused(error.kind().as_str()),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        KeySettings, KeyStatus, Validator,
        clock::tests::set_ahead,
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
        let cache = validator.gate.cache.as_ref().expect("a cache");
        validator.gate.sweep(cache, now);
        cache.len()
    }

    #[test]
    fn an_unused_token_leaves_the_cache_when_it_expires() {
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
    fn nothing_is_remembered_where_no_keys_are_in_force() {
        remembering(async |issuer, validator| {
            let caller = validator.validate(&issuer.user().mint()).await;
            let caller = caller.expect("a good token");
            let builder = issuer.validator_builder().token_cache(10);
            let without_keys = builder.build().expect("a good configuration");
            let cache = without_keys.gate.cache.as_ref().expect("a cache");
            cache.insert(cache.tag(b"a").expect("a tag"), caller, 1);
            assert_eq!(left_at(&without_keys, unix_now()), 0);
        });
    }

    #[test]
    fn only_other_keys_and_no_other_order_make_remembered_tokens_useless() {
        // The wall clock is that of this thread.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let issuer = Issuer::start().await;
            issuer.publish_key();
            let builder = issuer.validator_builder().token_cache(10);
            let validator = builder.build().expect("a good configuration");
            validator.ready().await;
            assert_eq!(verdict(&validator, issuer.user()).await, Ok(()));

            let refreshed = async |after: Duration| {
                set_ahead(after);
                assert_ne!(validator.status(), KeyStatus::Fresh);
                while validator.status() != KeyStatus::Fresh {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let hour = Duration::from_secs(60 * 60);
            let document: serde_json::Value =
                serde_json::from_slice(&issuer.keys_document()).expect("JSON");
            let mut keys = document["keys"].as_array().expect("keys").clone();
            assert_eq!(keys.len(), 2);
            keys.reverse();
            issuer.set_keys_document(serde_json::json!({ "keys": keys }).to_string());
            refreshed(2 * hour).await;
            assert_eq!(left_at(&validator, unix_now()), 1);

            issuer.reset_keys_document();
            issuer.publish_key();
            refreshed(4 * hour).await;
            assert_eq!(left_at(&validator, unix_now()), 0);
        });
    }

    #[test]
    fn a_ticket_for_a_withdrawn_key_does_not_wait() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let second = Duration::from_secs(1);
            let issuer = Issuer::start().await;
            let settings = KeySettings::default().with_refresh_interval(second);
            let builder = issuer.validator_builder().key_settings(settings);
            let validator = builder.build().expect("a good configuration");
            let keys = &validator.gate.keys;
            validator.ready().await;

            // The key is still there while the fetch runs that will not bring it. A request for it
            // takes no place among those that wait.
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
            let cache = validator.gate.cache.as_ref().expect("a cache");
            assert_eq!(cache.len(), 1);
            assert_eq!(left_at(&validator, unix_now()), 0);
        });
    }
}
