//! A refusal of a caller that was admitted: what would change the answer, and why it was given.
//!
//! No HTTP here: `Denial::status` and `Denial::challenge` are in `middleware/deny.rs`, and the
//! challenge of an `EntraAuthLayer` is in `middleware/challenge.rs`.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    reason::DenialReason,
    rule::{Remedy, Rule, StepUp},
};
use crate::{
    admit::{
        error::{DeniedText, Error, ErrorKind, Refusal},
        principal::AgentPrincipal,
        token::is_json_object,
    },
    characters::is_scope_token,
    config_error::ConfigError,
    ids::TenantId,
};

/// A refusal by the application's own policy: the caller is known, and may not do this.
///
/// [`Requirement::check`](crate::Requirement::check) makes one; `new` and the others are for rules
/// that no requirement expresses. Return it from an axum handler with `?` (feature `axum`), or put it
/// into the extensions of a response; give that response its [`status`](Self::status) too, in case a
/// layer on the way out drops the extensions. The [`EntraAuthLayer`](crate::EntraAuthLayer) outside
/// sets status and challenge; a body of the handler's own stays. The denial stays in the extensions, so
/// that layers further out can log its [`reason`](Self::reason).
///
/// [`Display`](fmt::Display) is for the operator's log. It names what was configured, such as
/// `the scope Orders.Read is missing`, and no value from the token.
///
/// ```
/// use tower_entra::{AgentPrincipal, Denial};
///
/// /// Only its owner may open a mailbox.
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
    /// Replaces the description of the reason.
    text: Option<Box<str>>,
    hint: Option<&'static str>,
}

/// What would change the answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// More permissions: 403. The scopes, if scopes are missing.
    Permission { scopes: Vec<String> },
    /// Another sign-in, by Entra's claims challenge: 401.
    ClaimsChallenge { tenant: TenantId, claims: String },
    /// Another sign-in, by the challenge of RFC 9470: 401.
    Authentication { acr_values: Vec<String> },
    /// A token: 401.
    Token,
    /// A layer around this one, which is missing: 500.
    Layer,
    /// Another token, because this one cannot be exchanged: 401.
    #[cfg_attr(
        not(feature = "acquire"),
        expect(dead_code, reason = "made by acquire")
    )]
    NewToken,
    /// A change of the server's set-up: 500.
    #[cfg_attr(
        not(feature = "acquire"),
        expect(dead_code, reason = "made by acquire")
    )]
    Server,
    /// Another try after this time: 503.
    #[cfg_attr(
        not(feature = "acquire"),
        expect(dead_code, reason = "made by acquire")
    )]
    Later(Duration),
}

impl Demand {
    /// More permissions, whatever they are.
    pub(crate) const PERMISSION: Self = Self::Permission { scopes: Vec::new() };

    /// A sign-in with these claims, in JSON, at this tenant.
    pub(crate) fn claims(tenant: TenantId, claims: &str) -> Self {
        let claims = STANDARD.encode(claims);
        Self::ClaimsChallenge { tenant, claims }
    }
}

/// Without the claims of a challenge, which may be another API's: it stays in the response's extensions,
/// which a log may show.
impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission { scopes } => {
                let mut shown = f.debug_struct("Permission");
                shown.field("scopes", scopes).finish()
            }
            Self::ClaimsChallenge { tenant, claims: _ } => {
                let mut shown = f.debug_struct("ClaimsChallenge");
                shown.field("tenant", tenant).finish_non_exhaustive()
            }
            Self::Authentication { acr_values } => {
                let mut shown = f.debug_struct("Authentication");
                shown.field("acr_values", acr_values).finish()
            }
            Self::Token => f.write_str("Token"),
            Self::Layer => f.write_str("Layer"),
            Self::NewToken => f.write_str("NewToken"),
            Self::Server => f.write_str("Server"),
            Self::Later(time) => f.debug_tuple("Later").field(time).finish(),
        }
    }
}

impl Denial {
    /// A denial that no scope would change: 403 with `error="insufficient_scope"`, as
    /// [RFC 6750, section 3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) asks for.
    #[doc(alias("forbidden"))]
    #[must_use]
    pub fn new() -> Self {
        Self::demanding(Demand::PERMISSION, DenialReason::Policy)
    }

    /// Names all the scopes that the operation needs, for the client to ask for. They replace any
    /// named before. A text that is not one scope token, such as one with a space or a quote, is left
    /// out.
    ///
    /// A denial for another reason, such as a missing sign-in or the wrong kind of caller, stays as it
    /// is: no scope would let the caller in.
    #[doc(alias("missing_scope"))]
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
    /// according to `xms_cc` in its token. Other clients get 403: they would only retry with the same
    /// token.
    #[doc(alias("step_up", "claims_challenge"))]
    #[must_use]
    pub fn for_authentication_context(caller: &AgentPrincipal, context: &str) -> Self {
        let claims = json!({"access_token": {"acrs": {"essential": true, "value": context}}});
        let demand = claims_challenge(caller, &claims.to_string());
        Self::demanding(demand, DenialReason::MissingAuthenticationContext)
    }

    /// Hands on a claims challenge: `claims` is the JSON text that another API, or Entra, demands of
    /// the caller, such as `claims` of an `interaction_required` answer to an on-behalf-of request. The
    /// answer is that of [`for_authentication_context`](Self::for_authentication_context) with these
    /// claims.
    ///
    /// Refuses what is no JSON object or longer than 8 KiB: the answer is then 403 without a
    /// challenge. The text is not examined otherwise, and the client reads it: hand on only what came
    /// from Entra or from an API that this one trusts.
    #[must_use]
    pub fn for_claims(caller: &AgentPrincipal, claims: &str) -> Self {
        let demand = if claims.len() <= MAX_CLAIMS && is_json_object(claims) {
            claims_challenge(caller, claims)
        } else {
            Demand::PERMISSION
        };
        Self::demanding(demand, DenialReason::ClaimsChallenge)
    }

    /// Asks for a stronger sign-in by the challenge of
    /// [RFC 9470](https://www.rfc-editor.org/rfc/rfc9470#section-3): 401 with
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

    /// Asks for a token, for a request without one: 401 with the challenge that
    /// [`EntraAuthLayer`](crate::EntraAuthLayer) sends when it is not optional.
    ///
    /// ```
    /// # use tower_entra::{AgentPrincipal, Denial};
    /// async fn handler(caller: Option<AgentPrincipal>) -> Result<String, Denial> {
    ///     let caller = caller.ok_or_else(Denial::anonymous)?;
    ///     Ok(format!("hello, {}", caller.kind()))
    /// }
    /// ```
    #[doc(alias("unauthorized"))]
    #[must_use]
    pub fn anonymous() -> Self {
        Self::demanding(Demand::Token, DenialReason::Anonymous)
    }

    /// No `EntraAuthLayer` is around, so no layer has looked for a token.
    pub(crate) fn missing_layer() -> Self {
        Self::demanding(Demand::Layer, DenialReason::MissingLayer)
    }

    /// Nothing is stated for the route, so it is closed.
    pub(crate) fn unstated_route() -> Self {
        Self {
            hint: Some("State for the route who may call it, in RequireRoutesLayer."),
            ..Self::demanding(Demand::PERMISSION, DenialReason::UnstatedRoute)
        }
    }

    /// The denial of a caller that does not satisfy this requirement.
    pub(super) fn of(requirement: &Rule, caller: &AgentPrincipal) -> Self {
        let lack = requirement.lack(caller);
        let denial = match (lack.remedy, lack.rule) {
            (Remedy::SignIn, Rule::SignIn { context, step_up }) => match step_up {
                StepUp::Entra => Self::for_authentication_context(caller, context),
                StepUp::Rfc9470 => Self::for_acr_values([&**context]),
            },
            (Remedy::Scope, _) => {
                let mut scopes = Vec::new();
                requirement.scopes_for(caller, &mut scopes);
                Self::new().with_scopes(scopes)
            }
            _ => Self::new(),
        };
        // Empty if a predicate holds by now: the description of the reason is then the text.
        let text = requirement.explain(caller);
        Self {
            reason: lack.reason,
            text: (!text.is_empty()).then(|| text.into()),
            hint: lack.hint(caller),
            ..denial
        }
    }

    /// The denial of every caller: no token can have what the code requires.
    pub(super) fn never(error: &ConfigError) -> Self {
        Self {
            text: Some(format!("no caller can satisfy this: {error}").into()),
            hint: Some("Change the text that the code requires: no token has it."),
            ..Self::new()
        }
    }

    /// The API has no token for a call of its own. `text` and `hint` are for the operator.
    #[cfg(feature = "acquire")]
    pub(crate) fn without_token(demand: Demand, text: String, hint: Option<&'static str>) -> Self {
        let reason = match demand {
            Demand::ClaimsChallenge { .. } => DenialReason::ClaimsChallenge,
            _ => DenialReason::TokenAcquisition,
        };
        Self {
            text: Some(text.into()),
            hint,
            ..Self::demanding(demand, reason)
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

    /// Why the caller was denied. Where several things are missing, the one that decides the answer.
    #[must_use]
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// One sentence on what the operator can change, if there is anything to change: a fixed text
    /// for the log, not for the client.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// The scopes that the challenge asks for; none if scopes are not what is missing.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes: &[String] = match &self.demand {
            Demand::Permission { scopes } => scopes,
            _ => &[],
        };
        scopes.iter().map(String::as_str)
    }

    /// The only text for the client: one of a closed list. It adds nothing to status and challenge, and
    /// names nothing of the configuration. `Display` is for the log.
    #[must_use]
    pub fn client_message(&self) -> &'static str {
        match &self.demand {
            Demand::Permission { scopes } if scopes.is_empty() => ErrorKind::Denied.description(),
            Demand::Permission { .. } => "the token lacks a scope",
            Demand::ClaimsChallenge { .. } | Demand::Authentication { .. } => {
                "a stronger sign-in is needed"
            }
            Demand::Token => ErrorKind::MissingToken.description(),
            Demand::Layer => "the server is not set up to check tokens here",
            Demand::NewToken => "the token cannot be used to call another API",
            Demand::Server => "the server cannot get a token for another API",
            Demand::Later(_) => "the server cannot get a token for another API at the moment",
        }
    }

    /// When to try again, if the server itself lacked something that can come back: the answer is then
    /// 503 with `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.demand {
            Demand::Later(time) => Some(time),
            _ => None,
        }
    }

    /// The kind of the [`Error`](crate::Error) that reports this denial.
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

/// What a client that can answer a claims challenge is asked for. Another would only try again with
/// the same token.
fn claims_challenge(caller: &AgentPrincipal, claims: &str) -> Demand {
    match caller.supports_claims_challenge() {
        true => Demand::claims(caller.tenant_id(), claims),
        false => Demand::PERMISSION,
    }
}

/// The longest claims challenge that is handed on, in bytes of JSON.
const MAX_CLAIMS: usize = 8 * 1024;

fn tokens<I>(texts: I) -> Vec<String>
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    let texts = texts.into_iter().map(Into::into);
    texts.filter(|text: &String| is_scope_token(text)).collect()
}
