//! Without axum: hyper, a plain `tower::service_fn`, and [`EntraAuthLayer`] around it.
//!
//! ```text
//! cargo run --example hyper             # shows some answers, then serves for you to try
//! cargo run --example hyper -- --once   # shows the answers; fails if one is unexpected
//! ```
//!
//! As in the quickstart, an [`Issuer`] on loopback replaces Entra.

use std::{
    convert::Infallible, env, error::Error as StdError, net::Ipv4Addr, process::ExitCode,
    time::Duration,
};

use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time};
use tower::{ServiceBuilder, service_fn};
use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, Validator, testing::Issuer};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn StdError>> {
    let once = env::args().skip(1).any(|argument| argument == "--once");
    let issuer = Issuer::start().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(serve(listener, issuer.validator()));

    let agent = issuer.agent_on_behalf_of("alice").mint();
    let alice = issuer.user().mint();
    println!("URL='{url}'\nAGENT='{agent}'\nALICE='{alice}'\n");
    let mut surprises = 0_u8;
    for (path, caller, expected) in [
        ("/", None, "401 Unauthorized: "),
        ("/", Some(("ALICE", &alice)), "200 OK: hello, user"),
        (
            "/",
            Some(("AGENT", &agent)),
            "200 OK: hello, agent_on_behalf_of_user",
        ),
        (
            "/agents",
            Some(("AGENT", &agent)),
            "200 OK: hello, agent_on_behalf_of_user",
        ),
        (
            "/agents",
            Some(("ALICE", &alice)),
            "403 Forbidden: agents only",
        ),
    ] {
        print!("curl -i \"$URL{path}\"");
        let mut request = Request::get(format!("{url}{path}"));
        if let Some((variable, token)) = caller {
            print!(" -H \"Authorization: Bearer ${variable}\"");
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let answer = format!("{status}: {}", String::from_utf8_lossy(&body));
        println!("\n  {answer}");
        if answer != expected {
            eprintln!("  expected {expected}");
            surprises += 1;
        }
    }
    if !once {
        println!("\nServing at {url} until Ctrl-C.");
        server.await?;
    }
    Ok(ExitCode::from(surprises.min(1)))
}

async fn serve(listener: TcpListener, validator: Validator) {
    let service = ServiceBuilder::new()
        .layer(EntraAuthLayer::new(validator))
        .service(service_fn(hello));
    // With a timer, a connection that sends no request is closed after 30 s.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The client has gone, or too many files are open: neither ends the server.
                eprintln!("accept: {error}");
                time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

/// An ordinary handler. Only admitted requests reach it: the layer has answered all others.
async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(caller) = request.extensions().get::<AgentPrincipal>() else {
        // The layer is missing.
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return Ok(response);
    };
    if request.uri().path() == "/agents" && !caller.is_agent() {
        // The layer adds the challenge.
        let denial = Denial::new();
        let mut response = Response::new(Full::from("agents only"));
        *response.status_mut() = denial.status();
        response.extensions_mut().insert(denial);
        return Ok(response);
    }
    let greeting = format!("hello, {}", caller.kind().as_str());
    Ok(Response::new(Full::from(greeting)))
}
