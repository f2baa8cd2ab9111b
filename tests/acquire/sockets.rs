//! What goes wrong with a connection, by the default HTTP client and in real time.

use std::{net::TcpListener, time::Duration};

use tokio::time;
use tower_entra::{
    Authority,
    acquire::{
        AcquireErrorKind as Kind, AcquireSettings, ClientCredential, ConfidentialClient, Scopes,
    },
    testing::{Fault, Issuer, Target},
};

use super::told;

fn hasty() -> AcquireSettings {
    AcquireSettings::default().with_request_timeout(Duration::from_secs(3))
}

fn client(issuer: &Issuer, settings: AcquireSettings) -> ConfidentialClient {
    let credential = ClientCredential::secret(issuer.client().secret());
    ConfidentialClient::builder(issuer.tenant_id(), issuer.client_id(), credential)
        .authority(issuer.authority())
        .settings(settings)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_connection_that_fails_is_an_error_within_the_limits_and_no_token() {
    let slow = Fault::Slow(Duration::from_secs(60));
    let mut tasks = Vec::new();
    for fault in [Fault::Hang, Fault::Drip, slow] {
        tasks.push(tokio::spawn(fails(fault, hasty(), LATE, 2)));
    }
    let none = ["gave no answer", "over HTTPS"];
    let page = "no proxy or sign-in page";
    for (fault, words, requests) in [
        (Fault::Close, none, 2),
        (Fault::Garbage, none, 2),
        (Fault::Truncated, none, 2),
        (Fault::Endless, ["its body is longer than 256 KiB", page], 1),
        (
            Fault::GzipBomb,
            ["its body has a content encoding", page],
            1,
        ),
    ] {
        let settings = AcquireSettings::default();
        tasks.push(tokio::spawn(fails(fault, settings, words, requests)));
    }
    // Far more than the limits, and less than the slowest fault.
    let all = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    time::timeout(Duration::from_secs(50), all).await.unwrap();
}

/// The text and the hint of a time-out.
const LATE: [&str; 2] = ["timed out", "a retry can help"];

async fn fails(fault: Fault, settings: AcquireSettings, [text, hint]: [&str; 2], requests: u64) {
    let issuer = Issuer::start().await;
    let source = client(&issuer, settings).itself();
    let scopes = Scopes::default_of(issuer.api().resource()).unwrap();
    issuer.fail_at(Target::Token, fault.clone());
    let error = source.token(&scopes).await.expect_err(text);
    let told = format!("{fault:?}: {}", told(&error));
    assert_eq!(error.kind(), Kind::Unavailable, "{told}");
    assert!(error.to_string().contains(text), "{told}");
    assert!(error.hint().unwrap().contains(hint), "{told}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(5)), "{told}");
    assert_eq!(issuer.token_requests(), requests, "{told}");
    issuer.heal();
    source.token(&scopes).await.expect_err("remembered");
    assert_eq!(issuer.token_requests(), requests, "{told}");
}

#[tokio::test]
async fn an_authority_at_which_nothing_listens_is_named_as_such() {
    let issuer = Issuer::start().await;
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let credential = ClientCredential::secret("hunter2");
    let client = ConfidentialClient::builder(issuer.tenant_id(), issuer.client_id(), credential)
        .authority(Authority::insecure_loopback(format!("http://{port}")))
        .build()
        .unwrap();
    let scopes = Scopes::default_of("api://orders").unwrap();
    let error = client.itself().token(&scopes).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{}", told(&error));
    assert!(
        error
            .hint()
            .unwrap()
            .starts_with("Check the authority's URL"),
        "{}",
        told(&error)
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_whole_acquisition_ends_at_its_own_limit() {
    let issuer = Issuer::start().await;
    let settings = AcquireSettings::default().with_total_timeout(Duration::from_millis(200));
    let source = client(&issuer, settings).itself();
    let scopes = Scopes::default_of(issuer.api().resource()).unwrap();
    issuer.fail_at(Target::Token, Fault::Hang);
    let error = source.token(&scopes).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.to_string(), "no token was acquired within 200ms");
    assert!(error.hint().unwrap().contains("with_total_timeout"));
}

#[tokio::test]
async fn a_redirect_sends_the_credential_nowhere() {
    let issuer = Issuer::start().await;
    let elsewhere = Issuer::start().await;
    let source = client(&issuer, hasty()).itself();
    let scopes = Scopes::default_of(issuer.api().resource()).unwrap();
    for status in [301, 302, 303, 307, 308] {
        let fault = Fault::Answer {
            status,
            headers: vec![("Location".to_owned(), elsewhere.token_endpoint())],
            body: Vec::new(),
        };
        issuer.fail_at(Target::Token, fault);
        let options = tower_entra::acquire::TokenOptions::default().force_refresh(true);
        let error = source.token_with(&scopes, options).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{status}");
    }
    assert!(elsewhere.requests_seen().is_empty());
}

/// A caller who has no time left goes away.
#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_token_for_the_next() {
    let issuer = Issuer::start().await;
    let source = client(&issuer, AcquireSettings::default()).itself();
    let scopes = Scopes::default_of(issuer.api().resource()).unwrap();
    issuer.fail_at(Target::Token, Fault::Slow(Duration::from_millis(300)));
    let gone = time::timeout(Duration::from_millis(50), source.token(&scopes)).await;
    assert!(gone.is_err());
    source.token(&scopes).await.unwrap();
    assert_eq!(issuer.token_requests(), 1);
}
