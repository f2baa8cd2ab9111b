//! What comes before and after the routes.

use axum::{Router, body::Body};
use http::{Request, Response};
use tower::Service as _;

use crate::{
    app::App,
    serve::{Answer, Peer},
};

/// The program as the server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    app: App,
    router: Router,
}

impl Frame {
    pub(crate) fn new(app: App, router: Router) -> Self {
        Self { app, router }
    }
}

impl Answer for Frame {
    async fn answer(&self, _peer: Peer, request: Request<Body>) -> Response<Body> {
        let _ = &self.app;
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
