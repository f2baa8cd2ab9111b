//! How the program starts, listens and ends.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tokio::net::UnixStream;
use tower_entra::testing::{Fault, Issuer, Target};

use crate::world::{Sidecar, exchange, program, variables};

/// The program until it ends by itself.
fn output(mut command: Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path of one test, in a folder that is there.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tower-entra-{}-{name}", std::process::id()))
}

#[tokio::test]
async fn it_says_where_it_listens_and_ends_with_0_after_sigterm_and_sigint() {
    let issuer = Issuer::start().await;
    for signal in ["TERM", "INT"] {
        let mut sidecar = Sidecar::start(&issuer, &[]);
        assert!(
            sidecar.url.starts_with("http://127.0.0.1:"),
            "{}",
            sidecar.url
        );
        assert!(!sidecar.url.ends_with(":0"));
        sidecar.signal(signal);
        assert_eq!(sidecar.ends().await.code(), Some(0));
    }
}

#[tokio::test]
async fn it_listens_at_every_address_with_a_line_for_each() {
    let issuer = Issuer::start().await;
    let socket = path("both");
    let urls = format!("http://127.0.0.1:0;http://unix:{}", socket.display());
    let mut sidecar = Sidecar::start(&issuer, &[("ASPNETCORE_URLS", &urls)]);
    let second = sidecar.line();
    assert_eq!(
        second,
        format!("listening on http://unix:{}", socket.display())
    );
    assert_eq!(sidecar.get("/healthz").await.status, 200);
    let stream = UnixStream::connect(&socket).await.expect("a connection");
    let head = b"GET /Validate HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(exchange(stream, head).await.status, 401);
    let stream = UnixStream::connect(&socket).await.expect("a connection");
    let head = b"GET /Validate HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(exchange(stream, head).await.status, 400);
    sidecar.signal("TERM");
    assert_eq!(sidecar.ends().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn the_socket_of_a_killed_program_is_replaced() {
    let issuer = Issuer::start().await;
    let socket = path("stale");
    let url = format!("http://unix:{}", socket.display());
    let first = Sidecar::start(&issuer, &[("ASPNETCORE_URLS", &url)]);
    drop(first);
    assert!(socket.exists());
    let mut second = Sidecar::start(&issuer, &[("ASPNETCORE_URLS", &url)]);
    second.signal("TERM");
    assert_eq!(second.ends().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn an_address_in_use_ends_it_with_1_and_one_line() {
    let issuer = Issuer::start().await;
    let first = Sidecar::start(&issuer, &[]);
    let mut command = program();
    command
        .envs(variables(&issuer))
        .env("ASPNETCORE_URLS", &first.url);
    let output = output(command);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(&first.url), "{stderr}");
    assert!(stderr.contains("another program listens here"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_wrong_configuration_ends_it_with_2_and_lines_on_stderr() {
    let output = output(program());
    assert_eq!(output.status.code(), Some(2));
    assert!(!output.stderr.is_empty());
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let issuer = Issuer::start().await;
    issuer.fail_at(Target::Keys, Fault::Slow(Duration::from_millis(1_500)));
    let mut sidecar = Sidecar::start(&issuer, &[]);
    let token = issuer.token().audience(issuer.blueprint_id()).mint();
    // The first one waits for the keys.
    let waiting = sidecar.get_with_token("/Validate", &token);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sidecar.signal("TERM");
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::net::TcpStream::connect(sidecar.address())
            .await
            .is_err()
    };
    let (reply, is_closed) = tokio::join!(waiting, ending);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(is_closed, "a new connection was accepted");
    assert_eq!(sidecar.ends().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_end() {
    let issuer = Issuer::start().await;
    let mut sidecar = Sidecar::start(&issuer, &[]);
    let _idle = tokio::net::TcpStream::connect(sidecar.address())
        .await
        .expect("a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    sidecar.signal("TERM");
    assert_eq!(sidecar.ends().await.code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let issuer = Issuer::start().await;
    let mut sidecar = Sidecar::start(&issuer, &[]);
    // Its head never ends.
    let mut slow = tokio::net::TcpStream::connect(sidecar.address())
        .await
        .expect("a connection");
    tokio::io::AsyncWriteExt::write_all(&mut slow, b"GET /healthz HTTP/1.1\r\n")
        .await
        .expect("sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    sidecar.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    sidecar.signal("INT");
    assert_eq!(sidecar.ends().await.code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn closed_output_is_no_panic() {
    let issuer = Issuer::start().await;
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "exec \"$0\" >&- 2>&-",
            env!("CARGO_BIN_EXE_tower-entra-sidecar"),
        ])
        .env_clear()
        .envs(variables(&issuer))
        .env("ASPNETCORE_URLS", format!("http://127.0.0.1:{port}"))
        .spawn()
        .expect("a shell");
    let mut stream = None;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Ok(connected) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            stream = Some(connected);
            break;
        }
    }
    let head = b"GET /Validate HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let reply = exchange(stream.expect("it listens"), head).await;
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let issuer = Issuer::start().await;
    let variables = [("Sidecar__MetricsUrl", "http://127.0.0.1:0")];
    let mut sidecar = Sidecar::start(&issuer, &variables);
    let line = sidecar.line();
    let url = line
        .strip_prefix("metrics at http://")
        .expect("a line about metrics");
    let address = url.strip_suffix("/metrics").expect("a path").to_owned();
    let ask = async |head: &str| {
        let stream = tokio::net::TcpStream::connect(&address)
            .await
            .expect("a connection");
        let head =
            format!("{head} HTTP/1.1\r\nhost: prometheus.example\r\nconnection: close\r\n\r\n");
        exchange(stream, head.as_bytes()).await
    };
    assert_eq!(sidecar.get("/healthz").await.status, 200);
    assert_eq!(
        sidecar
            .get("/AuthorizationHeaderUnauthenticated/no-such-api")
            .await
            .status,
        400
    );
    assert_eq!(sidecar.get("/no-such-path").await.status, 404);
    let reply = ask("GET /metrics").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("content-type")
            .expect("a type")
            .starts_with("text/plain; version=0.0.4")
    );
    for line in [
        "tower_entra_sidecar_requests_total{route=\"healthz\",status=\"200\"} 1",
        "tower_entra_sidecar_requests_total{route=\"AuthorizationHeaderUnauthenticated\",status=\"400\"} 1",
        "tower_entra_sidecar_requests_total{route=\"unknown\",status=\"404\"} 1",
        "tower_entra_sidecar_requests_total{route=\"Validate\",status=\"200\"} 0",
        "tower_entra_sidecar_request_duration_seconds_bucket{route=\"healthz\",le=\"0.001\"}",
        "tower_entra_sidecar_request_duration_seconds_count{route=\"healthz\"} 1",
        "tower_entra_verdicts_total{outcome=\"refused\",error_type=\"expired\"} 0",
    ] {
        assert!(reply.body.contains(line), "{line}\n{}", reply.body);
    }
    assert!(!reply.body.contains("no-such"), "{}", reply.body);
    assert_eq!(ask("POST /metrics").await.status, 405);
    assert_eq!(ask("GET /healthz").await.status, 404);
    assert_eq!(ask("GET /Validate").await.status, 404);
    assert_eq!(sidecar.get("/metrics").await.status, 404);
}

#[tokio::test]
async fn check_says_what_is_well_and_ends_with_0() {
    let issuer = Issuer::start().await;
    let mut command = program();
    command.envs(variables(&issuer)).arg("--check");
    let output = output(command);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    let starts: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    assert_eq!(
        starts.iter().map(|(start, _)| *start).collect::<Vec<_>>(),
        ["ok", "ok", "not tried"]
    );
}

#[tokio::test]
async fn check_says_what_is_wrong_and_ends_with_1() {
    let issuer = Issuer::start().await;
    let mut command = program();
    let secret = "AzureAd__ClientCredentials__0__ClientSecret";
    command
        .envs(variables(&issuer))
        .env(secret, "mistyped-secret")
        .arg("--check");
    let output = output(command);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(
        stdout.contains("\nwrong: AzureAd:ClientCredentials:0 (ClientSecret)"),
        "{stdout}"
    );
    assert!(!(stdout + &text(&output.stderr)).contains("mistyped-secret"));
}

#[tokio::test]
async fn check_of_a_wrong_configuration_ends_with_2() {
    let mut command = program();
    command.arg("--check");
    let output = output(command);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}

/// Microsoft's wants a home that it can write to, for keys that it never uses.
#[tokio::test]
async fn it_writes_no_file_and_needs_no_folder_of_its_own() {
    let issuer = Issuer::start().await;
    let folder = path("empty");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut command = program();
    command
        .envs(variables(&issuer))
        .env("HOME", &folder)
        .env("TMPDIR", &folder)
        .current_dir(&folder);
    let mut sidecar = Sidecar::of(command);
    sidecar.is_ready().await;
    let token = issuer.blueprint().user_token("alice").mint();
    let query = format!(
        "/AuthorizationHeader/orders?AgentIdentity={}",
        issuer.agent_id()
    );
    let answer = sidecar.get_with_token(&query, &token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    sidecar.signal("TERM");
    assert_eq!(sidecar.ends().await.code(), Some(0));
    // Fails if there is anything in it.
    std::fs::remove_dir(&folder).expect("a folder that is as empty as before");
}

#[test]
fn help_and_version_need_no_configuration() {
    let version = concat!("tower-entra-sidecar ", env!("CARGO_PKG_VERSION"), "\n");
    for (argument, words) in [("--help", "--config"), ("--version", version)] {
        let mut command = program();
        command.arg(argument);
        let output = output(command);
        assert_eq!(output.status.code(), Some(0));
        let stdout = text(&output.stdout);
        assert!(stdout.contains(words), "{stdout}");
    }
}
