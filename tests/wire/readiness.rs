//! A layer takes a request when the service inside does: a limit or a queue inside keeps its meaning.

use std::{
    future::{Ready, ready},
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use tower::{Layer, Service};
use tower_entra::{EntraAuthLayer, RequireLayer, RequireRoutesLayer, Requirement};

use crate::support::issuer;

/// A service that says this of itself when it is asked whether it is ready.
#[derive(Clone)]
struct Saying(Poll<Result<(), &'static str>>);

impl Service<Request<()>> for Saying {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Ready<Result<Response<String>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.0
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

/// What the layer around such a service says.
fn said<L>(layer: &L, inner: Poll<Result<(), &'static str>>) -> Poll<Result<(), &'static str>>
where
    L: Layer<Saying>,
    L::Service: Service<Request<()>, Error = &'static str>,
{
    let mut context = Context::from_waker(Waker::noop());
    layer.layer(Saying(inner)).poll_ready(&mut context)
}

#[test]
fn a_layer_is_ready_when_the_service_inside_is_and_fails_as_it_does() {
    let auth = EntraAuthLayer::new(issuer().validator());
    let streams = auth.clone().ends_streams_at_expiry();
    let require = RequireLayer::new(Requirement::people());
    let routes = RequireRoutesLayer::by_path();
    for inner in [Poll::Pending, Poll::Ready(Ok(())), Poll::Ready(Err("full"))] {
        assert_eq!(said(&auth, inner), inner);
        assert_eq!(said(&streams, inner), inner);
        assert_eq!(said(&require, inner), inner);
        assert_eq!(said(&routes, inner), inner);
    }
}
