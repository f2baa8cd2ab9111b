//! A platform that takes `Authorization` for itself.

use axum::{Router, extract::Request, middleware::map_request, routing::get as on_get};
use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use tower_entra::{AgentPrincipal, EntraAuthLayer};

use super::{send, serve};
use crate::support::{block_on, issuer};

/// What the platform does to every request: its own token takes the place of the client's.
async fn platform(mut request: Request) -> Request {
    let own = HeaderValue::from_static("Bearer the-platforms-own");
    request.headers_mut().insert(AUTHORIZATION, own);
    request
}

/// As the guide has it.
#[test]
fn the_token_comes_in_a_header_that_the_platform_leaves_alone() {
    let header = HeaderName::from_static("x-authorization");
    let layer = EntraAuthLayer::new(issuer().validator())
        .token_from_header(header)
        .unwrap();
    let hello = on_get(async |caller: AgentPrincipal| caller.kind().to_string());
    let app = Router::new().route("/orders", hello).layer(layer);
    let user = format!("Bearer {}", issuer().user().mint());
    let expired = format!("Bearer {}", issuer().user().expired().mint());
    block_on(async {
        let address = serve(app.layer(map_request(platform))).await;
        let (name, good, bad) = ("x-authorization", user.as_str(), expired.as_str());
        for (headers, status) in [
            (&[(name, good)][..], 200),
            (&[(name, good), ("authorization", bad)], 200),
            (&[(name, bad)], 401),
            (&[("authorization", good)], 401),
            (&[], 401),
            (&[(name, good), (name, good)], 400),
        ] {
            let answer = send(address, Method::GET, "/orders", headers).await;
            assert_eq!(answer.status, status, "{}", headers.len());
            assert_eq!(answer.headers.contains_key(WWW_AUTHENTICATE), status != 200);
            assert_eq!(answer.body, if status == 200 { "user" } else { "" });
        }
    });
}
