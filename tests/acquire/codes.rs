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
    /// Each with the beginning of its hint.
    codes: &'static [(u32, &'static str)],
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
    codes: &'static [(u32, &'static str)],
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
            (7_000_215, "Set the client"),
            (7_000_222, "Make a new"),
            (700_027, "Upload the certificate"),
            (700_030, "Add the certificate's"),
            (
                7_000_214,
                "Replace the certificate, here and at the app registration:",
            ),
            (
                1_000_502,
                "Replace the certificate, here and at the app registration,",
            ),
            (7_000_274, "Check that the private"),
            (
                7_000_277,
                "Replace the certificate, here and at the app registration:",
            ),
            (70_002, "Compare the client's"),
        ],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "credential missing or twice",
        &[
            (
                7_000_216,
                "Check that nothing between this process and Entra changes the body of requests: a",
            ),
            (
                7_000_218,
                "Check that nothing between this process and Entra changes the body of requests: a",
            ),
            (
                900_144,
                "Check that nothing between this process and Entra changes the body of requests: a",
            ),
            (
                9_002_324,
                "Check that nothing between this process and Entra changes the body of requests: two",
            ),
            (700_025, "Turn off public"),
        ],
        "invalid_request",
        Kind::CredentialRefused,
    ),
    class(
        "assertion time",
        &[(700_024, "Correct the clock")],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "user assertion",
        &[
            (500_133, "Let the caller get a new token and"),
            (50_027, "Let the caller get a new token for"),
            (50_013, "Let the caller get a new token for"),
            (500_131, "Let the caller ask"),
        ],
        "invalid_grant",
        Kind::CredentialRefused,
    )
    .of_the_caller()
    .drops(),
    class(
        "FIC mismatch",
        &[
            (70_021, "Add a federated"),
            (700_211, "Compare the issuer"),
            (700_213, "Compare the subject"),
            (7_002_121, "Compare the audience"),
            (7_002_131, "Compare the expression"),
            (7_002_206, "Set the exchange"),
        ],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "FIC not allowed",
        &[
            (700_222, "Use another first"),
            (700_226, "Use the token"),
            (700_227, "Use another first"),
            (700_229, "Use a token"),
            (700_231, "Put the federated"),
            (700_236, "Use a managed"),
        ],
        "invalid_client",
        Kind::CredentialRefused,
    )
    .drops(),
    class(
        "principal",
        &[
            (700_016, "Check client id"),
            (7_000_229, "Create the service"),
            (7_000_112, "Enable the app"),
            (70_001, "Enable the app"),
            (90_002, "Check the tenant"),
            (500_011, "Check the resource"),
            (650_052, "Check the resource"),
        ],
        "unauthorized_client",
        Kind::Misconfigured,
    ),
    class(
        "agent rules",
        &[
            (82_001, "Ask as an"),
            (82_002, "Use the flow"),
            (82_008, "Ask for the exchange"),
            (82_014, "Use the flow"),
            (7_000_114, "Exchange the token as"),
        ],
        "unauthorized_client",
        Kind::NotAllowed,
    ),
    class(
        "consent",
        &[
            (65_001, "Grant the scopes"),
            (90_094, "Let an administrator"),
            (650_057, "Add the resource's"),
            (650_056, "Add the resource's"),
        ],
        "invalid_grant",
        Kind::ConsentRequired,
    ),
    class(
        "assignment",
        &[(50_105, "Assign the user"), (501_051, "Assign the user")],
        "invalid_grant",
        Kind::NotAllowed,
    ),
    class(
        "policy",
        &[
            (53_003, "Ask an administrator"),
            (53_000, "Ask an administrator"),
            (53_001, "Ask an administrator"),
            (53_002, "Ask an administrator"),
            (530_032, "Ask an administrator"),
            (53_011, "Ask an administrator"),
            (50_131, "Ask an administrator"),
        ],
        "invalid_grant",
        Kind::NotAllowed,
    ),
    class(
        "step-up",
        &[
            (50_076, "Let the user"),
            (50_079, "Let the user"),
            (50_072, "Let the user"),
            (50_074, "Let the user"),
            (50_158, "Let the user"),
        ],
        "interaction_required",
        Kind::InteractionRequired,
    ),
    class(
        "user",
        &[
            (50_034, "Check the user's"),
            (50_057, "Enable the user's"),
            (51_004, "Check the user's"),
            (50_020, "Invite the user"),
        ],
        "invalid_grant",
        Kind::NotAllowed,
    ),
    class(
        "grant dead",
        &[
            (50_173, "Let the caller sign"),
            (70_008, "Let the caller sign"),
            (700_082, "Let the caller sign"),
            (70_043, "Let the caller sign"),
            (50_132, "Let the caller sign"),
            (50_133, "Let the caller sign"),
            (70_000, "Let the caller sign"),
        ],
        "invalid_grant",
        Kind::CredentialRefused,
    )
    .of_the_caller()
    .drops(),
    class(
        "scope",
        &[
            (70_011, "Correct the scope:"),
            (650_053, "Correct the scope:"),
            (700_022, "Ask for the scopes of exactly"),
            (700_023, "Ask for the scopes of exactly"),
            (1_002_012, "Ask for {resource}/.default:"),
            (
                901_002,
                "Check that nothing between this process and Entra changes the body of requests: it",
            ),
        ],
        "invalid_scope",
        Kind::Misconfigured,
    ),
    class(
        "cloud or form of the tenant",
        &[
            (90_038, "Name the tenant"),
            (900_382, "Set the authority"),
            (900_432, "Set the authority"),
            (9_001_023, "Set the authority"),
            (50_194, "Name the tenant"),
        ],
        "invalid_request",
        Kind::Misconfigured,
    ),
    class(
        "transient",
        &[
            (50_033, "Try again later:"),
            (50_087, "Try again later:"),
            (90_006, "Try again later:"),
            (90_012, "Try again later:"),
            (90_024, "Try again later:"),
            (90_033, "Try again later:"),
            (90_090, "Try again later:"),
        ],
        "temporarily_unavailable",
        Kind::Unavailable,
    ),
    class(
        "tenant throttled",
        &[(90_055, "Send fewer requests: Entra throttles the")],
        "invalid_request",
        Kind::Throttled,
    ),
    class(
        "loop",
        &[(50_196, "Stop for some")],
        "invalid_grant",
        Kind::Throttled,
    ),
    class(
        "ambiguous",
        &[(50_000, "Check that the user's")],
        "server_error",
        Kind::Unavailable,
    ),
];

/// Codes that say something else of T1 than of the client's own credential.
const OF_T1: [u32; 7] = [
    700_024, 700_027, 700_030, 1_000_502, 7_000_214, 7_000_274, 7_000_277,
];
const T1_HINT: &str = "Check that the agent is one of this blueprint";

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
        for &(code, hint) in class.codes {
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
                let hint = match leg {
                    Leg::OnBehalfOf if OF_T1.contains(&code) => T1_HINT,
                    _ => hint,
                };
                assert!(error.hint().unwrap().starts_with(hint), "{told}");
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
        let fault = class.answer(class.codes[0].0);
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
