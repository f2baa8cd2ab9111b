//! What the layer reads and changes of requests and responses, whichever crate they are of.

use http::{Extensions, HeaderMap, StatusCode};

use super::api::Destination;

/// A request that [`EntraCall`](super::EntraCall) can send: [`http::Request`] with any body, and with
/// feature `http-client` also `reqwest::Request` of reqwest 0.13. No other type can be one.
pub trait CallRequest: sealed::Request {}

/// The response to a [`CallRequest`]: [`http::Response`] with any body, and with feature `http-client`
/// also `reqwest::Response` of reqwest 0.13. No other type can be one.
pub trait CallResponse: sealed::Response {}

/// What the layer does with a message. No other crate can have it done.
#[expect(
    unnameable_types,
    reason = "a name would let other crates implement the traits"
)]
pub(super) mod sealed {
    use super::{Destination, Extensions, HeaderMap, StatusCode};

    pub trait Request {
        /// Where it goes. `None` if it does not say, or names a user.
        fn destination(&self) -> Option<Destination<'_>>;

        fn headers_mut(&mut self) -> &mut HeaderMap;

        /// `None` if they cannot be reached.
        fn extensions_mut(&mut self) -> Option<&mut Extensions>;
    }

    pub trait Response {
        fn status(&self) -> StatusCode;

        fn headers(&self) -> &HeaderMap;
    }
}

impl<B> CallRequest for http::Request<B> {}

impl<B> sealed::Request for http::Request<B> {
    fn destination(&self) -> Option<Destination<'_>> {
        Destination::of(self.uri())
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(self.extensions_mut())
    }
}

impl<B> CallResponse for http::Response<B> {}

impl<B> sealed::Response for http::Response<B> {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}

#[cfg(feature = "http-client")]
impl CallRequest for reqwest::Request {}

#[cfg(feature = "http-client")]
impl sealed::Request for reqwest::Request {
    fn destination(&self) -> Option<Destination<'_>> {
        let url = self.url();
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        Some(Destination {
            scheme: url.scheme(),
            host: url.host_str()?,
            port: url.port_or_known_default()?,
        })
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        None
    }
}

#[cfg(feature = "http-client")]
impl CallResponse for reqwest::Response {}

#[cfg(feature = "http-client")]
impl sealed::Response for reqwest::Response {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}
