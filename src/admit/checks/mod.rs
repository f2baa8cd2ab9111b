//! The thirteen checks, in order.
//!
//! Each is one function. It returns what the next checks need, or what it refuses and why. Nothing in
//! this folder does I/O, waits, reads a clock or looks up a key.
//!
//! | | check | function | facts and words |
//! |---|---|---|---|
//! | 1 | one `Authorization` header with one bearer token | `check_credentials` in `middleware/credentials.rs` | `error/credentials.rs` |
//! | 2 | size, three segments, canonical base64url | `check_shape` in `token/compact.rs` | `error/shape.rs` |
//! | 3 | header: algorithm, `kid`, type, nothing critical | `check_header` in `token/header.rs` | `error/header.rs`, `error/json.rs` |
//! | 4 | `kid` names a key of the authority | `check_key` in `gate.rs` | `error/key.rs`, gathered in `checks/facts.rs` |
//! | 5 | the signature verifies with that key | `check_signature` in `token/signature.rs` | `error/signature.rs`, gathered in `checks/facts.rs` |
//! | 6 | claims: no member twice, right types | `check_claims` in `token/claims.rs`, over `token/json.rs` | `error/json.rs` |
//! | 7 | `ver`, `tid` and `iss` agree, the tenant is allowed | [`Policy::check_provenance`] | `error/provenance.rs`, `error/issuer_hint.rs` |
//! | 8 | that key may sign for that issuer and cloud | [`Policy::check_signer`] | `error/signer.rs` |
//! | 9 | `aud` is one of the audiences | [`Policy::check_audience`] | `error/audience.rs` |
//! | 10 | `exp`, `nbf`, `iat` | [`Policy::check_dates`] | `error/dates.rs` |
//! | 11 | an access token, without contradictions | [`check_nature`] | `error/nature.rs` |
//! | 12 | not bound to a sender's key | [`check_bearer`] | the kind's own |
//! | 13 | it grants a scope or a role | [`check_grant`] | `error/nature.rs` |
//!
//! A refusal's line begins with the text of its kind, in `error/kind.rs`; all hints are in
//! `error/hints.rs`. The tests of check N are the table `tests/checks/N_*.rs`, with the words of each
//! refusal beside its input.

mod policy;

mod facts;

mod guest;

mod provenance;

mod signer;

mod audience;

mod dates;

mod nature;

use self::nature::{check_bearer, check_grant, check_nature, nothing_granted};
pub(crate) use self::{
    facts::{bad_signature, missing_key},
    policy::Policy,
};
use crate::admit::{
    error::{Refusal, hint_about_form},
    findings::Findings,
    issuers::Signer,
    principal::AgentPrincipal,
    token::{Claims, VerifiedToken},
};

/// Whether check 13 is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Required,
    /// The application keeps a list of its own.
    LeftToTheApplication,
}

impl Policy {
    /// Checks 6 to 13, of a token whose signature has been verified.
    pub(crate) fn judge(
        &self,
        token: &VerifiedToken,
        signer: Signer<'_>,
        now: u64,
        grant: Grant,
    ) -> Result<AgentPrincipal, Refusal> {
        let claims = token.check_claims()?;
        let provenance = self.check_provenance(&claims)?;
        self.check_signer(signer, &claims, &provenance)?;
        let audience = self.check_audience(&claims, &provenance)?;
        let dates = self.check_dates(&claims, now)?;
        check_nature(&claims, &provenance)?;
        check_bearer(&claims)?;
        if grant == Grant::Required {
            check_grant(&claims)?;
        }
        log_malformed(&claims);
        let findings = Findings {
            provenance,
            audience,
            dates,
            is_guest: self.is_guest(&claims, provenance.tenant),
            is_known_agent: self.knows_agent(provenance.tenant, claims.client_id()),
        };
        Ok(AgentPrincipal::new(&claims, &findings))
    }

    /// What a remembered caller has to pass again: what depends on `now`, and on which of the
    /// validators that share a cache is asked.
    pub(crate) fn judge_again(
        &self,
        caller: &AgentPrincipal,
        now: u64,
        grant: Grant,
    ) -> Result<(), Refusal> {
        self.check_time(caller.dates(), now)?;
        if grant == Grant::Required && !caller.is_granted_something() {
            return Err(nothing_granted(caller.is_app_only()));
        }
        Ok(())
    }

    /// Whether claims that no key has vouched for pass checks 7, 9 and 10: whether a bad signature is
    /// worth a fetch. Gathers no facts.
    pub(crate) fn accepts_unverified(&self, claims: &Claims<'_>, now: u64) -> bool {
        self.provenance(claims).is_ok()
            && self.audience(claims).is_some()
            && self.check_dates(claims, now).is_ok()
    }

    /// The same, with what is refused: whether an unknown key is worth a fetch, and what its token
    /// claims.
    pub(crate) fn judge_unverified(&self, claims: &Claims<'_>, now: u64) -> Result<(), Refusal> {
        let provenance = self.check_provenance(claims)?;
        self.check_audience(claims, &provenance)?;
        self.check_dates(claims, now)?;
        Ok(())
    }
}

/// Logs what is wrong with claims that only inform. At `debug`, because senders control how often
/// this happens; the audit log lists only the names.
fn log_malformed(claims: &Claims<'_>) {
    if claims.malformed.is_empty() {
        return;
    }
    let names = || claims.malformed.iter().map(|wrong| wrong.name);
    let found = || claims.malformed.iter().map(ToString::to_string);
    tracing::debug!(
        target: "tower_entra",
        claims = ?names().collect::<Vec<_>>(),
        found = found().collect::<Vec<_>>().join("; "),
        hint = hint_about_form(&claims.malformed),
        "claims that are not in their form count as absent",
    );
}
