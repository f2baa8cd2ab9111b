//! Is this token meant for this API, now, and does it hang together? Makes checks 7 to 13.
//!
//! Values in, verdicts out: no I/O, no clock, no key but the facts known about it.

use std::borrow::Cow;

use crate::{
    diagnosis::{Contradiction, Refused},
    error::ErrorKind,
    facets::{Facet, IdentityRelationship},
    findings::{Dates, Provenance},
    ids::{AppId, TenantId},
    issuers::{Issuers, Signer},
    tenants::TenantPolicy,
    token::{Claims, Number},
    values::TokenVersion,
};

/// What one validator demands of a token's claims.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) issuers: Issuers,
    pub(crate) tenants: TenantPolicy,
    /// Never empty.
    pub(crate) audiences: Vec<String>,
    /// How far clocks may differ, in seconds.
    pub(crate) skew: u64,
    /// Sorted.
    pub(crate) known_agents: Vec<(TenantId, AppId)>,
    /// Whether a key of another cloud may sign.
    pub(crate) accepts_keys_of_other_clouds: bool,
}

impl Policy {
    /// Check 7: `ver`, `tid` and `iss` agree and are of an allowed tenant.
    pub(crate) fn provenance(&self, claims: &Claims<'_>) -> Result<Provenance, ErrorKind> {
        let (version, template) = match claims.ver.as_deref() {
            Some("1.0") => (TokenVersion::V1, self.issuers.v1.as_ref()),
            Some("2.0") => (TokenVersion::V2, Some(&self.issuers.v2)),
            _ => return Err(ErrorKind::UnsupportedVersion),
        };
        let tid = claims.tid.as_deref().ok_or(ErrorKind::InvalidTenant)?;
        let tenant: TenantId = tid.parse().map_err(|_| ErrorKind::InvalidTenant)?;
        if !tenant.is(tid) {
            return Err(ErrorKind::InvalidTenant);
        }
        let issuer = claims.iss.as_deref().ok_or(ErrorKind::IssuerMismatch)?;
        if !template.is_some_and(|template| template.is(issuer, tid)) {
            return Err(ErrorKind::IssuerMismatch);
        }
        if !self.tenants.allows(&tenant) {
            return Err(ErrorKind::TenantNotAllowed);
        }
        Ok(Provenance { tenant, version })
    }

    /// Check 8: the key that verified may sign for this issuer, in this cloud.
    ///
    /// Entra publishes the keys of several clouds and of personal accounts in one document, so a
    /// good signature alone does not say whose it is.
    pub(crate) fn signer(
        &self,
        signer: Signer<'_>,
        provenance: &Provenance,
    ) -> Result<(), ErrorKind> {
        let may_sign = match signer.issuer {
            Some(issuer) => issuer.agrees_with(&self.issuers.v2, provenance.tenant),
            None => signer.discovery_names_one_tenant,
        };
        let same_cloud = match (signer.cloud, signer.discovery_cloud) {
            (Some(key), Some(discovery)) => key == discovery || self.accepts_keys_of_other_clouds,
            _ => true,
        };
        if may_sign && same_cloud {
            Ok(())
        } else {
            Err(ErrorKind::KeyNotForIssuer)
        }
    }

    /// Check 9: the token is for this API. Returns the audience by which it is.
    pub(crate) fn audience<'c>(&self, claims: &'c Claims<'_>) -> Result<&'c str, ErrorKind> {
        claims
            .aud
            .iter()
            .map(Cow::as_ref)
            .find(|audience| self.audiences.iter().any(|accepted| accepted == audience))
            .ok_or(ErrorKind::AudienceMismatch)
    }

    /// Check 10: the token is valid at `now`, in seconds since 1970.
    pub(crate) fn dates(&self, claims: &Claims<'_>, now: u64) -> Result<Dates, ErrorKind> {
        let dates = Dates {
            expires: date(claims.exp)?.ok_or(ErrorKind::InvalidDates)?,
            not_before: date(claims.nbf)?,
            issued: date(claims.iat)?,
        };
        self.are_current(&dates, now)?;
        Ok(dates)
    }

    /// The part of check 10 that time changes.
    pub(crate) fn are_current(&self, dates: &Dates, now: u64) -> Result<(), ErrorKind> {
        if self.is_expired(dates, now) {
            return Err(ErrorKind::Expired);
        }
        let latest = now.saturating_add(self.skew);
        if [dates.not_before, dates.issued]
            .into_iter()
            .flatten()
            .any(|date| date > latest)
        {
            return Err(ErrorKind::NotYetValid);
        }
        if dates
            .not_before
            .is_some_and(|not_before| not_before > dates.expires)
        {
            return Err(ErrorKind::InvalidDates);
        }
        Ok(())
    }

    pub(crate) fn is_expired(&self, dates: &Dates, now: u64) -> bool {
        now.saturating_sub(self.skew) >= dates.expires
    }

    /// What a token must satisfy before an unknown `kid` of its is worth a fetch: checks 7, 9 and
    /// 10, on claims that nobody has vouched for.
    pub(crate) fn is_worth_a_fetch(&self, claims: &Claims<'_>, now: u64) -> bool {
        self.is_good_now(claims, now).is_ok()
    }

    /// Checks 7, 9 and 10.
    pub(crate) fn is_good_now(&self, claims: &Claims<'_>, now: u64) -> Result<(), ErrorKind> {
        self.provenance(claims)?;
        self.audience(claims)?;
        self.dates(claims, now)?;
        Ok(())
    }

    /// Whether the configuration lists this client of this tenant as an agent.
    pub(crate) fn knows_agent(&self, tenant: TenantId, client: Option<AppId>) -> bool {
        client.is_some_and(|client| self.known_agents.binary_search(&(tenant, client)).is_ok())
    }
}

/// Check 11: an access token, and one without contradictions.
pub(crate) fn is_access_token(claims: &Claims<'_>) -> Result<(), Refused> {
    if is_id_token(claims) {
        return Err(ErrorKind::IdToken.into());
    }
    let is_app = claims.idtyp.as_deref() == Some("app");
    let is_user = claims.idtyp.as_deref() == Some("user");
    let actor_is_agent = claims.actor_has(Facet::AGENT_IDENTITY);
    let subject_is_agent = claims.subject_has(Facet::AGENT_IDENTITY);
    let subject_is_agent_user = claims.subject_has(Facet::AGENT_USER);
    // An agent that is its own subject acts for no user.
    let is_own_subject = subject_is_agent && !subject_is_agent_user;
    let found = if matches!((claims.azp, claims.appid), (Some(azp), Some(appid)) if azp != appid) {
        Contradiction::Clients
    // An app acts for itself: it has no scopes, is no user account, and as an agent is its own
    // subject.
    } else if is_app && claims.has_scope() {
        Contradiction::AppWithScope
    } else if is_app && subject_is_agent_user {
        Contradiction::AppIsAgentUser
    } else if is_app && actor_is_agent && claims.subject_facets.is_some() && !subject_is_agent {
        Contradiction::AgentIsNotItsSubject
    } else if is_own_subject && is_user {
        Contradiction::AgentIsUser
    } else if is_own_subject && claims.has_scope() {
        Contradiction::AgentWithScope
    } else {
        return Ok(());
    };
    Err(Refused::Contradiction(found))
}

/// An ID token has no scope, and either names no client or has a claim of its kind alone.
pub(crate) fn is_id_token(claims: &Claims<'_>) -> bool {
    let names_client = claims.azp.is_some() || claims.appid.is_some();
    !claims.has_scope() && (!names_client || claims.has_id_token_mark)
}

/// Check 12: the token may be used by whoever bears it.
/// [RFC 7800](https://www.rfc-editor.org/rfc/rfc7800) binds it to a key with `cnf`.
pub(crate) fn is_bearer_token(claims: &Claims<'_>) -> Result<(), ErrorKind> {
    if claims.has_cnf {
        Err(ErrorKind::SenderConstrained)
    } else {
        Ok(())
    }
}

/// Check 13: the token grants a scope or a role. Any application of a tenant can get a token that
/// grants nothing for any API of that tenant.
pub(crate) fn grants_something(claims: &Claims<'_>) -> Result<(), ErrorKind> {
    if claims.has_scope() || !claims.roles.is_empty() {
        Ok(())
    } else {
        Err(ErrorKind::NothingGranted)
    }
}

/// Whether the claims say that their subject is a guest of this tenant.
pub(crate) fn is_guest(claims: &Claims<'_>, tenant: TenantId, policy: &Policy) -> bool {
    let by_relationship = claims
        .relationships
        .as_ref()
        .is_some_and(|set| set.contains(IdentityRelationship::GUEST_USER));
    claims.acct == Some(1) || by_relationship || foreign_provider(claims, tenant, policy).is_some()
}

/// The `idp`, if it is not this tenant itself.
pub(crate) fn foreign_provider<'c>(
    claims: &'c Claims<'_>,
    tenant: TenantId,
    policy: &Policy,
) -> Option<&'c str> {
    let issuers = [policy.issuers.v1.as_ref(), Some(&policy.issuers.v2)];
    claims.idp.as_deref().filter(|idp| {
        let mut own = issuers.into_iter().flatten();
        !own.any(|template| template.is(idp, tenant.as_str()))
    })
}

/// A date of [RFC 7519, section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2), up to the
/// end of the year 9999. A fraction of a second is cut off once the number has been read as a double,
/// which may have rounded up what lies within some microseconds of the next second.
pub(crate) fn date(number: Option<Number>) -> Result<Option<u64>, ErrorKind> {
    match number {
        None => Ok(None),
        Some(Number::Integer(date)) => u64::try_from(date)
            .ok()
            .filter(|date| *date <= LAST_DATE)
            .map(Some)
            .ok_or(ErrorKind::InvalidDates),
        Some(Number::Fraction(date)) if (0.0..=LAST_DATE_F64).contains(&date) =>
        {
            #[expect(
                clippy::as_conversions,
                reason = "the range is checked; a fraction is cut off"
            )]
            Ok(Some(date.floor() as u64))
        }
        Some(Number::Fraction(_)) => Err(ErrorKind::InvalidDates),
    }
}

/// 9999-12-31T23:59:59Z.
const LAST_DATE: u64 = 253_402_300_799;
const LAST_DATE_F64: f64 = 253_402_300_799.0;
