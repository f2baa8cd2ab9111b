//! Who is calling, as a handler sees it.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration, time::SystemTime};

use serde::de::DeserializeOwned;

use crate::{
    admit::{
        facets::{Facet, Facets, IdentityRelationships},
        findings::{Dates, Findings},
        token::{Claims, Verified},
        values::{ClaimsError, ClientAuthentication, IdentityType, TokenVersion},
    },
    ids::{AppId, ObjectId, TenantId},
};

mod kind;

mod text;

mod audit_record;

mod groups;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

use self::text::Text;
pub use self::{
    audit_record::AuditRecord,
    groups::Groups,
    kind::{AgentStatus, PrincipalKind},
};
pub(crate) use self::{
    audit_record::{AuditFields, Plain},
    kind::Delegation,
};

/// The caller of an admitted request: who acts, for whom, in which tenant, under which blueprint.
///
/// A handler finds it in the request's extensions. **As an extractor of axum it needs the feature
/// `axum`**: without it the compiler says only that the handler does not implement `Handler`.
///
/// Everything here was signed by Entra and has passed every check of the
/// [validator](crate::Validator). The token itself is not in here, and [`Debug`] shows nothing
/// that identifies a person.
///
/// Store data under ([`tenant_id`](Self::tenant_id), [`object_id`](Self::object_id)): an object id
/// alone means another principal in another tenant, and names and addresses change hands.
///
/// Cloning is cheap.
#[derive(Clone)]
pub struct AgentPrincipal {
    inner: Arc<Inner>,
}

struct Inner {
    /// The whole claim set.
    claims: Box<str>,
    tenant: TenantId,
    object: Option<ObjectId>,
    client: Option<AppId>,
    /// Whether the claim is there that names the client in the other version.
    has_client_of_other_version: bool,
    blueprint: Option<AppId>,
    version: TokenVersion,
    kind: PrincipalKind,
    status: AgentStatus,
    delegation: Delegation,
    is_agent_user: bool,
    is_guest: bool,
    has_client_capability: bool,
    has_groups_overage: bool,
    actor_facets: Option<Facets>,
    subject_facets: Option<Facets>,
    tenant_facets: Option<Facets>,
    relationships: Option<IdentityRelationships>,
    identity_type: Option<IdentityType>,
    client_authentication: Option<ClientAuthentication>,
    issuer: Text,
    audience: Text,
    subject: Option<Text>,
    scopes: Option<Text>,
    token_id: Option<Text>,
    roles: Vec<Text>,
    authentication_contexts: Vec<Text>,
    groups: Vec<Text>,
    dates: Dates,
    malformed: Vec<&'static str>,
}

impl AgentPrincipal {
    pub(crate) fn new(claims: &Verified<Claims<'_>>, findings: &Findings<'_>) -> Self {
        let Findings {
            provenance,
            audience,
            dates,
            is_guest,
            is_known_agent,
        } = *findings;
        let delegation = Delegation::of(claims);
        let (kind, status) = kind::classify(claims, delegation, is_known_agent);
        let text = |value: &str| Text::of(claims.text, value);
        let texts = |values: &[Cow<'_, str>]| values.iter().map(|value| text(value)).collect();
        let client_authentication = match provenance.version {
            TokenVersion::V1 => &claims.appidacr,
            TokenVersion::V2 => &claims.azpacr,
        };
        let inner = Arc::new(Inner {
            claims: claims.text.into(),
            tenant: provenance.tenant,
            object: claims.oid,
            client: claims.client_id(),
            has_client_of_other_version: match provenance.version {
                TokenVersion::V1 => claims.azp.is_some(),
                TokenVersion::V2 => claims.appid.is_some(),
            },
            blueprint: claims.blueprint,
            version: provenance.version,
            kind,
            status,
            delegation,
            is_agent_user: claims.subject_has(Facet::AGENT_USER),
            is_guest,
            has_client_capability: claims
                .xms_cc
                .iter()
                .any(|capability| capability.eq_ignore_ascii_case("cp1")),
            has_groups_overage: claims.has_groups_overage,
            actor_facets: claims.actor_facets.clone(),
            subject_facets: claims.subject_facets.clone(),
            tenant_facets: claims.tenant_facets.clone(),
            relationships: claims.relationships.clone(),
            identity_type: claims.idtyp.as_deref().map(IdentityType::of),
            client_authentication: client_authentication
                .as_deref()
                .and_then(ClientAuthentication::of),
            issuer: text(claims.iss.as_deref().unwrap_or_default()),
            audience: text(audience),
            subject: claims.sub.as_deref().map(text),
            scopes: claims.scp.as_deref().map(text),
            token_id: claims.uti.as_deref().map(text),
            roles: texts(&claims.roles),
            authentication_contexts: texts(&claims.acrs),
            groups: texts(&claims.groups),
            dates,
            malformed: claims.malformed.iter().map(|wrong| wrong.name).collect(),
        });
        Self { inner }
    }

    pub(crate) fn dates(&self) -> &Dates {
        &self.inner.dates
    }

    /// Whether the token has a scope or a role: check 13.
    pub(crate) fn is_granted_something(&self) -> bool {
        self.inner.scopes.is_some() || !self.inner.roles.is_empty()
    }

    /// The tenant in which the token is valid: `tid`. For an agent, the one it is registered in.
    #[doc(alias("tid", "GetTenantId"))]
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.inner.tenant
    }

    /// The object the token speaks of: `oid`. The person when an agent acts on behalf of one, the
    /// agent itself when it acts as itself, its account when it has one. Some tokens have none.
    #[doc(alias("oid", "user_id", "GetObjectId"))]
    #[must_use]
    pub fn object_id(&self) -> Option<ObjectId> {
        self.inner.object
    }

    /// The subject: `sub`. For a person it differs from API to API and is not a GUID; prefer
    /// [`object_id`](Self::object_id).
    #[doc(alias("sub"))]
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.inner.subject.as_ref().map(|text| self.show(text))
    }

    /// The application that got the token: `azp`, or `appid` in version 1.0. When an agent is
    /// involved, this is the agent: it is the one that acts. The claim of the other version does not
    /// count; the audit log says so where it is all there is.
    #[doc(alias("azp", "appid", "agent_id", "app_id"))]
    #[must_use]
    pub fn client_id(&self) -> Option<AppId> {
        self.inner.client
    }

    /// Why there is no [`client_id`](Self::client_id), for the log.
    pub(crate) fn why_no_client(&self) -> Option<&'static str> {
        let has_other = self.inner.has_client_of_other_version;
        match (self.inner.client, self.inner.version, has_other) {
            (Some(_), _, _) => None,
            (None, TokenVersion::V1, true) => Some(ONLY_AZP),
            (None, TokenVersion::V2, true) => Some(ONLY_APPID),
            (None, TokenVersion::V1, false) => Some(NO_APPID),
            (None, TokenVersion::V2, false) => Some(NO_AZP),
        }
    }

    /// Who acts, and for whom.
    #[doc(alias("principal_kind"))]
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.inner.kind
    }

    /// What is known about whether an agent is involved.
    #[doc(alias("is_known_agent"))]
    #[must_use]
    pub fn agent_status(&self) -> AgentStatus {
        self.inner.status
    }

    /// The codes of both, for the metrics.
    pub(crate) fn codes(&self) -> (&'static str, &'static str) {
        (self.kind().as_str(), self.agent_status().as_str())
    }

    /// Whether an agent is known to be involved: [`AgentStatus::Attested`] or
    /// [`AgentStatus::Declared`].
    ///
    /// `false` does not mean that none is: ask for [`AgentStatus::NotAgent`] to keep agents out.
    #[must_use]
    pub fn is_agent(&self) -> bool {
        matches!(
            self.inner.status,
            AgentStatus::Attested | AgentStatus::Declared
        )
    }

    /// Whether an application acts as itself, without delegated permissions.
    ///
    /// `idtyp` is `app`. Or there is no `idtyp`, no scope and no facet 13 of the subject, and one of
    /// these shows an application: `sub` is `oid` or begins with `/`, the subject has facet 11,
    /// `xms_idrel` has 7, 13 or 33, or there is a role.
    ///
    /// `false` does not mean that a user is involved: ask [`is_delegated`](Self::is_delegated).
    #[must_use]
    pub fn is_app_only(&self) -> bool {
        self.inner.delegation == Delegation::AppOnly
    }

    /// Whether the caller acts with permissions that a user has delegated: `idtyp` is `user`, or there
    /// is no `idtyp` and a scope.
    ///
    /// A token that is neither app-only nor delegated does not say. No requirement on people or on
    /// delegated permissions admits it.
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        self.inner.delegation == Delegation::Delegated
    }

    /// Whether the subject is the user account of an agent: `xms_sub_fct` has 13.
    ///
    /// As in Microsoft.Identity.Web, a claim with a part that is no integer counts as absent.
    #[doc(alias("xms_sub_fct", "IsAgentUserIdentity"))]
    #[must_use]
    pub fn is_agent_user_identity(&self) -> bool {
        self.inner.is_agent_user
    }

    /// The blueprint that the agent was made from: `xms_par_app_azp`.
    ///
    /// For the audit log. Authorizing by it admits every agent that will ever be made from that
    /// blueprint; Microsoft advises against it, and nothing in this crate does.
    #[doc(alias("xms_par_app_azp", "GetParentAgentBlueprint"))]
    #[must_use]
    pub fn parent_agent_blueprint(&self) -> Option<AppId> {
        self.inner.blueprint
    }

    /// What Entra calls the caller: `idtyp`. Absent unless the API's registration asks for it.
    #[doc(alias("idtyp"))]
    #[must_use]
    pub fn identity_type(&self) -> Option<&IdentityType> {
        self.inner.identity_type.as_ref()
    }

    /// The facets of the acting application: `xms_act_fct`. `None` if absent or malformed.
    #[doc(alias("xms_act_fct"))]
    #[must_use]
    pub fn actor_facets(&self) -> Option<&Facets> {
        self.inner.actor_facets.as_ref()
    }

    /// The facets of the subject: `xms_sub_fct`. `None` if absent or malformed.
    #[doc(alias("xms_sub_fct"))]
    #[must_use]
    pub fn subject_facets(&self) -> Option<&Facets> {
        self.inner.subject_facets.as_ref()
    }

    /// The facets of the tenant: `xms_tnt_fct`. `None` if absent or malformed. They say nothing
    /// about whether the caller is an agent.
    #[doc(alias("xms_tnt_fct"))]
    #[must_use]
    pub fn tenant_facets(&self) -> Option<&Facets> {
        self.inner.tenant_facets.as_ref()
    }

    /// How the subject relates to the tenant: `xms_idrel`. `None` if absent or malformed.
    #[doc(alias("xms_idrel"))]
    #[must_use]
    pub fn identity_relationships(&self) -> Option<&IdentityRelationships> {
        self.inner.relationships.as_ref()
    }

    /// Whether the subject is known to be a guest. `false` if the token does not say.
    ///
    /// What the token states outright comes first: `acct` 1 is a guest, 0 is none. Otherwise
    /// `xms_idrel` with 5, 11, 29 or 31 is a guest, with 1, 3, 27, 17 or 19 none. Otherwise an `idp`
    /// that is neither issuer of this tenant is that of a guest.
    #[doc(alias("acct"))]
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.inner.is_guest
    }

    /// The scopes of a delegated token: `scp`. Empty in a token that is not delegated.
    ///
    /// Spaces and other white space of ASCII separate them; any other character is part of a scope:
    /// [RFC 6749, section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).
    #[doc(alias("scp"))]
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self
            .inner
            .scopes
            .as_ref()
            .map_or("", |text| self.show(text));
        scopes.split_ascii_whitespace()
    }

    /// Whether a delegated token has this scope, compared exactly.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    /// The app roles: `roles`. Applications and users can both have some.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.inner.roles.iter().map(|text| self.show(text))
    }

    /// Whether the token has this role, compared exactly.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|granted| granted == role)
    }

    /// The version of the token: `ver`.
    #[doc(alias("ver"))]
    #[must_use]
    pub fn token_version(&self) -> TokenVersion {
        self.inner.version
    }

    /// Who issued the token: `iss`.
    #[doc(alias("iss"))]
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.show(&self.inner.issuer)
    }

    /// The configured audience by which the token was accepted.
    #[doc(alias("aud"))]
    #[must_use]
    pub fn audience(&self) -> &str {
        self.show(&self.inner.audience)
    }

    /// When the token was issued: `iat`, whole seconds.
    #[doc(alias("iat"))]
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.inner.dates.issued.map(time)
    }

    /// When the token expires: `exp`, whole seconds. It was accepted until the allowed clock skew
    /// after this.
    #[doc(alias("exp"))]
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        time(self.inner.dates.expires)
    }

    /// The token's unique id, by which Entra's own logs know it: `uti`.
    #[doc(alias("uti", "jti"))]
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.inner.token_id.as_ref().map(|text| self.show(text))
    }

    /// How the client proved who it is: `azpacr`, or `appidacr` in version 1.0. `None` if absent
    /// or unknown.
    #[doc(alias("azpacr", "appidacr"))]
    #[must_use]
    pub fn client_authentication(&self) -> Option<ClientAuthentication> {
        self.inner.client_authentication
    }

    /// The authentication contexts that were satisfied: `acrs`.
    #[doc(alias("acrs"))]
    pub fn authentication_contexts(&self) -> impl Iterator<Item = &str> {
        self.inner
            .authentication_contexts
            .iter()
            .map(|text| self.show(text))
    }

    /// Whether the client can answer a claims challenge: `xms_cc` has `cp1`.
    #[doc(alias("xms_cc", "cp1"))]
    #[must_use]
    pub fn supports_claims_challenge(&self) -> bool {
        self.inner.has_client_capability
    }

    /// Claims that were not in their form and therefore count as absent, by name. None of them
    /// decides whether a token is admitted.
    #[must_use]
    pub fn malformed_claims(&self) -> &[&'static str] {
        &self.inner.malformed
    }

    /// Reads the claim set into a type of your own, for what has no method here.
    ///
    /// ```
    /// # fn handler(principal: &tower_entra::AgentPrincipal) -> Result<(), tower_entra::ClaimsError> {
    /// #[derive(serde::Deserialize)]
    /// struct Employee {
    ///     employee_id: Option<String>,
    /// }
    ///
    /// let employee: Employee = principal.claims()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the claims do not fit `T`. The error names the column and repeats no claim.
    #[doc(alias("name", "preferred_username", "upn", "email", "GetDisplayName"))]
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        serde_json::from_str(&self.inner.claims).map_err(|error| ClaimsError {
            column: error.column(),
        })
    }

    fn show<'a>(&'a self, text: &'a Text) -> &'a str {
        text.in_claims(&self.inner.claims)
    }
}

impl fmt::Debug for AgentPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentPrincipal")
            .field("kind", &self.inner.kind)
            .field("agent_status", &self.inner.status)
            .field("tenant_id", &self.inner.tenant)
            .field("client_id", &self.inner.client)
            .field("token_version", &self.inner.version)
            .finish_non_exhaustive()
    }
}

fn time(seconds: u64) -> SystemTime {
    // Dates end with the year 9999, which every platform's clock can hold.
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

const ONLY_AZP: &str = "appid is missing, which names the client in version 1.0: the token has azp, \
    which only version 2.0 tokens use";
const ONLY_APPID: &str = "azp is missing, which names the client in version 2.0: the token has appid, \
    which only version 1.0 tokens use";
const NO_APPID: &str = "appid is missing, which names the client in version 1.0, and so is azp";
const NO_AZP: &str = "azp is missing, which names the client in version 2.0, and so is appid";
