//! Each identity gets its own tokens: no two that differ in anything share one, and no answer with the
//! token of another is taken.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::advance};
use tower_entra::acquire::{
    AcquireErrorKind, AcquireSettings, AgentUser, ConfidentialClient, Scopes, TokenOptions,
    TokenSource,
};

use super::{
    assertions::{BLUEPRINT, TENANT, assertion},
    endpoint::{Call, EXCHANGE, Endpoint, Key, Reply, Who, claims_of, end_of, jwt},
    scripted::{Scripted, agent, client, user, with_settings},
};

const OTHER_TENANT: &str = "22222222-2222-4222-8222-222222222222";
const UPN: &str = "agent1@contoso.com";

/// One identity that asks for one token.
#[derive(Clone)]
struct Identity {
    source: TokenSource,
    scopes: Scopes,
    claims: Option<&'static str>,
    key: Key,
}

impl Identity {
    async fn ask(&self) -> Result<String, AcquireErrorKind> {
        let options = match self.claims {
            Some(claims) => TokenOptions::default().claims(claims),
            None => TokenOptions::default(),
        };
        let got = self.source.token_with(&self.scopes, options).await;
        let token = got.map_err(|error| error.kind())?;
        Ok(token.secret().to_owned())
    }

    /// Asks, and checks whose token it is.
    async fn ask_for_its_own(&self) -> String {
        let token = self.ask().await.unwrap();
        let claims = claims_of(&token);
        assert_eq!(claims["key"], format!("{:?}", self.key));
        if self.claims.is_some() {
            assert_eq!(claims["for"].as_str(), self.claims);
        }
        token
    }
}

/// Identities of which no two may share a token.
fn identities(client: &ConfidentialClient) -> Vec<Identity> {
    let mut all = Vec::new();
    let mut enter = |source: TokenSource, tenant: &str, who: Who, scope: &str| {
        all.push(Identity {
            source,
            scopes: scope.parse().unwrap(),
            claims: None,
            key: Key::new(tenant, who, scope),
        });
    };
    let itself = |id: &str| Who::Itself(id.to_owned());
    let on_behalf_of = |client: &str, number: usize| Who::OnBehalfOf {
        client: client.to_owned(),
        assertion: end_of(&assertion(number).0),
    };
    let by_user = |agent: &str, user: &str| Who::AgentUser {
        agent: agent.to_owned(),
        user: user.to_owned(),
    };
    let elsewhere = client.in_tenant(OTHER_TENANT);
    for (client, tenant) in [(client, TENANT), (&elsewhere, OTHER_TENANT)] {
        // The resource of one is the beginning of that of the other.
        for scope in ["api://one/.default", "api://one/.default/.default"] {
            enter(client.itself(), tenant, itself(BLUEPRINT), scope);
        }
        for number in 0..2 {
            let id = agent(number);
            let source = client.agent(&id).itself();
            enter(source, tenant, itself(&id), "api://one/.default");
            for user in [user(0), user(1)] {
                let account = AgentUser::object_id(user.parse().unwrap());
                let source = client.agent(&id).user(account);
                enter(source, tenant, by_user(&id, &user), "api://one/A");
            }
        }
    }
    let first = agent(0);
    let account = |user: &str| client.agent(&first).user(AgentUser::principal_name(user));
    enter(account(UPN), TENANT, by_user(&first, UPN), "api://one/A");
    // A name that has an object id in it.
    let name = format!("{}@contoso.com", user(0));
    enter(
        account(&name),
        TENANT,
        by_user(&first, &name),
        "api://one/A",
    );
    // Scopes that are the beginning of others, and more of them.
    for scope in [
        "api://one/A.B",
        "api://one/A api://one/B",
        "api://one/AA",
        "api://two/A",
    ] {
        enter(account(UPN), TENANT, by_user(&first, UPN), scope);
    }
    for number in 0..3 {
        let (_, assertion) = assertion(number);
        for id in [&first, &agent(1)] {
            let source = client.agent(id).on_behalf_of(assertion);
            enter(source, TENANT, on_behalf_of(id, number), "api://one/A");
        }
        let source = client.on_behalf_of(assertion);
        enter(
            source,
            TENANT,
            on_behalf_of(BLUEPRINT, number),
            "api://one/A",
        );
    }
    // The scope of T1 and T2: the agent's own token for it is T2, and the client's is no T1.
    enter(client.itself(), TENANT, itself(BLUEPRINT), EXCHANGE);
    enter(
        client.agent(&first).itself(),
        TENANT,
        itself(&first),
        EXCHANGE,
    );
    all
}

#[tokio::test(start_paused = true)]
async fn all_identities_one_after_the_other_get_their_own_tokens() {
    let endpoint = Scripted::start();
    let all = identities(&client(&endpoint));
    let mut tokens = Vec::new();
    for identity in &all {
        tokens.push(identity.ask_for_its_own().await);
    }
    for identity in &all {
        let endpoint = endpoint.lock();
        assert_eq!(
            endpoint.requests_for(&identity.key),
            1,
            "{:?}",
            identity.key
        );
    }
    let requests = endpoint.lock().requests();
    for (identity, token) in all.iter().zip(&tokens).rev() {
        assert_eq!(&identity.ask_for_its_own().await, token);
    }
    assert_eq!(endpoint.lock().requests(), requests);
}

#[tokio::test(start_paused = true)]
async fn each_pair_of_identities_gets_its_own_tokens_in_turn_and_at_once() {
    let endpoint = Scripted::start();
    let all = identities(&client(&endpoint));
    let expire = || advance(Duration::from_secs(4_000));
    for (at, first) in all.iter().enumerate() {
        for (other, second) in all.iter().enumerate() {
            let one = first.ask_for_its_own().await;
            let two = second.ask_for_its_own().await;
            assert_eq!(one == two, at == other);
            expire().await;
            let (one, two) = tokio::join!(first.ask_for_its_own(), second.ask_for_its_own());
            assert_eq!(one == two, at == other);
            expire().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_room_for_one_token_each_identity_still_gets_its_own() {
    let endpoint = Scripted::start();
    let settings = AcquireSettings::default().with_max_entries(1);
    let all = identities(&with_settings(&endpoint, settings));
    for _ in 0..3 {
        for identity in &all {
            identity.ask_for_its_own().await;
        }
        let tasks: JoinSet<_> = all
            .iter()
            .cloned()
            .map(|identity| async move { identity.ask_for_its_own().await })
            .collect();
        tasks.join_all().await;
    }
}

#[tokio::test(start_paused = true)]
async fn claims_are_answered_by_a_token_for_these_claims() {
    let endpoint = Scripted::start();
    let client = client(&endpoint);
    for (at, identity) in identities(&client).iter_mut().enumerate() {
        if identity.key.is_t2() {
            continue;
        }
        let mut seen = vec![identity.ask_for_its_own().await];
        for claims in [
            r#"{"access_token":{"a":null}}"#,
            r#"{"access_token":{"a":{}}}"#,
        ] {
            identity.claims = Some(claims);
            let token = identity.ask_for_its_own().await;
            assert!(!seen.contains(&token), "{at}");
            seen.push(token);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_identity_that_is_written_in_two_ways_is_one() {
    let endpoint = Scripted::start();
    let client = client(&endpoint);
    let scopes: Scopes = "api://one/A api://one/B".parse().unwrap();
    let turned: Scopes = "api://one/B api://one/A api://one/B".parse().unwrap();
    let upper = |text: &str| text.to_uppercase();
    let agent = agent(0xab);
    for (one, other) in [
        (
            client.agent(&agent).user(AgentUser::principal_name(UPN)),
            client
                .agent(upper(&agent))
                .user(AgentUser::principal_name(upper(UPN))),
        ),
        (
            client.agent(&agent).on_behalf_of(&assertion(0).1),
            client
                .in_tenant(upper(TENANT))
                .agent(&agent)
                .on_behalf_of(&assertion(0).1),
        ),
    ] {
        one.token(&scopes).await.unwrap();
        let requests = endpoint.lock().requests();
        other.token(&turned).await.unwrap();
        assert_eq!(endpoint.lock().requests(), requests);
    }
}

/// The members of a token by which it is another's, each alone.
fn of_another(call: &Call, is_of_user: bool, is_oid_known: bool) -> Vec<(&'static str, Value)> {
    let good = call.claims_of_token();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let other = user(99);
    let mut all = vec![
        ("of another client", with("azp", json!(other))),
        ("of another client, in version 1.0", {
            let mut claims = without("azp");
            claims["appid"] = json!(other);
            claims
        }),
        ("of two clients", with("appid", json!(other))),
        ("of no client", without("azp")),
        (
            "of a client that is no text",
            with("azp", json!([call.key.client()])),
        ),
        ("of a client in two cases", with("AZP", json!(other))),
        ("of another tenant", with("tid", json!(other))),
        ("of no tenant", without("tid")),
    ];
    if is_of_user {
        all.push(("of an app", with("idtyp", json!("app"))));
        all.push(("of an app by its signs", {
            let mut claims = without("scp");
            claims["sub"] = claims["oid"].clone();
            claims
        }));
    } else {
        all.push(("with a scope", with("scp", json!("A"))));
        all.push(("of a user", with("idtyp", json!("user"))));
    }
    if is_oid_known {
        all.push(("of another user", with("oid", json!(other))));
        all.push(("of a user who is no GUID", with("oid", json!("alice"))));
    }
    all
}

/// Each way to act, and what its answer can be checked for: whether it is of a user, and of which.
fn ways(client: &ConfidentialClient) -> Vec<(Identity, bool, bool)> {
    let of = |who: &dyn Fn(&Who) -> bool| {
        let all = identities(client);
        all.into_iter()
            .find(|identity| who(&identity.key.who))
            .unwrap()
    };
    let first = agent(0);
    let by_oid = user(0);
    vec![
        (
            of(&|who| *who == Who::Itself(BLUEPRINT.to_owned())),
            false,
            false,
        ),
        (of(&|who| *who == Who::Itself(first.clone())), false, false),
        (
            of(&|who| matches!(who, Who::AgentUser { user, .. } if *user == by_oid)),
            true,
            true,
        ),
        (
            of(&|who| matches!(who, Who::AgentUser { user, .. } if user == UPN)),
            true,
            false,
        ),
        (
            of(&|who| matches!(who, Who::OnBehalfOf { client, .. } if *client == first)),
            true,
            true,
        ),
        (
            of(&|who| matches!(who, Who::OnBehalfOf { client, .. } if client == BLUEPRINT)),
            true,
            true,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_token_of_another_is_refused_and_not_kept() {
    let endpoint = Scripted::start();
    let client = client(&endpoint);
    for (identity, is_of_user, is_oid_known) in ways(&client) {
        refuses_others(
            &endpoint,
            &identity,
            &identity.key,
            (is_of_user, is_oid_known),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_t1_or_t2_of_another_is_refused_and_not_used() {
    let endpoint = Scripted::start();
    let client = client(&endpoint);
    let (by_user, ..) = ways(&client).swap_remove(2);
    let t1 = Who::AgentAssertion {
        blueprint: BLUEPRINT.to_owned(),
        agent: agent(0),
    };
    for who in [t1, Who::Itself(agent(0))] {
        let key = Key::new(TENANT, who, EXCHANGE);
        refuses_others(&endpoint, &by_user, &key, (false, false)).await;
    }
}

/// The request for the token of this key is answered with the tokens of others, while the identity asks.
async fn refuses_others(
    endpoint: &Endpoint<Scripted>,
    identity: &Identity,
    key: &Key,
    (is_of_user, is_oid_known): (bool, bool),
) {
    for at in 0.. {
        // The good one has expired, and so have T1 and T2, before the next is tried.
        advance(Duration::from_secs(4_000)).await;
        let of = key.clone();
        let instead = move |call: &Call| {
            if call.key != of {
                return None;
            }
            let all = of_another(call, is_of_user, is_oid_known);
            let (_, claims) = all.get(at)?;
            Some(Reply::granted(&jwt(claims), 3_599))
        };
        endpoint.lock().instead = Some(Box::new(instead));
        let before = endpoint.lock().requests_for(key);
        match identity.ask().await {
            // There are no more.
            Ok(_) => {
                assert!(at >= 10, "{at} was taken: {key:?}");
                endpoint.lock().instead = None;
                return;
            }
            Err(kind) => assert_eq!(kind, AcquireErrorKind::IdentityMismatch, "{at}"),
        }
        assert_eq!(endpoint.lock().requests_for(key), before + 1, "{at}");
        // It is remembered for 5 s, and nothing else is.
        advance(Duration::from_millis(4_990)).await;
        assert_eq!(
            identity.ask().await,
            Err(AcquireErrorKind::IdentityMismatch)
        );
        assert_eq!(endpoint.lock().requests_for(key), before + 1, "{at}");
        advance(Duration::from_secs(5)).await;
        endpoint.lock().instead = None;
        identity.ask_for_its_own().await;
        assert_eq!(endpoint.lock().requests_for(key), before + 2, "{at}");
    }
}
