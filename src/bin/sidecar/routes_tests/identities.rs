//! Whose token comes back, in every combination of what can decide it.

use super::*;

/// What a request has, and how it is configured.
#[derive(Clone, Copy, Debug)]
struct Case {
    protected: bool,
    agent: bool,
    user_name: bool,
    user_id: bool,
    app_token: AppToken,
    inbound: Token,
    allowed: bool,
    ignores_denied: bool,
    is_lenient: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum AppToken {
    No,
    Configured,
    Override,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    None,
    OfUser,
    OfApp,
    Expired,
}

/// What is to come back.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Refused(u16),
    Identity {
        client: String,
        /// `None`: a token without a user.
        user: Option<String>,
    },
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 0..128_u32 {
        let bit = |at: u32| bits & (1 << at) != 0;
        for app_token in [AppToken::No, AppToken::Configured, AppToken::Override] {
            for inbound in [Token::None, Token::OfUser, Token::OfApp, Token::Expired] {
                cases.push(Case {
                    protected: bit(0),
                    agent: bit(1),
                    user_name: bit(2),
                    user_id: bit(3),
                    app_token,
                    inbound,
                    allowed: bit(4),
                    ignores_denied: bit(5),
                    is_lenient: bit(6),
                });
            }
        }
    }
    cases
}

impl Case {
    /// By the words of the contract, not by the code.
    fn expected(&self, issuer: &Issuer) -> Expected {
        let names_any = self.agent || self.user_name || self.user_id;
        let has_good_token = matches!(self.inbound, Token::OfUser | Token::OfApp);
        if self.protected && !has_good_token {
            return Expected::Refused(401);
        }
        if names_any && !self.allowed && !self.ignores_denied {
            return Expected::Refused(403);
        }
        let counts = names_any && self.allowed;
        if counts && !self.is_lenient {
            if (self.user_name || self.user_id) && !self.agent {
                return Expected::Refused(400);
            }
            if self.user_name && self.user_id {
                return Expected::Refused(400);
            }
        }
        let agent = self.allowed && self.agent;
        let client = match agent {
            true => issuer.agent_id(),
            false => issuer.blueprint_id(),
        };
        let of = |user: Option<String>| Expected::Identity {
            client: client.to_owned(),
            user,
        };
        let overrides_app = self.app_token == AppToken::Override && self.allowed;
        if agent && (self.user_name || self.user_id) {
            return match overrides_app {
                true => Expected::Refused(400),
                false if self.user_name => of(Some(issuer.object_id_of("second"))),
                false => of(Some(issuer.agent_user_id())),
            };
        }
        if overrides_app || self.app_token == AppToken::Configured {
            return of(None);
        }
        match self.inbound {
            Token::OfUser => of(Some(issuer.object_id_of("alice"))),
            Token::OfApp | Token::None | Token::Expired => Expected::Refused(401),
        }
    }

    fn path(&self, issuer: &Issuer, api: &str) -> String {
        let route = match self.protected {
            true => "AuthorizationHeader",
            false => "AuthorizationHeaderUnauthenticated",
        };
        let configured = match self.app_token {
            AppToken::Configured => "-app",
            _ => "",
        };
        let mut query = Vec::new();
        if self.agent {
            query.push(format!("AgentIdentity={}", issuer.agent_id()));
        }
        if self.user_name {
            query.push("AgentUsername=second%40example.com".to_owned());
        }
        if self.user_id {
            query.push(format!("AgentUserId={}", issuer.agent_user_id()));
        }
        if self.app_token == AppToken::Override {
            query.push("optionsOverride.RequestAppToken=true".to_owned());
        }
        format!("/{route}/{api}{configured}?{}", query.join("&"))
    }
}

#[tokio::test]
async fn no_combination_gives_the_token_of_another_identity_than_the_one_asked_for() {
    let issuer = Issuer::start().await;
    let _ = issuer.blueprint().agent().add_user("second");
    let tokens = [
        issuer.blueprint().user_token("alice").mint(),
        issuer.blueprint().app_token().mint(),
        issuer.blueprint().user_token("alice").expired().mint(),
    ];
    let mut routers = Vec::new();
    for bits in 0..8_u32 {
        let bit = |at: u32| bits & (1 << at) != 0;
        let router = router_of(&issuer, |settings, issuer| {
            settings.allow_overrides.authorization_header = bit(0);
            settings
                .allow_overrides
                .authorization_header_unauthenticated = bit(0);
            settings.ignore_denied_agents = bit(1);
            settings.lenient_agent_parameters = bit(2);
            for (name, resource) in [
                ("orders", issuer.api().resource()),
                ("graph", "https://graph.microsoft.com"),
            ] {
                settings.apis.insert(name.to_owned(), api(resource));
                let app = crate::settings::Api {
                    request_app_token: true,
                    ..api(resource)
                };
                settings.apis.insert(format!("{name}-app"), app);
            }
        });
        routers.push(router.await);
    }
    let mut seen = std::collections::BTreeMap::new();
    for case in cases() {
        let at = usize::from(case.allowed)
            + 2 * usize::from(case.ignores_denied)
            + 4 * usize::from(case.is_lenient);
        let [of_user, of_app, expired] = &tokens;
        let token = match case.inbound {
            Token::None => None,
            Token::OfUser => Some(of_user.as_str()),
            Token::OfApp => Some(of_app.as_str()),
            Token::Expired => Some(expired.as_str()),
        };
        let expected = case.expected(&issuer);
        for api in ["orders", "graph"] {
            let answer = send(&routers[at], "GET", &case.path(&issuer, api), token).await;
            let context = || format!("{case:?} {api}: {answer:?}");
            match &expected {
                Expected::Refused(status) => {
                    assert_eq!(answer.status, *status, "{}", context());
                    assert!(!answer.body.contains("eyJ"), "{}", context());
                    assert!(!answer.body.contains("AADSTS"), "{}", context());
                }
                // What Entra refuses to this identity, and to it only.
                Expected::Identity { client, user: None }
                    if api == "orders" && client == issuer.blueprint_id() =>
                {
                    assert_eq!(
                        answer.problem(401)["errorCode"],
                        "AADSTS82001",
                        "{}",
                        context()
                    );
                }
                Expected::Identity {
                    client,
                    user: Some(_),
                } if client == issuer.blueprint_id() => {
                    assert_eq!(
                        answer.problem(401)["errorCode"],
                        "AADSTS7000114",
                        "{}",
                        context()
                    );
                }
                Expected::Identity { user: Some(_), .. } if api == "graph" => {
                    assert_eq!(
                        answer.problem(401)["errorCode"],
                        "AADSTS65001",
                        "{}",
                        context()
                    );
                }
                Expected::Identity { client, user } => {
                    let claims = answer.claims();
                    let of = claims.get("azp").or_else(|| claims.get("appid"));
                    assert_eq!(of, Some(&Value::from(client.as_str())), "{}", context());
                    match user {
                        Some(user) => {
                            assert_eq!(claims["oid"], user.as_str(), "{}", context());
                            assert!(claims["scp"].is_string(), "{}", context());
                            assert_ne!(claims["idtyp"], "app", "{}", context());
                        }
                        None => {
                            assert_eq!(claims["idtyp"], "app", "{}", context());
                            assert!(claims.get("scp").is_none(), "{}", context());
                        }
                    }
                    *seen.entry((client.clone(), user.clone())).or_insert(0) += 1;
                }
            }
        }
    }
    // The blueprint as itself; the agent as itself, for alice, and by its two users.
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.values().all(|count| *count > 4), "{seen:?}");
}

#[tokio::test]
async fn an_app_that_is_no_blueprint_acts_as_itself_and_for_its_callers() {
    let world = World::new(|settings, issuer| {
        let client = issuer.client();
        settings.azure_ad.client_id = client.client_id().parse().expect("a GUID");
        let configured = settings.azure_ad.credential.as_mut();
        configured.expect("a credential").credential =
            tower_entra::acquire::ClientCredential::secret(client.secret());
    })
    .await;
    let client = world.issuer.client_id().to_owned();
    let user = world.issuer.user_named("bob").audience(&client).mint();
    let claims = world
        .get("/AuthorizationHeader/orders", Some(&user))
        .await
        .claims();
    assert_eq!(claims["azp"], client.as_str());
    assert_eq!(claims["oid"], world.issuer.object_id_of("bob").as_str());
    let anonymous = "/AuthorizationHeaderUnauthenticated";
    let of_user = world.get(&format!("{anonymous}/orders"), Some(&user)).await;
    assert_eq!(of_user.claims()["oid"], claims["oid"]);
    world
        .get(&format!("{anonymous}/orders"), None)
        .await
        .problem(401);
    for token in [None, Some(&*user)] {
        let claims = world.get(&format!("{anonymous}/app"), token).await.claims();
        assert_eq!(claims["azp"], client.as_str());
        assert_eq!(claims["idtyp"], "app");
    }
}

#[tokio::test]
async fn a_token_that_no_door_admits_sets_no_user_on_an_anonymous_route() {
    let world = World::new(|_, _| {}).await;
    let agent = world.issuer.agent_id();
    let good = world.issuer.blueprint().user_token("alice").mint();
    let path = format!("/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={agent}");
    let admitted = world.get(&path, Some(&good)).await;
    let alice = world.issuer.object_id_of("alice");
    assert_eq!(admitted.claims()["oid"], alice.as_str());

    let user = || world.issuer.blueprint().user_token("alice");
    for token in [
        user().signed_by_stranger().mint(),
        user().audience("api://another").mint(),
        user().tenant("11111111-1111-4111-8111-111111111111").mint(),
        user().unsigned().mint(),
        format!("{good} {good}"),
        "x".to_owned(),
    ] {
        let answer = world.get(&path, Some(&token)).await;
        let problem = answer.problem(401);
        assert_eq!(
            problem["detail"],
            "No account or login hint was passed to the AcquireTokenSilent call."
        );
    }
    let twice = http::Request::get(&path)
        .header("authorization", format!("Bearer {good}"))
        .header("authorization", format!("Bearer {good}"))
        .body(axum::body::Body::empty())
        .expect("a request");
    let answer = world.router.clone().oneshot(twice).await;
    assert_eq!(answer.expect("an answer").status(), 401);
}

#[tokio::test]
async fn without_keys_a_token_on_an_anonymous_route_is_neither_a_user_nor_anonymous() {
    let issuer = Issuer::start().await;
    issuer.fail(tower_entra::testing::Fault::Close);
    let app = App::new(Settings {
        allow_overrides: crate::settings::AllowOverrides {
            authorization_header_unauthenticated: true,
            ..crate::settings::AllowOverrides::default()
        },
        ..settings(&issuer)
    });
    let router = router(&app.expect("an app"));
    let token = issuer.blueprint().user_token("alice").mint();
    let path = format!(
        "/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={}",
        issuer.agent_id()
    );
    let answer = send(&router, "GET", &path, Some(&token)).await;
    answer.problem(503);
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Where no user is needed, the token makes no difference.
    let app_token = format!("{path}&optionsOverride.RequestAppToken=true");
    let answer = send(&router, "GET", &app_token, Some(&token)).await;
    assert_eq!(answer.claims()["idtyp"], "app");
}

#[tokio::test]
async fn an_inbound_token_that_cannot_be_exchanged_is_refused_without_a_request() {
    let world = World::new(|settings, issuer| {
        let blueprint = issuer.blueprint_id();
        settings.azure_ad.audiences = Some(vec![blueprint.to_owned(), "api://another".to_owned()]);
    })
    .await;
    let blueprint = world.issuer.blueprint();
    let agent = world.issuer.agent_id();
    for (token, words) in [
        (blueprint.app_token().mint(), "cannot be exchanged"),
        (
            blueprint
                .user_token("alice")
                .audience("api://another")
                .mint(),
            "cannot be exchanged",
        ),
    ] {
        let path = format!("/AuthorizationHeader/orders?AgentIdentity={agent}");
        let problem = world.get(&path, Some(&token)).await.problem(401);
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(words))
        );
        assert!(problem["hint"].is_string(), "{problem}");
    }
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test]
async fn another_tenant_is_that_of_every_leg_and_of_the_token() {
    let issuer = Issuer::builder().multi_tenant().start().await;
    let other = "11111111-1111-4111-8111-111111111111";
    issuer.add_tenant(other);
    let agent = issuer.blueprint().add_agent_in(other);
    agent.grant_role(&issuer.api(), "Orders.Read.All");
    let world = World::of(issuer, |_, _| {}).await;
    let path = format!(
        "/AuthorizationHeaderUnauthenticated/app?AgentIdentity={}\
         &optionsOverride.AcquireTokenOptions.Tenant={}",
        agent.client_id(),
        other.to_uppercase()
    );
    let claims = world.get(&path, None).await.claims();
    assert_eq!(claims["tid"], other);
    assert_eq!(claims["azp"], agent.client_id());
    for request in world.issuer.token_requests_seen() {
        assert_eq!(request.tenant(), other);
    }
    // A user's token is of one tenant, and is not exchanged in another.
    let user = world.issuer.blueprint().user_token("alice").mint();
    let path =
        format!("/AuthorizationHeader/orders?optionsOverride.AcquireTokenOptions.Tenant={other}");
    let before = world.issuer.token_requests();
    let problem = world.get(&path, Some(&user)).await.problem(400);
    assert!(problem["hint"].is_string());
    assert_eq!(world.issuer.token_requests(), before);
}
