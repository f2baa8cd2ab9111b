//! One validation over and over, for a profiler that counts instructions.
//!
//! ```text
//! cargo bench --bench instructions --no-run
//! valgrind --tool=callgrind --toggle-collect='*instructions::run*' TARGET/release/deps/instructions-HASH cold 1000
//! ```
//!
//! The kinds: `cold`, `cached`, `groups`, `verify`, and `layer`: a remembered token at the layer.

#[path = "common/bare.rs"]
mod bare;
#[path = "common/poll.rs"]
mod poll;
#[path = "common/tokens.rs"]
mod tokens;

use std::{convert::Infallible, env, hint::black_box};

use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use tokio::runtime::Runtime;
use tower::{Layer, Service, service_fn};
use tower_entra::{EntraAuthLayer, Validator, testing::Issuer};

use self::{bare::Bare, poll::at_once};

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let kind = arguments.next().unwrap_or_else(|| "cold".to_owned());
    let times = arguments
        .next()
        .map_or(1_000, |times| times.parse().expect("a number of times"));

    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let issuer = Issuer::start_blocking();
    let validator = match kind.as_str() {
        "cached" | "layer" => issuer.validator_builder().token_cache(1_024).build(),
        _ => issuer.validator_builder().build(),
    }
    .expect("a good configuration");
    runtime.block_on(validator.ready());
    let token = match kind.as_str() {
        "groups" => tokens::agent_with_groups(&issuer).mint(),
        _ => tokens::agent(&issuer).mint(),
    };
    let bare = Bare::rs256(&issuer, &token);

    // Whatever happens only once has happened by then.
    validate(&validator, &token);
    match kind.as_str() {
        "cold" | "cached" | "groups" => run(times, || validate(&validator, &token)),
        "verify" => run(times, || bare.verify()),
        "layer" => {
            let layer = EntraAuthLayer::new(validator).layer(service_fn(answer));
            let request = request(&token);
            run(times, || serve(&mut layer.clone(), request.clone()));
        }
        _ => panic!("no such kind: {kind}"),
    }
}

fn validate(validator: &Validator, token: &str) {
    let verdict = at_once(validator.validate(token));
    black_box(verdict.expect("a good token is admitted"));
}

fn request(token: &str) -> Request<()> {
    let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(()).expect("a good request")
}

async fn answer(_: Request<()>) -> Result<Response<()>, Infallible> {
    Ok(Response::new(()))
}

fn serve<S>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let Ok(response) = at_once(service.call(request));
    assert_eq!(black_box(response).status(), StatusCode::OK);
}

/// Collects between its first instruction and its last.
#[inline(never)]
fn run(times: u32, function: impl Fn()) {
    for _ in 0..times {
        function();
    }
}
