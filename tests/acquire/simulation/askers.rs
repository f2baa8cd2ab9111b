//! Those who ask, in every way to act, and what they check of each answer.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_entra::acquire::{
    AccessToken, AcquireError, AcquireErrorKind, AgentUser, ClientCredential, ConfidentialClient,
    Scopes, TokenOptions, TokenSource,
};

use super::{
    super::{
        assertions::{BLUEPRINT, TENANT, assertion},
        endpoint::{Endpoint, Key, Who, claims_of, end_of, jwt},
        scripted::{agent, user},
    },
    desk::Time,
    entra::{APP, Entra, OTHER_BLUEPRINT, legs},
    oracle::Wish,
    script::Random,
};

/// One identity that asks for one token.
pub(crate) struct Asker {
    source: TokenSource,
    scopes: Scopes,
    pub(crate) key: Key,
    key_in_token: String,
    legs: Vec<Key>,
}

/// Every way to act, of several agents, users and tenants.
pub(crate) fn askers(endpoint: &Endpoint<Entra>) -> Vec<Asker> {
    let credential = {
        let endpoint = endpoint.clone();
        ClientCredential::assertion(move |_| {
            let entra = endpoint.lock();
            let (_, known) = entra.versions(entra.now());
            let assertion = jwt(&serde_json::json!({ "version": known }));
            async move { Ok::<_, std::io::Error>(assertion) }
        })
    };
    let client = |id: &str, credential| {
        let builder = ConfidentialClient::builder(TENANT, id, credential);
        builder.http_client(endpoint.clone()).build().unwrap()
    };
    let blueprint = client(BLUEPRINT, credential.clone());
    let other_blueprint = client(OTHER_BLUEPRINT, credential);
    let app = client(APP, ClientCredential::secret("s"));

    let mut askers = Vec::new();
    let mut enter = |source: TokenSource, tenant: &str, who: Who, scope: &str| {
        let key = Key::new(tenant, who, scope);
        askers.push(Asker {
            source,
            scopes: scope.parse().unwrap(),
            legs: legs(&key),
            key_in_token: format!("{key:?}"),
            key,
        });
    };
    let on_behalf_of = |client: &str, text: &str| Who::OnBehalfOf {
        client: client.to_owned(),
        assertion: end_of(text),
    };
    let by_user = |agent: &str, user: &str| Who::AgentUser {
        agent: agent.to_owned(),
        user: user.to_owned(),
    };
    for number in 0..3 {
        let id = agent(number);
        let agent = blueprint.agent(&id);
        for scope in SCOPES {
            enter(agent.itself(), TENANT, Who::Itself(id.clone()), scope);
        }
        for number in 0..2 {
            let user = user(number);
            let source = agent.user(AgentUser::object_id(user.parse().unwrap()));
            enter(source, TENANT, by_user(&id, &user), "api://one/A");
        }
        let source = agent.user(AgentUser::principal_name("Agent@contoso.com"));
        enter(
            source,
            TENANT,
            by_user(&id, "agent@contoso.com"),
            "api://one/A",
        );
        for number in 0..3 {
            let (text, assertion) = assertion(number);
            let source = agent.on_behalf_of(assertion);
            enter(source, TENANT, on_behalf_of(&id, text), "api://one/A");
        }
    }
    let elsewhere = blueprint.in_tenant(OTHER_TENANT).agent(agent(0));
    let who = Who::Itself(agent(0));
    enter(elsewhere.itself(), OTHER_TENANT, who, SCOPES[0]);
    let source = elsewhere.user(AgentUser::object_id(user(0).parse().unwrap()));
    enter(
        source,
        OTHER_TENANT,
        by_user(&agent(0), &user(0)),
        "api://one/A",
    );
    let who = Who::Itself(BLUEPRINT.to_owned());
    enter(blueprint.itself(), TENANT, who, SCOPES[0]);
    let (text, alice) = assertion(0);
    let who = on_behalf_of(BLUEPRINT, text);
    enter(blueprint.on_behalf_of(alice), TENANT, who, "api://one/A");
    let other = other_blueprint.agent(agent(9));
    enter(other.itself(), TENANT, Who::Itself(agent(9)), SCOPES[0]);
    let source = other.user(AgentUser::object_id(user(0).parse().unwrap()));
    enter(source, TENANT, by_user(&agent(9), &user(0)), "api://one/A");
    enter(app.itself(), TENANT, Who::Itself(APP.to_owned()), SCOPES[0]);
    let who = on_behalf_of(APP, text);
    enter(app.on_behalf_of(alice), TENANT, who, "api://one/A");
    askers
}

const CLAIMS: [&str; 2] = [
    r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#,
    r#"{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}"#,
];

/// Asks once, and checks the answer. Returns the token.
pub(crate) async fn ask(
    endpoint: &Endpoint<Entra>,
    asker: &Asker,
    random: &mut Random,
    last: Option<AccessToken>,
) -> Option<AccessToken> {
    let Asker { key, legs, .. } = asker;
    let (wish, options) = match random.below(100) {
        0 => (Wish::Fresh, TokenOptions::default().force_refresh(true)),
        1 => {
            let claims = random.one_of(&CLAIMS);
            let options = TokenOptions::default().claims(claims);
            let options = match last {
                Some(last) if random.happens(700) => options.refused(last),
                _ => options,
            };
            (Wish::Claims(claims.to_owned()), options)
        }
        _ => (Wish::Any, TokenOptions::default()),
    };
    let (asked, at_once, must_renew) = {
        let mut entra = endpoint.lock();
        let now = entra.now();
        let is_plain = wish == Wish::Any;
        let at_once = is_plain && entra.oracle.must_not_wait(now, key);
        let must_renew = is_plain && entra.oracle.must_renew(now, key, legs);
        entra.oracle.asks(now, key, legs, &wish);
        (now, at_once, must_renew)
    };
    let got = timeout(
        70 * Duration::from_secs(1),
        asker.source.token_with(&asker.scopes, options),
    );
    let got = got.await.expect("an answer within the limits");
    let token = check(endpoint, asker, asked, &wish, at_once, got);
    if must_renew {
        sleep(Duration::from_millis(1)).await;
        let is_renewed = endpoint.lock().oracle.was_requested_since(asked, key);
        assert!(
            is_renewed,
            "{key:?}: asked for at {asked:?} and not renewed"
        );
    }
    token
}

fn check(
    endpoint: &Endpoint<Entra>,
    asker: &Asker,
    asked: Time,
    wish: &Wish,
    at_once: bool,
    got: Result<AccessToken, AcquireError>,
) -> Option<AccessToken> {
    let Asker { key, legs, .. } = asker;
    let mut entra = endpoint.lock();
    let now = entra.now();
    entra.oracle.answered(asked, key, wish);
    let token = match got {
        Ok(token) => {
            let claims = claims_of(token.secret());
            assert_eq!(
                claims["key"], asker.key_in_token,
                "the token of another identity"
            );
            let serial = claims["serial"].as_u64().unwrap();
            entra.oracle.handed_out(asked, now, key, legs, serial, wish);
            Some(token)
        }
        Err(error) => {
            let is_transient = matches!(
                error.kind(),
                AcquireErrorKind::Throttled
                    | AcquireErrorKind::Unavailable
                    | AcquireErrorKind::Busy
            );
            entra
                .oracle
                .failed(now, key, wish, is_transient, &error.to_string());
            None
        }
    };
    if at_once {
        assert_eq!(
            now, asked,
            "{key:?}: a caller waited although a token was in hand"
        );
    }
    token
}

const OTHER_TENANT: &str = "22222222-2222-4222-8222-222222222222";
const SCOPES: [&str; 2] = ["api://one/.default", "api://two/.default"];
