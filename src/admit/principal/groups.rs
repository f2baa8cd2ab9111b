//! The groups of a caller, which may be too many for a token.

use super::AgentPrincipal;

impl AgentPrincipal {
    /// The groups of the subject: `groups`.
    #[must_use]
    pub fn groups(&self) -> Groups<'_> {
        Groups { principal: self }
    }
}

/// The groups of a subject, which may be too many for a token.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'p> {
    principal: &'p AgentPrincipal,
}

impl<'p> Groups<'p> {
    /// The object ids in the token; none when there are too many.
    pub fn ids(self) -> impl Iterator<Item = &'p str> {
        self.principal
            .inner
            .groups
            .iter()
            .map(|text| self.principal.show(text))
    }

    /// Whether the subject is in more groups than the token could hold: 200 in a JWT, after which
    /// Entra leaves `groups` out and says so by `_claim_names` or `hasgroups`. The
    /// [audit log](crate::EntraAuthLayer#the-audit-log) then has `groups_overage`.
    ///
    /// An API that authorizes by group has two alternatives. Ask Microsoft Graph for the groups of
    /// [`object_id`](AgentPrincipal::object_id), by `memberOf` or `getMemberObjects`, or better
    /// `checkMemberGroups`, and not under the address that `_claim_names` leads to, which the token
    /// has chosen. Or let Entra decide: assign groups to app roles of the API, which are never cut
    /// short, or set the groups claim to *groups assigned to the application*. See
    /// [groups overage](https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference#groups-overage-claim).
    #[must_use]
    pub fn has_overage(self) -> bool {
        self.principal.inner.has_groups_overage
    }
}
