//! What an operator reads of an outage: its reason, the facts of it and what to change, once for each
//! reason.

use http::Response;
use serde_json::json;
use tokio::time;
use tower_entra::KeySettings;
use tracing::Level;

use crate::support::{
    client::{Reply, scripted},
    log::Line,
    *,
};

/// The warnings of the key source.
fn warnings(log: &Log) -> Vec<Line> {
    let mut lines = log.lines();
    lines.retain(|line| line.level == Level::WARN && line.target == "tower_entra::keys");
    lines
}

fn discovery_of(issuer: &str) -> Response<Vec<u8>> {
    let document = json!({"issuer": issuer, "jwks_uri": "https://login.example/keys"});
    Response::new(document.to_string().into_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_document_of_another_issuer_is_shown_with_both_sides_and_what_to_set() {
    let log = Log::of_this_thread();
    let (issuer, client, validator) = scripted(KeySettings::default());
    let tenant = issuer.tenant_id();
    let found = format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0");
    client.reply(Reply::Discovery(discovery_of(&found)));
    let _ = time::timeout(HOUR, validator.ready()).await;
    let warnings = warnings(&log);
    let [line] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    assert_eq!(line.field("code"), Some(r#""foreign_issuer""#));
    let promised = format!("{}/{tenant}/v2.0", issuer.url());
    let error = format!(
        "the discovery document is of another issuer: it names \"{found}\"; the authority promises \
         \"{promised}\""
    );
    assert_eq!(line.field("reason"), Some(format!("{error:?}").as_str()));
    let hint = line.field("hint").unwrap();
    assert!(hint.contains("https://{tid}.ciamlogin.com"), "{hint}");
    assert!(!hint.contains("DNS"), "{hint}");

    // A refused request says the same of the last fetch.
    let refused = validate(&validator, &issuer.user().mint()).await;
    let reason = refused.unwrap_err().to_string();
    assert!(
        reason.contains(&found) && reason.contains(&promised),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_changes_does_not_fill_the_log() {
    let log = Log::of_this_thread();
    let (_issuer, client, validator) = scripted(KeySettings::default());
    for number in 0..20 {
        let found = format!("https://login.example/{number}");
        client.reply(Reply::Discovery(discovery_of(&found)));
        let _ = time::timeout(HOUR, validator.ready()).await;
    }
    assert_eq!(warnings(&log).len(), 1);
}

#[test]
fn no_text_of_a_document_adds_a_field_or_a_line_to_the_log() {
    let (_, log) = logged(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            for issuer in [
                "x hint=forged forged=1",
                "x\" hint=\"forged\" forged=\"1",
                "x\r\n\u{1b}[31m\u{202e} forged=1",
            ] {
                let (_issuer, client, validator) = scripted(KeySettings::default());
                client.reply(Reply::Discovery(discovery_of(issuer)));
                let _ = time::timeout(SECOND, validator.ready()).await;
            }
        });
    });
    let lines: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    for line in lines {
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{line}"
        );
        // Without the texts in quotes, of which none ends early.
        let mut bare = String::new();
        let (mut is_quoted, mut is_escaped) = (false, false);
        for character in line.chars() {
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                _ if !is_quoted => bare.push(character),
                _ => {}
            }
        }
        assert!(!bare.contains("forged"), "{line}");
        assert_eq!(bare.matches(" hint=").count(), 1, "{line}");
    }
}
