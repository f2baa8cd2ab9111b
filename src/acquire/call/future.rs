//! The response future of the service.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{StatusCode, header::AUTHORIZATION};
use pin_project_lite::pin_project;
use tower::Service;

use super::{
    api::Api,
    error::CallError,
    message::{CallRequest, CallResponse},
};
use crate::{
    acquire::{AccessToken, AcquireError, TokenSource, challenge::claims_asked_for},
    moment::Moment,
};

pin_project! {
    /// The response future of [`EntraCall`](super::EntraCall).
    ///
    /// One that is dropped leaves an acquisition under way alone: its token is for the next request.
    pub struct CallFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, S::Future, S::Response, S::Error>,
    }
}

type Waiting = Pin<Box<dyn Future<Output = Result<AccessToken, AcquireError>> + Send>>;

pin_project! {
    #[project = StateProjection]
    enum State<S, Req, F, Res, E> {
        /// Nothing is sent.
        Failed { error: Option<CallError<E>> },
        /// The request waits for a token, and holds only a clone of the service inside.
        Acquiring { waiting: Waiting, held: Option<Held<S, Req>> },
        /// The token is there and the clone gets ready.
        Readying { held: Option<Held<S, Req>>, token: AccessToken },
        /// The service inside has the request.
        Calling { #[pin] future: F, sent: Sent<S, Req> },
        /// The response waits until the next request can have a token for the claims of its challenge.
        Preparing { waiting: Waiting, response: Option<Res> },
    }
}

/// Who acts, and for which API.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) source: TokenSource,
    pub(super) api: Arc<Api>,
}

/// A request and the clone that will get it.
struct Held<S, Req> {
    call: Call,
    service: S,
    request: Req,
    again: Again<Req>,
    /// What the challenge was that this request answers.
    challenged: Option<Challenged>,
}

/// The claims that a challenge asked for, and the token that it refused.
#[derive(Clone)]
struct Challenged {
    claims: Arc<str>,
    refused: AccessToken,
}

/// A request that the service inside has.
struct Sent<S, Req> {
    call: Call,
    token: AccessToken,
    again: Again<(S, Req)>,
}

/// What a claims challenge to a request leads to.
enum Again<T> {
    /// This copy is sent.
    Copy(T),
    /// There is no copy: the next request has a token for the claims.
    Next,
    /// The request is the copy: nothing, the challenge goes back.
    Never,
}

impl Call {
    /// The token, or why there is none, if that is known without a wait.
    pub(super) fn token_at_hand(&self) -> Option<Result<AccessToken, AcquireError>> {
        self.source.at_hand(&self.api.scopes)
    }

    fn token(&self) -> Waiting {
        let Self { source, api } = self.clone();
        Box::pin(async move { source.token(&api.scopes).await })
    }

    fn token_for(&self, challenged: &Challenged) -> Waiting {
        let Self { source, api } = self.clone();
        let Challenged { claims, refused } = challenged.clone();
        Box::pin(async move { source.token_for(&api.scopes, claims, refused).await })
    }
}

impl<T> Again<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Again<U> {
        match self {
            Self::Copy(copy) => Again::Copy(map(copy)),
            Self::Next => Again::Next,
            Self::Never => Again::Never,
        }
    }
}

impl<T> From<Option<T>> for Again<T> {
    fn from(copy: Option<T>) -> Self {
        copy.map_or(Self::Next, Self::Copy)
    }
}

impl<S: Service<Req>, Req> CallFuture<S, Req> {
    pub(super) fn failed(error: CallError<S::Error>) -> Self {
        let error = Some(error);
        Self {
            state: State::Failed { error },
        }
    }

    pub(super) fn acquiring(call: Call, service: S, request: Req, copy: Option<Req>) -> Self {
        let waiting = call.token();
        let held = Some(Held {
            call,
            service,
            request,
            again: copy.into(),
            challenged: None,
        });
        Self {
            state: State::Acquiring { waiting, held },
        }
    }

    /// `service` is ready.
    pub(super) fn calling(
        call: Call,
        service: &mut S,
        request: Req,
        token: AccessToken,
        copy: Option<(S, Req)>,
    ) -> Self
    where
        Req: CallRequest,
    {
        let again = copy.into();
        let sent = Sent { call, token, again };
        Self {
            state: State::send(service, request, sent),
        }
    }
}

impl<S: Service<Req>, Req: CallRequest> State<S, Req, S::Future, S::Response, S::Error> {
    fn send(service: &mut S, mut request: Req, sent: Sent<S, Req>) -> Self {
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, sent.token.authorization());
        Self::Calling {
            future: service.call(request),
            sent,
        }
    }
}

impl<S, Req> Future for CallFuture<S, Req>
where
    S: Service<Req> + Clone,
    S::Response: CallResponse,
    Req: CallRequest,
{
    type Output = Result<S::Response, CallError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Failed { error } => {
                    let error = error.take().expect("polled after it was ready");
                    return Poll::Ready(Err(error));
                }
                StateProjection::Acquiring { waiting, held } => {
                    let token = ready!(waiting.as_mut().poll(cx)).map_err(CallError::NoToken)?;
                    let held = held.take();
                    State::Readying { held, token }
                }
                StateProjection::Readying { held, token } => {
                    let waiting = held.as_mut().expect("polled after it was ready");
                    ready!(waiting.service.poll_ready(cx)).map_err(CallError::Inner)?;
                    let held = held.take().expect("it was there two lines above");
                    held.with_ready_service(token)
                }
                StateProjection::Calling { future, sent } => {
                    let response = ready!(future.poll(cx)).map_err(CallError::Inner)?;
                    match sent.challenged_by(&response) {
                        None => return Poll::Ready(Ok(response)),
                        Some(challenged) => sent.answer(challenged, response),
                    }
                }
                StateProjection::Preparing { waiting, response } => {
                    // Why there is no such token is in the log. The response says what it said.
                    let _ = ready!(waiting.as_mut().poll(cx));
                    let response = response.take().expect("polled after it was ready");
                    return Poll::Ready(Ok(response));
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Req> + Clone, Req: CallRequest> Held<S, Req> {
    /// Sends the request, unless the token has expired while the clone got ready: that can take any time.
    /// Another one is then acquired, for the same claims.
    fn with_ready_service(
        mut self,
        token: &AccessToken,
    ) -> State<S, Req, S::Future, S::Response, S::Error> {
        if token.is_expired(Moment::now()) {
            self.service = self.service.clone();
            let waiting = match &self.challenged {
                Some(challenged) => self.call.token_for(challenged),
                None => self.call.token(),
            };
            return State::Acquiring {
                waiting,
                held: Some(self),
            };
        }
        let Self {
            call,
            mut service,
            request,
            again,
            challenged: _,
        } = self;
        let again = again.map(|copy| (service.clone(), copy));
        let token = token.clone();
        State::send(&mut service, request, Sent { call, token, again })
    }
}

impl<S, Req> Sent<S, Req> {
    /// What the response asks for, if it is a claims challenge.
    fn challenged_by(&self, response: &impl CallResponse) -> Option<Challenged> {
        if response.status() != StatusCode::UNAUTHORIZED || matches!(self.again, Again::Never) {
            return None;
        }
        Some(Challenged {
            claims: claims_asked_for(response.headers())?,
            refused: self.token.clone(),
        })
    }

    /// What follows from a claims challenge. The response is dropped if the request is sent once more.
    fn answer<F, Res, E>(
        &mut self,
        challenged: Challenged,
        response: Res,
    ) -> State<S, Req, F, Res, E> {
        let waiting = self.call.token_for(&challenged);
        match mem::replace(&mut self.again, Again::Never) {
            Again::Copy((service, request)) => State::Acquiring {
                waiting,
                held: Some(Held {
                    call: self.call.clone(),
                    service,
                    request,
                    again: Again::Never,
                    challenged: Some(challenged),
                }),
            },
            Again::Next | Again::Never => State::Preparing {
                waiting,
                response: Some(response),
            },
        }
    }
}

impl<S, Req> fmt::Debug for CallFuture<S, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}
