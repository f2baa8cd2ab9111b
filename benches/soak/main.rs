//! Minutes of load on everything at once, while Entra fails a third of the time and everything rotates.
//!
//! ```text
//! cargo bench --features sidecar --bench soak -- 600
//! ```
//!
//! The argument is how many seconds it runs; 20 by default. Two agent APIs behind the door, of two blueprints
//! with agents in two tenants, are called by people, apps and agents. They call another API, which is behind the
//! door too, through the outgoing layer: as the agent, on behalf of their caller, and by an agent's user account.
//! The sidecar runs beside them for the same agents. Each answer says who was seen, and is compared with who was
//! asked for. A refusal has to have a cause that was on at that time: see `oracle.rs`. Meanwhile keys and
//! credentials rotate, token requests and key fetches fail, consents, users and exchange tokens come and go, and
//! tokens that no door may admit are sent to each of them. What the processes log is searched for tokens, secrets
//! and names.
//!
//! Ends with 1 after another identity, a refusal without a cause, a forged token that was admitted, an answer
//! that did not come in time, a secret in a log, or if something of all this has never happened.

mod apis;
mod ask;
mod at_api;
mod at_sidecar;
mod callers;
mod disorder;
mod figures;
mod forged;
mod log;
mod oracle;
mod rotation;
mod seen;
mod sidecar;
mod world;

use std::{
    env,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    apis::AgentApi,
    sidecar::Sidecar,
    world::{Failed, World},
};

#[tokio::main]
async fn main() -> Result<ExitCode, Failed> {
    // Cargo adds `--bench`.
    let seconds = env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(20));
    let world = Arc::new(World::new(length)?);
    log::watch(&world.log)?;
    let orders = apis::serve_orders(&world).await?;
    let api = |blueprint| AgentApi::serve(&world, blueprint, &orders);
    let apis = Arc::new([api(0).await?, api(1).await?]);
    let at = Arc::clone(&world);
    let base_url = orders.clone();
    let sidecar = tokio::task::spawn_blocking(move || Sidecar::start(&at, &base_url)).await??;
    let places = Arc::new(ask::Places::new(&apis, &orders, &sidecar)?);
    // Every door knows a key, and there are callers, before the load begins.
    let rotation = rotation::Keys::begin(&world, &places).await;

    let mut disorder = JoinSet::new();
    disorder.spawn(rotation.run());
    disorder.spawn(rotation::certificates(Arc::clone(&world)));
    disorder.spawn(rotation::secrets(Arc::clone(&world), Arc::clone(&apis)));
    disorder::spawn_all(&mut disorder, &world);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(ask::ask(number, Arc::clone(&world), Arc::clone(&places)));
    }

    let start = Instant::now();
    while start.elapsed() < length {
        sleep((length - start.elapsed()).min(Duration::from_secs(60))).await;
        world.print(start.elapsed(), sidecar.resident_kib());
    }
    world.end();
    clients.join_all().await;
    disorder.join_all().await;
    Ok(ExitCode::from(u8::from(!world.figures.is_good(&world))))
}

const CLIENTS: usize = 32;
