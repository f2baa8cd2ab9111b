//! An authority that cannot be reached: one warning for each cause, with what to change. Real sockets,
//! on loopback.

use std::{
    env,
    error::Error as StdError,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    pin::Pin,
    process::Command,
    thread,
};

use http::{Request, Response};
use tokio::time;
use tower_entra::{Authority, HttpClient, KeySettings, Tenants, Validator, ValidatorBuilder};
use tracing::Level;

use crate::support::*;

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";

/// A fetch fails several times while a test looks on.
fn builder(authority: Authority) -> ValidatorBuilder {
    let settings = KeySettings::default()
        .with_first_retry(10 * TICK)
        .with_last_retry(10 * TICK);
    Validator::builder(Tenants::single(TENANT), ["api"])
        .authority(authority)
        .key_settings(settings)
}

/// Fails to fetch several times.
async fn fail(validator: &Validator) {
    assert!(time::timeout(SECOND, validator.ready()).await.is_err());
}

/// Listens on loopback, and answers each connection so.
pub(crate) fn listen(
    answer: impl Fn(TcpStream) -> std::io::Result<()> + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap());
        }
    });
    address
}

/// An address at which nothing listens.
fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The only warning: its error and its hint.
#[track_caller]
fn warning(log: &Log) -> (String, String) {
    let mut lines = log.lines();
    lines.retain(|line| line.level <= Level::WARN && line.target == "tower_entra::keys");
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(line.field("code"), Some(r#""unreachable""#));
    let field = |name| line.field(name).unwrap().to_owned();
    (field("reason"), field("hint"))
}

#[tokio::test]
async fn a_refused_connection_is_one_warning_that_says_so() {
    let log = Log::of_this_thread();
    let authority = Authority::insecure_loopback(format!("http://{}", closed()));
    let validator = builder(authority).build().unwrap();
    fail(&validator).await;
    let (error, hint) = warning(&log);
    assert!(
        error.starts_with("\"the authority could not be reached: ")
            && error.to_lowercase().contains("connection refused"),
        "{error}"
    );
    assert!(hint.contains("nothing listens there"), "{hint}");
    assert!(log.count("keys still cannot be fetched") > 1);
}

#[tokio::test]
async fn an_untrusted_certificate_is_one_warning_that_says_so() {
    let log = Log::of_this_thread();
    let address = listen(|stream| present_a_certificate(&stream));
    let authority = Authority::custom(format!("https://{address}"));
    let validator = builder(authority).build().unwrap();
    fail(&validator).await;
    let (error, hint) = warning(&log);
    assert!(
        error.contains("invalid peer certificate: UnknownIssuer"),
        "{error}"
    );
    assert!(hint.contains("certificate store"), "{hint}");
}

/// Begins TLS 1.2 with an untrusted certificate, up to where the client judges it.
pub(crate) fn present_a_certificate(mut stream: &TcpStream) -> std::io::Result<()> {
    fn with_length<const N: usize>(contents: &[u8]) -> Vec<u8> {
        let length = contents.len().to_be_bytes();
        [&length[length.len() - N..], contents].concat()
    }
    let message = |kind: u8, contents: &[u8]| [&[kind], &*with_length::<3>(contents)].concat();
    // A random value, no session id, ECDHE_RSA with AES-128-GCM, no compression.
    let hello = [&[3, 3], &[0x11; 32][..], &[0, 0xc0, 0x2f, 0]].concat();
    let certificate = with_length::<3>(&stranger().own_certificate());
    // P-256, a point, and a signature of RSA with SHA-256, which is judged after the certificate.
    let point = [&[4], &[1; 64][..]].concat();
    let exchange = [
        &[3, 0, 0x17, 65],
        &*point,
        &[4, 1],
        &*with_length::<2>(&[0; 256]),
    ]
    .concat();
    let flight = [
        message(2, &hello),
        message(11, &with_length::<3>(&certificate)),
        message(12, &exchange),
        message(14, &[]),
    ]
    .concat();
    let record = [&[0x16, 3, 3], &*with_length::<2>(&flight)].concat();
    assert!(stream.read(&mut [0; 4_096])? > 0);
    stream.write_all(&record)?;
    // Until the client has gone.
    while stream.read(&mut [0; 4_096])? > 0 {}
    Ok(())
}

/// A proxy that answers CONNECT so, and then goes on with `tunnel`.
fn proxy(
    answer: &'static str,
    tunnel: impl Fn(&TcpStream) -> std::io::Result<()> + Send + 'static,
) -> SocketAddr {
    listen(move |mut stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"CONNECT login.example:443 "));
        write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n")?;
        tunnel(&stream)
    })
}

/// The warnings of a program whose environment names this proxy, with a password.
fn warnings_behind(proxy: SocketAddr) -> Vec<String> {
    let name = concat!(module_path!(), "::a_program_behind_a_proxy");
    let (_, name) = name.split_once("::").unwrap();
    let mut child = Command::new(env::current_exe().unwrap());
    for variable in [
        "NO_PROXY",
        "no_proxy",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env_remove(variable);
    }
    let child = child
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env("HTTPS_PROXY", format!("http://user:pass-word@{proxy}"))
        .env(CHILD, "1")
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{output}");
    assert!(output.contains("tower_entra::keys"), "{output}");
    for secret in ["pass-word", "user:", "dXNlcjpwYXNzLXdvcmQ"] {
        assert!(!output.contains(secret), "{output}");
    }
    let warnings = output.lines().filter(|line| line.contains(" WARN "));
    warnings.map(str::to_owned).collect()
}

#[test]
#[ignore = "the tests of proxies start it, each with its own environment"]
fn a_program_behind_a_proxy() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let (_, log) = logged(|| {
        let validator = builder(Authority::custom("https://login.example")).build();
        block_on(async { fail(&validator.unwrap()).await });
    });
    println!("{log}");
}

const CHILD: &str = "TOWER_ENTRA_CHILD";

#[test]
fn what_a_proxy_does_wrong_is_one_warning_each_without_its_password() {
    let nothing = |_: &TcpStream| Ok(());
    for (proxy, cause, hint) in [
        (
            proxy("407 Proxy Authentication Required", nothing),
            "proxy authorization required",
            "Put user and password of the proxy into HTTPS_PROXY",
        ),
        (
            proxy("403 Forbidden", nothing),
            "tunnel error: unsuccessful",
            "Let the proxy in HTTPS_PROXY open tunnels",
        ),
        (
            proxy("200 OK", present_a_certificate),
            "invalid peer certificate: UnknownIssuer",
            "Add the CA of the proxy",
        ),
        (closed(), "onnection refused", "of a proxy in HTTPS_PROXY"),
    ] {
        let warnings = warnings_behind(proxy);
        let [line] = &warnings[..] else {
            panic!("{cause}: {warnings:?}")
        };
        for text in [
            r#" code="unreachable""#,
            r#" reason="the authority could not be reached: "#,
            cause,
            r#" hint=""#,
            hint,
            "https://login.example/",
        ] {
            assert!(line.contains(text), "{text} is not in: {line}");
        }
    }
}

/// Fails by one error after the other, again and again.
struct Failing(std::sync::atomic::AtomicUsize, &'static [&'static str]);

impl HttpClient for Failing {
    fn send(
        &self,
        _: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let at = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let error = self.1[at % self.1.len()];
        Box::pin(async move { Err(error.into()) })
    }
}

#[tokio::test(start_paused = true)]
async fn each_cause_of_an_outage_is_warned_of_once() {
    let log = Log::of_this_thread();
    let client = Failing(
        0.into(),
        &[
            "dns error: no such name",
            "connection refused",
            "tunnel error: proxy authorization required",
            "invalid peer certificate: UnknownIssuer",
            "operation timed out",
            "dns error: another name",
            "http://user:pass-word@proxy:3128 broke",
            "x\" forged=\"1\r\n",
        ],
    );
    let validator = builder(Authority::public()).http_client(client);
    fail(&validator.build().unwrap()).await;
    let mut lines = log.lines();
    lines.retain(|line| line.level == Level::WARN);
    let errors: Vec<_> = lines.iter().map(|line| line.field("reason")).collect();
    assert_eq!(errors.len(), 6, "{errors:?}");
    assert!(errors[5].unwrap().contains("http://proxy:3128 broke"));
    let text = log.text();
    assert!(
        !text.contains("pass-word") && !text.contains('\r'),
        "{text}"
    );
    assert!(text.contains(r#"x\\\" forged=\\\"1\\r\\n""#), "{text}");
}
