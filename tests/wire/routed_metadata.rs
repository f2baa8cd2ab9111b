//! The metadata of a resource, behind axum's router.

use axum::{Router, body::Body};
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_entra::{ProtectedResourceMetadata, Tenants, Validator};

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const AUDIENCE: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

fn validator() -> Validator {
    let builder = Validator::builder(Tenants::single(TENANT), [AUDIENCE]);
    builder.build().unwrap()
}

#[test]
fn a_resource_whose_path_a_router_takes_for_a_pattern_is_refused() {
    for bad in [
        "https://api.example/:v1/x",
        "https://api.example/*",
        "https://api.example/a/*rest",
        "https://api.example/a/:",
        "http://localhost:8080/*",
        "https://api.example//:a",
    ] {
        // Also where it is an audience.
        let audiences = [AUDIENCE, bad];
        let own = Validator::builder(Tenants::single(TENANT), audiences).build();
        for validator in [validator(), own.unwrap()] {
            let error = ProtectedResourceMetadata::new(bad, &validator).unwrap_err();
            let text = format!(
                "resource: {bad:?} has a path segment that begins with ':' or '*', which routers take \
                 for a pattern"
            );
            assert_eq!(error.to_string(), text);
        }
    }
    for good in [
        "https://api.example/v1:x",
        "https://api.example/a*",
        "https://api.example/a?b=/:c&d=/*",
        "https://api.example?/:c",
    ] {
        assert_eq!(
            ProtectedResourceMetadata::new(good, &validator())
                .unwrap()
                .resource(),
            good
        );
    }
}

/// Every character, in each place of a segment, and in the query.
#[tokio::test]
async fn axum_routes_the_path_of_every_resource_that_is_accepted() {
    let validator = validator();
    let (mut routed, mut refused) = (0, Vec::new());
    for character in (' '..='~').chain(['\u{e9}', '\u{7f}']) {
        for path in [
            format!("/{character}"),
            format!("/{character}rest"),
            format!("/a/{character}rest/b"),
            format!("/a{character}"),
            format!("/a{character}b/c"),
            format!("/a/{character}{character}/"),
            format!("?{character}=/{character}"),
            format!("/a?/{character}"),
        ] {
            let resource = format!("https://api.example{path}");
            let Ok(metadata) = ProtectedResourceMetadata::new(&resource, &validator) else {
                refused.push(character);
                continue;
            };
            let service = metadata.service::<Body>();
            let app = Router::new().route_service(&metadata.well_known_path(), service);
            let url = metadata.well_known_url().unwrap();
            let target = url.strip_prefix("https://api.example").unwrap();
            let request = Request::get(target).body(Body::empty()).unwrap();
            let response = app.oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{resource}");
            routed += 1;
        }
    }
    // In segments that begin with them.
    assert_eq!(refused.iter().filter(|&&char| char == ':').count(), 4);
    assert_eq!(refused.iter().filter(|&&char| char == '*').count(), 4);
    refused.dedup();
    assert_eq!(
        refused.iter().collect::<String>(),
        " \"#*:<>\\^`{|}\u{e9}\u{7f}"
    );
    assert!(routed > 600, "{routed}");
}
