//! The apps that are registered: ordinary clients, blueprints and agents.

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::{
    TenantId,
    testing::{
        issuer::Issuer,
        names::{AGENT_USER, guid_from, object_id_of, principal_name_of},
        state::Shared,
        sts::{
            accounts::AgentAccount,
            apis::Api,
            callers::{app_token, user_token},
            certificate::{Certificate, new_pem},
            registrations::{self, AppKind, FederatedCredential, Policy, User},
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

    /// Registers another blueprint, without credentials and agents.
    #[must_use = "its client id is in the handle only"]
    pub fn add_blueprint(&self) -> Blueprint {
        let id = add_app(&self.shared, "blueprint", AppKind::Blueprint);
        Blueprint::of(&self.shared, &id)
    }

    /// Registers another ordinary client, without credentials and permissions.
    #[must_use = "its client id is in the handle only"]
    pub fn add_client(&self) -> Client {
        let id = add_app(&self.shared, "client", AppKind::Client);
        Client::of(&self.shared, &id)
    }
}

/// Registers an app. Its id is the same in every run: it follows from the name and a number.
fn add_app(shared: &Arc<Shared>, name: &str, kind: AppKind) -> String {
    shared.edit(|directory| {
        let ids = (2_u64..).map(|number| guid_from(&format!("{name} {number}")));
        let mut free =
            ids.filter(|id| !directory.apps.contains_key(id) && !directory.removed.contains(id));
        let id = free.next().expect("there are fewer apps than numbers");
        let app = registrations::App::new(&id, kind);
        directory.apps.insert(id.clone(), app);
        id
    })
}

/// An ordinary application that is registered with an [`Issuer`]. Once it is removed, methods that change it
/// panic.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    client_id: String,
}

/// The blueprint of agents, registered with an [`Issuer`]. Once it is removed, methods that change it panic.
#[derive(Clone)]
pub struct Blueprint {
    shared: Arc<Shared>,
    client_id: String,
}

/// An agent identity of a [`Blueprint`]. Once it is removed, methods that change it panic.
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
                self.edit(|app| {
                    app.consents
                        .retain(|consent| consent.api != api.client_id())
                });
            }

            /// Withdraws every role of the API.
            #[track_caller]
            pub fn withdraw_roles(&self, api: &Api) {
                self.edit(|app| app.roles.retain(|(granted, _)| *granted != api.client_id()));
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

            /// Deletes the app: AADSTS700016. Its client id is given to no other app.
            pub fn remove(&self) {
                self.shared
                    .edit(|directory| directory.remove_app(&self.client_id));
            }

            #[track_caller]
            fn edit<T>(&self, change: impl FnOnce(&mut registrations::App) -> T) -> T {
                self.shared
                    .edit(|directory| match directory.app_mut(&self.client_id) {
                        Some(app) => change(app),
                        None => panic!("{} is no longer registered", self.client_id),
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

            /// Deletes the first certificate of a PEM text, if it is registered: AADSTS700027.
            #[track_caller]
            pub fn remove_certificate_pem(&self, pem: &str) {
                let certificate = Certificate::from_pem(pem);
                self.edit(|app| {
                    app.certificates
                        .retain(|old| Some(old) != certificate.as_ref())
                });
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
        self.shared
            .edit(|directory| {
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
        let name = format!("agent of {}", self.client_id);
        Agent::of(&self.shared, &add_app(&self.shared, &name, kind))
    }

    /// A person's token for the blueprint, through the ordinary client: what an agent presents to act on
    /// behalf of that person. `user` is a name or an object id.
    pub fn user_token(&self, user: &str) -> TokenBuilder {
        user_token(&self.shared, &self.client_id, user)
    }

    /// A token of the ordinary client for the blueprint, without a person: no agent may act on its behalf.
    pub fn app_token(&self) -> TokenBuilder {
        app_token(&self.shared, &self.client_id)
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
        let oids = self.shared.edit(|directory| {
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
            roles: BTreeSet::new(),
        };
        self.shared
            .edit(|directory| directory.users.insert(oid.clone(), user));
        AgentAccount::of(&self.shared, &oid)
    }
}
