//! The response to a denial, with its status and its challenge.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    challenge::{
        insufficient_authentication, insufficient_claims, insufficient_scope, invalid_token, set,
        whole_seconds,
    },
    refusal_body::{EmptyBody, RefusalBody},
};
use crate::admit::requirement::{Demand, Denial};

/// Marks the response to a denial whose body is empty, and for the layer outside to build.
#[derive(Clone, Copy)]
pub(super) struct WithoutBody;

/// The response to a [`Denial`]. An outer `EntraAuthLayer` completes it; it is valid without one.
pub(super) fn deny<ResBody>(denial: Denial, body: &impl RefusalBody<ResBody>) -> Response<ResBody> {
    let mut headers = HeaderMap::with_capacity(4);
    let is_left = body.leaves_body_to_outer();
    let body = body.denial_body(&denial, &mut headers);
    // After the hook, so that it cannot change them.
    set(&mut headers, WWW_AUTHENTICATE, denial.challenge());
    let retry_after = denial.retry_after().map(whole_seconds);
    set(&mut headers, RETRY_AFTER, retry_after);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = Response::new(body);
    *response.status_mut() = denial.status();
    *response.headers_mut() = headers;
    response.extensions_mut().insert(denial);
    if is_left {
        response.extensions_mut().insert(WithoutBody);
    }
    response
}

impl Denial {
    /// The response, with its status, its challenge, `Cache-Control: no-store`, an empty body, and this
    /// denial in its extensions: for a handler without axum.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use tower_entra::{AgentPrincipal, Denial};
    /// fn handle(request: &Request<()>) -> Response<String> {
    ///     let caller = request.extensions().get::<AgentPrincipal>();
    ///     let caller = caller.ok_or_else(Denial::anonymous);
    ///     match caller.and_then(|caller| caller.require_scope("Orders.Read")) {
    ///         Ok(()) => Response::new("orders".to_owned()),
    ///         Err(denial) => denial.response(),
    ///     }
    /// }
    /// ```
    ///
    /// An [`EntraAuthLayer`](crate::EntraAuthLayer) outside completes the challenge. If it has a
    /// [`refusal_body`](crate::EntraAuthLayer::refusal_body), that builds the body.
    ///
    /// A body of the handler's own, put into this response, **needs a `Content-Type`**: without one the layer
    /// takes the body for empty and replaces it.
    ///
    /// ```
    /// # use http::{HeaderValue, Response, header::CONTENT_TYPE};
    /// # use tower_entra::Denial;
    /// fn refuse(denial: Denial) -> Response<String> {
    ///     let mut response: Response<String> = denial.response();
    ///     *response.body_mut() = "Ask the owner of the mailbox.".to_owned();
    ///     let text = HeaderValue::from_static("text/plain");
    ///     response.headers_mut().insert(CONTENT_TYPE, text);
    ///     response
    /// }
    /// ```
    #[must_use]
    pub fn response<ResBody: Default>(self) -> Response<ResBody> {
        deny(self, &EmptyBody)
    }

    /// The status of the answer: 403, or 401 where another sign-in or a token would change it. 500
    /// if it is the server's own mistake, 503 if the server lacks something for a while.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.demand() {
            Demand::Permission { .. } => StatusCode::FORBIDDEN,
            Demand::ClaimsChallenge { .. }
            | Demand::Authentication { .. }
            | Demand::Token
            | Demand::NewToken => StatusCode::UNAUTHORIZED,
            Demand::Layer | Demand::Server => StatusCode::INTERNAL_SERVER_ERROR,
            Demand::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The value of `WWW-Authenticate`, but for what an [`EntraAuthLayer`](crate::EntraAuthLayer)
    /// outside adds: `realm`, `resource_metadata`, the scopes to ask for without a token, and the
    /// `authorization_uri` of a claims challenge. `None` with status 500 and 503.
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
            Demand::NewToken => invalid_token(begin(), self.client_message()),
            Demand::Layer | Demand::Server | Demand::Later(_) => return None,
        };
        Some(challenge)
    }
}
