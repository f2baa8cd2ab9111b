//! Checks 11 to 13: an access token without contradictions, for any bearer, that grants something.

use crate::admit::{
    error::{Contradiction, IdTokenMark, NoGrant, Refusal},
    facets::Facet,
    findings::Provenance,
    principal::Delegation,
    token::Claims,
};

/// Check 11: an access token whose claims do not contradict one another.
pub(crate) fn check_nature(claims: &Claims<'_>, provenance: &Provenance) -> Result<(), Refusal> {
    if is_id_token(claims) {
        return Err(Refusal::IdToken(match claims.has_id_token_mark {
            true => IdTokenMark::Claim,
            false => IdTokenMark::NoClient(provenance.version),
        }));
    }
    match contradiction(claims) {
        Some(contradiction) => Err(Refusal::Contradiction(contradiction)),
        None => Ok(()),
    }
}

/// An ID token has no scope, and either names no client or has a claim of its kind alone.
pub(super) fn is_id_token(claims: &Claims<'_>) -> bool {
    let names_client = claims.azp.is_some() || claims.appid.is_some();
    !claims.has_scope() && (!names_client || claims.has_id_token_mark)
}

fn contradiction(claims: &Claims<'_>) -> Option<Contradiction> {
    let is_app = claims.idtyp.as_deref() == Some("app");
    let is_user = claims.idtyp.as_deref() == Some("user");
    let actor_is_agent = claims.actor_has(Facet::AGENT_IDENTITY);
    let subject_is_agent = claims.subject_has(Facet::AGENT_IDENTITY);
    let subject_is_agent_user = claims.subject_has(Facet::AGENT_USER);
    // An agent that is its own subject acts for no user.
    let is_own_subject = subject_is_agent && !subject_is_agent_user;
    if matches!((claims.azp, claims.appid), (Some(azp), Some(appid)) if azp != appid) {
        Some(Contradiction::Clients)
    } else if is_app && claims.has_scope() {
        // An app acts for itself: it has no scopes, is no user account, and as an agent is its own
        // subject.
        Some(Contradiction::AppWithScope)
    } else if is_app && subject_is_agent_user {
        Some(Contradiction::AppIsAgentUser)
    } else if is_app && actor_is_agent && claims.subject_facets.is_some() && !subject_is_agent {
        Some(Contradiction::AgentIsNotItsSubject)
    } else if is_own_subject && is_user {
        Some(Contradiction::AgentIsUser)
    } else if is_own_subject && claims.has_scope() {
        Some(Contradiction::AgentWithScope)
    } else {
        None
    }
}

/// Check 12: the token is a bearer token.
///
/// `cnf` binds a token to a key of its sender, and no proof of possession is checked here:
/// [RFC 7800, section 3.1](https://www.rfc-editor.org/rfc/rfc7800#section-3.1).
pub(crate) fn check_bearer(claims: &Claims<'_>) -> Result<(), Refusal> {
    if claims.has_cnf {
        Err(Refusal::SenderConstrained)
    } else {
        Ok(())
    }
}

/// Check 13: the token grants a scope or a role. Any application of a tenant can get a token that
/// grants nothing for any API of that tenant.
pub(crate) fn check_grant(claims: &Claims<'_>) -> Result<(), Refusal> {
    if claims.has_scope() || !claims.roles.is_empty() {
        Ok(())
    } else {
        let is_app_only = Delegation::of(claims) == Delegation::AppOnly;
        Err(nothing_granted(is_app_only))
    }
}

#[cold]
pub(super) fn nothing_granted(is_app_only: bool) -> Refusal {
    Refusal::NothingGranted(match is_app_only {
        true => NoGrant::AppOnly,
        false => NoGrant::Delegated,
    })
}
