//! What Entra refuses: the error of each, that it is remembered for its key only, and that a repair helps.

use std::time::Duration;

use tokio::time;
use tower_entra::{
    AppId, ObjectId,
    acquire::{AcquireError, AcquireErrorKind as Kind, AgentUser, Scopes, TokenSource},
    testing::Policy,
};

use super::{
    told,
    world::{Who, World},
};

/// One refusal.
pub(crate) struct Row {
    what: &'static str,
    ask: Box<Ask>,
    breaks: fn(&World),
    mends: Option<fn(&World)>,
    kind: Kind,
    code: u32,
    text: &'static str,
    hint: &'static str,
}

type Ask = dyn Fn(&World) -> (TokenSource, Scopes);

impl Row {
    /// `what` is wrong when `who` asks.
    pub(crate) fn new(what: &'static str, who: Who) -> Self {
        Self {
            ask: Box::new(move |world| world.asked(who)),
            ..Self::asking(what, |world| world.asked(Who::App))
        }
    }

    pub(crate) fn asking(what: &'static str, ask: fn(&World) -> (TokenSource, Scopes)) -> Self {
        Self {
            what,
            ask: Box::new(ask),
            breaks: |_| {},
            mends: None,
            kind: Kind::Misconfigured,
            code: 0,
            text: "",
            hint: "",
        }
    }

    /// What breaks it after the client was built.
    pub(crate) fn by(self, breaks: fn(&World)) -> Self {
        Self { breaks, ..self }
    }

    /// What repairs it.
    pub(crate) fn until(self, mends: fn(&World)) -> Self {
        let mends = Some(mends);
        Self { mends, ..self }
    }

    /// The kind, Entra's code, and parts of the text and of the hint.
    pub(crate) fn gives(
        self,
        kind: Kind,
        code: u32,
        text: &'static str,
        hint: &'static str,
    ) -> Self {
        Self {
            kind,
            code,
            text,
            hint,
            ..self
        }
    }

    /// The time is paused.
    pub(crate) async fn prove(&self, world: &World) {
        let what = self.what;
        let (source, scopes) = (self.ask)(world);
        (self.breaks)(world);
        let error = source.token(&scopes).await.expect_err(what);
        self.check(&error, world);

        // It is remembered, and no time to ask again is named: that alone does not help.
        let sent = world.wire.count();
        let again = source.token(&scopes).await.expect_err(what);
        assert_eq!(world.wire.count(), sent, "{what}");
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!(
            again.retry_after().is_some(),
            self.kind == Kind::Throttled,
            "{what}"
        );

        if let Some(mends) = self.mends {
            mends(world);
            time::advance(Duration::from_millis(4_900)).await;
            source.token(&scopes).await.expect_err(what);
            assert_eq!(world.wire.count(), sent, "{what}");
            time::advance(Duration::from_millis(101)).await;
            let got = source.token(&scopes).await;
            assert!(got.is_ok(), "{what}: {}", told(&got.unwrap_err()));
        } else {
            time::advance(Duration::from_millis(5_001)).await;
            source.token(&scopes).await.expect_err(what);
            assert!(world.wire.count() > sent, "{what}");
        }
    }

    fn check(&self, error: &AcquireError, world: &World) {
        let what = format!("{}: {}", self.what, told(error));
        assert_eq!(
            (error.kind(), error.code()),
            (self.kind, Some(self.code)),
            "{what}"
        );
        let text = error.to_string();
        assert!(text.contains(&format!("AADSTS{}: ", self.code)), "{what}");
        assert!(text.contains(self.text), "{what}");
        assert!(error.hint().unwrap().contains(self.hint), "{what}");
        let last = world.wire.sent().pop().unwrap();
        assert_eq!(
            error.correlation_id(),
            last.header("client-request-id"),
            "{what}"
        );
        assert!(
            error.trace_id().unwrap().parse::<ObjectId>().is_ok(),
            "{what}"
        );
        let has_claims = self.kind == Kind::InteractionRequired;
        assert_eq!(error.claims().is_some(), has_claims, "{what}");
        // Who asked, and nothing that is a secret or a name.
        let asks = last.parameter("client_id").unwrap();
        assert!(
            text.contains(asks) && asks.parse::<AppId>().is_ok(),
            "{what}"
        );
        let shown = format!("{text} {error:?} {:?}", error.hint());
        for credential in world.wire.credentials() {
            assert!(!shown.contains(&credential), "{what}");
        }
        for name in ["jane.doe", "robin"] {
            assert!(!shown.contains(name), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_permission_there_is_no_token() {
    for row in [
        Row::new("no consent to the app", Who::AppForUser)
            .by(|world| world.app.withdraw_consent(&world.api))
            .until(|world| drop(world.app.grant_scope(&world.api, "Orders.Read")))
            .gives(
                Kind::ConsentRequired,
                65_001,
                "(400 invalid_grant consent_required)",
                "Grant",
            ),
        Row::new("no consent to the agent", Who::AgentForUser)
            .by(|world| world.agent.withdraw_consent(&world.api))
            .until(|world| {
                world
                    .agent
                    .grant_scope_as(&world.person, &world.api, "Orders.Read");
            })
            .gives(
                Kind::ConsentRequired,
                65_001,
                "on behalf of a user",
                "inheritable",
            ),
        Row::new("no consent to the agent for its account", Who::AgentUser)
            .by(|world| world.agent.withdraw_consent(&world.api))
            .until(|world| drop(world.blueprint.grant_scope(&world.api, "Orders.Read")))
            .gives(
                Kind::ConsentRequired,
                65_001,
                "by its user account",
                "inheritable",
            ),
        Row::asking("no consent to one of two scopes", |world| {
            let api = world.api.resource();
            let scopes = ["Orders.Read", "Orders.Write"].map(|name| format!("{api}/{name}"));
            (
                world.source(Who::AgentForUser),
                Scopes::new(scopes).unwrap(),
            )
        })
        .until(|world| drop(world.agent.grant_scope(&world.api, "Orders.Write")))
        .gives(
            Kind::ConsentRequired,
            65_001,
            "Orders.Write",
            "Grant the scopes",
        ),
        Row::new("a policy for the agent", Who::Agent)
            .by(|world| world.agent.set_policy(Policy::Block))
            .until(|world| world.agent.set_policy(Policy::None))
            .gives(
                Kind::NotAllowed,
                53_003,
                "Entra refused (400 invalid_grant message_only)",
                "Conditional Access",
            ),
        Row::new("a policy for the blueprint", Who::AgentUser)
            .by(|world| world.blueprint.set_policy(Policy::Block))
            .until(|world| world.blueprint.set_policy(Policy::None))
            .gives(
                Kind::NotAllowed,
                53_003,
                "the assertion of agent",
                "Conditional Access",
            ),
        Row::new("a policy for the API", Who::AgentForUser)
            .by(|world| world.api.set_policy(Policy::Block))
            .until(|world| world.api.set_policy(Policy::None))
            .gives(
                Kind::NotAllowed,
                53_003,
                "on behalf of a user",
                "correlation id",
            ),
        Row::new("a step-up that a person can answer", Who::AgentForUser)
            .by(|world| world.api.set_policy(Policy::StepUp))
            .until(|world| world.api.set_policy(Policy::None))
            .gives(
                Kind::InteractionRequired,
                50_076,
                "(400 interaction_required basic_action)",
                "sign in again",
            ),
        Row::new("a step-up that no person can answer", Who::AgentUser)
            .by(|world| world.agent.set_policy(Policy::StepUp))
            .until(|world| world.agent.set_policy(Policy::None))
            .gives(
                Kind::InteractionRequired,
                50_076,
                "by its user account",
                "no person can answer",
            ),
        Row::new("a person who is not assigned", Who::AgentForUser)
            .by(|world| {
                world.agent.withdraw_roles(&world.api);
                world.api.require_assignment();
            })
            .until(|world| drop(world.agent.grant_role(&world.api, "Orders.Read.All")))
            .gives(
                Kind::NotAllowed,
                50_105,
                "(400 invalid_grant)",
                "Assign the user or the app",
            ),
        Row::new("an agent that is not assigned", Who::Agent)
            .by(|world| {
                world.agent.withdraw_roles(&world.api);
                world.api.require_assignment();
            })
            .until(|world| drop(world.agent.grant_role(&world.api, "Orders.Read.All")))
            .gives(
                Kind::NotAllowed,
                501_051,
                "(400 invalid_grant)",
                "Assign the user or the app",
            ),
        Row::asking("a blueprint for an API", |world| {
            (world.as_blueprint().itself(), world.default_scope())
        })
        .gives(
            Kind::NotAllowed,
            82_001,
            "(400 unauthorized_client)",
            "Ask as an agent",
        ),
        Row::asking("a blueprint on behalf of a person", |world| {
            let assertion = world.assertion(&world.blueprint.user_token(&world.person));
            let source = world.as_blueprint().on_behalf_of(&assertion);
            (source, world.scope("Orders.Read"))
        })
        .gives(
            Kind::NotAllowed,
            7_000_114,
            "(400 invalid_grant)",
            "Exchange the token as the agent",
        ),
    ] {
        row.prove(&World::new()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_no_token_of_a_user_who_is_unknown_disabled_or_another_agents() {
    for row in [
        Row::new("an account that is disabled", Who::AgentUser)
            .by(|world| world.account.disable())
            .until(|world| world.account.enable())
            .gives(
                Kind::NotAllowed,
                50_057,
                "The user account is disabled",
                "Enable the user's account",
            ),
        Row::new("a person whose account is disabled", Who::AgentForUser)
            .by(|world| world.issuer.disable_user(&world.person))
            .until(|world| world.issuer.enable_user(&world.person))
            .gives(
                Kind::NotAllowed,
                50_057,
                "on behalf of a user",
                "Enable the user's account",
            ),
        Row::new("an account that is gone", Who::AgentUser)
            .by(|world| world.account.remove())
            .gives(
                Kind::NotAllowed,
                50_034,
                "does not exist in the directory",
                "Check the user's name",
            ),
        Row::new("an account that is gone, by its name", Who::NamedAgentUser)
            .by(|world| world.account.remove())
            .gives(
                Kind::NotAllowed,
                50_034,
                "(withheld",
                "not that of the agent",
            ),
        Row::asking("the account of another agent", |world| {
            let other = world.blueprint.add_agent();
            other.grant_scope(&world.api, "Orders.Read");
            let agent = world.as_blueprint().agent(other.client_id());
            (
                agent.user(world.account_by_id()),
                world.scope("Orders.Read"),
            )
        })
        .gives(
            Kind::NotAllowed,
            50_020,
            "(400 invalid_grant)",
            "Invite the user",
        ),
        Row::asking("the object id of the agent as that of a user", |world| {
            let agent = world.as_blueprint().agent(world.agent.client_id());
            let user = AgentUser::object_id(world.agent.client_id().parse().unwrap());
            (agent.user(user), world.scope("Orders.Read"))
        })
        .gives(
            Kind::NotAllowed,
            50_034,
            "by its user account",
            "not that of the agent",
        ),
    ] {
        row.prove(&World::new()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_its_key_only() {
    let world = World::new();
    let client = world.as_blueprint();
    let of = |who| world.source_of(who, &client);
    let scopes = world.scope("Orders.Read");
    world.account.disable();
    of(Who::AgentUser)
        .token(&scopes)
        .await
        .expect_err("disabled");
    // T1 and T2 were got, so each of the others takes one request.
    assert_eq!(world.wire.count(), 3);
    world.account.enable();
    let second = world.agent.add_user("second");
    let second = AgentUser::object_id(second.object_id().parse().unwrap());
    let agent = client.agent(world.agent.client_id());
    agent.user(second).token(&scopes).await.unwrap();
    of(Who::NamedAgentUser).token(&scopes).await.unwrap();
    of(Who::AgentForUser).token(&scopes).await.unwrap();
    of(Who::Agent).token(&world.default_scope()).await.unwrap();
    of(Who::AgentUser)
        .token(&world.default_scope())
        .await
        .unwrap();
    assert_eq!(world.wire.count(), 8);
    of(Who::AgentUser)
        .token(&scopes)
        .await
        .expect_err("remembered");
    assert_eq!(world.wire.count(), 8);
}
