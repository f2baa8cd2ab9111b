//! How a handler says no to a caller that was admitted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::rejection::is_scope_token;
use crate::{AgentPrincipal, TenantId};

/// A refusal by the application's own policy: the caller is known, and may not do this.
///
/// Put it into the extensions of a response, or return it from an axum handler (feature `axum`).
/// The [`EntraAuthLayer`](crate::EntraAuthLayer) outside then sets status and challenge; the body
/// stays the handler's.
///
/// ```
/// use tower_entra::{AgentPrincipal, Denial};
///
/// fn may_read(principal: &AgentPrincipal) -> Result<(), Denial> {
///     if principal.has_scope("Orders.Read") {
///         Ok(())
///     } else {
///         Err(Denial::new().with_scopes(["Orders.Read"]))
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the caller is not allowed to do this")]
pub struct Denial {
    demand: Demand,
}

/// What would change the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// More permissions: 403. The scopes, if that is what lacks.
    Permission { scopes: Vec<String> },
    /// Another sign-in, in the words of Entra: 401.
    ClaimsChallenge { tenant: TenantId, claims: String },
    /// Another sign-in, in the words of RFC 9470: 401.
    Authentication { acr_values: Vec<String> },
}

impl Demand {
    /// The scopes that are asked for, if it is scopes.
    pub(super) fn scopes(&self) -> &[String] {
        match self {
            Self::Permission { scopes } => scopes,
            Self::ClaimsChallenge { .. } | Self::Authentication { .. } => &[],
        }
    }
}

impl Denial {
    /// A denial that no scope would mend: 403 with `error="insufficient_scope"`, as
    /// [RFC 6750, section 3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) asks for.
    #[must_use]
    pub fn new() -> Self {
        Self {
            demand: Demand::Permission { scopes: Vec::new() },
        }
    }

    /// Names all the scopes that the operation needs, for the client to ask for. A text that is
    /// not one scope token, such as one with a space or a quote, is left out.
    #[must_use]
    pub fn with_scopes<I>(self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scopes = tokens(scopes);
        Self {
            demand: Demand::Permission { scopes },
        }
    }

    /// Asks for a sign-in that satisfies an authentication context, such as `c1`: 401 with
    /// `error="insufficient_claims"` if the caller's client can answer a
    /// [claims challenge](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge),
    /// which its token says by `xms_cc`. Other clients would only try again with the same token,
    /// and get 403.
    #[must_use]
    pub fn for_authentication_context(caller: &AgentPrincipal, context: &str) -> Self {
        if !caller.supports_claims_challenge() {
            return Self::new();
        }
        let claims = json!({"access_token": {"acrs": {"essential": true, "value": context}}});
        Self {
            demand: Demand::ClaimsChallenge {
                tenant: caller.tenant_id(),
                claims: STANDARD.encode(claims.to_string()),
            },
        }
    }

    /// Asks for a stronger sign-in as
    /// [RFC 9470](https://www.rfc-editor.org/rfc/rfc9470#section-3) has it: 401 with
    /// `error="insufficient_user_authentication"`. A text that is not one token, such as one with
    /// a space or a quote, is left out of the `acr_values`.
    #[must_use]
    pub fn for_acr_values<I>(acr_values: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            demand: Demand::Authentication {
                acr_values: tokens(acr_values),
            },
        }
    }

    pub(super) fn demand(&self) -> &Demand {
        &self.demand
    }
}

impl Default for Denial {
    fn default() -> Self {
        Self::new()
    }
}

fn tokens<I>(texts: I) -> Vec<String>
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    let texts = texts.into_iter().map(Into::into);
    texts.filter(|text: &String| is_scope_token(text)).collect()
}
