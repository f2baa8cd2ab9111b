//! A blueprint, its agent with a user account, an ordinary app and an API of one test, at an issuer that
//! tests can share.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::Runtime;
use tower_entra::{
    Tenants, Validator,
    acquire::{
        AccessToken, AcquireError, AgentUser, ClientCredential, ConfidentialClient,
        ConfidentialClientBuilder, Scopes, TokenSource, UserAssertion,
    },
    testing::{Agent, AgentAccount, Api, Blueprint, Client, Issuer, TokenBuilder},
};

use super::{interest::keep_every_event, wire::Wire};

/// Who asks for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    App,
    AppForUser,
    Agent,
    AgentForUser,
    AgentUser,
    /// The same account, by its principal name.
    NamedAgentUser,
}

pub(crate) const EVERYONE: [Who; 6] = [
    Who::App,
    Who::AppForUser,
    Who::Agent,
    Who::AgentForUser,
    Who::AgentUser,
    Who::NamedAgentUser,
];

pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) blueprint: Blueprint,
    pub(crate) agent: Agent,
    pub(crate) account: AgentAccount,
    pub(crate) app: Client,
    pub(crate) api: Api,
    /// The name of a person who has a token for the blueprint.
    pub(crate) person: String,
    /// The secret of the blueprint.
    pub(crate) secret: String,
    /// The secret of the ordinary app.
    pub(crate) app_secret: String,
    /// What its clients send.
    pub(crate) wire: Wire,
}

/// The issuer that tests share. One that moves its clock, fails or changes answers starts its own.
pub(crate) fn issuer() -> &'static Issuer {
    static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
        keep_every_event();
        Issuer::start_blocking()
    });
    &ISSUER
}

impl World {
    /// One of the shared issuer.
    pub(crate) fn new() -> Self {
        Self::at(issuer())
    }

    pub(crate) fn at(issuer: &Issuer) -> Self {
        static WORLDS: AtomicUsize = AtomicUsize::new(0);

        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let api = issuer
            .add_api(&format!("api://orders-{number}"))
            .add_scope("Orders.Read")
            .add_scope("Orders.Write")
            .add_role("Orders.Read.All");
        let blueprint = issuer.add_blueprint();
        let secret = format!("bLu8Q~secret-of-blueprint-{number}");
        let blueprint = blueprint.add_secret(&secret);
        let agent = blueprint.add_agent();
        let agent = agent.grant_scope(&api, "Orders.Read");
        let app = issuer.add_client();
        let app_secret = format!("cLi8Q~secret-of-client-{number}");
        let app = app.add_secret(&app_secret);
        Self {
            account: agent.add_user(&format!("robin.agent-{number}")),
            agent: agent.grant_role(&api, "Orders.Read.All"),
            app: app
                .grant_scope(&api, "Orders.Read")
                .grant_role(&api, "Orders.Read.All"),
            blueprint,
            api,
            secret,
            app_secret,
            person: format!("jane.doe-{number}"),
            issuer: issuer.clone(),
            wire: Wire::default(),
        }
    }

    pub(crate) fn builder(
        &self,
        client_id: &str,
        credential: ClientCredential,
    ) -> ConfidentialClientBuilder {
        ConfidentialClient::builder(self.issuer.tenant_id(), client_id, credential)
            .authority(self.issuer.authority())
            .http_client(self.wire.clone())
    }

    /// A client of the blueprint that has no token yet.
    pub(crate) fn as_blueprint(&self) -> ConfidentialClient {
        let credential = ClientCredential::secret(self.secret.clone());
        self.blueprint_with(credential)
    }

    pub(crate) fn blueprint_with(&self, credential: ClientCredential) -> ConfidentialClient {
        let builder = self.builder(self.blueprint.client_id(), credential);
        builder.build().unwrap()
    }

    /// A client of the ordinary app that has no token yet.
    pub(crate) fn as_app(&self) -> ConfidentialClient {
        let credential = ClientCredential::secret(self.app_secret.clone());
        let builder = self.builder(self.app.client_id(), credential);
        builder.build().unwrap()
    }

    /// A source of a client that has no token yet.
    pub(crate) fn source(&self, who: Who) -> TokenSource {
        let client = match who {
            Who::App | Who::AppForUser => self.as_app(),
            _ => self.as_blueprint(),
        };
        self.source_of(who, &client)
    }

    pub(crate) fn source_of(&self, who: Who, client: &ConfidentialClient) -> TokenSource {
        let agent = client.agent(self.agent.client_id());
        match who {
            Who::App => client.itself(),
            Who::AppForUser => client.on_behalf_of(&self.assertion(&self.token_for_the_app())),
            Who::Agent => agent.itself(),
            Who::AgentForUser => {
                let token = self.blueprint.user_token(&self.person);
                agent.on_behalf_of(&self.assertion(&token))
            }
            Who::AgentUser => agent.user(self.account_by_id()),
            Who::NamedAgentUser => agent.user(AgentUser::principal_name(
                self.account.principal_name().to_owned(),
            )),
        }
    }

    pub(crate) fn account_by_id(&self) -> AgentUser {
        AgentUser::object_id(self.account.object_id().parse().unwrap())
    }

    pub(crate) fn scopes(&self, who: Who) -> Scopes {
        match who {
            Who::App | Who::Agent => self.default_scope(),
            _ => self.scope("Orders.Read"),
        }
    }

    pub(crate) fn default_scope(&self) -> Scopes {
        Scopes::default_of(self.api.resource()).unwrap()
    }

    pub(crate) fn scope(&self, name: &str) -> Scopes {
        Scopes::new([format!("{}/{name}", self.api.resource())]).unwrap()
    }

    /// A source that has no token yet, and what it is asked for.
    pub(crate) fn asked(&self, who: Who) -> (TokenSource, Scopes) {
        (self.source(who), self.scopes(who))
    }

    pub(crate) async fn ask(&self, who: Who) -> Result<AccessToken, AcquireError> {
        self.source(who).token(&self.scopes(who)).await
    }

    /// The person's token for the ordinary app.
    pub(crate) fn token_for_the_app(&self) -> TokenBuilder {
        let token = self.issuer.user_named(&self.person);
        token.audience(self.app.client_id())
    }

    /// Admits the token of a caller, whichever of the two apps it is for.
    pub(crate) fn assertion(&self, token: &TokenBuilder) -> UserAssertion {
        let (validator, token) = (self.validator(), token.clone().mint());
        // On a thread of its own, because the clock of this one can be paused.
        let verify = move || {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(async {
                UserAssertion::verify(&validator.build().unwrap(), &token)
                    .await
                    .unwrap()
            })
        };
        thread::spawn(verify).join().unwrap()
    }

    /// The door of both apps.
    pub(crate) fn validator(&self) -> tower_entra::ValidatorBuilder {
        let app = self.app.client_id();
        let audiences = [
            self.blueprint.client_id().to_owned(),
            format!("api://{}", self.blueprint.client_id()),
            app.to_owned(),
            format!("api://{app}"),
        ];
        Validator::builder(Tenants::single(self.issuer.tenant_id()), audiences)
            .authority(self.issuer.authority())
    }
}
