use std::{thread, time::Instant};

use serde_json::json;

use super::*;
use crate::testing::Fault;

#[test]
fn the_builder_names_everything() {
    let issuer = Issuer::builder()
        .tenant(OTHER_TENANT.to_uppercase())
        .audience("api://orders")
        .client_id("client")
        .agent_id("agent")
        .blueprint_id("blueprint")
        .start_blocking();
    let claims_of = claims(issuer.autonomous_agent());
    assert_eq!(
        (&claims_of["tid"], &claims_of["aud"]),
        (&json!(OTHER_TENANT), &json!("api://orders"))
    );
    assert_eq!(
        (&claims_of["azp"], &claims_of["xms_par_app_azp"]),
        (&json!("agent"), &json!("blueprint"))
    );
    assert_eq!(claims(issuer.user())["azp"], "client");
    assert_eq!(discovery(&issuer)["issuer"], issuer.v2_issuer());
}

#[test]
#[should_panic(expected = "must be a GUID")]
fn a_tenant_that_is_not_a_guid_is_a_panic() {
    let _ = Issuer::builder().tenant("contoso.onmicrosoft.com");
}

#[tokio::test]
#[should_panic(expected = "cannot bind 127.0.0.1:")]
async fn a_port_that_is_taken_is_a_panic() {
    let issuer = Issuer::start().await;
    let port = issuer.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let _second = Issuer::builder().port(port).start().await;
}

#[test]
fn the_server_stops_with_the_last_clone() {
    let issuer = Issuer::start_blocking();
    let address = issuer.url().strip_prefix("http://").unwrap().to_owned();
    let token = issuer.token();
    let clone = issuer.clone();
    drop(issuer);
    assert_eq!(jwks(&clone).len(), 1);

    clone.fail(Fault::Hang);
    let mut hanging = ask(&clone, &keys_target(&clone));
    let start = Instant::now();
    while clone.key_fetches() < 2 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the request arrives"
        );
        thread::yield_now();
    }
    drop(clone);
    assert!(TcpStream::connect(address).is_err());
    assert!(
        matches!(hanging.read(&mut [0]), Ok(0) | Err(_)),
        "open connections end too"
    );
    assert!(
        token.mint().contains('.'),
        "a builder does not need the server"
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_stop_the_server() {
    let issuer = Issuer::start().await;
    issuer.fail_times(1, Fault::Slow(Duration::from_millis(50)));
    let asked = issuer.clone();
    let keys = tokio::task::spawn_blocking(move || jwks(&asked))
        .await
        .unwrap();
    assert_eq!(keys.len(), 1);
}
