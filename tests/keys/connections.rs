//! Connections that are kept open between fetches, by a server that does so.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;
use tokio::{runtime, time};
use tower_entra::{Authority, ErrorKind, KeySettings, Tenants, Validator, testing::Issuer};

use crate::support::*;

/// Serves an issuer's documents under another address, any number on one connection.
struct Keeper {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Keeper {
    /// Closes each connection silently after this many answers.
    fn start(issuer: &Issuer, answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let keeper = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let connections = Arc::clone(&keeper.connections);
        let requests = Arc::clone(&keeper.requests);
        let (issuer, url) = (issuer.clone(), keeper.url.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                connections.fetch_add(1, Ordering::SeqCst);
                let (issuer, url) = (issuer.clone(), url.clone());
                let requests = Arc::clone(&requests);
                thread::spawn(move || {
                    let _ = serve(&stream, &issuer, &url, answers, &requests);
                });
            }
        });
        keeper
    }

    fn validator(&self, issuer: &Issuer, settings: KeySettings) -> Validator {
        Validator::builder(Tenants::single(issuer.tenant_id()), [issuer.audience()])
            .authority(Authority::insecure_loopback(&self.url))
            .key_settings(settings)
            .build()
            .unwrap()
    }

    fn token(&self, issuer: &Issuer) -> String {
        let iss = format!("{}/{}/v2.0", self.url, issuer.tenant_id());
        issuer.user().claim("iss", iss).mint()
    }
}

fn serve(
    stream: &TcpStream,
    issuer: &Issuer,
    url: &str,
    answers: usize,
    requests: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    for _ in 0..answers {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        requests.fetch_add(1, Ordering::SeqCst);
        let tenant = issuer.tenant_id();
        let body = if head.contains("openid-configuration") {
            json!({
                "issuer": format!("{url}/{tenant}/v2.0"),
                "jwks_uri": format!("{url}/{tenant}/discovery/v2.0/keys"),
            })
            .to_string()
        } else {
            let keys = String::from_utf8(issuer.keys_document()).unwrap();
            keys.replace(&issuer.url(), url)
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut stream = stream;
        stream.write_all([head, body].concat().as_bytes())?;
    }
    Ok(())
}

/// Says how long to wait, and breaks off in the body of that answer.
fn refuse_and_break_off(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n")
                && reader.read_line(&mut head).is_ok_and(|len| len > 0)
            {}
            let answer = "HTTP/1.1 429 \r\nRetry-After: 120\r\nContent-Length: 1000\r\n\r\nslow";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

#[tokio::test]
async fn retry_after_is_honoured_though_the_body_of_that_answer_breaks_off() {
    let issuer = Issuer::start_blocking();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    refuse_and_break_off(listener);
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), [issuer.audience()])
        .authority(Authority::insecure_loopback(&url))
        .key_settings(KeySettings::default().with_wait(10 * SECOND))
        .build()
        .unwrap();
    let token = issuer
        .user()
        .claim("iss", format!("{url}/{}/v2.0", issuer.tenant_id()));
    let refused = validate(&validator, &token.mint()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::KeysUnavailable);
    let retry_after = refused.retry_after().unwrap();
    assert!(retry_after > 100 * SECOND, "{retry_after:?}");
}

/// Sends one answer without end, and counts what of it could be sent.
fn answer_without_end(listener: TcpListener, sent: Arc<AtomicUsize>) {
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|len| len > 0) {}
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{");
        let spaces = [b' '; 64 * 1024];
        while sent.load(Ordering::SeqCst) < ENDLESS && stream.write_all(&spaces).is_ok() {
            sent.fetch_add(spaces.len(), Ordering::SeqCst);
        }
    });
}

/// Many times what the buffers of two sockets may hold.
const ENDLESS: usize = 256 * 1024 * 1024;

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_is_allowed() {
    let issuer = Issuer::start_blocking();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    answer_without_end(listener, Arc::clone(&sent));
    let validator = Validator::builder(Tenants::single(issuer.tenant_id()), [issuer.audience()])
        .authority(Authority::insecure_loopback(&url))
        .build()
        .unwrap();
    let token = issuer.user().mint();
    assert_eq!(
        outcome(&validator, &token).await,
        Err(ErrorKind::KeysUnavailable)
    );
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < ENDLESS / 4, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_silently_costs_no_fetch() {
    let issuer = Issuer::start_blocking();
    let keeper = Keeper::start(&issuer, 2);
    let validator = keeper.validator(&issuer, KeySettings::default().with_cool_down(SECOND));
    within(validator.ready()).await;
    assert_eq!(keeper.connections.load(Ordering::SeqCst), 1);
    time::sleep(50 * TICK).await;
    issuer.rotate();
    assert_eq!(outcome(&validator, &keeper.token(&issuer)).await, Ok(()));
    assert_eq!(keeper.requests.load(Ordering::SeqCst), 4);
}

#[test]
fn a_connection_of_a_runtime_that_has_ended_costs_no_fetch() {
    let issuer = Issuer::start_blocking();
    let keeper = Keeper::start(&issuer, usize::MAX);
    let validator = keeper.validator(&issuer, KeySettings::default());
    let runtime = || {
        runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    runtime().block_on(within(validator.ready()));
    issuer.rotate();
    runtime().block_on(async {
        assert_eq!(outcome(&validator, &keeper.token(&issuer)).await, Ok(()));
    });
    assert_eq!(keeper.requests.load(Ordering::SeqCst), 4);
}
