//! The sidecar as a process, and what it takes.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use tower_entra::testing::Issuer;

/// A running sidecar, until it is dropped.
pub(crate) struct Sidecar {
    process: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process until `/healthz` answered.
    pub(crate) started_in: Duration,
    _output: BufReader<ChildStdout>,
}

impl Sidecar {
    /// One for the issuer's own blueprint, with the API `orders` for agents as themselves and `person` on
    /// behalf of a person. Callers may name agents. `base_url` is that of both. The log, at this level, goes
    /// nowhere.
    pub(crate) fn start(issuer: &Issuer, base_url: &str, log_level: &str) -> Self {
        let resource = issuer.api().resource().to_owned();
        let default = format!("{resource}/.default");
        let begin = Instant::now();
        let mut process = Command::new(env!("CARGO_BIN_EXE_tower-entra-sidecar"))
            .env_clear()
            .env("AzureAd__Instance", issuer.url())
            .env("AzureAd__TenantId", issuer.tenant_id())
            .env("AzureAd__ClientId", issuer.blueprint_id())
            .env("AzureAd__ClientCredentials__0__SourceType", "ClientSecret")
            .env(
                "AzureAd__ClientCredentials__0__ClientSecret",
                issuer.blueprint().secret(),
            )
            .env("DownstreamApis__orders__BaseUrl", base_url)
            .env("DownstreamApis__orders__Scopes__0", &default)
            .env("DownstreamApis__orders__RequestAppToken", "true")
            .env("DownstreamApis__person__BaseUrl", base_url)
            .env(
                "DownstreamApis__person__Scopes__0",
                format!("{resource}/Orders.Read"),
            )
            .env(
                "Sidecar__AllowOverrides__GetAuthorizationHeaderUnauthenticated",
                "true",
            )
            .env(
                "Sidecar__AllowOverrides__CallDownstreamApiUnauthenticated",
                "true",
            )
            .env("Logging__LogLevel__Default", log_level)
            .env("ASPNETCORE_URLS", "http://127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        let mut sidecar = Self {
            process,
            address: address.unwrap_or_else(|| panic!("not where it listens: {line:?}")),
            started_in: Duration::ZERO,
            _output: output,
        };
        assert!(sidecar.get("/healthz").starts_with("HTTP/1.1 200"));
        sidecar.started_in = begin.elapsed();
        sidecar
    }

    /// An answer, as it came.
    fn get(&self, path: &str) -> String {
        let mut connection = TcpStream::connect(self.address).expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number
            .and_then(|number| number.parse().ok())
            .expect("VmRSS")
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
