//! A request id in every line, and the fields, targets and spans that the guide lists.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, response::Response, routing::get as on_get};
use http::{Method, Request};
use serde_json::Value;
use tokio::time;
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, KeySettings, RequireLayer, Requirement,
};
use tower_http::trace::TraceLayer;
use tracing::{Span, info, info_span};

use super::{send, serve};
use crate::support::{
    client::{Reply, scripted},
    *,
};

/// The guide, without the marks of a comment.
pub(super) fn guide() -> String {
    let source = include_str!("../../src/guide/observability.rs");
    let lines = source.lines().filter_map(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The blocks of code of this kind.
#[cfg(feature = "metrics")]
pub(super) fn blocks<'t>(guide: &'t str, kind: &str) -> Vec<&'t str> {
    let begins = guide
        .split(&*format!("```{kind}\n"))
        .skip(1)
        .collect::<Vec<_>>();
    let blocks = begins
        .into_iter()
        .map(|text| text.split_once("```").unwrap().0);
    blocks.collect()
}

/// As the guide has it.
fn span(request: &Request<Body>) -> Span {
    let id = request.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok());
    info_span!(
        "http",
        http.request.method = %request.method(),
        url.path = request.uri().path(),
        request_id = id.filter(|id| id.len() <= 64),
    )
}

/// As the guide has it.
fn access_log(response: &Response, took: Duration, _: &Span) {
    let extensions = response.extensions();
    let caller = extensions.get::<AgentPrincipal>();
    info!(
        target: "access",
        seconds = took.as_secs_f64(),
        http.response.status_code = response.status().as_u16(),
        kind = caller.map(|caller| caller.kind().as_str()),
        agent_status = caller.map(|caller| caller.agent_status().as_str()),
        error.type = extensions.get::<Error>().map(|error| error.kind().as_str()),
        denial = extensions.get::<Denial>().map(|denial| denial.reason().as_str()),
    );
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_line_of_a_request_has_its_method_path_and_id() {
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(())
        .on_response(access_log)
        .on_failure(());
    let people = RequireLayer::new(Requirement::people());
    let validator = issuer().validator();
    let app = Router::new()
        .route("/orders/{id}", on_get(async || "an order"))
        .route("/approval", on_get(async || "approved").layer(people))
        .layer(EntraAuthLayer::new(validator.clone()).with_principal_in_response())
        .layer(trace);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("info")
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let user = format!("Bearer {}", issuer().user().mint());
    let application = format!("Bearer {}", issuer().application().mint());
    let long = "x".repeat(65);
    tracing::subscriber::with_default(subscriber, || {
        block_on(async {
            validator.ready().await;
            let address = serve(app).await;
            for (path, id, token) in [
                ("/orders/7?token=secret", "one", Some(&user)),
                ("/approval", "two", Some(&application)),
                ("/orders/7", "three", None),
                ("/orders/7", &long, None),
            ] {
                let mut headers = vec![("x-request-id", id)];
                headers.extend(token.map(|token| ("authorization", token.as_str())));
                send(address, Method::GET, path, &headers).await;
            }
        });
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("secret") && !text.contains(&long), "{text}");
    let mut found = Vec::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let target = event["target"].as_str().unwrap();
        if target == "tower_entra::keys" {
            continue;
        }
        let of_event = [
            "http.response.status_code",
            "kind",
            "error.type",
            "code",
            "denial",
        ];
        let of_span = ["http.request.method", "url.path", "request_id"];
        let event_values = of_event.iter().map(|name| &event[name]);
        let span_values = of_span.iter().map(|name| &event["span"][name]);
        let values: Vec<_> = event_values
            .chain(span_values)
            .filter(|value| !value.is_null())
            .map(|value| value.to_string().replace('"', ""))
            .collect();
        found.push(format!("{target} {}", values.join(" ")));
    }
    assert_eq!(
        found,
        [
            "tower_entra::audit::admitted user GET /orders/7 one",
            "access 200 user GET /orders/7 one",
            "tower_entra::audit::admitted application GET /approval two",
            "tower_entra::audit::refused application denied wrong_kind GET /approval two",
            "access 403 application denied wrong_kind GET /approval two",
            "tower_entra::audit::refused missing_token GET /orders/7 three",
            "access 401 missing_token GET /orders/7 three",
            "tower_entra::audit::refused missing_token GET /orders/7",
            "access 401 missing_token GET /orders/7",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_target_field_and_span_is_in_the_guide() {
    let log = Log::of_this_thread();
    let settings = KeySettings::default()
        .with_name("one")
        .with_stale_limit(2 * HOUR);
    let (issuer, client, validator) = scripted(settings);
    client.reply(Reply::Fails);
    let _ = validator.ready_within(SECOND).await;
    client.reply(Reply::Right);
    validator.ready().await;
    let people = RequireLayer::new(Requirement::people());
    let layer = EntraAuthLayer::new(validator.clone()).optional();
    let send = async |token: Option<String>| {
        use tower::{Layer, ServiceExt};

        let inner = |_: Request<()>| async { Ok::<_, Error>(http::Response::new(String::new())) };
        let service = layer.layer(people.layer(tower::service_fn(inner)));
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        service.oneshot(request).await.unwrap();
    };
    for token in [
        issuer.agent_on_behalf_of("alice").claim("uti", "x"),
        issuer.user().without_claim("azp").claim("hasgroups", true),
        issuer.user().claim("xms_act_fct", 5).claim("uti", 5),
        issuer.user().expired(),
    ] {
        send(Some(token.mint())).await;
    }
    send(None).await;
    issuer.publish_jwk(serde_json::json!({"kty": "RSA", "kid": "x"}));
    issuer.rotate();
    send(Some(issuer.user().mint())).await;
    client.reply(Reply::Fails);
    time::sleep(4 * HOUR).await;
    client.reply(Reply::Right);
    validator.ready().await;

    let guide = guide();
    let events = log.lines().into_iter().map(|line| (line.target, line.text));
    let spans = log.spans().into_iter();
    let spans = spans.map(|span| {
        (
            span.target.to_owned(),
            format!("{}=\n{}", span.name, span.text),
        )
    });
    let mut names = BTreeSet::new();
    for (target, text) in events.chain(spans) {
        names.insert(target.clone());
        // What a program gets at the level `debug` outside of the targets' tables.
        if target != "tower_entra" {
            let fields = text.lines().filter_map(|line| line.split_once('='));
            names.extend(fields.map(|(name, _)| name.to_owned()));
        }
    }
    names.remove("message");
    for name in &names {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
    for name in [
        "tower_entra::audit::admitted",
        "tower_entra.keys.wait",
        "tower_entra.keys.refresh",
        "no_client_id",
        "groups_overage",
        "malformed_claims",
        "denial",
        "replaced",
        "skipped",
        "seconds_left",
        "failures",
    ] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
}
