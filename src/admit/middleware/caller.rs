//! The caller of a request, as the layer leaves it for what is inside.

use http::{Extensions, Request};

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
