//! No secret, assertion, token or name of a person appears in a log at any level, in an error or in `Debug`:
//! everything that can go well or wrong is run, with every such text known.

use std::{
    error::Error as StdError,
    fmt::Debug,
    fs, io,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use serde_json::json;
use tokio::time;
use tower_entra::{
    HttpClient,
    acquire::{
        AcquireError, AgentUser, ClientCredential, ConfidentialClient, TokenOptions, TokenSource,
    },
    testing::{Fault, FederatedCredential, Issuer, Policy, Target},
};
use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::format::FmtSpan;

use super::{
    agent,
    bad_answers::{bad_members, no_answers, other_users, others},
    blueprint, default_scope,
    interest::keep_every_event,
    scope,
    wire::{Sent, Wire},
    world::{EVERYONE, Who, World},
};

/// Everything that is shown: the log of this thread at every level and of every crate, and texts that are
/// added.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<u8>>>);

impl Shown {
    pub(crate) fn of_this_thread() -> (Self, DefaultGuard) {
        keep_every_event();
        let shown = Self::default();
        let writer = shown.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || writer.clone())
            .finish();
        (shown, tracing::subscriber::set_default(subscriber))
    }

    fn add(&self, what: &dyn Debug) {
        let text = format!("{what:?}\n{what:#?}\n");
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
    }

    fn error(&self, error: &AcquireError) {
        self.add(error);
        self.add(&error.denial());
        let ids = (error.correlation_id(), error.trace_id());
        self.add(&(error.to_string(), error.hint(), error.code(), ids));
        self.add(&error.denial().to_string());
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// None of these texts is in it, and nothing that looks like a token or a key.
    #[track_caller]
    fn holds_none_of(&self, texts: &[String]) {
        let text = self.text();
        for known in texts {
            assert!(known.len() > 5, "{known:?} can be in any text");
            let parts = known.split('.').filter(|part| part.len() > 20);
            for part in parts.chain([known.as_str()]) {
                let at = text.find(part);
                let line = at.map(|at| text[..at].lines().count());
                assert_eq!(line, None, "{part:?} is in a line of the text");
            }
        }
        for mark in ["eyJ", "BEGIN", "Q~", "jane.doe", "robin.agent", "c1-canary"] {
            let line = text.lines().find(|line| line.contains(mark));
            assert_eq!(line, None, "{mark}");
        }
    }
}

impl io::Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn ask(shown: &Shown, world: &World, source: &TokenSource, who: Who) {
    shown.add(source);
    match source.token(&world.scopes(who)).await {
        Ok(token) => {
            shown.add(&token);
            shown.add(&token.authorization());
            let options = TokenOptions::default().refused(token);
            let options = options.claims(r#"{"access_token":{"acrs":{"value":"c1-canary"}}}"#);
            shown.add(&options);
            let again = source.token_with(&world.scopes(who), options).await;
            again.map_or_else(|error| shown.error(&error), |token| shown.add(&token));
        }
        Err(error) => shown.error(&error),
    }
}

/// The credentials of the blueprint, each in a client.
fn clients(shown: &Shown, world: &World, directory: &std::path::Path) -> Vec<ConfidentialClient> {
    let provider = &world.issuer;
    world
        .blueprint
        .trust(FederatedCredential::of(provider, "orders"));
    let assertion = provider
        .token()
        .claim("sub", "orders")
        .claim("idtyp", "app");
    let assertion = assertion.without_claim("scp");
    let assertion = assertion.audience("api://AzureADTokenExchange").mint();
    let pem = world.blueprint.new_certificate_pem();
    let (pem_file, assertion_file) = (directory.join("pem"), directory.join("assertion"));
    fs::write(&pem_file, &pem).unwrap();
    fs::write(&assertion_file, &assertion).unwrap();
    let unknown = world.issuer.add_blueprint().new_certificate_pem();
    let of_function = assertion.clone();
    let leaking = assertion.clone();
    [
        ClientCredential::secret(world.secret.clone()),
        ClientCredential::secret("wRo8Q~secret-that-is-not-registered"),
        ClientCredential::certificate_pem(&pem).unwrap().with_x5c(),
        ClientCredential::certificate_pem(unknown).unwrap(),
        ClientCredential::certificate_file(pem_file),
        ClientCredential::certificate_file(directory.join("none")),
        ClientCredential::assertion_file(assertion_file),
        ClientCredential::assertion(move |_| {
            let assertion = of_function.clone();
            async move { Ok::<_, io::Error>(assertion) }
        }),
        ClientCredential::assertion(move |_| {
            let text = format!("the provider answered {leaking}");
            async move { Err::<String, _>(io::Error::other(text)) }
        }),
    ]
    .into_iter()
    .map(|credential| {
        shown.add(&credential);
        let builder = world.builder(world.blueprint.client_id(), credential);
        shown.add(&builder);
        let client = builder.build().unwrap();
        shown.add(&client);
        shown.add(&client.agent(world.agent.client_id()));
        client
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn no_flow_and_no_failure_shows_a_credential_or_a_name() {
    let (shown, _guard) = Shown::of_this_thread();
    let issuer = Issuer::start().await;
    let world = World::at(&issuer);
    let directory = std::env::temp_dir().join(format!("tower-entra-leaks-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    for client in clients(&shown, &world, &directory) {
        for who in [Who::Agent, Who::AgentForUser, Who::NamedAgentUser] {
            ask(&shown, &world, &world.source_of(who, &client), who).await;
        }
    }
    fs::remove_dir_all(directory).unwrap();
    for who in EVERYONE {
        ask(&shown, &world, &world.source(who), who).await;
        let leg = match who {
            Who::App => tower_entra::testing::Leg::App,
            Who::Agent => tower_entra::testing::Leg::Agent,
            Who::AppForUser | Who::AgentForUser => tower_entra::testing::Leg::OnBehalfOf,
            _ => tower_entra::testing::Leg::AgentUser,
        };
        let bad = [no_answers(), bad_members(), others(), other_users()];
        for bad in bad.into_iter().flatten() {
            bad.apply(&world, leg);
            ask(&shown, &world, &world.source(who), who).await;
            issuer.heal();
            issuer.reset_token_members();
        }
        for (breaks, mends) in broken() {
            breaks(&world);
            ask(&shown, &world, &world.source(who), who).await;
            mends(&world);
        }
    }
    let mut known = world.wire.credentials();
    known.retain(|text| text.len() > 5);
    assert!(known.len() > 200, "{}", known.len());
    known.extend([world.secret.clone(), world.app_secret.clone()]);
    known.extend([
        world.account.principal_name().to_owned(),
        world.person.clone(),
    ]);
    let text = shown.text();
    assert!(text.matches("not acquired").count() > 200);
    assert!(text.matches(" acquired").count() > 20);
    shown.holds_none_of(&known);
}

type Change = fn(&World);

/// What is refused, and its repair.
fn broken() -> [(Change, Change); 4] {
    [
        (
            |world| world.api.set_policy(Policy::StepUp),
            |world| world.api.set_policy(Policy::None),
        ),
        (
            |world| world.account.disable(),
            |world| world.account.enable(),
        ),
        (
            |world| world.blueprint.expire_secret(&world.secret),
            |world| {
                world.blueprint.remove_secret(&world.secret);
                world.blueprint.add_secret(&world.secret);
            },
        ),
        (
            |world| {
                world.agent.withdraw_consent(&world.api);
                world.app.withdraw_consent(&world.api);
            },
            |world| {
                world.agent.grant_scope(&world.api, "Orders.Read");
                world.app.grant_scope(&world.api, "Orders.Read");
            },
        ),
    ]
}

/// Answers each request that is for no assertion with what was in it, in every member of an error.
struct Echo(Wire);

impl HttpClient for Echo {
    fn send(&self, request: Request<Vec<u8>>, most: usize) -> Pin<Box<Answering>> {
        let forwarded = self.0.send(request, most);
        let sent = self.0.sent();
        let is_last = |last: &&Sent| !last.parameter("scope").unwrap().contains("Exchange");
        let Some(last) = sent.last().filter(is_last) else {
            return forwarded;
        };
        let pairs = last.form.iter().filter(|(name, _)| name != "client_id");
        let all: Vec<_> = pairs.clone().map(|(_, value)| value.as_str()).collect();
        let text = match sent.len() % 4 {
            // As it was sent, behind the grant's name and the scope.
            3 => form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish(),
            _ => all.join(" "),
        };
        let error = ["invalid_grant", &text][sent.len() % 2];
        let mut body = json!({
            "error": error,
            "error_description": format!("AADSTS50034: The user {text} is unknown"),
            "suberror": text,
            "error_codes": [text],
            "trace_id": text,
            "correlation_id": text,
            "timestamp": text,
            "error_uri": text,
            &text: text,
        });
        if sent.len().is_multiple_of(3) {
            let claims = json!({"access_token": {"acrs": {"value": text}}});
            body["claims"] = json!(claims.to_string());
        }
        let answer = Response::builder().status(400).header("x-error", "a");
        let answer = answer.body(body.to_string().into_bytes());
        Box::pin(async { Ok(answer?) })
    }
}

type Answering =
    dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send;

#[tokio::test(start_paused = true)]
async fn an_answer_that_repeats_the_request_shows_none_of_it() {
    let (shown, _guard) = Shown::of_this_thread();
    let world = World::new();
    // It does not look like a credential.
    let plain = "correct horse & battery";
    world.app.add_secret(plain);
    let client = |id: &str, secret: &str| {
        let builder = world.builder(id, ClientCredential::secret(secret));
        let echo = Echo(world.wire.clone());
        builder.http_client(echo).build().unwrap()
    };
    let blueprint = client(world.blueprint.client_id(), &world.secret);
    let app = client(world.app.client_id(), plain);
    for who in EVERYONE {
        let source = match who {
            Who::App | Who::AppForUser => world.source_of(who, &app),
            _ => world.source_of(who, &blueprint),
        };
        for _ in 0..6 {
            let error = source.token(&world.scopes(who)).await.expect_err("refused");
            shown.error(&error);
            time::advance(Duration::from_millis(5_001)).await;
        }
    }
    let mut known = world.wire.credentials();
    assert!(known.len() >= 3, "{}", known.len());
    known.push("correct+horse+%26+battery".to_owned());
    assert!(shown.text().contains("withheld"));
    shown.holds_none_of(&known);
}

#[tokio::test]
async fn the_default_http_client_logs_no_credential() {
    let (shown, _guard) = Shown::of_this_thread();
    let issuer = Issuer::start().await;
    let account = issuer.blueprint().agent().user();
    let named = AgentUser::principal_name(account.principal_name());
    shown.add(&named);
    let source = agent(&issuer).user(named);
    let secret = issuer.blueprint().secret();
    for fault in [Fault::Html, Fault::Garbage, Fault::Status(400)] {
        issuer.fail_at(Target::Token, fault);
        let error = agent(&issuer).itself().token(&default_scope(&issuer)).await;
        shown.error(&error.unwrap_err());
    }
    issuer.heal();
    shown.add(&source.token(&scope(&issuer, "Orders.Read")).await.unwrap());
    shown.add(&blueprint(&issuer));
    let text = shown.text();
    assert!(text.contains("127.0.0.1") && text.contains("not acquired"));
    shown.holds_none_of(&[secret, account.principal_name().to_owned()]);
}
