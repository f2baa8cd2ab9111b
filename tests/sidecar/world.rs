//! A sidecar of one test, as a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tower_entra::testing::Issuer;

/// A running sidecar. It ends when this is dropped.
pub(crate) struct Sidecar {
    child: Child,
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
    /// What it prints on stdout.
    lines: Receiver<String>,
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
        ("AzureAd__TenantId", issuer.tenant_id().to_owned()),
        ("AzureAd__ClientId", issuer.blueprint_id().to_owned()),
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
        let lines = lines_of(child.stdout.take().expect("a pipe"));
        let mut sidecar = Self {
            child,
            url: String::new(),
            lines,
        };
        let line = sidecar.line();
        sidecar.url = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("not a line about where it listens: {line:?}"))
            .to_owned();
        sidecar
    }
}

/// Read by a thread, so that a test which waits for a line can give up.
fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The test has ended.
            let _ = sender.send(line);
        }
    });
    receiver
}

impl Sidecar {
    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Sends these bytes on a connection of their own. They must ask for the end of the connection.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Reply {
        let stream = TcpStream::connect(self.address()).await;
        exchange(stream.expect("a connection"), request.as_ref()).await
    }

    /// The answer to a request without a body.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Reply {
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        self.send(head).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).await
    }

    pub(crate) async fn get_with_token(&self, path: &str, token: &str) -> Reply {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        self.send(head).await
    }

    /// Waits until there are keys.
    pub(crate) async fn is_ready(&self) {
        for _ in 0..200 {
            if self.get("/readyz").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the program is not ready after 10 s");
    }

    /// The next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(20));
        line.expect("a line of the program within 20 s")
    }

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

/// An answer, whose body must have a declared length.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some(Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// The value of the first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut headers = lines.filter_map(|line| line.split_once(':'));
        let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// Sends a request and reads until the other side closes.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> Reply {
    let exchanged = async {
        // The program may answer before it has read everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        Reply::parse(&text).unwrap_or_else(|| panic!("no answer: {text:?}, {ended:?}"))
    };
    timeout(Duration::from_secs(30), exchanged)
        .await
        .expect("an answer within 30 s")
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
