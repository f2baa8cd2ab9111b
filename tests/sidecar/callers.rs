//! Who may call: processes of this machine, by a name of this machine.

use std::{
    net::{SocketAddr, UdpSocket},
    process::Command,
};

use tokio::net::TcpStream;
use tower_entra::testing::Issuer;

use crate::world::{Reply, Sidecar, exchange, program, variables};

const PATHS: [&str; 5] = [
    "/Validate",
    "/AuthorizationHeader/orders",
    "/AuthorizationHeaderUnauthenticated/orders",
    "/DownstreamApi/orders",
    "/DownstreamApiUnauthenticated/orders",
];

/// The same machine by an address that is not loopback. `None` without a network.
fn from_elsewhere(sidecar: &Sidecar) -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: it only has the operating system choose an address.
    socket.connect("192.0.2.123:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    let port = sidecar.address().rsplit_once(':')?.1.parse().ok()?;
    (!ip.is_loopback() && !ip.is_unspecified()).then_some((ip, port).into())
}

async fn ask_at(address: SocketAddr, path: &str, more: &str) -> Reply {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n");
    exchange(stream, head.as_bytes()).await
}

async fn with_hosts(sidecar: &Sidecar, path: &str, hosts: &[&str]) -> Reply {
    let hosts: String = hosts
        .iter()
        .map(|host| format!("host: {host}\r\n"))
        .collect();
    let head = format!("GET {path} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
    sidecar.send(head).await
}

#[tokio::test]
async fn a_caller_from_elsewhere_is_refused_but_to_probes() {
    let issuer = Issuer::start().await;
    for listen in ["http://0.0.0.0:0", "http://[::]:0"] {
        let sidecar = Sidecar::start(&issuer, &[("ASPNETCORE_URLS", listen)]);
        let Some(address) = from_elsewhere(&sidecar) else {
            return;
        };
        for path in PATHS
            .into_iter()
            .chain(["/openapi/v1.json", "/", "/healthz/"])
        {
            for more in [
                "",
                "x-forwarded-for: 127.0.0.1\r\nforwarded: for=127.0.0.1\r\n",
            ] {
                let reply = ask_at(address, path, more).await;
                assert_eq!((reply.status, &*reply.body), (403, ""), "{path}");
            }
        }
        let reply = ask_at(address, "/healthz", "").await;
        assert_eq!((reply.status, &*reply.body), (200, "Healthy"));
        assert_ne!(ask_at(address, "/readyz", "").await.status, 403);
        // By loopback the same program serves, as an IPv4 caller of an IPv6 listener too.
        let port = address.port();
        let reply = ask_at(([127, 0, 0, 1], port).into(), "/Validate", "").await;
        assert_eq!(reply.status, 401);
    }
}

#[tokio::test]
async fn development_serves_callers_from_elsewhere() {
    let issuer = Issuer::start().await;
    let variables = [
        ("ASPNETCORE_URLS", "http://0.0.0.0:0"),
        ("ASPNETCORE_ENVIRONMENT", "Development"),
    ];
    let sidecar = Sidecar::start(&issuer, &variables);
    if let Some(address) = from_elsewhere(&sidecar) {
        assert_eq!(ask_at(address, "/Validate", "").await.status, 401);
    }
    let reply = with_hosts(&sidecar, "/Validate", &["evil.example"]).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn a_foreign_host_is_refused_but_to_probes() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for path in PATHS {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "",
            "127.0.0.2",
            "sidecar:5000",
        ] {
            let reply = with_hosts(&sidecar, path, &[host]).await;
            assert_eq!(reply.status, 400, "{host} {path}");
            assert_eq!(reply.header("content-type"), Some("text/html"));
            assert!(reply.body.contains("Bad Request - Invalid Hostname"));
        }
    }
    for path in ["/healthz", "/healthz/", "/readyz", "/readyz/"] {
        let reply = with_hosts(&sidecar, path, &["evil.example"]).await;
        assert_ne!(reply.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_has_no_call_made() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for path in PATHS {
        for header in [
            "origin: https://evil.example",
            "origin: null",
            "sec-fetch-site: cross-site",
        ] {
            let head = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\nconnection: close\r\n\r\n"
            );
            let reply = sidecar.send(head).await;
            assert_eq!((reply.status, &*reply.body), (403, ""), "{header} {path}");
        }
    }
}

#[tokio::test]
async fn names_of_this_machine_are_taken() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for host in [
        "localhost",
        "LOCALHOST:5178",
        "127.0.0.1:8080",
        "127.0.0.1",
        "[::1]",
        "[::1]:80",
    ] {
        let reply = with_hosts(&sidecar, "/Validate", &[host]).await;
        assert_eq!(reply.status, 401, "{host}");
    }
}

#[tokio::test]
async fn a_request_has_one_host_and_its_target_agrees() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    for path in ["/Validate", "/healthz"] {
        for hosts in [
            &[][..],
            &["localhost", "localhost"],
            &["localhost", "evil.example"],
        ] {
            let reply = with_hosts(&sidecar, path, hosts).await;
            assert_eq!(reply.status, 400, "{hosts:?}");
        }
    }
    let absolute = with_hosts(&sidecar, "http://localhost/Validate", &["localhost"]).await;
    assert_eq!(absolute.status, 401);
    for (target, host) in [
        ("http://evil.example/Validate", "localhost"),
        ("http://localhost/Validate", "evil.example"),
        ("http://evil.example/Validate", "evil.example"),
        ("http://localhost@evil.example/Validate", "localhost"),
    ] {
        let reply = with_hosts(&sidecar, target, &[host]).await;
        assert_eq!(reply.status, 400, "{target} {host}");
    }
}

#[tokio::test]
async fn forwarded_headers_lend_no_host() {
    let issuer = Issuer::start().await;
    let sidecar = Sidecar::start(&issuer, &[]);
    let head = "GET /Validate HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: localhost\r\n\
                x-original-host: localhost\r\nforwarded: host=localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(sidecar.send(head).await.status, 400);
}

/// `ForwardedHeaders_Enabled` on the command line, in this environment.
fn with_forwarded_headers(issuer: &Issuer, value: &str, environment: &str) -> Command {
    let mut command = program();
    command
        .envs(variables(issuer))
        .env("ASPNETCORE_ENVIRONMENT", environment)
        .arg(format!("--ForwardedHeaders_Enabled={value}"));
    command
}

#[tokio::test]
async fn forwarded_headers_cannot_be_enabled_outside_development() {
    let issuer = Issuer::start().await;
    for (value, environment) in [("true", "Production"), ("TrUe", "Staging")] {
        let mut command = with_forwarded_headers(&issuer, value, environment);
        let output = command.output().expect("the program runs");
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        let text = "Forwarded headers cannot be enabled outside Development.";
        assert!(stderr.contains(text), "{stderr}");
    }
    for (value, environment) in [
        ("false", "Production"),
        ("enabled", "Production"),
        (" true ", "Production"),
        ("true", "Development"),
    ] {
        Sidecar::of(with_forwarded_headers(&issuer, value, environment));
    }
}
