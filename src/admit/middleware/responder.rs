//! Builds the response of a refusal, and completes that of a denial.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Response,
    header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    audit_log::Audit,
    challenge::{Challenge, set, whole_seconds},
    expiring_body::End,
    refusal_body::RefusalBody,
    validators::Place,
};
use crate::{
    admit::{
        error::{DeniedText, Error, ErrorKind, Refusal, hint_to_send_a_token},
        principal::AgentPrincipal,
        requirement::Denial,
        token_header::TokenHeader,
        validator::Validator,
    },
    clock::unix_now,
    metrics,
};

/// What a response needs besides the error.
#[derive(Clone, Debug)]
pub(super) struct Responder<B> {
    pub(super) challenge: Arc<Challenge>,
    pub(super) body: B,
    pub(super) audit: Audit,
    /// Whether the response to an admitted request gets the caller, too.
    pub(super) gives_principal: bool,
    /// Whether that response ends when the caller's token expires.
    pub(super) ends_streams: bool,
}

/// The caller of a request that the service inside has, for its response.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    /// Named in the event of a denial.
    audited: Option<AgentPrincipal>,
    /// Labels the count of a denial.
    codes: Option<(&'static str, &'static str)>,
    /// Put into the extensions.
    given: Option<AgentPrincipal>,
    /// Which validator has admitted it.
    by: Place,
    /// When the body ends.
    end: Option<End>,
}

impl<B> Responder<B> {
    pub(super) fn refuse<ResBody>(&self, error: Error) -> Response<ResBody>
    where
        B: RefusalBody<ResBody>,
    {
        self.audit.refused(&error);
        let (status, challenge) = self.challenge.answer(error.kind());
        let mut headers = HeaderMap::with_capacity(4);
        let body = self.body.refusal_body(&error, &mut headers);
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

    /// Logs an admitted request, and keeps what its response needs.
    pub(super) fn admitted(
        &self,
        caller: Option<&AgentPrincipal>,
        by: Place,
        validator: &Validator,
    ) -> Admitted {
        let ending = caller.filter(|_| self.ends_streams);
        Admitted {
            audited: self.audit.admitted(caller),
            codes: caller.map(AgentPrincipal::codes),
            given: caller.filter(|_| self.gives_principal).cloned(),
            by,
            end: ending.map(|caller| End::at(validator.end_of(caller), unix_now())),
        }
    }

    /// Completes the response of the service inside. Returns when its body ends.
    pub(super) fn complete<ResBody>(
        &self,
        response: &mut Response<ResBody>,
        admitted: Admitted,
    ) -> Option<End> {
        self.complete_denial(response, &admitted);
        if let Some(caller) = admitted.given {
            response.extensions_mut().insert(caller);
        }
        admitted.end
    }

    /// Completes the answer of a handler or a [`RequireLayer`](crate::RequireLayer) that refused by
    /// a [`Denial`]. An outer layer of the same kind leaves it as it is.
    fn complete_denial<ResBody>(&self, response: &mut Response<ResBody>, admitted: &Admitted) {
        let extensions = response.extensions();
        let Some(denial) = extensions.get::<Denial>() else {
            return;
        };
        if extensions.get::<Completed>().is_some() {
            return;
        }
        let Some(challenge) = self.challenge.denial(denial.demand(), admitted.by) else {
            return;
        };
        let error = error_of(denial, self.challenge.token_header());
        let (reason, caller) = (denial.reason(), admitted.audited.as_ref());
        self.audit.denied(&error, reason, caller);
        // A request without a token is already counted as anonymous.
        if error.kind() == ErrorKind::Denied {
            metrics::denied(reason.as_str(), admitted.codes);
        }
        let status = denial.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, challenge);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(error);
        response.extensions_mut().insert(Completed);
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
