//! The service: where a request goes, who acts in it, and with which token.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::header::{AUTHORIZATION, HOST, PROXY_AUTHORIZATION};
use tower::Service;

use super::{
    actor::{Actor, ActsOnBehalf},
    api::Api,
    error::CallError,
    future::{Call, CallFuture},
    message::{CallRequest, CallResponse},
    replay::{NoReplay, Replay},
};
use crate::acquire::TokenSource;

/// The [`Service`] of an [`EntraCallLayer`](super::EntraCallLayer). Cheap to clone if the service inside is.
///
/// A request with a token at hand is passed on within `call`. One that has to wait for a token holds none of
/// the capacity of the service inside while it waits, and one that is not sent gives it back.
#[derive(Clone)]
pub struct EntraCall<S, R = NoReplay> {
    inner: S,
    api: Arc<Api>,
    actor: Actor,
    replay: R,
}

impl<S, R> EntraCall<S, R> {
    pub(super) fn new(inner: S, api: Arc<Api>, actor: Actor, replay: R) -> Self {
        Self {
            inner,
            api,
            actor,
            replay,
        }
    }

    /// Who acts in requests that do not say, as
    /// [`EntraCallLayer::acting_as`](super::EntraCallLayer::acting_as). On a clone, it chooses who acts in one
    /// call.
    ///
    /// ```
    /// # use tower_entra::acquire::{AgentIdentity, EntraCall, UserAssertion};
    /// # fn for_the_caller<S: Clone>(orders: &EntraCall<S>, agent: &AgentIdentity, caller: &UserAssertion) -> EntraCall<S> {
    /// orders.clone().acting_as(agent.on_behalf_of(caller))
    /// # }
    /// ```
    #[must_use]
    pub fn acting_as(self, source: TokenSource) -> Self {
        Self {
            actor: Actor::Source(source),
            ..self
        }
    }

    /// As [`EntraCallLayer::on_behalf_of_caller`](super::EntraCallLayer::on_behalf_of_caller).
    #[must_use]
    pub fn on_behalf_of_caller(self, agent: impl ActsOnBehalf) -> Self {
        Self {
            actor: Actor::on_behalf_of_caller(agent),
            ..self
        }
    }
}

impl<S, R> EntraCall<S, R> {
    fn is_for_the_api(&self, request: &impl CallRequest) -> bool {
        let destination = request.destination();
        destination.is_some_and(|destination| self.api.is(destination))
    }

    /// Takes credentials and who acts out of a request, and has it name the host of the API.
    fn take_from(&self, request: &mut impl CallRequest) -> Option<TokenSource> {
        let headers = request.headers_mut();
        headers.remove(AUTHORIZATION);
        headers.remove(PROXY_AUTHORIZATION);
        if headers.contains_key(HOST) {
            headers.insert(HOST, self.api.authority());
        }
        self.actor.take_from(request)
    }

    /// The copy of a request. One that goes to another origin would take the token there, so it is none.
    fn copy<Req: CallRequest>(&self, request: &Req) -> Option<Req>
    where
        R: Replay<Req>,
    {
        let mut copy = self.replay.copy(request)?;
        self.take_from(&mut copy);
        self.is_for_the_api(&copy).then_some(copy)
    }
}

impl<S: Clone, R> EntraCall<S, R> {
    /// A clone that was not readied. The readied one is dropped: what it has reserved would be held while the
    /// request waits, or until the next call.
    fn give_back(&mut self) -> S {
        let inner = self.inner.clone();
        drop(mem::replace(&mut self.inner, inner.clone()));
        inner
    }
}

impl<S, R, Req> Service<Req> for EntraCall<S, R>
where
    S: Service<Req> + Clone,
    S::Response: CallResponse,
    Req: CallRequest,
    R: Replay<Req>,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = CallFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(CallError::Inner)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let source = self.take_from(&mut request);
        if !self.is_for_the_api(&request) {
            self.give_back();
            return CallFuture::failed(CallError::OtherOrigin);
        }
        let Some(source) = source else {
            self.give_back();
            return CallFuture::failed(CallError::NobodyToActAs);
        };
        let call = Call {
            source,
            api: Arc::clone(&self.api),
        };
        match call.token_at_hand() {
            Some(Ok(token)) => {
                let copy = self.copy(&request);
                let copy = copy.map(|copy| (self.inner.clone(), copy));
                CallFuture::calling(call, &mut self.inner, request, token, copy)
            }
            Some(Err(error)) => {
                self.give_back();
                CallFuture::failed(CallError::NoToken(error))
            }
            None => {
                let copy = self.copy(&request);
                CallFuture::acquiring(call, self.give_back(), request, copy)
            }
        }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for EntraCall<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraCall")
            .field("inner", &self.inner)
            .field("api", &self.api.as_str())
            .field("scopes", &self.api.scopes)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}
