//! How a request is copied, so that it can be sent once more.

/// How a request is copied before it is sent, so that it can be sent once more when its token was refused
/// with a claims challenge.
///
/// A copy is made of every request, without a token, and kept until the response comes. `None` means that
/// this one cannot be copied, and is sent once. Where only some bodies can be copied, implement it:
///
/// ```
/// use axum::body::{Body, HttpBody};
/// use http::Request;
/// use tower_entra::acquire::Replay;
///
/// /// Copies requests without a body.
/// #[derive(Clone)]
/// struct WithoutBody;
///
/// impl Replay<Request<Body>> for WithoutBody {
///     fn copy(&self, request: &Request<Body>) -> Option<Request<Body>> {
///         if !request.body().is_end_stream() {
///             return None;
///         }
///         let mut copy = Request::new(Body::empty());
///         *copy.method_mut() = request.method().clone();
///         *copy.uri_mut() = request.uri().clone();
///         *copy.headers_mut() = request.headers().clone();
///         Some(copy)
///     }
/// }
/// ```
pub trait Replay<Req> {
    /// A copy of the request. It has no `Authorization` and no `TokenSource`. One to another origin is not
    /// sent.
    fn copy(&self, request: &Req) -> Option<Req>;
}

/// Sends no request twice: the default.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // It is written as a value.
pub struct NoReplay;

/// Copies an `http::Request` whose body is [`Clone`], and with feature `http-client` a `reqwest::Request`,
/// unless its body is a stream.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // It is written as a value.
pub struct CloneBody;

impl<Req> Replay<Req> for NoReplay {
    fn copy(&self, _: &Req) -> Option<Req> {
        None
    }
}

impl<Req: sealed::CloneRequest> Replay<Req> for CloneBody {
    fn copy(&self, request: &Req) -> Option<Req> {
        request.try_clone()
    }
}

/// The requests that [`CloneBody`] copies. No other crate can add one.
#[expect(
    unnameable_types,
    reason = "a name would let other crates implement the trait"
)]
mod sealed {
    pub trait CloneRequest: Sized {
        fn try_clone(&self) -> Option<Self>;
    }

    impl<B: Clone> CloneRequest for http::Request<B> {
        fn try_clone(&self) -> Option<Self> {
            Some(self.clone())
        }
    }

    #[cfg(feature = "http-client")]
    impl CloneRequest for reqwest::Request {
        fn try_clone(&self) -> Option<Self> {
            self.try_clone()
        }
    }
}
