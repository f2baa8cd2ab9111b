//! A sidecar of one test, as a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use tower_entra::testing::Issuer;

/// A running sidecar. It ends when this is dropped.
pub(crate) struct Sidecar {
    child: Child,
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
    /// Held open, so that a line which the program prints later finds a reader.
    _output: BufReader<ChildStdout>,
}

/// The program, without the variables of this process.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-entra-sidecar"));
    command.env_clear();
    command
}

/// The variables of a sidecar for the issuer's own blueprint at a port of its own, with one API, `orders`.
pub(crate) fn variables(issuer: &Issuer) -> Vec<(String, String)> {
    [
        ("AzureAd__Instance", issuer.url()),
        ("AzureAd__TenantId", issuer.tenant_id().to_string()),
        ("AzureAd__ClientId", issuer.blueprint_id().to_string()),
        (
            "AzureAd__ClientCredentials__0__SourceType",
            "ClientSecret".to_owned(),
        ),
        (
            "AzureAd__ClientCredentials__0__ClientSecret",
            issuer.blueprint().secret().to_owned(),
        ),
        (
            "DownstreamApis__orders__Scopes__0",
            format!("{}/.default", issuer.api().resource()),
        ),
        ("ASPNETCORE_URLS", "http://127.0.0.1:0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

impl Sidecar {
    /// One with [`variables`] and these in addition.
    pub(crate) fn start(issuer: &Issuer, more: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.envs(variables(issuer)).envs(more.iter().copied());
        Self::of(command)
    }

    /// Waits until it says where it listens.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line of the program");
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("not a line about where it listens: {line:?}"))
            .to_owned();
        Self {
            child,
            url,
            _output: output,
        }
    }
}

impl Sidecar {
    /// Such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until the program has ended by itself.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the program has not ended after 40 s");
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
