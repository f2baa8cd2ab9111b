//! The caller of a request, as the layer leaves it for what is inside.

use http::{Extensions, Request};

#[cfg(feature = "acquire")]
use super::credentials::{Credentials, check_credentials};
#[cfg(feature = "acquire")]
use crate::admit::user_assertion::assertion_of;
use crate::admit::{principal::AgentPrincipal, requirement::Denial, token_header::TokenHeader};

/// Prepares a request for the service inside.
pub(super) fn admit<ReqBody>(
    request: &mut Request<ReqBody>,
    principal: Option<AgentPrincipal>,
    token_header: &TokenHeader,
) {
    // Check 1 admits only one.
    if let Some(value) = request.headers_mut().get_mut(token_header.name()) {
        value.set_sensitive(true);
    }
    let extensions = request.extensions_mut();
    match principal {
        Some(principal) => drop(extensions.insert(principal)),
        None => drop(extensions.insert(Anonymous)),
    }
}

/// Puts the token of this caller into the request's extensions, if it is delegated.
#[cfg(feature = "acquire")]
pub(super) fn give_assertion<ReqBody>(
    caller: &AgentPrincipal,
    token_header: &TokenHeader,
    request: &mut Request<ReqBody>,
) {
    // The header by which the caller was admitted: nothing has changed it since.
    if let Ok(Credentials::Bearer(text)) = check_credentials(request.headers(), token_header.name())
        && let Ok(token) = text.token()
        && let Some(assertion) = assertion_of(caller, token)
    {
        request.extensions_mut().insert(assertion);
    }
}

/// The caller that the layer has put into a request's extensions.
pub(super) fn caller(extensions: &Extensions) -> Result<&AgentPrincipal, Denial> {
    match (extensions.get(), extensions.get::<Anonymous>()) {
        (Some(principal), _) => Ok(principal),
        (None, Some(_)) => Err(Denial::anonymous()),
        (None, None) => Err(Denial::missing_layer()),
    }
}

/// Marks a request that an optional layer let through without a token. No code outside of this file can
/// insert it. Ignored beside a principal.
#[derive(Clone, Copy)]
struct Anonymous;

#[cfg(all(test, feature = "acquire", feature = "testing"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;

    use http::{HeaderName, Response, header::AUTHORIZATION};
    use tower::{Layer as _, ServiceExt as _, service_fn};

    use crate::{EntraAuthLayer, acquire::UserAssertion, testing::Issuer};

    #[tokio::test]
    async fn the_assertion_is_the_token_of_the_header_that_was_read() {
        let issuer = Issuer::start().await;
        let other = HeaderName::from_static("x-api-token");
        for (header, spaces) in [(AUTHORIZATION, " "), (AUTHORIZATION, "   "), (other, " ")] {
            let layer = EntraAuthLayer::new(issuer.validator()).with_user_assertion();
            let layer = match header == AUTHORIZATION {
                true => layer,
                false => layer.token_from_header(header.clone()).unwrap(),
            };
            let inside = service_fn(|request: http::Request<()>| async move {
                let assertion = request.extensions().get::<UserAssertion>();
                Ok::<_, Infallible>(Response::new(
                    assertion.map_or_else(String::new, |it| it.token().expose().to_owned()),
                ))
            });
            let token = issuer.user().mint();
            let request = http::Request::builder().header(header, format!("bearer{spaces}{token}"));
            let request = request.body(()).unwrap();
            let response: Response<String> = layer.layer(inside).oneshot(request).await.unwrap();
            assert_eq!(*response.body(), token);
        }
    }
}
