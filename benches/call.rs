//! What the outgoing layer adds to a call with a token at hand, against the bare client in the same run.
//!
//! ```text
//! cargo bench --bench call --features acquire
//! ```
//!
//! Without a connection, the client inside answers at once: what is left is the layer. Over a connection
//! to a server of this process, the client is hyper-util's, and its bare requests have the same token in
//! them, which the server reads too. There the quartiles say how far the difference is to be trusted.

#[path = "common/contest.rs"]
#[expect(dead_code, reason = "one way to compare is enough here")]
mod contest;
#[path = "common/poll.rs"]
mod poll;

use std::{convert::Infallible, future::ready};

use axum::{Router, routing::get};
use http::{
    Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION},
};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tower::{Layer as _, Service, service_fn};
use tower_entra::{
    acquire::{
        AccessToken, ClientCredential, CloneBody, ConfidentialClient, EntraCallLayer, Scopes,
        TokenSource,
    },
    testing::Issuer,
};

use self::{contest::Contest, poll::at_once};

fn main() {
    // One thread for client and server: a wake-up of another one takes more than all that is measured.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let issuer = Issuer::start_blocking();
    let client = issuer.client();
    let credential = ClientCredential::secret(client.secret());
    let source = ConfidentialClient::builder(issuer.tenant_id(), client.client_id(), credential)
        .authority(issuer.authority())
        .build()
        .expect("a good configuration")
        .itself();
    let scopes = Scopes::default_of(issuer.api().resource()).expect("a scope");
    let token = runtime.block_on(source.token(&scopes)).expect("a token");
    without_a_connection(&source, &scopes);
    over_a_connection(&runtime, &source, &scopes, &token);
}

fn without_a_connection(source: &TokenSource, scopes: &Scopes) {
    const API: &str = "https://api.test";
    let mut bare =
        service_fn(|request: Request<()>| ready(Ok::<_, Infallible>(Response::new(request))));
    let layer = EntraCallLayer::new(API, scopes.clone()).expect("an origin");
    let layer = layer.acting_as(source.clone());
    let mut layered = layer.layer(bare);
    let mut copying = layer.replay(CloneBody).layer(bare);
    let request = || {
        let request = Request::get(API).header(ACCEPT, "*/*");
        request.body(()).expect("a request")
    };
    let mut contest = Contest::default();
    contest.enter_with("bare", request, |request| at_once(bare.call(request)));
    contest.enter_with("layer", request, |request| at_once(layered.call(request)));
    contest.enter_with("layer, with a copy", request, |request| {
        at_once(copying.call(request))
    });
    let results = contest.run(200);
    results.print();
    results.difference("layer", "bare", Some(2.0));
    results.difference("layer, with a copy", "bare", None);
    println!();
}

fn over_a_connection(
    runtime: &Runtime,
    source: &TokenSource,
    scopes: &Scopes,
    token: &AccessToken,
) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port");
    let api = format!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().route("/", get(|| async { "ok" }));
    runtime.spawn(async move { axum::serve(listener, app).await });
    let mut bare = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let layer = EntraCallLayer::new(&api, scopes.clone()).expect("an origin");
    let mut layered = layer.acting_as(source.clone()).layer(bare.clone());
    let request = || {
        let request = Request::get(&api).header(ACCEPT, "*/*");
        request.body(Empty::new()).expect("a request")
    };
    let with_token = || {
        let mut request = request();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token.authorization());
        request
    };
    let mut contest = Contest::default();
    contest.enter_with("hyper-util", with_token, |request| {
        let response = runtime.block_on(bare.call(request)).expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
    });
    contest.enter_with("layer over hyper-util", request, |request| {
        let response = runtime.block_on(layered.call(request)).expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
    });
    let results = contest.run(200);
    results.print();
    results.difference("layer over hyper-util", "hyper-util", Some(2.0));
}
