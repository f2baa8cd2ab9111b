//! The response future of the service.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::{
    caller::admit,
    expiring_body::End,
    refusal_body::RefusalBody,
    responder::{Admitted, Responder},
    validators::Place,
};
use crate::admit::{error::Error, principal::AgentPrincipal, validator::Validator};

pin_project! {
    /// The response future of [`EntraAuth`](crate::EntraAuth).
    pub struct ResponseFuture<S, B, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, B, ReqBody, ResBody, S::Future>,
    }
}

type Waiting = Pin<Box<dyn Future<Output = Result<AgentPrincipal, Error>> + Send>>;

pin_project! {
    #[project = StateProjection]
    enum State<S, B, ReqBody, ResBody, F> {
        /// The service inside has the request.
        Calling { #[pin] future: F, admitted: Admitted, responder: Responder<B> },
        /// The answer is known.
        Refused { response: Option<Response<ResBody>> },
        /// The request waits for a key, and holds only a clone of the service inside.
        Refreshing { waiting: Waiting, held: Option<Held<S, ReqBody>>, responder: Responder<B> },
        /// The verdict is good and the clone gets ready.
        Readying { held: Option<(Held<S, ReqBody>, AgentPrincipal)>, responder: Responder<B> },
    }
}

/// A response, and when its body ends, if the layer ends streams and the request was admitted.
pub(super) struct Answer<ResBody> {
    pub(super) response: Response<ResBody>,
    pub(super) end: Option<End>,
}

impl<ResBody> Answer<ResBody> {
    fn refusal(response: Response<ResBody>) -> Self {
        Self {
            response,
            end: None,
        }
    }
}

/// A request and the clone that will get it.
struct Held<S, ReqBody> {
    service: S,
    request: Request<ReqBody>,
    /// Looks at the dates again once the clone is ready: that can take any time.
    validator: Validator,
    by: Place,
}

impl<S, B, ReqBody, ResBody> ResponseFuture<S, B, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn calling(future: S::Future, admitted: Admitted, responder: Responder<B>) -> Self {
        Self {
            state: State::Calling {
                future,
                admitted,
                responder,
            },
        }
    }

    pub(super) fn refused(response: Response<ResBody>) -> Self {
        Self {
            state: State::Refused {
                response: Some(response),
            },
        }
    }

    pub(super) fn refreshing(
        verdict: impl Future<Output = Result<AgentPrincipal, Error>> + Send + 'static,
        service: S,
        request: Request<ReqBody>,
        validator: Validator,
        by: Place,
        responder: Responder<B>,
    ) -> Self {
        let held = Some(Held {
            service,
            request,
            validator,
            by,
        });
        Self {
            state: State::Refreshing {
                waiting: Box::pin(verdict),
                held,
                responder,
            },
        }
    }
}

impl<S, B, ReqBody, ResBody> ResponseFuture<S, B, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    B: RefusalBody<ResBody> + Clone,
{
    /// Like `poll`, for a layer that ends the body.
    pub(super) fn poll_with_end(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answer<ResBody>, S::Error>> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Calling {
                    future,
                    admitted,
                    responder,
                } => {
                    let mut response = ready!(future.poll(cx))?;
                    let end = responder.complete(&mut response, mem::take(admitted));
                    return Poll::Ready(Ok(Answer { response, end }));
                }
                StateProjection::Refused { response } => {
                    let response = response.take().expect("polled after it was ready");
                    return Poll::Ready(Ok(Answer::refusal(response)));
                }
                StateProjection::Refreshing {
                    waiting,
                    held,
                    responder,
                } => {
                    let principal = match ready!(waiting.as_mut().poll(cx)) {
                        Ok(principal) => principal,
                        Err(error) => {
                            let held = held.as_ref().expect("polled after it was ready");
                            let response = responder.refuse(error, &held.request);
                            return Poll::Ready(Ok(Answer::refusal(response)));
                        }
                    };
                    State::Readying {
                        held: held.take().map(|held| (held, principal)),
                        responder: responder.clone(),
                    }
                }
                StateProjection::Readying { held, responder } => {
                    let (waiting, _) = held.as_mut().expect("polled after it was ready");
                    ready!(waiting.service.poll_ready(cx))?;
                    let (held, principal) = held.take().expect("it was there two lines above");
                    let Held {
                        mut service,
                        mut request,
                        validator,
                        by,
                    } = held;
                    if let Err(error) = validator.judge_again(&principal) {
                        let response = responder.refuse(error, &request);
                        return Poll::Ready(Ok(Answer::refusal(response)));
                    }
                    let admitted =
                        responder.admitted(Some(&principal), by, &validator, &mut request);
                    let header = responder.shared.challenge.token_header();
                    admit(&mut request, Some(principal), header);
                    State::Calling {
                        future: service.call(request),
                        admitted,
                        responder: responder.clone(),
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B, ReqBody, ResBody> Future for ResponseFuture<S, B, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    B: RefusalBody<ResBody> + Clone,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.poll_with_end(cx));
        Poll::Ready(answer.map(|answer| answer.response))
    }
}

impl<S, B, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, B, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
