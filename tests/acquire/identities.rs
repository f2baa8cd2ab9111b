//! Each identity gets its own tokens: no two that differ in anything share one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{task::JoinSet, time::advance};
use tower_entra::{
    Authority,
    acquire::{
        AcquireErrorKind, AcquireSettings, AgentUser, ClientCredential, ConfidentialClient, Scopes,
        TokenOptions, TokenSource,
    },
};

use super::{
    assertions::{BLUEPRINT, OTHER_BLUEPRINT, OTHER_TENANT, TENANT, assertion, assertion_for},
    endpoint::{Endpoint, Key, Who, claims_of, end_of, exchange_at},
    scripted::{Scripted, agent, client, with_settings},
};

pub(crate) const UPN: &str = "agent1@contoso.com";

/// What is different between identities. Each has a value of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Cloud,
    Client,
    Credential,
    Tenant,
    /// `itself` is the client without an agent.
    Agent,
    /// The user, and how the client or the agent has come to act for it. `no user`: as itself.
    User,
    Scopes,
}

pub(crate) type Parts = BTreeMap<Part, &'static str>;

/// The values of each part: ordinary ones, and others. An identity has at most one of the others.
const VALUES: [(Part, &[&str], &[&str]); 7] = [
    (
        Part::Cloud,
        &["login.microsoftonline.com"],
        &["login.microsoftonline.us"],
    ),
    (Part::Client, &[BLUEPRINT], &[OTHER_BLUEPRINT]),
    (Part::Credential, &["one secret"], &["another secret"]),
    (Part::Tenant, &[TENANT], &[OTHER_TENANT]),
    (
        Part::Agent,
        &["itself", AGENT],
        // One has the id of the client.
        &[OTHER_AGENT, BLUEPRINT],
    ),
    (
        Part::User,
        &["no user", "the caller of token 0", USER, UPN],
        &[
            // Of the same user.
            "the caller of token 1",
            "the caller of token 2",
            OTHER_USER,
            "agent2@contoso.com",
            // A name that has an object id in it.
            "00000000-0000-4000-9000-000000000000@contoso.com",
            // The agent's own id.
            AGENT,
        ],
    ),
    (
        Part::Scopes,
        &["api://one/.default", "api://one/A"],
        &[
            "api://two/.default",
            // The resource of one is the beginning of that of the other.
            "api://one/.default/.default",
            "exchange",
            // Scopes that are the beginning of others, and more of them.
            "api://one/A.B",
            "api://one/AA",
            "api://one/A api://one/B",
            "api://two/A",
        ],
    ),
];

pub(crate) const AGENT: &str = "00000000-0000-4000-8000-000000000000";
const OTHER_AGENT: &str = "00000000-0000-4000-8000-000000000001";
pub(crate) const USER: &str = "00000000-0000-4000-9000-000000000000";
const OTHER_USER: &str = "00000000-0000-4000-9000-000000000001";
const CALLER: &str = "the caller of token ";

/// One identity that asks for one token.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) parts: Parts,
    source: TokenSource,
    scopes: Scopes,
    claims: Option<&'static str>,
    pub(crate) key: Key,
    /// The credential that the token must come of.
    by: String,
}

impl Identity {
    pub(crate) async fn ask(&self) -> Result<String, AcquireErrorKind> {
        let options = match self.claims {
            Some(claims) => TokenOptions::default().claims(claims),
            None => TokenOptions::default(),
        };
        let got = self.source.token_with(&self.scopes, options).await;
        let token = got.map_err(|error| error.kind())?;
        Ok(token.secret().to_owned())
    }

    /// Asks, and checks whose token it is.
    pub(crate) async fn ask_for_its_own(&self) -> String {
        let token = self.ask().await.unwrap();
        let claims = claims_of(&token);
        assert_eq!(claims["key"], format!("{:?}", self.key));
        assert_eq!(claims["host"], self.parts[&Part::Cloud]);
        assert_eq!(claims["by"], self.by);
        if self.claims.is_some() {
            assert_eq!(claims["for"].as_str(), self.claims);
        }
        token
    }

    /// The parts in which two identities differ.
    fn differs_in(&self, other: &Self) -> Vec<Part> {
        let parts = self.parts.iter();
        let others = parts.filter(|&(part, value)| other.parts[part] != *value);
        others.map(|(part, _)| *part).collect()
    }

    fn is_of_the_ordinary_client(&self) -> bool {
        let values = VALUES
            .iter()
            .filter(|(part, ..)| OF_THE_CLIENT.contains(part));
        values
            .clone()
            .all(|(part, ordinary, _)| ordinary.contains(&self.parts[part]))
    }
}

/// Another of these is another client, with a cache of its own.
const OF_THE_CLIENT: [Part; 3] = [Part::Cloud, Part::Client, Part::Credential];

/// Every identity that can exist.
pub(crate) fn identities(endpoint: &Endpoint<Scripted>) -> Vec<Identity> {
    // How many others each has.
    let mut all = vec![(0, Parts::new())];
    for (part, ordinary, others) in VALUES {
        let values = ordinary.iter().map(|value| (0, value));
        let values = values.chain(others.iter().map(|value| (1, value)));
        let with = |(count, parts): (usize, Parts)| {
            values.clone().map(move |(more, value)| {
                let mut parts = parts.clone();
                parts.insert(part, *value);
                (count + more, parts)
            })
        };
        all = all
            .into_iter()
            .flat_map(with)
            .filter(|(count, _)| *count <= 1)
            .collect();
    }
    let mut clients = BTreeMap::new();
    let all = all.into_iter().map(|(_, parts)| parts).filter(can_exist);
    all.map(|parts| {
        let [cloud, id, credential] = OF_THE_CLIENT.map(|part| parts[&part]);
        let client = clients.entry([cloud, id, credential]).or_insert_with(|| {
            let authority = match cloud {
                "login.microsoftonline.us" => Authority::us_government(),
                _ => Authority::public(),
            };
            let secret = ClientCredential::secret(credential);
            let client = ConfidentialClient::builder(TENANT, id, secret).authority(authority);
            client.http_client(endpoint.clone()).build().unwrap()
        });
        identity(client, parts)
    })
    .collect()
}

fn can_exist(parts: &Parts) -> bool {
    let of = |part| parts[&part];
    let has_no_user = of(Part::User) == "no user";
    let is_default = of(Part::Scopes).ends_with("/.default") || of(Part::Scopes) == "exchange";
    let is_caller = of(Part::User).starts_with(CALLER);
    (is_default || !has_no_user) && (has_no_user || is_caller || of(Part::Agent) != "itself")
}

fn identity(client: &ConfidentialClient, parts: Parts) -> Identity {
    let of = |part| parts[&part];
    let (id, tenant, agent, user) = (
        of(Part::Client),
        of(Part::Tenant),
        of(Part::Agent),
        of(Part::User),
    );
    let scope = match of(Part::Scopes) {
        "exchange" => exchange_at(of(Part::Cloud)),
        scope => scope,
    };
    let client = client.in_tenant(tenant);
    let acts = match agent {
        "itself" => id,
        agent => agent,
    };
    let agents = client.agent(acts);
    let (source, who) = match (user, user.strip_prefix(CALLER)) {
        ("no user", _) => {
            let source = match agent {
                "itself" => client.itself(),
                _ => agents.itself(),
            };
            (source, Who::Itself(acts.to_owned()))
        }
        (_, Some(number)) => {
            let (text, assertion) = assertion_for(tenant, id, number.parse().unwrap());
            let source = match agent {
                "itself" => client.on_behalf_of(assertion),
                _ => agents.on_behalf_of(assertion),
            };
            let who = Who::OnBehalfOf {
                client: acts.to_owned(),
                assertion: end_of(text),
            };
            (source, who)
        }
        (name, None) => {
            let account = match name.parse() {
                Ok(id) => AgentUser::object_id(id),
                Err(_) => AgentUser::principal_name(name),
            };
            let who = Who::AgentUser {
                agent: acts.to_owned(),
                user: name.to_owned(),
            };
            (agents.user(account), who)
        }
    };
    let credential = of(Part::Credential);
    let by = match (agent, &who) {
        ("itself", _) => credential.to_owned(),
        (_, Who::AgentUser { .. }) => {
            format!("T1 of {id} by {credential} and T2 by T1 of {id} by {credential}")
        }
        _ => format!("T1 of {id} by {credential}"),
    };
    Identity {
        source,
        scopes: scope.parse().unwrap(),
        claims: None,
        key: Key::new(tenant, who, scope),
        by,
        parts,
    }
}

#[tokio::test(start_paused = true)]
async fn all_identities_one_after_the_other_get_their_own_tokens() {
    let endpoint = Scripted::start();
    let all = identities(&endpoint);
    let mut tokens = Vec::new();
    for identity in &all {
        tokens.push(identity.ask_for_its_own().await);
    }
    let different: BTreeSet<_> = tokens.iter().collect();
    assert_eq!(different.len(), all.len());
    let requests = endpoint.lock().requests();
    for (identity, token) in all.iter().zip(&tokens).rev() {
        assert_eq!(&identity.ask_for_its_own().await, token);
    }
    assert_eq!(endpoint.lock().requests(), requests);
}

#[tokio::test(start_paused = true)]
async fn each_pair_of_identities_that_differ_in_one_thing_gets_its_own_tokens() {
    let endpoint = Scripted::start();
    let all = identities(&endpoint);
    let mut pairs = BTreeMap::new();
    for (at, first) in all.iter().enumerate() {
        for second in &all[at + 1..] {
            // What the identities of another client have in common with each other is tried once.
            if let [part] = first.differs_in(second)[..]
                && (first.is_of_the_ordinary_client() || second.is_of_the_ordinary_client())
            {
                *pairs.entry(part).or_insert(0) += 1;
                get_their_own(first, second).await;
            }
        }
    }
    for (part, ..) in VALUES {
        let count = pairs.get(&part).copied().unwrap_or_default();
        assert!(count >= 10, "{part:?}: {pairs:?}");
    }
}

/// A key that is a joined text is the same for two that differ in more than one thing.
#[tokio::test(start_paused = true)]
async fn each_pair_of_identities_of_one_client_gets_its_own_tokens() {
    let endpoint = Scripted::start();
    let mut all = identities(&endpoint);
    all.retain(|one| {
        one.is_of_the_ordinary_client() && one.parts[&Part::Scopes] == "api://one/.default"
    });
    for (at, first) in all.iter().enumerate() {
        for second in &all[at + 1..] {
            get_their_own(first, second).await;
        }
    }
}

/// In turn and at once, in both orders, each time with nothing in the cache.
async fn get_their_own(first: &Identity, second: &Identity) {
    for (first, second) in [(first, second), (second, first)] {
        let pair = (&first.parts, &second.parts);
        let one = first.ask_for_its_own().await;
        let two = second.ask_for_its_own().await;
        assert_ne!(one, two, "{pair:?}");
        expire().await;
        let (one, two) = tokio::join!(first.ask_for_its_own(), second.ask_for_its_own());
        assert_ne!(one, two, "{pair:?}");
        expire().await;
    }
}

/// Every token has expired.
async fn expire() {
    advance(Duration::from_secs(4_000)).await;
}

#[tokio::test(start_paused = true)]
async fn with_room_for_one_token_each_identity_still_gets_its_own() {
    let endpoint = Scripted::start();
    let settings = AcquireSettings::default().with_max_entries(1);
    let client = with_settings(&endpoint, settings);
    let all = identities(&endpoint).into_iter();
    let all: Vec<_> = all
        .filter(Identity::is_of_the_ordinary_client)
        .map(|one| Identity {
            by: one.by.replace("one secret", "s"),
            ..identity(&client, one.parts)
        })
        .collect();
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
    let wanted = [
        None,
        Some(r#"{"access_token":{"a":null}}"#),
        Some(r#"{"access_token":{"a":{}}}"#),
    ];
    let endpoint = Scripted::start();
    for identity in identities(&endpoint) {
        if identity.key.is_t2() {
            continue;
        }
        for one in wanted {
            for other in wanted.into_iter().filter(|other| *other != one) {
                let first = Identity {
                    claims: one,
                    ..identity.clone()
                };
                let second = Identity {
                    claims: other,
                    ..identity.clone()
                };
                let token = first.ask_for_its_own().await;
                // A token for claims is as good as one without.
                let again = second.ask_for_its_own().await;
                assert_eq!(token == again, other.is_none(), "{:?}", identity.parts);
                expire().await;
                tokio::join!(first.ask_for_its_own(), second.ask_for_its_own());
                expire().await;
            }
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
