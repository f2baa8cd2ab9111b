//! What a validation costs a whole server: the example `whoami` under load, against its own
//! `/healthz`, which asks for no token.
//!
//! ```text
//! cargo bench --bench whoami
//! ```
//!
//! 32 connections, each with one request at a time, from one thread. The load runs in turns, a few
//! seconds each, and shares the machine with the server.

#[path = "common/tokens.rs"]
#[expect(dead_code, reason = "one of the tokens is enough here")]
mod tokens;

use std::{
    env, io,
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    task::JoinSet,
};
use tower_entra::testing::Issuer;

fn main() {
    let issuer = Issuer::start_blocking();
    let token = tokens::agent(&issuer).mint();
    let cold = Server::start(&issuer, COLD_PORT, None);
    let cached = Server::start(&issuer, CACHED_PORT, Some("1024"));

    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(cold.load("/healthz", &token));
        rates[1].push(cold.load("/whoami", &token));
        rates[2].push(cached.load("/whoami", &token));
    }
    let [health, cold, cached] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("/healthz         {health:>8.0} requests/s");
    println!(
        "/whoami, cold    {cold:>8.0} requests/s {:.3} ×",
        cold / health
    );
    println!(
        "/whoami, cached  {cached:>8.0} requests/s {:.3} ×",
        cached / health
    );
}

/// A running `whoami`, until it is dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(issuer: &Issuer, port: u16, token_cache: Option<&str>) -> Self {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = Command::new(cargo);
        command
            .args(["run", "--quiet", "--release", "--example", "whoami"])
            .env("AZURE_AUTHORITY_HOST", issuer.url())
            .env("AZURE_TENANT_ID", issuer.tenant_id())
            .env("EXPECTED_AUDIENCE", issuer.audience())
            .env("PORT", port.to_string())
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(capacity) = token_cache {
            command.env("TOKEN_CACHE", capacity);
        }
        let process = command.spawn().expect("cargo runs the example");
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
        Self { process, port }
    }

    /// Requests per second.
    fn load(&self, path: &str, token: &str) -> f64 {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let start = Instant::now();
            let mut connections = JoinSet::new();
            for _ in 0..CONNECTIONS {
                connections.spawn(keep_asking(self.port, request.clone(), start + TURN));
            }
            let answers = connections.join_all().await.into_iter();
            let answers: io::Result<u32> = answers.sum();
            f64::from(answers.expect("the server answers")) / start.elapsed().as_secs_f64()
        })
    }
}

/// How many answers came until `end`. They are equally long: the date in them always is.
async fn keep_asking(port: u16, request: String, end: Instant) -> io::Result<u32> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    connection.set_nodelay(true)?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 4_096];
    let length = connection.read(&mut answer).await?;
    answer.truncate(length);
    let mut answers = 1;
    while Instant::now() < end {
        connection.write_all(request.as_bytes()).await?;
        connection.read_exact(&mut answer).await?;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "not 200");
        answers += 1;
    }
    Ok(answers)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const COLD_PORT: u16 = 38_411;
const CACHED_PORT: u16 = 38_412;
const ROUNDS: usize = 15;
const CONNECTIONS: usize = 32;
const TURN: Duration = Duration::from_secs(1);
