//! Refusals that a gRPC client understands, and denials of its handlers.
//!
//! [gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses): an answer
//! without messages is `Trailers-Only`: the HTTP status 200, a content type, and the status of the call
//! among the headers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::CONTENT_TYPE,
};

use crate::admit::requirement::{Demand, Denial};

/// Whether a request is a gRPC call by its method and its content type: `application/grpc`, alone or
/// with a format, such as `application/grpc+proto`. Not gRPC-Web, whose trailers are in the body.
pub(super) fn is_call<ReqBody>(request: &Request<ReqBody>) -> bool {
    let Some(content_type) = request.headers().get(CONTENT_TYPE) else {
        return false;
    };
    let text = content_type.as_bytes();
    let Some((name, rest)) = text.split_at_checked(GRPC.len()) else {
        return false;
    };
    request.method() == Method::POST
        && name.eq_ignore_ascii_case(GRPC.as_bytes())
        && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Makes the headers those of an answer without messages.
pub(super) fn set_status(headers: &mut HeaderMap, code: i32, message: &str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    headers.insert(GRPC_STATUS, HeaderValue::from(code));
    headers.insert(GRPC_MESSAGE, percent_encoded(message));
}

/// The code of a refusal that HTTP answers with this status. A malformed `Authorization` is one of the
/// credentials, not of the message, so 400 is `UNAUTHENTICATED` too.
pub(super) fn code_of(status: StatusCode) -> i32 {
    match status {
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR => INTERNAL,
        _ => UNAUTHENTICATED,
    }
}

/// `Percent-Encoded` of gRPC: printable ASCII but for the percent sign stays as it is.
fn percent_encoded(message: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::try_from(encoded).expect("it is printable ASCII")
}

/// What a handler has denied, for the layer around it. It is in the extensions of the request, because
/// the status that a gRPC handler returns carries none to the response.
#[derive(Clone, Debug, Default)]
pub(super) struct DenialNote(Arc<Mutex<Note>>);

#[derive(Debug, Default)]
struct Note {
    denial: Option<Denial>,
    /// Whether the head of the response has gone, and nothing reads the note any more.
    is_closed: bool,
}

impl DenialNote {
    pub(super) fn put_into(extensions: &mut Extensions) -> Self {
        let note = Self::default();
        extensions.insert(note.clone());
        note
    }

    /// What is noted when the head of the response is there.
    pub(super) fn close(&self) -> Option<Denial> {
        let mut note = self.lock();
        note.is_closed = true;
        note.denial.take()
    }

    /// Returns whether the layer will read it. Of several the last counts.
    fn note(&self, denial: &Denial) -> bool {
        let mut note = self.lock();
        if !note.is_closed {
            note.denial = Some(denial.clone());
        }
        !note.is_closed
    }

    fn lock(&self) -> MutexGuard<'_, Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Denial {
    /// The code and the message of the status with which a gRPC handler refuses, and the note that has
    /// the layer audit the refusal. The extensions are those of the request.
    ///
    /// ```
    /// use tonic::{Request, Response, Status};
    /// use tower_entra::{AgentPrincipal, Denial};
    ///
    /// async fn list(request: Request<()>) -> Result<Response<()>, Status> {
    ///     let refuse = |denial: Denial| {
    ///         let (code, message) = denial.grpc_status(request.extensions());
    ///         Status::new(code.into(), message)
    ///     };
    ///     let caller = request.extensions().get::<AgentPrincipal>();
    ///     let caller = caller.ok_or_else(Denial::anonymous).map_err(refuse)?;
    ///     caller.require_scope("Orders.Read").map_err(refuse)?;
    ///     Ok(Response::new(()))
    /// }
    /// ```
    ///
    /// The code is 7, `PERMISSION_DENIED`, where HTTP has 403; 16, `UNAUTHENTICATED`, where it has 401;
    /// 13, `INTERNAL`, for 500; and 14, `UNAVAILABLE`, for 503. The message is [`client_message`](Self::client_message). An
    /// [`EntraAuthLayer`](crate::EntraAuthLayer) that
    /// [`answers_grpc`](crate::EntraAuthLayer::answers_grpc) logs and counts the refusal like any other,
    /// and adds the challenge to the metadata of the answer. Call this only for a status that is
    /// returned, and before the first message of a stream.
    ///
    /// Without such a layer, or later than that, the refusal is not in the audit log. It is then
    /// logged at the level `warn`, with the target `tower_entra`.
    #[must_use]
    pub fn grpc_status(&self, extensions: &Extensions) -> (i32, &'static str) {
        let note = extensions.get::<DenialNote>();
        if !note.is_some_and(|note| note.note(self)) {
            tracing::warn!(
                target: "tower_entra",
                denial = self.reason().as_str(),
                reason = self.to_string(),
                "a gRPC handler refused, and no EntraAuthLayer that answers gRPC audits it",
            );
        }
        (self.grpc_code(), self.client_message())
    }

    pub(super) fn grpc_code(&self) -> i32 {
        match self.demand() {
            Demand::Permission { .. } => PERMISSION_DENIED,
            Demand::ClaimsChallenge { .. }
            | Demand::Authentication { .. }
            | Demand::Token
            | Demand::NewToken => UNAUTHENTICATED,
            Demand::Layer | Demand::Server => INTERNAL,
            Demand::Later(_) => UNAVAILABLE,
        }
    }
}

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const PERMISSION_DENIED: i32 = 7;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_a_call(method: &str, content_type: &str) -> bool {
        let request = Request::builder().method(method);
        let request = request.header(CONTENT_TYPE, content_type).body(());
        is_call(&request.expect("a good request"))
    }

    #[test]
    fn a_call_is_known_by_its_method_and_content_type() {
        assert!(!is_call(&Request::new(())));
        for other in [
            "",
            "application/json",
            "application/grp",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpcx",
            "text/plain, application/grpc",
            " application/grpc",
        ] {
            assert!(!is_a_call("POST", other), "{other}");
        }
        for grpc in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC;charset=utf-8",
        ] {
            assert!(is_a_call("POST", grpc), "{grpc}");
            assert!(!is_a_call("GET", grpc), "{grpc}");
        }
    }

    #[test]
    fn a_message_is_percent_encoded() {
        assert_eq!(
            percent_encoded("the x-%41-\"é\\ header"),
            "the x-%2541-\"%C3%A9\\ header"
        );
        assert_eq!(percent_encoded("a\r\nb\u{7f}"), "a%0D%0Ab%7F");
    }
}
