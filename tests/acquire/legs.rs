//! The parameters of each leg in their order, and no other, as the look-alike of Entra takes them. Those with
//! other credentials, at other places and with claims are in `every_request`.

use tower_entra::acquire::{
    AgentUser, ClientCredential, ConfidentialClient, Scopes, TokenOptions, TokenSource,
};

use super::{
    told,
    wire::Sent,
    world::{Who, World},
};

/// What is asked for.
struct Asked {
    source: TokenSource,
    scopes: Scopes,
    options: TokenOptions,
    /// The token of the caller on whose behalf.
    assertion: String,
}

impl Asked {
    fn new(source: TokenSource, scopes: Scopes) -> Self {
        Self {
            source,
            scopes,
            options: TokenOptions::default(),
            assertion: String::new(),
        }
    }

    fn by(world: &World, who: Who) -> Self {
        Self::new(world.source(who), world.scopes(who))
    }

    fn with_claims(mut self, claims: &str) -> Self {
        self.options = self.options.claims(claims);
        self
    }
}

/// What is asked for, in words and in code, and the parameters of each leg.
type Row = (
    &'static str,
    fn(&World) -> Asked,
    &'static [&'static [&'static str]],
);

const ID: &str = "client_id={agent}";
const T1: &[&str] = &[
    "client_id={blueprint}",
    "client_secret={blueprint's secret}",
    EXCHANGE,
    APP,
    "fmi_path={agent}",
];
const T2: &[&str] = &[ID, TYPE, BY_T1, EXCHANGE, APP];
const EXCHANGE: &str = "scope=api://AzureADTokenExchange/.default";
const APP: &str = "grant_type=client_credentials";
const TYPE: &str = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const BY_T1: &str = "client_assertion={T1}";
const DEFAULT: &str = "scope={api}/.default";
const READ: &str = "scope={api}/Orders.Read";
const OBO: &str = "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer";
const USE: &str = "requested_token_use=on_behalf_of";
const CALLER: &str = "assertion={caller's token}";
const FIC: &str = "grant_type=user_fic";
const CREDENTIAL: &str = "user_federated_identity_credential={T2}";
const USER_ID: &str = "user_id={user's id}";
const OWN: &[&str] = &[
    "client_id={app}",
    "client_secret={app's secret}",
    DEFAULT,
    APP,
];
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
const ASKED_CLAIMS: &str = r#"claims={"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;

const ROWS: [Row; 14] = [
    (
        "an agent as itself",
        |world| Asked::by(world, Who::Agent),
        &[T1, &[ID, TYPE, BY_T1, DEFAULT, APP]],
    ),
    (
        "an agent on behalf of a person",
        |world| on_behalf(world, Who::AgentForUser),
        &[T1, &[ID, TYPE, BY_T1, READ, OBO, CALLER, USE]],
    ),
    (
        "an agent's user account by its object id",
        |world| Asked::by(world, Who::AgentUser),
        &[T1, T2, &[ID, TYPE, BY_T1, READ, FIC, CREDENTIAL, USER_ID]],
    ),
    (
        "an agent's user account by its principal name, in the letter case that was given",
        |world| {
            let name = world.account.principal_name().to_uppercase();
            let user = AgentUser::principal_name(name);
            let agent = world.as_blueprint().agent(world.agent.client_id());
            Asked::new(agent.user(user), world.scope("Orders.Read"))
        },
        &[
            T1,
            T2,
            &[
                ID,
                TYPE,
                BY_T1,
                READ,
                FIC,
                CREDENTIAL,
                "username={USER'S NAME}",
            ],
        ],
    ),
    (
        "an app as itself",
        |world| Asked::by(world, Who::App),
        &[OWN],
    ),
    (
        "an app on behalf of a person",
        |world| on_behalf(world, Who::AppForUser),
        &[&[
            "client_id={app}",
            "client_secret={app's secret}",
            READ,
            OBO,
            CALLER,
            USE,
        ]],
    ),
    (
        "the token of an agent for the exchange, which is T2",
        |world| {
            let scopes = Scopes::default_of("api://AzureADTokenExchange").unwrap();
            Asked::new(world.source(Who::Agent), scopes)
        },
        &[T1, T2],
    ),
    (
        "several scopes, in any order, are one parameter",
        |world| {
            let scopes = ["Orders.Write", "Orders.Read"];
            let scopes = scopes.map(|name| format!("{}/{name}", world.api.resource()));
            world.agent.grant_scope(&world.api, "Orders.Write");
            let scopes = Scopes::new(scopes).unwrap();
            Asked::new(world.source(Who::AgentUser), scopes)
        },
        &[
            T1,
            T2,
            &[
                ID,
                TYPE,
                BY_T1,
                "scope={api}/Orders.Read {api}/Orders.Write",
                FIC,
                CREDENTIAL,
                USER_ID,
            ],
        ],
    ),
    (
        "ids that are given in capital letters",
        |world| {
            let capital = |id: &str| id.to_uppercase();
            let credential = ClientCredential::secret(world.blueprint.secret());
            let id = capital(world.blueprint.client_id());
            let client =
                ConfidentialClient::builder(capital(world.issuer.tenant_id()), id, credential);
            let client = client
                .authority(world.issuer.authority())
                .http_client(world.wire.clone());
            let user = capital(world.account.object_id()).parse().unwrap();
            let agent = client
                .build()
                .unwrap()
                .agent(capital(world.agent.client_id()));
            Asked::new(
                agent.user(AgentUser::object_id(user)),
                world.scope("Orders.Read"),
            )
        },
        &[T1, T2, &[ID, TYPE, BY_T1, READ, FIC, CREDENTIAL, USER_ID]],
    ),
    (
        "claims, which are for the last leg alone",
        |world| Asked::by(world, Who::AgentUser).with_claims(CLAIMS),
        &[
            T1,
            T2,
            &[
                ID,
                TYPE,
                BY_T1,
                READ,
                ASKED_CLAIMS,
                FIC,
                CREDENTIAL,
                USER_ID,
            ],
        ],
    ),
    (
        "claims on behalf of a person",
        |world| on_behalf(world, Who::AgentForUser).with_claims(CLAIMS),
        &[T1, &[ID, TYPE, BY_T1, READ, ASKED_CLAIMS, OBO, CALLER, USE]],
    ),
    (
        "claims that ask for nothing",
        |world| Asked::by(world, Who::Agent).with_claims(" {} "),
        &[T1, &[ID, TYPE, BY_T1, DEFAULT, APP]],
    ),
    (
        "a client that answers challenges says so on the last leg alone",
        |world| {
            let source = answers_challenges(world);
            Asked::new(source, world.default_scope())
        },
        &[
            T1,
            &[
                ID,
                TYPE,
                BY_T1,
                DEFAULT,
                r#"claims={"access_token":{"xms_cc":{"values":["cp1"]}}}"#,
                APP,
            ],
        ],
    ),
    (
        "and together with the claims of a challenge",
        |world| {
            let source = answers_challenges(world);
            Asked::new(source, world.default_scope()).with_claims(CLAIMS)
        },
        &[
            T1,
            &[
                ID,
                TYPE,
                BY_T1,
                DEFAULT,
                r#"claims={"access_token":{"xms_cc":{"values":["cp1"]},"acrs":{"essential":true,"value":"c1"}}}"#,
                APP,
            ],
        ],
    ),
];

fn on_behalf(world: &World, who: Who) -> Asked {
    let (client, token) = match who {
        Who::AppForUser => (world.as_app(), world.token_for_the_app()),
        _ => (
            world.as_blueprint(),
            world.blueprint.user_token(&world.person),
        ),
    };
    let assertion = world.assertion(&token);
    let source = match who {
        Who::AppForUser => client.on_behalf_of(&assertion),
        _ => client
            .agent(world.agent.client_id())
            .on_behalf_of(&assertion),
    };
    Asked {
        assertion: token.mint(),
        ..Asked::new(source, world.scopes(who))
    }
}

fn answers_challenges(world: &World) -> TokenSource {
    let credential = ClientCredential::secret(world.blueprint.secret());
    let client = world.builder(world.blueprint.client_id(), credential);
    let client = client.claims_challenges(true).build().unwrap();
    client.agent(world.agent.client_id()).itself()
}

/// A parameter of the table with the values of this world.
fn filled(text: &str, world: &World, assertion: &str, sent: &[Sent]) -> String {
    let token = |leg: usize| sent.get(leg).and_then(Sent::token).unwrap_or_default();
    let values = [
        ("{blueprint}", world.blueprint.client_id()),
        ("{blueprint's secret}", &world.blueprint.secret()),
        ("{agent}", world.agent.client_id()),
        ("{app}", world.app.client_id()),
        ("{app's secret}", &world.app.secret()),
        ("{api}", world.api.resource()),
        ("{user's id}", world.account.object_id()),
        (
            "{USER'S NAME}",
            &world.account.principal_name().to_uppercase(),
        ),
        ("{caller's token}", assertion),
        ("{T1}", &token(0)),
        ("{T2}", &token(1)),
    ];
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(name, value);
    }
    text
}

#[tokio::test]
async fn each_leg_has_the_parameters_of_its_flow_and_no_other() {
    for (what, ask, legs) in ROWS {
        let world = World::new();
        let asked = ask(&world);
        let got = asked.source.token_with(&asked.scopes, asked.options).await;
        assert!(got.is_ok(), "{what}: {}", told(&got.unwrap_err()));
        let sent = world.wire.sent();
        let seen = sent.iter().map(|sent| {
            let pairs = sent.form.iter();
            let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>()
        });
        let expected = legs.iter().map(|leg| {
            let pairs = leg.iter();
            let pairs = pairs.map(|pair| filled(pair, &world, &asked.assertion, &sent));
            pairs.collect::<Vec<_>>()
        });
        assert_eq!(
            seen.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "{what}"
        );
    }
}
