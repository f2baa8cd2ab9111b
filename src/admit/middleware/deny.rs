//! The response to a denial, with its status and its challenge.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    challenge::{insufficient_authentication, insufficient_claims, insufficient_scope, set},
    refusal_body::RefusalBody,
};
use crate::admit::requirement::{Demand, Denial};

/// The response to a [`Denial`]. An outer `EntraAuthLayer` completes it; it is valid without one.
pub(super) fn deny<ResBody>(denial: Denial, body: &impl RefusalBody<ResBody>) -> Response<ResBody> {
    let mut headers = HeaderMap::with_capacity(4);
    let body = body.denial_body(&denial, &mut headers);
    // After the hook, so that it cannot change them.
    set(&mut headers, WWW_AUTHENTICATE, denial.challenge());
    set(&mut headers, RETRY_AFTER, None);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = Response::new(body);
    *response.status_mut() = denial.status();
    *response.headers_mut() = headers;
    response.extensions_mut().insert(denial);
    response
}

impl Denial {
    /// The status of the answer: 403, or 401 where another sign-in or a token would change it. 500
    /// if it is the server's own mistake.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.demand() {
            Demand::Permission { .. } => StatusCode::FORBIDDEN,
            Demand::ClaimsChallenge { .. } | Demand::Authentication { .. } | Demand::Token => {
                StatusCode::UNAUTHORIZED
            }
            Demand::Layer => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The value of `WWW-Authenticate`, but for what an [`EntraAuthLayer`](crate::EntraAuthLayer)
    /// outside adds: `realm`, `resource_metadata`, the scopes to ask for without a token, and the
    /// `authorization_uri` of a claims challenge. `None` with status 500.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        let begin = || "Bearer".to_owned();
        let challenge = match self.demand() {
            Demand::Permission { scopes } => insufficient_scope(begin(), scopes),
            Demand::ClaimsChallenge { claims, .. } => insufficient_claims(None, claims),
            Demand::Authentication { acr_values } => {
                insufficient_authentication(begin(), acr_values)
            }
            // RFC 6750 has no challenge without a parameter.
            Demand::Token => HeaderValue::from_static("Bearer realm=\"\""),
            Demand::Layer => return None,
        };
        Some(challenge)
    }
}
