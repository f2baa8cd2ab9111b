//! The caller of a request, as the layer leaves it for what is inside.

use http::{Extensions, Request, header::AUTHORIZATION};

use crate::{principal::AgentPrincipal, requirement::Denial};

/// Prepares a request for the service inside.
pub(super) fn admit<ReqBody>(request: &mut Request<ReqBody>, principal: Option<AgentPrincipal>) {
    // Check 1 admits no second one.
    if let Some(value) = request.headers_mut().get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
    let extensions = request.extensions_mut();
    match principal {
        Some(principal) => drop(extensions.insert(principal)),
        None => drop(extensions.insert(Anonymous)),
    }
}

/// Who is calling, by what the layer has left in a request's extensions.
pub(super) fn caller(extensions: &Extensions) -> Result<&AgentPrincipal, Denial> {
    match (extensions.get(), extensions.get::<Anonymous>()) {
        (Some(principal), _) => Ok(principal),
        (None, Some(_)) => Err(Denial::anonymous()),
        (None, None) => Err(Denial::missing_layer()),
    }
}

/// Tells a request that an optional layer let through from one that no layer has seen. Nobody else
/// can put it into a request, and where there is a principal it says nothing.
#[derive(Clone, Copy)]
struct Anonymous;
