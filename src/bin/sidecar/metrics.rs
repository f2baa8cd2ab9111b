//! What is counted, as text for Prometheus at a listener of its own.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, Request, StatusCode, header};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    paths::Endpoint,
    serve::{Answer, Peer},
};

/// `GET /metrics`.
#[derive(Clone, Debug)]
pub(crate) struct MetricsPage(PrometheusHandle);

impl MetricsPage {
    /// Installs the recorder of the process, and has the samples of histograms merged in the background. Must be
    /// called within a tokio runtime, before anything is counted.
    ///
    /// # Errors
    ///
    /// Fails if there is a recorder already.
    pub(crate) fn install() -> Result<Self, String> {
        let recorder = PrometheusBuilder::new()
            .with_recommended_naming(true)
            .set_buckets_for_metric(Matcher::Suffix(".duration".to_owned()), BUCKETS)
            .map_err(|error| error.to_string())?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
        describe();
        let merging = handle.clone();
        keep_up(move || merging.run_upkeep());
        Ok(Self(handle))
    }
}

/// Merges in the background: a sample that is not merged takes memory until there is a request for the page.
fn keep_up(merge: impl Fn() + Send + 'static) {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            merge();
        }
    });
}

impl Answer for MetricsPage {
    async fn answer(&self, _: Peer, request: Request<Body>) -> Response {
        if request.uri().path() != PATH {
            return StatusCode::NOT_FOUND.into_response();
        }
        if request.method() != Method::GET {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response();
        }
        ([(header::CONTENT_TYPE, TEXT)], self.0.render()).into_response()
    }
}

/// Counts an answer of the program. Without a recorder this does nothing.
pub(crate) fn answered(endpoint: Option<Endpoint>, status: StatusCode, start: Instant) {
    let route = route(endpoint);
    metrics::counter!(REQUESTS, "route" => route, "status" => label(status)).increment(1);
    metrics::histogram!(DURATION, "route" => route).record(start.elapsed());
}

/// Registers the series that there will be, with 0.
fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests that the sidecar answered.");
    metrics::describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "From the headers of a request to those of its answer."
    );
    for endpoint in Endpoint::ALL.map(Some).into_iter().chain([None]) {
        let route = route(endpoint);
        let _ = metrics::histogram!(DURATION, "route" => route);
        for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
            if endpoint.is_some() == (status == StatusCode::OK) {
                metrics::counter!(REQUESTS, "route" => route, "status" => label(status))
                    .increment(0);
            }
        }
    }
}

/// The first segment of the path as the program writes it. Nothing of a caller becomes a label.
fn route(endpoint: Option<Endpoint>) -> &'static str {
    endpoint.map_or("unknown", |endpoint| endpoint.literals().0)
}

fn label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        413 => "413",
        500 => "500",
        502 => "502",
        503 => "503",
        _ => "other",
    }
}

const REQUESTS: &str = "tower_entra.sidecar.requests";
const DURATION: &str = "tower_entra.sidecar.request.duration";
/// In seconds: from a token of the cache, by way of one from Entra, to the limit of a request.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0,
];
/// The default of the exporter's own server.
const UPKEEP: Duration = Duration::from_secs(5);
pub(crate) const PATH: &str = "/metrics";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn samples_are_merged_every_5_s() {
        let merged = Arc::new(AtomicU32::new(0));
        let merging = Arc::clone(&merged);
        keep_up(move || {
            merging.fetch_add(1, Ordering::Relaxed);
        });
        for (milliseconds, times) in [(4_990, 0), (20, 1), (4_970, 1), (40, 2), (50_000, 12)] {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            assert_eq!(merged.load(Ordering::Relaxed), times);
        }
    }

    #[test]
    fn statuses_that_the_program_answers_with_are_labels_and_others_are_one() {
        for status in [200, 400, 401, 403, 404, 405, 408, 413, 500, 502, 503] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(label(status), status.as_str());
        }
        for status in [201, 302, 418, 504, 999] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(label(status), "other");
        }
    }
}
