//! Who may do what.
//!
//! A valid token says who is calling. Whether they may do what they ask for is the API's own decision,
//! on three questions:
//!
//! 1. **What has been granted?** A *scope* if a user delegated permissions to the caller, an *app role*
//!    if the caller acts on its own. [`scope_or_role`](Requirement::scope_or_role) demands the right
//!    one of the two.
//! 2. **Who acts?** An agent, a person or an app: [`agents`](Requirement::agents),
//!    [`people`](Requirement::people), [`kinds`](Requirement::kinds). Always ask for this where it
//!    matters: an agent that acts for a person has that person's scopes.
//! 3. **Which one?** By (`tid`, `oid`) or (`tid`, client id):
//!    [`principals`](Requirement::principals), [`clients`](Requirement::clients), and for data the
//!    handler's own look-up.
//!
//! ```
//! # use tower_entra::{ConfigError, PrincipalKind, Requirement};
//! # fn policy() -> Result<(), ConfigError> {
//! // An agent or a person may draft, by scope or by role; an ordinary app may not.
//! let may_draft = Requirement::agents()
//!     .or(Requirement::people())
//!     .and(Requirement::scope_or_role("Orders.Draft", "Orders.Draft.All")?)?;
//!
//! // Only a person may approve.
//! let may_approve = Requirement::people().and(Requirement::scope("Orders.Approve")?)?;
//!
//! // An agent's own user account has a mailbox.
//! let has_mailbox =
//!     Requirement::kinds([PrincipalKind::AgentUser])?.and(Requirement::scope("Mail.Read")?)?;
//! # Ok(())
//! # }
//! # policy().unwrap();
//! ```
//!
//! A [`RequireLayer`] puts a requirement around a route, [`Requirement::check`] tests it in a handler.
//! `cargo run --example policy` runs this API.
//!
//! # Three ways in which an agent calls
//!
//! | | on its own | on behalf of a person | through its user account |
//! |---|---|---|---|
//! | kind | [`AutonomousAgent`] | [`AgentOnBehalfOfUser`] | [`AgentUser`] |
//! | [`client_id`](AgentPrincipal::client_id), who acts | the agent | the agent | the agent |
//! | [`object_id`](AgentPrincipal::object_id), whose data | the agent | **the person** | the agent's user account |
//! | is granted | app roles | scopes, and the person's app roles | scopes, and the account's app roles |
//! | [`is_app_only`](AgentPrincipal::is_app_only) | yes | no | no |
//! | [`is_delegated`](AgentPrincipal::is_delegated) | no | yes | yes |
//! | passes [`agents`](Requirement::agents) | yes | yes | yes |
//! | passes [`people`](Requirement::people) | no | no | no |
//!
//! **On its own**, an agent is like an app, and what it may do is what an administrator has assigned
//! to it: ask for a role.
//!
//! **On behalf of a person**, the token has the person's object id and the agent's client id. The agent
//! can do what the person can, within the scopes; code that reads only the object id takes it for the
//! person. Where a person must decide for themselves, such as to approve or to pay, ask for
//! [`people`](Requirement::people). To let in one agent and no other, ask for
//! [`clients`](Requirement::clients).
//!
//! **Through its user account**, an agent looks like a user in every way but one facet. It has a mailbox,
//! a calendar and group memberships of its own. It is not a person:
//! [`kinds`](Requirement::kinds)`([AgentUser])` lets it in, [`people`](Requirement::people) does not.
//! Only the handler can make sure that a mailbox is its own:
//!
//! ```
//! use tower_entra::{AgentPrincipal, Denial, ObjectId, TenantId};
//!
//! /// Data is kept under (`tid`, `oid`), so that the caller finds only its own.
//! fn key(caller: &AgentPrincipal) -> Result<(TenantId, ObjectId), Denial> {
//!     let object = caller.object_id().ok_or_else(Denial::new)?;
//!     Ok((caller.tenant_id(), object))
//! }
//! ```
//!
//! # When nothing is attested
//!
//! Entra puts the claims that distinguish an agent from an app or a person into an API's tokens only if
//! the API's registration requests them. Without them, an agent on its own looks like an app, and an
//! agent for alice looks like alice. Its status is then [`AgentStatus::Unattested`], and **an unattested
//! caller counts as a possible agent**:
//!
//! | | not an agent | unattested | an agent |
//! |---|---|---|---|
//! | [`people`](Requirement::people) | people pass | refused | refused |
//! | [`no_agents`](Requirement::no_agents) | people and apps pass | refused | refused |
//! | [`people_or_unattested`](Requirement::people_or_unattested) | people pass | **what looks like a person passes** | refused |
//! | [`agents`](Requirement::agents) | refused | refused | passes |
//! | [`kinds`](Requirement::kinds) | by kind | **by the kind it looks like** | by kind |
//! | [`scope`](Requirement::scope), [`role`](Requirement::role), [`scope_or_role`](Requirement::scope_or_role) | by grant | by grant | by grant |
//!
//! So an API that asks for [`people`](Requirement::people) refuses every caller until its registration
//! requests the claims. They are not in Microsoft's catalogue of optional claims and not in the portal,
//! but they work when set through Microsoft Graph (`PATCH /applications/{object id of the API}`):
//!
//! ```json
//! {"optionalClaims": {"accessToken": [
//!   {"name": "xms_act_fct"}, {"name": "xms_sub_fct"}, {"name": "xms_idrel"},
//!   {"name": "xms_tnt_fct"}, {"name": "xms_par_app_azp"}, {"name": "xms_cc"},
//!   {"name": "idtyp", "additionalProperties": ["include_user_token"]}
//! ]}}
//! ```
//!
//! `xms_act_fct` and `xms_sub_fct` are the two that attest, and both are needed. `idtyp` makes an
//! app-only token say that it is one. `xms_cc` says which clients can be asked to step up. Tokens that
//! were issued before do not have them: wait until those have expired. The denial says when this is
//! the cause: [`DenialReason::Unattested`], with a [`hint`](Denial::hint).
//!
//! If the registration cannot be changed, list the agents that are known with
//! [`known_agents`](crate::ValidatorBuilder::known_agents). They are then
//! [`Declared`](AgentStatus::Declared) and pass [`agents`](Requirement::agents); all other callers stay
//! unattested. [`people_or_unattested`](Requirement::people_or_unattested) accepts the risk.
//!
//! # What the client gets
//!
//! | what is missing | answer |
//! |---|---|
//! | only scopes, or scopes and a sign-in | 403 `insufficient_scope` with *all* scopes of the operation, so that one token request covers them |
//! | only a sign-in | 401 with a claims challenge, if the client says by `xms_cc` that it can answer one |
//! | anything else: a role, a kind, a place on a list | 403 `insufficient_scope` without scopes, because none would help |
//! | a token, on a route of an [optional](crate::EntraAuthLayer::optional) layer | 401 |
//! | a requirement for the route, in a [`RequireRoutesLayer`](crate::RequireRoutesLayer) | 403 `insufficient_scope` without scopes; an error in the log if nothing is stated for any method |
//! | the authentication layer | 500, and an error in the log |
//!
//! The operator gets more: the [`Denial`] in the response's extensions has a
//! [`reason`](Denial::reason), a text and a [`hint`](Denial::hint).
//!
//! # Mistakes
//!
//! **Authorizing by the blueprint (`xms_par_app_azp`).** It names what an agent was made from. The
//! people who may make agents from that blueprint, in any number and at any time, then decide who may
//! use the API. There is no requirement on it here. Log it; authorize the agent itself by its client id
//! or by a role.
//!
//! **Believing a person behind another API.** An agent acts for alice at API B, and B calls this API on
//! behalf of alice: the actor of that token is B, and no claim tells of the agent. So
//! [`people`](Requirement::people) lets it in. Name the clients from which a person is believed:
//! `people().and(clients(..))`.
//!
//! **`oid` without `tid`.** An object id means something only in its tenant: nothing keeps another
//! tenant from having the same GUID, and a person who is a guest elsewhere has another one there. All
//! lists here are of pairs, and data is kept under (`tid`, `oid`). `sub` cannot replace it: for one
//! person it differs from API to API.
//!
//! **`upn`, `email`, `preferred_username`, `name`.** They change, they are reassigned to other people,
//! and some of them are not verified. Use them only for display.
//!
//! **Taking every caller with `xms_act_fct` for an agent.** Every app has that claim when the API
//! requests it; people have it too, for the client they use. What counts is whether 11 or 13 is *in*
//! it, as a number among others in any order: `"3 11 9"` is an agent, `"3 9"` and `"110"` are not.
//! [`AgentPrincipal::is_agent`] reads it.
//!
//! **Taking every caller without it for a person.** Its absence proves nothing: see above.
//!
//! **`kinds([User])` to keep agents out.** An unattested agent for alice has that kind. Ask for
//! [`people`](Requirement::people).
//!
//! **A scope to keep apps out, a role to let in only apps.** The first works here, because scopes count
//! only in delegated tokens. The second does not: people hold app roles too.
//! [`scope_or_role`](Requirement::scope_or_role) keeps the two apart.
//!
//! **Groups as roles (`emit_as_roles`), by name.** [`role`](Requirement::role) takes such a name, with
//! spaces, backslashes and letters of any language. But another group may have the same name, and the owners
//! of a group may change it, so ask for the group's id. App roles are then absent from the tokens, those of
//! apps and agents too: an app-only token has no role left and is refused.
//!
//! **A list of people where an agent may act for one of them.** The object id is the person's, so
//! [`principals`](Requirement::principals) lets in any agent that acts for them: add
//! [`people`](Requirement::people). Conversely, [`clients`](Requirement::clients) lets in every person
//! who uses that client.
//!
//! **Only a valid token.** Any app of a tenant can get a token for any API of that tenant. It grants
//! nothing, and the validator refuses it, unless it is set to
//! [authorization by a list of the API's own](crate::Validator::with_authorization_by_acl): then every
//! route needs a requirement.
//!
//! [`AgentOnBehalfOfUser`]: PrincipalKind::AgentOnBehalfOfUser
//! [`AgentUser`]: PrincipalKind::AgentUser
//! [`AutonomousAgent`]: PrincipalKind::AutonomousAgent

#[allow(unused_imports, reason = "for the links above")]
use crate::{
    AgentPrincipal, AgentStatus, Denial, DenialReason, PrincipalKind, RequireLayer, Requirement,
};
