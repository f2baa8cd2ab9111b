//! What a validation costs a whole server: the example `whoami` under load, against its own
//! `/healthz`, which asks for no token.
//!
//! ```text
//! cargo bench --bench whoami
//! ```
//!
//! Needs [wrk](https://github.com/wg/wrk). The load runs in turns, a few seconds each, and shares
//! the machine with the server.

#[path = "common/tokens.rs"]
#[expect(dead_code, reason = "one of the tokens is enough here")]
mod tokens;

use std::{
    env,
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
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
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
        Self { process, port }
    }

    /// Requests per second.
    fn load(&self, path: &str, token: &str) -> f64 {
        let output = Command::new("wrk")
            .args(["--threads", "1", "--connections", "32", "--duration", "3"])
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .arg(format!("http://127.0.0.1:{}{path}", self.port))
            .output()
            .expect("wrk is installed");
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(!report.contains("Non-2xx"), "{path}: {report}");
        report
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"))
            .and_then(|rate| rate.trim().parse().ok())
            .expect("wrk prints a rate")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const COLD_PORT: u16 = 38_411;
const CACHED_PORT: u16 = 38_412;
const ROUNDS: usize = 5;
