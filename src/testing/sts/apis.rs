//! The APIs that are registered.

use std::{fmt, sync::Arc};

use crate::testing::{
    issuer::Issuer,
    state::Shared,
    sts::registrations::{self, Policy},
};

/// The APIs.
impl Issuer {
    /// The API of [`audience`](Self::audience), with the scopes `Orders.Read` and `Orders.Write` and the
    /// roles `Orders.Read.All` and `Orders.Write.All`.
    ///
    /// The audience of its tokens is exactly that text. Entra writes the client id into tokens of version
    /// 2.0: start the issuer with a client id as its [`audience`](super::super::IssuerBuilder::audience) for that. The
    /// resource is then `api://{client id}`.
    #[must_use]
    pub fn api(&self) -> Api {
        let api = registrations::Api::of(self.audience());
        Api {
            shared: Arc::clone(&self.shared),
            client_id: api.client_id,
            resource: api.resource,
        }
    }

    /// Registers an API with this App ID URI, such as `api://orders`, or replaces it. Its client id is the
    /// GUID in the URI, or follows from the URI.
    ///
    /// It has no scopes and roles yet, requests the facet claims, and gets tokens of version 2.0.
    #[must_use]
    pub fn add_api(&self, resource: &str) -> Api {
        let api = registrations::Api::new(resource);
        let handle = Api {
            shared: Arc::clone(&self.shared),
            client_id: api.client_id.clone(),
            resource: resource.to_owned(),
        };
        self.shared.edit(|directory| {
            directory.apis.retain(|old| old.client_id != api.client_id);
            directory.apis.push(api);
        });
        handle
    }
}

/// An API that is registered with an [`Issuer`]. Once it is removed, methods that change it panic.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    resource: String,
    client_id: String,
}

/// Methods without a result of their own return the handle.
#[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
impl Api {
    /// The App ID URI, which is before the `/` of a scope.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The client id. It is the audience of version 2.0 tokens, but for [`Issuer::api`].
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The scopes that it has.
    #[must_use]
    #[track_caller]
    pub fn scopes(&self) -> Vec<String> {
        self.read(|api| api.scopes.clone())
    }

    /// The roles that it has.
    #[must_use]
    #[track_caller]
    pub fn roles(&self) -> Vec<String> {
        self.read(|api| api.roles.clone())
    }

    /// Adds a scope, to which no consent is given yet.
    #[track_caller]
    pub fn add_scope(&self, scope: &str) -> Self {
        self.read(|api| api.scopes.push(scope.to_owned()));
        self.clone()
    }

    /// Adds a role, which is assigned to no app yet.
    #[track_caller]
    pub fn add_role(&self, role: &str) -> Self {
        self.read(|api| api.roles.push(role.to_owned()));
        self.clone()
    }

    /// Makes its tokens of version 1.0, with the audience that was asked for.
    #[track_caller]
    pub fn with_v1_tokens(&self) -> Self {
        self.read(|api| api.v1_tokens = true);
        self.clone()
    }

    /// Leaves the facets and other optional claims out of its tokens, as for a registration that does not
    /// request them.
    #[track_caller]
    pub fn without_facets(&self) -> Self {
        self.read(|api| api.facets = false);
        self.clone()
    }

    /// Refuses callers to which no role is assigned: AADSTS501051 and, with a person, AADSTS50105.
    #[track_caller]
    pub fn require_assignment(&self) -> Self {
        self.read(|api| api.assignment_required = true);
        self.clone()
    }

    /// Sets the policy for every token for this API.
    #[track_caller]
    pub fn set_policy(&self, policy: Policy) {
        self.read(|api| api.policy = policy);
    }

    /// Deletes it: AADSTS500011.
    pub fn remove(&self) {
        self.shared.edit(|directory| {
            directory.apis.retain(|api| api.client_id != self.client_id);
        });
    }

    #[track_caller]
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut registrations::Api) -> T) -> T {
        self.shared
            .edit(|directory| match directory.api_mut(&self.client_id) {
                Some(api) => read(api),
                None => panic!("{} is no longer registered", self.resource),
            })
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
