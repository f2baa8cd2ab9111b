//! How `ver`, `tid` and `iss` can be wrong: check 7.

use std::fmt;

use super::{ErrorKind, IssuerAdvice, hints, issuer_hint};
use crate::{
    admit::{tenants::PERSONAL_ACCOUNTS, values::TokenVersion},
    ids::TenantId,
    shown::{Few, Shown},
};

/// A token that comes from elsewhere than it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongProvenance {
    pub(crate) fault: ProvenanceFault,
    /// Whether the token is for the token exchange. It is then a leaked credential, whatever else is
    /// wrong with it.
    pub(crate) is_exchange_token: bool,
}

/// The claim that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ProvenanceFault {
    /// `ver` is neither version.
    Version {
        ver: Option<Shown>,
        issuer: Option<Shown>,
    },
    /// `tid` is no GUID in lower case.
    TenantForm {
        tid: Option<Shown>,
        issuer: Option<Shown>,
    },
    Issuer(WrongIssuer),
    Tenant(ForeignTenant),
}

/// `iss` is not what the authority issues for this tenant and version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongIssuer {
    pub(crate) issuer: Option<Shown>,
    pub(crate) version: TokenVersion,
    /// The issuer that is accepted. None if tokens of this version have none here.
    pub(crate) expected: Option<Shown>,
    pub(crate) advice: IssuerAdvice,
}

/// A tenant that is not allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ForeignTenant {
    pub(crate) tenant: TenantId,
    pub(crate) allowed: AllowedTenants,
    pub(crate) is_guest: bool,
    /// The guest's identity provider, as far as it identifies no person.
    pub(crate) home: Option<Shown>,
}

/// The tenants that are allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AllowedTenants {
    Listed(Few),
    AnyOrganization,
}

impl WrongProvenance {
    pub(super) fn hint(&self) -> &'static str {
        if self.is_exchange_token {
            hints::EXCHANGE
        } else {
            self.fault.hint()
        }
    }
}

impl ProvenanceFault {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Version { .. } => ErrorKind::UnsupportedVersion,
            Self::TenantForm { .. } => ErrorKind::InvalidTenant,
            Self::Issuer(_) => ErrorKind::IssuerMismatch,
            Self::Tenant(_) => ErrorKind::TenantNotAllowed,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Version { .. } => hints::VERSION,
            // Its tokens have no tid.
            Self::TenantForm { .. } if self.is_of_b2c() => hints::B2C,
            Self::TenantForm { tid: None, .. } => hints::NO_TENANT,
            Self::TenantForm { tid: Some(tid), .. } => match tid.as_str().parse::<TenantId>() {
                Ok(_) => hints::TENANT_CASE,
                Err(_) => hints::TENANT_FORM,
            },
            Self::Issuer(wrong) => wrong.advice.hint(),
            Self::Tenant(foreign) => foreign.hint(),
        }
    }

    /// The token's `iss`.
    pub(super) fn issuer(&self) -> Option<&Shown> {
        match self {
            Self::Version { issuer, .. } | Self::TenantForm { issuer, .. } => issuer.as_ref(),
            Self::Issuer(wrong) => wrong.issuer.as_ref(),
            Self::Tenant(_) => None,
        }
    }

    /// Whether the token is of Azure AD B2C, unless that has a domain of its own.
    pub(super) fn is_of_b2c(&self) -> bool {
        let issuer = self.issuer();
        issuer.is_some_and(|issuer| issuer_hint::is_of_b2c(&issuer.as_str().to_ascii_lowercase()))
    }
}

impl ForeignTenant {
    fn hint(&self) -> &'static str {
        match self.allowed {
            _ if !self.tenant.is(PERSONAL_ACCOUNTS) && self.is_guest => hints::GUEST_ELSEWHERE,
            _ if !self.tenant.is(PERSONAL_ACCOUNTS) => hints::OTHER_TENANT,
            // A list of tenants excludes personal accounts on purpose.
            AllowedTenants::Listed(_) => hints::PERSONAL_ACCOUNT,
            AllowedTenants::AnyOrganization => hints::PERSONAL_NOT_ORGANIZATION,
        }
    }
}

impl fmt::Display for ProvenanceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (claim, value) = match self {
            Self::Version { ver, .. } => ("ver", ver),
            Self::TenantForm { tid, .. } => ("tid", tid),
            Self::Issuer(wrong) => return wrong.fmt(f),
            Self::Tenant(foreign) => return foreign.fmt(f),
        };
        match value {
            Some(value) => write!(f, "{claim} is {value}")?,
            None => write!(f, "there is no {claim}")?,
        }
        match self.issuer() {
            Some(issuer) => write!(f, "; the token is from {issuer}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WrongIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version;
        match &self.issuer {
            Some(issuer) => write!(f, "the token is from {issuer} (version {version}); ")?,
            None => f.write_str("the token has no iss; ")?,
        }
        match &self.expected {
            Some(expected) => {
                write!(f, "for its tenant and version this API accepts {expected}")
            }
            None => write!(f, "this API accepts no tokens of version {version}"),
        }
    }
}

impl fmt::Display for ForeignTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the token is of the tenant \"{}\"", self.tenant)?;
        if self.is_guest {
            f.write_str(", where its subject is a guest")?;
        }
        if let Some(home) = &self.home {
            write!(f, " (idp {home})")?;
        }
        match &self.allowed {
            AllowedTenants::Listed(tenants) => write!(f, "; this API accepts {tenants}"),
            AllowedTenants::AnyOrganization => f.write_str(
                ", that of personal Microsoft accounts; this API accepts any organization's",
            ),
        }
    }
}
