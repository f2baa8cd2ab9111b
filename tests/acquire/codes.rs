//! Every class of Entra's error codes: its kind, who can cure it, and whether a newly made T1 is tried.

use std::time::Duration;

use serde_json::json;
use tokio::time;
use tower_entra::{
    acquire::{AcquireErrorKind as Kind, AgentUser},
    testing::{Fault, Issuer, Leg, Target},
};

use super::{
    told,
    world::{Who, World},
};

/// Error codes that mean one thing to a client.
struct Class {
    name: &'static str,
    codes: &'static [u32],
    /// The `error` that comes with them.
    error: &'static str,
    kind: Kind,
    /// On behalf of a caller.
    kind_for_user: Kind,
    /// Whether a T1 or T2 that was made a while ago can be the reason.
    drops: bool,
}

const fn class(
    name: &'static str,
    codes: &'static [u32],
    error: &'static str,
    kind: Kind,
) -> Class {
    Class {
        name,
        codes,
        error,
        kind,
        kind_for_user: kind,
        drops: false,
    }
}

impl Class {
    const fn drops(self) -> Self {
        Self {
            drops: true,
            ..self
        }
    }

    /// The caller's token is what is refused, where there is one.
    const fn of_the_caller(self) -> Self {
        Self {
            kind_for_user: Kind::AssertionRefused,
            ..self
        }
    }

    fn answer(&self, code: u32) -> Fault {
        let mut body = json!({
            "error": self.error,
            "error_description": format!("AADSTS{code}: as the class {} has it. Trace ID: 1", self.name),
            "error_codes": [code],
        });
        if self.kind == Kind::InteractionRequired {
            body["claims"] = json!(r#"{"access_token":{"acrs":{"value":"c1"}}}"#);
        }
        if self.kind == Kind::ConsentRequired {
            // Both at once, as Entra has them.
            body["suberror"] = json!("consent_required");
            body["claims"] = json!(r#"{"access_token":{"capolids":{"values":["c1"]}}}"#);
        }
        Fault::Answer {
            status: if self.error == "invalid_client" {
                401
            } else {
                400
            },
            headers: vec![],
            body: body.to_string().into_bytes(),
        }
    }
}

const CLASSES: [Class; 20] = [
    class(
        "credential wrong",
        &[
            7_000_215, 7_000_222, 700_027, 700_030, 7_000_214, 1_000_502, 7_000_274, 7_000_277,
            70_002,
        ],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "credential missing or twice",
        &[7_000_216, 7_000_218, 900_144, 9_002_324, 700_025],
        "invalid_request",
        Kind::CredentialRefused,
    ),
    class(
        "assertion time",
        &[700_024],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "user assertion",
        &[500_133, 50_027, 50_013, 500_131],
        "invalid_grant",
        Kind::CredentialRefused,
    )
    .of_the_caller()
    .drops(),
    class(
        "FIC mismatch",
        &[70_021, 700_211, 700_213, 7_002_121, 7_002_131, 7_002_206],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "FIC not allowed",
        &[700_222, 700_226, 700_227, 700_229, 700_231, 700_236],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "principal",
        &[
            700_016, 7_000_229, 7_000_112, 70_001, 90_002, 500_011, 650_052,
        ],
        "unauthorized_client",
        Kind::Misconfigured,
    ),
    class(
        "agent rules",
        &[82_001, 82_002, 82_008, 82_014, 7_000_114],
        "unauthorized_client",
        Kind::NotAllowed,
    ),
    class(
        "consent",
        &[65_001, 90_094, 650_057, 650_056],
        "invalid_grant",
        Kind::ConsentRequired,
    ),
    class(
        "assignment",
        &[50_105, 501_051],
        "invalid_grant",
        Kind::NotAllowed,
    ),
    class(
        "policy",
        &[53_003, 53_000, 53_001, 53_002, 530_032, 53_011, 50_131],
        "invalid_grant",
        Kind::NotAllowed,
    ),
    class(
        "step-up",
        &[50_076, 50_079, 50_072, 50_074, 50_158],
        "interaction_required",
        Kind::InteractionRequired,
    ),
    class(
        "user",
        &[50_034, 50_057, 51_004, 50_020],
        "invalid_grant",
        Kind::NotAllowed,
    ),
    class(
        "grant dead",
        &[50_173, 70_008, 700_082, 70_043, 50_132, 50_133, 70_000],
        "invalid_grant",
        Kind::CredentialRefused,
    )
    .of_the_caller()
    .drops(),
    class(
        "scope",
        &[70_011, 650_053, 700_022, 700_023, 1_002_012, 901_002],
        "invalid_scope",
        Kind::Misconfigured,
    ),
    class(
        "cloud or form of the tenant",
        &[90_038, 900_382, 900_432, 9_001_023, 50_194],
        "invalid_request",
        Kind::Misconfigured,
    ),
    class(
        "transient",
        &[50_033, 50_087, 90_006, 90_012, 90_024, 90_033, 90_090],
        "temporarily_unavailable",
        Kind::Unavailable,
    ),
    class(
        "tenant throttled",
        &[90_055],
        "invalid_request",
        Kind::Throttled,
    ),
    class("loop", &[50_196], "invalid_grant", Kind::Throttled),
    class("ambiguous", &[50_000], "server_error", Kind::Unavailable),
];

#[tokio::test(start_paused = true)]
async fn each_class_of_codes_has_its_kind_and_each_code_its_hint() {
    let world = World::at(&Issuer::start().await);
    let caller = world.assertion(&world.blueprint.user_token(&world.person));
    // Each has a T1 of its own, which is new.
    let on_behalf = || {
        let agent = world.as_blueprint().agent(world.agent.client_id());
        agent.on_behalf_of(&caller)
    };
    for class in CLASSES {
        for &code in class.codes {
            for (who, leg, kind) in [
                (Who::App, Leg::App, class.kind),
                (Who::AgentForUser, Leg::OnBehalfOf, class.kind_for_user),
            ] {
                let kind = match class.error {
                    // The client's own credential.
                    "invalid_client" => class.kind,
                    _ => kind,
                };
                world.issuer.fail_at(Target::Leg(leg), class.answer(code));
                let before = world.issuer.token_requests_of(leg);
                let source = match who {
                    Who::App => world.source(who),
                    _ => on_behalf(),
                };
                let error = source
                    .token(&world.scopes(who))
                    .await
                    .expect_err(class.name);
                let told = format!("{} {code}: {}", class.name, told(&error));
                assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{told}");
                assert!(
                    error
                        .to_string()
                        .contains(&format!("AADSTS{code}: as the class ")),
                    "{told}"
                );
                assert!(!error.to_string().contains("Trace"), "{told}");
                assert!(error.hint().is_some_and(|hint| hint.len() > 20), "{told}");
                let can_pass = matches!(kind, Kind::Throttled | Kind::Unavailable);
                assert_eq!(error.retry_after().is_some(), can_pass, "{told}");
                let has_claims = kind == Kind::InteractionRequired;
                assert_eq!(error.claims().is_some(), has_claims, "{told}");
                assert_eq!(world.issuer.token_requests_of(leg), before + 1, "{told}");
                time::advance(Duration::from_millis(5_001)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t1_and_t2_are_made_anew_only_for_what_they_can_be_the_reason_of() {
    let issuer = Issuer::start().await;
    for class in CLASSES {
        let world = World::at(&issuer);
        let agent = world.as_blueprint().agent(world.agent.client_id());
        let scopes = world.scope("Orders.Read");
        let first = agent.user(world.account_by_id());
        let token = first.token(&scopes).await.unwrap();
        time::advance(Duration::from_secs(61)).await;
        let fault = class.answer(class.codes[0]);
        issuer.fail_at(Target::Leg(Leg::AgentUser), fault);
        let second = world
            .agent
            .add_user(&format!("second of {}", world.agent.client_id()));
        let second = AgentUser::object_id(second.object_id().parse().unwrap());
        let error = agent
            .user(second)
            .token(&scopes)
            .await
            .expect_err(class.name);
        assert_eq!(error.kind(), class.kind, "{}", class.name);
        // The three of the first user, then one, or all three anew.
        let expected = if class.drops { 3 + 1 + 3 } else { 3 + 1 };
        assert_eq!(world.wire.count(), expected, "{}", class.name);
        issuer.heal();
        // The first user's token is handed out as before.
        let again = first.token(&scopes).await.unwrap();
        assert_eq!(again.secret(), token.secret());
        assert_eq!(world.wire.count(), expected, "{}", class.name);
    }
}
