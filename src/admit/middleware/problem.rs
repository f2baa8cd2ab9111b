//! Refusals with a body that machines can read.

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use super::{challenge::status, refusal_body::RefusalBody};
use crate::admit::{error::Error, requirement::Denial};

/// Bodies of refusals as `application/problem+json`:
/// [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457#section-3).
///
/// For [`EntraAuthLayer::refusal_body`](crate::EntraAuthLayer::refusal_body) and
/// [`RequireLayer::refusal_body`](crate::RequireLayer::refusal_body), with any body that can be made
/// of a [`String`].
///
/// ```json
/// {"type":"about:blank","title":"Unauthorized","status":401,"detail":"the token has expired"}
/// ```
///
/// `detail` is one of a closed list of texts: the `error_description` of the challenge, where there is
/// one. It adds nothing to the challenge, and contains nothing of the token, of the requirement or of
/// the configuration, except the name of the header that tokens are read from.
///
/// ```
/// # use tower_entra::{EntraAuthLayer, ProblemJson, RequireLayer, Requirement, Validator};
/// # fn layers(validator: Validator) {
/// let layer = EntraAuthLayer::new(validator).refusal_body(ProblemJson);
/// // Its refusals have the same bodies.
/// let people = RequireLayer::new(Requirement::people());
/// # }
/// ```
#[doc(alias("problem+json", "with_problem_json", "RFC 9457"))]
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct ProblemJson;

impl<ResBody: From<String>> RefusalBody<ResBody> for ProblemJson {
    fn refusal_body(&self, error: &Error, headers: &mut HeaderMap) -> ResBody {
        problem(status(error.kind()), &error.description(), headers).into()
    }

    fn denial_body(&self, denial: &Denial, headers: &mut HeaderMap) -> ResBody {
        problem(denial.status(), denial.client_message(), headers).into()
    }

    fn empty_body(&self) -> Option<ResBody> {
        Some(String::new().into())
    }
}

/// The members that RFC 9457 names, without `instance`. With the type `about:blank` the title is
/// that of the status.
#[derive(Serialize)]
struct Members<'d> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'d str,
}

fn problem(status: StatusCode, detail: &str, headers: &mut HeaderMap) -> String {
    let members = Members {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
    };
    let content_type = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, content_type);
    serde_json::to_string(&members).expect("texts and a number can be written as JSON")
}
