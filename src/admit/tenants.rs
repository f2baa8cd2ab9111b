//! Which tenants' tokens are accepted.

use crate::{config_error::ConfigError, ids::TenantId};

/// The tenants whose tokens are accepted. There is no default: each API has to say.
///
/// Tenants are named by their GUIDs. A name such as `contoso.onmicrosoft.com` is refused when the
/// validator is built, because tokens carry only GUIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenants(Choice);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    Listed(Vec<String>),
    AnyOrganization,
    Any,
}

impl Tenants {
    /// Accepts one tenant, as an API for a single organization needs.
    #[must_use]
    pub fn single(tid: impl AsRef<str>) -> Self {
        Self(Choice::Listed(vec![tid.as_ref().to_owned()]))
    }

    /// Accepts the listed tenants. An empty list is refused when the validator is built; a
    /// repeated tenant counts once.
    #[must_use]
    pub fn list<I>(tids: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self(Choice::Listed(
            tids.into_iter()
                .map(|tid| tid.as_ref().to_owned())
                .collect(),
        ))
    }

    /// Accepts every organization's tenant; personal Microsoft accounts are refused.
    ///
    /// Users, applications and agents of any company are then authenticated. Handlers decide which of
    /// them may do what, by tenant and object id.
    #[must_use]
    pub fn any_organization() -> Self {
        Self(Choice::AnyOrganization)
    }

    /// Accepts every tenant, personal Microsoft accounts included.
    #[must_use]
    pub fn any() -> Self {
        Self(Choice::Any)
    }

    /// Whether it is one tenant, by however many names.
    pub(crate) fn is_one(&self) -> bool {
        self.resolve()
            .is_ok_and(|tenants| tenants.one_tenant().is_some())
    }

    pub(crate) fn resolve(&self) -> Result<TenantPolicy, ConfigError> {
        let listed = match &self.0 {
            Choice::AnyOrganization => return Ok(TenantPolicy::AnyOrganization),
            Choice::Any => return Ok(TenantPolicy::Any),
            Choice::Listed(listed) => listed,
        };
        if listed.is_empty() {
            return Err(ConfigError::new("tenants", "the list is empty"));
        }
        let mut tenants = Vec::with_capacity(listed.len());
        for text in listed {
            let tenant = text.parse().map_err(|_| {
                ConfigError::new("tenants", format!("{text:?} is not a tenant GUID"))
            })?;
            tenants.push(tenant);
        }
        tenants.sort_unstable();
        tenants.dedup();
        Ok(TenantPolicy::Listed(tenants))
    }
}

/// The tenants of one validator, in the form the check needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TenantPolicy {
    /// Sorted, without repeats, never empty.
    Listed(Vec<TenantId>),
    AnyOrganization,
    Any,
}

impl TenantPolicy {
    pub(crate) fn allows(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Listed(tenants) => tenants.binary_search(tenant).is_ok(),
            Self::AnyOrganization => !tenant.is(PERSONAL_ACCOUNTS),
            Self::Any => true,
        }
    }

    pub(crate) fn one_tenant(&self) -> Option<TenantId> {
        match self {
            Self::Listed(tenants) => match tenants.as_slice() {
                [tenant] => Some(*tenant),
                _ => None,
            },
            Self::AnyOrganization | Self::Any => None,
        }
    }

    /// The path segment of the discovery URL for these tenants.
    pub(crate) fn discovery_segment(&self) -> String {
        match (self.one_tenant(), self) {
            (Some(tenant), _) => tenant.to_string(),
            (None, Self::Listed(tenants))
                if tenants.iter().any(|tenant| tenant.is(PERSONAL_ACCOUNTS)) =>
            {
                "common".to_owned()
            }
            (None, Self::Listed(_) | Self::AnyOrganization) => "organizations".to_owned(),
            (None, Self::Any) => "common".to_owned(),
        }
    }
}

/// The tenant of personal Microsoft accounts:
/// [`tid` in the claims reference](https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference).
pub(crate) const PERSONAL_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

#[cfg(test)]
mod tests {
    use super::*;

    const TID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
    const OTHER: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

    #[track_caller]
    fn allows(tenants: &Tenants, tid: &str) -> bool {
        tenants
            .resolve()
            .expect("good tenants")
            .allows(&tid.parse().expect("a GUID"))
    }

    #[test]
    fn only_listed_tenants_are_allowed() {
        assert!(allows(&Tenants::single(TID), TID));
        assert!(allows(&Tenants::single(TID.to_uppercase()), TID));
        assert!(!allows(&Tenants::single(TID), OTHER));
        assert!(allows(&Tenants::list([TID, OTHER, TID]), OTHER));
        assert!(!allows(&Tenants::list([TID, OTHER]), PERSONAL_ACCOUNTS));
    }

    #[test]
    fn personal_accounts_are_no_organization() {
        assert!(allows(&Tenants::any_organization(), TID));
        assert!(!allows(&Tenants::any_organization(), PERSONAL_ACCOUNTS));
        assert!(allows(&Tenants::any(), PERSONAL_ACCOUNTS));
    }

    #[test]
    fn a_tenant_that_is_no_guid_is_refused_at_start_up() {
        for text in [
            "",
            "contoso",
            "common",
            "{tenantid}",
            " 7090e106-1ad3-4313-9b7a-75cc3e576d40",
        ] {
            let error = Tenants::single(text).resolve().expect_err(text);
            assert_eq!(
                error.to_string(),
                format!("tenants: {text:?} is not a tenant GUID")
            );
        }
        let empty: [&str; 0] = [];
        let error = Tenants::list(empty).resolve().expect_err("an empty list");
        assert_eq!(error.to_string(), "tenants: the list is empty");
    }
}
