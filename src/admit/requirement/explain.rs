//! A requirement, and why it does not hold, in words for the operator: configured names, the caller's
//! kind and agent status, and nothing else of its token.

use std::fmt::{self, Write};

use super::{
    reason::DenialReason,
    rule::{Lack, Rule},
};
use crate::{
    admit::principal::{AgentPrincipal, AgentStatus, PrincipalKind},
    characters::is_scope_token,
};

impl Rule {
    /// Everything that is missing, in the order of the requirement.
    pub(super) fn explain(&self, caller: &AgentPrincipal) -> String {
        let mut text = String::new();
        self.write_lacks(caller, &mut text)
            .expect("a String takes every text");
        text
    }

    fn write_lacks(&self, caller: &AgentPrincipal, text: &mut String) -> fmt::Result {
        let kind = caller.kind();
        match self {
            Self::Scope(scope) if caller.is_delegated() => {
                write!(text, "the scope {} is missing", &**scope)
            }
            Self::Scope(scope) if caller.is_app_only() => write!(
                text,
                "the scope {} is missing: scopes count in delegated tokens, and this one is app-only",
                &**scope
            ),
            Self::Scope(scope) if kind == PrincipalKind::AutonomousAgent => write!(
                text,
                "the scope {} is missing: scopes count in delegated tokens, and this one is of \
                 an agent that acts as itself",
                &**scope
            ),
            Self::Scope(scope) if kind == PrincipalKind::Unknown => write!(
                text,
                "the scope {} is missing: scopes count in delegated tokens, and the caller's \
                 kind is unknown",
                &**scope
            ),
            Self::Scope(scope) => write!(
                text,
                "the scope {} is missing: scopes count in delegated tokens, and this one does \
                 not say that it is delegated",
                &**scope
            ),
            Self::ScopeOrRole { scope, .. } if caller.is_delegated() => {
                write!(text, "the scope {} is missing", &**scope)
            }
            Self::ScopeOrRole { role, .. } if caller.is_app_only() => {
                write!(text, "the role {} is missing", Name(role))
            }
            Self::Delegated => write!(text, "only delegated callers may, and the caller is {kind}"),
            Self::AppOnly => write!(text, "only app-only callers may, and the caller is {kind}"),
            Self::Role(role) => write!(text, "the role {} is missing", Name(role)),
            Self::ScopeOrRole { .. } => write!(text, "the caller's kind is {kind}"),
            Self::Kinds(kinds) => {
                write!(text, "the caller's kind is {kind}, not ")?;
                join(text, "", kinds.iter(), " or ")
            }
            Self::Agents | Self::NoAgents | Self::People | Self::PeopleOrUnattested => {
                let who = match self {
                    Self::Agents => "only agents may",
                    Self::NoAgents => "no agent may",
                    Self::People => "only people may",
                    _ => "only people may, attested or not",
                };
                let status = caller.agent_status();
                write!(text, "{who}, and the caller is {kind}, {status}")
            }
            Self::Clients(clients) => {
                write!(
                    text,
                    "the client is not one of the {} listed",
                    clients.len()
                )?;
                match caller.why_no_client() {
                    Some(why) => write!(text, ": {why}"),
                    None => Ok(()),
                }
            }
            Self::Principals(principals) => {
                write!(
                    text,
                    "the caller is not one of the {} listed",
                    principals.len()
                )
            }
            Self::SignIn { context, .. } => {
                write!(text, "the authentication context {} is missing", &**context)
            }
            Self::Custom { name, .. } => {
                write!(text, "the custom requirement {} is not met", Name(name))
            }
            Self::All(parts) => {
                let lacking = parts.iter().filter(|part| !part.holds_for(caller));
                write_each(lacking, caller, text)
            }
            Self::Any(parts) => {
                write!(text, "none of {} alternatives is met (", parts.len())?;
                write_each(parts.iter(), caller, text)?;
                text.write_char(')')
            }
        }
    }
}

fn write_each<'r>(
    parts: impl Iterator<Item = &'r Rule>,
    caller: &AgentPrincipal,
    text: &mut String,
) -> fmt::Result {
    for (number, part) in parts.enumerate() {
        if number > 0 {
            text.write_str("; ")?;
        }
        part.write_lacks(caller, text)?;
    }
    Ok(())
}

impl Lack<'_> {
    /// What to change at Entra or in the configuration.
    pub(super) fn hint(&self, caller: &AgentPrincipal) -> Option<&'static str> {
        let looks_ordinary = caller.agent_status() == AgentStatus::Unattested;
        // Facets identify an agent without `idtyp`.
        let has_no_type = caller.identity_type().is_none()
            && matches!(
                caller.kind(),
                PrincipalKind::User | PrincipalKind::Application
            );
        match self.reason {
            _ if self.is_about_identity() && caller.kind() == PrincipalKind::Unknown => {
                Some(match caller.identity_type() {
                    Some(_) => UNKNOWN_KIND,
                    None => TYPE,
                })
            }
            DenialReason::MissingScope => Some(CONSENT),
            DenialReason::NotDelegated => Some(APP_ONLY),
            DenialReason::MissingRole => Some(ASSIGN),
            DenialReason::Unattested if matches!(self.rule, Rule::Agents) => Some(ATTEST_AGENT),
            DenialReason::WrongKind if looks_ordinary && self.wants_agents() => Some(ATTEST_AGENT),
            DenialReason::WrongKind if has_no_type => Some(TYPE),
            DenialReason::Unattested => Some(ATTEST_NO_AGENT),
            DenialReason::UnlistedClient => caller.why_no_client().map(|_| NO_CLIENT),
            DenialReason::MissingAuthenticationContext if !caller.supports_claims_challenge() => {
                Some(CAPABILITY)
            }
            _ => None,
        }
    }

    fn is_about_identity(&self) -> bool {
        matches!(
            self.reason,
            DenialReason::NotDelegated | DenialReason::WrongKind | DenialReason::Unattested
        )
    }

    fn wants_agents(&self) -> bool {
        use PrincipalKind::{AgentOnBehalfOfUser, AgentUser, AutonomousAgent};

        let is_agents = |kind| matches!(kind, &(AutonomousAgent | AgentOnBehalfOfUser | AgentUser));
        matches!(self.rule, Rule::Kinds(kinds) if kinds.iter().any(is_agents))
    }
}

/// Named like the methods that build them.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "scope {}", &**scope),
            Self::Role(role) => write!(f, "role {}", Name(role)),
            Self::ScopeOrRole { scope, role } => {
                write!(f, "scope {} (app-only: role {})", &**scope, Name(role))
            }
            Self::Delegated => f.write_str("delegated"),
            Self::AppOnly => f.write_str("app-only"),
            Self::Kinds(kinds) => join(f, "kind ", kinds.iter(), "/"),
            Self::Agents => f.write_str("agents"),
            Self::NoAgents => f.write_str("no agents"),
            Self::People => f.write_str("people"),
            Self::PeopleOrUnattested => f.write_str("people or unattested"),
            Self::Clients(clients) => write!(f, "one of {} clients", clients.len()),
            Self::Principals(principals) => write!(f, "one of {} principals", principals.len()),
            Self::SignIn { context, .. } => {
                write!(f, "authentication context {}", &**context)
            }
            Self::Custom { name, .. } => write!(f, "custom {}", Name(name)),
            Self::All(parts) => join(f, "", parts.iter().map(Nested), " and "),
            Self::Any(parts) => join(f, "", parts.iter().map(Nested), " or "),
        }
    }
}

/// A configured role, or the name of a custom requirement. In quotes if it has a space, as the name of a
/// group may, or any other character that is not in a scope.
struct Name<'r>(&'r str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_scope_token(self.0) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// A part of an `and` or an `or`.
struct Nested<'r>(&'r Rule);

impl fmt::Display for Nested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rule::All(_) | Rule::Any(_) => write!(f, "({})", self.0),
            part => part.fmt(f),
        }
    }
}

fn join<T: fmt::Display>(
    to: &mut impl Write,
    begin: &str,
    parts: impl IntoIterator<Item = T>,
    between: &str,
) -> fmt::Result {
    let mut separator = begin;
    for part in parts {
        write!(to, "{separator}{part}")?;
        separator = between;
    }
    Ok(())
}

const UNKNOWN_KIND: &str = "Use a requirement on clients, principals or a role for this caller: its \
    token has an idtyp that this crate does not know.";
const CONSENT: &str = "Let the client ask for the scope when it gets its token, and have the user or an \
    administrator consent to it.";
const APP_ONLY: &str = "Use scope_or_role to let in both: apps and agents that act as themselves hold \
    app roles and no scopes.";
const ASSIGN: &str = "Assign the app role to the caller and get a new token; managed identities cache \
    tokens for up to 24 h.";
const ATTEST_AGENT: &str = "Request xms_act_fct and xms_sub_fct under optionalClaims.accessToken of the \
    API's registration, or list the agent in known_agents: without either no caller is known to be an \
    agent.";
const ATTEST_NO_AGENT: &str = "Request xms_act_fct and xms_sub_fct under optionalClaims.accessToken of the \
    API's registration: without them no caller can be attested not to be an agent.";
const TYPE: &str = "Request idtyp, with its additional property include_user_token, under \
    optionalClaims.accessToken of the API's registration: without it the kind is derived from scp, \
    roles, sub, oid and xms_idrel.";
const NO_CLIENT: &str = "Look for a claims-mapping policy that removes the client's claim: version 2.0 names \
    the client in azp, version 1.0 in appid.";
const CAPABILITY: &str = "Let the client declare that it can answer a claims challenge, and request xms_cc \
    under optionalClaims.accessToken of the API's registration: the token's xms_cc has no cp1.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_one_whole_sentence() {
        for hint in [
            UNKNOWN_KIND,
            CONSENT,
            APP_ONLY,
            ASSIGN,
            ATTEST_AGENT,
            ATTEST_NO_AGENT,
            TYPE,
            NO_CLIENT,
            CAPABILITY,
        ] {
            assert!(hint.starts_with(|c: char| c.is_ascii_uppercase()), "{hint}");
            assert!(hint.ends_with('.') && !hint.contains(". "), "{hint}");
            assert!(!hint.contains("  "), "{hint}");
        }
    }
}
