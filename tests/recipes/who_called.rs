//! Who called, in the access log.

use std::time::Instant;

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn},
    response::Response,
    routing::get as on_get,
};
use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, Error, RequireLayer, Requirement};
use tracing::{Instrument, field, info, info_span};

use super::{get, serve};
use crate::support::{block_on, issuer, logged};

/// As the guide has it.
async fn access_log(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(|path| path.as_str().to_owned());
    let span = info_span!("http", method = %request.method(), route);
    let response = next.run(request).instrument(span.clone()).await;
    let caller = response.extensions().get::<AgentPrincipal>();
    let error = response.extensions().get::<Error>();
    let denial = response.extensions().get::<Denial>();
    span.in_scope(|| {
        info!(
            target: "access",
            status = response.status().as_u16(),
            milliseconds = start.elapsed().as_secs_f64() * 1e3,
            kind = caller.map(|caller| caller.kind().as_str()),
            tenant_id = caller.map(|caller| field::display(caller.tenant_id())),
            client_id = caller.and_then(AgentPrincipal::client_id).map(field::display),
            token_id = caller.and_then(AgentPrincipal::token_id),
            code = error.map(|error| error.kind().as_str()),
            denial = denial.map(|denial| denial.reason().as_str()),
        );
    });
    response
}

#[test]
fn the_access_log_names_who_called_and_no_person() {
    let people = RequireLayer::new(Requirement::people());
    let app = Router::new()
        .route("/orders/{id}", on_get(async || "an order"))
        .route("/approval", on_get(async || "approved").layer(people))
        .layer(EntraAuthLayer::new(issuer().validator()).with_principal_in_response())
        .layer(from_fn(access_log));
    let user = issuer().user().claim("uti", "id-of-the-token").mint();
    let application = issuer().application().mint();
    let ((), log) = logged(|| {
        block_on(async {
            let address = serve(app).await;
            get(address, "/orders/of-alice", Some(&user)).await;
            get(address, "/approval", Some(&application)).await;
            get(address, "/orders/of-alice", Some("bad")).await;
            get(address, "/of-alice", None).await;
        });
    });
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" access: "))
        .collect();
    let [admitted, denied, refused, unknown] = &lines[..] else {
        panic!("{log}")
    };
    let (tid, client) = (issuer().tenant_id(), issuer().client_id());
    let caller = |kind| format!("kind=\"{kind}\" tenant_id={tid} client_id={client}");
    for (line, expected) in [
        (admitted, r#"http{method=GET route="/orders/{id}"}"#),
        (admitted, "status=200"),
        (admitted, &caller("user")),
        (admitted, r#"token_id="id-of-the-token""#),
        (denied, r#"http{method=GET route="/approval"}"#),
        (denied, "status=403"),
        (denied, &caller("application")),
        (denied, r#"code="denied" denial="wrong_kind""#),
        (refused, "status=401"),
        (refused, r#"code="malformed_token""#),
        (unknown, "http{method=GET}: access: status=401"),
    ] {
        assert!(line.contains(expected), "{expected} is not in: {line}");
    }
    assert!(!admitted.contains("code="), "{admitted}");
    assert!(!refused.contains("kind="), "{refused}");
    // The audit log is in the same span.
    let audited =
        "http{method=GET route=\"/orders/{id}\"}: tower_entra::audit::admitted: request admitted";
    assert!(log.contains(audited), "{log}");
    let alice = issuer().object_id_of("alice");
    for line in lines {
        assert!(!line.contains("alice") && !line.contains(&alice), "{line}");
    }
}
