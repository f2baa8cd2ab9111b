//! Who is registered, with which credentials, and what is granted to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{
    AppId,
    testing::{
        algorithm::Algorithm,
        names::{AGENT_USER, ROLE, SCOPE, api_client_id, object_id_of, principal_name_of},
        settings::Settings,
        sts::certificate::Certificate,
    },
};

/// Everything that the token endpoint knows.
#[derive(Clone)]
pub(in crate::testing) struct Directory {
    pub(super) tenants: BTreeSet<String>,
    pub(super) apps: BTreeMap<String, App>,
    /// Client ids of apps that were removed. None is given to another app.
    pub(super) removed: BTreeSet<String>,
    pub(super) apis: Vec<Api>,
    pub(super) users: BTreeMap<String, User>,
}

#[derive(Clone)]
pub(super) struct App {
    pub(super) client_id: String,
    pub(super) kind: AppKind,
    pub(super) secrets: Vec<Secret>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) trusted: Vec<FederatedCredential>,
    pub(super) disabled: bool,
    pub(super) policy: Policy,
    /// Client id of the API and name of the role.
    pub(super) roles: BTreeSet<(String, String)>,
    pub(super) consents: BTreeSet<Consent>,
    /// Consents that are withdrawn until they are put back.
    pub(super) withheld: BTreeSet<Consent>,
}

#[derive(Clone)]
pub(super) enum AppKind {
    Client,
    Blueprint,
    Agent { blueprint: String, tenant: String },
}

#[derive(Clone)]
pub(super) struct Secret {
    pub(super) value: String,
    pub(super) expired: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Consent {
    pub(super) api: String,
    pub(super) scope: String,
    /// The object id of the person. `None` for everyone, as by an administrator.
    pub(super) user: Option<String>,
}

#[derive(Clone)]
pub(super) struct Api {
    pub(super) resource: String,
    pub(super) client_id: String,
    /// Of version 2.0 tokens.
    pub(super) audience: String,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) v1_tokens: bool,
    pub(super) facets: bool,
    pub(super) assignment_required: bool,
    pub(super) policy: Policy,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) principal_name: String,
    pub(super) disabled: bool,
    /// The client id of the agent whose user account it is.
    pub(super) agent: Option<String>,
    /// Client id of the API and name of the role.
    pub(super) roles: BTreeSet<(String, String)>,
}

/// A policy of Conditional Access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// No policy.
    #[default]
    None,
    /// No token: AADSTS53003.
    Block,
    /// A token with a person needs multifactor authentication: AADSTS50076 with `claims`, unless the
    /// assertion has `mfa` in its `amr`. The user account of an agent never satisfies it.
    StepUp,
}

impl Directory {
    pub(in crate::testing) fn new(settings: &Settings) -> Self {
        let api = Api {
            scopes: [SCOPE, "Orders.Write"].map(str::to_owned).to_vec(),
            roles: [ROLE, "Orders.Write.All"].map(str::to_owned).to_vec(),
            ..Api::of(&settings.audience)
        };
        let graph = Api {
            client_id: GRAPH_ID.to_owned(),
            scopes: vec!["User.Read".to_owned()],
            v1_tokens: true,
            ..Api::new(GRAPH)
        };
        let mut blueprint = App::new(&settings.blueprint_id, AppKind::Blueprint);
        blueprint.add_secret(BLUEPRINT_SECRET);
        let mut client = App::new(&settings.client_id, AppKind::Client);
        client.add_secret(CLIENT_SECRET);
        let mut agent = App::new(
            &settings.agent_id,
            AppKind::Agent {
                blueprint: blueprint.client_id.clone(),
                tenant: settings.tenant_id.clone(),
            },
        );
        for app in [&mut client, &mut agent] {
            app.grant_role(&api, ROLE);
            app.grant_scope(&api, SCOPE, None);
        }
        let user = User {
            principal_name: principal_name_of(AGENT_USER),
            disabled: false,
            agent: Some(agent.client_id.clone()),
            roles: BTreeSet::new(),
        };
        Self {
            tenants: BTreeSet::from([settings.tenant_id.clone()]),
            apps: [blueprint, client, agent]
                .map(|app| (key(&app.client_id), app))
                .into(),
            removed: BTreeSet::new(),
            apis: vec![api, graph],
            users: BTreeMap::from([(object_id_of(AGENT_USER), user)]),
        }
    }

    pub(super) fn remove_app(&mut self, client_id: &str) {
        let id = key(client_id);
        self.apps.remove(&id);
        self.removed.insert(id);
    }

    pub(super) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.get(&key(client_id))
    }

    pub(super) fn app_mut(&mut self, client_id: &str) -> Option<&mut App> {
        self.apps.get_mut(&key(client_id))
    }

    /// The API with this App ID URI or client id.
    pub(super) fn api(&self, resource: &str) -> Option<&Api> {
        let resource = resource.strip_suffix('/').unwrap_or(resource);
        let id = resource.strip_prefix("api://").unwrap_or(resource);
        self.apis
            .iter()
            .find(|api| api.resource == resource || api.client_id.eq_ignore_ascii_case(id))
    }

    /// Sets whether the account of a person, by name or object id, is disabled.
    pub(super) fn disable_user(&mut self, user: &str, disabled: bool) {
        let account = self.users.entry(object_id_of(user));
        let account = account.or_insert_with(|| User {
            principal_name: principal_name_of(user),
            disabled,
            agent: None,
            roles: BTreeSet::new(),
        });
        account.disabled = disabled;
    }

    pub(super) fn api_mut(&mut self, client_id: &str) -> Option<&mut Api> {
        self.apis.iter_mut().find(|api| api.client_id == client_id)
    }
}

impl App {
    pub(super) fn new(client_id: &str, kind: AppKind) -> Self {
        Self {
            client_id: client_id.to_owned(),
            kind,
            secrets: Vec::new(),
            certificates: Vec::new(),
            trusted: Vec::new(),
            disabled: false,
            policy: Policy::None,
            roles: BTreeSet::new(),
            consents: BTreeSet::new(),
            withheld: BTreeSet::new(),
        }
    }

    pub(super) fn is_agent(&self) -> bool {
        matches!(self.kind, AppKind::Agent { .. })
    }

    pub(super) fn is_blueprint(&self) -> bool {
        matches!(self.kind, AppKind::Blueprint)
    }

    pub(super) fn add_secret(&mut self, value: &str) {
        self.secrets.push(Secret {
            value: value.to_owned(),
            expired: false,
        });
    }

    pub(super) fn grant_role(&mut self, api: &Api, role: &str) {
        self.roles.insert((api.client_id.clone(), role.to_owned()));
    }

    pub(super) fn grant_scope(&mut self, api: &Api, scope: &str, user: Option<&str>) {
        self.consents.insert(Consent {
            api: api.client_id.clone(),
            scope: scope.to_owned(),
            user: user.map(str::to_owned),
        });
    }

    pub(super) fn roles_at<'a>(&'a self, api: &'a Api) -> impl Iterator<Item = &'a str> {
        roles_at(&self.roles, api)
    }

    /// The scopes of the API that this person, or everyone, has consented to.
    pub(super) fn scopes_at<'a>(
        &'a self,
        api: &'a Api,
        oid: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.consents
            .iter()
            .filter(|consent| consent.api == api.client_id)
            .filter(move |consent| consent.user.as_ref().is_none_or(|user| user == oid))
            .map(|consent| consent.scope.as_str())
    }
}

impl Api {
    /// The API of the issuer's audience. Its tokens have exactly that, as those that a test mints.
    pub(super) fn of(audience: &str) -> Self {
        let resource = match audience.parse::<AppId>() {
            Ok(client_id) => format!("api://{client_id}"),
            Err(_) => audience.to_owned(),
        };
        Self {
            audience: audience.to_owned(),
            ..Self::new(&resource)
        }
    }

    pub(super) fn new(resource: &str) -> Self {
        let client_id = api_client_id(resource);
        Self {
            resource: resource.to_owned(),
            audience: client_id.clone(),
            client_id,
            scopes: Vec::new(),
            roles: Vec::new(),
            v1_tokens: false,
            facets: true,
            assignment_required: false,
            policy: Policy::None,
        }
    }
}

impl User {
    pub(super) fn roles_at<'a>(&'a self, api: &'a Api) -> impl Iterator<Item = &'a str> {
        roles_at(&self.roles, api)
    }
}

fn roles_at<'a>(
    roles: &'a BTreeSet<(String, String)>,
    api: &'a Api,
) -> impl Iterator<Item = &'a str> {
    let at = roles.iter().filter(|(at, _)| *at == api.client_id);
    at.map(|(_, role)| role.as_str())
}

/// The form in which client ids are compared.
fn key(client_id: &str) -> String {
    client_id.to_ascii_lowercase()
}

/// Whose assertions an app accepts as its own: a federated identity credential of Entra.
///
/// The assertion must be signed with RS256.
#[derive(Clone)]
pub struct FederatedCredential {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audience: String,
    pub(super) verifies: Verifier,
}

/// Key id, algorithm, input and signature.
pub(super) type Verifier = Arc<dyn Fn(Option<&str>, Algorithm, &[u8], &[u8]) -> bool + Send + Sync>;

impl FederatedCredential {
    /// Replaces the issuer, which is compared with `iss` exactly.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Sets the audience. The default is `api://AzureADTokenExchange`.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }
}

impl fmt::Debug for FederatedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FederatedCredential")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// Whether a resource is that of exchange tokens. Microsoft's libraries write it in two letter cases.
pub(super) fn is_exchange(resource: &str) -> bool {
    resource.eq_ignore_ascii_case(EXCHANGE) || resource.eq_ignore_ascii_case(EXCHANGE_ID)
}

pub(super) const EXCHANGE: &str = "api://AzureADTokenExchange";
pub(super) const EXCHANGE_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";
pub(super) const GRAPH: &str = "https://graph.microsoft.com";
const GRAPH_ID: &str = "00000003-0000-0000-c000-000000000000";

const BLUEPRINT_SECRET: &str = "bLu8Q~the.secret-of_the-blueprint-in-tests";
const CLIENT_SECRET: &str = "cLi8Q~the.secret-of_the-ordinary-client-in-tests";
