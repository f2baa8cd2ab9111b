//! How a handler says no to a caller that was admitted.

use super::rejection::is_scope_token;

/// A refusal by the application's own policy: the caller is known, and may not do this.
///
/// Put it into the extensions of a response, or return it from an axum handler (feature `axum`).
/// The [`EntraAuthLayer`](crate::EntraAuthLayer) outside then answers 403 with the challenge that
/// [RFC 6750, section 3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) asks for.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the caller is not allowed to do this")]
pub struct Denial {
    scopes: Vec<String>,
}

impl Denial {
    /// A denial that no scope would mend: 403 with `error="insufficient_scope"` alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names all the scopes that the operation needs, for the client to ask for. A text that is
    /// not one scope token, such as one with a space or a quote, is left out.
    #[must_use]
    pub fn with_scopes<I>(self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scopes = scopes.into_iter().map(Into::into);
        Self {
            scopes: scopes
                .filter(|scope: &String| is_scope_token(scope))
                .collect(),
        }
    }

    pub(super) fn scopes(&self) -> &[String] {
        &self.scopes
    }
}
