//! What is refused when a token is asked for, before anything is sent.

use tower_entra::{
    Authority,
    acquire::{AcquireErrorKind, AgentUser, ClientCredential, Scopes, TokenOptions},
};

use super::world::{Who, World};

#[tokio::test]
async fn an_agent_a_tenant_a_user_or_an_option_that_no_request_can_name_makes_no_request() {
    const ZERO: &str = "00000000-0000-0000-0000-000000000000";
    const CLAIMS: &str = "the claims are not a JSON object of at most 8 KiB without a name twice";
    const NAME: &str = "the user's principal name is not of the form name@domain";

    let world = World::new();
    let client = world.as_blueprint();
    let agent = client.agent(world.agent.client_id());
    let named = |name: &str| agent.user(AgentUser::principal_name(name));
    let with = |claims: &str| TokenOptions::default().claims(claims);
    let long = format!("{{\"a\":\"{}\"}}", "a".repeat(8 * 1024));
    let none = TokenOptions::default;
    let app = agent.itself();
    for (source, options, text) in [
        (
            client.agent("").itself(),
            none(),
            "the agent's client id \"\" is not a GUID",
        ),
        (
            client.agent("orders").itself(),
            none(),
            "the agent's client id \"orders\" is not a GUID",
        ),
        (
            client.agent(" ").user(world.account_by_id()),
            none(),
            "the agent's client id \" \" is not a GUID",
        ),
        (
            client.agent(ZERO).itself(),
            none(),
            "the agent's client id \"00000000-0000-0000-0000-000000000000\" is not a GUID",
        ),
        (
            client
                .agent("aB08Q~0123456789012345678901234567890123")
                .itself(),
            none(),
            "the agent's client id (40 characters that look like a credential) is not a GUID",
        ),
        (
            client.in_tenant("common").itself(),
            none(),
            "the tenant \"common\" is not a GUID",
        ),
        (
            client.in_tenant("").agent(ID).itself(),
            none(),
            "the tenant \"\" is not a GUID",
        ),
        (
            client.in_tenant("contoso.com").agent(ID).itself(),
            none(),
            "the tenant \"contoso.com\" is not a GUID",
        ),
        (
            agent.user(AgentUser::object_id(ZERO.parse().unwrap())),
            none(),
            "the user's object id is all zeros",
        ),
        (named(ID), none(), "the user's principal name is a GUID"),
        (named(""), none(), NAME),
        (named("jane.doe"), none(), NAME),
        (named("jane doe@contoso.com"), none(), NAME),
        (named("jane.doe@contoso.com\n"), none(), NAME),
        (named("jane.doe@a@b"), none(), NAME),
        (app.clone(), with("eyJhY2Nlc3NfdG9rZW4iOnt9fQ"), CLAIMS),
        (app.clone(), with("[]"), CLAIMS),
        (app.clone(), with(""), CLAIMS),
        (app.clone(), with(r#"{"a":1,"a":1}"#), CLAIMS),
        (app.clone(), with(&long), CLAIMS),
        (
            app,
            none().correlation_id("request 7"),
            "the correlation id is not a GUID",
        ),
    ] {
        let error = source
            .token_with(&world.default_scope(), options)
            .await
            .expect_err(text);
        assert_eq!(error.kind(), AcquireErrorKind::Misconfigured, "{text}");
        assert_eq!(error.to_string(), text);
        assert!(
            error.hint().is_some() && error.correlation_id().is_none(),
            "{text}"
        );
        assert!(!format!("{source:?} {error:?}").contains("doe"), "{text}");
    }
    assert_eq!(world.wire.count(), 0);
}

#[tokio::test]
async fn the_client_of_an_authority_of_one_tenant_is_none_of_another() {
    const OTHER: &str = "22222222-2222-4222-8222-222222222222";

    let world = World::new();
    let credential = ClientCredential::secret("a secret");
    let builder = world.builder(ID, credential);
    let builder = builder.authority(Authority::custom("https://{tid}.ciamlogin.com"));
    let client = builder.build().unwrap();
    let source = client.in_tenant(OTHER).itself();
    let error = source.token(&world.default_scope()).await;
    let error = error.expect_err("another tenant");
    assert_eq!(error.kind(), AcquireErrorKind::Misconfigured);
    let text = format!("the authority of the client is not that of tenant {OTHER}");
    assert_eq!(error.to_string(), text);
    assert_eq!(world.wire.count(), 0);
    let same = client.in_tenant(world.issuer.tenant_id()).itself();
    let error = same.token(&world.default_scope()).await;
    assert!(!error.is_err_and(|error| error.to_string() == text));
    assert!(world.wire.count() > 0);
}

#[tokio::test]
async fn a_callers_token_of_another_tenant_or_not_for_the_blueprint_is_not_exchanged() {
    const OTHER: &str = "22222222-2222-4222-8222-222222222222";

    let world = World::new();
    let (tenant, blueprint) = (world.issuer.tenant_id(), world.blueprint.client_id());
    let client = world.as_blueprint();
    let agent = client.agent(world.agent.client_id());
    let elsewhere = client.in_tenant(OTHER);
    let token = world.blueprint.user_token(&world.person);
    let caller = world.assertion(&token);
    let by_uri = format!("api://{blueprint}");
    let for_the_uri = world.assertion(&token.audience(&by_uri));
    let for_the_app = world.assertion(&world.token_for_the_app());
    let of_tenant =
        format!("the token to exchange is of tenant {tenant}, and the client of tenant {OTHER}");
    let of_audience = |audience: &str| {
        format!(
            "the audience of the token to exchange is \"{audience}\", and an agent can exchange only a \
             token for its blueprint, {blueprint}"
        )
    };
    for (source, kind, text) in [
        (
            elsewhere.on_behalf_of(&caller),
            AcquireErrorKind::Misconfigured,
            of_tenant.clone(),
        ),
        (
            elsewhere
                .agent(world.agent.client_id())
                .on_behalf_of(&caller),
            AcquireErrorKind::Misconfigured,
            of_tenant,
        ),
        (
            agent.on_behalf_of(&for_the_app),
            AcquireErrorKind::AssertionRefused,
            of_audience(world.app.client_id()),
        ),
        (
            agent.on_behalf_of(&for_the_uri),
            AcquireErrorKind::AssertionRefused,
            of_audience(&by_uri),
        ),
    ] {
        let error = source.token(&world.scope("Orders.Read")).await;
        let error = error.expect_err(&text);
        assert_eq!((error.kind(), error.to_string()), (kind, text));
    }
    assert_eq!(world.wire.count(), 0);
}

#[tokio::test]
async fn who_acts_as_itself_asks_for_one_default_scope() {
    let world = World::new();
    let api = world.api.resource();
    let two = Scopes::new([format!("{api}/Orders.Read"), format!("{api}/Orders.Write")]).unwrap();
    for who in [Who::App, Who::Agent] {
        for scopes in [
            world.scope("Orders.Read"),
            two.clone(),
            "User.Read".parse().unwrap(),
        ] {
            let error = world
                .source(who)
                .token(&scopes)
                .await
                .expect_err("no default");
            assert_eq!(error.kind(), AcquireErrorKind::Misconfigured);
            let text = format!(
                "an app that acts as itself asks for one scope .default, not for \"{}\"",
                scopes.as_str()
            );
            assert_eq!(error.to_string(), text);
            assert!(error.hint().unwrap().contains("{resource}/.default"));
        }
    }
    assert_eq!(world.wire.count(), 0);
    // A user can ask for either.
    world
        .source(Who::AgentUser)
        .token(&world.default_scope())
        .await
        .unwrap();
}

#[test]
fn scopes_are_those_of_one_resource() {
    for (scopes, text) in [
        (&[][..], "there is no scope"),
        (&[""], "a scope is empty"),
        (
            &["api://a/b c"],
            "\"api://a/b c\" has white space or a character that a scope cannot have",
        ),
        (
            &["api://a/b", "api://c/b"],
            "the scopes are of different resources: \"api://a/b\" and \"api://c/b\"",
        ),
        (
            &["api://a/.default", "api://a/b"],
            "the scope .default is one of several",
        ),
        (
            &["api://a"],
            "\"api://a\" names a resource and no scope of it",
        ),
        (
            &["offline_access"],
            "\"offline_access\" asks for an ID token or a refresh token",
        ),
        (
            &["openid", "api://a/b"],
            "\"openid\" asks for an ID token or a refresh token",
        ),
        (&[".default"], "\".default\" names no resource"),
    ] {
        let error = Scopes::new(scopes).expect_err(text);
        assert_eq!(error.to_string(), text);
        assert_eq!(error.kind(), AcquireErrorKind::Misconfigured);
        assert!(error.hint().is_some(), "{text}");
    }
}

const ID: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
