//! The closed list of reasons for which callers are denied.

use std::fmt;

use crate::admit::error::ErrorKind;

/// Why a caller was denied: for logs, metrics and alerts.
///
/// [`as_str`](Self::as_str) is a stable code: it changes only with a major version.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialReason {
    /// The application's own reason: [`Denial::new`](crate::Denial::new).
    Policy,
    /// A delegated token lacks a scope.
    MissingScope,
    /// A scope is needed, and scopes do not count for this caller: it is not known to hold delegated
    /// permissions.
    NotDelegated,
    /// The token lacks an app role.
    MissingRole,
    /// The caller is not of a kind that may do this.
    WrongKind,
    /// The caller is attested not to be an agent, where only agents may do this.
    NotAgent,
    /// The caller is an agent, where no agent may do this.
    Agent,
    /// Whether the caller is an agent is not attested, where an attestation is required.
    Unattested,
    /// The client is not among those listed.
    UnlistedClient,
    /// The principal is not among those listed.
    UnlistedPrincipal,
    /// The sign-in does not satisfy an authentication context.
    MissingAuthenticationContext,
    /// Another API, or Entra, demands a new sign-in with certain claims:
    /// [`Denial::for_claims`](crate::Denial::for_claims).
    ClaimsChallenge,
    /// The API could not get the token that it needs to call another API: `acquire::AcquireError`, with
    /// feature `acquire`.
    TokenAcquisition,
    /// There was no token: an [optional](crate::EntraAuthLayer::optional) layer let the request
    /// through.
    Anonymous,
    /// A [`RequireRoutesLayer`](crate::RequireRoutesLayer) states nothing for the route or its method.
    UnstatedRoute,
    /// There is no [`EntraAuthLayer`](crate::EntraAuthLayer) around a
    /// [`RequireLayer`](crate::RequireLayer): a mistake in the server's set-up.
    MissingLayer,
}

impl DenialReason {
    /// The stable code of this reason, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::MissingScope => "missing_scope",
            Self::NotDelegated => "not_delegated",
            Self::MissingRole => "missing_role",
            Self::WrongKind => "wrong_kind",
            Self::NotAgent => "not_agent",
            Self::Agent => "agent",
            Self::Unattested => "unattested",
            Self::UnlistedClient => "unlisted_client",
            Self::UnlistedPrincipal => "unlisted_principal",
            Self::MissingAuthenticationContext => "missing_authentication_context",
            Self::ClaimsChallenge => "claims_challenge",
            Self::TokenAcquisition => "token_acquisition",
            Self::Anonymous => "anonymous",
            Self::UnstatedRoute => "unstated_route",
            Self::MissingLayer => "missing_layer",
        }
    }

    /// The reasons for which callers are denied whom a layer has looked at, and requests that it has let
    /// through without a token. The other two are counted otherwise: [`Anonymous`](Self::Anonymous) as
    /// anonymous, and [`MissingLayer`](Self::MissingLayer) by no layer.
    #[cfg(feature = "metrics")]
    pub(crate) const COUNTED: [Self; 14] = [
        Self::Policy,
        Self::MissingScope,
        Self::NotDelegated,
        Self::MissingRole,
        Self::WrongKind,
        Self::NotAgent,
        Self::Agent,
        Self::Unattested,
        Self::UnlistedClient,
        Self::UnlistedPrincipal,
        Self::MissingAuthenticationContext,
        Self::ClaimsChallenge,
        Self::TokenAcquisition,
        Self::UnstatedRoute,
    ];

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Policy => ErrorKind::Denied.description(),
            Self::MissingScope => "a scope is missing",
            Self::NotDelegated => "a scope is needed, and the caller has no delegated token",
            Self::MissingRole => "an app role is missing",
            Self::WrongKind => "callers of this kind are not allowed to do this",
            Self::NotAgent => "only agents are allowed to do this",
            Self::Agent => "agents are not allowed to do this",
            Self::Unattested => "whether the caller is an agent is not attested",
            Self::UnlistedClient => "the client is not among those listed",
            Self::UnlistedPrincipal => "the caller is not among those listed",
            Self::MissingAuthenticationContext => "an authentication context is missing",
            Self::ClaimsChallenge => "a new sign-in with certain claims is demanded",
            Self::TokenAcquisition => "the API has no token for a call to another API",
            Self::Anonymous => ErrorKind::MissingToken.description(),
            Self::UnstatedRoute => "no requirement is stated for the route",
            Self::MissingLayer => {
                "no EntraAuthLayer has looked at the request: put RequireLayer inside of one, which \
                 in axum is added after it, and let nothing between them take the request's \
                 extensions away"
            }
        }
    }
}

impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}
