//! Is the subject a guest of the tenant? No check: it informs the principal, and the words of check 7.

use crate::{
    admit::{checks::Policy, facets::IdentityRelationship, token::Claims},
    ids::TenantId,
};

impl Policy {
    /// Whether the claims say that their subject is a guest of this tenant. What the token states
    /// outright comes first: `acct`, then `xms_idrel`, then `idp`.
    pub(super) fn is_guest(&self, claims: &Claims<'_>, tenant: TenantId) -> bool {
        let has = |values: &[IdentityRelationship]| {
            claims
                .relationships
                .as_ref()
                .is_some_and(|set| values.iter().any(|value| set.contains(*value)))
        };
        match claims.acct {
            Some(1) => true,
            Some(0) => false,
            _ if has(&GUESTS) => true,
            _ if has(&MEMBERS) => false,
            _ => self.foreign_provider(claims, tenant).is_some(),
        }
    }

    /// The `idp`, if it is not this tenant itself.
    pub(super) fn foreign_provider<'c>(
        &self,
        claims: &'c Claims<'_>,
        tenant: TenantId,
    ) -> Option<&'c str> {
        let issuers = [self.issuers.v1.as_ref(), Some(&self.issuers.v2)];
        claims.idp.as_deref().filter(|idp| {
            let mut own = issuers.into_iter().flatten();
            !own.any(|template| template.is(idp, tenant.as_str()))
        })
    }
}

/// The relationships of a guest.
const GUESTS: [IdentityRelationship; 4] = [
    IdentityRelationship::GUEST_USER,
    IdentityRelationship::GDAP_USER,
    IdentityRelationship::WEAK_MULTITENANT_USER,
    IdentityRelationship::DAP_USER,
];

/// The relationships of a subject that is no guest.
const MEMBERS: [IdentityRelationship; 5] = [
    IdentityRelationship::MEMBER_USER,
    IdentityRelationship::PERSONAL_MEMBER_USER,
    IdentityRelationship::SYNCHRONIZED_MEMBER_USER,
    IdentityRelationship::NATIVE_USER_WITH_PROFILE,
    IdentityRelationship::NATIVE_USER,
];
