//! Check 7: `ver`, `tid` and `iss` agree, and the tenant is allowed.

use crate::{
    admit::{
        checks::Policy,
        error::{
            AllowedTenants, ForeignTenant, IssuerAdvice, ProvenanceFault, Refusal, WellKnownApi,
            WrongIssuer, WrongProvenance,
        },
        findings::Provenance,
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
        self.provenance(claims)
            .map_err(|wrong| self.wrong_provenance(wrong, claims))
    }

    /// The rule without its facts, which cost a few allocations.
    pub(super) fn provenance(&self, claims: &Claims<'_>) -> Result<Provenance, Wrong> {
        let (version, template) = match claims.ver.as_deref() {
            Some("1.0") => (TokenVersion::V1, self.issuers.v1.as_ref()),
            Some("2.0") => (TokenVersion::V2, Some(&self.issuers.v2)),
            _ => return Err(Wrong::Version),
        };
        let (tid, tenant) = tenant(claims).ok_or(Wrong::TenantForm)?;
        let issuer = claims.iss.as_deref();
        if !issuer.is_some_and(|issuer| template.is_some_and(|template| template.is(issuer, tid))) {
            return Err(Wrong::Issuer { version, tenant });
        }
        if !self.tenants.allows(&tenant) {
            return Err(Wrong::Tenant(tenant));
        }
        Ok(Provenance { tenant, version })
    }

    /// Whether the authority issues this `iss`, in version 1.0 or 2.0, for a tenant that is allowed. Check 7
    /// demands it of every token that it admits.
    pub(crate) fn has_issuer(&self, issuer: &str) -> bool {
        let templates = [self.issuers.v1.as_ref(), Some(&self.issuers.v2)];
        let mut tids = templates
            .into_iter()
            .flatten()
            .filter_map(|template| template.tenant_in(issuer));
        tids.any(|tid| {
            let tenant = tid.parse::<TenantId>();
            tenant.is_ok_and(|tenant| tenant.is(tid) && self.tenants.allows(&tenant))
        })
    }

    #[cold]
    fn wrong_provenance(&self, wrong: Wrong, claims: &Claims<'_>) -> Refusal {
        let issuer = claims.iss.as_deref();
        let fault = match wrong {
            Wrong::Version => ProvenanceFault::Version {
                ver: claims.ver.as_deref().map(Shown::of),
                issuer: issuer.map(Shown::of),
            },
            Wrong::TenantForm => ProvenanceFault::TenantForm {
                tid: claims.tid.as_deref().map(Shown::of),
                issuer: issuer.map(Shown::of),
            },
            Wrong::Issuer { version, tenant } => {
                ProvenanceFault::Issuer(self.wrong_issuer(issuer, version, tenant))
            }
            Wrong::Tenant(tenant) => ProvenanceFault::Tenant(self.foreign_tenant(claims, tenant)),
        };
        Refusal::Provenance(
            WrongProvenance {
                fault,
                is_exchange_token: WellKnownApi::of(&claims.aud)
                    == Some(WellKnownApi::TokenExchange),
            }
            .into(),
        )
    }

    fn wrong_issuer(
        &self,
        issuer: Option<&str>,
        version: TokenVersion,
        tenant: TenantId,
    ) -> WrongIssuer {
        let template = match version {
            TokenVersion::V1 => self.issuers.v1.as_ref(),
            TokenVersion::V2 => Some(&self.issuers.v2),
        };
        let tid = tenant.as_str();
        WrongIssuer {
            issuer: issuer.map(Shown::of),
            version,
            expected: template.map(|template| Shown::of(&template.fill(tid))),
            advice: IssuerAdvice::of(issuer, version, tid, &self.issuers),
        }
    }

    fn foreign_tenant(&self, claims: &Claims<'_>, tenant: TenantId) -> ForeignTenant {
        let allowed = match &self.tenants {
            TenantPolicy::Listed(tenants) => {
                AllowedTenants::Listed(Few::of(tenants.iter().map(TenantId::as_str)))
            }
            TenantPolicy::AnyOrganization | TenantPolicy::Any => AllowedTenants::AnyOrganization,
        };
        let is_guest = self.is_guest(claims, tenant);
        let home = self.foreign_provider(claims, tenant).filter(|_| is_guest);
        ForeignTenant {
            tenant,
            allowed,
            is_guest,
            home: home.and_then(without_person).map(Shown::of),
        }
    }
}

/// The claim that is wrong.
#[derive(Clone, Copy)]
pub(super) enum Wrong {
    Version,
    TenantForm,
    Issuer {
        version: TokenVersion,
        tenant: TenantId,
    },
    Tenant(TenantId),
}

/// `tid`, if it is a GUID in lower case. In upper case it would fill an issuer's template with
/// another text than Entra does.
fn tenant<'c>(claims: &'c Claims<'_>) -> Option<(&'c str, TenantId)> {
    let tid = claims.tid.as_deref()?;
    let tenant: TenantId = tid.parse().ok()?;
    tenant.is(tid).then_some((tid, tenant))
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

/// The `idp` of [Microsoft and social accounts](https://learn.microsoft.com/en-us/entra/external-id/identity-providers).
const PROVIDERS: [&str; 3] = ["live.com", "google.com", "facebook.com"];
