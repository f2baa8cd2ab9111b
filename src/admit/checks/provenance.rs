//! Check 7: `ver`, `tid` and `iss` agree, and the tenant is allowed.

use crate::{
    admit::{
        checks::Policy,
        error::{
            AllowedTenants, ForeignTenant, IssuerAdvice, ProvenanceFault, Refusal, WellKnownApi,
            WrongIssuer, WrongProvenance,
        },
        facets::IdentityRelationship,
        findings::Provenance,
        issuers::IssuerTemplate,
        tenants::TenantPolicy,
        token::Claims,
        values::TokenVersion,
    },
    ids::TenantId,
    shown::{Few, Shown},
};

impl Policy {
    /// Check 7: `ver`, `tid` and `iss` agree, and the tenant is allowed.
    ///
    /// `iss` is compared byte for byte with the one issuer that the authority has for this version
    /// and tenant: in a multi-tenant API any looser rule lets one tenant speak for another.
    pub(crate) fn check_provenance(&self, claims: &Claims<'_>) -> Result<Provenance, Refusal> {
        let (version, template) = match claims.ver.as_deref() {
            Some("1.0") => (TokenVersion::V1, self.issuers.v1.as_ref()),
            Some("2.0") => (TokenVersion::V2, Some(&self.issuers.v2)),
            _ => return Err(wrong_version(claims)),
        };
        let Some((tid, tenant)) = tenant(claims) else {
            return Err(wrong_tenant_form(claims));
        };
        let issuer = claims.iss.as_deref();
        if !issuer.is_some_and(|issuer| template.is_some_and(|template| template.is(issuer, tid))) {
            return Err(self.wrong_issuer(claims, version, tid, template));
        }
        if !self.tenants.allows(&tenant) {
            return Err(self.foreign_tenant(claims, tenant));
        }
        Ok(Provenance { tenant, version })
    }

    /// Whether the claims say that their subject is a guest of this tenant. What the token states
    /// outright comes first: `acct`, then `xms_idrel`, then `idp`.
    pub(super) fn is_guest(&self, claims: &Claims<'_>, tenant: TenantId) -> bool {
        let has = |values: &[IdentityRelationship]| {
            claims
                .relationships
                .as_ref()
                .is_some_and(|set| values.iter().any(|value| set.contains(*value)))
        };
        match claims.acct {
            Some(1) => true,
            Some(0) => false,
            _ if has(&GUESTS) => true,
            _ if has(&MEMBERS) => false,
            _ => self.foreign_provider(claims, tenant).is_some(),
        }
    }

    /// The `idp`, if it is not this tenant itself.
    fn foreign_provider<'c>(&self, claims: &'c Claims<'_>, tenant: TenantId) -> Option<&'c str> {
        let issuers = [self.issuers.v1.as_ref(), Some(&self.issuers.v2)];
        claims.idp.as_deref().filter(|idp| {
            let mut own = issuers.into_iter().flatten();
            !own.any(|template| template.is(idp, tenant.as_str()))
        })
    }

    #[cold]
    fn wrong_issuer(
        &self,
        claims: &Claims<'_>,
        version: TokenVersion,
        tid: &str,
        template: Option<&IssuerTemplate>,
    ) -> Refusal {
        let issuer = claims.iss.as_deref();
        let wrong = WrongIssuer {
            issuer: issuer.map(Shown::of),
            version,
            expected: template.map(|template| Shown::of(&template.fill(tid))),
            advice: IssuerAdvice::of(issuer, version, tid, &self.issuers),
        };
        refusal(ProvenanceFault::Issuer(wrong), claims)
    }

    #[cold]
    fn foreign_tenant(&self, claims: &Claims<'_>, tenant: TenantId) -> Refusal {
        let allowed = match &self.tenants {
            TenantPolicy::Listed(tenants) => {
                AllowedTenants::Listed(Few::of(tenants.iter().map(TenantId::as_str)))
            }
            TenantPolicy::AnyOrganization | TenantPolicy::Any => AllowedTenants::AnyOrganization,
        };
        let is_guest = self.is_guest(claims, tenant);
        let home = self.foreign_provider(claims, tenant).filter(|_| is_guest);
        let foreign = ForeignTenant {
            tenant,
            allowed,
            is_guest,
            home: home.and_then(without_person).map(Shown::of),
        };
        refusal(ProvenanceFault::Tenant(foreign), claims)
    }
}

/// `tid`, if it is a GUID in lower case. In upper case it would fill an issuer's template with
/// another text than Entra does.
fn tenant<'c>(claims: &'c Claims<'_>) -> Option<(&'c str, TenantId)> {
    let tid = claims.tid.as_deref()?;
    let tenant: TenantId = tid.parse().ok()?;
    tenant.is(tid).then_some((tid, tenant))
}

#[cold]
fn wrong_version(claims: &Claims<'_>) -> Refusal {
    let fault = ProvenanceFault::Version {
        ver: claims.ver.as_deref().map(Shown::of),
        issuer: claims.iss.as_deref().map(Shown::of),
    };
    refusal(fault, claims)
}

#[cold]
fn wrong_tenant_form(claims: &Claims<'_>) -> Refusal {
    let fault = ProvenanceFault::TenantForm {
        tid: claims.tid.as_deref().map(Shown::of),
        issuer: claims.iss.as_deref().map(Shown::of),
    };
    refusal(fault, claims)
}

fn refusal(fault: ProvenanceFault, claims: &Claims<'_>) -> Refusal {
    Refusal::Provenance(
        WrongProvenance {
            fault,
            is_exchange_token: WellKnownApi::of(&claims.aud) == Some(WellKnownApi::TokenExchange),
        }
        .into(),
    )
}

/// As much of an `idp` as identifies no person: a tenant, a tenant's issuer, the host of another URL,
/// or a well-known provider. An `idp` of another form, such as an address, is not shown.
fn without_person(idp: &str) -> Option<&str> {
    let is_tenant = |text: &str| text.parse::<TenantId>().is_ok();
    let schemes = ["https://", "http://"];
    let Some(rest) = schemes.iter().find_map(|scheme| idp.strip_prefix(scheme)) else {
        return (is_tenant(idp) || PROVIDERS.contains(&idp)).then_some(idp);
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !host.contains('.') || !host.split('.').all(is_label) {
        None
    } else if is_tenant(path.trim_end_matches("/v2.0").trim_end_matches('/')) {
        Some(idp)
    } else {
        idp.get(..idp.len() - rest.len() + host.len())
    }
}

/// The relationships of a guest.
const GUESTS: [IdentityRelationship; 4] = [
    IdentityRelationship::GUEST_USER,
    IdentityRelationship::GDAP_USER,
    IdentityRelationship::WEAK_MULTITENANT_USER,
    IdentityRelationship::DAP_USER,
];

/// The relationships of a subject that is no guest.
const MEMBERS: [IdentityRelationship; 5] = [
    IdentityRelationship::MEMBER_USER,
    IdentityRelationship::PERSONAL_MEMBER_USER,
    IdentityRelationship::SYNCHRONIZED_MEMBER_USER,
    IdentityRelationship::NATIVE_USER_WITH_PROFILE,
    IdentityRelationship::NATIVE_USER,
];

/// The `idp` of [Microsoft and social accounts](https://learn.microsoft.com/en-us/entra/external-id/identity-providers).
const PROVIDERS: [&str; 3] = ["live.com", "google.com", "facebook.com"];
