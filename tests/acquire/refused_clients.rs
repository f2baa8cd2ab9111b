//! What Entra refuses of the client itself: its credential, its registration, its tenant.

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::time;
use tower_entra::{
    acquire::{AcquireErrorKind as Kind, ClientCredential, TokenSource},
    testing::{FederatedCredential, Issuer, TokenBuilder},
};

use super::{
    refusals::Row,
    told,
    world::{Who, World},
};

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_wrong_or_expired_is_refused_and_another_one_helps() {
    for row in [
        Row::new("the secret of an agent's blueprint, deleted", Who::Agent)
            .by(|world| world.blueprint.remove_secret(&world.secret))
            .until(|world| drop(world.blueprint.add_secret(&world.secret)))
            .gives(
                Kind::CredentialRefused,
                7_000_215,
                "Entra refused the client's secret (401 invalid_client)",
                "not to its id",
            ),
        Row::new("the secret of an app, deleted", Who::AppForUser)
            .by(|world| world.app.remove_secret(&world.app_secret))
            .until(|world| drop(world.app.add_secret(&world.app_secret)))
            .gives(
                Kind::CredentialRefused,
                7_000_215,
                "a token of app ",
                "its value, which the portal shows once",
            ),
        Row::new("a secret that has expired", Who::AgentUser)
            .by(|world| world.blueprint.expire_secret(&world.secret))
            .until(|world| {
                world.blueprint.remove_secret(&world.secret);
                world.blueprint.add_secret(&world.secret);
            })
            .gives(
                Kind::CredentialRefused,
                7_000_222,
                "the assertion of agent ",
                "Make a new secret",
            ),
        Row::asking("the secret of another app", |world| {
            let credential = ClientCredential::secret(world.app_secret.clone());
            let client = world.blueprint_with(credential);
            (world.source_of(Who::Agent, &client), world.default_scope())
        })
        .gives(
            Kind::CredentialRefused,
            7_000_215,
            "the client's secret",
            "a secret of this app registration",
        ),
        Row::asking("the secret's id in the place of its value", |world| {
            let id = "8d2b53c6-3e5a-4c77-9f4e-1a2b3c4d5e6f";
            let client = world.blueprint_with(ClientCredential::secret(id));
            (world.source_of(Who::Agent, &client), world.default_scope())
        })
        .gives(
            Kind::CredentialRefused,
            7_000_215,
            "the client's secret",
            "not to its id, which is a GUID",
        ),
    ] {
        row.prove(&World::new()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_an_agent_or_a_tenant_that_is_not_there_or_disabled_is_refused() {
    for row in [
        Row::new("a blueprint that is gone", Who::Agent)
            .by(|world| world.blueprint.remove())
            .gives(
                Kind::Misconfigured,
                700_016,
                "(400 unauthorized_client)",
                "Check client id and tenant",
            ),
        Row::new("a blueprint that is disabled", Who::AgentUser)
            .by(|world| world.blueprint.disable())
            .until(|world| world.blueprint.enable())
            .gives(
                Kind::Misconfigured,
                7_000_112,
                "the assertion of agent ",
                "Enable the app",
            ),
        Row::new("an app that is disabled", Who::App)
            .by(|world| world.app.disable())
            .until(|world| world.app.enable())
            .gives(
                Kind::Misconfigured,
                7_000_112,
                "is disabled",
                "Enable the app",
            ),
        Row::new("an agent that is disabled", Who::AgentForUser)
            .by(|world| world.agent.disable())
            .until(|world| world.agent.enable())
            .gives(
                Kind::Misconfigured,
                7_000_112,
                "on behalf of a user",
                "ask an administrator",
            ),
        Row::new("an agent that is gone", Who::Agent)
            .by(|world| world.agent.remove())
            .gives(
                Kind::Misconfigured,
                7_000_229,
                "the assertion of agent ",
                "Create the service principal",
            ),
        Row::asking("the agent of another blueprint", |world| {
            let other = world.issuer.add_blueprint().add_agent();
            other.grant_role(&world.api, "Orders.Read.All");
            let agent = world.as_blueprint().agent(other.client_id());
            (agent.itself(), world.default_scope())
        })
        .gives(
            Kind::Misconfigured,
            7_000_229,
            "The blueprint has no agent identity",
            "in this tenant",
        ),
        Row::asking("the blueprint as an agent of its own", |world| {
            let agent = world.as_blueprint().agent(world.blueprint.client_id());
            (agent.itself(), world.default_scope())
        })
        .gives(
            Kind::Misconfigured,
            7_000_229,
            "The blueprint has no agent identity",
            "in this tenant",
        ),
        Row::asking("an ordinary app as the blueprint of an agent", |world| {
            let agent = world.as_app().agent(world.agent.client_id());
            (agent.itself(), world.default_scope())
        })
        .gives(
            Kind::Misconfigured,
            9_002_313,
            "(400 invalid_request)",
            "Compare client id",
        ),
        Row::asking("a tenant that is not there", |world| {
            let client = world.as_blueprint();
            let client = client.in_tenant("0bad0bad-0bad-4bad-8bad-0bad0bad0bad");
            (world.source_of(Who::Agent, &client), world.default_scope())
        })
        .gives(
            Kind::Misconfigured,
            90_002,
            "in tenant 0bad0bad-0bad-4bad-8bad-0bad0bad0bad",
            "Check the tenant id",
        ),
        Row::asking("a tenant in which the agent is not", |world| {
            let tenant = "0ddd0ddd-0ddd-4ddd-8ddd-0ddd0ddd0ddd";
            world.issuer.add_tenant(tenant);
            let client = world.as_blueprint().in_tenant(tenant);
            (
                world.source_of(Who::AgentUser, &client),
                world.default_scope(),
            )
        })
        .gives(
            Kind::Misconfigured,
            7_000_229,
            "0ddd0ddd-0ddd-4ddd-8ddd-0ddd0ddd0ddd",
            "in this tenant",
        ),
        Row::new("a resource that is gone", Who::Agent)
            .by(|world| world.api.remove())
            .gives(
                Kind::Misconfigured,
                500_011,
                "(400 invalid_resource)",
                "Check the resource in the scope",
            ),
        Row::asking("a scope that the resource does not have", |world| {
            (world.source(Who::AgentForUser), world.scope("Orders.Raed"))
        })
        .gives(
            Kind::Misconfigured,
            650_053,
            "/Orders.Raed",
            "Correct the scope",
        ),
    ] {
        row.prove(&World::new()).await;
    }
}

/// Another identity provider, whose assertions an app can trust.
fn provider() -> &'static Issuer {
    static PROVIDER: LazyLock<Issuer> = LazyLock::new(Issuer::start_blocking);
    &PROVIDER
}

/// An assertion of the workload `orders`.
fn workload() -> TokenBuilder {
    let token = provider().token().claim("sub", "orders");
    token.audience("api://AzureADTokenExchange")
}

/// The agent of a blueprint that proves itself by this assertion.
fn by_assertion(world: &World, assertion: &TokenBuilder) -> TokenSource {
    let trusted = FederatedCredential::of(provider(), "orders");
    world.blueprint.trust(trusted);
    let assertion: Arc<str> = assertion.clone().mint().into();
    let credential = ClientCredential::assertion(move |_| {
        let assertion = assertion.to_string();
        async move { Ok::<_, Infallible>(assertion) }
    });
    world.source_of(Who::Agent, &world.blueprint_with(credential))
}

#[tokio::test(start_paused = true)]
async fn an_assertion_that_no_federated_credential_fits_is_refused() {
    let good = World::new();
    let got = by_assertion(&good, &workload())
        .token(&good.default_scope())
        .await;
    assert!(got.is_ok(), "{}", told(&got.unwrap_err()));

    type Faulty = fn(&World) -> TokenBuilder;
    let table: [(&str, Faulty, u32, &str); 8] = [
        (
            "of another issuer",
            |_| workload().claim("iss", "https://token.actions.githubusercontent.com"),
            700_211,
            "Compare the issuer",
        ),
        (
            "of another workload",
            |_| workload().claim("sub", "Orders"),
            700_213,
            "letter case included",
        ),
        (
            "for another audience",
            |_| workload().audience("https://github.com/contoso"),
            7_002_121,
            "api://AzureADTokenExchange",
        ),
        (
            "signed by another key",
            |_| workload().signed_by_stranger(),
            700_027,
            "sign with its key",
        ),
        (
            "that has expired",
            |_| workload().expired(),
            700_024,
            "made or read for each request",
        ),
        (
            "that is an app's token of Entra",
            |world| world.blueprint.app_token(),
            700_222,
            "one of a managed identity is",
        ),
        (
            "that is a user's token of Entra",
            |world| world.blueprint.user_token("alice"),
            700_229,
            "as itself",
        ),
        (
            "that was got by a federated credential itself",
            |world| {
                world
                    .blueprint
                    .app_token()
                    .claim("xms_ficinfo", "CAAQABgAIAAoAjAA")
            },
            700_231,
            "on the blueprint itself",
        ),
    ];
    for (what, faulty, code, hint) in table {
        let world = World::new();
        let source = by_assertion(&world, &faulty(&world));
        let error = source.token(&world.default_scope()).await.expect_err(what);
        let told = format!("{what}: {}", told(&error));
        assert_eq!(error.kind(), Kind::CredentialRefused, "{told}");
        assert_eq!(error.code(), Some(code), "{told}");
        let verdict = "Entra refused the client's federated assertion (401 invalid_client)";
        assert!(error.to_string().contains(verdict), "{told}");
        assert!(error.hint().unwrap().contains(hint), "{told}");
        // What may have been replaced meanwhile is asked for once more.
        let tries = if [700_024, 700_027].contains(&code) {
            2
        } else {
            1
        };
        assert_eq!(world.wire.count(), tries, "{told}");
        // Its text is not in the error, and it is not sent again for 5 s.
        for credential in world.wire.credentials() {
            assert!(!format!("{told} {error:?}").contains(&credential), "{told}");
        }
        source.token(&world.default_scope()).await.expect_err(what);
        assert_eq!(world.wire.count(), tries, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_not_registered_is_sent_twice_and_then_not_for_five_seconds() {
    let world = World::new();
    let pem = world.issuer.add_blueprint().new_certificate_pem();
    let credential = ClientCredential::certificate_pem(&pem).unwrap();
    let source = world.source_of(Who::Agent, &world.blueprint_with(credential));
    let scopes = world.default_scope();
    let error = source.token(&scopes).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::CredentialRefused, Some(700_027))
    );
    let text = error.to_string();
    assert!(
        text.contains("Entra refused the client's certificate (401 invalid_client)"),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("with_x5c"));
    let sent = world.wire.sent();
    assert_eq!(sent.len(), 2);
    // Each is signed anew.
    assert_ne!(
        sent[0].parameter("client_assertion"),
        sent[1].parameter("client_assertion")
    );

    world.blueprint.add_certificate_pem(&pem);
    source.token(&scopes).await.expect_err("remembered");
    time::advance(Duration::from_millis(5_001)).await;
    source.token(&scopes).await.unwrap();
    assert_eq!(world.wire.count(), 4);
}
