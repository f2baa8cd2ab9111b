//! Builds the response of a refusal, and completes that of a denial.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, VARY,
        WWW_AUTHENTICATE,
    },
};

#[cfg(feature = "acquire")]
use super::caller::give_assertion;
use super::{
    audit_log::Audit,
    challenge::{Challenge, set, whole_seconds},
    deny::WithoutBody,
    expiring_body::End,
    grpc::{self, DenialNote},
    refusal_body::RefusalBody,
    validators::Place,
};
use crate::{
    admit::{
        error::{DeniedText, Error, ErrorKind, Refusal, hint_to_send_a_token},
        principal::{AgentPrincipal, AgentStatus, PrincipalKind},
        requirement::{Demand, Denial},
        token_header::TokenHeader,
        validator::Validator,
    },
    clock::unix_now,
    metrics,
};

/// What all clones of a layer have in common. One handle: each request counts a reference to it.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) challenge: Challenge,
    pub(super) audit: Audit,
}

/// What a response needs besides the error.
#[derive(Clone, Debug)]
pub(super) struct Responder<B> {
    pub(super) shared: Arc<Shared>,
    pub(super) body: B,
    /// Whether an admitted request gets the caller's token, if it is delegated.
    #[cfg(feature = "acquire")]
    pub(super) gives_assertion: bool,
    /// Whether the response to an admitted request gets the caller, too.
    pub(super) gives_principal: bool,
    /// Whether that response ends when the caller's token expires.
    pub(super) ends_streams: bool,
    /// Whether a refused gRPC call is answered by a status of gRPC.
    pub(super) answers_grpc: bool,
}

/// The caller of a request that the service inside has, for its response.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    /// Named in the event of a denial.
    audited: Option<AgentPrincipal>,
    /// Labels the count of a denial.
    nature: Option<(PrincipalKind, AgentStatus)>,
    /// Put into the extensions.
    given: Option<AgentPrincipal>,
    /// Which validator has admitted it.
    by: Place,
    /// When the body ends.
    end: Option<End>,
    /// What the handler of a gRPC call denies. `None` if the request is no such call.
    grpc: Option<DenialNote>,
}

impl<B> Responder<B> {
    pub(super) fn challenge_mut(&mut self) -> &mut Challenge {
        &mut Arc::make_mut(&mut self.shared).challenge
    }

    pub(super) fn refuse<ReqBody, ResBody>(
        &self,
        error: Error,
        request: &Request<ReqBody>,
    ) -> Response<ResBody>
    where
        B: RefusalBody<ResBody>,
    {
        self.shared.audit.refused(&error);
        let (mut status, challenge) = self.shared.challenge.answer(error.kind());
        let mut headers = HeaderMap::with_capacity(4);
        let of_grpc = match self.answers_grpc && grpc::is_call(request) {
            true => self.body.empty_body(),
            false => None,
        };
        let body = match of_grpc {
            Some(body) => {
                grpc::set_status(&mut headers, grpc::code_of(status), &error.description());
                status = StatusCode::OK;
                body
            }
            None => self.body.refusal_body(&error, &mut headers),
        };
        // After the hook, so that it cannot change them.
        set(&mut headers, WWW_AUTHENTICATE, challenge);
        let retry_after = error.retry_after().map(whole_seconds);
        set(&mut headers, RETRY_AFTER, retry_after);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.extensions_mut().insert(error);
        response
    }

    /// Logs an admitted request, gives it what it is to have besides the caller, and keeps what its response
    /// needs.
    pub(super) fn admitted<ReqBody>(
        &self,
        caller: Option<&AgentPrincipal>,
        by: Place,
        validator: &Validator,
        request: &mut Request<ReqBody>,
    ) -> Admitted {
        let is_grpc = self.answers_grpc && grpc::is_call(request);
        let ending = caller.filter(|_| self.ends_streams);
        #[cfg(feature = "acquire")]
        if let Some(caller) = caller.filter(|_| self.gives_assertion) {
            give_assertion(caller, self.shared.challenge.token_header(), request);
        }
        Admitted {
            audited: self.shared.audit.admitted(caller),
            nature: caller.map(|caller| (caller.kind(), caller.agent_status())),
            given: caller.filter(|_| self.gives_principal).cloned(),
            by,
            end: ending.map(|caller| End::at(validator.end_of(caller), unix_now())),
            grpc: is_grpc.then(|| DenialNote::put_into(request.extensions_mut())),
        }
    }

    /// Completes the response of the service inside. Returns when its body ends.
    pub(super) fn complete<ResBody>(
        &self,
        response: &mut Response<ResBody>,
        admitted: Admitted,
    ) -> Option<End>
    where
        B: RefusalBody<ResBody>,
    {
        self.complete_denial(response, &admitted);
        if let TokenHeader::Other(name) = self.shared.challenge.token_header() {
            keep_apart(response.headers_mut(), name, admitted.nature.is_some());
        }
        if let Some(caller) = admitted.given {
            response.extensions_mut().insert(caller);
        }
        admitted.end
    }

    /// Completes the answer of a handler or a [`RequireLayer`](crate::RequireLayer) that refused by
    /// a [`Denial`]. An outer layer of the same kind leaves it as it is.
    fn complete_denial<ResBody>(&self, response: &mut Response<ResBody>, admitted: &Admitted)
    where
        B: RefusalBody<ResBody>,
    {
        let noted = admitted.grpc.as_ref().and_then(DenialNote::close);
        let extensions = response.extensions();
        if extensions.get::<Completed>().is_some() {
            return;
        }
        let carried = extensions.get::<Denial>().cloned();
        let is_carried = carried.is_some();
        let Some(denial) = carried.or(noted) else {
            return;
        };
        if *denial.demand() == Demand::Layer {
            return;
        }
        let challenge = self.shared.challenge.denial(&denial, admitted.by);
        let error = error_of(&denial, self.shared.challenge.token_header());
        let (reason, caller) = (denial.reason(), admitted.audited.as_ref());
        self.shared.audit.denied(&error, reason, caller);
        // A request without a token is already counted as anonymous.
        if error.kind() == ErrorKind::Denied {
            let codes =
                |(kind, status): (PrincipalKind, AgentStatus)| (kind.as_str(), status.as_str());
            metrics::denied(reason.as_str(), admitted.nature.map(codes));
        }
        // The handler of a gRPC call that has noted a denial has answered with its status.
        if is_carried {
            self.answer_denial(&denial, response, admitted.grpc.is_some());
        }
        let headers = response.headers_mut();
        set(headers, WWW_AUTHENTICATE, challenge);
        if let Some(time) = denial.retry_after() {
            headers.insert(RETRY_AFTER, whole_seconds(time));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let extensions = response.extensions_mut();
        extensions.insert(denial);
        extensions.insert(error);
        extensions.insert(Completed);
    }

    fn answer_denial<ResBody>(
        &self,
        denial: &Denial,
        response: &mut Response<ResBody>,
        is_grpc: bool,
    ) where
        B: RefusalBody<ResBody>,
    {
        if is_grpc && let Some(body) = self.body.empty_body() {
            *response.body_mut() = body;
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(CONTENT_LENGTH);
            let message = denial.client_message();
            grpc::set_status(response.headers_mut(), denial.grpc_code(), message);
        } else {
            self.build_body_of(denial, response);
            *response.status_mut() = denial.status();
        }
    }

    /// Builds the body of a denial that was left empty for this layer. A response that has a
    /// `Content-Type` has got a body on the way.
    fn build_body_of<ResBody>(&self, denial: &Denial, response: &mut Response<ResBody>)
    where
        B: RefusalBody<ResBody>,
    {
        let is_left = response.extensions_mut().remove::<WithoutBody>().is_some();
        let has_body = response.headers().contains_key(CONTENT_TYPE);
        if !is_left || has_body || self.body.leaves_body_to_outer() {
            return;
        }
        let mut headers = HeaderMap::new();
        *response.body_mut() = self.body.denial_body(denial, &mut headers);
        // The caller of this sets the others that a hook must not change.
        headers.remove(RETRY_AFTER);
        // axum has counted the empty body.
        response.headers_mut().remove(CONTENT_LENGTH);
        response.headers_mut().extend(headers);
    }
}

/// A shared cache gives the answer to a request with `Authorization` to no other, by
/// [RFC 9111, section 3.5](https://www.rfc-editor.org/rfc/rfc9111#section-3.5). Of another header it knows
/// nothing: one caller would get the answer for another.
fn keep_apart(headers: &mut HeaderMap, token_header: &HeaderName, has_caller: bool) {
    headers.append(VARY, token_header.clone().into());
    if has_caller && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// What is logged of a denial. Without a token the hint names the header to send one in.
fn error_of(denial: &Denial, header: &TokenHeader) -> Error {
    let kind = denial.error_kind();
    if kind != ErrorKind::MissingToken || *header == TokenHeader::Authorization {
        return denial.into();
    }
    let denied = DeniedText {
        kind,
        text: format!("there is none in the {header} header").into(),
        hint: Some(hint_to_send_a_token(header)),
    };
    Refusal::Denied(denied.into()).into()
}

/// Marks the response to a denial whose challenge is complete.
#[derive(Clone, Copy)]
struct Completed;
