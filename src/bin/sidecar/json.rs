//! An answer that is JSON.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};

/// 200 with this body, as ASP.NET Core names its type.
pub(crate) fn answer(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
