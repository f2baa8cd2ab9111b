//! `/healthz` and `/readyz`: whether the program runs, and whether it can check tokens.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tower_entra::KeyStatus;

use crate::app::App;

/// The program answers, so it runs.
pub(crate) fn health() -> Response {
    plain(StatusCode::OK, "Healthy")
}

/// Ready once there are keys to check inbound tokens with, whatever Entra does meanwhile. Sends nothing to Entra:
/// the keys come by themselves.
pub(crate) fn readiness(app: &App) -> Response {
    match app.validator.status() {
        KeyStatus::Unavailable => plain(StatusCode::SERVICE_UNAVAILABLE, "NoKeys"),
        _ => plain(StatusCode::OK, "Ready"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain")], text).into_response()
}
