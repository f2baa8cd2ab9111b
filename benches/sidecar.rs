//! The sidecar under load, against its own `/healthz`; how soon it answers, and its memory.
//!
//! ```text
//! cargo bench --features sidecar --bench sidecar
//! ```
//!
//! 32 connections, each with one request at a time, from one thread. The load runs in turns of a second, and
//! shares the machine with the sidecar and the look-alike of Entra, which is asked only for the first of
//! each token. Memory is that after 100,000 requests for the tokens of 1,000 agents, each of which is
//! cached with the T1 by which it was got.

#[path = "common/sidecar.rs"]
mod sidecar;

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    task::JoinSet,
};
use tower_entra::testing::Issuer;

use crate::sidecar::Sidecar;

fn main() {
    let issuer = Issuer::start_blocking();
    let sidecar = Sidecar::start(&issuer, "http://127.0.0.1:9", "Error");
    println!(
        "start to /healthz  {:>8.1} ms",
        sidecar.started_in.as_secs_f64() * 1e3
    );

    let token = issuer.blueprint().user_token("alice").mint();
    let agent = issuer.agent_id();
    // The level by default, at which each token request is a line.
    let logging = Sidecar::start(&issuer, "http://127.0.0.1:9", "Information");
    let (quiet, logged) = (sidecar.address, logging.address);
    let header = format!("/AuthorizationHeaderUnauthenticated/orders?AgentIdentity={agent}");
    let paths = [
        (quiet, "/healthz".to_owned(), None),
        (quiet, header.clone(), None),
        (
            quiet,
            format!("/AuthorizationHeader/person?AgentIdentity={agent}"),
            Some(&*token),
        ),
        (quiet, "/Validate".to_owned(), Some(&*token)),
        (logged, header, None),
    ];
    let mut rates = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        for (rates, (address, path, token)) in rates.iter_mut().zip(&paths) {
            rates.push(block_on(load(*address, path, *token)));
        }
    }
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let names = [
        "/healthz",
        "/AuthorizationHeaderUnauthenticated",
        "/AuthorizationHeader",
        "/Validate",
        "/AuthorizationHeaderUnauthenticated, logged",
    ];
    for (name, rate) in names.into_iter().zip(medians) {
        let ratio = rate / medians[0];
        println!("{name:<43} {rate:>8.0} requests/s {ratio:.3} ×");
    }
    drop((sidecar, logging));

    let sidecar = Sidecar::start(&issuer, "http://127.0.0.1:9", "Error");
    let before = sidecar.resident_kib();
    let agents = agents(&issuer);
    block_on(ask_for_all(sidecar.address, &agents));
    println!(
        "resident after {REQUESTS} requests over {AGENTS} agents' tokens: {:.1} MiB, at its start {:.1} MiB",
        mib(sidecar.resident_kib()),
        mib(before)
    );
}

fn block_on<T>(future: impl Future<Output = io::Result<T>>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.expect("a runtime").block_on(future);
    done.expect("the sidecar answers")
}

/// Requests per second.
async fn load(address: SocketAddr, path: &str, token: Option<&str>) -> io::Result<f64> {
    let authorization = match token {
        Some(token) => format!("Authorization: Bearer {token}\r\n"),
        None => String::new(),
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n");
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(keep_asking(address, request.clone(), start + TURN));
    }
    let answers: io::Result<u32> = connections.join_all().await.into_iter().sum();
    Ok(f64::from(answers?) / start.elapsed().as_secs_f64())
}

/// How many answers came until `end`. They are equally long: the date in them always is.
async fn keep_asking(address: SocketAddr, request: String, end: Instant) -> io::Result<u32> {
    let mut connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 16_384];
    let length = connection.read(&mut answer).await?;
    answer.truncate(length);
    let mut answers = 1;
    while Instant::now() < end {
        connection.write_all(request.as_bytes()).await?;
        connection.read_exact(&mut answer).await?;
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        answers += 1;
    }
    Ok(answers)
}

/// Agents of the issuer's own blueprint that may call its API.
fn agents(issuer: &Issuer) -> Vec<String> {
    let (blueprint, api) = (issuer.blueprint(), issuer.api());
    let role = api.roles().swap_remove(0);
    let agent = |_| blueprint.add_agent().grant_role(&api, &role);
    (0..AGENTS)
        .map(agent)
        .map(|agent| agent.client_id().to_owned())
        .collect()
}

/// Each agent's token, again and again, on all connections.
async fn ask_for_all(address: SocketAddr, agents: &[String]) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let share = REQUESTS / CONNECTIONS;
    for first in 0..CONNECTIONS {
        let agents: Vec<String> = (0..share)
            .map(|at| agents[(first * share + at) % agents.len()].clone())
            .collect();
        connections.spawn(ask_for(address, agents));
    }
    connections.join_all().await.into_iter().collect()
}

async fn ask_for(address: SocketAddr, agents: Vec<String>) -> io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let mut answer = vec![0; 16_384];
    for agent in agents {
        let request = format!(
            "GET /AuthorizationHeaderUnauthenticated/orders?AgentIdentity={agent} HTTP/1.1\r\n\
             Host: localhost\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await?;
        // The answer is sent in one piece.
        let length = connection.read(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    Ok(())
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

const ROUNDS: usize = 9;
const CONNECTIONS: usize = 32;
const TURN: Duration = Duration::from_secs(1);
const AGENTS: usize = 1_000;
const REQUESTS: usize = 100_000;
