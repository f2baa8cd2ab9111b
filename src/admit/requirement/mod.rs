//! Requirements on an admitted caller, as values.
//!
//! No HTTP, no I/O, no clock.

use std::{fmt, sync::Arc};

use crate::{
    admit::principal::{AgentPrincipal, PrincipalKind},
    characters::is_scope_token,
    config_error::ConfigError,
    ids::{AppId, ObjectId, TenantId},
};

mod rule;

mod denial;

mod reason;

mod explain;

mod caller;

mod names;

pub(crate) use self::{
    denial::Demand,
    names::{ASKED_FOR, scope_problem},
};
pub use self::{denial::Denial, reason::DenialReason};
use self::{
    names::{checked_role, checked_scope, is_static_role, is_static_scope},
    rule::{Predicate, Rule, StepUp, Text},
};

/// What a caller must be, or must have been granted, to do something.
///
/// Build it once, when the program starts, and join requirements with [`and`](Self::and) and
/// [`or`](Self::or). [`check`](Self::check) in a handler, or a
/// [`RequireLayer`](crate::RequireLayer) around a route, then tests any number of callers. The
/// constructors refuse what no caller could satisfy. Cloning is cheap; a check that succeeds
/// allocates nothing. Those without a list can be a `const`: [`people`](Self::people) and the others
/// without arguments, [`static_scope`](Self::static_scope), [`static_role`](Self::static_role),
/// [`static_scope_or_role`](Self::static_scope_or_role) and [`static_custom`](Self::static_custom).
///
/// ```
/// use tower_entra::{AgentPrincipal, Denial, PrincipalKind, Requirement};
///
/// # fn main() -> Result<(), tower_entra::ConfigError> {
/// // A person, attested not to be an agent, with a scope.
/// let may_approve = Requirement::people().and(Requirement::scope("Orders.Approve")?)?;
///
/// // The scope for a delegated caller, the role for an app or an agent that acts as itself.
/// let may_draft = Requirement::scope_or_role("Orders.Draft", "Orders.Draft.All")?;
///
/// // An agent through its own user account.
/// let has_mailbox = Requirement::kinds([PrincipalKind::AgentUser])?;
///
/// fn approve(caller: &AgentPrincipal, may_approve: &Requirement) -> Result<(), Denial> {
///     may_approve.check(caller)?;
///     Ok(())
/// }
/// # Ok(())
/// # }
/// ```
///
/// | requirement | holds for |
/// |---|---|
/// | [`scope`](Self::scope) | delegated callers with that scope |
/// | [`role`](Self::role) | any caller with that app role, delegated or app-only |
/// | [`scope_or_role`](Self::scope_or_role) | delegated callers with the scope, app-only ones with the role |
/// | [`delegated`](Self::delegated) | callers with permissions that a user has delegated |
/// | [`app_only`](Self::app_only) | apps and agents that act as themselves |
/// | [`kinds`](Self::kinds) | callers of one of these kinds, whatever their agent status |
/// | [`agents`](Self::agents) | known agents, whatever their kind |
/// | [`no_agents`](Self::no_agents) | people and apps that Entra attests to be no agents |
/// | [`people`](Self::people) | people, where Entra attests that no agent is involved |
/// | [`people_or_unattested`](Self::people_or_unattested) | the same, and those that are not attested either way |
/// | [`clients`](Self::clients) | callers through one of these (`tid`, client id) |
/// | [`principals`](Self::principals) | callers that are one of these (`tid`, `oid`) |
/// | [`authentication_context`](Self::authentication_context) | callers whose sign-in satisfied it; others are asked to step up |
/// | [`acr_value`](Self::acr_value) | the same, with the challenge of RFC 9470 |
/// | [`custom`](Self::custom) | callers for whom the application's own test holds |
///
/// No requirement on kinds, people or delegation lets in a caller of the kind
/// [`Unknown`](PrincipalKind::Unknown). Roles, lists, authentication contexts and `agents` may: they
/// test what the token states literally. So may a `custom` one.
///
/// # No requirement on the blueprint
///
/// [`parent_agent_blueprint`](AgentPrincipal::parent_agent_blueprint) can be read and logged, but
/// there is no requirement on it. One would let in every agent that is ever made from that
/// blueprint, in any number and without notice to this API; Microsoft
/// [advises against it](https://learn.microsoft.com/en-us/entra/agent-id/agent-token-claims). List
/// the agents themselves by [`clients`](Self::clients), or assign them an app role.
///
/// # Depth
///
/// A check recurses as deep as `and` and `or` alternate, and tests parts again to say what is
/// missing. The depth has no limit, because the operator writes requirements: never build one from
/// data that a caller sends.
#[derive(Clone)]
pub struct Requirement {
    rule: Rule,
}

/// What has been granted.
impl Requirement {
    /// This scope (`scp`), compared exactly, in a delegated token.
    ///
    /// Scopes count only for delegated callers: not for an app or an agent that acts as itself,
    /// whatever its token says, and not for a caller of unknown kind. Tokens name scopes in their
    /// short form, so it is `Orders.Read` here and `api://…/Orders.Read` where a client asks for it.
    ///
    /// Several scopes are several requirements: with `and` all of them, with `or` any.
    ///
    /// # Errors
    ///
    /// Fails if this is no scope token of
    /// [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-3.3), as with a space or a quote
    /// in it, or if it is in the long form, `api://…`, in which tokens do not name scopes.
    #[doc(alias("RequiredScope", "missing_scope"))]
    pub fn scope(scope: impl Into<String>) -> Result<Self, ConfigError> {
        let scope = checked_scope(scope.into())?;
        Ok(Rule::Scope(scope.into()).into())
    }

    /// This app role (`roles`), compared exactly, in any token.
    ///
    /// Users can hold app roles too, so a role does not prove that an app acts as itself. Use
    /// [`scope_or_role`](Self::scope_or_role) where a role is meant for apps.
    ///
    /// The value of an app role has no spaces. Where a registration emits groups as roles
    /// ([`emit_as_roles`](https://learn.microsoft.com/en-us/entra/identity-platform/optional-claims#configure-groups-optional-claims)),
    /// `roles` has groups instead of app roles, by id or by name: `Domain Users`, `CONTOSO\Finance`. Such a
    /// name is not unique, and the owners of a group may change it: see
    /// [Mistakes](crate::guide::who_may_do_what#mistakes).
    ///
    /// # Errors
    ///
    /// Fails if it is blank or has a control character.
    #[doc(alias("Authorize"))]
    pub fn role(role: impl Into<String>) -> Result<Self, ConfigError> {
        let role = checked_role(role.into())?;
        Ok(Rule::Role(role.into()).into())
    }

    /// The scope for delegated callers or the role for app-only ones, each compared exactly.
    ///
    /// A role does not help a delegated caller, and a scope does not help an app-only one.
    /// Microsoft.Identity.Web calls this `RequiredScopeOrAppPermission`; this one also refuses
    /// callers of unknown kind.
    ///
    /// # Errors
    ///
    /// Fails as [`scope`](Self::scope) and [`role`](Self::role) do.
    #[doc(alias("RequiredScopeOrAppPermission"))]
    pub fn scope_or_role(
        scope: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let scope = checked_scope(scope.into())?.into();
        let role = checked_role(role.into())?.into();
        Ok(Rule::ScopeOrRole { scope, role }.into())
    }

    /// [`scope`](Self::scope) for a `const` or a `static`: a wrong text does not compile there.
    ///
    /// ```
    /// use tower_entra::{AgentPrincipal, Denial, Requirement};
    ///
    /// const MAY_READ: Requirement = Requirement::static_scope("Orders.Read");
    ///
    /// async fn list(caller: AgentPrincipal) -> Result<&'static str, Denial> {
    ///     caller.require(&MAY_READ)?;
    ///     Ok("orders")
    /// }
    /// ```
    ///
    /// ```compile_fail,E0080
    /// # use tower_entra::Requirement;
    /// const MAY_READ: Requirement = Requirement::static_scope("api://orders/Orders.Read");
    /// ```
    ///
    /// # Panics
    ///
    /// If `scope` would refuse the text.
    #[must_use]
    pub const fn static_scope(scope: &'static str) -> Self {
        assert!(is_static_scope(scope), "this scope is in no token");
        Self {
            rule: Rule::Scope(Text::Static(scope)),
        }
    }

    /// [`role`](Self::role) for a `const` or a `static`: a wrong text does not compile there.
    ///
    /// # Panics
    ///
    /// If it has no graphic character, or one that is not printable ASCII. `role` takes a name in other
    /// letters too.
    #[must_use]
    pub const fn static_role(role: &'static str) -> Self {
        assert!(is_static_role(role), "this role is not printable ASCII");
        Self {
            rule: Rule::Role(Text::Static(role)),
        }
    }

    /// [`scope_or_role`](Self::scope_or_role) for a `const` or a `static`: a wrong text does not compile
    /// there.
    ///
    /// # Panics
    ///
    /// As [`static_scope`](Self::static_scope) and [`static_role`](Self::static_role) do.
    #[must_use]
    pub const fn static_scope_or_role(scope: &'static str, role: &'static str) -> Self {
        assert!(is_static_scope(scope), "this scope is in no token");
        assert!(is_static_role(role), "this role is not printable ASCII");
        Self {
            rule: Rule::ScopeOrRole {
                scope: Text::Static(scope),
                role: Text::Static(role),
            },
        }
    }
}

/// Who is calling.
impl Requirement {
    /// Callers with permissions that a user has delegated: [`AgentPrincipal::is_delegated`].
    ///
    /// Agents that act on behalf of a person, or through their own user account, are among them. It
    /// tests no scope: add [`scope`](Self::scope).
    #[must_use]
    pub const fn delegated() -> Self {
        Self {
            rule: Rule::Delegated,
        }
    }

    /// Apps and agents that act as themselves: [`AgentPrincipal::is_app_only`].
    ///
    /// It tests no role, and any app of an allowed tenant can act as itself: add
    /// [`role`](Self::role) or [`clients`](Self::clients). A caller whose token does not say is
    /// refused.
    #[must_use]
    pub const fn app_only() -> Self {
        Self {
            rule: Rule::AppOnly,
        }
    }

    /// One of these kinds, whatever the agent status.
    ///
    /// An agent whose token carries no facets has the kind of the person it acts for or of an
    /// ordinary app. So `User` and `Application` do not keep agents out:
    /// [`people`](Self::people) and [`no_agents`](Self::no_agents) do.
    ///
    /// # Errors
    ///
    /// Fails if the list is empty or has [`PrincipalKind::Unknown`], which no requirement lets in.
    #[doc(alias("kind"))]
    pub fn kinds(kinds: impl IntoIterator<Item = PrincipalKind>) -> Result<Self, ConfigError> {
        let mut listed = Vec::new();
        for kind in kinds {
            if kind == PrincipalKind::Unknown {
                let problem = "a caller of unknown kind is never let in by its kind";
                return Err(ConfigError::new("kinds", problem));
            }
            if !listed.contains(&kind) {
                listed.push(kind);
            }
        }
        Ok(Rule::Kinds(not_empty("kinds", listed)?.into()).into())
    }

    /// Agents only, whatever their kind: [`AgentPrincipal::is_agent`].
    ///
    /// An agent whose token carries no facets, and that is not among the validator's
    /// [`known_agents`](crate::ValidatorBuilder::known_agents), is refused.
    #[must_use]
    pub const fn agents() -> Self {
        Self { rule: Rule::Agents }
    }

    /// Callers of a known kind that Entra attests to be no agents:
    /// [`AgentStatus::NotAgent`](crate::AgentStatus::NotAgent).
    ///
    /// An unattested caller counts as a possible agent and is refused.
    #[must_use]
    pub const fn no_agents() -> Self {
        Self {
            rule: Rule::NoAgents,
        }
    }

    /// People only. **Refuses every caller until the API's registration requests `xms_act_fct` and
    /// `xms_sub_fct`**: [Entra set-up](crate::guide::entra_setup#the-registration-of-the-api) has the
    /// command.
    ///
    /// People have the kind [`User`](PrincipalKind::User) and the status
    /// [`NotAgent`](crate::AgentStatus::NotAgent). An agent is refused, whether it acts for a person or
    /// through its own user account. An unattested caller counts as a possible agent and is refused too.
    ///
    /// **Does not see an agent behind another API.** When an agent calls an API on behalf of a person,
    /// and that API calls this one on behalf of the same person, the actor of the second token is that
    /// API: the agent has disappeared from it. Where that matters, name the clients from which a
    /// person is believed: `people().and(clients(..))`.
    #[must_use]
    pub const fn people() -> Self {
        Self { rule: Rule::People }
    }

    /// People, and callers that look like people but are not attested either way: the kind
    /// [`User`](PrincipalKind::User) and the status [`NotAgent`](crate::AgentStatus::NotAgent) or
    /// [`Unattested`](crate::AgentStatus::Unattested).
    ///
    /// **Lets agents in** whose tokens carry no facets, as long as the API's registration does not
    /// request facets.
    #[must_use]
    pub const fn people_or_unattested() -> Self {
        Self {
            rule: Rule::PeopleOrUnattested,
        }
    }

    /// One of these clients, each a tenant and the client id of an agent or an app.
    ///
    /// The client is the application that acts, not the person for whom it acts: a listed client
    /// lets in every person who uses it. Add [`kinds`](Self::kinds) or a role where the client must
    /// act as itself.
    ///
    /// # Errors
    ///
    /// Fails if the list is empty or a part of a pair is no GUID.
    pub fn clients<I, T, C>(clients: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = (T, C)>,
        T: AsRef<str>,
        C: AsRef<str>,
    {
        let mut listed: Vec<(TenantId, AppId)> = Vec::new();
        for (tenant, client) in clients {
            let client = client.as_ref();
            let client_id = client
                .parse()
                .map_err(|_| not_a_guid("clients", client, "client id"))?;
            listed.push((tenant_id("clients", tenant.as_ref())?, client_id));
        }
        listed.sort_unstable();
        listed.dedup();
        Ok(Rule::Clients(not_empty("clients", listed)?.into()).into())
    }

    /// One of these principals, each a tenant and the object id of a person, an agent's user
    /// account, an agent or an app.
    ///
    /// When an agent acts on behalf of a person, the object is the person: a listed person lets in
    /// every agent that acts for them. Add [`people`](Self::people) to keep such agents out.
    ///
    /// # Errors
    ///
    /// Fails if the list is empty or a part of a pair is no GUID.
    pub fn principals<I, T, O>(principals: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = (T, O)>,
        T: AsRef<str>,
        O: AsRef<str>,
    {
        let mut listed: Vec<(TenantId, ObjectId)> = Vec::new();
        for (tenant, object) in principals {
            let object = object.as_ref();
            let object_id = object
                .parse()
                .map_err(|_| not_a_guid("principals", object, "object id"))?;
            listed.push((tenant_id("principals", tenant.as_ref())?, object_id));
        }
        listed.sort_unstable();
        listed.dedup();
        Ok(Rule::Principals(not_empty("principals", listed)?.into()).into())
    }
}

/// How they signed in.
impl Requirement {
    /// A sign-in that satisfied this
    /// [authentication context](https://learn.microsoft.com/en-us/entra/identity-platform/developer-guide-conditional-access-authentication-context)
    /// (`acrs`), such as `c1`, compared exactly.
    ///
    /// A caller without it gets a
    /// [claims challenge](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge)
    /// if its client can answer one, and 403 otherwise: see
    /// [`Denial::for_authentication_context`].
    ///
    /// # Errors
    ///
    /// Fails if it is empty or has a space, a quote, a backslash or a character beyond ASCII.
    #[doc(alias("acrs", "step_up"))]
    pub fn authentication_context(context: impl Into<String>) -> Result<Self, ConfigError> {
        Self::signed_in("authentication_context", context.into(), StepUp::Entra)
    }

    /// The same as [`authentication_context`](Self::authentication_context), but a caller without it
    /// gets the challenge of [RFC 9470](https://www.rfc-editor.org/rfc/rfc9470#section-3), whether or
    /// not its client can answer a claims challenge: see [`Denial::for_acr_values`].
    ///
    /// # Errors
    ///
    /// Fails if it is empty or has a space, a quote, a backslash or a character beyond ASCII.
    pub fn acr_value(value: impl Into<String>) -> Result<Self, ConfigError> {
        Self::signed_in("acr_value", value.into(), StepUp::Rfc9470)
    }

    fn signed_in(
        setting: &'static str,
        context: String,
        step_up: StepUp,
    ) -> Result<Self, ConfigError> {
        if !is_scope_token(&context) {
            let problem = format!("{context:?} is not one authentication context");
            return Err(ConfigError::new(setting, problem));
        }
        let context = context.into();
        Ok(Rule::SignIn { context, step_up }.into())
    }
}

/// What no other requirement expresses.
impl Requirement {
    /// The application's own test of a caller, under a name.
    ///
    /// The name is all that a denial and the log show of it: `the custom requirement same-region is not
    /// met`, with the reason [`Policy`](DenialReason::Policy), and 403 to the client. So neither the
    /// caller's claims nor what the test compares them with reach a log.
    ///
    /// ```
    /// use tower_entra::{AgentPrincipal, Requirement};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Region {
    ///     ctry: Option<String>,
    /// }
    ///
    /// fn requirement(regions: Vec<String>) -> Requirement {
    ///     Requirement::custom("same-region", move |caller: &AgentPrincipal| {
    ///         let claims = caller.claims::<Region>();
    ///         claims.is_ok_and(|claims| claims.ctry.is_some_and(|ctry| regions.contains(&ctry)))
    ///     })
    /// }
    /// # requirement(Vec::new());
    /// ```
    ///
    /// It is called within the request, and perhaps several times for a caller that is refused: keep it
    /// quick and without effects. What it panics with, the request panics with; the service inside is not
    /// called. It may let in a caller of the kind [`Unknown`](PrincipalKind::Unknown), and an agent that
    /// acts for a person: join it with [`people`](Self::people) or [`kinds`](Self::kinds) if it must
    /// not.
    #[doc(alias("predicate"))]
    #[must_use]
    pub fn custom<F>(name: &'static str, holds: F) -> Self
    where
        F: Fn(&AgentPrincipal) -> bool + Send + Sync + 'static,
    {
        let holds = Predicate::Shared(Arc::new(holds));
        Rule::Custom { name, holds }.into()
    }

    /// [`custom`](Self::custom) for a `const` or a `static`: a function, or a closure that captures
    /// nothing.
    ///
    /// ```
    /// use tower_entra::Requirement;
    ///
    /// static NOT_A_GUEST: Requirement =
    ///     Requirement::static_custom("not-a-guest", |caller| !caller.is_guest());
    /// # assert_eq!(NOT_A_GUEST.to_string(), "custom not-a-guest");
    /// ```
    #[must_use]
    pub const fn static_custom(name: &'static str, holds: fn(&AgentPrincipal) -> bool) -> Self {
        let holds = Predicate::Static(holds);
        Self {
            rule: Rule::Custom { name, holds },
        }
    }
}

/// Combinations.
impl Requirement {
    /// This and the other.
    ///
    /// # Errors
    ///
    /// Fails if no kind of caller could satisfy both, such as people and agents, or a scope and an
    /// app that acts as itself, for which no scope counts.
    pub fn and(self, other: Self) -> Result<Self, ConfigError> {
        let both = Rule::all([self.rule, other.rule]);
        if !both.can_hold() {
            let problem = format!("no caller can satisfy {both}");
            return Err(ConfigError::new("requirement", problem));
        }
        Ok(both.into())
    }

    /// This or the other, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Rule::any([self.rule, other.rule]).into()
    }

    /// Whether this caller satisfies the requirement.
    ///
    /// # Errors
    ///
    /// Fails with the [`Denial`] that says what would change the answer. Where several things are
    /// missing, the challenge asks for one only if that could let the client in:
    ///
    /// - Of parts joined by `and`, the hardest to remedy decides. If scopes are missing, and
    ///   otherwise at most a sign-in that the client can be asked for, the answer is 403 with **all**
    ///   the scopes of the `and`, including those that the caller has, so that one token request
    ///   covers them. If only sign-ins are missing, it is the challenge to step up to the first
    ///   missing context. In any other case it is 403 without scopes.
    /// - Of parts joined by `or`, the easiest to remedy decides: one that a stronger sign-in would
    ///   satisfy before one that a scope would, and either before any other. Of equals it is the
    ///   first.
    pub fn check(&self, caller: &AgentPrincipal) -> Result<(), Denial> {
        if self.rule.holds_for(caller) {
            Ok(())
        } else {
            Err(Denial::of(&self.rule, caller))
        }
    }
}

impl From<Rule> for Requirement {
    fn from(rule: Rule) -> Self {
        Self { rule }
    }
}

/// In words for a log, such as `people and scope Orders.Approve`. Lists of GUIDs are counted.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Requirement({self})")
    }
}

fn not_empty<T>(setting: &'static str, list: Vec<T>) -> Result<Vec<T>, ConfigError> {
    if list.is_empty() {
        Err(ConfigError::new(setting, "the list is empty"))
    } else {
        Ok(list)
    }
}

fn tenant_id(setting: &'static str, text: &str) -> Result<TenantId, ConfigError> {
    text.parse()
        .map_err(|_| not_a_guid(setting, text, "tenant"))
}

fn not_a_guid(setting: &'static str, text: &str, what: &str) -> ConfigError {
    ConfigError::new(setting, format!("{text:?} is not a {what} GUID"))
}
