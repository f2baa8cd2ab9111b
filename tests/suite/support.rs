//! One issuer for all tests that leave it as it is, and short ways to ask.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::Value;
use tower_entra::{
    AgentPrincipal, Error, ErrorKind, Validator,
    testing::{Issuer, TokenBuilder},
};

/// The issuer that tests share. Whoever rotates or breaks keys starts one of its own.
pub(crate) fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::start_blocking)
}

/// Runs `test` with a validator of the shared issuer, keys loaded.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            tokio::time::timeout(TEST_LIMIT, test)
                .await
                .expect("a test in time")
        })
}

/// Who is calling, by this token.
#[track_caller]
pub(crate) fn admitted(token: TokenBuilder) -> AgentPrincipal {
    admitted_by(&issuer().validator(), &token.mint())
}

#[track_caller]
pub(crate) fn admitted_by(validator: &Validator, token: &str) -> AgentPrincipal {
    match verdict(validator, token) {
        Ok(principal) => principal,
        Err(kind) => panic!("refused: {kind:?}"),
    }
}

/// Why this token is refused.
#[track_caller]
pub(crate) fn refusal(token: TokenBuilder) -> ErrorKind {
    refusal_by(&issuer().validator(), &token.mint())
}

#[track_caller]
pub(crate) fn refusal_by(validator: &Validator, token: &str) -> ErrorKind {
    match verdict(validator, token) {
        Ok(principal) => panic!("admitted: {principal:?}"),
        Err(kind) => kind,
    }
}

/// The whole error with which this token is refused.
#[track_caller]
pub(crate) fn error_by(validator: &Validator, token: &str) -> Error {
    let verdict = block_on(async {
        validator.ready().await;
        validator.validate(token).await
    });
    match verdict {
        Ok(principal) => panic!("admitted: {principal:?}"),
        Err(error) => error,
    }
}

fn verdict(validator: &Validator, token: &str) -> Result<AgentPrincipal, ErrorKind> {
    block_on(async {
        validator.ready().await;
        validator
            .validate(token)
            .await
            .map_err(|error| error.kind())
    })
}

/// Everything that was logged meanwhile on this thread, at every level, as an operator reads it.
pub(crate) fn logged<T>(work: impl FnOnce() -> T) -> (T, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, work);
    (result, log.text())
}

/// The audit events that were made meanwhile on this thread, at the level `info`.
pub(crate) fn audited<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter("tower_entra::audit=info")
        .with_writer(move || writer.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, work);
    let events = log.text();
    let events = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (result, events.collect())
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

const TEST_LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

pub(crate) const OTHER_TENANT: &str = "dd0f374e-74a5-4996-af69-500cda64057a";
pub(crate) const OTHER_APP: &str = "001458b4-6bef-4de5-acde-bf9b2edaf9fb";
