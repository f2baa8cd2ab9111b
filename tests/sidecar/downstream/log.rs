//! What the log says of calls.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tower_entra::testing::Policy;

use super::{
    challenges::{CLAIMS, refusal, refusing},
    *,
};
use crate::world::{program, variables};

/// A sidecar whose log is in a file, as JSON and with all that this program says.
async fn logging(
    name: &str,
    answer: impl Fn(&Seen) -> http::Response<Vec<u8>> + Send + Sync + 'static,
) -> (World, PathBuf) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let issuer = Issuer::start().await;
    let api = Api::start(answer).await;
    let mut command = program();
    command
        .envs(variables(&issuer))
        .env("DownstreamApis__orders__BaseUrl", format!("{}/v1", api.url))
        .env(ANONYMOUS_OVERRIDES, "true")
        .env("Logging__LogLevel__Default", "Trace")
        .env("Logging__Console__FormatterName", "json")
        .stderr(File::create(&path).expect("a file"));
    let sidecar = Sidecar::of(command);
    let world = World {
        issuer,
        api,
        sidecar,
    };
    (world, path)
}

fn lines(path: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a log");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}

#[tokio::test]
async fn each_token_of_a_call_has_a_line_in_the_audit_log() {
    let (world, path) = logging("downstream_audit.log", refusing(1)).await;
    world.call("").await.of_api();
    world.call("").await.of_api();
    let audit = lines(&path);
    let audit = audit
        .iter()
        .filter(|line| line["target"] == "tower_entra::audit");
    let audit: Vec<_> = audit.collect();
    let sources: Vec<_> = audit.iter().map(|line| &line["source"]).collect();
    // The second one is for the claims of the challenge.
    assert_eq!(sources, ["entra", "entra", "cache"]);
    for line in audit {
        assert_eq!(line["api"], "orders");
        assert_eq!(line["client"], world.issuer.blueprint_id());
        assert_eq!(line["agent"], world.issuer.agent_id());
        assert_eq!(line["user_kind"], "none");
        assert_eq!(line["tenant"], world.issuer.tenant_id());
        assert_eq!(line["outcome"], "token");
    }
}

#[tokio::test]
async fn a_challenge_that_entra_refuses_has_a_line_in_the_audit_log() {
    let refuses = Arc::new(AtomicBool::new(false));
    let of_api = Arc::clone(&refuses);
    let answer = move |_: &Seen| match of_api.load(Ordering::Relaxed) {
        true => refusal(CLAIMS),
        false => json("{}"),
    };
    let (world, path) = logging("downstream_refused.log", answer).await;
    world.call("").await.of_api();
    refuses.store(true, Ordering::Relaxed);
    world.issuer.api().set_policy(Policy::Block);
    world.call("").await.problem(401);
    let audit = lines(&path);
    let mut audit = audit
        .iter()
        .filter(|line| line["target"] == "tower_entra::audit");
    let line = audit.next_back().expect("a line");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "no token");
    assert_eq!(line["agent"], world.issuer.agent_id());
}

#[tokio::test]
async fn neither_tokens_nor_bodies_nor_values_of_overrides_are_in_the_log() {
    let (world, path) = logging("downstream_secrets.log", |_| json("\"answered-secret\"")).await;
    let query = "optionsOverride.RelativePath=path-secret&optionsOverride.HttpMethod=POST\
                 &optionsOverride.ExtraHeaderParameters.X-A=header-secret\
                 &optionsOverride.ExtraHeaderParameters.Cookie=cookie-secret\
                 &optionsOverride.ExtraQueryParameters.a=query-secret";
    world
        .post(query, Some(("text/plain", b"body-secret")))
        .await
        .of_api();
    world
        .call("optionsOverride.RelativePath=../path-secret")
        .await
        .problem(400);
    world
        .call("optionsOverride.HttpMethod=G%20secret")
        .await
        .problem(400);
    let seen = world.seen();
    assert_eq!(seen.body, b"body-secret");
    let token = seen.headers["authorization"]
        .to_str()
        .expect("text")
        .to_owned();
    let log = fs::read_to_string(&path).expect("a log");
    assert!(log.contains("its name is reserved"));
    for secret in token
        .trim_start_matches("Bearer ")
        .split('.')
        .chain(["secret"])
    {
        assert!(!log.contains(secret), "{log}");
    }
}
