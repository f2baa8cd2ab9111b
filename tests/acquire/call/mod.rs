//! The outgoing layer: whose token a request has, where it goes, and what it waits for.

mod actors;
mod capacity;
mod challenges;
mod clients;
mod graph;
mod origins;
mod reqwest;
mod servers;
mod step_up;
mod time;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use tokio::{net::TcpListener, time::timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_entra::{
    acquire::{CallError, EntraCall, EntraCallLayer},
    testing::Issuer,
};

use super::{agent, default_scope};

const fn shared<T: Clone + Send + Sync + 'static>() {}

const _: () = {
    shared::<EntraCallLayer>();
    shared::<EntraCall<()>>();
    shared::<CallError<Infallible>>();
};

/// The origin of an API that is reached without a connection.
const API: &str = "https://api.test";

/// A layer for [`API`] in which nothing says who acts.
fn layer(issuer: &Issuer) -> EntraCallLayer {
    EntraCallLayer::new(API, default_scope(issuer)).unwrap()
}

fn request(path: &str) -> Request<String> {
    let request = Request::get(format!("{API}{path}"));
    request.body(String::new()).unwrap()
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// What a service got: the whole request, without its body.
type Seen = Request<String>;

type Answering = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

/// A service without a connection, which keeps the requests that it gets.
#[derive(Clone)]
struct Recorder {
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Answer>,
}

type Answer = dyn Fn(&Seen) -> Response<String> + Send + Sync;

impl Recorder {
    fn new() -> Self {
        Self::answering(|_| Response::new("ok".to_owned()))
    }

    fn answering(answer: impl Fn(&Seen) -> Response<String> + Send + Sync + 'static) -> Self {
        Self {
            seen: Arc::default(),
            answer: Arc::new(answer),
        }
    }

    fn service(
        &self,
    ) -> impl Service<
        Request<String>,
        Response = Response<String>,
        Error = Infallible,
        Future = Answering,
    > + Clone
    + Send
    + use<> {
        let recorder = self.clone();
        service_fn(move |request: Request<String>| {
            let recorder = recorder.clone();
            let answering = async move {
                let response = (recorder.answer)(&request);
                recorder.seen.lock().unwrap().push(request);
                // A service that answers at once would hide what happens meanwhile.
                tokio::task::yield_now().await;
                Ok(response)
            };
            let answering: Answering = Box::pin(answering);
            answering
        })
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The values of `Authorization`, in the order in which the requests came.
    fn tokens(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let token = |request: &Seen| {
            request.headers()[AUTHORIZATION]
                .to_str()
                .unwrap()
                .to_owned()
        };
        seen.iter().map(token).collect()
    }

    #[track_caller]
    fn only(&self) -> Seen {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

/// One call through a clone of the service.
async fn call<S, R>(service: &EntraCall<S, R>, request: Request<String>) -> Called
where
    EntraCall<S, R>: Service<Request<String>, Response = Response<String>, Error = CallError<Infallible>>
        + Clone,
{
    service.clone().oneshot(request).await
}

type Called = Result<Response<String>, CallError<Infallible>>;

/// Entra's claims challenge with these claims.
fn challenge(claims: &str) -> String {
    let claims = STANDARD.encode(claims);
    format!("Bearer realm=\"\", error=\"insufficient_claims\", claims=\"{claims}\"")
}

/// A 401 with this challenge.
fn unauthorized(challenge: &str) -> Response<String> {
    let response = Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header("www-authenticate", challenge)
        .header("x-request-id", "7");
    response.body("refused".to_owned()).unwrap()
}

/// The claims of a challenge of continuous access evaluation.
const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}"#;

/// More than any step of a test takes.
const LONG: Duration = Duration::from_secs(20);

async fn within<F: Future>(future: F) -> F::Output {
    timeout(LONG, future)
        .await
        .expect("a step of the test hangs")
}
