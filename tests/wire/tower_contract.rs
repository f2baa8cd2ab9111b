//! How the layer behaves among other layers.

use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_entra::{
    EntraAuthLayer, Error,
    testing::{Fault, Issuer},
};

use crate::support::block_on;

fn bearer(token: &str) -> Request<()> {
    Request::builder()
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(())
        .unwrap()
}

/// The layer around a service that takes one request at a time.
fn behind_a_limit(
    issuer: &Issuer,
) -> impl Service<Request<()>, Response = Response<()>, Error = Error, Future: Send> + Clone + use<>
{
    ServiceBuilder::new()
        .layer(EntraAuthLayer::new(issuer.validator()))
        .concurrency_limit(1)
        .service(service_fn(|_: Request<()>| async { Ok(Response::new(())) }))
}

#[test]
fn waiting_for_a_key_holds_none_of_the_capacity_inside() {
    let issuer = Issuer::start_blocking();
    block_on(async {
        let mut service = behind_a_limit(&issuer);
        let warm = service
            .clone()
            .oneshot(bearer(&issuer.user().mint()))
            .await
            .unwrap();
        assert_eq!(warm.status(), StatusCode::OK);

        issuer.fail(Fault::Hang);
        let forged = bearer(&issuer.user().header("kid", "nobody").mint());
        let waiting = service.ready().await.unwrap().call(forged);
        let waiting = tokio::spawn(waiting);
        tokio::task::yield_now().await;

        let start = Instant::now();
        // The same handle, so that a permit it kept would be missed here.
        let honest = service
            .ready()
            .await
            .unwrap()
            .call(bearer(&issuer.user().mint()));
        assert_eq!(honest.await.unwrap().status(), StatusCode::OK);
        assert!(start.elapsed() < Duration::from_secs(1));

        let refused = waiting.await.unwrap().unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    });
}

#[test]
fn a_request_that_waited_for_its_key_is_served_through_a_ready_service() {
    let issuer = Issuer::start_blocking();
    block_on(async {
        let mut service = behind_a_limit(&issuer);
        service
            .clone()
            .oneshot(bearer(&issuer.user().mint()))
            .await
            .unwrap();
        let fetches = issuer.key_fetches();
        issuer.rotate();
        let response = service
            .ready()
            .await
            .unwrap()
            .call(bearer(&issuer.user().mint()))
            .await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        assert_eq!(issuer.key_fetches(), fetches + 1);
    });
}

#[test]
fn an_error_while_getting_ready_after_the_wait_is_the_services_own() {
    #[derive(Clone)]
    struct Broken {
        uses: usize,
    }

    impl Service<Request<()>> for Broken {
        type Response = Response<()>;
        type Error = std::io::Error;
        type Future = std::future::Ready<Result<Response<()>, std::io::Error>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), std::io::Error>> {
            self.uses += 1;
            if self.uses > 1 {
                return std::task::Poll::Ready(Err(std::io::Error::other("broken")));
            }
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            std::future::ready(Ok(Response::new(())))
        }
    }

    let issuer = Issuer::start_blocking();
    block_on(async {
        let layer = EntraAuthLayer::new(issuer.validator());
        // Ready once; the clone that the wait readies is not.
        let mut service = tower::Layer::layer(&layer, Broken { uses: 0 });
        let waiting = service
            .ready()
            .await
            .unwrap()
            .call(bearer(&issuer.user().mint()));
        assert_eq!(waiting.await.unwrap_err().to_string(), "broken");
    });
}
