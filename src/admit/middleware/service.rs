//! The service: the verdict on a request, and what follows from it.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::Service;

use super::{
    audit_log::Audit,
    caller::admit,
    credentials::{Credentials, check_credentials},
    future::ResponseFuture,
    refusal_body::{EmptyBody, RefusalBody},
    responder::Responder,
    validators::{Place, Validators},
};
#[cfg(feature = "acquire")]
use crate::user_assertion::UserAssertion;
use crate::{
    admit::{
        error::{CredentialsFault, Error, Refusal, WrongCredentials},
        gate::{Decision, Waiting},
        principal::AgentPrincipal,
        token_header::TokenHeader,
        validator::Validator,
    },
    metrics,
};

/// The [`Service`] of an [`EntraAuthLayer`](crate::EntraAuthLayer).
///
/// A request whose key is known is decided within `call`. One that has to wait for a key holds none
/// of the capacity of the service inside while it waits.
#[derive(Clone)]
pub struct EntraAuth<S, B = EmptyBody> {
    inner: S,
    validators: Validators,
    is_optional: bool,
    responder: Responder<B>,
}

/// The verdict on a request.
enum Verdict {
    Admit {
        principal: Option<AgentPrincipal>,
        by: Place,
    },
    Refuse(Error),
    Wait {
        waiting: Waiting,
        by: Place,
    },
}

impl Verdict {
    /// No validator counts a refusal for want of a token.
    fn without_a_token(fault: CredentialsFault, header: &TokenHeader) -> Self {
        metrics::refused(fault.kind().as_str());
        let header = header.clone();
        Self::Refuse(Refusal::Credentials(WrongCredentials { fault, header }).into())
    }
}

impl<S, B> EntraAuth<S, B> {
    pub(super) fn new(
        inner: S,
        validators: Validators,
        is_optional: bool,
        responder: Responder<B>,
    ) -> Self {
        Self {
            inner,
            validators,
            is_optional,
            responder,
        }
    }

    fn judge<ReqBody>(&self, request: &Request<ReqBody>) -> Verdict {
        let header = self.responder.shared.challenge.token_header();
        let credentials = check_credentials(request.headers(), header.name());
        if !matches!(credentials, Ok(Credentials::Bearer(_))) {
            // A token has the fetching of keys started where it is decided.
            self.validators.ensure_running();
        }
        let text = match credentials {
            Ok(Credentials::Bearer(text)) => text,
            Ok(Credentials::None(_)) if self.is_optional => {
                metrics::anonymous();
                return Verdict::Admit {
                    principal: None,
                    by: Place::default(),
                };
            }
            Ok(Credentials::None(presented)) => {
                let fault = CredentialsFault::Missing(presented);
                return Verdict::without_a_token(fault, header);
            }
            Err(fault) => return Verdict::without_a_token(fault, header),
        };
        let read = || {
            let wrong = |fault| WrongCredentials {
                fault,
                header: header.clone(),
            };
            text.token().map_err(wrong).map_err(Refusal::Credentials)
        };
        let (decision, by) = self.validators.decide(text.unread(), read);
        match decision {
            Decision::Made(Ok(principal)) => Verdict::Admit {
                principal: Some(principal),
                by,
            },
            Decision::Made(Err(error)) => Verdict::Refuse(error),
            Decision::Wait(waiting) => Verdict::Wait { waiting, by },
        }
    }
}

impl<S, B, ReqBody, ResBody> Service<Request<ReqBody>> for EntraAuth<S, B>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    B: RefusalBody<ResBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // Remove any principal that an outer layer inserted.
        request.extensions_mut().remove::<AgentPrincipal>();
        // And that principal's token, which must not survive beside another principal.
        #[cfg(feature = "acquire")]
        request.extensions_mut().remove::<UserAssertion>();
        match self.judge(&request) {
            Verdict::Admit { principal, by } => {
                let validator = self.validators.at(by);
                let admitted =
                    self.responder
                        .admitted(principal.as_ref(), by, validator, &mut request);
                let header = self.responder.shared.challenge.token_header();
                admit(&mut request, principal, header);
                let future = self.inner.call(request);
                ResponseFuture::calling(future, admitted, self.responder.clone())
            }
            Verdict::Refuse(error) => {
                let response = self.responder.refuse(error, &request);
                ResponseFuture::refused(response)
            }
            Verdict::Wait { waiting, by } => {
                // Waiting must not hold the capacity that `poll_ready` reserved, so the readied
                // service is dropped and the future readies a clone of its own.
                let service = self.inner.clone();
                drop(mem::replace(&mut self.inner, service.clone()));
                let validator = self.validators.at(by).clone();
                // Made here: a future that is dropped before its first poll is audited as well.
                let unaudited = Unaudited {
                    audit: Some(self.responder.shared.audit.clone()),
                    validator: validator.clone(),
                    kid: waiting.kid().into(),
                };
                let verdict = async move {
                    let verdict = validator.resume(waiting).await;
                    unaudited.answered();
                    verdict
                };
                ResponseFuture::refreshing(
                    verdict,
                    service,
                    request,
                    self.validators.at(by).clone(),
                    by,
                    self.responder.clone(),
                )
            }
        }
    }
}

/// Audits a request that goes away while it waits for a key.
struct Unaudited {
    /// `None` once there is a verdict: that is audited with the answer.
    audit: Option<Audit>,
    validator: Validator,
    kid: Box<str>,
}

impl Unaudited {
    fn answered(mut self) {
        self.audit = None;
    }
}

impl Drop for Unaudited {
    fn drop(&mut self) {
        let Some(audit) = self.audit.take() else {
            return;
        };
        // The subscriber belongs to the program: a panic here may come in the midst of another.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            audit.refused(&self.validator.gone_away(&self.kid));
        }));
    }
}

impl<S: fmt::Debug, B> fmt::Debug for EntraAuth<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraAuth")
            .field("inner", &self.inner)
            .field("validators", &self.validators)
            .field("is_optional", &self.is_optional)
            .finish_non_exhaustive()
    }
}
