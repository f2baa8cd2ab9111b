//! Paths and verbs, the probes, the description, and headers that keep answers out of caches.

use tower_entra::testing::{Fault, Issuer, Target};

use crate::world::{Reply, Sidecar};

const CACHE_HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-cache, no-store, must-revalidate"),
    ("expires", "0"),
    ("pragma", "no-cache"),
];

fn assert_empty(reply: &Reply, status: u16) {
    assert_eq!((reply.status, &*reply.body), (status, ""), "{reply:?}");
    for (name, _) in CACHE_HEADERS {
        assert_eq!(reply.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_404_and_nothing() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for path in [
        "/",
        "/nonexistent",
        "/metrics",
        "/health",
        "/AuthorizationHeader",
        "/AuthorizationHeader/",
        "/AuthorizationHeader/orders/x",
        "/DownstreamApi//orders",
        "/Validate/x",
        "/swagger",
        "//healthz",
    ] {
        assert_empty(&sidecar.get(path).await, 404);
    }
}

#[tokio::test]
async fn a_wrong_verb_is_answered_with_405_and_those_that_are_right() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for path in [
        "/Validate",
        "/AuthorizationHeader/orders",
        "/AuthorizationHeaderUnauthenticated/orders",
    ] {
        for verb in ["POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let reply = sidecar.ask(verb, path).await;
            assert_empty(&reply, 405);
            assert_eq!(reply.header("allow"), Some("GET"), "{verb} {path}");
        }
    }
    for path in [
        "/DownstreamApi/orders",
        "/DownstreamApiUnauthenticated/orders",
    ] {
        for verb in ["HEAD", "OPTIONS", "TRACE"] {
            let reply = sidecar.ask(verb, path).await;
            assert_empty(&reply, 405);
            let allow = reply.header("allow");
            assert_eq!(
                allow,
                Some("DELETE, GET, PATCH, POST, PUT"),
                "{verb} {path}"
            );
        }
    }
}

#[tokio::test]
async fn letter_case_and_a_slash_at_the_end_make_no_difference() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for path in ["/Validate", "/validate", "/VALIDATE/", "/%76alidate"] {
        assert_eq!(sidecar.get(path).await.status, 401, "{path}");
    }
    for path in [
        "/authorizationheader/orders",
        "/AUTHORIZATIONHEADER/orders/",
    ] {
        assert_eq!(sidecar.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn the_name_of_an_api_keeps_its_letter_case_and_is_decoded() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for (path, name) in [
        ("Orders", "Orders"),
        ("my%20%C3%A4pi", "my äpi"),
        ("a%2Fb", "a/b"),
        ("%FF", "%FF"),
    ] {
        let path = format!("/authorizationheaderunauthenticated/{path}");
        let reply = sidecar.get(&path).await;
        assert_eq!(reply.status, 400, "{path}");
        let text = format!("No scopes found for the API '{name}'");
        assert!(reply.body.contains(&text), "{}", reply.body);
    }
}

#[tokio::test]
async fn health_is_answered_to_every_verb() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for verb in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        for path in ["/healthz", "/HEALTHZ/"] {
            let reply = sidecar.ask(verb, path).await;
            assert_eq!((reply.status, &*reply.body), (200, "Healthy"), "{verb}");
            assert_eq!(reply.header("content-type"), Some("text/plain"));
            for (name, value) in CACHE_HEADERS {
                assert_eq!(reply.header(name), Some(value));
            }
        }
    }
    let head = sidecar.ask("HEAD", "/healthz").await;
    assert_eq!((head.status, &*head.body), (200, ""));
}

#[tokio::test]
async fn it_is_ready_once_there_are_keys() {
    let issuer = Issuer::start().await;
    issuer.fail(Fault::Status(503));
    let sidecar = Sidecar::start(&issuer, &[]);
    let reply = sidecar.get("/readyz").await;
    assert_eq!((reply.status, &*reply.body), (503, "NoKeys"));
    assert_eq!(sidecar.get("/healthz").await.status, 200);

    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    sidecar.is_ready().await;
    issuer.fail(Fault::Close);
    // The readiness of a sidecar with keys sends nothing to Entra.
    let fetches = issuer.fetches();
    for _ in 0..3 {
        let reply = sidecar.get("/readyz").await;
        assert_eq!((reply.status, &*reply.body), (200, "Ready"));
    }
    assert_eq!(issuer.fetches(), fetches);
}

#[tokio::test]
async fn an_answer_with_a_token_or_claims_is_kept_out_of_caches() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let token = issuer.token().audience(issuer.blueprint_id()).mint();
    let reply = sidecar.get_with_token("/Validate", &token).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for (name, value) in CACHE_HEADERS {
        assert_eq!(reply.header(name), Some(value));
    }
}

#[tokio::test]
async fn the_description_is_there_in_development_alone() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for verb in ["GET", "HEAD", "POST"] {
        assert_empty(&sidecar.ask(verb, "/openapi/v1.json").await, 404);
    }
    let sidecar = Sidecar::start(&issuer, &[("ASPNETCORE_ENVIRONMENT", "Development")]);
    for path in ["/openapi/v1.json", "/OpenApi/V1.json/"] {
        let reply = sidecar.get(path).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.contains("\"openapi\": \"3.1.1\""));
        let json = reply.header("content-type").expect("a type");
        assert!(json.starts_with("application/json"), "{json}");
    }
    let reply = sidecar.ask("POST", "/openapi/v1.json").await;
    assert_empty(&reply, 405);
    assert_eq!(reply.header("allow"), Some("GET"));
}

#[tokio::test]
async fn health_waits_for_nothing_of_entra() {
    let issuer = Issuer::start().await;
    issuer.fail_at(Target::Both, Fault::Hang);
    let sidecar = Sidecar::start(&issuer, &[]);
    let start = std::time::Instant::now();
    assert_eq!(sidecar.get("/healthz").await.status, 200);
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
}
