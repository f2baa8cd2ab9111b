//! No answer with the token of another identity is taken.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::advance;
use tower_entra::acquire::AcquireErrorKind;

use super::{
    assertions::{BLUEPRINT, TENANT},
    endpoint::{Call, EXCHANGE, Endpoint, Key, Reply, Who, jwt},
    identities::{AGENT, Identity, Part, UPN, USER, identities},
    scripted::{Scripted, agent, user},
};

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
fn ways(endpoint: &Endpoint<Scripted>) -> Vec<(Identity, bool, bool)> {
    let all = identities(endpoint);
    [
        ("itself", "no user", false, false),
        (AGENT, "no user", false, false),
        (AGENT, USER, true, true),
        (AGENT, UPN, true, false),
        (AGENT, "the caller of token 0", true, true),
        ("itself", "the caller of token 0", true, true),
    ]
    .map(|(agent, user, is_of_user, is_oid_known)| {
        let is_it = |identity: &&Identity| {
            [identity.parts[&Part::Agent], identity.parts[&Part::User]] == [agent, user]
        };
        let identity = all.iter().find(is_it).unwrap();
        (identity.clone(), is_of_user, is_oid_known)
    })
    .into()
}

#[tokio::test(start_paused = true)]
async fn the_token_of_another_is_refused_and_not_kept() {
    let endpoint = Scripted::start();
    for (identity, is_of_user, is_oid_known) in ways(&endpoint) {
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
    let (by_user, ..) = ways(&endpoint).swap_remove(2);
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
