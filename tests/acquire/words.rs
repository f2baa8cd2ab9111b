//! What an operator reads for each answer that is no token: kind, text and hint, word for word.

use tower_entra::acquire::{
    AcquireErrorKind as Kind, AgentUser, ClientCredential, ConfidentialClient, Scopes, TokenSource,
};

use super::{
    answer_tables::{Comes, FOR_A_PERSON, OF_AN_APP},
    assertions::{BLUEPRINT, TENANT, assertion},
    endpoint::claims_of,
    identities::{AGENT, UPN, USER},
    scripted::Scripted,
};

/// The leg to which such an answer comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leg {
    T1,
    T2,
    Last,
}

/// Who asks, how, to which leg there is no answer, and the beginning of its text: what was asked.
type Asked = (
    &'static str,
    fn(&ConfidentialClient) -> TokenSource,
    Leg,
    &'static str,
);

const ASKED: [Asked; 9] = [
    (
        "an app",
        ConfidentialClient::itself,
        Leg::Last,
        "a token of app {app} in tenant {tenant} for \"api://orders/.default\": ",
    ),
    (
        "an app for a person",
        |app| app.on_behalf_of(&assertion(0).1),
        Leg::Last,
        "a token of app {app} on behalf of a user in tenant {tenant} for \"api://orders/.default\": ",
    ),
    (
        "an agent",
        |app| app.agent(AGENT).itself(),
        Leg::Last,
        "a token of agent {agent} of blueprint {app} in tenant {tenant} for \"api://orders/.default\": ",
    ),
    (
        "an agent, its T1",
        |app| app.agent(AGENT).itself(),
        Leg::T1,
        "the assertion of agent {agent} for blueprint {app} in tenant {tenant}: ",
    ),
    (
        "an agent for a person",
        |app| app.agent(AGENT).on_behalf_of(&assertion(0).1),
        Leg::Last,
        "a token of agent {agent} of blueprint {app} on behalf of a user in tenant {tenant} for \"api://orders/.default\": ",
    ),
    (
        "an agent's user",
        |app| by_user(app, USER),
        Leg::Last,
        "a token of agent {agent} of blueprint {app} by its user account in tenant {tenant} for \"api://orders/.default\": ",
    ),
    (
        "an agent's user, by name",
        |app| by_user(app, UPN),
        Leg::Last,
        "a token of agent {agent} of blueprint {app} by its user account in tenant {tenant} for \"api://orders/.default\": ",
    ),
    (
        "an agent's user, its T1",
        |app| by_user(app, USER),
        Leg::T1,
        "the assertion of agent {agent} for blueprint {app} in tenant {tenant}: ",
    ),
    (
        "an agent's user, its T2",
        |app| by_user(app, USER),
        Leg::T2,
        "a token of agent {agent} of blueprint {app} in tenant {tenant} for \"api://AzureADTokenExchange/.default\": ",
    ),
];

fn by_user(app: &ConfidentialClient, name: &str) -> TokenSource {
    app.agent(AGENT).user(match name.parse() {
        Ok(id) => AgentUser::object_id(id),
        Err(_) => AgentUser::principal_name(name),
    })
}

type Told = (&'static str, Kind, String, String);

/// What is told where this comes to this leg.
async fn told(
    what: &'static str,
    act: fn(&ConfidentialClient) -> TokenSource,
    leg: Leg,
    comes: &'static Comes,
) -> Told {
    let endpoint = Scripted::start();
    endpoint.lock().instead = Some(Box::new(move |call| {
        let of = match &call.key {
            key if key.is_t1() => Leg::T1,
            key if key.is_t2() => Leg::T2,
            _ => Leg::Last,
        };
        (of == leg).then(|| comes.reply(&call.claims_of_token()))
    }));
    let secret = ClientCredential::secret("hunter2-hunter2");
    let client = ConfidentialClient::builder(TENANT, BLUEPRINT, secret).http_client(endpoint);
    let source = act(&client.build().unwrap());
    let scopes: Scopes = "api://orders/.default".parse().unwrap();
    let error = source.token(&scopes).await.expect_err(what);
    let hint = error.hint().unwrap().to_owned();
    (what, error.kind(), error.to_string(), hint)
}

#[tokio::test(start_paused = true)]
async fn each_answer_has_its_kind_its_text_and_its_hint() {
    let (mut seen, mut expected) = (Vec::new(), Vec::new());
    let (_, app, _, asked_by_app) = ASKED[0];
    let (_, for_person, _, asked_for_person) = ASKED[4];
    let of_app = OF_AN_APP.iter().map(|row| (row, app, asked_by_app));
    let for_a_person = FOR_A_PERSON
        .iter()
        .map(|row| (row, for_person, asked_for_person));
    for ((what, comes, kind, text, hint), act, asked) in of_app.chain(for_a_person) {
        seen.push(told(what, act, Leg::Last, comes).await);
        let text = filled(&format!("{asked}{text}"));
        expected.push((*what, *kind, text, (*hint).to_owned()));
    }
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn each_text_says_what_was_asked() {
    let mut seen = Vec::new();
    for (what, act, leg, _) in ASKED {
        let (_, _, text, _) = told(what, act, leg, &Comes::NoConnection).await;
        seen.push((what, text));
    }
    let expected = ASKED.map(|(what, _, _, asked)| (what, filled(&format!("{asked}{NO_ANSWER}"))));
    assert_eq!(seen, expected);
}

/// With the ids.
fn filled(text: &str) -> String {
    let text = text.replace("{app}", BLUEPRINT).replace("{tenant}", TENANT);
    let caller = claims_of(&assertion(0).0)["oid"].clone();
    let text = text.replace("{caller}", caller.as_str().unwrap());
    text.replace("{agent}", AGENT)
}

const NO_ANSWER: &str = "the token endpoint gave no answer: connection refused";
