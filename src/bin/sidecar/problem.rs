//! Errors as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems, with the members of Microsoft's sidecar
//! and more.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// The `type` of a problem: the section of RFC 9110, as ASP.NET Core names it.
macro_rules! rfc9110 {
    ($section:literal) => {
        concat!("https://tools.ietf.org/html/rfc9110#section-", $section)
    };
}

/// The answer to a request that failed.
///
/// `detail` is for the caller. It never holds a token, an assertion or the value of a parameter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem(Box<Members>);

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// Such as `AADSTS65001`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    /// The JSON text of a claims challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<String>,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// In seconds; a header only.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            rfc9110!("15.5.1"),
            "Bad Request",
            detail,
        )
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            rfc9110!("15.5.2"),
            "Unauthorized",
            detail,
        )
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            rfc9110!("15.5.4"),
            "Forbidden",
            detail,
        )
    }

    /// The only text that Microsoft's sidecar has for it.
    pub(crate) fn unexpected() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            rfc9110!("15.6.1"),
            "An error occurred while processing your request.",
            "An unexpected error occurred.",
        )
    }

    pub(crate) fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            rfc9110!("15.6.3"),
            "Bad Gateway",
            detail,
        )
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, rfc9110!("15.6.4"), "Service Unavailable", detail)
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> u16 {
        self.0.status
    }

    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_error_code(mut self, error_code: Option<String>) -> Self {
        self.0.error_code = error_code;
        self
    }

    pub(crate) fn with_correlation_id(mut self, correlation_id: Option<String>) -> Self {
        self.0.correlation_id = correlation_id;
        self
    }

    pub(crate) fn with_claims(mut self, claims: Option<String>) -> Self {
        self.0.claims = claims;
        self
    }

    /// `seconds` go into `Retry-After`.
    pub(crate) fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        self.0.retry_after = seconds;
        self
    }

    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Members {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            error_code: None,
            correlation_id: None,
            claims: None,
            hint: None,
            retry_after: None,
        }))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after;
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
