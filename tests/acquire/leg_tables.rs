//! What must go over the wire: for each leg its parameters, for each flow its legs, and what each credential,
//! place and kind of claims puts into them.

use tower_entra::{
    Authority,
    acquire::{AgentUser, ClientCredential, ConfidentialClient, TokenSource},
};

use super::{
    assertions::{BLUEPRINT, OTHER_TENANT, TENANT, assertion_for},
    credentials::TestFile,
    identities::{AGENT, UPN, USER},
};

/// A leg: its parameters in their order. `{proof}` and `{claims}` are as many as the rows of
/// [`CREDENTIALS`] and [`CLAIMS`] have.
pub(crate) type Leg = &'static [&'static str];

/// The blueprint asks for the assertion of the agent.
const T1: Leg = &[
    "client_id={client}",
    "{proof}",
    EXCHANGE,
    BY_ITSELF,
    "fmi_path={agent}",
];
/// The agent's own token for the exchange.
const T2: Leg = &[ID, TYPE, BY_T1, EXCHANGE, BY_ITSELF];
const AGENT_ITSELF: Leg = &[ID, TYPE, BY_T1, DEFAULT, "{claims}", BY_ITSELF];
const AGENT_FOR_USER: Leg = &[ID, TYPE, BY_T1, READ, "{claims}", ON_BEHALF_OF, CALLER, USE];
const AGENT_USER_BY_ID: Leg = &[
    ID,
    TYPE,
    BY_T1,
    READ,
    "{claims}",
    USER_FIC,
    BY_T2,
    "user_id={user}",
];
const AGENT_USER_BY_NAME: Leg = &[
    ID,
    TYPE,
    BY_T1,
    READ,
    "{claims}",
    USER_FIC,
    BY_T2,
    "username={name}",
];
const APP_ITSELF: Leg = &[
    "client_id={client}",
    "{proof}",
    DEFAULT,
    "{claims}",
    BY_ITSELF,
];
const APP_FOR_USER: Leg = &[
    "client_id={client}",
    "{proof}",
    READ,
    "{claims}",
    ON_BEHALF_OF,
    CALLER,
    USE,
];

const ID: &str = "client_id={agent}";
const TYPE: &str = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const BY_T1: &str = "client_assertion={T1}";
const EXCHANGE: &str = "scope={exchange}/.default";
pub(crate) const DEFAULT: &str = "scope={api}/.default";
const READ: &str = "scope={api}/Orders.Read";
const BY_ITSELF: &str = "grant_type=client_credentials";
const ON_BEHALF_OF: &str = "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer";
const CALLER: &str = "assertion={caller's token}";
const USE: &str = "requested_token_use=on_behalf_of";
const USER_FIC: &str = "grant_type=user_fic";
const BY_T2: &str = "user_federated_identity_credential={T2}";

/// The headers of every leg.
pub(crate) const HEADERS: [&str; 4] = [
    "accept: application/json",
    "client-request-id: {id of the flight}",
    "content-type: application/x-www-form-urlencoded",
    "return-client-request-id: true",
];

/// Who acts, in words and in code, and the legs.
pub(crate) type Flow = (
    &'static str,
    fn(&ConfidentialClient, &Place) -> TokenSource,
    &'static [Leg],
);

pub(crate) const FLOWS: [Flow; 6] = [
    ("an app as itself", |app, _| app.itself(), &[APP_ITSELF]),
    (
        "an app on behalf of a person",
        |app, place| app.on_behalf_of(&assertion_for(place.tenant, BLUEPRINT, 0).1),
        &[APP_FOR_USER],
    ),
    (
        "an agent as itself",
        |blueprint, _| blueprint.agent(AGENT).itself(),
        &[T1, AGENT_ITSELF],
    ),
    (
        "an agent on behalf of a person",
        |blueprint, place| {
            let (_, assertion) = assertion_for(place.tenant, BLUEPRINT, 0);
            blueprint.agent(AGENT).on_behalf_of(assertion)
        },
        &[T1, AGENT_FOR_USER],
    ),
    (
        "an agent by its user account, named by object id",
        |blueprint, _| {
            let user = AgentUser::object_id(USER.parse().unwrap());
            blueprint.agent(AGENT).user(user)
        },
        &[T1, T2, AGENT_USER_BY_ID],
    ),
    (
        "an agent by its user account, named by principal name",
        |blueprint, _| blueprint.agent(AGENT).user(AgentUser::principal_name(UPN)),
        &[T1, T2, AGENT_USER_BY_NAME],
    ),
];

/// A credential, and what goes over the wire. Of a signed assertion its header and claims, without what
/// differs each time.
pub(crate) type Credential = (&'static str, fn(&Files) -> ClientCredential, Leg);

pub(crate) const CREDENTIALS: [Credential; 7] = [
    (
        "a secret",
        |_| ClientCredential::secret("s~é +&=%"),
        &["client_secret=s~é +&=%"],
    ),
    (
        "a certificate",
        |files| ClientCredential::certificate_pem(&files.pem).unwrap(),
        &[TYPE, "client_assertion={assertion by PS256}"],
    ),
    (
        "a certificate that signs by RS256",
        |files| {
            let plain = ClientCredential::certificate_pem(&files.pem).unwrap();
            plain.with_rs256()
        },
        &[TYPE, "client_assertion={assertion by RS256}"],
    ),
    (
        "a certificate with its chain",
        |files| {
            let plain = ClientCredential::certificate_pem(&files.pem).unwrap();
            plain.with_x5c()
        },
        &[TYPE, "client_assertion={assertion by PS256 with x5c}"],
    ),
    (
        "a certificate in a file",
        |files| ClientCredential::certificate_file(&files.pem_file.0),
        &[TYPE, "client_assertion={assertion by PS256}"],
    ),
    (
        "an assertion in a file",
        |files| ClientCredential::assertion_file(&files.assertion_file.0),
        &[TYPE, "client_assertion=eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmVk"],
    ),
    (
        "the assertion of a function",
        |_| {
            ClientCredential::assertion(async |_| {
                Ok::<_, String>("eyJhbGciOiJSUzI1NiJ9.e30.b3RoZXI".to_owned())
            })
        },
        &[TYPE, "client_assertion=eyJhbGciOiJSUzI1NiJ9.e30.b3RoZXI"],
    ),
];

/// Where the requests go.
pub(crate) struct Place {
    pub(crate) what: &'static str,
    pub(crate) authority: fn() -> Authority,
    pub(crate) tenant: &'static str,
    pub(crate) line: &'static str,
    pub(crate) exchange: &'static str,
}

pub(crate) const PLACES: [Place; 5] = [
    Place {
        what: "in the public cloud",
        authority: Authority::public,
        tenant: TENANT,
        line: "POST https://login.microsoftonline.com/aaaaaaaa-1111-4111-8111-111111111111/oauth2/v2.0/token",
        exchange: "api://AzureADTokenExchange",
    },
    Place {
        what: "in another tenant",
        authority: Authority::public,
        tenant: OTHER_TENANT,
        line: "POST https://login.microsoftonline.com/22222222-2222-4222-8222-222222222222/oauth2/v2.0/token",
        exchange: "api://AzureADTokenExchange",
    },
    Place {
        what: "in the cloud of the US government",
        authority: Authority::us_government,
        tenant: TENANT,
        line: "POST https://login.microsoftonline.us/aaaaaaaa-1111-4111-8111-111111111111/oauth2/v2.0/token",
        exchange: "api://AzureADTokenExchangeUSGov",
    },
    Place {
        what: "in China",
        authority: Authority::china,
        tenant: TENANT,
        line: "POST https://login.partner.microsoftonline.cn/aaaaaaaa-1111-4111-8111-111111111111/oauth2/v2.0/token",
        exchange: "api://AzureADTokenExchangeChina",
    },
    // Its exchange is set.
    Place {
        what: "in a cloud of its own",
        authority: || Authority::custom("https://login.sovcloud-identity.fr"),
        tenant: TENANT,
        line: "POST https://login.sovcloud-identity.fr/aaaaaaaa-1111-4111-8111-111111111111/oauth2/v2.0/token",
        exchange: "api://AzureADTokenExchangeFrance",
    },
];

/// Whether the client answers challenges, the claims that are asked for, and what goes over the wire.
pub(crate) const CLAIMS: [(&str, bool, Option<&str>, Leg); 5] = [
    ("without claims", false, None, &[]),
    ("with claims that ask for nothing", false, Some(" {} "), &[]),
    (
        "with the claims of a challenge",
        false,
        Some(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#),
        &[r#"claims={"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#],
    ),
    (
        "by a client that answers challenges",
        true,
        None,
        &[r#"claims={"access_token":{"xms_cc":{"values":["cp1"]}}}"#],
    ),
    (
        "with both",
        true,
        Some(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#),
        &[
            r#"claims={"access_token":{"xms_cc":{"values":["cp1"]},"acrs":{"essential":true,"value":"c1"}}}"#,
        ],
    ),
];

/// What the credentials are made of.
pub(crate) struct Files {
    pub(crate) pem: String,
    pub(crate) pem_file: TestFile,
    pub(crate) assertion_file: TestFile,
}
