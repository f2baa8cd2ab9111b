//! Whose token came with a request.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, middleware::Next, response::Response};
use http::{Extensions, HeaderMap, Request, StatusCode, header, request::Parts};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_entra::{AgentPrincipal, EntraAuthLayer, acquire::UserAssertion};

use crate::{app::App, problem::Problem};

/// Whose token came with a request.
#[derive(Clone, Debug)]
pub(crate) enum Inbound {
    /// No token, or on an anonymous route one that was refused.
    Anonymous,
    /// The token of an app or an agent that acts as itself.
    App,
    /// A token that can be exchanged on behalf of its user.
    User(UserAssertion),
    /// On an anonymous route: a token that cannot be checked for want of keys. Seconds until it may be.
    Unchecked { retry_after: Option<u64> },
}

impl Inbound {
    /// The caller whom an [`EntraAuthLayer`] has admitted. `None` if there is no such layer.
    fn admitted(extensions: &Extensions) -> Option<Self> {
        extensions.get::<AgentPrincipal>()?;
        Some(match extensions.get::<UserAssertion>() {
            Some(assertion) => Self::User(assertion.clone()),
            None => Self::App,
        })
    }
}

/// Behind [`guard`] or [`look`] only: a route without either is a mistake of this program, and gives no token.
impl<S: Sync> FromRequestParts<S> for Inbound {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let looked = parts.extensions.remove::<Self>();
        let inbound = looked.or_else(|| Self::admitted(&parts.extensions));
        inbound.ok_or_else(Problem::unexpected)
    }
}

/// The layer of the protected routes.
pub(crate) fn guard(app: &App) -> EntraAuthLayer {
    EntraAuthLayer::new(app.validator.clone())
        .without_realm()
        .with_user_assertion()
}

/// The middleware of the anonymous routes: a token that comes along is checked as on the protected ones. If it
/// is refused, the request goes on as an anonymous one.
pub(crate) async fn look(
    guard: EntraAuthLayer,
    mut request: axum::extract::Request,
    next: Next,
) -> Response {
    let inbound = match request.headers().contains_key(header::AUTHORIZATION) {
        true => checked(&guard, request.headers()).await,
        false => Inbound::Anonymous,
    };
    request.extensions_mut().insert(inbound);
    next.run(request).await
}

/// Asks the layer about these headers. It reads them; there is no second reader of credentials.
async fn checked(guard: &EntraAuthLayer, headers: &HeaderMap) -> Inbound {
    let mut request = Request::new(());
    for credentials in headers.get_all(header::AUTHORIZATION) {
        let own = request.headers_mut();
        own.append(header::AUTHORIZATION, credentials.clone());
    }
    let admitted = service_fn(|request: Request<()>| async move {
        let mut response = http::Response::new(());
        if let Some(inbound) = Inbound::admitted(request.extensions()) {
            response.extensions_mut().insert(inbound);
        }
        Ok::<_, Infallible>(response)
    });
    let answer = match guard.layer(admitted).oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    match answer.extensions().get::<Inbound>() {
        Some(inbound) => inbound.clone(),
        None if answer.status() == StatusCode::SERVICE_UNAVAILABLE => Inbound::Unchecked {
            retry_after: seconds(answer.headers()),
        },
        None => Inbound::Anonymous,
    }
}

fn seconds(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_route_that_asks_for_no_token_names_no_caller() {
        let (mut parts, ()) = Request::new(()).into_parts();
        let inbound = Inbound::from_request_parts(&mut parts, &()).await;
        assert!(inbound.is_err());
    }

    #[test]
    fn the_time_until_keys_may_come_is_that_of_the_layer() {
        let mut headers = HeaderMap::new();
        assert_eq!(seconds(&headers), None);
        headers.insert(header::RETRY_AFTER, 7.into());
        assert_eq!(seconds(&headers), Some(7));
    }
}
