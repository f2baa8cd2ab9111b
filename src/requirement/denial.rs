//! A refusal of a caller that was admitted: what would change the answer, and why it was given.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    reason::DenialReason,
    rule::{Mend, Rule, StepUp},
};
use crate::{
    characters::is_scope_token,
    error::{DeniedText, Error, ErrorKind, Refusal},
    ids::TenantId,
    principal::AgentPrincipal,
};

/// A refusal by the application's own policy: the caller is known, and may not do this.
///
/// [`Requirement::check`](crate::Requirement::check) makes one; `new` and the others are for what no
/// requirement can say. Return it from an axum handler with `?` (feature `axum`), or put it into the
/// extensions of a response that has its [`status`](Self::status) already, should anything on the way
/// out lose the extensions. The [`EntraAuthLayer`](crate::EntraAuthLayer) outside then sets status
/// and challenge; the body stays the handler's. The denial stays in the extensions, so that layers
/// further out can log its [`reason`](Self::reason).
///
/// [`Display`](fmt::Display) is for the operator's log. It names what was configured, such as
/// `the scope Orders.Read is missing`, and nothing that stands in the token.
///
/// ```
/// use tower_entra::{AgentPrincipal, Denial};
///
/// /// A mailbox is open to the one it belongs to.
/// fn may_open(caller: &AgentPrincipal, owner: &str) -> Result<(), Denial> {
///     match caller.object_id() {
///         Some(object) if object.as_str() == owner => Ok(()),
///         _ => Err(Denial::new()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Denial {
    demand: Demand,
    reason: DenialReason,
    /// What is said instead of the description of the reason.
    text: Option<Box<str>>,
    hint: Option<&'static str>,
}

/// What would change the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// More permissions: 403. The scopes, if that is what lacks.
    Permission { scopes: Vec<String> },
    /// Another sign-in, in the words of Entra: 401.
    ClaimsChallenge { tenant: TenantId, claims: String },
    /// Another sign-in, in the words of RFC 9470: 401.
    Authentication { acr_values: Vec<String> },
    /// A token: 401.
    Token,
    /// A layer around this one: 500.
    Layer,
}

impl Denial {
    /// A denial that no scope would mend: 403 with `error="insufficient_scope"`, as
    /// [RFC 6750, section 3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) asks for.
    #[must_use]
    pub fn new() -> Self {
        let demand = Demand::Permission { scopes: Vec::new() };
        Self::demanding(demand, DenialReason::Policy)
    }

    /// Names all the scopes that the operation needs, for the client to ask for, in place of those
    /// that are named already. A text that is not one scope token, such as one with a space or a
    /// quote, is left out.
    ///
    /// A denial that something else would mend, such as another sign-in, or that nothing would, as
    /// when only people may, stays as it is: no scope would let the caller in.
    #[must_use]
    pub fn with_scopes<I>(self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        match self.reason {
            DenialReason::Policy => Self {
                demand: Demand::Permission {
                    scopes: tokens(scopes),
                },
                reason: DenialReason::MissingScope,
                ..self
            },
            DenialReason::MissingScope => Self {
                demand: Demand::Permission {
                    scopes: tokens(scopes),
                },
                ..self
            },
            _ => self,
        }
    }

    /// Asks for a sign-in that satisfies an authentication context, such as `c1`: 401 with
    /// `error="insufficient_claims"` if the caller's client can answer a
    /// [claims challenge](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge),
    /// which its token says by `xms_cc`. Other clients would only try again with the same token,
    /// and get 403.
    #[must_use]
    pub fn for_authentication_context(caller: &AgentPrincipal, context: &str) -> Self {
        let demand = if caller.supports_claims_challenge() {
            let claims = json!({"access_token": {"acrs": {"essential": true, "value": context}}});
            Demand::ClaimsChallenge {
                tenant: caller.tenant_id(),
                claims: STANDARD.encode(claims.to_string()),
            }
        } else {
            Demand::Permission { scopes: Vec::new() }
        };
        Self::demanding(demand, DenialReason::MissingAuthenticationContext)
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
        let acr_values = tokens(acr_values);
        Self::demanding(
            Demand::Authentication { acr_values },
            DenialReason::MissingAuthenticationContext,
        )
    }

    /// Asks somebody for a token who came without one: 401 with the challenge that
    /// [`EntraAuthLayer`](crate::EntraAuthLayer) sends when it is not optional.
    ///
    /// ```
    /// # use tower_entra::{AgentPrincipal, Denial};
    /// async fn handler(caller: Option<AgentPrincipal>) -> Result<String, Denial> {
    ///     let caller = caller.ok_or_else(Denial::anonymous)?;
    ///     Ok(format!("hello, {}", caller.kind()))
    /// }
    /// ```
    #[must_use]
    pub fn anonymous() -> Self {
        Self::demanding(Demand::Token, DenialReason::Anonymous)
    }

    /// Nobody has looked for a token: no layer that would have is around.
    pub(crate) fn missing_layer() -> Self {
        Self::demanding(Demand::Layer, DenialReason::MissingLayer)
    }

    /// What a requirement comes to for a caller who does not satisfy it.
    pub(super) fn of(requirement: &Rule, caller: &AgentPrincipal) -> Self {
        let lack = requirement.lack(caller);
        let denial = match (lack.mend, lack.rule) {
            (Mend::SignIn, Rule::SignIn { context, step_up }) => match step_up {
                StepUp::Entra => Self::for_authentication_context(caller, context),
                StepUp::Rfc9470 => Self::for_acr_values([context]),
            },
            (Mend::Scope, _) => {
                let mut scopes = Vec::new();
                requirement.scopes_for(caller, &mut scopes);
                Self::new().with_scopes(scopes)
            }
            _ => Self::new(),
        };
        Self {
            reason: lack.reason,
            text: Some(requirement.explain(caller).into()),
            hint: lack.hint(caller),
            ..denial
        }
    }

    fn demanding(demand: Demand, reason: DenialReason) -> Self {
        Self {
            demand,
            reason,
            text: None,
            hint: None,
        }
    }

    /// Why the caller was denied. Where several things lack, the one that decides the answer.
    #[must_use]
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// What the operator of the API may want to do about it, where there is something: a fixed
    /// text for the log, not for the client.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// The scopes that the client is told to ask for; none if scopes are not what lacks.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes: &[String] = match &self.demand {
            Demand::Permission { scopes } => scopes,
            _ => &[],
        };
        scopes.iter().map(String::as_str)
    }

    /// The one sentence that a client may read: no more than status and challenge tell it.
    pub(crate) fn description(&self) -> &'static str {
        match &self.demand {
            Demand::Permission { scopes } if scopes.is_empty() => ErrorKind::Denied.description(),
            Demand::Permission { .. } => "the token lacks a scope",
            Demand::ClaimsChallenge { .. } | Demand::Authentication { .. } => {
                "a stronger sign-in is needed"
            }
            Demand::Token => ErrorKind::MissingToken.description(),
            Demand::Layer => "the server is not set up to check tokens here",
        }
    }

    /// The kind under which the refusal is known where only errors are.
    pub(crate) fn error_kind(&self) -> ErrorKind {
        match self.demand {
            Demand::Token => ErrorKind::MissingToken,
            _ => ErrorKind::Denied,
        }
    }

    pub(crate) fn demand(&self) -> &Demand {
        &self.demand
    }
}

/// What an outer layer finds in the extensions of the response.
impl From<&Denial> for Error {
    fn from(denial: &Denial) -> Self {
        let kind = denial.error_kind();
        let text = denial.to_string();
        if text == kind.description() {
            return kind.into();
        }
        let denied = DeniedText {
            kind,
            text: text.into(),
            hint: denial.hint(),
        };
        Refusal::Denied(denied.into()).into()
    }
}

impl Default for Denial {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.text, &self.demand) {
            (Some(text), _) => f.write_str(text),
            (None, Demand::Permission { scopes }) if !scopes.is_empty() => {
                write!(f, "{}: {}", self.reason, scopes.join(" "))
            }
            _ => self.reason.fmt(f),
        }
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
