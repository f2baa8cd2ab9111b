//! Who acts in a call.

use std::{fmt, sync::Arc};

use super::message::sealed::Request;
use crate::acquire::{AgentIdentity, ConfidentialClient, TokenSource, UserAssertion};

/// Who acts on behalf of a caller: an [`AgentIdentity`] or a [`ConfidentialClient`], or a function, where that
/// depends on the caller.
///
/// For an app of several tenants, the client is that of the caller's tenant:
///
/// ```
/// # use tower_entra::acquire::{ConfidentialClient, EntraCallLayer, UserAssertion};
/// # fn layer(layer: EntraCallLayer, blueprint: ConfidentialClient) -> EntraCallLayer {
/// const AGENT: &str = "facbde84-d22b-4c07-a3e2-66f35c3f4a2e";
/// layer.on_behalf_of_caller(move |caller: &UserAssertion| {
///     let blueprint = blueprint.in_tenant(caller.tenant_id());
///     blueprint.agent(AGENT).on_behalf_of(caller)
/// })
/// # }
/// ```
pub trait ActsOnBehalf: Send + Sync + 'static {
    /// Who acts on behalf of this caller.
    fn on_behalf_of(&self, caller: &UserAssertion) -> TokenSource;
}

impl ActsOnBehalf for AgentIdentity {
    fn on_behalf_of(&self, caller: &UserAssertion) -> TokenSource {
        self.on_behalf_of(caller)
    }
}

impl ActsOnBehalf for ConfidentialClient {
    fn on_behalf_of(&self, caller: &UserAssertion) -> TokenSource {
        self.on_behalf_of(caller)
    }
}

impl<F> ActsOnBehalf for F
where
    F: Fn(&UserAssertion) -> TokenSource + Send + Sync + 'static,
{
    fn on_behalf_of(&self, caller: &UserAssertion) -> TokenSource {
        self(caller)
    }
}

/// Who acts in the calls of a layer, unless a request says otherwise.
#[derive(Clone)]
pub(super) enum Actor {
    Unknown,
    Source(TokenSource),
    /// Acts on behalf of the caller whose assertion is in the request.
    OnBehalfOfCaller(Arc<dyn ActsOnBehalf>),
}

impl Actor {
    pub(super) fn on_behalf_of_caller(by: impl ActsOnBehalf) -> Self {
        Self::OnBehalfOfCaller(Arc::new(by))
    }

    /// Who acts in this request. What says so is taken out of the request, used or not: neither a token
    /// source nor a caller's token is for the services inside.
    pub(super) fn take_from(&self, request: &mut impl Request) -> Option<TokenSource> {
        let (source, assertion) = match request.extensions_mut() {
            Some(extensions) => (
                extensions.remove::<TokenSource>(),
                extensions.remove::<UserAssertion>(),
            ),
            None => (None, None),
        };
        source.or_else(|| match self {
            Self::Unknown => None,
            Self::Source(source) => Some(source.clone()),
            Self::OnBehalfOfCaller(by) => assertion.map(|caller| by.on_behalf_of(&caller)),
        })
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("Unknown"),
            Self::Source(source) => source.fmt(f),
            Self::OnBehalfOfCaller(_) => f.write_str("OnBehalfOfCaller"),
        }
    }
}
