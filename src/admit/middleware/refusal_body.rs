//! The body of a refusal.

use http::HeaderMap;

use crate::admit::{error::Error, requirement::Denial};

/// Builds the body of a refusal.
///
/// Any `Fn(&Error, &mut HeaderMap) -> ResBody` is one: it may add headers that describe its body,
/// such as `Content-Type`. See [`EntraAuthLayer::refusal_body`](crate::EntraAuthLayer::refusal_body)
/// and [`RequireLayer::refusal_body`](crate::RequireLayer::refusal_body). [`ProblemJson`](crate::ProblemJson)
/// is one that is ready for use.
pub trait RefusalBody<ResBody> {
    /// The body for this error.
    fn refusal_body(&self, error: &Error, headers: &mut HeaderMap) -> ResBody;

    /// The body for this denial by a [`RequireLayer`](crate::RequireLayer). Default: that of an
    /// error of the kind [`Denied`](crate::ErrorKind::Denied), or
    /// [`MissingToken`](crate::ErrorKind::MissingToken) if there was no token.
    fn denial_body(&self, denial: &Denial, headers: &mut HeaderMap) -> ResBody {
        self.refusal_body(&denial.error_kind().into(), headers)
    }

    /// An empty body, for the answer to a gRPC call:
    /// [`EntraAuthLayer::answers_grpc`](crate::EntraAuthLayer::answers_grpc). Default: none, and such a
    /// call is answered by its HTTP status, with the body of a refusal.
    fn empty_body(&self) -> Option<ResBody> {
        None
    }

    /// Whether the bodies of denials are left to the [`EntraAuthLayer`](crate::EntraAuthLayer) outside,
    /// which then builds them. Default: `false`. It is `true` for [`EmptyBody`].
    fn leaves_body_to_outer(&self) -> bool {
        false
    }
}

/// No body: the default. The body of a denial is left to the
/// [`EntraAuthLayer`](crate::EntraAuthLayer) outside, if that has another.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EmptyBody;

impl<ResBody: Default> RefusalBody<ResBody> for EmptyBody {
    fn refusal_body(&self, _: &Error, _: &mut HeaderMap) -> ResBody {
        ResBody::default()
    }

    fn empty_body(&self) -> Option<ResBody> {
        Some(ResBody::default())
    }

    fn leaves_body_to_outer(&self) -> bool {
        true
    }
}

impl<F, ResBody> RefusalBody<ResBody> for F
where
    F: Fn(&Error, &mut HeaderMap) -> ResBody,
{
    fn refusal_body(&self, error: &Error, headers: &mut HeaderMap) -> ResBody {
        self(error, headers)
    }
}
