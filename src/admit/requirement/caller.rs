//! A requirement in one line of a handler.

use super::{
    Requirement,
    denial::Denial,
    names::{checked_role, checked_scope},
};
use crate::{admit::principal::AgentPrincipal, config_error::ConfigError};

/// What a handler requires of its caller.
impl AgentPrincipal {
    /// Requires what `requirement` says: the same as [`Requirement::check`].
    ///
    /// ```
    /// use tower_entra::{AgentPrincipal, Denial, Requirement};
    ///
    /// const PEOPLE: Requirement = Requirement::people();
    ///
    /// async fn approve(caller: AgentPrincipal) -> Result<&'static str, Denial> {
    ///     caller.require(&PEOPLE)?;
    ///     caller.require_scope("Orders.Approve")?;
    ///     Ok("approved")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with the [`Denial`] of a caller that does not satisfy it. An axum handler returns it with
    /// `?`, and [`Denial`] says what to do elsewhere.
    #[doc(alias("authorize", "check"))]
    pub fn require(&self, requirement: &Requirement) -> Result<(), Denial> {
        requirement.check(self)
    }

    /// Requires this scope of a delegated token, as [`Requirement::scope`] does.
    ///
    /// # Errors
    ///
    /// Fails with a [`Denial`] if the scope is missing, or if the token is not delegated. A text that no
    /// token has as a scope, such as `api://.../Orders.Read`, refuses every caller; the denial says
    /// for the log what is wrong with it. [`Requirement::static_scope`] in a `const` finds that when the
    /// program is built.
    ///
    /// The text appears in the denial, for the log: never make it of data that a caller sends.
    pub fn require_scope(&self, scope: &str) -> Result<(), Denial> {
        if self.is_delegated() && self.has_scope(scope) && checked_scope(scope).is_ok() {
            return Ok(());
        }
        Err(denial(Requirement::scope(scope), self))
    }

    /// Requires this app role, as [`Requirement::role`] does: of any caller, delegated or app-only.
    ///
    /// # Errors
    ///
    /// Fails with a [`Denial`] if the role is missing. A blank text, or one with a control character,
    /// refuses every caller; the denial says so for the log.
    ///
    /// The text appears in the denial, for the log: never make it of data that a caller sends.
    pub fn require_role(&self, role: &str) -> Result<(), Denial> {
        if self.has_role(role) && checked_role(role).is_ok() {
            return Ok(());
        }
        Err(denial(Requirement::role(role), self))
    }

    /// Requires the scope of a delegated caller and the role of an app-only one, as
    /// [`Requirement::scope_or_role`] does.
    ///
    /// # Errors
    ///
    /// Fails with a [`Denial`] if what counts for this caller is missing, or if the token does not say
    /// whether it is delegated or app-only. A text that no token has refuses every caller, as with
    /// [`require_scope`](Self::require_scope).
    pub fn require_scope_or_role(&self, scope: &str, role: &str) -> Result<(), Denial> {
        let is_granted = match self.is_delegated() {
            true => self.has_scope(scope),
            false => self.is_app_only() && self.has_role(role),
        };
        if is_granted && checked_scope(scope).is_ok() && checked_role(role).is_ok() {
            return Ok(());
        }
        Err(denial(Requirement::scope_or_role(scope, role), self))
    }
}

/// Of a caller that has just failed the requirement, or of a requirement that none satisfies.
#[cold]
fn denial(requirement: Result<Requirement, ConfigError>, caller: &AgentPrincipal) -> Denial {
    match requirement {
        Ok(Requirement { rule }) => Denial::of(&rule, caller),
        Err(error) => Denial::never(&error),
    }
}
