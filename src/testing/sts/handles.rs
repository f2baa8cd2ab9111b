//! Handles of what is registered.

use std::{fmt, sync::Arc};

use crate::{
    TenantId,
    testing::{
        algorithm::Algorithm,
        issuer::Issuer,
        keys::PublicKey,
        names::{AGENT_USER, object_id_of, principal_name_of, random_guid, subject_of},
        state::Shared,
        sts::{
            certificate::{Certificate, new_pem, pem_block},
            registrations::{
                self, AppKind, Directory, EXCHANGE, FederatedCredential, Policy, User,
            },
        },
        token::{TokenBuilder, now},
    },
};

/// Who is registered from the start, and more.
impl Issuer {
    /// The blueprint with the id [`blueprint_id`](Self::blueprint_id). From the start it has a secret and
    /// one agent.
    #[must_use]
    pub fn blueprint(&self) -> Blueprint {
        Blueprint::of(&self.shared, self.blueprint_id())
    }

    /// The ordinary client with the id [`client_id`](Self::client_id). From the start it has a secret, and
    /// the role `Orders.Read.All` and consent to the scope `Orders.Read` of [`api`](Self::api).
    #[must_use]
    pub fn client(&self) -> Client {
        Client::of(&self.shared, self.client_id())
    }

    /// The API of [`audience`](Self::audience), with the scopes `Orders.Read` and `Orders.Write` and the
    /// roles `Orders.Read.All` and `Orders.Write.All`.
    #[must_use]
    pub fn api(&self) -> Api {
        let resource = self.audience();
        Api {
            shared: Arc::clone(&self.shared),
            client_id: registrations::Api::new(resource).client_id,
            resource: resource.to_owned(),
        }
    }

    /// Registers another blueprint, without credentials and agents.
    #[must_use = "its client id is in the handle only"]
    pub fn add_blueprint(&self) -> Blueprint {
        let id = add_app(&self.shared, AppKind::Blueprint);
        Blueprint::of(&self.shared, &id)
    }

    /// Registers another ordinary client, without credentials and permissions.
    #[must_use = "its client id is in the handle only"]
    pub fn add_client(&self) -> Client {
        let id = add_app(&self.shared, AppKind::Client);
        Client::of(&self.shared, &id)
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
        self.edit(|directory| {
            directory.apis.retain(|old| old.client_id != api.client_id);
            directory.apis.push(api);
        });
        handle
    }
}

fn add_app(shared: &Arc<Shared>, kind: AppKind) -> String {
    let id = random_guid();
    let app = registrations::App::new(&id, kind);
    edit(shared, |directory| directory.apps.insert(id.clone(), app));
    id
}

fn edit<T>(shared: &Shared, change: impl FnOnce(&mut Directory) -> T) -> T {
    change(Arc::make_mut(&mut shared.lock().directory))
}

/// An ordinary application that is registered with an [`Issuer`].
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    client_id: String,
}

/// The blueprint of agents, registered with an [`Issuer`].
#[derive(Clone)]
pub struct Blueprint {
    shared: Arc<Shared>,
    client_id: String,
}

/// An agent identity of a [`Blueprint`].
#[derive(Clone)]
pub struct Agent {
    shared: Arc<Shared>,
    client_id: String,
}

/// What holds for every kind of app.
macro_rules! app {
    ($Handle:ident) => {
        impl $Handle {
            fn of(shared: &Arc<Shared>, client_id: &str) -> Self {
                Self {
                    shared: Arc::clone(shared),
                    client_id: client_id.to_owned(),
                }
            }

            /// The client id.
            #[must_use]
            pub fn client_id(&self) -> &str {
                &self.client_id
            }

            /// Assigns a role of the API, which is in the app's own tokens from then on. Returns the handle.
            #[track_caller]
            #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
            pub fn grant_role(&self, api: &Api, role: &str) -> Self {
                let at = api.read(|api| api.clone());
                self.edit(|app| app.grant_role(&at, role));
                self.clone()
            }

            /// Consents to a scope of the API for everyone, as an administrator does. Returns the handle.
            #[track_caller]
            #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
            pub fn grant_scope(&self, api: &Api, scope: &str) -> Self {
                let at = api.read(|api| api.clone());
                self.edit(|app| app.grant_scope(&at, scope, None));
                self.clone()
            }

            /// Consents to a scope of the API as this person, by name or object id. Returns the handle.
            #[track_caller]
            #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
            pub fn grant_scope_as(&self, user: &str, api: &Api, scope: &str) -> Self {
                let at = api.read(|api| api.clone());
                self.edit(|app| app.grant_scope(&at, scope, Some(&object_id_of(user))));
                self.clone()
            }

            /// Withdraws every consent to scopes of the API: AADSTS65001 with `consent_required`.
            #[track_caller]
            pub fn withdraw_consent(&self, api: &Api) {
                self.edit(|app| app.consents.retain(|consent| consent.api != api.client_id));
            }

            /// Withdraws every role of the API.
            #[track_caller]
            pub fn withdraw_roles(&self, api: &Api) {
                self.edit(|app| app.roles.retain(|(granted, _)| *granted != api.client_id));
            }

            /// Sets the policy for every token of this app.
            #[track_caller]
            pub fn set_policy(&self, policy: Policy) {
                self.edit(|app| app.policy = policy);
            }

            /// Disables the app: AADSTS7000112. Exchange tokens of a disabled blueprint are no longer
            /// accepted.
            #[track_caller]
            pub fn disable(&self) {
                self.edit(|app| app.disabled = true);
            }

            /// Undoes [`disable`](Self::disable).
            #[track_caller]
            pub fn enable(&self) {
                self.edit(|app| app.disabled = false);
            }

            /// Deletes the app: AADSTS700016.
            pub fn remove(&self) {
                edit(&self.shared, |directory| {
                    directory.apps.remove(&self.client_id.to_ascii_lowercase())
                });
            }

            #[track_caller]
            fn edit<T>(&self, change: impl FnOnce(&mut registrations::App) -> T) -> T {
                edit(&self.shared, |directory| {
                    match directory.app_mut(&self.client_id) {
                        Some(app) => change(app),
                        None => panic!("{} is no longer registered", self.client_id),
                    }
                })
            }
        }

        impl fmt::Debug for $Handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Handle))
                    .field("client_id", &self.client_id)
                    .finish_non_exhaustive()
            }
        }
    };
}

/// What holds for apps that have credentials of their own.
macro_rules! credentials {
    ($Handle:ident) => {
        impl $Handle {
            /// The first secret in force.
            ///
            /// # Panics
            ///
            /// If there is none.
            #[must_use]
            #[track_caller]
            pub fn secret(&self) -> String {
                let secret = self.edit(|app| {
                    let mut in_force = app.secrets.iter().filter(|secret| !secret.expired);
                    in_force.next().map(|secret| secret.value.clone())
                });
                match secret {
                    Some(secret) => secret,
                    None => panic!("{} has no secret", self.client_id),
                }
            }

            /// Adds a secret beside those that there are. Returns the handle.
            #[track_caller]
            #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
            pub fn add_secret(&self, secret: &str) -> Self {
                self.edit(|app| app.add_secret(secret));
                self.clone()
            }

            /// Deletes a secret: AADSTS7000215.
            #[track_caller]
            pub fn remove_secret(&self, secret: &str) {
                self.edit(|app| app.secrets.retain(|old| old.value != secret));
            }

            /// Makes a secret expire: AADSTS7000222.
            #[track_caller]
            pub fn expire_secret(&self, secret: &str) {
                self.edit(|app| {
                    let mut secrets = app.secrets.iter_mut();
                    if let Some(old) = secrets.find(|old| old.value == secret) {
                        old.expired = true;
                    }
                });
            }

            /// Adds the first certificate of a PEM text. Assertions that its RSA key signs with PS256 or
            /// RS256 are accepted from then on. Returns the handle.
            ///
            /// # Panics
            ///
            /// If there is no certificate in the text.
            #[track_caller]
            #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
            pub fn add_certificate_pem(&self, pem: &str) -> Self {
                let Some(certificate) = Certificate::from_pem(pem) else {
                    panic!("the PEM text has no certificate that can be read");
                };
                self.edit(|app| app.certificates.push(certificate));
                self.clone()
            }

            /// Makes a key and a certificate, registers the certificate, and returns both as one PEM text:
            /// the key in PKCS#8, then the certificate.
            #[must_use = "the private key is nowhere else"]
            #[track_caller]
            pub fn new_certificate_pem(&self) -> String {
                let pem = new_pem(now());
                self.add_certificate_pem(&pem);
                pem
            }

            /// Accepts federated assertions. Returns the handle.
            #[track_caller]
            #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
            pub fn trust(&self, credential: FederatedCredential) -> Self {
                self.edit(|app| app.trusted.push(credential));
                self.clone()
            }

            /// Deletes every secret, certificate and federated credential.
            #[track_caller]
            pub fn remove_credentials(&self) {
                self.edit(|app| {
                    app.secrets.clear();
                    app.certificates.clear();
                    app.trusted.clear();
                });
            }
        }
    };
}

app!(Client);
app!(Blueprint);
app!(Agent);
credentials!(Client);
credentials!(Blueprint);

impl Blueprint {
    /// The agent that was registered first: that of [`Issuer::agent_id`], for the blueprint of the start.
    ///
    /// # Panics
    ///
    /// If the blueprint has no agent.
    #[must_use]
    #[track_caller]
    pub fn agent(&self) -> Agent {
        let own = Agent::of(&self.shared, &self.shared.settings.agent_id);
        let is_default = self.client_id == self.shared.settings.blueprint_id;
        let agents = self.agents();
        match agents.first() {
            Some(_) if is_default && agents.iter().any(|a| a.client_id == own.client_id) => own,
            Some(agent) => agent.clone(),
            None => panic!("the blueprint {} has no agent", self.client_id),
        }
    }

    /// Every agent, in no order.
    #[must_use]
    pub fn agents(&self) -> Vec<Agent> {
        edit(&self.shared, |directory| {
            let apps = directory.apps.values();
            let own = apps.filter(|app| match &app.kind {
                AppKind::Agent { blueprint, .. } => *blueprint == self.client_id,
                _ => false,
            });
            own.map(|app| app.client_id.clone()).collect::<Vec<_>>()
        })
        .iter()
        .map(|id| Agent::of(&self.shared, id))
        .collect()
    }

    /// Registers another agent in the home tenant, without permissions and user account.
    #[must_use = "its client id is in the handle only"]
    pub fn add_agent(&self) -> Agent {
        self.add_agent_in(&self.shared.settings.tenant_id)
    }

    /// Registers another agent in a tenant that the issuer [has](Issuer::add_tenant).
    ///
    /// # Panics
    ///
    /// If `tid` is not a GUID.
    #[must_use = "its client id is in the handle only"]
    #[track_caller]
    pub fn add_agent_in(&self, tid: &str) -> Agent {
        let Ok(tenant) = tid.parse::<TenantId>() else {
            panic!("the tenant of an agent must be a GUID, not {tid:?}");
        };
        let kind = AppKind::Agent {
            blueprint: self.client_id.clone(),
            tenant: tenant.to_string(),
        };
        Agent::of(&self.shared, &add_app(&self.shared, kind))
    }

    /// A person's token for the blueprint, through the ordinary client: what an agent presents to act on
    /// behalf of that person. `user` is a name or an object id.
    pub fn user_token(&self, user: &str) -> TokenBuilder {
        let oid = object_id_of(user);
        self.token()
            .claim("sub", subject_of(&oid, &self.client_id))
            .claim("oid", oid)
            .claim("name", user)
            .claim("preferred_username", principal_name_of(user))
            .scope("access_agent")
    }

    /// A token of the ordinary client for the blueprint, without a person: no agent may act on its behalf.
    pub fn app_token(&self) -> TokenBuilder {
        let oid = object_id_of(&self.shared.settings.client_id);
        self.token()
            .claim("sub", &oid)
            .claim("oid", oid)
            .claim("idtyp", "app")
    }

    fn token(&self) -> TokenBuilder {
        TokenBuilder::new(&self.shared)
            .audience(&self.client_id)
            .claim("azp", &self.shared.settings.client_id)
            .claim("azpacr", "1")
    }
}

impl Agent {
    /// The user account that was registered first: that of [`Issuer::agent_user_id`], for the agent of the
    /// start.
    ///
    /// # Panics
    ///
    /// If the agent has no user account.
    #[must_use]
    #[track_caller]
    pub fn user(&self) -> AgentAccount {
        let default = object_id_of(AGENT_USER);
        let oids = edit(&self.shared, |directory| {
            let users = directory.users.iter();
            let own = users.filter(|(_, user)| user.agent.as_ref() == Some(&self.client_id));
            own.map(|(oid, _)| oid.clone()).collect::<Vec<_>>()
        });
        let is_default = |oid: &&String| **oid == default;
        match oids.iter().find(is_default).or_else(|| oids.first()) {
            Some(oid) => AgentAccount::of(&self.shared, oid),
            None => panic!("the agent {} has no user account", self.client_id),
        }
    }

    /// Registers a user account of this agent with the sign-in name `{name}@example.com`, to which the
    /// agent's consents apply too.
    #[must_use]
    pub fn add_user(&self, name: &str) -> AgentAccount {
        let oid = object_id_of(name);
        let user = User {
            principal_name: principal_name_of(name),
            disabled: false,
            agent: Some(self.client_id.clone()),
        };
        edit(&self.shared, |directory| {
            directory.users.insert(oid.clone(), user)
        });
        AgentAccount::of(&self.shared, &oid)
    }
}

/// The user account of an [`Agent`].
#[derive(Clone)]
pub struct AgentAccount {
    shared: Arc<Shared>,
    object_id: String,
    principal_name: String,
}

impl AgentAccount {
    fn of(shared: &Arc<Shared>, oid: &str) -> Self {
        let principal_name = edit(shared, |directory| {
            let user = directory.users.get(oid);
            user.map(|user| user.principal_name.clone())
        });
        Self {
            shared: Arc::clone(shared),
            object_id: oid.to_owned(),
            principal_name: principal_name.unwrap_or_default(),
        }
    }

    /// The object id, for `user_id`.
    #[must_use]
    pub fn object_id(&self) -> &str {
        &self.object_id
    }

    /// The sign-in name, for `username`.
    #[must_use]
    pub fn principal_name(&self) -> &str {
        &self.principal_name
    }

    /// Disables the account: AADSTS50057.
    pub fn disable(&self) {
        edit(&self.shared, |directory| {
            directory.disable_user(&self.object_id, true);
        });
    }

    /// Undoes [`disable`](Self::disable).
    pub fn enable(&self) {
        edit(&self.shared, |directory| {
            directory.disable_user(&self.object_id, false);
        });
    }

    /// Deletes the account: AADSTS50034.
    pub fn remove(&self) {
        edit(&self.shared, |directory| {
            directory.users.remove(&self.object_id)
        });
    }
}

impl fmt::Debug for AgentAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentAccount")
            .field("object_id", &self.object_id)
            .finish_non_exhaustive()
    }
}

/// An API that is registered with an [`Issuer`].
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

    /// The client id, which is the audience of version 2.0 tokens.
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

    /// Adds a scope, to which nobody has consented yet.
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
        edit(&self.shared, |directory| {
            directory.apis.retain(|api| api.client_id != self.client_id);
        });
    }

    #[track_caller]
    fn read<T>(&self, read: impl FnOnce(&mut registrations::Api) -> T) -> T {
        edit(&self.shared, |directory| {
            match directory.api_mut(&self.client_id) {
                Some(api) => read(api),
                None => panic!("{} is no longer registered", self.resource),
            }
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

impl FederatedCredential {
    /// Trusts the assertions that another look-alike signs for this subject, such as
    /// `repo:contoso/orders:ref:refs/heads/main`.
    ///
    /// A [`TokenBuilder`] of that look-alike makes them, with any claims.
    #[must_use]
    pub fn of(issuer: &Issuer, subject: impl Into<String>) -> Self {
        let shared = Arc::clone(&issuer.shared);
        Self {
            issuer: issuer.v2_issuer(),
            subject: subject.into(),
            audience: EXCHANGE.to_owned(),
            verifies: Arc::new(move |kid, algorithm, input, signature| {
                shared.verifies(kid, algorithm, input, signature)
            }),
        }
    }

    /// Trusts the assertions of this issuer for this subject that the RSA key of a PEM text verifies: a
    /// `PUBLIC KEY` or a `CERTIFICATE`.
    ///
    /// # Panics
    ///
    /// If there is neither in the text.
    #[must_use]
    #[track_caller]
    pub fn with_key_pem(issuer: impl Into<String>, subject: impl Into<String>, pem: &str) -> Self {
        let certificate = || Certificate::from_pem(pem).map(|certificate| certificate.key);
        let key = pem_block(pem, "PUBLIC KEY").map(PublicKey::Rsa);
        let Some(key) = key.or_else(certificate) else {
            panic!("the PEM text has neither a public key nor a certificate that can be read");
        };
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            audience: EXCHANGE.to_owned(),
            verifies: Arc::new(move |_, algorithm: Algorithm, input, signature| {
                key.verifies(algorithm, input, signature)
            }),
        }
    }
}
